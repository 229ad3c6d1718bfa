# SPDX-License-Identifier: GPL-3.0-or-later
"""What the WebSocket daemon counts, in a registry of its own, for Prometheus to fetch.

Each metric has its heading in the reference. None is told apart by source or client, whose number has no bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REFUSALS", "Metrics"]

#: Why a connection may be refused before its upgrade: the families of errors, and what is none of ours.
REFUSALS: Final = ("query", "not-found", "access", "source", "config", "busy", "http")
#: What may end a watching or an answer too early.
_ERRORS: Final = ("query", "source", "config", "busy", "slow", "gone")
_LAG: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of a daemon, which are there from its start. All methods are for the thread that runs it.

    `clients` are the connections that have been upgraded and are open, `watchers` those of them that watch a live
    source, `readers` the live readers that run. `lag` is looked at for each connection now and then: for how many
    seconds the oldest message has been waiting that waits for its client.
    """

    def __init__(self) -> None:
        here = self.registry = CollectorRegistry()
        ProcessCollector(registry=here)
        self.clients = Gauge("dasflex_ws_clients", "Connections that are open", registry=here)
        self.watchers = Gauge("dasflex_ws_watchers", "Connections that watch a live source", registry=here)
        self.readers = Gauge("dasflex_ws_readers", "Live readers that run", registry=here)
        self.connections = Counter("dasflex_ws_connections", "Connections that were upgraded", registry=here)
        self.refused = Counter(
            "dasflex_ws_refusals", "Requests that were refused before the upgrade", ("kind",), registry=here
        )
        self.sent = Counter("dasflex_ws_sent_bytes", "Bytes of messages that were sent", registry=here)
        self.messages = Counter("dasflex_ws_sent_messages", "Messages that were sent", registry=here)
        self.dropped_messages = Counter(
            "dasflex_ws_dropped_messages", "Messages that slow clients were not sent", registry=here
        )
        self.dropped_bytes = Counter("dasflex_ws_dropped_bytes", "Their bytes", registry=here)
        self.lag = Histogram(
            "dasflex_ws_lag_seconds", "How long the oldest message for a client has waited", buckets=_LAG, registry=here
        )
        self.restarts = Counter(
            "dasflex_ws_reader_restarts", "Live readers that ended and were started again", registry=here
        )
        self.failed = Counter(
            "dasflex_ws_errors", "Answers and watchings that ended before their time", ("kind",), registry=here
        )
        for kind in REFUSALS:
            self.refused.labels(kind)
        for kind in _ERRORS:
            self.failed.labels(kind)

    def refusal(self, kind: str) -> None:
        """Counts a request that was refused before the upgrade, by the kind of its error or `http`."""
        self.refused.labels(_family(kind, REFUSALS)).inc()

    def failure(self, kind: str) -> None:
        """Counts an answer that ended before its time: by the kind of its error, or `slow` or `gone`."""
        self.failed.labels(_family(kind, _ERRORS)).inc()

    def written(self, count: int, messages: int = 1) -> None:
        """Counts messages that were written, and all their bytes."""
        self.sent.inc(count)
        self.messages.inc(messages)

    def lost(self, count: int, messages: int = 1) -> None:
        """Counts messages that a slow client was not sent, and all their bytes."""
        self.dropped_bytes.inc(count)
        self.dropped_messages.inc(messages)

    def exposition(self) -> bytes:
        """All of it as Prometheus reads it (text format 0.0.4)."""
        return generate_latest(self.registry)


def _family(kind: str, known: Iterable[str]) -> str:
    """The family that a kind of error is of; the last one known for what is none.

    >>> _family("busy.limit", ("query", "busy", "http")), _family("whatever", ("query", "http"))
    ('busy', 'http')
    """
    families = tuple(known)
    name = kind.partition(".")[0]
    return name if name in families else families[-1]
