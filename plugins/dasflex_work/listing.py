# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the work-list, read from the server as it is there: 100,000 tasks are listed within a second.

So the queue's library is not imported, and of those that wait only the ids are fetched, which say what they are.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from dasflex_core.tasks import Spool
from dasflex_work.broker import queue_name
from dasflex_work.names import job_key, key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from redis import Redis

    from dasflex_core.config import Config

__all__ = ["STATES", "Counts", "Entry", "Listing", "State"]

State = Literal["waiting", "working", "finished", "failed", "unknown"]
STATES: Final[tuple[State, ...]] = ("waiting", "working", "finished", "failed")
#: What the server calls them.
_CALLED: Final[dict[bytes, State]] = {
    b"queued": "waiting",
    b"scheduled": "waiting",
    b"deferred": "waiting",
    b"created": "waiting",
    b"started": "working",
    b"finished": "finished",
    b"failed": "failed",
    b"stopped": "failed",
    b"canceled": "failed",
}
_FIELDS: Final = ("status", "meta", "data", "enqueued_at", "started_at", "ended_at", "worker_name", "retries_left")
_MANY: Final = 1_000
_KILLED: Final = "what worked on it was ended"
_STOPPED: Final = "it was cancelled"


@dataclass(frozen=True, slots=True)
class Entry:
    """A task on the list. `fraction` is how much is done, None where that is not known; `text` what there is to say.

    Moments are in seconds since 1970; 0 where there is none. `next` is when one that failed is tried again.
    """

    id: str
    state: State
    kind: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    fraction: float | None = None
    text: str = ""
    tries: int = 0
    worker: str = ""
    added: float = 0.0
    begun: float = 0.0
    ended: float = 0.0
    next: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tasks there are in each state, and how many workers."""

    waiting: int
    working: int
    finished: int
    failed: int
    workers: int

    def __str__(self) -> str:
        found = ", ".join(f"{getattr(self, each):,} {each}" for each in STATES)
        return f"{found}; {self.workers:,} worker{'' if self.workers == 1 else 's'}"


class Listing:
    """The work-list of a site, to be looked at."""

    def __init__(self, config: Config, server: Redis) -> None:
        self._spool = Spool(config)
        self._queue = queue_name(config)
        self._server = server

    def counts(self) -> Counts:
        """How many tasks there are. One that a worker takes just now is on two lists, and is counted as worked on."""
        pipeline = self._server.pipeline()
        pipeline.llen(key("waiting", self._queue))
        pipeline.lrange(key("between", self._queue), 0, -1)
        pipeline.zrange(key("working", self._queue), 0, -1)
        for each in ("again", "finished", "failed"):
            pipeline.zcard(key(each, self._queue))
        pipeline.scard(key("workers", self._queue))
        waiting, between, working, again, finished, failed, workers = pipeline.execute()
        taken = set(_texts(between)) - set(_without_execution(working))
        handed = len(self._spool.handed_over())
        return Counts(waiting + len(taken) + again + handed, len(working), finished, failed, workers)

    def ids(self, state: State) -> list[str]:
        """The ids of the tasks in a state: those that come next, or came last, first."""
        if state == "waiting":
            return list(dict.fromkeys((*self._between(), *self._waiting(), *self._again(), *self._spool.handed_over())))
        found = self._server.zrange(key(state, self._queue), 0, -1, desc=state != "working")
        return list(dict.fromkeys(_without_execution(found)))

    def entries(self, identifiers: Iterable[str]) -> Iterator[Entry]:
        """What is known of tasks. One that the server has forgotten waits until a worker puts it on the list again."""
        wanted = list(identifiers)
        handed = {*self._spool.handed_over(), *self._spool.taken()}
        for first in range(0, len(wanted), _MANY):
            some = wanted[first : first + _MANY]
            pipeline = self._server.pipeline(transaction=False)
            for each in some:
                pipeline.hmget(job_key(each), *_FIELDS)
                pipeline.zscore(key("again", self._queue), each)
            told = pipeline.execute()
            for place, each in enumerate(some):
                yield _entry(each, told[2 * place], told[2 * place + 1], handed=each in handed)

    def find(self, word: str) -> list[str]:
        """The ids that are a word, or begin with it, or end with it."""
        if self._server.exists(job_key(word)):
            return [word]
        known = dict.fromkeys(each for state in STATES for each in self.ids(state))
        return [each for each in known if each.startswith(word) or each.endswith(word)]

    def _waiting(self) -> list[str]:
        return _texts(self._server.lrange(key("waiting", self._queue), 0, -1))

    def _between(self) -> list[str]:
        return _texts(self._server.lrange(key("between", self._queue), 0, -1))

    def _again(self) -> list[str]:
        return _texts(self._server.zrange(key("again", self._queue), 0, -1))


def _entry(identifier: str, fields: Sequence[bytes | None], again: float | None, *, handed: bool) -> Entry:
    """A task, of what the server says of it."""
    status, meta, data, added, begun, ended, worker, _left = fields
    if data is None:
        return Entry(identifier, "waiting" if handed else "unknown")
    notes, told = _plain(meta), _plain(data)
    words = _object(told[3] if isinstance(told, list) and len(told) == 4 else None)
    state = _CALLED.get(status or b"", "unknown")
    found = _object(notes)
    fraction, tries = found.get("fraction"), found.get("tries")
    text = str(found.get("said" if state == "finished" else "doing" if state == "working" else "error", ""))
    if state == "failed":
        text = _STOPPED if status == b"stopped" else text or _KILLED
    return Entry(
        identifier,
        state,
        kind=str(words.get("kind", "")),
        arguments=tuple((str(name), str(value)) for name, value in _object(words.get("arguments")).items()),
        fraction=fraction if isinstance(fraction, float | int) and state in ("working", "finished") else None,
        text=text,
        tries=tries if isinstance(tries, int) else 0,
        worker=_text(worker or b"") if state == "working" else "",
        added=_moment(added),
        begun=_moment(begun),
        ended=_moment(ended),
        next=again or 0.0,
    )


def _plain(data: bytes | None) -> Any:  # noqa: ANN401  what JSON holds
    """What JSON says; an empty object where it says nothing."""
    import zlib

    try:
        return json.loads(zlib.decompress(data) if data and data[:1] == b"x" else data or b"{}")
    except (ValueError, zlib.error):
        return {}


def _object(found: object) -> dict[str, Any]:
    """An object of JSON; an empty one where it is something else, which nothing of ours wrote."""
    return found if isinstance(found, dict) else {}


def _moment(text: bytes | None) -> float:
    """A moment of the server in seconds since 1970; 0 where it is none."""
    with suppress(ValueError, OverflowError):
        return datetime.fromisoformat(_text(text)).timestamp() if text else 0.0
    return 0.0


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode(errors="replace")


def _without_execution(found: Iterable[object]) -> list[str]:
    """Ids, less the execution that stands behind them where a task is worked on."""
    return [each.partition(":")[0] for each in _texts(found)]


def _texts(found: Iterable[object]) -> list[str]:
    """The names that the server gave."""
    return [_text(each) for each in found if isinstance(each, (bytes, str))]
