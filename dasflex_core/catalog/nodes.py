# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog above the sources: a node for each directory, in two trees, what merges them, and the flat lists.

The plain tree (`Catalog`, `Collection`, `HttpStreamSrc`) is one that every client can walk. The flex tree beside it
leads to `SourceSet`. Both have the same paths, and no node is of both. All is made from the entries of the index, so
that a source that changed needs no other to be read.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog.addresses import public_base, site_url, source_url, uris
from dasflex_core.catalog.flex_node import json_bytes
from dasflex_core.catalog.published_names import FLEX_NODE, PARTS, SELF, directory_file
from dasflex_core.catalog.source_set import part_stubs
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dasflex_core.catalog.tree import Entry
    from dasflex_core.config import Config

__all__ = ["Folder", "catalog_files", "folders_of"]

#: An object of JSON.
Node = dict[str, Any]
_COLUMNS: Final = ("path", "type", "name", "title", "begin", "end", "url")


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory by its path in lower case: the directories in it, and the sources, by the last part of their path.

    `name` is the last part of its own path as the first source in it writes it.
    """

    path: str
    name: str
    folders: tuple[str, ...]
    sources: Mapping[str, Entry]


def folders_of(entries: Iterable[Entry]) -> dict[str, Folder]:
    """The directories by their paths, the uppermost being blank; those above a directory are there too."""
    inner: dict[str, set[str]] = {"": set()}
    names: dict[str, str] = {}
    sources: dict[str, dict[str, Entry]] = {"": {}}
    for entry in entries:
        path, _, name = entry.id.lower().rpartition("/")
        sources.setdefault(path, {})[name] = entry
        written = entry.id.rpartition("/")[0]
        while path:
            above, _, last = path.rpartition("/")
            names.setdefault(path, written.rpartition("/")[2])
            written = written.rpartition("/")[0]
            sources.setdefault(path, {})
            inner.setdefault(path, set())
            inner.setdefault(above, set()).add(last)
            path = above
    return {
        path: Folder(path, names.get(path, ""), tuple(sorted(inner[path])), dict(sorted(sources.get(path, {}).items())))
        for path in sorted(inner)
    }


def catalog_files(entries: Iterable[Entry], titles: Mapping[str, str], config: Config) -> dict[str, bytes]:
    """The files of the catalog by their paths below `public/`; a site without sources has no node."""
    listed = [entry for entry in entries if entry.listed and entry.parts]
    making = _Making(config, {path.lower(): title for path, title in titles.items()}, folders_of(listed))
    files = {"nodes.csv": making.table()}
    if not listed:
        return files
    for ending in (".json", FLEX_NODE):
        tree: dict[str, Node] = {}
        for path in sorted(making.folders, key=lambda each: -each.count("/") if each else 1):
            node = making.node(path, ending)
            files[making.file(path, ending)] = json_bytes(node)
            inner = {key: {**child, **tree.get(child["urls"][0], {})} for key, child in node["catalog"].items()}
            tree[making.address(path, ending)] = {"separator": "/", "catalog": inner}
        files[f"catalog{ending}"] = json_bytes({**making.node("", ending), **tree[making.address("", ending)]})
    return files


@dataclass(frozen=True, slots=True)
class _Making:
    """The nodes of one site in the making."""

    config: Config
    titles: Mapping[str, str]
    folders: Mapping[str, Folder]

    def file(self, path: str, ending: str) -> str:
        """The file of the node of a directory."""
        return directory_file(path, ending) if path else f"root{ending}"

    def address(self, path: str, ending: str) -> str:
        """The address of the node of a directory."""
        file = self.file(path, ending)
        return f"{public_base(self.config)}/source/{file}" if path else site_url(self.config, file)

    def node(self, path: str, ending: str) -> Node:
        """The node of a directory with a stub for each thing in it."""
        folder = self.folders[path]
        children: dict[str, Node] = {}
        for name in folder.folders:
            below = f"{path}/{name}".strip("/")
            children[_key(name, children)] = self.stub(below, ending)
        for name, entry in folder.sources.items():
            if name not in folder.folders:
                children[_key(name, children)] = self.source(entry, ending)
        above, _, last = path.rpartition("/")
        if path and (own := self.folders[above].sources.get(last)):
            children |= self.own(own, ending)
        stub = self.stub(path, ending)
        names = uris(self.config, path)
        node = {
            "type": "Catalog",
            "version": "0.5",
            "name": stub["name"],
            "label": stub["label"],
            "title": stub["title"],
        }
        return node | ({"uris": names} if names else {}) | {"separator": "/", "catalog": dict(sorted(children.items()))}

    def stub(self, path: str, ending: str) -> Node:
        """A directory as an entry of the one above."""
        config = self.config
        name = self.folders[path].name or config.server_name
        title = (
            self.titles.get(path) or (name if path else "") or config.site_title or f"Sources of {config.server_name}"
        )
        return {"type": "Catalog", "name": name, "label": name, "title": title, "urls": [self.address(path, ending)]}

    def source(self, entry: Entry, ending: str) -> Node:
        """A source as an entry of its directory."""
        name = entry.label or entry.id.rpartition("/")[2]
        kind = "Collection" if ending == ".json" else "SourceSet"
        address = f"{public_base(self.config)}/source/{directory_file(entry.id, ending)}"
        return {"type": kind, "name": name, "label": name, "title": entry.title, "urls": [address]}

    def own(self, entry: Entry, ending: str) -> dict[str, Node]:
        """What a source that is called as a directory has in the node of that, which stands where its set would."""
        parts = entry.parts if ending == FLEX_NODE else SELF
        return part_stubs(self.config, entry.id, entry.title, parts)

    # -- the flat list

    def table(self) -> bytes:
        """All nodes, a line each."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        writer.writerows(self.rows())
        return text.getvalue().encode("utf-8", "replace")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The lines of the list: each directory, and behind it the sources that are in it."""
        for path, folder in self.folders.items():
            if not path and not folder.folders and not folder.sources:
                return
            for ending in (".json", FLEX_NODE):
                stub = self.stub(path, ending)
                yield path, "Catalog", stub["name"], stub["title"], "", "", stub["urls"][0]
            for name, entry in folder.sources.items():
                begin, _, end = entry.range.partition(" to ")
                below = f"{path}/{name}".strip("/")
                if name not in folder.folders:
                    for ending in (".json", FLEX_NODE):
                        stub = self.source(entry, ending)
                        yield below, stub["type"], stub["name"], stub["title"], begin, end, stub["urls"][0]
                for part in entry.parts.split():
                    if part != "das2":
                        kind = "WebSocSrc" if part == "flexrt" else "HttpStreamSrc"
                        label = entry.label or entry.id.rpartition("/")[2]
                        address = source_url(self.config, entry.id, PARTS[part])
                        yield f"{below}/{part}", kind, label, entry.title, begin, end, address


def _key(name: str, taken: Mapping[str, Node]) -> str:
    """The key of a child: the last part of its path, which begins with a letter or a digit and is nobody else's."""
    key = name if name[:1].isalnum() else f"x{name}"
    while key in taken:
        key = f"x{key}"
    return key
