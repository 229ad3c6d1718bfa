# SPDX-License-Identifier: Unlicense
"""Write one random number a minute as a das2 text stream: `reader.py BEGIN END`.

A reader knows nothing of who may read: the definition says that, and the server sees to it before it starts one.
"""

from __future__ import annotations

import argparse
import random
import signal
from datetime import UTC, datetime, timedelta

ORIGIN = datetime(1, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

STREAM = """<stream version="2.2">
  <properties title="Random numbers for one user" Datum:xTagWidth="120 s" xLabel="Time (UTC)" />
</stream>
"""
PACKET = """<packet>
  <x type="time24" units="us2000"></x>
  <y name="random" type="ascii11" units=""><properties yLabel="Random number" /></y>
</packet>
"""
NOTHING = """<exception type="NoDataInInterval" message="There is one value a minute." />
"""


def utc(text: str) -> datetime:
    """Read an ISO 8601 time; all times are UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def header(tag: str, xml: str) -> str:
    """Frame one das2 header packet: its id, the length of its body, its body."""
    return f"[{tag}]{len(xml):06d}{xml}"


def main() -> None:
    """Write the numbers of BEGIN <= time < END."""
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS)
    parser.add_argument("begin", type=utc)
    parser.add_argument("end", type=utc)
    asked = parser.parse_args()
    if asked.begin >= asked.end:
        parser.error("the range must begin before it ends")

    # Minutes are counted from the origin and rounded up: the first one that is not before the moment.
    minutes = range(-((ORIGIN - asked.begin) // MINUTE), -((ORIGIN - asked.end) // MINUTE))
    print(header("00", STREAM), end="")
    print(header("01", PACKET) if minutes else header("xx", NOTHING), end="")
    for minute in minutes:
        text = (ORIGIN + minute * MINUTE).isoformat(timespec="milliseconds")[:23]
        print(f":01:{text} {20 * random.Random(minute).random() - 10:10.3e}")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when nobody reads any more
    main()
