# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are served as they are: which one answers a path, what is said of it, and whether the client has it.

A CGI program decides this before it imports anything, so this module imports `os` and what is as light (tier T0), and
a plain class stands where others have a dataclass. The other edges ask it too, so that all of them say the same:

* `serve(root, method, path, headers)` is all of it: None where no file answers, else a `Served`, which is also a body.
* `find(root, path)` is the file that answers a path, `encoded(file, accepted)` its compressed neighbour, and
  `describe(file, facts, headers)` the status and the headers, without opening anything.

`root` is the directory of the site, `path` is decoded, begins with a slash and is relative to where the server is
mounted, `headers` have names in lower case.
"""

from __future__ import annotations

import os

from dasflex_cgi.conditional import http_date, part_of, unchanged
from dasflex_cgi.shielding import OF_ALL

TYPE_CHECKING = False  # the module of that name costs as much as all of this one
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    Headers = tuple[tuple[str, str], ...]

__all__ = ["FOREVER", "Served", "describe", "encoded", "find", "in_part", "root_of", "sent", "serve"]

#: The media type of each suffix that is served; a file with another one is not there.
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "d2t": "text/vnd.das2.das2stream; charset=utf-8",
    "gif": "image/gif",
    "html": "text/html; charset=utf-8",
    "ico": "image/vnd.microsoft.icon",
    "jpg": "image/jpeg",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "webp": "image/webp",
    "woff2": "font/woff2",
    "xml": "application/xml",
}
#: Content codings, the better first, with the suffix of a file that is compressed so.
_CODINGS: Final = (("zstd", ".zst"), ("gzip", ".gz"))
#: Compiled nodes change when definitions are installed; what pages are made of changes with a release.
_NODES_FRESH: Final = "public, max-age=60"
_PARTS_FRESH: Final = "public, max-age=3600"
#: What has its version in its address never changes.
FOREVER: Final = "public, max-age=31536000, immutable"
#: The parts of pages that come with dasflex.
_SHIPPED: Final = os.path.join(os.path.dirname(__file__), "static")
_CHUNK: Final = 1 << 18
_LONGEST: Final = 1024


class Served:
    """A file as an answer: its status and headers, and a body that comes in pieces and must be closed.

    Of a 304 and for HEAD nothing comes. `size` is the number of bytes of the body.
    """

    __slots__ = ("_left", "_opened", "headers", "size", "status")

    def __init__(self, status: int, headers: Headers, opened: int, size: int) -> None:
        self.status = status
        self.headers = headers
        self.size = self._left = size
        self._opened = opened

    def __iter__(self) -> Served:
        return self

    def __next__(self) -> bytes:
        piece = os.read(self._opened, min(self._left, _CHUNK)) if self._left else b""
        if not piece:
            left, self._left = self._left, 0
            self.close()
            if left:
                raise OSError("the file was cut while it was sent")
            raise StopIteration
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Lets go of the file."""
        if self._opened >= 0:
            os.close(self._opened)
            self._opened = -1


def root_of(config: str) -> str:
    """The root that `DASFLEX_CONFIG` means: the directory itself, or the one around the configuration's `etc`."""
    place = os.path.abspath(config)
    if os.path.isdir(place):
        return place
    folder = os.path.dirname(place)
    return os.path.dirname(folder) if os.path.basename(folder) == "etc" else folder


def serve(root: str, method: str, path: str, headers: Mapping[str, str]) -> Served | None:
    """The file that answers a request; None where that is no file, or no GET or HEAD."""
    if method not in ("GET", "HEAD"):
        return None
    file = find(root, path)
    if file is None:
        return None
    return sent(file, method, headers, _PARTS_FRESH if path[:8].lower() == "/static/" else _NODES_FRESH)


def sent(file: str, method: str, headers: Mapping[str, str], fresh: str) -> Served | None:
    """A file as the answer to GET or HEAD, compressed where that is beside it; None where it cannot be read.

    `fresh` is how long it may be kept.
    """
    file = encoded(file, headers.get("accept-encoding", ""))
    try:
        opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None  # it has gone in this moment, or may not be read: it is not there
    facts = os.fstat(opened)
    status, told, size = describe(file, facts, headers, fresh=fresh)
    if status == 200 and method == "GET" and "range" in headers:
        first, status, told, size = in_part(headers, told, size)
        os.lseek(opened, first, os.SEEK_SET)
    return Served(status, told, opened, size if method == "GET" else 0)


def in_part(headers: Mapping[str, str], told: Headers, size: int) -> tuple[int, int, Headers, int]:
    """The first byte, the status, the headers and the number of bytes of what a `Range` asks of so many bytes."""
    said = dict(told)
    part = part_of(headers, said["ETag"], said["Last-Modified"], size)
    if part is None:
        return 0, 200, told, size
    first, count = part
    whole = f"bytes {first}-{first + count - 1}/{size}" if count else f"bytes */{size}"
    new = (("Content-Range", whole), ("Content-Length", str(count)))
    kept = tuple(pair for pair in told if pair[0] != "Content-Length")
    return first, 206 if count else 416, (*kept, *new), count


def find(root: str, path: str) -> str | None:
    """The file below `ROOT/static` or `ROOT/public` that answers a path; None where there is none.

    What pages are made of comes with dasflex, and a root may have its own in their place.
    The path has no hidden name, no `.` or `..`, and a suffix whose media type is known; links do not lead out of the
    tree. Names below `/static/` are as they are written, all others in lower case.
    """
    trees, below = _place(root, path)
    if not _is_plain(below):
        return None
    for tree in trees:
        base = os.path.realpath(tree)
        file = os.path.realpath(os.path.join(base, below))
        if file.startswith(base + os.sep) and os.path.isfile(file):
            return file
    return None


def encoded(file: str, accepted: str) -> str:
    """The compressed file beside a file that an `Accept-Encoding` asks for, or the file itself."""
    if accepted:
        for coding, suffix in _CODINGS:
            beside = file + suffix
            if _accepts(accepted, coding) and os.path.isfile(beside) and not os.path.islink(beside):
                return beside
    return file


def describe(
    file: str, facts: os.stat_result, headers: Mapping[str, str], *, fresh: str = _NODES_FRESH
) -> tuple[int, Headers, int]:
    """The status, the headers and the number of bytes of a file, for a client that may have it already.

    `facts` are what `stat` says of the file, and `headers` are those of the request.
    """
    plain, coding = file, ""
    for name, suffix in _CODINGS:
        if file.endswith(suffix):
            plain, coding = file[: -len(suffix)], name
    tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}{coding and "-" + coding}"'
    told: list[tuple[str, str]] = [
        ("ETag", tag),
        ("Last-Modified", http_date(facts.st_mtime)),
        ("Cache-Control", fresh),
        ("Vary", "Accept-Encoding"),
        ("Accept-Ranges", "bytes"),
        *OF_ALL,
    ]
    if unchanged(headers, tag, facts.st_mtime):
        return 304, tuple(told), 0
    told.append(("Content-Type", MEDIA_TYPES[_suffix(plain)]))
    told.append(("Content-Length", str(facts.st_size)))
    if coding:
        told.append(("Content-Encoding", coding))
    return 200, tuple(told), facts.st_size


def _place(root: str, path: str) -> tuple[tuple[str, ...], str]:
    """The trees that may hold the file of a path, and its path below them."""
    while "//" in path:
        path = path.replace("//", "/")
    lower = path.lower()
    if lower.startswith("/static/"):
        return (os.path.join(root, "static"), _SHIPPED), path[8:]
    return (os.path.join(root, "public"),), lower.removeprefix("/source/").removeprefix("/")


def _is_plain(below: str) -> bool:
    """Whether a path can be that of a file which is served at all."""
    if len(below) > _LONGEST or _suffix(below) not in MEDIA_TYPES or not below.isprintable():
        return False
    return all(name and not name.startswith(".") for name in below.split("/"))


def _suffix(name: str) -> str:
    """The suffix of a name in lower case, without its dot."""
    return name[name.rfind(".") + 1 :].lower() if "." in name else ""


def _accepts(accepted: str, coding: str) -> bool:
    """Whether an `Accept-Encoding` names a coding, and does not give it the weight 0."""
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if name.strip() == coding:
            return weight.replace(" ", "").rstrip("0") not in ("q=", "q=0.")
    return False
