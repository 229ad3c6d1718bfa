# SPDX-License-Identifier: GPL-3.0-or-later
"""Remarks stand behind the stream header, and nowhere else; what cannot hold them is left as it was."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest

from dasflex_core.arrays import Comment, NoData, StreamHeader
from dasflex_core.errors import SourceError
from dasflex_core.run import Pump
from dasflex_core.run.remarking import headed, remarked_items
from dasflex_core.streamtype import StreamType
from dasflex_das.das2_framing import Das2Framer


def packet(tag, body):
    return b"[%b]%06d%b" % (tag, len(body), body)


HEADER = packet(b"00", b'<stream version="2.2" />')
REST = packet(b"xx", b'<comment type="taskSize" source="demo_rdr" value="3" />')
REMARK = b"[xx]000009<remark/>"


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_comments_stand_behind_the_header_however_the_stream_is_cut(size):
    stream = HEADER + REST
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert b"".join(headed(chunks, Das2Framer(), lambda header: header + REMARK)) == HEADER + REMARK + REST


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"this is no stream at all",
        HEADER[:20],
        packet(b"00", b'<stream version="2.2" compression="deflate" />') + zlib.compress(REST),
    ],
)
def test_what_cannot_hold_comments_is_left_as_it_was(stream):
    assert b"".join(headed([stream[:9], stream[9:]], Das2Framer(), lambda header: header + REMARK)) == stream


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_a_plain_answer_has_the_packets_that_were_compressed(size):
    stream = packet(b"00", b'<stream version="2.2" compression="deflate" />') + zlib.compress(REST * 3)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    found = b"".join(headed(chunks, Das2Framer(), lambda header: header + REMARK, plain=True))
    plain = packet(b"00", b'<stream version="2.2" compression="none" />')
    assert found == plain + REMARK + REST * 3
    with pytest.raises(SourceError, match="ends inside"):
        list(headed([stream[:-20]], Das2Framer(), bytes, plain=True))


def test_items_get_comments_behind_their_header():
    found = list(remarked_items([StreamHeader(), NoData()], ["one", "two"]))
    assert found == [
        StreamHeader(),
        Comment("log:info", "one", "dasflex"),
        Comment("log:info", "two", "dasflex"),
        NoData(),
    ]


def test_the_pump_tells_its_remarks_in_a_das_stream(readers, settings, das2):
    """The reader's own bytes pass unchanged, with one comment more."""
    stream = das2.whole(3)
    node = readers.node(f"import sys; sys.stdout.buffer.write({stream!r})", produces=StreamType("das", "2"))
    told = replace(settings(), remarks=("bin.time.max was ignored",))
    info = told.info(StreamType("das", "2"))
    told = replace(told, info=lambda _type: replace(info, comment="dasflex_das.das2_messages:comment_packet"))
    with Pump((node,), told) as pump:
        got = b"".join(pump.chunks())
    assert got.startswith(das2.header)
    assert b'value="bin.time.max was ignored"' in got[len(das2.header) : len(das2.header) + 120]
    assert len(got) == pump.record.bytes > len(stream)
