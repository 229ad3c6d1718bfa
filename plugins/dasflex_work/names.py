# SPDX-License-Identifier: GPL-3.0-or-later
"""What the library of the work-lists calls things at the server, for those who only look: it takes long to import."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["PREFIX", "job_key", "key", "swept_key", "turn_key"]

#: How all keys begin (`rq.defaults`).
PREFIX: Final = os.environ.get("RQ_KEY_PREFIX", "rq")
_OF: Final = {
    "waiting": "{0}:queue:{1}",
    "between": "{0}:queue:{1}:intermediate",
    "again": "{0}:scheduled:{1}",
    "working": "{0}:wip:{1}",
    "finished": "{0}:finished:{1}",
    "failed": "{0}:failed:{1}",
    "workers": "{0}:workers:{1}",
}


def key(what: str, queue: str) -> str:
    """The key of what is waiting, between, again, working, finished or failed in a queue, or of its workers.

    What is between was taken by a worker that has not begun; again is what waits to be tried once more.
    """
    return _OF[what].format(PREFIX, queue)


def job_key(identifier: str) -> str:
    """The key of what is known of a job."""
    return f"{PREFIX}:job:{identifier}"


def turn_key(queue: str) -> str:
    """A key of ours: held by the worker whose turn it is to tend the list."""
    return f"dasflex:turn:{queue}"


def swept_key(queue: str) -> str:
    """A key of ours: there while the list holds all that was handed over; gone where the server has lost its memory."""
    return f"dasflex:swept:{queue}"
