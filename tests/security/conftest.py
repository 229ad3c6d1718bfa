# SPDX-License-Identifier: GPL-3.0-or-later
"""What attacks are made on: a root whose sources are protected in every way there is, and a server of it."""

from __future__ import annotations

import base64
import shutil
import socket
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.app import Application
from dasflex_cgi.exchange import Asked
from dasflex_cgi.http_server import HttpServer
from dasflex_cgi.serve import listening
from dasflex_core.cli import main
from dasflex_core.roots import make_root
from dasflex_passwd import users

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.site import Site

#: Somebody of whom nobody knows anything (RFC 5737), and somebody in a network that is never asked.
STRANGER = "203.0.113.9"
TRUSTED = "198.51.100.7"
USER, PASSWORD = "anna", "correct horse"
#: What the reader writes, as text and as values: whoever sees one of these has data.
MARKS = (b"TOPSECRET", b"424242")
SOURCE = """
title    = "A"
{more}
contacts = {{ technical = "Somebody <somebody@example.org>" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
[reader]
{reader}
"""
ACCESS = """
[access]
realm = "The Vault"
allow = [{allow}]
"""
#: A record each 10 s from the begin of the range, at most 60. What it was told stands in the header.
READER = r"""
import datetime, sys
begin = next((each for each in sys.argv[1:] if each[:1].isdigit()), "2020-01-01T00:00:00")
moment = datetime.datetime.fromisoformat(begin[:19])
out = sys.stdout.write
def packet(number, text):
    out(f"[{number:02d}]{len(text.encode()):06d}{text}")
packet(0, '<stream version="2.2"><properties title="TOPSECRET"/></stream>\n')
packet(1, '<packet><x type="time24" units="us2000"/><y name="v" type="ascii10" units=""/></packet>\n')
for number in range(60):
    out(f":01:{(moment + datetime.timedelta(seconds=10 * number)).isoformat()}.000  424242.0\n")
"""
ENDS = "#[read.time.min] #[read.time.max]"
BY_COMMAND = 'command = "#[python] reader.py {ends}"\nwrites = "das/2/text"\nchanged = "reader.py"'
BY_VIEW = 'source = "{source}"'
#: Each source by its id: its reader, its rules, and what else its definition says.
SOURCES = {
    "Vault/User": (BY_COMMAND.format(ends=ENDS), '"user:anna"', 'was = ["Attic/User"]'),
    "Vault/Group": (BY_COMMAND.format(ends=ENDS), '"group:team"', ""),
    "Vault/Age": (BY_COMMAND.format(ends=ENDS), '"age:1y"', ""),
    "Vault/Bin": (BY_COMMAND.format(ends=ENDS), '"bin:60s"', ""),
    "Vault/All": (BY_COMMAND.format(ends=ENDS), '"group:team", "age:1y", "bin:60s"', ""),
    "Vault/Either": (
        BY_COMMAND.format(ends="#[read.time.min # @ #] #[read.time.max # @ #]"), '"age:1y"', ""
    ),
    "Vault/Whole": (BY_COMMAND.format(ends="whole"), '"age:1y"', ""),
    "Vault/Uncut": (BY_COMMAND.format(ends="whole") + '\n[stages]\nnever = ["read"]', '"age:1y"', ""),
    "Open/View": (BY_VIEW.format(source="Vault/User"), "", ""),
    "Open/Again": (BY_VIEW.format(source="Open/View"), "", ""),
    "Open/Aged": (BY_VIEW.format(source="Vault/Age") + '\n[default]\nread.time.max = "2019-01-01"', "", ""),
    "Open/Narrow": (BY_VIEW.format(source="Vault/Bin") + "\n[default]\nbin.time.max = 1", "", ""),
    "Open/Free": (BY_COMMAND.format(ends=ENDS), "", ""),
}  # fmt: skip


@dataclass(frozen=True)
class Reply:
    """An answer, all of it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def leaks(self) -> bool:
        """Whether there are data in it."""
        return any(mark in self.body for mark in MARKS)

    @property
    def records(self) -> int:
        """The number of values in it."""
        return self.body.count(MARKS[1])


@dataclass(frozen=True)
class Vault:
    """The root, and how it is asked without a socket."""

    root: Path

    @cached_property
    def site(self) -> Site:
        return dasflex_core.open(self.root)

    @cached_property
    def notes(self) -> list[str]:
        """What the administrator was told."""
        return []

    @cached_property
    def front(self) -> Front:
        return Front(self.site, self.notes.append)

    def ask(self, path: str, query: str = "", method: str = "GET", client: str = STRANGER, **more) -> Reply:
        """The answer to a request; `headers` have their names in lower case."""
        answer = self.front.answer(Asked(method=method, path=path, query=query, client=client, **more))
        if isinstance(answer.body, bytes):
            return Reply(answer.status, dict(answer.headers), answer.body)
        try:
            body = b"" if method == "HEAD" else b"".join(answer.body)
        finally:
            answer.body.close()
        return Reply(answer.status, dict(answer.headers), body)


def basic(user: str, password: str) -> str:
    """The header of a log-in."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def make_vault(place: Path) -> Vault:
    """A root with all the sources, a user in no group, and a network that is never asked."""
    make_root(place, "Vault", examples=False)
    for identifier, (reader, allow, more) in SOURCES.items():
        folder = place / "definitions" / identifier
        folder.mkdir(parents=True)
        text = SOURCE.format(reader=reader, more=more) + (ACCESS.format(allow=allow) if allow else "")
        (folder / "source.toml").write_text(text)
        (folder / "reader.py").write_text(READER)
    done = CliRunner().invoke(main, ["install", "--root", str(place)])
    assert done.exit_code == 0, done.output
    config = place / "etc" / "dasflex.conf"
    ours = {"ALLOW_TEST_FROM": "198.51.100.0/24", "ALLOW_VALIDATE_FROM": "0.0.0.0/0"}
    kept = [line for line in config.read_text().splitlines() if not line.lstrip("# ").startswith(tuple(ours))]
    config.write_text("\n".join([*kept, *(f'{name} = "{text}"' for name, text in ours.items()), ""]))
    vault = Vault(place)
    users.add_user(vault.site.config, USER, PASSWORD)
    return vault


@pytest.fixture(scope="session")
def vault(tmp_path_factory) -> Vault:
    """The root that is only read."""
    return make_vault(tmp_path_factory.mktemp("vault") / "root")


@pytest.fixture
def own_vault(vault, tmp_path) -> Vault:
    """A root of the test's own, for what leaves traces, such as wrong passwords."""
    shutil.copytree(vault.root, tmp_path / "root", ignore=shutil.ignore_patterns("run", "log", "cache"))
    return Vault(tmp_path / "root")


@pytest.fixture(scope="session")
def log_in():
    """Makes the header of a log-in of a user with a password."""
    return basic


@pytest.fixture(scope="session")
def known() -> str:
    """The header of the user's log-in."""
    return basic(USER, PASSWORD)


@dataclass(frozen=True)
class Served:
    """A server at an address."""

    address: tuple[str, int]

    def raw(self, request: bytes) -> Reply:
        """The answer to a request as it is, up to the end of the connection."""
        said = b""
        with socket.create_connection(self.address, timeout=20) as client:
            client.sendall(request)
            while piece := client.recv(1 << 16):
                said += piece
        head, _, body = said.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        return Reply(int(first.split()[1]), dict(each.split(": ", 1) for each in lines), body)

    def get(self, target: str, *lines: str, method: str = "GET") -> Reply:
        """The answer to a target as it is written."""
        head = "\r\n".join([f"{method} {target} HTTP/1.0", "Host: localhost", *lines, "", ""])
        return self.raw(head.encode("latin-1"))


@pytest.fixture(scope="session")
def served(vault):
    """The root behind the embedded server."""
    application = Application(vault.site, vault.notes.append)
    listener = listening("127.0.0.1", 0)
    address = listener.getsockname()
    server = HttpServer(application, listener, 4)
    stopped = threading.Event()

    def turn():
        while not stopped.is_set():
            server.turn(0.05)
        server.stop_accepting()
        server.close()

    thread = threading.Thread(target=turn)
    thread.start()
    yield Served(address)
    stopped.set()
    thread.join(10)
    application.end()
    assert not thread.is_alive()
