# SPDX-License-Identifier: GPL-3.0-or-later
"""What came lately, bounded in bytes and age: whoever joins late is shown the declarations in force, then this.

Nothing here reads a clock: who puts an entry in says when it came.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import Final, NamedTuple

__all__ = ["CATCH_UP", "KEEP", "Entry", "Ring"]

#: What is kept where the definition says nothing: bytes, and seconds.
KEEP: Final = 16 << 20
CATCH_UP: Final = 600.0
#: What an entry takes in memory beside its data, about, so that many small ones are bounded too.
OVERHEAD: Final = 256
#: Declarations that are remembered when the ring has lost them, in number and bytes. The das3 format knows ids of ten
#: digits, and a stream that declares for ever must not fill the memory.
_DECLARATIONS: Final = 1000
_DECLARED: Final = 16 << 20
_SECOND: Final = 1_000_000_000
_SPARE: Final = 32


class Entry(NamedTuple):
    """One packet, or one message: its place in all that came, when it came (ns since 1970), and the bytes.

    `kind` is that of a `Frame`; of `header` and `dataset` the last one with each `id` is in force.
    """

    number: int
    at: int
    kind: str
    id: int
    data: bytes

    @property
    def declares(self) -> bool:
        """Whether those who join later must be shown it."""
        return self.kind in ("header", "dataset")


class Ring:
    """The last entries, of at most `keep` bytes and `catch_up` seconds, though always the very last one.

    Entries have numbers without a gap: `first` is the oldest one's that is held, `next` that of the one to come. All
    that came at `floor` or later is held.
    """

    def __init__(self, keep: int = KEEP, catch_up: float = CATCH_UP) -> None:
        self.next = 0
        self.floor = 0
        self.size = 0
        self._keep = keep
        self._catch_up = round(catch_up * _SECOND)
        self._held: list[Entry] = []
        self._lost = 0  # how many at the head of the list are held no more
        self._before: dict[tuple[str, int], Entry] = {}
        self._declared: list[Entry] = []

    @property
    def first(self) -> int:
        """The number of the oldest entry; `next` where there is none."""
        return self.next - len(self)

    def __len__(self) -> int:
        return len(self._held) - self._lost

    def push(self, kind: str, identifier: int, data: bytes, at: int) -> Entry:
        """Adds what came `at` a time, and lets go what is too much or too old. Times do not run backward in here."""
        newest = self._held[-1].at if len(self) else self.floor
        entry = Entry(self.next, max(at, newest), kind, identifier, data)
        self._held.append(entry)
        self.next += 1
        self.size += len(data) + OVERHEAD
        if entry.declares:
            self._declared.append(entry)
        while len(self) > 1 and self.overfull(0, entry.at):
            self._lose()
        self._tidy()
        return entry

    def overfull(self, more: int, now: int) -> bool:
        """Whether the oldest entry would go, were so many bytes added now."""
        if not len(self):
            return False
        return self.size + more > self._keep or self.oldest.at < now - self._catch_up

    @property
    def oldest(self) -> Entry:
        """The oldest entry that is held. Raises `IndexError` where there is none."""
        return self._held[self._lost]

    def after(self, number: int, most: int) -> list[Entry]:
        """The entries from a number on (from the oldest, if that is lost), of about `most` bytes, but at least one."""
        begin = self._lost + max(0, number - self.first)
        end, size = begin, 0
        while end < len(self._held) and (end == begin or size + len(self._held[end].data) <= most):
            size += len(self._held[end].data)
            end += 1
        return self._held[begin:end]

    def since(self, at: int) -> int:
        """The number of the first entry that came at a time or later."""
        place = bisect_left(self._held, at, lo=self._lost, key=attrgetter("at"))
        return self.first + place - self._lost

    def reaches(self, at: int) -> bool:
        """Whether all that came since a time is held."""
        return at >= self.floor

    def heads(self, number: int) -> list[Entry]:
        """The declarations in force before the entry of a number, in their order."""
        found = dict(self._before)
        for entry in self._declared:
            if entry.number >= number:
                break
            _declare(found, entry)
        return list(found.values())

    def mark(self, at: int) -> None:
        """Says that something may be missing before a time: nobody is shown what is older as if it were whole."""
        self.floor = max(self.floor, at)

    def _lose(self) -> None:
        """Lets the oldest entry go."""
        entry = self.oldest
        self._lost += 1
        self.size -= len(entry.data) + OVERHEAD
        if entry.declares:
            del self._declared[0]
            _declare(self._before, entry)
            self._forget()
        else:
            self.floor = max(self.floor, entry.at + 1)

    def _forget(self) -> None:
        """Lets the oldest declarations go where there are far too many."""
        before = self._before
        while len(before) > 1 and (
            len(before) > _DECLARATIONS or sum(len(each.data) for each in before.values()) > _DECLARED
        ):
            del before[next((each for each in before if each[0] != "header"), next(iter(before)))]

    def _tidy(self) -> None:
        """Frees the places of entries that are lost, now and then: few wait for it, and few are moved for one."""
        if self._lost > _SPARE + len(self) // 8:
            del self._held[: self._lost]
            self._lost = 0


def _declare(known: dict[tuple[str, int], Entry], entry: Entry) -> None:
    """Puts a declaration in force, behind those that are."""
    known.pop((entry.kind, entry.id), None)
    known[entry.kind, entry.id] = entry
