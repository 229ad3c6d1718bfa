# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of any kind, in blocks and live pieces, give the bins that their records give: golden, real and random ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core import epochs
from dasflex_core.arrays import Dataset, Ragged, Records, StreamHeader, is_fill
from dasflex_core.errors import QueryError
from dasflex_core.moments import Moments, gathered
from dasflex_core.run.joining_items import concat_items
from dasflex_core.testing import golden
from dasflex_core.testing.comparing import difference, in_pieces, merged, misfit
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_reduce.bin_average import BinAverage
from dasflex_reduce.binned import bin_dataset, clock_of
from dasflex_reduce.sums import GRID, KEPT, Sums
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
    return list(concat_items([lambda each=each: iter(each) for each in made]))  # type: ignore[misc]  # of a loop


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
    sources = merged([each for each in items if isinstance(each, Records | Dataset)])[1]
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
    far = np.nan_to_num(np.abs(one - other))  # an infinite mean is the same or none
    kind = theirs[name].dtype.type if theirs[name].dtype.kind == "f" else np.float64
    rounding = np.spacing(np.nan_to_num(np.abs(other)).astype(kind)).astype("f8")
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
