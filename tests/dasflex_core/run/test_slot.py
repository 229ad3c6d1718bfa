# SPDX-License-Identifier: GPL-3.0-or-later
"""An input that is filled from outside gives what was put, says when it is dry, and ends as it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.errors import BusyError
from dasflex_core.run.slot import Slot


def test_a_slot_gives_what_was_put_and_then_that_it_is_dry():
    slot = Slot()
    slot.put(b"a")
    slot.put(b"b")
    pieces = slot.pieces()
    assert [next(pieces), next(pieces), slot.dry, next(pieces), slot.dry] == [b"a", b"b", False, b"", True]
    slot.put(b"c")
    slot.end(BusyError("enough", kind="busy.stopped"))
    assert next(pieces) == b"c"
    with pytest.raises(BusyError):
        next(pieces)


@given(st.lists(st.binary(max_size=5)))
def test_all_that_is_put_comes_out_in_order_and_nothing_beside(pieces):
    slot = Slot()
    for piece in pieces:
        slot.put(piece)
    slot.end()
    assert list(slot.pieces()) == [piece for piece in pieces if piece]
    assert not slot.dry


def test_what_is_put_between_two_looks_is_there_at_the_second():
    slot = Slot()
    pieces = slot.pieces()
    assert next(pieces) == b""
    slot.put(b"late")
    assert next(pieces) == b"late"
    assert next(pieces) == b""
    slot.end()
    assert next(pieces, None) is None
