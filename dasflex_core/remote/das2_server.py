# SPDX-License-Identifier: GPL-3.0-or-later
"""Another server, asked as das2 clients ask: what it has, how it describes a source, and its data.

?server=list    ?server=dsdf&dataset=ID    ?server=dataset&dataset=ID&start_time=…&end_time=…
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from dasflex_core.catalog.identifiers import folded
from dasflex_core.errors import SourceError
from dasflex_core.remote.asking import PATIENCE, Address, asked
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.catalog.model import Pairs
    from dasflex_core.remote.asking import Reply

__all__ = ["Das2Example", "Das2Server", "Description", "read_description"]

_RANGE: Final = re.compile(r"\s*(\S.*?)\s+(?:to|until)\s+(.*?\S)(?:\s+UTC)?\s*", re.IGNORECASE)
#: A line of a description in the form of IDL, which the oldest servers send.
_LINE: Final = re.compile(r"""^\s*(\w+)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^;\s]+))""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Das2Example:
    """An example: its title, and the keys of a das2 query beside the source."""

    title: str
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Description:
    """What a das2 client knows of a source: its title, its texts, its contact, its examples, its security realm.

    `qstream` says that its data are no das stream; `model` that it has values at any interval, which must be asked for.
    `span` is the range that it has data for, as written. `reducer` is what makes bins there, where the server says it.
    """

    title: str = ""
    contact: str = ""
    realm: str = ""
    qstream: bool = False
    examples: tuple[Das2Example, ...] = ()
    summary: str = ""
    span: str = ""
    model: bool = False
    reducer: str = ""


@dataclass(frozen=True, slots=True)
class Das2Server:
    """A server by its base address. It may be silent for `patience` seconds.

    `name` is what errors call it, where that is not its address.
    """

    where: Address
    patience: float = PATIENCE
    name: str = ""

    @classmethod
    def at(cls, address: str, patience: float = PATIENCE) -> Das2Server:
        """The server at an address, whose query is left out. Raises `ConfigError` for what is no address of HTTP."""
        return cls(Address.parse(address)[0], patience)

    @property
    def address(self) -> str:
        """The base address, without a log-in."""
        return self.where.url

    def sources(self) -> dict[str, str]:
        """The ids of all listed sources, by the form in which ids are compared. Raises `SourceError` and its kin."""
        return {folded(name): name for name, _title in self.titles()}

    def titles(self) -> Iterator[tuple[str, str]]:
        """The ids of all listed sources with their titles. Raises as `sources` does."""
        with self._asked((("server", "list"),)) as reply:
            lines = reply.text().splitlines()
        for line in lines:
            name, _, title = line.partition("|")
            if name.strip() and not name.strip().endswith("/"):
                yield name.strip(), title.strip()

    def description(self, identifier: str, cancelled: Callable[[], bool] | None = None) -> Description:
        """How the server describes a source. Raises `SourceError` and its kin."""
        with self._asked((("server", "dsdf"), ("dataset", identifier)), cancelled) as reply:
            return read_description(reply.text(), f"{self.name or self.address}: {identifier}")

    @contextmanager
    def data(self, identifier: str, pairs: Pairs) -> Iterator[Iterator[bytes]]:
        """The bytes of an answer as they come. Raises `SourceError` and its kin, while they are read as well."""
        with self.reply(identifier, pairs) as reply:
            yield reply.chunks()

    @contextmanager
    def reply(self, identifier: str, pairs: Pairs, cancelled: Callable[[], bool] | None = None) -> Iterator[Reply]:
        """The answer to a request for data, when it has begun. Raises as `data` does."""
        with self._asked((("server", "dataset"), ("dataset", identifier), *pairs), cancelled) as reply:
            yield reply

    @contextmanager
    def _asked(self, query: Pairs, cancelled: Callable[[], bool] | None = None) -> Iterator[Reply]:
        """The answer to a query."""
        with asked(self.where, query, patience=self.patience, cancelled=cancelled, name=self.name) as reply:
            yield reply


def read_description(text: str, where: str) -> Description:
    """The description of a source: a das2 header, or lines of IDL. Raises `SourceError` for an exception or damage."""
    keys = _header(text, where) if text.lstrip().startswith(("[", "<")) else _lines(text)
    return Description(
        keys.get("description", ""),
        keys.get("techContact", ""),
        keys.get("securityRealm", ""),
        keys.get("qstream") == "1",
        tuple(_examples(keys)),
        keys.get("summary", ""),
        keys.get("validRange", ""),
        keys.get("requiresInterval", "").strip().lower() in ("1", "true"),
        keys.get("reducer", ""),
    )


def _header(text: str, where: str) -> dict[str, str]:
    """The properties of a stream header."""
    keys: dict[str, str] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "exception":
            raise SourceError(f"{where}: {attributes.get('message', attributes.get('type', 'failed'))}")
        if name == "properties":
            keys.update({key.rpartition(":")[2]: value for key, value in attributes.items()})

    def refuse(*_declaration: object) -> None:
        raise SourceError(f"{where}: the header has a DOCTYPE", kind="source.stream")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.lstrip()[10:] if text.lstrip().startswith("[") else text.strip(), True)
    except expat.ExpatError as error:
        raise SourceError(f"{where}: the header is no XML: {error}", kind="source.stream") from error
    return keys


def _lines(text: str) -> dict[str, str]:
    """The keys of a description in the form of IDL."""
    return {
        found[1]: next((each for each in found.groups()[1:] if each is not None), "") for found in _LINE.finditer(text)
    }


def _examples(keys: dict[str, str]) -> Iterator[Das2Example]:
    """The numbered examples, in their order."""
    for name in sorted(each for each in keys if each.startswith("exampleRange")):
        number = name.removeprefix("exampleRange")
        span, _, title = keys[name].partition("|")
        found = _RANGE.fullmatch(span)
        if found is None:
            continue
        pairs = [("start_time", found[1]), ("end_time", found[2])]
        more = (("interval", keys.get(f"exampleInterval{number}")), ("params", keys.get(f"exampleParams{number}")))
        yield Das2Example(title.strip(), (*pairs, *((key, value) for key, value in more if value)))
