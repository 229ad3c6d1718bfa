# SPDX-License-Identifier: GPL-3.0-or-later
"""The work-list of a site: tasks are put on it, taken off it, and put on it again where the server has lost them."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from rq import Queue
from rq.command import send_stop_job_command
from rq.exceptions import DeserializationError, InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.job import Retry as Tries
from rq.results import Result
from rq.scripts import save_unique_job
from rq.serializers import JSONSerializer
from rq.utils import as_text, now, utcparse

from dasflex_core.errors import ConfigError
from dasflex_core.tasks import Spool, Task
from dasflex_work.broker import queue_name
from dasflex_work.job import FUNCTION, TaskJob
from dasflex_work.names import job_key, key, swept_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from redis import Redis

    from dasflex_core.declarations import TaskKind
    from dasflex_core.site import Site

__all__ = ["WorkList"]

_T = TypeVar("_T")
#: How many are put on the list at once.
_MANY: Final = 500
#: Seconds for which it is known that a task is done, and that it failed.
_KEPT: Final = 3_600
_FAILED: Final = 30 * 86_400
#: Seconds after which a task that failed may be handed over once more.
_AGAIN: Final = 3_600.0
#: Seconds after which it is looked whether all that was handed over is on the list.
_SWEPT: Final = 600
_OVER: Final = frozenset((JobStatus.FINISHED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.STOPPED))


class WorkList:
    """The work-list of a site at a server. Everything here may be done by many programs at once."""

    def __init__(self, site: Site, connection: Redis) -> None:
        self.name = queue_name(site.config)
        self.connection = connection
        self.spool = Spool(site.config)
        self.queue = Queue(self.name, connection=connection, job_class=TaskJob, serializer=JSONSerializer)
        self._kinds = {each.name: each for each in site.registry.task_kinds}
        self._server = site.config.server_id

    # -- onto the list

    def add(self, tasks: Iterable[Task], *, again: bool = False) -> list[str]:
        """Puts tasks on the list, and gives the ids of those that were not there.

        One that was done is done once more; so is one that failed, if that was long ago or `again` is true. Raises
        `ConfigError` for a kind that no plugin has, before anything is done for the tasks that follow.
        """
        self.connection.sadd(Queue.redis_queues_keys, self.queue.key)
        found: list[str] = []
        for some in _batched(tasks):
            found += self._add(some, again=again)
        return found

    def drain(self) -> int:
        """Puts on the list what was handed over, and gives how many tasks."""
        count = 0
        for some in _batched(self.spool.handed_over()):
            tasks = [task for each in some if (task := self.spool.take(each)) is not None]
            known = [task for task in tasks if task.kind in self._kinds]
            for task in tasks:
                if task.kind not in self._kinds:
                    self.spool.drop(task.id(self._server))
            try:
                self.add(known)
            except Exception:
                for task in known:
                    self.spool.give_back(task.id(self._server))
                raise
            count += len(known)
        return count

    def sweep(self) -> int:
        """Puts on the list what was taken and is unknown to the server, which may have forgotten; gives how many.

        It forgets what is over. That is done where the server has forgotten all, and every ten minutes.
        """
        if not self.connection.set(swept_key(self.name), 1, nx=True, ex=_SWEPT):
            return 0
        lost: list[Task] = []
        for some in _batched(self.spool.taken()):
            for identifier, state in zip(some, self._states(some), strict=True):
                if state is None:
                    task = self.spool.read(identifier)
                    if task is not None and task.kind in self._kinds:
                        lost.append(task)
                elif state in _OVER:
                    self.spool.drop(identifier)
        self.add(lost)
        return len(lost)

    def _add(self, tasks: list[Task], *, again: bool) -> list[str]:
        """Puts some on the list, in one exchange with the server."""
        added: list[str] = []
        left = {self.spool.keep(task): task for task in tasks if self._kind(task)}
        for _try in range(3):
            known = self._saved(left)
            added += [each for each, new in known.items() if new]
            left = {each: left[each] for each, new in known.items() if not new and self._forget(each, again=again)}
            if not left:
                break
        return added

    def _saved(self, tasks: dict[str, Task]) -> dict[str, bool]:
        """Puts on the list what is unknown to the server, and gives for each whether it was."""
        if not tasks:
            return {}
        pipeline = self.connection.pipeline(transaction=False)
        for identifier, task in tasks.items():
            save_unique_job(pipeline, self.queue.key, self._job(identifier, task), at_front=task.front)
        return dict(zip(tasks, map(bool, pipeline.execute()), strict=True))

    def _job(self, identifier: str, task: Task) -> Job:
        """The job of a task."""
        waits = list(self._kind(task).waits)
        job = self.queue.create_job(
            FUNCTION,
            kwargs={"kind": task.kind, "arguments": dict(task.arguments)},
            job_id=identifier,
            description=identifier,
            timeout=-1,
            result_ttl=_KEPT,
            failure_ttl=_FAILED,
            retry=Tries(max=len(waits), interval=waits) if waits else None,
            status=JobStatus.QUEUED,
        )
        job.enqueued_at = now()
        return job

    def _kind(self, task: Task) -> TaskKind:
        """The kind of a task. Raises `ConfigError` where no plugin has it."""
        if task.kind not in self._kinds:
            known = ", ".join(sorted(self._kinds))
            raise ConfigError(f"There is no task {task.kind!r:.80}; there are {known}", kind="config.plugin")
        return self._kinds[task.kind]

    def _forget(self, identifier: str, *, again: bool) -> bool:
        """Makes a task that is over unknown to the server, and gives whether it is."""
        from redis import WatchError

        with self.connection.pipeline() as pipeline:
            try:
                pipeline.watch(job_key(identifier))
                told, ended, data = pipeline.hmget(job_key(identifier), "status", "ended_at", "data")
                if data is not None:
                    status = _status(told)
                    if status is None or status not in _OVER:
                        return False
                    if not again and status is not JobStatus.FINISHED and _since(ended) < _AGAIN:
                        self.spool.drop(identifier)
                        return False
                pipeline.multi()
                self._delete(identifier, pipeline)
                pipeline.execute()
            except WatchError:
                return False
        return True

    # -- off the list

    def cancel(self, identifier: str) -> str:
        """Takes a task off the list, or ends the work on it. Gives what it was: waiting, working, or blank."""
        waited = [
            identifier in self.spool.handed_over(),
            self.connection.lrem(self.queue.key, 0, identifier),
            self.connection.zrem(key("again", self.name), identifier),
        ]
        self.spool.drop(identifier)
        if any(waited):
            with self.connection.pipeline() as pipeline:
                self._delete(identifier, pipeline)
                pipeline.execute()
            return "waiting"
        try:
            send_stop_job_command(self.connection, identifier, serializer=JSONSerializer)
        except (InvalidJobOperation, NoSuchJobError):
            return ""
        return "working" if self._states([identifier])[0] is JobStatus.STARTED else ""

    def cancel_all(self) -> int:
        """Takes all off the list that wait, and gives how many."""
        gone = self.spool.handed_over()
        for each in gone:
            self.spool.drop(each)
        count = len(gone)
        for each in self.queue.get_job_ids():
            self.spool.drop(each)
        count += int(self.queue.empty())
        again = self.queue.scheduled_job_registry.get_job_ids()
        return count + sum(bool(self.cancel(each)) for each in again)

    def retry(self, identifiers: Iterable[str]) -> list[str]:
        """Puts tasks that failed on the list once more, and gives the ids of those that were."""
        tasks = []
        for each in identifiers:
            try:
                told = TaskJob.fetch(each, connection=self.connection, serializer=JSONSerializer).kwargs
                tasks.append(Task(str(told["kind"]), dict(told["arguments"])))
            except (NoSuchJobError, DeserializationError, LookupError, TypeError, ValueError):
                continue  # nothing is known of it, or what is known is no task
        return self.add(tasks, again=True)

    def _states(self, identifiers: Iterable[str]) -> list[JobStatus | None]:
        """What the server knows of tasks; None where nothing that would do."""
        with self.connection.pipeline(transaction=False) as pipeline:
            for each in identifiers:
                pipeline.hmget(job_key(each), "status", "data")
            return [_status(status) if data else None for status, data in pipeline.execute()]

    def _delete(self, identifier: str, pipeline: Redis) -> None:
        """Removes all that the server knows of a task."""
        job = TaskJob(identifier, connection=self.connection, serializer=JSONSerializer)
        for each in ("failed", "finished"):
            pipeline.zrem(key(each, self.name), identifier)
        pipeline.delete(job.key, job.dependents_key, job.dependencies_key, Result.get_key(identifier))


def _batched(values: Iterable[_T]) -> Iterator[list[_T]]:
    """The values in lists of which each is put on the list at once."""
    rest = iter(values)
    while some := list(islice(rest, _MANY)):
        yield some


def _status(text: bytes | str | None) -> JobStatus | None:
    """The state that the server tells; None where it is none of the queue's."""
    with suppress(ValueError):
        return JobStatus(as_text(text)) if text else None
    return None


def _since(text: bytes | str | None) -> float:
    """The seconds since a moment of the server; endless where there is none."""
    with suppress(ValueError):
        return (now() - utcparse(as_text(text))).total_seconds() if text else float("inf")
    return float("inf")
