# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of one job: its plan is run, the bytes go into a file, and what becomes of it is noted as it goes."""

from __future__ import annotations

import errno
import os
import sys
import time
from dataclasses import replace
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, Literal

from dasflex_core.errors import BusyError, DasflexError
from dasflex_core.jobs.model import Status
from dasflex_core.statuses import public_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dasflex_core.config import Config
    from dasflex_core.jobs.model import Job
    from dasflex_core.jobs.store import Jobs
    from dasflex_core.prices import Estimate
    from dasflex_core.run import Pump
    from dasflex_core.site import Site
    from dasflex_core.solved import Plan

__all__ = ["Work", "planned"]

#: Why a run is ended before it is done; blank: it is not.
Why = Literal["", "stopped", "cancelled", "full"]
#: Seconds between two looks whether somebody wants the job to end, and between two notes of how far it is.
_LOOK: Final = 0.2
_NOTE: Final = 1.0
#: How much is done at most before all is: an estimate may be too low.
_NEARLY: Final = 0.99
_NO_ROOM: Final = "The server has no room for the whole result; ask for less, or later"


class Work:
    """One try at a job, by whoever holds its lock.

    `stop` may be called by a handler of a signal: the job then waits again, and the try does not count.
    """

    def __init__(self, config: Config, jobs: Jobs, identifier: str) -> None:
        self._config = config
        self._jobs = jobs
        self._id = identifier
        self._written = 0
        self._expected: Estimate | None = None
        self._why: Why = ""
        self._over = Event()
        self._pump: Pump | None = None
        self._status = jobs.status(identifier)

    def do(self) -> Status:
        """Does the work, and gives what became of it, which is noted. Nothing that was started is left."""
        now = time.time()
        self._note(Status(state="running", tries=self._status.tries + 1, started=now, updated=now))
        watch = Thread(target=self._watch, name="dasflex-job", daemon=True)
        watch.start()
        try:
            made = self._ended(self._answer())
        except Exception as error:  # noqa: BLE001  whatever fails: the job must say so
            made = self._failed(error)
        self._over.set()
        watch.join()
        self._note(made)
        return made

    def stop(self) -> None:
        """Ends the work soon."""
        self._why = self._why or "stopped"

    # -- the run

    def _answer(self) -> str:
        """Runs the plan into the file, and gives the digest of what is in it. Raises whatever fails."""
        job = self._jobs.find(self._id)
        if self._jobs.end_wished(self._id):
            self._why = "cancelled"
        unfinished, result = self._jobs.partial(self._id), self._jobs.result(self._id)
        with self._opened(job) as pump, os.fdopen(_opened_file(unfinished), "wb", buffering=0) as file:
            self._pump = pump
            if self._why:
                raise _ended_early()
            for chunk in pump.chunks():
                left = memoryview(chunk)
                while left:
                    left = left[file.write(left) :]
                self._written += len(chunk)
            os.fsync(file.fileno())
            if self._why:  # nothing came that it could have broken
                raise _ended_early()
        unfinished.replace(result)
        return pump.record.sha256

    def _opened(self, job: Job) -> Pump:
        """The run of the plan. What may be had was decided when the job was asked for, and `request` is that."""
        from dasflex_core.run import Pump, new_request_id
        from dasflex_core.site import open_site

        plan, identifier = planned(open_site(self._config.file), job), new_request_id()
        self._status = replace(self._status, run=identifier)
        settings = plan.settings(identifier, absence=f"{job.source} has no data in this range", plain=True)
        hold = partial(self._turn, plan)
        settings = replace(settings, hold=hold, pulse=0.0, first_byte=0.0)  # nobody waits for the first byte
        self._expected = plan.estimate()
        return Pump(plan.solution.nodes, settings, plan.about(identifier))

    def _turn(self, plan: Plan) -> Callable[[], None]:
        """The job's place among the requests that run at once, held until what this gives is called.

        It waits for as long as there is none. Its client's other requests are not fewer because of it.
        """
        crowd = plan.crowd("")
        while True:
            try:
                return crowd.enter()
            except BusyError:
                if self._why:
                    raise
            time.sleep(_LOOK)

    # -- beside the run

    def _watch(self) -> None:
        """Ends the run when somebody wants that, or there is no more room; notes how far it is."""
        noted = time.monotonic()
        while not self._over.wait(_LOOK):
            if self._jobs.end_wished(self._id):
                self._why = self._why or "cancelled"
            elif time.monotonic() - noted >= _NOTE:
                noted = time.monotonic()
                if self._is_full():
                    self._why = self._why or "full"
                self._note(self._so_far())
            if self._why and self._pump is not None:
                self._pump.cancel()

    def _is_full(self) -> bool:
        """Whether all results together take more than they may."""
        most = self._config.limit_jobs_gigabytes * 1e9
        return bool(most) and self._jobs.size() > most

    # -- what is noted

    def _so_far(self) -> Status:
        """The status of a job that runs."""
        stats = self._pump.stats if self._pump is not None else ()
        counted = [each.records for each in stats if each.records]
        records = counted[-1] if counted else None
        fraction = self._fraction(stats[0].bytes if stats else 0, records or 0)
        return replace(self._status, bytes=self._written, records=records, fraction=fraction, updated=time.time())

    def _fraction(self, read: int, records: int) -> float | None:
        """How much of what was expected is done: of what is read, else of what comes of it; None where nothing was."""
        expected = self._expected
        if expected is None:
            return None
        pairs = ((read, expected.read), (self._written, expected.bytes), (records, expected.records))
        known = [count / most for count, most in pairs if most]
        return min(next(filter(None, known), 0.0), _NEARLY) if known else None

    def _ended(self, sha256: str) -> Status:
        """The status of a job that is complete."""
        now = time.time()
        records = self._pump.record.records if self._pump is not None else None
        return replace(
            self._status, state="complete", bytes=self._written, records=records, fraction=1.0, updated=now, ended=now,
            sha256=sha256,
        )  # fmt: skip

    def _failed(self, error: Exception) -> Status:
        """The status of a job that did not become complete, whose file is removed."""
        self._jobs.drop_partial(self._id)
        now = time.time()
        status = replace(self._so_far(), bytes=0, ended=now, sha256="")
        if self._why == "stopped":
            return Status(tries=status.tries - 1, updated=now)
        if self._why == "cancelled":
            return replace(status, state="cancelled", kind="busy.stopped", error="The job was cancelled")
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if self._why == "full" or full:
            return replace(status, state="failed", kind="busy.limit", error=_NO_ROOM)
        if isinstance(error, DasflexError):
            detail = f"\n{error.detail}" if error.detail else ""
            _say(f"{error.kind}: {error.message}{detail}")
            return replace(status, state="failed", kind=error.kind, error=public_text(error))
        from traceback import format_exc

        _say(format_exc())
        return replace(status, state="failed", kind="error", error=public_text(DasflexError("")))

    def _note(self, status: Status) -> None:
        """Notes the status. A disk that is full must not end a run, whose end is noted again."""
        self._status = status
        for _try in range(10 if status.over else 1):
            if not self._jobs.folder(self._id).exists():
                return  # nobody asks any more
            try:
                self._jobs.put(self._id, status)
            except DasflexError as error:
                _say(f"the status cannot be written: {error.detail or error}")
                if status.over:
                    time.sleep(_LOOK)
            else:
                return


def planned(site: Site, job: Job) -> Plan:
    """The plan of a job. Raises `NotFoundError` where the source has gone, and `QueryError`."""
    from dasflex_core.site import Request
    from dasflex_core.solved import Plan

    source = site[job.source]
    request = Request(source, job.request)
    solution = site.planner.solve(source.definition, job.request, convention="flex")
    return Plan(request, solution, job.user, job.note)


def _opened_file(path: Path) -> int:
    """A new file that is not for everybody on the machine."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o660)


def _ended_early() -> BusyError:
    """The error of a job that is to end."""
    return BusyError("The job was ended before it was done", kind="busy.stopped")


def _say(text: str) -> None:
    """Tells the administrator: what the program says is in the log of the job."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  the log of the job is the standard error
