# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAPI says of a request that fails: its codes and their words, the status of HTTP, and what else belongs to it.

The text names what the standard calls the thing, and what would be legal. It never has the client's own text, which the
standard asks not to be echoed (HAPI 3.3, 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from dasflex_core.errors import AccessError, BusyError, DasflexError, QueryError, SourceError, TooLargeError
from dasflex_core.statuses import public_text, realm_of, status_of
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HAPI", "MESSAGES", "HapiError", "Refusal", "phrase", "refusal_of", "status_json"]

#: What is advertised: the version without its patch (HAPI 3.3, 3.6.1).
HAPI: Final = "3.3"
#: The codes of the standard with their words (HAPI 3.3, 4).
MESSAGES: Final[Mapping[int, str]] = {
    1200: "OK",
    1201: "OK - no data for time range",
    1400: "Bad request - user input error",
    1401: "Bad request - unknown API parameter name",
    1402: "Bad request - syntax error in start",
    1403: "Bad request - syntax error in stop",
    1404: "Bad request - start equal to or after stop",
    1405: "Bad request - start < startDate and/or stop > stopDate",
    1406: "Bad request - unknown dataset id",
    1407: "Bad request - unknown dataset parameter",
    1408: "Bad request - too much time or data requested",
    1409: "Bad request - unsupported output format",
    1410: "Bad request - unsupported include value",
    1411: "Bad request - out-of-order or duplicate parameters",
    1412: "Bad request - unsupported resolve_references value",
    1413: "Bad request - unsupported depth value",
    1500: "Internal server error",
    1501: "Internal server error - upstream request error",
}
_NOT_FOUND: Final = (1406, 1407)
_PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

_ACCESS: Final = {
    401: "This dataset is protected: log in to read it",
    403: "This dataset is protected, and its rules do not allow this request",
}
#: Statuses, codes and words of other errors, by their kinds or the families of these.
_KINDS: Final = {
    "query.too-large": (400, 1408, "Ask for less time, or for fewer parameters"),
    "query": (400, 1400, "The request cannot be answered for this dataset"),
    "not-found": (404, 1406, "GET /hapi/catalog lists the datasets"),
}
_OURS: Final = (500, 1500, "The server is not set up for this request; its administrator can see why in its log")


class HapiError(QueryError):
    """A request that breaks a rule of the standard, with the code of the rule. `status` is that of HTTP."""

    def __init__(self, code: int, told: str = "", *, status: int = 0) -> None:
        super().__init__(told, kind="query.bad-value")
        self.code = code
        self.status = status or (404 if code in _NOT_FOUND else 400)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal as it is sent: the status of HTTP, the code and the message of HAPI, and headers beside the usual."""

    status: int
    code: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def phrase(self) -> str:
        """What stands in the first line of the answer."""
        return phrase(self.status, self.code)

    @property
    def body(self) -> bytes:
        """The JSON object that is sent, whatever format was asked."""
        return orjson.dumps({"HAPI": HAPI, "status": status_json(self.code, self.message)}) + b"\n"


def phrase(status: int, code: int) -> str:
    """The status with its words, and those of HAPI behind them.

    >>> phrase(404, 1406)
    '404 Not Found; HAPI 1406 Bad request - unknown dataset id'
    """
    return f"{status} {_PHRASES.get(status, 'Error')}; HAPI {code} {MESSAGES[code]}"


def status_json(code: int, message: str = "") -> dict[str, object]:
    """The object `status`."""
    return {"code": code, "message": message or MESSAGES[code]}


def refusal_of(error: DasflexError) -> Refusal:
    """What a client is told of an error."""
    if isinstance(error, HapiError):
        return _told(error.status, error.code, error.message)
    status = status_of(error)
    if isinstance(error, AccessError):
        asks = (("WWW-Authenticate", f'Basic realm="{realm_of(error)}"'),) if status == 401 else ()
        return _told(status, 1400, _ACCESS[status], asks)
    if isinstance(error, BusyError):
        later = (("Retry-After", str(error.retry_after)),)
        return _told(429 if status == 429 else 503, 1500, "The server is busy; try again later", later)
    if isinstance(error, SourceError):
        return _told(500, 1501, f"The program that reads the data failed: {public_text(error)}")
    if isinstance(error, TooLargeError):
        limits = "; ".join(f"the request {each}" for each in error.limits)
        return _told(400, 1408, ": ".join(filter(None, ("Ask for less time, or for fewer parameters", limits))))
    http, code, what = _KINDS.get(error.kind) or _KINDS.get(error.kind.partition(".")[0]) or _OURS
    return _told(http, code, what)


def _told(status: int, code: int, what: str, headers: tuple[tuple[str, str], ...] = ()) -> Refusal:
    """A refusal with its words; the literal `HAPI error` is what verifiers look for."""
    message = f"HAPI error {code}: {MESSAGES[code]}"
    return Refusal(status, code, f"{message}. {what}" if what else message, headers)
