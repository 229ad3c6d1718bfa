# SPDX-License-Identifier: GPL-3.0-or-later
"""What the reducers decline of a request, before anything runs: pure functions of request and definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["cut", "decimate", "select", "transform", "transform_lines"]


class _Coord(Protocol):
    """What is needed of a coordinate of a definition."""

    @property
    def of(self) -> str | None: ...
    @property
    def size(self) -> int | None: ...
    @property
    def ragged(self) -> bool: ...


class _Source(Protocol):
    """What is needed of a definition."""

    @property
    def coords(self) -> Mapping[str, _Coord]: ...
    @property
    def data(self) -> Mapping[str, object]: ...


def _number(request: Mapping[str, str], name: str) -> int | None:
    """The whole number that a parameter is; None where it is none, which is told elsewhere."""
    text = request.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None


def transform(request: Mapping[str, str], source: _Source) -> bool | str:
    """Whether segments of `dft.length` can be transformed, else why not.

    The length is even, the denominator of the slide is below it, and where the definition says how many samples a
    record has, there are as many.
    """
    verdict = transform_lines(request, source)
    length = _number(request, "dft.length")
    if verdict is not True or length is None:
        return verdict
    sizes = [each.size for each in source.coords.values() if each.of == "time" and each.size]
    if sizes and max(sizes) < length:
        return f"dft.length={length} is more than the {max(sizes):,} samples of a record"
    return True


def transform_lines(request: Mapping[str, str], source: _Source) -> bool | str:  # noqa: ARG001  as the solver calls it
    """Whether `dft.length` and `dft.slide` fit one another."""
    length, slide = _number(request, "dft.length"), _number(request, "dft.slide")
    if length is None:
        return True
    if length % 2:
        return f"dft.length={length} must be even; {length + 1} is"
    if slide is not None and slide >= length:
        return f"dft.slide={slide} must be below dft.length={length}"
    return True


def select(request: Mapping[str, str], source: _Source) -> bool | str:
    """Whether the definition knows the data that are asked for, or says nothing of its data."""
    known = {name.lower() for name in source.data}
    asked = [name.strip() for name in request.get("read.data", "").split(",")]
    strange = [name for name in asked if name and known and name.lower() not in known]
    if not strange:
        return True
    from dasflex_core.errors import did_you_mean, listing, shown

    hint = did_you_mean(strange[0], source.data)
    return f"there is no data variable {shown(strange[0])}.{hint} There are {listing(source.data)}"


def cut(request: Mapping[str, str], source: _Source) -> bool | str:
    """Whether the axes that are cut are the same in all records, as far as the definition says."""
    for name, coord in source.coords.items():
        if coord.ragged and any(f"read.{name}.{end}" in request for end in ("min", "max")):
            return f"{name} differs from record to record, so that it cannot be cut"
    return True


def decimate(request: Mapping[str, str], source: _Source) -> bool | str:  # noqa: ARG001  as the solver calls it
    """Whether the request has a time range that can be cut into buckets."""
    if "view.points" not in request:
        return True
    ends = [request.get(name, "forever") for name in ("read.time.min", "read.time.max")]
    return "view.points needs a time range that has both ends" if "forever" in ends else True
