# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture asks of the stages before it, and what it says when it cannot be: as many points as it shows.

Lines keep their envelope and spectra become means by `view.points`. Of waveforms, which are not made fewer so, and of
sources that keep bins no wider than a pixel, bins of a pixel are asked, with their least and greatest values.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Protocol

from dasflex_core.times import FOREVER, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WIDTH", "admits", "asks", "told"]

WIDTH: Final = 800
#: Points for each pixel of the width: of four lines, each pixel has the least and the greatest value of each.
_POINTS: Final = 8


class _Source(Protocol):
    """What is needed of a definition."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...


def admits(request: Mapping[str, str], source: _Source) -> bool | str:  # noqa: ARG001  as the solver calls it
    """Whether the request ends: there is no picture of what follows the present."""
    if request.get("read.time.max", "").strip().lower() == "forever":
        return "a picture is drawn at the end of the data, and those of read.time.max=forever have none"
    return True


def asks(request: Mapping[str, str], source: _Source) -> Mapping[str, str]:  # noqa: ARG001  as the solver calls it
    """The points that the picture shows, where the request has a range and does not say how many."""
    seconds = _seconds(request)
    if not seconds or "view.points" in request:
        return {}
    return {"view.points": str(_POINTS * _width(request))}


def _width(request: Mapping[str, str]) -> int:
    """The width of the picture in pixels."""
    text = request.get("format.width", "")
    return int(text) if text.isdigit() and int(text) else WIDTH


def _seconds(request: Mapping[str, str]) -> float:
    """The seconds of the range; 0 where it has not both ends."""
    texts = [request.get(name, "") for name in ("read.time.min", "read.time.max")]
    if not all(texts):
        return 0.0
    begin, end = (parse_time(text) for text in texts)
    return 0.0 if FOREVER in (begin, end) else max(0.0, (end.ns - begin.ns) / 1e9)


def told(source: _Source, reader: object) -> tuple[str, str]:  # noqa: ARG001  as the planner calls it
    """What the definition says that a picture tells: which source it is, and its title."""
    return "", json.dumps({"id": source.id, "title": source.title})
