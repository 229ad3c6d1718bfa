# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins of time: against trusted outputs, against plain Python, and the rules of the classic program one by one."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan, sqrt
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    Properties,
    Property,
    Records,
    StreamHeader,
    Variable,
    is_fill,
)
from dasflex_core.errors import QueryError
from dasflex_core.testing import ReducerContract, golden
from dasflex_core.testing.comparing import difference, in_pieces, merged, misfit
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder, Das2TextEncoder
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3TextEncoder
from dasflex_reduce import accumulating
from dasflex_reduce.bin_average import BinAverage

if TYPE_CHECKING:
    from pathlib import Path

ALL = ("mean", "min", "max", "stddev", "count", "median")
FILL = -1e31


def decoded(data: bytes) -> list[Any]:
    """The items of a das2 or das3 stream."""
    decoder = Das2Decoder() if data.startswith(b"[") else Das3Decoder()
    return [*decoder.feed(data), *decoder.finish()]


def encoded(formatter: Any, items: list[Any]) -> bytes:
    """The bytes of items."""
    return b"".join([*(chunk for item in items for chunk in formatter.feed(item)), *formatter.finish()])


def binned(items: list[Any], seconds: float, *stats: str, begin: str | None = None, **more: str) -> list[Any]:
    """The items that come out of bins."""
    stage = BinAverage(seconds=seconds, stats=stats or ("mean",), read_time_min=begin, **more)
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def line(
    times: list[float],
    values: list[Any],
    *,
    fill: float | None = FILL,
    generation: int = 2,
    dtype: str = "f8",
    semantic: str = "real",
    properties: Properties | None = None,
    times_of: str = "us2000",
) -> list[Any]:
    """A stream of times in seconds since 2000 and values, which may be rows."""
    column = np.array(values, dtype=dtype)
    shape = column.shape[1:]
    index = (VARIES, *shape)
    time = Variable(
        "time",
        "center",
        "datetime",
        times_of,
        (VARIES, *(None for _ in shape)),
        np.dtype("f8"),
        plane="x",
        plane_name="x",
    )
    plane = ("yscan" if shape else "y") if generation == 2 else ""
    b = Variable(
        "b", "center", semantic, "nT", index, column.dtype, fill=fill, plane=plane, plane_name="b" if plane else "",
        properties=properties or Properties(),
    )  # fmt: skip
    dimensions = (
        Dimension("time", "time", coordinate=True, variables=(time,), axis="x"),
        Dimension("b", "b", coordinate=False, variables=(b,)),
    )
    dataset = Dataset(1, "packet_01", index, dimensions, ("time", "b"), generation=generation)
    return [
        StreamHeader(generation=generation),
        dataset,
        Records(dataset, {"time": np.array(times) * 1e6, "b": column}),
    ]


def records_of(items: list[Any]) -> list[Records]:
    return [item for item in items if isinstance(item, Records)]


def columns(items: list[Any]) -> dict[str, list[Any]]:
    """The columns of all records of the one dataset as lists, times in seconds."""
    batches = records_of(items)
    found = {name: np.concatenate([batch[name] for batch in batches]).tolist() for name in batches[0].columns}
    return found | {"time": [time / 1e6 for time in found["time"]]}


# --- against what the classic programs made


CLASSIC = {
    "das2_bin_avgsec": (300.0, ("mean",)),
    # the classic peaks begin at 0, ours at minus infinity; these data are positive, so that nothing differs
    "das2_bin_peakavgsec": (1800.0, ("mean", "max")),
}


@pytest.fixture(params=CLASSIC)
def classic(request, test_data: Path) -> tuple[list[Any], list[Any]]:
    """What we make of the input of a classic program as text of the same digits, and what it made, both decoded."""
    seconds, stats = CLASSIC[request.param]
    given, wanted = (
        (test_data / "das2" / f"{request.param}_{end}").read_bytes() for end in ("input1.d2s", "output1.d2t")
    )
    text = encoded(Das2TextEncoder(secfrac=3, sigdigit=4), binned(decoded(given), seconds, *stats))
    return decoded(text), decoded(wanted)


def test_every_value_and_time_is_that_of_the_classic_program(classic):
    """Each printed digit agrees: times to 3 decimals of a second, values to 4 digits, in the same order."""
    ours, theirs = (merged(items)[1] for items in classic)
    assert [len(batch) for batch in ours] == [len(batch) for batch in theirs]
    for mine, wanted in zip(ours, theirs, strict=True):
        assert list(mine.columns) == list(wanted.columns)
        assert not difference(dict(mine.columns), dict(wanted.columns))


def test_the_header_says_what_that_of_the_classic_program_says(classic):
    """All properties of stream, packets and planes, but who wrote the stream, where nothing said that before."""
    ours, theirs = (merged(items)[0] for items in classic)
    mine, wanted = (next(item for item in items if isinstance(item, StreamHeader)) for items in (ours, theirs))
    assert {each.name: (each.type, each.text) for each in mine.properties if each.name != "sourceId"} == {
        each.name: (each.type, each.text) for each in wanted.properties if each.name != "sourceId"
    }
    assert bool(mine.properties.text("sourceId")) == bool(wanted.properties.text("sourceId"))
    pairs = [[item for item in items if isinstance(item, Dataset)] for items in (ours, theirs)]
    for mine, wanted in zip(*pairs, strict=True):
        assert set(mine.properties) == set(wanted.properties)
        for one, other in zip(mine.columns, wanted.columns, strict=True):
            assert (one.name, one.role, one.encoding, one.index) == (
                other.name,
                other.role,
                other.encoding,
                other.index,
            )
            assert one.properties == other.properties


def test_any_cut_of_a_real_stream_gives_the_same_numbers(test_data: Path):
    """However the packets come in batches, sums differ by no more than rounding."""
    items = decoded((test_data / "das2" / "das2_bin_avgsec_input1.d2s").read_bytes())
    whole = merged(binned(items, 300.0, *ALL))
    for size in (1, 3, 100):
        assert not difference(merged(binned(list(in_pieces(items, size)), 300.0, *ALL)), whole, rtol=2e-5)


# --- against plain Python, one record at a time


class Bin(NamedTuple):
    """What one bin gives of one value of a record."""

    mean: float
    min: float
    max: float
    stddev: float
    count: int
    median: float


def is_nothing(value: float, fill: float) -> bool:
    """The relative test of das2; NaN is no value either."""
    if isnan(value):
        return True
    return value == 0 if fill == 0 else abs(fill - value) < 1e-5 * abs(fill)


def runs(times: list[float], origin: float, width: float) -> list[tuple[int, list[int]]]:
    """Bins of consecutive records: the number of each, toward zero, and the records in it."""
    found: list[tuple[int, list[int]]] = []
    for place, time in enumerate(times):
        number = int((time - origin) / width)
        if not found or found[-1][0] != number:
            found.append((number, []))
        found[-1][1].append(place)
    return found


def statistics_of(values: list[float], fill: float) -> Bin:
    """The statistics of values, of which some are fill."""
    good = [value for value in values if not is_nothing(value, fill)]
    if not good:
        return Bin(nan, nan, nan, nan, 0, nan)
    mean = sum(good) / len(good)
    spread = sum((value - mean) ** 2 for value in good)
    stddev = sqrt(spread / (len(good) - 1)) if len(good) > 1 else 0.0
    return Bin(mean, min(good), max(good), stddev, len(good), median(good))


VALUES = st.one_of(st.floats(-1e6, 1e6, width=32), st.just(FILL), st.just(float("nan")))


@st.composite
def tables(draw) -> tuple[list[float], list[list[float]]]:
    """Times, mostly rising, in eighths of a second, and rows of values."""
    count = draw(st.integers(1, 60))
    steps = draw(st.lists(st.integers(-40, 400), min_size=count, max_size=count))
    times = np.cumsum(steps) / 8
    wide = draw(st.sampled_from([1, 2, 9]))
    values = draw(st.lists(st.lists(VALUES, min_size=wide, max_size=wide), min_size=count, max_size=count))
    if draw(st.booleans()):  # long runs, which take another way
        times, values = np.repeat(times, 30), [row for row in values for _copy in range(30)]
    return times.tolist(), values


@hypothesis_settings(max_examples=60, deadline=None)
@given(tables(), st.sampled_from([1.0, 7.0, 60.0]), st.sampled_from([None, 16.0]), st.integers(1, 40))
def test_bins_are_those_of_plain_python(table, width, begin, size):
    """Every statistic of every bin, for any times, values, fills and batches."""
    times, rows = table
    origin = times[0] if begin is None else begin
    out = columns(
        binned(
            list(in_pieces(line(times, rows, dtype="f8"), size)),
            width,
            *ALL,
            begin=None if begin is None else "2000-01-01T00:00:16",
        )
    )
    found = runs(times, origin, width)
    assert out["time"] == [origin + width * (number + 0.5) for number, _places in found]
    for name in ALL:
        got = out["b" if name == "mean" else f"b.{name}"]
        for (_number, places), row in zip(found, got, strict=True):
            for column, value in enumerate(row):
                wanted = getattr(statistics_of([rows[place][column] for place in places], FILL), name)
                if isnan(wanted):
                    assert value == FILL
                else:
                    assert value == pytest.approx(wanted, rel=1e-12, abs=1e-5)


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-100, 100), min_size=1, max_size=50), st.integers(1, 50))
def test_integers_of_das3_have_real_means(values, size):
    """A mean of counts is no integer; extremes stay what they were, and their own fill is left out."""
    items = line(list(range(len(values))), values, fill=-7, generation=3, dtype="i2", semantic="integer")
    out = columns(binned(list(in_pieces(items, size)), 10.0, "mean", "min", "max", "count"))
    found = runs([float(place) for place in range(len(values))], 0.0, 10.0)
    for place, (_number, places) in enumerate(found):
        good = [values[each] for each in places if values[each] != -7]
        assert out["b.count"][place] == len(good)
        assert out["b"][place] == (pytest.approx(sum(good) / len(good), rel=1e-6) if good else -7)
        assert out["b.min"][place] == min(good, default=-7)
        assert out["b.max"][place] == max(good, default=-7)


# --- the rules, one by one


def test_the_small_example_of_the_reference():
    """das-streams 5.1: 0.5, 4.5 and 8.5 s, fill in the second; bins of 8 s begin at the first record."""
    out = columns(binned(line([0.5, 4.5, 8.5], [1.0, 1.25, 3.0]), 8.0, "mean", "stddev"))
    assert out["time"] == [4.5, 12.5]
    assert out["b"] == [1.125, 3.0]
    assert out["b.stddev"] == [pytest.approx(0.1768, abs=1e-4), 0.0]


def test_bins_count_toward_zero_from_the_begin_of_the_request():
    """A time up to one bin before the origin is in bin 0 too, as the classic program has it."""
    out = columns(binned(line([0.5, 4.5, 8.5], [1.0, 2.0, 6.0]), 8.0, begin="2000-01-01T00:00:02"))
    assert (out["time"], out["b"]) == ([6.0], [3.0])


def test_a_bin_that_comes_again_is_written_again():
    """Times out of order: nothing is merged."""
    out = columns(binned(line([10, 12, 25, 13, 5, -3], [1.0, 2.0, 3.0, 0.0, -1.0, -6.0]), 10.0))
    assert out["time"] == [15, 25, 15, 5]
    assert out["b"] == [1.5, 3.0, -0.5, -6.0]


def test_peaks_begin_at_minus_infinity():
    """The classic program says 0 of a bin of negative values; the recommendation is to say what is there."""
    assert columns(binned(line([0, 1], [-5.0, -3.0]), 10.0, "mean", "max"))["b.max"] == [-3.0]


def test_a_bin_without_values_is_fill():
    """Of fill and NaN alone nothing is known, but their count."""
    out = columns(binned(line([0, 1], [FILL, float("nan")]), 10.0, *ALL))
    assert {name: out[name] for name in out if name != "time"} == {
        "b": [FILL], "b.min": [FILL], "b.max": [FILL], "b.stddev": [FILL], "b.median": [FILL], "b.count": [0.0],
    }  # fmt: skip


def test_planes_and_their_properties_are_named_as_classic_programs_do():
    """Extremes and deviations stand behind all originals, and say what they are of."""
    items = binned(line([0], [1.0]), 10.0, "stddev", "max", "min", "mean")
    dataset = next(item for item in items if isinstance(item, Dataset))
    told = [(each.plane_name, each.role, each.properties.text("operation")) for each in dataset.columns[1:]]
    assert told == [
        ("b", "center", "BIN_AVG"), ("b.min", "min", "BIN_MIN"), ("b.max", "max", "BIN_MAX"),
        ("b.stddev", "std_dev", "BIN_STDDEV"),
    ]  # fmt: skip
    assert {each.properties.text("source") for each in dataset.columns[1:]} == {"b"}


def test_a_mean_beside_a_deviation_is_not_said_to_be_one():
    """As the classic program with -s alone."""
    dataset = next(item for item in binned(line([0], [1.0]), 10.0, "mean", "stddev") if isinstance(item, Dataset))
    assert not dataset["b"].properties.get("operation")


def test_the_envelope_has_no_mean():
    """bin.stats=min,max says nothing of averages, in the planes and in the words of the header."""
    items = binned(line([0, 1], [1.0, 5.0]), 10.0, "min", "max")
    assert list(columns(items)) == ["time", "b.min", "b.max"]
    header = next(item for item in items if isinstance(item, StreamHeader))
    assert header.properties.text("xCacheResInfo") == "(10.0 s Extremes)"


def test_roles_of_das3():
    """A das3 dataset gets roles in place of names and properties."""
    items = binned(line([0], [1.0], generation=3), 10.0, *ALL)
    dataset = next(item for item in items if isinstance(item, Dataset))
    told = [(each.name, each.role) for each in dataset.dimensions[1].variables]
    assert told == [
        ("b", "center"), ("b.min", "min"), ("b.max", "max"), ("b.std_dev", "std_dev"), ("b.count", "count"),
        ("b.median", "median"),
    ]  # fmt: skip
    assert dataset["b.count"].dtype == np.dtype("i4")


def test_values_round_a_circle_are_averaged_round_it():
    """350° and 20° are 5° apart from north, whether degrees run from 0 or round it."""
    circle = Properties((Property("period", "360", "double"),))
    out = columns(binned(line([0, 1, 10, 11], [350.0, 20.0, -170.0, 160.0], properties=circle), 10.0, "mean", "stddev"))
    assert out["b"] == [pytest.approx(5.0), pytest.approx(175.0)]
    assert out["b.stddev"][0] == pytest.approx(15.1, abs=0.2)


def test_text_states_and_times_are_the_first_of_their_bin():
    """What has no mean is told as it was when the bin began."""
    items = golden.states()
    whole = records_of(items)[0]
    (out,) = records_of(binned(items, 86400.0))
    dataset = whole.dataset
    for variable in dataset.columns:
        if variable.semantic in ("string", "bool"):
            values = whole[variable.name]
            first = next(place for place, bad in enumerate(is_fill(values, variable.fill)) if not bad)
            assert out[variable.name][0] == values[first]


def test_extremes_and_counts_that_were_there_are_reduced_as_what_they_are():
    """Peaks of peaks, not their mean: a stream of bins may be binned again."""
    once = binned(line(list(range(40)), [float(each % 7) for each in range(40)]), 5.0, "mean", "min", "max", "count")
    again = columns(binned(once, 20.0, "mean", "min", "max", "count", begin="2000-01-01"))
    straight = columns(binned(line(list(range(40)), [float(each % 7) for each in range(40)]), 20.0, *ALL[:3], "count"))
    assert again.keys() == straight.keys()
    assert all(again[name] == pytest.approx(straight[name]) for name in straight)


def test_means_are_weighted_by_the_counts_beside_them():
    """Bins of bins are those of the records themselves, where some held more than others."""
    times, values = [0, 1, 2, 3, 4, 5, 12, 13, 14], [1.0, 2.0, FILL, 4.0, 5.0, 6.0, 100.0, 100.0, FILL]
    for generation in (2, 3):
        made = line(times, values, generation=generation)
        once = binned(made, 5.0, "mean", "count", begin="2000-01-01")
        again = columns(binned(once, 20.0, "mean", "count", begin="2000-01-01"))
        straight = columns(binned(made, 20.0, "mean", "count", begin="2000-01-01"))
        assert again == {name: pytest.approx(column) for name, column in straight.items()}


def test_equal_values_do_not_deviate():
    """A deviation of rounding is none; where batches end inside a bin, it is of the last digits only."""
    items = line(list(range(50)), [0.1] * 50)
    assert columns(binned(items, 100.0, "stddev"))["b.stddev"] == [0.0]
    for size in (1, 7):
        assert columns(binned(list(in_pieces(items, size)), 100.0, "stddev"))["b.stddev"][0] < 1e-15


def waveform(unit: str = "s") -> list[Any]:
    """Two records a second of four samples, a tenth of a second apart."""
    body = (
        '<packet><x type="little_endian_real8" units="us2000"/><yscan name="w" type="little_endian_real4" nitems="4"'
        f' yUnits="{unit}" yTagInterval="0.1" yTagMin="0" zUnits="V"><properties zLabel="Volts" yLabel="Offset"'
        ' double:zFill="-1"/></yscan></packet>'
    ).encode()
    rows = np.zeros(4, dtype=[("tag", "S4"), ("x", "<f8"), ("w", "<f4", (4,))])
    rows["tag"], rows["x"] = b":01:", np.arange(4) * 5e5
    rows["w"] = np.arange(16).reshape(4, 4)
    rows["w"][0, 0] = -1
    head = b'<stream version="2.2"><properties renderer="waveform"/></stream>'
    return decoded(b"[00]%06d%b[01]%06d%b%b" % (len(head), head, len(body), body, rows.tobytes()))


def test_a_waveform_shorter_than_a_bin_becomes_a_line():
    """Each bin is the mean of all its samples, a plane of one value with the properties of such."""
    items = binned(waveform(), 1.0, "mean", "max")
    dataset = next(item for item in items if isinstance(item, Dataset))
    assert dataset.index == (VARIES,)
    assert [(each.name, each.plane, each.shape) for each in dataset.columns] == [
        ("time", "x", ()), ("w", "y", ()), ("w.max", "y", ()),
    ]  # fmt: skip
    assert dataset["w"].properties.text("yLabel") == "Volts"
    assert dataset["w"].properties.text("yFill") == "-1"
    out = columns(items)
    assert out["w"] == [pytest.approx(sum(range(1, 8)) / 7), 11.5]
    assert out["w.max"] == [7, 15]
    again = decoded(encoded(Das2BinaryEncoder(), items))
    assert columns(again) == out


def test_samples_of_a_waveform_longer_than_a_bin_have_bins_of_their_own():
    """A picture of a second may be finer than a record: samples at 0, 0.1, 0.2, 0.3 s, bins of 0.2 s."""
    out = columns(binned(waveform(), 0.2, "mean", "count"))
    assert out["time"] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9])
    assert out["w"] == [1, 2.5, 4, 5.5, 7, 8.5, 10.5, 12, 13.5, 15]
    assert out["w.count"] == [1, 2, 1, 2, 1, 2, 2, 1, 2, 1]


def test_bins_of_a_grid_do_not_depend_on_the_request():
    """Cached levels need bins that are the same whoever asks; before 2000 too."""
    items = line([-95.0, -85.0, -79.0], [1.0, 2.0, 4.0])
    out = columns(binned(items, 20.0, align="grid", begin="1999-12-31T23:58:21"))
    assert (out["time"], out["b"]) == ([-90.0, -70.0], [1.5, 4.0])


def test_datasets_of_a_stream_share_their_bins():
    """Where no request says the begin, it is the first record of the stream, whichever dataset that is of."""
    first, second = line([100.0], [1.0]), line([107.0], [2.0])
    other = replace(second[1], id=2, name="packet_02")
    items = [*first, other, Records(other, second[2].columns)]
    assert [batch["time"].item() / 1e6 for batch in records_of(binned(items, 10.0))] == [105.0, 105.0]


def test_a_redefinition_closes_the_bin():
    """The records before it are told before the dataset is declared anew."""
    one, two = line([0.0], [1.0]), line([1.0], [3.0])
    kinds = [type(item).__name__ for item in binned([*one, *two[1:]], 10.0)]
    assert kinds == ["StreamHeader", "Dataset", "Records", "Dataset", "Records"]


def test_comments_pass():
    """What the reader remarks is forwarded."""
    items = line([0.0], [1.0])
    remark = Comment("taskProgress", "5", "reader")
    assert remark in binned([*items, remark], 10.0)


def test_records_without_a_time_are_left_out():
    """A fill of time places a record nowhere."""
    out = columns(binned(line([0.0, float("nan"), 2.0], [1.0, 50.0, 3.0]), 10.0))
    assert out == {"time": [5.0], "b": [2.0]}


def test_open_bins_are_told_in_the_order_of_ids():
    """Whatever the order in which these were declared (das-streams 5.1, item 3)."""
    header, first, records = line([0.0], [1.0])
    second = replace(first, id=2, name="packet_02")
    items = [header, second, first, Records(second, records.columns), records]
    assert [each.dataset.id for each in records_of(binned(items, 10.0))] == [1, 2]


def test_a_dataset_without_times_stays_as_it_is():
    """There is nothing to bin in a table of channels."""
    number = Variable("n", "center", "real", "", (VARIES,), np.dtype("f8"))
    dataset = Dataset(1, "channels", (VARIES,), (Dimension("n", "n", coordinate=True, variables=(number,)),), ("n",))
    items = [StreamHeader(), dataset, Records(dataset, {"n": np.arange(3.0)})]
    assert not difference(binned(items, 10.0)[1:], items[1:])


def test_ragged_values_are_refused_by_name():
    """They have no columns to average, and the request is told which variable that is."""
    header, dataset, _records = line([0.0], [[1.0, 2.0]])
    b = replace(dataset["b"], index=(VARIES, VARIES), axes=())
    with pytest.raises(QueryError, match=r"b of dataset packet_01 .*read\.data") as caught:
        binned([header, replace(dataset.swap(dataset["b"], b), index=(VARIES, VARIES))], 10.0)
    assert caught.value.kind == "query.unreachable-type"


def test_a_median_of_too_much_is_refused(monkeypatch):
    """It alone needs all values of a bin, so that these have a bound."""
    monkeypatch.setattr(accumulating, "LARGEST_MEDIAN", 100)
    with pytest.raises(QueryError, match="shorter bins"):
        binned(line(list(range(50)), [0.5] * 50), 100.0, "median")


@pytest.mark.parametrize("name", ["ex22_mag_grid_vec.d3b", "ex25_isee_rapid_rank2.d3b", "ex22_mag_grid_vec.d3t"])
def test_das3_streams_of_any_rank_are_averaged(test_data: Path, name: str):
    """Vectors and values over several indices: element by element, in a valid stream."""
    items = decoded((test_data / "das3" / name).read_bytes())
    out = binned(items, 1e9, "mean", "max")
    for batch in records_of(out):
        assert not misfit(batch)
        for variable in batch.dataset.data():
            if variable.role != "center" or variable.dtype.kind != "f":
                continue
            values = np.concatenate([each.floats(variable.name) for each in records_of(items)])
            wanted = np.nanmean(values, axis=0)
            assert np.allclose(batch.floats(variable.name)[0], wanted, rtol=1e-5, equal_nan=True)
    assert decoded(encoded(Das3TextEncoder(), out))


class TestContract(ReducerContract):
    """What every reducer keeps."""

    reducer = BinAverage
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"seconds": 2.0, "stats": ("mean", "min", "max", "stddev")}
    rtol = 1e-6
