# SPDX-License-Identifier: GPL-3.0-or-later
"""The WSGI edge: an environ as a request, an answer as a response, and what plugins mount below a path.

`application` is for servers that are told a module and a name, such as mod_wsgi and gunicorn: the site that
DASFLEX_CONFIG names, opened when it is first asked for.
"""

from __future__ import annotations

import os
import sys
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING, Final

from werkzeug.wrappers import Request as WebRequest
from werkzeug.wrappers import Response

from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import ASKED, PEER, TEXT, Asked, is_host
from dasflex_cgi.mounted import Mounted
from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.loading import load
from dasflex_core.run.records import new_request_id
from dasflex_core.site import open_site
from dasflex_core.statuses import public_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from ipaddress import IPv4Address, IPv6Address
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from dasflex_cgi.exchange import Answer
    from dasflex_core.site import Site

__all__ = ["Application", "application", "asked_of", "query_text"]

#: A body of which nobody is told the length.
_NOTHING: Final[Iterable[bytes]] = iter(())


def _to_stderr(text: str) -> None:
    """Where the administrator reads what clients are not told."""
    print(f"dasflex: {text}", file=sys.stderr, flush=True)  # noqa: T201  the server's log is its standard error


class Application:
    """A site over HTTP (PEP 3333). `note` takes a line for the administrator."""

    def __init__(self, site: Site, note: Callable[[str], None] = _to_stderr) -> None:
        self.site = site
        self.front = Front(site, note)
        self._mounts = {path: Mounted(each, path, self.front, asked_of) for path, each in _mounts(site, note).items()}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        path = environ.get("PATH_INFO", "")
        for mount, mounted in self._mounts.items():
            if path == mount or path.startswith(f"{mount}/"):
                return mounted(environ, start_response)
        answer = self.front.answer(asked_of(environ))
        return _response(answer, sent=environ["REQUEST_METHOD"] != "HEAD")(environ, start_response)

    def end(self) -> None:
        """Ends all that runs for clients."""
        self.front.end()


def _mounts(site: Site, note: Callable[[str], None]) -> Mapping[str, WSGIApplication]:
    """The applications that plugins mount, by path, the longest first. One that cannot be made is left out."""
    found: dict[str, WSGIApplication] = {}
    for mount in sorted(site.registry.mounts(), key=lambda each: -len(each.path)):
        path = "/" + mount.path.strip("/")
        try:
            found[path] = load(mount.application)(site)
        except Exception as error:  # noqa: BLE001  whatever fails in a plugin, the rest of the site is served
            told = error.message if isinstance(error, DasflexError) else f"{type(error).__name__}: {error}"
            note(f"{path} is not served: {told}")
    return found


def asked_of(environ: WSGIEnvironment) -> Asked:
    """The request of an environ. Whoever is in front of a server on the same machine says who the client is."""
    read = environ.get(ASKED)
    if isinstance(read, Asked):
        return read
    web = WebRequest(environ)
    gone = environ.get("waitress.client_disconnected")
    return Asked(
        method=web.method,
        path="/" + _decoded(environ.get("PATH_INFO", "")).lstrip("/"),
        query=environ.get("QUERY_STRING", ""),
        origin=_origin(web),
        base=web.root_path.rstrip("/"),
        headers={name.lower(): value for name, value in web.headers.items()},
        client=_client(environ),
        peer=str(environ.get(PEER, environ.get("REMOTE_ADDR", ""))),
        remote_user=_decoded(str(environ.get("REMOTE_USER", ""))),
        gone=gone if callable(gone) else None,
        read=web.stream.read if web.method == "POST" and web.content_length is not None else None,
    )


def _decoded(text: str) -> str:
    """A path as its bytes are meant; what is no UTF-8 names nothing that there is."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _origin(web: WebRequest) -> str:
    """The address of the server as the client wrote it; blank where that is none."""
    host = web.headers.get("Host") or web.host
    return f"{web.scheme}://{host}" if is_host(host) else ""


def _client(environ: WSGIEnvironment) -> str:
    """The address of the client: that of the peer, or what a proxy on this machine says, the last that was added.

    Blank where that is no address: waitress takes whatever the proxy says for the peer.
    """
    peer = _address(str(environ.get("REMOTE_ADDR", "")))
    last = _address(str(environ.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip())
    if peer is not None and peer.is_loopback and last is not None:
        return str(last)
    return str(peer) if peer is not None else ""


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """A text as an address of the network; None where it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _response(answer: Answer, *, sent: bool) -> Response:
    """An answer as werkzeug sends it. How a connection ends is the server's business, which no application may name.

    A body in pieces that is not to be `sent` is closed here, since werkzeug does not look at it.
    """
    body: bytes | Iterable[bytes] = answer.body
    if not isinstance(answer.body, bytes) and (not sent or answer.status == 304):
        answer.body.close()
        body = _NOTHING
    response = Response(body, answer.status, list(answer.headers))
    if "Content-Type" not in dict(answer.headers):
        response.headers.pop("Content-Type", None)
    return response


def query_text(pairs: Iterable[tuple[str, str]]) -> str:
    """The query that asks for these parameters, with the range in its short form.

    >>> query_text([("read.time.min", "2020-01-01"), ("read.time.max", "2020-01-02"), ("format.type", "csv")])
    'time=2020-01-01/2020-01-02&format.type=csv'
    """
    from urllib.parse import urlencode

    rest = dict(pairs)
    if "read.time.min" in rest and "read.time.max" in rest:
        rest = {"time": f"{rest.pop('read.time.min')}/{rest.pop('read.time.max')}", **rest}
    return urlencode(rest, safe=":/,")


class _Late:
    """The application of the site that DASFLEX_CONFIG names, opened at the first request.

    A server may say that in the environment of its process, or with each request, as mod_wsgi does by SetEnv. One that
    cannot be opened is tried again at the next request: by then its administrator may have mended it.
    """

    def __init__(self) -> None:
        self._opened: Application | None = None
        self._lock = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        try:
            with self._lock:
                if self._opened is None:
                    self._opened = _opened(os.environ.get("DASFLEX_CONFIG") or environ.get("DASFLEX_CONFIG", ""))
        except (DasflexError, OSError) as error:
            _to_stderr(str(error))
            text = public_text(ConfigError("")) + "\n"
            headers = {"X-Request-Id": new_request_id()}
            return Response(text, 500, headers, content_type=TEXT)(environ, start_response)
        return self._opened(environ, start_response)


def _opened(config: str) -> Application:
    """The application of a configuration. Raises `ConfigError`: a server has no root of its own."""
    if not config:
        raise ConfigError("DASFLEX_CONFIG is not set; it names the dasflex.conf of a root", kind="config.missing")
    return Application(open_site(config))


application: Final = _Late()
