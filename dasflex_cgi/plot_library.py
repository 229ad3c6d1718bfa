# SPDX-License-Identifier: GPL-3.0-or-later
"""The library that draws plots: plotly.js, as the wheel of plotly holds it, with its version in its address.

It is chosen because it draws lines and spectrograms with time and logarithmic axes, has a licence that fits (MIT), and
works under our Content-Security-Policy, which Bokeh does not: that puts each of its styles into the page. The wheel is
an extra; without it pages have no plot.
"""

from __future__ import annotations

import gzip
import os
import re
import tempfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dasflex_cgi.static import FOREVER, sent
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_cgi.static import Served

__all__ = ["EXTRA", "Library", "library", "serve_library"]

#: What the administrator installs for it.
EXTRA: Final = "dasflex[pages]"
#: Style sheets that the library would write into the page, unless an element with their name is there already.
_SHEETS: Final = re.compile(rb'getElementById\("([0-9a-f]{64})"\)')


@dataclass(frozen=True, slots=True)
class Library:
    """The installed library: its file, its name below `/static/`, and the names of styles that it must not add."""

    file: Path
    name: str
    sheets: tuple[str, ...]


@cache
def library() -> Library | None:
    """The installed library; None without the extra. The wheel is found and not imported."""
    try:
        number = version("plotly")
        found = find_spec("plotly")
    except (PackageNotFoundError, ImportError, ValueError):
        return None
    if found is None or not found.origin:
        return None
    file = Path(found.origin).parent / "package_data" / "plotly.min.js"
    try:
        sheets = {each.decode() for each in _SHEETS.findall(file.read_bytes())}
    except OSError:
        return None
    plain = "".join(char for char in number if char.isascii() and (char.isalnum() or char in ".-"))
    return Library(file, f"plotly-{plain}.min.js", tuple(sorted(sheets)))


def serve_library(folder: Path, method: str, path: str, headers: Mapping[str, str]) -> Served | None:
    """The library as an answer, None for any other path; `folder` is where its compressed forms are kept.

    They are made once. Where nothing can be kept, the library is sent as it is.
    """
    found = library()
    if found is None or path != f"/static/{found.name}":
        return None
    try:
        file = _kept(found, folder)
    except OSError:
        file = found.file
    return sent(str(file), method, headers, FOREVER)


def _kept(found: Library, folder: Path) -> Path:
    """The library in a directory of ours, with its compressed forms beside it. Raises `OSError`."""
    file = folder / found.name
    if not file.is_file():
        import zstandard

        folder.mkdir(parents=True, exist_ok=True)
        plain = found.file.read_bytes()
        _write(folder / f"{found.name}.zst", zstandard.ZstdCompressor(level=12).compress(plain))
        _write(folder / f"{found.name}.gz", gzip.compress(plain, 9, mtime=0))
        _write(file, plain)  # the last: what it stands for is whole
    return file


def _write(file: Path, content: bytes) -> None:
    """Writes a file at once, so that nobody reads half of it."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
            os.fchmod(handle, 0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
