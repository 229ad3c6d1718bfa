# SPDX-License-Identifier: GPL-3.0-or-later
"""One worker: the queue's own, with each task in a process of its own, which also tends the list between tasks.

A worker that tends puts on the list what was handed over, and what is to be tried again or was worked on by somebody
who is gone. All workers may; each time one of them does. Nobody needs to while all of them work.
"""

from __future__ import annotations

import logging
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import TimeoutError as NoAnswerError
from rq import Worker
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.worker_registration import clean_worker_registry

from dasflex_work.job import TaskJob, Working, server_time
from dasflex_work.names import turn_key

if TYPE_CHECKING:
    from rq.executions import Execution
    from rq.job import Job

    from dasflex_core.site import Site
    from dasflex_work.worklist import WorkList

__all__ = ["TaskWorker", "preload"]

#: How many signs of life may be missed before somebody else does the task.
_MISSED: Final = 3
#: Seconds that a worker waits at most before it tries again to reach the server.
_PATIENCE: Final = 5.0
#: What most tasks import, and takes long.
_NEEDED: Final = ("numpy", "dasflex_core.run", "dasflex_core.arrays")
_ARMED: Final = (signal.SIGINT, signal.SIGTERM)
_LOGGER: Final = logging.getLogger("dasflex.work")
_AWAY: Final = (NotConnectedError, NoAnswerError)


class TaskWorker(Worker):
    """A worker of a site. `beat` is how often it gives signs of life while it works, `every` how often it tends."""

    max_connection_wait_time = _PATIENCE

    def __init__(self, worklist: WorkList, name: str, *, beat: int, every: float) -> None:
        self._beat = beat
        self._every = every  # the queue's own worker asks for it while it is made
        super().__init__(
            [worklist.queue],
            name=name,
            connection=worklist.connection,
            job_class=TaskJob,
            serializer=JSONSerializer,
            job_monitoring_interval=beat,
            log_job_description=False,
        )
        self.log = logging.getLogger("dasflex.work.queue")
        self.asked_to_stop = False
        self._list = worklist
        self._tended = 0.0
        self._warned = False
        self._due = RQScheduler([worklist.queue], connection=worklist.connection, serializer=JSONSerializer)
        self._due.prepare_registries([worklist.name])

    # -- signs of life

    @property
    def dequeue_timeout(self) -> int:
        """Seconds that it waits for a task before it may tend again."""
        return max(1, int(self._every))

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002  as the queue calls it
        """Seconds after which a task is taken to be nobody's any more."""
        return _MISSED * self._beat

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Gives a sign of life, to those who hand tasks over as well; a server that is away ends no task."""
        with suppress(*_AWAY):
            super().maintain_heartbeats(job, execution)
        with suppress(OSError):
            self._list.spool.beat()

    def check_for_suspension(self, burst: bool) -> None:  # noqa: FBT001  as the queue calls it
        """Does nothing: it would ask the server before each task."""

    def request_stop(self, signum: Any, frame: Any) -> None:  # noqa: ANN401  as the queue calls it
        """Ends when the task at hand is done, at a second time at once."""
        self.asked_to_stop = True
        with suppress(*_AWAY):
            super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def setup_work_horse_signals(self) -> None:
        """Lets the process of a task go on when all are told to end; the readers that it starts do end then."""
        for each in _ARMED:
            signal.signal(each, lambda _number, _frame: None)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:  # noqa: ANN401  as the queue calls it
        """Does nothing: the task has told why it failed."""

    # -- tending

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Whether it is time to tend the list."""
        return time.monotonic() - self._tended >= self._every

    def run_maintenance_tasks(self) -> None:
        """Tends the list, if nobody else does now. A disk or a server that fails ends no worker."""
        self._tended = time.monotonic()
        try:
            if self.connection.set(turn_key(self._list.name), self.name, nx=True, px=max(1, int(self._every * 900))):
                self._tend()
        except (*_AWAY, OSError) as error:
            if not self._warned:
                _LOGGER.warning("the work-list cannot be tended: %s", error)
            self._warned = True
        else:
            self._warned = False

    def _tend(self) -> None:
        """Puts on the list what belongs there, and forgets what is long over."""
        worklist, queue = self._list, self._list.queue
        worklist.spool.beat()
        if lost := worklist.sweep():
            _LOGGER.warning("Redis had lost %d tasks, which are on the list again", lost)
        worklist.drain()
        self._due.enqueue_scheduled_jobs()
        Working(queue=queue, job_class=TaskJob).cleanup(server_time(self.connection))
        FinishedJobRegistry(queue=queue, job_class=TaskJob).cleanup()
        FailedJobRegistry(queue=queue, job_class=TaskJob).cleanup()
        queue.intermediate_queue.cleanup(self, queue)
        clean_worker_registry(queue)


def preload(site: Site) -> None:
    """Imports what tasks need, so that not each of their processes has to."""
    from importlib import import_module

    from dasflex_core.errors import DasflexError
    from dasflex_core.loading import load

    for each in _NEEDED:
        import_module(each)

    for kind in site.registry.task_kinds:
        try:
            load(kind.run)
        except DasflexError as error:
            _LOGGER.warning("the task %s cannot be done here: %s", kind.name, error)
