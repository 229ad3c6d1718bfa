# SPDX-License-Identifier: GPL-3.0-or-later
"""The range of time that a request asks for, in nanoseconds since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.times import FOREVER, parse_time
from dasflex_files.calendar_fields import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["asked", "moment"]


def moment(text: str | None, otherwise: int) -> int:
    """A time as 64 bits hold it; `otherwise` where it is not given."""
    if not text:
        return otherwise
    time = parse_time(text)
    return ALWAYS[1] if time == FOREVER else min(max(time.ns, ALWAYS[0]), ALWAYS[1])


def asked(request: Mapping[str, str]) -> tuple[int, int]:
    """The range of a request; an empty one where it asks for none, so that no file is looked for."""
    begin, end = request.get("read.time.min"), request.get("read.time.max")
    if begin is None and end is None:
        return 0, 0
    return moment(begin, ALWAYS[0]), moment(end, ALWAYS[1])
