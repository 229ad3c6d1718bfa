# SPDX-License-Identifier: GPL-3.0-or-later
"""A ticket over HTTP: good for its source and for a minute, kept by no cache, and given to nobody who may not read."""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.errors import AccessError
from dasflex_core.tickets import check, site_key

CLOSED = """
    title = "Closed"
    contacts = { technical = "A <a@example.org>" }
    reader = { command = "#[python] reader.py", writes = "das/2/text" }
    example = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
    access = { realm = "team", allow = ["user:ann"] }
"""


def asked(front, path):
    """Status, headers and text of the answer to a path."""
    answer = front.answer(Asked(method="GET", path=path, query="", origin="http://x", headers={}))
    return answer.status, dict(answer.headers), answer.body.decode()


@pytest.fixture
def front(bare):
    """The front-end of a root with a source that is closed, and another."""
    bare.add("Closed", "", CLOSED)
    bare.add("Open", "")
    return Front(dasflex_core.open(bare.root), lambda _text: None)


def test_a_ticket_is_good_for_its_source_for_a_minute(front):
    before = time.time()
    status, headers, text = asked(front, "/source/open/ticket")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert headers["Cache-Control"] == "private, no-store"
    told = json.loads(text)
    assert told.keys() == {"ticket", "expires"}
    ends = datetime.fromisoformat(told["expires"]).timestamp()
    assert int(before) + 60 <= ends <= time.time() + 60
    key = site_key(front.site.config.runtime)
    assert check(key, told["ticket"], "Open", time.time()) == ""
    for source, when in (("Closed", time.time()), ("Open", ends)):
        with pytest.raises(AccessError):
            check(key, told["ticket"], source, when)


def test_who_may_not_read_gets_none(front):
    status, headers, text = asked(front, "/source/closed/ticket")
    assert (status, headers["Cache-Control"]) == (401, "no-store")
    assert "protected" in text
    assert "ticket" not in text


def test_there_is_none_to_what_is_not_there(front):
    assert asked(front, "/source/none/ticket")[0] == 404
    assert asked(front, "/source/ticket")[0] == 404
