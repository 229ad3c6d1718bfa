# SPDX-License-Identifier: Unlicense
"""Write synthetic spectra of a spinning spacecraft as a das2 binary stream: `reader.py [OPTIONS] BEGIN END`.

There is one spectrum for each spin of 3 s, timed at the middle of the spin, from 2008-06-29 to 2008-07-06. It is made
of a background that falls with frequency, and two bands of chorus that drift and come and go. The scatter of an hour
has the hour as its seed, so a spin looks the same in every request that has the same options.
"""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime, timedelta

import numpy as np

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of us2000, microseconds since then
FIRST, LAST = datetime(2008, 6, 29, tzinfo=UTC), datetime(2008, 7, 6, tzinfo=UTC)
SPIN = 3.0  # seconds
UNITS = {"B": "nT**2 Hz**-1", "E": "V**2 m**-2 Hz**-1"}
BACKGROUND = {"B": (1e-5, -3.0), "E": (1e-10, -2.0)}  # at 100 Hz, and how it falls with frequency
CHORUS = {"B": 1e-6, "E": 1e-9}  # at its strongest
BANDS = ((0.30, 1.0), (0.62, 0.2))  # fraction of the gyrofrequency, relative strength

STREAM = """<stream version="2.2">
  <properties title="Synthetic spectra of a spinning spacecraft" renderer="spectrogram" boolean:xMonotonic="true"
    Datum:xTagWidth="6 s" xLabel="Time (UTC)" />
</stream>
"""
PACKET = """<packet>
  <x type="little_endian_real8" units="us2000"></x>
  <yscan name="psd" type="little_endian_real4" nitems="{count}" yUnits="Hz" zUnits="{units}" yTags="{tags}">
    <properties yLabel="Frequency (Hz)" yScaleType="log" zLabel="{sensor} ({units})" zScaleType="log" />
  </yscan>
</packet>
"""
NOTHING = """<exception type="NoDataInInterval" message="There is one spectrum in 3 s from 2008-06-29 to 2008-07-06." />
"""


def utc(text: str) -> datetime:
    """Read an ISO 8601 time; all times are UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def header(tag: str, xml: str) -> bytes:
    """Frame one das2 header packet: its id, the length of its body, its body."""
    return f"[{tag}]{len(xml):06d}{xml}".encode()


def spectra(hour: int, frequency: np.ndarray, asked: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Make the times, in seconds after the first spin begins, and the spectra of one hour of spins."""
    time = 3600.0 * hour + SPIN * (np.arange(3600 / SPIN) + 0.5)
    level, slope = BACKGROUND[asked.sensor]
    psd = np.tile(level * (frequency / 100) ** slope, (time.size, 1))
    for place, share in BANDS:
        centre = asked.gyro * place * (1 + 0.15 * np.sin(time / 140))[:, None]
        burst = np.maximum(0, np.sin(time / 430 + place) * np.sin(time / 37))[:, None]
        psd += CHORUS[asked.sensor] * share * burst**2 * np.exp(-((np.log(frequency / centre) / 0.12) ** 2))
    if asked.noise:
        psd *= 10 ** np.random.default_rng(hour).normal(0, 0.15, psd.shape)
    return time, psd


def arguments() -> argparse.Namespace:
    """Read the command line, and stop with one line of complaint if it is wrong."""
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS)
    parser.add_argument("--sensor", choices=sorted(UNITS), default="B")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--gyro", type=float, default=1000.0)
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("begin", type=utc)
    parser.add_argument("end", type=utc)
    asked = parser.parse_args()
    if asked.begin >= asked.end:
        parser.error("the range must begin before it ends")
    if not 6 <= asked.channels <= 64:
        parser.error("there can be 6 to 64 channels")
    if not 100 <= asked.gyro < 5000:
        parser.error("the gyrofrequency must be 100 Hz or more, and below 5000 Hz")
    return asked


def main() -> None:
    """Write the spectra of BEGIN <= time < END, hour by hour."""
    asked = arguments()
    begin, end = ((min(max(moment, FIRST), LAST) - FIRST).total_seconds() for moment in (asked.begin, asked.end))
    frequency = np.geomspace(10, 4000, asked.channels)
    packet = np.dtype([("tag", "S4"), ("time", "<f8"), ("psd", "<f4", asked.channels)])
    offset = (FIRST - EPOCH) // timedelta(microseconds=1)

    out = sys.stdout.buffer
    out.write(header("00", STREAM))
    found = False
    for hour in range(int(begin // 3600), int(-(-end // 3600))):
        time, psd = spectra(hour, frequency, asked)
        inside = (time >= begin) & (time < end)
        if inside.any() and not found:
            tags = ",".join(f"{value:.6g}" for value in frequency)
            words = {"count": asked.channels, "units": UNITS[asked.sensor], "tags": tags, "sensor": asked.sensor}
            out.write(header("01", PACKET.format(**words)))
            found = True
        written = np.empty(inside.sum(), packet)
        written["tag"] = b":01:"
        written["time"] = offset + 1e6 * time[inside]
        written["psd"] = psd[inside]
        out.write(written.tobytes())
    if not found:
        out.write(header("xx", NOTHING))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when nobody reads any more
    main()
