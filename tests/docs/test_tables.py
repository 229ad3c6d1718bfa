# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the reference agree with the code: what a parameter may be, and what becomes of an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dasflex_core import errors
from dasflex_core.plan.parameters import CANONICAL, GOAL
from dasflex_core.registry import discover

REFERENCE = Path(__file__).resolve().parent.parent.parent / "docs" / "reference"
CODE = re.compile(r"`([^`]+)`")
KINDS = sorted(
    {
        kind
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.DasflexError)
        for kind in (each.default_kind, *re.findall(r"`([a-z-]+\.[a-z-]+)`", each.__doc__ or ""))
    }
)


def rows(page, *columns):
    """The rows of all tables of a page that have these columns, as texts by column."""
    found, titles = [], []
    for line in (REFERENCE / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            titles = []
        elif not titles:
            titles = cells
        elif set(columns) <= set(titles) and not set(line) <= set("|- "):
            found.append(dict(zip(titles, cells, strict=True)))
    return found


PARAMETERS = {row["parameter"].strip("`"): row for row in rows("parameters.md", "parameter", "type", "range")}


def consumers(name):
    """What the bundled stages declare of a parameter, by the name of the stage."""
    return {
        stage.name: param
        for stage in discover().stages
        if stage.bundled
        for param in stage.params
        if param.name == name
    }


def range_of(facts):
    """The range of numbers, or the values, as the page writes it."""
    if values := [value for value, _title in getattr(facts, "values", ())]:
        return ", ".join(f"`{value}`" for value in values)
    if facts.low is None:
        return ""
    return f"from {facts.low:g}" if facts.high is None else f"{facts.low:g} to {facts.high:g}"


@pytest.mark.parametrize("name", CANONICAL)
def test_the_row_of_a_canonical_parameter_says_its_type_its_units_and_its_range(name):
    row, facts = PARAMETERS[name], CANONICAL[name]
    assert (row["type"], row["range"]) == (facts.type, range_of(facts))
    assert facts.units in row["units"]
    assert row["meaning"]


@pytest.mark.parametrize("name", sorted(set(PARAMETERS) - {"read.NAME"}))
def test_the_row_of_a_parameter_names_the_bundled_stages_that_consume_it_and_what_they_allow(name):
    row, found = PARAMETERS[name], consumers(name)
    assert sorted(CODE.findall(row["consumed by"])) == sorted(found)
    assert (row["consumed by"] == "the goal") == (name in GOAL)
    assert name in CANONICAL or found
    for param in found.values():
        assert (row["type"], row["range"]) == (param.type, range_of(param))


def test_every_parameter_of_every_bundled_stage_has_its_row():
    stages = [stage for stage in discover().stages if stage.bundled]
    named = {param.name for stage in stages for param in stage.params}
    assert {"format.csv.style", "format.secfrac"} <= named
    assert named <= set(PARAMETERS)


def test_every_stage_that_the_page_names_is_there():
    named = {name for row in PARAMETERS.values() for name in CODE.findall(row["consumed by"])}
    assert named <= {stage.name for stage in discover().stages}


def test_the_csv_page_has_a_row_for_every_parameter_of_the_formatter():
    named = {row["parameter"].strip("`") for row in rows("csv.md", "parameter", "plain", "das")}
    [csv] = [stage for stage in discover().stages if stage.name == "csv"]
    assert named == {param.name for param in csv.params}


def answered(kind):
    """The first row for a kind of the table that says how a client sees an error."""
    for row in rows("errors.md", "kind", "HTTP", "exit code"):
        named = CODE.findall(row["kind"])
        if not named or kind in named or f"{kind.partition('.')[0]}.*" in named:
            return row
    raise AssertionError(f"there is no row for {kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_says_the_status_the_exit_code_and_the_exceptions_of_a_kind(kind):
    from dasflex_core.cli.exit_codes import exit_code
    from dasflex_core.statuses import status_of
    from dasflex_das import das2_messages, das3_messages

    error = errors.DasflexError("x", kind=kind)
    row = answered(kind)
    assert int(row["HTTP"]) == status_of(error)
    assert int(row["exit code"]) == exit_code(error)
    assert row["das2 stream"].strip("`") == das2_messages.exception_type(kind)
    assert f'type="{row["das3 stream"].strip("`")}"'.encode() in das3_messages.problem_packet(kind, "x")


def test_the_page_of_the_command_line_has_the_same_exit_codes():
    from dasflex_core.cli.exit_codes import EXIT_CODES, FAILED, INTERRUPTED

    meanings = {int(row["code"]): CODE.findall(row["meaning"]) for row in rows("command-line.md", "code", "meaning")}
    assert set(meanings) == {0, FAILED, INTERRUPTED, *EXIT_CODES.values()}
    assert all(family in meanings[code] for family, code in EXIT_CODES.items())
