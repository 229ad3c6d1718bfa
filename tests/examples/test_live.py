# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver of `Live`: what is written live is what its range gives, at its time, and the same under one seed."""

from __future__ import annotations

import os
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from xml.parsers import expat

import pytest
from lxml import etree

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
RANGE = ("2025-11-23T09:00", "2025-11-23T09:00:05")
PREFIX = re.compile(rb"\|([SHPCE][xd])\|(\d*)\|(\d+)\|")


def packets(data):
    """The das3 packets of a stream to its last byte (das3 streams, framing): (tag, dataset, body)."""
    at = 0
    while at < len(data):
        found = PREFIX.match(data, at)
        assert found, f"no packet begins at byte {at}"
        body = data[found.end() : found.end() + int(found[3])]
        assert len(body) == int(found[3]), "a packet is whole"
        at = found.end() + len(body)
        yield found[1].decode(), found[2].decode(), body


def record(body):
    """A record: its time, the spectrum, the temperature."""
    microseconds, *rest = struct.unpack(f"<q{(len(body) - 8) // 4}f", body)
    return EPOCH + timedelta(microseconds=microseconds), rest[:-1], rest[-1]


def records(data):
    return [record(body) for tag, _, body in packets(data) if tag == "Pd"]


@pytest.fixture
def archive(start):
    """A function that gives what the reader writes of a range."""

    def run(*arguments):
        done = start("Live", *arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


class Following:
    """A reader that follows the present, and the packets that come of it with the time of their arrival."""

    def __init__(self, process):
        self.process = process
        self._held = b""

    def arrivals(self):
        while True:
            while found := PREFIX.match(self._held):
                end = found.end() + int(found[3])
                if len(self._held) < end:
                    break
                whole, self._held = self._held[:end], self._held[end:]
                if found[1] == b"Pd":
                    yield datetime.now(UTC), whole
            ready, _, _ = select.select([self.process.stdout], [], [], 20)
            assert ready, "nothing came for 20 s"
            self._held += os.read(self.process.stdout.fileno(), 65536)


@pytest.fixture
def follow(examples):
    """A function that starts the reader at the present: options -> `Following`."""
    started = []

    def run(*options):
        command = [sys.executable, "reader.py", "--follow", *options]
        started.append(subprocess.Popen(command, cwd=examples / "Live", stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return Following(started[-1])

    yield run
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("rate", "channels", "count"), [(10, 256, 50), (1, 64, 5), (7, 512, 35), (1000, 16, 5000)])
def test_a_range_holds_each_record_of_the_grid_once(rate, channels, count, archive):
    found = records(archive(f"--rate={rate}", f"--channels={channels}", *RANGE))
    begin, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in RANGE)
    first = (begin - EPOCH) // timedelta(seconds=1) * rate
    grid = [EPOCH + timedelta(microseconds=number * 1_000_000 // rate) for number in range(first, first + count)]
    assert [time for time, _, _ in found] == grid
    assert grid[-1] < end
    assert {len(spectrum) for _, spectrum, _ in found} == {channels}


def test_the_headers_are_valid_and_say_what_the_records_hold(archive):
    (stream, _, _), (dataset, number, xml), *rest = packets(archive("--channels=64", *RANGE))
    assert (stream, dataset, number) == ("Sx", "Hx", "1")
    assert {(tag, which) for tag, which, _ in rest} == {("Pd", "1")}
    root = etree.fromstring(xml)
    width = sum(int(each.get("numItems")) * int(each.get("itemBytes")) for each in root.iter("packet"))
    assert {len(body) for _, _, body in rest} == {width}
    (tags,) = root.iter("values")
    frequencies = [float(text) for text in tags.text.split()]
    assert len(frequencies) == 64
    assert (frequencies[0], frequencies[-1]) == (1e5, 4e7)
    assert frequencies == sorted(frequencies)


def test_the_headers_are_valid_by_the_published_schema(archive, test_data):
    schema = etree.XMLSchema(etree.parse(test_data / "schema" / "das-basic-stream-v3.0.xsd"))
    for tag, _, body in packets(archive(*RANGE)):
        if tag in ("Sx", "Hx"):
            schema.assertValid(etree.fromstring(body))


def test_adjoining_ranges_give_what_the_whole_gives(archive):
    middle = "2025-11-23T09:00:02.3"
    whole = [*packets(archive(*RANGE))]
    early, late = [*packets(archive(RANGE[0], middle))], [*packets(archive(middle, RANGE[1]))]
    assert early + late[2:] == whole
    assert record(late[2][2])[0] == datetime.fromisoformat(middle).replace(tzinfo=UTC)


def test_seeds_differ_in_values_and_in_nothing_else(archive):
    one, same, other = (archive(f"--seed={seed}", *RANGE) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert [time for time, _, _ in records(one)] == [time for time, _, _ in records(other)]


def test_the_spectrum_is_that_of_an_instrument(archive):
    """A floor with scatter, a line that drifts, bursts that stand out; all positive and within what is warned of."""
    found = records(archive("--rate=1", "2025-11-23T09:00", "2025-11-23T09:10"))
    peaks = [max(range(60), key=spectrum[:60].__getitem__) for _, spectrum, _ in found]
    assert max(peaks) - min(peaks) > 10
    floor = [spectrum[-1] for _, spectrum, _ in found]
    assert 1e-17 < statistics.median(floor) < 1e-15
    assert statistics.stdev(floor) > 0.1 * statistics.median(floor)
    assert max(floor) > 100 * statistics.median(floor)
    assert all(value > 0 for _, spectrum, _ in found for value in spectrum)


def test_values_leave_the_range_that_is_warned_of_now_and_then(archive, examples):
    data = tomllib.loads((examples / "Live" / "source.toml").read_text())["data"]
    found = records(archive("--rate=2", "2025-11-23T09:00", "2025-11-23T09:10"))
    for name, values in {"psd": [max(s) for _, s, _ in found], "temperature": [t for _, _, t in found]}.items():
        outside = sum(value > data[name]["warn"][1] for value in values)
        assert 0 < outside < len(values) / 2, name


def test_there_are_no_records_of_the_future(archive):
    now = datetime.now(UTC)
    ends = [(now + timedelta(seconds=shift)).isoformat()[:26] for shift in (-2, 3600)]
    found = [time for time, _, _ in records(archive(*ends))]
    assert 20 <= len(found) < 300
    assert found[-1] <= datetime.now(UTC)
    (stream, _, _), (dataset, _, _), (problem, _, text) = packets(archive("2999-01-01", "2999-01-02"))
    assert (stream, dataset, problem) == ("Sx", "Hx", "Ex")
    assert b'type="NoMatchingData"' in text
    assert expat.ParserCreate().Parse(text.strip(), True) == 1


def test_live_begins_with_the_present_and_each_record_comes_at_its_time(follow):
    found = [*islice(follow("--rate=20").arrivals(), 12)]
    lags = [came - records(packet)[0][0] for came, packet in found]
    assert min(lags) >= timedelta(0), "nothing comes before its time"
    times = [came - lag for (came, _), lag in zip(found, lags, strict=True)]
    assert {late - early for early, late in pairwise(times)} == {timedelta(milliseconds=50)}


def test_what_was_written_live_is_what_its_range_gives(follow, archive):
    live = b"".join(packet for _, packet in islice(follow("--channels=32").arrivals(), 6))
    first, last = (records(live)[place][0] for place in (0, -1))
    ends = (f"{first:%FT%T.%f}", f"{last + timedelta(microseconds=1):%FT%T.%f}")
    assert archive("--channels=32", *ends).endswith(live)
    assert len(records(archive("--channels=32", *ends))) == 6


def test_a_reader_that_was_stopped_makes_up_for_what_it_missed(follow):
    following = follow("--rate=50", "--channels=16")
    arrivals = following.arrivals()
    [(_, first)] = islice(arrivals, 1)
    following.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    following.process.send_signal(signal.SIGCONT)
    found = records(first + b"".join(packet for _, packet in islice(arrivals, 25)))
    assert {(late - early).microseconds for (early, _, _), (late, _, _) in pairwise(found)} == {20_000}


def test_a_live_reader_ends_quietly_when_nobody_reads(follow):
    following = follow("--rate=100")
    next(following.arrivals())
    following.process.stdout.close()
    assert following.process.wait(20) == -signal.SIGPIPE
    assert following.process.stderr.read() == b""


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["2025-01-01"], ["2025-01-02", "2025-01-01"], ["2025-01-01", "2025-01-01"], ["x", "2025-01-01"],
        ["--follow", "2025-01-01"], ["--follow", *RANGE], ["--rate=0", *RANGE], ["--rate=1001", "--follow"],
        ["--channels=15", *RANGE], ["--channels=1025", *RANGE], ["--seed=x", *RANGE],
    ],
)  # fmt: skip
def test_bad_arguments_give_one_line_and_status_2(arguments, start):
    done = start("Live", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(b"reader.py: error: ")


def test_the_definition_tells_its_two_readers_apart_and_shares_one_device(examples):
    definition = tomllib.loads((examples / "Live" / "source.toml").read_text())
    archive, live = definition["reader"]
    assert "live" not in archive
    assert live["live"] is True
    assert "--follow" in live["command"]
    assert definition["live"]["single"] is True
    assert [each["time"].endswith("to forever") for each in definition["example"]] == [False, True]
