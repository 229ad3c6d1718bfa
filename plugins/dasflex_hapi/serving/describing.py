# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server says of itself: `about` and `capabilities` (HAPI 3.3, 3.6.1 and 3.6.2)."""

from __future__ import annotations

import re
from contextlib import suppress
from html import unescape
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.errors import DasflexError
from dasflex_core.streamtype import ARRAYS
from dasflex_hapi.serving.data_sets import title_of
from dasflex_hapi.serving.headers import header_of, stored
from dasflex_hapi.serving.info import time_text
from dasflex_hapi.serving.ranges import sample_of
from dasflex_hapi.serving.register import data_set_of, listed
from dasflex_hapi.writing.asking import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.site import Site
    from dasflex_core.streamtype import StreamTypeInfo
    from dasflex_hapi.serving.data_sets import DataSet
    from dasflex_hapi.serving.headers import Header

__all__ = ["about_of", "capabilities_of", "own_formats"]

_HAPI: Final = re.compile(r"\s*\bhapi\b", re.IGNORECASE)
#: Data sets that are looked at for one of which something is known.
_TRIED: Final = 20


def about_of(site: Site) -> dict[str, Any]:
    """What the server is, and who answers for it. The title has no `HAPI` in it, as the standard asks."""
    config = site.config
    title = _HAPI.sub("", config.server_name).strip() or config.server_id
    contact = unescape(config.contact_email) or config.contact_url or config.site_title or config.server_id
    said: dict[str, Any] = {
        "id": config.server_id,
        "title": title_of(title),
        "contact": contact,
        "description": " ".join(filter(None, (config.server_name, config.site_title and f"({config.site_title})"))),
        "dataTest": _data_test(site),
    }
    return {name: value for name, value in said.items() if value}


def _data_test(site: Site) -> dict[str, Any]:
    """A query that gives some records, of the first data set that is described, else of the first that can be.

    Nothing where there is none.
    """
    names = listed(site)[:_TRIED]
    for look in (stored, header_of):
        for each in names:
            with suppress(DasflexError):
                data_set = data_set_of(site, each)
                header = look(data_set)
                if header is not None:
                    return {"name": each.title, "query": _query(data_set, header)}
    return {}


def _query(data_set: DataSet, header: Header) -> dict[str, str]:
    """A query that gives some records of the first parameter."""
    begin, end = sample_of(data_set, header.learned)
    names = [parameter.name for parameter in header.learned.form.parameters[:2]]
    span = {"start": time_text(begin), "stop": time_text(end)}
    return {"dataset": data_set.id, **span, "parameters": ",".join(names)}


def capabilities_of(site: Site) -> dict[str, Any]:
    """What the server can do. Formats of its own stand beside the standard's, which the schema knows no others of."""
    return {
        "outputFormats": list(FORMATS),
        "catalogDepthOptions": ["dataset", "all"],
        "x_outputFormats": sorted(own_formats(site)),
    }


def own_formats(site: Site) -> Mapping[str, StreamTypeInfo]:
    """The formats beside those of the standard that are made of arrays, by their names, such as `x_das2` and `x_cdf`.

    Of a format that has a text and a binary form, the binary one is meant.
    """
    found: dict[str, StreamTypeInfo] = {}
    made = [each.produces for each in site.registry.stages if each.accepts == ARRAYS]
    for info in site.registry.stream_types:
        if not any(each.serves(info.type) or info.type.serves(each) for each in made):
            continue
        name = f"x_{info.type.kind}{info.type.version}"
        if info.suffix and info.type.kind not in FORMATS and (name not in found or info.type.variant == "binary"):
            found[name] = info
    return found
