# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a site can afford a plan; if not, the refusal says what it costs, what it may cost, and what would do.

What would do is found by planning: each suggestion is a request that was planned for the same client in the same
convention, with all rules of access, and whose estimate is within the limits. So it is granted to whoever asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from dasflex_core.errors import DasflexError, TooLargeError
from dasflex_core.estimate import BEGIN, END, INTERVAL, WIDTH, extent_of
from dasflex_core.plan.parameters import canonical_name
from dasflex_core.prices import Excess, Suggestion
from dasflex_core.times import Time, format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dasflex_core.config import Config
    from dasflex_core.prices import Estimate
    from dasflex_core.site import Request
    from dasflex_core.solved import Plan

__all__ = ["nice_width", "refusal", "span_text", "with_changes"]

_DAY: Final = 86_400
_UNITS: Final = ((_DAY, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
#: So many of a unit are told in it; fewer in the next smaller one, so that little is lost by rounding.
_FEW: Final = 4
#: How often a shorter range is tried: each try is planned.
_TRIES: Final = 12
_SECOND: Final = 1_000_000_000
_GIGABYTE: Final = 1e9
_PARTS: Final = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
#: The widths that people use for bins and intervals, in seconds.
WIDTHS: Final = (
    *(each / 1000 for each in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(float(each) for each in _PARTS),
    *(60.0 * each for each in _PARTS),
    *(3_600.0 * each for each in (1, 2, 3, 4, 6, 8, 12)),
    *(float(_DAY * each) for each in (1, 2, 5, 10, 30)),
)


def refusal(plan: Plan, estimate: Estimate) -> TooLargeError | None:
    """The refusal of a plan, with what would do; None where its estimate is within the limits."""
    config = plan.request.source.site.config
    over = tuple(_excess(plan, estimate, config))
    if not over:
        return None
    offers = tuple(each for each in (_coarser(plan, config), _shorter(plan, estimate, config)) if each is not None)
    advice = f"ask for {', or for '.join(each.text for each in offers)}" if offers else "ask for less"
    text = f"This request would {' and '.join(map(str, over))}; {advice}"
    return TooLargeError(text, estimate=estimate, limits=over, suggestions=offers)


def with_changes(
    pairs: Iterable[tuple[str, str]], convention: Mapping[str, str], changes: Iterable[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """The pairs of a request with others in the place of those that mean the same.

    `convention` has the names by which it spells canonical parameters; `changes` are spelled so.
    """
    own = {name: canonical for canonical, name in convention.items()}

    def meant(name: str) -> str:
        return own.get(name.strip().lower(), canonical_name(name))

    new = tuple(changes)
    gone = {meant(name) for name, _text in new}
    gone |= {"time"} if {BEGIN, END} & gone else set()
    return (*(pair for pair in pairs if meant(pair[0]) not in gone), *new)


def span_text(seconds: float) -> str:
    """A range in whole units that people use, rounded down; blank below a second.

    >>> span_text(9 * 3600 + 7), span_text(86_400 * 30), span_text(1.5), span_text(0.5)
    ('9 hours', '30 days', '1 second', '')
    """
    count, unit, _size = _rounded(seconds)
    return f"{count:,} {unit}{'' if count == 1 else 's'}" if count else ""


def nice_width(seconds: float) -> str:
    """A width in the largest unit of which it is a whole number.

    >>> nice_width(0.2), nice_width(12.0), nice_width(600.0), nice_width(3600.0)
    ('200 ms', '12 s', '10 minutes', '1 hour')
    """
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    for size, unit in _UNITS[:-1]:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}{'' if seconds == size else 's'}"
    return f"{seconds:g} s"


class _Limit(NamedTuple):
    """A limit: the key that sets it, what is done, the cost of a plan, the most, the unit."""

    key: str
    did: str
    cost: float | None
    most: float
    unit: str


def _limits(plan: Plan, estimate: Estimate, config: Config) -> tuple[_Limit, ...]:
    """The limits, with what a plan would cost; the last is that of its format, where it has one."""
    return (
        _Limit("LIMIT_REQUEST_SECONDS", "take", estimate.seconds, config.limit_request_seconds, "s"),
        _Limit("LIMIT_REQUEST_GIGABYTES", "read", estimate.gigabytes, config.limit_request_gigabytes, "GB"),
        _Limit("LIMIT_ANSWER_GIGABYTES", "give", estimate.answer_gigabytes, config.limit_answer_gigabytes, "GB"),
        *(
            _Limit(key, f"give, as {title},", estimate.answer_gigabytes, most / _GIGABYTE, "GB")
            for key, title, most in (plan.format_limit(),)
            if key
        ),
    )


def _excess(plan: Plan, estimate: Estimate, config: Config) -> Iterator[Excess]:
    """The limits that an estimate is beyond. What nothing is known of is beyond none."""
    for each in _limits(plan, estimate, config):
        if each.most and each.cost is not None and each.cost > each.most:
            yield Excess(each.key, each.did, each.cost, each.most, each.unit)


def _coarser(plan: Plan, config: Config) -> Suggestion | None:
    """The narrowest bins of time, or the shortest interval of a model, that is affordable; None where none is.

    What is wider costs no more, so that the narrowest is found by halving; what is found was tried.
    """
    solution, span = plan.solution, extent_of(plan).seconds
    consumed = {name for step in solution.path.steps for name in step.consumes}
    request = dict(solution.request)
    asks = {param.name for param in solution.path.steps[0].spec.params}
    name = INTERVAL if INTERVAL in asks else WIDTH
    now = float(request[name]) if name in consumed else 0.0
    widths = [each for each in WIDTHS if each > now and (span is None or each <= span)]
    found: Suggestion | None = None
    low, high = 0, len(widths)
    middle = high - 1  # the widest first: where that does not do, none does
    while low < high:
        width = widths[middle]
        made = _tried(plan, config, ((name, f"{width:g}"),))
        if made is None and found is None:
            return None
        if made is None:
            low = middle + 1
        else:
            what = (
                f"values every {nice_width(width)} or more"
                if name == INTERVAL
                else f"bins of {nice_width(width)} or wider"
            )
            found, high = replace(made, text=what), middle
        middle = (low + high) // 2
    return found


def _shorter(plan: Plan, estimate: Estimate, config: Config) -> Suggestion | None:
    """The longest range that is affordable, from the same beginning on; None where none is."""
    extent = extent_of(plan)
    if extent.begin is None or not extent.seconds:
        return None
    span, begin = extent.seconds, format_time(extent.begin)
    for _try in range(_TRIES):
        ratios = [each.most / each.cost for each in _limits(plan, estimate, config) if each.most and each.cost]
        span *= min(0.999, *ratios)
        count, _unit, size = _rounded(span)
        if not count:
            return None
        span = float(count * size)
        end = format_time(Time(extent.begin.ns + count * size * _SECOND))
        changes = ((BEGIN, begin), (END, end))
        again = _planned(plan, changes)
        if again is None:
            return None
        made = _granted(plan, again, changes, config)
        if made is not None:
            return replace(made, text=f"at most {span_text(span)}")
        estimate = again.estimate()
    return None


def _rounded(seconds: float) -> tuple[int, str, int]:
    """A span rounded down to whole units: their number, name and seconds; few of a unit become many of the next."""
    for size, unit in _UNITS:
        if seconds >= _FEW * size or (seconds >= size and seconds % size < 1):
            return int(seconds // size), unit, size
    return int(seconds), "second", 1


def _spelled(plan: Plan) -> Mapping[str, str]:
    """The names by which the convention of a request spells parameters."""
    return dict(plan.request.source.site.registry.convention(plan.request.convention).spells)


def _changed(plan: Plan, changes: Iterable[tuple[str, str]]) -> Request:
    """The request with other values, as its client would ask it."""
    names = _spelled(plan)
    spelled = [(names.get(name, name), text) for name, text in changes]
    return replace(plan.request, pairs=with_changes(plan.request.pairs, names, spelled))


def _planned(plan: Plan, changes: tuple[tuple[str, str], ...]) -> Plan | None:
    """The plan of the request with other values, for the same client; None where it gets none, or not these values."""
    try:
        other = _changed(plan, changes).plan()
    except DasflexError:
        return None
    made = dict(other.solution.request)
    consumed = {name for step in other.solution.path.steps for name in step.consumes}
    reads = set(other.solution.path.steps[0].spec.reads)
    kept = all(name in consumed | reads and _same(name, made[name], text) for name, text in changes)
    return other if kept else None


def _same(name: str, made: str, text: str) -> bool:
    """Whether a value of a solution is the one that was asked for."""
    return made == text if name in (BEGIN, END) else float(made) == float(text)


def _tried(plan: Plan, config: Config, changes: tuple[tuple[str, str], ...]) -> Suggestion | None:
    """The suggestion of other values, if it is granted."""
    other = _planned(plan, changes)
    return None if other is None else _granted(plan, other, changes, config)


def _granted(plan: Plan, other: Plan, changes: tuple[tuple[str, str], ...], config: Config) -> Suggestion | None:
    """The suggestion of another plan, if it is affordable."""
    estimate = other.estimate()
    if any(_excess(other, estimate, config)):
        return None
    names = _spelled(plan)
    spelled = tuple((names.get(name, name), text) for name, text in changes)
    return Suggestion("", spelled, other.request.pairs, estimate)
