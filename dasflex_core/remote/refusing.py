# SPDX-License-Identifier: GPL-3.0-or-later
"""What another server means by a status that is no success: the errors of ours, in its own words.

dasflex   {"kind": "query.bad-value", "message": "…"}
das2      [00]000025<stream version="2.2" /> [xx]000057<exception type="IllegalArgument" message="…" />
HAPI      {"HAPI": "3.1", "status": {"code": 1406, "message": "…"}}
"""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import AccessError, BusyError, NotFoundError, QueryError, SourceError

if TYPE_CHECKING:
    from dasflex_core.errors import DasflexError

__all__ = ["refusal"]

_EXCEPTION: Final = re.compile(r"<exception\b([^>]*?)(?:/>|>(.*?)</exception>)", re.DOTALL)
_ATTRIBUTE: Final = re.compile(r"""\b(type|message)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_LONGEST: Final = 300
#: What an error of ours is, by the first part of its kind.
_FAMILIES: Final[dict[str, type[DasflexError]]] = {
    "query": QueryError,
    "not-found": NotFoundError,
    "access": AccessError,
    "busy": BusyError,
    "source": SourceError,
}


def refusal(status: int, body: str, name: str, media_type: str = "", reason: str = "") -> DasflexError:
    """The error that a status means; `name` is that of the server, which the text begins with.

    One that a dasflex server tells with its kind is of that kind again. Its `detail` is what a das2 server calls it, or
    the code of a HAPI server.
    """
    kind, words, detail = _told(body, media_type)
    if not words and reason and status < 400:
        words = reason
    text = f"{name} answers {status}" + (f": {words}" if words else "")
    made, kind = _meant(status, kind)
    return made(text, kind=kind, detail=detail)


def _meant(status: int, kind: str) -> tuple[type[DasflexError], str]:
    """The error that a status means, and its kind: that which was told, if it is one of ours."""
    family = _FAMILIES.get(kind.partition(".")[0])
    if family is not None:
        return family, kind
    by_status: dict[int, tuple[type[DasflexError], str]] = {
        400: (QueryError, "query"),
        401: (AccessError, "access.log-in"),
        403: (AccessError, "access.denied"),
        404: (NotFoundError, "not-found.source"),
        410: (NotFoundError, "not-found.gone"),
        413: (QueryError, "query.too-large"),
        414: (QueryError, "query.too-large"),
        429: (BusyError, "busy.rate"),
        503: (BusyError, "busy.limit"),
    }
    return by_status.get(status, (SourceError, "source.start"))


def _told(body: str, media_type: str) -> tuple[str, str, str]:
    """The kind of an error, where the body names one of ours, its words, and what else it is called."""
    text = body.lstrip()
    if text.startswith("{"):
        return _object(text)
    if found := _EXCEPTION.search(text):
        facts = {each[1]: unescape(each[2] or each[3] or "") for each in _ATTRIBUTE.finditer(found[1])}
        return "", _line(facts.get("message", "") or unescape(found[2] or "")), facts.get("type", "")
    if "html" in media_type.lower() or re.match(r"<(?:!doctype|html)", text, re.IGNORECASE):
        return "", "", ""
    return "", _line(re.sub(r"<[^>]*>|\[\w\w\]\d{6}", " ", text)), ""


def _object(text: str) -> tuple[str, str, str]:
    """The same of an object of JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        return "", "", ""
    status = found.get("status")
    if isinstance(status, dict):
        return "", _line(str(status.get("message", ""))), str(status.get("code", ""))
    return str(found.get("kind", "")), _line(str(found.get("message", ""))), ""


def _line(text: str) -> str:
    """A text on one line, and cut where it is long."""
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"
