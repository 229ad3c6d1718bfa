# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures as answers, in the form that whoever asked can use: a page, a das exception, or a line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_cgi.exchange import JSON, TEXT, Answer
from dasflex_core.errors import BusyError, TooLargeError
from dasflex_core.statuses import public_text, realm_of, status_of
from dasflex_core.telling import telling_type, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_cgi.visit import Visit
    from dasflex_core.errors import DasflexError
    from dasflex_core.site import Site

__all__ = ["NOT_DATA", "blamed", "failure"]

#: Headers of what is no data, and true of this moment only.
NOT_DATA: Final = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))


def failure(site: Site, visit: Visit, error: DasflexError, note: Callable[[str], None]) -> Answer:
    """The answer to a request that failed before any data; the administrator is told of what is the server's fault.

    A browser gets a page, a program that prefers JSON an object, a das client the exception of the version that it
    asked for, anybody else a line of text. A log-in is asked for in a line of text: clients read no more of it.
    """
    blamed(visit, error, note)
    status, text = status_of(error, das2=visit.das2), public_text(error)
    price: tuple[tuple[str, str], ...] = ()
    if isinstance(error, TooLargeError):
        from dasflex_cgi.pricing import refusal_headers, way_out

        text += way_out(site, visit, error)
        price = refusal_headers(error)
    extra = (*NOT_DATA, *_extra(status, error), *price)
    if status != 401:
        shown = _shown(site, visit, error, text, note)
        if shown is not None:
            ours = {name for name, _value in extra}
            kept = tuple(pair for pair in shown.headers if pair[0] not in ours)
            return Answer(status, (*kept, *extra), shown.body)
    return Answer(status, (("Content-Type", TEXT), *extra), f"{text}\n".encode())


def blamed(visit: Visit, error: DasflexError, note: Callable[[str], None]) -> None:
    """Writes down what a request failed by; the administrator is told of what is the server's fault."""
    visit.error = error
    if status_of(error) >= 500:
        detail = f"\n{error.detail}" if error.detail else ""
        note(f"{visit.asked.method} {visit.asked.path}: {error.kind}: {error.message}{detail}")


def _extra(status: int, error: DasflexError) -> tuple[tuple[str, str], ...]:
    """What a failure asks for: where to log in, and when to come again."""
    if status == 401:
        return (("WWW-Authenticate", f'Basic realm="{realm_of(error)}"'),)
    return (("Retry-After", str(error.retry_after)),) if isinstance(error, BusyError) else ()


def _shown(site: Site, visit: Visit, error: DasflexError, text: str, note: Callable[[str], None]) -> Answer | None:
    """The page, the object or the das stream that tells of an error; None where a line of text has to do."""
    try:
        if visit.asked.browser:
            from dasflex_cgi import pages

            status = status_of(error, das2=visit.das2)
            return pages.error(site, visit.asked, status, text, visit.id)
        if not visit.das2 and "json" in visit.asked.headers.get("accept", ""):
            from dasflex_cgi.explaining import prefers_json

            if prefers_json(visit.asked.headers["accept"]):
                return _object(site, visit, error, text)
        if visit.wanted is not None:
            info = telling_type(site.registry, visit.wanted)
            return Answer(200, (("Content-Type", info.media_type),), told(info, error.kind, text)) if info else None
    except Exception as broken:  # noqa: BLE001  a page or plugin that is broken must not hide the failure itself
        note(f"an error cannot be shown as it should be: {type(broken).__name__}: {broken}")
    return None


def _object(site: Site, visit: Visit, error: DasflexError, text: str) -> Answer:
    """A failure as a JSON object: what a price says to programs is among it."""
    import json

    from dasflex_cgi.pricing import refusal_facts

    facts = refusal_facts(site, visit, error) if isinstance(error, TooLargeError) else {}
    told = {"kind": error.kind, "message": text, "status": status_of(error), "request": visit.id, **facts}
    return Answer(200, (("Content-Type", JSON),), (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
