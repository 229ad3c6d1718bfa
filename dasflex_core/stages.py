# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stage is: its declaration, the four protocols it may follow, and the bases that plugin authors extend.

A `StageSpec` is frozen data that names its code by text (`module:class`); the code is imported when a plan uses it.
Transformations are sans-I/O: they never read, write, sleep or spawn, so that one object serves every pump.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from dasflex_core.errors import ConfigError, SourceError
from dasflex_core.streamtype import ARRAYS, StreamType, check_traits
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from dasflex_core.arrays import Comment, Dataset, Item, NoData, Problem, Records, StreamHeader

__all__ = [
    "Cost",
    "Decoder",
    "Formatter",
    "Frame",
    "Framer",
    "ParamSpec",
    "Producer",
    "Reducer",
    "Spool",
    "Stage",
    "StageSpec",
    "Value",
    "param",
    "spec_of",
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
    `(request, source)`, which answers true, or false, or the reason to decline; `asks` one `(request, source) -> dict
    of parameters` that the stage asks of those before it. `tells` names one `(source, reader) -> (facts, words)`, which
    gives two texts of what the definition says that the stage must know, such as a table of its plugin: other facts
    make another answer, other words (titles, labels) do not. `algorithm` grows when the output changes. `factory` names
    a class that is called with the values of the parameters by attribute, and with `facts` and `words` where there is
    `tells`; `protocol` says what it makes. `origin` is the plugin or the source.
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

    def items(self, cancelled: Callable[[], bool]) -> Iterator[Item]:
        """The items of the stream, until the end or until `cancelled()` is true."""
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


@dataclass(frozen=True, slots=True)
class _Declared:
    """A parameter as `param()` wrote it in a class, before the class line completes it."""

    spec: ParamSpec


def param(  # noqa: PLR0913  a declaration has as many words as a parameter has facts
    name: str,
    *,
    mode: Mode = "required",
    type: ParamType | None = None,  # noqa: A002  the word that authors know
    units: str = "",
    low: float | None = None,
    high: float | None = None,
    values: Iterable[str] | dict[str, str] = (),
    default: str | None = None,
    title: str = "",
    help: str = "",  # noqa: A002  the word that authors know
) -> Any:  # noqa: ANN401  it stands for the value, whose type the annotation gives
    """Declares the parameter that an attribute of a `Reducer`, `Formatter` or `Decoder` is filled from.

    The annotation of the attribute (`float`, `int`, `bool`, `str`, `tuple[str, ...]`) gives the type; `type` says it
    where that is not enough, as for a `time`, which is a `str` in the type of times.
    """
    pairs = tuple(values.items()) if isinstance(values, dict) else tuple((value, "") for value in values)
    return _Declared(ParamSpec(name, mode, type or "string", units, low, high, pairs, default, title, help))


_TYPES: dict[str, ParamType] = {
    "float": "real",
    "int": "integer",
    "bool": "boolean",
    "str": "string",
    "tuple[str, ...]": "list",
}


def _complete(owner: type, attribute: str, declared: _Declared) -> ParamSpec:
    """The parameter with its type and attribute, from the annotation that stands in the class."""
    from inspect import get_annotations  # it is slow to import, and a request has stages from the manifest

    written = get_annotations(owner).get(attribute, "str")
    annotation = (written.__name__ if isinstance(written, type) else str(written)).replace(" | None", "")
    if annotation not in _TYPES:
        raise ConfigError(
            f"{owner.__name__}.{attribute}: a parameter is one of {', '.join(_TYPES)}, not {annotation}",
            kind="config.plugin",
        )
    made: dict[str, Any] = {each: getattr(declared.spec, each) for each in ParamSpec.__dataclass_fields__}
    kind = _TYPES[annotation] if declared.spec.type == "string" else declared.spec.type
    return ParamSpec(**{**made, "type": kind, "attribute": attribute})


def _words(text: str | Iterable[str]) -> frozenset[str]:
    """The traits that a class line names: one text with blanks, or several."""
    return frozenset(text.split()) if isinstance(text, str) else frozenset(text)


class _Declaring:
    """What the bases share: the class line and `param()` make the `StageSpec`.

    An object has the values of its parameters by attribute. A parameter of `reads` is the attribute with underscores
    for its dots (`read.time.min` is `self.read_time_min`, text as in the request, None where it was not given), and
    where a parameter has a wildcard, `self.coord` is the coordinate to which it is bound. With `tells`, `self.facts`
    and `self.words` are what the definition says.
    """

    spec: ClassVar[StageSpec]
    coord: Value
    facts: Value
    words: Value
    _accepts: ClassVar[StreamType] = ARRAYS
    _produces: ClassVar[StreamType] = ARRAYS

    def __init_subclass__(  # noqa: PLR0913  the class line is the declaration
        cls,
        *,
        name: str = "",
        title: str = "",
        accepts: str = "",
        produces: str = "",
        needs: str | Iterable[str] = "",
        refuses: str | Iterable[str] = "",
        adds: str | Iterable[str] = "",
        drops: str | Iterable[str] = "",
        reads: Iterable[str] = (),
        admits: str = "",
        asks: str = "",
        tells: str = "",
        start: float = 0.0,
        per_gb: float = 1.0,
        algorithm: int = 1,
        **kwargs: object,
    ) -> None:
        super().__init_subclass__(**kwargs)
        inherited = getattr(cls, "spec", None)
        own = {key: value for key, value in vars(cls).items() if isinstance(value, _Declared)}
        params = tuple(_complete(cls, key, value) for key, value in own.items())
        for key, value in own.items():
            if value.spec.default is None:
                delattr(cls, key)
        cls.spec = StageSpec(
            name=name or _dashed(cls.__name__),
            title=title or (cls.__doc__ or "").strip().partition("\n")[0].rstrip("."),
            accepts=StreamType.parse(accepts) if accepts else cls._accepts,
            produces=StreamType.parse(produces) if produces else cls._produces,
            factory=f"{cls.__module__}:{cls.__qualname__}",
            needs=check_traits(_words(needs), cls.__name__),
            refuses=check_traits(_words(refuses), cls.__name__),
            adds=check_traits(_words(adds), cls.__name__),
            drops=check_traits(_words(drops), cls.__name__),
            params=(*(inherited.params if inherited else ()), *params),
            reads=tuple(reads),
            admits=admits,
            asks=asks,
            tells=tells,
            cost=Cost(start, per_gb),
            algorithm=algorithm,
        )

    def __init__(self, **values: Value | None) -> None:
        for each in self.spec.params:
            given = values.pop(each.attribute, None)
            setattr(self, each.attribute, _default(each) if given is None else given)
        for name in self.spec.reads:
            setattr(self, name.replace(".", "_"), values.pop(name.replace(".", "_"), None))
        if self.spec.tells:
            self.facts, self.words = values.pop("facts", None) or "", values.pop("words", None) or ""
        if any("{" in each.name for each in self.spec.params):
            self.coord = values.pop("coord", None) or ""
        if values:
            raise TypeError(f"{type(self).__name__} has no parameter {', '.join(values)}")


def _default(spec: ParamSpec) -> Value | None:
    """The typed value of a parameter's default; None where it has none."""
    text = spec.default
    if text is None:
        return None
    made: dict[str, Callable[[str], Value]] = {
        "real": float,
        "duration": float,
        "integer": int,
        "boolean": lambda word: word.lower() == "true",
        "list": lambda words: tuple(each.strip() for each in words.split(",") if each.strip()),
    }
    return made.get(spec.type, str)(text)


def _dashed(name: str) -> str:
    """The name of a stage from that of its class: BandPower -> band-power."""
    return "".join("-" + char.lower() if char.isupper() and at else char.lower() for at, char in enumerate(name))


class Reducer(_Declaring):
    """Base of transformations of items. One object is made for each dataset that has the traits it `needs`.

    `stream` is the header of the stream as it came in, None where there was none; it is set before `dataset` is called.
    """

    stream: StreamHeader | None = None

    def header(self, header: StreamHeader) -> StreamHeader:
        """The header of the stream that comes out; by default the same."""
        return header

    def dataset(self, dataset: Dataset) -> Dataset | None:
        """The declaration of what comes out of this dataset; by default the same. None: it comes with the records."""
        return dataset

    def records(self, batch: Records) -> Records | Iterable[Item]:
        """What comes out of a batch; by default the same. It may be declared anew there, and remarked upon."""
        return batch

    def finish(self) -> Iterable[Item]:
        """The records that are left when the dataset ends or is declared anew."""
        return ()


class Formatter(_Declaring):
    """Base of what turns items into bytes: one method per kind of item, each giving bytes (or none)."""

    def feed(self, item: Item, /) -> Iterable[bytes]:
        """The bytes of one item, by the method of its kind."""
        chunk = _dispatch(self, item)
        return (chunk,) if chunk else ()

    def flush(self) -> Iterable[bytes]:
        """The bytes of records that wait for more: asked for where the data are live and none have come for a while."""
        return ()

    def finish(self) -> Iterable[bytes]:
        """The bytes at the end of the stream."""
        return ()

    def header(self, header: StreamHeader) -> bytes:  # noqa: ARG002  a default for those who override it
        """The bytes of the stream's header."""
        return b""

    def dataset(self, dataset: Dataset) -> bytes:  # noqa: ARG002  the same
        """The bytes of the declaration of a dataset."""
        return b""

    def records(self, batch: Records) -> bytes:  # noqa: ARG002  the same
        """The bytes of a batch of records."""
        raise ConfigError(f"{type(self).__name__} writes no records", kind="config.plugin")

    def comment(self, comment: Comment) -> bytes:  # noqa: ARG002  the same
        """The bytes of a comment; by default comments are left out."""
        return b""

    def problem(self, problem: Problem) -> bytes:
        """The bytes of a failure; by default the format cannot carry one and breaks."""
        raise SourceError(problem.message, kind="source.stream")

    def no_data(self, nothing: NoData) -> bytes:  # noqa: ARG002  the same
        """The bytes that say that nothing was found; by default none."""
        return b""


class Decoder(_Declaring):
    """Base of what turns bytes into items: chunks come in, split anywhere; `feed` and `finish` give items."""

    def feed(self, chunk: bytes, /) -> Iterable[Item]:  # noqa: ARG002  the same
        """The items that this chunk completes."""
        raise ConfigError(f"{type(self).__name__} decodes nothing", kind="config.plugin")

    def finish(self) -> Iterable[Item]:
        """The items at the end, or a `SourceError` where the stream ends inside a packet."""
        return ()


def _dispatch(formatter: Formatter, item: Item) -> bytes:
    """What the formatter's method for this kind of item gives."""
    from dasflex_core.arrays import Comment, Dataset, NoData, Problem, Records, StreamHeader

    match item:
        case Records():
            return formatter.records(item)
        case Dataset():
            return formatter.dataset(item)
        case StreamHeader():
            return formatter.header(item)
        case Comment():
            return formatter.comment(item)
        case Problem():
            return formatter.problem(item)
        case NoData():
            return formatter.no_data(item)
    raise ConfigError("No format has moments, which a stage of the plan must widen first", kind="config.plugin")


def spec_of(declared: StageSpec | type) -> StageSpec:
    """The `StageSpec` itself, or that of a `Reducer`, `Formatter` or `Decoder` class; else a `ConfigError`."""
    spec = declared if isinstance(declared, StageSpec) else getattr(declared, "spec", None)
    if not isinstance(spec, StageSpec):
        raise ConfigError(f"{declared!r} declares no stage", kind="config.plugin")
    return spec
