# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients are told of a job: its state, how far it is, and where its result is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from dasflex_cgi.compressing import weight
from dasflex_cgi.visit import address
from dasflex_core.run.records import iso_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_cgi.exchange import Asked
    from dasflex_core.jobs.model import Job, Status
    from dasflex_core.site import Site

__all__ = ["facts_of", "lines_of", "prefers_text", "seconds_until"]

_DAY: Final = 86_400
_SOONEST: Final = 1
_LATEST: Final = 60


def facts_of(site: Site, asked: Asked, job: Job, status: Status) -> dict[str, object]:
    """A job as an object of JSON. What is not known is null, and so is `result` until it is there."""
    url = address(asked, f"/jobs/{job.id}", site.config.server_url)
    days = site.config.jobs_keep_days
    complete = status.state == "complete"
    return {
        "job": job.id,
        "state": status.state,
        "source": job.source,
        "request": dict(job.request),
        "answer": job.answer,
        "note": job.note,
        "asked": iso_time(job.made),
        "started": iso_time(status.started) if status.started else None,
        "ended": iso_time(status.ended) if status.ended else None,
        "bytes": status.bytes,
        "records": status.records,
        "fraction": status.fraction,
        "sha256": status.sha256,
        "error": {"kind": status.kind, "message": status.error} if status.kind else None,
        "url": url,
        "result": f"{url}/result" if complete else None,
        "media_type": job.media_type,
        "file_name": job.file_name,
        "kept_until": iso_time(status.ended + days * _DAY) if complete and days else None,
        "record": address(asked, f"/request/{status.run}", site.config.server_url)
        if status.over and status.run
        else None,
    }


def lines_of(facts: Mapping[str, object]) -> str:
    """The same in two lines for people, or three."""
    lines = [f"The job {facts['job']} is {facts['state']}", str(facts["url"])]
    if facts["result"]:
        lines[1] = str(facts["result"])
    error = facts["error"]
    if isinstance(error, dict):
        lines.append(str(error["message"]))
    return "\n".join(lines) + "\n"


def seconds_until(job: Job, status: Status) -> int:
    """After how many seconds it is worth asking again: the longer it takes, the later."""
    began = status.started or job.made
    return int(min(_LATEST, max(_SOONEST, (time.time() - began) / 4)))


def prefers_text(accepted: str) -> bool:
    """Whether an `Accept` names text, and not JSON as well or rather.

    >>> prefers_text("text/plain"), prefers_text("application/json, text/plain"), prefers_text("*/*")
    (True, False, False)
    """
    weights: dict[str, float] = {}
    for each in accepted.lower().split(","):
        kind, _, rest = each.partition(";")
        weights[kind.strip()] = weight(rest)
    text = max(weights.get("text/plain", 0.0), weights.get("text/*", 0.0))
    return text > weights.get("application/json", 0.0)
