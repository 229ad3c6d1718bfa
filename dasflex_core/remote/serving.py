# SPDX-License-Identifier: GPL-3.0-or-later
"""What a remote site needs of the server behind it: what it has, what a source is, how it is asked."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.remote.asking import Address
    from dasflex_core.wording import Pairs

__all__ = ["About", "Question", "Serving"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked over HTTP: an address, and a query."""

    where: Address
    pairs: Pairs = ()

    @property
    def url(self) -> str:
        """The address with its query, without a log-in."""
        return self.where.asking(self.pairs)


@dataclass(frozen=True, slots=True)
class About:
    """What a server says of a source. `examples` are titles and requests, `options` the names of its reader's own.

    `params` are the parameters that it takes, None where the server does not list them; a `model` has values at any
    interval.
    """

    id: str
    title: str = ""
    summary: str = ""
    protected: bool = False
    model: bool = False
    examples: tuple[tuple[str, Pairs], ...] = ()
    options: frozenset[str] = frozenset()
    params: Mapping[str, object] | None = field(default=None, hash=False)


class Serving(Protocol):
    """A server, as far as a site needs it. All raise `SourceError` and its kin."""

    @property
    def where(self) -> Address:
        """The address below which it answers."""
        ...

    @property
    def convention(self) -> str:
        """How its parameters are named."""
        ...

    def titles(self) -> Iterator[tuple[str, str]]:
        """The ids of its sources, with their titles."""
        ...

    def about(self, identifier: str) -> About:
        """What it says of a source."""
        ...

    def question(self, identifier: str, request: Mapping[str, str], suffix: str = "") -> Question:
        """How data are asked for, as the request says; in the format of a suffix where it says none."""
        ...

    def stream(self, identifier: str, request: Mapping[str, str]) -> Question:
        """How data are asked for as a das stream, to be decoded."""
        ...

    def explained(self, identifier: str, request: Mapping[str, str], how: str) -> Question:
        """How the plan of a request is asked for."""
        ...

    def bases(self) -> tuple[Address, ...]:
        """Below what its records of requests may be asked for."""
        ...
