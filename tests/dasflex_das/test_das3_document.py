# SPDX-License-Identifier: GPL-3.0-or-later
"""The XML document form of das3 is read as the stream of packets that says the same."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dasflex_core.arrays import Comment, Dataset, Records, StreamHeader
from dasflex_core.errors import SourceError
from dasflex_core.testing.comparing import difference, merged, misfit
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3BinaryEncoder, Das3TextEncoder

HEAD = '<stream type="das-basic-doc" version="3.0" xmlns="das-basic-doc">'
DATASET = (
    '<dataset name="d" id="7" rank="1" index="*"><coord physDim="t"><scalar semantic="real" units="s" index="*">'
    '<packet numItems="1"/></scalar></coord><data physDim="w"><scalar semantic="string" units="" index="*">'
    '<packet numItems="1" valTerm=";"/></scalar></data></dataset>'
)


def decode(data: bytes, size: int = 1 << 20) -> list:
    """The items of a document in chunks of that size."""
    decoder = Das3Decoder()
    items = [item for start in range(0, len(data), size) for item in decoder.feed(data[start : start + size])]
    return [*items, *decoder.finish()]


def test_a_real_document_has_the_values_that_stand_in_it(test_data):
    """All numbers, read anew by a regular expression."""
    data = (test_data / "das3" / "ex16_mag_grid_doc.d3x").read_bytes()
    header, dataset, batch = decode(data)
    rows = [line.split(b";") for line in re.findall(rb'<d id="1">([^<]*)</d>', data)]
    numbers = np.array(rows, dtype="S").astype("f8")
    assert numbers.shape == (72, 25)
    np.testing.assert_array_equal(batch["time"], numbers[:, 0])
    np.testing.assert_array_equal(batch["calibrated"].reshape(72, 12), numbers[:, 1:13])
    np.testing.assert_array_equal(batch["raw"].reshape(72, 12), numbers[:, 13:])
    assert [frame.name for frame in header.frames] == ["lab601", "sensor"]
    assert header.properties.text("label") == "4x VMR Stream @ 400 Hz"
    assert (dataset.id, dataset.index, misfit(batch)) == (1, (-1, 4), "")
    np.testing.assert_array_equal(dataset["space"].values, [[1, 1], [2, 1], [1, 2], [2, 2]])


@pytest.mark.parametrize("size", [1, 13, 4096])
def test_a_document_may_come_in_any_chunks(test_data, size):
    """From one byte on."""
    data = (test_data / "das3" / "ex16_mag_grid_doc.d3x").read_bytes()
    assert not difference(merged(decode(data, size)), merged(decode(data)))


@pytest.mark.parametrize("encoder", [Das3BinaryEncoder, Das3TextEncoder])
def test_a_document_is_written_as_a_stream_of_packets(test_data, encoder):
    """And decodes to the same values, to the digits of the text."""
    items = decode((test_data / "das3" / "ex16_mag_grid_doc.d3x").read_bytes())
    made = encoder()
    back = decode(b"".join(chunk for item in items for chunk in made.feed(item)))
    for name in items[2].columns:
        np.testing.assert_allclose(back[2][name], items[2][name], rtol=1e-13)


def test_bare_elements_entities_and_remarks_of_xml_are_read():
    """`<properties/>` before the end, escaped text, a mark of UTF-8, comments, a document without datasets."""
    text = f'\ufeff<!-- a -->{HEAD}<properties/><frame name="f"/>{DATASET}<!-- b --><d id="7">1.5;a &lt;b;</d><d id="7">2;c</d></stream>'
    header, dataset, batch = decode(text.encode(), 3)[:3]
    assert isinstance(header, StreamHeader)
    assert (header.frames[0].name, dataset.id) == ("f", 7)
    assert isinstance(batch, Records)
    assert decode(f"{HEAD}<properties/></stream>".encode())[0] == StreamHeader(lang="")


def test_a_variable_without_terminator_takes_that_of_the_others():
    """As the one real document wants it."""
    text = f'{HEAD}{DATASET}<d id="7">1.5;a &lt;b;</d><d id="7">\n 2 ; c </d></stream>'
    _header, _dataset, batch = decode(text.encode())
    assert batch["t"].tolist() == [1.5, 2.0]
    assert batch["w"].tolist() == [b"a <b", b"c"]


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("<html><body>", "source.stream", "its root is <html>"),
        ('<stream type="das-basic-stream" version="3.0">', "source.stream", "where a <stream> of das-basic-doc"),
        (f"{HEAD}{DATASET}", "source.truncated", "no well-formed XML"),
        (f"{HEAD}{DATASET}<d id='8'>1</d></stream>", "source.stream", "dataset '8', which it does not declare"),
        (f"{HEAD}{DATASET}<d id='7'>x;y;</d></stream>", "source.stream", "A value of t cannot be read"),
        (f"{HEAD}{DATASET.replace('7', '0')}</stream>", "source.stream", "has the id '0'"),
        (f"{HEAD}</d></stream>", "source.stream", "mismatched tag, at line 1"),
        (f'<!DOCTYPE a [<!ENTITY b "c">]>{HEAD}</stream>', "source.stream", "no DTD"),
        (HEAD + "<a>" * 40, "source.stream", "nested more than 32 deep"),
        (HEAD + "<d>" + "x" * 1_100_000, "source.stream", "more than 1,048,576 bytes"),
    ],
)
def test_what_is_no_such_document_is_refused(text, kind, why):
    """With the place, and what is wrong."""
    with pytest.raises(SourceError, match=why) as caught:
        decode(text.encode(), 1000)
    assert caught.value.kind == kind


def test_datasets_may_take_turns():
    """Each record goes to its own."""
    other = DATASET.replace('"7"', '"8"').replace('name="d"', 'name="e"')
    lines = "".join(f'<d id="{7 + place % 2}">{place};x;</d>' for place in range(6))
    items = decode(f"{HEAD}{DATASET}{other}{lines}</stream>".encode())
    assert [item.name for item in items if isinstance(item, Dataset)] == ["d", "e"]
    assert not [item for item in items if isinstance(item, Comment)]
    found = {7: [], 8: []}
    for item in items:
        if isinstance(item, Records):
            found[item.dataset.id] += item["t"].tolist()
    assert found == {7: [0, 2, 4], 8: [1, 3, 5]}
