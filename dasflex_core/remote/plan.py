# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan that another server has for a request: asked for there, and not run."""

from __future__ import annotations

import json
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from dasflex_core.errors import QueryError, SourceError
from dasflex_core.prices import Basis, Estimate
from dasflex_core.remote.asking import asked
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.remote.run import RemoteRun
    from dasflex_core.remote.site import RemoteRequest

__all__ = ["RemotePlan"]


@dataclass(frozen=True)
class RemotePlan:
    """What the server would run, why, and at what price. Command lines are shown to its administrator only."""

    request: RemoteRequest = field(repr=False)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The plan as the server tells it to programs. Raises `QueryError` and its kin where there is none."""
        try:
            found = json.loads(self.explain("json"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise SourceError(f"{self.request.source.site.url} tells no plan", kind="source.stream")
        return found

    @property
    def seconds(self) -> float:
        """The price in seconds, as the stages declare it there."""
        return float(self.facts.get("seconds", 0.0))

    def explain(self, how: Literal["text", "json", "mermaid", "sh"] = "text") -> str:
        """The plan, its price and the alternatives with the reason each lost, as the server explains it."""
        if how == "sh":
            raise QueryError("No server tells command lines; ask for text, json or mermaid", kind="query.not-offered")
        source = self.request.source
        question = source.site.server.explained(source.id, self.request.canonical, how)
        with asked(question.where, question.pairs, accept="application/json" if how == "json" else "*/*") as reply:
            return reply.text()

    def estimate(self) -> Estimate:
        """What running it is expected to cost and to give, as the server says it."""
        said = self.facts.get("estimate")
        said = said if isinstance(said, dict) else {}
        basis = tuple(each for each in get_args(Basis) if each in str(said.get("basis", "")).split(", "))
        return Estimate(
            float(said.get("seconds", self.seconds)), said.get("read"), said.get("bytes"), said.get("records"), basis
        )

    def open(self) -> RemoteRun:
        """The plan as a run that has not begun."""
        return self.request.open()

    def run(self) -> Iterator[bytes]:
        """The bytes of the answer in chunks."""
        with self.open() as run:
            yield from run.chunks()
