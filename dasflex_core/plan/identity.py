# SPDX-License-Identifier: GPL-3.0-or-later
"""The two identities of an answer: what it is (logical), and how it was made (physical)."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable, Iterable, Mapping

    from dasflex_core.plan.graph import Nodes
    from dasflex_core.plan.solver import Path

__all__ = ["algorithms_of", "answer_id", "digest", "hashed", "plan_id", "sha256"]


def answer_id(source: str, request: Iterable[tuple[str, str]], path: Path, changed: float | None) -> str:
    """What the answer is: source, canonical request with its defaults, data date, and the algorithms applied.

    The same answer has the same id, whether a block, a reader, a CGI program or a daemon gave it; so it holds the
    algorithm of each parameter beyond reading and formatting, not the stage that consumed it. A corrected title or an
    upgrade changes nothing. `request` is what was consumed, with the defaults that the reader was given. The id is 16
    letters and digits.
    """
    date = None if changed is None else int(changed)
    return digest([source.lower(), sorted(request), str(path.produces), date, sorted(algorithms_of(path).items())])


def algorithms_of(path: Path) -> dict[str, int]:
    """The algorithm of each parameter that a path computes by, beyond reading and formatting."""
    return {
        name: step.spec.algorithm
        for step in path.steps
        for name in step.consumes
        if name.partition(".")[0] not in ("read", "format")
    }


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
            [node.path, *(each.base for each in node.blocks)],
        ]
        for node in nodes
    ]
    return digest(made)


def hashed(text: str, size: int) -> int:
    """A number of so many bytes that tells texts apart: the first of their sha256."""
    return int.from_bytes(sha256()(text.encode()).digest()[:size], "big")


#: The 32 letters and digits of base 32 (RFC 4648), in lower case.
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"


def digest(facts: object) -> str:
    """A short, case-insensitive name of facts: the first 80 bits of a sha256 in base 32."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    number = int.from_bytes(sha256()(text.encode()).digest()[:10], "big")
    return "".join(_LETTERS[number >> place & 31] for place in range(75, -5, -5))


@cache  # to look for what is not there takes a fifth of a plan
def sha256() -> Callable[[bytes], hashlib._Hash]:
    """The sha256 of Python's own, since hashlib loads OpenSSL, for which each plan would have to wait."""
    for name in ("_sha2", "_sha256"):  # of Python 3.12, and of 3.11
        try:
            made: Callable[[bytes], hashlib._Hash] = import_module(name).sha256
        except ImportError:
            continue
        return made
    from hashlib import sha256 as made_by_openssl

    return made_by_openssl
