# SPDX-License-Identifier: Unlicense
"""Write random numbers between -10 and 10 as a das2 text stream: `reader.py BEGIN END`.

Each number is seeded by its own time, so the same request always gives the same answer. The step follows from
the length of the range: about a thousand numbers at most.
"""

from __future__ import annotations

import argparse
import random
import signal
from datetime import UTC, datetime, timedelta

ORIGIN = datetime(1, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
DAY = 86_400_000
STEPS = [1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000, 10_800_000, 43_200_000]  # 1 ms to 12 hours
STEPS += [DAY, 10 * DAY, 100 * DAY, 1000 * DAY, 10_000 * DAY]

STREAM = """<stream version="2.2">
  <properties title="Random numbers between -10 and 10" boolean:xMonotonic="true" Datum:xTagWidth="{width:g} s"
    xLabel="Time (UTC)" />
</stream>
"""
PACKET = """<packet>
  <x type="time24" units="us2000"></x>
  <y name="random" type="ascii11" units=""><properties yLabel="Random number" /></y>
</packet>
"""
NOTHING = """<exception type="NoDataInInterval" message="There is one number a millisecond at most." />
"""


def utc(text: str) -> datetime:
    """Read an ISO 8601 time; all times are UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def header(tag: str, xml: str) -> str:
    """Frame one das2 header packet: its id, the length of its body, its body."""
    return f"[{tag}]{len(xml):06d}{xml}"


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since the origin, rounded up: the first one that is not before the moment."""
    return -((ORIGIN - moment) // MILLISECOND)


def main() -> None:
    """Write the numbers of BEGIN <= time < END."""
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS)
    parser.add_argument("begin", type=utc)
    parser.add_argument("end", type=utc)
    asked = parser.parse_args()
    if asked.begin >= asked.end:
        parser.error("the range must begin before it ends")

    begin, end = milliseconds(asked.begin), milliseconds(asked.end)
    step = next(step for step in STEPS if end - begin <= 1000 * step)
    times = range(-(-begin // step) * step, end, step)  # multiples of the step, the first not before the beginning

    print(header("00", STREAM.format(width=2 * step / 1000)), end="")
    print(header("01", PACKET) if times else header("xx", NOTHING), end="")
    for time in times:
        text = (ORIGIN + time * MILLISECOND).isoformat(timespec="milliseconds")[:23]
        value = 20 * random.Random(time).random() - 10
        print(f":01:{text} {value:10.3e}")  # 24 bytes of time, 11 of value, each with what separates it from the next


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when nobody reads any more
    main()
