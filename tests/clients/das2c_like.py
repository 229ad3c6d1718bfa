# SPDX-License-Identifier: GPL-3.0-or-later
"""A client as strict as the C library of das programs: HTTP/1.0 on a bare socket, and a parser that takes nothing else.

It is written from a list of what that library does, and is stricter where the library merely happens to survive. It
always writes the `?`, sends no port in `Host`, knows header names in one case only, reads until the connection is
closed, and has room for 2,047 bytes of header.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate

HEADER_ROOM: Final = 2048
LOCATION_ROOM: Final = 1024
PACKET_ROOM: Final = 262_144
REDIRECTS: Final = (301, 302, 307, 308)
_TYPES: Final = re.compile(r"(?:sun_real|little_endian_real)([48])|(?:ascii|time)(\d\d?)")


class ClientError(Exception):
    """What this client tells its user; `status` is 0 where no answer could be read."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class BadQueryError(ClientError):
    """400 and 404."""


class AuthenticationError(ClientError):
    """401 and 403."""


@dataclass
class Fetched:
    """An answer with the status 200, and the addresses that led to it."""

    header: bytes
    body: bytes
    hops: tuple[str, ...]
    content_type: str
    file_name: str


@dataclass
class Data:
    """The contents of a stream: records by packet id, and what stands between them."""

    version: str
    records: dict[str, list[bytes]] = field(default_factory=dict)
    exceptions: list[tuple[str, str]] = field(default_factory=list)
    comments: list[tuple[str, str]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of records."""
        return sum(map(len, self.records.values()))


def get(url: str, port: int, *, seconds: float = 10, hops: tuple[str, ...] = ()) -> Fetched:
    """The body of an address. `port` is where the server of the test listens: the address itself may name none."""
    host, path, query = parts(url)
    request = f"GET {path}?{query} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: libdas2/2.3\r\nConnection: close\r\n\r\n"
    header, body = _exchange(host, port, request.encode("ascii"), seconds)
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", header)
    if not found:
        raise ClientError(f"No status in {header[:40]!r}")
    status = int(found[1])
    if status in REDIRECTS:
        location = _value(header, b"Location")
        if not location or len(location) >= LOCATION_ROOM:
            raise ClientError(f"Redirect without a usable Location: {location[:80]!r}", status)
        if location in hops or len(hops) > 5:
            raise ClientError("It would go round for ever", status)
        return get(location, port, seconds=seconds, hops=(*hops, location))
    if status in (400, 404):
        raise BadQueryError(f"Error in query parameters or path: status {status}", status)
    if status in (401, 403):
        raise AuthenticationError(f"Authentication error: status {status}", status)
    if status != 200:
        raise ClientError(f"Server returned HTTP status {status}", status)
    named = re.search(r'filename="?([^";]+)', _value(header, b"Content-Disposition"))
    return Fetched(header, body, hops, _value(header, b"Content-Type"), named[1] if named else "")


def parts(url: str) -> tuple[str, str, str]:
    """Host, path and query of an address, within the fixed buffers. Raises `ClientError`."""
    found = re.fullmatch(r"http://([^/?]+)([^?]*)\??(.*)", url)
    if not found:
        raise ClientError(f"Unknown scheme: {url[:40]}")
    host, path, query = found.groups()
    if ":" in host:
        raise ClientError(f"Invalid port in {host}")
    datasets = re.findall(r"(?:^|&)dataset=([^&]*)", query)
    if (
        len(host) > 63
        or len(path) > 127
        or len(query) > 1023
        or len(url) > 1023
        or any(len(each) > 63 for each in datasets)
    ):
        raise ClientError("An address that overruns the buffers")
    return host, path, query


def _exchange(host: str, port: int, request: bytes, seconds: float) -> tuple[bytes, bytes]:
    """Header and body, which ends where the server closes. Raises `ClientError`."""
    received = b""
    with socket.create_connection((host, port), timeout=seconds) as connection:
        connection.sendall(request)
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except TimeoutError:
            raise ClientError(f"It waits for ever: no end after {len(received)} bytes") from None
    header, end, body = received.partition(b"\r\n\r\n")
    if not end:
        raise ClientError(f"No header in {received[:60]!r}")
    if len(header) + len(end) >= HEADER_ROOM:
        raise ClientError("HTTP Header over 2048 bytes")
    return header, body


def _value(header: bytes, name: bytes) -> str:
    """The value of a header whose name is spelt in just this way."""
    found = re.search(rb"\r\n" + re.escape(name) + rb": ([^\r\n]*)", header)
    return found[1].decode("latin-1") if found else ""


def read(stream: bytes) -> Data:
    """The contents of a das2 or das3 stream; the first four bytes decide. Raises `ClientError`."""
    if stream.startswith(b"|Sx|"):
        return _das3(stream)
    if stream.startswith(b"[00]"):
        return _das2(stream)
    raise ClientError("Unknown bytes " + stream[:4].hex(" "))


def _das2(stream: bytes) -> Data:
    data, sizes, place = Data(""), {}, 0
    while place < len(stream):
        tag = stream[place : place + 4]
        if found := re.fullmatch(rb"\[(\d\d|[xX]{2})\]", tag):
            digits = stream[place + 4 : place + 10]
            if not re.fullmatch(rb"\d{6}", digits):
                raise ClientError(f"Bad length {digits!r} at {place}")
            place, body = _take(stream, place + 10, int(digits))
            _header(data, sizes, found[1].decode().lower(), _parsed(body))
        elif found := re.fullmatch(rb":(\d\d):", tag):
            name = found[1].decode()
            if name not in sizes:
                raise ClientError(f"Data of the undeclared id {name}")
            place, body = _take(stream, place + 4, sizes[name])
            data.records.setdefault(name, []).append(body)
        else:
            raise ClientError(f"Unknown bytes {tag.hex(' ')} at {place}")
    return data


def _header(data: Data, sizes: dict[str, int], name: str, element: Element) -> None:
    """Takes a header packet in."""
    if name == "00":
        if element.tag != "stream" or element.get("version") != "2.2":
            raise ClientError(f"A <{element.tag}> where the stream header should be")
        data.version = "2.2"
    elif not data.version:
        raise ClientError("No stream header")
    elif name == "xx":
        _remark(data, element, element.get("message", ""))
    else:
        sizes[name] = sum(_size(plane) for plane in element if plane.tag != "properties")
        if sizes[name] >= PACKET_ROOM:
            raise ClientError("A packet that overruns the buffer")


def _remark(data: Data, element: Element, message: str) -> None:
    """Exceptions and comments do not stop this client."""
    if element.tag == "exception":
        data.exceptions.append((element.get("type", ""), message))
    elif element.tag == "comment":
        data.comments.append((element.get("type", ""), element.get("value", element.text or "")))
    else:
        raise ClientError(f"Unknown element <{element.tag}>")


def _size(plane: Element) -> int:
    """The bytes of a plane in each record."""
    found = _TYPES.fullmatch(plane.get("type", ""))
    if not found or plane.get("units", plane.get("zUnits")) is None:
        raise ClientError(f"A plane of type {plane.get('type')!r}")
    return int(found[1] or found[2]) * int(plane.get("nitems", "1"))


def _das3(stream: bytes) -> Data:
    data, place, declared = Data(""), 0, set()
    while place < len(stream):
        found = re.compile(rb"\|(Sx|Hx|Pd|Cx|Ex)\|(\d*)\|(\d+)\|").match(stream, place)
        if not found:
            raise ClientError(f"Unknown bytes {stream[place : place + 4].hex(' ')} at {place}")
        tag, name = found[1].decode(), found[2].decode()
        place, body = _take(stream, found.end(), int(found[3]))
        if tag == "Pd":
            if name not in declared:
                raise ClientError(f"Data of the undeclared id {name}")
            data.records.setdefault(name, []).append(body)
            continue
        element = _parsed(body)
        if tag == "Sx":
            if element.tag != "stream" or element.get("version") != "3.0":
                raise ClientError("No das3 stream header")
            data.version = "3.0"
        elif tag == "Hx":
            declared.add(name)
        else:
            _remark(data, element, (element.text or "").strip())
    return data


def _take(stream: bytes, place: int, size: int) -> tuple[int, bytes]:
    if size >= PACKET_ROOM:
        raise ClientError("A packet that overruns the buffer")
    body = stream[place : place + size]
    if len(body) < size:
        raise ClientError("Partial packet")
    return place + size, body


def _parsed(body: bytes) -> Element:
    try:
        return element(body)
    except ExpatError as error:
        raise ClientError(f"Header is no XML: {error}") from error


def element(text: bytes | str) -> Element:
    """An XML document, without name spaces: das2 clients know none, and write `Datum:xTagWidth` undeclared.

    Raises `ExpatError`.
    """
    builder, parser = TreeBuilder(), ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.Parse(text, True)
    return builder.close()
