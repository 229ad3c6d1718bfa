# SPDX-License-Identifier: GPL-3.0-or-later
"""Request records: what was asked, and what became of it. One small file of JSON each, written when the run ends."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, NotFoundError
from dasflex_core.redacting import masked_pairs, secrets_in, without
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ProgramRecord",
    "RequestRecord",
    "iso_time",
    "new_request_id",
    "read_record",
    "shown_to_clients",
    "write_record",
]

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_ID: Final = re.compile(r"[0-9a-z]{22}")
#: What only the administrator may see: who asked, and by what commands it was answered.
_HIDDEN: Final = ("user", "programs", "stages")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRecord:
    """A program of a run: the stage that it belongs to, its command without secrets, and how it ended.

    `status` is its exit status; None where a `signal`, such as SIGTERM, has ended it, or where it was still running
    when the record was written: then the server was about to end it.
    """

    stage: str
    command: tuple[str, ...]
    status: int | None = None
    signal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """A request and its end.

    `request` are the canonical parameters, `plan` and `answer` the two ids of the plan. `started` and `ended` are in
    UTC. `complete` says that all was delivered and nothing failed; `bytes` and `sha256` are of what was delivered
    (blank where it was not hashed, since the stream was faster than the hash); `records` counts those of the last
    items in the plan, None where bytes were passed through. `error_kind` and `error` are a failure's kind and text;
    both are blank where the client left early.

    `user` is who had logged in, `convention` how the parameters were named, and `format` the stream type that was
    delivered. `stages` are the nodes of the plan, `programs` what was started for them, and `read` the bytes that came
    from readers. What is secret among parameters and arguments is not written.
    """

    id: str
    source: str = ""
    request: tuple[tuple[str, str], ...] = ()
    plan: str = ""
    answer: str = ""
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    complete: bool = False
    bytes: int = 0
    records: int | None = None
    sha256: str = ""
    error_kind: str = ""
    error: str = ""
    user: str = ""
    convention: str = ""
    format: str = ""
    stages: tuple[str, ...] = ()
    programs: tuple[ProgramRecord, ...] = ()
    read: int = 0

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ConfigError(f"{self.id!r} is no request id; new_request_id() makes one", kind="config.bad-value")


def new_request_id() -> str:
    """A new id: 22 lower-case letters and digits that sort by time and cannot be guessed.

    The first 9 are the milliseconds since 1970, the others 65 random bits, 5 bits to a letter. There is no i, l, o
    and u, so that none is misread.
    """
    number = (int(time() * 1000) << 65) | (int.from_bytes(os.urandom(9)) >> 7)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(105, -1, -5))


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as UTC text, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_record(record: RequestRecord, directory: str, note: Callable[[str], None]) -> None:
    """Writes the record to `directory/ID.json`, whole or not at all.

    A disk that is full or not there does not fail the request, which is answered by now: `note` is told.
    """
    import json

    from dasflex_core.run.filing import replaced

    shown = _plain(record) | {
        "request": dict(masked_pairs(record.request)),
        "programs": [_plain(each) for each in record.programs],
        "error": without(secrets_in(record.request), record.error),
    }
    text = json.dumps(shown, ensure_ascii=False, indent=1)
    try:
        folder = Path(directory)
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        replaced(folder / f"{record.id}.json", text.encode("utf-8", "replace"))
    except OSError as error:
        note(f"the record of request {record.id} cannot be written: {error}")


def _plain(value: RequestRecord | ProgramRecord) -> dict[str, object]:
    """The fields of a record."""
    return {each.name: getattr(value, each.name) for each in fields(value)}


def shown_to_clients(record: RequestRecord) -> dict[str, object]:
    """What anybody may know of a request who knows its id: neither commands nor users."""
    shown = _plain(record) | {"request": dict(record.request)}
    return {name: value for name, value in shown.items() if name not in _HIDDEN}


def read_record(identifier: str, directory: str) -> RequestRecord:
    """The record of a request, case aside.

    Raises `NotFoundError` (`not-found.request`) where there is none, or none any more.
    """
    import json

    missing = NotFoundError(
        f"There is no record of a request {identifier[:40]!r}; records are kept for a while after a request has ended",
        kind="not-found.request",
    )
    named = identifier.lower()
    if not _ID.fullmatch(named):
        raise missing
    try:
        shown = json.loads((Path(directory) / f"{named}.json").read_bytes())
        programs = [ProgramRecord(**{**each, "command": tuple(each["command"])}) for each in shown.get("programs", ())]
        told = {"request": tuple(shown["request"].items()), "programs": tuple(programs)}
        return RequestRecord(**{**shown, **told, "stages": tuple(shown.get("stages", ()))})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise missing from error
