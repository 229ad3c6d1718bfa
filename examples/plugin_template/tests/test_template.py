# SPDX-License-Identifier: Unlicense
"""The contracts that every stage must keep, and what only this plugin promises."""

from __future__ import annotations

import wave

import numpy as np
import pytest
from dasflex_template import BandPower, Wav

from dasflex_core.arrays import Dataset, Records
from dasflex_core.errors import QueryError
from dasflex_core.testing import FileFormatterContract, ReducerContract, golden


class TestBandPower(ReducerContract):
    reducer = BandPower
    options = {"low": 10.0, "high": 40.0}
    plugin = "dasflex_template"
    rtol = 1e-12


class TestWav(FileFormatterContract):
    formatter = Wav
    plugin = "dasflex_template"


def test_the_band_is_half_open_and_a_fill_in_it_makes_the_sum_nan():
    dataset, batch = (item for item in golden.spectra() if isinstance(item, Dataset | Records))
    reducer = BandPower(low=10.0, high=40.0)
    made = reducer.dataset(dataset)
    power = reducer.records(batch).floats("psd")
    assert made["psd"].shape == ()
    assert power[[0, 2]] == pytest.approx([1e-9 * 10 + 2e-9 * 15, 3e-9 * 10 - 2e-9 * 15])
    assert np.isnan(power[1])


def test_a_band_without_a_frequency_is_refused():
    with pytest.raises(QueryError, match="in the band"):
        BandPower(low=41.0, high=50.0).dataset(golden.spectra()[1])


def sound_of(items, scratch):
    """The rate and the samples of the sound of some items."""
    spool = Wav(scratch=scratch)
    for item in items:
        spool.feed(item)
    with wave.open(str(spool.finish())) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        return sound.getframerate(), np.frombuffer(sound.readframes(sound.getnframes()), "<i2").tolist()


def test_the_extremes_are_full_scale_and_fill_is_silence(tmp_path):
    rate, samples = sound_of(golden.waveform(), tmp_path)  # from -1 to 2, two samples a second
    full = 32767
    assert rate == 2
    assert samples == [0, round(-full / 2), round(-full / 4), round(full / 3), 0, round(-full / 3), -full, full]


def test_the_plugin_is_found(dasflex_registry):
    assert {"band-power", "wav"} <= {stage.name for stage in dasflex_registry.stages}
