# SPDX-License-Identifier: GPL-3.0-or-later
"""Data as answers: from a request to a plan, to what is said of the data, and to their bytes.

Headers are held until the first data have come, so that what fails before that gets its own status. What fails later
is the stream's own exception, where its format has one, and a connection that is broken rather than ended. A run whose
format can say something before its data begins with that when they are late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_cgi.compressing import Coded, coding, compressible
from dasflex_cgi.conditional import http_date, unchanged, weak_tag
from dasflex_cgi.exchange import TEXT, Answer, Wrapped
from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_cgi.exchange import Asked, Body
    from dasflex_cgi.runs import Runs
    from dasflex_cgi.visit import Visit
    from dasflex_core.run import Pump
    from dasflex_core.site import Request
    from dasflex_core.solved import Plan

__all__ = ["PATIENCE", "Manner", "deliver", "deliver_so"]

#: Seconds that a client waits for the first byte, since readers of the network give up after 60.
PATIENCE: Final = 50.0
#: How long an answer may be kept by caches, where its data have a date and lie in the past; and where they do not.
_KEPT: Final = "public, max-age=300"
_ASK_AGAIN: Final = "no-cache"
_PROTECTED: Final = "private, no-store"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Manner:
    """How data are given: `media_type` stands in for that of their type; `head` and `tail` are sent around them.

    Where there are none, `alone` is sent in the place of both, if it is not blank.

    For what a plugin has `mounted` they are told as they are: its protocol says what a client may expect, so that no
    browser is given another type, and no file is named.
    """

    media_type: str = ""
    head: bytes = b""
    tail: bytes = b""
    alone: bytes = b""
    mounted: bool = False

    def tag(self, identity: str) -> str:
        """The entity tag of an answer with that identity: what is sent around the data belongs to it."""
        if not (self.head or self.tail):
            return weak_tag(identity)
        from hashlib import sha256

        around = sha256(b"%d " % len(self.head) + self.head + self.tail).hexdigest()
        return weak_tag(f"{identity}-{around[:16]}")


_PLAIN: Final = Manner()


def deliver(visit: Visit, request: Request, runs: Runs, media_type: str = "") -> Answer:
    """The data of a request; `media_type` stands in for that of their type. As `deliver_so`."""
    return deliver_so(visit, request, runs, Manner(media_type) if media_type else _PLAIN)[0]


def deliver_so(visit: Visit, request: Request, runs: Runs, manner: Manner) -> tuple[Answer, bool]:
    """The data of a request in a manner, and whether it is known that there are none.

    A client that has them already, and one that asks by HEAD, gets what is said of them, and nothing runs; by HEAD that
    is their price, too. Raises
    `DasflexError` for what fails before any data, `query.live` for data without an end among it.
    """
    plan = request.plan()
    visit.user = plan.user
    visit.mark("plan")
    if not visit.das2 or plan.solution.produces.kind == "das":
        visit.wanted = plan.solution.produces
    asked, solution = visit.asked, plan.solution
    if ("read.time.max", "forever") in solution.request:
        from dasflex_cgi.following import told_where

        raise told_where(plan, asked)
    tag = manner.tag(solution.answer) if solution.changed is not None else ""
    dated = _dated(plan, tag)
    # What a client has already costs nothing, so that it is not asked whether it can be afforded.
    if unchanged(asked.headers, tag, solution.changed):
        return Answer(304, (*dated, ("Vary", _vary(plan, manner)))), False
    plan.afford()
    told = manner.media_type or plan.media_type
    code = coding(asked.headers.get("accept-encoding", "")) if compressible(told) else ""
    headers = (*_described(plan, asked, manner), *dated)
    if code:
        headers = (*headers, ("Content-Encoding", code))
    if asked.method == "HEAD":
        from dasflex_cgi.pricing import price_headers

        return Answer(200, (*headers, *price_headers(plan.estimate())), Wrapped(())), False  # its length is not known
    body = _opened(plan, visit, runs)
    empty = False
    if manner.mounted:
        body = framed = _Framed(body, manner)
        empty = framed.empty
    visit.mark("first")
    return Answer(200, headers, Coded(body, code) if code else body), empty


class _Framed(Wrapped):
    """Data with a head and a tail around them; `empty` where they have ended without one byte.

    Waits for the first of them. Raises what fails before that, when nothing runs any more. If the data break later, so
    does this, and no tail is given.
    """

    def __init__(self, body: Body, manner: Manner) -> None:
        super().__init__(body)
        self._tail = manner.tail
        try:
            first = next(filter(None, self._pieces), b"")
        except BaseException:
            self.close()
            raise
        self.empty = not first
        self._first = manner.head + first
        if self.empty and manner.alone:
            self._first, self._tail = manner.alone, b""

    def __next__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        piece = next(self._pieces, None)
        if piece is not None:
            return piece
        if self._tail:
            tail, self._tail = self._tail, b""
            return tail
        raise StopIteration


def _described(plan: Plan, asked: Asked, manner: Manner) -> Headers:
    """What the data are: their type, and the name of a file for them. A browser shows what people can read."""
    told = manner.media_type or plan.media_type
    common = (("Vary", _vary(plan, manner)), ("Accept-Ranges", "none"))
    if manner.mounted:
        return (("Content-Type", told), *common)
    text = plan.type is not None and plan.type.text
    name = "".join(char if char.isascii() and (char.isalnum() or char in "_.+-") else "_" for char in plan.file_name())
    return (
        ("Content-Type", TEXT if text and asked.browser else told),
        ("Content-Disposition", f'{"inline" if text else "attachment"}; filename="{name}"'),
        *common,
        ("X-Note", plan.note),
    )


def _vary(plan: Plan, manner: Manner) -> str:
    """What the answer depends on beside its address: text is compressed when asked for, and shown to a browser."""
    shown = plan.type is not None and plan.type.text and not manner.mounted
    return "Accept-Encoding, Accept, User-Agent" if shown else "Accept-Encoding"


def _dated(plan: Plan, tag: str) -> Headers:
    """How old the data are, where that is known, and how long an answer may be kept."""
    solution = plan.solution
    protected = plan.request.source.protected
    if solution.changed is None:
        return (("Cache-Control", _PROTECTED if protected else _ASK_AGAIN),)
    kept = _KEPT if _is_past(dict(solution.request)) else _ASK_AGAIN
    return (
        ("Cache-Control", _PROTECTED if protected else kept),
        ("ETag", tag),
        ("Last-Modified", http_date(solution.changed)),
    )


def _is_past(request: dict[str, str]) -> bool:
    """Whether a range of time was asked that is over."""
    from dasflex_core.times import parse_time

    end = request.get("read.time.max")
    return end is not None and parse_time(end) <= parse_time("now")


def _opened(plan: Plan, visit: Visit, runs: Runs) -> Body:
    """The run of a plan, begun, as a body. Raises what failed before any data, when nothing runs any more."""
    from dasflex_cgi.runs import Body

    source = plan.request.source.id
    absence = f"{source} has no data in this range"
    crowd = plan.crowd(visit.asked.client)
    run = plan.open(amend=visit.das2, absence=absence, plain=True, guardian=runs.guardian, crowd=crowd)
    visit.id = run.record.id
    runs.add(run, visit.asked.gone)
    try:
        _begin(run, source)
    except BaseException:
        run.close()
        runs.remove(run)
        raise
    return Body(run, runs)


def _begin(run: Pump, name: str) -> None:
    """Waits for the first data. Raises what failed before them, and `SourceError` where they do not come in time."""
    if not run.start(PATIENCE):
        raise SourceError(f"{name} gave nothing in {PATIENCE:.0f} s; ask for less", kind="source.silent")
