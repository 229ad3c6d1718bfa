# SPDX-License-Identifier: GPL-3.0-or-later
"""A client as the Java programs are, Autoplot above all: HTTP/1.1 with connections that stay, and the texts it shows.

It is written from a list of what those programs do. It sends the headers of Java's own HTTP client, `text/html` in
`Accept` among them, reads the body of an error for 5xx only, and only where its type is that of a das2 stream.
"""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from das2c_like import element as parsed

if TYPE_CHECKING:
    from typing import Self
    from xml.etree.ElementTree import Element

HEADERS: Final = {
    "User-Agent": "Java/17.0.15",
    "Accept": "text/html, image/gif, image/jpeg, */*; q=0.2",
    "Connection": "keep-alive",
}
STREAMS: Final = tuple(
    f"{kind}/vnd.das2.{form}" for kind in ("text", "application") for form in ("das2stream", "qstream")
)
_TYPES: Final = re.compile(r"sun_real[48]|little_endian_real[48]|(?:ascii|time)\d\d?")
_PREFIXES: Final = ["String", "double", "doubleArray", "boolean", "int", "Datum", "DatumRange", "Time", "TimeRange"]


class ShownError(Exception):
    """The text that a user of Autoplot sees."""


class NoDataError(Exception):
    """`no data in interval`, which Autoplot takes for no error."""


@dataclass
class Plot:
    """What a stream gave: the number of records, the lines for the log, and the progress."""

    records: int = 0
    log: list[str] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """A response; names of headers do not depend on case here."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def type(self) -> str:
        """The media type, cut at the semicolon. Raises `ShownError` where there is none, as Java's reader fails then."""
        written = self.headers["Content-Type"]
        if written is None:
            raise ShownError("java.lang.NullPointerException")
        return written.partition(";")[0]


class Java:
    """A connection to a server below a base, such as `/das/server`."""

    def __init__(self, host: str, port: int, base: str) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=20)
        self._base = base

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self._connection.close()

    def fetch(self, path: str, hops: int = 20) -> Reply:
        """The response to a GET, redirects followed."""
        self._connection.putrequest("GET", path or "/", skip_accept_encoding=True)
        for name, value in HEADERS.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        response = self._connection.getresponse()
        reply = Reply(response.status, response.headers, response.read())
        if reply.status in (301, 302, 303, 307, 308) and hops:
            to = urlsplit(reply.headers["Location"])
            return self.fetch(f"{to.path}?{to.query}" if to.query else to.path, hops - 1)
        return reply

    def ask(self, query: str) -> Reply:
        """The response to a das2 query at the base."""
        return self.fetch(f"{self._base}?{query}")

    def name(self) -> str:
        """What `server=id` says; a failure is an empty name."""
        reply = self.ask("server=id")
        return reply.body.decode("ascii") if reply.status == 200 else ""

    def logo(self) -> str:
        """The kind of picture that `server=logo` gives. Raises `ShownError` for what is none."""
        body = self.ask("server=logo").body
        for kind, magic in {"png": b"\x89PNG\r\n", "gif": b"GIF8", "jpeg": b"\xff\xd8\xff"}.items():
            if body.startswith(magic):
                return kind
        raise ShownError(f"No picture: {body[:20]!r}")

    def tree(self, keyword: str = "list") -> dict[str, str]:
        """The nodes of the tree that is made of a list, each with the description it would be shown with."""
        reply = self.ask(f"server={keyword}")
        if reply.status >= 400:
            raise ShownError(f"Error {reply.status}")
        nodes: dict[str, str] = {}
        for line in reply.body.decode("ascii").splitlines():
            path, _bar, description = line.partition("|")
            tokens = [each for each in path.split("/") if each]
            for depth in range(1, len(tokens) + 1):
                directory = depth < len(tokens) or path.endswith("/")
                nodes.setdefault("/".join(tokens[:depth]) + "/" * directory, description)
        return nodes

    def descriptor(self, dataset: str) -> dict[str, str]:
        """The properties of a source, as the library reads them (type, six characters unseen, XML to the end)."""
        reply = self.ask(f"server=dsdf&dataset={dataset}")
        if reply.type not in ("text/plain", "text/vnd.das2.das2stream"):
            raise ShownError(reply.body.decode("latin-1"))
        if not reply.body.startswith(b"[00]"):
            lines = (each.partition("=") for each in reply.body.decode("latin-1").splitlines() if "=" in each)
            return {key.strip(): value.strip().strip("'\"") for key, _sign, value in lines}
        return _properties(parsed(reply.body[10:].decode("utf-8")))

    def panel(self, dataset: str) -> dict[str, str]:
        """The same as the panel reads it: as Latin-1, cut by six exact digits."""
        reply = self.ask(f"server=dsdf&dataset={dataset}")
        text = reply.body.decode("latin-1")
        if not re.match(r"\[00\]\d{6}<", text):
            raise ShownError(f"java.lang.NumberFormatException: {text[4:10]!r}")
        return _properties(parsed(text[10 : 10 + int(text[4:10])]))

    def plot(self, query: str) -> Plot:
        """What becomes of a data request. Raises `NoDataError`, and `ShownError` with the text that is shown."""
        return self.plotted(self.ask(query), query)

    @staticmethod
    def plotted(reply: Reply, query: str = "") -> Plot:
        """The same for an answer that is there."""
        if reply.status in (400, 404):
            raise ShownError(f"Query error in request for URL {query}")
        if reply.status == 403:
            raise ShownError(f"Access denied for URL {query}")
        if reply.status >= 500 and reply.type not in STREAMS:
            raise ShownError(f"Server error encountered accessing URL {query}")
        if reply.status != 200 and reply.status < 500:
            raise ShownError(f"Status {reply.status}")
        return read(reply.body)


def read(stream: bytes) -> Plot:
    """The contents of a das2 stream. Raises `NoDataError`, `ShownError`."""
    plot, sizes, place = Plot(), {}, 0
    while place < len(stream):
        tag = stream[place : place + 4]
        if found := re.fullmatch(rb"\[(\d\d|xx)\]", tag):
            size = int(stream[place + 4 : place + 10])
            body = stream[place + 10 : place + 10 + size]
            if place == 0 and tag != b"[00]":
                raise ShownError("Expecting stream descriptor header")
            if len(body) < size:
                raise ShownError("stream ends with partial packet")
            place += 10 + size
            _take(plot, sizes, found[1].decode(), parsed(body))
        elif (found := re.fullmatch(rb":(\d\d):", tag)) and found[1].decode() in sizes:
            place += 4 + sizes[found[1].decode()]
            if place > len(stream):
                raise ShownError("stream ends with partial packet")
            plot.records += 1
        else:
            raise ShownError(f"unexpected bytes {tag!r} at {place}")
    if not stream:
        raise ShownError("Empty response from reader")
    return plot


def _take(plot: Plot, sizes: dict[str, int], name: str, element: Element) -> None:
    """Takes a header packet in."""
    if element.tag == "exception":
        if element.get("type") == "NoDataInInterval":
            raise NoDataError(element.get("message", ""))
        raise ShownError(element.get("message", ""))
    if element.tag == "comment":
        kind, value = element.get("type", ""), element.get("value", "")
        if kind.startswith("log:"):
            plot.log.append(value)
        elif kind == "taskProgress":
            plot.progress.append(int(value))
    elif name == "00":
        plot.properties |= _properties(element)
    else:
        sizes[name] = sum(_size(plane) for plane in element if plane.tag != "properties")


def _size(plane: Element) -> int:
    kind = plane.get("type", "")
    if not _TYPES.fullmatch(kind):
        raise ShownError(f"java.lang.IllegalArgumentException: {kind}")
    return int(re.search(r"\d+$", kind)[0]) * int(plane.get("nitems", "1"))


def _properties(stream: Element) -> dict[str, str]:
    """The properties of a stream header by name; an exception in its place is thrown. Raises `ShownError`."""
    if stream.tag == "exception":
        raise ShownError(stream.get("message", ""))
    found = {}
    for element in stream.iter("properties"):
        for key, value in element.attrib.items():
            prefix, colon, name = key.rpartition(":")
            if colon and prefix not in _PREFIXES:
                raise ShownError(f"unrecognized property type: {prefix}")
            found[name] = value
    return found
