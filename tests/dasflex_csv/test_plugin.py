# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin declares is what the class is, and the registry finds it as it would a stranger's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dasflex_core.errors import ConfigError
from dasflex_core.streamtype import ARRAYS, StreamType
from dasflex_csv import plugin
from dasflex_csv.formatter import CsvFormatter


def test_the_class_and_the_hand_written_declaration_are_one():
    assert replace(plugin.CSV_STAGE, origin="", bundled=False) == replace(CsvFormatter.spec, origin="", bundled=False)


def test_the_registry_finds_the_stage_and_the_type(dasflex_registry):
    stage = next(stage for stage in dasflex_registry.stages if stage.produces == StreamType("csv"))
    assert (stage.origin, stage.accepts, stage.role) == ("csv", ARRAYS, "formatter")
    info = dasflex_registry.by_suffix("csv")
    assert (info.media_type, info.text, info.type) == ("text/csv", True, StreamType("csv"))


def test_every_parameter_is_offered_so_that_a_request_without_it_still_gives_csv():
    assert {param.mode for param in plugin.CSV_STAGE.params} == {"offered"}


def test_the_type_tells_no_framer_since_rows_need_none(dasflex_registry):
    info = dasflex_registry.by_suffix("csv")
    assert not any((info.framer, info.problem, info.comment))


def test_an_unknown_option_is_an_error_of_whoever_wrote_it():
    with pytest.raises((TypeError, ConfigError), match="colour"):
        CsvFormatter(colour="red")
