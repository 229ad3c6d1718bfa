# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that is another server: the same values as those of a root, asked over HTTP and decoded here."""

from __future__ import annotations

from dataclasses import field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dasflex_core.catalog.identifiers import folded
from dasflex_core.errors import NotFoundError, did_you_mean
from dasflex_core.plan.parameters import canonical_name, canonical_pairs, check_range
from dasflex_core.remote.plan import RemotePlan
from dasflex_core.remote.run import RemoteRun, decoded
from dasflex_core.values import dataclass
from dasflex_core.wording import keyword, pairs_with, span_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dasflex_core.answers import Answer
    from dasflex_core.registry import Registry
    from dasflex_core.remote.serving import About, Question, Serving
    from dasflex_core.stages import Value
    from dasflex_core.wording import Pairs

__all__ = ["RemoteRequest", "RemoteSite", "RemoteSource"]


@dataclass(frozen=True)
class RemoteSite:
    """Another server, opened. What it has is asked once, when it is needed; what a source is, when that is taken."""

    server: Serving = field(repr=False)

    def __repr__(self) -> str:
        """What it is, in short: where it is."""
        return f"<RemoteSite {self.url}>"

    @property
    def url(self) -> str:
        """The address of the server, without a log-in."""
        return self.server.where.url

    @cached_property
    def registry(self) -> Registry:
        """What is installed here: the decoders of what comes."""
        from dasflex_core.registry import discover

        return discover()

    @cached_property
    def titles(self) -> dict[str, str]:
        """The titles of all listed sources, by their ids."""
        return dict(self.server.titles())

    def __getitem__(self, source_id: str) -> RemoteSource:
        """The source of that id, case aside. Raises `NotFoundError` with the nearest ids."""
        name = source_id.strip("/")
        try:
            about = self.server.about(name)
        except NotFoundError as error:
            hint = did_you_mean(name, self)
            what = f"There is no source {name!r} at {self.url}.{hint}"
            raise NotFoundError(what, kind="not-found.source") from error
        spelt = {folded(each): each for each in self.__dict__.get("titles", ())}  # it is not asked for that alone
        return RemoteSource(self, replace(about, id=spelt.get(folded(name), name)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.titles)

    def __contains__(self, source_id: object) -> bool:
        return folded(str(source_id)) in {folded(each) for each in self.titles}

    def search(self, words: str | Sequence[str]) -> list[RemoteSource]:
        """The sources whose id or title has all the words."""
        wanted = [each.lower() for each in (words.split() if isinstance(words, str) else words)]
        found = [
            name for name, title in self.titles.items() if all(each in f"{name} {title}".lower() for each in wanted)
        ]
        return [self[each] for each in found]

    def request(self, source_id: str, pairs: Iterable[tuple[str, str]]) -> RemoteRequest:
        """A request of canonical names and values."""
        return RemoteRequest(self[source_id], tuple(pairs))


@dataclass(frozen=True)
class RemoteSource:
    """What another server offers data from. `source[begin:end]` and `source[begin:end:every]` are requests."""

    site: RemoteSite
    about: About = field(repr=False)

    def __repr__(self) -> str:
        """What it is, in short: the id, and where it is."""
        return f"<RemoteSource {self.id} at {self.site.url}>"

    @property
    def id(self) -> str:
        """The id, such as `Examples/Waveform`."""
        return self.about.id

    @property
    def title(self) -> str:
        """The title."""
        return self.about.title

    @property
    def summary(self) -> str:
        """The longer text."""
        return self.about.summary

    @property
    def protected(self) -> bool:
        """Whether there are rules of who may read it."""
        return self.about.protected

    @property
    def examples(self) -> tuple[RemoteRequest, ...]:
        """The examples that the server has, as requests."""
        return tuple(RemoteRequest(self, pairs) for _title, pairs in self.about.examples)

    @property
    def step_name(self) -> str:
        """The parameter that *every* means: the interval of a model, else the widest bin of time."""
        return "read.time.inter" if self.about.model else "bin.time.max"

    def __getitem__(self, span: slice) -> RemoteRequest:
        """The request for a half-open range of time; the step is the bin width, or the interval of a model."""
        return RemoteRequest(self, span_pairs(span, lambda: self.step_name))

    def ask(self, **parameters: Value) -> RemoteRequest:
        """A request of parameters; a dot of a name is written as an underscore."""
        return RemoteRequest(self).ask(**parameters)


@dataclass(frozen=True)
class RemoteRequest:
    """What is asked of a source of another server. Nothing is asked before it is told to.

    `suffix` is that of the files whose format is asked for, blank where the request names it, or none.
    """

    source: RemoteSource
    pairs: Pairs = ()
    suffix: str = ""

    def ask(self, **parameters: Value) -> RemoteRequest:
        """This request with more parameters, or others in their place: `dft_length=800` is `dft.length=800`."""
        new = {self._name(name): value for name, value in parameters.items()}
        return replace(self, pairs=pairs_with(self.pairs, new))

    def _name(self, name: str) -> str:
        """The canonical name of a keyword."""
        return self.source.step_name if name == "every" else keyword(name, self.source.about.options)

    @property
    def canonical(self) -> dict[str, str]:
        """The request in canonical names. Raises `QueryError` for what cannot be one."""
        found = canonical_pairs(self.pairs)
        check_range(found)
        return found

    @property
    def question(self) -> Question:
        """How the server is asked for the answer in its own form, or in that which the request names."""
        return self.source.site.server.question(self.source.id, self.canonical, self.suffix)

    def plan(self) -> RemotePlan:
        """The plan that the server has for it. Raises `QueryError` and its kin, as the server says."""
        return RemotePlan(self)

    def read(self) -> Answer:
        """The data: a mapping of datasets of numpy arrays, times as datetime64, fill as NaN.

        Raises `SourceError` where not all of them have come.
        """
        server = self.source.site.server
        question = server.stream(self.source.id, self.canonical)
        with RemoteRun(question, server.bases()) as run:
            return decoded(run.chunks(), self.source.site.registry)

    def open(self) -> RemoteRun:
        """The answer as a run that has not begun: a context manager with `start()`, `chunks()` and `record`."""
        return RemoteRun(self.question, self.source.site.server.bases())

    def save(self, path: str | Path) -> Path:
        """Writes the answer to a file, in the format of its suffix. A cut answer leaves the file as it was."""
        from dasflex_core.saving import saved

        named = Path(path)
        with self.as_suffix(named.suffix).open() as run:
            return saved(named, run.chunks)

    def as_suffix(self, suffix: str) -> RemoteRequest:
        """This request in the format whose files have a suffix, unless it names a format itself."""
        named = any(canonical_name(name) == "format.type" for name, _text in self.pairs)
        return self if named or not suffix.strip(".") else replace(self, suffix=suffix.strip("."))

    def url(self) -> str:
        """The address that gives the answer."""
        return self.question.url
