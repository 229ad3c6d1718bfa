# SPDX-License-Identifier: GPL-3.0-or-later
"""Site, Source and Request: the immutable values that every front-end and every script starts from."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dasflex_core.claims import UNKNOWN, Claim
from dasflex_core.errors import QueryError
from dasflex_core.manifest import load_facts
from dasflex_core.plan.graph import Limits
from dasflex_core.plan.parameters import canonical_name, canonical_pairs
from dasflex_core.plan.planner import Planner
from dasflex_core.plan.solver import StageIndex
from dasflex_core.solved import Plan
from dasflex_core.streamtype import ARRAYS, StreamType
from dasflex_core.values import dataclass
from dasflex_core.wording import keyword, pairs_with, span_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dasflex_core.answers import Answer
    from dasflex_core.catalog.model import Definition, ExternalStage
    from dasflex_core.catalog.tree import Catalog
    from dasflex_core.config import Config
    from dasflex_core.registry import Registry
    from dasflex_core.stages import Value

__all__ = ["Request", "Site", "Source", "open_site"]


def open_site(root: str | Path | None = None, *, user: str = "") -> Site:
    """The site of a root directory (or of its `dasflex.conf`).

    `user` is in whose name protected sources are asked: whoever may read the root is believed, since they could run its
    readers themselves.

    Without an argument: the root that the environment variable `DASFLEX_CONFIG` names, else the per-user one, which is
    made with the examples if need be. Raises `ConfigError` for what cannot be read.
    """
    from dasflex_core.config import config_file

    named = root or os.environ.get("DASFLEX_CONFIG")
    if named:
        facts = load_facts(config_file(Path(named)))
        return Site(facts.config, facts.registry, facts.external, facts.remarks, Claim(ticket_user=user))
    from dasflex_core.roots import ensure_user_root

    config = ensure_user_root()
    facts = load_facts(config.file)
    return Site(config, facts.registry, facts.external, facts.remarks, Claim(ticket_user=user))


@dataclass(frozen=True)
class Site:
    """One configured root, opened. It has sources; what it knows of them is read anew when asked.

    `remarks` are what the administrator should know of the opening, beside those of the configuration. `claim` is who
    asks where a request does not say it.
    """

    config: Config
    registry: Registry
    external: tuple[ExternalStage, ...] = ()
    remarks: tuple[str, ...] = ()
    claim: Claim = UNKNOWN

    def __repr__(self) -> str:
        """What it is, in short: where its root lies."""
        return f"<Site {self.config.root}>"

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog of the root."""
        from dasflex_core.catalog.tree import Catalog

        return Catalog(self.config.root)

    @cached_property
    def planner(self) -> Planner:
        """What solves the requests of this site."""
        return Planner(
            self.registry,
            self.catalog.find,
            external=self.external,
            prefer=tuple(self.config.prefer_stages.replace(",", " ").split()),
            limits=self._limits(),
            index=StageIndex(self.registry.stages),
            cache_root=str(self.config.cache_root),
            keep=str(self.config.runtime / "readers"),
        )

    def _limits(self) -> Limits:
        """What a reader may use, unless its definition says otherwise."""
        config = self.config
        return Limits(
            silence=config.limit_reader_silence,
            cpu=config.limit_reader_cpu,
            output=int(config.limit_reader_output * 1e9),
            memory=int(config.limit_reader_memory * 1e9),
            scratch=int(config.limit_reader_scratch * 1e9),
            processes=config.limit_reader_processes,
        )

    def __getitem__(self, source_id: str) -> Source:
        """The source of that id, case aside. Raises `NotFoundError` with the nearest ids."""
        return Source(self, self.catalog.find(source_id))

    def __iter__(self) -> Iterator[str]:
        return iter(self.catalog.ids())

    def __contains__(self, source_id: object) -> bool:
        return str(source_id).lower() in {each.lower() for each in self.catalog.ids()}

    def search(self, words: str | Sequence[str]) -> list[Source]:
        """The sources whose id, title or summary has all the words."""
        wanted = words.split() if isinstance(words, str) else list(words)
        return [self[each] for each in self.catalog.search(wanted)]

    def request(self, source_id: str, pairs: Iterable[tuple[str, str]], convention: str = "flex") -> Request:
        """A request as a front-end gets it: names and values of a convention."""
        return Request(self[source_id], tuple(pairs), convention)


@dataclass(frozen=True)
class Source:
    """What a site offers data from. `source[begin:end]` and `source[begin:end:every]` are requests."""

    site: Site
    definition: Definition

    def __repr__(self) -> str:
        """What it is, in short: the id."""
        return f"<Source {self.id}>"

    @property
    def id(self) -> str:
        """The id, such as `Examples/Waveform`."""
        return self.definition.id

    @property
    def title(self) -> str:
        """The title."""
        return self.definition.title

    @property
    def summary(self) -> str:
        """The longer text."""
        return self.definition.summary

    @property
    def protected(self) -> bool:
        """Whether there are rules of who may read it, or what it is a view of."""
        from dasflex_core.guarding import protected

        return protected(self)

    @property
    def examples(self) -> tuple[Request, ...]:
        """The examples of the definition as requests."""
        return tuple(Request(self, each.request) for each in self.definition.examples)

    def __getitem__(self, span: slice) -> Request:
        """The request for a half-open range of time; the step is the bin width, or the interval of a model.

        Ends are texts (`"2017-001"`, `"now-PT10M"`), datetimes or datetime64; the step is seconds or `"10 min"`.
        """
        return Request(self, span_pairs(span, lambda: self.step_name))

    @property
    def step_name(self) -> str:
        """The parameter that *every* means: the interval of a model, else the widest bin of time."""
        bound = self.site.planner.bound(self.definition, {})
        asked = {param.name for each in bound.stages.values() for param in each.spec.params}
        return "read.time.inter" if "read.time.inter" in asked else "bin.time.max"

    def ask(self, **parameters: Value) -> Request:
        """A request of parameters; a dot of a name is written as an underscore."""
        return Request(self).ask(**parameters)

    def _repr_html_(self) -> str:
        """The source in a notebook."""
        from dasflex_core.drawing import source_html

        return source_html(self)


@dataclass(frozen=True)
class Request:
    """What is asked of a source. It does not change; `ask` makes a new one, and nothing runs before it is told to.

    `claim` is who asks, as far as a front-end knows; None is whoever opened the site.
    """

    source: Source
    pairs: tuple[tuple[str, str], ...] = ()
    convention: str = "flex"
    claim: Claim | None = None

    def ask(self, **parameters: Value) -> Request:
        """This request with more parameters, or others in their place: `dft_length=800` is `dft.length=800`.

        `time="A/B"` is the range; `every=60` the bin width or the interval.
        """
        new = {self._name(name): value for name, value in parameters.items()}
        return replace(self, pairs=pairs_with(self.pairs, new))

    def _name(self, name: str) -> str:
        """The canonical name of a keyword: an option of the source keeps its underscores."""
        if name == "every":
            return self.source.step_name
        return keyword(name, self.source.definition.options)

    def plan(self) -> Plan:
        """The plan that answers the request in the form that it asks for. Raises `QueryError` and its kin."""
        return self._plan(None)

    def arrays(self) -> Plan:
        """The plan that gives the data as items of the in-memory stream, whatever form the request asks for."""
        return self._plan(ARRAYS)

    def _plan(self, goal: StreamType | None) -> Plan:
        """The plan towards a type, if whoever asks may have it."""
        source, site = self.source, self.source.site
        if source.definition.access.allow or source.definition.viewed:
            from dasflex_core.guarded import guarded_plan

            return guarded_plan(self, site.claim if self.claim is None else self.claim, goal)
        solution = site.planner.solve(source.definition, self.pairs, convention=self.convention, goal=goal)
        return Plan(self, solution)

    def read(self) -> Answer:
        """The data: a mapping of datasets of numpy arrays, times as datetime64, fill as NaN."""
        from dasflex_core.answers import gather

        with self.arrays().open() as pump:
            return gather(pump.items())

    def save(self, path: str | Path) -> Path:
        """Writes the answer to a file, in the format of its suffix. An answer that breaks leaves the file as it was.

        What is no plain file, such as a pipe or a device, is written to and not replaced.
        """
        from dasflex_core.saving import saved

        named = Path(path)
        plan = self.as_suffix(named.suffix).plan()
        with plan.open() as pump:
            return saved(named, pump.chunks)

    def as_suffix(self, suffix: str) -> Request:
        """This request in the format whose files have a suffix, unless it names a format itself."""
        if any(canonical_name(name) == "format.type" for name, _text in self.pairs) or not suffix.strip("."):
            return self
        registry = self.source.site.registry
        info = registry.by_suffix(suffix.strip("."))
        if info is None:
            known = ", ".join(sorted({f".{each.suffix}" for each in registry.stream_types if each.suffix}))
            lacking = registry.lacking(suffix=suffix.strip("."))
            what = f"The format with the suffix {suffix} {lacking}" if lacking else f"No format has the suffix {suffix}"
            raise QueryError(f"{what}; there are {known}", kind="query.unreachable-type")
        facts = {"format_type": info.type.kind, "format_version": info.type.version, "format_serial": info.type.variant}
        return self.ask(**{name: text for name, text in facts.items() if text})

    def url(self) -> str:
        """The address that gives the same from the site's server."""
        from urllib.parse import quote, urlencode

        pairs = canonical_pairs(self.pairs)
        base = self.source.site.config.server_url.rstrip("/")
        path = f"{base}/source/{quote(self.source.id.lower(), safe='/+')}/flex"
        query = urlencode(sorted(pairs.items()), safe=":/,")
        return f"{path}?{query}" if query else path
