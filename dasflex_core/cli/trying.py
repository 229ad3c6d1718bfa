# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources whose examples are tried, those of this site or of another server, and what is wrong with each."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from dasflex_core.errors import AccessError, DasflexError, SourceError
from dasflex_core.loading import load
from dasflex_core.streamtype import StreamType
from dasflex_core.values import dataclass
from dasflex_core.verdicts import StreamVerifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.cli.checking import Checker
    from dasflex_core.registry import Registry
    from dasflex_core.remote.das2_server import Das2Example, Das2Server, Description
    from dasflex_core.site import Site

__all__ = ["Candidate", "OtherSources", "OwnSources", "Sources"]

#: Seconds that an example of another server may take.
_LONGEST: Final = 300.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source that can be tried: its id and title, the technical contact, and where its definition is."""

    id: str
    title: str
    contact: str
    file: str = ""


class Sources(Protocol):
    """What can be tried."""

    def ids(self) -> list[str]:
        """The ids of the sources, in order."""

    def candidate(self, identifier: str) -> Candidate:
        """What is to be known of a source; one that cannot be described has no contact."""

    def faults(self, candidate: Candidate) -> Iterator[str]:
        """What is wrong with a source."""


class OwnSources:
    """The sources of a site, tried as `dasflex check` does."""

    def __init__(self, site: Site, checker: Checker) -> None:
        self._site = site
        self._checker = checker

    def ids(self) -> list[str]:
        """The ids of the installed sources, those that are not listed too."""
        return sorted(self._site, key=str.lower)

    def candidate(self, identifier: str) -> Candidate:
        """What the installed definition says."""
        made = self._site[identifier].definition
        return Candidate(made.id, made.title, made.contacts.technical, made.file)

    def faults(self, candidate: Candidate) -> Iterator[str]:
        """The errors of the check, without its warnings."""
        try:
            yield from (str(remark) for remark in self._checker.check(Path(candidate.file)) if remark.wrong)
        except DasflexError as error:
            yield error.message


class OtherSources:
    """The sources of another server, tried as das2 clients meet them."""

    def __init__(self, server: Das2Server, registry: Registry) -> None:
        self._server = server
        self._registry = registry
        self._known: dict[str, Description | DasflexError] = {}

    def ids(self) -> list[str]:
        """The ids that the server lists."""
        return sorted(self._server.sources().values(), key=str.lower)

    def candidate(self, identifier: str) -> Candidate:
        """What the description of the source says."""
        found = self._described(identifier)
        if isinstance(found, DasflexError):
            return Candidate(identifier, "", "")
        return Candidate(identifier, found.title, found.contact)

    def _described(self, identifier: str) -> Description | DasflexError:
        """The description of a source, asked once."""
        if identifier not in self._known:
            try:
                self._known[identifier] = self._server.description(identifier)
            except DasflexError as error:
                self._known[identifier] = error
        return self._known[identifier]

    def faults(self, candidate: Candidate) -> Iterator[str]:
        """What is wrong with each example. A source that asks for a password is passed over."""
        found = self._described(candidate.id)
        if isinstance(found, DasflexError):
            yield f"it has no description: {found.message}"
            return
        for number, example in enumerate(() if found.realm else found.examples, 1):
            title = f" ({example.title})" if example.title else ""
            try:
                for fault in self._example(candidate.id, example, decodes=not found.qstream):
                    yield f"example {number}{title}: {fault}"
            except AccessError:
                return
            except DasflexError as error:
                yield f"example {number}{title}: {error.message}"

    def _example(self, identifier: str, example: Das2Example, *, decodes: bool) -> Iterator[str]:
        """What is wrong with the data of an example. Raises `SourceError` and its kin."""
        from dasflex_core.cli.stream_files import decoded

        watch = _Watch(self._verifier() if decodes else None)
        with self._server.data(identifier, example.pairs) as chunks:
            if decodes:
                answer = decoded(watch.seen(chunks), self._registry)
                empty = not any(len(values) for table in answer.values() for values in table.values())
            else:
                empty = not sum(map(len, watch.seen(chunks)))
        if empty:
            yield "it gives no data"
        yield from watch.faults()

    def _verifier(self) -> StreamVerifier | None:
        """What verifies a das2 stream, where a plugin does."""
        info = self._registry.stream_type(StreamType("das", "2", "binary"))
        made = load(info.verify)() if info and info.verify else None
        return made if isinstance(made, StreamVerifier) else None


class _Watch:
    """Looks at bytes that go by: whether they end in time, and whether they are as their schema says."""

    def __init__(self, verifier: StreamVerifier | None) -> None:
        self._verifier = verifier
        self._deadline = time.monotonic() + _LONGEST
        self._any = False

    def seen(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same chunks. Raises `SourceError` where they take too long."""
        for chunk in chunks:
            if time.monotonic() > self._deadline:
                raise SourceError(f"it did not end within {_LONGEST:.0f} s")
            self._any = True
            if self._verifier:
                self._verifier.feed(chunk)
            yield chunk

    def faults(self) -> Iterator[str]:
        """What cannot be read of them."""
        if self._verifier and self._any:
            yield from (f"the stream: {each.message}" for each in self._verifier.verdicts(whole=True) if each.wrong)
