# SPDX-License-Identifier: Unlicense
"""Write the waveforms of Voyager 1 PWS wideband frames as a das2 binary stream: `reader.py DIR BEGIN END`.

DIR holds frames as the Planetary Data System archives them (PDSFORMAT.LBL, WFENGHDR.FMT, WFROWPFX.FMT), each named
by the spacecraft event time of its first line, `VG1_1979-03-01_12-26-11-956.DAT`. Records are of 1024 bytes; here
bytes are counted from 1, as the labels do.

* Record 1 is the header. Bytes 249 to 300 are an ASCII label that ends with the time of line 1. The binary times of
  the header "are not always reliable", so they are not used.
* Each other record, 800 at most, is a *line*: 220 bytes of prefix, 800 bytes with two samples of 4 bits each, the
  high nibble first, and 4 bytes that are not used. 1600 samples at 28,800 a second take 55.56 ms; 4.44 ms are lost
  before the next line begins.

The time of a line is that of line 1 and 60 ms for each line number (bytes 117-118) after 1, so lines that are missing
from a file move no other. Bytes 217 to 220 are the first and the last valid pixel of a line, 1 to 800, where a pixel
is a byte of samples: samples outside of them are given as fill, and a line without any is left out. All else is given
as stored. In the real frames the first 16 samples of a line are 0, and so is what telemetry lost of a line whose
pixels are all called valid: standard error names such lines by their count of missing minor frames (bytes 149-150).
"""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of us2000, microseconds since then
MICROSECOND = timedelta(microseconds=1)
FRAME = timedelta(seconds=48)  # 800 lines
LINE = 60_000  # microseconds from line to line
FILL = -1e31

RECORD = np.dtype(
    {
        "names": ["number", "missing", "first", "last", "pixels"],
        "formats": [">u2", ">i2", ">i2", ">i2", ("u1", 800)],
        "offsets": [116, 148, 216, 218, 220],
        "itemsize": 1024,
    }
)
PACKET = np.dtype([("tag", "S4"), ("time", "<f8"), ("waveform", "<f4", 1600)])

STREAM_HEADER = """<stream version="2.2">
  <properties title="Voyager 1 PWS wideband waveforms, uncalibrated" String:renderer="waveform"
    Datum:xTagWidth="0.12 s" boolean:xMonotonic="true" xLabel="Spacecraft event time (UTC)" />
</stream>
"""
PACKET_HEADER = f"""<packet>
  <x type="little_endian_real8" units="us2000"></x>
  <yscan name="waveform" type="little_endian_real4" nitems="1600"
         yUnits="s" yTagInterval="{1 / 28_800}" yTagMin="0" zUnits="">
    <properties yLabel="Time since the first sample of the line" zLabel="Receiver output (counts)"
      double:zFill="{FILL}" double:zValidMin="0" double:zValidMax="15" />
  </yscan>
</packet>
"""


def utc(text: str) -> datetime:
    """Read an ISO 8601 time; all times are UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Give a time as us2000."""
    return (moment - EPOCH) // MICROSECOND


def header(tag: str, xml: str) -> bytes:
    """Frame one das2 header packet: its id, the length of its body, its body."""
    return f"[{tag}]{len(xml):06d}{xml}".encode()


def named_time(frame: Path) -> datetime:
    """Read the time in a frame's name, that of its first line."""
    return datetime.strptime(frame.stem, "VG1_%Y-%m-%d_%H-%M-%S-%f").replace(tzinfo=UTC)


def packets(frame: Path, begin: datetime, end: datetime) -> np.ndarray:
    """Read the lines of a frame that start in the range: an array of das2 data packets, one for each line."""
    content = frame.read_bytes()
    label = content[248:300].rstrip(b"\0").decode("ascii", "replace")
    if len(content) % 1024 or not label.startswith("VOYAGER-1 PWS"):
        raise ValueError(f"{frame.name} is no frame of Voyager 1 PWS: 1024-byte records, with a label in the first")
    records = np.frombuffer(content, RECORD)[1:]
    time = microseconds(utc(label.split()[-1])) + LINE * (records["number"].astype("i8") - 1)

    filled = (records["number"] > 0) & (records["first"] > 0) & (records["last"] >= records["first"])
    asked = (time >= microseconds(begin)) & (time < microseconds(end))
    lines, time = records[filled & asked], time[filled & asked]
    if broken := lines["number"][lines["missing"] > 0].tolist():
        print(f"{frame.name}: telemetry was lost in these lines: {broken}", file=sys.stderr)

    written = np.empty(len(lines), PACKET)
    written["tag"] = b":01:"
    written["time"] = time
    written["waveform"][:, 0::2] = lines["pixels"] >> 4
    written["waveform"][:, 1::2] = lines["pixels"] & 15
    pixel = np.arange(1, 801)
    invalid = (pixel < lines["first"][:, None]) | (pixel > lines["last"][:, None])
    written["waveform"][np.repeat(invalid, 2, axis=1)] = FILL
    return written


def main() -> None:
    """Write the lines that start at BEGIN <= time < END, frame by frame."""
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("begin", type=utc)
    parser.add_argument("end", type=utc)
    asked = parser.parse_args()
    if asked.begin >= asked.end:
        parser.error("the range must begin before it ends")
    if not asked.folder.is_dir():
        parser.error(f"there is no folder {asked.folder}")

    out = sys.stdout.buffer
    out.write(header("00", STREAM_HEADER))
    found = False
    frames = sorted(asked.folder.glob("VG1_????-??-??_*.DAT"))  # by name, so by time
    for frame in frames:
        if asked.begin < named_time(frame) + FRAME and named_time(frame) < asked.end:
            lines = packets(frame, asked.begin, asked.end)
            if len(lines) and not found:
                out.write(header("01", PACKET_HEADER))
                found = True
            out.write(lines.tobytes())
    if not found:
        near = f"; frames begin from {named_time(frames[0]):%FT%T} to {named_time(frames[-1]):%FT%T}" if frames else ""
        out.write(header("xx", f'<exception type="NoDataInInterval" message="No line starts there{near}." />\n'))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when nobody reads any more
    try:
        main()
    except (OSError, ValueError) as problem:
        sys.exit(f"reader.py: {problem}")
