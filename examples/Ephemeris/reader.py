# SPDX-License-Identifier: Unlicense
"""Write the position of an orbiter of Jupiter as a das2 text stream: `reader.py [--frame=F] INTERVAL BEGIN END`.

The positions are INTERVAL seconds apart, to the microsecond, and the first is at BEGIN. They follow from Kepler's
equation; no file is read. Longitudes are west longitudes: that of the Sun is 0 in JSO, and that of the meridian in
which the dipole is tilted in MAG. The turning of the planet and the tilt of its dipole are rounded from System III
(1965) and from the JRM33 model of its field.
"""

from __future__ import annotations

import argparse
import math
import signal
from datetime import UTC, datetime, timedelta
from math import asin, atan2, cos, degrees, pi, radians, sin, sqrt, tan

PERIJOVE = datetime(2016, 8, 27, 12, 51, tzinfo=UTC)
PERIOD = 53.4 * 86_400  # seconds
GM, RADIUS = 1.26687e8, 71_492.0  # km**3 s**-2, km
AXIS = (GM * (PERIOD / (2 * pi)) ** 2) ** (1 / 3) / RADIUS  # half the long axis of the orbit, in radii of the planet
ECCENTRICITY = 1 - 1.06 / AXIS
INCLINATION, NODE, ARGUMENT = radians(90), radians(95), radians(170)
SPIN = radians(870.536 / 86_400)  # of the planet, a second
YEAR = 4332.589 * 86_400
SUN = radians(175)  # the Sun's longitude at perijove, counted eastward from where that of the node is
TILT, POLE = radians(10.3), radians(196.4)  # of the dipole, and the west longitude of its pole

STREAM = """<stream version="2.2">
  <properties title="Orbiter relative to Jupiter, {frame}" boolean:xMonotonic="true" Datum:xTagWidth="{width:g} s"
    xLabel="Time (UTC)" />
</stream>
"""
PACKET = """<packet>
  <x type="time27" units="us2000"></x>
  <y name="radius" type="ascii12" units="RJ"><properties yLabel="R (RJ)" /></y>
  <y name="longitude" type="ascii11" units="degree"><properties yLabel="West longitude" /></y>
  <y name="latitude" type="ascii11" units="degree"><properties yLabel="Latitude" /></y>
  <y name="local" type="ascii11" units="hour"><properties yLabel="Local time" /></y>
</packet>
"""


def utc(text: str) -> datetime:
    """Read an ISO 8601 time; all times are UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def header(tag: str, xml: str) -> str:
    """Frame one das2 header packet: its id, the length of its body, its body."""
    return f"[{tag}]{len(xml):06d}{xml}"


def orbit(seconds: float) -> tuple[float, float, float]:
    """Give distance (RJ), east longitude and latitude (radians) in a frame at rest; seconds are from perijove."""
    mean = math.remainder(2 * pi * seconds / PERIOD, 2 * pi)
    anomaly = math.copysign(pi, mean)  # from here Newton's method cannot overshoot, however long the ellipse
    for _ in range(50):
        step = (anomaly - ECCENTRICITY * sin(anomaly) - mean) / (1 - ECCENTRICITY * cos(anomaly))
        anomaly -= step
        if abs(step) < 1e-12:
            break
    angle = ARGUMENT + 2 * atan2(sqrt(1 + ECCENTRICITY) * tan(anomaly / 2), sqrt(1 - ECCENTRICITY))
    east = NODE + atan2(sin(angle) * cos(INCLINATION), cos(angle))
    return AXIS * (1 - ECCENTRICITY * cos(anomaly)), east, asin(sin(angle) * sin(INCLINATION))


def dipole(west: float, latitude: float) -> tuple[float, float]:
    """Turn System III coordinates (radians) into those about the axis of the dipole."""
    away = west - POLE
    x, y, z = cos(latitude) * cos(away), cos(latitude) * sin(away), sin(latitude)
    x, z = x * cos(TILT) - z * sin(TILT), x * sin(TILT) + z * cos(TILT)
    return atan2(y, x), asin(max(-1, min(1, z)))


def position(seconds: float, frame: str) -> tuple[float, float, float, float]:
    """Give radius (RJ), west longitude, latitude (degrees) and local time (hours)."""
    radius, east, latitude = orbit(seconds)
    before_sun = SUN + 2 * pi * seconds / YEAR - east  # how far west of the Sun's meridian
    west = before_sun if frame == "JSO" else SPIN * seconds - east
    if frame == "MAG":
        west, latitude = dipole(west, latitude)
    return radius, degrees(west) % 360, degrees(latitude), (12 - degrees(before_sun) / 15) % 24


def main() -> None:
    """Write the positions of BEGIN <= time < END."""
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS)
    parser.add_argument("--frame", choices=("SIII", "JSO", "MAG"), default="SIII")
    parser.add_argument("interval", type=float)
    parser.add_argument("begin", type=utc)
    parser.add_argument("end", type=utc)
    asked = parser.parse_args()
    if asked.begin >= asked.end:
        parser.error("the range must begin before it ends")
    if not 0.1 <= asked.interval <= 1e9:
        parser.error("the interval must be 0.1 s or more")

    interval = timedelta(seconds=asked.interval)
    print(header("00", STREAM.format(frame=asked.frame, width=1.5 * asked.interval)), end="")
    print(header("01", PACKET), end="")
    for count in range(-((asked.begin - asked.end) // interval)):  # rounded up: the last one is before the end
        time = asked.begin + count * interval
        text = time.isoformat(timespec="microseconds")[:26]
        radius, west, latitude, local = position((time - PERIJOVE).total_seconds(), asked.frame)
        print(f":01:{text} {radius:11.5f} {round(west, 4) % 360:10.4f} {latitude:10.4f} {round(local, 4) % 24:10.4f}")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when nobody reads any more
    main()
