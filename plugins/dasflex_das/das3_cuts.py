# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts das3 packets of different sizes: where the values of a variable stand in each, and how many there are.

Each variable in its turn is cut out of all packets of a batch: fixed widths for all at once, one count tag in each by
a loop that does nothing else; runs within runs, values that end where a terminator stands, and blobs are walked. No
value is read here, and no number that a packet announces is believed before its bytes are there.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

import numpy as np

from dasflex_core.arrays import VARIES
from dasflex_core.errors import SourceError
from dasflex_das.das3_values import MAX_ITEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dasflex_das.das3_levels import Level, Runs

    Places = NDArray[np.int64]

__all__ = ["Cut", "cut_fixed", "cut_runs"]

#: The longest count tag: `[j|123456789]`.
_TAG: Final = 13
#: The fewest bytes that a run, or an item with its length, takes.
_LEAST: Final = 3
#: The length before an item: `{12}`, or `|12|` in release candidates.
_LENGTH: Final = re.compile(rb"\{([0-9]{1,9})\}|\|([0-9]{1,9})\|")
_WORD: Final = re.compile(rb"\S+")


class Cut(NamedTuple):
    """What one variable has in some packets.

    `counts` has for each level how many entries each run holds, in order; those of the innermost are wire values.
    `data` are values of one width one after the other; `tokens` those of any width, where they have one each.
    """

    counts: list[Sequence[int] | Places]
    data: bytes
    tokens: list[bytes] | None = None


def cut_fixed(data: bytes, at: Places, ends: Places, size: int, where: str) -> NDArray[np.uint8]:
    """The `size` bytes at each place, of shape (packets, size). Raises `SourceError` where a packet is too short."""
    if not size:
        return np.empty((len(at), 0), dtype=np.uint8)
    _check_room(at, ends, size, where)
    places: NDArray[np.void] = np.ndarray((len(data) - size + 1,), f"V{size}", data, 0, (1,))
    return places[at].view(np.uint8).reshape(len(at), size)


def _check_room(at: Places, ends: Places, size: int | Places, where: str) -> None:
    """Raises `SourceError` where fewer bytes are left in a packet than a variable needs."""
    short = np.flatnonzero(ends - at < size)
    if short.size:
        first = int(short[0])
        needed = int(np.broadcast_to(size, at.shape)[first])
        raise SourceError(
            f"{where}: a packet has {int(ends[first] - at[first]):,} bytes left for it, and it needs {needed:,}",
            kind="source.stream",
        )


def cut_runs(data: bytes, at: Places, ends: Places, runs: Runs) -> tuple[Cut, Places]:
    """What a variable without a fixed size has in each packet from `at` on, and where each ends there.

    Raises `SourceError` that names the variable for packets which do not hold what its header says.
    """
    one_level = len(runs.levels) == 1 and runs.width != VARIES
    if one_level and runs.form == "binary":
        return _cut_counted(data, at, ends, runs)
    tagged = runs.form == "text" and not runs.terms and not (runs.last and _untagged(data, at, ends))
    if one_level and tagged:
        return _cut_counted(data, at, ends, runs)
    counted = runs.form != "text" or (len(runs.levels) > 1 and not runs.terms)
    cutter = (_CountCutter if counted else _TextCutter)(data, runs)
    stops = [cutter.record(start, end) for start, end in zip(at.tolist(), ends.tolist(), strict=True)]
    return cutter.found(), np.array(stops, dtype=np.int64)


def _untagged(data: bytes, at: Places, ends: Places) -> bool:
    """Whether some packet has no count tag where runs of text begin."""
    starts = zip(at.tolist(), ends.tolist(), strict=True)
    return any(start == end or data[start] != ord("[") for start, end in starts)


def _cut_counted(data: bytes, at: Places, ends: Places, runs: Runs) -> tuple[Cut, Places]:
    """Values of one width behind a count tag, for all packets at once."""
    counts, starts = _read_tags(data, at, ends, runs)
    sizes = counts * runs.width
    _check_room(starts, ends, sizes, runs.where)
    stops = starts + sizes
    whole = memoryview(data)
    pieces = [whole[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    return Cut([counts], b"".join(pieces)), stops


def _read_tags(data: bytes, at: Places, ends: Places, runs: Runs) -> tuple[Places, Places]:
    """The counts of the tags at each place, and where they end."""
    level = runs.levels[0]
    tag = _tag(level)
    found = [tag.match(data, start, end) for start, end in zip(at.tolist(), ends.tolist(), strict=True)]
    whole = [each for each in found if each]
    if len(whole) < len(found):
        first = found.index(None)
        _no_tag(runs, level, data[int(at[first]) : int(ends[first])])
    counts = np.array([int(each[1]) for each in whole], dtype=np.int64)
    return counts, np.array([each.end() for each in whole], dtype=np.int64)


def _tag(level: Level) -> re.Pattern[bytes]:
    """What a count tag of a level looks like."""
    return re.compile(rb"\[%b\|([0-9]{1,9})\]" % level.letter.encode())


def _no_tag(runs: Runs, level: Level, seen: bytes) -> NoReturn:
    """Raises the error for a packet without the count tag of a run."""
    raise SourceError(
        f"{runs.where}: a packet has {seen[:_TAG]!r} where the count tag of a run stands, such as [{level.letter}|12]",
        kind="source.stream",
    )


class _Cutter:
    """Walks the packets of a batch, and gathers what one variable has in each."""

    def __init__(self, data: bytes, runs: Runs) -> None:
        self.data = data
        self.runs = runs
        self.counts: list[list[int]] = [[] for _level in runs.levels]
        self.pieces: list[bytes] = []
        self.left = MAX_ITEMS

    def found(self) -> Cut:
        """What has been gathered."""
        if self.runs.width == VARIES or self.runs.form in ("blob", "base64"):
            return Cut([*self.counts], b"", self.pieces)
        return Cut([*self.counts], b"".join(self.pieces))

    def spend(self, count: int) -> None:
        """Counts values and runs of a packet. Raises `SourceError` for more than are read."""
        self.left -= count
        if self.left < 0:
            self.refuse(f"a packet holds more than {MAX_ITEMS:,} values or runs, the most that are read")

    def refuse(self, why: str) -> NoReturn:
        """Raises a `SourceError` that names the variable."""
        raise SourceError(f"{self.runs.where}: {why}", kind="source.stream")

    def check_extent(self, level: Level, count: int) -> None:
        """Raises `SourceError` for another number of entries than a fixed extent says."""
        if level.extent not in (VARIES, count):
            self.refuse(
                f"a packet holds {count:,} runs over index {level.letter}; by its header there are {level.extent}"
            )


class _CountCutter(_Cutter):
    """Runs behind count tags, and blobs behind their length."""

    def __init__(self, data: bytes, runs: Runs) -> None:
        super().__init__(data, runs)
        self.tags = [_tag(level) for level in runs.levels]

    def record(self, at: int, end: int) -> int:
        """Cuts one packet; gives where the variable ends in it."""
        self.left = MAX_ITEMS
        return self._run(0, at, end)

    def _run(self, place: int, at: int, end: int) -> int:
        """Cuts one run of a level, or the values behind the last."""
        if place == len(self.runs.levels):
            return self._values(self.runs.count, at, end)
        level = self.runs.levels[place]
        count = level.extent
        if count == VARIES:
            tag = self.tags[place].match(self.data, at, end)
            if tag is None:
                _no_tag(self.runs, level, self.data[at:end])
            count, at = int(tag[1]), tag.end()
        self.spend(count + 1)
        self.counts[place].append(count)
        if place == len(self.runs.levels) - 1:
            return self._values(count, at, end)
        for _entry in range(count):
            at = self._run(place + 1, at, end)
        return at

    def _values(self, count: int, at: int, end: int) -> int:
        """Cuts some values, one after the other."""
        if self.runs.form in ("blob", "base64"):
            for _item in range(count):
                at = self._item(at, end)
            return at
        stop = at + count * self.runs.width
        if stop > end:
            self.refuse(
                f"a packet has {end - at:,} bytes left for a run of {count:,} values, which takes {stop - at:,}"
            )
        self.pieces.append(self.data[at:stop])
        return stop

    def _item(self, at: int, end: int) -> int:
        """Cuts one blob."""
        size = self.runs.width
        if size == VARIES:
            length = _LENGTH.match(self.data, at, end)
            if length is None:
                seen = self.data[at : min(end, at + _TAG)]
                self.refuse(f"a packet has {seen!r} where the length of an item stands, such as {{12}}")
            size, at = int(length[1] or length[2]), length.end()
        if size > end - at:
            self.refuse(f"a packet announces an item of {size:,} bytes, and {end - at:,} are there")
        raw = self.data[at : at + size]
        self.pieces.append(self._plain(raw) if self.runs.form == "base64" else raw)
        return at + size

    def _plain(self, text: bytes) -> bytes:
        """The bytes that base64 stands for (RFC 4648)."""
        try:
            return binascii.a2b_base64(b"".join(text.split()), strict_mode=True)
        except binascii.Error as error:
            self.refuse(f"an item is no base64: {error}")


class _TextCutter(_Cutter):
    """Text that ends where a terminator stands, in runs that do or that end with the packet (das3, ragged runs)."""

    def __init__(self, data: bytes, runs: Runs) -> None:
        super().__init__(data, runs)
        self.inner = len(runs.levels) - 1
        # A line end behind the last variable is no run of its own, unless it ends runs.
        blank = any(level.term.isspace() for level in runs.levels)
        self.lined = runs.last and runs.width == VARIES and not blank
        # So are blanks before the end of what holds the run.
        self.blanks = re.compile(rb"\s*") if runs.width == VARIES and not blank else None
        self.level_of = {level.term: place for place, level in enumerate(runs.levels) if level.term}
        self.word = re.compile(b"[^%b]+" % re.escape(runs.term)) if runs.term else _WORD
        self.marks = re.compile(b"[%b]" % b"".join(map(re.escape, self.level_of))) if self.level_of else None

    def record(self, at: int, end: int) -> int:
        """Cuts one packet; gives where the variable ends in it."""
        self.left = MAX_ITEMS
        if not self.runs.levels:
            return self._counted(at, end)
        if self.lined:
            end = at + len(self.data[at:end].rstrip(b"\r\n"))
        return self._run(0, at, end)[0]

    def _run(self, place: int, at: int, end: int) -> tuple[int, int]:
        """Cuts one run of a level; gives where it ends, and the outermost level that ended there (-1: the packet)."""
        if place == self.inner:
            return self._innermost(at, end)
        level = self.runs.levels[place]
        count, closed = 0, self.inner
        while closed > place:
            at = self._after_blanks(place, at, end)
            if at >= end or self.level_of.get(self.data[at : at + 1], self.inner) <= place:
                at, closed = self._close(place, at, end)
            elif not level.term and count == level.extent:
                closed = place
            else:
                at, closed = self._run(place + 1, at, end)
                count += 1
        self.spend(1)
        self.check_extent(level, count)
        self.counts[place].append(count)
        return at, closed

    def _after_blanks(self, place: int, at: int, end: int) -> int:
        """The place behind blanks that stand before the end of a run of this level or one outside it, or here."""
        found = self.blanks.match(self.data, at, end) if self.blanks else None
        if found is None:
            return at
        stop = found.end()
        outside = stop >= end or self.level_of.get(self.data[stop : stop + 1], self.inner) <= place
        return stop if outside else at

    def _close(self, place: int, at: int, end: int) -> tuple[int, int]:
        """The end of a run by a terminator of its level or one outside it, or by that of the packet."""
        if at < end:
            return at + 1, self.level_of[self.data[at : at + 1]]
        if not self.runs.last and self.runs.levels[place].term:
            self._unended(place)
        return at, -1 if self.runs.last else place

    def _unended(self, place: int) -> NoReturn:
        """Raises the error for a run that does not end."""
        term = self.runs.levels[place].term
        self.refuse(f"a run of a packet does not end with its terminator {term!r}" if term else "a run does not end")

    def _innermost(self, at: int, end: int) -> tuple[int, int]:
        """Cuts an innermost run."""
        stop, closed = self._end_of_run(at, end)
        content = self.data[at:stop]
        if self.runs.width == VARIES:
            tokens = self._tokens(content)
            self.pieces += tokens
            count = len(tokens)
        else:
            count = self._count(content)
            self.pieces.append(content[: count * self.runs.width])
        self.spend(count + 1)
        self.counts[self.inner].append(count)
        return (stop + 1, closed) if closed >= 0 else (end, -1)

    def _end_of_run(self, at: int, end: int) -> tuple[int, int]:
        """Where the values of an innermost run end, and the level that ends there. Fixed fields are stepped over."""
        if self.marks is None:
            if not self.runs.last:
                self._unended(self.inner)
            return end, -1
        found = self.marks.search(self.data, at, end)
        while found and self.runs.width > 1 and (found.start() - at) % self.runs.width:
            found = self.marks.search(self.data, found.end(), end)
        if found is None:
            if not self.runs.last:
                self._unended(self.inner)
            return end, -1
        return found.start(), self.level_of[found[0]]

    def _count(self, content: bytes) -> int:
        """The number of values of a fixed width in a run; blanks may stand behind them."""
        count, rest = divmod(len(content), self.runs.width)
        if rest and content[-rest:].strip():
            self.refuse(
                f"a run has {len(content):,} bytes, which are no whole number of values of {self.runs.width} bytes"
            )
        return count

    def _tokens(self, content: bytes) -> list[bytes]:
        """The texts of a run. With a terminator that is no blank, empty ones count."""
        term = self.runs.term
        if term and term.isspace():
            return [token for token in content.split(term, MAX_ITEMS) if token.strip()]
        if not term:
            if len(content) > 2 * MAX_ITEMS and len(content.split(None, MAX_ITEMS)) > MAX_ITEMS:
                self.spend(MAX_ITEMS + 1)
            return content.split()
        self.spend(content.count(term))
        self.left += content.count(term)
        tokens = content.split(term)
        return tokens if tokens[-1].strip() else tokens[:-1]

    def _counted(self, at: int, end: int) -> int:
        """Cuts as many texts as the header says."""
        count, term = self.runs.count, self.runs.term
        self.spend(count)
        if self.data[at : at + 1] == b"|" and not term and _LENGTH.match(self.data, at, end):
            return self._measured(at, end)
        if not term or term.isspace():
            return self._words(at, end)
        tokens = self.data[at:end].split(term, count)
        if len(tokens) < count or (len(tokens) == count and not (self.runs.last and tokens[-1].strip())):
            self.refuse(f"a packet holds {len(tokens) - 1} of its {count} values, each with {term!r} behind it")
        rest = len(tokens[count]) if len(tokens) > count else 0
        self.pieces += tokens[:count]
        return end - rest

    def _words(self, at: int, end: int) -> int:
        """Cuts texts between blanks; one blank behind the last belongs to it."""
        for place in range(self.runs.count):
            word = self.word.search(self.data, at, end)
            if word is None:
                self.refuse(f"a packet holds {place} of its {self.runs.count} values, which blanks separate")
            self.pieces.append(word[0])
            at = word.end()
        return min(at + 1, end)

    def _measured(self, at: int, end: int) -> int:
        """Cuts texts behind their length, as release candidates wrote them."""
        for _item in range(self.runs.count):
            length = _LENGTH.match(self.data, at, end)
            if length is None or int(length[2] or length[1]) > end - length.end():
                self.refuse("a packet holds less than the lengths of its items say")
            at = length.end() + int(length[2] or length[1])
            self.pieces.append(self.data[length.end() : at])
        return at
