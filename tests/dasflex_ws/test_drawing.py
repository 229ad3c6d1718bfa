# SPDX-License-Identifier: GPL-3.0-or-later
"""What `dasflex watch` shows of a stream: bars, lines and a screen, made of the items that a decoder gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.arrays import Comment, NoData, Problem, Records
from dasflex_core.catalog.model import DataItem
from dasflex_core.registry import discover
from dasflex_ws.dating import instants
from dasflex_ws.decoding import Decoding
from dasflex_ws.drawing import bars, line, screen
from dasflex_ws.latest import Latest, measured
from dasflex_ws.wording import told_failure

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BEGIN = 1763888400.0  # 2025-11-23T09:00
FACTS = {"psd": DataItem(warn=(1e-17, 1e-16), scale="log"), "temperature": DataItem(warn=(-20, 50))}


@pytest.fixture(scope="module")
def registry():
    return discover()


def written(name, *arguments):
    command = [sys.executable, "reader.py", *arguments]
    return subprocess.run(command, cwd=EXAMPLES / name, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def items(registry):
    """The items of two seconds of the receiver."""
    decoding = Decoding(registry)
    return decoding.feed(written("Live", "--channels=64", "2025-11-23T09:00", "2025-11-23T09:00:02"))


@given(
    st.lists(st.floats() | st.sampled_from([0.0, -1.0]), min_size=1, max_size=200), st.integers(1, 80), st.booleans()
)
def test_bars_never_fail_and_are_no_wider_than_asked(values, width, log):
    drawn = bars(values, width, log=log)
    assert len(drawn) == min(len(values), width)
    assert set(drawn) <= set(" ▁▂▃▄▅▆▇█")


def test_of_values_that_share_a_bar_the_greatest_is_seen():
    values = np.ones(1000)
    values[537] = 100
    assert bars(values, 50).index("█") == 537 // 20
    assert bars([5.0, 5.0], 10) == "▄▄"
    assert bars([np.nan, 1, 2], 3) == " ▁█"


def test_streams_are_decoded_as_they_come_byte_by_byte(registry, items):
    decoding = Decoding(registry)
    stream = written("Live", "--channels=64", "2025-11-23T09:00", "2025-11-23T09:00:02")
    pieces = [each for place in range(len(stream)) for each in decoding.feed(stream[place : place + 1])]
    assert decoding.known is True
    batches = [[each for each in found if isinstance(each, Records)] for found in (items, pieces)]
    assert sum(map(len, batches[0])) == sum(map(len, batches[1])) == 20
    assert [moment for batch in batches[1] for moment in instants(batch)] == [
        moment for batch in batches[0] for moment in instants(batch)
    ]


def test_the_times_of_records_are_seconds_since_1970_in_das3_and_das2(registry, items):
    moments = [moment for each in items if isinstance(each, Records) for moment in instants(each)]
    assert moments == pytest.approx([BEGIN + 0.1 * count for count in range(20)], abs=1e-6)
    found = Decoding(registry).feed(written("Random", "2025-11-23T09:00", "2025-11-23T09:30"))
    moments = [moment for each in found if isinstance(each, Records) for moment in instants(each)]
    assert moments[0] == pytest.approx(BEGIN, abs=600)
    found = Decoding(registry).feed(written("Waveform", "frames", "1979-03-01T12:27:00", "1979-03-01T12:27:00.1"))
    moments = [moment for each in found if isinstance(each, Records) for moment in instants(each)]
    assert moments == pytest.approx([289139220.0, 289139220.06], abs=1e-6)


def test_what_is_no_das_stream_is_not_decoded(registry):
    decoding = Decoding(registry)
    assert decoding.feed(b"") == []
    assert decoding.known is None
    assert decoding.feed(b"time,psd\n") == []
    assert decoding.known is False


def test_a_record_is_a_line_in_which_warnings_are_marked(items):
    (batch, *_) = [each for each in items if isinstance(each, Records)]
    text = line(instants(batch)[0], measured(batch, 0, FACTS))
    assert text.startswith("2025-11-23T09:00:00.000  psd=")
    assert "V**2 m**-2 Hz**-1 (64)!" in text
    assert text.endswith(" degC")


def test_a_screen_shows_values_lag_warnings_and_remarks(items):
    latest = Latest(FACTS)
    for each in items:
        latest.take(each, BEGIN + 2.4)
    latest.take(Comment("log:warning", "3 messages\x1b[2J were dropped"), BEGIN + 2.4)
    latest.take(Comment("taskProgress", "50"), BEGIN + 2.4)
    latest.take(Problem("ServerError", "the reader died"), BEGIN + 2.4)
    latest.take(NoData("nothing there"), BEGIN + 2.4)
    shown = screen("Examples/Live", latest, 5.0, 100, 40)
    text = "\n".join(shown)
    assert "lag 500 ms" in text
    assert "20 records" in text
    assert "2 warnings" in text
    assert "nothing for 5 s" in text
    assert "3 messages [2J were dropped" in text
    assert "ServerError: the reader died" in text
    assert "nothing there" in text
    assert "50\n" not in text
    assert "\x1b[31mpsd" in text
    assert "\x1b[31mtemperature" not in text
    assert len(screen("x", latest, None, 70, 3)) == 3
    rows = [row for row in shown if set(row) & set("▁▂▃▄▅▆▇█")]
    assert [len(row) for row in rows] == [64, 20]


def test_values_that_are_no_single_numbers_are_told_in_words(registry):
    ragged = (
        '|Sx||49|\n<stream type="das-basic-stream" version="3.0"/>\n'
        '|Hx|2|506|' + '<dataset name="wave" rank="2" index="*;*"><coord physDim="time" name="time" axis="x">'
        '<scalar use="center" semantic="datetime" storage="struct" index="*;-" units="UTC">'
        '<packet numItems="1" itemBytes="24" encoding="utf8" /></scalar></coord><data physDim="E" name="ex">'
        '<scalar use="center" semantic="real" storage="float" index="*;*" units="V">'
        '<packet numItems="*" itemBytes="*" encoding="utf8" valTerm=";" /></scalar></data></dataset>'
    )  # fmt: skip
    head, _, body = ragged.partition("|Hx|2|506|")
    stream = f"{head}|Hx|2|{len(body)}|{body}|Pd|2|30|2031-04-02T00:00:00.000 1;2;3;"
    batches = [each for each in Decoding(registry).feed(stream.encode()) if isinstance(each, Records)]
    ((value,),) = [measured(batch, 0, {}) for batch in batches]
    assert value.values == "3 values"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'[xx]000050<exception type="QueryError" message="a &lt; b"/>', "a < b"),
        (b'|Ex||9|<exception type="QueryError">one\n two</exception>', "one two"),
        (b"<html>no</html>", ""),
        (b"plain\x1b[2J text\n", "plain[2J text"),
        (b"", ""),
    ],
)
def test_the_text_of_a_refusal_is_found_in_each_form(body, text):
    assert told_failure(body) == text
