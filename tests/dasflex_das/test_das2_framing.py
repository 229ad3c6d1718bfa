# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that das2 packets are found whole, however the bytes are split, and that what is no packet is named."""

from __future__ import annotations

import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.errors import SourceError
from dasflex_core.stages import Framer
from dasflex_das.das2_framing import Das2Framer, Inflater


def header(tag, body, pad=b"%06d"):
    return b"[%b]" % tag + pad % len(body) + body


START = header(b"00", b'<stream version="2.2"/>')
NARROW = header(b"01", b'<packet><x type="time5" units="us2000"/><y type="ascii4" units=""/></packet>')
WIDE = header(b"01", b'<packet><x type="time5" units="us2000"/><y type="sun_real8" units=""/></packet>')
OTHER = header(b"99", b'<packet><x type="sun_real4" units="s"/></packet>')
NOTE = header(b"xx", b'<comment type="log:info" source="s" value="v"/>')
FAILURE = header(b"XX", b'<exception type="ServerError" message="m"/>')
PACKETS = [START, NOTE, NARROW, b":01:2001   1\n", OTHER, b":99:\n[0:", WIDE, b":01:2002 [01]:99:", NOTE, FAILURE]


def frame(stream, cuts=()):
    framer = Das2Framer()
    edges = [0, *sorted(cuts), len(stream)]
    found = [packet for a, b in pairwise(edges) for packet in framer.feed(stream[a:b])]
    return [*found, *framer.finish()]


def test_it_is_a_framer():
    assert isinstance(Das2Framer(), Framer)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, len(b"".join(PACKETS))), max_size=12))
def test_packets_come_out_whole_for_any_chunking(cuts):
    found = frame(b"".join(PACKETS), cuts)
    assert [packet.data for packet in found] == PACKETS
    assert [packet.kind for packet in found] == [
        *("header", "comment", "dataset", "data", "dataset", "data", "dataset", "data", "comment", "problem")
    ]
    assert [packet.id for packet in found] == [0, -1, 1, 1, 99, 99, 1, 1, -1, -1]


def test_single_bytes_give_the_same_packets():
    stream = b"".join(PACKETS)
    assert [packet.data for packet in frame(stream, range(1, len(stream)))] == PACKETS


def test_lengths_may_be_padded_with_blanks_and_newlines_may_stand_between_packets():
    stream = header(b"00", b"<stream/>", b"%6d") + b"\n" + header(b"xx", b'<comment type="a"/>\n', b"%6d") + b"\n"
    assert [packet.kind for packet in frame(stream)] == ["header", "comment"]


def test_a_repeated_stream_header_is_left_out():
    assert [packet.kind for packet in frame(START + NARROW + START + b":01:2001   1\n")] == [
        "header",
        "dataset",
        "data",
    ]


@pytest.mark.parametrize("name", [b"deflate", b"zlib"])
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_compressed_stream_is_framed_as_the_plain_one(name, step):
    start = header(b"00", b'<stream version="2.2" compression="%b" />' % name)
    stream = start + zlib.compress(b"".join(PACKETS[1:]))
    found = frame(stream, range(step, len(stream), step))
    assert [packet.data for packet in found[1:]] == PACKETS[1:]
    assert b'compression="none"' in found[0].data
    assert frame(b"".join(packet.data for packet in found)) == found


def test_inflating_never_makes_more_than_a_mebibyte_at_once():
    bomb = zlib.compress(bytes(50 << 20))
    inflater = Inflater()
    sizes = [len(piece) for piece in inflater.feed(bomb)]
    inflater.finish()
    assert sum(sizes) == 50 << 20
    assert max(sizes) <= 1 << 20


@pytest.mark.parametrize("cut", [1, 3, 5, 9, 20])
def test_a_stream_that_ends_inside_a_packet_is_truncated(cut):
    for stream in (START[:-cut], START + NARROW + b":01:2001   1\n"[:-cut] if cut < 12 else START[:cut]):
        with pytest.raises(SourceError) as caught:
            frame(stream)
        assert caught.value.kind == "source.truncated"


def test_a_compressed_stream_that_ends_early_is_truncated():
    start = header(b"00", b'<stream compression="deflate"/>')
    with pytest.raises(SourceError, match="ends inside its compressed part") as caught:
        frame(start + zlib.compress(NOTE)[:-3])
    assert caught.value.kind == "source.truncated"


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        (b"Traceback (most recent call last):", "At byte 0 .*Traceback"),
        (b"|Sx||25|<stream/>", "At byte 0 .*das3"),
        (START + b"oops", f"At byte {len(START)} .*oops"),
        (START + NARROW + b":01:2001   1\nx", "starts no das2 packet"),
        (START + b":07:1234", "no packet header \\[07\\]"),
        (NARROW, "starts with \\[01\\]"),
        (header(b"00", b""), "is empty"),
        (b"[00]1e0009<stream/>", "starts no das2 packet"),
        (b"[00]-00009<stream/>", "starts no das2 packet"),
        (b"[0x]000009<stream/>", "starts no das2 packet"),
        (header(b"00", b'<stream compression="gzip"/>'), "none and deflate"),
        (header(b"00", b'<stream compression="deflate"/>') + b"plain text", "damaged"),
        (header(b"00", b'<stream compression="deflate"/>') + zlib.compress(NOTE) + b"more", "follow the end"),
        (header(b"00", b"<stream"), "well-formed"),
    ],
)
def test_what_is_no_packet_is_refused_with_its_place(stream, says):
    with pytest.raises(SourceError, match=says) as caught:
        frame(stream)
    assert caught.value.kind == "source.stream"


@pytest.mark.parametrize(
    ("plane", "says"),
    [
        (b'<yscan type="sun_real4" nitems="1000000000" yUnits="" zUnits=""/>', "at most 16,777,216"),
        (b'<yscan type="sun_real4" nitems="999999999" yUnits="" zUnits=""/>', "at most 16,777,216"),
        (b'<yscan type="sun_real4" nitems="0" yUnits="" zUnits=""/>', "1 or more"),
        (b'<yscan type="sun_real4" nitems="-3" yUnits="" zUnits=""/>', "1 or more"),
        (b'<yscan type="sun_real4" nitems="9999999999999999999" yUnits="" zUnits=""/>', "at most 1,048,576"),
        (b'<yscan type="sun_real4" yUnits="" zUnits=""/>', "1 or more"),
        (b'<y type="ascii0" units=""/>', "ascii0"),
        (b'<y type="little_endian_int4" units=""/>', "the types of das2 are"),
        (b'<y units=""/>', "the types of das2 are"),
        (b'<wscan type="sun_real4" nitems="3"/>', "planes of das 2.2"),
    ],
)
def test_counts_and_types_that_cannot_be_are_refused_before_any_data(plane, says):
    with pytest.raises(SourceError, match=says):
        frame(START + header(b"01", b'<packet><x type="sun_real8" units="us2000"/>' + plane + b"</packet>"))


def test_a_packet_without_x_is_refused():
    with pytest.raises(SourceError, match="no <x>"):
        frame(START + header(b"01", b'<packet><y type="sun_real8" units=""/></packet>'))


def test_real_streams_are_framed_to_their_last_byte(test_data):
    files = [*test_data.glob("das2/*.d2*"), *test_data.glob("handmade/v2*.d2t")]
    assert len(files) > 10
    for file in files:
        stream = file.read_bytes()
        assert b"".join(packet.data for packet in frame(stream)) == stream, file.name


def test_data_packets_come_together_where_that_is_wanted():
    """Frames then hold packets of one id that follow one another."""
    header = b'<stream version="2.2" />'
    planes = b'<packet><x type="time24" units="us2000" /><y type="little_endian_real4" group="a" units="V" /></packet>'
    head = b"[00]%06d%b[01]%06d%b" % (len(header), header, len(planes), planes)
    data = [b":01:2001-001T00:00:00.00000 " + bytes([value]) * 4 for value in range(9)]
    framer = Das2Framer()
    framer.together = 3 * len(data[0])
    frames = [*framer.feed(head + b"".join(data)), *framer.finish()]
    assert [frame.kind for frame in frames] == ["header", "dataset", "data", "data", "data"]
    assert b"".join(frame.data for frame in frames) == head + b"".join(data)
