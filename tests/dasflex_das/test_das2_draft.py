# SPDX-License-Identifier: GPL-3.0-or-later
"""Waveforms as the das 2.3 draft has them: read, and written as das 2.2 does."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from dasflex_core.arrays import Dataset, Records
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder
from dasflex_das.das2_framing import Das2Framer
from dasflex_das.verifying import verify


def header(number, body):
    return b"[%02d]%06d%b" % (number, len(body), body.encode())


def stream(offsets):
    scan = f'<xscan name="e" nitems="3" type="sun_real4" {offsets} xUnits="ms" yUnits="V m**-1"/>'
    planes = f'<packet><x type="sun_real8" units="us2000"/>{scan}</packet>'
    return header(0, '<stream version="2.2"/>') + header(1, planes) + b":01:" + struct.pack(">dfff", 5, 1, 2, 3)


@pytest.mark.parametrize("offsets", ['xOffsets="0,2,4"', 'xOffsetInterval="2" xOffsetMin="0"', 'xOffsetInterval="2"'])
def test_an_xscan_is_a_waveform(offsets):
    """Its offsets are times to add to x; what is written of it is a yscan that every client knows."""
    data = stream(offsets)
    items = [*Das2Decoder().feed(data)]
    dataset = next(item for item in items if isinstance(item, Dataset))
    tags, values = dataset.variables["time.offset"], dataset.variables["e"]
    assert (tags.role, tags.units, tags.values.tolist()) == ("offset", "ms", [0, 2, 4])
    assert (values.units, values.plane) == ("V m**-1", "yscan")
    records = next(item for item in items if isinstance(item, Records))
    np.testing.assert_array_equal(records.columns["e"], [[1, 2, 3]])
    assert len([*Das2Framer().feed(data)]) == 3
    written = b"".join(piece for item in items for piece in Das2BinaryEncoder().feed(item))
    assert b"xscan" not in written


def test_an_xscan_is_a_deviation():
    report = verify([stream('xOffsetInterval="2"')])
    assert (report.verdict, [each.rule for each in report.findings]) == ("deviation", ["draft"])
    assert report.tallies[0].records == 1
