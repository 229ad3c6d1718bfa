# SPDX-License-Identifier: GPL-3.0-or-later
"""Das3 packets are found in bytes that are split anywhere, and nothing large is made for a length that lies."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.errors import SourceError
from dasflex_core.stages import Frame, Framer
from dasflex_das.das3_framing import MAX_HEADER, MAX_RECORD, Das3Framer, read_tag

KINDS = {"Sx": "header", "Hx": "dataset", "Pd": "data", "Cx": "comment", "Ex": "problem", "XX": "comment"}


def packet(tag: str, number: str, body: bytes) -> bytes:
    return b"|%b|%b|%d|%b" % (tag.encode(), number.encode(), len(body), body)


packets = st.lists(
    st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from(["", "0", "1", "07", "81"]), st.binary(max_size=40)),
    max_size=8,
)


@given(packets, st.lists(st.integers(0, 400), max_size=6))
def test_every_packet_comes_out_whole_however_the_bytes_are_split(written, cuts):
    """The frames are the packets that were written, with their ids as integers."""
    expected = [Frame(KINDS[tag], int(number or 0), packet(tag, number, body)) for tag, number, body in written]
    data = b"".join(frame.data for frame in expected)
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    framer, found = Das3Framer(), []
    for start, stop in pairwise(places):
        found += framer.feed(data[start:stop])
    found += framer.finish()
    assert found == expected


@given(st.lists(st.tuples(st.integers(1, 3), st.binary(min_size=1, max_size=3)), max_size=40), st.integers(10, 80))
def test_data_packets_come_together_where_that_is_wanted(written, longest):
    """Frames then hold packets of one dataset that are alike, no more than so many bytes, and nothing else changes."""
    packets = [packet("Pd", str(number), body) for number, body in written]
    framer = Das3Framer()
    framer.together = longest
    found = [*framer.feed(b"".join(packets)), *framer.finish()]
    assert b"".join(frame.data for frame in found) == b"".join(packets)
    assert all(len(frame.data) <= longest or frame.data in packets for frame in found)
    apart = Das3Framer()
    for frame in found:
        assert {each.id for each in apart.feed(frame.data)} == {frame.id}
    assert len(found) <= len(packets)
    alike = [packet("Pd", "1", b"abc")] * 100
    framer.together = 1 << 16
    assert [frame.data for frame in framer.feed(b"".join(alike))] == [b"".join(alike)]


def test_one_byte_at_a_time_gives_the_same_frames():
    """The smallest chunks of all."""
    data = packet("Sx", "", b"<stream/>") + packet("Pd", "1", b"|Pd|1|3|")
    framer = Das3Framer()
    found = [frame for byte in data for frame in framer.feed(bytes([byte]))]
    assert [frame.data for frame in found] == [packet("Sx", "", b"<stream/>"), packet("Pd", "1", b"|Pd|1|3|")]
    assert not list(framer.finish())


def test_what_is_no_packet_is_told_behind_the_packets_before_it():
    """A reader's last words may come in one piece with its data."""
    first = packet("Pd", "1", b"abc")
    frames = Das3Framer().feed(first * 2 + b"Traceback (most")
    assert [next(frames).data, next(frames).data] == [first, first]
    with pytest.raises(SourceError, match="stands b'Traceback"):
        next(frames)


@pytest.mark.parametrize(
    "data", [b"|", b"|P", b"|Pd", b"|Pd|", b"|Pd|1", b"|Pd|1|", b"|Pd|1|3", b"|Pd|1|3|", b"|Pd|1|3|ab"]
)
def test_a_stream_that_ends_inside_a_packet_is_truncated(data):
    """At whatever byte it ends."""
    framer = Das3Framer()
    assert not list(framer.feed(data))
    with pytest.raises(SourceError, match="ends inside the packet") as caught:
        framer.finish()
    assert caught.value.kind == "source.truncated"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[00]000020<stream/>", "starts no das3 packet"),
        (b"|Sx||9|<stream/>\n|Pd|1|2|ab", "byte 16 .* starts no das3 packet"),
        (b"|Pd|x|3|abc", "starts no das3 packet"),
        (b"|Pd|1|-3|abc", "starts no das3 packet"),
        (b"|Pd|12345678901|3|abc", "starts no das3 packet"),
        (b"|Sj||2|{}", "tag Sj"),
        (b"<?xml version='1.0'?><stream/>", "XML document"),
    ],
)
def test_what_is_no_packet_is_refused(data, why):
    """With the bytes and their place."""
    with pytest.raises(SourceError, match=why) as caught:
        list(Das3Framer().feed(data))
    assert caught.value.kind == "source.stream"


@pytest.mark.parametrize("head", [b"|Hx|1|%d|" % (MAX_HEADER + 1), b"|Pd|1|%d|" % (MAX_RECORD + 1), b"|Sx||999999999|"])
def test_a_length_beyond_the_limit_is_refused_before_its_body_comes(head):
    """So that nobody waits for a gigabyte, or allocates one."""
    with pytest.raises(SourceError, match="at most"):
        list(Das3Framer().feed(head))


def test_a_tag_says_where_its_body_is_before_the_body_has_come():
    """What the decoder needs to refuse a wrong length at once."""
    tag = read_tag(b"..|Pd|03|40|", 2)
    assert tag is not None
    assert (tag.kind, tag.id, tag.body, tag.end) == ("data", 3, 12, 52)
    assert isinstance(Das3Framer(), Framer)


def test_framing_and_messages_import_no_numpy():
    """Pass-through requests pay for no arrays."""
    code = "import sys, dasflex_das.das3_framing, dasflex_das.das3_messages; sys.exit('numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )
