# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of sources that das2 clients read, as files: a line `path|title` for each, directories first.

Clients decode them in whatever character set they have, so that they are ASCII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.catalog.published_names import LISTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.catalog.tree import Entry

__all__ = ["das2_list", "list_files"]


def list_files(entries: Iterable[Entry], titles: Mapping[str, str]) -> dict[str, bytes]:
    """The lists by their names below `public/`: of all sources, and of those that have an example."""
    listed = [each for each in entries if each.listed]
    _table, everything, discovery = LISTS
    return {everything: das2_list(listed, titles), discovery: das2_list([e for e in listed if e.exampled], titles)}


def das2_list(entries: Iterable[Entry], titles: Mapping[str, str]) -> bytes:
    """The list of some sources; a directory is `path/`, and comes before what is in it."""
    known = {path.strip("/").lower(): title for path, title in titles.items()}
    lines: list[str] = []
    seen: set[str] = set()
    for entry in sorted(entries, key=lambda each: each.id.lower().split("/")):
        parts = entry.id.split("/")
        for depth in range(1, len(parts)):
            path = "/".join(parts[:depth])
            if path.lower() not in seen:
                seen.add(path.lower())
                lines.append(_line(f"{path}/", known.get(path.lower(), "")))
        lines.append(_line(entry.id, entry.title))
    return "".join(lines).encode("ascii")


def _line(path: str, title: str) -> str:
    """A line of the list."""
    text = _ascii(" ".join(title.replace("|", "/").split()))
    return f"{path}|{text}\n" if text else f"{path}\n"


def _ascii(text: str) -> str:
    """The text in ASCII: letters lose their accents, and what is no letter of that kind is a question mark."""
    if text.isascii():
        return text
    from unicodedata import combining, normalize

    plain = "".join(char for char in normalize("NFKD", text) if not combining(char))
    return plain.encode("ascii", "replace").decode("ascii")
