# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames as a server sends them, read by a second implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage

from dasflex_ws.frames import CLOSE, closing, encoded, opcode


def received(data: bytes):
    """The one event that a client has of a frame."""
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(data)
    (event,) = client.events()
    return event


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70_000])
def test_a_payload_of_any_size_is_one_whole_message(size):
    event = received(encoded(b"\xff" * size, text=False))
    assert isinstance(event, BytesMessage)
    assert event.message_finished
    assert bytes(event.data) == b"\xff" * size


def test_text_is_a_text_message():
    event = received(encoded("é|ö".encode(), text=True))
    assert isinstance(event, TextMessage)
    assert event.data == "é|ö"


@given(code=some.sampled_from([1000, 1001, 1008, 1009, 1011, 1013]), reason=some.text(max_size=200))
def test_the_reason_of_a_close_is_cut_to_what_fits_between_two_characters(code, reason):
    frame = closing(code, reason)
    event = received(frame)
    assert isinstance(event, CloseConnection)
    assert opcode(frame) == CLOSE
    assert event.code == code
    assert len(frame) <= 127
    assert reason.startswith(event.reason or "")
