# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages hold whole packets, as many as there is room for, and nothing is lost or changed."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.registry import discover
from dasflex_core.stages import Frame
from dasflex_core.streamtype import StreamType
from dasflex_ws.frames import encoded
from dasflex_ws.messages import LONGEST, Packer


class Tens:
    """A framer of packets of ten bytes."""

    def __init__(self) -> None:
        self.held = b""

    def feed(self, chunk: bytes):
        self.held += chunk
        while len(self.held) >= 10:
            packet, self.held = self.held[:10], self.held[10:]
            yield Frame("data", 1, packet)

    def finish(self):
        return ()


def messages(packer: Packer, chunks) -> list:
    """All that a packer makes of some chunks."""
    made = [message for chunk in chunks for message in packer.feed(chunk)]
    rest = packer.rest()
    return [*made, *([rest] if rest else [])]


@given(st.lists(st.integers(1, 60), max_size=20), st.integers(1, 100))
def test_packets_stay_whole_however_the_bytes_come(sizes, longest):
    count = sum(sizes) // 10
    source = bytes(place % 251 for place in range(count * 10))
    cut, chunks = 0, []
    for size in sizes:
        chunks.append(source[cut : cut + size])
        cut += size
    made = messages(Packer(Tens(), text=False, longest=longest), [*chunks, source[cut:]])
    assert b"".join(message.data for message in made) == source
    assert all(not len(message.data) % 10 for message in made)
    assert all(len(message.data) <= max(longest, 10) for message in made)


def test_a_packet_that_is_longer_is_a_message_of_its_own():
    packer = Packer(Tens(), text=False, longest=4)
    assert [len(each.data) for each in packer.feed(bytes(30))] == [10, 10, 10]
    assert not packer.waits


def test_messages_are_full_before_they_are_sent():
    packer = Packer(Tens(), text=False, longest=35)
    assert [len(each.data) for each in packer.feed(bytes(100))] == [30, 30, 30]
    assert packer.waits
    assert len(packer.rest().data) == 10


@given(st.lists(st.text(max_size=40), max_size=8), st.integers(4, 50))
def test_text_is_cut_behind_lines_or_characters(pieces, longest):
    made = messages(Packer(None, text=True, longest=longest), [piece.encode() for piece in pieces])
    assert "".join(message.data.decode() for message in made) == "".join(pieces)
    assert all(message.text for message in made)


def test_lines_stay_whole_where_they_fit():
    [*made] = Packer(None, text=True, longest=10).feed(b"12345\n12345\n12345\n")
    assert [each.data for each in made] == [b"12345\n", b"12345\n"]


def test_text_that_is_none_is_sent_as_bytes():
    packer = Packer(None, text=True)
    packer.feed(b"caf\xe9")
    assert packer.rest() == (b"caf\xe9", False)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 70000])
def test_frames_are_read_by_another_implementation(size):
    from wsproto.frame_protocol import FrameProtocol, Opcode

    protocol = FrameProtocol(client=True, extensions=[])
    protocol.receive_bytes(encoded(b"x" * size, text=False))
    [frame] = protocol.received_frames()
    assert (frame.opcode, len(frame.payload), frame.message_finished) == (Opcode.BINARY, size, True)


def test_messages_are_64_kib():
    assert LONGEST == 65536


def test_a_das2_stream_that_its_reader_compressed_is_sent_uncompressed():
    body = b'<packet><x type="time24" units="UTC"/></packet>'
    rest = b"[01]%06d%b" % (len(body), body) + b":01:2020-01-01T00:00:00.000 " * 3
    stream = [b'<stream version="2.2" compression="%b"/>' % each for each in (b"deflate", b"none")]
    header, plain = (b"[00]%06d%b" % (len(each), each) for each in stream)
    framer = discover().framer(StreamType("das", "2"))
    made = messages(Packer(framer, text=False), [header + zlib.compress(rest)])
    assert b"".join(message.data for message in made) == plain + rest
