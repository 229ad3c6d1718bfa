# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogs of several servers as one: static files for a web site.

What is a directory of several servers has the children of all. What is a source of several has the addresses of all, so
that clients try one after the other. Sources stay where they are; only directories are written anew.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog.flex_node import json_bytes
from dasflex_core.catalog.published_names import FLEX_NODE, directory_file
from dasflex_core.errors import ConfigError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["ENDINGS", "Naming", "merged_files", "read_catalog"]

#: An object of JSON.
Node = dict[str, Any]
#: The two trees, by what is behind the names of their files.
ENDINGS: Final = (".json", FLEX_NODE)
_PLAIN: Final = frozenset({"Catalog", "Collection", "HttpStreamSrc"})
_DEEPEST: Final = 32
#: What a key may be: it becomes part of the name of a file here.
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_.:,+-]{0,62}")
_ADDRESS: Final = re.compile(r"(?:https?|wss?|ftp)://[!-~]+")


@dataclass(frozen=True, slots=True)
class Naming:
    """What the merged catalog is called: the address of its directory, its title, and the permanent names of a path."""

    base: str
    name: str
    title: str
    uris: Callable[[str], list[str]]

    def address(self, path: str, ending: str) -> str:
        """The address of the node of a directory."""
        return f"{self.base.rstrip('/')}/{directory_file(path, ending) if path else f'root{ending}'}"


def read_catalog(data: bytes, where: str) -> Node:
    """A catalog that some server published: all its directories in one node. Raises `ConfigError` for anything else."""
    try:
        node = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is no catalog: it is no JSON: {error}", kind="config.unreadable") from error
    if not isinstance(node, dict) or node.get("type") != "Catalog" or not isinstance(node.get("catalog"), dict):
        raise ConfigError(f"{where} is no catalog, but something else in JSON", kind="config.unreadable")
    return node


def merged_files(catalogs: Iterable[Node], naming: Naming, ending: str) -> dict[str, bytes]:
    """The files of one tree by their names: a node for each directory, and one that has them all."""
    children: Node = {}
    for node in catalogs:
        _merge(children, node["catalog"], ending, 0)
    if not children:
        return {}
    files: dict[str, bytes] = {}
    whole = _directory("", {"catalog": children}, naming, ending)
    for path, node in _walk("", whole):
        flat = {key: {name: held for name, held in child.items() if name != "catalog"} for key, child in node.items()}
        about = _about(path, _at(whole, path), naming, ending)
        files[directory_file(path, ending) if path else f"root{ending}"] = json_bytes({**about, "catalog": flat})
    about = _about("", whole, naming, ending)
    return files | {f"catalog{ending}": json_bytes({**about, "catalog": whole["catalog"]})}


def _merge(into: Node, more: Mapping[str, Any], ending: str, depth: int) -> None:
    """Adds children to those that there are. What is no stub, or of a type that this tree cannot have, is left out."""
    for key, child in more.items():
        if not _is_key(key) or not isinstance(child, dict) or not _is_stub(child) or depth > _DEEPEST:
            continue
        if ending == ".json" and child["type"] not in _PLAIN:
            continue
        present = into.get(key)
        inner = child.get("catalog") if child["type"] == "Catalog" else None
        if present is None or present["type"] != child["type"]:
            name = key if present is None else _other(key, into)
            into[name] = {part: held for part, held in child.items() if part not in ("catalog", "separator")}
            if isinstance(inner, dict):
                into[name]["catalog"] = {}
                _merge(into[name]["catalog"], inner, ending, depth + 1)
            continue
        present["urls"] = list(dict.fromkeys([*present["urls"], *child["urls"]]))
        if isinstance(inner, dict):
            _merge(present.setdefault("catalog", {}), inner, ending, depth + 1)


def _is_key(key: str) -> bool:
    """Whether a key is one, and no node of the flex tree."""
    return _KEY.fullmatch(key) is not None and not key.endswith(FLEX_NODE.removesuffix(".json"))


def _is_stub(child: Node) -> bool:
    """Whether a child has what clients need of it."""
    urls = child.get("urls")
    return (
        all(isinstance(child.get(part), str) for part in ("type", "name"))
        and isinstance(urls, list)
        and bool(urls)
        and all(isinstance(each, str) and _ADDRESS.fullmatch(each) for each in urls)
    )


def _other(key: str, taken: Mapping[str, Any]) -> str:
    """A key that is not taken."""
    number = 2
    while f"{key}-{number}" in taken:
        number += 1
    return f"{key}-{number}"


def _directory(path: str, node: Node, naming: Naming, ending: str) -> Node:
    """A directory with its children, of which the directories have their addresses here; empty ones are left out."""
    children: Node = {}
    for key, child in sorted(node["catalog"].items()):
        if child["type"] != "Catalog":
            children[key] = {"label": child["name"], "title": child["name"], **child}
        elif child.get("catalog"):
            below = f"{path}/{key}".strip("/")
            about = {"label": child["name"], "title": child["name"], **child, "urls": [naming.address(below, ending)]}
            children[key] = {**about, **_directory(below, child, naming, ending)}
        elif "catalog" not in child:  # a directory of which no more is known than where it is
            children[key] = {"label": child["name"], "title": child["name"], **child}
    return {"separator": "/", "catalog": children}


def _walk(path: str, node: Node) -> Iterator[tuple[str, Node]]:
    """The children of each directory, by its path."""
    yield path, node["catalog"]
    for key, child in node["catalog"].items():
        if "catalog" in child:
            yield from _walk(f"{path}/{key}".strip("/"), child)


def _at(whole: Node, path: str) -> Node:
    """The directory at a path."""
    found = whole
    for key in filter(None, path.split("/")):
        found = found["catalog"][key]
    return found


def _about(path: str, node: Node, naming: Naming, ending: str) -> Node:
    """What a directory's node says beside its children."""
    name = node.get("name", naming.name)
    uris = naming.uris(path)
    about = {
        "type": "Catalog",
        "version": "0.5",
        "name": name,
        "label": node.get("label", name),
        "title": node.get("title", naming.title),
        "urls": node.get("urls", [naming.address(path, ending)]),
        "separator": "/",
    }
    return about | ({"uris": uris} if uris else {})
