# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures look as the stored ones do, and what changes what they show is noticed.

`DASFLEX_DRAW_REFERENCES=1 pytest tests/dasflex_plot/test_pictures.py` draws the references anew: look at them then.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dasflex_plot.formatter import PdfFormatter, PngFormatter, SvgFormatter
from tests.dasflex_plot.alike import alike, similarity
from tests.dasflex_plot.streams import SCENES, bins, line, spectra

REFERENCES = Path(__file__).parent / "references"
SIZE = {"width": 400, "height": 300}


def drawn(items, formatter=PngFormatter, **values):
    """The picture of a stream."""
    made = formatter(**{**SIZE, **values})
    chunks = [chunk for item in items for chunk in made.feed(item)]
    return b"".join([*chunks, *made.finish()])


@pytest.mark.parametrize("name", SCENES)
def test_a_picture_looks_as_the_stored_one(name):
    found, place = drawn(SCENES[name]()), REFERENCES / f"{name}.png"
    if os.environ.get("DASFLEX_DRAW_REFERENCES"):
        place.write_bytes(found)
    assert alike(found, place.read_bytes()), similarity(found, place.read_bytes())


@pytest.mark.parametrize(
    "changed",
    [
        {"z_log": False},
        {"y_log": False},
        {"colormap": "turbo"},
        {"title": "Another title of this picture"},
        {"z_max": 1e-11},
        {"font": 5.0},
    ],
)
def test_a_changed_spectrogram_is_noticed(changed):
    assert not alike(drawn(spectra(), **changed), (REFERENCES / "spectra.png").read_bytes())


def test_a_line_through_a_gap_is_noticed():
    whole = drawn(line(xTagWidth="3 h"))
    assert not alike(whole, (REFERENCES / "line.png").read_bytes())


def test_a_band_that_is_missing_is_noticed():
    header, dataset, batch = bins()
    columns = {**batch.columns, "e.min": batch["e"], "e.max": batch["e"]}
    bare = [header, dataset, type(batch)(dataset, columns)]
    assert not alike(drawn(bare, y_min=-1.7, y_max=1.7), drawn(bins(), y_min=-1.7, y_max=1.7))


def test_a_picture_of_another_size_is_another():
    assert similarity(drawn(line()), drawn(line(), width=401)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("formatter", "begin"), [(PngFormatter, b"\x89PNG"), (SvgFormatter, b"<?xml"), (PdfFormatter, b"%PDF")]
)
def test_the_same_stream_gives_the_same_bytes(formatter, begin):
    one, other = (drawn(spectra(), formatter) for _ in range(2))
    assert one.startswith(begin)
    assert one == other


def test_a_picture_names_its_title_and_no_date():
    png = drawn(line(), words='{"id": "mission/mag", "title": "Magnetic field"}')
    assert b"Title\0A sample" in png
    assert b"Source\0mission/mag" in png
    svg = drawn(line(), SvgFormatter)
    assert b"<dc:title>A sample" in svg
    assert b"<dc:date>" not in svg
    assert b"CreationDate" not in drawn(line(), PdfFormatter)
