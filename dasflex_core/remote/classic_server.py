# SPDX-License-Identifier: GPL-3.0-or-later
"""A das2.2 server: `server=list`, `server=dsdf` and `server=dataset`, for requests in canonical names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError
from dasflex_core.remote.asking import PATIENCE, Address
from dasflex_core.remote.confirming import record_bases
from dasflex_core.remote.das2_server import Das2Server
from dasflex_core.remote.serving import About, Question
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CANONICAL", "ClassicServer"]

#: What clients of das2 call parameters.
_KEYS: Final = {
    "read.time.min": "start_time",
    "read.time.max": "end_time",
    "bin.time.max": "resolution",
    "read.time.inter": "interval",
    "read.opts": "params",
}
#: The canonical names of what clients of das2 send.
CANONICAL: Final = {key: name for name, key in _KEYS.items()}
#: What says only that the answer is a das2 stream, as it is anyway.
_FORM: Final = {"format.type": ("das",), "format.version": ("2",), "format.serial": ("binary", "text")}
_SUFFIXES: Final = ("d2s", "d2t")


@dataclass(frozen=True, slots=True)
class ClassicServer:
    """A server by its base address."""

    where: Address
    patience: float = PATIENCE
    convention: str = "das2"

    def titles(self) -> Iterator[tuple[str, str]]:
        """The ids of all listed sources, with their titles."""
        yield from self._server.titles()

    def about(self, identifier: str) -> About:
        """What its definition says of a source."""
        said = self._server.description(identifier)
        examples = tuple(
            (each.title, tuple((CANONICAL[key], text) for key, text in each.pairs)) for each in said.examples
        )
        return About(identifier, said.title, said.summary, bool(said.realm), said.model, examples)

    def question(self, identifier: str, request: Mapping[str, str], suffix: str = "") -> Question:
        """How data are asked for. Raises `QueryError` for what das2 has no words for."""
        if suffix and suffix not in _SUFFIXES:
            raise QueryError(f"A das2 server has no .{suffix} files; there are .d2s and .d2t", kind="query.not-offered")
        pairs = [("server", "dataset"), ("dataset", identifier)]
        options: list[str] = []
        for name, text in request.items():
            if name in _KEYS and name != "read.opts":
                pairs.append((_KEYS[name], text))
            elif name == "read.opts":
                options.append(text)
            elif name.startswith("read.") and name.count(".") == 1 and name != "read.data":
                options.append(f"{name.removeprefix('read.')}={text}")
            elif text not in _FORM.get(name, ()):
                known = ", ".join([*_KEYS, "read.NAME"])
                what = f"A das2 server cannot be asked for {name}={text}; it takes {known}"
                raise QueryError(what, kind="query.not-offered")
        pairs += [("params", " ".join(options))] if options else []
        pairs += [("ascii", "1")] if request.get("format.serial") == "text" or suffix == "d2t" else []
        return Question(self.where, tuple(pairs))

    def stream(self, identifier: str, request: Mapping[str, str]) -> Question:
        """How a stream is asked for; what the request says of its form means nothing here."""
        return self.question(identifier, {name: text for name, text in request.items() if name not in _FORM})

    def explained(self, identifier: str, request: Mapping[str, str], how: str) -> Question:  # noqa: ARG002  as of others
        """A das2 server has no plans: raises `QueryError`."""
        raise QueryError(f"{self.where.url} is a das2 server, which tells no plan", kind="query.not-offered")

    def bases(self) -> tuple[Address, ...]:
        """Where a dasflex server that is asked as a das2 server has its records."""
        return record_bases(self.where)

    @property
    def _server(self) -> Das2Server:
        """The server, asked as das2 clients ask."""
        return Das2Server(self.where, self.patience)
