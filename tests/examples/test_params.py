# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of `Params`: each is seen in what the reader writes."""

from __future__ import annotations

import pytest

RANGE = ("2008-06-29T17:00", "2008-06-29T17:05")


def spectra(stream):
    return [record[1] for record in stream.records]


def test_one_spectrum_a_spin_in_the_default_channels(read):
    stream = read("Params", *RANGE)
    (_, psd) = stream.packets["01"]
    tags = [float(tag) for tag in psd.attributes["yTags"].split(",")]
    assert len(stream.records) == 100
    assert len(tags) == psd.count == 32
    assert tags == sorted(tags)
    assert all(value > 0 for spectrum in spectra(stream) for value in spectrum)


def test_number_of_channels_is_an_option(read):
    (_, psd) = read("Params", "--channels=64", *RANGE).packets["01"]
    assert psd.count == 64


def test_sensor_changes_units_and_values(read):
    magnetic, electric = read("Params", "--sensor=B", *RANGE), read("Params", "--sensor=E", *RANGE)
    assert magnetic.packets["01"][1].attributes["zUnits"] == "nT**2 Hz**-1"
    assert electric.packets["01"][1].attributes["zUnits"] == "V**2 m**-2 Hz**-1"
    assert spectra(magnetic) != spectra(electric)


def test_noise_scatters_and_its_absence_does_not(read):
    def roughness(*options):
        lowest = [spectrum[0] for spectrum in spectra(read("Params", *options, *RANGE))]
        return max(lowest) / min(lowest)

    assert roughness() == pytest.approx(1)
    assert roughness("--noise") > 1.5


def test_chorus_follows_the_gyrofrequency(read):
    def peak(gyro):
        stream = read("Params", f"--gyro={gyro}", "2008-06-29T17:00", "2008-06-29T18:00")
        tags = [float(tag) for tag in stream.packets["01"][1].attributes["yTags"].split(",")]
        mean = [sum(column) for column in zip(*spectra(stream), strict=True)]
        first = next(i for i, tag in enumerate(tags) if tag > 60)  # the background is strongest below
        return tags[max(range(first, len(tags)), key=lambda i: mean[i] * tags[i] ** 3)]

    assert 0.2 * 500 < peak(500) < 0.8 * 500
    assert 0.2 * 3000 < peak(3000) < 0.8 * 3000


def test_a_spin_looks_the_same_in_every_request(read):
    whole = read("Params", "--noise", "2008-06-29T01:30", "2008-06-29T03:30").records
    part = read("Params", "--noise", "2008-06-29T02:10", "2008-06-29T02:20").records
    assert part == [record for record in whole if part[0][0] <= record[0] <= part[-1][0]]


@pytest.mark.parametrize(
    "option",
    [
        "--sensor=C",
        "--channels=5",
        "--channels=65",
        "--channels=x",
        "--gyro=99",
        "--gyro=5000",
        "--gyro=nan",
        "--other=1",
    ],
)
def test_wrong_options_are_refused(option, start):
    done = start("Params", option, *RANGE)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len(done.stderr.splitlines()) == 1
