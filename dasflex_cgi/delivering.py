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
from dasflex_cgi.exchange import TEXT, Answer
from dasflex_cgi.failures import telling, told
from dasflex_core.errors import SourceError
from dasflex_core.loading import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_cgi.exchange import Asked, Body
    from dasflex_cgi.runs import Runs
    from dasflex_cgi.visit import Visit
    from dasflex_core.run import Pump
    from dasflex_core.site import Plan, Request
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = ["PATIENCE", "deliver"]

#: Seconds that a client waits for the first byte, since readers of the network give up after 60.
PATIENCE: Final = 50.0
#: How long an answer may be kept by caches, where its data have a date and lie in the past; and where they do not.
_KEPT: Final = "public, max-age=300"
_ASK_AGAIN: Final = "no-cache"
_PROTECTED: Final = "private, no-store"
_NO_DATA: Final = "NoMatchingData"

Headers = tuple[tuple[str, str], ...]


def deliver(visit: Visit, request: Request, runs: Runs, media_type: str = "") -> Answer:
    """The data of a request; `media_type` stands in for that of their type.

    A client that has them already, and one that asks by HEAD, gets what is said of them, and nothing runs. Raises
    `DasflexError` for what fails before any data.
    """
    plan = request.plan()
    visit.mark("plan")
    if not visit.das2 or plan.solution.produces.kind == "das":
        visit.wanted = plan.solution.produces
    asked, solution = visit.asked, plan.solution
    dated = _dated(plan)
    tag = weak_tag(solution.answer) if solution.changed is not None else ""
    if unchanged(asked.headers, tag, solution.changed):
        return Answer(304, (*dated, ("Vary", _vary(plan))))
    plan.afford()
    code = coding(asked.headers.get("accept-encoding", "")) if compressible(plan.media_type) else ""
    headers = (*_described(plan, asked, media_type), *dated)
    if code:
        headers = (*headers, ("Content-Encoding", code))
    if asked.method == "HEAD":
        return Answer(200, headers, _Nothing())
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
    )


def _vary(plan: Plan) -> str:
    """What the answer depends on beside its address: text is compressed when asked for, and shown to a browser."""
    return "Accept-Encoding, Accept, User-Agent" if plan.type is not None and plan.type.text else "Accept-Encoding"


def _dated(plan: Plan) -> Headers:
    """How old the data are, where that is known, and how long an answer may be kept."""
    solution = plan.solution
    protected = bool(plan.request.source.definition.access.allow)
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

    run = plan.open(amend=visit.das2, plain=True, guardian=runs.guardian)
    visit.id = run.record.id
    runs.add(run, visit.asked.gone)
    try:
        _begin(run, plan.request.source.id)
    except BaseException:
        run.close()
        runs.remove(run)
        raise
    info = telling(plan.request.source.site.registry, plan.solution.produces) if _is_das(plan) else None
    body = Body(run, runs)
    return _Spoken(body, info, plan.request.source.id, lambda: run.bare) if info is not None else body


def _is_das(plan: Plan) -> bool:
    """Whether the data are a das stream, or another in a format that has comments."""
    return plan.type is not None and bool(plan.type.comment)


def _begin(run: Pump, name: str) -> None:
    """Waits for the first data. Raises what failed before them, and `SourceError` where they do not come in time."""
    if not run.start(PATIENCE):
        raise SourceError(f"{name} gave nothing in {PATIENCE:.0f} s; ask for less", kind="source.silent")


class _Nothing:
    """The body of what has no length and is not sent."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        raise StopIteration

    def close(self) -> None:
        """Nothing is there to be closed."""


class _Spoken:
    """A body that says so where nothing was found: das clients take a stream without a byte for a fault.

    They take headers alone for one, too; `bare` says whether there was no more.
    """

    def __init__(self, body: Body, info: StreamTypeInfo, source: str, bare: Callable[[], bool]) -> None:
        self._body = body
        self._info = info
        self._source = source
        self._bare = bare
        self._silent = True
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._body)
        except StopIteration:
            said = b"" if self._ended else self._nothing()
            self._ended = True
            if not said:
                raise
            return said
        self._silent = self._silent and not piece
        return piece

    def _nothing(self) -> bytes:
        """What says that nothing was found; nothing where something was."""
        text = f"{self._source} has no data in this range"
        if self._silent:
            return told(self._info, _NO_DATA, text)
        packet = load(self._info.problem)(_NO_DATA, text) if self._info.problem and self._bare() else b""
        return packet if isinstance(packet, bytes) else b""

    def close(self) -> None:
        """Ends the run."""
        self._body.close()
