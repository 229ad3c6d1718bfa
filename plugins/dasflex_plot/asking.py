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


class _Level(Protocol):
    """What is needed of a cache level."""

    @property
    def request(self) -> tuple[tuple[str, str], ...]: ...


class _Cache(Protocol):
    """What is needed of what is kept."""

    @property
    def levels(self) -> tuple[_Level, ...]: ...


class _Data(Protocol):
    """What is needed of a data variable."""

    @property
    def axes(self) -> tuple[str, ...]: ...


class _Source(Protocol):
    """What is needed of a definition."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def data(self) -> Mapping[str, _Data]: ...
    @property
    def cache(self) -> _Cache: ...


def admits(request: Mapping[str, str], source: _Source) -> bool | str:  # noqa: ARG001  as the solver calls it
    """Whether the request ends: there is no picture of what follows the present."""
    if request.get("read.time.max", "").strip().lower() == "forever":
        return "a picture is drawn at the end of the data, and those of read.time.max=forever have none"
    return True


def asks(request: Mapping[str, str], source: _Source) -> list[Mapping[str, str]]:
    """What the picture asks, the dearest first; nothing where the request says it, or has no range.

    Bins come first where the source keeps some that are no wider than a pixel: an answer is then the same whether the
    blocks are there or not.
    """
    seconds = _seconds(request)
    if not seconds or "view.points" in request:
        return []
    points = {"view.points": str(_POINTS * _width(request))}
    if "bin.time.max" in request:
        return [points]
    pixel = seconds / _width(request)
    scans = "dft.length" in request or any(len(each.axes) > 1 for each in source.data.values())
    bins = {"bin.time.max": f"{pixel:.6g}", "bin.stats": "mean" if scans else "mean,min,max"}
    waves = {**bins, "bin.stats": "mean,min,max"}
    kept = any(
        0 < _number(dict(each.request).get("bin.time.max", "")) <= float(bins["bin.time.max"])
        for each in source.cache.levels
    )
    return [bins, points, waves] if kept else [points, waves]


def _number(text: str) -> float:
    """The number that a text says; 0 where it says none."""
    try:
        return float(text)
    except ValueError:
        return 0.0


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
