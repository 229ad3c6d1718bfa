# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs over HTTP: what became of one, its result as a file, and its end. Nobody sees more than who asked for it may."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Final

from dasflex_cgi.conditional import http_date, unchanged
from dasflex_cgi.exchange import JSON, TEXT, Answer
from dasflex_cgi.job_facts import facts_of, lines_of, prefers_text, seconds_until
from dasflex_cgi.static import Served, in_part
from dasflex_core.errors import BusyError, NotFoundError, shown
from dasflex_core.jobs.asking import check_leave
from dasflex_core.jobs.store import Jobs
from dasflex_core.jobs.tending import cancel, tend

if TYPE_CHECKING:
    from dasflex_cgi.visit import Visit
    from dasflex_core.jobs.model import Job, Status
    from dasflex_core.site import Site

    Headers = tuple[tuple[str, str], ...]

__all__ = ["job_answer"]

_DAY: Final = 86_400
#: Nothing of a job is kept by anybody: neither its state, which changes, nor a result that may be protected.
_PRIVATE: Final = ("Cache-Control", "private, no-store")


def job_answer(site: Site, visit: Visit, rest: str) -> Answer:
    """What is asked of a job; `rest` follows `/jobs/`. Raises `NotFoundError`, `AccessError`, `BusyError`."""
    identifier, _, what = rest.strip("/").lower().partition("/")
    jobs = Jobs(site.config.jobs_path)
    job = jobs.find(identifier)
    visit.source = job.source
    check_leave(job, site, visit.claim)
    visit.user = job.user
    if visit.asked.method == "DELETE" and not what:
        cancel(jobs, job.id, remove=True)
        tend(site.config, jobs)
        return Answer(204, (_PRIVATE,))
    status = _looked_after(site, jobs, job)
    if not what:
        return _told(site, visit, job, status)
    if what == "result":
        return _result(visit, jobs, job, status)
    raise NotFoundError(f"There is nothing at {shown(visit.asked.path)}", kind="not-found.job")


def _looked_after(site: Site, jobs: Jobs, job: Job) -> Status:
    """The status of a job. One that nobody works on is started, or has failed; one that is too old is removed.

    Raises `NotFoundError` for that.
    """
    status, days = jobs.status(job.id), site.config.jobs_keep_days
    fresh = not days or time.time() < status.ended + days * _DAY
    if (status.over and fresh) or (not status.over and jobs.is_held(job.id)):
        return status
    tend(site.config, jobs)
    jobs.find(job.id)
    return jobs.status(job.id)


def _told(site: Site, visit: Visit, job: Job, status: Status) -> Answer:
    """The state of a job: a page for a browser, text for who prefers that, and JSON for all others."""
    asked = visit.asked
    facts = facts_of(site, asked, job, status)
    more = [_PRIVATE, ("Vary", "Accept, User-Agent"), ("X-Note", job.note)]
    if not status.over:
        more.append(("Retry-After", str(seconds_until(job, status))))
    if asked.browser:
        from dasflex_cgi import pages

        page = pages.job(site, asked, facts, 0 if status.over else max(2, seconds_until(job, status)))
        ours = {name for name, _value in more}
        return Answer(200, (*(pair for pair in page.headers if pair[0] not in ours), *more), page.body)
    if prefers_text(asked.headers.get("accept", "")):
        return Answer(200, (("Content-Type", TEXT), *more), lines_of(facts).encode())
    body = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    return Answer(200, (("Content-Type", JSON), *more), body.encode())


def _result(visit: Visit, jobs: Jobs, job: Job, status: Status) -> Answer:
    """The result as a file, of which one part may be asked for. Raises where there is none, or not yet."""
    if not status.over:
        text = f"The job {job.id} is {status.state}; its result is not there yet"
        raise BusyError(text, kind="busy.job", retry_after=seconds_until(job, status))
    if status.state != "complete":
        raise NotFoundError(f"The job {job.id} has no result: {status.error}", kind="not-found.job")
    try:
        opened = os.open(jobs.result(job.id), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        text = f"The result of the job {job.id} has been removed; ask again for the data"
        raise NotFoundError(text, kind="not-found.gone") from None
    return _sent(visit, job, status, opened)


def _sent(visit: Visit, job: Job, status: Status, opened: int) -> Answer:
    """An opened result as the answer to GET or HEAD."""
    asked, facts = visit.asked, os.fstat(opened)
    tag = f'"{status.sha256[:32] or job.id}-{facts.st_size:x}"'
    dated = http_date(facts.st_mtime)
    kept = (("ETag", tag), ("Last-Modified", dated), _PRIVATE, ("Accept-Ranges", "bytes"), ("X-Note", job.note))
    if unchanged(asked.headers, tag, facts.st_mtime):
        os.close(opened)
        return Answer(304, kept)
    name = "".join(char if char.isascii() and (char.isalnum() or char in "_.+-") else "_" for char in job.file_name)
    told: Headers = (
        *kept,
        ("Content-Type", TEXT if job.text and asked.browser else job.media_type),
        ("Content-Disposition", f'{"inline" if job.text else "attachment"}; filename="{name}"'),
        ("Vary", "Accept, User-Agent" if job.text else ""),
        ("Content-Length", str(facts.st_size)),
    )
    first, code, size = 0, 200, facts.st_size
    if asked.method == "GET" and "range" in asked.headers:
        first, code, told, size = in_part(asked.headers, told, size)
        os.lseek(opened, first, os.SEEK_SET)
    return Answer(code, told, Served(code, told, opened, size if asked.method == "GET" else 0))
