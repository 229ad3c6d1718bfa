# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex filter`: stages as a filter, from standard input to standard output. `dasflex plan --sh` uses it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.verbs import Verb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dasflex_core.catalog.model import Facts
    from dasflex_core.plan.graph import Node, NodeKind, Nodes
    from dasflex_core.registry import Registry
    from dasflex_core.stages import StageSpec, Value

__all__ = ["filter"]

_THEN: Final = "--then"
_INPUT: Final = "/dev/stdin"
#: What ends the first declaration of records in a das stream, and how much is looked through for it.
_DECLARED: Final = (b"</packet>", b"</dataset>")
_HEAD: Final = 1 << 16


@click.command("filter", cls=Verb, context_settings={"allow_interspersed_args": False})
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]... [--then NAME [KEY=VALUE]...]...", type=click.UNPROCESSED)
def filter(name: str, words: tuple[str, ...]) -> None:  # noqa: A001  the word that users know
    """Run stages over standard input, to standard output.

    NAME is an installed stage (`dasflex plugins`), KEY one of its parameters. What one stage gives, the next one
    behind --then takes. The first takes a stream of bytes, and the last gives one.

    NAME may also be a classic program, such as das2_psd, with the arguments of that.
    """
    from dasflex_core.registry import discover
    from dasflex_core.run import Pump, PumpSettings

    registry = discover()
    classic = {each.name: each.words for each in registry.classic_programs}
    path = _INPUT
    if name in classic:
        from dasflex_core.loading import load

        head, path = _peeked()
        name, *words = load(classic[name])(list(words), head)
    nodes = _nodes(registry, _links((name, *words)), path)
    settings = PumpSettings(framer=registry.framer, info=registry.stream_type)
    with Pump(nodes, settings) as run:
        for chunk in run.chunks():
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _links(words: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names of stages, each with its parameters as they are written."""
    link: list[str] = []
    for word in (*words, _THEN):
        if word != _THEN:
            link.append(word)
            continue
        if not link:
            raise click.UsageError(f"{_THEN} stands between two stages")
        yield link[0], tuple(link[1:])
        link = []


def _peeked() -> tuple[bytes, str]:
    """The beginning of standard input, and the path of a pipe that gives it again with all that follows."""
    from threading import Thread

    head = b""
    while len(head) < _HEAD and not any(end in head for end in _DECLARED):
        chunk = os.read(sys.stdin.fileno(), _HEAD)
        if not chunk:
            break
        head += chunk
    ours, theirs = os.pipe()

    def copied() -> None:
        with os.fdopen(theirs, "wb", buffering=0) as out:
            chunk = head
            try:
                while chunk:
                    out.write(chunk)
                    chunk = os.read(sys.stdin.fileno(), _HEAD)
            except BrokenPipeError:  # nobody reads any more
                return

    Thread(target=copied, daemon=True).start()
    return head, f"/dev/fd/{ours}"


def _nodes(registry: Registry, links: Iterator[tuple[str, tuple[str, ...]]], path: str) -> Nodes:
    """The plan that runs the stages over standard input. Raises `QueryError` where they do not fit together."""
    from dasflex_core.errors import QueryError
    from dasflex_core.plan.graph import Node
    from dasflex_core.streamtype import ARRAYS

    nodes: list[Node] = []
    for name, words in links:
        spec = _stage(registry, name)
        accepts = spec.accepts
        if accepts is None:
            raise QueryError(f"{name} reads nothing, so that it is no filter", kind="query.no-plan")
        if not nodes:
            if accepts == ARRAYS:
                raise QueryError(f"{name} takes arrays; a decoder must stand before it", kind="query.no-plan")
            nodes.append(Node("standard input", "file", accepts, path=path))
        elif not nodes[-1].produces.serves(accepts):
            raise QueryError(f"{name} takes {accepts}, not {nodes[-1].produces}", kind="query.no-plan")
        nodes.append(_node(spec, words, len(nodes) - 1))
    if nodes[-1].produces == ARRAYS:
        raise QueryError(f"{nodes[-1].name} gives arrays; a formatter must stand behind it", kind="query.no-plan")
    return tuple(nodes)


def _stage(registry: Registry, name: str) -> StageSpec:
    """The installed stage of that name. Raises `QueryError` with the nearest."""
    from dasflex_core.errors import QueryError, did_you_mean

    known = {spec.name: spec for spec in registry.stages}
    if name not in known:
        hint = did_you_mean(name, known) or f" There are {', '.join(sorted(known))}."
        raise QueryError(f"There is no stage {name!r}.{hint}", kind="query.no-plan")
    return known[name]


def _node(spec: StageSpec, words: tuple[str, ...], before: int) -> Node:
    """The node of a stage with the values of its parameters, by their full or their short names."""
    from dasflex_core.cli.words import pairs_of
    from dasflex_core.errors import QueryError, did_you_mean
    from dasflex_core.plan.graph import Node
    from dasflex_core.plan.parameters import typed_value
    from dasflex_core.plan.solver import binds as coord_of
    from dasflex_core.streamtype import ARRAYS

    known = {each.name: each for each in spec.params} | {each.attribute: each for each in spec.params}
    reads = {*spec.reads, *(each.replace(".", "_") for each in spec.reads)}
    values: dict[str, Value] = {}
    facts: Facts | None = None
    for key, text in pairs_of(words):
        bound = next((each for each in spec.params if coord_of(each.name, key)), None)
        if key in reads or (spec.tells and key in ("facts", "words")):
            values[key.replace(".", "_")] = text
        elif key == "said" and spec.produces == ARRAYS:
            facts = _facts(spec.name, text)
        elif bound is not None:
            values[bound.attribute] = typed_value(bound, key, text)
            values["coord"] = coord_of(bound.name, key) or ""
        elif key in known:
            values[known[key].attribute] = typed_value(known[key], key, text)
        else:
            hint = did_you_mean(key, known) or f" It has {', '.join(each.name for each in spec.params) or 'none'}."
            raise QueryError(f"{spec.name} has no parameter {key!r}.{hint}", kind="query.unknown-parameter")
    lacking = [
        each.name
        for each in spec.params
        if each.mode == "required" and each.default is None and each.attribute not in values
    ]
    if lacking:
        raise QueryError(f"{spec.name} needs {', '.join(lacking)}", kind="query.missing-parameter")
    kind: NodeKind = "spool" if spec.protocol == "spool" else "stage"
    return Node(spec.name, kind, spec.produces, (before,), spec, tuple(values.items()), facts=facts)


def _facts(stage: str, text: str) -> Facts:
    """What a definition says of the variables, as `dasflex plan --sh` writes it. Raises `QueryError`."""
    from dasflex_core.catalog.model import Facts
    from dasflex_core.errors import QueryError

    try:
        return Facts.read(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise QueryError(f"{stage}: said= is no JSON object of facts: {error}", kind="query.bad-value") from error
