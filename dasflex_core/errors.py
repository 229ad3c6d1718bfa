# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of errors: what went wrong, named by whose fault it is.

    DasflexError
    ├── QueryError      (ValueError)       the client asked for something that cannot be
    ├── NotFoundError   (LookupError)      there is no such source, request or page
    ├── AccessError     (PermissionError)  the client may not have it
    ├── SourceError     (RuntimeError)     a reader, or the stream that it wrote, failed
    ├── ConfigError     (ValueError)       a definition, a configuration or a plugin is wrong
    └── BusyError       (RuntimeError)     not now: a limit was reached

Each has a *kind*, a short dotted name that does not change, from which a protocol's own table makes its code
(an HTTP status, a das exception type, a HAPI code, an exit code). The text is one sentence or two that a
scientist can act on: what, why, and what would be right. Texts never hold a command line or a server's path,
unless the error is a `ConfigError`, which only administrators see.

Nothing found in a time range is no error: it is an item of the stream (`dasflex_core.arrays.NoData`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.prices import Estimate, Excess, Suggestion


#: Characters of a text that quotes a stream.
_MESSAGE = 1_000


class DasflexError(Exception):
    """Any failure that dasflex names itself.

    `kind` is one of the names listed in `docs/reference/errors.md`; `message` is the text for people; `detail`
    holds what only the administrator may see, such as the last lines of a reader's standard error.
    """

    default_kind = "error"

    def __init__(self, message: str, *, kind: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind or self.default_kind
        self.detail = detail


class QueryError(DasflexError, ValueError):
    """The client asked for something that cannot be.

    Kinds: `query.unknown-parameter`, `query.bad-value`, `query.bad-time`, `query.bad-range`,
    `query.missing-parameter`, `query.no-plan`, `query.unreachable-type`, `query.too-large`, `query.not-offered`,
    `query.live` (it has no end, and this way of asking carries no such data).
    """

    default_kind = "query"


class TooLargeError(QueryError):
    """The request costs more than the site allows: kind `query.too-large`.

    `estimate` is what it would cost, `limits` those that it is beyond, and `suggestions` requests near to it that the
    same client would be granted.
    """

    default_kind = "query.too-large"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "",
        detail: str = "",
        estimate: Estimate | None = None,
        limits: tuple[Excess, ...] = (),
        suggestions: tuple[Suggestion, ...] = (),
    ) -> None:
        super().__init__(message, kind=kind, detail=detail)
        self.estimate = estimate
        self.limits = limits
        self.suggestions = suggestions


class NotFoundError(DasflexError, LookupError):
    """There is no such source, request record, answer or job.

    Kinds: `not-found.source`, `not-found.request`, `not-found.answer`, `not-found.job` (or it has no result),
    `not-found.gone` (it was there, and has been removed).
    """

    default_kind = "not-found"


class AccessError(DasflexError, PermissionError):
    """The client may not read this. Kinds: `access.denied`, `access.log-in`.

    `realm` is what one would log in to; it is sent with a status of 401.
    """

    default_kind = "access"

    def __init__(self, message: str, *, kind: str = "", detail: str = "", realm: str = "") -> None:
        super().__init__(message, kind=kind, detail=detail)
        self.realm = realm


class SourceError(DasflexError, RuntimeError):
    """A reader failed, or wrote what is no valid stream.

    Kinds: `source.start` (not there, or not executable), `source.exit` (non-zero), `source.stream` (not a valid
    stream), `source.truncated`, `source.silent`, `source.limit`. A text of more than 1,000 characters is cut, since it
    may quote a stream, in which anything can stand.
    """

    default_kind = "source"

    def __init__(self, message: str, *, kind: str = "", detail: str = "") -> None:
        cut = message if len(message) <= _MESSAGE else f"{message[: _MESSAGE - 1]}…"
        super().__init__(cut, kind=kind, detail=detail)


class ConfigError(DasflexError, ValueError):
    """A definition, the configuration or a plugin is wrong.

    Kinds: `config.unreadable`, `config.unknown-key`, `config.bad-value`, `config.missing`, `config.plugin`,
    `config.missing-extra`.
    """

    default_kind = "config"


class BusyError(DasflexError, RuntimeError):
    """Not now; the same request may succeed later, in `retry_after` seconds or so.

    Kinds: `busy.limit` (a limit was reached), `busy.rate` (one client asks too much at once), `busy.log-in` (too many
    wrong passwords), `busy.stopped` (whoever ran it has ended it, as a server does), `busy.job` (it is not done yet).
    """

    default_kind = "busy"

    def __init__(self, message: str, *, kind: str = "", detail: str = "", retry_after: int = 10) -> None:
        super().__init__(message, kind=kind, detail=detail)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a text file something stands: `file`, `line` (1 is the first; 0 is unknown), and the `key` path."""

    file: str
    line: int = 0
    key: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}" if self.key else where


#: Characters of a client's text, and words of a list, that an error quotes; a hostile one may have a million.
_QUOTED = 80
_LISTED = 60


def shown(text: str) -> str:
    """What a client wrote, as an error quotes it: in quotes, on one line, and cut where it is long."""
    return repr(text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…")


def listing(words: Iterable[str]) -> str:
    """Words with commas between them, for an error's text; of a long list the first, and how many more there are."""
    each = list(words)
    more = f" and {len(each) - _LISTED:,} more" if len(each) > _LISTED else ""
    return ", ".join(each[:_LISTED]) + more


def nearest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known words closest to `word`, the closest first, without regard to case."""
    if len(word) > _QUOTED:
        return []
    from difflib import get_close_matches  # it is slow to import, and most requests are spelt right

    by_lower = {name.lower(): name for name in known}
    return [by_lower[name] for name in get_close_matches(word.lower(), list(by_lower), n=count, cutoff=0.6)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean A or B?` for an error's text, with a blank in front; empty where nothing is close."""
    close = nearest(word, known)
    return f" Did you mean {' or '.join(close)}?" if close else ""
