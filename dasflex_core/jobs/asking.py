# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking for a job: what it may cost, how many there may be, who has the same one already; and who may see it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dasflex_core.affording import refusal
from dasflex_core.errors import BusyError, NotFoundError, TooLargeError
from dasflex_core.jobs.model import Job
from dasflex_core.jobs.store import Jobs
from dasflex_core.jobs.tending import prune, tend_within

if TYPE_CHECKING:
    from dasflex_core.claims import Claim
    from dasflex_core.config import Config
    from dasflex_core.prices import Estimate
    from dasflex_core.site import Site
    from dasflex_core.solved import Plan

__all__ = ["ask", "check_leave"]

#: The limits of jobs by those of requests, in whose place they stand.
_KEYS: Final = {
    "LIMIT_REQUEST_SECONDS": "LIMIT_JOB_SECONDS",
    "LIMIT_REQUEST_GIGABYTES": "LIMIT_JOB_GIGABYTES",
    "LIMIT_ANSWER_GIGABYTES": "LIMIT_JOBS_GIGABYTES",
}
#: Seconds after which one may ask again where there are too many jobs.
_LATER: Final = 60


def ask(plan: Plan, address: str) -> Job:
    """The job that answers a plan for whoever asks from an address, and whose access was checked when it was planned.

    It is the one that there is already, where the same asked for the same and that has not ended. Raises
    `TooLargeError` for what costs too much, `BusyError` where there are too many, and `ConfigError`.
    """
    config = plan.request.source.site.config
    job = _job_of(plan, address, _price(plan, config))
    jobs = Jobs(config.jobs_path)
    with jobs.gate():
        prune(config, jobs)
        same = _check_number(jobs, job, config)
        if same is None:
            _check_room(jobs, config)
            try:
                jobs.add(job)
            except BaseException:
                jobs.forget(job.id)
                raise
        tend_within(config, jobs)
    return same or job


def check_leave(job: Job, site: Site, claim: Claim) -> None:
    """Raises `AccessError` where somebody may not see a job; `NotFoundError` where its source has gone.

    The rules of its source are asked anew. A job of somebody who has logged in is nobody else's.
    """
    source = site[job.source]
    if not source.protected:
        return
    from dasflex_core.guarding import Guard, is_trusted
    from dasflex_core.times import parse_time

    if is_trusted(claim, site):
        return
    guard = Guard(source, claim)
    leave = guard.admit(dict(job.request), parse_time("now"))
    if leave.changes or (job.user and leave.user != job.user):
        raise guard.refusal(guard.identity())


def _job_of(plan: Plan, address: str, price: Estimate) -> Job:
    """The job of a plan."""
    from dasflex_core.run.records import new_request_id

    solution = plan.solution
    return Job(
        id=new_request_id(),
        source=solution.source,
        request=plan.canonical,
        answer=solution.answer,
        made=time.time(),
        user=plan.user,
        address=address,
        media_type=plan.media_type,
        file_name=plan.file_name(),
        text=plan.type is not None and plan.type.text,
        note=plan.note,
        seconds=price.seconds,
        gigabytes=price.gigabytes or 0.0,
    )


def _price(plan: Plan, config: Config) -> Estimate:
    """The price of a plan. Raises `TooLargeError` where it is more than a job may cost, with what would do."""
    price = plan.estimate()
    allowed = replace(
        config,
        limit_request_seconds=config.limit_job_seconds,
        limit_request_gigabytes=config.limit_job_gigabytes,
        limit_answer_gigabytes=config.limit_jobs_gigabytes,
    )
    source = plan.request.source
    site = replace(source.site, config=allowed)
    refused = refusal(replace(plan, request=replace(plan.request, source=replace(source, site=site))), price)
    if refused is not None:
        raise TooLargeError(
            refused.message.replace("This request", "This job", 1),
            estimate=price,
            limits=tuple(replace(each, key=_KEYS.get(each.key, each.key)) for each in refused.limits),
            suggestions=refused.suggestions,
        )
    return price


def _check_number(jobs: Jobs, job: Job, config: Config) -> Job | None:
    """The same job, if there is one that has not ended. Raises `BusyError` where there may be no more."""
    count = own = 0
    for each in jobs.active():
        try:
            other = jobs.find(each)
        except NotFoundError:
            continue
        if jobs.status(each).over:
            continue
        count += 1
        if other.owner == job.owner:
            own += 1
            if other.answer == job.answer and not jobs.end_wished(each):
                return other
    if config.limit_jobs_each and own >= config.limit_jobs_each:
        text = f"{own} of your jobs wait or run, and no more are allowed; ask again when one has ended"
        raise BusyError(text, kind="busy.rate", retry_after=_LATER)
    if count >= config.limit_jobs:
        raise BusyError("Too many jobs wait or run; ask again later", kind="busy.limit", retry_after=_LATER)
    return None


def _check_room(jobs: Jobs, config: Config) -> None:
    """Raises `BusyError` where the results take as much as they may."""
    most = config.limit_jobs_gigabytes * 1e9
    if most and jobs.size() >= most:
        text = "The results of jobs take all the room that they may; remove those that you have, or ask again later"
        raise BusyError(text, kind="busy.limit", retry_after=60 * _LATER)
