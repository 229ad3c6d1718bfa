# SPDX-License-Identifier: GPL-3.0-or-later
"""No failure tells a client a path, a version or a command line of the server, whichever way it is asked."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

import pytest

import dasflex_core
from dasflex_cgi import answering
from dasflex_cgi.answering import Front
from dasflex_cgi.cgi_form import head_of
from dasflex_cgi.exchange import Asked
from dasflex_cgi.http_server import HttpServer
from dasflex_cgi.serve import listening
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import DasflexError
from dasflex_core.roots import make_root
from dasflex_core.statuses import STATUSES
from dasflex_core.streamtype import StreamType
from dasflex_ws.replying import refusal

DEFINITION = """
title    = "{name}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "{command} #[read.time.min] #[read.time.max]", writes = "das/2/text" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
"""
DAY = "time=2020-01-01/2020-01-02"
HEADER = "print('[00]000025<stream version=\\\"2.2\\\" />', flush=True)"
#: Readers that fail, each in its own way; what they say on their standard error is for the administrator.
READERS = {
    "raises": "raise RuntimeError(__file__)",
    "garbage": "print('x' * 100)",
    "halfway": f"{HEADER}; raise RuntimeError(__file__)",
    "exits": "import sys; sys.exit(f'{{__file__}} {sys.argv}')",
    "nothing": "pass",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "header": "print('[00]000999<stream')",
    "packet": f"{HEADER}; print(':99:' + 'x' * 50)",
}
COMMANDS = {"missing": "/nowhere/secret-program", "unrunnable": "./plain", "relative": "no-such-program"}
BROWSER = {"accept": "text/html", "user-agent": "Mozilla/5.0"}
WAYS = (
    ("/source/{0}/flex", DAY),
    ("/source/{0}/data.csv", DAY),
    ("/source/{0}/data.json", DAY),
    ("/source/{0}/flex", f"{DAY}&bin.time.max=60"),
    ("/source/{0}/plan", DAY),
    ("/source/{0}/plan", f"{DAY}&format=json"),
    ("/source/{0}.html", ""),
    ("/source/{0}/flex", "time=x"),
    ("/source/{0}/flex", f"{DAY}&no.such=1"),
    ("/source/{0}/ticket", ""),
    ("/source/{0}.json", ""),
    ("/source/{0}/flex.json", ""),
    ("/verify", f"source={{0}}&{DAY}"),
    ("/", "server=dataset&dataset={0}&start_time=2020-01-01&end_time=2020-01-02"),
    ("/", "server=dsdf&dataset={0}"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root whose sources all fail."""
    place = tmp_path_factory.mktemp("leaks") / "secret-root"
    make_root(place, "Leaks", examples=False)
    for name in (*READERS, *COMMANDS, "broken"):
        folder = place / "definitions" / name
        folder.mkdir(parents=True)
        (folder / "plain").write_text("", encoding="utf-8")
        (folder / "secret-reader.py").write_text(READERS.get(name, ""), encoding="utf-8")
        command = COMMANDS.get(name, "#[python] secret-reader.py")
        (folder / "source.toml").write_text(DEFINITION.format(name=name, command=command), encoding="utf-8")
    compile_tree(place)
    (place / "definitions" / "broken" / "source.toml").write_text("title = [", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def front(root):
    """The front-end without a socket."""
    return Front(dasflex_core.open(root), lambda _text: None)


def leaks(root, said: bytes) -> list[bytes]:
    """What was said that is nobody's business."""
    secret = [
        str(root),
        str(root.parent),
        f"{Path.home()}/",
        "site-packages",
        "secret-reader",
        "secret-program",
        "Traceback",
    ]
    secret += [sys.executable, sys.prefix, str(Path(dasflex_core.__file__).parent), "Python/", "waitress", "Werkzeug"]
    secret += ["RuntimeError", "DASFLEX_CONFIG", "/nowhere"]
    return [each.encode() for each in secret if each.encode() in said]


def taken(answer) -> bytes:
    """All of an answer."""
    said = head_of(answer)
    if isinstance(answer.body, bytes):
        return said + answer.body
    try:
        for piece in answer.body:
            said += piece
    except Exception:  # noqa: BLE001, S110  the connection is broken then, and nothing is told
        pass
    finally:
        answer.body.close()
    return said


@pytest.mark.parametrize("name", [*READERS, *COMMANDS, "broken", "none"])
def test_a_source_that_fails_says_nothing_of_the_server(front, root, name):
    told = []
    for path, query in WAYS:
        for headers in ({}, BROWSER):
            asked = Asked(
                method="GET", path=path.format(name), query=query.format(name), client="127.0.0.1", headers=headers
            )
            answer = front.answer(asked)
            said = taken(answer)
            record = front.answer(Asked(method="GET", path=f"/request/{dict(answer.headers)['X-Request-Id']}"))
            found = leaks(root, said) + leaks(root, taken(record))
            told += [(path, query, each) for each in found]
    assert not told


def test_a_fault_of_ours_says_nothing(front, root, monkeypatch):
    def fails(*_args: object) -> None:
        raise RuntimeError(str(root))

    monkeypatch.setattr(answering, "deliver", fails)
    for headers in ({}, BROWSER):
        said = taken(front.answer(Asked(method="GET", path="/source/raises/flex", query=DAY, headers=headers)))
        assert b" 500 " in said.split(b"\r\n")[0]
        assert not leaks(root, said)


@pytest.mark.parametrize("kind", [*STATUSES, "internal"])
def test_no_kind_of_error_shows_its_detail_to_http_or_to_a_websocket(front, root, monkeypatch, kind):
    error = DasflexError("Something is wrong", kind=kind, detail=f"{root} {sys.argv} Traceback")

    def fails(*_args: object) -> None:
        raise error

    monkeypatch.setattr(answering, "deliver", fails)
    for query in (DAY, f"{DAY}&format.type=csv"):
        for headers in ({}, BROWSER):
            asked = Asked(method="GET", path="/source/raises/flex", query=query, headers=headers)
            assert not leaks(root, taken(front.answer(asked)))
    for wanted in (None, StreamType.parse("das/2/text"), StreamType.parse("das/3/binary")):
        assert not leaks(root, refusal(front.site.registry, error, wanted).known_as("a").encoded())


REQUESTS = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    b"GET /fails HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /" + b"a" * 263_000 + b" HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("request_", REQUESTS, ids=range(len(REQUESTS)))
def test_the_server_names_neither_what_it_is_made_of_nor_a_version(root, request_):
    def application(environ, start_response):
        if environ["PATH_INFO"] == "/fails":
            raise RuntimeError(str(root))
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return [b""]

    listener = listening("127.0.0.1", 0)
    address = listener.getsockname()
    server = HttpServer(application, listener, 1)
    try:
        with socket.create_connection(address, timeout=0.05) as client:
            client.sendall(request_)
            said = b""
            for _ in range(60):
                server.turn(0.02)
                try:
                    said += client.recv(65536)
                except TimeoutError:
                    continue
                except ConnectionResetError:
                    break
                if b"\r\n\r\n" in said:
                    break
    finally:
        server.stop_accepting()
        server.close()
    assert said.startswith(b"HTTP/1.")
    assert not leaks(root, said)
    found = re.search(rb"^Server: (.*)\r$", said, re.MULTILINE)
    assert found is None or found[1] == b"dasflex"
