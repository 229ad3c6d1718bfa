# SPDX-License-Identifier: GPL-3.0-or-later
"""The Voyager frames of `Waveform`: real and made ones, against a second reading of their labels in plain integers."""

from __future__ import annotations

import struct
import subprocess
import sys
import tomllib
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

ALL = ("1979-03-01T12:26:11", "1979-03-01T12:29:24")
EPOCH = datetime.fromisoformat("2000-01-01")


def us2000(text):
    return (datetime.fromisoformat(text) - EPOCH) / timedelta(microseconds=1)


def lines_of(path):
    """The lines of a PDS frame: (us2000, 1600 samples), by the byte positions of PDSFORMAT.LBL and the two FMT files."""
    content = path.read_bytes()
    label = content[248:298].decode()
    assert content[298:300] == b"\0\0"
    first = us2000(label[26:49])
    for at in range(1024, len(content), 1024):
        prefix, pixels = content[at : at + 220], content[at + 220 : at + 1020]
        number = 256 * prefix[116] + prefix[117]
        samples = [nibble for pixel in pixels for nibble in (pixel // 16, pixel % 16)]
        yield first + 60_000 * (number - 1), samples


@pytest.fixture(scope="module")
def voyager(test_data):
    return test_data / "voyager"


@pytest.fixture(scope="module")
def whole(start, voyager):
    done = start("Waveform", voyager, *ALL)
    assert done.returncode == 0
    return done


def test_every_sample_of_the_four_real_frames_is_given(whole, voyager, walk):
    expected = [line for path in sorted(voyager.glob("*.DAT")) for line in lines_of(path)]
    stream = walk(whole.stdout)
    assert len(stream.records) == len(expected) == 3200
    for ([time], samples), line in zip(stream.records, expected, strict=True):
        assert (time, samples) == line


def test_real_lines_are_60_ms_apart_even_across_frames(whole, walk):
    times = walk(whole.stdout).times
    assert {late - early for early, late in pairwise(times)} == {60_000}
    assert (times[0], times[-1]) == (us2000("1979-03-01T12:26:11.956"), us2000("1979-03-01T12:29:23.896"))


def test_lines_that_telemetry_lost_in_part_are_named(whole):
    message = "VG1_1979-03-01_12-28-35-956.DAT: telemetry was lost in these lines: [112, 113]\n"
    assert whole.stderr.decode() == message


@pytest.mark.parametrize(
    ("begin", "end", "count"),
    [
        ("12:26:12.016", "12:26:12.076", 1),  # from one line to the next
        ("12:26:12.015999", "12:26:12.016001", 1),
        ("12:26:12.016001", "12:26:12.076", 0),
        ("12:26:59.896", "12:27:00.016", 2),  # the last line of a frame and the first of the next
        ("12:26:59.896001", "12:26:59.956", 0),  # in the last line of a frame
        ("12:29:23.896", "12:30:00", 1),
        ("12:29:23.897", "12:30:00", 0),
        ("12:00:00", "12:26:11.956", 0),
    ],
)
def test_a_line_counts_when_it_starts_in_the_half_open_range(begin, end, count, read, voyager):
    stream = read("Waveform", voyager, f"1979-03-01T{begin}", f"1979-03-01T{end}")
    assert len(stream.records) == count
    assert bool(stream.messages) == (count == 0)


def test_high_nibble_is_the_earlier_sample(voyager):
    """The label does not say which nibble is first; the waveform does: in the other order it is much rougher."""
    for path in sorted(voyager.glob("*.DAT")):
        right = wrong = 0
        for _, samples in lines_of(path):
            swapped = [value for pair in zip(samples[1::2], samples[0::2], strict=True) for value in pair]
            right += sum(abs(a - b) for a, b in pairwise(samples))
            wrong += sum(abs(a - b) for a, b in pairwise(swapped))
        assert right < 0.8 * wrong


def test_header_says_what_das_clients_need_to_draw_a_waveform(read):
    stream = read("Waveform", "frames", *ALL)
    x, scan = stream.packets["01"]
    assert (x.attributes["type"], x.attributes["units"]) == ("little_endian_real8", "us2000")
    assert {key: scan.attributes[key] for key in ("name", "type", "nitems", "yUnits", "yTagMin", "zUnits")} == {
        "name": "waveform",
        "type": "little_endian_real4",
        "nitems": "1600",
        "yUnits": "s",
        "yTagMin": "0",
        "zUnits": "",
    }
    assert float(scan.attributes["yTagInterval"]) == 1 / 28_800
    assert stream.properties["String:renderer"] == "waveform"
    assert stream.properties["Datum:xTagWidth"] == "0.12 s"


def test_shipped_frames_are_what_their_script_makes(examples, tmp_path):
    subprocess.run([sys.executable, examples / "Waveform" / "make_frames.py", tmp_path], check=True, timeout=60)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    shipped = {path.name: path.read_bytes() for path in (examples / "Waveform" / "frames").iterdir()}
    assert made == shipped
    assert sum(map(len, made.values())) < 50_000


def test_shipped_frames_hold_data_in_the_range_of_the_definition(examples, read):
    definition = tomllib.loads((examples / "Waveform" / "source.toml").read_text())
    begin, end = definition["coords"]["time"]["range"].split(" to ")
    expected = [line for path in sorted((examples / "Waveform" / "frames").iterdir()) for line in lines_of(path)]
    assert [(time, samples) for [time], samples in read("Waveform", "frames", begin, end).records] == expected
    assert len(expected) == 40
    assert {value for _, samples in expected for value in samples} <= set(range(16))


def frame(label_time, lines):
    """A frame with a label and lines of (number, first pixel, last pixel, missing minor frames, byte of samples)."""
    content = bytearray(1024)
    content[248:298] = f"VOYAGER-1 PWS  2/16269:51 {label_time}Z".encode()
    for number, first, last, missing, pixel in lines:
        record = bytearray(1024)
        struct.pack_into(">H", record, 116, number)
        struct.pack_into(">h", record, 148, missing)
        struct.pack_into(">hh", record, 216, first, last)
        record[220:1020] = bytes([pixel]) * 800
        content += record
    return bytes(content)


def test_missing_blank_and_partial_lines(start, walk, tmp_path):
    """Missing lines move no other; blank ones are left out; samples outside of the valid pixels are fill."""
    lines = [(2, 1, 800, 0, 0x12), (3, 0, 0, 0, 0), (0, 1, 800, 0, 0x99), (7, 3, 798, 0, 0x34), (800, 1, 800, 1, 0xF0)]
    (tmp_path / "VG1_1979-03-01_00-00-00-000.DAT").write_bytes(frame("1979-03-01T00:00:00.000", lines))
    done = start("Waveform", tmp_path, "1979-03-01", "1979-03-02")
    second, seventh, last = walk(done.stdout).records
    assert second == [[us2000("1979-03-01T00:00:00.060")], [1, 2] * 800]
    assert seventh[0] == [us2000("1979-03-01T00:00:00.360")]
    assert seventh[1][:4] == pytest.approx([-1e31] * 4)
    assert seventh[1][4:-4] == [3, 4] * 796
    assert seventh[1][-4:] == pytest.approx([-1e31] * 4)
    assert last == [[us2000("1979-03-01T00:00:47.940")], [15, 0] * 800]
    assert b"telemetry was lost in these lines: [800]" in done.stderr


def test_times_follow_from_the_label_over_midnight(read, tmp_path):
    path = tmp_path / "VG1_1979-03-01_23-59-59-970.DAT"
    path.write_bytes(frame("1979-03-01T23:59:59.970", [(1, 1, 800, 0, 0), (2, 1, 800, 0, 0)]))
    assert read("Waveform", tmp_path, "1979-03-02", "1979-03-03").times == [us2000("1979-03-02T00:00:00.030")]


def test_frames_of_voyager_2_and_other_files_are_passed_by(read, tmp_path):
    for name in ("VG2_1979-03-01_00-00-00-000.DAT", "PDSFORMAT.LBL", "notes.DAT"):
        (tmp_path / name).write_bytes(b"something else")
    assert read("Waveform", tmp_path, "1979-03-01", "1979-03-02").messages


def test_nothing_found_tells_where_there_are_frames(read, tmp_path, examples):
    (_, near), (_, none) = (
        read("Waveform", folder, "1980-01-01", "1980-01-02").messages[0]
        for folder in (examples / "Waveform" / "frames", tmp_path)
    )
    assert near["message"] == "No line starts there; frames begin from 1979-03-01T12:27:00 to 1979-03-01T12:27:48."
    assert none["message"] == "No line starts there."


@pytest.mark.parametrize(
    "content", [b"", b"x" * 1024, frame("1979-03-01T00:00:00.000", [(1, 1, 800, 0, 0)])[:-1], frame("garbled", [])]
)
def test_a_file_that_is_no_frame_is_a_failure_in_one_line(content, start, tmp_path):
    (tmp_path / "VG1_1979-03-01_00-00-00-000.DAT").write_bytes(content)
    done = start("Waveform", tmp_path, "1979-03-01", "1979-03-02")
    assert done.returncode == 1
    assert done.stderr.startswith(b"reader.py: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_is_not_there_is_a_bad_argument(start, tmp_path):
    done = start("Waveform", tmp_path / "nowhere", "1979-03-01", "1979-03-02")
    assert done.returncode == 2
    assert b"there is no folder" in done.stderr
