# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache levels of a source: what each keeps, and which of them can serve a request.

A level is a partial request that is kept in blocks of a period. It serves requests that ask the same of the readers and
of what computes, and no narrower bins; so what is asked of the range, of the bins and of the format does not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.cache.periods import Period, period
from dasflex_core.errors import ConfigError
from dasflex_core.times import GRID
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.catalog.model import Option

__all__ = ["Level", "level_for", "levels_of", "same_for_all"]

_NS: Final = 1e9
_WIDTH: Final = "bin.time.max"
#: What differs between requests that one level serves: the range, the bins, and what comes behind them.
_FREE: Final = frozenset({"read.time.min", "read.time.max", _WIDTH, "bin.stats", "bin.align"})
_FREE_FAMILIES: Final = frozenset({"format", "view"})


@dataclass(frozen=True, slots=True)
class Level:
    """A cache level of a source.

    `number` is its place in the definition, from 0. `width` is the width of its bins in nanoseconds, 0 where it keeps
    the records as they are read. `asked` is what the level names of itself, `fixed` all that a request must ask, too.
    """

    number: int
    period: Period
    width: int
    asked: Mapping[str, str]
    fixed: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """The width of its bins in seconds; 0 for records."""
        return self.width / _NS

    @property
    def title(self) -> str:
        """The level in words: `day blocks of 60 s`, with what else it names."""
        kept = f"bins of {self.seconds:.10g} s" if self.width else "records as they are"
        more = ", ".join(f"{name}={text}" for name, text in self.asked.items() if name != _WIDTH)
        return f"{kept} in {self.period.word} blocks" + (f" ({more})" if more else "")

    def widened(self, begin: int, end: int, width: int) -> tuple[int, int]:
        """The range of whole bins of a width that holds [begin, end)."""
        first = GRID + (begin - GRID) // width * width
        return first, GRID - (GRID - end) // width * width

    def multiple(self, seconds: float) -> int:
        """The largest multiple of the level's width that is not above so many seconds, in nanoseconds.

        A request a rounding error below a multiple means that multiple.
        """
        return max(1, int(seconds * _NS / self.width * (1 + 1e-12))) * self.width


def levels_of(
    levels: Iterable[tuple[str, Mapping[str, str]]], defaults: Mapping[str, str], options: Mapping[str, Option]
) -> list[Level]:
    """The levels that a definition writes, as pairs of a period and a request of canonical texts.

    `defaults` stand under them. Raises `ConfigError` where bins do not fit into blocks.
    """
    found = []
    for number, (word, asked) in enumerate(levels):
        every = period(word)
        width = _nanoseconds(asked[_WIDTH]) if _WIDTH in asked else 0
        if width and not every.divides(width):
            raise ConfigError(
                f"Cache level {number + 1}: bins of {width / _NS:.10g} s do not fit into blocks of a {word}; the width "
                f"must divide {'a day' if word in ('day', 'month', 'year') else f'a {word}'}",
                kind="config.bad-value",
            )
        found.append(Level(number, every, width, asked, same_for_all({**defaults, **asked}, options)))
    return found


def same_for_all(request: Mapping[str, str], options: Mapping[str, Option]) -> dict[str, str]:
    """What of a request must be the same in the level that serves it: no value that is an option's default counts."""
    return {
        name: text
        for name, text in request.items()
        if name not in _FREE and name.partition(".")[0] not in _FREE_FAMILIES and text != _default(name, options)
    }


def level_for(levels: Iterable[Level], request: Mapping[str, str], options: Mapping[str, Option]) -> Level | None:
    """The coarsest level that can serve a request, else the one of all records; None where there is none.

    A request without bins is served by records only. That medians cannot be made of blocks is not looked at here: their
    bins lie on the grid of the level nevertheless.
    """
    wanted = same_for_all(request, options)
    fitting = [each for each in levels if each.fixed == wanted]
    seconds = _number(request.get(_WIDTH, ""))
    binned = [each for each in fitting if each.width and seconds and each.seconds <= seconds * (1 + 1e-12)]
    whole = next((each for each in fitting if not each.width), None)
    return max(binned, key=lambda each: each.width, default=whole)


def _default(name: str, options: Mapping[str, Option]) -> str | None:
    """What an option is where it is not given; None of what is no option."""
    option = options.get(name.removeprefix("read.")) if name.startswith("read.") else None
    return option.default if option else None


def _number(text: str) -> float:
    """The number that a text says; 0 where there is none, or one that no bin has."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0 < found < float("inf") else 0.0


def _nanoseconds(text: str) -> int:
    """A width of bins in whole nanoseconds. Raises `ConfigError` for what is none."""
    found = round(_number(text) * _NS)
    if found <= 0:
        raise ConfigError(f"bin.time.max={text!r:.40} of a cache level is no width of bins", kind="config.bad-value")
    return found
