# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers that do harm are ended within their limits with all that they started, and the next request works.

What these programs do is bounded by themselves too: a test that fails does not take the machine with it.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import SourceError
from dasflex_core.roots import make_root
from dasflex_core.site import open_site

SOURCE = """
title    = "Hostile"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "#[python] reader.py {mark} #[read.time.min] #[read.time.max] #[read.way # @ # good]", writes = "das/2/text" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
options  = {{ way = {{ title = "What it does" }} }}
"""
#: All of them end by themselves after 20 seconds, and a bomb has no more than 400 parts.
READER = """
    import os, signal, subprocess, sys, time
    mark, way = sys.argv[1], sys.argv[4]
    signal.alarm(20)

    def packet(tag, body):
        sys.stdout.write(f"[{tag}]{len(body.encode()):06d}{body}")

    def data():
        packet("00", '<stream version="2.2" />\\n')
        packet("01", '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\\n')
        for number in range(60):
            sys.stdout.write(f":01:2020-01-01T00:{number:02d}:00 {number:9d}\\n")
        sys.stdout.flush()

    def sleeper(*more, **how):
        code = "import signal, time; signal.alarm(20); " + "; ".join(more) + "; time.sleep(20)"
        return subprocess.Popen([sys.executable, "-S", "-c", code, mark], **how)

    def good():
        if os.path.exists(os.environ["TMPDIR"] + "/left"):
            sys.exit("something is left")

    def leaks():
        kept = []
        for _each in range(600):
            kept.append(bytearray(b"x" * 1_000_000))
            time.sleep(0.001)

    def leaks_in_children():
        for _each in range(6):
            sleeper("kept = bytearray(b'x' * 60_000_000)", start_new_session=True)
        time.sleep(20)

    def sleeps():
        time.sleep(20)

    def spins():
        while True:
            pass

    def spins_in_children():
        for _each in range(4):
            subprocess.run([sys.executable, "-S", "-c", "import time\\nwhile time.process_time() < 0.6: pass", mark])
        time.sleep(20)

    def floods():
        while True:
            sys.stdout.write(":01:2020-01-01T00:00:00 000000000\\n" * 1000)

    def floods_messages():
        end = time.monotonic() + 20
        while time.monotonic() < end:
            sys.stderr.write("m" * 10_000)

    def forks():
        end, parts = time.monotonic() + 20, 0
        while time.monotonic() < end and parts < 400:
            if os.fork() == 0:
                os.setsid()
                time.sleep(20)
                os._exit(0)
            parts += 1
            time.sleep(0.001)
        time.sleep(20)

    def forks_late():
        time.sleep(1.7)
        forks()

    def fills():
        for number in range(400):
            with open(f"{os.environ['TMPDIR']}/left{number}", "wb") as file:
                file.write(os.urandom(1 << 20))
            time.sleep(0.002)
        time.sleep(20)

    def fills_one_file():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # as programs of C have it
        with open(f"{os.environ['TMPDIR']}/left", "wb", 0) as file:
            for _each in range(400):
                file.write(bytes(1 << 20))

    def will_not_end():
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        sleeper("[signal.signal(each, 1) for each in (1, 2, 15)]", start_new_session=True)
        time.sleep(20)

    def closes_and_goes_on():
        data()
        os.close(1)
        sleeper(stdout=-3, stdin=-3, stderr=-3, start_new_session=True)
        time.sleep(20)

    def dumps():
        os.chdir(os.environ["TMPDIR"])
        os.abort()

    if way != "closes_and_goes_on":
        data()
    {way: each for way, each in globals().items() if callable(each)}[way]()
    if way != "closes_and_goes_on":
        data()
"""


def soon(condition, seconds: float = 3.0) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@dataclass(frozen=True)
class Lair:
    """A root with the hostile source."""

    root: Path
    mark: str

    def left(self) -> list[str]:
        """The commands of the processes that the reader is or has started."""
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                command = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if self.mark in command:
                found.append(command)
        return found

    def gone(self, seconds: float = 3.0) -> bool:
        """Whether they are all gone soon."""
        return soon(lambda: not self.left(), seconds)

    @property
    def scratch(self) -> list[Path]:
        """What is left of temporary files."""
        return [*(self.root / "tmp").iterdir()]


#: Who waits for a processor is silent, too: of these the other limit must be met first, however busy the machine is.
BUSY = ("spins", "spins_in_children")
PATIENT = """
[limits]
silence = "15 s"
"""
LIMITS = """
SCRATCH_PATH = "tmp"
LIMIT_READER_SILENCE = "3"
LIMIT_READER_CPU = "1"
LIMIT_READER_MEMORY = "0.2"
LIMIT_READER_OUTPUT = "0.01"
LIMIT_READER_PROCESSES = "20"
LIMIT_READER_SCRATCH = "0.02"
"""


@pytest.fixture(scope="module")
def lair(tmp_path_factory) -> Lair:
    """A root with small limits, and the source."""
    root, mark = tmp_path_factory.mktemp("lair") / "root", f"mark-{uuid.uuid4().hex}"
    make_root(root, "Lair", examples=False)
    (root / "tmp").mkdir()
    for name, more in (("Hostile", ""), ("Busy", PATIENT)):
        folder = root / "definitions" / name
        folder.mkdir(parents=True)
        (folder / "source.toml").write_text(SOURCE.format(mark=mark) + more, encoding="utf-8")
        (folder / "reader.py").write_text(textwrap.dedent(READER), encoding="utf-8")
    with (root / "etc" / "dasflex.conf").open("a", encoding="utf-8") as file:
        file.write(LIMITS)
    assert not compile_tree(root).findings
    return Lair(root, mark)


WAYS = {
    "leaks": ("source.limit", "used more than 200,000,000 bytes of memory"),
    "leaks_in_children": ("source.limit", "used more than 200,000,000 bytes of memory"),
    "sleeps": ("source.silent", "wrote nothing for 3 s"),
    "spins": ("source.limit", "used more than 1 s of CPU time"),
    "spins_in_children": ("source.limit", "used more than 1 s of CPU time"),
    "floods": ("source.limit", "has written more than 10,000,000 bytes"),
    "floods_messages": ("source.silent", "wrote nothing for 3 s"),
    "forks": ("source.limit", "was more than 20 processes"),
    "forks_late": ("source.limit", "was more than 20 processes"),
    "fills": ("source.limit", "filled more than 20,000,000 bytes of disk"),
    "fills_one_file": ("source.limit", "wrote a file of more than 20,000,000 bytes"),
    "will_not_end": ("source.silent", "wrote nothing for 3 s"),
    "closes_and_goes_on": ("source.silent", "wrote nothing for 3 s"),
    "dumps": ("source.exit", "was ended by signal 6"),
}
#: Where the system is at work, either limit may be seen first.
ALSO = {"floods_messages": ("source.limit", "used more than 1 s of CPU time")}


def request(lair: Lair, way: str):
    """A request that makes the reader do something."""
    pairs = [("time", "2020-01-01/2020-01-02"), ("read.way", way)]
    return open_site(lair.root).request("Busy" if way in BUSY else "Hostile", pairs)


@pytest.mark.parametrize("way", WAYS)
def test_it_is_ended_within_its_limit_and_the_next_request_works(lair, way):
    begun = time.monotonic()
    got = []
    with pytest.raises(SourceError) as caught:
        got.extend(request(lair, way).plan().run())
    assert time.monotonic() - begun < 10
    told = (caught.value.kind, caught.value.message)
    assert any(told[0] == kind and text in told[1] for kind, text in (WAYS[way], ALSO.get(way, WAYS[way]))), told
    assert b"".join(got).startswith(b"[00]"), "what it wrote before is there"
    assert lair.gone(0.5)
    assert lair.scratch == []
    assert b"".join(request(lair, "good").plan().run()).count(b":01:2020") == 120


@pytest.fixture(scope="module")
def server(lair):
    """The address of `dasflex serve` for the root, in a process of its own."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    config = str(lair.root / "etc" / "dasflex.conf")
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--no-websocket", "--config", config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield process, process.stdout.readline().split()[3]
        process.kill()


def fetch(base: str, way: str) -> tuple[int, bytes]:
    """The status of an answer and what of it came."""
    place = urlsplit(base)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    try:
        connection.request("GET", f"/source/hostile/flex?time=2020-01-01/2020-01-02&read.way={way}")
        answer = connection.getresponse()
        try:
            return answer.status, answer.read()
        except http.client.IncompleteRead as broken:
            return answer.status, broken.partial + b"(broken)"
    finally:
        connection.close()


def test_a_server_outlives_them_all_at_once(lair, server):
    """While they do their worst, others are answered."""
    from concurrent.futures import ThreadPoolExecutor

    process, base = server
    with ThreadPoolExecutor(len(WAYS)) as pool:
        bad = [pool.submit(fetch, base, way) for way in WAYS]
        good = [fetch(base, "good") for _each in range(5)]
        broken = [each.result(30) for each in bad]
    assert [(status, body.count(b":01:2020")) for status, body in good] == [(200, 120)] * 5
    told = [status != 200 or b"<exception" in body or body.endswith(b"(broken)") for status, body in broken]
    assert all(told), dict(zip(WAYS, told, strict=True))
    assert process.poll() is None
    assert lair.gone()
    assert lair.scratch == []
    fds = len([*Path(f"/proc/{process.pid}/fd").iterdir()])
    assert fetch(base, "good")[0] == 200
    assert soon(lambda: len([*Path(f"/proc/{process.pid}/fd").iterdir()]) <= fds)


def last_or(connection) -> bytes | None:
    """The next message of a WebSocket; None at its end."""
    from websockets.exceptions import ConnectionClosed

    try:
        piece = connection.recv(15)
    except ConnectionClosed:
        return None
    return piece.encode() if isinstance(piece, str) else piece


def test_the_server_of_live_data_ends_them_as_well(lair):
    """Whoever asks over a WebSocket is told why, or loses the connection; nothing is left."""
    from websockets.sync.client import connect

    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    config = str(lair.root / "etc" / "dasflex.conf")
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--config", config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            place = urlsplit(process.stdout.readline().split()[3]).netloc
            for way in ("forks", "leaks_in_children", "will_not_end", "closes_and_goes_on", "good"):
                got = b""
                asked = f"ws://{place}/dasws/hostile/flexRT?time=2020-01-01/2020-01-02&read.way={way}"
                with connect(asked, max_size=None, compression=None) as connection:
                    while (piece := last_or(connection)) is not None:
                        got += piece
                assert (connection.close_code == 1000) == (way == "good"), (way, connection.close_reason)
                assert b":01:2020" in got
                assert soon(lambda: not lair.left()), way
                assert soon(lambda: not lair.scratch), way
        finally:
            process.terminate()
            process.wait(20)


#: Takes the first bytes of a reader that will not end, and waits for more.
PUMPING = """
import sys
from dasflex_core.site import open_site
pairs = [("time", "2020-01-01/2020-01-02"), ("read.way", "will_not_end")]
run = open_site(sys.argv[1]).request("Hostile", pairs).plan().run()
print(len(next(run)), flush=True)
next(run)
"""


def test_what_a_killed_server_leaves_goes_with_its_files(lair):
    with subprocess.Popen([sys.executable, "-c", PUMPING, str(lair.root)], stdout=subprocess.PIPE) as program:
        assert program.stdout.readline()
        assert len(lair.scratch) == 1
        assert lair.scratch[0].stat().st_mode & 0o777 == 0o700
        program.send_signal(signal.SIGKILL)
    assert lair.gone()
    assert soon(lambda: not lair.scratch)


REPORT = """
    import json, os, resource, sys
    names = ("RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_AS")
    told = {"fds": sorted(os.listdir("/proc/self/fd")), "cwd": os.getcwd(), "environ": dict(os.environ),
            "limits": {name: resource.getrlimit(getattr(resource, name))[0] for name in names},
            "session": os.getsid(0) == os.getpid()}
    print(json.dumps(told))
"""


def test_a_reader_is_given_nothing_that_it_does_not_need(lair, tmp_path, monkeypatch):
    import json

    folder = lair.root / "definitions" / "Report"
    folder.mkdir()
    text = SOURCE.format(mark=lair.mark).replace("das/2/text", "json")
    (folder / "source.toml").write_text(text, encoding="utf-8")
    (folder / "reader.py").write_text(textwrap.dedent(REPORT), encoding="utf-8")
    compile_tree(lair.root)
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    secret = os.open(tmp_path / "secret", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(secret, True)
    try:
        source = open_site(lair.root)["Report"]
        told = json.loads(b"".join(source.site.request("Report", [("time", "2020-01-01/2020-01-02")]).plan().run()))
    finally:
        os.close(secret)
    assert told["fds"] == ["0", "1", "2", "3"], "the last is the one that lists them"
    assert told["cwd"] == str(folder)
    assert told["limits"]["RLIMIT_CORE"] == 0
    assert told["limits"]["RLIMIT_FSIZE"] == 20_000_000
    assert told["limits"]["RLIMIT_AS"] == -1, "Java reserves more than it uses"
    assert told["session"]
    environ = told["environ"]
    assert "SECRET_OF_THE_SERVER" not in environ
    assert environ["TMPDIR"].startswith(str(lair.root / "tmp"))
    assert environ["LC_ALL"] == "C.UTF-8"
    assert set(environ) <= {
        *("DASFLEX_REQUEST", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"),
    }
