# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server counts, for Prometheus to fetch at a port of the loopback address.

Each metric has its heading in the reference. They are told apart by the kind of request, never by source or client,
whose number has no bounds.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from dasflex_cgi.exchange import Answer, Wrapped
from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from dasflex_cgi.exchange import Asked

__all__ = ["KINDS", "Meter", "Metered", "kind_of"]

LOOPBACK: Final = "127.0.0.1"
#: The kinds of requests: data, plans, records of requests, files and pages, the catalog, and the state of the server.
KINDS: Final = ("data", "plan", "record", "catalog", "file", "health", "other")
_FIRST_BYTE: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 50)
#: The first of these that an address with its query matches, in lower case, is its kind.
_ADDRESSES: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("data", r"/source/.+/(flex|data\.[^/?]+)\?|[^?]*\?(.*&)?server=(dataset|compactdataset|image)(&|$)"),
        ("plan", r"/source/.+/plan\?"),
        ("record", r"/(request|answer)/"),
        ("health", r"/health\?"),
        ("catalog", r"[^?]*\.(json|csv|xml|d2t)\?|[^?]*\?(.*&)?server="),
        ("file", r"/?\?|/source[/?]|/static[/?]|[^?]*\.(html|png|svg|ico|css|js|txt)\?"),
    )
)


class Served(Protocol):
    """What answers requests, by WSGI and as a value."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse, /) -> Iterable[bytes]:
        """Answers one request (PEP 3333)."""
        ...

    def answer(self, asked: Asked) -> Answer:
        """Answers one request."""
        ...


class Meter:
    """The metrics of a server, which are there from its start, and a place where they can be fetched."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        here = self.registry
        self.requests = Counter("dasflex_requests", "Requests that were answered", ("kind", "status"), registry=here)
        self.going = Gauge("dasflex_answers_in_progress", "Requests and answers under way", registry=here)
        self.sent = Counter("dasflex_sent_bytes", "Bytes of the bodies of answers", ("kind",), registry=here)
        self.first = Histogram(
            "dasflex_first_byte_seconds", "Time until an answer begins", ("kind",), buckets=_FIRST_BYTE, registry=here
        )
        self.unfinished = Counter(
            "dasflex_unfinished_answers", "Answers that ended before their time", ("why",), registry=here
        )
        for kind in KINDS:
            self.sent.labels(kind)
            self.first.labels(kind)
        for why in ("left", "broken"):
            self.unfinished.labels(why)

    def listen(self, port: int) -> tuple[int, Callable[[], None]]:
        """Lets the metrics be fetched at a port of the loopback address, 0 for any; gives it, and what ends this.

        Raises `ConfigError` for a port that is in use.
        """
        try:
            server, thread = start_http_server(port, LOOPBACK, self.registry)
        except OSError as error:
            raise ConfigError(
                f"{LOOPBACK}:{port} cannot be listened on: {error.strerror}; name another with --metrics-port"
            ) from error

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join(1)

        return int(server.server_address[1]), end


class Metered:
    """What answers requests, and is measured."""

    def __init__(self, served: Served, meter: Meter) -> None:
        self._served = served
        self._meter = meter

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request (PEP 3333)."""
        gone = environ.get("waitress.client_disconnected")
        kind = kind_of(environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""))
        measure = _Measure(self._meter, kind, gone if callable(gone) else None)

        def start(status: str, headers: list[tuple[str, str]], *error: object) -> Callable[[bytes], object]:
            measure.answered(int(status[:3]))
            return start_response(status, headers, *error)  # type: ignore[arg-type]  # it is passed on as it came

        try:
            return _Body(self._served(environ, start), measure)
        except BaseException:
            measure.over("broken")
            raise

    def answer(self, asked: Asked) -> Answer:
        """Answers one request."""
        measure = _Measure(self._meter, kind_of(asked.path, asked.query), asked.gone)
        try:
            answer = self._served.answer(asked)
        except BaseException:
            measure.over("broken")
            raise
        measure.answered(answer.status)
        if isinstance(answer.body, bytes):
            if asked.method != "HEAD":
                measure.took(len(answer.body))
            measure.over()
            return answer
        if asked.method == "HEAD":
            measure.over()
        return Answer(answer.status, answer.headers, _Body(answer.body, measure))


class _Measure:
    """One request as it is measured, from its coming to the end of its answer."""

    def __init__(self, meter: Meter, kind: str, gone: Callable[[], bool] | None) -> None:
        self._meter = meter
        self._kind = kind
        self._gone = gone
        self._begun = perf_counter()
        self._over = False
        meter.going.inc()

    def answered(self, status: int) -> None:
        """The answer begins: its first bytes are there."""
        self._meter.requests.labels(self._kind, f"{status // 100}xx").inc()
        self._meter.first.labels(self._kind).observe(perf_counter() - self._begun)

    def took(self, count: int) -> None:
        """So many bytes were taken."""
        self._meter.sent.labels(self._kind).inc(count)

    def over(self, why: str = "") -> None:
        """The answer has ended, or was ended before its time. A run that breaks since its client left did not break."""
        if self._over:
            return
        self._over = True
        self._meter.going.dec()
        if why:
            self._meter.unfinished.labels("left" if self._gone is not None and self._gone() else why).inc()


class _Body(Wrapped):
    """A body whose bytes are counted."""

    def __init__(self, body: Iterable[bytes], measure: _Measure) -> None:
        super().__init__(body)
        self._measure = measure

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._measure.over()
            raise
        except BaseException:
            self._measure.over("broken")
            raise
        self._measure.took(len(piece))
        return piece

    def close(self) -> None:
        """Closes the body: if that was not its end, its client has left."""
        try:
            super().close()
        finally:
            self._measure.over("left")


def kind_of(path: str, query: str = "") -> str:
    """The kind of a request, by its address.

    >>> [kind_of("/source/a/flex"), kind_of("/source/a/data.csv"), kind_of("/", "server=dataset&dataset=a")]
    ['data', 'data', 'data']
    >>> [kind_of("/source/a/flex.json"), kind_of("/static/page.css"), kind_of("/elsewhere")]
    ['catalog', 'file', 'other']
    """
    return next((kind for kind, pattern in _ADDRESSES if pattern.match(f"{path}?{query}".lower())), "other")
