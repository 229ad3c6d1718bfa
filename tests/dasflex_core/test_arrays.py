# SPDX-License-Identifier: GPL-3.0-or-later
"""The in-memory stream: fill, slices of records, properties, axes and traits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.arrays import (
    VARIES,
    Dataset,
    Dimension,
    Properties,
    Property,
    Ragged,
    Records,
    Variable,
    Vector,
    is_fill,
    traits_of,
)
from dasflex_core.errors import QueryError

TIME = Variable("time", "center", "datetime", "us2000", (VARIES, None), np.dtype("<f8"), plane="x")
FREQUENCY = Variable(
    "frequency", "center", "real", "Hz", (None, 3), np.dtype("<f8"), values=np.array([10.0, 20.0, 40.0])
)
PSD = Variable("psd", "center", "real", "V**2 m**-2 Hz**-1", (VARIES, 3), np.dtype("<f4"), fill=-1e31)
SPECTRA = Dataset(
    1,
    "spectra",
    (VARIES, 3),
    (
        Dimension("time", "time", True, (TIME,)),
        Dimension("frequency", "frequency", True, (FREQUENCY,)),
        Dimension("psd", "psd", False, (PSD,)),
    ),
    ("time", "psd"),
)


def test_fill_is_found_although_float32_cannot_hold_it_exactly():
    values = np.array([-1e31, 1.0, np.nan], dtype=np.float32)
    assert is_fill(values, -1e31).tolist() == [True, False, False]
    assert is_fill(values, float("nan")).tolist() == [False, False, True]
    assert is_fill(np.array([0.0, 1e-30]), 0).tolist() == [True, False]
    assert is_fill(np.array([np.inf, -3e38], dtype=np.float32), np.inf).tolist() == [True, False]
    assert not is_fill(np.array([np.inf, -3e38], dtype=np.float32), 3e38).any()
    assert not is_fill(np.array([np.inf, 0], dtype=np.float32), 1e300).any()
    assert is_fill(np.array([255, 1], dtype=np.uint8), 255).tolist() == [True, False]
    assert is_fill(np.array(["NaT", "2020-01-01"], dtype="M8[ns]"), np.datetime64("NaT")).tolist() == [True, False]
    assert not is_fill(values, None).any()


def test_floats_have_fill_as_nan():
    batch = Records(SPECTRA, {"time": np.zeros(1), "psd": np.array([[1, -1e31, 3]], dtype="<f4")})
    assert np.isnan(batch.floats("psd")).tolist() == [[False, True, False]]
    with pytest.raises(QueryError, match=r"psb.*Did you mean psd"):
        batch.floats("psb")


def test_a_variable_knows_its_axes():
    variable = SPECTRA.first("spectra")
    assert variable.name == "psd"
    assert variable.axis("Hz").name == "frequency"
    with pytest.raises(QueryError, match="no axis in eV"):
        variable.axis("eV")
    with pytest.raises(QueryError, match="waveform"):
        SPECTRA.first("waveform")


def test_a_variable_may_be_swapped_for_another():
    power = Variable("power", "center", "real", "V**2 m**-2", (VARIES, None), np.dtype("<f8"))
    swapped = SPECTRA.swap(PSD, power)
    assert swapped.wire == ("time", "power")
    assert [each.name for each in swapped.data()] == ["power"]


def test_traits_follow_from_the_declaration():
    assert traits_of([SPECTRA]) == {"one", "spectra", "axis:frequency"}
    assert "one" not in traits_of([SPECTRA, SPECTRA])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.data())
def test_a_slice_of_ragged_records_holds_the_same_values(lengths, data):
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    column = Ragged(np.arange(offsets[-1]), offsets)
    dataset = Dataset(1, "r", (VARIES,), (), ("x",))
    first = data.draw(st.integers(0, len(lengths)))
    last = data.draw(st.integers(first, len(lengths)))
    part = Records(dataset, {"x": column}).slice(slice(first, last))["x"]
    rows = [part.values[a:b].tolist() for a, b in zip(part.offsets[:-1], part.offsets[1:], strict=True)]
    assert rows == [
        column.values[a:b].tolist() for a, b in zip(offsets[first:last], offsets[first + 1 :], strict=False)
    ]


@pytest.mark.parametrize(
    ("index", "semantic", "components", "depth", "leaf"),
    [
        ((VARIES,), "real", 0, 0, ()),
        ((VARIES, 3, None, 2), "real", 3, 0, (3, 2, 3)),
        ((VARIES, VARIES), "real", 3, 1, (3,)),
        ((VARIES, VARIES, 2), "real", 0, 1, (2,)),
        ((VARIES, 2, None, VARIES), "real", 0, 2, ()),
        ((VARIES, 3, VARIES, 4), "string", 0, 2, (4,)),
        ((VARIES,), "blob", 0, 1, ()),
        ((VARIES, 3), "blob", 0, 2, ()),
    ],
)
def test_levels_of_runs_go_down_to_the_last_index_that_varies(index, semantic, components, depth, leaf):
    vector = Vector(components) if components else None
    variable = Variable("v", "center", semantic, "", index, np.dtype("f4"), vector=vector)
    assert (variable.depth, variable.leaf, variable.ragged) == (depth, leaf, depth > 0)


def test_runs_within_runs_are_sliced_and_filled_anew():
    column = Ragged(Ragged(np.arange(6), np.array([0, 1, 1, 4, 6])), np.array([0, 2, 2, 4]))
    dataset = Dataset(1, "r", (VARIES, VARIES, VARIES), (), ("x",))
    extras = Ragged(np.arange(3, dtype="u1"), np.array([0, 1, 2, 3]))
    part = Records(dataset, {"x": column}, extras).slice(slice(1, 3))
    assert len(part) == len(part.extras) == 2
    assert part.extras.leaves.tolist() == [1, 2]
    inner = part["x"]
    assert (inner.offsets.tolist(), inner.values.offsets.tolist()) == ([0, 0, 2], [0, 3, 5])
    assert (inner.leaves.tolist(), inner.depth) == ([1, 2, 3, 4, 5], 2)
    doubled = inner.with_leaves(inner.leaves * 2.0)
    assert doubled.values.values.tolist() == [2, 4, 6, 8, 10]
    assert doubled.values.offsets is inner.values.offsets


def test_a_replaced_property_moves_to_the_end():
    properties = Properties((Property("a", "1"), Property("b", "2"))).put(Property("a", "3"))
    assert [(each.name, each.text) for each in properties] == [("b", "2"), ("a", "3")]
    assert properties.text("c", "none") == "none"
    assert len(properties.without("a")) == 1


def test_variables_are_equal_by_what_they_say_and_by_their_values():
    same = replace(FREQUENCY, values=FREQUENCY.values.copy(), axes=(TIME,))
    assert same == FREQUENCY
    assert hash(same) == hash(FREQUENCY)
    assert replace(FREQUENCY, values=FREQUENCY.values + 1) != FREQUENCY
    assert replace(FREQUENCY, values=None) != FREQUENCY
    assert replace(PSD, fill=float("nan")) == replace(PSD, fill=float("nan"))
    assert PSD != "psd"
    assert replace(SPECTRA) == SPECTRA
