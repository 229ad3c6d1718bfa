# SPDX-License-Identifier: GPL-3.0-or-later
"""Site, Source, Request and Plan: the immutable values that every front-end and every script starts from."""

from __future__ import annotations

import os
from dataclasses import field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dasflex_core.errors import AccessError, QueryError
from dasflex_core.manifest import load_facts
from dasflex_core.plan.binding import bind
from dasflex_core.plan.graph import Limits
from dasflex_core.plan.parameters import canonical_name, canonical_pairs
from dasflex_core.plan.planner import Planner, Solution
from dasflex_core.plan.solver import StageIndex
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dasflex_core.answers import Answer
    from dasflex_core.catalog.model import Definition, ExternalStage
    from dasflex_core.catalog.tree import Catalog
    from dasflex_core.config import Config
    from dasflex_core.registry import Registry
    from dasflex_core.run import Guardian, Pump, PumpSettings, RequestRecord
    from dasflex_core.stages import Value

__all__ = ["Plan", "Request", "Site", "Source", "open_site"]


def open_site(root: str | Path | None = None) -> Site:
    """The site of a root directory (or of its `dasflex.conf`).

    Without an argument: the root that the environment variable `DASFLEX_CONFIG` names, else the per-user one, which is
    made with the examples if need be. Raises `ConfigError` for what cannot be read.
    """
    from dasflex_core.config import config_file

    named = root or os.environ.get("DASFLEX_CONFIG")
    if named:
        facts = load_facts(config_file(Path(named)))
        return Site(facts.config, facts.registry, facts.external, facts.remarks)
    from dasflex_core.roots import ensure_user_root

    config = ensure_user_root()
    facts = load_facts(config.file)
    return Site(config, facts.registry, facts.external, facts.remarks)


@dataclass(frozen=True)
class Site:
    """One configured root, opened. It has sources; what it knows of them is read anew when asked.

    `remarks` are what the administrator should know of the opening, beside those of the configuration.
    """

    config: Config
    registry: Registry
    external: tuple[ExternalStage, ...] = ()
    remarks: tuple[str, ...] = ()

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
        )

    def _limits(self) -> Limits:
        """What a reader may use, unless its definition says otherwise."""
        config = self.config
        return Limits(
            silence=config.limit_reader_silence,
            cpu=config.limit_reader_cpu,
            output=int(config.limit_reader_output * 1e9),
            memory=int(config.limit_reader_memory * 1e9),
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

    def check_access(self) -> None:
        """Raises `AccessError` where the source may not be read."""
        access = self.definition.access
        if access.allow:
            raise AccessError(
                f"{self.id} is protected ({access.realm or 'no realm'}), and its rules are not enforced yet: nobody "
                "may read it",
                kind="access.denied",
            )

    @property
    def examples(self) -> tuple[Request, ...]:
        """The examples of the definition as requests."""
        return tuple(Request(self, each.request) for each in self.definition.examples)

    def __getitem__(self, span: slice) -> Request:
        """The request for a half-open range of time; the step is the bin width, or the interval of a model.

        Ends are texts (`"2017-001"`, `"now-PT10M"`), datetimes or datetime64; the step is seconds or `"10 min"`.
        """
        if not isinstance(span, slice):
            what = f"{span!r:.80} is no range of time; write one like source['2017-01-01':'2017-01-02']"
            raise QueryError(what, kind="query.bad-range")
        pairs = [
            (name, _moment(end)) for name, end in (("read.time.min", span.start), ("read.time.max", span.stop)) if end
        ]
        if span.step is not None:
            pairs.append((self.step_name, _step(span.step)))
        return Request(self, tuple(pairs))

    @property
    def step_name(self) -> str:
        """The parameter that *every* means: the interval of a model, else the widest bin of time."""
        bound = bind(self.definition, {}, find=self.site.catalog.find)
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
    """What is asked of a source. It does not change; `ask` makes a new one, and nothing runs before it is told to."""

    source: Source
    pairs: tuple[tuple[str, str], ...] = ()
    convention: str = "flex"

    def ask(self, **parameters: Value) -> Request:
        """This request with more parameters, or others in their place: `dft_length=800` is `dft.length=800`.

        `time="A/B"` is the range; `every=60` the bin width or the interval.
        """
        new = {self._name(name): _text(value) for name, value in parameters.items()}
        kept = [pair for pair in self.pairs if canonical_name(pair[0]) not in new]
        if "time" in new:
            kept = [pair for pair in kept if pair[0] not in ("read.time.min", "read.time.max")]
        return replace(self, pairs=(*kept, *new.items()))

    def _name(self, name: str) -> str:
        """The canonical name of a keyword: an option of the source keeps its underscores."""
        if name == "every":
            return self.source.step_name
        first, _, rest = name.partition("_")
        if first == "read" and rest in self.source.definition.options:
            return f"read.{rest}"
        return name.replace("_", ".")

    def plan(self) -> Plan:
        """The plan that answers the request in the form that it asks for. Raises `QueryError` and its kin."""
        return self._plan(None)

    def _plan(self, goal: StreamType | None) -> Plan:
        """The plan towards a type, if access is allowed."""
        self.source.check_access()
        site = self.source.site
        solution = site.planner.solve(self.source.definition, self.pairs, convention=self.convention, goal=goal)
        return Plan(self, solution)

    def read(self) -> Answer:
        """The data: a mapping of datasets of numpy arrays, times as datetime64, fill as NaN."""
        from dasflex_core.answers import gather

        with self._plan(ARRAYS).open() as pump:
            return gather(pump.items())

    def save(self, path: str | Path) -> Path:
        """Writes the answer to a file, in the format of its suffix. An answer that breaks leaves the file as it was.

        What is no plain file, such as a pipe or a device, is written to and not replaced.
        """
        named = Path(path)
        plan = self.as_suffix(named.suffix).plan()
        if named.exists() and not named.is_file():
            _write(plan, named)
            return named
        target = named.resolve()
        partial = target.with_name(f".dasflex-{os.urandom(6).hex()}.part")
        try:
            _write(plan, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return named

    def as_suffix(self, suffix: str) -> Request:
        """This request in the format whose files have a suffix, unless it names a format itself."""
        if any(canonical_name(name) == "format.type" for name, _text in self.pairs) or not suffix.strip("."):
            return self
        info = self.source.site.registry.by_suffix(suffix.strip("."))
        if info is None:
            known = ", ".join(sorted("." + each.suffix for each in self.source.site.registry.stream_types))
            raise QueryError(f"No format has the suffix {suffix}; there are {known}", kind="query.unreachable-type")
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


@dataclass(frozen=True)
class Plan:
    """The solved request: what would run, why, at what price; and the way to run it."""

    request: Request = field(repr=False)
    solution: Solution = field(repr=False)

    @property
    def seconds(self) -> float:
        """The price in seconds, as the stages declare it."""
        return self.solution.seconds

    @property
    def type(self) -> StreamTypeInfo | None:
        """What is registered of the type of the answer; None for arrays."""
        return self.request.source.site.registry.stream_type(self.solution.produces)

    @property
    def media_type(self) -> str:
        """The media type of the answer."""
        return self.type.media_type if self.type else "application/octet-stream"

    @property
    def suffix(self) -> str:
        """The suffix of the answer's files, without a dot."""
        return self.type.suffix if self.type else "bin"

    def explain(self, how: Literal["text", "json", "mermaid", "sh"] = "text", *, administrator: bool = False) -> str:
        """The plan, its price and the alternatives with the reason each lost.

        Command lines are shown only to the administrator; `sh`, the equivalent shell pipeline, is nothing else.
        """
        from dasflex_core.plan import explain

        if how == "json":
            import json

            return json.dumps(explain.as_json(self.solution, administrator=administrator), indent=2) + "\n"
        if how == "mermaid":
            return explain.as_mermaid(self.solution)
        if how == "sh":
            return explain.shell_line(self.solution) + "\n"
        return explain.as_text(self.solution, administrator=administrator)

    def why(self, name: str) -> str:
        """Why a stage is or is not on the plan, or which stage consumes a parameter."""
        from dasflex_core.plan import explain

        return explain.why(self.solution, name)

    def file_name(self) -> str:
        """A file name made of source, time range, resolution and options."""
        request = dict(self.solution.request)
        words = [self.solution.source.replace("/", "_")]
        words += [request[name].replace(":", "-") for name in ("read.time.min", "read.time.max") if name in request]
        consumed = {name for step in self.solution.path.steps for name in step.consumes}
        rest = sorted(consumed & set(request) - {"read.time.min", "read.time.max"})
        words += [f"{name.rpartition('.')[2]}-{request[name]}" for name in rest if not name.startswith("format.")]
        text = "_".join(_fit_for_files(word) for word in words)
        return f"{text[:120]}.{self.suffix}"

    def afford(self) -> None:
        """Raises `QueryError` (`query.too-large`) where the plan costs more than the configuration allows."""
        from dasflex_core.affording import check_price

        check_price(self)

    def open(
        self, *, amend: bool = False, absence: str = "", plain: bool = False, guardian: Guardian | None = None
    ) -> Pump:
        """The plan as a run that has not begun: a context manager with `start()`, `chunks()`, `items()`, `record`.

        A `plain` answer has no packets that a reader compressed: das2C cannot read them from a socket. A server shares
        one `guardian` among all its runs; without it the run starts one of its own.

        With `amend`, which is for clients that ask again where data are narrower than the request, a stream header says
        the range and the resolution of the request, where its format can and the reader does not. `absence` is what a
        stream says where no data were found, for clients that take one without data for a fault.
        """
        from dasflex_core.run import Pump, new_request_id

        identifier = new_request_id()
        settings = self.settings(identifier, amend=amend, absence=absence, plain=plain, guardian=guardian)
        return Pump(self.solution.nodes, settings, self.about(identifier))

    def settings(
        self,
        identifier: str,
        *,
        amend: bool = False,
        absence: str = "",
        plain: bool = False,
        guardian: Guardian | None = None,
    ) -> PumpSettings:
        """The surroundings of a run with that id, for whoever pumps in another way; the rest as for `open`."""
        from dasflex_core.plan.classics import Classics
        from dasflex_core.run import PumpSettings, ReaderLog

        registry, config = self.request.source.site.registry, self.request.source.site.config
        solution = self.solution
        return PumpSettings(
            framer=registry.framer,
            info=registry.stream_type,
            classic=Classics(registry).nodes,
            bin_path=tuple(str(each) for each in config.bin_path),
            library_path=tuple(str(each) for each in config.lib_path),
            environ=self.request.source.site.planner.environ,
            records=str(config.requests),
            log=ReaderLog(config.requests, identifier),
            note=_noted,
            remarks=solution.remarks if registry.convention(solution.convention).lenient else (),
            amend=self._facts() if amend else (),
            absence=absence,
            plain=plain,
            guardian=guardian,
        )

    def about(self, identifier: str) -> RequestRecord:
        """The record of a run with that id as far as it is known before. Notes which request the answer is of."""
        from dasflex_core.run import RequestRecord
        from dasflex_core.run.answered import note_answer

        config, solution = self.request.source.site.config, self.solution
        note_answer(solution.answer, solution.source, self.canonical, "flex", str(config.answers), _noted)
        return RequestRecord(
            id=identifier,
            source=solution.source,
            request=solution.request,
            plan=solution.plan,
            answer=solution.answer,
        )

    @property
    def canonical(self) -> tuple[tuple[str, str], ...]:
        """The parameters that give this answer again: what its stages consume, times resolved, and its format."""
        consumed = {name for step in self.solution.path.steps for name in step.consumes}
        made = self.solution.produces
        goal = (("format.type", made.kind), ("format.version", made.version), ("format.serial", made.variant))
        return (
            *((name, text) for name, text in self.solution.request if name in consumed),
            *((name, text) for name, text in goal if text and made.kind != ARRAYS.kind),
        )

    def _facts(self) -> tuple[tuple[str, str], ...]:
        """What a stream header may say of the answer: the range asked for, and the width of its bins."""
        known = dict(self.canonical)
        span = {name: known.get(name, "") for name in ("read.time.min", "read.time.max")}
        facts = span if all(text[:1].isdigit() for text in span.values()) else {}
        return tuple({**facts, **{name: known[name] for name in ("bin.time.max",) if name in known}}.items())

    def run(self) -> Iterator[bytes]:
        """The bytes of the answer in chunks. The run ends when the iterator is closed."""
        with self.open() as pump:
            yield from pump.chunks()

    def _repr_html_(self) -> str:
        """The plan in a notebook."""
        from dasflex_core.drawing import plan_html

        return plan_html(self)

    def _repr_mimebundle_(self, **_kwargs: object) -> Mapping[str, str]:
        """The plan in a notebook, as a graph where Mermaid is understood."""
        return {
            "text/plain": self.explain(),
            "text/html": self._repr_html_(),
            "text/vnd.mermaid": self.explain("mermaid"),
        }


def _write(plan: Plan, path: Path) -> None:
    """Runs a plan, and writes the bytes of the answer to a file as they come."""
    with path.open("wb") as file, plan.open() as pump:
        for chunk in pump.chunks():
            file.write(chunk)


def _fit_for_files(word: str) -> str:
    """A word with an underscore for each character that a file name or a header cannot hold everywhere."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "-.+") else "_" for char in word)


def _noted(text: str) -> None:
    """Tells the administrator what went wrong beside a request."""
    import logging

    logging.getLogger("dasflex").warning(text)


def _moment(end: object) -> str:
    """An end of a range as text."""
    return end if isinstance(end, str) else str(getattr(end, "isoformat", lambda: end)())


def _step(step: object) -> str:
    """A step in seconds as the text of a parameter."""
    from dasflex_core.times import seconds

    if isinstance(step, str):
        try:
            return f"{float(step):g}"
        except ValueError:
            return _text(seconds(step))
    if isinstance(step, int | float):
        return _text(step)
    total = getattr(step, "total_seconds", None)
    if total is None:
        raise QueryError(f"{step!r} is no step; write seconds or '10 min'", kind="query.bad-value")
    return _text(total())


def _text(value: Value) -> str:
    """A parameter's value as it stands in a URL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
