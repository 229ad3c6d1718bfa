# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a site can afford a plan; if not, the refusal says what it costs, what it may cost, and what would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import DasflexError, QueryError
from dasflex_core.times import Time, format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.config import Config
    from dasflex_core.plan.planner import Solution
    from dasflex_core.solved import Plan

__all__ = ["check_price"]

_DAY: Final = 86_400
_UNITS: Final = ((_DAY, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
#: How often a shorter range, and wider bins, are tried: each try is solved, so that what is offered is true.
_TRIES: Final = 10


def check_price(plan: Plan) -> None:
    """Raises `QueryError` (`query.too-large`) where the plan costs more than the configuration allows."""
    config = plan.request.source.site.config
    over = [f"{what} {cost}, where at most {most} are allowed" for what, cost, most in _excess(plan.solution, config)]
    if not over:
        return
    offers = [offer for offer in (_shorter(plan, config), _coarser(plan, config)) if offer]
    advice = f"; ask for {' or '.join(offers)}" if offers else "; ask for less"
    raise QueryError(f"This request would {' and '.join(over)}{advice}", kind="query.too-large")


def _excess(solution: Solution, config: Config) -> Iterator[tuple[str, str, str]]:
    """What a solution costs beyond the limits: what is done, the cost and the limit."""
    seconds, size = config.limit_request_seconds, config.limit_request_gigabytes
    if seconds and solution.seconds > seconds:
        yield "take about", f"{solution.seconds:,.3g} s", f"{seconds:,g} s"
    if size and solution.size > size:
        yield "read about", f"{solution.size:,.3g} GB", f"{size:,g} GB"


def _shorter(plan: Plan, config: Config) -> str:
    """The longest range that is affordable, from the same beginning on; blank where there is none."""
    request = dict(plan.solution.request)
    if not {"read.time.min", "read.time.max"} <= request.keys():
        return ""
    begin, end = parse_time(request["read.time.min"]), parse_time(request["read.time.max"])
    ratios = [
        limit / cost
        for limit, cost in (
            (config.limit_request_seconds, plan.solution.seconds),
            (config.limit_request_gigabytes, plan.solution.size),
        )
        if limit and cost
    ]
    span = (end.ns - begin.ns) / 1e9 * min(1.0, *ratios, 1.0)
    for _try in range(_TRIES):
        count, unit, seconds = _rounded(span)
        if not count:
            return ""
        last = format_time(Time(begin.ns + count * seconds * 1_000_000_000))
        if _affordable(plan, config, {"read.time.max": last}):
            return f"{count:,} {unit}{'' if count == 1 else 's'} at a time"
        span *= 0.7
    return ""


def _rounded(seconds: float) -> tuple[int, str, int]:
    """A span rounded down to whole units: their number, name and seconds; few of a unit become many of the next."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return int(seconds // size), unit, size
    return int(seconds), "second", 1


def _coarser(plan: Plan, config: Config) -> str:
    """The narrowest bins of time that are affordable, where the plan makes bins; blank where none are."""
    request = dict(plan.solution.request)
    if not any("bin.time.max" in step.consumes for step in plan.solution.path.steps):
        return ""
    width = float(request["bin.time.max"])
    for _try in range(_TRIES):
        width *= 2
        if _affordable(plan, config, {"bin.time.max": f"{width:g}"}):
            return f"bins of {width:g} s"
    return ""


def _affordable(plan: Plan, config: Config, change: dict[str, str]) -> bool:
    """Whether the request with another value would be solved within the limits."""
    solution, source = plan.solution, plan.request.source
    consumed = {name for step in solution.path.steps for name in step.consumes}
    pairs = {name: text for name, text in solution.request if name in consumed} | change
    try:
        other = source.site.planner.solve(source.definition, pairs.items(), goal=solution.goal)
    except DasflexError:
        return False
    return not list(_excess(other, config))
