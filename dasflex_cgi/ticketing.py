# SPDX-License-Identifier: GPL-3.0-or-later
"""Tickets as answers: with one a page that may read a source over HTTP may connect to its WebSocket, too."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from dasflex_cgi.exchange import JSON, Answer
from dasflex_core.tickets import LASTS, issue, site_key
from dasflex_core.times import Time, format_time

if TYPE_CHECKING:
    from dasflex_core.site import Source

__all__ = ["ticket_answer"]


def ticket_answer(source: Source) -> Answer:
    """A ticket to a source, and when it ends. Raises `AccessError`, and `ConfigError` where no key can be kept."""
    source.check_access()
    now = time.time()
    ticket = issue(site_key(source.site.config.runtime), source.id, "", now)
    ends = format_time(Time((int(now) + LASTS) * 1_000_000_000))
    told = json.dumps({"ticket": ticket, "expires": f"{ends}Z"}) + "\n"
    return Answer(200, (("Content-Type", JSON), ("Cache-Control", "private, no-store")), told.encode())
