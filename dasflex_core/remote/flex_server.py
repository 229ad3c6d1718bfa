# SPDX-License-Identifier: GPL-3.0-or-later
"""A dasflex server: `catalog.json`, `flex.json` of each source, `flex?…`, `data.SUFFIX?…` and `plan?…`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from dasflex_core.errors import SourceError
from dasflex_core.remote.asking import PATIENCE, Address, asked
from dasflex_core.remote.serving import About, Question
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.wording import Pairs

__all__ = ["FlexServer"]

#: What is asked for to be decoded: das3 can tell all that any source holds.
_STREAM: Final = (("format.type", "das"), ("format.version", "3"), ("format.serial", "binary"))
_DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class FlexServer:
    """A server by the address below which `source/` is."""

    where: Address
    patience: float = PATIENCE
    convention: str = "flex"

    def titles(self) -> Iterator[tuple[str, str]]:
        """The ids of all listed sources, with their titles."""
        yield from _leaves(self._json("catalog.json"), "")

    def about(self, identifier: str) -> About:
        """What its node says of a source."""
        node = self._json(f"source/{_path(identifier)}/flex.json")
        protocol = node.get("protocol")
        protocol = protocol if isinstance(protocol, dict) else {}
        params = protocol.get("httpParams")
        params = params if isinstance(params, dict) else {}
        own = {name.removeprefix("read.") for name in params if name.startswith("read.") and name.count(".") == 1}
        authorization = protocol.get("authorization")
        return About(
            identifier,
            str(node.get("title", "")),
            str(node.get("summary", "")),
            protected=isinstance(authorization, dict) and bool(authorization.get("required")),
            model="read.time.inter" in params,
            examples=tuple(_examples(protocol.get("examples"))),
            options=frozenset(own - {"data", "opts"}),
            params=params,
        )

    def question(self, identifier: str, request: Mapping[str, str], suffix: str = "") -> Question:
        """How data are asked for."""
        named = f"data.{quote(suffix)}" if suffix and "format.type" not in request else "flex"
        return Question(self.where.below(f"source/{_path(identifier)}/{named}"), _pairs(request))

    def stream(self, identifier: str, request: Mapping[str, str]) -> Question:
        """How a das3 stream is asked for; what else the request says of its form means nothing here."""
        rest = {name: text for name, text in request.items() if not name.startswith("format.")}
        return self.question(identifier, {**rest, **dict(_STREAM)})

    def explained(self, identifier: str, request: Mapping[str, str], how: str) -> Question:
        """How the plan of a request is asked for."""
        where = self.where.below(f"source/{_path(identifier)}/plan")
        return Question(where, (*_pairs(request), ("format", how)))

    def bases(self) -> tuple[Address, ...]:
        """Below what its records of requests may be asked for."""
        return (self.where,)

    def _json(self, path: str) -> dict[str, Any]:
        """An object of JSON."""
        with asked(self.where.below(path), patience=self.patience, accept="application/json") as reply:
            body = reply.whole()
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise SourceError(f"{self.where.url}: {path} is no object of JSON", kind="source.stream")
        return said


def _leaves(node: dict[str, Any], above: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """The sources below a node of the catalog. A key is in lower case; a name that is the same has the case."""
    below = node.get("catalog")
    for key, each in below.items() if isinstance(below, dict) and depth < _DEEPEST else ():
        if not isinstance(each, dict):
            continue
        name = str(each.get("name", ""))
        path = f"{above}{name if name.lower() == key.lower() else key}"
        if each.get("type") == "Catalog":
            yield from _leaves(each, f"{path}{node.get('separator') or '/'}", depth + 1)
        else:
            yield path, str(each.get("title", ""))


def _examples(said: object) -> Iterator[tuple[str, Pairs]]:
    """The examples of a node: their titles and requests."""
    for each in said.values() if isinstance(said, dict) else ():
        asked_for = each.get("http_params") if isinstance(each, dict) else None
        if isinstance(asked_for, dict):
            yield str(each.get("title", "")), tuple((str(name), str(text)) for name, text in asked_for.items())


def _path(identifier: str) -> str:
    """An id as it stands in an address."""
    return quote(identifier.strip("/").lower(), safe="/+")


def _pairs(request: Mapping[str, str]) -> Pairs:
    """A request as a query: in the order of the names, so that the same request has one address."""
    return tuple(sorted(request.items()))
