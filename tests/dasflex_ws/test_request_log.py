# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemon logs: connections and refusals with their id, source and user, in the form that is set."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from dasflex_core.log_reading import read_entries
from dasflex_core.logs import AGEING_STAMP
from dasflex_core.noting import JsonFormatter
from dasflex_core.run.records import read_record
from dasflex_core.tickets import issue, site_key

DAY = {"read.time.min": "2017-01-01", "read.time.max": "2017-01-02"}
SOURCE = """
title = "A day"
contacts = {{ technical = "A <a@example.org>" }}
reader = {{ command = "#[python] {reader} #[read.time.min] #[read.time.max]", writes = "das/2/text" }}
example = [{{ title = "A day", time = "2017-01-01 to 2017-01-02" }}]
"""
ACCESS = 'access = { realm = "team", allow = ["user:testuser"] }\n'
READER = """
for tag, body in (("00", '<stream version="2.2" />\\n'), ("01",
    '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\\n')):
    print(f"[{tag}]{len(body):06d}{body}", end="")
print(":01:2017-01-01T00:00:00         7")
"""
RANDOM = "/dasws/Lab/Day/flexRT"


@pytest.fixture(autouse=True)
def day(device):
    """A source that has an end, and one that only a user may read."""
    reader = device.folder / "day.py"
    reader.write_text(READER)
    for name, more in (("Day", ""), ("Closed", ACCESS)):
        place = device.root / "definitions" / "Lab" / name
        place.mkdir(parents=True)
        (place / "source.toml").write_text(SOURCE.format(reader=reader) + more)
    device.install()


def ended(server, path, pairs=()):
    """The id of a connection that was read to its end."""
    connection = server.connect(path, pairs)
    identifier = connection.response.headers["X-Request-Id"]
    with connection, suppress(ConnectionClosed):
        while connection.recv(timeout=30):
            pass
    return identifier


def entries(server):
    """What was logged, when the server has ended."""
    server.stop()
    return [*read_entries(server.serving.site.config.log_path)]


def test_a_connection_has_an_entry_with_its_source_and_a_record_with_its_program(served):
    server = served()
    identifier = ended(server, RANDOM, DAY)
    [entry] = entries(server)
    assert (entry.request, entry.status, entry.source, entry.user) == (identifier, 101, "Lab/Day", "")
    assert entry.complete
    record = read_record(identifier, str(server.serving.site.config.requests))
    assert ([each.status for each in record.programs], record.source) == ([0], "Lab/Day")
    assert record.read > 0


def test_the_user_of_a_ticket_is_in_the_entry(served):
    server = served()
    ticket = issue(site_key(server.serving.site.config.runtime), "Lab/Closed", "testuser", time.time())
    ended(server, "/dasws/Lab/Closed/flexRT", {**DAY, "ticket": ticket})
    [entry] = entries(server)
    assert (entry.status, entry.user, entry.source) == (101, "testuser", "Lab/Closed")
    assert ticket not in entry.target


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        (b"GET /dasws/Lab/Device/flexRT HTTP/1.1\r\nHost: a\r\n\r\n", 426),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ],
)
def test_an_answer_before_any_request_for_a_websocket_has_an_id_too(served, request_, status):
    server = served()
    with server.raw(request_) as connection:
        head = connection.makefile("rb").read().decode("latin-1")
    assert f" {status} " in head.splitlines()[0]
    told = re.search(r"X-Request-Id: ([0-9a-z]{22})\r\n", head)
    assert told
    assert [each.request for each in entries(server)] == [told[1]]


def test_a_directory_of_logs_that_is_none_costs_no_connection(served, device):
    shutil.rmtree(device.root / "log", ignore_errors=True)
    (device.root / "log").write_text("in the way")
    server = served()
    assert ended(server, RANDOM, DAY)
    server.stop()


def test_the_key_makes_all_entries_json(served, device):
    server = served('LOG_FORMAT = "json"')
    identifier = ended(server, RANDOM, DAY)
    server.stop()
    [file] = (device.root / "log").glob("127.0.0.1_*.log")
    [line] = file.read_text().splitlines()
    assert json.loads(line)["request"] == identifier


def test_the_daemon_removes_old_logs(served, device):
    old = device.root / "log" / "192.0.2.9_2019-01-01.log"
    old.parent.mkdir(exist_ok=True)
    old.write_text("old")
    os.utime(old, (0, 0))
    server = served()
    ended(server, RANDOM, DAY)
    until = time.monotonic() + 5
    while old.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not old.exists()
    assert (old.parent / AGEING_STAMP).exists()


def test_a_message_is_one_object_on_one_line():
    formatter = JsonFormatter()
    failure = ValueError("two\nlines")
    what = (ValueError, failure, None)
    record = logging.LogRecord("dasflex.ws", logging.ERROR, "x.py", 1, "a %s\nb", ("word",), what)
    told = json.loads(formatter.format(record))
    assert (told["level"], told["message"]) == ("error", "a word\nb")
    assert "two\nlines" in told["exception"]
    assert "\n" not in formatter.format(record)


def test_the_program_tells_its_messages_as_json(device):
    code = "from dasflex_ws.daemon import main; main()"
    words = ("localhost", "0", "--log-format", "json", "--status-port", "0", "-c", str(device.root))
    process = subprocess.Popen(
        (sys.executable, "-c", code, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline().startswith("Serving ")
    finally:
        process.terminate()
        told = process.communicate(timeout=20)[1]
    lines = [json.loads(each) for each in told.splitlines()]
    assert any("metrics are at" in each["message"] and each["level"] == "info" for each in lines)
