# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the attack suite names each of its files, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_each_file_of_attacks_has_its_row():
    text = (ROOT / "docs" / "security" / "attack-suite.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(test_\w+\.py)` \|", text, re.MULTILINE)
    assert sorted(named) == sorted(each.name for each in (ROOT / "tests" / "security").glob("test_*.py"))
