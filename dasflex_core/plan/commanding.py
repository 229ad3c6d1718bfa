# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a definition's command: its programs as processes, and the classic ones among them as stages."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from dasflex_core.errors import ConfigError, QueryError
from dasflex_core.plan.graph import Command, Limits, Node
from dasflex_core.plan.parameters import typed_value, value_text
from dasflex_core.plan.valid_range import NOTHING, trimmed
from dasflex_core.streamtype import StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.catalog.model import SourceLimits
    from dasflex_core.plan.binding import Bound, BoundStage
    from dasflex_core.plan.classics import Classics
    from dasflex_core.plan.graph import NodeKind, Nodes
    from dasflex_core.stages import Value

__all__ = ["Commanded", "Server", "commanded", "rendered"]

#: Families whose parameters an answer is identified by, whatever consumed them.
_NOT_COMPUTED = frozenset({"read", "format"})


@dataclass(frozen=True, slots=True)
class Commanded:
    """The nodes of a command, and what it says of the answer that no parameter says.

    `nodes` are in order; `stated` has the words of each classic program that the definition alone chose.
    """

    nodes: Nodes
    stated: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """What commands get from the server: its Python interpreter, its environment, and its limits of processes."""

    python: str
    environ: Mapping[str, str]
    limits: Limits


def rendered(
    own: BoundStage, values: Mapping[str, Value], bound: Bound, request: Mapping[str, str], server: Server
) -> tuple[Command, list[tuple[str, str]]]:
    """The rendered command of a stage of the source, and the defaults that it used of what it requires.

    Raises `QueryError` for a value that is missing, or that no argument can hold.
    """
    given: dict[str, Value] = {}
    used: list[tuple[str, str]] = []
    for param in own.spec.params:
        if param.name in values:
            given[param.name] = values[param.name]
        elif param.default is not None:
            given[param.name] = typed_value(param, param.name, param.default)
            if param.mode == "required" and param.name.removeprefix("read.") not in bound.options:
                used.append((param.name, param.default))
    given |= {name: request[name] for name in own.spec.reads if name in request}
    types = {param.name: param.type for param in own.spec.params}
    texts = {name: value_text(value) if not isinstance(value, bool | tuple) else value for name, value in given.items()}
    reader = own.reader
    within = trimmed(texts, own.definition, bound.definition) if reader else texts
    argvs: tuple[tuple[str, ...], ...] = NOTHING
    if within is not None:
        argvs = own.template.render(within, python=server.python, environ=server.environ, typed=types)
    command = Command(
        argvs=argvs,
        directory=own.directory,
        environment=reader.set_env if reader else (),
        pass_env=reader.pass_env if reader else (),
        limits=_limits(server.limits, bound.limits),
    )
    return command, used


def _limits(site: Limits, own: SourceLimits) -> Limits:
    """The site's limits, with those that the definition sets in their place."""
    return Limits(
        silence=site.silence if own.silence is None else own.silence,
        cpu=site.cpu if own.cpu is None else own.cpu,
        output=site.output if own.output is None else own.output,
        memory=site.memory,
        scratch=site.scratch,
        processes=site.processes,
    )


def commanded(own: BoundStage, command: Command, classics: Classics, before: int) -> Commanded:
    """The nodes of the rendered command of a stage. Its first input is that of place `before`; a reader has none.

    Neighbours that are no classic programs are one process. Raises `QueryError` for arguments that a classic program
    does not take, or `ConfigError` where no value of the request has a part in them.
    """
    spec = own.spec
    inputs = () if spec.accepts is None else (before,)
    if not own.classics:
        return Commanded((Node(spec.name, "process", spec.produces, inputs, spec, command=command),))
    groups = list(_groups(own))
    types = [_types(own, command, classics, places) for places in groups]
    nodes: list[Node] = []
    for part, places in enumerate(groups):
        last = part == len(groups) - 1
        given = None if last else types[part][1] or types[part + 1][0]
        produces = spec.produces if given is None else StreamType(given)
        some = replace(command, argvs=tuple(command.argvs[place] for place in places))
        kind: NodeKind = "classic" if own.classics[places[0]] else "process"
        nodes.append(Node(spec.name, kind, produces, inputs, spec, command=some, part=part))
        inputs = (before + part + 1,)
    _check_ends(own, types[0][0], types[-1][1])
    return Commanded(tuple(nodes), tuple(_stated(own, command, classics)))


def _groups(own: BoundStage) -> Iterator[list[int]]:
    """The places of the programs that make a node each: classic ones alone, others with their neighbours."""
    for ours, group in groupby(range(len(own.classics)), key=lambda place: bool(own.classics[place])):
        places = list(group)
        yield from ([place] for place in places) if ours else (places,)


def _types(own: BoundStage, command: Command, classics: Classics, places: list[int]) -> tuple[str, str]:
    """The kinds of stream that a classic program takes and gives; blank for other programs. Raises as `commanded`."""
    place = places[0]
    if not own.classics[place]:
        return "", ""
    try:
        nodes = classics.nodes(replace(command, argvs=(command.argvs[place],)), b"")
    except QueryError as error:
        if own.template.mentions(place):
            raise
        raise ConfigError(f"{own.place}: {error.message}", kind="config.bad-value") from error
    return nodes[0].produces.kind, nodes[-1].produces.kind


def _check_ends(own: BoundStage, taken: str, given: str) -> None:
    """Raises `ConfigError` where a classic program at an end takes or gives another kind of stream than is said."""
    accepts, writes = own.spec.accepts, own.spec.produces
    if taken and accepts is not None and taken != accepts.kind:
        raise ConfigError(f"{own.place}: {own.classics[0]} takes {taken}, not {accepts}", kind="config.bad-value")
    if given and given != writes.kind:
        raise ConfigError(f"{own.place}: {own.classics[-1]} writes {given}, not {writes}", kind="config.bad-value")


def _stated(own: BoundStage, command: Command, classics: Classics) -> Iterator[tuple[str, str]]:
    """The words of classic programs in which no parameter of a computation has a part: they make the answer, too."""
    for place, name in enumerate(own.classics):
        if name and {each.partition(".")[0] for each in own.template.mentions(place)} <= _NOT_COMPUTED:
            words = (str(classics.algorithm([name])), *command.argvs[place][1:])
            yield f"{own.spec.name}.{place}.{name}", "\n".join(words)
