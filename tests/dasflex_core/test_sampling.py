# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate of a waveform is told where there is one, and its absence explained where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dasflex_core.arrays import Sequence, Vector
from dasflex_core.errors import QueryError
from dasflex_core.sampling import cadence_of
from dasflex_core.testing import golden


def waves(**changed):
    """A dataset of waveforms of four samples, half a second apart, whose offsets are changed."""
    dataset = golden.waveform()[1]
    return dataset.swap(dataset["time.offset"], replace(dataset["time.offset"], **changed))


def cadence(dataset):
    return cadence_of(dataset, dataset.first("waveform"))


def test_the_offsets_or_their_rule_say_it_in_seconds():
    assert cadence(waves()) == (0.0, 0.5)
    assert cadence(waves(units="ms", values=np.array([2.0, 4.0, 6.0, 8.0]))) == pytest.approx((0.002, 0.002))
    ruled = waves(units="ms", sequences=(Sequence("10", ("-", "250")),))
    assert cadence(ruled) == pytest.approx((0.01, 0.25))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"values": np.array([0.0, 1.0, 5.0, 6.5, 9.0, 20.0])}, "are not equally far apart"),
        ({"values": np.array([3.0, 2.0, 1.0, 0.0])}, "are not equally far apart"),
        ({"values": None}, "says no distance of samples"),
        ({"units": "m"}, "has units 'm', which are no time"),
        ({"sequences": (Sequence("0", ("-", "0")),), "values": None}, "says no distance"),
        ({"index": golden.waveform()[1].index, "values": None}, "differs from record to record"),
    ],
)
def test_what_has_no_rate_is_refused_with_the_reason(changed, why):
    with pytest.raises(QueryError, match=why):
        cadence(waves(**changed))


def test_a_waveform_of_vectors_is_no_row_of_samples():
    dataset = waves()
    field = replace(dataset["ex"], vector=Vector(3), axes=())
    with pytest.raises(QueryError, match="ex of wave is not one row of samples"):
        cadence_of(dataset.swap(field, field), field)
