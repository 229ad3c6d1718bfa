# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams to be drawn, with what a picture must show: gaps, bands, bursts, spectra and points."""

from __future__ import annotations

import numpy as np

from dasflex_core.arrays import VARIES, Dataset, Dimension, Properties, Property, Records, StreamHeader, Variable

_BEGIN = np.datetime64("2031-04-02", "ns")


def variable(name, units="", inner=(), role="center", label="", **rest):
    index = rest.pop("index", (VARIES, *inner))
    return Variable(
        name, role, rest.pop("semantic", "real"), units, index, np.dtype(rest.pop("dtype", "f8")), label=label, **rest
    )


def dimension(name, *variables, coordinate=False, **properties):
    entries = tuple(Property(key, text) for key, text in properties.items())
    return Dimension(name, name, coordinate=coordinate, variables=variables, properties=Properties(entries))


def time(rank=1, role="center"):
    index = (VARIES, *(None,) * (rank - 1))
    return variable("time", "UTC", index=index, dtype="M8[ns]", semantic="datetime", role=role)


def stream(dimensions, columns, *, rank=(VARIES,), identifier=1, title="A sample", **properties):
    """A header, a dataset and its records."""
    entries = tuple(Property(name, text) for name, text in {"title": title, **properties}.items())
    wire = tuple(each.name for each in (own for one in dimensions for own in one.variables) if each.name in columns)
    dataset = Dataset(identifier, f"dataset_{identifier}", rank, tuple(dimensions), wire)
    return [StreamHeader(properties=Properties(entries)), dataset, Records(dataset, columns)]


def times(count, step="60s", begin=_BEGIN):
    return begin + np.arange(count) * np.timedelta64(int(step[:-1]), step[-1])


def line(**properties):
    """A wave of six hours, a value each minute, with an hour and a half missing, and an arrow-head at its end."""
    when = times(360)
    values = np.sin(np.arange(360) / 30) * 10
    kept = (np.arange(360) < 120) | (np.arange(360) >= 210)
    dims = [dimension("time", time(), coordinate=True), dimension("bx", variable("bx", "nT", label="B!Bx!N"))]
    return stream(dims, {"time": when[kept], "bx": values[kept]}, **properties)


def bins():
    """Means with their extremes."""
    when, mean = times(100), np.cos(np.arange(100) / 12)
    roles = (
        variable("e", "mV m**-1", role="mean"),
        variable("e.min", "mV m**-1", role="min"),
        variable("e.max", "mV m**-1", role="max"),
    )
    dims = [dimension("time", time(), coordinate=True), dimension("e", *roles)]
    spread = 0.2 + 0.3 * np.abs(np.sin(np.arange(100) / 25))
    return stream(dims, {"time": when, "e": mean, "e.min": mean - spread, "e.max": mean + spread}, title="Bins")


def spectra(rows=300, *, gap=True, identifier=1, low=10.0, high=1e5):
    """A spectrogram over a logarithmic axis: a band that rises, with a gap."""
    tags = np.geomspace(low, high, 60)
    when, keep = times(rows, "10s"), np.ones(rows, bool)
    if gap:
        keep[120:160] = False
    ridge = np.geomspace(50, 2e4, rows)[:, None]
    psd = 1e-12 * (1 + 1e4 * np.exp(-0.5 * (np.log(tags / ridge) / 0.25) ** 2)) * (1e3 / tags) ** 0.5
    frequency = variable("frequency", "Hz", index=(None, 60), values=tags, label="Frequency")
    density = variable("psd", "V**2 m**-2 Hz**-1", (60,), label="Spectral density")
    dims = [
        dimension("time", time(2), coordinate=True), dimension("frequency", frequency, coordinate=True, scaleType="log"),
        dimension("psd", density, scaleType="log"),
    ]  # fmt: skip
    return stream(
        dims, {"time": when[keep], "psd": psd[keep]}, rank=(VARIES, 60), title="Rising tone", identifier=identifier
    )


def waveform():
    """Twelve bursts of 200 samples."""
    when = times(12, "2s")
    offset = variable("offset", "ms", index=(None, 200), values=np.arange(200) * 5.0, role="offset")
    wave = np.sin(np.arange(200) / 4)[None, :] * np.linspace(0.2, 1, 12)[:, None]
    dims = [
        dimension("time", time(2, "reference"), offset, coordinate=True),
        dimension("ex", variable("ex", "V m**-1", (200,))),
    ]
    return stream(dims, {"time": when, "ex": wave}, rank=(VARIES, 200), title="Bursts")


def points():
    """Coloured points in a plane."""
    angle = np.arange(400) * 0.1
    dims = [
        dimension("lon", variable("lon", "degrees"), coordinate=True), dimension("lat", variable("lat", "degrees"), coordinate=True),
        dimension("density", variable("density", "cm**-3", plane="z")),
    ]  # fmt: skip
    columns = {"lon": angle * np.cos(angle), "lat": angle * np.sin(angle), "density": 10 ** (angle / 10)}
    return stream(dims, columns, title="A spiral")


def several():
    """A line above a spectrogram, with one time."""
    first, second = line(), spectra(identifier=2)
    return [*first, *second[1:]]


SCENES = {each.__name__: each for each in (line, bins, spectra, waveform, points, several)}
