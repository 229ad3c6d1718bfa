# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of all sources are written as those of one source are."""

from __future__ import annotations

import pytest

from dasflex_core.catalog.model import ExternalStage
from dasflex_core.catalog.site_stages import read_stages
from dasflex_core.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    """A file of filters."""
    return tmp_path / "stages.toml"


def test_filters_are_read_with_the_names_of_their_programs(file):
    file.write_text(
        "[[stage]]\ncommand = '/usr/bin/smooth.py #[calc.width]'\naccepts = 'das/2'\n"
        "[[stage]]\ncommand = '#[python] /opt/smooth.py #[calc.other]'\naccepts = 'das/2'\nwrites = 'das/3'\n"
    )
    assert read_stages(file) == (
        ExternalStage("smooth", "/usr/bin/smooth.py #[calc.width]", "das/2", "das/2"),
        ExternalStage("smooth-2", "#[python] /opt/smooth.py #[calc.other]", "das/2", "das/3"),
    )
    file.write_text("")
    assert read_stages(file) == ()


def test_what_is_wrong_is_told_with_its_line(file):
    file.write_text("[[stage]]\ncommand = 'smooth | '\n[[stage]]\ncommand = 'x'\n[[stag]]\n")
    with pytest.raises(ConfigError) as caught:
        read_stages(file)
    lines = caught.value.message.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{file}:2", f"{file}:3", f"{file}:5"]
    assert "stage[1].accepts: is missing" in lines[1]
    file.write_text("[[stage]")
    with pytest.raises(ConfigError, match="this is no TOML"):
        read_stages(file)
