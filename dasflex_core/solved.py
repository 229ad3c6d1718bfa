# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan: a solved request, which can be explained and run."""

from __future__ import annotations

import os
from dataclasses import field, replace
from functools import partial
from time import time
from typing import TYPE_CHECKING, Final, Literal

from dasflex_core.errors import NotFoundError
from dasflex_core.streamtype import ARRAYS, StreamTypeInfo
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dasflex_core.config import Config
    from dasflex_core.errors import TooLargeError
    from dasflex_core.plan.solution import Solution
    from dasflex_core.prices import Estimate
    from dasflex_core.run import Guardian, Pump, PumpSettings, RequestRecord
    from dasflex_core.run.sandbox import Sandbox
    from dasflex_core.run.turns import Crowd
    from dasflex_core.site import Request

__all__ = ["Plan"]

#: Seconds after which a run of a source is looked at again, for what it tells of others.
_OFTEN: Final = 2.0


@dataclass(frozen=True)
class Plan:
    """The solved request: what would run, why, at what price; and the way to run it.

    `user` is who has logged in for it. `note` tells the client why the answer is not all that was asked.
    """

    request: Request = field(repr=False)
    solution: Solution = field(repr=False)
    user: str = ""
    note: str = ""

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

        if how in ("json", "text"):
            price = self.estimate()
            refused = self.refusal(price)
        if how == "json":
            import json

            told = explain.as_json(self.solution, administrator=administrator)
            told |= {"gigabytes": price.gigabytes, "estimate": dict(price.plain())}
            told["refused"] = None if refused is None else refused.message
            return json.dumps(told, indent=2) + "\n"
        if how == "mermaid":
            return explain.as_mermaid(self.solution)
        if how == "sh":
            return explain.shell_line(self._uncached()) + "\n"
        title, _, rest = explain.as_text(self.solution, administrator=administrator).partition("\n")
        lines = [title, f"  {price.text()}", *([f"  refused to clients: {refused.message}"] if refused else [])]
        return "\n".join((*lines, rest))

    def _uncached(self) -> Solution:
        """The solution without blocks, which only dasflex reads."""
        if self.solution.use is None:
            return self.solution
        source = self.request.source
        return replace(source.site.planner, cache_root="").solve(source.definition, self.canonical)

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

    def estimate(self) -> Estimate:
        """What running the plan is expected to cost and to give, and what that rests on. Nothing is run."""
        from dasflex_core.estimate import estimate

        return estimate(self)

    def afford(self) -> None:
        """Raises `TooLargeError` (`query.too-large`) where the plan costs more than the configuration allows.

        Where that sets no limit, nothing is estimated.
        """
        refused = self.refusal()
        if refused is not None:
            raise refused

    def refusal(self, estimate: Estimate | None = None) -> TooLargeError | None:
        """What a client is told where the plan costs more than the configuration allows; None where it does not."""
        config = self.request.source.site.config
        general = config.limit_request_seconds or config.limit_request_gigabytes or config.limit_answer_gigabytes
        if not (general or self.format_limit()[2]):
            return None
        from dasflex_core.affording import refusal

        return refusal(self, self.estimate() if estimate is None else estimate)

    def format_limit(self) -> tuple[str, str, int]:
        """The key that limits answers of this format, the title of the format, and the bytes; blank and 0 for none."""
        kind = self.type
        if kind is None or not kind.limit:
            return "", "", 0
        return kind.limit, kind.title, int(getattr(self.request.source.site.config, kind.limit.lower(), 0))

    def open(
        self,
        *,
        amend: bool = False,
        absence: str = "",
        plain: bool = False,
        guardian: Guardian | None = None,
        crowd: Crowd | None = None,
    ) -> Pump:
        """The plan as a run that has not begun: a context manager with `start()`, `chunks()`, `items()`, `record`.

        A `plain` answer has no packets that a reader compressed: das2C cannot read them from a socket. A server shares
        one `guardian` among all its runs; without it the run starts one of its own.

        With `amend`, which is for clients that ask again where data are narrower than the request, a stream header says
        the range and the resolution of the request, where its format can and the reader does not. `absence` is what a
        stream says where no data were found, for clients that take one without data for a fault. The run begins when it
        has its place in the `crowd`, whose `BusyError` is raised where there is none.
        """
        from dasflex_core.run import Pump, new_request_id

        identifier = new_request_id()
        settings = self.settings(identifier, amend=amend, absence=absence, plain=plain, guardian=guardian)
        return Pump(self.solution.nodes, replace(settings, hold=partial(self._held, crowd)), self.about(identifier))

    def crowd(self, address: str) -> Crowd:
        """Who a run of the plan shares its places with, for a client at an address; blank where that has no share."""
        from dasflex_core.plan.binding import view_chain
        from dasflex_core.run.turns import crowd_of

        source = self.request.source
        return crowd_of(source.site.config, view_chain(source.definition, source.site.catalog.find), address)

    def hold(self) -> Callable[[], None]:
        """Holds the instrument that the plan follows, if that admits one reader, until what it gives is called.

        Raises `BusyError` where another program reads it.
        """
        source = self.request.source
        if dict(self.solution.request).get("read.time.max") != "forever":
            return _nothing
        origin = self.solution.path.steps[0].spec.origin  # another source, where this one is a view
        try:
            base = source.definition if origin == source.id else source.site.catalog.find(origin)
        except NotFoundError:  # it is being checked, and not installed yet
            return _nothing
        if not base.live.single:
            return _nothing
        from dasflex_core.run.holding import Lock

        return Lock(source.site.config.runtime, base.id).release

    def _held(self, crowd: Crowd | None) -> Callable[[], None]:
        """The place in a crowd and the instrument, both held until what this gives is called. Raises `BusyError`."""
        leave = crowd.wait() if crowd is not None else _nothing
        try:
            release = self.hold()
        except BaseException:
            leave()
            raise

        def end() -> None:
            leave()
            release()

        return end

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
        from dasflex_core.run.settings import QUOTA, no_reader

        use = self.solution.use
        registry, config = self.request.source.site.registry, self.request.source.site.config
        return PumpSettings(
            framer=registry.framer,
            info=registry.stream_type,
            classic=Classics(registry).nodes,
            bin_path=tuple(str(each) for each in config.bin_path),
            library_path=tuple(str(each) for each in config.lib_path),
            environ=self.request.source.site.planner.environ,
            sandbox=_sandbox(config),
            scratch=str(config.scratch_path or ""),
            quota=self.format_limit()[2] or QUOTA,
            records=str(config.requests),
            log=ReaderLog(config.requests, identifier),
            note=_noted,
            remarks=self._remarks(),
            amend=self._facts() if amend or self.solution.gridded else (),
            absence=absence,
            plain=plain,
            guardian=guardian,
            measure=self._measure,
            instead=no_reader if use is None else partial(use.pieces.gap, self.request.source.site.planner),
        )

    def _measure(self, given: int, records: int | None, read: int, seconds: float) -> None:
        """Keeps what a complete run gave and cost, for the estimates of others.

        Of many that end at once one is enough: the others cost nothing, and import nothing.
        """
        try:
            if abs(time() - os.stat(self.history).st_mtime) < _OFTEN:  # noqa: PTH116  its path is a text
                return
        except OSError:  # there is none yet
            pass
        from dasflex_core.estimate import note_run

        note_run(self, given, records, read, seconds, _noted)

    @property
    def history(self) -> str:
        """The file in which it is kept what runs of the source gave. An id has no tilde, so that each has its own."""
        runtime = self.request.source.site.config.runtime
        return os.fspath(runtime / "history" / f"{self.solution.source.lower().replace('/', '~')}.json")

    def _remarks(self) -> tuple[str, ...]:
        """What the client is told in the stream itself."""
        lenient = self.request.source.site.registry.convention(self.solution.convention).lenient
        return self.solution.remarks if lenient else tuple(filter(None, (self.note,)))

    def about(self, identifier: str) -> RequestRecord:
        """The record of a run with that id as far as it is known before. Notes which request the answer is of."""
        from dasflex_core.run import RequestRecord
        from dasflex_core.run.answered import note_answer

        config, solution = self.request.source.site.config, self.solution
        if solution.kept is not None and solution.kept.pieces is not None:
            from dasflex_core.missed import used

            used(config, solution.source, solution.kept.pieces, _noted)
        note_answer(solution.answer, solution.source, self.canonical, "flex", str(config.answers), _noted)
        return RequestRecord(
            id=identifier,
            source=solution.source,
            request=solution.request,
            plan=solution.plan,
            answer=solution.answer,
            user=self.user,
            convention=solution.convention,
            format=str(solution.produces),
            stages=tuple(each.name for each in solution.nodes),
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


def _fit_for_files(word: str) -> str:
    """A word with an underscore for each character that a file name or a header cannot hold everywhere."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "-.+") else "_" for char in word)


def _sandbox(config: Config) -> Sandbox | None:
    """The sandbox of programs that the configuration wants."""
    if not config.reader_sandbox:
        return None
    from dasflex_core.run.sandbox import sandbox_of

    return sandbox_of(config)


def _nothing() -> None:
    """Where nothing is held."""


def _noted(text: str) -> None:
    """Tells the administrator what went wrong beside a request."""
    import logging

    logging.getLogger("dasflex").warning(text)
