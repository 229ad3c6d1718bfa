# SPDX-License-Identifier: GPL-3.0-or-later
"""What `dasflex check` verifies of a definition: what it says, that its requests have plans, that its examples run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from threading import Timer
from typing import TYPE_CHECKING, Final

from dasflex_core.cache.keeping import kept_levels, levels_in
from dasflex_core.catalog.documents import describes_directory, place_in
from dasflex_core.catalog.read_toml import examination, is_source_file, read_definition
from dasflex_core.catalog.walk import Vocabulary
from dasflex_core.cli.promises import breaches, declared_bounds
from dasflex_core.cli.trial import MOST, Trial
from dasflex_core.errors import BusyError, ConfigError, DasflexError, Place, QueryError, did_you_mean
from dasflex_core.loading import load
from dasflex_core.plan.binding import view_chain
from dasflex_core.plan.explain import alternatives
from dasflex_core.plan.trying import unfit_filters
from dasflex_core.streamtype import ARRAYS
from dasflex_core.verdicts import StreamVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from dasflex_core.catalog.findings import KeyPath
    from dasflex_core.catalog.model import Definition, Pairs
    from dasflex_core.plan.planner import Planner
    from dasflex_core.plan.solution import Solution
    from dasflex_core.run import Pump
    from dasflex_core.site import Site

__all__ = ["Checker", "Remark", "Trial"]

#: How long an example may run, in seconds.
LONGEST: Final = 30.0
#: How long one that has no end is looked at once there are data, in seconds.
_LIVE: Final = 1.0
#: How many verdicts on one stream are told.
_SHOWN: Final = 20
_TIMES: Final = ("read.time.min", "read.time.max")


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a check has to say: where, what, and whether it is wrong or only worth a look."""

    place: Place
    message: str
    wrong: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {'' if self.wrong else 'warning: '}{self.message}"


@dataclass(frozen=True, slots=True)
class _Wish:
    """A request that a definition writes: where, what is asked, and whether it is an example."""

    key: KeyPath
    pairs: Pairs
    example: bool = False


class Checker:
    """Checks definitions of a site, installed or not. Views see what was checked before, then what is installed."""

    def __init__(self, site: Site, *, run: bool = True) -> None:
        self._site = site
        self._run = run
        self._known: dict[str, Definition] = {}
        self._vocabulary = Vocabulary.of(site.registry, site.config.datasrc_inc)

    def check(self, path: Path) -> Iterator[Remark]:
        """All that is to be said of a definition file, or of a `_dirinfo_.toml`."""
        root = self._root(path)
        found = examination(path, root=root, vocabulary=self._vocabulary)
        yield from (Remark(each.place, each.message, wrong=False) for each in found.warnings)
        yield from (Remark(each.place, each.message) for each in found.findings)
        if found.findings or describes_directory(path):
            return
        definition = self.definition(path)
        unfit = self._unfit_level(definition, path)
        if unfit is not None:  # each request would fail for it
            yield unfit
            return
        told = set()
        for each in self._requests(definition, path):
            told.add(each.place)
            yield each
        yield from (each for each in self._unkept_levels(definition, path) if each.place not in told)

    def definition(self, path: Path) -> Definition:
        """The definition in a file. Raises `ConfigError`."""
        definition = read_definition(path.absolute(), root=self._root(path), vocabulary=self._vocabulary)
        self._known[definition.id.lower()] = definition
        return definition

    def try_example(self, definition: Definition, number: int = 0) -> Trial:
        """Runs an example towards arrays, for `LONGEST` seconds and `MOST` bytes at most."""
        return self._try(definition, definition.examples[number].request)

    def find(self, identifier: str) -> Definition:
        """A definition that was checked, or one that is installed. Raises `NotFoundError`."""
        return self._known.get(identifier.lower()) or self._site.catalog.find(identifier)

    def _root(self, path: Path) -> Path:
        """The tree of definitions that a file is in: that of the site, or the directory around the source."""
        path = path.absolute()
        if path.is_relative_to(self._site.config.definitions):
            return self._site.config.definitions
        return path.parent.parent if is_source_file(path) else path.parent

    def _place(self, path: Path, key: KeyPath) -> Place:
        """Where a key stands in a definition file, whatever its form."""
        return place_in(path, key, self._vocabulary.forms)

    @property
    def _planner(self) -> Planner:
        return replace(self._site.planner, find=self.find)

    def _requests(self, definition: Definition, path: Path) -> Iterator[Remark]:
        """What is wrong with the requests that a definition writes."""
        said: set[str] = set()
        for wish in _wishes(definition):
            place = self._place(path, wish.key)
            try:
                solution = self._planner.solve(definition, wish.pairs)
            except DasflexError as error:
                if error.message not in said:  # a fault of a default shows in each request that stands over it
                    yield Remark(place, error.message)
                said.add(error.message)
                continue
            yield from self._unknown_type(solution, path)
            yield from _ties(solution, place)
            if wish.example and self._run:
                yield from self._runs(definition, wish, path, place)
        yield from self._filters(definition, path)

    def _unfit_level(self, definition: Definition, path: Path) -> Remark | None:
        """The first cache level that no source can have, such as one whose bins do not fit into its blocks."""
        cache = definition.cache
        for place in range(len(cache.levels)):
            some = replace(definition, cache=replace(cache, levels=cache.levels[: place + 1]))
            try:
                levels_in(self._planner, self._planner.bound(some, {}))
            except ConfigError as error:
                return Remark(self._place(path, ("cache", "level", place)), error.message)
        return None

    def _unkept_levels(self, definition: Definition, path: Path) -> Iterator[Remark]:
        """The cache levels of which no blocks can be made here."""
        for place, each in enumerate(kept_levels(self._planner, definition) if definition.cache.levels else ()):
            if each.declined and "calc.rate" not in each.level.asked:  # it says how the coverage is measured
                message = f"nothing can be kept of this level: {each.declined}"
                yield Remark(self._place(path, ("cache", "level", place)), message, wrong=False)

    def _filters(self, definition: Definition, path: Path) -> Iterator[Remark]:
        """Where a filter gives a classic program what that does not take, though no request of the definition asks."""
        if not definition.stages:
            return
        request = dict(definition.examples[0].request) if definition.examples else {}
        for place, message in unfit_filters(self._planner, definition, request):
            yield Remark(place_in(path, ("stage", place, "command")), message)

    def _unknown_type(self, solution: Solution, path: Path) -> Iterator[Remark]:
        """Where nobody knows what the source gives: it then has no media type and no suffix."""
        types = self._site.registry.stream_types
        if not any(info.type.serves(solution.produces) for info in types):
            known = dict.fromkeys(str(info.type) for info in types)
            hint = did_you_mean(str(solution.produces), known) or f" There are {', '.join(known)}."
            message = f"no installed plugin knows the stream type {solution.produces}.{hint}"
            yield Remark(self._place(path, ("reader", 0, "writes")), message)

    def _runs(self, definition: Definition, wish: _Wish, path: Path, place: Place) -> Iterator[Remark]:
        """What is wrong with what an example gives."""
        try:
            trial = self._try(definition, wish.pairs)
        except DasflexError as error:
            yield _failed(place, error)
            return
        if trial.empty:
            late = f" within {LONGEST:.0f} s" if trial.bounded else ""
            yield Remark(place, f"the example gives no data{late}")
            return
        if trial.datasets and view_chain(definition, self.find)[-1] is definition:
            for breach in breaches(definition, wish.pairs, trial):
                yield Remark(self._place(path, breach.key), breach.message, wrong=breach.wrong)
        yield from self._verified(definition, wish, place)

    def _verified(self, definition: Definition, wish: _Wish, place: Place) -> Iterator[Remark]:
        """What is wrong with the bytes of an example as clients get them, where a plugin verifies such a stream."""
        solution = self._planner.solve(definition, wish.pairs)
        info = self._site.registry.stream_type(solution.produces)
        if info is None or not info.verify:
            return
        verifier = load(info.verify)()
        if not isinstance(verifier, StreamVerifier):
            raise ConfigError(f"{info.verify} makes no verifier", kind="config.plugin")
        trial = Trial(MOST, enough=_enough(solution))

        def fed(chunks: Iterable[bytes]) -> Iterator[bytes]:
            for chunk in chunks:
                verifier.feed(chunk)
                yield chunk

        try:
            self._run_for_a_while(definition, wish.pairs, solution, lambda pump: trial.watch(fed(pump.chunks())), trial)
        except DasflexError as error:
            yield _failed(place, error)
            return
        for verdict in islice(verifier.verdicts(whole=not trial.bounded), _SHOWN):
            yield Remark(place, f"the stream: {verdict.message}", wrong=verdict.wrong)

    def _try(self, definition: Definition, pairs: Pairs) -> Trial:
        """Runs a request towards arrays, whatever format it asks for; as it comes, where nothing decodes it.

        The datasets are those of the stream itself, without what the definition says of them.
        """
        plain = tuple(pair for pair in pairs if not pair[0].startswith("format."))
        try:
            solution = self._planner.solve(definition, plain, goal=ARRAYS)
        except QueryError:
            solution = self._planner.solve(definition, plain)
        solution = replace(solution, nodes=tuple(replace(each, facts=None) for each in solution.nodes))
        decoded = solution.produces.kind == ARRAYS.kind
        trial = Trial(MOST, declared_bounds(definition), _enough(solution))
        self._run_for_a_while(
            definition, plain, solution, lambda pump: trial.watch(pump.items() if decoded else pump.chunks()), trial
        )
        return trial

    def _run_for_a_while(
        self, definition: Definition, pairs: Pairs, solution: Solution, watch: Callable[[Pump], None], trial: Trial
    ) -> None:
        """Runs a plan for `LONGEST` seconds at most, which the trial then says."""
        from dasflex_core.site import Request, Source
        from dasflex_core.solved import Plan

        with Plan(Request(Source(self._site, definition), pairs), solution).open() as pump:
            timer = Timer(LONGEST, pump.cancel)
            timer.daemon = True
            timer.start()
            try:
                watch(pump)
            except BusyError:
                if not timer.finished.is_set():
                    raise
                trial.bounded = True
            finally:
                timer.cancel()


def _failed(place: Place, error: DasflexError) -> Remark:
    """What is said of an example that fails; one that cannot be run now, since others watch, is not wrong."""
    if isinstance(error, BusyError):
        return Remark(place, f"the example was not run: {error.message}", wrong=False)
    return Remark(place, f"the example fails: {error.message}.{_last_words(error)}")


def _enough(solution: Solution) -> float:
    """For how many seconds the data of a plan are looked at: what follows the present has no end."""
    return _LIVE if dict(solution.request).get("read.time.max") == "forever" else LONGEST


def _wishes(definition: Definition) -> Iterator[_Wish]:
    """The requests that a definition writes; those without a range get that of the first example."""
    first = definition.examples[0].request if definition.examples else ()
    time = {name: text for name, text in first if name in _TIMES}
    if definition.defaults:
        yield _Wish(("default",), tuple(time.items()))
    for place, example in enumerate(definition.examples):
        yield _Wish(("example", place), example.request, example=True)
    partial: list[tuple[KeyPath, Pairs]] = [
        (("hapi", place), each.request) for place, each in enumerate(definition.hapi)
    ]
    partial += [(("cache", "level", place), each.request) for place, each in enumerate(definition.cache.levels)]
    partial += [((each.name,), each.request) for each in definition.tables if each.request]
    for key, pairs in partial:
        yield _Wish(key, tuple({**time, **dict(pairs)}.items()))


def _ties(solution: Solution, place: Place) -> Iterator[Remark]:
    """Where only the names of stages settle which plan is taken."""
    for other in alternatives(solution):
        if other.reason.endswith("its name comes later"):
            mine = " → ".join(step.spec.name for step in solution.path.steps)
            theirs = " → ".join(other.stages)
            message = f"{mine} and {theirs} cost the same, and only the name decides; say which one in stages.prefer"
            yield Remark(place, message, wrong=False)


def _last_words(error: DasflexError) -> str:
    """The last line behind a failure. For a program that failed, the first line is which one, and the rest it said."""
    lines = error.detail.strip().splitlines()
    if error.kind == "source.exit":
        return f" It said: {lines[-1]}" if len(lines) > 1 else " It said nothing on standard error."
    return f" {lines[-1]}" if lines else ""
