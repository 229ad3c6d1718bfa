# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the examples share: how a reader is run, and a second, plain reading of das2 streams."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from xml.parsers import expat

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REALS = {"little_endian_real8": "<d", "little_endian_real4": "<f", "sun_real8": ">d", "sun_real4": ">f"}


@dataclass(frozen=True)
class Plane:
    """One plane of a das2 packet: `count` values of `width` bytes each."""

    kind: str
    attributes: dict[str, str]
    properties: dict[str, str]

    @property
    def width(self):
        encoding = self.attributes["type"]
        return struct.calcsize(REALS[encoding]) if encoding in REALS else int(re.sub(r"^(ascii|time)", "", encoding))

    @property
    def count(self):
        return int(self.attributes.get("nitems", 1))

    def values(self, body):
        encoding = self.attributes["type"]
        if encoding in REALS:
            return list(struct.unpack(f"{REALS[encoding][0]}{self.count}{REALS[encoding][1]}", body))
        texts = [body[i : i + self.width] for i in range(0, len(body), self.width)]
        assert all(text[-1:] in b" \n" for text in texts), "a text value ends with its separator"
        return [datetime.fromisoformat(t.decode().strip()) if "time" in encoding else float(t) for t in texts]


@dataclass
class Stream:
    """What a das2 stream holds."""

    properties: dict[str, str] = field(default_factory=dict)
    packets: dict[str, list[Plane]] = field(default_factory=dict)
    records: list[list[list[float]]] = field(default_factory=list)
    messages: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def times(self):
        return [record[0][0] for record in self.records]


def elements(xml):
    """The elements of a header, in document order, without regard to namespaces: (depth, name, attributes)."""
    found, depth = [], 0

    def start(name, attributes):
        nonlocal depth
        found.append((depth, name, attributes))
        depth += 1

    def end(_name):
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(xml, True)
    return found


def planes(found):
    made = []
    for depth, name, attributes in found[1:]:
        if depth == 1 and name in ("x", "y", "yscan"):
            made.append(Plane(name, attributes, {}))
        elif depth == 2:
            made[-1].properties.update(attributes)
    return made


def walk_stream(data):
    """Walk a das2.2 stream to its last byte (the das2 stream format, framing); anything else is an error."""
    stream, at = Stream(), 0
    while at < len(data):
        tag = data[at : at + 4].decode()
        at += 4
        if re.fullmatch(r"\[(\d\d|xx)\]", tag):
            length = data[at : at + 6].decode()
            assert re.fullmatch(r"\d{6}", length), "a length is six digits"
            xml = data[at + 6 : at + 6 + int(length)]
            assert 0 < len(xml) == int(length), "a header is whole"
            at += 6 + len(xml)
            found = elements(xml)
            if tag == "[00]":
                assert found[0][1:] == ("stream", {"version": "2.2"})
                stream.properties.update({k: v for _, _, each in found[1:] for k, v in each.items()})
            elif tag == "[xx]":
                stream.messages.append(found[0][1:])
            else:
                stream.packets[tag[1:3]] = planes(found)
        else:
            assert re.fullmatch(r":\d\d:", tag), f"no packet begins with {tag!r} at byte {at - 4}"
            record = []
            for plane in stream.packets[tag[1:3]]:
                size = plane.width * plane.count
                assert at + size <= len(data), "a record is whole"
                record.append(plane.values(data[at : at + size]))
                at += size
            stream.records.append(record)
    assert data.startswith(b"[00]")
    return stream


@pytest.fixture(scope="session")
def examples():
    """The folder of the examples."""
    return EXAMPLES


@pytest.fixture(scope="session")
def start():
    """A function that runs a reader: name of the example, its arguments -> the completed process."""

    def run(name, *arguments):
        command = [sys.executable, "reader.py", *map(str, arguments)]
        return subprocess.run(command, cwd=EXAMPLES / name, capture_output=True, check=False, timeout=60)

    return run


@pytest.fixture(scope="session")
def walk():
    """A function that reads a das2 stream, independently of all product code: bytes -> what it holds."""
    return walk_stream


@pytest.fixture(scope="session")
def read(start):
    """A function that runs a reader, expects it to succeed, and reads its stream."""

    def run(name, *arguments):
        done = start(name, *arguments)
        assert done.returncode == 0, done.stderr.decode()
        return walk_stream(done.stdout)

    return run
