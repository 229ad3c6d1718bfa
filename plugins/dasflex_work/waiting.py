# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for tasks, with a bar that says how far they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TextIO

from dasflex_core.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dasflex_work.listing import Entry, Listing

__all__ = ["bar", "wait_for"]

_LOOK: Final = 0.25
_WIDTH: Final = 30
_MINUTE: Final = 60
_HOUR: Final = 3600
#: Of less than this part it cannot be told how long the rest takes.
_TOLD: Final = 1e-6


def wait_for(listing: Listing, identifiers: Sequence[str], seconds: float | None, screen: TextIO) -> list[Entry]:
    """Waits until tasks are over, or where none are named until nothing waits. Gives those that failed.

    A task that failed and will be tried again is not over. A server that goes away is waited for. Raises `BusyError`
    where the time is over before.
    """
    from redis.exceptions import ConnectionError as NotConnectedError
    from redis.exceptions import TimeoutError as NoAnswerError

    begun = time.monotonic()
    before = set(() if identifiers else listing.ids("failed"))
    most, left = 0.0, len(identifiers)
    try:
        while True:
            try:
                left, part, of = _left(listing, identifiers)
            except (NotConnectedError, NoAnswerError):
                left = max(1, left)
                _show(screen, "Redis does not answer")
            else:
                most = max(most, float(of))
                _show(screen, bar(most - left + part, most, time.monotonic() - begun))
            if not left:
                break
            if seconds is not None and time.monotonic() - begun > seconds:
                raise BusyError(f"{left:,} tasks are not done yet", kind="busy.job")
            time.sleep(_LOOK)
    finally:
        _show(screen, "")
    named = identifiers or [each for each in listing.ids("failed") if each not in before]
    return [each for each in listing.entries(named) if each.state == "failed"]


def bar(done: float, of: float, seconds: float) -> str:
    """A bar of what is done, with the time that the rest will take if it goes on like that.

    >>> bar(1.5, 3, 10)
    '[###############...............]  50 %  1 of 3  10 s left'
    """
    fraction = min(1.0, max(0.0, done / of)) if of else 1.0
    full = int(fraction * _WIDTH)
    rest = f"  {_lasting(seconds * (1 - fraction) / fraction)} left" if _TOLD < fraction < 1 else ""
    return f"[{'#' * full}{'.' * (_WIDTH - full)}] {fraction:4.0%}  {int(done):,} of {int(of):,}{rest}".replace(
        "%", " %"
    )


def _lasting(seconds: float) -> str:
    """A time, in the unit that fits."""
    for unit, name in ((_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def _left(listing: Listing, identifiers: Sequence[str]) -> tuple[int, float, int]:
    """How many are not over, what part of them is done, and how many there are in all as far as is seen now."""
    if identifiers:
        entries = list(listing.entries(identifiers))
        active = [each for each in entries if each.state in ("waiting", "working")]
        return len(active), sum(each.fraction or 0.0 for each in active), len(entries)
    counts = listing.counts()
    left = counts.waiting + counts.working
    return left, sum(each.fraction or 0.0 for each in listing.entries(listing.ids("working"))), left


def _show(screen: TextIO, line: str) -> None:
    """Puts a line in place of the one before, where there is a terminal."""
    if screen.isatty():
        screen.write(f"\r{line}\x1b[K")
        screen.flush()
