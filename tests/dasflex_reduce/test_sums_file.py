# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of sums come back as they were, and no damaged ones are taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.errors import SourceError
from dasflex_reduce.sums_file import DatasetSums, SumsFile, read_sums, write_sums

TYPES = ["f8", "f4", "c16", "i8", "i2", "u1", ">f4", ">i4"]


def _sums(bins: int, columns: int, kind: str = "f8") -> SumsFile:
    values = np.arange(bins * columns).reshape(bins, columns).astype(kind)
    one = DatasetSums(
        "a", np.arange(bins) * 60, {"v": {"total": values, "count": values.real.astype("i8")}, "é": {"low": values}}
    )
    return SumsFile(60, (one, DatasetSums("b", np.arange(1), {"w": {"low": np.array([[2**63 - 1]])}})))


@settings(max_examples=50, deadline=None)
@given(bins=st.integers(0, 9), columns=st.integers(0, 5), kind=st.sampled_from(TYPES))
def test_what_is_written_is_read(bins: int, columns: int, kind: str) -> None:
    """Times, values and types come back for every shape, the empty ones too."""
    sums = _sums(bins, columns, kind)
    back = read_sums(write_sums(sums))
    assert back.width == 60
    assert [each.name for each in back.datasets] == ["a", "b"]
    assert back.datasets[0].begins.tolist() == sums.datasets[0].begins.tolist()
    total = back.datasets[0].moments["v"]["total"]
    assert total.dtype == np.dtype(kind).newbyteorder("<")
    assert total.shape == (bins, columns)
    assert np.array_equal(total, sums.datasets[0].moments["v"]["total"])
    assert back.datasets[1].moments["w"]["low"].item() == 2**63 - 1


def test_nan_and_infinities_are_kept() -> None:
    """What an empty bin holds comes back bit by bit."""
    values = np.array([[np.nan], [np.inf], [-0.0]])
    back = read_sums(write_sums(SumsFile(1, (DatasetSums("a", np.arange(3), {"v": {"low": values}}),))))
    assert back.datasets[0].moments["v"]["low"].tobytes() == values.tobytes()


@pytest.mark.parametrize("cut", [0, 5, 20, 30, -9, -1])
def test_a_file_that_is_cut_is_refused(cut: int) -> None:
    """However much of it is missing."""
    with pytest.raises(SourceError, match="build its block again"):
        read_sums(write_sums(_sums(3, 2))[:cut])


def test_a_newer_version_and_bytes_behind_the_end_are_refused() -> None:
    """A reader does not guess."""
    data = write_sums(_sums(3, 2))
    for wrong in (data.replace(b"sums 1", b"sums 2", 1), data + bytes(8), data.replace(b'"f8"', b'"O8"', 1)):
        with pytest.raises(SourceError):
            read_sums(wrong)


def test_an_array_of_another_length_is_not_written() -> None:
    """A fault of the caller is found before a block is made."""
    with pytest.raises(ValueError, match="2 bins"):
        write_sums(SumsFile(1, (DatasetSums("a", np.arange(2), {"v": {"total": np.zeros((3, 1))}}),)))
