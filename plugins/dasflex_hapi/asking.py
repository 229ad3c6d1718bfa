# SPDX-License-Identifier: GPL-3.0-or-later
"""A HAPI server, asked: `capabilities`, `info` and `data`, in the words that all versions take (HAPI 3.3, 1.2).

Servers of 2.x know `id`, `time.min` and `time.max` only, and those of 3.x take them, too.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.errors import AccessError, NotFoundError, QueryError, SourceError
from dasflex_core.remote.asking import asked
from dasflex_core.values import dataclass
from dasflex_hapi.address import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dasflex_core.remote.asking import Reply
    from dasflex_hapi.address import HapiSet

__all__ = ["HapiServer", "NothingError", "OutsideError"]

#: Errors of HAPI by their code (HAPI 3.3, 4.2): what can be done about them.
_NO_DATA: Final = 1201
_GOOD: Final = 1200
_OUTSIDE: Final = 1405
_TOO_MUCH: Final = 1408
_TIMES: Final = (1402, 1403, 1404)


class NothingError(Exception):
    """The server says that there are no data."""


class OutsideError(Exception):
    """The server says that the range reaches beyond its data."""


@dataclass(frozen=True, slots=True)
class HapiServer:
    """A server, of which one data set is asked for. It may be silent for `patience` seconds."""

    set: HapiSet
    patience: float
    cancelled: Callable[[], bool] | None = None

    def formats(self) -> tuple[str, ...]:
        """The formats in which it gives data. Raises `SourceError` and its kin."""
        said = self._json("capabilities", ())
        return tuple(str(each) for each in said.get("outputFormats") or ("csv",))

    def info(self, parameters: Sequence[str] = ()) -> dict[str, Any]:
        """How it describes the data set, or some parameters of it. Raises `SourceError` and its kin."""
        some = (("parameters", ",".join(parameters)),) if parameters else ()
        return self._json("info", (("id", self.set.id), *some))

    @contextmanager
    def data(self, begin: str, end: str, parameters: Sequence[str], form: str) -> Iterator[Reply]:
        """The answer to a request for data of a half-open range, when it has begun.

        Raises `NothingError`, `OutsideError`, and `SourceError` and its kin.
        """
        pairs = [("id", self.set.id), ("time.min", begin), ("time.max", end)]
        pairs += [("parameters", ",".join(parameters))] if parameters else []
        pairs += [("format", form)] if form != "csv" else []
        with self._asked("data", pairs) as reply:
            if reply.media_type == "application/json":  # the status of HTTP was forgotten
                raise self._failed(reply)
            if reply.media_type in ("text/html", "application/xhtml+xml"):
                raise SourceError(f"{NAME} answers with a page, not with data", kind="source.stream")
            yield reply

    def _json(self, endpoint: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """An answer of JSON."""
        with self._asked(endpoint, pairs) as reply:
            said = _object(reply.whole())
        code = _code(said)
        if code not in (_GOOD, _NO_DATA, 0):
            raise _meant(code, str(said.get("status", {}).get("message", "")))
        return said

    def _failed(self, reply: Reply) -> Exception:
        """What an object in the place of data says."""
        said = _object(reply.whole())
        code = _code(said)
        if code == _NO_DATA:
            return NothingError()
        return _meant(code, str(said.get("status", {}).get("message", "")))

    @contextmanager
    def _asked(self, endpoint: str, pairs: Sequence[tuple[str, str]]) -> Iterator[Reply]:
        """The answer of an endpoint."""
        where = self.set.where.below(endpoint)
        try:
            with asked(where, pairs, patience=self.patience, cancelled=self.cancelled, name=NAME) as reply:
                yield reply
        except (AccessError, NotFoundError, QueryError) as error:
            code = int(error.detail) if error.detail.isdecimal() else 0
            if code == _NO_DATA:
                raise NothingError from error
            raise _meant(code, error.message) from error


def _meant(code: int, message: str) -> Exception:
    """The error that a code means, with the words of the server."""
    words = " ".join(message.split())[:300]
    text = words if words.startswith(NAME) else f"{NAME} answers {code}: {words}"
    if code == _OUTSIDE:
        return OutsideError(text)
    if code == _TOO_MUCH:
        return QueryError(f"{text}. Ask for a shorter range", kind="query.too-large")
    if code in _TIMES:
        return QueryError(text, kind="query.bad-range")
    return SourceError(text, kind="source.start")


def _object(data: bytes) -> dict[str, Any]:
    """An object of JSON. Raises `SourceError`."""
    try:
        said = json.loads(data)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise SourceError(f"{NAME} answers with what is no JSON", kind="source.stream")
    return said


def _code(said: dict[str, Any]) -> int:
    """The code of a status; 0 where there is none."""
    status = said.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    return code if isinstance(code, int) else 0
