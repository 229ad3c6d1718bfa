# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for people: the introduction, the directories of the catalog, search, the sources, and what went wrong.

Pages do all that they are for without scripts, and are read as well without the style sheet. Each link on them is
relative to where the server is mounted, so that they work behind any proxy. Nothing in a page is run or styled but
what comes from `/static/`, which our Content-Security-Policy holds us to.
"""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dasflex_cgi.entering import entrance
from dasflex_cgi.exchange import HTML, Answer
from dasflex_cgi.following import socket_sources
from dasflex_cgi.live_view import live_view
from dasflex_cgi.source_page import Link, Wording, describe, folder_of
from dasflex_cgi.thumbnails import thumbnail
from dasflex_cgi.visit import address
from dasflex_core.catalog.addresses import hapi_url
from dasflex_core.claims import UNKNOWN
from dasflex_core.errors import ConfigError, QueryError
from dasflex_core.queries import query_pairs
from dasflex_core.tasks import background
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dasflex_cgi.exchange import Asked
    from dasflex_core.catalog.tree import Catalog, Entry
    from dasflex_core.catalog.tree import Folder as CatalogFolder
    from dasflex_core.claims import Claim
    from dasflex_core.queries import Pairs
    from dasflex_core.site import Site
    from dasflex_core.verdicts import StreamReport

__all__ = ["directory", "error", "front", "job", "page", "peers", "search", "source", "verifier"]

_HEADERS: Final = (
    ("Content-Type", HTML),
    ("Cache-Control", "public, max-age=60"),
    ("Vary", "Accept, User-Agent"),
)
#: What a page may use: what is served here, and pictures that its scripts draw; with gaps for another style sheet and
#: for a WebSocket.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'{}; img-src 'self' data:; connect-src 'self'{}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
#: Characters that HTML has none of: a page with one is none.
_NO_HTML: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
#: How many sources the introduction lists; of more it lists the uppermost directories.
_SHORT: Final = 60
#: How many headers and findings of a stream are shown.
_MOST_VERDICTS: Final = 100
#: How many sources a page of search lists.
_MOST_FOUND: Final = 200
#: What the introduction says of background work.
_BACKGROUND: Final = {
    "off": "Background work is off: what is not kept is made while you wait for it.",
    "idle": "Nobody does background work: what is not kept is made while you wait for it.",
    "on": "",
}


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory as an entry of a list; `count` is how many sources are below it."""

    name: str
    href: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """A source as an entry of a list; `broken` where its definition cannot be read. `picture` may be blank."""

    id: str
    href: str
    title: str
    range: str
    broken: bool
    picture: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around each page: the server, its style, and whom to ask."""

    server: str
    site: str
    site_url: str
    home: str
    style: str
    static: str
    logo: str
    contact: str
    contact_url: str
    hapi: str


def front(site: Site, asked: Asked) -> Answer:
    """The introduction: what this server is, and its sources, or their uppermost directories."""
    top, count = site.catalog.folder(), site.catalog.count()
    shown = _listed(site.catalog) if count <= _SHORT else top.entries
    return page(
        "front.html",
        site,
        asked,
        title=site.config.server_name,
        folders=_folders(top, asked.base),
        sources=[_line(site, each, asked.base) for each in shown],
        count=count,
        sample=_sample(site, asked),
        background=_BACKGROUND[background(site.config)],
    )


def directory(site: Site, asked: Asked, path: str) -> Answer:
    """A directory of the catalog, blank for the uppermost: what is in it. Raises `NotFoundError` for no directory."""
    found = site.catalog.folder(path)
    title = found.title or found.path or "All sources"
    return page(
        "directory.html",
        site,
        asked,
        title=title,
        path=found.path,
        trail=_trail(found.path, asked.base),
        folders=_folders(found, asked.base),
        sources=[_line(site, each, asked.base, drawn=True) for each in found.entries],
    )


def search(site: Site, asked: Asked) -> Answer:
    """The sources whose id, title or description has all the words of `q`; all of them where it has none."""
    words = next((text for name, text in _pairs(asked) if name.lower() == "q"), "").strip()
    wanted = {*site.catalog.search(words)}
    found = [each for each in _listed(site.catalog) if each.id in wanted]
    lines = [_line(site, each, asked.base) for each in found[:_MOST_FOUND]]
    return page("search.html", site, asked, title="Search", words=words, sources=lines, count=len(found))


def peers(site: Site, asked: Asked, known: Sequence[tuple[str, str]]) -> Answer:
    """Other servers, by name and address."""
    links = [Link(name, Wording.safe(place)) for name, place in known]
    return page("peers.html", site, asked, title="Other servers", peers=links)


def source(site: Site, asked: Asked, identifier: str, claim: Claim = UNKNOWN) -> Answer:
    """A source: what it is, its examples, its form, and its parameters, for whoever makes a claim.

    Raises `NotFoundError`, `ConfigError`, and `AccessError` where the page asks for a log-in.
    """
    found = site[identifier]
    server = address(asked, "", site.config.server_url)
    door = entrance(found, claim, asked.base, asked.query)
    about = describe(found, asked.base, server, _pairs(asked), door)
    trail = _trail(folder_of(found.id), asked.base)
    live = live_view(found, asked)
    sockets = socket_sources(asked, site.config) if live else ""
    made = page("source.html", site, asked, sockets, title=found.title, about=about, live=live, trail=trail)
    return made.with_headers(Cache_Control="private, no-store") if door.realm else made


def verifier(site: Site, asked: Asked, report: StreamReport | None, named: str, most: float) -> Answer:
    """The form of the verifier, with the report on a stream (of a source, where one is `named`) if there is one."""
    listed = (report.headers, report.findings) if report else ()
    left_out = (report.left_out if report else 0) + sum(max(0, len(each) - _MOST_VERDICTS) for each in listed)
    return page(
        "verify.html",
        site,
        asked,
        title="Verify a stream",
        report=report,
        named=named,
        most=f"{most:g}",
        shown=_MOST_VERDICTS,
        left_out=left_out,
    )


def error(site: Site, asked: Asked, status: int, text: str, request_id: str) -> Answer:
    """What went wrong, for a person; `request_id` is what the administrator can look for."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    made = page("error.html", site, asked, title=phrase, status=status, text=text, request_id=request_id)
    return Answer(status, made.headers, made.body).with_headers(Cache_Control="no-store")


def job(site: Site, asked: Asked, facts: Mapping[str, object], refresh: int) -> Answer:
    """What became of a job; the page is asked for anew after so many seconds, 0 is never."""
    fraction = facts["fraction"]
    percent = f"{fraction:.0%}".rstrip("%") if isinstance(fraction, float) and refresh else ""
    title, href = f"Job {facts['job']}", f"{asked.base}/jobs/{facts['job']}"
    return page("job.html", site, asked, title=title, job=facts, href=href, percent=percent, refresh=refresh)


# -- how they are made


def _pairs(asked: Asked) -> Pairs:
    """The query of a page; one that cannot be read asks nothing."""
    try:
        return query_pairs(asked.query)
    except QueryError:
        return []


@cache
def _environment() -> Environment:
    """The templates, compiled once in a process."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, site: Site, asked: Asked, sockets: str = "", **values: object) -> Answer:
    """A page made of a template; `sockets` are the WebSockets that it connects to, each with a blank before it."""
    frame = _frame(site, asked.base)
    text = _environment().get_template(template).render(frame=frame, base=asked.base, **values)
    headers = (*_HEADERS, ("Content-Security-Policy", _POLICY.format(_elsewhere(frame.style), sockets)))
    return Answer(200, headers, _NO_HTML.sub("\ufffd", text).encode("utf-8", "replace"))


def _elsewhere(style: str) -> str:
    """The server of the style sheet, with a blank before it, where the configuration names one of another server."""
    parts = urlsplit(style)
    sound = re.fullmatch(r"[A-Za-z0-9.:\[\]_-]+", parts.netloc)
    return f" {parts.scheme}://{parts.netloc}" if sound else ""


def _frame(site: Site, base: str) -> Frame:
    """What stands around a page."""
    config = site.config
    style = config.style_sheet or "dasflex.css"
    return Frame(
        server=config.server_name,
        site=config.site_title,
        site_url=Wording.safe(config.site_url),
        home=f"{base}/",
        style=style if style.startswith(("http://", "https://", "/")) else f"{base}/static/{quote(style)}",
        static=f"{base}/static",
        logo=f"{base}/logo.png",
        contact=Wording.mangled(unescape(config.contact_email)),
        contact_url=Wording.safe(config.contact_url),
        hapi=f"{base}/hapi" if hapi_url(config, site.registry) else "",
    )


def _listed(catalog: Catalog) -> list[Entry]:
    """The sources that lists show."""
    return [each for each in catalog.entries() if each.listed]


def _above(identifier: str) -> list[str]:
    """The directories that an id lies in, the uppermost first."""
    parts = identifier.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _folders(found: CatalogFolder, base: str) -> list[Folder]:
    """The directories in a directory."""
    return [
        Folder(each.path, _address(base, f"{each.path.lower()}/"), each.title, each.count) for each in found.folders
    ]


def _line(site: Site, entry: Entry, base: str, *, drawn: bool = False) -> Line:
    """A source in a list, with a picture where that is `drawn`; one whose definition cannot be read is told apart."""
    place, picture = _address(base, entry.id.lower()), ""
    try:
        definition = site.catalog.load(entry)
        broken = False
    except ConfigError:
        broken = True
    else:
        query = thumbnail(site, definition) if drawn else ""
        picture = f"{place}/data.png?{query}" if query else ""
    return Line(entry.id, f"{place}.html", entry.title, entry.range, broken, picture)


def _trail(path: str, base: str) -> list[Link]:
    """The way from the uppermost directory to a path."""
    folders = [*_above(path), path] if path else []
    top = Link("Sources", f"{base}/source/")
    return [top, *(Link(each.rpartition("/")[2], _address(base, f"{each.lower()}/")) for each in folders)]


def _address(base: str, path: str) -> str:
    """The address of a page of the catalog."""
    return f"{base}/source/{quote(path, safe='/+')}"


def _sample(site: Site, asked: Asked) -> Link | None:
    """The example that the configuration names; None without it, or where there is no such source."""
    config = site.config
    name = config.sample_dsdf.removesuffix(".dsdf")
    if not name or name not in site:
        return None
    place = _address(asked.base, name.lower())
    if config.sample_start and config.sample_end:
        query = urlencode({"time": f"{config.sample_start}/{config.sample_end}"}, safe=":/")
        return Link(name, f"{place}/data.csv?{query}")
    return Link(name, f"{place}.html")
