# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files below a directory are definitions, and which describe directories."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dasflex_core.catalog.documents import describes_directory
from dasflex_core.catalog.importing import TOML, Forms
from dasflex_core.catalog.read_toml import is_source_file

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["definition_files", "tree_files"]


def definition_files(definitions: Path, forms: Forms | None = None) -> Iterator[Path]:
    """The definition files below a directory, in order. Without `forms` they are those of the core."""
    return (path for path in tree_files(definitions, forms or Forms()) if not describes_directory(path))


def tree_files(definitions: Path, forms: Forms) -> Iterator[Path]:
    """The definitions and the descriptions of directories. A directory that several links lead to is entered once.

    Of files that differ in their form alone, TOML comes first: it is what a person goes on editing.
    """
    entered: set[str] = set()
    owned: set[Path] = set()
    for name, folders, files in os.walk(definitions, followlinks=True):
        here = Path(name)
        if os.path.realpath(here) in entered:
            folders.clear()
            continue
        entered.add(os.path.realpath(here))
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        shown = [path for file in files if forms.are_form_of(path := here / file)]
        shown.sort(key=lambda path: (path.stem, path.suffix != TOML, path.name))
        if any(is_source_file(path) for path in shown) or here.parent in owned:
            owned.add(here)
        yield from (path for path in shown if here not in owned or is_source_file(path) or describes_directory(path))
