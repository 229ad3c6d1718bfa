# SPDX-License-Identifier: GPL-3.0-or-later
"""The page at `/hapi`: what is served here, with links to the pages of the sources and to what HAPI says of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from dasflex_core.errors import DasflexError
from dasflex_core.values import dataclass
from dasflex_hapi.serving.headers import stored
from dasflex_hapi.serving.info import time_text
from dasflex_hapi.serving.ranges import sample_of
from dasflex_hapi.serving.refusals import HAPI
from dasflex_hapi.serving.register import find, listed

if TYPE_CHECKING:
    from jinja2 import Template

    from dasflex_core.site import Site

__all__ = ["page"]

#: Data sets for which samples are looked up; a page of thousands does without.
_MOST: Final = 300
_PAGE: Final = "landing.html"


@dataclass(frozen=True, slots=True)
class _Row:
    """A data set in the table; `sample` is blank where none is known."""

    id: str
    title: str
    source: str
    href: str
    info: str
    sample: str


def page(site: Site, base: str) -> str:
    """The page; `base` is the path of the server."""
    known = listed(site)
    rows = []
    for each in known:
        href = f"{base}/source/{quote(each.source.lower(), safe='/+')}"
        info = f"{base}/hapi/info?{urlencode({'dataset': each.id})}"
        sample = _sample(site, each.id, base) if len(known) <= _MOST else ""
        rows.append(_Row(each.id, each.title, each.source, href, info, sample))
    style = site.config.style_sheet or "dasflex.css"
    sheet = style if style.startswith(("http://", "https://", "/")) else f"{base}/static/{quote(style)}"
    here = f"{site.config.server_url.rstrip('/')}/hapi"
    facts = {"server": site.config.server_name, "style": sheet, "version": HAPI, "here": here}
    return _template().render(base=base, sets=rows, **facts)


def _sample(site: Site, identifier: str, base: str) -> str:
    """The address of some records as csv; blank where nothing is known of the data set yet."""
    try:
        data_set = find(site, identifier)
        header = stored(data_set)
        if header is None:
            return ""
        begin, end = sample_of(data_set, header.learned)
    except DasflexError:
        return ""
    query = {"dataset": identifier, "start": time_text(begin), "stop": time_text(end), "include": "header"}
    return f"{base}/hapi/data?{urlencode(query)}"


@cache
def _template() -> Template:
    """The page, compiled once in a process."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return made.get_template(_PAGE)
