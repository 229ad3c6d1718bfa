# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds blocks: the source's reader is run for a period, and what passes is left behind.

What is there is not made again, so that whoever was interrupted goes on where that was; two that build one block make
the same.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from dasflex_core.cache.block import read_block
from dasflex_core.cache.keeping import BEGIN, END
from dasflex_core.cache.pieces import Pieces
from dasflex_core.cache.store import Stretch
from dasflex_core.errors import DasflexError, QueryError, SourceError
from dasflex_core.plan.binding import view_chain
from dasflex_core.solved import Plan
from dasflex_core.times import FOREVER, Time, format_time, parse_range, parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.cache.keeping import Kept
    from dasflex_core.cache.store import Shelf
    from dasflex_core.site import Site, Source

__all__ = ["Built", "build", "build_block", "span_of", "wanted"]

#: Seconds for which another program may be between the files of a block that it writes, and those between two looks.
_PATIENCE: Final = 2.0
_PAUSE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Built:
    """What came of building: how many blocks were built, skipped since they were there, and could not be built.

    `failures` are the periods of these with the reason.
    """

    built: int = 0
    skipped: int = 0
    failures: tuple[tuple[str, str], ...] = ()

    @property
    def failed(self) -> int:
        """How many could not be built."""
        return len(self.failures)


def span_of(source: Source, text: str = "") -> tuple[int, int]:
    """A range in nanoseconds as it is written (`A/B`, `A to B`), by default that of the source, up to now.

    Raises `QueryError` for one that is none, or where nothing is known.
    """
    now = parse_time("now")
    chain = view_chain(source.definition, source.site.catalog.find)
    written = text or next((str(each.range) for each in chain if each.range), "")
    if not written:
        raise QueryError(
            f"{source.id} does not say its range: give one, such as 2020-01/2020-02", kind="query.bad-range"
        )
    begin, end = parse_range(written, now=now)
    return begin.ns, min(now.ns, end.ns) if end != FOREVER else now.ns


def wanted(shelf: Shelf, begin: int, end: int, now: int | None = None) -> Iterator[tuple[int, int]]:
    """The periods of a range, in nanoseconds, that are over and have no valid block."""
    last = parse_time("now").ns if now is None else now
    for each in shelf.look(begin, min(end, last)) if begin < min(end, last) else ():
        if each.block is None:
            for first, second in shelf.period.over(each.begin, each.end):
                if second <= last:
                    yield first, second


def build(
    site: Site,
    kept: Kept,
    begin: int,
    end: int,
    tell: Callable[[float | None, str], None],
    workers: int = 1,
) -> Built:
    """Builds the blocks of a level that [begin, end), in nanoseconds, needs and that are not there.

    `tell` is told how much is done, from 0 to 1, and which block is being made; so many `workers` make one each.
    Raises `ConfigError` where the level cannot be kept. What fails is told in what is given.
    """
    kept.usable()
    periods = list(wanted(kept.shelf, begin, end))
    there = sum(1 for each in kept.shelf.look(begin, end) if each.block)
    failed: list[tuple[str, str]] = []
    built = 0
    tell(0.0, "")
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        running = {pool.submit(_made, site, kept, *each): each for each in periods}
        try:
            for count, each in enumerate(as_completed(running), 1):
                name = kept.shelf.period.name(running[each][0])
                try:
                    built += each.result()
                except DasflexError as error:
                    failed.append((name, _why(error)))
                tell(count / len(periods), name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # those that are being made are made
            raise
    return Built(built, there + len(periods) - len(failed) - built, tuple(sorted(failed)))


def _why(error: DasflexError) -> str:
    """What failed, with the last that was said of it."""
    said = error.detail.strip().splitlines()
    return f"{error.message}: {said[-1]}" if said else error.message


def _made(site: Site, kept: Kept, begin: int, end: int) -> bool:
    """Builds the block of a period, unless another program has done so by now; whether it was built."""
    if _there(kept.shelf, begin):
        return False
    build_block(site, kept, begin, end)
    return True


def _there(shelf: Shelf, begin: int, patience: float = 0.0) -> bool:
    """Whether there is a valid block of a period, within so many seconds: another program may be writing the same."""
    until = time.monotonic() + patience
    while True:
        block = read_block(shelf.base(begin))
        if block is not None and shelf.state(block) == "there":
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(_PAUSE)


def build_block(site: Site, kept: Kept, begin: int, end: int) -> None:
    """Builds the block of a period, in nanoseconds. Raises `SourceError` and its kin where it cannot be made."""
    from dasflex_core.run import Pump, new_request_id

    planner, source = site.planner, site[kept.usable().bound.definition.id]
    how: Literal["items", "bytes"] = "items" if kept.level.width else "bytes"
    pieces = Pieces(kept, (Stretch(begin, end),), (begin, end), (begin, end), fill=True, how=how)
    asked = {**kept.level.asked, BEGIN: format_time(Time(begin)), END: format_time(Time(end))}
    solution = replace(
        planner.solve(source.definition, asked.items()), nodes=pieces.leaving(planner), kept=None, use=None
    )
    plan = Plan(site.request(source.id, asked.items()), solution)
    notes: list[str] = []
    identifier = new_request_id()
    settings = replace(plan.settings(identifier), note=notes.append, measure=None)
    with Pump(solution.nodes, settings, plan.about(identifier)) as pump:
        for _piece in pump.items() if kept.level.width else pump.chunks():
            pass
    if not _there(kept.shelf, begin, 0.0 if notes else _PATIENCE):
        why = "; ".join(notes) or "another program has taken it away"
        raise SourceError(
            f"The block of {kept.shelf.period.name(begin)} could not be kept", kind="source.exit", detail=why
        )
