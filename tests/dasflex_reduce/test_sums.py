# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of any kind, in blocks and live pieces, give the bins that their records give: golden, real and random ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import fsum
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core import epochs
from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    NoData,
    Ragged,
    Records,
    Sequence,
    StreamHeader,
    Variable,
    is_fill,
)
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.run.joining_items import concat_items
from dasflex_core.testing import golden
from dasflex_core.testing.comparing import difference, in_pieces, merged, misfit
from dasflex_core.times import GRID
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_reduce.bin_average import BinAverage
from dasflex_reduce.binned import bin_dataset, clock_of, repeats
from dasflex_reduce.sums import KEPT, Sums
from dasflex_reduce.sums_stream import read_stream, write_stream
from dasflex_reduce.widen import Widen

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from dasflex_core.arrays import Item
    from dasflex_reduce.outputs import Job, Output

_FAR = 1 << 62


def run(stage: Any, items: Iterable[Item]) -> list[Item]:
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def decoded(path: Path) -> list[Item]:
    data = path.read_bytes()
    decoder = Das2Decoder() if data.startswith(b"[") else Das3Decoder()
    return [*decoder.feed(data), *decoder.finish()]


def times(batch: Records) -> NDArray[np.int64]:
    """The times of records in nanoseconds; fill is far away."""
    clock = clock_of(batch.dataset)
    assert clock is not None
    moments: NDArray[np.int64] = epochs.to_datetime64(batch.columns[clock.name], clock.units).view("i8")
    return moments


def flows(items: list[Item], edges: list[int]) -> list[list[Item]]:
    """The records of each range between edges, as streams with the declarations of the records that are in them."""
    header = [each for each in items if isinstance(each, StreamHeader)]
    first = next((place for place, each in enumerate(items) if isinstance(each, Records)), len(items))
    made: list[list[Item]] = []
    for place, (begin, end) in enumerate(pairwise([-_FAR, *edges, _FAR])):
        flow: list[Item] = [*header]
        current: dict[int, Dataset] = {}
        for number, each in enumerate(items):
            if isinstance(each, Dataset) and number < first and not place:
                current[each.id] = each
                flow.append(each)
            if not isinstance(each, Records):
                continue
            inside = np.flatnonzero((times(each) >= begin) & (times(each) < end))
            for rows in np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1):
                if not len(rows):
                    continue
                if current.get(each.dataset.id) is not each.dataset:
                    current[each.dataset.id] = each.dataset
                    flow.append(each.dataset)
                flow.append(each.slice(slice(int(rows[0]), int(rows[-1]) + 1)))
        made.append(flow)
    return made


def through(items: list[Item], width: float, edges: list[int], size: int = 1 << 30) -> list[Item]:
    """The moments of blocks, written and read, and of live pieces in turn, as one stream."""
    made = []
    for place, flow in enumerate(flows(items, edges)):
        moments = run(Sums(width), in_pieces(flow, size))
        made.append(list(read_stream(write_stream(moments))) if place % 2 else moments)
    return list(concat_items([lambda each=each: iter(each) for each in made]))


def check(
    items: list[Item], width: float, k: int, stats: tuple[str, ...], edges: list[int], size: int = 1 << 30
) -> int:
    """That bins of blocks are those of records; how many there are."""
    wide = width * k
    straight, ends = (BinAverage(seconds=wide, stats=each, align="grid") for each in (stats, ("min", "max")))
    wanted, bounds = (merged(run(each, items)) for each in (straight, ends))
    made = merged(run(Widen(wide, stats), through(items, width, edges, size)))
    declared = [[each for each in some if isinstance(each, StreamHeader | Dataset)] for some, _ in (made, wanted)]
    assert not difference(*declared)
    assert len(made[1]) == len(wanted[1])
    known: dict[int, Dataset] = {}
    sources = merged(each for each in items if isinstance(each, Records | Dataset) and not repeats(each, known))[1]
    found = 0
    for mine, theirs, source, bound in zip(made[1], wanted[1], sources, bounds[1], strict=True):
        assert not misfit(mine)
        assert len(mine) == len(theirs)
        found += len(mine)
        jobs, told = ({job.source.name: job for job in jobs_of(source, each, wide)} for each in (stats, ("min", "max")))
        assert not difference(mine[mine.dataset.wire[0]], theirs[theirs.dataset.wire[0]])
        for name, job in jobs.items():
            largest = largest_of(bound, told[name], source)
            for out in job.outputs:
                agree(mine, theirs, out, largest)
    return found


def jobs_of(source: Records, stats: tuple[str, ...], seconds: float) -> tuple[Job, ...]:
    """How the variables of records are reduced."""
    clock = clock_of(source.dataset)
    assert clock is not None
    return bin_dataset(source.dataset, clock, stats, seconds).jobs


def largest_of(bound: Records, job: Job, source: Records) -> NDArray[np.float64] | float:
    """The largest value of each bin, else of all records: of coordinates there are no extremes."""
    names = [out.variable.name for out in job.outputs if out.statistic in ("min", "max")]
    if names:
        return np.max(np.nan_to_num(np.abs([bound.floats(name) for name in names])), axis=0)
    column = source[job.source.name]
    leaves = column.leaves if isinstance(column, Ragged) else column
    good = leaves[~is_fill(leaves, job.source.fill)]
    return float(np.nanmax(np.abs(good.astype("f8")), initial=0.0)) if good.dtype.kind in "iuf" else 0.0


def agree(mine: Records, theirs: Records, out: Output, largest: NDArray[np.float64] | float) -> None:
    """That one statistic agrees: extremes and counts are the same, means to 4 units in the last place."""
    name = out.variable.name
    where = f"{out.statistic} of {name} of {theirs.dataset.name}"
    if out.statistic not in ("mean", "stddev"):
        assert not difference(mine[name], theirs[name], where=where)
        return
    one, other = (each.floats(name) for each in (mine, theirs))
    assert np.array_equal(np.isnan(one), np.isnan(other)), where
    with np.errstate(invalid="ignore"):
        far = np.where((one == other) | np.isnan(one), 0.0, np.abs(one - other))
    kind = theirs[name].dtype.type if theirs[name].dtype.kind == "f" else np.float64
    finite = np.where(np.isfinite(other), np.abs(other), 0.0)
    rounding = np.spacing(finite.astype(kind)).astype("f8")
    with np.errstate(invalid="ignore", over="ignore"):
        near = 4 * np.spacing(largest) if out.statistic == "mean" else 1e-9 * np.asarray(largest)
    assert (far <= np.maximum(np.nan_to_num(near), rounding)).all(), where


def span(items: list[Item]) -> tuple[int, int]:
    """The first and the last time of a stream, in nanoseconds."""
    every = np.concatenate([times(each) for each in items if isinstance(each, Records) and len(each)])
    every = every[every > -_FAR]
    return int(every.min()), int(every.max())


STATS = st.lists(st.sampled_from(KEPT), min_size=1, unique=True).map(tuple)
GOLDEN = ["scalars", "spectra", "waveform", "vectors", "states", "bursts", "two_datasets"]


@settings(max_examples=25, deadline=None)
@given(data=st.data(), k=st.integers(1, 50), width=st.sampled_from([0.25, 1.0, 3.0, 60.0]), stats=STATS)
@pytest.mark.parametrize("name", GOLDEN)
def test_golden_streams(name, data, k, width, stats):
    items = golden.streams()[name]
    first, last = span(items)
    ns = round(width * 1e9)
    begin, end = (first - GRID) // ns, (last - GRID) // ns + 1
    edges = sorted(GRID + each * ns for each in data.draw(st.sets(st.integers(begin, end), max_size=4)))
    assert check(items, width, k, stats, edges, data.draw(st.integers(1, 3)))


REAL = [
    *(f"das2/{each}" for each in ("das2_bin_avgsec_input1.d2s", "das2_bin_peakavgsec_input1.d2s", "x_multi_y.d2s")),
    *(f"das2/{each}" for each in ("das2_ascii_input1.d2s", "galileo_pws_sample.d2t", "juno_waves_sample.d2t")),
    *(f"das3/{each}" for each in ("ex22_mag_grid_vec.d3b", "ex25_isee_rapid_rank2.d3b", "ex05_waveform_extra.d3t")),
    *(
        f"das3/{each}"
        for each in ("ex19_cassini_ragged_wfrm.d3t", "ex38_wbr_wfrm_tags.d3b", "ex08_dynaspec_namespace.d3t")
    ),
    *(f"das3/{each}" for each in ("ex21_tracers_cdpu_status.d3b", "ex12_sounder_xyz.d3t", "ex15_vector_frame.d3t")),
]


@pytest.mark.parametrize("k", [1, 2, 7, 48])
@pytest.mark.parametrize("name", REAL)
def test_streams_of_missions(test_data: Path, name: str, k: int):
    for items in told_once(decoded(test_data / name)):
        first, last = span(items)
        ms = max((last - first) // 400_000_000, 1)
        width, ns = ms / 1000, ms * 1_000_000
        begin, end = (first - GRID) // ns, (last - GRID) // ns
        edges = sorted({GRID + (begin + (end - begin) * part // 7) * ns for part in range(1, 7)})
        try:
            run(BinAverage(seconds=width, stats=KEPT, align="grid"), items)
        except QueryError:
            with pytest.raises(QueryError):
                run(Sums(width), items)
        else:
            assert check(items, width, k, KEPT, edges)


def told_once(items: list[Item]) -> list[list[Item]]:
    """A stream as several, one for each declaration of a dataset that was declared before."""
    made: list[list[Item]] = [[]]
    seen: set[int] = set()
    for each in items:
        if isinstance(each, Dataset):
            if each.id in seen:
                made.append([one for one in items if isinstance(one, StreamHeader)])
                seen.clear()
            seen.add(each.id)
        made[-1].append(each)
    return made


FILL = -1e31
VALUES = st.one_of(
    st.floats(-1e6, 1e6, width=32), st.sampled_from([FILL, float("nan"), 0.0, -0.0, 1e-30, 3e30, float("inf")])
)


def made_of(
    number: int, kind: str, samples: list[list[float]], begins: list[int], step: int
) -> tuple[Dataset, Records]:
    """A dataset of a line, of spectra, or of a waveform with a gain for each record, and its records."""
    inner = {"line": (), "spectra": (3,), "waveform": (3,), "bursts": (VARIES,)}[kind]
    none = tuple(None for _ in inner)
    waves = kind in ("waveform", "bursts")
    time = Variable("t", "reference" if waves else "center", "datetime", "UTC", (VARIES, *none), np.dtype("M8[ns]"))
    beside: tuple[Variable, ...] = ()
    if kind == "waveform":
        offsets = np.arange(3) * (step / 1e9)
        beside = (Variable("o", "offset", "real", "s", (None, 3), np.dtype("f8"), values=offsets),)
    elif kind == "bursts":
        rule = (Sequence("0", ("-", str(step / 1e9))),)
        beside = (Variable("o", "offset", "real", "s", (None, VARIES), np.dtype("f8"), sequences=rule),)
    b = Variable("b", "center", "real", "nT", (VARIES, *inner), np.dtype("f8"), FILL)
    gain = Variable("gain", "center", "integer", "", (VARIES, *none), np.dtype("i8"))
    dimensions = (
        Dimension("time", "time", coordinate=True, variables=(time, *beside), axis="x"),
        *(Dimension(each.name, each.name, coordinate=False, variables=(each,)) for each in (b, gain)),
    )
    dataset = Dataset(number, kind, (VARIES, *inner), dimensions, ("t", "b", "gain"))
    if kind == "bursts":
        ends = np.cumsum([0, *map(len, samples)]).astype(np.int64)
        column: Any = Ragged(np.array([each for run in samples for each in run], dtype="f8"), ends)
    else:
        column = np.array([[*run, 1.0, 2.0, 3.0][:3] for run in samples])
        column = column if inner else column[:, 0]
    gains = 2**60 + 3 * np.arange(len(samples))
    return dataset, Records(dataset, {"t": np.array(begins, dtype="M8[ns]"), "b": column, "gain": gains})


@st.composite
def streams(draw: Any, ns: int) -> list[Item]:
    """Streams of datasets of several kinds, one declared anew, with gaps, fill, NaN and times out of the grid."""
    items: list[Item] = [StreamHeader(3)]
    begin = GRID + draw(st.integers(-50, 50)) * ns + draw(st.integers(0, ns - 1))
    for number in draw(st.lists(st.integers(1, 2), min_size=1, max_size=3)):
        kind = draw(st.sampled_from(["line", "spectra", "waveform", "bursts"]))
        step = draw(st.sampled_from([ns // 8, ns, 3 * ns + 1]))
        samples = draw(st.lists(st.lists(VALUES, max_size=6), min_size=1, max_size=12))
        gaps = draw(
            st.lists(st.sampled_from([0, 1, ns // 3, ns, 7 * ns]), min_size=len(samples), max_size=len(samples))
        )
        begins = [begin + sum(gaps[:place]) for place in range(len(samples))]
        begin = begins[-1] + draw(st.sampled_from([1, ns, 90 * ns]))
        items += made_of(number, kind, samples, begins, step)
    return items


@settings(max_examples=200, deadline=None)
@given(data=st.data(), k=st.integers(1, 50), width=st.sampled_from([0.25, 1.0, 60.0]), stats=STATS)
def test_streams_of_any_kind_cut_anywhere_give_the_bins_of_their_records(data, k, width, stats):
    """Blocks end with a bin; live pieces end where they do, and what they have of a bin is put together."""
    ns = round(width * 1e9)
    items = data.draw(streams(ns))
    first, last = span(items)
    places = st.integers(first - ns, last + ns)
    edges = sorted(data.draw(st.sets(places | places.map(lambda each: each // ns * ns), max_size=5)))
    check(items, width, k, stats, edges, data.draw(st.integers(1, 5)))


@pytest.mark.parametrize(("channels", "k"), [(0, 1440), (0, 7), (16, 1440), (16, 7)])
def test_means_of_many_values_are_as_good_as_their_type(channels, k):
    """A day of seconds that lie far from zero, in minutes, and the exact mean of each bin."""
    count = 200_000 // max(1, channels)
    rng = np.random.default_rng(7)
    values = 1e6 + rng.normal(size=(count, channels) if channels else count) * [1.0, 1e5][k % 2]
    first, *_rest = made_of(1, "line", [[0.0]], [0], 1)
    b = first["b"]
    if channels:
        first = replace(first.swap(b, replace(b, index=(VARIES, channels), axes=())), index=(VARIES, channels))
    ns = GRID + np.arange(count) * 10**9
    columns = {"t": ns.view("M8[ns]"), "b": values, "gain": np.arange(count)}
    items: list[Item] = [StreamHeader(3), first, Records(first, columns)]
    assert check(items, 60.0, k, KEPT, [GRID + each * 3600 * 10**9 for each in (3, 7, 20)], 10_000)
    [made] = merged(run(Widen(60.0 * k, ("mean", "stddev")), through(items, 60.0, [GRID + 3600 * 10**9], 999)))[1]
    bins = (ns - GRID) // (60 * k * 10**9)
    for number in (0, len(made) - 1):
        some = values[bins == number].reshape(int((bins == number).sum()), -1)
        exact = [fsum(column) / len(column) for column in some.T]
        assert np.abs(made["b"][number].reshape(-1) - exact).max() <= 2 * np.spacing(np.abs(some).max())
        assert np.allclose(made["b.std_dev"][number].reshape(-1), np.std(some, axis=0, ddof=1), rtol=1e-12)


def test_a_dataset_that_is_declared_as_it_was_goes_on_with_its_bins():
    """As by a reader that writes its headers for each file."""
    first, records = made_of(1, "line", [[1.0], [3.0]], [GRID, GRID + 1], 1)
    items = [StreamHeader(3), first, records, replace(first), records]
    [made] = merged(run(Widen(60.0, KEPT), through(items, 1.0, [])))[1]
    assert (made["b"].tolist(), made["b.count"].tolist()) == ([2.0], [4])
    assert [len(each) for each in merged(run(BinAverage(seconds=60.0, stats=KEPT, align="grid"), items))[1]] == [1]


@pytest.mark.parametrize("with_comment", [True, False])
def test_records_without_a_time_are_no_data(with_comment):
    first, records = made_of(1, "line", [[1.0]], [0], 1)
    nowhere = replace(records, columns={**records.columns, "t": np.array(["NaT"], dtype="M8[ns]")})
    items = [StreamHeader(3), first, *([Comment("", "a remark")] if with_comment else []), nowhere]
    wanted = run(BinAverage(seconds=60.0, stats=KEPT, align="grid"), items)
    assert isinstance(wanted[-1], NoData)
    assert not difference(run(Widen(60.0, KEPT), run(Sums(1.0), items)), wanted)


def test_a_dataset_without_times_passes_as_it_is_and_cannot_be_kept():
    header, first, records = golden.scalars()[0], *made_of(1, "line", [[1.0]], [0], 1)
    plain = replace(first, dimensions=first.dimensions[1:], wire=first.wire[1:])
    without = replace(records, dataset=plain, columns={name: records[name] for name in plain.wire})
    items = [header, plain, without]
    assert not difference(run(Widen(60.0, KEPT), run(Sums(1.0), items))[1:], items[1:])
    with pytest.raises(SourceError, match="Records"):
        write_stream(run(Sums(1.0), items))
