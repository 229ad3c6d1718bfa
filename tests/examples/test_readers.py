# SPDX-License-Identifier: GPL-3.0-or-later
"""What every example reader does alike: its stream, its range, its complaints and its end."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from lxml import etree

READERS = {  # the arguments before the range, a range with data, and a time inside it
    "Random": ([], "2017-01-01", "2017-03-01", None),
    "Auth": ([], "2017-01-01T00:00:30", "2017-01-01T05:00", "2017-01-01T02:00"),
    "Waveform": (["frames"], "1979-03-01T12:26:11", "1979-03-01T12:29:24", "1979-03-01T12:27:00.660"),
    "Params": (["--noise"], "2008-06-29T00:50", "2008-06-29T01:10", "2008-06-29T01:00:01.5"),
    "Ephemeris": (["60"], "2016-08-27T11:00", "2016-08-27T13:00", "2016-08-27T12:00"),
}
EMPTY = {
    "Random": ([], "2017-01-01T00:00:00.0002", "2017-01-01T00:00:00.0009"),
    "Auth": ([], "2017-01-01T00:00:01", "2017-01-01T00:01"),
    "Waveform": (["frames"], "1979-03-02", "1979-03-03"),
    "Params": ([], "2008-07-06", "2008-07-07"),
}
NUMPY = {"Waveform": {"numpy"}, "Params": {"numpy"}}  # where it pays
every_reader = pytest.mark.parametrize("name", READERS)


def moment(value):
    """A time of a stream, as text or in us2000, as microseconds since 2000."""
    if not isinstance(value, datetime):
        return value
    return (value.replace(tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds() * 1e6


@every_reader
def test_stream_is_valid_to_its_last_byte_and_within_the_range(name, read):
    before, begin, end, _ = READERS[name]
    stream = read(name, *before, begin, end)
    times = [moment(time) for time in stream.times]
    assert times
    assert moment(datetime.fromisoformat(begin)) <= times[0]
    assert times[-1] < moment(datetime.fromisoformat(end))
    assert times == sorted(set(times))
    assert stream.properties["title"]
    assert stream.properties["xLabel"]
    assert not stream.messages


def in_long_form(element):
    """The published schema's own form of a header: each property is an element `<p name type>` with its value."""
    for properties in element.iter("properties"):
        for key, value in properties.attrib.items():
            kind, _, name = key.rpartition(".")
            etree.SubElement(properties, "p", name=name, **({"type": kind} if kind else {})).text = value
        properties.attrib.clear()
    return element


@every_reader
def test_headers_are_valid_by_the_published_schema(name, start, test_data):
    schema = etree.XMLSchema(etree.parse(test_data / "schema" / "das-basic-stream-v2.2.xsd"))
    data = start(name, *READERS[name][0], *READERS[name][1:3]).stdout
    for tag in (b"[00]", b"[01]"):
        at = data.index(tag) + 10
        xml = data[at : at + int(data[at - 6 : at])]
        # A property's type is no namespace, whatever it looks like.
        schema.assertValid(in_long_form(etree.fromstring(re.sub(rb'\b([A-Za-z]+):(\w+=")', rb"\1.\2", xml))))


@every_reader
def test_same_request_gives_the_same_bytes(name, start):
    before, begin, end, _ = READERS[name]
    assert start(name, *before, begin, end).stdout == start(name, *before, begin, end).stdout


@pytest.mark.parametrize("name", [name for name in READERS if READERS[name][3]])
def test_two_adjoining_ranges_give_what_the_whole_gives(name, read):
    before, begin, end, middle = READERS[name]
    whole = read(name, *before, begin, end).records
    early, late = read(name, *before, begin, middle).records, read(name, *before, middle, end).records
    assert early
    assert moment(late[0][0][0]) == moment(datetime.fromisoformat(middle)), "the middle is a time of the data"
    assert early + late == whole


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_found_is_an_exception_in_the_stream_and_a_success(name, read):
    before, begin, end = EMPTY[name]
    stream = read(name, *before, begin, end)
    (kind, attributes), *others = stream.messages
    assert (kind, attributes["type"]) == ("exception", "NoDataInInterval")
    assert attributes["message"]
    assert not others
    assert not stream.records


@every_reader
@pytest.mark.parametrize(
    "arguments",
    [[], ["2017-01-01"], ["2017-01-02", "2017-01-01"], ["2017-01-01", "2017-01-01"], ["x", "2017-01-01"]],
    ids=["none", "no end", "backward", "no length", "no time"],
)
def test_bad_arguments_give_one_line_and_status_2(name, arguments, start):
    done = start(name, *READERS[name][0], *arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(b"reader.py: error: ")


@every_reader
def test_closed_output_ends_a_reader_quietly(name, examples):
    before, begin, end, _ = READERS[name]
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "reader.py", *before, begin, end]
    with subprocess.Popen(command, cwd=examples / name, stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        complaint = process.stderr.read()
    assert process.returncode != 0
    assert complaint == b""


@every_reader
def test_readers_import_the_standard_library_and_numpy_only_where_it_pays(name, examples):
    tree = ast.parse((examples / name / "reader.py").read_text())
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.split(".")[0] for module in imported} - set(sys.stdlib_module_names) == NUMPY.get(name, set())


def test_every_file_says_that_it_is_free(examples):
    files = [path for suffix in ("py", "toml", "md") for path in examples.rglob(f"*.{suffix}")]
    assert len(files) > 12
    for path in files:
        assert "SPDX-License-Identifier: Unlicense" in "".join(path.read_text().splitlines()[:2]), path
    assert (
        (examples / "LICENSE")
        .read_text()
        .startswith("This is free and unencumbered software released into the public domain.")
    )
