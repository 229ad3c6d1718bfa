# SPDX-License-Identifier: GPL-3.0-or-later
"""A task as the queue knows it: plain JSON, which names no code. What is run is what a plugin declared.

Jobs of the queue's own name a function of any module, and callbacks, which whoever reaches Redis could choose. Nothing
of that is looked at here: a job has the name of a kind of task and texts as its arguments.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from rq.exceptions import DeserializationError, TimeoutFormatError
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from dasflex_core.errors import AccessError, ConfigError, DasflexError, NotFoundError, QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis
    from redis.client import Pipeline
    from rq.executions import Execution

    from dasflex_core.declarations import TaskKind
    from dasflex_core.site import Site

__all__ = ["FUNCTION", "TaskJob", "Working", "server_time"]

#: What stands where the queue's own jobs name a function.
FUNCTION: Final = "task"
#: Failures that another try does not mend.
_LASTING: Final = (QueryError, NotFoundError, AccessError, ConfigError)
#: What the queue raises for fields of a job that hold what they cannot.
_RUINED: Final = (AssertionError, AttributeError, LookupError, TypeError, ValueError, TimeoutFormatError)
#: Seconds between two notes of how far a task is, and how long none is written where the server did not answer.
_NOTE: Final = 1.0
_PAUSE: Final = 10.0
_LOOK: Final = 0.5
#: Writes a note of a job that is there; another way would leave a job of which nothing but the note is known.
_NOTED: Final = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'meta', ARGV[1]) end"
_LOGGER: Final = logging.getLogger("dasflex.work")


def server_time(connection: Redis) -> int:
    """Seconds since 1970 by the clock of the server: those of two workers may differ."""
    seconds, _micro = connection.time()
    return int(seconds)


class Working(StartedJobRegistry):
    """The jobs that are worked on, each until when it counts as that: by the clock of the server."""

    def add_execution(self, execution: Execution, pipeline: Pipeline, ttl: int = 0, xx: bool = False) -> int:  # noqa: FBT001, FBT002  as the queue calls it
        """Notes that a job is worked on, for so many seconds more."""
        until = server_time(self.connection) + ttl
        pipeline.zadd(self.key, {execution.composite_key: until}, xx=xx)
        return 0


class TaskJob(Job):
    """A job that is a task."""

    @property
    def success_callback(self) -> None:
        """None, whatever the server says."""

    @property
    def failure_callback(self) -> None:
        """None, whatever the server says."""

    @property
    def stopped_callback(self) -> None:
        """None, whatever the server says."""

    def send_webhooks(self, status: Any, *, exc_string: str | None = None) -> None:  # noqa: ANN401  that of the queue
        """Sends nothing, whatever the server says."""

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Takes over what the server says. Of what is ruined, which ends no worker, only what is to be done counts."""
        try:
            super().restore(raw_data)
        except _RUINED:
            kept = {name: raw_data[name] for name in (b"data", b"origin") if name in raw_data}
            super().restore(kept | {b"timeout": b"-1"})

    @property
    def started_job_registry(self) -> Working:
        """The registry of what is worked on."""
        return Working(self.origin, connection=self.connection, job_class=type(self), serializer=self.serializer)

    def perform(self) -> str | None:
        """Does the task, in a process of its own, and gives what there is to say. Raises whatever fails."""
        from dasflex_core.loading import load
        from dasflex_core.site import open_site
        from dasflex_core.tasks import Spool, Work

        _end_with(os.getppid())
        begun = time.monotonic()
        notes = Notes(self)
        site = open_site()
        try:
            kind, arguments = self.told(site)
            self.meta = {"tries": len(kind.waits) - (self.retries_left or 0) + 1}
            work = Work(site, arguments, notes.tell, self.meta["tries"])
            _LOGGER.info("%s: begun", self.id)
            said = load(kind.run)(work)
        except Exception as error:
            self._failed(error, notes)
            if not self.should_retry:
                Spool(site.config).drop(self.id)
            raise
        self.meta |= {"fraction": 1.0, "said": str(said or "")}
        notes.write()
        Spool(site.config).drop(self.id)
        _LOGGER.info("%s: done in %.1f s", self.id, time.monotonic() - begun)
        return None if said is None else str(said)

    def told(self, site: Site) -> tuple[TaskKind, dict[str, str]]:
        """The kind of the task, and its arguments. Raises `ConfigError` where no plugin does such tasks."""
        try:
            named, arguments = str(self.kwargs["kind"]), self.kwargs["arguments"]
        except (DeserializationError, LookupError, TypeError, ValueError) as error:
            raise ConfigError(
                "What Redis has of the task is no task: something else wrote it", kind="config.plugin"
            ) from error
        for kind in site.registry.task_kinds:
            if kind.name == named and isinstance(arguments, dict):
                return kind, {str(name): str(text) for name, text in arguments.items()}
        raise ConfigError(f"No plugin of this worker does tasks of the kind {named:.80}", kind="config.plugin")

    def _failed(self, error: Exception, notes: Notes) -> None:
        """Notes why the task failed; what cannot be mended is not tried again."""
        ours = isinstance(error, DasflexError)
        text = str(error) if ours else f"{type(error).__name__}: {error}"
        self.meta |= {"error": text}
        if isinstance(error, _LASTING):
            self.retries_left = 0
        again = "it will be tried again" if self.should_retry else "it is given up"
        _LOGGER.warning("%s: %s; %s", self.id, text, again, exc_info=None if ours else error)
        notes.write()


class Notes:
    """What is noted of a task while it is done. A server that does not answer holds nothing up."""

    def __init__(self, job: TaskJob) -> None:
        self._job = job
        self._next = 0.0
        self._server: Redis | None = None

    def tell(self, fraction: float | None, doing: str = "") -> None:
        """Notes how much is done, at most once a second."""
        self._job.meta |= {"fraction": fraction, "doing": doing}
        if time.monotonic() >= self._next:
            self.write()

    def write(self) -> None:
        """Writes what there is to be noted."""
        from redis import RedisError

        self._next = time.monotonic() + _NOTE
        try:
            if self._server is None:
                self._server = self._connected()
            self._server.eval(_NOTED, 1, self._job.key, JSONSerializer.dumps(self._job.meta))
        except (RedisError, DasflexError) as error:
            self._next = time.monotonic() + _PAUSE
            _LOGGER.debug("%s: not noted: %s", self._job.id, error)

    def _connected(self) -> Redis:
        from dasflex_core.site import open_site
        from dasflex_work.broker import connected

        return connected(open_site().config, timeout=0.5)


def _end_with(parent: int) -> None:
    """Ends this process when the worker that started it is gone: another one does the task then."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="dasflex-work-leash", daemon=True).start()
