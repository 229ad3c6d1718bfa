# SPDX-License-Identifier: GPL-3.0-or-later
"""When a source has data, for programs and on its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.covering import strip_of
from dasflex_cgi.exchange import Asked
from dasflex_core.times import parse_time
from dasflex_core.upkeep.coverage import Coverage, coverage_path

BEGIN = parse_time("2020-01-01").ns


@pytest.fixture
def front(bare):
    """The front-end of a root with a source of which it is known when there are data, and another."""
    bare.add("Known", "")
    bare.add("Other", "")
    front = Front(dasflex_core.open(bare.root), lambda _text: None)
    put(front, Coverage("Known", BEGIN, 86_400, (3, 4, 0, None, 5)))
    return front


def put(front, coverage):
    path = coverage_path(front.site.config, "Known")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(coverage.plain())


def asked(front, path, **headers):
    """Status, headers and bytes of the answer to a path."""
    answer = front.answer(Asked(method="GET", path=path, query="", origin="http://x", headers=headers))
    body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    return answer.status, dict(answer.headers), body


def test_the_file_is_served_and_kept_by_caches(front):
    status, headers, body = asked(front, "/source/known/coverage.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body)["records"] == [3, 4, 0, None, 5]
    assert headers["Cache-Control"].startswith("public, max-age=")
    again = asked(front, "/source/KNOWN/coverage.json", **{"if-none-match": headers["ETag"]})
    assert (again[0], again[2]) == (304, b"")


def test_where_nothing_was_measured_it_is_not_there(front):
    status, _headers, body = asked(front, "/source/other/coverage.json")
    assert status == 404
    assert b"not known" in body
    assert b"`dasflex cache coverage Other`" in body
    assert asked(front, "/source/nothing/coverage.json")[0] == 404


def test_the_page_shows_a_strip_whose_parts_lead_to_their_ranges(front):
    status, _headers, body = asked(front, "/source/known.html")
    page = body.decode()
    assert status == 200
    assert (
        'aria-label="Data in 60% of the time from 2020-01-01T00:00:00 to 2020-01-06T00:00:00; 20% is not known"' in page
    )
    assert re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="0" width="([\d.]+)"', page) == [
        ("there", "0.0", "400.0"),
        ("none", "400.0", "200.0"),
        ("unknown", "600.0", "200.0"),
        ("there", "800.0", "200.0"),
    ]
    assert "/source/known.html?time=2020-01-01T00:00:00/2020-01-03T00:00:00#form" in page
    assert "availability" not in asked(front, "/source/other.html")[2].decode()


def test_a_strip_of_many_parts_shows_neighbours_as_one(front):
    put(front, Coverage("Known", BEGIN, 60, tuple(place % 2 for place in range(1000))))
    strip = strip_of(front.site["Known"], "/source/known")
    assert len(strip.parts) <= 120
    assert strip.parts[0].x == 0
    assert sum(each.width for each in strip.parts) == pytest.approx(1000, abs=2)


def test_what_is_not_known_is_not_shown_as_no_data(front):
    put(front, Coverage("Known", BEGIN, 60, tuple(None if place % 2 == 0 else 0 for place in range(1000))))
    assert {each.state for each in strip_of(front.site["Known"], "/source/known").parts} == {"unknown"}
    put(front, Coverage("Known", BEGIN, 60, tuple(0 if place % 2 == 0 else 7 for place in range(1000))))
    assert "none" not in {each.state for each in strip_of(front.site["Known"], "/source/known").parts[1:]}


def test_a_file_that_is_damaged_is_not_shown(front):
    path = coverage_path(front.site.config, "Known")
    path.write_text("{")
    assert asked(front, "/source/known.html")[0] == 200
    assert strip_of(front.site["Known"], "/source/known") is None
    put(front, replace(Coverage("Known", BEGIN, 60, ())))
    assert strip_of(front.site["Known"], "/source/known") is None


LEVELS = """
    title = "Kept"
    contacts = { technical = "A <a@example.org>" }
    reader = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }
    example = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]

    [[cache.level]]
    block = "day"
    bin.time.max = 60
"""


@pytest.mark.parametrize(
    ("broker", "state"), [("", "background work is off"), ("redis", "nobody works in the background")]
)
def test_the_page_says_what_is_kept_and_whether_somebody_makes_it(bare, broker, state):
    conf = bare.root / "etc" / "dasflex.conf"
    lines = [each for each in conf.read_text().splitlines() if not each.startswith("WORK_QUEUE_BROKER")]
    conf.write_text("\n".join([*lines, f"WORK_QUEUE_BROKER = {broker}", ""]))
    bare.add("Kept", "", LEVELS)
    bare.add("Other", "")
    front = Front(dasflex_core.open(bare.root), lambda _text: None)
    page = asked(front, "/source/kept.html")[2].decode()
    assert f"<dd>bins of 60 s in day blocks; {state}" in page
    assert "<dt>Kept</dt>" not in asked(front, "/source/other.html")[2].decode()
    assert json.loads(asked(front, "/health")[2])["background"] == ("idle" if broker else "off")
