# SPDX-License-Identifier: GPL-3.0-or-later
"""Das1 data become the das2 stream that the classic converter made of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest

import dasflex_core
from dasflex_core.arrays import Records
from dasflex_core.catalog import dsdf_keys
from dasflex_core.catalog.model import Coord, DataItem, Definition, PluginTable, Reader
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.catalog.walk import Vocabulary
from dasflex_core.errors import ConfigError, QueryError, SourceError
from dasflex_core.roots import make_root
from dasflex_core.testing import DecoderContract
from dasflex_das.das1_decoder import Das1Decoder
from dasflex_das.das1_dsdf import dsdf_entries
from dasflex_das.das1_facts import Das1Facts, told, told_of
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2TextEncoder
from dasflex_das.das2_framing import Das2Framer
from dasflex_das.plugin import DAS1_TABLE

SCAN = {"form": "x_tagged_y_scan", "y_coordinate": "[10, 2.05d1 40]", "y_unit": "Hz", "z_unit": "V", "z_fill": "0"}


def made(entries: dict, begin: str = "2000-01-01", end: str = "2000-01-02") -> Das1Decoder:
    """A decoder of what the entries describe."""
    facts, words = told_of(entries)
    return Das1Decoder(facts=facts, words=words, read_time_min=begin, read_time_max=end)


def run(decoder: Das1Decoder, data: bytes, size: int = 1 << 16) -> list:
    """The items of the data in chunks."""
    items = [item for start in range(0, len(data), size) for item in decoder.feed(data[start : start + size])]
    return [*items, *decoder.finish()]


@pytest.mark.parametrize("size", [7, 65536])
def test_the_classic_conversion_is_reproduced(test_data, size):
    """Times and values byte for byte, the properties of the stream and the planes."""
    folder = test_data / "das2"
    entries = dsdf_entries("test", str(folder / "das2_from_das1_test1.dsdf"))
    decoder = made({**entries, "source": "das2_from_das1_test1.dsdf"}, "1997-01-01", "1997-01-02")
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
        decoder = made({**SCAN, "tagged": tagged}, "2000-01-02", "2000-01-03")
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
    decoder = made({"form": "x_y_z", "y_unit": "km", "z_unit": "V"})
    batch = run(decoder, np.array([0, 5, 7], dtype=">f4").tobytes())[-1]
    assert [batch[each.name].tolist() for each in batch.dataset.columns] == [[0.0], [5.0], [7.0]]


def test_no_data_give_the_header_and_the_declaration():
    """And no records."""
    items = run(made(SCAN), b"")
    assert [isinstance(item, Records) for item in items] == [False, False]


def test_data_that_end_inside_a_record_or_lose_their_tags_are_told():
    """With the number of the record."""
    with pytest.raises(SourceError, match="end inside record 2: 3 of its 16 bytes") as caught:
        run(made(SCAN), bytes(19))
    assert caught.value.kind == "source.truncated"
    with pytest.raises(SourceError, match="Record 2 of the das1 data does not start with :b0:"):
        run(made({**SCAN, "tagged": True}), b":b0:" + bytes(36))


def test_times_are_in_the_units_of_the_definition():
    """And may come out in another epoch."""
    record = np.array([90, 5], dtype=">f4").tobytes()
    entries = {"form": "x_multi_y", "x_unit": "min"}
    for epoch, expected in (("us2000", 5_400_000_000.0), ("t2000", 5400.0)):
        batch = run(made({**entries, "epoch": epoch}), record)[-1]
        assert batch[batch.dataset.columns[0].name].tolist() == [expected]


def test_variables_have_the_names_and_units_of_the_definition():
    """With the common unit where one has none of its own."""
    entries = {"form": "x_multi_y", "names": ["bx", "range"], "units": ["nT", ""], "y_unit": "km"}
    declared = run(made(entries), b"")[1]
    assert [(each.name, each.units) for each in declared.columns[1:]] == [("bx", "nT"), ("range", "km")]


def test_a_begin_is_needed():
    """Times count from it."""
    with pytest.raises(QueryError, match=r"read\.time\.min, which is missing"):
        Das1Decoder(facts=told_of(SCAN)[0])


def test_facts_that_are_no_json_are_refused():
    """They come from a command line too."""
    with pytest.raises(ConfigError, match="JSON objects with keys such as form"):
        Das1Decoder(facts="form=x_y_z", read_time_min="2000-01-01")


def test_the_facts_change_the_values_and_the_words_do_not():
    """An answer depends on the facts only."""
    facts, words = told_of({**SCAN, "description": "A title", "spacecraft": "Kestrel", "reader": "x"})
    assert set(json.loads(facts)) == set(SCAN)
    assert json.loads(words) == {"description": "A title", "spacecraft": "Kestrel"}


TIME, FREQUENCY, BARE = Coord(), Coord(units="Hz", tags=("1", "2")), Coord(units="km")


@pytest.mark.parametrize(
    ("coords", "data", "table", "expected"),
    [
        ({}, {}, {"form": "x_multi_y"}, ("plane_0",)),
        ({"time": TIME}, {"a": DataItem(), "b": DataItem(axes=("time",))}, {}, ("a", "b")),
        ({"time": TIME, "f": FREQUENCY}, {"d": DataItem(axes=("time", "f"))}, {}, ("yscan d Hz",)),
        ({"f": FREQUENCY}, {"d": DataItem()}, {}, ("yscan d Hz",)),
        ({}, {"d": DataItem(axes=("time", "f"))}, {"form": "x_tagged_y_scan", "y_coordinate": [1]}, ("yscan d ",)),
        ({}, {"d": DataItem()}, {"form": "x_tagged_y_scan", "y_coordinate": [1], "y_unit": "eV"}, ("yscan d eV",)),
        ({"r": BARE}, {"d": DataItem(axes=("time", "r"))}, {}, ("r", "d")),
        ({"r": BARE, "f": FREQUENCY}, {"d": DataItem(axes=("time", "f"))}, {"form": "x_multi_y"}, ("d",)),
    ],
)
def test_the_form_follows_from_the_tables_or_is_said(coords, data, table, expected):
    """The planes have the names of the variables."""
    tables = (PluginTable("das1", json.dumps(table)),)
    definition = Definition("Kestrel/Field", "A field", coords=coords, data=data, tables=tables)
    facts = Das1Facts.parse(*told(definition, Reader("reader", command="x", writes="das/1")))
    planes = [(each.kind, each.name, dict(each.attributes)) for each in facts.planes]
    assert (
        tuple(f"{kind} {name} {more['yUnits']}" if kind == "yscan" else name for kind, name, more in planes) == expected
    )
    assert dict(each[:2] for each in facts.properties)["sourceId"] == "Kestrel/Field"
    assert not facts.tagged


def test_planning_imports_no_numpy():
    """What is told is worked out before the reader runs."""
    code = "import sys, dasflex_das.das1_facts; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestDas1Decoder(DecoderContract):
    """What every decoder keeps."""

    decoder = Das1Decoder
    plugin = "dasflex_das.plugin"
    options: ClassVar = {"facts": told_of({**SCAN, "tagged": True})[0], "read_time_min": "2000-01-02"}

    def streams(self):
        """Tagged data: untagged ones have nothing by which garbage could be told."""
        return {"scans": (b":b0:" + np.array([1.5, 1, 2, 3], dtype=">f4").tobytes()) * 20}


DSDF = """; a remark
description = 'Ratio; or not' ; another
form = x_multi_y
ny\t= 2
y_unit = "Hz"
y_parameter = 'it''s'
summary = 'one ' +$
  'two' $
  ' three'
instrument = 'next'
z_unit=
"""


def test_a_dsdf_is_read(tmp_path):
    """Quotes, remarks, lines that go on."""
    (tmp_path / "x.dsdf").write_text(DSDF)
    entries = dsdf_entries("test", str(tmp_path / "x.dsdf"))
    assert {key: entries[key] for key in ("description", "form", "ny", "y_unit", "y_parameter")} == {
        "description": "Ratio; or not",
        "form": "x_multi_y",
        "ny": "2",
        "y_unit": "Hz",
        "y_parameter": "it's",
    }
    assert entries["summary"] == "one two three"
    assert (entries["instrument"], entries["z_unit"]) == ("next", "")


def test_a_dsdf_that_cannot_be_read_is_named(tmp_path):
    """Not there, not text, too long."""
    (tmp_path / "binary.dsdf").write_bytes(b"\xff\xfe")
    (tmp_path / "long.dsdf").write_bytes(b";" * ((1 << 20) + 1))
    for name in ("none", "binary", "long"):
        with pytest.raises(QueryError, match=f"{name}.dsdf"):
            dsdf_entries("test", str(tmp_path / f"{name}.dsdf"))


def test_all_keys_of_das1_in_a_dsdf_stand_in_the_table():
    """The importer of the core puts them there; what the table does not know would be refused."""
    assert set(dsdf_keys.DAS1) == set(DAS1_TABLE.keys)


def test_a_dsdf_of_das1_is_installed_and_answers(test_data, tmp_path):
    """The real file and the real data, with a small reader in place of the one that it names."""
    folder = test_data / "das2"
    reader = tmp_path / "reader.py"
    data = str(folder / "das2_from_das1_input1.d1s")
    reader.write_text(f"import pathlib, sys\nsys.stdout.buffer.write(pathlib.Path({data!r}).read_bytes())\n")
    root = make_root(tmp_path / "root", "Das1", examples=False).root
    original = (folder / "das2_from_das1_test1.dsdf").read_text()
    imported = re.sub("(?m)^reader = .*", f"reader = '{sys.executable} {reader}'", original)
    (root / "definitions" / "fce.dsdf").write_text(imported)
    report = compile_tree(root, Vocabulary.of(dasflex_core.open(root).registry))
    assert (report.installed, report.findings) == (("fce",), ())
    asked = dasflex_core.open(root)["fce"]["1997-01-01":"1997-01-02"]
    text = b"".join(asked.as_suffix("d2t").ask(format_secfrac=3, format_sigdigit=4).plan().run())
    golden = (folder / "das2_from_das1_output1.d2t").read_bytes()
    ours, theirs = ([f.data for f in Das2Framer().feed(each) if f.kind == "data"] for each in (text, golden))
    assert len(ours) == 13836
    assert ours == theirs
    rows = b"".join(asked.as_suffix("csv").plan().run()).splitlines()
    assert len(rows) == 13836 + 1


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ({}, "form of das1 data is ''"),
        ({"form": "x_multi_y", "ny": "many"}, "ny of das1 data is 'many'"),
        ({"form": "x_multi_y", "ny": "999999999"}, "from 1 to 250,000"),
        ({"form": "x_tagged_y_scan"}, "y_coordinate of das1 data is ''; it lists"),
        ({"form": "x_tagged_y_scan", "y_coordinate": "findgen(20)"}, "y_coordinate of das1 data is 'findgen"),
        ({"form": "x_tagged_y_scan", "y_coordinate": "[1, 2]", "items": 3}, "2 values for records of 3"),
        ({"form": "x_multi_y", "ny": 3, "items": 4}, "ny = 3 and items = 4"),
        ({"form": "x_multi_y", "ny": 3, "names": ["a"]}, "x_multi_y with 3 variables have 1 names: a"),
        ({**SCAN, "names": ["a", "b"]}, "x_tagged_y_scan with 1 variables have 2 names: a, b"),
        ({"form": "x_y_z", "names": ["a"]}, "x_y_z with 2 variables have 1 names: a"),
        ({"form": "x_y_z", "x_unit": "km"}, "x_unit of das1 data is 'km'"),
        ({"form": "x_y_z", "z_fill": "none"}, "z_fill of das1 data is 'none'"),
        ({"form": "x_y_z", "x_sample_width": "wide"}, "x_sample_width of das1 data is 'wide'"),
    ],
)
def test_definitions_that_say_too_little_are_refused(entries, why):
    """By the key at fault."""
    with pytest.raises(ConfigError, match=why):
        Das1Facts.of(entries)
