# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs jobs: programs of this machine, as many at once as the configuration allows, each of which does one job.

`tend` is asked whenever somebody looks at jobs, and by each program when it has done its own. It notices those that
were killed, starts what waits, and removes what is too old. A queue would take the place of `start` and of the count.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.jobs.store import Jobs, made_at
from dasflex_core.run.guardian import VARIABLE
from dasflex_core.statuses import public_text

if TYPE_CHECKING:
    from dasflex_core.config import Config
    from dasflex_core.jobs.model import Status

__all__ = ["TAKEN", "cancel", "prune", "tend", "tend_within"]

#: How often a job is begun whose program was killed.
_TRIES: Final = 2
_KILLED: Final = (
    "The program that worked on this job was ended before it was done, and so was a second one; ask for less"
)
_DAY: Final = 86_400
#: Seconds that a program may take to begin, a job to end that is to, and a program that was killed.
_BEGINS: Final = 30.0
_ENDS: Final = 8.0
_DIES: Final = 2.0
_STEP: Final = 0.02
#: The exit status of a program that finds another one at its job.
TAKEN: Final = 3
#: What a web server says of a request in the environment of a CGI program (RFC 3875, and Apache): the job's program
#: has nothing to do with it, and passwords are among it.
_OF_REQUEST: Final = ("HTTP_", "REDIRECT_", "SSL_")
_MORE: Final = frozenset(
    (
        *("AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "CONTEXT_DOCUMENT_ROOT", "CONTEXT_PREFIX", "DOCUMENT_ROOT"),
        *("GATEWAY_INTERFACE", "HTTPS", "PATH_INFO", "PATH_TRANSLATED", "QUERY_STRING", "REMOTE_ADDR", "REMOTE_HOST"),
        *("REMOTE_IDENT", "REMOTE_PORT", "REMOTE_USER", "REQUEST_METHOD", "REQUEST_SCHEME", "REQUEST_URI"),
        *("SCRIPT_FILENAME", "SCRIPT_NAME", "SCRIPT_URI", "SCRIPT_URL", "SERVER_ADDR", "SERVER_ADMIN", "SERVER_NAME"),
        *("SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SIGNATURE", "SERVER_SOFTWARE", "UNIQUE_ID", VARIABLE),
    )
)


def tend(config: Config, jobs: Jobs | None = None) -> None:
    """Notices what was killed, removes what is too old, and starts what waits. Raises `DasflexError`."""
    kept = jobs or Jobs(config.jobs_path)
    if not kept.directory.is_dir():
        return
    with kept.gate():
        tend_within(config, kept)


def tend_within(config: Config, jobs: Jobs) -> None:
    """The same, for whoever holds the gate."""
    prune(config, jobs)
    running, waiting = 0, []
    for each in jobs.active():
        if jobs.is_held(each):
            running += 1
            continue
        try:
            if _is_to_begin(jobs, each):
                waiting.append(each)
        except DasflexError as error:
            _warn(each, error)
    most = config.limit_jobs_running
    for each in waiting:
        if most and running >= most:
            break
        try:
            running += _start(config, jobs, each)
        except DasflexError as error:
            _warn(each, error)


def _is_to_begin(jobs: Jobs, identifier: str) -> bool:
    """Whether a job waits that nobody works on; what is said of one that ended in another way is put right."""
    status = jobs.status(identifier)  # read behind the lock: nobody will change it any more
    if status.over or not (jobs.folder(identifier) / "job.json").exists():
        jobs.leave(identifier)
    elif jobs.end_wished(identifier):
        _end(jobs, identifier, status)
    elif status.state == "waiting" or status.tries < _TRIES:
        return True
    else:
        _fail(jobs, identifier, status, "busy.stopped", _KILLED)
    return False


def prune(config: Config, jobs: Jobs) -> list[str]:
    """Removes the results that are too old, and after as long again what is remembered of them. Gives their ids."""
    days = config.jobs_keep_days
    if not days:
        return []
    now = time.time()
    found = []
    for each in jobs.ids():
        if made_at(each) > now - days * _DAY:
            break  # and so are all that follow
        status = jobs.status(each)
        ended = status.ended or status.updated or made_at(each)
        if ended > now - days * _DAY or (not status.over and jobs.is_held(each)):
            continue
        try:
            if not status.removed and (jobs.folder(each) / "job.json").exists():
                jobs.remove(each, replace(status, state=status.state if status.over else "failed", removed=now))
                found.append(each)
            elif now - status.removed > days * _DAY:
                jobs.forget(each)
        except DasflexError as error:
            _warn(each, error)
    return found


def cancel(jobs: Jobs, identifier: str, *, remove: bool) -> Status:
    """Ends a job, waits until what it had started has gone, and gives its status; removes its files if it should.

    Raises `NotFoundError`.
    """
    identifier = jobs.find(identifier).id
    if not jobs.status(identifier).over:
        jobs.wish_end(identifier)
        _wait(jobs, identifier)
        with jobs.gate():  # nobody starts it now
            if not jobs.is_held(identifier) and not (status := jobs.status(identifier)).over:
                _end(jobs, identifier, status)
    status = jobs.status(identifier)
    if remove:
        status = replace(status, removed=time.time())
        jobs.remove(identifier, status)
    return status


def _wait(jobs: Jobs, identifier: str) -> None:
    """Waits until nobody works on a job any more; a program that does not end in time is killed."""
    end = time.monotonic() + _ENDS
    while jobs.is_held(identifier) and time.monotonic() < end + _DIES:
        if time.monotonic() > end:
            jobs.kill(identifier)
        time.sleep(_STEP)


def _end(jobs: Jobs, identifier: str, status: Status) -> None:
    """Notes that a job has ended that nobody works on."""
    jobs.drop_partial(identifier)
    now = time.time()
    ended = replace(status, state="cancelled", bytes=0, ended=now, updated=now)
    jobs.put(identifier, replace(ended, kind="busy.stopped", error="The job was cancelled"))


def _fail(jobs: Jobs, identifier: str, status: Status, kind: str, text: str) -> None:
    """Notes that a job has failed that nobody works on."""
    jobs.drop_partial(identifier)
    now = time.time()
    jobs.put(identifier, replace(status, state="failed", bytes=0, ended=now, updated=now, kind=kind, error=text))


def _start(config: Config, jobs: Jobs, identifier: str) -> bool:
    """Starts the program that does a job. When this returns, the program holds the job's lock, or there is none.

    The program leaves this one by forking once more, so that it is nobody's child: neither a server nor a CGI program
    waits for it, and nothing that they have open is open there.
    """
    command = (sys.executable, "-P", "-m", "dasflex_core.jobs", str(config.file), identifier)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        log = os.open(jobs.folder(identifier) / "log", flags, 0o640)
    except OSError:
        return False
    try:
        code = _code(command, log)
    finally:
        os.close(log)
    if code not in (None, 0, TAKEN):
        _fail(jobs, identifier, jobs.status(identifier), "config", public_text(ConfigError("")))
    return code == 0


def _code(command: tuple[str, ...], log: int) -> int | None:
    """The exit status of a program whose words go into a log; None where there is no room for it now."""
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=_environment(),
            start_new_session=True,
        ) as process:
            try:
                return process.wait(_BEGINS)
            except subprocess.TimeoutExpired:
                process.kill()
                return None
    except OSError:
        return None


def _warn(identifier: str, error: DasflexError) -> None:
    """Tells the administrator of a job that cannot be changed; the others can."""
    import logging

    logging.getLogger("dasflex").warning("the job %s: %s", identifier, error.detail or error.message)


def _environment() -> dict[str, str]:
    """The environment of this process without what a request put there, for a program that starts elsewhere."""
    made = {name: text for name, text in os.environ.items() if not name.startswith(_OF_REQUEST) and name not in _MORE}
    if made.get("PYTHONPATH"):
        places = made["PYTHONPATH"].split(os.pathsep)
        made["PYTHONPATH"] = os.pathsep.join(os.path.abspath(each) for each in places)  # noqa: PTH100  a text
    return {**made, "OPENBLAS_NUM_THREADS": "1"}
