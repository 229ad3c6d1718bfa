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

if TYPE_CHECKING:
    from dasflex_cgi.exchange import Asked, Body
    from dasflex_cgi.runs import Runs
    from dasflex_cgi.visit import Visit
    from dasflex_core.run import Pump
    from dasflex_core.site import Request
    from dasflex_core.solved import Plan

__all__ = ["PATIENCE", "deliver"]

#: Seconds that a client waits for the first byte, since readers of the network give up after 60.
PATIENCE: Final = 50.0
#: How long an answer may be kept by caches, where its data have a date and lie in the past; and where they do not.
_KEPT: Final = "public, max-age=300"
_ASK_AGAIN: Final = "no-cache"
_PROTECTED: Final = "private, no-store"

Headers = tuple[tuple[str, str], ...]


def deliver(visit: Visit, request: Request, runs: Runs, media_type: str = "") -> Answer:
    """The data of a request; `media_type` stands in for that of their type.

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
    dated = _dated(plan)
    tag = weak_tag(solution.answer) if solution.changed is not None else ""
    # What a client has already costs nothing, so that it is not asked whether it can be afforded.
    if unchanged(asked.headers, tag, solution.changed):
        return Answer(304, (*dated, ("Vary", _vary(plan))))
    plan.afford()
    code = coding(asked.headers.get("accept-encoding", "")) if compressible(plan.media_type) else ""
    headers = (*_described(plan, asked, media_type), *dated)
    if code:
        headers = (*headers, ("Content-Encoding", code))
    if asked.method == "HEAD":
        from dasflex_cgi.pricing import price_headers

        return Answer(200, (*headers, *price_headers(plan.estimate())), Wrapped(()))  # its length is not known
    body = _opened(plan, visit, runs)
    visit.mark("first")
    return Answer(200, headers, Coded(body, code) if code else body)


def _described(plan: Plan, asked: Asked, media_type: str) -> Headers:
    """What the data are: their type, and the name of a file for them. A browser shows what people can read."""
    text = plan.type is not None and plan.type.text
    kind = TEXT if text and asked.browser else media_type or plan.media_type
    name = "".join(char if char.isascii() and (char.isalnum() or char in "_.+-") else "_" for char in plan.file_name())
    return (
        ("Content-Type", kind),
        ("Content-Disposition", f'{"inline" if text else "attachment"}; filename="{name}"'),
        ("Vary", _vary(plan)),
        ("Accept-Ranges", "none"),
        ("X-Note", plan.note),
    )


def _vary(plan: Plan) -> str:
    """What the answer depends on beside its address: text is compressed when asked for, and shown to a browser."""
    return "Accept-Encoding, Accept, User-Agent" if plan.type is not None and plan.type.text else "Accept-Encoding"


def _dated(plan: Plan) -> Headers:
    """How old the data are, where that is known, and how long an answer may be kept."""
    solution = plan.solution
    protected = plan.request.source.protected
    if solution.changed is None:
        return (("Cache-Control", _PROTECTED if protected else _ASK_AGAIN),)
    kept = _KEPT if _is_past(dict(solution.request)) else _ASK_AGAIN
    return (
        ("Cache-Control", _PROTECTED if protected else kept),
        ("ETag", weak_tag(solution.answer)),
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
