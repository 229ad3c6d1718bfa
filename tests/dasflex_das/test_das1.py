# SPDX-License-Identifier: GPL-3.0-or-later
"""Das1 data become the das2 stream that the classic converter made of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dasflex_core.arrays import Records
from dasflex_core.errors import ConfigError, SourceError
from dasflex_das.das1_decoder import Das1Decoder, Das1Facts
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2TextEncoder
from dasflex_das.das2_framing import Das2Framer

SCAN = {"form": "x_tagged_y_scan", "y_coordinate": "[10, 20.5 40]", "y_unit": "Hz", "z_unit": "V", "z_fill": "0"}


def entries_of(text: str) -> dict[str, str]:
    """The entries of a DSDF, less quotes and remarks."""
    lines = re.findall(r"^(\w+)\s*=\s*('[^']*'|[^;\n]*)", text, re.MULTILINE)
    return {key: value.strip().strip("'") for key, value in lines}


def run(decoder: Das1Decoder, data: bytes, size: int = 1 << 16) -> list:
    """The items of the data in chunks."""
    items = [item for start in range(0, len(data), size) for item in decoder.feed(data[start : start + size])]
    return [*items, *decoder.finish()]


@pytest.mark.parametrize("size", [7, 65536])
def test_the_classic_conversion_is_reproduced(test_data, size):
    """Times and values byte for byte, the properties of the stream and the planes."""
    folder = test_data / "das2"
    facts = Das1Facts.of(entries_of((folder / "das2_from_das1_test1.dsdf").read_text()))
    decoder = Das1Decoder(facts, "1997-01-01", "1997-01-02", source="das2_from_das1_test1.dsdf")
    data = (folder / "das2_from_das1_input1.d1s").read_bytes()
    items = run(decoder, data if size > 100 else data[: 16 * 500], size)
    golden = (folder / "das2_from_das1_output1.d2t").read_bytes()
    encoder = Das2TextEncoder(secfrac=3, sigdigit=4)
    written = b"".join(chunk for item in items for chunk in encoder.feed(item))
    ours, theirs = ([f.data for f in Das2Framer().feed(each) if f.kind == "data"] for each in (written, golden))
    assert len(ours) == (13836 if size > 100 else 500)
    assert ours == theirs[: len(ours)]
    classic = list(Das2Decoder().feed(golden))
    assert items[0].properties == classic[0].properties
    assert [(each.plane, each.plane_name, each.units) for each in items[1].columns[1:]] == [
        (each.plane, each.plane_name, each.units) for each in classic[1].columns[1:]
    ]


def test_scans_have_the_tags_of_the_definition():
    """Tagged or not; times count from the begin of the request."""
    record = np.array([1.5, 1, 2, 3], dtype=">f4").tobytes()
    for tagged in (False, True):
        decoder = Das1Decoder(Das1Facts.of(SCAN), "2000-01-02", "2000-01-03", tagged=tagged)
        *_head, batch = run(decoder, (b":b0:" * tagged + record) * 2)
        x, scan = batch.dataset.columns
        assert batch[x.name].tolist() == [86_401_500_000.0] * 2
        assert batch[scan.name].tolist() == [[1, 2, 3]] * 2
        assert [axis.values.tolist() for axis in batch.dataset[scan.name].axes if axis.values is not None] == [
            [10, 20.5, 40]
        ]
        assert (scan.units, scan.fill) == ("V", 0)


def test_scatter_is_read():
    """A place and a value for each record."""
    decoder = Das1Decoder(Das1Facts.of({"form": "x_y_z", "y_unit": "km", "z_unit": "V"}), "2000-01-01", "2000-01-02")
    batch = run(decoder, np.array([0, 5, 7], dtype=">f4").tobytes())[-1]
    assert [batch[each.name].tolist() for each in batch.dataset.columns] == [[0.0], [5.0], [7.0]]


def test_no_data_give_the_header_and_the_declaration():
    """And no records."""
    items = run(Das1Decoder(Das1Facts.of(SCAN), "2000-01-01", "2000-01-02"), b"")
    assert [isinstance(item, Records) for item in items] == [False, False]


def test_data_that_end_inside_a_record_or_lose_their_tags_are_told():
    """With the number of the record."""
    with pytest.raises(SourceError, match="end inside record 2: 3 of its 16 bytes") as caught:
        run(Das1Decoder(Das1Facts.of(SCAN), "2000-01-01", "2000-01-02"), bytes(19))
    assert caught.value.kind == "source.truncated"
    with pytest.raises(SourceError, match="Record 2 of the das1 data does not start with :b0:"):
        run(Das1Decoder(Das1Facts.of(SCAN), "2000-01-01", "2000-01-02", tagged=True), b":b0:" + bytes(36))


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ({}, "form of das1 data is ''"),
        ({"form": "x_multi_y", "ny": "many"}, "ny of das1 data is 'many'"),
        ({"form": "x_multi_y", "ny": "999999999"}, "from 1 to 250,000"),
        ({"form": "x_tagged_y_scan"}, "y_coordinate of das1 data is '0'"),
        ({"form": "x_y_z", "x_sample_width": "wide"}, "x_sample_width of das1 data is 'wide'"),
    ],
)
def test_definitions_that_say_too_little_are_refused(entries, why):
    """By the key at fault."""
    with pytest.raises(ConfigError, match=why):
        Das1Facts.of(entries)
