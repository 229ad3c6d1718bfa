# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk through the tables of a definition by their description: each value read, and all that is wrong noted."""

from __future__ import annotations

import json
import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog.importing import Forms
from dasflex_core.catalog.keys import TIME, Key, Table
from dasflex_core.catalog.kinds import KINDS
from dasflex_core.catalog.model import PluginTable
from dasflex_core.catalog.quantities import UnfitError
from dasflex_core.catalog.requests import read_request
from dasflex_core.errors import did_you_mean
from dasflex_core.registry import CORE_FAMILIES, CORE_TABLES
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from dasflex_core.catalog.findings import KeyPath, Problems
    from dasflex_core.hookspecs import DefinitionTable, Family
    from dasflex_core.registry import Registry

__all__ = ["CORE", "Vocabulary", "Walk"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What plugins add to definitions: families of parameters, tables of their own, and other forms than TOML."""

    families: tuple[Family, ...] = CORE_FAMILIES
    tables: tuple[DefinitionTable, ...] = CORE_TABLES
    forms: Forms = field(default_factory=Forms)

    @property
    def request(self) -> frozenset[str]:
        """The first words of what may stand in a partial request."""
        return frozenset({TIME, *(family.name for family in self.families)})

    @classmethod
    def of(cls, registry: Registry, include: Path | None = None) -> Vocabulary:
        """What the plugins of a site add; `include` is the directory whose files its definitions may include."""
        return cls(registry.families, registry.tables, Forms(registry.importers, include))


#: The core's own words, without any plugin.
CORE: Final = Vocabulary()


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk: the words that are known, and what was found wrong.

    In a `partial` walk nothing need be there: it is of what other definitions inherit.
    """

    vocabulary: Vocabulary
    problems: Problems
    partial: bool = False

    def fields(self, table: Table, raw: object, path: KeyPath = ()) -> dict[str, Any]:
        """The fields of the model that a table gives, less those that are wrong or missing, which is noted."""
        made: dict[str, Any] = {}
        if not isinstance(raw, dict):
            self.problems.add(path, f"must be a table, [{table.name}]")
            return made
        known = [each.name for each in table.parts]
        plugins = {each.name: each for each in self.vocabulary.tables if table.plugins and each.name not in known}
        for key in table.keys:
            if key.name in raw:
                self.value(key, raw[key.name], path, made)
        for inner in table.tables:
            if inner.name in raw:
                self.table(inner, raw[inner.name], (*path, inner.name), made)
        if plugins:
            made["tables"] = tuple(self.plugin_tables(plugins, raw))
        words = self.vocabulary.request if table.request else frozenset[str]()
        asked = {name: value for name, value in raw.items() if name in words and name not in known}
        if table.request:
            made["request"] = read_request(asked, path, self.problems)
        self.unknown(raw, [*known, *plugins, *sorted(words)], path)
        self.check_presence(table, raw, path)
        return made

    def value(self, key: Key, raw: object, path: KeyPath, made: dict[str, Any]) -> None:
        """Reads the value of one key into its field."""
        try:
            value = KINDS[key.kind].read(raw)
        except UnfitError as error:
            self.problems.add((*path, key.name), error.message)
            return
        if key.one_of and value not in key.one_of:
            near = did_you_mean(str(value), key.one_of)
            self.problems.add((*path, key.name), f"is one of {', '.join(key.one_of)}, not {value!r}.{near}")
            return
        made[key.field or key.name] = value

    def table(self, table: Table, raw: object, path: KeyPath, made: dict[str, Any]) -> None:
        """Reads a table, in whichever shape it has, into its field; or its fields into those of the table around."""
        field = table.field or table.name
        if table.shape == "many":
            items = [((*path, at), each) for at, each in enumerate(raw)] if isinstance(raw, list) else [(path, raw)]
            made[field] = tuple(one for where, each in items if (one := self.one(table, each, where)) is not None)
            if not items and table.needed:
                self.problems.add(path, "must not be empty", "config.missing")
        elif table.shape == "named":
            made[field] = self.named(table, raw, path)
        elif table.make is None:
            made.update(self.fields(table, raw, path))
        elif (one := self.one(table, raw, path)) is not None:
            made[field] = one

    def named(self, table: Table, raw: object, path: KeyPath) -> dict[str, object]:
        """The tables `[name.ANY]`, by name."""
        if not isinstance(raw, dict):
            self.problems.add(path, f"must be tables, [{table.name}.NAME]")
            return {}
        made: dict[str, object] = {}
        for name, each in raw.items():
            if not isinstance(each, dict):
                self.problems.add((*path, name), f"must be a table, [{table.name}.{name}]; here stand names, not keys")
            elif not re.fullmatch(table.naming[0], name):
                self.problems.add((*path, name), f"{name!r} is no name here; one {table.naming[1]}")
            elif (one := self.one(table, each, (*path, name))) is not None:
                made[name] = one
        return made

    def one(self, table: Table, raw: object, path: KeyPath) -> object | None:
        """What one table makes; None where that cannot be."""
        fields = self.fields(table, raw, path)
        try:
            return table.make(**fields) if table.make else None
        except UnfitError as error:
            self.problems.add((*path, error.key) if error.key else path, error.message)
            return None

    def unknown(self, raw: Mapping[str, object], known: Iterable[str], path: KeyPath) -> None:
        """Notes each key that is none."""
        names = list(known)
        for name in raw:
            if name not in names:
                near = did_you_mean(name, names) or f" Known here are {', '.join(names)}."
                self.problems.add((*path, name), f"there is no key {name!r}.{near}", "config.unknown-key")

    def check_presence(self, table: Table, raw: Mapping[str, object], path: KeyPath) -> None:
        """Notes what must be there and is not, and what must not."""
        given = [name for name in table.exactly if name in raw]
        choice = f"exactly one of {', '.join(table.exactly[:-1])} and {table.exactly[-1]}" if table.exactly else ""
        for name in given[1:]:
            self.problems.add((*path, name), f"cannot stand beside {given[0]!r}: a {table.name} is {choice}")
        if self.partial:
            return
        if choice and not given:
            self.problems.add(path, f"is {choice}; write one of these keys", "config.missing")
        for each in table.parts:
            if each.needed and each.name not in raw:
                what = f"{each.title[0].lower()}{each.title[1:]}"
                self.problems.add((*path, each.name), f"is missing: {what}", "config.missing")
        for one, other in table.implies:
            if one in raw and other not in raw:
                self.problems.add((*path, other), f"is missing: {one!r} needs it", "config.missing")

    def plugin_tables(self, plugins: Mapping[str, DefinitionTable], raw: Mapping[str, object]) -> Iterable[PluginTable]:
        """The tables of plugins, which check the values of their keys themselves."""
        for name, table in plugins.items():
            several = raw.get(name, [])
            if isinstance(several, list) and not table.many and name in raw:
                self.problems.add((name,), f"must be one table, [{name}]")
                continue
            for place, each in enumerate(several if isinstance(several, list) else [several]):
                path: KeyPath = (name, place) if isinstance(several, list) else (name,)
                yield from self.plugin_table(table, each, path)

    def plugin_table(self, table: DefinitionTable, raw: object, path: KeyPath) -> Iterable[PluginTable]:
        """One table of a plugin; none where it is no table."""
        if not isinstance(raw, dict):
            self.problems.add(path, f"must be a table, [{table.name}]")
            return
        words = self.vocabulary.request if table.request else frozenset[str]()
        known = [*table.keys, *(raw if "*" in table.keys else ())]
        own = {name: value for name, value in raw.items() if name in known}
        asked = {name: value for name, value in raw.items() if name in words and name not in own}
        self.unknown(raw, [*known, *sorted(words)], path)
        try:
            values = json.dumps(own, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError):
            self.problems.add(path, "holds a time or a number that JSON has no word for; write it in quotes")
            return
        yield PluginTable(table.name, values, read_request(asked, path, self.problems))
