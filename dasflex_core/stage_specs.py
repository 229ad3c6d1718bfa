# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stage declares of itself, as frozen data, and the four protocols of which it follows one.

Everybody has these names from `dasflex_core.stages`, beside the bases with which they are written as classes.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, runtime_checkable

from dasflex_core.streamtype import ARRAYS, StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from dasflex_core.arrays import Item

__all__ = [
    "Cost",
    "Frame",
    "Framer",
    "Mode",
    "ParamSpec",
    "ParamType",
    "Producer",
    "Spool",
    "Stage",
    "StageSpec",
    "Value",
]

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)

#: The typed value of a parameter, as a factory gets it.
Value = str | int | float | bool | tuple[str, ...]
ParamType = Literal["real", "integer", "boolean", "string", "time", "duration", "list", "arguments"]
Mode = Literal["required", "offered", "modifier"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage costs: seconds to start, and seconds per gigabyte of its input."""

    start: float = 0.0
    per_gb: float = 0.0


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One parameter that a stage consumes.

    `mode`: a *required* one must be given (or have a `default`), an *offered* one may be taken or left to a later
    stage, a *modifier* counts only if the stage is there. `name` may hold one wildcard, as in `bin.{coord}.max`, bound
    to a trait `axis:NAME`. `units` are those of a bare number; `low` and `high` bound it (both inclusive); `values` is
    the whole set where not empty, with its titles. `attribute` is the factory's keyword.
    """

    name: str
    mode: Mode = "required"
    type: ParamType = "string"
    units: str = ""
    low: float | None = None
    high: float | None = None
    values: tuple[tuple[str, str], ...] = ()
    default: str | None = None
    title: str = ""
    help: str = ""
    attribute: str = ""

    @property
    def family(self) -> str:
        """The family that the parameter belongs to: the first part of its name."""
        return self.name.partition(".")[0]

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """All that the value may be, or hold, with titles. The `values` of arguments are only what is known of them."""
        return () if self.type == "arguments" else self.values


@dataclass(frozen=True, slots=True)
class StageSpec:
    """The declaration of a stage.

    `accepts` is None for a reader. A blank part of a type is unknown in `produces` and any in `accepts`. `needs` are
    traits that must be there, `refuses` those that must not; `adds` and `drops` change them. `params` are consumed,
    `reads` are parameters that the stage looks at while another stage consumes them. `admits` names a pure function
    `(request, source)`, which answers true, or false, or the reason to decline; `asks` one `(request, source)`, which
    gives the parameters that the stage asks of those before it, or a list of such dicts, the dearest first. `tells`
    names one `(source, reader) -> (facts, words)`, which gives two texts of what the definition says that the stage
    must know, such as a table of its plugin: other facts make another answer, other words (titles, labels) do not.
    `algorithm` grows when the output changes. `factory` names a class that is called with the values of the parameters
    by attribute, and with `facts` and `words` where there is `tells`; `protocol` says what it makes. `origin` is the
    plugin or the source.
    """

    name: str
    title: str
    accepts: StreamType | None
    produces: StreamType
    factory: str
    protocol: Literal["stage", "producer", "spool", "process"] = "stage"
    needs: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    adds: frozenset[str] = frozenset()
    drops: frozenset[str] = frozenset()
    params: tuple[ParamSpec, ...] = ()
    reads: tuple[str, ...] = ()
    admits: str = ""
    asks: str = ""
    tells: str = ""
    cost: Cost = field(default_factory=Cost)
    algorithm: int = 1
    exact: bool = True
    bundled: bool = False
    origin: str = ""

    @property
    def role(self) -> str:
        """What the stage is, derived from what it accepts and produces: reader, reducer, converter or formatter."""
        if self.accepts is None:
            return "reader"
        if self.accepts.kind == self.produces.kind and self.accepts.version == self.produces.version:
            return "reducer"
        return "formatter" if self.produces != ARRAYS and self.params else "converter"


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole packet as bytes: `kind` is `header`, `dataset`, `data`, `comment` or `problem`; `id` its packet id."""

    kind: str
    id: int
    data: bytes


@runtime_checkable
class Stage(Protocol[In_contra, Out_co]):
    """Bytes or items in, bytes or items out.

    The pump exhausts what `feed` gives, in the thread that called, before the next call.
    """

    def feed(self, item: In_contra, /) -> Iterable[Out_co]:
        """What comes out because of this item."""
        ...

    def finish(self) -> Iterable[Out_co]:
        """What is left at the end of the input."""
        ...


@runtime_checkable
class Producer(Protocol):
    """An in-process reader. It may block; both pumps run it in a thread of its own."""

    def items(self, cancelled: Callable[[], bool]) -> Iterator[Item] | Iterator[bytes]:
        """The items of the stream, until the end or until `cancelled()` is true.

        Where the stage produces another type than arrays, they are chunks of its bytes, cut anywhere.
        """
        ...


@runtime_checkable
class Spool(Protocol):
    """A formatter that cannot stream: it fills a file in a scratch directory given by the pump.

    One that has the attribute `quota` is told there how many bytes the file may have, before the first item comes.
    """

    def feed(self, item: Item, /) -> None:
        """Takes one item."""
        ...

    def finish(self) -> Path:
        """The finished file."""
        ...


@runtime_checkable
class Framer(Protocol):
    """Bytes in, whole packets out, without decoding a value.

    One that has the attribute `together` gives data packets of one dataset that follow one another as one frame, of at
    most so many bytes, where a server sets it: most of its work is then done at once. It is 0 otherwise.
    """

    def feed(self, chunk: bytes, /) -> Iterable[Frame]:
        """The packets that this chunk completes. Raises `SourceError` at what is no packet."""
        ...

    def finish(self) -> Iterable[Frame]:
        """Nothing, or a `SourceError` where the stream ends inside a packet."""
        ...
