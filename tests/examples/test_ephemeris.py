# SPDX-License-Identifier: GPL-3.0-or-later
"""The orbit of `Ephemeris`: its times are those asked for, and its positions obey Kepler."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import cos, pi, radians, sin, sqrt

import pytest

NEAR = ("2016-08-27T12:00", "2016-08-27T13:42")


def columns(stream):
    return list(zip(*[[plane[0] for plane in record] for record in stream.records], strict=True))


@pytest.mark.parametrize(("interval", "count"), [(60, 1440), (7, 12343), (86400, 1), (1e6, 1)])
def test_positions_are_an_interval_apart_from_the_beginning(interval, count, read):
    begin = datetime.fromisoformat("2016-08-27")
    times = read("Ephemeris", interval, "2016-08-27", "2016-08-28").times
    assert times == [begin + timedelta(seconds=interval * i) for i in range(count)]


def test_a_tenth_of_a_second_is_exact_and_the_end_is_left_out(read):
    times = read("Ephemeris", 0.1, "2016-08-27T12:00:00.25", "2016-08-27T12:00:01.25").times
    assert [time.microsecond for time in times] == [
        250000,
        350000,
        450000,
        550000,
        650000,
        750000,
        850000,
        950000,
        50000,
        150000,
    ]


@pytest.mark.parametrize("interval", ["0.09", "0", "-60", "nan", "inf", "x", "1e300"])
def test_intervals_without_sense_are_refused(interval, start):
    done = start("Ephemeris", interval, *NEAR)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len(done.stderr.splitlines()) == 1


def test_unknown_frame_is_refused(start):
    assert start("Ephemeris", "--frame=GSE", 60, *NEAR).returncode == 2


def test_perijove_is_where_it_should_be(read):
    times, radius, _, _, _ = columns(read("Ephemeris", 10, *NEAR))
    assert min(radius) == pytest.approx(1.06, abs=1e-4)
    assert times[radius.index(min(radius))] == datetime.fromisoformat("2016-08-27T12:51")


def test_energy_is_kept_along_the_orbit(read):
    """v**2 / 2 - GM / r is the same everywhere, by finite differences of positions in a frame that hardly turns."""
    rj, gm = 71_492.0, 1.26687e8
    energies = []
    for begin, end in (("2016-08-27T12:30", "2016-08-27T12:31"), ("2016-08-28T00:00", "2016-08-28T00:01")):
        _, radius, west, latitude, _ = columns(read("Ephemeris", "--frame=JSO", 30, begin, end))
        places = [
            (
                r * rj * cos(radians(b)) * cos(radians(w)),
                r * rj * cos(radians(b)) * sin(radians(w)),
                r * rj * sin(radians(b)),
            )
            for r, w, b in zip(radius, west, latitude, strict=True)
        ]
        speed = sqrt(sum((late - early) ** 2 for early, late in zip(*places, strict=True))) / 30
        middle = sqrt(sum(((late + early) / 2) ** 2 for early, late in zip(*places, strict=True)))
        energies.append(speed**2 / 2 - gm / middle)
    axis = (gm * (53.4 * 86_400 / (2 * pi)) ** 2) ** (1 / 3)
    assert energies == pytest.approx([-gm / (2 * axis)] * 2, abs=3)  # km**2 s**-2, where v**2 / 2 is 1,250 and 120


def test_frames_agree_on_distance_and_local_time_and_differ_in_the_rest(read):
    system3, jso, mag = (columns(read("Ephemeris", f"--frame={frame}", 60, *NEAR)) for frame in ("SIII", "JSO", "MAG"))
    assert system3[1] == jso[1] == mag[1]
    assert system3[4] == jso[4] == mag[4]
    assert system3[3] == jso[3]
    assert len({system3[2], jso[2], mag[2]}) == 3
    tilts = [abs(a - b) for a, b in zip(system3[3], mag[3], strict=True)]
    assert 5 < max(tilts) < 10.4  # the dipole is tilted by 10.3 degrees


def test_planet_turns_once_in_ten_hours_and_the_sun_defines_local_time(read):
    system3 = columns(read("Ephemeris", 3600, "2016-10-01", "2016-10-02"))
    turned = (system3[2][1] - system3[2][0]) % 360
    assert turned == pytest.approx(870.536 / 24, abs=0.05)
    _, _, west, _, local = columns(read("Ephemeris", "--frame=JSO", 3600, "2016-10-01", "2016-10-02"))
    assert [(12 - w / 15) % 24 for w in west] == pytest.approx(list(local), abs=1e-4)


def test_angles_stay_below_the_full_circle(read):
    _, _, west, latitude, local = columns(read("Ephemeris", 120, "2016-08-25", "2016-08-30"))
    assert 0 <= min(west) <= max(west) < 360
    assert -90 <= min(latitude) <= max(latitude) <= 90
    assert 0 <= min(local) <= max(local) < 24
