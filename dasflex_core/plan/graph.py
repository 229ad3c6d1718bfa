# SPDX-License-Identifier: GPL-3.0-or-later
"""The solved plan as plain data: a DAG of nodes in an order in which they may be started, the last one the output."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_core.cache.block import Block
    from dasflex_core.cache.filling import Filling
    from dasflex_core.catalog.model import Facts
    from dasflex_core.stages import StageSpec, Value
    from dasflex_core.streamtype import StreamType

__all__ = ["Command", "Limits", "Node", "NodeKind", "Nodes"]

NodeKind = Literal["process", "classic", "producer", "stage", "spool", "file", "concat", "merge", "tee"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use, with all that it starts; 0 is no limit.

    `silence` and `cpu` are in seconds; `output`, `memory` and `scratch` (temporary files, and any other file) in bytes.
    """

    silence: float = 300.0
    cpu: float = 0.0
    output: int = 0
    memory: int = 0
    scratch: int = 0
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """Programs joined by pipes: `argvs` is one argument list for each. Never a shell string.

    `directory` is where they run; `environment` what is set beyond the server's own rules, `pass_env` the names that
    are passed on from the server's environment.
    """

    argvs: tuple[tuple[str, ...], ...]
    directory: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    pass_env: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Node:
    """A vertex of a plan.

    A `process` runs `command`, with its input from the node before it, if there is one; `classic` is one program of old
    installations with its arguments, whose work stages do in this process; `producer`, `stage` and `spool` are made by
    calling `spec.factory` with `values`; `file` reads the file at `path`, or the `blocks` one after the other, of their
    moments those within `span` (nanoseconds); `concat` and `merge` have several inputs (one after the other;
    interleaved as they come, with ids renumbered); `tee` copies what passes to `path`, which appears only when all of
    it was written, or to the blocks of `filling`. `inputs` are places in the tuple of nodes, all before this one.
    `facts` are what the definition says of the variables, where this node is the first that gives arrays. Where a
    command is several nodes, since some of its programs are classic, `part` counts them from 0; so it does the nodes of
    blocks and of what joins them.
    """

    name: str
    kind: NodeKind
    produces: StreamType
    inputs: tuple[int, ...] = ()
    spec: StageSpec | None = None
    values: tuple[tuple[str, Value], ...] = ()
    command: Command | None = None
    path: str = ""
    facts: Facts | None = None
    part: int = 0
    blocks: tuple[Block, ...] = ()
    span: tuple[int, int] | None = None
    filling: Filling | None = None

    @property
    def program(self) -> str:
        """The classic program whose work is done; blank for other nodes."""
        if self.kind != "classic" or self.command is None:
            return ""
        return self.command.argvs[0][0].rpartition("/")[2]


Nodes = tuple[Node, ...]
