# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a site that anybody may read: what its sources are to clients, below `public/` of the root.

    public/<id in lower case>/flex.json     the source as a node of the federated catalog, for requests over HTTP
    public/<id in lower case>/flexrt.json   the same for what it gives as it comes in
    public/<id in lower case>/das2.d2t      the same for das2 clients
    public/<id in lower case>/hapi.json     its HAPI service, where there is one
    public/<id in lower case>.json          its set for every client, a `Collection`; or a directory, a `Catalog`
    public/<id in lower case>.flex.json     the same in the tree that has a `SourceSet`
    public/root.json, catalog.json          the plain tree: its uppermost node, and all of it in one
    public/root.flex.json, catalog.flex.json   the flex tree
    public/nodes.csv, das2list.txt, das2discovery.txt   flat lists
    public/openapi.lines                     the sources in the server's description, for a front-end to put together

They are plain files, so that any web server can serve them, and hold nothing about how the data are made. Sources that
lists do not show have files, and no node leads to them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Final

import orjson

from dasflex_core.catalog.addresses import hapi_url
from dasflex_core.catalog.das2_header import das2_header
from dasflex_core.catalog.flex_node import flex_json, live_json
from dasflex_core.catalog.moved import moved_to
from dasflex_core.catalog.nodes import catalog_files, folders_of
from dasflex_core.catalog.openapi_paths import Descriptions
from dasflex_core.catalog.published_names import FLEX_NODE, PARTS, directory_file
from dasflex_core.catalog.remembering import digest_of
from dasflex_core.catalog.source_set import collection_json, hapi_json, parts_of, source_set_json
from dasflex_core.errors import ConfigError
from dasflex_core.plan.binding import view_chain
from dasflex_core.plan.offering import Offers
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dasflex_core.catalog.model import Definition, ExternalStage
    from dasflex_core.catalog.tree import Entry
    from dasflex_core.catalog.walk import Vocabulary
    from dasflex_core.config import Config
    from dasflex_core.registry import Registry

__all__ = ["Publication", "Publisher", "das2_header", "flex_json", "publisher"]

#: The keys of the configuration that stand in what is published.
_SAID: Final = (
    "server_name",
    "server_url",
    "site_title",
    "site_catalog_tag",
    "site_id",
    "websocket_uri",
    "enable_hapi_subsys",
)


def publisher(config: Config, registry: Registry, external: tuple[ExternalStage, ...] = ()) -> Publisher:
    """What publishes the sources of a site, with the stages that are installed and its own filters."""
    return Publisher(config, registry, external)


@dataclass(frozen=True, slots=True)
class Publisher:
    """What publishes the sources of a site.

    `live` and `hapi` say whether it has parts for these, `above` whether the nodes of directories are made.
    """

    config: Config
    registry: Registry
    external: tuple[ExternalStage, ...] = ()
    live: bool = True
    hapi: bool = True
    above: bool = True

    def mark(self, vocabulary: Vocabulary) -> str:
        """A digest of all that what is published of every source depends on, beside its definition."""
        here = Path(__file__).parent
        code = max(path.stat().st_mtime_ns for folder in (here, here.parent / "plan") for path in folder.glob("*.py"))
        facts = (
            [getattr(self.config, name) for name in _SAID],
            (self.registry.stages, self.registry.stream_types, self.registry.families, self.registry.conventions),
            (self.external, vocabulary.families, vocabulary.tables, vocabulary.forms.importers),
            (self.has_hapi, self.live, self.hapi, code),
        )
        return digest_of(orjson.dumps(facts, default=_plain))

    @property
    def has_hapi(self) -> bool:
        """Whether something serves HAPI here: without it no node speaks of it."""
        return self.hapi and bool(hapi_url(self.config, self.registry))

    def limited(self, parts: str) -> str:
        """The parts that this site has at all."""
        return " ".join(each for each in parts.split() if each in PARTS)

    def opened(self, find: Callable[[str], Definition]) -> Publication:
        """What makes the files of sources; `find` looks a viewed one up."""
        return Publication(self, Offers(self.registry, find, self.external), find)

    def nodes(self, entries: Iterable[Entry], titles: Mapping[str, str]) -> dict[str, bytes]:
        """The files of the catalog above the sources, by their paths below `public/`."""
        return catalog_files(entries, titles, self.config) if self.above else {}

    def names(self, entries: Iterable[Entry]) -> set[str]:
        """The paths of the nodes that are made of these entries."""
        listed = [entry for entry in entries if entry.listed and entry.parts]
        if not listed:
            return set()
        names = {f"{name}{ending}" for name in ("root", "catalog") for ending in (".json", FLEX_NODE)}
        folders = [path for path in folders_of(listed) if path]
        return names | {directory_file(path, ending) for path in folders for ending in (".json", FLEX_NODE)}


class Publication:
    """What makes the files of sources, one after the other; `described` are those that it has made."""

    def __init__(self, made_by: Publisher, offers: Offers, find: Callable[[str], Definition]) -> None:
        self._by = made_by
        self._offers = offers
        self._find = find
        self.described = Descriptions({}, {})

    def source(self, definition: Definition) -> tuple[dict[str, bytes], str]:
        """The files of a source by their paths below `public/`, and its parts. Raises `DasflexError`."""
        config, name = self._by.config, definition.id.lower()
        if moved_to(definition, config):
            return {}, ""
        parts = parts_of(definition, hapi=self._by.has_hapi, live=self._by.live)
        whole = _with_time(definition, view_chain(definition, self._find))
        offer = self._offers.of(definition)
        if not offer.types and offer.own is None:
            raise ConfigError("nothing that is installed reads it", kind="config.plugin")
        files = {
            "flex": lambda: flex_json(whole, config, offer),
            "flexrt": lambda: live_json(whole, config, self._offers.of(definition, live=True)),
            "das2": lambda: das2_header(whole, offer),
            "hapi": lambda: hapi_json(whole, config),
        }
        made = {f"{name}/{PARTS[part]}": files[part]() for part in parts.split()}
        self.described.add(whole, offer, self._by.registry)
        made[directory_file(name, ".json")] = collection_json(whole, config, parts)
        made[directory_file(name, FLEX_NODE)] = source_set_json(whole, config, offer, parts)
        return made, parts


def _with_time(view: Definition, chain: Iterable[Definition]) -> Definition:
    """The definition; a view that says nothing of its time has that of what it shows."""
    time = next((each.coords["time"] for each in chain if "time" in each.coords), None)
    return replace(view, coords={"time": time, **view.coords}) if time else view


def _plain(value: object) -> object:
    """What JSON has no word for, as something that it has one for, always the same."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return f"{value.__module__}:{value.__qualname__}" if isinstance(value, (type, FunctionType)) else str(value)
