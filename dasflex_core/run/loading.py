# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the object that does the work of a node: its code imported now, called with the values of its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dasflex_core.errors import ConfigError
from dasflex_core.loading import load
from dasflex_core.stages import Reducer

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.plan.graph import Node

__all__ = ["make"]


def make(node: Node, scratch: Path | None = None) -> Any:  # noqa: ANN401  what the kind of the node says
    """The object that does the work of a stage, a producer or a spool.

    A `Reducer` is made afresh for each dataset by what comes back here. A spool's factory is given the keyword
    `scratch` too, the directory to make its file in.
    """
    if node.spec is None:
        raise ConfigError(f"{node.name}: a node of the kind {node.kind} needs a stage", kind="config.bad-value")
    factory, values = load(node.spec.factory), dict(node.values)
    if isinstance(factory, type) and issubclass(factory, Reducer) and not hasattr(factory, "feed"):
        from dasflex_core.run.reducing import PerDataset

        return PerDataset(node.spec, lambda: factory(**values))
    try:
        return factory(**values) if scratch is None else factory(scratch=scratch, **values)
    except TypeError as error:
        raise ConfigError(f"{node.spec.factory} cannot be made: {error}", kind="config.plugin") from error
