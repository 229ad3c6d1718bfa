# SPDX-License-Identifier: GPL-3.0-or-later
"""`Spectra` gives the spectral densities of `Waveform`, of its own length and of a client's, in every form."""

from __future__ import annotations

import csv
import io
import os

import numpy as np
import pytest

import dasflex_core
from dasflex_core.arrays import Records
from dasflex_core.roots import make_root
from dasflex_core.testing.comparing import merged
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das3_decoder import Das3Decoder

RANGE = ("1979-03-01T12:27:00", "1979-03-01T12:27:01")  # lines of the frames that are shipped
STEP = 1 / 28_800


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("spectra") / "root"
    make_root(root, "Spectra")
    kept = os.environ.pop("DASFLEX_VOYAGER_DATA", None)
    yield dasflex_core.open(root)
    if kept is not None:
        os.environ["DASFLEX_VOYAGER_DATA"] = kept


def answer(site, source, **more):
    return b"".join(site[source][RANGE[0] : RANGE[1]].ask(**more).plan().run())


def batch_of(stream, decoder):
    made = decoder()
    [batch] = merged([*made.feed(stream), *made.finish()])[1]
    assert isinstance(batch, Records)
    return batch


def expected(site, length, slide):
    """The densities and times of all segments of the lines, by the formula of das-streams 5.5."""
    lines = batch_of(answer(site, "Examples/Waveform"), Das2Decoder)
    weights = 0.5 * (1 - np.cos(2 * np.pi * np.arange(length) / (length - 1)))
    found, times = [], []
    for time, samples in zip(lines["time.reference"], lines["waveform"].astype("f8"), strict=True):
        for start in range(0, 1600 - length + 1, length // slide):
            segment = samples[start : start + length]
            power = abs(np.fft.rfft((segment - segment.mean()) * weights)) ** 2 * STEP / (weights**2).sum()
            power[1:-1] *= 2
            if (segment > -1e30).all() and power.max() > 0:
                found.append(power)
                times.append(time + (start + length / 2) * STEP * 1e6)
    return np.array(found), np.array(times)


@pytest.mark.parametrize(("asked", "length"), [({}, 800), ({"dft_length": "256"}, 256)])
def test_the_spectra_are_those_of_the_lines_in_das2_das3_and_csv(site, asked, length):
    wanted, times = expected(site, length, 2)
    assert len(wanted) > 10
    for version, decoder in (("2", Das2Decoder), ("3", Das3Decoder)):
        batch = batch_of(answer(site, "Examples/Spectra", format_type="das", format_version=version, **asked), decoder)
        np.testing.assert_allclose(batch["waveform"], wanted, rtol=1e-6, atol=1e-30)
        np.testing.assert_allclose(batch["time"], times, rtol=1e-14)
        frequencies = batch.dataset["waveform"].axis("Hz").values
        np.testing.assert_allclose(frequencies, np.arange(length // 2 + 1) / (length * STEP), rtol=1e-9)
    rows = list(csv.reader(io.StringIO(answer(site, "Examples/Spectra", format_type="csv", **asked).decode())))
    assert len(rows) == len(wanted) + 1
    np.testing.assert_allclose(np.array([row[1:] for row in rows[1:]], dtype="f8"), wanted, rtol=1e-6, atol=1e-30)


def test_bins_of_spectra_are_means_though_those_of_the_waveform_are_envelopes(site):
    """The view's own default stands over that of what it views; 0.25 s hold four lines with three spectra each."""
    found = batch_of(answer(site, "Examples/Spectra", bin_time_max="0.25"), Das2Decoder)
    assert set(found.dataset.variables) == {"time", "frequency", "waveform"}
    wanted, times = expected(site, 800, 2)
    begin = (np.datetime64(RANGE[0]) - np.datetime64("2000-01-01")) / np.timedelta64(1, "us")
    bins = ((times - begin) // 250_000).astype(int)
    means = [wanted[bins == number].mean(axis=0) for number in np.unique(bins)]
    np.testing.assert_allclose(found["waveform"], means, rtol=1e-6)
    assert set(batch_of(answer(site, "Examples/Waveform", bin_time_max="0.25"), Das2Decoder).dataset.variables) == {
        "time", "waveform.min", "waveform.max",
    }  # fmt: skip
