# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of missions are drawn as they are: every kind that can be, without a complaint of the browser."""

from __future__ import annotations

import shutil

import pytest

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root

pytestmark = [pytest.mark.browser, pytest.mark.integration]

DEFINITION = """
title    = "{file}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "{writes}" }}
example  = [{{ time = "2017-01-01 to 2017-01-02" }}]
"""
READER = "import pathlib, sys\nsys.stdout.buffer.write(pathlib.Path('stream').read_bytes())\n"
#: Each stream with the range of its data, how many panels it has, a text that is in them, and what is told beside.
STREAMS = [
    ("das2/juno_waves_sample.d2t", "2017-01-01/2017-01-01T00:05", 1, "Freq. (Hz)", "Juno Waves"),
    ("das2/das2_ascii_output1.d2t", "2013-03-01T07/2013-03-01T22", 1, "Electric Field (V m⁻¹)", "records"),
    ("das2/x_multi_y.d2s", "1996-01-01/2012-01-01", 3, "plane_0 (Hz)", "records"),
    ("das3/ex08_dynaspec_namespace.d3t", "1997-05-07/1997-05-07T01:00", 1, "10⁻¹⁰", "Galileo PWS"),
    ("das3/ex27_epop_fai_mgf_blob.d3b", "2016-03-11T06:49/2016-03-11T06:50", 1, "Bcenter", "Not drawn"),
    ("das3/ex36_events_rank3.d3t", "1990-01-01/2030-01-01", 0, "", "Not drawn"),
]


def name_of(file: str) -> str:
    """The id of the source of a file."""
    return "real/" + "".join(char if char.isalnum() else "_" for char in file.rpartition("/")[2]).lower()


@pytest.fixture(scope="module")
def real(serving_root, test_data, tmp_path_factory) -> str:
    """The address of a server whose sources give real streams, whatever they are asked."""
    root = tmp_path_factory.mktemp("real") / "root"
    make_root(root, "Real Data", examples=False)
    for file, *_rest in STREAMS:
        folder = root / "definitions" / name_of(file)
        folder.mkdir(parents=True)
        writes = "das/3" if file.startswith("das3") else "das/2"
        (folder / "source.toml").write_text(DEFINITION.format(file=file, writes=writes), encoding="utf-8")
        (folder / "reader.py").write_text(READER, encoding="utf-8")
        shutil.copy(test_data / file, folder / "stream")
    assert not compile_tree(root).findings
    return serving_root(root)


@pytest.mark.parametrize(("file", "time", "panels", "text", "told"), STREAMS, ids=[each[0] for each in STREAMS])
def test_a_real_stream_is_drawn(visit, real, file, time, panels, text, told):
    watched = visit(base=real)
    page = watched.go(f"/source/{name_of(file)}.html?time={time}")
    page.get_by_role("button", name="Plot", exact=True).click()
    page.locator("#plot-status", has_text=told).wait_for()
    assert page.get_by_role("figure").count() == panels
    if panels:
        assert text in page.locator("#plot-panels svg text").all_text_contents()
        assert len(watched.colours("#plot-panels > :first-child")) > 20
    refused = [each for each in watched.errors if "400" in each]  # bins of what has rows of different lengths
    assert len(refused) <= (1 if told == "Not drawn" else 0)
    for each in refused:
        watched.errors.remove(each)
