# SPDX-License-Identifier: GPL-3.0-or-later
"""The code behind a stage: imported when a plan uses it, and called with the values of its parameters."""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.stages import Reducer

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.plan.graph import Node

__all__ = ["load", "make"]


def load(reference: str) -> Any:  # noqa: ANN401  it may be any class or function
    """What `module:name` names. Raises `ConfigError` (`config.plugin`) where it is not there or cannot be imported."""
    module, _colon, name = reference.partition(":")
    try:
        return attrgetter(name)(import_module(module))
    except DasflexError:  # such as a missing extra, which the module names itself
        raise
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise ConfigError(f"{reference} cannot be loaded: {error}", kind="config.plugin") from error


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
