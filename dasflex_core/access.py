# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may read what: a pure decision of the rules of a source, who asks, what is asked, and the time.

A definition lists rules, of which any one suffices: `user:NAME` and `group:NAME`; `age:1y6m`, by which data are open to
everybody once they are older; `bin:60s`, by which everybody may read averages of that width or more. A list without a
rule is open to everybody.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Final

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.times import Time

__all__ = ["NOBODY", "Decision", "Identity", "Rules", "Wish", "decide", "in_scope", "rules_of"]

#: The parts of an age: years, months and days, each a number with the letter of its unit (`1y6m`).
_AGE: Final = re.compile(r"(?:(\d{1,4})y)?(?:(\d{1,5})m)?(?:(\d{1,7})d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, proven.

    `user` is blank where nobody has logged in. `scope` lists what a token is good for: ids of sources, and folders,
    which end in a slash; without any it is good for all that the user may read.
    """

    user: str = ""
    groups: frozenset[str] = field(default_factory=frozenset)
    scope: tuple[str, ...] = ()


NOBODY = Identity()


@dataclass(frozen=True, slots=True)
class Age:
    """A span of the calendar: months, and then days."""

    months: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a source; `width` is the narrowest bin, in seconds, for everybody. `closed`: there are rules."""

    users: frozenset[str] = field(default_factory=frozenset)
    groups: frozenset[str] = field(default_factory=frozenset)
    ages: tuple[Age, ...] = ()
    width: float | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked, as far as rules look at it: the end of the range, and the width of bins of time in seconds.

    None where the request names none, or one that is no such thing: it is then not what a rule allows.
    """

    end: Time | None = None
    width: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may be answered.

    A request that is `granted` for its bins only has their width in `width`, and one that is for the end of its range
    is `aged`: whoever plans sees to it that the bins are made, or the range is kept. Where it is not granted as it is,
    and would be with wider bins, `instead` is their width.
    """

    granted: bool
    width: float | None = None
    instead: float | None = None
    aged: bool = False


_OPEN: Final = Decision(granted=True)
#: What lies before the calendar, in nanoseconds since 1970: no data end there.
_NEVER: Final = -62_135_596_800_000_000_001


def rules_of(allow: Iterable[str]) -> Rules:
    """The rules of a list as a definition writes it, which was checked when it was read.

    A rule that cannot be understood opens nothing, and the source is closed.
    """
    users: set[str] = set()
    groups: set[str] = set()
    ages: list[Age] = []
    widths: list[float] = []
    closed = False
    for each in allow:
        closed = True
        kind, _, text = each.partition(":")
        match kind.strip().lower():
            case "user":
                users.add(text.strip())
            case "group":
                groups.add(text.strip())
            case "age":
                ages += _age(text.strip())
            case "bin":
                widths += _width(text.strip())
    width = min(widths) if widths else None
    return Rules(frozenset(users - {""}), frozenset(groups - {""}), tuple(ages), width, closed)


def decide(rules: Rules, who: Identity, wish: Wish, now: Time, source: str = "") -> Decision:
    """Whether somebody may have what they ask. `source` is the id, which the scope of a token is compared with."""
    if not rules.closed:
        return _OPEN
    known = who.user and in_scope(source, who.scope)
    if known and (who.user in rules.users or not rules.groups.isdisjoint(who.groups)):
        return _OPEN
    if wish.end is not None and any((wish.end.ns, wish.end.leap) <= (_before(now, each), 0) for each in rules.ages):
        return Decision(granted=True, aged=True)
    if rules.width is None:
        return Decision(granted=False)
    if wish.width is not None and rules.width <= wish.width < float("inf"):
        return Decision(granted=True, width=rules.width)
    return Decision(granted=False, instead=rules.width)


def in_scope(source: str, scope: tuple[str, ...]) -> bool:
    """Whether a source is among those that a token is good for; ids have no case.

    >>> in_scope("Juno/WAV/Survey", ("juno/",)), in_scope("Juno/WAV/Survey", ("juno/wav",)), in_scope("A", ())
    (True, False, True)
    """
    name = source.lower()
    return not scope or any(
        name.startswith(each.lower()) if each.endswith("/") else name == each.lower() for each in scope
    )


def _age(text: str) -> list[Age]:
    """An age, in a list; none for what is no age, or none at all, which would open everything."""
    found = _AGE.fullmatch(text)
    if found is None:
        return []
    years, months, days = (int(part or 0) for part in found.groups())
    age = Age(12 * years + months, days)
    return [age] if age != Age() else []


def _width(text: str) -> list[float]:
    """The width of bins in seconds, in a list; none for what is no such thing."""
    from dasflex_core.times import seconds

    try:
        width = seconds(text)
    except ValueError:
        return []
    return [width] if 0 < width < float("inf") else []


def _before(now: Time, age: Age) -> int:
    """The moment, in nanoseconds since 1970, that lies an age before another: months first, as people count them.

    A day that its month does not have is the last one of it. An age that is longer than the calendar opens nothing.
    """
    from calendar import monthrange
    from datetime import UTC, datetime, timedelta

    whole, rest = divmod(now.ns, 1_000_000_000)
    moment = datetime.fromtimestamp(whole, UTC)
    year, month = divmod(12 * moment.year + moment.month - 1 - age.months, 12)
    if year < 1:
        return _NEVER
    moment = moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
    try:
        moment -= timedelta(days=age.days)
    except OverflowError:
        return _NEVER
    return int(moment.timestamp()) * 1_000_000_000 + rest
