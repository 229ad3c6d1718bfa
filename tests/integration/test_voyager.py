# SPDX-License-Identifier: GPL-3.0-or-later
"""One command gives every waveform of the real Voyager files as CSV; an independent reading of these files proves it."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

RECORD = 1024
LINES = 800
PREFIX, SAMPLES = 220, 800


def frames(folder):
    """The lines of the frames in order of time, as the label files describe them: start time and 1,600 counts.

    A record holds 1,024 bytes. The first has a label with the time of line 1; each other one is a line, of which bytes
    221 to 1,020 hold 1,600 samples of 4 bits, the first one in the high bits. Lines are 60 ms apart.
    """
    for path in sorted(folder.glob("VG1_*.DAT")):
        data = path.read_bytes()
        label = data[248:300].split(b"\0")[0].decode("ascii")
        begin = datetime.fromisoformat(re.search(r"\d{4}-\d\d-\d\dT[\d:.]+", label)[0])
        for place in range(1, len(data) // RECORD):
            record = data[place * RECORD : (place + 1) * RECORD]
            number = int.from_bytes(record[116:118], "big")
            packed = record[PREFIX : PREFIX + SAMPLES]
            counts = [half for byte in packed for half in (byte >> 4, byte & 15)]
            yield begin + timedelta(milliseconds=60 * (number - 1)), counts


@pytest.fixture(scope="module")
def answer(test_data, tmp_path_factory):
    """The rows that the command writes, header first."""
    folder = tmp_path_factory.mktemp("voyager")
    program = [sys.executable, "-m", "dasflex_core"]
    environ = {**os.environ, "DASFLEX_VOYAGER_DATA": str(test_data / "voyager")}
    subprocess.run([*program, "root", str(folder / "root"), "Test"], check=True, capture_output=True)
    words = [
        "get",
        "--root",
        str(folder / "root"),
        "Examples/Waveform",
        "read.time.min=1979-03-01T12:26:11",
        "read.time.max=1979-03-01T12:29:24",
        "format.type=csv",
    ]
    with (folder / "waveform.csv").open("wb") as file:
        subprocess.run([*program, *words], check=True, stdout=file, env=environ)
    with (folder / "waveform.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_there_is_a_row_for_each_line_of_the_four_files(answer, test_data):
    lines = list(frames(test_data / "voyager"))
    assert len(lines) == 4 * LINES
    assert len(answer) == 1 + len(lines)
    assert len(answer[0]) == 1 + 2 * SAMPLES
    assert answer[0][0] == "time"


def test_every_time_and_every_sample_is_that_of_the_files(answer, test_data):
    for row, (begin, counts) in zip(answer[1:], frames(test_data / "voyager"), strict=True):
        assert abs(datetime.fromisoformat(row[0]) - begin) <= timedelta(microseconds=1)
        assert [int(float(cell)) for cell in row[1:]] == counts
