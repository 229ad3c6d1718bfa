# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are too long for a connection: whoever prefers an answer later is told where it will be (RFC 7240)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dasflex_cgi.conditional import unchanged, weak_tag
from dasflex_cgi.exchange import JSON, TEXT, Answer
from dasflex_cgi.job_facts import facts_of, lines_of, prefers_text, seconds_until
from dasflex_core.jobs.asking import ask
from dasflex_core.jobs.store import Jobs
from dasflex_core.redacting import without_secrets

if TYPE_CHECKING:
    from dasflex_cgi.visit import Visit
    from dasflex_core.site import Request

__all__ = ["deferred", "prefers_later"]


def prefers_later(preferences: str) -> bool:
    """Whether a header `Prefer` has the preference `respond-async`; one with a value is another one.

    >>> prefers_later("respond-async, wait=10"), prefers_later('x="a, respond-async"'), prefers_later("wait=10")
    (True, False, False)
    """
    quoted = False
    plain = []
    for char in preferences.lower():
        quoted = quoted != (char == '"')
        plain.append("_" if quoted and char in ",;" else char)
    return any(each.partition(";")[0].strip() == "respond-async" for each in "".join(plain).split(","))


def deferred(visit: Visit, request: Request) -> Answer | None:
    """The answer to a request whose data come later: 202, and where its job is; None where they are to come now.

    That is so where nothing else was preferred, where the site has no jobs, for a client that has the data already, and
    for a request with a key or a password in it, since a job is kept in a file. Raises as planning does, and
    `BusyError` where there are too many.
    """
    site, query = request.source.site, visit.asked.query
    if not prefers_later(visit.asked.headers["prefer"]):
        return None
    if not site.config.limit_jobs or without_secrets(f"?{query}") != f"?{query}":
        return None
    plan = request.plan()
    visit.user = plan.user
    solution = plan.solution
    if ("read.time.max", "forever") in solution.request:
        from dasflex_cgi.following import told_where

        raise told_where(plan, visit.asked)
    tag = weak_tag(solution.answer) if solution.changed is not None else ""
    if unchanged(visit.asked.headers, tag, solution.changed):
        return None
    visit.wanted = None  # what fails now is told in a line of text
    job = ask(plan, visit.claim.address)
    visit.mark("plan")
    status = Jobs(site.config.jobs_path).status(job.id)
    facts = facts_of(site, visit.asked, job, status)
    text = prefers_text(visit.asked.headers.get("accept", ""))
    return Answer(
        202,
        (
            ("Content-Type", TEXT if text else JSON),
            ("Location", str(facts["url"])),
            ("Retry-After", str(seconds_until(job, status))),
            ("Preference-Applied", "respond-async"),
            ("Cache-Control", "private, no-store"),
            ("X-Note", job.note),
        ),
        (lines_of(facts) if text else json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode(),
    )
