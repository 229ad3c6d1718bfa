# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client asks of each endpoint, checked against the rules of the standard in their order; no HTTP, no site.

Names of HAPI 2 (`id`, `time.min`, `time.max`) and of HAPI 3 (`dataset`, `start`, `stop`) mean the same and may be
mixed, but nothing may be said twice (HAPI 3.3, 3.5 and 3.6). The order is: the endpoint; unknown and double names;
names that are missing; the dataset, which the caller looks up; its parameters; the range; the format; the header.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from dasflex_core.errors import QueryError
from dasflex_core.times import parse_time
from dasflex_core.values import dataclass
from dasflex_hapi.serving.refusals import HapiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ENDPOINTS", "Query", "chosen", "header_wanted", "output_format", "read_query", "time_range"]


@dataclass(frozen=True, slots=True)
class _Rules:
    """The names that an endpoint knows, and those of them that it needs."""

    known: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()


#: The endpoints (HAPI 3.3, 3.6), with the names of HAPI 3.
ENDPOINTS: Final[Mapping[str, _Rules]] = {
    "about": _Rules(),
    "capabilities": _Rules(),
    "catalog": _Rules(("depth", "resolve_references")),
    "info": _Rules(("dataset", "parameters", "resolve_references"), ("dataset",)),
    "data": _Rules(("dataset", "start", "stop", "parameters", "include", "format"), ("dataset", "start", "stop")),
}
#: The names of HAPI 2.
_FORMER: Final = {"id": "dataset", "time.min": "start", "time.max": "stop"}
_BOTH: Final = {"dataset": "dataset (or id)", "start": "start (or time.min)", "stop": "stop (or time.max)"}
#: The values of the names whose values are words, with the codes of others.
_WORDS: Final[Mapping[str, tuple[tuple[str, ...], int]]] = {
    "depth": (("dataset", "all"), 1413),
    "resolve_references": (("true", "false"), 1412),
}
#: Times (HAPI 3.3, 3.7.1): truncated from the right, ordinal or by month, and no `T` behind a bare date.
_CLOCK: Final = r"(?:T\d{2}(?::\d{2}(?::\d{2}(?:\.\d*)?)?)?)?"
_TIME: Final = re.compile(rf"\d{{4}}(?:-\d{{2}}|-\d{{3}}{_CLOCK}|-\d{{2}}-\d{{2}}{_CLOCK})?Z?", re.ASCII)
_MIDNIGHT: Final = re.compile(r"T24(?::00(?::00(?:\.0*)?)?)?Z?$", re.ASCII)
_DAY: Final = 86_400 * 1_000_000_000
_LONGEST: Final = 64


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked, by the names of HAPI 3; nothing of it is checked but the names, and values that are words."""

    endpoint: str
    values: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        """A value; blank where it was not given."""
        return self.values.get(name, "")


def read_query(endpoint: str, text: str) -> Query:
    """The query of an endpoint. Raises `HapiError`."""
    rules = ENDPOINTS.get(endpoint)
    if rules is None:
        raise HapiError(1400, f"There is no such endpoint; there are {', '.join(ENDPOINTS)}")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise HapiError(1400, "The query cannot be read") from error
    values: dict[str, str] = {}
    for written, value in pairs:
        name = _FORMER.get(written, written)
        if name not in rules.known:
            known = ", ".join(_BOTH.get(each, each) for each in rules.known) or "none"
            raise HapiError(1401, f"The names that {endpoint} knows: {known}")
        if name in values:
            raise HapiError(1400, f"{_BOTH.get(name, name)} is given more than once")
        values[name] = value
    for name in rules.needed:
        if not values.get(name):
            raise HapiError(1400, f"{_BOTH.get(name, name)} is missing")
    for name, (words, code) in _WORDS.items():
        if name in values and values[name] not in words:
            raise HapiError(code, f"{name} is one of {', '.join(words)}")
    return Query(endpoint, values)


def chosen(query: Query, names: Sequence[str]) -> tuple[str, ...] | None:
    """The parameters that were asked, in the order of the dataset; the time is always the first. None: all.

    Raises `HapiError` for a name that is none of `names`, and for those that are there twice or out of order.
    """
    asked = query["parameters"]
    if not asked:
        return None
    wanted = asked.split(",")
    places = {name: place for place, name in enumerate(names)}
    if not all(name in places for name in wanted):
        raise HapiError(1407, f"The parameters of this dataset: {', '.join(names)}")
    order = [places[name] for name in wanted]
    if any(later <= earlier for earlier, later in pairwise(order)):
        raise HapiError(1411, f"Each parameter is named once, in the order {', '.join(names)}")
    return tuple(wanted) if order[0] == 0 else (names[0], *wanted)


def time_range(query: Query, begin: int, end: int, told: str) -> tuple[int, int]:
    """The range that was asked, `[start, stop)` in ns since 1970, within `[begin, end)`, which `told` says in words.

    A time inside a leap second counts as the midnight behind it, since no record of ours lies in one. Raises
    `HapiError`.
    """
    start, stop = _moment(query["start"], 1402, "start"), _moment(query["stop"], 1403, "stop")
    if start >= stop:
        raise HapiError(1404, "start must be before stop")
    if start < begin or stop > end:
        raise HapiError(1405, f"startDate and stopDate of this dataset: {told}")
    return start, stop


def _moment(text: str, code: int, name: str) -> int:
    """The nanoseconds of a time as HAPI writes it."""
    form = f"{name} is written like 2017-01-15T10:30:00.5Z, 2017-015T10:30Z or 2017Z"
    if len(text) > _LONGEST or not _TIME.fullmatch(text):
        raise HapiError(code, form)
    midnight = _MIDNIGHT.search(text)
    try:
        found = parse_time(text[: midnight.start()] if midnight else text)
    except QueryError as error:
        raise HapiError(code, f"{name} is no time that there is; {form}") from error
    if found.leap:
        return -(-found.ns // _DAY) * _DAY
    return found.ns + (_DAY if midnight else 0)


def output_format(query: Query, offered: Sequence[str], own: Sequence[str]) -> str:
    """The format that was asked, `csv` where none was. Raises `HapiError` for one that is not there."""
    wanted = query["format"] if "format" in query.values else "csv"
    if wanted not in (*offered, *own):
        raise HapiError(1409, f"format is one of {', '.join((*offered, *own))}")
    return wanted


def header_wanted(query: Query) -> bool:
    """Whether the header stands before the data. Raises `HapiError` for another word than `header`."""
    if "include" not in query.values:
        return False
    if query["include"] != "header":
        raise HapiError(1410, "include is header, or left out")
    return True
