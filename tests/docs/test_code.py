# SPDX-License-Identifier: GPL-3.0-or-later
"""The code in the documentation is true: TOML parses, Python runs, and so do the examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = sorted(path for pattern in ("dasflex_*", "plugins/dasflex_*") for path in ROOT.glob(pattern))
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TUTORIAL_READER = "from datetime import datetime, timedelta\n"


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language, in order."""
    return [code for named, code in FENCE.findall(page.read_text(encoding="utf-8")) if named == language]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def with_blocks(language: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, language)]


@pytest.mark.parametrize("page", with_blocks("toml"), ids=named)
def test_each_toml_block_of_the_documentation_parses(page: Path):
    for code in blocks(page, "toml"):
        assert tomllib.loads(code)


@pytest.mark.parametrize("page", with_blocks("python"), ids=named)
def test_each_python_block_of_the_documentation_compiles(page: Path):
    for code in blocks(page, "python"):
        compile(code, named(page), "exec")


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "tutorial.md"], ids=named)
def test_the_python_of_the_first_pages_runs_on_a_fresh_machine(page: Path, tmp_path, monkeypatch):
    """The first block that opens a site, run where no root exists yet."""
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in ("DASFLEX_CONFIG", "DASFLEX_VOYAGER_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    [code] = [code for code in blocks(page, "python") if "dasflex_core.open()" in code]
    exec(compile(code, named(page), "exec"), {})  # noqa: S102  running the documentation is the point


def test_the_reader_of_the_tutorial_writes_the_stream_it_promises(tmp_path):
    """Run by hand as the tutorial says: five records of one length behind the two headers."""
    import subprocess

    [code] = [code for code in blocks(ROOT / "docs" / "tutorial.md", "python") if TUTORIAL_READER in code]
    script = tmp_path / "reader.py"
    script.write_text(code, encoding="utf-8")
    arguments = [sys.executable, str(script), "2024-01-01T00:00", "2024-01-01T00:05"]
    stream = subprocess.run(arguments, capture_output=True, check=True, timeout=20).stdout
    headers, *records = re.split(rb":01:(?=2024-)", stream)
    assert re.findall(rb"\[0\d\]", headers) == [b"[00]", b"[01]"]
    assert records == [f"2024-01-01T00:0{minute}:00 {minute:9d}\n".encode() for minute in range(5)]
    assert {len(record) for record in records} == {20 + 10}


def modules_with_examples() -> list[str]:
    """The modules of the product whose docstrings hold a `>>>`."""
    return [
        str(path.relative_to(package.parent).with_suffix("")).replace("/", ".").removesuffix(".__init__")
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
        if ">>> " in path.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("module", modules_with_examples())
def test_the_examples_in_the_docstrings_of_a_module_hold(module: str):
    outcome = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0
