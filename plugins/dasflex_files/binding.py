# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition's `reader.files` is, when a request is planned: looked up in the index, without opening a file.

A file is opened once, when the index of a collection is made: what it says of itself is kept there, since the traits of
the stream and its rate are known from it.
"""

from __future__ import annotations

import json
import os
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.model import Rate
from dasflex_core.errors import ConfigError, Place, SourceError
from dasflex_core.plan.own_readers import OwnReader
from dasflex_core.plan.templates import expand_environment
from dasflex_core.stages import Cost, Mode, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS
from dasflex_files.asking import asked
from dasflex_files.choosing import Item, traits_of, wished
from dasflex_files.describing import Described
from dasflex_files.index import Index
from dasflex_files.kinds import kind_of, opened
from dasflex_files.pattern import parse_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.model import Definition, Reader
    from dasflex_core.plan.own_readers import Setting
    from dasflex_core.registry import Registry
    from dasflex_files.kinds import Kind

__all__ = ["bind", "described", "pattern_of"]

#: Seconds to find and open a file, and per gigabyte read: measured (tests/bench/bench_files.py).
COST: Final = Cost(0.02, 2.0)
#: How many of the last files are opened, until one can be.
_TRIED: Final = 3


def pattern_of(reader: Reader, definition: Definition, environ: Mapping[str, str]) -> str:
    """The pattern of absolute paths: without inserts, and below the definition's directory where it is relative."""
    place = Place(definition.file, key=f"reader.{reader.name}.files")
    text = expand_environment(reader.files, environ, place=place)
    return os.path.normpath(os.path.join(reader.directory or definition.directory, text))  # noqa: PTH118  no path yet


def bind(reader: Reader, setting: Setting) -> OwnReader:
    """The reader of a collection. Raises `ConfigError` for a pattern or a suffix that cannot be."""
    definition, request = setting.definition, setting.request
    text = pattern_of(reader, definition, setting.environ)
    pattern = parse_pattern(text)
    kind = kind_of(pattern.suffix, text)
    items = {name: Item(each.source, each.axes, each.default) for name, each in definition.data.items()}
    with Index(pattern, setting.keep) as index:
        found = index.look(*asked(request))
        known = described(index, kind, reader.time, _table(definition)) if kind.opens else None
    asked_for = request.get("read.data")
    names = None if asked_for is None else [name.strip() for name in asked_for.split(",") if name.strip()]
    given = () if known is None else wished(known, items, names)
    spec = StageSpec(
        name="files",
        title=definition.title,
        accepts=None,
        produces=ARRAYS,
        factory="dasflex_files.reader:FilesReader",
        protocol="producer",
        adds=frozenset() if known is None else traits_of(known, given),
        params=_params(timed=bool({each.code for each in pattern.fields} - {"x", "v", "enum"})),
        cost=COST,
        bundled=True,
    )
    sources = {name: each.source for name, each in items.items() if each.source}
    size = 8 + sum(_bytes(each.held.dtype) * _product(each.shape) for each in given)
    return OwnReader(
        spec,
        given=(
            ("pattern", text),
            ("said", _said(definition, items)),
            ("time", reader.time),
            ("keep", setting.keep),
            *((("decoder", _decoder(pattern.suffix, setting.registry, text)),) if not kind.opens else ()),
        ),
        facts=json.dumps([reader.files, reader.time, _table(definition), [*sources.items()]]),
        changed=found.newest,
        rate=_rate(known, size),
    )


def described(index: Index, kind: Kind, time: str, told: str) -> Described | None:
    """What the last of the files says of itself: as it was kept, or from the file. None where there is none to read."""
    name = f"described {time} {told}"
    with suppress(ValueError, TypeError, KeyError):
        kept = json.loads(index.fact(name))
        if os.path.exists(kept["path"]):  # noqa: PTH110  a string as it is
            return Described.read(kept["described"])
    for file in index.last(_TRIED):
        with suppress(SourceError), closing(opened(kind, file.path, time, told)) as data:
            made = data.described
            index.keep(**{name: json.dumps({"path": file.path, "described": made.text()})})
            return made
    return None


def _params(*, timed: bool) -> tuple[ParamSpec, ...]:
    """What the reader consumes. Of files whose names say no time a request need not name one."""
    mode: Mode = "required" if timed else "offered"
    return (
        ParamSpec("read.time.min", mode, "time", title="First time", attribute="begin"),
        ParamSpec("read.time.max", mode, "time", title="Last time", attribute="end"),
        ParamSpec("read.data", "offered", "list", title="The data variables", attribute="data"),
    )


def _decoder(suffix: str, registry: Registry | None, text: str) -> str:
    """The code that decodes files with a suffix. Raises `ConfigError` where no plugin has any."""
    info = registry.by_suffix(suffix) if registry else None
    for stage in registry.stages if registry else ():
        if (
            info is not None
            and stage.accepts is not None
            and stage.produces == ARRAYS
            and info.type.serves(stage.accepts)
        ):
            return stage.factory
    raise ConfigError(f"{text}: no installed plugin decodes .{suffix} files", kind="config.plugin")


def _said(definition: Definition, items: Mapping[str, Item]) -> str:
    """What the definition says, for the reader."""
    data = [[name, each.source, list(each.axes), each.default] for name, each in items.items()]
    said = {"title": definition.title, "data": data, "coords": list(definition.coords), "files": _table(definition)}
    return json.dumps(said, ensure_ascii=False)


def _table(definition: Definition) -> str:
    """The table `[files]` of a definition, as JSON."""
    return next((each.values for each in definition.tables if each.name == "files"), "")


def _rate(known: Described | None, size: int) -> Rate | None:
    """How many records come in a second of the range, and their bytes; None where it is not known."""
    if known is None or known.records < 2 or known.end <= known.begin:
        return None
    return Rate((known.records - 1) * 1e9 / (known.end - known.begin), size)


def _bytes(dtype: str) -> int:
    """The bytes of a value of a type, by numpy's name of it."""
    digits = dtype.partition("[")[0].lstrip("<>|=").lstrip("iufSMbU")
    return int(digits or "8")


def _product(shape: tuple[int, ...]) -> int:
    """The number of values of a record."""
    found = 1
    for extent in shape:
        found *= extent
    return found
