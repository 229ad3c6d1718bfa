# SPDX-License-Identifier: GPL-3.0-or-later
"""One site behind each way of serving it: `dasflex serve`, CGI under Apache, and Apache as a proxy of `dasflex serve`.

Every server is a process of its own, started once, and spoken to over sockets. The readers of the site do what a test
needs; each of their processes carries a mark among its arguments, so that one that is left behind can be found.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

import dasflex_core
import dasflex_das
from dasflex_core.catalog.publishing import publisher
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.manifest import load_facts
from dasflex_core.roots import make_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

sys.path.insert(0, str(Path(__file__).parent))  # the imitations of clients are modules beside this one

CODE = os.pathsep.join(
    dict.fromkeys(str(Path(each.__file__).resolve().parents[1]) for each in (dasflex_core, dasflex_das))
)
#: How the site is served in a run of the tests; `warm` is a CGI program that hands over to a running server.
WAYS = os.environ.get("DASFLEX_TEST_WAYS", "serve cgi proxy").split()
DAY = "time=2020-01-01/2020-01-02"
DAS2_DAY = "start_time=2020-01-01&end_time=2020-01-02"

#: What every reader begins with: a das2 stream of text, one number a second.
PRELUDE = r"""
import os, signal, subprocess, sys, time
out = sys.stdout.buffer

def packet(tag, body):
    out.write(b"[%b]%06d%b" % (tag.encode(), len(body.encode()), body.encode()))

def header(more=""):
    packet("00", f'<stream version="2.2"{more} />\n')

def declare(number=1, name="level", width=10):
    packet(f"{number:02d}", '<packet>\n<x type="time20" units="us2000" />\n'
        f'<y type="ascii{width}" units="V" name="{name}" />\n</packet>\n')

def records(count, number=1, width=10):
    lines = (b":%02d:2020-01-01T%02d:%02d:%02d %*d\n" % (number, n // 3600 % 24, n // 60 % 60, n % 60, width - 1, n)
             for n in range(count))
    out.write(b"".join(lines))
    out.flush()

def start(count=100):
    header()
    declare()
    records(count)

def grandchild():
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)", sys.argv[1]])
"""
ECHO = """
header()
packet("xx", f'<comment type="log:info" source="echo" value="{ascii(sys.argv[2:]).encode().hex()}" />\\n')
declare()
records(3)
"""
DEFINITION = """
title    = "The source {name}: 5 µV < Ω & more | others"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "{command}", writes = "{writes}" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
{more}
"""
RANGE = "#[read.time.min] #[read.time.max]"
PLAIN = "#[python] -S reader.py {mark} " + RANGE
OPTIONS = """
[options.text]
title = "Free text"
[options.count]
title = "A whole number"
type  = "integer"
range = "1 to 10"
[options.level]
title = "A number"
type  = "real"
range = "0.5 to 2.5"
units = "V"
[options.choice]
title  = "A choice"
values = { red = "Red", blue = "Blue" }
[options.flag]
title   = "A flag"
default = false
"""


@dataclass(frozen=True)
class Source:
    """A source of the site: what its reader does, and its definition."""

    reader: str = "start()"
    command: str = PLAIN
    writes: str = "das/2"
    more: str = ""


#: Readers that fail before their first data packet, and what a client may be told of it.
EARLY = {
    "Exits": (Source("sys.stderr.write('/secret/tape is out'); sys.exit(3)"), "failed with exit status 3"),
    "ExitsHeaded": (Source("start(0); out.flush(); sys.exit(3)"), "failed with exit status 3"),
    "Crashes": (Source("os.kill(os.getpid(), 11)"), "ended by signal 11"),
    "Garbage": (Source(r"out.write(b'\xff\x00garbage' * 9999)"), "starts no das2 packet"),
    "Html": (Source("out.write(b'<html>Not found</html>')"), "starts no das2 packet"),
    "CutHeader": (Source("out.write(b'[00]000100<stream')"), "ends inside the packet"),
    "Undeclared": (Source("header(); records(5, 7)"), "has no packet header"),
    "Entities": (
        Source("""packet("00", '<!DOCTYPE a [<!ENTITY b "aa">]><stream version="2.2" x="&b;"/>')"""),
        "may hold no DTD",
    ),
    "Deep": (Source("packet('00', '<stream>' + '<a>' * 9999)"), "nested more than"),
    "Wide": (Source("header(); declare(width=99); out.write(b'[02]999999<packet>')"), "ends inside"),
    "Bomb": (
        Source("""
        import zlib
        header(' compression="deflate"')
        squeeze = zlib.compressobj(9)
        out.write(squeeze.compress(b"[01]999999"))
        for _ in range(50):
            out.write(squeeze.compress(bytes(1 << 20)))
        """),
        "no well-formed XML",
    ),
    "Missing": (Source(command="no_such_program " + RANGE), "its program is not there"),
    "Plain": (Source(command="./plain " + RANGE), "may not be executed"),
    "Pipe": (Source(command=f"{PLAIN} | #[python] -S filter.py {{mark}}", reader="sys.exit(3)"), "failed with exit status 3"),
}  # fmt: skip
#: Readers that fail after a hundred records.
LATE = {
    "ExitsLate": "start(); sys.exit(3)",
    "CrashesLate": "start(); os.kill(os.getpid(), 11)",
    "CutLate": "start(); out.write(b':01:2020-01-01T00')",
    "Dies": "start(12_000); time.sleep(0.3); sys.exit(1)",
}
#: Readers that find nothing, which is no error.
NOTHING = {
    "Silent": "",
    "HeaderOnly": "header()",
    "Declared": "header(); declare()",
    "SaysSo": """header(); packet("xx", '<exception type="NoDataInInterval" message="not in 2020" />')""",
}
SOURCES = {
    "Test/Line": Source(),
    "Test/Whole": Source(more='[stages]\nnever = ["bin"]\n'),
    "Test/Echo": Source(ECHO, command=PLAIN + " #[read.opts # @ #]"),
    "Test/Options": Source(
        ECHO,
        command=PLAIN
        + " #[read.text # @ #] "
        + " ".join(f"#[read.{name} # {name}=@ #]" for name in ("count", "level", "choice", "flag")),
        more=OPTIONS,
    ),
    "Test/Orbit": Source(
        ECHO,
        command=PLAIN + " #[read.time.inter]",
        more='[coords.time]\ntitle = "Time"\ninterval = { default = "10 min", min = "0.1 s" }\n',
    ),
    "Test/New_name_of_a_source_that_has_moved_and_is_as_long_as_well": Source(more='was = ["Test/Old", "Gone/Long_ago"]\n'),
    "Test/Averages": Source(ECHO, command=PLAIN + " #[bin.time.max # --bin=@ #]"),
    "Test/Deflated": Source("""
        import zlib
        header(' compression="deflate"')
        true, out = out, __import__("io").BytesIO()
        declare()
        records(100)
        true.write(zlib.compress(out.getvalue()))
        true.flush()
    """),
    "Test/Moved": Source(more='moved = "Test/Line"\n'),
    "Test/Long": Source("start(20_000)"),
    "Test/Narrow": Source("header(); declare(width=7); records(100, width=7)"),
    "Test/Anew": Source("start(); declare(name='other'); records(7)"),
    "Test/Guarded": Source(more='[access]\nrealm = "The team"\nallow = ["group:team"]\n'),
    "Test/Endless": Source("grandchild(); header(); declare()\nwhile True: records(1000)"),
    "Test/Sleepy": Source("grandchild(); start(10); time.sleep(60)"),
    "Test/Dumb": Source("grandchild(); time.sleep(60)"),
    "Test/Marked": Source("open('ran', 'w').close(); start()"),
    "Slow/Begins": Source("time.sleep(23); start()", command=PLAIN.replace("{mark}", "slow")),
    "Slow/Pauses": Source("start(10); time.sleep(23); records(10)", command=PLAIN.replace("{mark}", "slow")),
    **{f"Early/{name}": source for name, (source, _says) in EARLY.items()},
    **{f"Late/{name}": Source(reader) for name, reader in LATE.items()},
    **{f"Nothing/{name}": Source(reader) for name, reader in NOTHING.items()},
}  # fmt: skip


@dataclass(frozen=True)
class Root:
    """A root with all these sources; each process of its readers has `mark` among its arguments."""

    path: Path
    mark: str

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.path / "etc" / "dasflex.conf"

    def folder(self, name: str) -> Path:
        """Where the definition of a source is."""
        return self.path / "definitions" / name

    def left(self) -> list[int]:
        """The processes of readers that are there now, zombies left out."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and self.mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found


def new_root(place: Path, names: Sequence[str] = tuple(SOURCES)) -> Root:
    """A root with sources of the table."""
    make_root(place, "Test Server", examples=False)
    root = Root(place, f"mark-{uuid.uuid4().hex}")
    for name in names:
        source = SOURCES[name]
        folder = root.folder(name)
        folder.mkdir(parents=True)
        command = source.command.replace("{mark}", root.mark)
        text = DEFINITION.format(name=name, command=command, writes=source.writes, more="")
        tables = source.more.lstrip().startswith("[")
        text = text + source.more if tables else source.more + text  # keys of the source stand before its tables
        (folder / "source.toml").write_text(text, encoding="utf-8")
        (folder / "reader.py").write_text(PRELUDE + dedent(source.reader), encoding="utf-8")
        (folder / "plain").write_text("", encoding="utf-8")
        (folder / "filter.py").write_text(PRELUDE + "sys.stdin.read(); start()", encoding="utf-8")
    facts = load_facts(root.config)
    report = compile_tree(place, publish=publisher(facts.config, facts.registry, facts.external))
    assert not report.findings, [str(each) for each in report.findings]
    return root


# -- answers


@dataclass(frozen=True)
class Reply:
    """A response as it came: `broken` if the connection ended before the body did."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    broken: bool = False

    def __getitem__(self, name: str) -> str:
        """The one value of a header, whose name is looked for as it is written here; blank if there is none."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) < 2, f"{name} is there {len(found)} times"
        return found[0] if found else ""

    @property
    def type(self) -> str:
        """The media type, without its parameters."""
        return self["Content-Type"].partition(";")[0]


@dataclass(frozen=True)
class Served:
    """One way of serving the site: where it is, and the root behind it."""

    name: str
    port: int
    base: str
    root: Root
    alive: Callable[[], bool] = field(repr=False, default=lambda: True)
    host: str = "127.0.0.1"

    def url(self, path: str = "") -> str:
        """The address of something, without a port, as a client that knows no ports would be given it."""
        return f"http://{self.host}{self.base}{path}"

    def address(self, path: str = "") -> str:
        """The address of something."""
        return f"http://{self.host}:{self.port}{self.base}{path}"

    def get(self, path: str, method: str = "GET", seconds: float = 20, **headers: str) -> Reply:
        """The response to a request; a header `Accept_Encoding` is `Accept-Encoding`."""
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=seconds)) as connection:
            connection.putrequest(method, self.base + path, skip_accept_encoding=True)
            for name, value in {"Connection": "close", **headers}.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            try:
                body, broken = response.read(), False
            except http.client.IncompleteRead as cut:
                body, broken = cut.partial, True
            return Reply(response.status, tuple(response.getheaders()), body, broken)

    def raw(self, request: bytes, seconds: float = 10) -> bytes:
        """All that comes until the server closes, for the bytes of a request."""
        with self.connection(seconds) as connection:
            connection.sendall(request)
            received = b""
            with suppress(ConnectionResetError):
                while chunk := connection.recv(65536):
                    received += chunk
            return received

    def connection(self, seconds: float = 10) -> socket.socket:
        """A connection to the server."""
        return socket.create_connection((self.host, self.port), timeout=seconds)

    def line(self, path: str, version: str = "1.0") -> bytes:
        """The first line of a request for a path below the base."""
        return f"GET {self.base}{path} HTTP/{version}\r\n".encode()


# -- servers


def within(seconds: float, true: Callable[[], object]) -> bool:
    """Whether something becomes true in so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def listens(port: int) -> bool:
    """Whether something accepts connections."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def environment(**more: str) -> dict[str, str]:
    """The environment of a server: the code that is tested, and nothing of the user's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": CODE,
        "PYTHONSAFEPATH": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        **more,
    }


@dataclass
class Process:
    """A server as a process; what it says goes to a file."""

    process: subprocess.Popen[bytes]
    said: Path
    port: int

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_serve(root: Path, said: Path, **variables: str) -> Process:
    """`dasflex serve` on a free port."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    config = str(root / "etc" / "dasflex.conf")
    with said.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "--port", "0", "--no-websocket", "--config", config],
            stdout=output,
            stderr=output,
            env=environment(**variables),
        )
    server = Process(process, said, 0)

    def begun() -> bool:
        if found := re.search(r"^Serving .* at http://[^/]*:(\d+)/", said.read_text(encoding="utf-8"), re.MULTILINE):
            server.port = int(found[1])
        return bool(server.port) or not server.alive()

    assert within(15, begun), said.read_text(encoding="utf-8")
    assert server.alive(), said.read_text(encoding="utf-8")
    return server


MODULES = "mpm_prefork authz_core alias env cgi rewrite setenvif proxy proxy_http"
APACHE = """
ServerRoot {place}
ServerName 127.0.0.1
PidFile {place}/apache.pid
ErrorLog {place}/error.log
Mutex file:{place}
{modules}
StartServers 4
MinSpareServers 2
MaxRequestWorkers 40
ProxyTimeout 60
<Directory />
  Require all denied
</Directory>
<Directory {place}/cgi>
  Require all granted
</Directory>
<Location />
  RewriteEngine on
  RewriteRule ^ - [E=HTTP_AUTHORIZATION:%{{HTTP:Authorization}}]
</Location>
"""
CGI_HOST = """
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
  ScriptAlias /das/server {place}/cgi/dasflex_cgimain
  ScriptAlias /das/das2Server {place}/cgi/dasflex_cgimain
  SetEnv DASFLEX_CONFIG {config}
  SetEnv PYTHONPATH {code}
</VirtualHost>
"""
PROXY_HOST = """
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
  ProxyPass / http://127.0.0.1:{backend}/ timeout=120
  ProxyPassReverse / http://127.0.0.1:{backend}/
</VirtualHost>
"""
LAUNCHER = """#!{python}
import sys
from dasflex_cgi.cgimain import main
sys.exit(main())
"""


def start_apache(place: Path, hosts: str, port: int) -> Process:
    """Apache as an ordinary user, in the foreground.

    It serves nothing as root, and as another user it may not read what root installed; so root runs it in a namespace
    of its own, where root is an ordinary user.
    """
    folder = "/usr/lib/apache2/modules"
    program = shutil.which("apache2") or "/usr/sbin/apache2"
    if not Path(program).exists() or not Path(folder).is_dir():
        pytest.skip("no Apache: install apache2")
    (place / "cgi").mkdir()
    launcher = place / "cgi" / "dasflex_cgimain"
    launcher.write_text(LAUNCHER.format(python=sys.executable), encoding="utf-8")
    launcher.chmod(0o755)
    modules = "\n".join(f"LoadModule {each}_module {folder}/mod_{each}.so" for each in MODULES.split())
    config = place / "apache.conf"
    config.write_text(APACHE.format(place=place, modules=modules) + hosts, encoding="utf-8")
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.getuid() == 0 else []
    said = place / "apache.out"
    with said.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*as_user, program, "-f", str(config), "-D", "FOREGROUND"],
            stdout=output,
            stderr=output,
            env=environment(),
            start_new_session=True,
        )
    server = Process(process, said, port)
    assert within(10, lambda: listens(port) or not server.alive()), said.read_text(encoding="utf-8")
    log = place / "error.log"
    assert server.alive(), said.read_text(encoding="utf-8") + (log.read_text(encoding="utf-8") if log.exists() else "")
    return server


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A directory for roots and servers; short, since a socket's path is."""
    made = Path(tempfile.mkdtemp(prefix="dasflex-clients-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def ways(place, free_port) -> Iterator[dict[str, Served]]:
    """The site behind each way of serving it."""
    first, second = new_root(place / "serve"), new_root(place / "cold")
    serve = start_serve(first.path, place / "serve.err")
    running = [serve]
    try:
        port = {name: free_port() for name in ("cgi", "warm", "proxy")}
        hosts = CGI_HOST.format(place=place, port=port["cgi"], config=second.config, code=CODE)
        hosts += CGI_HOST.format(place=place, port=port["warm"], config=first.config, code=CODE)
        hosts += PROXY_HOST.format(place=place, port=port["proxy"], backend=serve.port)
        apache = start_apache(place, hosts, port["cgi"])
        running.append(apache)
        yield {
            "serve": Served("serve", serve.port, "", first, serve.alive),
            "cgi": Served("cgi", port["cgi"], "/das/server", second, apache.alive),
            "warm": Served("warm", port["warm"], "/das/server", first, apache.alive),
            "proxy": Served("proxy", port["proxy"], "", first, apache.alive),
        }
    finally:
        for each in reversed(running):
            each.stop()


@pytest.fixture(scope="session", params=WAYS)
def served(request, ways) -> Served:
    """The site over HTTP: by its own server, as a CGI program alone, as one that hands over, and behind a proxy."""
    return ways[request.param]


@pytest.fixture(scope="session")
def seen() -> Callable[..., Reply]:
    """The response to a GET or HEAD, asked for once only: many rules are about the same responses."""

    @cache
    def ask(served: Served, path: str, method: str, headers: tuple[tuple[str, str], ...]) -> Reply:
        return served.get(path, method, **dict(headers))

    return lambda served, path, method="GET", **headers: ask(served, path, method, tuple(headers.items()))


@pytest.fixture(scope="session")
def seen_raw() -> Callable[[Served, str], tuple[bytes, float]]:
    """All bytes of the response to a GET of HTTP/1.0, and the seconds until the server closed."""

    @cache
    def ask(served: Served, path: str) -> tuple[bytes, float]:
        begun = time.monotonic()
        received = served.raw(served.line(path) + b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return received, time.monotonic() - begun

    return ask


@pytest.fixture
def unharmed(served) -> Iterator[None]:
    """After the test no reader is left, the server runs, and it answers as before."""
    yield
    assert within(3, lambda: not served.root.left()), "readers are left"
    assert served.alive(), "the server has ended"
    reply = served.get(f"/source/test/line/flex?{DAY}")
    assert (reply.status, reply.body.count(b":01:2020")) == (200, 100)


@pytest.fixture(scope="session")
def until() -> Callable[[float, Callable[[], object]], bool]:
    """Whether something becomes true in so many seconds."""
    return within


def pytest_configure(config: pytest.Config) -> None:
    """The marker of tests that are tables."""
    config.addinivalue_line("markers", "rows: a table, all rows of which are tried with `dasflex serve` only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that wait for silent readers come last: their requests are made while the others run.

    Of a long table the other ways of serving get the first row: each costs a CGI process, and the code
    behind them is the same.
    """
    items.sort(key=lambda item: "test_h8" in item.name)
    left_out = [item for item in items if item.get_closest_marker("rows") and not _tried(item, items)]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


def _tried(item: pytest.Item, items: list[pytest.Item]) -> bool:
    """Whether a row of a table is tried with this way of serving."""
    rows = [each for each in items if each.originalname == item.originalname and _way(each) == _way(item)]
    return _way(item) == "serve" or item is rows[0]


def _way(item: pytest.Item) -> str:
    return str(item.callspec.params.get("served", "serve"))
