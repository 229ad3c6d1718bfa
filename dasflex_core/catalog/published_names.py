# SPDX-License-Identifier: GPL-3.0-or-later
"""By what published files are known: their names, and how a node of the catalog begins."""

from __future__ import annotations

from typing import Final

__all__ = [
    "FLEX_NODE",
    "LISTS",
    "NODE_BEGINNINGS",
    "OPENAPI",
    "PARTS",
    "SELF",
    "SITE_NODES",
    "SOURCE_FILES",
    "directory_file",
    "source_files",
]

#: The parts of a source set, by the keys that they have in it, and the file of each.
PARTS: Final = {"flex": "flex.json", "flexrt": "flexrt.json", "das2": "das2.d2t", "hapi": "hapi.json"}
#: The files of a source.
SOURCE_FILES: Final = tuple(PARTS.values())
#: What is behind the path of a node of the flex tree; behind one of the plain tree is `.json`. No id ends so.
FLEX_NODE: Final = ".flex.json"
#: Names at the top that belong to the site.
SITE_NODES: Final = frozenset({"root", "catalog", "nodes", "peers", "openapi", "id"})
#: The flat lists of a site.
LISTS: Final = ("nodes.csv", "das2list.txt", "das2discovery.txt")
#: The sources in the description of the server (OpenAPI), which is no file by itself and not served as one.
OPENAPI: Final = "openapi.lines"
#: The key of a source in the node of a directory of the same name; no id ends in it.
SELF: Final = "flex"
#: How the nodes of directories and the sets of sources begin.
NODE_BEGINNINGS: Final = tuple(b'{"type":"%s",' % kind for kind in (b"Catalog", b"Collection", b"SourceSet"))


def directory_file(path: str, ending: str) -> str:
    """The file of the node of a directory or of the set of a source, without regard to case.

    Either may be called as a file of the site, or as a part of a source that it lies in. Its node has then a name
    that no id can be.

    >>> directory_file("Mission/Wave", ".json"), directory_file("root", ".json"), directory_file("a/flex", ".json")
    ('mission/wave.json', 'root~.json', 'a/flex~.json')
    """
    name = path.lower()
    taken = name in SITE_NODES or name.rpartition("/")[2] in PARTS
    return f"{name}{'~' if taken else ''}{ending}"


def source_files(identifier: str, parts: str, *, alone: bool = True) -> tuple[str, ...]:
    """The files of a source by its id: those of its parts, and, where no directory has its name, its two sets."""
    name = identifier.lower()
    files = tuple(f"{name}/{PARTS[part]}" for part in parts.split())
    return (*files, directory_file(name, ".json"), directory_file(name, FLEX_NODE)) if alone and files else files
