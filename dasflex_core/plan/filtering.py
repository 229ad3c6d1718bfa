# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan that words of `dasflex filter` write: stages with their parameters, over a stream of bytes.

>>> from dasflex_core.registry import discover
>>> words = ["das2-decode", "--then", "csv", "secfrac=3"]
>>> [node.name for node in filter_nodes(discover(), words, "/dev/stdin")]
['standard input', 'das2-decode', 'csv']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError, did_you_mean
from dasflex_core.plan.graph import Node
from dasflex_core.plan.parameters import typed_value
from dasflex_core.plan.stage_index import binds
from dasflex_core.streamtype import ARRAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dasflex_core.catalog.model import Facts
    from dasflex_core.plan.graph import NodeKind, Nodes
    from dasflex_core.registry import Registry
    from dasflex_core.stages import StageSpec, Value

__all__ = ["filter_nodes"]

_THEN: Final = "--then"


def filter_nodes(registry: Registry, words: Iterable[str], path: str) -> Nodes:
    """The plan that runs the stages over the file of that path, which is its first node.

    Raises `QueryError` for words that are no stages and parameters of these, and where stages do not fit together.
    """
    nodes: list[Node] = []
    for name, pairs in _links(words):
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
        nodes.append(_node(spec, pairs, len(nodes) - 1))
    if nodes[-1].produces == ARRAYS:
        raise QueryError(f"{nodes[-1].name} gives arrays; a formatter must stand behind it", kind="query.no-plan")
    return tuple(nodes)


def _links(words: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names of stages, each with its parameters as they are written."""
    link: list[str] = []
    for word in (*words, _THEN):
        if word != _THEN:
            link.append(word)
            continue
        if not link:
            raise QueryError(f"{_THEN} stands between two stages", kind="query.bad-value")
        yield link[0], tuple(link[1:])
        link = []


def _stage(registry: Registry, name: str) -> StageSpec:
    """The installed stage of that name. Raises `QueryError` with the nearest."""
    known = {spec.name: spec for spec in registry.stages}
    if name not in known:
        lacking = registry.lacking(stage=name)
        if lacking:
            raise QueryError(f"The stage {name!r} {lacking}", kind="query.no-plan")
        hint = did_you_mean(name, known) or f" There are {', '.join(sorted(known))}."
        raise QueryError(f"There is no stage {name!r}.{hint}", kind="query.no-plan")
    return known[name]


def _node(spec: StageSpec, words: Sequence[str], before: int) -> Node:
    """The node of a stage with the values of its parameters, by their full or their short names."""
    known = {each.name: each for each in spec.params} | {each.attribute: each for each in spec.params}
    reads = {*spec.reads, *(each.replace(".", "_") for each in spec.reads)}
    values: dict[str, Value] = {}
    facts: Facts | None = None
    for key, text in map(_pair, words):
        bound = next((each for each in spec.params if binds(each.name, key)), None)
        if key in reads or (spec.tells and key in ("facts", "words")):
            values[key.replace(".", "_")] = text
        elif key == "said" and spec.produces == ARRAYS:
            facts = _facts(spec.name, text)
        elif bound is not None:
            values[bound.attribute] = typed_value(bound, key, text)
            values["coord"] = binds(bound.name, key) or ""
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


def _pair(word: str) -> tuple[str, str]:
    """The name and the value of a parameter as they are written. Raises `QueryError`."""
    name, sign, value = word.partition("=")
    if not sign or not name.strip():
        raise QueryError(
            f"{word!r} is no parameter of a stage; write it key=value, as in bin.time.max=60", kind="query.bad-value"
        )
    return name.strip(), value


def _facts(stage: str, text: str) -> Facts:
    """What a definition says of the variables, as `dasflex plan --sh` writes it. Raises `QueryError`."""
    from dasflex_core.catalog.model import Facts

    try:
        return Facts.read(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise QueryError(f"{stage}: said= is no JSON object of facts: {error}", kind="query.bad-value") from error
