# SPDX-License-Identifier: GPL-3.0-or-later
"""Waveforms whose records have different lengths are binned as others are; what no reducer can serve is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import VARIES, Dataset, Ragged, Records
from dasflex_core.catalog.model import Coord, DataItem, Definition, Reader
from dasflex_core.errors import QueryError
from dasflex_core.plan.binding import source_traits
from dasflex_core.run.reducing import PerDataset
from dasflex_core.testing import golden
from dasflex_core.testing.comparing import difference, in_pieces, merged, misfit
from dasflex_das.das2_encoder import Das2TextEncoder
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3BinaryEncoder, Das3TextEncoder
from dasflex_reduce.admitting import cut
from dasflex_reduce.admitting_bins import has_coordinate, has_records
from dasflex_reduce.bin_average import BinAverage
from dasflex_reduce.decimate import Decimate
from dasflex_reduce.rate import Rate
from dasflex_reduce.spectral_density import SpectralDensity
from dasflex_reduce.subset import Select
from dasflex_reduce.trim import Trim

if TYPE_CHECKING:
    from pathlib import Path

START = 986126469684000000  # TT2000, 2031-04-02T00:00:00.5 and leap seconds
STEP = 0.5


def bursts(runs: list[list[float]], seconds: list[float] | None = None, *, explicit: bool = False) -> list[Any]:
    """Records of runs of samples, half a second apart, at times in seconds; with offsets of their own if explicit."""
    header, dataset, _records = golden.bursts()
    assert isinstance(dataset, Dataset)
    ends = np.cumsum([0, *(len(run) for run in runs)]).astype(np.int64)
    leaves = np.array([each for run in runs for each in run], dtype="<f4")
    times = np.arange(len(runs)) if seconds is None else np.array(seconds)
    columns: dict[str, Any] = {
        "time.reference": (START + np.rint(times * 1e9)).astype("<i8"),
        "ex": Ragged(leaves, ends),
        "gain": np.arange(len(runs)).astype("u1"),
    }
    if explicit:
        held = Ragged(np.concatenate([np.arange(len(run)) * STEP for run in [*runs, []]]), ends)
        offset = replace(dataset["time.offset"], index=(VARIES, VARIES), sequences=(), axes=())
        dataset = replace(dataset.swap(dataset["time.offset"], offset), wire=(*dataset.wire, offset.name))
        columns[offset.name] = held
    return [header, dataset, Records(dataset, columns)]


def run(stage: Any, items: list[Any]) -> list[Any]:
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def binned(items: list[Any], seconds: float, *stats: str) -> list[Any]:
    return run(BinAverage(seconds=seconds, stats=stats or ("mean",)), items)


def plain(runs: list[list[float]], seconds: list[float], width: float) -> list[tuple[int, list[float], list[int]]]:
    """The bins by plain Python: the number, the samples that are no fill, and the gains of the records in it."""
    found: list[tuple[int, list[float], list[int]]] = []
    for gain, (begin, samples) in enumerate(zip(seconds, runs, strict=True)):
        together = (len(samples) - 1) * STEP <= width
        last = None
        for place, sample in list(enumerate(samples)) or [(0, None)]:
            number = int((begin + (0 if together else place * STEP) - seconds[0]) / width)
            if not found or found[-1][0] != number:
                found.append((number, [], []))
                last = None
            if last != number:
                found[-1][2].append(gain)
                last = number
            if sample is not None and sample > -1e30:
                found[-1][1].append(sample)
    return found


LENGTHS = st.lists(st.lists(st.sampled_from([1.0, 2.0, 4.0, -8.0, -1e31]), max_size=9), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(runs=LENGTHS, width=st.sampled_from([0.75, 2.0, 3.0, 50.0]), size=st.integers(1, 5), explicit=st.booleans())
def test_bins_are_those_of_plain_python_however_records_are_cut(runs, width, size, explicit):
    seconds = [float(number) * 2 for number in range(len(runs))]
    out = binned(in_pieces(bursts(runs, seconds, explicit=explicit), size), width, "mean", "min", "max", "count")
    assert not any(misfit(item) for item in out if isinstance(item, Records))
    [batch] = merged(out)[1]
    wanted = plain(runs, seconds, width)
    assert len(batch) == len(wanted)
    centres = (batch["time"] - START) / 1e9
    np.testing.assert_allclose(centres, [(number + 0.5) * width for number, *_rest in wanted], rtol=1e-12)
    for name, reduce in (("ex", np.mean), ("ex.min", np.min), ("ex.max", np.max)):
        values = [reduce(samples) if samples else -1e31 for _number, samples, _gains in wanted]
        np.testing.assert_allclose(batch[name], np.float32(values), rtol=1e-6)
    assert batch["ex.count"].tolist() == [len(samples) for _number, samples, _gains in wanted]
    assert batch["gain.count"].tolist() == [len(gains) for *_rest, gains in wanted]
    np.testing.assert_allclose(batch["gain"], [np.mean(gains) for *_rest, gains in wanted])


def test_what_comes_out_is_a_line_in_both_generations_and_has_no_waveform_any_more():
    out = binned(golden.bursts(), 10.0, "mean", "max")
    dataset = out[1]
    assert dataset.index == (VARIES,)
    assert "time.offset" not in dataset.variables
    for encoder in (Das3BinaryEncoder(), Das3TextEncoder()):
        stream = b"".join(run(encoder, out))
        decoder = Das3Decoder()
        again = merged([*decoder.feed(stream), *decoder.finish()])[1]
        assert [each["ex"].tolist() for each in again] == [[pytest.approx(0.3125)]]
    assert b"ex" in b"".join(run(Das2TextEncoder(), out)), "das2 can hold it now"


@pytest.mark.parametrize(
    "name", ["ex19_cassini_ragged_wfrm.d3t", "ex30_cassini_ragged_notlast.d3b", "ex30_cassini_ragged_notlast.d3t"]
)
def test_ragged_waveforms_of_missions_are_binned(test_data: Path, name: str):
    decoder = Das3Decoder()
    items = [*decoder.feed((test_data / "das3" / name).read_bytes()), *decoder.finish()]
    out = binned(items, 1e9, "mean", "min", "max")
    for source in (item for item in items if isinstance(item, Dataset)):
        made = [each for each in merged(out)[1] if each.dataset.id == source.id]
        given_ = [each for each in merged(items)[1] if each.dataset.id == source.id]
        for variable in (each for each in source.data() if each.ragged):
            leaves = np.concatenate([each[variable.name].leaves for each in given_]).astype("f8")
            assert made[0][variable.name][0] == pytest.approx(leaves.mean(axis=0), rel=1e-6)
    assert run(Das3TextEncoder(), out)


def test_variables_of_one_index_share_their_lengths():
    header, dataset, records = bursts([[1.0, 2.0], [3.0]])
    ey = replace(dataset["ex"], name="ey", axes=())
    dimension = replace(dataset.dimension(dataset["ex"]), name="ey", physical="ey", variables=(ey,))
    both = replace(dataset, dimensions=(*dataset.dimensions, dimension), wire=(*dataset.wire, "ey"))
    columns = {**records.columns, "ey": Ragged(np.array([1, 2, 3], dtype="<f4"), np.array([0, 1, 3]))}
    with pytest.raises(Exception, match="ex and ey of dataset bursts share an index"):
        binned([header, both, Records(both, columns)], 10.0)


# Ragged values that are no waveform


def spectra(count: int = 8) -> list[Any]:
    """Records at whole seconds of rows over an axis that has another length in each, beside a line."""
    header, dataset, _records = bursts([[1.0]])
    kept = tuple(each for each in dataset.dimensions if each.name != "time")
    time = replace(dataset["time.reference"], name="time", role="center", axes=())
    plain = replace(
        dataset, dimensions=(replace(dataset.dimensions[0], variables=(time,)), *kept), wire=("time", "ex", "gain")
    )
    lengths = np.arange(count) % 3
    ends = np.cumsum([0, *lengths]).astype(np.int64)
    gain = np.array([5, 1, 9, 3, 3, 3, 0, 200] * (count // 8), dtype="u1")
    columns = {
        "time": (START + np.arange(count) * 10**9).astype("<i8"),
        "ex": Ragged(np.arange(int(ends[-1])).astype("<f4"), ends),
        "gain": gain,
    }
    return [header, plain, Records(plain, columns)]


RANGE = {"read_time_min": "2031-04-02T00:00:00.5", "read_time_max": "2031-04-02T00:00:08.5"}


def rows_of(items: list[Any]) -> dict[int, list[float]]:
    """The ragged rows by their seconds."""
    found = {}
    for batch in (item for item in items if isinstance(item, Records)):
        assert not misfit(batch)
        held = batch["ex"]
        for place, tick in enumerate(batch["time"].tolist()):
            row = held.values[held.offsets[place] : held.offsets[place + 1]]
            found[(tick - START) // 10**9] = row.tolist()
    return found


def test_a_view_keeps_the_records_with_the_extremes_of_a_line_and_what_they_hold():
    items = spectra()
    every = rows_of(items)
    stage = {"points": 4, "read_time_min": times(0), "read_time_max": times(8)}
    for size in (8, 3, 1):
        out = run(PerDataset(Decimate.spec, lambda: Decimate(**stage)), in_pieces(items, size))
        found = rows_of(out)
        assert found == {second: every[second] for second in (1, 2, 6, 7)}, size


def test_a_view_of_rows_alone_keeps_the_first_record_of_each_part_of_the_range():
    items = spectra()
    only = run(Select(names=("ex",)), items)
    every = rows_of(only)
    stage = {"points": 2, "read_time_min": times(0), "read_time_max": times(8)}
    for size in (8, 3, 1):
        out = run(PerDataset(Decimate.spec, lambda: Decimate(**stage)), in_pieces(only, size))
        assert rows_of(out) == {second: every[second] for second in (0, 4)}, size


def times(second: int) -> str:
    """A time as text, so many seconds after the first."""
    from dasflex_core.epochs import to_datetime64

    return str(to_datetime64(np.array([START + second * 10**9]), "TT2000")[0])


def test_trim_select_and_rate_need_not_look_at_the_values():
    items = spectra()
    every = rows_of(items)
    trimmed = run(PerDataset(Trim.spec, lambda: Trim(begin=times(2), end=times(5))), items)
    assert rows_of(trimmed) == {second: every[second] for second in (2, 3, 4)}
    counted = merged(run(Rate(seconds=4.0, of="records", read_time_min=times(0)), items))[1]
    assert [each["rate"].tolist() for each in counted] == [[1.0, 1.0]], "4 in 4 s, per second"
    sized = merged(run(Rate(seconds=8.0, of="bytes", read_time_min=times(0)), items))[1]
    assert sized[0]["rate"].tolist() == [(8 * (8 + 1) + 7 * 4) / 8]


def test_rows_that_are_no_waveform_are_refused_by_name_when_they_are_met():
    with pytest.raises(QueryError, match=r"ex of dataset bursts .*read\.data"):
        binned(spectra(), 10.0)


def definition(**more: Any) -> Definition:
    facts = {
        "coords": {"time": Coord(cadence=1.0), "offset": Coord(of="time", size=-1), "frequency": Coord(size=-1)},
        "data": {
            "burst": DataItem(axes=("time", "offset")),
            "psd": DataItem(axes=("time", "frequency")),
            "b": DataItem(axes=("time",)),
        },
    }
    return Definition("Probe", "A probe", readers=(Reader("", command="cat"),), **{**facts, **more})


def test_a_definition_says_what_is_ragged_and_the_planner_refuses_it_by_name():
    probe = definition()
    assert {"ragged", "waveform"} <= source_traits(probe)
    assert "ragged" not in source_traits(definition(coords={"frequency": Coord(size=3)}))
    bins = {"bin.time.max": "60"}
    assert "psd has rows of different lengths" in str(has_records(bins, probe))
    assert "read.data" in str(has_records(bins, probe))
    assert has_records({**bins, "read.data": "b,Burst"}, probe) is True, "a waveform has means, whatever its length"
    assert has_records({"calc.rate": "60"}, probe) is True
    assert has_records({**bins, "dft.length": "16", "read.data": "burst"}, probe) is True
    assert "frequency differs from record to record" in str(has_coordinate({"bin.frequency.max": "10"}, probe))
    assert "frequency differs from record to record" in str(cut({"read.frequency.max": "10"}, probe))
    assert cut({"read.time.max": "2020-01-01"}, probe) is True


def test_a_density_of_ragged_waveforms_is_not_ragged():
    [batch] = merged(
        run(
            PerDataset(SpectralDensity.spec, lambda: SpectralDensity(length=16)),
            bursts([[1.0, 2.0] * 9, [3.0], [4.0, 1.0] * 8]),
        )
    )[1]
    assert not batch.dataset["ex"].ragged
    assert {"ragged", "waveform"} <= SpectralDensity.spec.drops


def test_nothing_is_lost_of_a_stream_whose_runs_have_one_length():
    """Runs of the same length, and an index of that length, give the same bins."""
    runs = [[1.0, 2.0, 3.0], [4.0, -1e31, 6.0], [7.0, 8.0, 9.0]]
    header, dataset, records = bursts(runs)
    fixed = replace(dataset["ex"], index=(VARIES, 3), axes=())
    offset = replace(dataset["time.offset"], index=(None, 3), values=np.arange(3) * STEP, axes=())
    plain_ = replace(dataset.swap(dataset["ex"], fixed).swap(dataset["time.offset"], offset), index=(VARIES, 3))
    batch = Records(plain_, {**records.columns, "ex": np.array(runs, dtype="<f4")})
    for width in (0.75, 2.0, 10.0):
        ragged = merged(binned(bursts(runs), width, "mean", "stddev", "median"))[1]
        whole = merged(binned([header, plain_, batch], width, "mean", "stddev", "median"))[1]
        assert ragged[0]["ex"].tolist() == whole[0]["ex"].tolist()
        assert ragged[0]["ex.std_dev"].tolist() == whole[0]["ex.std_dev"].tolist()
        assert not difference([ragged[0]["ex.median"].tolist()], [whole[0]["ex.median"].tolist()])
