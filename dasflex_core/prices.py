# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request is expected to cost, what it may cost, and which one near to it would do: as values, and as words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Basis", "Estimate", "Excess", "Suggestion", "amount"]

#: What an estimate rests on: `history` is what runs before gave, `rate` what the definition says of its reader (rate,
#: cadence, interval, sizes), `coverage` the times that it has data for.
Basis: TypeAlias = Literal["history", "rate", "coverage"]
_WORDS: Final[Mapping[str, str]] = {
    "history": "what runs before gave",
    "rate": "the rate that the definition gives",
    "coverage": "the times that the source has data for",
}
_GIGABYTE: Final = 1e9


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan is expected to cost: seconds, bytes that are read, and bytes and records of the answer.

    None is what nothing is known of. `basis` tells what the figures rest on, the most important first; without any the
    seconds are a guess. Bytes of the answer are those before any coding of the transfer.
    """

    seconds: float
    read: int | None = None
    bytes: int | None = None
    records: int | None = None
    basis: tuple[Basis, ...] = ()

    @property
    def gigabytes(self) -> float | None:
        """What is read, in gigabytes."""
        return None if self.read is None else self.read / _GIGABYTE

    @property
    def answer_gigabytes(self) -> float | None:
        """The answer in gigabytes."""
        return None if self.bytes is None else self.bytes / _GIGABYTE

    @property
    def rests_on(self) -> str:
        """What the figures rest on, in one line for programs: `unknown` where it is nothing."""
        return ", ".join(self.basis) or "unknown"

    def text(self) -> str:
        """The figures in a line for people."""
        size = "an unknown size" if self.bytes is None else amount(self.bytes)
        count = "an unknown number of records" if self.records is None else f"{self.records:,} records"
        why = " and ".join(_WORDS[each] for each in self.basis) or "nothing, since nothing is known of the source"
        return f"about {size}, {count}, {self.seconds:,.3g} s; this rests on {why}"

    def plain(self) -> dict[str, str | float | int | None]:
        """The figures as JSON has them."""
        return {
            "bytes": self.bytes,
            "records": self.records,
            "seconds": round(self.seconds, 6),
            "read": self.read,
            "basis": self.rests_on,
        }


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that a request is beyond: the key of the configuration that sets it, the cost and the limit.

    `did` is what the request would do; both amounts are in `unit`.
    """

    key: str
    did: str
    cost: float
    most: float
    unit: str

    def __str__(self) -> str:
        cost, most = (self._told(each) for each in (self.cost, self.most))
        return f"{self.did} about {cost}, where at most {most} are allowed"

    def _told(self, value: float) -> str:
        """An amount in a unit that people use."""
        return amount(value * _GIGABYTE) if self.unit == "GB" else f"{value:,.3g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A request near to the one that costs too much, which this client would be granted.

    `text` is what to ask for; `changes` are the parameters that differ, by the names of the convention that asked;
    `pairs` the whole request.
    """

    text: str
    changes: tuple[tuple[str, str], ...]
    pairs: tuple[tuple[str, str], ...]
    estimate: Estimate


def amount(count: float) -> str:
    """Bytes in three digits with a decimal unit.

    >>> amount(999), amount(1_234_567)
    ('999 B', '1.23 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
