# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script writes of a request, as the pairs of a query: ranges, steps, keywords, and values of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import QueryError
from dasflex_core.plan.parameters import canonical_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from dasflex_core.stages import Value

    #: Names and values of a request, in their order.
    Pairs = tuple[tuple[str, str], ...]

__all__ = ["keyword", "pairs_with", "span_pairs"]


def span_pairs(span: slice, step_name: Callable[[], str]) -> Pairs:
    """The pairs of `source[begin:end:every]`; `step_name` gives the parameter that *every* means.

    Ends are texts (`"2017-001"`, `"now-PT10M"`), datetimes or datetime64; the step is seconds or `"10 min"`.
    """
    if not isinstance(span, slice):
        what = f"{span!r:.80} is no range of time; write one like source['2017-01-01':'2017-01-02']"
        raise QueryError(what, kind="query.bad-range")
    pairs = [(name, _moment(end)) for name, end in (("read.time.min", span.start), ("read.time.max", span.stop)) if end]
    if span.step is not None:
        pairs.append((step_name(), _step(span.step)))
    return tuple(pairs)


def pairs_with(pairs: Pairs, new: Mapping[str, Value]) -> Pairs:
    """The pairs with more parameters, or others in their place. `time` stands for both ends."""
    kept = [pair for pair in pairs if canonical_name(pair[0]) not in new]
    if "time" in new:
        kept = [pair for pair in kept if pair[0] not in ("read.time.min", "read.time.max")]
    return (*kept, *((name, _text(value)) for name, value in new.items()))


def keyword(name: str, options: Collection[str]) -> str:
    """The canonical name of a keyword: dots are written as underscores, but an option of the source keeps its own."""
    first, _, rest = name.partition("_")
    return f"read.{rest}" if first == "read" and rest in options else name.replace("_", ".")


def _moment(end: object) -> str:
    """An end of a range as text."""
    return end if isinstance(end, str) else str(getattr(end, "isoformat", lambda: end)())


def _step(step: object) -> str:
    """A step in seconds as the text of a parameter."""
    from dasflex_core.times import seconds

    if isinstance(step, str):
        try:
            return f"{float(step):g}"
        except ValueError:
            return _text(seconds(step))
    if isinstance(step, int | float):
        return _text(step)
    total = getattr(step, "total_seconds", None)
    if total is None:
        raise QueryError(f"{step!r} is no step; write seconds or '10 min'", kind="query.bad-value")
    return _text(total())


def _text(value: Value) -> str:
    """A parameter's value as it stands in a URL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
