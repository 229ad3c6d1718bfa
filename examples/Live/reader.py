# SPDX-License-Identifier: Unlicense
"""Write the spectra of a made-up high-frequency receiver as a das3 binary stream: `reader.py [OPTIONS] BEGIN END`.

With `--follow` in place of the range it follows the present, as a program at a real instrument does: it begins with
the record of this moment, writes each one when its time has come, and makes up for what it missed while it was stopped.

Record N is at N / rate seconds after 2000-01-01 and holds the same bytes whenever it is made, since all that is in it
is computed from its time, the seed and the frequencies. So what was written live is found again by its range. There
are no records of the future. Only the standard library is used: a live reader should be there at once.
"""

from __future__ import annotations

import argparse
import random
import signal
import struct
import sys
import time
from array import array
from datetime import UTC, datetime, timedelta
from math import exp, log10, pi, sin
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of us2000, microseconds since then; leap seconds are not counted
EPOCH_1970 = 946_684_800  # the same in the seconds of time.time()
LOWEST, HIGHEST = 1e5, 4e7  # Hz
UNITS = "V**2 m**-2 Hz**-1"

CARRIERS = ((6.07e6, 2e-12), (1.55e7, 4e-12))  # Hz and strength: broadcast stations, which keep their frequency
LINES = ((4e5, 0.30, 97.0, 3e-11), (2.2e6, 0.18, 53.0, 8e-11), (9e6, 0.12, 31.0, 1e-11))
#         centre in Hz, decades that it drifts, period of the drift in seconds, strength
WIDTH = 0.02  # of a line, in decades
SLOT = 24  # seconds; in each of them one burst may begin
BURST = 4e-10  # what a strong one adds at its peak

STREAM = """
<stream type="das-basic-stream" version="3.0">
  <properties>
    <p name="title">High-frequency receiver, synthetic</p>
  </properties>
</stream>
"""
DATASET = """
<dataset name="survey" rank="2" index="*;{count}" plot="cartesian3d">
  <coord physDim="time" name="time" axis="x">
    <properties><p name="label">Time (UTC)</p></properties>
    <scalar use="center" semantic="datetime" storage="long" index="*;-" units="us2000">
      <packet numItems="1" itemBytes="8" encoding="LEint" />
    </scalar>
  </coord>
  <coord physDim="frequency" name="frequency" axis="y">
    <properties>
      <p name="label">Frequency</p>
      <p name="scaleType">log</p>
    </properties>
    <scalar use="center" semantic="real" storage="double" index="-;{count}" units="Hz">
      <values>{tags}</values>
    </scalar>
  </coord>
  <data physDim="E_spec_dens" name="psd">
    <properties>
      <p name="label">Spectral density</p>
      <p name="scaleType">log</p>
    </properties>
    <scalar use="center" semantic="real" storage="float" index="*;{count}" units="{units}">
      <packet numItems="{count}" itemBytes="4" encoding="LEreal" fill="-1e31" />
    </scalar>
  </data>
  <data physDim="temperature" name="temperature">
    <properties><p name="label">Preamplifier</p></properties>
    <scalar use="center" semantic="real" storage="float" index="*;-" units="degC">
      <packet numItems="1" itemBytes="4" encoding="LEreal" fill="-1e31" />
    </scalar>
  </data>
</dataset>
"""
NOTHING = """
<exception type="NoMatchingData">There is a record each {step:g} s, and none of the future.</exception>
"""


def utc(text: str) -> datetime:
    """Read an ISO 8601 time; all times are UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def packet(tag: str, body: bytes, number: str = "") -> bytes:
    """Frame one das3 packet: its tag, the number of its dataset, the length of its body, its body."""
    return f"|{tag}|{number}|{len(body)}|".encode() + body


class Receiver:
    """The instrument: what it measures at any time, always the same under one seed."""

    def __init__(self, seed: int, rate: int, channels: int) -> None:
        self.seed, self.rate = seed, rate
        step = log10(HIGHEST / LOWEST) / (channels - 1)
        self.places = [log10(LOWEST) + step * channel for channel in range(channels)]
        self.frequencies = [10**place for place in self.places]
        self.floor = [6e-17 + 3e-15 * (5e5 / f) ** 2.2 * exp(-((3e5 / f) ** 2)) for f in self.frequencies]
        self.reach = int(3 * WIDTH / step) + 1  # channels to either side in which a line is seen
        for frequency, strength in CARRIERS:
            self.floor[round((log10(frequency) - self.places[0]) / step)] += strength
        scatter = random.Random(seed)
        self.noise = [exp(scatter.gauss(0, 0.35)) for _ in range(4096 + channels)]

    def headers(self) -> bytes:
        """Give the headers of the stream and of its dataset."""
        tags = " ".join(f"{frequency:.6g}" for frequency in self.frequencies)
        dataset = DATASET.format(count=len(self.frequencies), units=UNITS, tags=tags)
        return packet("Sx", STREAM.encode()) + packet("Hx", dataset.encode(), "1")

    def microseconds(self, number: int) -> int:
        """Give the time of a record as us2000."""
        return number * 1_000_000 // self.rate

    def after(self, microseconds: int) -> int:
        """Give the number of the first record that is not before a time in us2000."""
        return -(-microseconds * self.rate // 1_000_000)

    def record(self, number: int) -> bytes:
        """Make the packet of one record."""
        microseconds = self.microseconds(number)
        seconds = microseconds / 1e6
        chance = random.Random(f"{self.seed} {microseconds}")
        start = chance.randrange(4096)
        level = self.floor.copy()
        self._add_lines(level, seconds)
        for slot in (int(seconds) // SLOT - 1, int(seconds) // SLOT):
            self._add_burst(level, seconds, slot)
        values = array("f", map(float.__mul__, level, self.noise[start : start + len(level)]))
        if sys.byteorder == "big":
            values.byteswap()
        warmth = 36 + 15.5 * sin(2 * pi * seconds / 240) + chance.gauss(0, 0.1)
        body = struct.pack("<q", microseconds) + values.tobytes() + struct.pack("<f", warmth)
        return packet("Pd", body, "1")

    def _add_lines(self, level: list[float], seconds: float) -> None:
        """Add the emission lines, which drift up and down."""
        first, step = self.places[0], self.places[1] - self.places[0]
        for frequency, drift, period, strength in LINES:
            centre = log10(frequency) + drift * sin(2 * pi * seconds / period)
            fades = strength * (0.55 + 0.45 * sin(2 * pi * seconds / (0.37 * period)))
            middle = round((centre - first) / step)
            for channel in range(max(0, middle - self.reach), min(len(level), middle + self.reach + 1)):
                level[channel] += fades * exp(-(((self.places[channel] - centre) / WIDTH) ** 2))

    def _add_burst(self, level: list[float], seconds: float, slot: int) -> None:
        """Add a burst that sweeps from high frequencies to low ones, as those of the Sun do, if the slot has one."""
        chance = random.Random(f"{self.seed} burst {slot}")
        begin, strength = slot * SLOT + chance.uniform(0, SLOT), BURST * 10 ** chance.uniform(-1.5, 0.7)
        if chance.random() < 0.3:
            return
        since = seconds - begin
        for channel, frequency in enumerate(self.frequencies):
            lasts = 0.4 + 2e5 / frequency  # seconds
            age = (since - 4e5 / frequency) / lasts
            if 0 < age < 12:
                level[channel] += strength * age * exp(1 - age)


def past(receiver: Receiver, begin: datetime, end: datetime) -> Iterator[bytes]:
    """Give the records of BEGIN <= time < END that have been."""
    ends = [(moment - EPOCH) // timedelta(microseconds=1) for moment in (begin, min(end, datetime.now(UTC)))]
    first, last = map(receiver.after, ends)
    for number in range(max(0, first), last):
        yield receiver.record(number)


def present(receiver: Receiver) -> Iterator[bytes]:
    """Give the record of this moment, and then each one at its time."""
    number = int((time.time() - EPOCH_1970) * receiver.rate)
    while True:
        due = receiver.microseconds(number) / 1e6 + EPOCH_1970
        while (early := due - time.time()) > 0:
            time.sleep(min(early, 1.0))  # no longer, should the clock be set
        yield receiver.record(number)
        number += 1


def arguments() -> argparse.Namespace:
    """Read the command line, and stop with one line of complaint if it is wrong."""
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS)
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=10)
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("begin", type=utc, nargs="?")
    parser.add_argument("end", type=utc, nargs="?")
    asked = parser.parse_args()
    if asked.follow != (asked.end is None) or asked.follow != (asked.begin is None):
        parser.error("say either --follow, or where the range begins and where it ends")
    if not asked.follow and asked.begin >= asked.end:
        parser.error("the range must begin before it ends")
    if not 1 <= asked.rate <= 1000:
        parser.error("the rate must be 1 to 1000 records a second")
    if not 16 <= asked.channels <= 1024:
        parser.error("there can be 16 to 1024 channels")
    return asked


def main() -> None:
    """Write the records of a range, or of the present."""
    asked = arguments()
    receiver = Receiver(asked.seed, asked.rate, asked.channels)
    records = present(receiver) if asked.follow else past(receiver, asked.begin, asked.end)
    out = sys.stdout.buffer
    out.write(receiver.headers())
    found = False
    for record in records:
        out.write(record)
        found = True
        if asked.follow:
            out.flush()  # whoever watches sees it now
    if not found:
        out.write(packet("Ex", NOTHING.format(step=1 / receiver.rate).encode()))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when nobody reads any more
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
