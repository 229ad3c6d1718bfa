# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of an option means: its type, and a default that is checked against all the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core import times
from dasflex_core.catalog.kinds import scalar
from dasflex_core.catalog.model import Option, Pairs, Span
from dasflex_core.catalog.quantities import UnfitError
from dasflex_core.errors import QueryError, did_you_mean

if TYPE_CHECKING:
    from dasflex_core.stages import ParamType

__all__ = ["make_option"]

_RANGED: Final = ("real", "integer", "time", "duration")


def make_option(  # an option has as many fields as its table has keys
    *,
    title: str = "",
    type: ParamType | None = None,  # noqa: A002  the word of the format
    values: Pairs = (),
    default: object = None,
    units: str = "",
    range: Span | None = None,  # noqa: A002  the same
) -> Option:
    """The option that a table describes. Without `type`, it is that of the default; without both, `string`.

    Raises `UnfitError` where the keys contradict one another.
    """
    kind = type or _type_of(default, values, range)
    if range and values:
        raise UnfitError("says no more than 'values' does; leave one of the two out", "range")
    if range and kind not in _RANGED:
        raise UnfitError(f"is for numbers and times, and this option is of type {kind!r}", "range")
    limits = _limits(range, kind) if range else None
    written = None if default is None else _as_text(default, kind)
    if written is not None:
        _check_default(written, kind, values, limits)
    return Option(title=title, type=kind, values=values, default=written, units=units, range=range)


def _type_of(default: object, values: Pairs, range_: Span | None) -> ParamType:
    """The type of an option that does not say it."""
    if isinstance(default, bool):
        return "boolean"
    if isinstance(default, list):
        return "list"
    if isinstance(default, int | float):
        return "integer" if isinstance(default, int) else "real"
    if default is None and values and all(value.isdecimal() for value, _ in values):
        return "integer"
    return "real" if range_ and default is None else "string"


def _as_text(default: object, kind: ParamType) -> str:
    """The default as it stands in a URL."""
    if isinstance(default, bool) != (kind == "boolean"):
        must = "be true or false" if kind == "boolean" else "not be true or false"
        raise UnfitError(f"must {must}: the option is of type {kind!r}", "default")
    if not isinstance(default, list):
        return scalar(default)
    if kind != "list":
        raise UnfitError(f"must not be a list: the option is of type {kind!r}", "default")
    return ",".join(scalar(each) for each in default)


def _limits(range_: Span, kind: ParamType) -> tuple[float, float]:
    """The ends of the range, in the order of the type."""
    try:
        low, high = _measure(range_.begin, kind), _measure(range_.end, kind)
    except (ValueError, QueryError) as error:
        raise UnfitError(f"{str(range_)!r} is no range of values of type {kind!r}", "range") from error
    if low >= high:
        raise UnfitError(f"the range {str(range_)!r} is empty", "range")
    return low, high


def _check_default(written: str, kind: ParamType, values: Pairs, limits: tuple[float, float] | None) -> None:
    names = [name for name, _ in values]
    for each in written.split(",") if kind == "list" else [written]:
        if kind != "arguments" and names and each not in names:
            known = did_you_mean(each, names) or f" They are {', '.join(names)}."
            raise UnfitError(f"is {each!r}, which is none of the option's values.{known}", "default")
    if kind not in _RANGED:
        return
    try:
        place = _measure(written, kind)
    except (ValueError, QueryError) as error:
        raise UnfitError(f"is {written!r}, which is no value of type {kind!r}", "default") from error
    if limits and not limits[0] <= place < limits[1]:
        raise UnfitError(f"is {written}, which is outside of the option's range; its end is not in it", "default")


def _measure(text: str, kind: ParamType) -> float:
    """Where a value stands among others of its type, which is one of those with a range."""
    match kind:
        case "integer":
            return int(text)
        case "time":
            return times.parse_time(text).ns
        case "duration" if not text.replace(".", "", 1).isdecimal():
            return times.seconds(text)
    return float(text)
