# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cache keeps of a source: for each level the way in which its blocks are made, and where these lie.

A block is the answer to the level's request for a period, so the solver finds its way as it does for any request. What
identifies that answer, without the range, the date of the data and the format, is the key of the level's blocks: a
corrected title or an upgrade changes nothing, another reader, option or algorithm does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.cache.levels import Level, levels_of
from dasflex_core.cache.places import folder, resolution
from dasflex_core.cache.store import Shelf
from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.plan.identity import algorithms_of, digest
from dasflex_core.streamtype import StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.catalog.model import Definition
    from dasflex_core.plan.binding import Bound
    from dasflex_core.plan.planner import Planner
    from dasflex_core.plan.solver import Path, Task

__all__ = ["BEGIN", "END", "WIDTH", "Kept", "Levels", "Way", "chosen", "kept", "kept_levels", "levels_in", "names_of"]

BEGIN: Final = "read.time.min"
END: Final = "read.time.max"
WIDTH: Final = "bin.time.max"
#: A range that has a plan wherever one has, where nobody asks for one.
_SOME_TIME: Final = ("2000-01-01T00:00:00", "2000-01-02T00:00:00")
_BEHIND: Final = ("format.", "view.")
#: What gives one stream for a whole range; a level with it says how wide the bins of the coverage are.
_COUNTED: Final = "calc.rate"
#: What may make something of several records, so that a range is more than its parts.
_ACROSS: Final = ("calc.", "bin.")


@dataclass(frozen=True, slots=True)
class Way:
    """How the answer of a level is made: its task, and the path, on which `before` steps stand before the bins.

    Where a level keeps records, all steps are before.
    """

    bound: Bound
    task: Task
    path: Path
    before: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A level of a source, and the shelf of its blocks. Where nothing can be kept, `declined` says why."""

    level: Level
    shelf: Shelf
    way: Way | None = None
    declined: str = ""

    @property
    def name(self) -> str:
        """What the level is called among those of its source: its number, from 1."""
        return str(self.level.number + 1)

    def usable(self) -> Way:
        """The way of a level that can be kept. Raises `ConfigError` with the reason for another."""
        if self.way is None or self.declined:
            raise ConfigError(f"Cache level {self.name}: {self.declined}", kind="config.bad-value")
        return self.way


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of a source, and its default request in the one spelling, without what makes only its form."""

    every: tuple[Level, ...]
    defaults: Mapping[str, str]


def kept_levels(planner: Planner, definition: Definition) -> tuple[Kept, ...]:
    """What the cache keeps of a source. Raises `ConfigError` where its definition is broken."""
    bound = planner.bound(definition, {})
    levels = levels_in(planner, bound)
    return tuple(kept(planner, bound, each, levels) for each in levels.every)


def levels_in(planner: Planner, bound: Bound) -> Levels:
    """The levels of the source that was bound. Raises `ConfigError` for one that cannot be."""
    try:
        defaults = planner.canonical(bound, _asked(dict(bound.defaults)))
        written = [
            (each.block, planner.canonical(bound, _asked(dict(each.request)))) for each in bound.definition.cache.levels
        ]
    except DasflexError as error:
        raise ConfigError(f"{bound.definition.id}: a cache level: {error.message}", kind="config.bad-value") from error
    return Levels(tuple(levels_of(written, defaults, bound.options)), defaults)


def kept(planner: Planner, bound: Bound, level: Level, levels: Levels, span: tuple[str, str] = _SOME_TIME) -> Kept:
    """How a level is kept, one of those of the source. `span` is a range in the canonical form."""
    place = folder(level, levels.every, bound.options, levels.defaults)
    at = f"{planner.cache_root}/data/{bound.definition.id}/{place}"
    fresh, changed = bound.definition.cache.fresh, None if bound.changed is None else int(bound.changed)
    shelf = Shelf(at, resolution(level.width), level.period, "", changed, fresh)
    request = {
        **levels.defaults,
        **level.asked,
        BEGIN: span[0],
        END: span[1],
        **({"bin.align": "grid"} if level.width else {}),
    }
    task, path = planner.way(bound, request, {BEGIN, END, *level.asked} & request.keys(), _type(bound, level))
    if path is None:
        return Kept(level, shelf, declined=f"no plan makes das streams of {level.title}")
    before = _before(path)
    if level.width and before is None:
        return Kept(level, shelf, declined=f"nothing makes {level.title}")
    way = Way(bound, task, path, len(path.steps) if before is None else before)
    declined = _declined(planner, way, level)
    key = _key(planner, way)
    return Kept(level, Shelf(at, shelf.name, level.period, key, changed, fresh), way, declined)


def _asked(request: Mapping[str, str]) -> dict[str, str]:
    """A request without what makes only its form."""
    return {name: text for name, text in request.items() if not name.startswith(_BEHIND)}


def _type(bound: Bound, level: Level) -> StreamType:
    """The type of blocks: binary, of the generation that the source's reader writes.

    Records that are not said to be text are kept as they are written.
    """
    written = [each.spec.produces for each in bound.stages.values() if each.reader]
    if not level.width and len(written) == 1 and written[0].kind == "das" and written[0].variant != "text":
        return StreamType("das", written[0].version, written[0].variant)
    return StreamType("das", "3" if any(each.version == "3" for each in written) else "2", "binary")


def _before(path: Path) -> int | None:
    """How many steps stand before the one that makes bins of time; None without one."""
    return next((place for place, step in enumerate(path.steps) if WIDTH in step.consumes), None)


def _declined(planner: Planner, way: Way, level: Level) -> str:
    """Why nothing can be kept of a level; blank where it can."""
    names = names_of(way.path, len(way.path.steps))
    if any(name.startswith(_COUNTED) for name in names):
        return f"{_COUNTED} counts from the first data to the last, which cannot be cut into blocks"
    if not level.width:
        across = sorted(name for name in names if name.startswith(_ACROSS))
        return f"{across[0]} may look at many records, which cannot be cut into blocks" if across else ""
    programs = [step.spec.name for step in way.path.steps[way.before + 1 :] if step.spec.protocol == "process"]
    if programs:
        return f"{programs[0]} is a program behind the bins, and blocks are written without one"
    if "median" in way.task.request.get("bin.stats", "").split(","):
        return "medians are never kept: they cannot be made of other medians"
    bins = way.path.steps[way.before].spec.name
    summing = planner.registry.summing
    if summing is None or bins != summing.bins:
        return f"its bins are made by {bins}, of which no sums can be kept"
    return ""


def _key(planner: Planner, way: Way) -> str:
    """What the blocks of a level are of."""
    bound, path = way.bound, way.path
    effective = planner.effective(way.path, way.task.request, bound)
    commands = [
        [str(own.spec.produces), own.said, list(own.reader.set_env) if own.reader else []]
        for step in path.steps
        if (own := bound.stages.get(step.spec.name))
    ]
    return digest([
        bound.definition.id.lower(),
        sorted((name, text) for name, text in effective.items() if name not in (BEGIN, END)),
        str(path.produces),
        sorted(algorithms_of(path).items()),
        commands,
    ])  # fmt: skip


def names_of(path: Path, steps: int) -> set[str]:
    """The parameters that the first steps of a path consume."""
    return {name for step in path.steps[:steps] for name in step.consumes}


def chosen(found: Iterable[Kept], number: str) -> list[Kept]:
    """The levels of that number, all where it is blank. Raises `ConfigError` where there is no such."""
    levels = list(found)
    fitting = [each for each in levels if number in ("", each.name)]
    if not fitting:
        raise ConfigError(f"There is no cache level {number!r:.20}; there are {len(levels)}", kind="config.missing")
    return fitting
