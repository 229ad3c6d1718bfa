# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra of a waveform of known content are the same by HTTP, on the command line and in Python, as theory has them."""

from __future__ import annotations

import subprocess
import sys
from urllib.request import urlopen

import numpy as np
import pytest

import dasflex_core
from dasflex_core.testing.comparing import merged
from dasflex_das.das2_decoder import Das2Decoder

pytestmark = pytest.mark.integration
RANGE = "2020-01-01/2020-01-01T00:00:10"
CONTACTS = 'contacts = { technical = "Somebody <somebody@example.org>" }\n'
WAVE = f"""
title = "A sine of 3 V at 1 kHz on a level of 5 V, 10,000 samples a second"
{CONTACTS}
reader = {{ command = "#[python] reader.py", writes = "das/2" }}
example = [{{ time = "2020-01-01 to 2020-01-01T00:00:10" }}]
coords.time = {{ cadence = "1 s" }}
coords.offset = {{ of = "time", units = "s", size = 2000 }}
data.E = {{ axes = ["time", "offset"], units = "V" }}
default.bin.stats = "min,max"
"""
VIEW = f"""
title = "Its spectra"
{CONTACTS}
reader = {{ source = "Wave" }}
default = {{ dft.length = 1000, dft.slide = 2, bin.stats = "mean" }}
example = [{{ time = "2020-01-01 to 2020-01-01T00:00:10" }}]
"""
READER = """
import math, struct
packet("00", '<stream version="2.2"><properties String:renderer="waveform"/></stream>')
packet("01", '<packet><x type="little_endian_real8" units="us2000"/><yscan name="E" type="little_endian_real4"'
       ' nitems="2000" yUnits="s" yTagInterval="1e-4" yTagMin="0" zUnits="V"/></packet>')
sys.stdout.flush()
samples = struct.pack("<2000f", *(5 + 3 * math.sin(2 * math.pi * 1000 * n / 10000) for n in range(2000)))
for second in range(10):
    sys.stdout.buffer.write(b":01:" + struct.pack("<d", (7305 * 86400 + second) * 1e6) + samples)
"""
FORMS = [
    ({}, 1000, 3),
    ({"dft.length": "500"}, 500, 7),
    ({"dft.slide": "1"}, 1000, 2),
    ({"dft.window": "none"}, 1000, 3),
]


@pytest.fixture
def site(bare):
    """A root with a waveform, and its spectra as a view."""
    bare.add("Wave", READER, WAVE)
    bare.add("Spectra", "", VIEW)
    return bare


def batch_of(stream: bytes):
    decoder = Das2Decoder()
    [batch] = merged([*decoder.feed(stream), *decoder.finish()])[1]
    return batch


@pytest.mark.parametrize(("asked", "length", "segments"), FORMS, ids=["own", "length", "slide", "window"])
def test_the_spectrum_of_a_sine_is_the_same_everywhere(site, serving, asked, length, segments):
    server = serving("--port", "0", "--config", site.config)
    query = "&".join(f"{name}={text}" for name, text in asked.items())
    with urlopen(f"{server.base}source/spectra/flex?time={RANGE}&{query}", timeout=20) as answer:  # noqa: S310  ours
        over_http = answer.read()
    command = [sys.executable, "-m", "dasflex_core", "get", "--root", str(site.root), "Spectra", RANGE]
    words = [f"{name}={text}" for name, text in asked.items()]
    on_the_line = subprocess.run([*command, *words], capture_output=True, check=True, timeout=60).stdout
    request = dasflex_core.open(site.root)["Spectra"]["2020-01-01":"2020-01-01T00:00:10"]
    table = request.ask(**{name.replace(".", "_"): text for name, text in asked.items()}).read().only
    assert over_http == on_the_line
    for densities, axis in (
        (batch_of(over_http)["E"].astype("f8"), batch_of(over_http).dataset["E"].axis("Hz").values),
        (table["E"], table["frequency"]),
    ):
        assert densities.shape == (10 * segments, length // 2 + 1)
        np.testing.assert_allclose(axis, np.arange(length // 2 + 1) * 10_000 / length, rtol=1e-9)
        assert axis[densities[0].argmax()] == pytest.approx(1000)
        # Parseval: a sine of amplitude 3 has a mean square of 4.5, without the level
        np.testing.assert_allclose(densities.sum(axis=1) * 10_000 / length, 4.5, rtol=1e-4)


def test_bins_of_the_view_are_means_and_cut_at_no_sample(site):
    request = dasflex_core.open(site.root)["Spectra"]["2020-01-01":"2020-01-01T00:00:10"]
    table = request.ask(bin_time_max=5).read().only
    assert set(table) == {"time", "frequency", "E"}
    np.testing.assert_allclose(table["E"].sum(axis=1) * 10, [4.5, 4.5], rtol=1e-4)
