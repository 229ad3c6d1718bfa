# SPDX-License-Identifier: GPL-3.0-or-later
"""From DSDF, the definition file of das2 servers, to the tables that a TOML definition has, key by key.

Each function of `_TRANSLATE` takes what the file says under some keys and puts it into the tables, with the place where
it stood and the comments around it. What means nothing here is kept in the table `dsdf`, and no client is told of it.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog import dsdf_keys as keys
from dasflex_core.catalog.dsdf_command import INTERVAL, OPTIONS, TIMES, translate_command
from dasflex_core.catalog.dsdf_syntax import Entry, parse_dsdf
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.importing import Imported
from dasflex_core.catalog.quantities import UnfitError, seconds, shortest
from dasflex_core.errors import Place, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from dasflex_core.catalog.findings import KeyPath

__all__ = ["KEPT", "read_dsdf"]

#: The table of what means nothing here.
KEPT: Final = "dsdf"
_UNKNOWN: Final = "config.unknown-key"
#: What keys of the tables are called in DSDF, for errors about those that are not there.
_CALLED: Final[Mapping[KeyPath, str]] = {
    ("id",): "localId",
    ("title",): "description",
    ("reader",): "reader",
    ("example",): "exampleRange_00",
    ("contacts", "technical"): "techContact",
    ("access", "allow"): "readAccess",
    ("reader", "writes"): "das2Stream",
}
#: What das2 servers did without.
_MAY_LACK: Final[frozenset[KeyPath]] = frozenset({("example",), ("contacts", "technical")})
_TYPES: Final = {"das3Stream": "das/3", "das2Stream": "das/2", "qstream": "qstream"}
_UNBINNED: Final = ("not_reducible", "not_reducable", "pre_reduced")
_BLOCKS: Final = {
    "persecond": "second", "perminute": "minute", "hourly": "hour", "daily": "day", "monthly": "month",
    "yearly": "year",
}  # fmt: skip
_MILLISECONDS: Final = ("millisec", "millisecond", "milliseconds")
_OPTIONS_TITLE: Final = "Arguments of the reader, as das2 clients write them in params"


def read_dsdf(text: str, file: str, include: Path | None = None) -> Imported:  # noqa: ARG001  DSDF includes nothing
    """What a DSDF file says, as TOML tables; `_dirinfo_.dsdf` gives those of a directory."""
    return _Reading(text, file).imported()


class _Reading:
    """One reading of a file: what it says by key, and what has been made of it so far."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.single: dict[str, Entry] = {}
        self.lists: dict[str, dict[int, Entry]] = {name: {} for name in keys.LISTS}
        self.kept: dict[str, list[Entry]] = {}
        self.tables: dict[str, Any] = {}
        self.origins: dict[KeyPath, Place] = {}
        self.comments: dict[KeyPath, tuple[str, ...]] = {}
        self.findings: list[Finding] = []
        self.warnings: list[Finding] = []
        syntax = parse_dsdf(text)
        for fault in syntax.faults:
            self.findings.append(Finding("config.unreadable", fault.message, Place(file, fault.line, fault.key)))
        for entry in syntax.entries:
            self.take(entry)
        self.comments[()] = tuple(syntax.comments)

    # -- what the file says

    def take(self, entry: Entry) -> None:
        """Puts an entry with those of its kind. Of a repeated key the last counts, and the others are kept."""
        lower = entry.key.lower()
        before: Entry | None = None
        if lower in _SINGLE:
            before = self.single.get(_SINGLE[lower])
            self.single[_SINGLE[lower]] = entry
        elif (place := _place_in_list(entry)) is not None:
            name, number = place
            before = self.lists[name].get(number)
            self.lists[name][number] = entry
        else:
            self.keep(entry, lower)
            return
        if before is not None:
            self.kept.setdefault(entry.key, []).append(before)
            self.warn(entry, f"this key is in line {before.line} already; this line counts, and the other is kept")

    def keep(self, entry: Entry, lower: str) -> None:
        """Keeps what is no key of DSDF, or means nothing here."""
        if entry.key in self.kept:
            before = self.kept[entry.key][-1].line
            self.warn(entry, f"this key is in line {before} already, and is none that means anything here; it is kept")
        elif lower not in _KNOWN:
            near = did_you_mean(entry.key, [*_SINGLE.values(), *keys.LISTS, *_KNOWN.values()])
            self.warn(
                entry,
                f"there is no key {entry.key!r} in DSDF; it is kept, and no client is told of it.{near}",
                _UNKNOWN,
            )
        self.kept.setdefault(entry.key, []).append(entry)

    def warn(self, entry: Entry, message: str, kind: str = "config.bad-value") -> None:
        self.warnings.append(Finding(kind, message, self.place(entry)))

    def fail(self, entry: Entry, message: str) -> None:
        self.findings.append(Finding("config.bad-value", message, self.place(entry)))

    def place(self, entry: Entry) -> Place:
        return Place(self.file, entry.line, entry.key)

    def said(self, key: str) -> Entry | None:
        """The entry of a key that stands once, where it says something."""
        entry = self.single.get(key)
        return entry if entry and entry.text.strip() else None

    def on(self, key: str) -> bool:
        """Whether a switch is on."""
        entry = self.said(key)
        try:
            return entry is not None and keys.flag(entry.text)
        except UnfitError as error:
            if entry and not any(each.place == self.place(entry) for each in self.findings):
                self.fail(entry, error.message)
            return False

    def items(self, name: str) -> list[tuple[int, Entry]]:
        """The items of a list that say something, by number."""
        return sorted((number, each) for number, each in self.lists[name].items() if each.text.strip())

    # -- what is made of it

    def put(self, path: KeyPath, value: object, *entries: Entry | None) -> None:
        """Puts a value into the tables, with the place and the comments of the entries that it comes from."""
        table: Any = self.tables
        for name in path[:-1]:
            table = table.setdefault(name, {}) if isinstance(name, str) else table[name]
        if isinstance(path[-1], int):
            table.append(value)
        else:
            table[path[-1]] = value
        for entry in entries:
            if entry is not None:
                for length in range(1, len(path) + 1):
                    self.origins.setdefault(path[:length], self.place(entry))
                self.comments[path] = (*self.comments.get(path, ()), *entry.comments)

    def imported(self) -> Imported:
        """All of it."""
        if PurePath(self.file).stem == "_dirinfo_":
            self.directory()
            return self.made()
        for translate in _TRANSLATE:
            translate(self)
        for key, entries in self.kept.items():
            values = [_plain(each) for each in entries]
            self.put((KEPT, key), values[0] if len(values) == 1 else values, *entries)
        may_lack = _MAY_LACK | ({("reader",)} if "moved" in self.tables else set())
        return self.made(may_lack)

    def made(self, may_lack: frozenset[KeyPath] = frozenset()) -> Imported:
        return Imported(
            self.tables,
            self.origins,
            _CALLED,
            tuple(sorted(self.findings, key=lambda each: each.place.line)),
            tuple(sorted(self.warnings, key=lambda each: each.place.line)),
            may_lack,
            comments=self.comments,
        )

    def directory(self) -> None:
        """The tables of `_dirinfo_.dsdf`: the title of the directory, and the contacts of what is below it."""
        for key, path in _DIRECTORY.items():
            if entry := self.said(key):
                self.put(path, entry.text.strip(), entry)
        for key, entry in self.single.items():
            if key not in _DIRECTORY:
                known = ", ".join(_DIRECTORY)
                self.warn(entry, f"means nothing of a directory; the keys that do are {known}")


_SINGLE: Final = {name.lower(): name for name in keys.SINGLE}
_LISTS: Final = {name.lower(): name for name in keys.LISTS}
_KNOWN: Final = {name.lower(): name for name in (*keys.DAS1, *keys.IGNORED, "coverageReducer")}
_DIRECTORY: Final[Mapping[str, KeyPath]] = {
    "description": ("title",),
    "techContact": ("inherit", "contacts", "technical"),
    "sciContact": ("inherit", "contacts", "scientific"),
}


def _place_in_list(entry: Entry) -> tuple[str, int] | None:
    """The list that an entry belongs to, and its number there; without a number it is the first."""
    name, number = entry.numbered or (entry.key, 0)
    known = _LISTS.get(name.lower())
    return (known, number) if known else None


def _plain(entry: Entry) -> object:
    """The value of an entry as TOML has it."""
    found = keys.number(entry.text) if entry.bare else None
    return entry.text if found is None else found


# -- the keys, a group each


def _words(reading: _Reading) -> None:
    """What stands as it is."""
    for key, path in (
        ("localId", ("id",)),
        ("label", ("label",)),
        ("description", ("title",)),
        ("summary", ("summary",)),
        ("techContact", ("contacts", "technical")),
        ("sciContact", ("contacts", "scientific")),
    ):
        if entry := reading.said(key):
            reading.put(path, entry.text.strip(), entry)


def _moved(reading: _Reading) -> None:
    """`rename` and `server`: where the source is now."""
    rename, server = reading.said("rename"), reading.said("server")
    name = rename.text.strip().strip("/") if rename else ""
    address = server.text.strip() if server else ""
    if address and "://" not in address and server:
        reading.fail(server, f"{address!r} is no address of a server; one is written like 'https://example.org/das'")
    elif address and name:
        reading.put(("moved",), f"{address.partition('?')[0]}?server=dsdf&dataset={name}", server, rename)
    elif address or name:
        reading.put(("moved",), address or name, server, rename)


def _reader(reading: _Reading) -> None:
    """`reader`, and what decides upon its arguments and its output."""
    entry = reading.said("reader")
    interval, drops = reading.on("requiresInterval"), reading.on("dropParams")
    streams = [key for key in _TYPES if reading.on(key)]
    writes = _TYPES[streams[0]] if streams else "das/1"
    if len(streams) > 1:
        reading.fail(reading.single[streams[1]], f"stands beside {streams[0]}, and a reader writes one kind of stream")
    if entry is None:
        return
    times = f"{INTERVAL} {TIMES}" if interval else TIMES
    try:
        command = translate_command(entry.text, options=not drops, behind=times if drops else f"{times} {OPTIONS}")
    except UnfitError as error:
        reading.fail(entry, error.message)
        return
    behind = times if drops or command.placed else f"{times} {OPTIONS}"
    about: dict[str, object] = {"command": f"{command.template} {behind}", "writes": writes}
    if command.variables:
        about["set_env"] = dict(command.variables)
    flags = [reading.single.get(key) for key in ("requiresInterval", "dropParams", *_TYPES)]
    if reading.on("realTime"):
        reading.put(("reader",), [], entry)
        ways: tuple[dict[str, object], ...] = ({"name": "archive"}, {"name": "live", "live": True})
        for number, own in enumerate(ways):
            reading.put(("reader", number), {**own, **about}, entry)
            for key in about:
                reading.origins["reader", number, key] = reading.place(entry)
        reading.comments["reader", 1] = ()
        _remark(reading, ("reader", 0), [*flags, reading.single.get("realTime")])
        return
    for key, value in about.items():
        reading.put(("reader", key), value, entry if key == "command" else None)
        reading.origins["reader", key] = reading.place(entry)
    _remark(reading, ("reader", "writes"), flags)
    if streams:
        reading.origins["reader", "writes"] = reading.place(reading.single[streams[0]])


def _remark(reading: _Reading, path: KeyPath, entries: Iterable[Entry | None]) -> None:
    """Puts the comments of entries to a key that they decide upon."""
    reading.comments[path] = (
        *reading.comments.get(path, ()),
        *(line for entry in entries if entry for line in entry.comments),
    )


def _reducer(reading: _Reading) -> None:
    """`reducer`: none, that of dasflex, or a program of the source's own."""
    entry = reading.said("reducer")
    if entry is None:
        return
    text = entry.text.strip()
    program = PurePath(text).name
    if text.lower() in _UNBINNED:
        reading.put(("stages", "never"), ["bin"], entry)
    elif program == "das2_bin_peakavgsec":
        reading.put(("default", "bin", "stats"), "mean,max", entry)
    elif program == "das2_bin_avgsec":
        reading.comments["stages",] = entry.comments
    else:
        try:
            command = translate_command(text, options=False, behind="#[bin.time.max]")
        except UnfitError as error:
            reading.fail(entry, error.message.replace("[reader]", "[[stage]]").replace("reader.sh", "reducer.sh"))
            return
        reading.put(("stages", "never"), ["bin-average"], None)
        reading.put(("stage",), [], entry)
        about = {"command": f"{command.template} #[bin.time.max]"}
        reading.put(("stage", 0), about, entry)
        reading.origins["stage", 0, "command"] = reading.place(entry)
        reading.comments["stage", 0] = ()
        if command.variables:
            reading.fail(entry, "sets variables in front of the program; let a script do that, and name it here")


def _coverage(reading: _Reading) -> None:
    """`coverageReducer`: coverage is computed from the data."""
    for entry in reading.kept.get("coverageReducer", ()):
        reading.warn(entry, "is not run: coverage is computed from the data")


def _options(reading: _Reading) -> None:
    """`param_NN`: what may stand in `params`, for people; a reader takes it as its arguments."""
    if reading.on("dropParams") or not reading.said("reader"):
        return
    values: dict[str, str] = {}
    entries: list[Entry] = []
    for _number, entry in reading.items("param"):
        name, _mark, about = entry.text.strip().partition("|")
        words = name.split(None, 1) if not about else [name]
        name = words[0].strip() if words else ""
        if not name or name in values:
            reading.warn(entry, "has no name of its own in front of its first |, and is left out")
            continue
        values[name] = " ".join((about or "".join(words[1:])).split()) or name
        entries.append(entry)
    reading.put(("options", "opts", "title"), _OPTIONS_TITLE, None)
    reading.put(("options", "opts", "type"), "arguments", None)
    if values:
        reading.put(("options", "opts", "values"), values, *entries)


def _variables(reading: _Reading) -> None:
    """`coord_NN`, `data_NN` and `item_NN`: name, title, units."""
    for key, table in (("coord", "coords"), ("data", "data"), ("item", "data")):
        for _number, entry in reading.items(key):
            name, *about = keys.parts(entry.text, 8)
            name = keys.variable_name(name)
            if not name or name in reading.tables.get(table, {}):
                what = f"has the name {name!r} of another one" if name else "has no name in front of its first |"
                reading.warn(entry, f"{what}, and is left out")
                continue
            known = {"title": about[0]} if about and about[0] else {}
            if len(about) > 2:
                reading.warn(entry, "has more than name | description | units; its units are what the stream says")
            elif len(about) == 2 and about[1]:
                known["units"] = about[1]
            reading.put((table, name), known, entry)


def _time(reading: _Reading) -> None:
    """`validRange` and `requiresInterval`: what is said of the times."""
    entry = reading.said("validRange")
    if entry:
        reading.put(("coords", "time", "range"), " ".join(entry.text.split()), entry)
    if reading.on("requiresInterval"):
        reading.put(("coords", "time", "interval"), {}, reading.single["requiresInterval"])
        reading.comments["coords", "time", "interval"] = ()
    coords = reading.tables.get("coords", {})
    if "time" in coords:
        reading.tables["coords"] = {"time": coords.pop("time"), **coords}


def _examples(reading: _Reading) -> None:
    """`exampleRange_NN`, and the options and the interval of the same number."""
    others = {name: dict(reading.items(name)) for name in ("exampleParams", "exampleInterval")}
    ranges = reading.items("exampleRange")
    if ranges:
        reading.put(("example",), [], None)
    for place, (number, entry) in enumerate(ranges):
        time, *title = keys.parts(entry.text, 2)
        about: dict[str, object] = {"title": title[0]} if title and title[0] else {}
        about["time"] = " ".join(time.split())
        reading.put(("example", place), about, entry)
        reading.origins.setdefault(("example",), reading.place(entry))
        reading.origins["example", place, "time"] = reading.place(entry)
        own = others["exampleParams"].pop(number, None)
        if own:
            _put_options(reading, ("example", place), own, own.text)
        own = others["exampleInterval"].pop(number, None)
        if own:
            _put_seconds(reading, ("example", place, "read", "time", "inter"), own, own.text)
    for entry in (each for other in others.values() for each in other.values()):
        reading.warn(entry, "belongs to no exampleRange of the same number, and is left out")


def _put_options(reading: _Reading, path: KeyPath, entry: Entry, text: str) -> None:
    """Puts a text for the reader's arguments into a request; where options are dropped, that is said."""
    if reading.on("dropParams"):
        reading.warn(entry, "names options, which dropParams keeps from the reader; they are left out")
    elif text.strip():
        reading.put((*path, "read", "opts"), " ".join(text.split()), entry)


def _put_seconds(reading: _Reading, path: KeyPath, entry: Entry, text: str) -> None:
    """Puts a number of seconds into a request."""
    try:
        reading.put(path, keys.interval_of(text), entry)
    except UnfitError as error:
        reading.fail(entry, error.message)


def _access(reading: _Reading) -> None:
    """`securityRealm`, `readAccess` and `groupAccess`: who may read."""
    if entry := reading.said("securityRealm"):
        reading.put(("access", "realm"), entry.text.strip(), entry)
    allow: list[str] = []
    entries: list[Entry] = []
    for key in ("readAccess", "groupAccess"):
        if entry := reading.said(key):
            try:
                groups = [f"group:{each.strip()}" for each in entry.text.split(",") if each.strip()]
                allow += groups if key == "groupAccess" else keys.rules(entry.text)
                entries.append(entry)
            except UnfitError as error:
                reading.fail(entry, error.message)
    if entries:
        reading.put(("access", "allow"), list(dict.fromkeys(allow)), *entries)


def _cache(reading: _Reading) -> None:
    """`cacheLevel_NN`: resolution, period, options."""
    levels = reading.items("cacheLevel")
    if levels:
        reading.put(("cache", "level"), [], None)
    for place, (_number, entry) in enumerate(levels):
        resolution, *rest = keys.parts(entry.text, 3)
        block = _BLOCKS.get(rest[0].lower(), "") if rest else ""
        if not block:
            reading.fail(
                entry, f"must be RESOLUTION | PERIOD [| OPTIONS], where the period is one of {', '.join(_BLOCKS)}"
            )
        path: KeyPath = ("cache", "level", place)
        reading.put(path, {"block": block}, entry)
        reading.origins[*path, "block"] = reading.place(entry)
        if resolution.lower() != "intrinsic":
            try:
                number, _blank, unit = resolution.partition(" ")
                wide = seconds(f"{number} ms" if unit.strip().lower() in _MILLISECONDS else resolution)
                reading.put((*path, "bin", "time", "max"), _shortest(wide), entry)
            except UnfitError as error:
                reading.fail(entry, f"{error.message} Or write intrinsic, for data as they are")
        if len(rest) > 1:
            _put_options(reading, path, entry, rest[1])
        reading.comments = {key: text for key, text in reading.comments.items() if key[:3] != path or key == path}


def _shortest(value: float) -> int | float:
    """The number as a whole one, where it is."""
    return int(value) if shortest(value).isdecimal() else value


def _hapi(reading: _Reading) -> None:
    """`hapi` and `subSource_NN`: id, title, resolution or interval, options."""
    sets = reading.items("subSource")
    if not reading.on("hapi"):
        for _number, entry in sets:
            reading.warn(entry, "is served by nobody, since the file does not say hapi = 1; it is left out")
        return
    own = reading.single["hapi"]
    if not sets:
        reading.put(("hapi",), {}, own)
        return
    reading.put(("hapi",), [], own)
    for place, (_number, entry) in enumerate(sets):
        name, *rest = keys.parts(entry.text, 4)
        title, step, options = (*rest, "", "", "")[:3]
        about = {key: text for key, text in (("id", name), ("title", title)) if text}
        reading.put(("hapi", place), about, entry)
        reading.origins["hapi", place, "id"] = reading.place(entry)
        comments = reading.comments["hapi", place]
        asked = ("read", "time", "inter") if reading.on("requiresInterval") else ("bin", "time", "max")
        if step and step.lower() != "intrinsic":
            _put_seconds(reading, ("hapi", place, *asked), entry, step)
        _put_options(reading, ("hapi", place), entry, options)
        reading.comments = {key: text for key, text in reading.comments.items() if key[:2] != ("hapi", place)}
        reading.comments["hapi", place] = comments


_TRANSLATE: Final[tuple[Callable[[_Reading], None], ...]] = (
    _words, _moved, _reader, _reducer, _coverage, _options, _variables, _time, _examples, _access, _cache, _hapi,
)  # fmt: skip
