# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex serve`: the WSGI application on a server of its own."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.verbs import Verb
from dasflex_core.errors import ConfigError, DasflexError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from waitress.server import BaseWSGIServer

    from dasflex_cgi.app import Application
    from dasflex_core.site import Site

__all__ = ["listening", "serve", "worth_trying"]

HOST: Final = "127.0.0.1"
PORT: Final = 8080
_PORTS_TRIED: Final = 20
#: Bytes that may wait for a slow client before its reader has to wait: a response is never held as a whole.
_WAITING: Final = 1 << 20
#: A buffer above this size would be written to a file; none gets there, since a chunk is far smaller than the rest.
_NEVER_TO_DISK: Final = 1 << 30


@click.command("serve", cls=Verb, section="Servers")
@click.option("--host", default=HOST, show_default=True, metavar="HOST", help="The address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), metavar="PORT",
              help="The port, or the next free one; 0 is any.")  # fmt: skip
@click.option("--workers", default=16, show_default=True, type=click.IntRange(1, 1000), metavar="N",
              help="Requests that are answered at once.")  # fmt: skip
@click.option("--config", type=click.Path(exists=True), metavar="FILE",
              help="The dasflex.conf of a root. Default: DASFLEX_CONFIG, else your own root.")  # fmt: skip
def serve(host: str, port: int, workers: int, config: str | None) -> None:
    """Serve a root over HTTP.

    With no configuration it makes a root with the examples in your own directory. Ctrl-C stops it.
    """
    import dasflex_core
    from dasflex_cgi.app import Application

    site = dasflex_core.open(config)
    listener = listening(host, port)
    number = listener.getsockname()[1]
    application = Application(site)
    server = _server(application, listener, workers)
    _stop_by_signal(application)
    for remark in site.config.remarks:
        click.echo(f"dasflex: note: {remark}", err=True)
    if port not in (0, number):
        click.echo(f"dasflex: note: port {port} is in use", err=True)
    base = f"http://{f'[{host}]' if ':' in host else host}:{number}/"
    click.echo(f"Serving {site.config.root} at {base}  (Ctrl-C stops)\n\nWorth trying:")
    for each in worth_trying(site, base):
        click.echo(f"  {each}")
    click.echo()
    sys.stdout.flush()
    server.run()


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens on a port, or on the next that is free. Raises `ConfigError`."""
    try:
        family, kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigError(f"There is no address {host!r} to listen on: {error.strerror}") from error
    tried = range(port, min(port + _PORTS_TRIED, 65536)) if port else (0,)
    for number in tried:
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address[0], number, *address[2:]))
            listener.listen()
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise ConfigError(f"{host}:{number} cannot be listened on: {error.strerror}") from error
        else:
            return listener
    raise ConfigError(f"The ports {port} to {tried[-1]} of {host} are all in use; name another one with --port")


def worth_trying(site: Site, base: str) -> list[str]:
    """Three addresses for a first look: the list, an example as a table, and its plan; fewer where there is none."""
    return [base, *next(_examples(site, base), ())]


def _examples(site: Site, base: str) -> Iterator[tuple[str, str]]:
    """Data and plan of each example that has a plan, as CSV where that can be had; the site's sample comes first."""
    from urllib.parse import quote

    from dasflex_cgi.app import query_text

    for name in filter(None, (site.config.sample_dsdf, *site)):
        for suffix in ("csv", "d2t"):
            try:
                for request in site[name].examples:
                    request.as_suffix(suffix).plan()
                    start = f"{base}source/{quote(name.lower())}"
                    query = query_text(request.pairs)
                    yield f"{start}/data.{suffix}?{query}", f"{start}/plan?{query}"
            except DasflexError:  # protected, or not to be had in this form: the next may be
                continue


def _server(application: Application, listener: socket.socket, workers: int) -> BaseWSGIServer:
    """The server, which has taken the socket over."""
    import waitress

    logging.getLogger("waitress").addFilter(_one_line)
    return waitress.create_server(
        application,
        sockets=[listener],
        threads=workers,
        ident="dasflex",
        outbuf_high_watermark=_WAITING,
        outbuf_overflow=_NEVER_TO_DISK,
        channel_request_lookahead=1,  # without it a client that leaves is seen at the next write only
        max_request_body_size=1 << 20,
        expose_tracebacks=False,
    )


def _stop_by_signal(application: Application) -> None:
    """Lets SIGINT and SIGTERM end what runs for clients, then the server, and the program as it should end."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        application.end()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _one_line(record: logging.LogRecord) -> bool:
    """A failure of a reader in mid-stream in one line: it is no fault of the server, and needs no traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, DasflexError):
        record.msg = f"{record.getMessage()}: {error.kind}: {error.message}"
        record.args, record.exc_info = (), None
    return True
