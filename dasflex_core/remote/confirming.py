# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an answer of a dasflex server is whole: what its record says, by `/request/ID`.

Behind CGI an answer that breaks ends as a whole one does. So a server writes down what it has delivered, and a client
compares that with what has come.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import DasflexError, SourceError
from dasflex_core.plan.identity import sha256
from dasflex_core.remote.asking import asked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.remote.asking import Address, Reply

__all__ = ["ENDINGS", "Confirmed", "record_bases"]

#: Where a dasflex server is asked in das2, below what has its other addresses.
ENDINGS: Final = ("/das/server", "/das/das2server")

_ID: Final = re.compile(r"[0-9a-z]{22}")
_PATIENCE: Final = 10.0
_LONGEST: Final = 1_000_000


def record_bases(where: Address) -> tuple[Address, ...]:
    """Below what the records may be, of a server that is asked at an address in das2."""
    base = where.url.rstrip("/")
    found = [replace(where, url=base[: -len(each)]) for each in ENDINGS if base.lower().endswith(each)]
    return (*found, where)


class Confirmed:
    """The bytes of an answer, counted as they pass, and compared with the server's record at their end.

    `record` is that record, None where the server has none; `checked` is whether it was compared.
    """

    def __init__(self, reply: Reply, bases: Iterable[Address]) -> None:
        self.id = reply.header("X-Request-Id").strip().lower()
        self.bytes = 0
        self.record: dict[str, object] | None = None
        self._name = reply.name
        self._bases = tuple(bases)
        self._hash = sha256()(b"")

    @property
    def sha256(self) -> str:
        """The hash of what has come."""
        return self._hash.hexdigest()

    @property
    def checked(self) -> bool:
        """Whether the server has confirmed that this is all."""
        return self.record is not None

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks. Raises `SourceError` at their end, where the server has delivered others, or more."""
        for chunk in chunks:
            self.bytes += len(chunk)
            self._hash.update(chunk)
            yield chunk
        self.confirm()

    def confirm(self) -> None:
        """Compares what has come with the record. Raises `SourceError` where it is not the same."""
        self.record = self._asked() if _ID.fullmatch(self.id) else None  # others have a header of that name, too
        if self.record is None:
            return
        told = f"{self._name} says of the request {self.id}"
        if self.record.get("complete") is not True:
            reason = str(self.record.get("error") or "it was broken off")
            raise SourceError(f"{told} that the answer is not whole: {reason}", kind="source.truncated")
        count, digest = self.record.get("bytes"), self.record.get("sha256")
        if isinstance(count, int) and count != self.bytes:
            what = f"{told} that {count:,} bytes were sent; {self.bytes:,} have come"
            raise SourceError(what, kind="source.truncated")
        if digest and digest != self.sha256:
            raise SourceError(f"{told} that other bytes were sent than have come", kind="source.stream")

    def _asked(self) -> dict[str, object] | None:
        """The record, from the first base that has it."""
        for base in self._bases:
            try:
                with asked(base.below(f"request/{self.id}"), patience=_PATIENCE, accept="application/json") as reply:
                    found = json.loads(reply.whole(_LONGEST))
            except (DasflexError, ValueError):  # there is none here, or it is not shown
                continue
            if isinstance(found, dict) and found.get("id") == self.id:
                return found
        return None
