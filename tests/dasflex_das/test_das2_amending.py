# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream header says what the server knows, once, in the place where clients look, and is otherwise as it was."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_das.das2_amending import amended
from dasflex_das.das2_framing import Das2Framer
from dasflex_das.das2_layout import MAX_WRITTEN
from dasflex_das.das2_messages import early_header
from dasflex_das.das3_framing import Das3Framer
from dasflex_das.das3_messages import early_header as early_header3
from dasflex_das.elements import parse

SPAN = {"read.time.min": "2017-01-01T00:00:00", "read.time.max": "2017-01-02T00:00:00"}
RANGE = 'DatumRange:xCacheRange="2017-01-01T00:00:00 to 2017-01-02T00:00:00 UTC"'


def packet(body, tag=b"00"):
    data = body.encode() if isinstance(body, str) else body
    return b"[%b]%06d%b" % (tag, len(data), data)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<stream version="2.2"/>', f'<stream version="2.2"><properties {RANGE} /></stream>'),
        ('<stream version="2.2" />\n', f'<stream version="2.2" ><properties {RANGE} /></stream>\n'),
        ("<stream></stream>", f"<stream><properties {RANGE} /></stream>"),
        ("<stream>\n</stream>\n", f"<stream><properties {RANGE} />\n</stream>\n"),
        (
            '<?xml version="1.0"?>\n<stream a=">" b=\'"\' ><!-- <properties --></stream>',
            f'<?xml version="1.0"?>\n<stream a=">" b=\'"\' ><properties {RANGE} /><!-- <properties --></stream>',
        ),
        (
            '<stream>\n  <properties\n    title="a"/><properties b="c"/></stream>',
            f'<stream>\n  <properties {RANGE}\n    title="a"/><properties b="c"/></stream>',
        ),
        ("<stream><properties/></stream>", f"<stream><properties {RANGE}/></stream>"),
    ],
)
def test_the_range_goes_into_the_first_properties_and_the_rest_stays_as_it_was(before, after):
    assert amended(packet(before), SPAN) == packet(after)


@pytest.mark.parametrize("said", ['TimeRange:xCacheRange="x"', 'DatumRange:xCacheRange="x"', 'xCacheRange="x"'])
def test_a_reader_that_says_its_range_is_right(said):
    header = packet(f'<stream><properties a="b"/><properties {said}/></stream>')
    assert amended(header, SPAN) == header
    more = amended(header, {**SPAN, "bin.time.max": "60"})
    assert more.count(b"xCacheRange") == 1
    assert b' Datum:xCacheResolution="60 s"' in more


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[00]",
        packet("<stream"),
        packet("<exception/>"),
        packet("<packet><properties/></packet>"),
        packet("<stream/>", b"01"),
        packet("<stream/>", b"xx"),
        packet("<!DOCTYPE a><stream/>"),
        packet('<?xml version="1.0" encoding="utf-16"?><stream/>'.encode("utf-16")),
        b"|Sx||9|<stream/>",
        packet("<stream>" + "x" * (MAX_WRITTEN - 60) + "</stream>"),
    ],
)
def test_what_is_no_header_or_would_be_too_long_stays_as_it_was(header):
    assert amended(header, SPAN) == header


@pytest.mark.parametrize("facts", [{}, {"read.time.min": "2017"}, {"read.time.max": "2017"}, {"other": "x"}])
def test_half_a_range_is_not_said(facts):
    assert amended(packet("<stream/>"), facts) == packet("<stream/>")


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_whatever_the_facts_are_the_packet_is_a_whole_header(begin, end, width):
    made = amended(packet("<stream/>"), {"read.time.min": begin, "read.time.max": end, "bin.time.max": width})
    framer = Das2Framer()
    assert [frame.data for frame in framer.feed(made)] == [made]
    assert not list(framer.finish())
    assert parse(made[10:], "").tag == "stream"


# -- the header of an answer that begins before its data


def test_early_headers_are_those_that_clients_know():
    assert early_header() == b'[00]000025<stream version="2.2" />\n'
    assert [frame.kind for frame in Das3Framer().feed(early_header3())] == ["header"]


@pytest.mark.parametrize(
    "body", ['<stream version="2.2"/>', "<stream>\n</stream>\n", '<?xml version="1.0"?><stream version="2.1" />']
)
def test_a_later_header_that_says_nothing_is_left_out(body):
    assert early_header(packet(body)) == b""
    assert early_header3(b"|Sx||%d|%b" % (len(body), body.encode())) == b""


@pytest.mark.parametrize(
    "body",
    [
        "<stream><properties a='b'/></stream>",
        '<stream compression="deflate"/>',
        "<exception/>",
        "<stream>text</stream>",
    ],
)
def test_a_later_header_that_says_something_stays(body):
    assert early_header(packet(body)) == packet(body)
    das3 = b"|Sx|0|%d|%b" % (len(body), body.encode())
    assert early_header3(das3) == das3


def test_completing_a_header_needs_no_numpy():
    code = "import sys, dasflex_das.das2_amending; sys.exit('numpy' in sys.modules)"
    subprocess.run((sys.executable, "-c", code), check=True)
