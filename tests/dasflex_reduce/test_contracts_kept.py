# SPDX-License-Identifier: GPL-3.0-or-later
"""No reducer of the plugin is without the contract that reducers keep."""

from __future__ import annotations

import ast
from pathlib import Path

from dasflex_reduce.plugin import STAGES
from dasflex_reduce.shaping import SHAPING


def test_every_reducer_inherits_the_contract():
    held = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        classes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)]
        bases = {each.name: ast.unparse(each.bases[0]) if each.bases else "" for each in classes}
        for each in classes:
            if bases[each.name] == "ReducerContract":
                [name] = [
                    ast.unparse(line.value)
                    for line in each.body
                    if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "reducer"
                ]
                held.add(bases.get(name, name))
    assert held == {stage.factory.partition(":")[2] for stage in (*STAGES, *SHAPING)}
