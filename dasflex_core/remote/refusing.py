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

_MESSAGE: Final = re.compile(r"""<exception\b[^>]*?\bmessage\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.DOTALL)
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

    One that a dasflex server tells with its kind is of that kind again.
    """
    kind, words = _told(body, media_type)
    if not words and reason and status < 400:  # noqa: PLR2004  a redirection that is not followed
        words = reason
    text = f"{name} answers {status}" + (f": {words}" if words else "")
    family = _FAMILIES.get(kind.partition(".")[0])
    if family is not None:
        return family(text, kind=kind)
    if status == 401:  # noqa: PLR2004  HTTP
        return AccessError(text, kind="access.log-in")
    if status == 403:  # noqa: PLR2004  the same
        return AccessError(text, kind="access.denied")
    if status in (404, 410):
        return NotFoundError(text, kind="not-found.source")
    if status in (400, 413, 414):
        return QueryError(text, kind="query")
    if status in (429, 503):
        return BusyError(text, kind="busy.limit")
    return SourceError(text, kind="source.start")


def _told(body: str, media_type: str) -> tuple[str, str]:
    """The kind of an error, where the body names one of ours, and its words."""
    text = body.lstrip()
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
        status = found.get("status")
        if isinstance(status, dict):  # HAPI
            return "", _line(str(status.get("message", "")))
        return str(found.get("kind", "")), _line(str(found.get("message", "")))
    if found := _MESSAGE.search(text):
        return "", _line(unescape(next(filter(None, found.groups()), "")))
    if "html" in media_type.lower() or re.match(r"<(?:!doctype|html)", text, re.IGNORECASE):
        return "", ""
    return "", _line(re.sub(r"<[^>]*>|\[\w\w\]\d{6}", " ", text))


def _line(text: str) -> str:
    """A text on one line, and cut where it is long."""
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"
