# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads request logs back: the files of LOG_PATH, and their entries, one at a time, in either form.

Files are opened without following links and without waiting, so that nothing in the directory holds a reader up. What
is no entry is passed over: a line that was cut off when a disk was full says nothing of the others.
"""

from __future__ import annotations

import contextlib
import os
import re
from calendar import timegm
from collections import deque
from io import BytesIO, FileIO
from stat import S_ISREG
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import error as ZlibError  # noqa: N812  it is an exception

from dasflex_core.logs import LogEntry, log_name
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from gzip import GzipFile
    from pathlib import Path

__all__ = [
    "LogFile",
    "LogRow",
    "entries",
    "entries_before",
    "entry_of",
    "last_entries",
    "log_files",
    "read_entries",
    "rows",
]

_NAME: Final = re.compile(r"([a-z0-9.-]+)_(\d{4}-\d\d-\d\d)\.log(?:\.(\d{1,4}))?(?:\.gz)?")
_TIME: Final = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T[0-2]\d:[0-5]\d:[0-6]\d(?:\.\d{1,6})?Z")
#: Characters of a moment, to the millisecond.
_LENGTH: Final = 24
#: Bytes that are read at a time; a longer line is no entry.
_CHUNK: Final = 1 << 20
#: Bytes of the end of a file that are looked at first.
_END: Final = 1 << 17
#: Bytes of a compressed file that are looked at from its end on; lines behind an entry that are kept.
_UNPACKED: Final = 1 << 26
_SAID: Final = 100
#: Where a line says which request it is of, as text and as JSON, and bytes in which it has done so.
_PLACES: Final = (25, 49)
_HEAD: Final = 128
_MORE: Final = "    "
_DETAIL: Final = "    | "


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of logs: its path, the address of its client and its day of UTC, such as `2026-11-22`, and its bytes."""

    path: Path
    client: str
    day: str
    bytes: int


class LogRow(NamedTuple):
    """What is counted of an entry. `time` is UTC text; an entry that says nothing of its source has a blank one."""

    time: str
    client: str
    request: str
    method: str
    target: str
    status: int
    bytes: int
    seconds: float
    complete: bool
    agent: str
    user: str
    source: str


def log_files(directory: Path, *, since: str = "", until: str = "", client: str = "") -> list[LogFile]:
    """The files of request logs below a directory, by day and client; none where there is no such directory.

    `since` and `until` are days, or beginnings of them, such as `2026-11`; both are meant with all that is in them.
    Files that were rotated (`….log.1`) and compressed (`.gz`) are among them, the older ones first.
    """
    wanted = log_name(client, 0.0).rpartition("_")[0] if client else ""
    found: list[tuple[str, str, int, LogFile]] = []
    for entry in _listed(directory):
        named = _NAME.fullmatch(entry.name)
        if named is None or (wanted and named[1] != wanted):
            continue
        day = named[2]
        if day[: len(since)] < since or (until and day[: len(until)] > until):
            continue
        with contextlib.suppress(OSError):  # it was removed meanwhile
            found_now = entry.stat(follow_symlinks=False)
            if S_ISREG(found_now.st_mode):
                file = LogFile(directory / entry.name, _address(named[1]), day, found_now.st_size)
                found.append((day, named[1], -int(named[3] or 0), file))
    return [each[-1] for each in sorted(found, key=lambda each: each[:3])]


def entries(file: LogFile) -> Iterator[LogEntry]:
    """The entries of a file, in its order. A file that cannot be read any more has none."""
    with contextlib.suppress(OSError, EOFError, ZlibError), _opened(file.path) as opened:
        yield from _entries(_lines(opened), file.client)


def rows(file: LogFile) -> Iterator[LogRow]:
    """The same, without what went wrong, for whoever counts: a million take seconds."""
    client = file.client
    with contextlib.suppress(OSError, EOFError, ZlibError), _opened(file.path) as opened:
        for line in _lines(opened):
            if line.startswith(_MORE):
                continue
            row = _row(line, client)
            if row is not None:
                yield row


def entries_before(file: LogFile, end: int | None = None) -> Iterator[tuple[int, LogEntry]]:
    """The entries that begin in front of a byte of a file (None: all), the latest first, each with where it begins.

    What is not asked for is not read, so that the last page of a large file costs no more than that of a small one. Of
    a compressed file only the last 64 MiB are looked at.
    """
    with contextlib.suppress(OSError, EOFError, ZlibError), _opened(file.path) as opened:
        said: deque[str] = deque(maxlen=_SAID)
        for begin, raw in _lines_before(opened, end):
            line = raw.decode("utf-8", "replace")
            if line.startswith(_MORE):
                said.appendleft(line)
                continue
            row = _row(line, file.client)
            if row is not None:
                yield begin, _told(row, line, said)
            said.clear()


def entry_of(file: LogFile, request: str) -> LogEntry | None:
    """The entry of a request in a file; None where there is none. The file is searched, not read."""
    wanted = request.encode()
    with contextlib.suppress(OSError, EOFError, ZlibError), _opened(file.path) as opened:
        at, rest = 0, b""
        while chunk := opened.read(_CHUNK):
            data = rest + chunk
            found = data.find(wanted)
            while found >= 0:
                begin = data.rfind(b"\n", max(0, found - _HEAD), found) + 1
                if found - begin in _PLACES:
                    opened.seek(at - len(rest) + begin)
                    return next(_entries(_lines(opened), file.client), None)
                found = data.find(wanted, found + 1)
            at += len(chunk)
            rest = data[-2 * _HEAD :]
    return None


def last_entries(file: LogFile, count: int) -> list[LogEntry]:
    """The last entries of a file, the latest last; only its end is read."""
    if file.path.suffix == ".gz":
        return [*deque(entries(file), count)]
    found: list[LogEntry] = []
    with contextlib.suppress(OSError), _opened(file.path) as opened:
        size = opened.seek(0, os.SEEK_END)
        back = _END
        while True:
            opened.seek(max(0, size - back))
            lines = _lines(opened)
            if back < size:
                next(lines, None)  # the end of a line
            found = [*deque(_entries(lines, file.client), count)]
            if len(found) >= count or back >= size:
                break
            back *= 8
    return found


def read_entries(directory: Path, *, since: str = "", until: str = "", client: str = "") -> Iterator[LogEntry]:
    """The entries of all these files, one file after the other."""
    for file in log_files(directory, since=since, until=until, client=client):
        yield from entries(file)


def _listed(directory: Path) -> Iterator[os.DirEntry[str]]:
    """What is in a directory; nothing where there is none."""
    with contextlib.suppress(OSError), os.scandir(directory) as found:
        yield from found


def _address(name: str) -> str:
    """The address of a client by the name of its file, where it can be told: colons are hyphens there."""
    if "-" in name:
        from ipaddress import IPv6Address

        with contextlib.suppress(ValueError):
            return str(IPv6Address(name.replace("-", ":")))
    return name


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[FileIO | GzipFile]:
    """A plain file for reading. Raises `OSError` for what is none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  a descriptor
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no plain file")
        if path.suffix != ".gz":
            yield file
            return
        from gzip import GzipFile

        with GzipFile(fileobj=file) as unpacked:
            yield unpacked


def _lines(file: FileIO | GzipFile) -> Iterator[str]:
    """The lines of a file, without their ends. What is too long for a line is cut."""
    rest = b""
    while chunk := file.read(_CHUNK):
        whole, end, rest_now = (rest + chunk).rpartition(b"\n")
        rest = rest_now[:_CHUNK] if len(rest_now) > _CHUNK else rest_now
        if end:
            yield from whole.decode("utf-8", "replace").split("\n")
    if rest:
        yield rest.decode("utf-8", "replace")


def _entries(lines: Iterable[str], client: str) -> Iterator[LogEntry]:
    """The entries that lines tell."""
    row: LogRow | None = None
    said: list[str] = []
    for line in lines:
        if line.startswith(_MORE):
            said.append(line)
            continue
        if row is not None:
            yield _entry(row, *_of_lines(said))
        said = []
        row = _row(line, client)
        if row is not None and line.startswith("{"):
            known = _object(line)
            yield _entry(row, *(_text(known, name) for name in ("kind", "message", "detail")))
            row = None
    if row is not None:
        yield _entry(row, *_of_lines(said))


def _lines_before(file: FileIO | GzipFile, end: int | None) -> Iterator[tuple[int, bytes]]:
    """The lines that begin in front of a byte of a file, the last first, each with where it begins.

    What is too long for a line is cut.
    """
    first, source = (0, file) if isinstance(file, FileIO) else _unpacked(file)
    at = source.seek(0, os.SEEK_END)
    at = at if end is None else min(at, max(0, end - first))
    rest = b""
    while at > 0:
        begin = max(0, at - _END)
        source.seek(begin)
        block = source.read(at - begin)
        if len(block) < at - begin:
            return  # it was cut meanwhile
        data = block + rest
        cut = data.find(b"\n") + 1 if begin or first else 0
        if cut or not (begin or first):
            place = first + begin + len(data)
            for line in reversed(data[cut:].split(b"\n")):
                place -= len(line)
                if line:
                    yield place, line
                place -= 1
        rest = data[: cut or None] if cut or begin else b""
        rest = rest[-_CHUNK:]
        at = begin


def _unpacked(file: GzipFile) -> tuple[int, BytesIO]:
    """The last bytes of a compressed file, and where the first of them is."""
    kept: deque[bytes] = deque(maxlen=_UNPACKED // _CHUNK)
    size = 0
    while chunk := file.read(_CHUNK):
        kept.append(chunk)
        size += len(chunk)
    data = b"".join(kept)
    return size - len(data), BytesIO(data)


def _told(row: LogRow, line: str, said: Iterable[str]) -> LogEntry:
    """The entry of a row, of the line that it was made of, and of the lines behind that."""
    if line.startswith("{"):
        known = _object(line)
        return _entry(row, *(_text(known, name) for name in ("kind", "message", "detail")))
    return _entry(row, *_of_lines(said))


def _of_lines(said: Iterable[str]) -> tuple[str, str, str]:
    """Kind, message and detail of the lines behind that of an entry."""
    kind = message = ""
    details: list[str] = []
    for line in said:
        if line.startswith(_DETAIL):
            details.append(_plain(line[len(_DETAIL) :]))
        else:
            kind, _colon, message = line[len(_MORE) :].partition(": ")
    return "" if kind == "-" else kind, _plain(message), "\n".join(details)


def _entry(row: LogRow, kind: str, message: str, detail: str) -> LogEntry:
    """The entry of a row, and of what is told beside it."""
    return LogEntry(
        time=_seconds(row.time),
        client=row.client,
        request=row.request,
        method=row.method,
        target=row.target,
        status=row.status,
        bytes=row.bytes,
        seconds=row.seconds,
        complete=row.complete,
        agent=row.agent,
        kind=kind,
        message=message,
        detail=detail,
        user=row.user,
        source=row.source,
    )


def _row(line: str, client: str) -> LogRow | None:
    """What a line says, in either form; None where it is no entry."""
    try:
        return _of_object(_object(line), client) if line.startswith("{") else _of_text(line, client)
    except (ValueError, TypeError, RecursionError):  # no JSON, or other things in it
        return None


def _of_text(line: str, client: str) -> LogRow:
    """The row of a line of text. Raises `ValueError` for what is none."""
    if "\\" in line:
        head, target, tail = _quoted(line)
        numbers, agent, names = _quoted(tail)
        target, agent = _plain(target), _plain(agent)
    else:
        head, target, numbers, agent, names = line.split('"')
    time, request, method = head.split()
    status, count, seconds, how = numbers.split()
    user, source = names.split() or ("-", "-")  # older entries have none
    if len(time) != _LENGTH or not _TIME.match(time) or how not in ("complete", "broken"):
        raise ValueError(line)
    return LogRow(
        time, client, request, method, target, int(status), int(count), float(seconds), how == "complete", agent,
        "" if user == "-" else user, "" if source == "-" else source,
    )  # fmt: skip


def _quoted(line: str) -> tuple[str, str, str]:
    """What is in front of a text in quotes, the text, and what is behind it. Raises `ValueError` without one."""
    begin = line.index(' "') + 2
    end = line.index('"', begin)
    while line[end - 1] == "\\" and (end - begin - len(line[begin:end].rstrip("\\"))) % 2:
        end = line.index('"', end + 1)
    return line[: begin - 2].lstrip(), line[begin:end], line[end + 1 :]


def _of_object(known: dict[str, object], client: str) -> LogRow:
    """The row of an object. Raises `TypeError` or `ValueError` for what is none."""
    time = _text(known, "time")
    if not _TIME.fullmatch(time):
        raise ValueError(time)
    return LogRow(
        time,
        _text(known, "client") or client,
        _text(known, "request"),
        _text(known, "method"),
        _text(known, "target"),
        int(str(known["status"])) if "status" in known else 0,
        int(str(known.get("bytes", 0))),
        float(str(known.get("seconds", 0))),
        known.get("complete") is True,
        _text(known, "agent"),
        _text(known, "user"),
        _text(known, "source"),
    )


def _object(line: str) -> dict[str, object]:
    """The object on a line. Raises `ValueError` for what is none."""
    import json

    known = json.loads(line)
    if not isinstance(known, dict):
        raise ValueError(line)  # noqa: TRY004  whoever calls passes over what cannot be read
    return known


def _text(known: dict[str, object], name: str) -> str:
    """A text of an object, which can be written anywhere."""
    text = known.get(name, "")
    if not isinstance(text, str):
        raise TypeError(name)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _plain(text: str) -> str:
    """A text without its escapes, as far as these are understood."""
    if "\\" not in text:
        return text
    with contextlib.suppress(UnicodeDecodeError):
        text = text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    return text.encode("utf-8", "replace").decode()


def _seconds(time: str) -> float:
    """A moment of UTC text, in seconds since 1970; a day that there is not is one of the next month."""
    whole, _point, fraction = time[:-1].partition(".")
    parts = [int(whole[begin:end]) for begin, end in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))]
    return timegm((*parts, 0, 0, 0)) + float(f"0.{fraction or 0}")
