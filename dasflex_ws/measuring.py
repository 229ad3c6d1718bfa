# SPDX-License-Identifier: GPL-3.0-or-later
"""What `--stats` says of a WebSocket: how much came, how fast, and how late."""

from __future__ import annotations

from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Records
from dasflex_core.errors import DasflexError
from dasflex_core.prices import amount
from dasflex_ws.dating import instants
from dasflex_ws.decoding import Decoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dasflex_core.registry import Registry
    from dasflex_ws.client import Message

__all__ = ["Measure", "quantile", "seconds_text"]

#: Data that are older than this when they arrive are not of the present, and their age is no latency.
_PRESENT: Final = 600.0
#: The most values of which quantiles are made.
_KEPT: Final = 1_000_000


class Measure:
    """Counts messages, and how late they are: by the times of their records where a plugin decodes them."""

    def __init__(self, registry: Registry) -> None:
        self._decoding = Decoding(registry)
        self._decoding.prepare()
        self._begun = monotonic()
        self._arrivals: list[float] = []
        self._ages: list[float] = []
        self._broken = ""
        self.messages = 0
        self.bytes = 0

    def take(self, message: Message) -> None:
        """Counts a message."""
        self.messages += 1
        self.bytes += len(message.data)
        if len(self._arrivals) < _KEPT:
            self._arrivals.append(message.came)
        if self._broken:
            return
        try:
            items = self._decoding.feed(message.data)
        except DasflexError as error:
            self._broken = error.message
            return
        for item in items:
            if isinstance(item, Records) and len(self._ages) < _KEPT:
                self._ages += [message.came - moment for moment in instants(item)]

    def report(self) -> str:
        """What came, in one line or two."""
        seconds = max(monotonic() - self._begun, 1e-9)
        counted = f"{self.messages:,} messages, {amount(self.bytes)} ({self.bytes:,} bytes) in {seconds:.3g} s"
        rate = f"{self.messages / seconds:.3g} messages/s, {amount(self.bytes / seconds)}/s"
        return f"{counted}: {rate}\n{self._lateness()}"

    def _lateness(self) -> str:
        """How late the data were, and by what that is known."""
        ages = self._ages
        if ages and quantile(ages, 0.5) < _PRESENT:
            return f"latency by the times of {len(ages):,} records: {_spread(ages)}"
        why = f"the stream could not be decoded ({self._broken})" if self._broken else "the data are not of the present"
        why = why if self._decoding.known else "no plugin decodes the stream"
        gaps = [late - early for early, late in pairwise(self._arrivals)]
        if not gaps:
            return f"no latency: {why}, and there was no second message"
        return f"time between messages ({why}): {_spread(gaps)}"


def _spread(values: Sequence[float]) -> str:
    """The median, the 99th percentile and the greatest of some durations."""
    shown = [seconds_text(quantile(values, share)) for share in (0.5, 0.99, 1.0)]
    return f"median {shown[0]}, 99 % {shown[1]}, worst {shown[2]}"


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below a share of all.

    >>> quantile([4, 1, 3, 2], 0.5), quantile([4, 1, 3, 2], 1)
    (2, 4)
    """
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def seconds_text(seconds: float) -> str:
    """A duration in three digits.

    >>> seconds_text(0.01234), seconds_text(2.5), seconds_text(-0.0004)
    ('12.3 ms', '2.5 s', '-0.4 ms')
    """
    return f"{seconds * 1e3:.3g} ms" if abs(seconds) < 0.9995 else f"{seconds:.3g} s"
