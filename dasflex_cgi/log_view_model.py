# SPDX-License-Identifier: GPL-3.0-or-later
"""What the log viewer shows, as values: days, addresses, entries, one request, sources, findings, and the latest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_core.logs import LogEntry
    from dasflex_core.run.records import RequestRecord

__all__ = [
    "LEAST_ERROR",
    "Address",
    "Addresses",
    "Day",
    "Days",
    "Entries",
    "Found",
    "Known",
    "OneRequest",
    "SourceUse",
    "Sources",
    "Span",
    "Tail",
    "Tally",
    "Wanted",
]

#: The least status of a request that failed.
LEAST_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class Span:
    """Days of UTC, the first and the last of them."""

    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many requests there were, how many of them failed (a status of 400 or more), and the bytes that were sent."""

    requests: int = 0
    errors: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """A day: of how many addresses there are logs, their bytes, and what was counted (None: that took too long)."""

    day: str
    addresses: int
    size: int
    tally: Tally | None


@dataclass(frozen=True, slots=True)
class Days:
    """The days of which there are logs, the latest first. `directory` says whether there is a directory of logs."""

    span: Span
    address: str
    days: tuple[Day, ...]
    directory: bool


@dataclass(frozen=True, slots=True)
class Address:
    """The logs of an address on a day; `name` is what stands for it in names of files, and in addresses of pages."""

    address: str
    name: str
    size: int
    tally: Tally | None


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a day, as far as they are listed."""

    day: str
    addresses: tuple[Address, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of an address on a day, the latest first; `older` is where those before them are (blank: none)."""

    day: str
    address: str
    name: str
    entries: tuple[LogEntry, ...]
    older: str


@dataclass(frozen=True, slots=True)
class OneRequest:
    """All that is known of a request; what programs said is `cut` where only its end is there."""

    request: str
    entry: LogEntry | None
    record: RequestRecord | None
    said: str
    cut: bool


@dataclass(frozen=True, slots=True)
class SourceUse:
    """What was asked of a source; a blank one stands for requests that are of none."""

    source: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Sources:
    """The use of sources, the most used first; `stopped` is the day of which not all was counted (blank: all was)."""

    span: Span
    sources: tuple[SourceUse, ...]
    stopped: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for: a text anywhere in an entry, case aside, of an address, of a source, or only failures."""

    text: str = ""
    address: str = ""
    source: str = ""
    errors: bool = False

    def fits(self, entry: LogEntry) -> bool:
        """Whether an entry is one of those."""
        if self.errors and entry.status < LEAST_ERROR and entry.complete:
            return False
        if self.source and entry.source.lower() != self.source.lower():
            return False
        return not self.text or self.text.lower() in _all_of(entry).lower()


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, the latest days first. `stopped` says why the search ended before its time: `time` or `results`.

    `looked_at` entries were looked at, down to `at`, the day; `older` is where the search goes on.
    """

    span: Span
    wanted: Wanted
    entries: tuple[LogEntry, ...]
    looked_at: int
    stopped: str
    at: str
    older: str


@dataclass(frozen=True, slots=True)
class Tail:
    """The entries that ended last, the latest first, perhaps only those of an address."""

    address: str
    entries: tuple[LogEntry, ...]


#: What a page shows.
Known: TypeAlias = Days | Addresses | Entries | OneRequest | Sources | Found | Tail


def _all_of(entry: LogEntry) -> str:
    """All texts of an entry, and its status, one a line."""
    texts = (
        entry.client, entry.request, f"{entry.method} {entry.target}", str(entry.status), entry.agent, entry.user,
        entry.source, f"{entry.kind}: {entry.message}", entry.detail,
    )  # fmt: skip
    return "\n".join(texts)
