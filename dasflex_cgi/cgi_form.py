# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of a request and of an answer in CGI (RFC 3875), which SCGI shares: variables in, `Status:` and headers out.

A CGI process imports this module for one request, so that it imports nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_cgi.exchange import Asked, is_host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dasflex_cgi.exchange import Answer

__all__ = ["asked_from", "head_of", "without_body"]

#: The reason phrases of RFC 9110, section 15: `http.HTTPStatus` says the same, and takes a millisecond to import.
_REASONS: Final[Mapping[int, str]] = {
    200: "OK",
    202: "Accepted",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
}
#: What an address of the network may be made of: `ipaddress` says it better, and takes three milliseconds to import.
_ADDRESS: Final = frozenset("0123456789abcdefABCDEF.:")
#: Header fields that CGI names without `HTTP_` in front.
_BARE: Final = (("CONTENT_TYPE", "content-type"), ("CONTENT_LENGTH", "content-length"))


def asked_from(variables: Mapping[str, str], gone: Callable[[], bool] | None = None) -> Asked:
    """The request that CGI variables describe, decoded as Python decodes the environment of a process.

    A path that is no UTF-8 has U+FFFD in the place of what could not be read, and so names nothing. Headers are
    Latin-1, as in WSGI. `gone` tells whether the client has left.

    >>> asked_from({"REQUEST_METHOD": "GET", "PATH_INFO": "/source/a", "HTTP_HOST": "example.org"}).origin
    'http://example.org'
    """
    get = variables.get
    headers = {
        name[5:].replace("_", "-").lower(): _latin1(value)
        for name, value in variables.items()
        if name.startswith("HTTP_")
    }
    headers.pop("proxy", None)  # HTTP_PROXY is a setting of programs, not a header (CVE-2016-5385)
    for name, header in _BARE:
        if value := get(name):
            headers[header] = _latin1(value)
    if value := get("REDIRECT_HTTP_AUTHORIZATION"):  # where a rewriting rule of Apache has renamed it
        headers.setdefault("authorization", _latin1(value))
    return Asked(
        method=get("REQUEST_METHOD", "GET"),
        path=_path(get("PATH_INFO", "")),
        query=_latin1(get("QUERY_STRING", "")),
        origin=_origin(variables),
        base=_text(get("SCRIPT_NAME", "")).rstrip("/"),
        headers=headers,
        client=_client(variables),
        peer=_latin1(get("REMOTE_ADDR", "")),
        remote_user=_text(get("REMOTE_USER", "")),
        gone=gone,
    )


def head_of(answer: Answer) -> bytes:
    """The head of an answer, with the blank line behind it.

    The length of a body of bytes is told, unless the answer tells one or may have none (RFC 9110, 8.6). An empty body
    may be that of a HEAD, whose length nobody knows: the HTTP server tells that of the others. Of its phrase only what
    can be printed is told, since one line is all that there is for it (RFC 9112, 4).
    """
    phrase = "".join(filter(str.isprintable, answer.phrase)) or _REASONS.get(answer.status, "Unknown")
    length = len(answer.body) if isinstance(answer.body, bytes) else 0
    lines = [f"Status: {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if length and not without_body(answer.status) and all(name != "Content-Length" for name, _ in answer.headers):
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def without_body(status: int) -> bool:
    """Whether an answer of this status has no body by its definition (RFC 9110, 6.4.1)."""
    return status in (204, 304) or status < 200


def _path(found: str) -> str:
    """A path that begins with a slash."""
    path = _text(found)
    return path if path.startswith("/") else f"/{path}"


def _origin(variables: Mapping[str, str]) -> str:
    """The scheme and the host of an address of ours, as the client wrote it, or else as the server is named."""
    get = variables.get
    secure = get("HTTPS", "").lower() in ("on", "1") or get("REQUEST_SCHEME", "").lower() == "https"
    scheme = "https" if secure else "http"
    host = get("HTTP_HOST", "")
    if not is_host(host):
        port = get("SERVER_PORT", "")
        named = get("SERVER_NAME", "") or "localhost"
        host = named if port in ("", "443" if secure else "80") else f"{named}:{port}"
    return f"{scheme}://{host}"


def _client(variables: Mapping[str, str]) -> str:
    """The address of the client: that of the peer, or what a proxy on this machine says, the last that was added."""
    peer = variables.get("REMOTE_ADDR", "")
    last = variables.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    from_here = peer == "::1" or peer.startswith(("127.", "::ffff:127."))
    return last if from_here and 2 < len(last) < 46 and _ADDRESS.issuperset(last) else _latin1(peer)


def _bytes(value: str) -> bytes:
    """The bytes behind a variable: environments are decoded as UTF-8 with surrogates for what is none (PEP 383)."""
    return value.encode("utf-8", "surrogateescape")


def _text(value: str) -> str:
    """A variable as text that can be written everywhere."""
    return value if value.isascii() else _bytes(value).decode("utf-8", "replace")


def _latin1(value: str) -> str:
    """A variable as HTTP has it: each character is one byte."""
    return value if value.isascii() else _bytes(value).decode("latin-1")
