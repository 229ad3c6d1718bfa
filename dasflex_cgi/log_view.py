# SPDX-License-Identifier: GPL-3.0-or-later
"""The log viewer: who asked for what, day by day, by source and by request, for those who may see it.

It is at `/log` of the server, and is the CGI program `dasflex_cgilog` by itself. Whoever is not in `VIEW_LOG_ALLOW` is
told the same whatever they ask for. Pages are for people; programs that prefer JSON get the same as JSON.
"""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from dasflex_cgi import log_view_facts as facts
from dasflex_cgi.exchange import JSON, Answer
from dasflex_cgi.explaining import prefers_json
from dasflex_cgi.log_view_model import Known, Wanted
from dasflex_core.errors import AccessError, NotFoundError, QueryError, shown
from dasflex_core.guarding import comes_from
from dasflex_core.logs import log_name
from dasflex_core.queries import query_pairs
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_cgi.visit import Visit
    from dasflex_core.config import Config
    from dasflex_core.site import Site

__all__ = ["log_answer"]

#: Logs are nobody else's, and no machine that reads the web need find them.
_HEADERS: Final = {
    "Cache_Control": "private, no-store",
    "X_Robots_Tag": "noindex, nofollow",
    "Cross_Origin_Resource_Policy": "same-origin",
}
#: Characters by which a client could write its words in another order than they are read in.
_ORDER: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: Seconds after which a page of the latest requests is read anew.
_REFRESH: Final = 5
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class _View:
    """A page: its template, its title, and what is known; `refresh` are the seconds after which it is read anew."""

    template: str
    title: str
    known: Known
    refresh: int = 0


def log_answer(site: Site, visit: Visit, place: str, here: str) -> Answer:
    """What is in the logs at a place; `here` is the address of the viewer, without a slash at its end.

    Raises `AccessError` for whoever may not see logs, `NotFoundError` for what is not there, and `QueryError`.
    """
    if not comes_from(visit.claim, site.config.view_log_allow):
        raise AccessError("Logs are not shown to your address", kind="access.denied")
    asked = visit.asked
    if not place and not asked.path.endswith("/"):
        return Answer(301, (("Location", f"{here}/"), ("Content-Type", "text/plain")), b"").with_headers(**_HEADERS)
    query = {name.lower(): value.strip() for name, value in query_pairs(asked.query)}
    view = _view(site, place.strip("/"), query, here)
    if query.get("format", "").lower() == "json" or prefers_json(asked.headers.get("accept", "")):
        return Answer(200, (("Content-Type", JSON),), _as_json(view.known)).with_headers(**_HEADERS)
    from dasflex_cgi.pages import page

    links = _Links(here)
    now = query.get("hold") is None
    made = page(
        f"log/{view.template}.html", site, asked, title=view.title, known=view.known, to=links, query=query, live=now
    )
    if isinstance(made.body, bytes):
        made = replace(made, body=_ORDER.sub(_escaped, made.body.decode()).encode())
    if view.refresh and now:
        made = made.with_headers(Refresh=str(view.refresh))
    return made.with_headers(**_HEADERS)


def _view(site: Site, place: str, query: Mapping[str, str], here: str) -> _View:
    """What is shown at a place. Raises `NotFoundError` and `QueryError`."""
    config = site.config
    first, _, rest = place.partition("/")
    if _DAY.fullmatch(first):
        return _view_of_day(config, first, rest, query.get("before", ""))
    address = facts.address_of(query.get("address", ""))
    since, until = query.get("since", ""), query.get("until", "")
    if not first:
        return _View("days", "Log", facts.days_of(config, facts.span_of(since, until, facts.DAYS), address))
    if first == "request" and rest:
        return _View("request", f"Request {rest}", facts.one_request(config, rest))
    if first == "sources" and not rest:
        return _View("sources", "Log by source", facts.by_source(config, facts.span_of(since, until, facts.DAYS)))
    if first == "search" and not rest:
        errors = query.get("errors", "").lower() in ("1", "on", "true", "yes")
        wanted = Wanted(query.get("q", ""), address, query.get("source", ""), errors)
        span = facts.span_of(since, until, facts.SEARCH_DAYS)
        return _View("search", "Search the log", facts.search(config, span, wanted, query.get("before", "")))
    if first == "tail" and not rest:
        return _View("tail", "The latest requests", facts.tail_of(config, address, f"{here}/tail"), _REFRESH)
    raise NotFoundError(f"There is nothing in the logs at {shown(place)}")


def _view_of_day(config: Config, text: str, rest: str, before: str) -> _View:
    """What is shown of a day. Raises `NotFoundError` and `QueryError`."""
    day = facts.day_of(text)
    if not rest:
        return _View("addresses", f"Log of {day}", facts.addresses_on(config, day))
    try:
        client = facts.address_of(rest)
    except QueryError as error:
        raise NotFoundError(f"There is nothing in the logs at {shown(f'{day}/{rest}')}") from error
    return _View("entries", f"{client} on {day}", facts.entries_on(config, day, client, before))


@dataclass(frozen=True, slots=True)
class _Links:
    """The addresses of pages of the viewer, and how what they show is written."""

    here: str

    def place(self, *parts: str, **query: str) -> str:
        """The address of a page: its parts, and what is asked of it."""
        asked = urlencode({name: text for name, text in query.items() if text})
        path = "/".join(quote(each, safe="") for each in parts)
        return f"{self.here}/{path}?{asked}" if asked else f"{self.here}/{path}"

    @staticmethod
    def client(address: str) -> str:
        """What stands for an address in the names of files and pages."""
        return log_name(address, 0.0).rpartition("_")[0]

    @staticmethod
    def day(seconds: float) -> str:
        """The day of a moment."""
        return _moment(seconds)[:10]

    @staticmethod
    def time(seconds: float) -> str:
        """A moment, to the millisecond."""
        return _moment(seconds)


def _moment(seconds: float) -> str:
    """Seconds since 1970 as UTC text; a hyphen for what is no such moment."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return "-"


def _escaped(found: re.Match[str]) -> str:
    """A character as logs have it."""
    return found[0].encode("unicode_escape").decode("ascii")


def _as_json(known: Known) -> bytes:
    """The same for programs."""
    import json

    return json.dumps(asdict(known), ensure_ascii=False, indent=1).encode("utf-8", "replace") + b"\n"
