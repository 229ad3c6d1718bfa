# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin says of a stream that it verified, for whoever runs streams of any format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FindingVerdict", "HeaderVerdict", "StreamReport", "StreamReporter", "StreamVerifier", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that is to be said of a stream: where and what, and whether it cannot be read or only is unusual."""

    message: str
    wrong: bool = True


@dataclass(frozen=True, slots=True)
class HeaderVerdict:
    """A header of a stream: its tag, the byte at which it begins, its element, the name it gives, and its verdict."""

    packet: str
    offset: int
    root: str
    name: str
    verdict: str


@dataclass(frozen=True, slots=True)
class FindingVerdict:
    """Something that is wrong in a stream, and how often it was met.

    `rule` is a short name that does not change, `place` says in words where it is, and `text` is what stands there.
    """

    verdict: str
    rule: str
    place: str
    message: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class StreamReport:
    """The verdict on a stream (`ok`, `deviation` or `fault`), its form, its bytes, its headers, and what is wrong.

    `left_out` counts headers and findings that are not listed.
    """

    verdict: str
    form: str
    size: int
    headers: tuple[HeaderVerdict, ...]
    findings: tuple[FindingVerdict, ...]
    left_out: int = 0


@runtime_checkable
class StreamVerifier(Protocol):
    """Bytes of a stream in, verdicts out. What `StreamTypeInfo.verify` names makes one."""

    def feed(self, chunk: bytes) -> None:
        """Verifies a chunk; chunks may be split anywhere."""

    def verdicts(self, *, whole: bool) -> Iterator[Verdict]:
        """What is to be said, once; a stream that is not `whole` was cut off by whoever fed it."""


@runtime_checkable
class StreamReporter(Protocol):
    """A verifier that can tell of each header, and so is asked by the page of the server that verifies streams."""

    def feed(self, chunk: bytes) -> None:
        """Verifies a chunk; chunks may be split anywhere."""

    def report(self) -> StreamReport:
        """The report on all that was fed, once."""
