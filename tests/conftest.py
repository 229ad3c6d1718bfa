# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test may ask for: the folder of real streams and files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real mission data; without it a test skips, and with a wrong `DASFLEX_TEST_DATA` it fails."""
    named = os.environ.get("DASFLEX_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        if named:
            pytest.fail(f"DASFLEX_TEST_DATA names {folder}, which is no folder")
        pytest.skip("no real mission data: set DASFLEX_TEST_DATA to their folder")
    return folder
