# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of das3 data packets: where each variable stands, and how its bytes become a column.

The bodies of many packets of one size are a matrix of bytes, one row per packet; a column is a view of some of its
bytes, or what a text parser makes of them. Where the size varies, each variable is cut out of the packets in turn, and
becomes an array or runs of values.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import VARIES, Ragged
from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_das.das3_borrowing import borrowed, lender
from dasflex_das.das3_cuts import cut_fixed, cut_runs
from dasflex_das.das3_framing import MAX_RECORD
from dasflex_das.das3_text import values_of_tokens, values_of_width
from dasflex_das.das3_values import evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence as Listed
    from typing import Any

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Sequence, Variable
    from dasflex_das.das3_cuts import Cut
    from dasflex_das.das3_levels import Runs

    Bytes = NDArray[np.uint8]
    Spans = NDArray[np.int64]
    Lengths = Listed[int] | Spans

__all__ = ["Layout", "Place"]

#: Bytes of columns that are made at a time. Text and rules can make much of a short packet.
_MOST_HELD: Final = 1 << 23


@dataclass(frozen=True, slots=True)
class Place:
    """What a variable has in each packet: `count` values of `width` bytes, or what `runs` says where that varies.

    No variable: bytes that are passed over. No bytes, and `sequences`: a column that follows a rule.
    """

    variable: Variable | None
    width: int
    count: int
    sequences: tuple[Sequence, ...] = ()
    runs: Runs | None = None

    @property
    def size(self) -> int:
        """The bytes in each packet; 0 where that varies."""
        return 0 if self.runs else self.width * self.count

    @property
    def held(self) -> int:
        """The bytes of a record in the column: more than in the packet for short text, and for what follows a rule."""
        if self.runs or not self.variable or self.variable.ragged:
            return 0
        return prod(self.variable.shape) * self.variable.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of the variables in a packet, in the order of the wire, the offset of each, and the whole size.

    `size` is `VARIES` where packets have different sizes. `most` is the number of records whose columns take about as
    many bytes as a batch may. `lent` names for each variable that borrows its runs the one that has them.
    """

    places: tuple[Place, ...]
    offsets: tuple[int, ...]
    size: int
    most: int
    where: str
    lent: Mapping[str, str]

    @classmethod
    def of(cls, places: tuple[Place, ...], where: str) -> Layout:
        """The layout of these places, one behind the other.

        Raises `SourceError` beyond `MAX_RECORD` bytes, and for runs of text that do not end.
        """
        used = [place for place in places if place.size or place.sequences or place.runs]
        stored = [at for at, place in enumerate(used) if not place.sequences]
        if stored and (runs := used[stored[-1]].runs):
            used[stored[-1]] = replace(used[stored[-1]], runs=replace(runs, last=True))
        for place in used:
            _check_end(place.runs)
        lenders = [(each.variable, each.runs) for each in used if each.variable is not None and each.runs]
        lent = {each.name: lender(each, lenders, where).name for each in map(_borrower, used) if each is not None}
        ends = tuple(accumulate((place.size for place in used), initial=0))
        if ends[-1] > MAX_RECORD:
            raise SourceError(
                f"{where} declares data packets of {ends[-1]:,} bytes; at most {MAX_RECORD:,} are read",
                kind="source.stream",
            )
        held = sum(place.held for place in used)
        size = VARIES if any(place.runs for place in used) else ends[-1]
        return cls(tuple(used), ends[:-1], size, max(1, _MOST_HELD // max(1, held)), where, lent)

    @property
    def tail(self) -> int:
        """The bytes of a last variable of fixed size, whose blanks a document may leave out."""
        stored = [place for place in self.places if not place.sequences]
        return stored[-1].size if stored else 0

    def columns(self, bodies: Bytes, first: int) -> dict[str, Column]:
        """The columns of packets with these bodies, of shape (packets, size); `first` is the number of the first.

        Binary columns are views of the bodies. Raises `SourceError` for text that cannot be read.
        """
        columns: dict[str, Column] = {}
        for place, offset in zip(self.places, self.offsets, strict=True):
            if place.variable is not None:
                own = bodies[:, offset : offset + place.size]
                columns[place.variable.name] = _array(place, own, len(bodies), first)
        return columns

    def cut_columns(
        self, data: bytes, starts: Spans, ends: Spans, first: int
    ) -> tuple[dict[str, Column], Ragged | None]:
        """The columns of packets of different sizes, whose bodies have these places in the data; and `extras`.

        Raises `SourceError` that names the variable for packets that are too short, and for text that cannot be read.
        """
        columns: dict[str, Column] = {}
        at = starts
        extras: Ragged | None = None
        for place in self.places:
            variable = place.variable
            if variable is None:  # the rest belongs to others, who know what it means
                extras = _pieces(data, at, ends)
                break
            if variable.name in self.lent:
                continue
            if place.runs:
                cut, at = cut_runs(data, at, ends, place.runs)
                columns[variable.name] = _runs(variable, place.runs, cut, len(starts))
            else:
                own = cut_fixed(data, at, ends, place.size, f"{self.where}, variable {variable.name}")
                at = at + place.size
                columns[variable.name] = _array(place, own, len(starts), first)
        if extras is None:
            self._check_rest(data, at, ends)
        for place in self.places:
            if place.variable is not None and place.variable.name in self.lent:
                runs = columns[self.lent[place.variable.name]]
                columns[place.variable.name] = borrowed(place.variable, place.sequences, runs, first)
        return columns, extras

    def extras(self, bodies: Bytes) -> Ragged | None:
        """The bytes of others in packets with these bodies, behind all variables; None if there are none."""
        size = sum(place.size for place in self.places if place.variable is None)
        if not size:
            return None
        return Ragged(bodies[:, self.size - size :].ravel(), np.arange(len(bodies) + 1, dtype=np.int64) * size)

    def _check_rest(self, data: bytes, at: Spans, ends: Spans) -> None:
        """Raises `SourceError` where something else than blanks stands behind the last variable."""
        for place in np.flatnonzero(at < ends).tolist():
            rest = data[int(at[place]) : int(ends[place])]
            if rest.strip():
                raise SourceError(
                    f"{self.where}: a packet has {len(rest):,} bytes behind its last variable: {rest[:12]!r}",
                    kind="source.stream",
                )


def _borrower(place: Place) -> Variable | None:
    """The variable of a sequence over the record whose runs are those of another; None for other places."""
    return place.variable if place.sequences and place.variable is not None and place.variable.ragged else None


def _pieces(data: bytes, starts: Spans, stops: Spans) -> Ragged:
    """The bytes between each two places."""
    whole = memoryview(data)
    pieces = [whole[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    return Ragged(_bytes(b"".join(pieces)), _offsets(stops - starts))


def _check_end(runs: Runs | None) -> None:
    """Raises `SourceError` for runs of text of variable width that neither a terminator nor the packet ends."""
    if runs and runs.form == "text" and runs.levels and runs.width == VARIES and not (runs.terms or runs.last):
        raise SourceError(
            f"{runs.where}: idxTerm is missing; runs of text of variable width need one where other variables follow",
            kind="source.stream",
        )


def _array(place: Place, own: Bytes, count: int, first: int) -> NDArray[Any]:
    """The column of a variable that has the same shape in every record, from its bytes in each."""
    variable = place.variable
    if variable is None:
        raise ValueError("there is no variable")
    if place.sequences:
        values = evaluate(place.sequences, (count, *variable.index[1:]), variable.dtype, first)
    else:
        values = values_of_width(own, place.width, variable)
    return values.reshape(count, *variable.shape)


def _runs(variable: Variable, runs: Runs, cut: Cut, count: int) -> Column:
    """The column of a variable that has no fixed size in packets."""
    if variable.semantic == "blob":
        items = cut.tokens or []
        leaves: Column = _bytes(b"".join(items))
        leaves = Ragged(leaves, _offsets([len(item) for item in items]))
    else:
        leaves = _leaves(variable, runs, cut)
        if not runs.levels:
            return leaves.reshape(count, *variable.shape)
    for level, lengths in zip(reversed(runs.levels), reversed(cut.counts), strict=True):
        innermost = level is runs.levels[-1] and not isinstance(leaves, Ragged)
        leaves = Ragged(leaves, _offsets(_entries(runs, lengths) if innermost else lengths))
    return leaves


def _leaves(variable: Variable, runs: Runs, cut: Cut) -> NDArray[Any]:
    """The entries of all innermost runs."""
    if cut.tokens is not None:
        values = values_of_tokens(cut.tokens, variable)
    else:
        own = _bytes(cut.data).reshape(-1, runs.width)
        values = values_of_width(own, runs.width, variable) if len(own) else np.empty(0, dtype=variable.dtype)
    if values.size % runs.count:
        raise SourceError(
            f"{runs.where}: a run has {values.size:,} values, which are no whole number of entries of {runs.count}",
            kind="source.stream",
        )
    return values.reshape(-1, *variable.leaf)


def _bytes(data: bytes) -> Bytes:
    """The bytes as an array; numpy refuses to view none."""
    return np.frombuffer(data, dtype=np.uint8) if data else np.empty(0, dtype=np.uint8)


def _entries(runs: Runs, lengths: Lengths) -> Spans:
    """The entries of each innermost run from its wire values."""
    counts = np.asarray(lengths, dtype=np.int64)
    if (counts % runs.count).any():
        raise SourceError(
            f"{runs.where}: a run holds a number of values that is no multiple of {runs.count}, those of an entry",
            kind="source.stream",
        )
    return counts // runs.count


def _offsets(lengths: Lengths) -> Spans:
    """Where each run begins, and where the last ends."""
    found = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(np.asarray(lengths, dtype=np.int64), out=found[1:])
    return found
