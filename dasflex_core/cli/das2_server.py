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
from dasflex_core.errors import AccessError, ConfigError, NotFoundError, SourceError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse

    from dasflex_core.catalog.model import Pairs

__all__ = ["Das2Example", "Das2Server", "Description", "read_description"]

_CHUNK: Final = 1 << 16
#: The longest list, description or error of a server, in bytes.
_LONGEST: Final = 16_000_000
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
    """What a das2 client knows of a source: its title, the technical contact, its examples, its security realm.

    `qstream` says that its data are no das stream.
    """

    title: str = ""
    contact: str = ""
    realm: str = ""
    qstream: bool = False
    examples: tuple[Das2Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Das2Server:
    """A server by its base address. It may be silent for `patience` seconds."""

    address: str
    patience: float = 60.0

    @classmethod
    def at(cls, address: str, patience: float = 60.0) -> Das2Server:
        """The server at an address, whose query is left out. Raises `ConfigError` for what is no address of HTTP."""
        base = address.partition("?")[0]
        if not base.lower().startswith(("http://", "https://")):
            raise ConfigError(f"{address!r} is no address of a server; write http://… or https://…")
        return cls(base, patience)

    def sources(self) -> dict[str, str]:
        """The ids of all listed sources, by the form in which ids are compared. Raises `SourceError` and its kin."""
        lines = self._text((("server", "list"),)).splitlines()
        names = [line.partition("|")[0].strip() for line in lines]
        return {folded(name): name for name in names if name and not name.endswith("/")}

    def description(self, identifier: str) -> Description:
        """How the server describes a source. Raises `SourceError` and its kin."""
        text = self._text((("server", "dsdf"), ("dataset", identifier)))
        return read_description(text, f"{self.address}: {identifier}")

    @contextmanager
    def data(self, identifier: str, pairs: Pairs) -> Iterator[Iterator[bytes]]:
        """The bytes of an answer as they come. Raises `SourceError` and its kin, while they are read as well."""
        query = (("server", "dataset"), ("dataset", identifier), *pairs)
        with self._opened(query) as answer:
            yield self._chunks(answer)

    def _chunks(self, answer: HTTPResponse) -> Iterator[bytes]:
        from http.client import HTTPException

        try:
            while chunk := answer.read1(_CHUNK):
                yield chunk
        except (OSError, HTTPException) as error:
            raise SourceError(f"{self.address} broke off: {error!r}", kind="source.truncated") from error

    def _text(self, query: Pairs) -> str:
        """A whole answer as text."""
        with self._opened(query) as answer:
            data = b""
            for chunk in self._chunks(answer):
                data += chunk
                if len(data) > _LONGEST:
                    raise SourceError(f"{self.address} answers {dict(query)} without an end", kind="source.stream")
        return _plain(data)

    @contextmanager
    def _opened(self, query: Pairs) -> Iterator[HTTPResponse]:
        """The answer to a query. Raises `AccessError`, `NotFoundError` or `SourceError` for any but a 200."""
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.parse import quote, urlencode
        from urllib.request import Request

        from dasflex_core.fetching import fetch

        address = f"{self.address}?{urlencode(query, quote_via=quote, safe='/:')}"
        request = Request(address, headers={"User-Agent": "dasflex"})  # noqa: S310  the scheme was looked at
        try:
            opened = fetch(request, self.patience)
        except HTTPError as error:
            with error:
                raise _failure(error.code, _plain(error.read(_LONGEST)), self.address) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise SourceError(f"{self.address} cannot be reached: {reason}", kind="source.start") from error
        with opened as answer:
            yield answer


def _plain(data: bytes) -> str:
    """What a server wrote, without characters that a terminal would obey."""
    return "".join(char for char in data.decode("utf-8", "replace") if char.isprintable() or char in "\r\n\t")


def _failure(status: int, body: str, address: str) -> AccessError | NotFoundError | SourceError:
    """The error that a status says, in the words of the body."""
    found = re.search(r'message="([^"]*)"|message=\'([^\']*)\'', body)
    said = next(filter(None, found.groups()), "") if found else ("" if "<html" in body.lower() else body)
    words = " ".join(said.split())[:300]
    text = f"{address} answers {status}" + (f": {words}" if words else "")
    if status in (401, 403):
        return AccessError(text, kind="access.denied")
    if status in (404, 410):
        return NotFoundError(text, kind="not-found.source")
    return SourceError(text, kind="source.stream")


def read_description(text: str, where: str) -> Description:
    """The description of a source: a das2 header, or lines of IDL. Raises `SourceError` for an exception or damage."""
    keys = _header(text, where) if text.lstrip().startswith(("[", "<")) else _lines(text)
    return Description(
        keys.get("description", ""),
        keys.get("techContact", ""),
        keys.get("securityRealm", ""),
        keys.get("qstream") == "1",
        tuple(_examples(keys)),
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
