# SPDX-License-Identifier: GPL-3.0-or-later
"""From DSDF, the definition file of das2 servers, to the tables that a TOML definition has, key by key.

Each function of `_TRANSLATE` takes what the file says under some keys and puts it into the tables, with the place where
it stood and the comments around it. What must be known of das1 data stands in the table `das1` under the same keys.
What means nothing here is kept in the table `dsdf`, and no client is told of it.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog import dsdf_keys as keys
from dasflex_core.catalog.dsdf_command import INTERVAL, OPTIONS, TIMES, translate_command
from dasflex_core.catalog.dsdf_reading import STREAMS, DsdfReading, plain
from dasflex_core.catalog.quantities import UnfitError, seconds, shortest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from dasflex_core.catalog.dsdf_syntax import Entry
    from dasflex_core.catalog.findings import KeyPath
    from dasflex_core.catalog.importing import Imported

__all__ = ["KEPT", "read_dsdf"]

#: The table of what means nothing here.
KEPT: Final = "dsdf"
#: The table of what readers of the first generation leave to be known.
DAS1: Final = "das1"
#: What das2 servers did without.
_MAY_LACK: Final[frozenset[KeyPath]] = frozenset({("example",), ("contacts", "technical")})
_UNBINNED: Final = ("not_reducible", "not_reducable", "pre_reduced")
_BLOCKS: Final = {
    "persecond": "second", "perminute": "minute", "hourly": "hour", "daily": "day", "monthly": "month",
    "yearly": "year",
}  # fmt: skip
_MILLISECONDS: Final = ("millisec", "millisecond", "milliseconds")
_OPTIONS_TITLE: Final = "Arguments of the reader, as das2 clients write them in params"
_DAS1_KEYS: Final = {name.lower(): name for name in keys.DAS1}
_DIRECTORY: Final[Mapping[str, KeyPath]] = {
    "description": ("title",),
    "techContact": ("inherit", "contacts", "technical"),
    "sciContact": ("inherit", "contacts", "scientific"),
}


def read_dsdf(text: str, file: str, include: Path | None = None) -> Imported:  # noqa: ARG001  DSDF includes nothing
    """What a DSDF file says, as TOML tables; `_dirinfo_.dsdf` gives those of a directory."""
    reading = DsdfReading(text, file)
    if PurePath(file).stem == "_dirinfo_":
        _directory(reading)
        return reading.made()
    for translate in _TRANSLATE:
        translate(reading)
    may_lack = _MAY_LACK | ({("reader",)} if "moved" in reading.tables else set())
    return reading.made(may_lack)


def _directory(reading: DsdfReading) -> None:
    """The tables of `_dirinfo_.dsdf`: the title of the directory, and the contacts of what is below it."""
    for key, path in _DIRECTORY.items():
        if entry := reading.said(key):
            reading.put(path, entry.text.strip(), entry)
    for key, entry in reading.single.items():
        if key not in _DIRECTORY:
            known = ", ".join(_DIRECTORY)
            reading.warn(entry, f"means nothing of a directory; the keys that do are {known}")


# -- the keys, a group each


def _words(reading: DsdfReading) -> None:
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


def _moved(reading: DsdfReading) -> None:
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


def _reader(reading: DsdfReading) -> None:
    """`reader`, and what decides upon its arguments and its output."""
    entry = reading.said("reader")
    interval, drops = reading.on("requiresInterval"), reading.on("dropParams")
    streams = [key for key in STREAMS if reading.on(key)]
    writes = STREAMS[streams[0]] if streams else "das/1"
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
    flags = [reading.single.get(key) for key in ("requiresInterval", "dropParams", *STREAMS)]
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


def _remark(reading: DsdfReading, path: KeyPath, entries: Iterable[Entry | None]) -> None:
    """Puts the comments of entries to a key that they decide upon."""
    reading.comments[path] = (
        *reading.comments.get(path, ()),
        *(line for entry in entries if entry for line in entry.comments),
    )


def _reducer(reading: DsdfReading) -> None:
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


def _coverage(reading: DsdfReading) -> None:
    """`coverageReducer`: coverage is computed from the data."""
    for entry in reading.kept.get("coverageReducer", ()):
        reading.warn(entry, "is not run: coverage is computed from the data")


def _options(reading: DsdfReading) -> None:
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


def _variables(reading: DsdfReading) -> None:
    """`coord_NN`, `data_NN` and `item_NN`: name, title, units."""
    for key, table in (("coord", "coords"), ("data", "data"), ("item", "data")):
        for _number, entry in reading.items(key):
            name, *about = keys.parts(entry.text, 8)
            name = keys.variable_name(name)
            if not name or name in reading.named(table):
                what = f"has the name {name!r} of another one" if name else "has no name in front of its first |"
                reading.warn(entry, f"{what}, and is left out")
                continue
            known = {"title": about[0]} if about and about[0] else {}
            if len(about) > 2:
                reading.warn(entry, "has more than name | description | units; its units are what the stream says")
            elif len(about) == 2 and about[1]:
                known["units"] = about[1]
            reading.put((table, name), known, entry)


def _time(reading: DsdfReading) -> None:
    """`validRange` and `requiresInterval`: what is said of the times."""
    entry = reading.said("validRange")
    if entry:
        reading.put(("coords", "time", "range"), " ".join(entry.text.split()), entry)
    if reading.on("requiresInterval"):
        reading.put(("coords", "time", "interval"), {}, reading.single["requiresInterval"])
        reading.comments["coords", "time", "interval"] = ()
    coords = reading.named("coords")
    if "time" in coords:
        reading.tables["coords"] = {"time": coords.pop("time"), **coords}


def _examples(reading: DsdfReading) -> None:
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


def _put_options(reading: DsdfReading, path: KeyPath, entry: Entry, text: str) -> None:
    """Puts a text for the reader's arguments into a request; where options are dropped, that is said."""
    if reading.on("dropParams"):
        reading.warn(entry, "names options, which dropParams keeps from the reader; they are left out")
    elif text.strip():
        reading.put((*path, "read", "opts"), " ".join(text.split()), entry)


def _put_seconds(reading: DsdfReading, path: KeyPath, entry: Entry, text: str) -> None:
    """Puts a number of seconds into a request."""
    try:
        reading.put(path, keys.interval_of(text), entry)
    except UnfitError as error:
        reading.fail(entry, error.message)


def _access(reading: DsdfReading) -> None:
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


def _cache(reading: DsdfReading) -> None:
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


def _hapi(reading: DsdfReading) -> None:
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


def _kept(reading: DsdfReading) -> None:
    """The keys of das1 data, and what means nothing here."""
    first_generation = not any(reading.on(key) for key in STREAMS)
    for key, entries in reading.kept.items():
        name = _DAS1_KEYS.get(key.lower(), "") if first_generation else ""
        if name:
            entry = entries.pop()
            reading.put((DAS1, name), plain(entry), entry)
        if entries:
            values = [plain(each) for each in entries]
            reading.put((KEPT, key), values[0] if len(values) == 1 else values, *entries)


_TRANSLATE: Final[tuple[Callable[[DsdfReading], None], ...]] = (
    _words, _moved, _reader, _reducer, _coverage, _options, _variables, _time, _examples, _access, _cache, _hapi,
    _kept,
)  # fmt: skip
