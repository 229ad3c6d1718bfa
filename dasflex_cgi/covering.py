# SPDX-License-Identifier: GPL-3.0-or-later
"""When a source has data: the file `coverage.json`, and the strip on its page that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from dasflex_cgi.exchange import Answer
from dasflex_cgi.static import sent
from dasflex_core.errors import NotFoundError
from dasflex_core.times import Time, format_time
from dasflex_core.upkeep.coverage import coverage_path, read_coverage
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_cgi.visit import Visit
    from dasflex_core.site import Source
    from dasflex_core.upkeep.coverage import Coverage

__all__ = ["Strip", "coverage_answer", "strip_of"]

_FRESH: Final = "public, max-age=60"
#: The width of the strip in units of its own, and its parts at most: of more, neighbours are shown as one.
_LONG: Final = 1000
_MOST: Final = 120
_STATES: Final = {True: "there", False: "none", None: "unknown"}
_WORDS: Final = {"there": "data", "none": "no data", "unknown": "not known"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the strip: where it lies, what it is (`there`, `none`, `unknown`), and the page with its range."""

    x: float
    width: float
    state: str
    title: str
    href: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The availability of a source: its parts from the begin to the end of its range, and all of it in words."""

    begin: str
    end: str
    label: str
    parts: tuple[Part, ...]
    href: str


def coverage_answer(visit: Visit, source: Source) -> Answer:
    """The file of a source. Raises `NotFoundError` where it was not measured."""
    path = coverage_path(source.site.config, source.id)
    served = sent(str(path), visit.asked.method, visit.asked.headers, _FRESH) if path.is_file() else None
    if served is None:
        raise NotFoundError(
            f"The coverage of {source.id} is not known; its administrator measures it by "
            f"`dasflex cache coverage {source.id}`",
            kind="not-found.source",
        )
    return Answer(served.status, served.headers, served)


def strip_of(source: Source, here: str) -> Strip | None:
    """The strip of a source whose page is at `here`; None where it was not measured."""
    found = read_coverage(coverage_path(source.site.config, source.id))
    if found is None or not found.records:
        return None
    span = found.end - found.begin
    parts = []
    for begin, end, state in _joined(found):
        ends = [format_time(Time(each)) for each in (begin, end)]
        word = _STATES[state]
        parts.append(
            Part(
                round((begin - found.begin) / span * _LONG, 2),
                round((end - begin) / span * _LONG, 2),
                word,
                f"{ends[0]} to {ends[1]}: {_WORDS[word]}",
                f"{here}.html?time={quote('/'.join(ends), safe=':/')}#form" if state else "",
            )
        )
    first, last = (format_time(Time(each)) for each in (found.begin, found.end))
    return Strip(first, last, _label(found), tuple(parts), f"{here}/coverage.json")


def _label(found: Coverage) -> str:
    """The whole in words."""
    count = len(found.records)
    there = sum(1 for each in found.records if each)
    unknown = sum(1 for each in found.records if each is None)
    begin, end = (format_time(Time(each)) for each in (found.begin, found.end))
    text = f"Data in {there / count:.0%} of the time from {begin} to {end}"
    return f"{text}; {unknown / count:.0%} is not known" if unknown else text


def _shown(states: set[bool | None]) -> bool | None:
    """What is shown of parts as one: data where there are any, and that it is not known where none is known."""
    return True if True in states else None if None in states else False


def _joined(found: Coverage) -> list[tuple[int, int, bool | None]]:
    """The runs of a coverage, the shortest put together with the one before where there are too many."""
    runs = list(found.runs())
    least = 0
    while len(runs) > _MOST:
        least = max(2 * least, (found.end - found.begin) // (_LONG * 2))
        kept: list[tuple[int, int, bool | None]] = []
        for begin, end, state in runs:
            if kept and (kept[-1][2] == state or end - begin < least):
                first, _last, before = kept[-1]
                kept[-1] = first, end, _shown({before, state})
            else:
                kept.append((begin, end, state))
        runs = kept
    return runs
