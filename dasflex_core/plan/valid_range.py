# SPDX-License-Identifier: GPL-3.0-or-later
"""The times that a source has data for: what a reader is asked is trimmed to them, and outside of them it is not asked.

das2 servers did that by the `validRange` of a DSDF. What the client asked stays as it is in all else: bins are aligned
to it, and the header of the stream names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError
from dasflex_core.times import FOREVER, format_time, parse_range, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.model import Definition
    from dasflex_core.stages import Value

__all__ = ["NOTHING", "trimmed"]

_BEGIN: Final = "read.time.min"
_END: Final = "read.time.max"
#: The command that stands in for a reader that would have no data: it writes nothing and succeeds.
NOTHING: Final = (("true",),)


def trimmed(values: Mapping[str, Value], *definitions: Definition) -> Mapping[str, Value] | None:
    """The values with their range of time trimmed to those of the definitions; None where nothing is left of it.

    An end that is not there, and `forever`, are not trimmed: what follows the present has no end yet.
    """
    found = dict(values)
    for definition in definitions:
        span = definition.range
        if span is None:
            continue
        try:
            first, last = parse_range(str(span))
        except QueryError:  # the definition was read when that was no fault
            continue
        begin, end = found.get(_BEGIN), found.get(_END)
        asked_first = parse_time(begin) if isinstance(begin, str) else None
        asked_last = parse_time(end) if isinstance(end, str) else None
        if asked_first is not None and asked_first < first:
            found[_BEGIN] = format_time(first)
        if asked_last is not None and FOREVER not in (asked_last, last) and last < asked_last:
            found[_END] = format_time(last)
        late = asked_first is not None and FOREVER not in (last, asked_last) and last <= asked_first
        if late or (asked_last is not None and asked_last <= first):
            return None
    return found
