# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites to serve: the examples, and sources whose readers do what a test needs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = """
title    = "{name}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max] #[read.word # @ #]", writes = "das/2/text" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
options  = {{ word = {{ title = "A word" }} }}
"""
#: What a reader of these tests begins with: a das2 stream of one number for each minute.
STREAM = """
import os, subprocess, sys, time

def packet(tag, body):
    sys.stdout.write(f"[{tag}]{len(body.encode()):06d}{body}")

def headers():
    packet("00", '<stream version="2.2" />\\n')
    packet("01", '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\\n')

def records(count):
    for number in range(count):
        sys.stdout.write(f":01:2020-01-01T{number // 60 % 24:02d}:{number % 60:02d}:00 {number:9d}\\n")
    sys.stdout.flush()

def grandchild():
    here = os.path.dirname(os.path.abspath(__file__))
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", here])
"""


@dataclass(frozen=True)
class Roots:
    """A root to which sources can be added."""

    root: Path

    @property
    def config(self) -> str:
        """The configuration file."""
        return str(self.root / "etc" / "dasflex.conf")

    def add(self, name: str, reader: str, definition: str = "") -> None:
        """A source with a reader, a script that may use what `STREAM` defines."""
        folder = self.root / "definitions" / name
        folder.mkdir(parents=True)
        (folder / "source.toml").write_text(definition or SOURCE.format(name=name), encoding="utf-8")
        (folder / "reader.py").write_text(STREAM + dedent(reader), encoding="utf-8")
        report = compile_tree(self.root)
        assert not report.findings, [str(each) for each in report.findings]

    def processes(self, name: str) -> list[int]:
        """The processes that a source's reader and its children are."""
        place = str(self.root / "definitions" / name)
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                command = (each / "cmdline").read_bytes().decode("utf-8", "replace")
                if place in command or str((each / "cwd").readlink()) == place:
                    found.append(int(each.name))
            except OSError:
                continue
        return found


@dataclass
class Server:
    """A server in a process of its own: its addresses, and what it said."""

    process: subprocess.Popen[str]
    base: str
    tried: list[str] = field(default_factory=list)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(timeout=15)


@pytest.fixture(scope="session")
def examples(tmp_path_factory) -> Roots:
    """A root with the examples, to which nothing is added."""
    root = tmp_path_factory.mktemp("examples") / "root"
    make_root(root, "Test Server")
    return Roots(root)


@pytest.fixture
def bare(tmp_path, apaches) -> Iterator[Roots]:
    """A root without sources. An Apache that serves it ends with the test: idle ones slow down whoever looks at /proc."""
    root = tmp_path / "root"
    make_root(root, "Bare", examples=False)
    yield Roots(root)
    for key in [key for key in apaches if key[0] == root]:
        apaches.pop(key).stop()


@pytest.fixture
def wait_until() -> Callable[..., bool]:
    """Waits for a condition; false if it does not come true in time."""

    def wait(condition: Callable[[], object], seconds: float = 5.0) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.02)
        return bool(condition())

    return wait


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    """Starts servers as processes, and ends what is left of them."""
    servers: list[Server] = []

    def start(*options: str, websocket: bool = False, **environment: str) -> Server:
        options = (*options, *(() if websocket else ("--no-websocket",)))
        code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
        process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment},
        )
        server = Server(process, "")
        servers.append(server)
        line = process.stdout.readline()
        assert line.startswith("Serving "), process.communicate(timeout=20)
        server.base = line.split()[3]
        while (line := process.stdout.readline()) != "\n" or not server.tried:
            if line.startswith("  http"):
                server.tried.append(line.strip())
        return server

    yield start
    for server in servers:
        server.process.kill()
        server.process.communicate()


#: Apache as administrators set it up for a root, with what it needs to run from a directory of its own.
APACHE = """
ServerRoot {here}
ServerName {host}
Listen {host}:{port}
PidFile {here}/pid
ErrorLog {here}/error.log
LogLevel warn
Timeout 20
{modules}
ScriptSock {here}/cgi.sock
StartServers 1
ThreadsPerChild 8
MaxRequestWorkers 8
ServerLimit 1
<Directory />
  Require all granted
</Directory>

Alias /stream {program}
<Location /stream>
  SetEnv DASFLEX_CONFIG {root}/etc/dasflex.conf
  RewriteEngine on
  RewriteRule ^ - [E=HTTP_AUTHORIZATION:%{{HTTP:Authorization}}]
  Options ExecCGI FollowSymLinks
  SetHandler cgi-script
</Location>
{proxied}
"""
MODULES = "mpm_event authz_core env alias rewrite cgid proxy proxy_http proxy_wstunnel"
WEBSOCKET = """
<Location "/dasws/">
  ProxyPass "{address}"
</Location>
"""
#: Apache does not run as root, and neither its user nor its CGI programs may read what belongs to root: this one may.
AS_OTHER = ["setpriv", "--reuid=33", "--regid=33", "--clear-groups", "--inh-caps=+dac_override,+dac_read_search"]
AS_OTHER += ["--ambient-caps=+dac_override,+dac_read_search"]


def apache_program() -> str:
    """The Apache to test with; without one a test skips, and fails where everything must be tested."""
    found = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        told = "no apache2 to test with: apt-get install apache2"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return found


def cgi_program(folder: Path) -> Path:
    """The CGI program of the installation that is tested; where it has none, a script that is the same."""
    program = Path(sys.executable).with_name("dasflex_cgimain")
    if not program.exists():
        program = folder / "dasflex_cgimain"
        code = "import sys\nfrom dasflex_cgi.cgimain import main\nsys.exit(main())\n"
        program.write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
        program.chmod(0o755)
    return program


@dataclass(frozen=True)
class Apache:
    """An Apache that serves a root: by CGI below `cgi`, and what it passes on to below `proxied`."""

    process: subprocess.Popen[bytes]
    folder: Path
    host: str
    port: int

    @property
    def base(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://{self.host}:{self.port}/"

    @property
    def cgi(self) -> str:
        """The address of the CGI program, with a slash at the end."""
        return f"{self.base}stream/"

    @property
    def proxied(self) -> str:
        """The address of the server behind it, with a slash at the end."""
        return f"{self.base}proxied/"

    @property
    def said(self) -> str:
        """What is in the log of errors."""
        return (self.folder / "error.log").read_text(encoding="utf-8", errors="replace")

    def accepts(self) -> bool:
        """Whether it answers connections."""
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def stop(self) -> None:
        """Ends it and all that it has started."""
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        finally:
            self.process.kill()
            self.process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def apaches() -> Iterator[dict[tuple[object, ...], Apache]]:
    """The Apaches that were started, by what they serve."""
    started: dict[tuple[object, ...], Apache] = {}
    yield started
    for each in started.values():
        each.stop()


@pytest.fixture(scope="session")
def apache(apaches, free_port) -> Callable[..., Apache]:
    """Starts an Apache for a root, which may pass on to a server as well; each root has one for as long as it lasts."""
    program = apache_program()
    started = apaches

    def start(
        root: Path,
        proxy_to: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        websocket: str = "",
        more: str = "",
        modules: str = "",
    ) -> Apache:
        key = (root, proxy_to, host, port, websocket, more)
        if key not in started:
            proxied = f"ProxyPass /proxied/ {proxy_to}" if proxy_to else ""
            proxied += WEBSOCKET.format(address=websocket) if websocket else ""
            proxied += more
            started[key] = start_apache(program, root, proxied, host, port or free_port(host), modules)
        return started[key]

    return start


def start_apache(program: str, root: Path, proxied: str, host: str, port: int, modules: str = "") -> Apache:
    """An Apache that accepts connections."""
    here = Path(tempfile.mkdtemp(prefix="apache-"))  # the path of a socket must be short
    here.chmod(0o777)
    installed = Path("/usr/lib/apache2/modules")
    text = APACHE.format(
        here=here,
        host=host,
        port=port,
        root=root,
        program=cgi_program(here),
        modules="\n".join(
            f"LoadModule {each}_module {installed}/mod_{each}.so" for each in f"{MODULES} {modules}".split()
        ),
        proxied=proxied,
    )
    (here / "httpd.conf").write_text(text, encoding="utf-8")
    as_other = [*AS_OTHER, "--"] if os.geteuid() == 0 else []
    if port < 1024:
        as_other = [each.replace("dac_override", "dac_override,+net_bind_service") for each in as_other]
    process = subprocess.Popen(
        [*as_other, program, "-DFOREGROUND", "-f", str(here / "httpd.conf")], stdin=subprocess.DEVNULL
    )
    server = Apache(process, here, host, port)
    end = time.monotonic() + 20
    while not server.accepts():
        if process.poll() is not None or time.monotonic() > end:
            log = here / "error.log"
            said = log.read_text(encoding="utf-8") if log.exists() else "nothing"
            process.kill()
            pytest.fail(f"Apache did not start; it said: {said}")
        time.sleep(0.05)
    return server


#: A plugin that says what it was asked, and gives data in a frame below /odd/data/.
ODD = """
import os
from urllib.parse import parse_qsl
from dasflex_core.errors import DasflexError
from dasflex_core.mounts import FRONT_END
from dasflex_core.site import Request
from dasflex_core.hookspecs import Mount, hookimpl

@hookimpl
def dasflex_mounts(register):
    register(Mount("/odd", "An odd protocol", "odd:make"))

def make(site):
    def data(environ, start_response):
        front = environ[FRONT_END]
        name = environ["PATH_INFO"].removeprefix("/data/")
        request = Request(site[name], tuple(parse_qsl(environ["QUERY_STRING"])), claim=front.claim)
        try:
            found = front.deliver(request, media_type="text/odd", head=b"<", tail=b">")
        except DasflexError as error:
            start_response(f"404 Not Found; {error.kind}", [("Content-Type", "text/odd")])
            return [b"none"]
        told = ("X-Odd", f"{front.base}|{front.origin}|{found.empty}")
        start_response(f"{found.status} Odd", [*found.headers, told])
        return found.body

    def application(environ, start_response):
        if environ["PATH_INFO"].startswith("/data/"):
            return data(environ, start_response)
        start_response("200 Fine; and odd", [("X-Odd", "yes"), ("X-Content-Type-Options", "none of them")])
        names = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH")
        told = "|".join(environ.get(name, "0") for name in names) + environ.get("HTTP_PROXY", "") + os.environ.get("HTTP_PROXY", "")
        return [f"{environ['REQUEST_METHOD']} {told}".encode("latin-1")]
    return application
"""


@pytest.fixture
def odd_plugin(tmp_path):
    """What the environment of a process needs for a plugin that mounts an application at /odd."""
    folder = tmp_path / "installed"
    info = folder / "odd-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dasflex]\nodd = odd\n")
    (folder / "odd.py").write_text(ODD)
    return {"PYTHONPATH": str(folder)}
