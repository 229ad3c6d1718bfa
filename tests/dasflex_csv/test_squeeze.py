# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving whole slots gives what cutting each text out and joining them gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dasflex_csv.squeeze import padding, squeeze


@given(st.data(), st.integers(1, 40), st.integers(0, 60))
def test_squeeze_is_the_join_of_the_ends_of_slots(data, width, count):
    texts = data.draw(st.lists(st.binary(max_size=width), min_size=count, max_size=count))
    garbage = data.draw(st.binary(min_size=1, max_size=5))
    rows = [(garbage * width)[: width - len(text)] + text for text in texts]
    slots = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(count, width)
    sizes = np.array([len(text) for text in texts], dtype=np.uint8)
    assert squeeze(slots, sizes) == b"".join(texts)


def test_many_slots_keep_their_order():
    numbers = np.arange(200_000)
    text = np.char.rjust(numbers.astype("S6"), 6).astype("S6")
    slots = text.view(np.uint8).reshape(-1, 6)
    assert squeeze(slots, np.char.str_len(numbers.astype("S6"))) == b"".join(
        b"%d" % number for number in range(200_000)
    )


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=1))
def test_padding_counts_the_bytes_before_the_first_other(rows):
    matrix = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, 4)
    assert padding(matrix, 0).tolist() == [4 - len(row.lstrip(b"\0")) for row in rows]
