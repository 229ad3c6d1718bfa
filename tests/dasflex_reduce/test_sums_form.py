# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments are cut and put together in their order, and their files are read or refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import Dataset
from dasflex_core.errors import SourceError
from dasflex_core.moments import Moments, gathered
from dasflex_core.testing import golden
from dasflex_core.testing.comparing import difference
from dasflex_reduce.declared import dtype_of
from dasflex_reduce.sums import Sums
from dasflex_reduce.sums_stream import read_stream, write_stream

if TYPE_CHECKING:
    from dasflex_core.arrays import Item


def summed(items: list[Item]) -> list[Item]:
    """The moments of a stream in bins of a second."""
    stage = Sums(1.0)
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


@pytest.mark.parametrize(
    "name", ["scalars", "spectra", "waveform", "vectors", "states", "bursts", "two_datasets", "nothing"]
)
def test_what_is_written_is_read(name):
    """Moments of one dataset are one item between two declarations; all else is as it was."""
    items = [each for each in summed(golden.streams()[name]) if type(each).__name__ != "Comment"]
    again = list(read_stream(write_stream(items)))
    assert not difference(*([each for each in some if not isinstance(each, Moments)] for some in (items, again)))
    assert not difference(by_dataset(items), by_dataset(again))
    assert write_stream(again) == write_stream(read_stream(write_stream(again)))


def by_dataset(items: list[Item]) -> list[Moments]:
    """The moments of each dataset as one."""
    moments = [each for each in items if isinstance(each, Moments)]
    return list(gathered(sorted(moments, key=lambda each: each.dataset.id)))


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=8), kinds=st.lists(st.integers(1, 2), min_size=8))
def test_moments_that_follow_one_another_are_gathered_in_their_order(sizes, kinds):
    header, first, *_rest = golden.scalars()
    assert isinstance(first, Dataset)
    datasets = {1: replace(first, id=1), 2: replace(first, id=2)}
    items: list[Item] = [header, *datasets.values()]
    begin = 0
    for size, kind in zip(sizes, kinds, strict=False):
        numbers = np.arange(begin, begin + size)
        items.append(Moments(datasets[kind], numbers, {"b": {"total": numbers[:, None] * 1.0}}))
        begin += size
    made = list(gathered(items))
    assert made[:3] == items[:3]
    for some in (items, made):
        assert np.array_equal(
            np.concatenate([each.begins for each in some if isinstance(each, Moments)]), np.arange(begin)
        )
    moments = [each for each in made if isinstance(each, Moments)]
    for each in moments:
        assert np.array_equal(each.parts["b"]["total"][:, 0], each.begins)
    assert all(one.dataset.id != other.dataset.id or len(one) > 9000 for one, other in pairwise(moments))


@given(
    times=st.lists(st.integers(0, 20), min_size=1, max_size=30), ends=st.tuples(st.integers(0, 20), st.integers(0, 20))
)
def test_moments_within_a_range_are_those_that_begin_in_it(times, ends):
    numbers = np.arange(len(times))
    dataset = golden.scalars()[1]
    assert isinstance(dataset, Dataset)
    found = Moments(dataset, np.array(times), {"b": {"count": numbers[:, None]}}).within(*sorted(ends))
    wanted = [place for place, each in enumerate(times) if min(ends) <= each < max(ends)]
    assert ([] if found is None else found.parts["b"]["count"][:, 0].tolist()) == wanted
    assert found is None or found.begins.tolist() == [times[place] for place in wanted]


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(["spectra", "bursts", "states"]), place=st.integers(0, 1 << 16), bit=st.integers(0, 7))
def test_a_file_in_which_a_bit_is_another_is_refused_or_read(name, place, bit):
    """Checksums find such files; where one comes nevertheless, nothing but the error of a broken file is raised."""
    data = bytearray(write_stream(each for each in summed(golden.streams()[name]) if type(each).__name__ != "Comment"))
    data[place % len(data)] ^= 1 << bit
    with suppress(SourceError):
        assert list(read_stream(bytes(data)))


@given(kind=st.sampled_from(["O", "<i4,<f8", "V8", "garbage", "a5"]))
def test_arrays_of_a_type_that_no_stream_has_are_refused(kind):
    with pytest.raises(ValueError, match="no type"):
        dtype_of(kind)
