# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a site that anybody may read: what its sources are to clients, below `public/` of the root.

    public/<id in lower case>/flex.json   the source as a node of the federated catalog
    public/<id in lower case>/das2.d2t    the same for das2 clients
    public/<directory>.json               a directory as a node of the catalog
    public/root.json, catalog.json        the catalog: its uppermost node, and all of it in one

They are plain files, so that any web server can serve them, and hold nothing about how the data are made. Sources that
lists do not show have files, and no node leads to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from dasflex_core.catalog.das2_header import das2_header
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.flex_node import Node, flex_json, json_bytes, source_url
from dasflex_core.catalog.identifiers import folded
from dasflex_core.catalog.published_names import SELF, SITE_NODES
from dasflex_core.errors import DasflexError, NotFoundError, Place
from dasflex_core.plan.binding import view_chain
from dasflex_core.plan.offering import offered
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.catalog.model import Definition, ExternalStage
    from dasflex_core.config import Config
    from dasflex_core.registry import Registry

__all__ = ["Published", "Publisher", "das2_header", "flex_json", "publisher"]


@dataclass(frozen=True, slots=True)
class Published:
    """What is to be published: each file below `public/` by its path, and what could not be made.

    `stale` are the folded ids whose files stay as they are, since they could not be made anew.
    """

    files: Mapping[str, bytes]
    stale: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()


#: Makes the files of definitions (by folded id); the second argument gives the titles of directories.
Publisher: TypeAlias = Callable[[Mapping[str, "Definition"], Mapping[str, str]], Published]


def publisher(config: Config, registry: Registry, external: tuple[ExternalStage, ...] = ()) -> Publisher:
    """What publishes the sources of a site, with the stages that are installed and its own filters."""

    def publish(definitions: Mapping[str, Definition], titles: Mapping[str, str]) -> Published:
        def find(identifier: str) -> Definition:
            if folded(identifier) not in definitions:
                raise NotFoundError(f"There is no source {identifier!r}", kind="not-found.source")
            return definitions[folded(identifier)]

        files: dict[str, bytes] = {}
        findings: list[Finding] = []
        stale: set[str] = set()
        for name in sorted(definitions):
            definition = definitions[name]
            try:
                offer = offered(definition, registry, find, external)
                whole = _with_time(definition, view_chain(definition, find))
            except DasflexError as error:
                message = f"this source cannot be published: {error.message}"
                findings.append(Finding("config.bad-value", message, Place(definition.file)))
                stale.add(name)
                continue
            files[f"{name}/flex.json"] = flex_json(whole, config, offer)
            files[f"{name}/das2.d2t"] = das2_header(whole, offer)
        listed = [definitions[name] for name in sorted(definitions) if definitions[name].listed]
        return Published(files | _nodes(listed, titles, config), frozenset(stale), tuple(findings))

    return publish


def _with_time(view: Definition, chain: Iterable[Definition]) -> Definition:
    """The definition; a view that says nothing of its time has that of what it shows."""
    time = next((each.coords["time"] for each in chain if "time" in each.coords), None)
    return replace(view, coords={"time": time, **view.coords}) if time else view


# -- the catalog


def _nodes(listed: Iterable[Definition], titles: Mapping[str, str], config: Config) -> dict[str, bytes]:
    """The nodes of all directories, of the root, and the one that has everything."""
    by_folder: dict[str, list[Definition]] = {"": []}
    for definition in listed:
        folder = PurePosixPath(definition.id.lower()).parent
        by_folder.setdefault(_path(folder), []).append(definition)
        for above in folder.parents:
            by_folder.setdefault(_path(above), [])
    known = {path.lower(): title for path, title in titles.items()}
    tree = _directory("", by_folder, known, config)
    files = {
        f"{path}.json": json_bytes(_flat(_directory(path, by_folder, known, config)))
        for path in by_folder
        if path and path not in SITE_NODES
    }
    return files | {"root.json": json_bytes(_flat(tree)), "catalog.json": json_bytes(tree)}


def _path(folder: PurePosixPath) -> str:
    return "" if str(folder) == "." else str(folder)


def _directory(path: str, by_folder: Mapping[str, list[Definition]], titles: Mapping[str, str], config: Config) -> Node:
    """The node of a directory with all that is below it, each directory in it with its own children."""
    below = [each for each in by_folder if each and _path(PurePosixPath(each).parent) == path]
    children: Node = {each.rpartition("/")[2]: _directory(each, by_folder, titles, config) for each in below}
    children |= {
        name: _stub(definition, config)
        for definition in by_folder[path]
        if (name := definition.id.lower().rpartition("/")[2]) not in children
    }
    for definition in by_folder.get(_path(PurePosixPath(path).parent), []):
        if definition.id.lower() == path:
            children[SELF] = _stub(definition, config)
    title = titles.get(path) or path or config.site_title or f"Sources of {config.server_name}"
    name = path.rpartition("/")[2] or config.server_name
    base = config.server_url.rstrip("/")
    return {
        "type": "Catalog",
        "version": "0.5",
        "name": name,
        "label": name,
        "title": title,
        "separator": "/",
        "urls": [f"{base}/source/{path}.json" if path else f"{base}/root.json"],
        "catalog": dict(sorted(children.items())),
    }


def _stub(definition: Definition, config: Config) -> Node:
    """A source as an entry of a catalog."""
    name = definition.label or definition.id.rpartition("/")[2]
    return {
        "type": "HttpStreamSrc",
        "name": name,
        "label": name,
        "title": definition.title,
        "urls": [source_url(config, definition.id, "flex.json")],
        "purpose": "primary-stream",
    }


def _flat(node: Node) -> Node:
    """A node with no more of its children than their entries."""
    inner = {
        name: {key: held for key, held in child.items() if key not in ("catalog", "version", "separator")}
        for name, child in node["catalog"].items()
    }
    return {key: held for key, held in node.items() if key != "urls"} | {"catalog": inner}
