# SPDX-License-Identifier: GPL-3.0-or-later
"""A job and its state, as values that are plain JSON in files."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENDED", "Job", "State", "Status", "from_plain", "to_plain"]

State = Literal["waiting", "running", "complete", "failed", "cancelled"]
#: The states of a job of which nothing more will come.
ENDED: Final = ("complete", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done, and for whom. It does not change, and no secret is in it.

    `request` are the parameters of the answer in the `flex` convention, with its times resolved, as they were granted
    to whoever asked: `user` (blank: nobody has logged in) at an `address`. `answer` is the answer id, `made` when it
    was asked, in seconds since 1970. `media_type` and `file_name` are those of the result, `text` is whether people can
    read it, and `note` tells why it is not all that was asked. `seconds` and `gigabytes` are the price of the plan.
    """

    id: str
    source: str
    request: tuple[tuple[str, str], ...]
    answer: str
    made: float
    user: str = ""
    address: str = ""
    media_type: str = "application/octet-stream"
    file_name: str = "data.bin"
    text: bool = False
    note: str = ""
    seconds: float = 0.0
    gigabytes: float = 0.0

    @property
    def owner(self) -> str:
        """Whose job it is, for what everybody may have so many of."""
        return f"user:{self.user}" if self.user else f"address:{self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What became of a job so far; times are in seconds since 1970, and 0 where they are not known.

    `tries` is how often it was begun, `bytes` how many there are of the result, `records` how many records are in it,
    None where bytes are passed through. `fraction` is how much of the work is done, None where nothing tells how much
    there is. `run` is the id of the request record of the run, `sha256` that of the result. `kind` and `error` are of
    the failure, as clients may see it. `removed` is when the result was.
    """

    state: State = "waiting"
    tries: int = 0
    bytes: int = 0
    records: int | None = None
    fraction: float | None = None
    started: float = 0.0
    updated: float = 0.0
    ended: float = 0.0
    run: str = ""
    sha256: str = ""
    kind: str = ""
    error: str = ""
    removed: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ENDED


_Value = TypeVar("_Value", Job, Status)


def to_plain(value: Job | Status) -> dict[str, object]:
    """A job or its status as JSON has it."""
    return {each.name: getattr(value, each.name) for each in fields(value)}


def from_plain(made: type[_Value], kept: Mapping[str, Any]) -> _Value:
    """The value as it was; what another release has added is left out. Raises `TypeError` or `ValueError`."""
    known = {each.name for each in fields(made)}
    values = {name: value for name, value in kept.items() if name in known}
    if "request" in values:
        values["request"] = tuple((str(name), str(text)) for name, text in values["request"])
    return made(**values)
