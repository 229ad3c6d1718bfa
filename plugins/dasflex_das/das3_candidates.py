# SPDX-License-Identifier: GPL-3.0-or-later
"""What release candidates of das3 wrote otherwise, and readers still meet: repeated header values, and encodings.

`<values>` and `<sequence>` once said how often they repeat to fill the index: `repeat="whole"` all of them again and
again, `repeat="each"` each one several times (the das3 stream format, differences between final and rc2).
"""

from __future__ import annotations

from decimal import Decimal
from math import prod
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import VARIES
from dasflex_core.errors import SourceError
from dasflex_das.das3_values import count_of, is_number

if TYPE_CHECKING:
    from dasflex_das.elements import Element

__all__ = ["ENCODINGS", "repeated_intervals", "repeated_values"]

#: What the encoding was called, and the encoding and the media type that say it now; blank for none.
ENCODINGS: Final = {"none": ("blob", ""), "png": ("blob", "image/png"), "jpeg": ("blob", "image/jpeg")}
_NEVER: Final = ("", "none")


def _times(element: Element, counted: int, where: str) -> int:
    """How often something repeats: as written, else as `counted`. Raises `SourceError` where these differ."""
    mode, written = element.get("repeat").strip(), element.get("repetitions").strip()
    if mode not in ("whole", "each") or (written not in ("", "*") and count_of(written) != counted):
        raise SourceError(
            f"{where} has repeat={mode!r} and repetitions={written!r}; by its index it repeats {counted} times, and"
            " repeat is none, whole or each",
            kind="source.stream",
        )
    return counted


def repeated_values(tokens: list[str], element: Element, count: int, where: str) -> list[str]:
    """The texts of `<values>` as often as they are meant, `count` in all.

    Raises `SourceError` where they do not fill the index as they say.
    """
    if element.get("repeat").strip() in _NEVER or not tokens or count % len(tokens):
        return tokens
    times = _times(element, count // len(tokens), where)
    if element.get("repeat").strip() == "whole":
        return tokens * times
    return [token for token in tokens for _time in range(times)]


def repeated_intervals(element: Element, index: tuple[int | None, ...], where: str) -> list[str]:
    """The intervals of a `<sequence>` as a final stream writes them; those without `repeat` stay as they are.

    A sequence that repeats has one interval, for all values over the inner indices in C order. Raises `SourceError`
    where it does not repeat at the bounds of an index.
    """
    intervals = element.get("interval").split(";")
    mode = element.get("repeat").strip()
    if mode in _NEVER or len(intervals) > 1 or not is_number(intervals[0].strip()):
        return intervals
    inner = [(place, extent) for place, extent in enumerate(index) if place and extent is not None]
    if any(extent == VARIES for _place, extent in inner):
        raise SourceError(f"{where}: a sequence that repeats has a fixed extent over each index", kind="source.stream")
    strides = {place: prod(extent for other, extent in inner if other > place) for place, extent in inner}
    whole = prod(extent for _place, extent in inner)
    times = count_of(element.get("repetitions")) or _natural(mode, inner)
    part = times if mode == "each" else whole // times
    bounds = {*strides.values(), whole}
    if mode not in ("whole", "each") or whole % times or part not in bounds:
        raise SourceError(
            f"{where} has repeat={mode!r} and repetitions={element.get('repetitions')!r}; a sequence repeats, whole or"
            " each, at the bounds of an index",
            kind="source.stream",
        )
    step = Decimal(intervals[0].strip())
    found = ["-"] * len(index)
    for place, stride in strides.items():
        moves = stride >= part if mode == "each" else stride < part
        found[place] = str(step * (stride // part if mode == "each" else stride)) if moves else "0"
    return found


def _natural(mode: str, inner: list[tuple[int, int]]) -> int:
    """How often a sequence repeats that does not say it: over all indices but the last, or the first."""
    extents = [extent for _place, extent in inner]
    return prod(extents[1:] if mode == "each" else extents[:-1])
