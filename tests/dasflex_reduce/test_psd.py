# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectral densities are what the formula says, whatever the stream, its generation and its batches."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    NoData,
    Properties,
    Property,
    Ragged,
    Records,
    Sequence,
    StreamHeader,
    Variable,
    traits_of,
)
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.run.reducing import PerDataset
from dasflex_core.testing import ReducerContract
from dasflex_core.testing.comparing import difference, in_pieces, merged, misfit
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3BinaryEncoder
from dasflex_reduce.admitting import transform, transform_lines
from dasflex_reduce.line_spectra import LineSpectralDensity
from dasflex_reduce.shaping import SHAPING
from dasflex_reduce.spectral_density import SpectralDensity
from dasflex_reduce.windows import DETRENDS, WINDOWS, Density, window

FILL = -1e31
STEP = 1 / 1024  # seconds


def formula(segment, seconds, weights=None):
    """The formula of das-streams 5.5, term by term."""
    count = len(segment)
    points = np.arange(count)
    weights = 0.5 * (1 - np.cos(2 * np.pi * points / (count - 1))) if weights is None else weights
    samples = np.asarray(segment, dtype=np.float64)
    found = np.fft.fft((samples - samples.mean()) * weights)
    wss = count * (weights**2).sum()
    power = np.empty(count // 2 + 1)
    power[0] = abs(found[0]) ** 2 / wss
    power[-1] = abs(found[count // 2]) ** 2 / wss
    for k in range(1, count // 2):
        power[k] = (abs(found[k]) ** 2 + abs(found[count - k]) ** 2) / wss
    return power * count * seconds


def das2(samples, interval=f"{STEP}", units="s", extra="", x="us2000", kind="little_endian_real4", more=()):
    """A das2 stream of waveforms, one record a second, as bytes."""
    samples = np.asarray(samples, dtype="<f4" if kind.endswith("4") else "<f8")
    head = '<stream version="2.2"><properties title="Waves" String:renderer="waveform" yLabel="dt" zLabel="E" zRange="0 to 1" /></stream>'
    body = (
        f'<packet><x type="little_endian_real8" units="{x}"/>{extra}<yscan name="wave" type="{kind}" nitems="{samples.shape[1]}"'
        f' yUnits="{units}" yTagInterval="{interval}" yTagMin="0" zUnits="V m**-1"><properties ySummary="about" zValidMin="1"/></yscan></packet>'
    )
    rows = np.zeros(len(samples), dtype=[("tag", "S4"), ("t", "<f8"), *more, ("w", samples.dtype, samples.shape[1:])])
    rows["tag"], rows["w"] = b":01:", samples
    rows["t"] = np.arange(len(samples)) * (1e6 if x == "us2000" else 1.0)
    return f"[00]{len(head):06d}{head}[01]{len(body):06d}{body}".encode() + rows.tobytes()


def das3(samples, dtype=None, fill=FILL, vector=None):
    """The items of a das3 stream of waveforms: TT2000 reference, offset by a rule in milliseconds."""
    samples = np.asarray(samples)
    count = samples.shape[1]
    index = (VARIES, None)
    reference = Variable("t.ref", "reference", "datetime", "TT2000", index, np.dtype("<i8"))
    rule = (Sequence("2.0", ("-", f"{STEP * 1000}")),)
    values = 2.0 + np.arange(count) * STEP * 1000
    offset = Variable("t.off", "offset", "real", "ms", (None, count), np.dtype("f8"), values=values, sequences=rule)
    wave = Variable(
        "E", "center", "real", "V", (VARIES, count), np.dtype(dtype or samples.dtype), fill, label="E", vector=vector
    )
    about = Properties((Property("label", "field"), Property("summary", "about")))
    dataset = Dataset(
        7,
        "waves",
        (VARIES, count),
        (
            Dimension("time", "time", coordinate=True, variables=(reference, offset), axis="x"),
            Dimension("E", "E", coordinate=False, variables=(wave,), properties=about),
        ),
        ("t.ref", "E"),
    )
    times = np.arange(len(samples), dtype="<i8") * 10**9
    return [
        StreamHeader(3, Properties((Property("title", "Waves"),))),
        dataset,
        Records(dataset, {"t.ref": times, "E": samples}),
    ]


def lines(times, values, units="us2000", fill=FILL, vector=None):
    """The items of a das2-like stream of one line."""
    times = np.asarray(times)
    x = Variable("time", "center", "datetime", units, (VARIES,), times.dtype, plane="x")
    y = Variable("B", "center", "real", "nT", (VARIES,), np.dtype("f8"), fill, plane="y")
    dataset = Dataset(
        1,
        "packet_01",
        (VARIES,),
        (
            Dimension("time", "time", coordinate=True, variables=(x,), axis="x"),
            Dimension("B", "B", coordinate=False, variables=(y,)),
        ),
        ("time", "B"),
        generation=2,
    )
    return [StreamHeader(2), dataset, Records(dataset, {"time": times, "B": np.asarray(values, dtype="f8")})]


def items_of(stream, decoder=Das2Decoder):
    made = decoder()
    return [*made.feed(stream), *made.finish()]


def run(items, reducer=SpectralDensity, **options):
    stage = PerDataset(reducer.spec, lambda: reducer(**options))
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def written(items, encoder):
    made = encoder()
    return b"".join([*(each for item in items for each in made.feed(item)), *made.finish()])


def noise(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("f4")


def records_of(items, name="wave"):
    [batch] = merged(items)[1]
    return batch, batch[name]


@pytest.mark.parametrize(("length", "slide"), [(16, 1), (64, 2), (100, 3), (256, 4), (64, 63)])
def test_every_density_is_that_of_the_formula_to_the_limit_of_a_float32(length, slide):
    samples = noise(5, 300) + 3
    batch, found = records_of(run(items_of(das2(samples)), length=length, slide=slide))
    step = length // slide
    starts = range(0, 300 - length + 1, step)
    wanted = [formula(row[start : start + length], STEP) for row in samples for start in starts]
    assert found.dtype == np.dtype("f4")
    np.testing.assert_allclose(found, wanted, rtol=6e-8)
    times = [second * 1e6 + (start + length / 2) * STEP * 1e6 for second in range(5) for start in starts]
    np.testing.assert_allclose(batch["time"], times, rtol=1e-14)


def test_frequencies_are_multiples_of_one_over_the_length_of_a_segment():
    batch, found = records_of(run(items_of(das2(noise(1, 64))), length=32))
    frequency = batch.dataset["wave"].axis("Hz")
    assert found.shape == (2 - 0, 17)
    np.testing.assert_allclose(frequency.values, np.arange(17) / (32 * STEP))


@pytest.mark.parametrize("name", WINDOWS)
def test_the_sum_over_frequency_is_the_mean_square_weighted_by_the_window(name):
    samples = noise(8, 128).astype("f8")
    found = Density(128, name, "none").of(samples, 0.25)
    weights = window(name, 128)
    mean_square = (samples * weights) ** 2 @ np.ones(128) / (weights**2).sum()
    np.testing.assert_allclose(found.sum(axis=1) / (128 * 0.25), mean_square)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_sine_holds_half_the_square_of_its_amplitude_at_its_frequency(name):
    points = np.arange(1024)
    sine = 3.0 * np.sin(2 * np.pi * 100 * points / 1024)
    found = Density(1024, name).of(sine[None], STEP)[0]
    assert found.argmax() == 100
    np.testing.assert_allclose(found[90:111].sum() / (1024 * STEP), 4.5, rtol=1e-3)


def test_the_windows_are_symmetric_and_hann_is_that_of_classic_programs():
    points = np.arange(64)
    np.testing.assert_allclose(window("hann", 64), 0.5 * (1 - np.cos(2 * np.pi * points / 63)))
    np.testing.assert_allclose(window("hamming", 64), np.hamming(64))
    np.testing.assert_allclose(window("blackman", 64), np.blackman(64), atol=1e-15)
    assert (window("none", 64) == 1).all()
    with pytest.raises(QueryError, match="Did you mean hann"):
        window("han", 64)


@pytest.mark.parametrize("detrend", DETRENDS)
def test_what_is_taken_away_is_gone(detrend):
    points = np.arange(64.0)
    constant, slope = (Density(64, "none", detrend).of(each[None])[0] for each in (points * 0 + 5, points * 2 + 5))
    assert (constant.max() < 1e-20) == (detrend != "none")
    assert (slope.max() < 1e-20) == (detrend == "linear")


def test_a_segment_with_fill_gives_no_record():
    samples = noise(3, 64)
    samples[1, 40] = FILL
    batch, found = records_of(run(items_of(das2(samples)), length=32))
    np.testing.assert_allclose(
        found, [formula(each, STEP) for each in samples.reshape(6, 32)[[0, 1, 2, 4, 5]]], rtol=6e-8
    )
    assert len(batch["time"]) == 5


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0])
def test_a_segment_that_is_zero_or_holds_what_is_no_number_gives_no_record(wrong):
    samples = noise(2, 64)
    samples[0, 32:] = wrong
    assert len(records_of(run(items_of(das2(samples)), length=32))[0]) == 3


def test_beside_another_waveform_a_segment_with_fill_is_fill():
    items = das3(noise(2, 64))
    dataset, batch = items[1], items[2]
    other = replace(dataset.variables["E"], name="F")
    dataset = replace(
        dataset,
        dimensions=(*dataset.dimensions, Dimension("F", "F", coordinate=False, variables=(other,))),
        wire=(*dataset.wire, "F"),
    )
    second = noise(2, 64, seed=2)
    second[0, 0] = FILL
    made, _ = records_of(run([items[0], dataset, Records(dataset, {**batch.columns, "F": second})], length=64), "F")
    assert len(made) == 2
    assert (made["F"][0] == np.float32(FILL)).all()
    np.testing.assert_allclose(made["F"][1], formula(second[1], STEP), rtol=6e-8)
    assert np.isnan(made.floats("F")[0]).all()
    assert not np.isnan(made.floats("E")).any()


def test_the_head_of_a_das2_stream_says_what_classic_psd_says():
    header, dataset, *_ = run(items_of(das2(noise(2, 256))), length=64, slide=4)
    said = {each.name: (each.type, each.text) for each in header.properties}
    assert said["title"][1] == "Waves!c%{DFT_length} point DFT, %{xDftOverlapInfo}"
    assert said["xDftOverlapInfo"] == ("String", "3/4 Overlap")
    assert (said["DFT_length"], said["DFT_slide_denominator"]) == (("int", "64"), ("int", "4"))
    assert said["DFT_window"] == ("String", "hann")
    assert (said["renderer"][1], said["yScaleType"][1], said["zScaleType"][1]) == ("spectrum", "linear", "log")
    assert not {"yLabel", "zLabel", "zRange"} & said.keys()
    wave = dataset["wave"]
    plane = {each.name: each.text for each in wave.properties}
    assert plane == {
        "ySummary": "about",
        "yLabel": "Frequency (Hz)",
        "zLabel": "Spectral Density (V!a2!n m!a-2!n Hz!a-1!n)",
        "operation": "DFT",
        "zFill": "-1e+31",
    }
    assert (wave.units, wave.encoding.name, wave.plane) == ("V**2 m**-2 Hz**-1", "little_endian_real", "yscan")
    assert traits_of((dataset,)) >= {"spectra", "axis:frequency"}
    assert "waveform" not in traits_of((dataset,))
    text = written(run(items_of(das2(noise(2, 256))), length=64), Das2BinaryEncoder)
    assert b'nitems="33" yUnits="Hz" zUnits="V**2 m**-2 Hz**-1"' in text
    assert b'yTagInterval="1.600000e+01" yTagMin="0"' in text
    assert b"No Overlap" in text


def test_das2_to_das3_and_to_das2_again_says_the_same_spectra():
    made = run(items_of(das2(noise(3, 128))), length=64, slide=2)
    again = items_of(written(made, Das3BinaryEncoder), Das3Decoder)
    [batch] = merged(again)[1]
    dataset = batch.dataset
    dimension = dataset.dimension(dataset["wave"])
    assert dimension.properties.text("label") == "Spectral Density (V!a2!n m!a-2!n Hz!a-1!n)"
    np.testing.assert_array_equal(batch["wave"], records_of(made)[1])
    np.testing.assert_allclose(dataset["wave"].axis("Hz").values, np.arange(33) / (64 * STEP))
    back = items_of(written(made, Das2BinaryEncoder))
    assert not difference(merged(back)[1][0].columns["wave"], records_of(made)[1])


def test_das3_waveforms_keep_their_epoch_and_become_reals():
    counts = (noise(4, 128) * 100).astype("<i2")
    header, dataset, batch = run(das3(counts, fill=-32768), length=64)
    assert header.properties.text("title").startswith("Waves!c")
    assert header.properties.get("DFT_length").type == "integer"
    assert (dataset["E"].dtype, dataset["E"].fill) == (np.dtype("f4"), FILL)
    dimension = dataset.dimension(dataset["E"])
    assert dimension.properties.text("label") == "Spectral Density (V!a2!n Hz!a-1!n)"
    assert dimension.properties.text("summary") == "about"
    wanted = [formula(each, STEP) for each in counts.reshape(8, 64)]
    np.testing.assert_allclose(batch["E"], wanted, rtol=6e-8)
    middle = round(0.002 * 1e9) + np.array([32, 96]) * STEP * 1e9
    np.testing.assert_array_equal(
        batch["time"] if "time" in batch.columns else batch["t.ref"],
        (np.arange(4)[:, None] * 10**9 + middle).ravel().astype("i8"),
    )
    again = items_of(written([header, dataset, batch], Das3BinaryEncoder), Das3Decoder)
    np.testing.assert_array_equal(merged(again)[1][0]["E"], batch["E"])


def test_components_of_a_vector_are_transformed_one_by_one():
    from dasflex_core.arrays import Vector

    samples = noise(3, 64, 3)
    _, dataset, batch = run(das3(samples, vector=Vector(3)), length=32)
    assert batch["E"].shape == (6, 17, 3)
    assert dataset["E"].shape == (17, 3)
    for component in range(3):
        wanted = [formula(each, STEP) for each in samples[..., component].reshape(6, 32)]
        np.testing.assert_allclose(batch["E"][..., component], wanted, rtol=6e-8)


def test_records_of_different_lengths_have_as_many_spectra_as_fit():
    items = das3(noise(1, 64))
    dataset = items[1]
    time = dataset.dimensions[0]
    offset = replace(time.variables[1], index=(None, VARIES), values=None)
    wave = replace(dataset.variables["E"], index=(VARIES, VARIES))
    dataset = replace(
        dataset,
        index=(VARIES, VARIES),
        dimensions=(
            replace(time, variables=(time.variables[0], offset)),
            replace(dataset.dimensions[1], variables=(wave,)),
        ),
    )
    flat, offsets = noise(100 + 20 + 64), np.array([0, 100, 120, 184])
    times = np.arange(3, dtype="<i8") * 10**9
    batch = Records(dataset, {"t.ref": times, "E": Ragged(flat, offsets)})
    made, found = records_of(run([items[0], dataset, batch], length=32), "E")
    starts = [0, 32, 64, 120, 152]
    np.testing.assert_allclose(found, [formula(flat[start : start + 32], STEP) for start in starts], rtol=6e-8)
    assert not made.dataset["E"].ragged


def test_other_values_of_a_record_are_said_again_for_each_of_its_spectra():
    extra = '<y name="gain" type="little_endian_real4" units="dB"/>'
    stream = das2(noise(2, 64), extra=extra, more=[("g", "<f4")])
    batch, _ = records_of(run(items_of(stream), length=32))
    assert batch["gain"].tolist() == [0.0] * 4
    assert batch.dataset.wire == ("time", "gain", "wave")


def test_samples_that_are_too_few_are_left_out_and_that_is_told():
    *_, remark, nothing = run(items_of(das2(noise(2, 64))), length=128)
    assert isinstance(remark, Comment)
    assert "its records have 64 samples, and dft.length asks for 128" in remark.text
    assert isinstance(nothing, NoData)


def test_samples_at_uneven_times_are_refused():
    stream = das2(noise(1, 16)).replace(
        f'yTagInterval="{STEP}" yTagMin="0"'.encode(), b'yTags="0,1,2,4,8,16,32,64,65,66,67,68,69,70,71,72"'
    )
    header = stream.index(b"[01]")
    body = stream[header + 10 : stream.index(b"</packet>") + 9]
    stream = stream[: header + 4] + f"{len(body):06d}".encode() + stream[header + 10 :]
    with pytest.raises(QueryError, match="not equally far apart"):
        run(items_of(stream), length=16)


@pytest.mark.parametrize(
    ("request_", "part"),
    [
        ({"dft.length": "63"}, "must be even"),
        ({"dft.length": "64", "dft.slide": "64"}, "must be below"),
        ({"dft.length": "128"}, "more than the 64 samples"),
    ],
)
def test_what_cannot_be_transformed_is_declined_while_planning(request_, part):
    from dasflex_core.catalog.model import Coord

    class Source:
        coords: ClassVar = {"offset": Coord(of="time", size=64)}
        data: ClassVar = {}

    assert part in transform(request_, Source())
    assert transform({"dft.length": "64", "dft.slide": "2"}, Source()) is True
    assert transform_lines({"dft.length": "128"}, Source()) is True


def test_a_length_that_cannot_be_is_refused_without_a_plan_too():
    for options in ({"length": 15}, {"length": 14}, {"length": 16, "slide": 16}):
        with pytest.raises(QueryError, match=r"dft\."):
            SpectralDensity(**options)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(0, 12),
    samples=st.integers(16, 90),
    length=st.sampled_from([16, 20, 32]),
    slide=st.integers(1, 15),
    size=st.integers(1, 5),
    filled=st.lists(st.integers(0, 999), max_size=4),
)
def test_how_records_are_cut_into_batches_changes_nothing(count, samples, length, slide, size, filled):
    values = noise(count, samples)
    for place in filled:
        if values.size:
            values.flat[place % values.size] = FILL
    items = items_of(das2(values))
    whole = run(items, length=length, slide=slide)
    pieces = run(in_pieces(items, size), length=length, slide=slide)
    assert not difference(merged(pieces), merged(whole))


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 120),
    gaps=st.lists(st.tuples(st.integers(1, 119), st.sampled_from([0.5, 3.0, 40.0, -20.0])), max_size=3),
    slide=st.integers(1, 4),
    size=st.integers(1, 40),
)
def test_how_lines_are_cut_into_batches_changes_nothing(count, gaps, slide, size):
    times = np.arange(count) * 1.0
    for place, gap in gaps:
        times[place:] += gap
    items = lines(times * 1e6, noise(count))
    whole = run(items, LineSpectralDensity, length=16, slide=slide)
    pieces = run(in_pieces(items, size), LineSpectralDensity, length=16, slide=slide)
    assert not difference(merged(pieces), merged(whole), rtol=1e-9)


@pytest.mark.parametrize("units", ["us2000", "t2000", "mj1958", "TT2000", "UTC"])
def test_lines_are_scaled_by_their_cadence_in_any_epoch(units):
    seconds = np.arange(96) * 0.5
    scale = {"us2000": 1e6, "t2000": 1.0, "mj1958": 1 / 86400, "TT2000": 1e9, "UTC": 1e9}[units]
    times = seconds * scale
    if units in ("TT2000", "UTC"):
        times = times.astype("i8")
    if units == "UTC":
        times = times.view("M8[ns]")
    values = noise(96).astype("f8")
    batch, found = records_of(run(lines(times, values, units), LineSpectralDensity, length=32, slide=2), "B")
    wanted = [formula(values[start : start + 32], 0.5) for start in range(0, 65, 16)]
    np.testing.assert_allclose(found, wanted, rtol=1e-7)
    np.testing.assert_allclose(batch.dataset["B"].axis("Hz").values, np.arange(17) / 16, rtol=1e-7)
    assert batch.dataset["B"].units == "nT**2 Hz**-1"
    middle = (np.arange(0, 65, 16) + 15.5) * 0.5
    got = batch["time"].astype("i8") if units == "UTC" else batch["time"]
    np.testing.assert_allclose(got / scale, middle, rtol=1e-9)


def test_a_gap_begins_the_segments_anew():
    times = np.arange(64) * 1.0
    times[20:] += 100
    values = noise(64)
    _, found = records_of(run(lines(times * 1e6, values), LineSpectralDensity, length=16), "B")
    wanted = [formula(values[start : start + 16].astype("f8"), 1.0) for start in (0, 20, 36)]
    np.testing.assert_allclose(found, wanted, rtol=1e-7)


def test_another_cadence_is_declared_with_frequencies_of_its_own():
    times = np.concatenate([np.arange(32) * 1.0, 100 + np.arange(32) * 0.25])
    items = run(lines(times * 1e6, noise(64)), LineSpectralDensity, length=16)
    declared = [item for item in items if isinstance(item, Dataset)]
    assert [float(each["B"].axis("Hz").values[1]) for each in declared] == [1 / 16, 1 / 4]
    assert items_of(written(items, Das2BinaryEncoder))


def test_fill_in_a_line_gives_no_record():
    values = noise(48).astype("f8")
    values[20] = FILL
    assert len(records_of(run(lines(np.arange(48) * 1e6, values), LineSpectralDensity, length=16), "B")[0]) == 2


@pytest.mark.parametrize("where", ["plane", "packet", "stream"])
def test_a_stream_names_its_frequencies_and_says_which_mean_something(where):
    """A receiver that mixed 10 kHz down to 0, of whose band 10.1 to 10.3 kHz were let through."""
    said = (
        Property("DFT_freqTagMin", "10 kHz", "Datum"),
        Property("DFT_freqTrimMin", "10.1 kHz", "Datum"),
        Property("DFT_freqTrimMax", "10300", "double"),
    )
    whole = run(items_of(das2(noise(9, 40))), length=16, slide=2)
    header, dataset, *rest = items_of(das2(noise(9, 40)))
    if where == "plane":
        name = dataset.data()[0].name
        plane = replace(dataset[name], properties=dataset[name].properties.put(*said), axes=())
        dataset = dataset.swap(dataset[name], plane)
    elif where == "packet":
        dataset = replace(dataset, properties=dataset.properties.put(*said))
    else:
        header = replace(header, properties=header.properties.put(*said))
    items = [header, dataset, *(replace(each, dataset=dataset) if isinstance(each, Records) else each for each in rest)]
    made = run(items, length=16, slide=2)
    [cut], [full] = (merged(each)[1] for each in (made, whole))
    name = full.dataset.data()[0].name
    frequencies = full.dataset[name].axis("Hz").values
    kept = (frequencies >= 100) & (frequencies <= 300)
    assert kept.any()
    np.testing.assert_allclose(cut.dataset[name].axis("Hz").values, frequencies[kept] + 10_000)
    np.testing.assert_array_equal(cut[name], full[name][:, kept])
    assert not misfit(cut)
    encoder = Das2BinaryEncoder()
    stream = b"".join([*(chunk for item in made for chunk in encoder.feed(item)), *encoder.finish()])
    [again] = merged(items_of(stream))[1]
    np.testing.assert_allclose(again.dataset[name].axis("Hz").values, frequencies[kept] + 10_000)


def test_a_band_of_which_nothing_is_left_is_told():
    header, dataset, *_rest = items_of(das2(noise(9, 40)))
    said = Property("DFT_freqTrimMin", "1 MHz", "Datum")
    with pytest.raises(SourceError, match="leave nothing"):
        run([header, replace(dataset, properties=dataset.properties.put(said))], length=16)


class TestContract(ReducerContract):
    reducer = SpectralDensity
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"length": 16, "slide": 2}

    def streams(self):
        return {
            "das2": items_of(das2(noise(9, 40))),
            "das3": das3(noise(9, 40)),
            "lines": lines(np.arange(9.0), noise(9)),
        }


class TestLineContract(ReducerContract):
    reducer = LineSpectralDensity
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"length": 16, "slide": 2}
    rtol = 1e-9

    def streams(self):
        return {"lines": lines(np.arange(50) * 1e6, noise(50))}


def test_the_declarations_are_those_of_the_classes():
    from dasflex_core.loading import load

    assert [each for each in SHAPING if load(each.factory).spec != each] == []


@pytest.mark.parametrize(
    ("traits", "stage"),
    [
        ({"waveform"}, "spectral-density"),
        ({"waveform", "sampled"}, "spectral-density"),
        ({"sampled"}, "spectral-density-lines"),
        ({"sampled", "spectra"}, None),
        ({"sampled", "scatter"}, None),
        (set(), None),
    ],
)
def test_a_density_is_offered_for_what_has_one_and_never_for_values_taken_now_and_then(traits, stage):
    from dasflex_core.plan.solver import StageIndex, Task, solve
    from dasflex_core.registry import discover
    from dasflex_core.stages import StageSpec
    from dasflex_core.streamtype import StreamType

    das = StreamType("das", "2")
    reader = StageSpec("reader", "", None, das, "m:r", adds=frozenset({"axis:time", "finite", *traits}))
    request = {"dft.length": "256", "dft.slide": "2", "bin.time.max": "60"}
    task = Task(StageIndex(discover().stages), request, frozenset(request), das, stages=(reader,))
    path = solve(task)
    found = [step.spec.name for step in path.steps if step.spec.name.startswith("spectral")] if path else []
    assert found == ([stage] if stage else [])
