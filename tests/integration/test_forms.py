# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources whose readers write das3 without fixed sizes, XML documents and QStreams, from the definition to the bytes."""

from __future__ import annotations

import numpy as np
import pytest

from dasflex_core.errors import DasflexError

BURSTS = """
header()
packet("Hx", 1, '<dataset rank="2" name="bursts" index="*;*"><coord physDim="time">'
    '<scalar use="reference" semantic="datetime" index="*;-" units="UTC">'
    '<packet numItems="1" itemBytes="20" encoding="utf8"/></scalar>'
    '<scalar use="offset" semantic="real" index="-;^" units="s"><sequence minval="0" interval="-;0.5"/></scalar></coord>'
    '<data physDim="E" name="ex"><scalar semantic="real" storage="float" index="*;*" units="V">'
    '<packet numItems="*" itemBytes="*" valTerm=";" idxTerm="!" encoding="utf8"/></scalar></data></dataset>')
for count in (3, 0, 2):
    packet("Pd", 1, f"2020-01-01T00:00:0{count} " + "1.5;" * count + "!")
out.flush()
"""
DOCUMENT = """
out.write(b'''<?xml version="1.0"?><stream type="das-basic-doc" version="3.0" xmlns="das-basic-doc">
<dataset name="level" id="1" rank="1" index="*"><coord physDim="time"><scalar semantic="datetime" units="UTC" index="*">
<packet numItems="1"/></scalar></coord><data physDim="V"><scalar semantic="real" units="V" index="*">
<packet numItems="1" valTerm=";"/></scalar></data></dataset><d id="1">2020-01-01T00:00:00;1.5</d></stream>''')
"""
QSTREAM = """
packet("00", '<?xml version="1.0"?><stream dataset_id="ds_1" byte_order="little_endian"/>')
packet("01", '<?xml version="1.0"?><packet><qdataset id="ds_1" rank="1"><values encoding="double" length=""/></qdataset></packet>')
out.write(b":01:" + bytes(8))
"""


def request(lab, name, reader, writes):
    """A request of one day of a new source."""
    lab.add(name, reader, writes=writes)
    return lab.opened()[name].ask(time="2020-01-01/2020-01-02")


def test_runs_reach_python_and_both_forms_of_das3(own, ask):
    """And CSV and das2 say that they cannot hold them."""
    asked = request(own, "bursts", BURSTS, "das/3")
    table = asked.read().only
    assert [row.tolist() for row in table["ex"]] == [[1.5] * 3, [], [1.5] * 2]
    np.testing.assert_array_equal(table["time.offset"], [0.0, 0.5, 1.0])
    binary = b"".join(asked.ask(format_type="das", format_version="3", format_serial="binary").plan().run())
    assert b"[j|3]" in binary
    assert b"[j|0]" in binary
    text = b"".join(asked.ask(format_type="das", format_version="3", format_serial="text").plan().run())
    assert b"1.50000000e+00  1.50000000e+00  1.50000000e+00 \n" in text
    for way in ("csv", "das2"):
        with pytest.raises(DasflexError, match="ex") as caught:
            ask(asked, way)
        assert caught.value.kind == "query.unreachable-type"


def test_a_document_is_a_stream_like_any_other(own):
    """Read, and written as packets."""
    asked = request(own, "document", DOCUMENT, "das/3/xml")
    assert asked.read().only["V"].tolist() == [1.5]
    made = b"".join(asked.ask(format_type="das", format_version="3", format_serial="binary").plan().run())
    assert made.startswith(b"|Sx|")


def test_a_qstream_is_passed_through(own, tmp_path):
    """Byte for byte, and nothing else can be made of it."""
    asked = request(own, "q", QSTREAM, "qstream")
    made = b"".join(asked.plan().run())
    assert made.startswith(b'[00]000075<?xml version="1.0"?><stream dataset_id="ds_1"')
    assert made.endswith(b":01:" + bytes(8))
    assert b"".join(asked.ask(format_type="qstream").plan().run()) == made
    assert asked.plan().media_type == "application/vnd.das2.qstream"
    path = asked.save(tmp_path / "a.qds")
    assert path.read_bytes() == made
    with pytest.raises(DasflexError) as caught:
        asked.ask(format_type="csv").plan()
    assert caught.value.kind == "query.unreachable-type"
