# SPDX-License-Identifier: GPL-3.0-or-later
"""A HAPI data set: a source, and what a definition asks of it in `[hapi]` or `[[hapi]]`."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from textwrap import shorten
from typing import TYPE_CHECKING, Final

from dasflex_core.plan.parameters import canonical_pairs
from dasflex_core.site import Request
from dasflex_core.times import GRID, Time, format_time, seconds
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.model import HapiSet
    from dasflex_core.claims import Claim
    from dasflex_core.site import Source

__all__ = ["DataSet", "identifier_of", "title_of"]

_OUTSIDE: Final = re.compile(r"\W", re.ASCII)
_SECOND: Final = 1_000_000_000
#: Characters of a title (HAPI 3.3, 3.6.1).
_TITLE: Final = 40
#: The parameters that say at which times there are records: what is between them is what makes the grid.
_STEPS: Final = ("bin.time.max", "read.time.inter")


@dataclass(frozen=True)
class DataSet:
    """A data set, by the id under which it is listed. `claim` is who asks for it, None whoever opened the site."""

    id: str
    source: Source
    set: HapiSet
    claim: Claim | None = None

    @property
    def title(self) -> str:
        """Its own title, else that of the source, cut at a word where it is longer than HAPI allows."""
        return title_of(self.set.title or self.source.title)

    @property
    def name(self) -> str:
        """The path of the source, with the id of the set behind it where it has one."""
        return "/".join(filter(None, (self.source.id, self.set.id)))

    @property
    def request(self) -> Request:
        """What the definition asks, without a range."""
        return Request(self.source, self.set.request, claim=self.claim)

    @cached_property
    def asked(self) -> Mapping[str, str]:
        """The parameters of the definition by their canonical names, over its defaults."""
        return canonical_pairs(self.source.definition.defaults) | canonical_pairs(self.set.request)

    @property
    def step(self) -> float | None:
        """The seconds from one record to the next, where the request makes them."""
        found = next((self.asked[name] for name in _STEPS if self.asked.get(name)), "")
        try:
            return float(found) if found else None
        except ValueError:
            return seconds(found)

    def request_for(self, begin: int, end: int, more: Mapping[str, str], *, exact: bool = False) -> Request:
        """The request for `[begin, end)` (ns since 1970), with more parameters.

        Bins, and the values of a model, are counted from the beginning of a request. So the range is widened to a grid
        of its own, so that records do not depend on the range asked; what is outside, the formatter leaves out.
        Others are asked for whole seconds, unless the range must be `exact`, since readers may cut fractions off.
        """
        step = round((self.step or 0) * _SECOND) or (0 if exact else _SECOND)
        if step:
            begin, end = GRID + (begin - GRID) // step * step, GRID - (GRID - end) // step * step
        span = {"read.time.min": format_time(Time(begin)), "read.time.max": format_time(Time(end))}
        pairs = {**canonical_pairs(self.set.request), **span, **more}
        return replace(self.request, pairs=tuple(pairs.items()))


def identifier_of(name: str) -> str:
    """The id under which a data set is listed: that of a variable in C, since verifiers warn of others.

    >>> identifier_of("Examples/Ephemeris/10min"), identifier_of("1st.set")
    ('Examples_Ephemeris_10min', '_1st_set')
    """
    found = _OUTSIDE.sub("_", name)
    return f"_{found}" if found[0].isdigit() else found


def title_of(text: str) -> str:
    """A title of at most so many characters as HAPI allows.

    >>> title_of("Voyager 1 PWS wideband waveforms, uncalibrated")
    'Voyager 1 PWS wideband waveforms,…'
    """
    found = shorten(text, _TITLE, placeholder="…")
    return found if found != "…" else text[: _TITLE - 1] + "…"
