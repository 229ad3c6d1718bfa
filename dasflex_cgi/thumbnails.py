# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of sources on the pages of directories: addresses only, which browsers ask for as they are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_cgi.requesting import address_query
from dasflex_core.errors import QueryError
from dasflex_core.guarding import protected
from dasflex_core.plan.parameters import GOAL, canonical_pairs
from dasflex_core.site import Source
from dasflex_core.times import FOREVER, parse_time

if TYPE_CHECKING:
    from dasflex_core.catalog.model import Definition
    from dasflex_core.site import Site

__all__ = ["SIZE", "thumbnail"]

#: Pixels.
SIZE: Final = (160, 90)
_FORMAT: Final = "png"


def thumbnail(site: Site, definition: Definition) -> str:
    """The query of a small picture of the first example of a source; blank where there is none that all may see.

    There is none where nothing draws, where the example has no range with two ends, and where a source is protected.
    """
    if not definition.examples or not any(info.type.kind == _FORMAT for info in site.registry.stream_types):
        return ""
    try:
        pairs = dict(canonical_pairs(definition.examples[0].request))
        ends = [parse_time(pairs[name]) for name in ("read.time.min", "read.time.max") if name in pairs]
    except QueryError:
        return ""
    if len(ends) < 2 or FOREVER in ends or protected(Source(site, definition)):
        return ""
    data = {name: text for name, text in pairs.items() if name not in GOAL and not name.startswith("format.")}
    return address_query({**data, "format.width": str(SIZE[0]), "format.height": str(SIZE[1])})
