# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan must look like to be run, every node leading to the last one by one way only, and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from dasflex_core.plan.graph import Node, Nodes

__all__ = ["check_shape", "gives_items", "makes_records", "wrong"]

#: How many inputs a node of each kind may have.
_INPUTS: Final = {
    "process": range(2),
    "classic": range(1, 2),
    "producer": range(1),
    "stage": range(1, 2),
    "spool": range(1, 2),
    "file": range(1),
    "concat": range(1, 1 << 16),
    "merge": range(1, 1 << 16),
    "tee": range(1, 2),
}


def gives_items(node: Node) -> bool:
    """Whether items come out of the node; else bytes do."""
    return node.produces.kind == "arrays"


def makes_records(nodes: Nodes) -> bool:
    """Whether records become bytes somewhere in the plan, or its answer is items."""
    makers = [node for node in nodes if node.kind in ("stage", "spool") and not gives_items(node)]
    return any(gives_items(nodes[node.inputs[0]]) for node in makers) or gives_items(nodes[-1])


def wrong(node: Node, what: str) -> ConfigError:
    """The error for a node that no pump can run."""
    return ConfigError(f"{node.name}: {what}", kind="config.bad-value")


def check_shape(nodes: Nodes) -> None:
    """Raises `ConfigError` for what is no plan.

    In a diamond, where two nodes read the output of one, the pump would have to hold all that one of the two has read
    and the other has not: it is refused.
    """
    if not nodes:
        raise ConfigError("a plan has at least one node", kind="config.bad-value")
    used = [place for node in nodes for place in node.inputs]
    for place, node in enumerate(nodes):
        if any(not 0 <= each < place for each in node.inputs):
            raise wrong(node, "its inputs must stand before it")
        if len(node.inputs) not in _INPUTS[node.kind]:
            raise wrong(node, f"a node of the kind {node.kind} does not have {len(node.inputs)} inputs")
        if used.count(place) > 1:
            raise wrong(node, "its output is read twice; such a diamond is not run")
        if used.count(place) < 1 and place != len(nodes) - 1:
            raise wrong(node, "nothing reads its output")
