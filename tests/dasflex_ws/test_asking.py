# SPDX-License-Identifier: GPL-3.0-or-later
"""What the address of a WebSocket asks for: which source, and from when to when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

import dasflex_core
from dasflex_core.errors import NotFoundError, QueryError
from dasflex_ws.asking import Asked, asked_of, request_of, source_of


@pytest.mark.parametrize(
    "path",
    [
        "/dasws/Lab/Device/flexRT",
        "/DASWS/Lab/Device/FLEXRT",
        "/dasws//Lab/Device/flexrt/",
        "/Lab/Device/flexRT",
        "/source/Lab/Device/flexRT",
        "/source/Lab/Device/flex",
        "/live/data/Lab/Device/flexRT",
    ],
)
def test_a_source_is_found_below_each_prefix_in_any_case(path):
    assert source_of(path, "wss://example.org/live/data/") == "Lab/Device"


def test_an_id_may_begin_like_a_prefix():
    assert source_of("/dasws/source/flexRT", "") == "source"
    assert source_of("/dasws/Dasws/x/flexRT", "") == "Dasws/x"
    assert source_of("/sources/x/flexRT", "") == "sources/x"


@pytest.mark.parametrize("path", ["/", "", "/flexRT", "/dasws/flexRT", "/dasws/Lab/Device", "/dasws/Lab/Device/das2"])
def test_another_path_names_what_would_be_right(path):
    with pytest.raises(NotFoundError, match="/dasws/SOURCE/flexRT"):
        source_of(path, "")


@given(some.text(max_size=30))
def test_any_path_gives_an_id_or_is_refused(path):
    try:
        found = source_of(path, "")
    except NotFoundError:
        return
    assert found
    assert not found.startswith("/")
    assert "//" not in found


def test_a_ticket_is_no_parameter_and_values_are_decoded_once():
    asked = asked_of("read.antenna=E%2576&Ticket=abc&format.type=csv")
    assert asked == Asked((("read.antenna", "E%76"), ("format.type", "csv")), "abc")


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(QueryError):
        asked_of("read.antenna=%ff")


ARCHIVE = """
[[reader]]
name = "archive"
command = "cat #[read.time.min] #[read.time.max]"
writes = "das/3/binary"
"""


@pytest.fixture
def source(device):
    """The source with a live reader and an archive."""
    device.define(readers=ARCHIVE)
    return dasflex_core.open(device.root)["Lab/Device"]


@pytest.mark.parametrize(
    ("query", "begin", "end"),
    [
        ("", "now", "forever"),
        ("read.antenna=Ev", "now", "forever"),
        ("read.time.max=forever", "now", "forever"),
        ("READ.TIME.MAX=Forever", "now", "Forever"),
        ("read.time.max=", "now", "forever"),
        ("read.time.min=2026-01-01", "2026-01-01", "forever"),
        ("read.time.min=2026-01-01&read.time.max=2026-01-02", "2026-01-01", "2026-01-02"),
        ("read.time.max=2026-01-02", None, "2026-01-02"),
    ],
)
def test_a_live_source_is_followed_for_ever_unless_an_end_is_said(source, query, begin, end):
    pairs = {name.lower(): text for name, text in request_of(source, asked_of(query)).pairs if text}
    assert pairs.get("read.time.min") == begin
    assert pairs.get("read.time.max") == end


def test_both_ends_at_once_are_left_as_they_are(source):
    assert request_of(source, asked_of("time=2026-01-01/2026-01-02")).pairs == (("time", "2026-01-01/2026-01-02"),)


def test_an_empty_end_counts_as_none_for_the_plan_too(source):
    plan = request_of(source, asked_of("read.time.max=&read.time.min=")).plan()
    assert "live" in plan.solution.path.steps[0].spec.adds


def test_a_source_without_a_live_reader_is_asked_what_was_asked(bare_root):
    source = dasflex_core.open(bare_root)["Examples/Spectra"]
    assert request_of(source, asked_of("format.type=csv")).pairs == (("format.type", "csv"),)
