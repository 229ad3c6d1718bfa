# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex serve`: the front-end on a server of its own."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.verbs import Verb
from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.noting import say, tell_in_json, with_log_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_cgi.current import Current
    from dasflex_cgi.http_server import Unread
    from dasflex_cgi.metrics import Served
    from dasflex_cgi.scgi import Answering, ScgiServer
    from dasflex_core.site import Site

__all__ = ["listening", "serve", "worth_trying"]

HOST: Final = "127.0.0.1"
PORT: Final = 8080
GRACE: Final = 3.0
_PORTS_TRIED: Final = 20


@click.command("serve", cls=Verb, section="Servers")
@click.option("--host", default=HOST, show_default=True, metavar="HOST", help="The address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), metavar="PORT",
              help="The port, or the next free one; 0 is any.")  # fmt: skip
@click.option("--workers", default=64, show_default=True, type=click.IntRange(1, 1000), metavar="N",
              help="Requests that are answered at once.")  # fmt: skip
@click.option("--grace", default=GRACE, show_default=True, type=click.FloatRange(0, 3600), metavar="SECONDS",
              help="How long answers may go on when it is stopped; a second signal ends them at once.")  # fmt: skip
@click.option("--socket/--no-socket", "warm", default=True,
              help="Whether to listen on the root's run/dasflex.sock as well, for the CGI program.")  # fmt: skip
@click.option("--websocket/--no-websocket", "websocket", default=True,
              help="Whether to run the WebSocket daemon as well.")  # fmt: skip
@click.option("--metrics-port", type=click.IntRange(0, 65535), metavar="PORT",
              help="Metrics for Prometheus at this port of 127.0.0.1; 0 is any. Default: none.")  # fmt: skip
@click.option("--log-format", "log_format", type=click.Choice(("text", "json")), metavar="FORM",
              help="The form of logs and messages: text, or json. Default: LOG_FORMAT.")  # fmt: skip
@click.option("--config", type=click.Path(exists=True), metavar="FILE",
              help="The dasflex.conf of a root. Default: DASFLEX_CONFIG, else your own root.")  # fmt: skip
def serve(  # noqa: PLR0913  click gives each option
    *,
    host: str,
    port: int,
    workers: int,
    grace: float,
    warm: bool,
    websocket: bool,
    metrics_port: int | None,
    log_format: str | None,
    config: str | None,
) -> None:
    """Serve a root over HTTP.

    With no configuration it makes a root with the examples in your own directory. Ctrl-C or SIGTERM stops it, SIGHUP
    lets it read the configuration and the plugins' stages anew.
    """
    from dasflex_cgi.bounds import megabytes
    from dasflex_cgi.current import Current
    from dasflex_cgi.first_user import add_first_user, is_new
    from dasflex_cgi.http_server import HttpServer
    from dasflex_cgi.stopping import Stopping
    from dasflex_cgi.websocket import WebSocketDaemon
    from dasflex_core.file_modes import too_open
    from dasflex_core.site import open_site

    new = is_new(config)
    current = Current(lambda: with_log_format(open_site(config), log_format), say)
    site = current.site
    if site.config.log_format == "json":
        tell_in_json()
    if new:
        say(add_first_user(site.config))
    listener = listening(host, port)
    number = listener.getsockname()[1]
    served, end_metrics = (current, _nothing) if metrics_port is None else _metered(current, metrics_port)
    stopping = Stopping(grace)
    daemon = WebSocketDaemon(site.config.file, say, log_format) if websocket else None
    body = max(1 << 20, megabytes(site.config.limit_verify_megabytes))
    http = HttpServer(served, listener, workers, lambda unread: _log_unread(current, unread), daemon, body)
    scgi = _scgi(site, served) if warm else None
    for remark in (*site.config.remarks, *site.remarks, *too_open(site.config)):
        say(f"note: {remark}")
    if port not in (0, number):
        say(f"note: port {port} is in use")
    _say(site, f"http://{f'[{host}]' if ':' in host else host}:{number}/")
    _go_on_with_jobs(site)
    try:
        stopping.run(http, scgi, current, daemon)
    finally:
        end_metrics()
        if daemon is not None:
            daemon.close()


def _go_on_with_jobs(site: Site) -> None:
    """Begins the jobs anew that ended with the machine or with the service."""
    from dasflex_core.jobs.tending import tend

    try:
        tend(site.config)
    except (DasflexError, OSError) as error:
        say(f"jobs are not begun again: {error}")


def _log_unread(current: Current, unread: Unread) -> None:
    """Logs a request that could not be read, which has no other trace."""
    from dasflex_core.logs import LogEntry, RequestLog

    method, _, rest = unread.line.partition(" ")
    entry = LogEntry(
        time=time.time(),
        client=unread.client,
        request=unread.request,
        method=method,
        target=rest.rpartition(" ")[0] or rest,
        status=unread.status,
        kind=unread.kind,
        message=unread.why,
    )
    RequestLog.of(current.site.config, say).write(entry)


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
                    plan = request.as_suffix(suffix).plan()
                    if ("read.time.max", "forever") in plan.solution.request:  # which HTTP does not send
                        continue
                    start = f"{base}source/{quote(name.lower())}"
                    query = query_text(request.pairs)
                    yield f"{start}/data.{suffix}?{query}", f"{start}/plan?{query}"
            except DasflexError:  # protected, or not to be had in this form: the next may be
                continue


def _say(site: Site, base: str) -> None:
    """Tells where the site is served, and what is worth trying."""
    click.echo(f"Serving {site.config.root} at {base}  (Ctrl-C stops)\n\nWorth trying:")
    for each in worth_trying(site, base):
        click.echo(f"  {each}")
    click.echo()
    sys.stdout.flush()


def _scgi(site: Site, front: Answering) -> ScgiServer | None:
    """The socket of the root, for the CGI program, if it may be made."""
    from dasflex_cgi.scgi import SOCKET, ScgiServer

    place = site.config.root / SOCKET
    if not os.access(place.parent, os.W_OK):
        return None
    return ScgiServer(place, front, lambda text: say(f"note: {text}"))


def _metered(served: Served, port: int) -> tuple[Served, Callable[[], None]]:
    """The same, measured, and what ends the listening at the port where the metrics can be fetched."""
    from dasflex_cgi.metrics import LOOPBACK, Meter, Metered

    meter = Meter()
    number, end = meter.listen(port)
    say(f"note: metrics are at http://{LOOPBACK}:{number}/metrics")
    return Metered(served, meter), end


def _nothing() -> None:
    """Where there are no metrics to end."""
