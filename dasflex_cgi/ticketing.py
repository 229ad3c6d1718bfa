# SPDX-License-Identifier: GPL-3.0-or-later
"""Tickets as answers: with one a page that may read a source over HTTP may connect to its WebSocket, too."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from dasflex_cgi.exchange import JSON, Answer
from dasflex_core.access import in_scope
from dasflex_core.guarding import Guard, is_trusted
from dasflex_core.tickets import LASTS, issue, site_key
from dasflex_core.times import Time, format_time

if TYPE_CHECKING:
    from dasflex_cgi.visit import Visit
    from dasflex_core.site import Source

__all__ = ["ticket_answer"]


def ticket_answer(source: Source, visit: Visit) -> Answer:
    """A ticket to a source for whoever has logged in, and when it ends.

    A source that needs no log-in has tickets for everybody. Raises `AccessError`, also for a token that is not good for
    the source, and `ConfigError` where no key can be kept.
    """
    user = ""
    if source.protected and not is_trusted(visit.claim, source.site):
        guard = Guard(source, visit.claim)
        who = guard.identity()
        if not who.user or not in_scope(source.id, who.scope):
            raise guard.refusal(who)
        user = visit.user = who.user
    now = time.time()
    ticket = issue(site_key(source.site.config.runtime), source.id, user, now)
    ends = format_time(Time((int(now) + LASTS) * 1_000_000_000))
    told = json.dumps({"ticket": ticket, "expires": f"{ends}Z"}) + "\n"
    return Answer(200, (("Content-Type", JSON), ("Cache-Control", "private, no-store")), told.encode())
