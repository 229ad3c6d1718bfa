# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins of coordinates that are no time: bands of frequency inside records, and a distance along them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import VARIES, Dataset, Dimension, Records, StreamHeader, Variable
from dasflex_core.errors import QueryError
from dasflex_core.run.reducing import PerDataset
from dasflex_core.testing import ReducerContract
from dasflex_core.testing.comparing import difference, in_pieces, merged
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2TextEncoder
from dasflex_reduce.bin_coordinate import BinCoordinate

FILL = -1e31


def spectra(frequencies: list[float], rows: list[list[float]]) -> list[Any]:
    """Spectra a second apart, over these frequencies."""
    count = len(frequencies)
    time = Variable("time", "center", "datetime", "us2000", (VARIES, None), np.dtype("f8"), plane="x", plane_name="t")
    tags = Variable(
        "frequency", "center", "real", "Hz", (None, count), np.dtype("f8"), values=np.array(frequencies), plane="tags",
        text=",".join(map(str, frequencies)),
    )  # fmt: skip
    psd = Variable(
        "psd", "center", "real", "V", (VARIES, count), np.dtype("f4"), fill=FILL, plane="yscan", plane_name="psd"
    )
    dataset = Dataset(
        1,
        "packet_01",
        (VARIES, count),
        (
            Dimension("time", "time", coordinate=True, variables=(time,), axis="x"),
            Dimension("frequency", "frequency", coordinate=True, variables=(tags,), axis="y"),
            Dimension("psd", "psd", coordinate=False, variables=(psd,)),
        ),
        ("time", "psd"),
        generation=2,
    )
    table = np.array(rows, dtype="f4")
    return [
        StreamHeader(generation=2),
        dataset,
        Records(dataset, {"time": np.arange(len(table)) * 1e6, "psd": table}),
    ]


def along(distances: list[float], values: list[float]) -> list[Any]:
    """Values at distances, with no time at all."""
    x = Variable("r", "center", "real", "km", (VARIES,), np.dtype("f8"), plane="x", plane_name="r")
    y = Variable("n", "center", "real", "cm**-3", (VARIES,), np.dtype("f8"), fill=FILL, plane="y", plane_name="n")
    dimensions = (
        Dimension("r", "r", coordinate=True, variables=(x,), axis="x"),
        Dimension("n", "n", coordinate=False, variables=(y,)),
    )
    dataset = Dataset(1, "packet_01", (VARIES,), dimensions, ("r", "n"), generation=2)
    return [
        StreamHeader(generation=2),
        dataset,
        Records(dataset, {"r": np.array(distances), "n": np.array(values)}),
    ]


def binned(items: list[Any], coord: str, width: float, *stats: str) -> list[Any]:
    stage = PerDataset(BinCoordinate.spec, lambda: BinCoordinate(width=width, stats=stats or ("mean",), coord=coord))
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def only(items: list[Any]) -> tuple[Dataset, dict[str, Any]]:
    """The dataset and the columns of a stream with one of each."""
    dataset = next(item for item in items if isinstance(item, Dataset))
    batch = merged(items)[1][0]
    return dataset, {name: batch[name].tolist() for name in batch.columns}


def test_bands_are_the_means_of_their_lines():
    """Four lines of 10 Hz become two bands of 20 Hz, whose frequency is their middle; fill is left out."""
    dataset, columns = only(binned(spectra([10, 20, 30, 40], [[1, 2, 3, 5], [FILL, 4, FILL, FILL]]), "frequency", 20.0))
    assert dataset.index == (VARIES, 2)
    assert dataset["frequency"].values.tolist() == [20, 40]
    assert columns["psd"] == [[1.5, 4], [4, pytest.approx(FILL)]]
    assert columns["time"] == [0, 1e6]


def test_bands_have_all_statistics():
    """As bins of time: planes beside, named after their source."""
    dataset, columns = only(
        binned(
            spectra([10, 20, 30, 40], [[1, 2, 3, 5]]),
            "frequency",
            20.0,
            "mean",
            "min",
            "max",
            "stddev",
            "count",
            "median",
        )
    )
    assert dataset.wire == ("time", "psd", "psd.min", "psd.max", "psd.stddev", "psd.count", "psd.median")
    assert columns["psd.max"] == [[2, 5]]
    assert columns["psd.median"] == [[1.5, 4]]
    assert columns["psd.count"] == [[2, 2]]


def test_frequencies_out_of_order_are_put_in_order():
    """Tags need not rise; a band holds all of its lines."""
    dataset, columns = only(binned(spectra([40, 10, 30, 20], [[5, 1, 3, 2]]), "frequency", 20.0))
    assert dataset["frequency"].values.tolist() == [20, 40]
    assert columns["psd"] == [[1.5, 4]]


def test_bands_are_written_as_das2():
    """The tags of the header are those of the bands."""
    encoder, decoder = Das2TextEncoder(), Das2Decoder()
    text = b"".join(
        chunk
        for item in binned(spectra([10, 20, 30, 40], [[1, 2, 3, 5]]), "frequency", 20.0)
        for chunk in encoder.feed(item)
    )
    dataset, columns = only([*decoder.feed(text), *decoder.finish()])
    assert dataset["frequency"].values.tolist() == [20, 40]
    assert columns["psd"] == [[1.5, 4]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(-50, 50), min_size=12, max_size=12), min_size=1, max_size=20),
    st.sampled_from([1.0, 2.0, 3.0, 100.0]),
    st.integers(1, 20),
)
def test_bands_are_those_of_plain_python(rows, width, size):
    """Twelve lines 1 Hz apart, in any batches, averaged by hand."""
    items = list(in_pieces(spectra([float(place) for place in range(12)], rows), size))
    _dataset, columns = only(binned(items, "frequency", width))
    step = int(width)
    for row, got in zip(rows, columns["psd"], strict=True):
        wanted = [sum(row[at : at + step]) / len(row[at : at + step]) for at in range(0, 12, step)]
        assert got == pytest.approx(wanted, rel=1e-6)


def test_bins_along_records_keep_units_and_are_at_their_middles():
    """das-streams 5.3: numbers from the first x on, no conversion."""
    dataset, columns = only(binned(along([100, 130, 150, 210], [1, 3, FILL, 7]), "r", 50.0, "mean", "max"))
    assert dataset["r"].units == "km"
    assert columns == {
        "r": [125, 175, 225],
        "n": [2, FILL, 7],
        "n.max": [3, FILL, 7],
    }


@pytest.mark.parametrize("size", [1, 2, 3])
def test_any_batches_of_records_give_the_same_bins(size: int):
    """The open bin is carried from one to the next."""
    items = along([100, 130, 150, 210, 220], [1, 3, 5, 7, 10])
    assert not difference(merged(binned(list(in_pieces(items, size)), "r", 50.0)), merged(binned(items, "r", 50.0)))


def test_a_dataset_without_the_coordinate_stays_as_it_is():
    """Where one dataset of a stream has frequencies and another has none."""
    items = along([1, 2], [3, 4])
    assert not difference(binned(items, "frequency", 10.0), items)


def test_times_are_refused():
    """They have seconds, whatever units the stream has."""
    with pytest.raises(QueryError, match=r"bin\.time\.max"):
        binned(spectra([10, 20], [[1, 2]]), "time", 10.0)


def test_a_coordinate_of_each_record_and_value_is_refused():
    """Frequencies that change from record to record have no bands in common."""
    header, dataset, _records = spectra([10, 20], [[1, 2]])
    tags = replace(dataset["frequency"], index=(VARIES, 2), values=None, axes=())
    with pytest.raises(QueryError, match="frequency of packet_01"):
        binned([header, dataset.swap(dataset["frequency"], tags)], "frequency", 10.0)


class Bands(BinCoordinate, name="bands"):
    """Bins of frequency, so that the contract has a coordinate."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**{"coord": "frequency", "width": 30.0, **values})


class TestContract(ReducerContract):
    """What every reducer keeps."""

    reducer = Bands
    plugin = "dasflex_reduce.plugin"
    options: ClassVar[dict[str, Any]] = {"stats": ("mean", "max")}
    rtol = 1e-6
