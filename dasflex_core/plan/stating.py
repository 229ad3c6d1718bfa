# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a plan the word of a definition counts, and what of it an answer depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.loading import load
from dasflex_core.streamtype import ARRAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.catalog.model import Facts
    from dasflex_core.plan.binding import Bound
    from dasflex_core.plan.solver import Path
    from dasflex_core.stages import StageSpec

__all__ = ["facts_for", "stated", "told_to"]

#: Families whose parameters leave a variable what it is: still of those units, and round that circle.
_AS_READ: Final = frozenset({"read", "bin"})


def facts_for(bound: Bound, path: Path, place: int) -> Facts | None:
    """What the definition says of the variables, for the first step that gives arrays; None for others.

    Where a command before it has made something else of the data, such as spectra, nothing said of these is true.
    """
    before = path.steps[: place + 1]
    if [step.spec.produces == ARRAYS for step in before] != [False] * place + [True]:
        return None
    if {name.partition(".")[0] for step in before for name in step.consumes} - _AS_READ:
        return None
    reader = bound.stages.get(before[0].spec.name)
    return (reader.definition.facts or None) if reader else None


def told_to(spec: StageSpec, bound: Bound, path: Path) -> tuple[tuple[str, str], ...]:
    """What the definition of the reader says to a stage, by the keywords of its factory; nothing to most."""
    reader = bound.stages.get(path.steps[0].spec.name)
    if not spec.tells or reader is None or reader.reader is None:
        return ()
    facts, words = load(spec.tells)(reader.definition, reader.reader)
    return ("facts", facts), ("words", words)


def stated(bound: Bound, path: Path) -> Iterator[tuple[str, str]]:
    """What the definition says that changes an answer: to stages, and of variables where something is computed."""
    for step in path.steps:
        yield from ((f"{step.spec.name}.{name}", text) for name, text in told_to(step.spec, bound, path)[:1])
    reader = bound.stages.get(path.steps[0].spec.name)
    if reader and reader.own and reader.own.facts:
        yield f"{reader.spec.name}.facts", reader.own.facts
    computed = {name.partition(".")[0] for step in path.steps for name in step.consumes} - {"read", "format"}
    if reader and computed:
        yield from reader.definition.facts.numbers()
