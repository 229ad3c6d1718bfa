# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of requests: one file for each client address and day below LOG_PATH, a line for each request.

    2026-11-22T12:30:01.250Z 06… GET "/source/a/b/flex?…" 200 1234 0.125 complete "curl/8.5.0" - A/B
        source.exit: The stage reader failed with exit status 1 before any output
        | no tape in drive 2

Behind the address of the request stand the status, the bytes, the seconds, whether all was sent, the program of the
client, the user and the source; continued lines say what went wrong, those with a bar for the administrator only. In
JSON, an entry is one object on one line. Any number of processes may write to one file, which is opened for each
entry, so that it may be moved away at any time. What clients write cannot break a line, and their keys and passwords
are left out.

Every request is logged, so that nothing is imported here that a small program would not import anyway.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from dasflex_core.redacting import secrets_of, without, without_secrets
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_core.config import Config

__all__ = ["AGEING_PERIOD", "AGEING_STAMP", "LogEntry", "RequestLog", "ageing_due", "log_name"]

#: Characters that are kept of each text: a hostile client may write a million.
_TARGET: Final = 2_000
_TEXT: Final = 1_000
_AGENT: Final = 200
_WORD: Final = 64
_LINES: Final = 40
#: Longer writes are made under a lock (POSIX, PIPE_BUF of Linux); shorter ones are whole by themselves.
_ATOMIC: Final = 4_096
#: How a file is opened: what is no plain file is not waited for.
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MODE: Final = 0o640
#: The file, below LOG_PATH, whose date is that of the last ageing, and the seconds between two.
AGEING_STAMP: Final = ".aged"
AGEING_PERIOD: Final = 3_600.0
#: How often a lock is asked for, and the seconds between: nobody who holds one may hold up a request.
_TRIES: Final = 20
_PAUSE: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One request and what came of it.

    `time` is in seconds since 1970, `client` an address, `request` the id of the request, `target` path and query as
    they were sent. `complete` says that all of the answer was handed over. `kind` and `message` are those of an error;
    `detail` is for the administrator. `user` is who had logged in, `source` the id of the source that was asked.
    """

    time: float
    client: str
    request: str
    method: str
    target: str
    status: int
    bytes: int = 0
    seconds: float = 0.0
    complete: bool = True
    agent: str = ""
    kind: str = ""
    message: str = ""
    detail: str = ""
    user: str = ""
    source: str = ""

    def text(self) -> str:
        """The lines of the entry, each with its end."""
        words = (
            _moment(self.time),
            _word(self.request),
            _word(self.method),
            f'"{_escaped(self._target(), _TARGET)}"',
            str(self.status),
            str(self.bytes),
            f"{self.seconds:.3f}",
            "complete" if self.complete else "broken",
            f'"{_escaped(self.agent, _AGENT)}"',
            _name(self.user),
            _name(self.source),
        )
        lines = [" ".join(words)]
        message, detail = self._told()
        if self.kind or self.message:
            lines.append(f"    {_word(self.kind)}: {_escaped(message, _TEXT)}")
        lines += [f"    | {_escaped(each, _TEXT)}" for each in detail]
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """The entry as a JSON object on one line, with its end. What is blank is left out."""
        import json

        message, detail = self._told()
        told = {
            "time": _moment(self.time),
            "request": _cut(self.request, _WORD),
            "client": _cut(self.client, _WORD),
            "user": _cut(self.user, _WORD),
            "source": _cut(self.source, _WORD),
            "method": _cut(self.method, _WORD),
            "target": _cut(self._target(), _TARGET),
            "status": self.status,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "complete": self.complete,
            "agent": _cut(self.agent, _AGENT),
            "kind": _cut(self.kind, _WORD),
            "message": _cut(message, _TEXT),
            "detail": "\n".join(_cut(each, _TEXT) for each in detail),
        }
        return json.dumps({name: value for name, value in told.items() if value != ""}) + "\n"

    def _target(self) -> str:
        """What was asked, without secrets."""
        return without_secrets(self.target[: 2 * _TARGET])

    def _told(self) -> tuple[str, list[str]]:
        """The message, and the lines of the detail, without what the address of the request has of secrets."""
        hidden = secrets_of(self.target) if self.message or self.detail else []
        message = " ".join(without(hidden, self.message).split())
        return message, without(hidden, self.detail).splitlines()[-_LINES:]


class RequestLog:
    """The logs below a directory. What goes wrong is told to `note` once, and never disturbs a request.

    `form` is that of the entries, `text` or `json`. A file of more than `most` bytes (0: any number) is renamed to
    `….log.1`, in place of the one before it. `after` is called behind each entry.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        note: Callable[[str], None],
        *,
        form: str = "text",
        most: float = 0,
        after: Callable[[], None] | None = None,
    ) -> None:
        self._directory = os.fspath(directory)
        self._note = note
        self._json = form == "json"
        self._most = most
        self._after = after
        self._told = False

    @classmethod
    def of(cls, config: Config, note: Callable[[str], None], after: Callable[[], None] | None = None) -> RequestLog:
        """The logs of a root, as its configuration has them."""
        most = config.log_file_megabytes * 1e6
        return cls(config.log_path, note, form=config.log_format, most=most, after=after)

    def write(self, entry: LogEntry) -> None:
        """Appends an entry to the file of its client and day."""
        try:
            lines = entry.json() if self._json else entry.text()
            self._append(log_name(entry.client, entry.time), lines.encode("utf-8", "backslashreplace"))
        except (OSError, OverflowError, ValueError) as error:
            if not self._told:
                self._told = True
                self._note(f"requests cannot be logged: {error}")
        if self._after is not None:
            self._after()

    def _append(self, name: str, lines: bytes) -> None:
        """Appends lines in one write. Raises `OSError`."""
        try:
            file, size = self._open(name)
        except FileNotFoundError:
            os.makedirs(self._directory, 0o750, exist_ok=True)  # noqa: PTH103  pathlib is not needed for anything else here
            file, size = self._open(name)
        try:
            if self._most and size >= self._most and self._rotated(name, file):
                os.close(file)
                file = -1
                file, size = self._open(name)
            if len(lines) > _ATOMIC:
                _lock(file)
            if _is_cut_off(file, size):
                lines = b"\n" + lines
            if os.write(file, lines) < len(lines):
                raise OSError(f"{name} takes no more")
        finally:
            if file >= 0:
                os.close(file)

    def _open(self, name: str) -> tuple[int, int]:
        """The file for appending, made if it is not there, and its size. Links are not followed. Raises `OSError`."""
        file = os.open(f"{self._directory}/{name}", _FLAGS, _MODE)
        found = os.fstat(file)
        if found.st_mode & 0o170_000 != 0o100_000:  # `stat` of the standard library is not needed for anything else
            os.close(file)
            raise OSError(f"{name} is no plain file")
        return file, found.st_size

    def _rotated(self, name: str, file: int) -> bool:
        """Renames a file that is full; false where another process is about to do so."""
        path = f"{self._directory}/{name}"
        if not _lock(file):
            return False
        if os.stat(path).st_ino == os.fstat(file).st_ino:  # noqa: PTH116  pathlib is not needed here
            os.replace(path, f"{path}.1")  # noqa: PTH105  as above
        return True


def _is_cut_off(file: int, size: int) -> bool:
    """Whether the last line of a file has no end, since the disk was full; not while somebody is writing it."""
    if not size or os.pread(file, 1, size - 1) == b"\n":
        return False
    time.sleep(_PAUSE)
    return os.fstat(file).st_size == size


def _lock(file: int) -> bool:
    """Locks a file until it is closed; false where somebody holds it for too long."""
    import fcntl

    for _try in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return True
    return False


def ageing_due(directory: str) -> bool:
    """Whether it is time to remove what is old from a directory of logs (`dasflex_core.log_ageing`)."""
    try:
        last = os.stat(f"{directory}/{AGEING_STAMP}", follow_symlinks=False).st_mtime  # noqa: PTH116  it is light
    except FileNotFoundError:
        return True
    except OSError:  # there are no logs
        return False
    return not last <= time.time() < last + AGEING_PERIOD  # a clock that was set back is no reason to wait for years


def log_name(client: str, when: float) -> str:
    """The name of the file of a client on a day of UTC: `192.0.2.7_2026-11-22.log`, `2001-db8--1_2026-11-22.log`.

    Whatever stands for an address, the name is one of letters, digits, `.`, `-` and `_`, and hides nothing.
    """
    kept = "".join(each if each.isascii() and (each.isalnum() or each in ".-") else "-" for each in client[:_WORD])
    return f"{kept.lower().lstrip('.') or 'unknown'}_{_day(when, '%Y-%m-%d')}.log"


def _day(when: float, how: str) -> str:
    """A moment as UTC text."""
    return time.strftime(how, time.gmtime(when))


def _moment(when: float) -> str:
    """A moment as UTC text, to the millisecond."""
    return f"{_day(when, '%Y-%m-%dT%H:%M:%S')}.{int(when * 1000) % 1000:03d}Z"


def _word(text: str) -> str:
    """The text as one word of a line; a hyphen where there is none."""
    return (
        "".join(each if each.isascii() and (each.isalnum() or each in ".-_") else "_" for each in text[:_WORD]) or "-"
    )


def _name(text: str) -> str:
    """The name of a user or the id of a source as one word of a line; a hyphen where there is none."""
    return "".join(each if "!" <= each <= "~" and each not in '"\\' else "_" for each in text[:_WORD]) or "-"


def _cut(text: str, longest: int) -> str:
    """The text, cut where it is long."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _escaped(text: str, longest: int) -> str:
    """The text with escapes for quotes, backslashes and whatever is not plain to see, cut where it is long."""
    cut = _cut(text, longest)
    if cut.isprintable() and '"' not in cut and "\\" not in cut:
        return cut
    return "".join(_escape(each) for each in cut)


def _escape(char: str) -> str:
    """One character, escaped as in Python if need be."""
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
