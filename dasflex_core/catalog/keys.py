# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of the definition file, each once: what the validator checks and the JSON Schema publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from dasflex_core.catalog import model
from dasflex_core.catalog.options import make_option
from dasflex_core.catalog.quantities import UnfitError
from dasflex_core.stages import ParamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEFINITION", "DIRECTORY", "OPTION_NAME", "OWN_KEYS", "SITE_STAGES", "TIME", "VARIABLE_NAME", "Key", "Table"]

#: The key of a partial request that is short for the two ends of a range of time.
TIME: Final = "time"
#: What an option may be called, as a pattern and in words. Names of parameters have no underscore, so that Python can
#: write one for each full stop.
OPTION_NAME: Final = (r"[A-Za-z][A-Za-z0-9-]*", "begins with a letter and has letters, digits and - in it")
#: What a coordinate or a variable of the data may be called.
VARIABLE_NAME: Final = (r"\S+", "has no blanks")


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name, the kind of its value (`kinds.KINDS`), and what it means.

    `needed`: it must be there. `one_of`: the texts that it takes. `field` is that of the model, where it differs.
    """

    name: str
    kind: str
    title: str
    needed: bool = False
    one_of: tuple[str, ...] = ()
    field: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its keys and tables, and what is made of them.

    `shape` is how it is written: `[name]`; `[name]` or `[[name]]`; `[name.ANY]`, where ANY follows `naming`. `make` is
    called with the fields that are right, be they few; without it they belong to the table around. `request`: it holds
    a partial request too; `plugins`: tables of plugins may stand in it. Exactly one of the keys `exactly` must be
    there, and of each pair of `implies` the second if the first is.
    """

    name: str
    title: str
    keys: tuple[Key, ...] = ()
    tables: tuple[Table, ...] = ()
    shape: Literal["one", "many", "named"] = "one"
    make: Callable[..., object] | None = None
    field: str = ""
    naming: tuple[str, str] = ("", "")
    request: bool = False
    plugins: bool = False
    needed: bool = False
    exactly: tuple[str, ...] = ()
    implies: tuple[tuple[str, str], ...] = ()

    @property
    def parts(self) -> tuple[Key | Table, ...]:
        """The keys and the tables that may stand in it."""
        return (*self.keys, *self.tables)


def _reader(**fields: Any) -> model.Reader:  # noqa: ANN401  the fields that the table below names
    return model.Reader(**{"name": "", **fields})


def _stage(**fields: Any) -> model.ExternalStage:  # noqa: ANN401  the same
    return model.ExternalStage(**{"name": "", "command": "", "accepts": "", "writes": "", **fields})


def _level(**fields: Any) -> model.CacheLevel:  # noqa: ANN401  the same
    return model.CacheLevel(**{"block": "", **fields})


def _defaults(request: model.Pairs = ()) -> model.Pairs:
    return request


def _interval(**fields: float) -> model.Interval:
    made = model.Interval(**fields)
    if made.default is not None and made.min is not None and made.default < made.min:
        raise UnfitError("must not be below the shortest one, 'min'", "default")
    return made


_SCALES = ("linear", "log")
_VALID = Key("valid", "bounds", "The lowest and the highest valid value, both included")
_PERIOD = Key("period", "positive", "Values repeat with this period, as angles do with 360")
_UNITS = Key("units", "units", 'Units; "" is a pure number')
_SCALE = Key("scale", "text", "How an axis of the values is drawn", one_of=_SCALES)
_LABEL = Key("label", "text", "A few characters for an axis or a list")
_TITLE = Key("title", "text", "What it is, in a line")

_READER = Table(
    "reader",
    "Where the data come from",
    (
        Key("name", "text", "What the reader is called in plans"),
        Key("command", "command", "A program and its arguments; it consumes the parameters that it mentions"),
        Key("files", "pattern", "A pattern of file names, with $Y, $m, $d and the like"),
        Key("source", "id", "The id of another source, of which this one is a view"),
        Key("url", "address", "A source of another server: das2:https://… or hapi:https://…"),
        Key("writes", "stream type", "The stream type that comes out, such as das/2"),
        Key("live", "flag", "Whether it follows the present, and answers read.time.max=forever"),
        Key("exact", "flag", "Whether it gives exactly the range that was asked for (it does, unless this is false)"),
        Key("changed", "pattern", "A pattern of file names; the newest of these is the date of the data"),
        Key("rate", "rate", 'What it writes, as in "10 packet/s of 4 kB"'),
        Key("time", "text", "The variable of the files that holds the times"),
        Key("directory", "text", "Where the command runs, if not in the definition's own directory"),
        Key("set_env", "variables", "Variables of the environment that are set for the command"),
        Key("pass_env", "variable names", "Variables of the server's environment that are passed on"),
    ),
    shape="many",
    make=_reader,
    field="readers",
    needed=True,
    exactly=model.READER_KINDS,
    implies=(("command", "writes"),),
)
_STAGE = Table(
    "stage",
    "A filter program of this source only",
    (
        Key("command", "command", "A program and its arguments; it consumes the parameters it mentions", needed=True),
        Key("accepts", "stream type", "What it reads; by default what the reader writes"),
        Key("writes", "stream type", "What it writes; by default what it reads"),
    ),
    shape="many",
    make=_stage,
    field="stages",
)
_OPTION = Table(
    "options",
    "Parameters of the reader's own, read.NAME",
    (
        _TITLE,
        Key("type", "text", "The type of the value; by default that of 'default'", one_of=get_args(ParamType)),
        Key("values", "titled", "All that it may be, with a title for each"),
        Key("default", "default", "What it is where a request does not say"),
        Key("units", "units", "Units of a number"),
        Key("range", "span", 'What a number or a time may be: "A to B", where B is just too much'),
    ),
    shape="named",
    make=make_option,
    naming=OPTION_NAME,
)
_COORD = Table(
    "coords",
    "The coordinates of the data",
    (
        _LABEL,
        _TITLE,
        Key("of", "text", "The coordinate that this one is an offset from"),
        _UNITS,
        Key("size", "extent", 'The number of its values in a record; "*" where that differs from record to record'),
        _SCALE,
        Key("range", "span", 'What there are data for: "A to B", where B is not in it'),
        _VALID,
        Key("cadence", "seconds", 'The time from one record to the next, such as "60 ms"'),
        _PERIOD,
        Key("tags", "words", "Its values, where all records share them"),
    ),
    (
        Table(
            "interval",
            "For a model, which has values at any time: how far apart they are",
            (
                Key("default", "seconds", "Where a request does not say"),
                Key("min", "seconds", "The shortest that may be asked for"),
            ),
            make=_interval,
        ),
    ),
    shape="named",
    make=model.Coord,
    naming=VARIABLE_NAME,
)
_DATA = Table(
    "data",
    "The variables of the data",
    (
        _LABEL,
        _TITLE,
        Key("axes", "texts", "The coordinates that it depends on"),
        _UNITS,
        _SCALE,
        _VALID,
        Key("warn", "bounds", "Values outside these two are shown with a warning"),
        Key("fill", "scalar", "The value that stands for no measurement"),
        _PERIOD,
        Key("default", "flag", "Whether it is sent where a request names no data (it is, unless this is false)"),
        Key("from", "text", "Its name in the files", field="source"),
    ),
    shape="named",
    make=model.DataItem,
    naming=VARIABLE_NAME,
)
_CACHE = Table(
    "cache",
    "What is kept on disk",
    (
        Key("fresh", "seconds", "Blocks younger than this are made again when the data change"),
        Key("fill", "flag", "Whether a request that passes a missing block leaves it behind"),
    ),
    (
        Table(
            "level",
            "A request that is kept",
            (
                Key(
                    "block",
                    "text",
                    "How much time a file holds",
                    needed=True,
                    one_of=("second", "minute", "hour", "day", "month", "year"),
                ),
            ),
            shape="many",
            make=_level,
            field="levels",
            request=True,
        ),
    ),
    make=model.Cache,
)
_LIVE = Table(
    "live",
    "How a live reader is shared by those who watch",
    (
        Key("single", "flag", "Whether there must never be two readers at once"),
        Key("linger", "seconds", "How long the reader outlives its last watcher"),
        Key("catch_up", "seconds", "How much of the past a late joiner may ask for"),
        Key("keep", "bytes", 'How much of the past is kept for that, such as "64 MB"'),
        Key("slow", "text", "What becomes of a watcher that falls behind", one_of=("drop", "disconnect")),
        Key("watchers", "count", "How many there may be"),
    ),
    make=model.Live,
)
_SMALL_TABLES = (
    Table(
        "contacts",
        "Who answers for the source",
        (
            Key("technical", "text", "For the server and the reader: Name <address>"),
            Key("scientific", "text", "For the data: Name <address>"),
        ),
        make=model.Contacts,
    ),
    Table(
        "cite",
        "How the data are cited",
        (
            Key("doi", "doi", "Digital object identifier"),
            Key("spase", "spase", "Resource id of SPASE"),
            Key("licence", "text", "SPDX expression of the licence"),
            Key("text", "text", "A citation in words"),
        ),
        make=model.Cite,
    ),
    Table(
        "stages",
        "Which stages are taken",
        (
            Key("prefer", "texts", "Stages that win where the cost is the same, the first most of all"),
            Key("never", "texts", "Stages that this source is never sent through"),
        ),
    ),
    Table(
        "access",
        "Who may read; everybody, without this table",
        (
            Key("realm", "text", "What the log-in is for"),
            Key("allow", "rules", "Rules, of which any one suffices: group:NAME, user:NAME, age:1y6m, bin:60s"),
        ),
        make=model.Access,
        implies=(("realm", "allow"),),  # a realm alone looks closed, and would be open
    ),
    Table(
        "limits",
        "What one request may use",
        (
            Key("silence", "seconds", "How long the reader may write nothing"),
            Key("cpu", "seconds", "Processor time"),
            Key("output", "bytes", "What the reader may write"),
            Key("at_once", "count", "Requests of this source at once"),
        ),
        make=model.SourceLimits,
    ),
    Table(
        "default",
        "A request that stands under every other",
        make=_defaults,
        field="defaults",
        request=True,
    ),
)

#: The definition file.
DEFINITION: Final = Table(
    "",
    "A source: a reader and a handful of partial requests",
    (
        Key("id", "id", "The id, where it is not the path of the file below definitions/"),
        Key("label", "text", "A few words for a list"),
        Key("title", "text", "What the source is, in a line", needed=True),
        Key("summary", "text", "What the source is, in a paragraph"),
        Key("was", "ids", "Former ids"),
        Key("moved", "text", "Where the source is now: an id or an address"),
        Key("listed", "flag", "Whether lists show it (they do, unless this is false)"),
    ),
    (
        _READER,
        _STAGE,
        _OPTION,
        _COORD,
        _DATA,
        Table("example", "A request with a title", (_TITLE,), shape="many", make=model.Example, field="examples",
              request=True, needed=True),
        _CACHE,
        _LIVE,
        Table("hapi", "A HAPI data set: a request with an id",
              (Key("id", "set id", "Its id below that of the source; without one it is the source itself"), _TITLE),
              shape="many", make=model.HapiSet, request=True),
        *_SMALL_TABLES,
    ),
    plugins=True,
)  # fmt: skip

#: What a directory cannot say for the definitions below it: it is each one's own.
OWN_KEYS: Final = ("id", "title", "was", "moved")
#: `_dirinfo_.toml`.
DIRECTORY: Final = Table(
    "",
    "A directory: its title, and what the definitions below it need not repeat",
    (Key("title", "text", "What the directory holds, in a line"),),
    (
        Table(
            "inherit",
            "What the definitions below it need not repeat",
            tuple(key for key in DEFINITION.keys if key.name not in OWN_KEYS),
            DEFINITION.tables,
            plugins=True,
        ),
    ),
)
#: `etc/stages.toml`.
SITE_STAGES: Final = Table("", "Filters of all sources", (), (_STAGE,))
