# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers without a program: what plugins make of a definition's `reader.files` or `reader.url`.

A plugin registers a `ReaderKind`, whose `bind` names a function `(reader, setting) -> OwnReader`. It is called whenever
a request of such a source is planned, so it looks at as little as it can and imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dasflex_core.errors import ConfigError, Place
from dasflex_core.loading import load
from dasflex_core.plan.graph import Node
from dasflex_core.plan.valid_range import trimmed
from dasflex_core.plan.valuing import by_attribute, read_values
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.catalog.model import Definition, Rate, Reader
    from dasflex_core.declarations import ReaderKind
    from dasflex_core.plan.solver import Step
    from dasflex_core.registry import Registry
    from dasflex_core.stages import StageSpec, Value

__all__ = ["OwnReader", "Setting", "made_by_kind", "named", "reading_node"]

_BEGIN, _END = "read.time.min", "read.time.max"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a reader is bound in: the definition, the request over its defaults, and the server's surroundings.

    `keep` is a directory in which the plugin may keep what it finds out, such as an index; blank where it may not, and
    it need not exist. `environ` is the server's environment, without what a request put there. `registry` has what is
    installed, such as the decoders of streams; None where nobody has looked.
    """

    definition: Definition
    request: Mapping[str, str]
    environ: Mapping[str, str]
    keep: str = ""
    registry: Registry | None = None


@dataclass(frozen=True, slots=True)
class OwnReader:
    """A reader of the source that is code of a plugin.

    `spec` accepts nothing and is a producer; its name, its origin, and what the definition says of the data are filled
    in. `given` are keywords for its factory, beside the values of its parameters. `facts` is a text of what of these
    makes the answer; with other facts it has another id. `changed` is the date of the data, in seconds since 1970, None
    where it is not known; `rate` is what it gives, where that is known.
    """

    spec: StageSpec
    given: tuple[tuple[str, Value], ...] = ()
    facts: str = ""
    changed: float | None = None
    rate: Rate | None = None


def made_by_kind(reader: Reader, setting: Setting, kinds: Iterable[ReaderKind]) -> OwnReader | None:
    """The reader that a plugin makes of `reader.files` or `reader.url`; None where no plugin does.

    Raises `ConfigError` where it cannot, such as for an address that is none.
    """
    kind = next((each for each in kinds if _fits(each, reader)), None)
    if kind is None:
        return None
    made = load(kind.bind)(reader, setting)
    if not isinstance(made, OwnReader) or made.spec.accepts is not None:
        place = Place(setting.definition.file, key=f"reader.{reader.name}.{reader.kind}")
        raise ConfigError(f"{place}: {kind.bind} makes no OwnReader", kind="config.plugin")
    return made


def _fits(kind: ReaderKind, reader: Reader) -> bool:
    """Whether a kind is that of the reader: the same key, and for an address the same scheme."""
    if kind.key != reader.kind:
        return False
    return kind.key != "url" or reader.url.partition(":")[0].lower() == kind.scheme


def reading_node(
    made: OwnReader, step: Step, values: Mapping[str, Value], request: Mapping[str, str], *owners: Definition
) -> Node:
    """The node of a step whose reader a plugin made. Its range is trimmed to what the owners have data for.

    Where nothing is left of it, it is empty: it begins where it ends.
    """
    read = {name.replace("_", "."): text for name, text in read_values(step.spec, request)}
    both = {**values, **read}
    within = trimmed(both, *owners)
    if within is None:
        end = both.get(_BEGIN, both.get(_END, ""))
        within = {**both, **{name: end for name in (_BEGIN, _END) if name in both}}
    consumed = by_attribute(step, {name: within[name] for name in values})
    told = tuple((name.replace(".", "_"), within[name]) for name in read)
    return Node(step.spec.name, "producer", step.spec.produces, (), step.spec, (*consumed, *told, *made.given))


def named(made: OwnReader, reader: Reader, name: str, definition: Definition, traits: frozenset[str]) -> StageSpec:
    """The declaration of a reader as it stands in plans: its name, and what the definition says of the data.

    An inexact one is only told the range: the trim stage answers for it.
    """
    spec = made.spec
    inexact = () if reader.exact and spec.exact else (_BEGIN, _END)
    params = tuple(each for each in spec.params if each.name not in inexact)
    return replace(
        spec,
        name=name,
        title=definition.title,
        origin=definition.id,
        adds=spec.adds | traits | {"finite"},
        params=params,
        reads=(*spec.reads, *(each for each in inexact if each not in spec.reads)),
        exact=not inexact,
    )
