# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories of the catalog can be copied by wget, as a tree of files that can be read without the server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.integration


def test_wget_mirrors_the_catalog_without_any_data(serving, examples, tmp_path):
    program = shutil.which("wget")
    if program is None:
        told = "no wget to test with: apt-get install wget"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    server = serving("--port", "0", "--config", examples.config)
    start = f"{server.base}source/"
    subprocess.run(
        [program, "-q", "-m", "-np", "-nH", "-k", "-E", "--reject-regex", "[?]", start],
        cwd=tmp_path,
        timeout=60,
        check=True,
    )
    files = {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()}
    assert {"source/index.html", "source/examples/index.html"} <= files
    for name in ("auth", "ephemeris", "params", "random", "spectra", "waveform"):
        assert f"source/examples/{name}.html" in files
        assert f"source/examples/{name}/flex.json" in files
    assert not [each for each in files if "flex?" in each or "data." in each]
    index = (tmp_path / "source" / "examples" / "index.html").read_text(encoding="utf-8")
    assert re.search(r'href="params\.html"', index)
