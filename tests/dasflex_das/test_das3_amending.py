# SPDX-License-Identifier: GPL-3.0-or-later
"""A das3 stream header says what the server knows, once, and is otherwise as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_das.das3_amending import amended
from dasflex_das.das3_framing import Das3Framer
from dasflex_das.das3_messages import early_header
from dasflex_das.elements import parse

SPAN = {"read.time.min": "2017-01-01T00:00:00", "read.time.max": "2017-01-02T00:00:00"}
RANGE = '<p type="datetimeRange" name="xCacheRange" units="UTC">2017-01-01T00:00:00 to 2017-01-02T00:00:00</p>'


def packet(body):
    data = body.encode()
    return b"|Sx||%d|%b" % (len(data), data)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<stream version="3.0"/>', f'<stream version="3.0"><properties>{RANGE}</properties></stream>'),
        ("\n<stream>\n</stream>\n", f"\n<stream><properties>{RANGE}</properties>\n</stream>\n"),
        ("<stream><properties/></stream>", f"<stream><properties>{RANGE}</properties></stream>"),
        (
            '<stream>\n  <properties>\n    <p name="a">b</p></properties></stream>',
            f'<stream>\n  <properties>{RANGE}\n    <p name="a">b</p></properties></stream>',
        ),
    ],
)
def test_the_range_goes_into_the_first_properties_and_the_rest_stays_as_it_was(before, after):
    assert amended(packet(before), SPAN) == packet(after)


def test_a_reader_that_says_its_range_is_right():
    header = packet('<stream><properties><p name="xCacheRange">x</p></properties></stream>')
    assert amended(header, SPAN) == header
    more = amended(header, {**SPAN, "bin.time.max": "60"})
    assert more.count(b"xCacheRange") == 1
    assert b'<p type="real" name="xCacheResolution" units="s">60</p>' in more


@pytest.mark.parametrize(
    "header", [b"", b"|Hx|1|4|<a/>", packet("<other/>"), packet("<stream"), b"|Sx||999999999", b"|Sx||x|<stream/>"]
)
def test_what_is_no_stream_header_stays_as_it_is(header):
    assert amended(header, SPAN) == header


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_header_stays_one_packet_that_can_be_read(begin, end):
    made = amended(early_header(), {"read.time.min": begin, "read.time.max": end})
    (frame,) = [*(framer := Das3Framer()).feed(made), *framer.finish()]
    assert frame.kind == "header"
    assert parse(frame.data.split(b"|", 4)[4], "header").tag == "stream"
