# SPDX-License-Identifier: GPL-3.0-or-later
"""The two identities of an answer: what it is (logical), and how it was made (physical)."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.plan.graph import Nodes
    from dasflex_core.plan.solver import Path

__all__ = ["answer_id", "plan_id"]


def answer_id(source: str, request: Iterable[tuple[str, str]], path: Path, changed: float | None) -> str:
    """What the answer is: source, canonical request with its defaults, data date, and the algorithms applied.

    The same answer has the same id, whether a block, a reader, a CGI program or a daemon gave it; so it holds the
    algorithm of each parameter beyond reading and formatting, not the stage that consumed it. A corrected title or an
    upgrade changes nothing. `request` is what was consumed, with the defaults that the reader was given. The id is 16
    letters and digits.
    """
    algorithms = {
        name: step.spec.algorithm
        for step in path.steps
        for name in step.consumes
        if name.partition(".")[0] not in ("read", "format")
    }
    date = None if changed is None else int(changed)
    return _digest([source.lower(), sorted(request), str(path.produces), date, sorted(algorithms.items())])


def plan_id(nodes: Nodes, versions: Mapping[str, str]) -> str:
    """How the answer is made: stages with their plugin's version, algorithm, values and commands. 16 characters.

    `versions` are those of the plugins, by name.
    """
    made = [
        [
            node.kind,
            node.name,
            node.spec.origin if node.spec else "",
            versions.get(node.spec.origin, "") if node.spec else "",
            node.spec.algorithm if node.spec else 0,
            [[name, str(value)] for name, value in node.values],
            [node.command.argvs, node.command.directory, node.command.environment] if node.command else [],
            node.inputs,
            node.path,
        ]
        for node in nodes
    ]
    return _digest(made)


def _digest(facts: object) -> str:
    """A short, case-insensitive name of facts."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return base64.b32encode(sha256(text.encode()).digest()[:10]).decode().lower()
