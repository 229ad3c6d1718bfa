# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of requests: one file for each client address and day below LOG_PATH, a line for each request.

    2026-11-22T12:30:01.250Z 06… GET "/source/a/b/flex?…" 200 1234 0.125 complete "curl/8.5.0"
        source.exit: The stage reader failed with exit status 1 before any output
        | no tape in drive 2

Behind the address of the request stand the status, the bytes, the seconds, and whether all was sent; continued lines
say what went wrong, those with a bar for the administrator only. Any number of processes may write to one file. What
clients write cannot break a line, and their keys and passwords are left out.

Every request is logged, so that nothing is imported here that a small program would not import anyway.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LogEntry", "RequestLog", "log_name", "without_secrets"]

#: Parameters whose values are never written, in lower case.
SECRET: Final = frozenset(
    (
        *("access_token", "api_key", "apikey", "auth", "authorization", "credentials", "key", "passphrase", "passwd"),
        *("password", "pw", "secret", "sig", "signature", "ticket", "token", "user_password"),
    )
)
#: Characters that are kept of each text: a hostile client may write a million.
_TARGET: Final = 2_000
_TEXT: Final = 1_000
_AGENT: Final = 200
_WORD: Final = 64
_LINES: Final = 40
#: A shorter secret is not looked for in texts, where it may stand for anything; of a longer one, so much is enough.
_SHORTEST: Final = 4
_SAME: Final = 24
#: Longer writes are made under a lock (POSIX, PIPE_BUF of Linux); shorter ones are whole by themselves.
_ATOMIC: Final = 4_096
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE: Final = 0o640


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
            f"{_day(self.time, '%Y-%m-%dT%H:%M:%S')}.{int(self.time * 1000) % 1000:03d}Z",
            _word(self.request),
            _word(self.method),
            _quoted(without_secrets(self.target[: 2 * _TARGET]), _TARGET),
            str(self.status),
            str(self.bytes),
            f"{self.seconds:.3f}",
            "complete" if self.complete else "broken",
            _quoted(self.agent, _AGENT),
        )
        lines = [" ".join(words)]
        hidden = _secrets(self.target) if self.message or self.detail else []
        if self.kind or self.message:
            message = " ".join(_without(hidden, self.message).split())
            lines.append(f"    {_word(self.kind)}: {_escaped(message, _TEXT)}")
        lines += [f"    | {_escaped(each, _TEXT)}" for each in _without(hidden, self.detail).splitlines()[-_LINES:]]
        return "\n".join(lines) + "\n"


class RequestLog:
    """The logs below a directory. What goes wrong is told to `note` once, and never disturbs a request."""

    def __init__(self, directory: str | os.PathLike[str], note: Callable[[str], None]) -> None:
        self._directory = os.fspath(directory)
        self._note = note
        self._told = False

    def write(self, entry: LogEntry) -> None:
        """Appends an entry to the file of its client and day."""
        try:
            self._append(log_name(entry.client, entry.time), entry.text().encode("utf-8", "backslashreplace"))
        except (OSError, OverflowError, ValueError) as error:
            if not self._told:
                self._told = True
                self._note(f"requests cannot be logged: {error}")

    def _append(self, name: str, lines: bytes) -> None:
        """Appends lines in one write. Raises `OSError`."""
        try:
            file = self._open(name)
        except FileNotFoundError:
            os.makedirs(self._directory, exist_ok=True)  # noqa: PTH103  pathlib is not needed for anything else here
            file = self._open(name)
        try:
            if len(lines) > _ATOMIC:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            if os.write(file, lines) < len(lines):
                raise OSError(f"{name} takes no more")
        finally:
            os.close(file)

    def _open(self, name: str) -> int:
        """The file for appending, made if it is not there. Links are not followed."""
        return os.open(f"{self._directory}/{name}", _FLAGS, _MODE)


def log_name(client: str, when: float) -> str:
    """The name of the file of a client on a day of UTC: `192.0.2.7_2026-11-22.log`, `2001-db8--1_2026-11-22.log`.

    Whatever stands for an address, the name is one of letters, digits, `.`, `-` and `_`, and hides nothing.
    """
    kept = "".join(each if each.isascii() and (each.isalnum() or each in ".-") else "-" for each in client[:_WORD])
    return f"{kept.lower().lstrip('.') or 'unknown'}_{_day(when, '%Y-%m-%d')}.log"


def without_secrets(target: str) -> str:
    """Path and query without the values of keys and passwords, and without a name and password before the host."""
    path, mark, query = target.partition("?")
    scheme, colons, rest = path.partition("://")
    if colons and "@" in rest.partition("/")[0]:
        path = f"{scheme}://...@{rest.partition('@')[2]}"
    pieces = query.replace(";", "&;").split("&")
    return path + mark + "&".join(map(_harmless, pieces)).replace("&;", ";")


def _harmless(pair: str) -> str:
    """A parameter as it was sent, without the value of a secret one."""
    name, equals, value = pair.partition("=")
    return f"{name}=..." if equals and (_is_secret(name) or _holds_secret(value)) else pair


def _is_secret(name: str) -> bool:
    """Whether a parameter is never written: `read.token` is `token` as its source calls it."""
    return _decoded(name).strip(" ;-").lower().rpartition(".")[2] in SECRET


def _holds_secret(value: str) -> bool:
    """Whether a value has settings in it, as that of the das2 `params` has, and one of them is secret."""
    words = _decoded(value).replace("&", " ").split()
    return any(_is_secret(word.partition("=")[0]) for word in words if "=" in word)


def _secrets(target: str) -> list[str]:
    """The secret values of an address, decoded, the longest first, without those that are too short to look for."""
    pairs = (each.partition("=") for each in target.partition("?")[2].replace(";", "&").split("&"))
    found = [value for name, _equals, value in pairs if _is_secret(name) or _holds_secret(value)]
    if not found:
        return []
    from urllib.parse import unquote_plus

    return sorted({text for text in map(unquote_plus, found) if len(text) >= _SHORTEST}, key=len, reverse=True)


def _without(secrets: list[str], text: str) -> str:
    """A text without secrets, which errors quote, and cut where they are long."""
    if secrets:
        import re

        for each in (form for secret in secrets for form in (secret, repr(secret)[1:-1])):
            rest = r"[^'\"]*" if len(each) > _SAME else ""
            text = re.sub(re.escape(each[:_SAME]) + rest, "...", text)
    return text


def _decoded(name: str) -> str:
    """The name of a parameter without its percent-encoding."""
    first, *rest = name.replace("+", " ").split("%")
    for each in rest:
        code = each[:2]
        ready = len(code) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in code)
        first += chr(int(code, 16)) + each[2:] if ready else "%" + each
    return first


def _day(when: float, how: str) -> str:
    """A moment as UTC text."""
    return time.strftime(how, time.gmtime(when))


def _word(text: str) -> str:
    """The text as one word of a line; a hyphen where there is none."""
    return (
        "".join(each if each.isascii() and (each.isalnum() or each in ".-_") else "_" for each in text[:_WORD]) or "-"
    )


def _quoted(text: str, longest: int) -> str:
    """The text in quotes, on one line."""
    return f'"{_escaped(text, longest)}"'


def _escaped(text: str, longest: int) -> str:
    """The text with escapes for quotes, backslashes and whatever is not plain to see, cut where it is long."""
    cut = text if len(text) <= longest else f"{text[: longest - 3]}..."
    if cut.isprintable() and '"' not in cut and "\\" not in cut:
        return cut
    return "".join(_escape(each) for each in cut)


def _escape(char: str) -> str:
    """One character, escaped as in Python if need be."""
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
