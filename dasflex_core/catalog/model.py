# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition says, as frozen values: the one form of it that the rest of dasflex works with.

A definition is a reader and a handful of partial requests. A partial request is a tuple of pairs, the canonical name of
a parameter and its value as text, exactly as they would stand in a URL: `time` is already the two ends, a boolean is
`true` or `false`, and a number its shortest text. Quantities are numbers here, of seconds or of bytes. What a
definition does not say is None, or empty where nothing can be meant by that.

Front-ends read definitions at each request, so nothing here, and nothing that it imports, is slow to import.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.stages import ParamType

__all__ = [
    "READER_KINDS",
    "Access",
    "Cache",
    "CacheLevel",
    "Cite",
    "Contacts",
    "Coord",
    "DataItem",
    "Definition",
    "Example",
    "ExternalStage",
    "Facts",
    "HapiSet",
    "Interval",
    "Live",
    "Option",
    "Pairs",
    "PluginTable",
    "Rate",
    "Reader",
    "SourceLimits",
    "Span",
]

#: A partial request: canonical names and values as text, in the order in which they were written.
Pairs: TypeAlias = tuple[tuple[str, str], ...]
ReaderKind = Literal["command", "files", "source", "url"]
#: What a reader may be: exactly one of these keys is written.
READER_KINDS: Final[tuple[ReaderKind, ...]] = ("command", "files", "source", "url")


@dataclass(frozen=True, slots=True)
class Span:
    """A half open range, [begin, end), as written: of times (`now` and `forever` among them), or of numbers."""

    begin: str
    end: str

    def __str__(self) -> str:
        return f"{self.begin} to {self.end}"


@dataclass(frozen=True, slots=True)
class Contacts:
    """Who answers for the source, each as `Name <address>`, several with commas between them."""

    technical: str = ""
    scientific: str = ""


@dataclass(frozen=True, slots=True)
class Cite:
    """How the data are cited: a DOI, a SPASE resource id, an SPDX licence, and a text."""

    doi: str = ""
    spase: str = ""
    licence: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a reader writes: packets per second, and bytes per packet."""

    packets: float
    size: int


@dataclass(frozen=True, slots=True)
class Reader:
    """Where the data come from: exactly one of `command`, `files`, `source` and `url`.

    `command` is a template; `files` a pattern of paths; `source` the id of another source, of which this is a view;
    `url` another server. `writes` is the stream type as text, blank where it follows from the kind. `live` readers
    follow the present. A reader that is not `exact` gives more than the range that was asked for. `changed` is a
    pattern of files whose newest is the date of the data; `time` the variable of `files` that holds the times.
    `directory` is an absolute path, blank for the definition's own.
    """

    name: str
    command: str = ""
    files: str = ""
    source: str = ""
    url: str = ""
    writes: str = ""
    live: bool = False
    exact: bool = True
    changed: str = ""
    rate: Rate | None = None
    time: str = ""
    directory: str = ""
    set_env: Pairs = ()
    pass_env: tuple[str, ...] = ()

    @property
    def kind(self) -> ReaderKind:
        """Which of the four it is; a compiled definition has exactly one of them."""
        return next(kind for kind in READER_KINDS if getattr(self, kind))


@dataclass(frozen=True, slots=True)
class ExternalStage:
    """A filter program of this source only: a command template, and the stream types before and behind it."""

    name: str
    command: str
    accepts: str
    writes: str


@dataclass(frozen=True, slots=True)
class Option:
    """A parameter of the reader's own, `read.NAME`.

    `values` are all that it may be, with a title for each; `default` is text as in a URL, None where there is none;
    `units` are those of a bare number.
    """

    title: str = ""
    type: ParamType = "string"
    values: Pairs = ()
    default: str | None = None
    units: str = ""
    range: Span | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """The step of a source that has no resolution of its own: what it is by default, and at least, in seconds."""

    default: float | None = None
    min: float | None = None


@dataclass(frozen=True, slots=True)
class Coord:
    """One coordinate of the data.

    `of` names the coordinate that this one is an offset from. `units` is None where it is not said, and blank for a
    pure number. `size` is the number of its values in a record, -1 where that differs from record to record (`ragged`),
    and `tags` are these values. `valid` is [low, high], both included. `cadence` is in seconds. Values repeat with
    `period`, as an angle does.
    """

    label: str = ""
    title: str = ""
    of: str = ""
    units: str | None = None
    size: int | None = None
    scale: str = ""
    range: Span | None = None
    valid: tuple[float, float] | None = None
    cadence: float | None = None
    interval: Interval | None = None
    period: float | None = None
    tags: tuple[str, ...] = ()

    @property
    def ragged(self) -> bool:
        """Whether records have different numbers of values along it."""
        return self.size is not None and self.size < 0


@dataclass(frozen=True, slots=True)
class DataItem:
    """One variable of the data.

    `axes` are the coordinates that it depends on, `valid` and `warn` are [low, high], both included. `default` is
    whether it is sent when a request names no data. `source` is its name in the files, where that is another.
    """

    label: str = ""
    title: str = ""
    axes: tuple[str, ...] = ()
    units: str | None = None
    scale: str = ""
    valid: tuple[float, float] | None = None
    warn: tuple[float, float] | None = None
    fill: str = ""
    period: float | None = None
    default: bool = True
    source: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the tables `[coords]` and `[data]` say over what the stream says of its variables."""

    coords: Mapping[str, Coord] = field(default_factory=dict, hash=False)
    data: Mapping[str, DataItem] = field(default_factory=dict, hash=False)

    def __bool__(self) -> bool:
        return any(map(_tells, self.coords.values())) or any(map(_tells, self.data.values()))

    def numbers(self) -> Pairs:
        """What changes the numbers that are computed from the stream: a corrected label or scale is none of it."""
        tables = (("coords", self.coords), ("data", self.data))
        return tuple(
            (f"{table}.{name}.{key}", str(value))
            for table, items in tables
            for name, item in items.items()
            for key in ("fill", "period", "units", "valid")
            if (value := getattr(item, key, None)) not in (None, "")
        )

    def text(self) -> str:
        """The same as a JSON object, of what a stage may see: what `read` takes."""
        import json

        coords = {name: said for name, item in self.coords.items() if (said := _said(item))}
        data = {name: said for name, item in self.data.items() if (said := _said(item))}
        found = {"coords": coords, "data": data}
        return json.dumps({table: items for table, items in found.items() if items}, ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> Facts:
        """The facts that a JSON object says. Raises `ValueError` for what is none, `TypeError` for unknown keys."""
        import json

        held = json.loads(text)
        if not isinstance(held, dict) or not held.keys() <= {"coords", "data"}:
            raise ValueError("facts are an object with `coords` and `data`")
        coords = {name: Coord(**_bounded(item)) for name, item in held.get("coords", {}).items()}
        return cls(coords, {name: DataItem(**_bounded(item)) for name, item in held.get("data", {}).items()})


#: What a stage may see of a table, in the order of the definition file.
_SEEN: Final = ("label", "units", "scale", "valid", "period", "fill", "source")


def _said(item: Coord | DataItem) -> dict[str, object]:
    """What a stage may see of a table."""
    every = {key: getattr(item, key, None) for key in _SEEN}
    return {key: value for key, value in every.items() if value is not None and (value or key == "units")}


def _bounded(item: dict[str, Any]) -> dict[str, Any]:
    """The keys of a table with its bounds as a pair."""
    return {**item, "valid": tuple(item["valid"])} if item.get("valid") else item


def _tells(item: Coord | DataItem) -> bool:
    """Whether a table says what a stage may see."""
    own = (item.label, item.scale, getattr(item, "fill", ""))
    return any(own) or any(each is not None for each in (item.units, item.valid, item.period))


@dataclass(frozen=True, slots=True)
class Example:
    """A request with a title."""

    title: str = ""
    request: Pairs = ()


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read: any one of the rules of `allow` suffices; without any, everybody."""

    realm: str = ""
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheLevel:
    """A request that is kept, in blocks of a `second`, `minute`, `hour`, `day`, `month` or `year`."""

    block: str
    request: Pairs = ()


@dataclass(frozen=True, slots=True)
class Cache:
    """What is kept. Blocks younger than `fresh` (seconds) are made again; `fill`: a request leaves blocks behind."""

    fresh: float | None = None
    fill: bool = False
    levels: tuple[CacheLevel, ...] = ()


@dataclass(frozen=True, slots=True)
class Live:
    """How a live reader is shared.

    `single`: there are never two readers at once. `linger`: seconds that it outlives its last watcher. `catch_up`: the
    seconds of the past that a late joiner may ask for; `keep`: the bytes of the past that are kept for that. `slow` is
    what becomes of a watcher that falls behind; `watchers` is how many there may be.
    """

    single: bool = False
    linger: float | None = None
    catch_up: float | None = None
    keep: int | None = None
    slow: str = ""
    watchers: int | None = None


@dataclass(frozen=True, slots=True)
class HapiSet:
    """A HAPI data set: a request with an id below the source's own; a blank one is the source itself."""

    id: str = ""
    title: str = ""
    request: Pairs = ()


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What one request may use, where the site's limits do not fit: seconds, bytes, and requests at once."""

    silence: float | None = None
    cpu: float | None = None
    output: int | None = None
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class PluginTable:
    """A table that belongs to a plugin: its own keys as a JSON object, and its partial request."""

    name: str
    values: str = "{}"
    request: Pairs = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A source as its definition describes it.

    `file` is where that was read, for messages to the administrator; `directory` is where its commands run. `was` are
    former ids; `moved` is where the source is now. `prefer` and `never` are names of stages. `defaults` stands under
    every request.
    """

    id: str
    title: str
    label: str = ""
    summary: str = ""
    was: tuple[str, ...] = ()
    moved: str = ""
    listed: bool = True
    contacts: Contacts = field(default_factory=Contacts)
    cite: Cite = field(default_factory=Cite)
    readers: tuple[Reader, ...] = ()
    stages: tuple[ExternalStage, ...] = ()
    prefer: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    coords: Mapping[str, Coord] = field(default_factory=dict, hash=False)
    data: Mapping[str, DataItem] = field(default_factory=dict, hash=False)
    defaults: Pairs = ()
    examples: tuple[Example, ...] = ()
    access: Access = field(default_factory=Access)
    cache: Cache = field(default_factory=Cache)
    live: Live = field(default_factory=Live)
    hapi: tuple[HapiSet, ...] = ()
    limits: SourceLimits = field(default_factory=SourceLimits)
    tables: tuple[PluginTable, ...] = ()
    file: str = ""
    directory: str = ""

    @property
    def range(self) -> Span | None:
        """The times that the source has data for, where the definition says so."""
        time = self.coords.get("time")
        return time.range if time else None

    @property
    def facts(self) -> Facts:
        """What the definition says of the variables of its stream."""
        return Facts(self.coords, self.data)

    @property
    def viewed(self) -> str:
        """The id of the source that this one is a view of; blank where it is none."""
        return next((reader.source for reader in self.readers if reader.source), "")
