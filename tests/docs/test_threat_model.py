# SPDX-License-Identifier: GPL-3.0-or-later
"""The threat model is true: each defence has its module, each test that is said to show it is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "security" / "threat-model.md"
TEST = re.compile(r"`(tests/[^`:]+\.py)::([^`]+)`")
MODULE = re.compile(r"`((?:dasflex_|plugins/|\.ci/)[^`]+\.py)`")


def rows() -> list[list[str]]:
    """The cells of the tables of defences."""
    text = PAGE.read_text(encoding="utf-8").partition("## What is defended")[2].partition("## What is not")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in found if row[0] != "threat" and not set(row[0]) <= {"-"}]


ROWS = rows()


def test_there_are_defences_to_look_at():
    assert len(ROWS) > 30
    assert {len(row) for row in ROWS} == {4}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_defence_is_shown_by_a_test_that_is_there(row: list[str]):
    found = TEST.fullmatch(row[3])
    assert found, row[3]
    tree = ast.parse((ROOT / found[1]).read_text(encoding="utf-8"))
    assert found[2] in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("path", sorted(set(MODULE.findall(PAGE.read_text(encoding="utf-8")))))
def test_each_module_that_is_named_is_there(path: str):
    assert (ROOT / path).is_file()


def test_every_attack_has_its_row():
    """Each file of the attack suite shows at least one row, or the page says too little."""
    named = {found[1] for row in ROWS if (found := TEST.fullmatch(row[3]))}
    forgotten = {f"tests/security/{each.name}" for each in (ROOT / "tests" / "security").glob("test_*.py")} - named
    assert forgotten == set(), f"{PAGE.name} names no test of these; give each a row"
