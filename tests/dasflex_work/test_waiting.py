# SPDX-License-Identifier: GPL-3.0-or-later
"""The bar that says how far tasks are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_work.waiting import bar


@given(st.floats(0, 1e6), st.integers(0, 10**6), st.floats(0, 1e7))
def test_a_bar_is_as_wide_as_any_other_and_says_a_part_of_the_whole(done, of, seconds):
    shown = bar(min(done, of), of, seconds)
    found = re.fullmatch(r"\[(#*)(\.*)\] +(\d+) %  ([\d,]+) of ([\d,]+)(  \d+ (s|min|h) left)?", shown)
    assert found, shown
    assert len(found[1] + found[2]) == 30
    assert 0 <= int(found[3]) <= 100


@pytest.mark.parametrize(
    ("done", "of", "seconds", "shown"),
    [
        (0, 4, 3, "[..............................]   0 %  0 of 4"),
        (1, 4, 10, "[#######.......................]  25 %  1 of 4  30 s left"),
        (2.5, 5, 600, "[###############...............]  50 %  2 of 5  10 min left"),
        (1, 2, 9000, "[###############...............]  50 %  1 of 2  2 h left"),
        (5000, 5000, 1, "[##############################] 100 %  5,000 of 5,000"),
        (0, 0, 1, "[##############################] 100 %  0 of 0"),
    ],
)
def test_it_says_how_much_is_done_and_how_long_the_rest_takes(done, of, seconds, shown):
    assert bar(done, of, seconds) == shown
