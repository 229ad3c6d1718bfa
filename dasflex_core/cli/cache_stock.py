# SPDX-License-Identifier: GPL-3.0-or-later
"""What `dasflex cache` works on: the levels of a source, a range, and the files that lie there."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dasflex_core.cache.block import intact
from dasflex_core.cache.hits import HITS
from dasflex_core.cache.keeping import chosen, kept_levels
from dasflex_core.cache.stock import Place, folders_of, is_left, lying, remove_all
from dasflex_core.errors import ConfigError, QueryError
from dasflex_core.plan.binding import view_chain
from dasflex_core.prices import amount
from dasflex_core.times import FOREVER, parse_range, parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.cache.keeping import Kept
    from dasflex_core.cache.stock import Lying
    from dasflex_core.catalog.model import Definition
    from dasflex_core.site import Site

__all__ = ["Stock", "fault", "freed", "pruned"]


@dataclass(frozen=True)
class Stock:
    """What is kept of a source: its id, its folder, its levels, and the range that was asked in nanoseconds, if any.

    `declared` is the range of the definition up to the present, or that of what it is a view of.
    """

    site: Site
    source: str
    folder: str
    levels: tuple[Kept, ...]
    span: tuple[int, int] | None = None
    declared: tuple[int, int] | None = None

    @classmethod
    def of(cls, site: Site, source: str, span: str, level: str) -> Self:
        """What is kept of a source of a site. `level` is the number of the only one that counts; blank for all."""
        definition = site[source].definition
        asked = None
        if span:
            begin, end = parse_range(span)
            asked = (begin.ns, min(end.ns, parse_time("now").ns) if end == FOREVER else end.ns)
        levels = kept_levels(site.planner, definition)
        if level:
            levels = tuple(chosen(levels, level))
        folder = f"{site.config.cache_root}/data/{definition.id}"
        return cls(site, definition.id, folder, levels, asked, _declared(site, definition))

    def wanted(self) -> tuple[int, int]:
        """The range of which blocks are made. Raises `QueryError` where nothing says it."""
        span = self.span or self.declared
        if span is None:
            raise QueryError(
                f"The definition of {self.source} has no range (coords.time.range); say which, like "
                "2020-01-01/2020-02-01",
                kind="query.bad-range",
            )
        return span

    def buildable(self) -> tuple[Kept, ...]:
        """The levels of which blocks can be kept. Raises `ConfigError` where there is none."""
        if not self.levels:
            raise ConfigError(
                f"{self.source} has no cache level; write [[cache.level]] in its definition", kind="config.missing"
            )
        found = tuple(each for each in self.levels if not each.declined)
        if not found:
            why = "; ".join(f"level {each.name}: {each.declined}" for each in self.levels)
            raise ConfigError(f"{self.source}: {why}", kind="config.bad-value")
        return found

    def within(self, level: Kept) -> tuple[int | None, int | None]:
        """The range in whole periods of a level."""
        if self.span is None:
            return None, None
        return level.shelf.period.snap(self.span[0]), level.shelf.period.next(self.span[1] - 1)

    def lying(self, level: Kept) -> Iterator[Lying]:
        """What lies in the folder of a level, of the range."""
        return lying(Place(level.shelf.folder, level.shelf.name), *self.within(level))

    def blocks(self) -> Iterator[tuple[Kept, Lying]]:
        """The blocks of all levels, whole or damaged, of the range."""
        for level in self.levels:
            for each in self.lying(level):
                if each.state in ("block", "damaged"):
                    yield level, each


def _declared(site: Site, definition: Definition) -> tuple[int, int] | None:
    """The range of a source up to the present."""
    spans = (each.range for each in view_chain(definition, site.catalog.find))
    span = next((each for each in spans if each), None)
    if span is None:
        return None
    now = parse_time("now")
    begin, end = (min(parse_time(text, now=now), now) for text in (span.begin, span.end))
    return (begin.ns, end.ns) if begin < end else None


def fault(found: Lying) -> str:
    """What is wrong with a block; blank where it is whole."""
    if found.block is None:
        return "its files are missing, or are not those that it was made of"
    return "" if intact(found.block) else "the checksum of a file is another"


def freed(stock: Stock, found: Iterable[Lying]) -> str:
    """Removes files; says how many bytes. Raises `OSError`."""
    return amount(remove_all(found, stock.folder))


def pruned(stock: Stock, *, everything: bool, dry_run: bool) -> Iterator[str]:
    """Removes what is of no use; says what, with its bytes, and the sum. Raises `OSError`."""
    levels = {each.shelf.folder: each for each in stock.levels}
    total = files = 0
    gone = False
    for place in folders_of(stock.folder):
        level = levels.get(place.folder)
        begin, end = stock.within(level) if level else (stock.span or (None, None))
        useless = [(each, why) for each in lying(place, begin, end) if (why := _useless(each, level, everything))]
        size = sum(each.size for each, _why in useless)
        total += size
        files += sum(len(each.files) for each, _why in useless)
        if not dry_run:
            remove_all((each for each, _why in useless), stock.folder)
        gone |= bool(useless) and level is None
        for why, number in sorted(Counter(why for _each, why in useless).items()):
            yield f"{place.folder.removeprefix(stock.folder).lstrip('/')}: {number} {why}"
    if gone and not dry_run:  # levels have other numbers now
        for name in (HITS, f"{HITS}.1"):
            with suppress(FileNotFoundError):
                Path(stock.folder, name).unlink()
    yield f"{files} files, {amount(total)} {'would be ' if dry_run else ''}removed"


def _useless(found: Lying, level: Kept | None, everything: bool) -> str:  # noqa: FBT001  a word of the caller's
    """Why something can go, as a table says it; blank where it stays."""
    if found.state == "left":
        return "left by writers that were killed" if is_left(found) else ""
    if everything:
        return "asked for"
    if found.state == "foreign":
        return ""
    return _outdated(found, level) if level else "of a level that the definition does not have"


def _outdated(found: Lying, level: Kept) -> str:
    """Why a block of a level is made again; blank where it holds, or nobody can say."""
    if found.block is None:
        return "damaged"
    if level.declined or level.shelf.state(found.block) == "there":
        return ""
    return "stale" if found.block.key == level.shelf.key else "of another reader, option or algorithm"
