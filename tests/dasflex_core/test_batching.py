# SPDX-License-Identifier: GPL-3.0-or-later
"""Records are gathered into batches, and those that mean different things are never in one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dasflex_core.arrays import Dataset, Records
from dasflex_core.batching import Gathering
from dasflex_core.testing import golden


@pytest.fixture
def declared():
    """A dataset, and a batch of its records."""
    items = golden.scalars()
    return next(each for each in items if isinstance(each, Dataset)), next(
        each for each in items if isinstance(each, Records)
    )


def lengths(gathering, *batches):
    return [len(each) for batch in batches for each in gathering.add(batch)] + [len(each) for each in gathering.rest()]


def test_batches_are_as_long_as_they_shall_be(declared):
    _dataset, batch = declared
    assert lengths(Gathering(2), batch, batch) == [2] * len(batch)
    assert lengths(Gathering(100), batch, batch) == [2 * len(batch)]


def test_a_number_of_values_is_that_of_all_columns(declared):
    dataset, batch = declared
    assert lengths(Gathering.of_values(len(dataset.columns), dataset), batch) == [1] * len(batch)
    assert lengths(Gathering.of_values(0, dataset), batch) == [1] * len(batch)


def test_records_with_another_fill_are_in_a_batch_of_their_own(declared):
    dataset, batch = declared
    last = dataset.columns[-1]
    other = dataset.swap(last, replace(last, fill=-1.0))
    gathering = Gathering(100)
    found = [*gathering.add(batch), *gathering.add(Records(other, batch.columns)), *gathering.rest()]
    assert [each.dataset for each in found] == [dataset, other]


def test_the_same_columns_declared_again_are_gathered_on(declared):
    dataset, batch = declared
    assert lengths(Gathering(100), batch, Records(replace(dataset), batch.columns)) == [2 * len(batch)]
