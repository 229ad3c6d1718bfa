# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_websocd`: the WebSocket daemon as a program."""

from __future__ import annotations

import logging
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from dasflex_core.cli.exit_codes import FAILED, exit_code
from dasflex_core.cli.verbs import Verb
from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.noting import say, tell_in_json, with_log_format
from dasflex_ws.options import Options

if TYPE_CHECKING:
    import socket
    import ssl

    from dasflex_core.cli.daemonizing import Background, PidFile
    from dasflex_core.site import Site

__all__ = ["LOG", "main", "websocd"]

#: The log of a daemon, below LOG_PATH.
LOG: Final = "websocd.log"
_T = TypeVar("_T")
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_LOGGER: Final = logging.getLogger(__name__)


@click.command("dasflex_websocd", cls=Verb)
@click.argument("host", required=False, metavar="[HOST]")
@click.argument("port", required=False, type=click.IntRange(0, 65535), metavar="[PORT]")
@click.option("-i", "--interface", metavar="HOST", help="The same as HOST: where to listen. Default: WEBSOCKET_IFACE.")
@click.option("-p", "--port", "number", type=click.IntRange(0, 65535), metavar="PORT",
              help="The same as PORT; 0 is any. Default: WEBSOCKET_PORT.")  # fmt: skip
@click.option("-D", "-d", "--daemon", "pid_file", type=click.Path(path_type=Path, dir_okay=False), metavar="PIDFILE",
              help="Run in the background, and write the number of the process to PIDFILE.")  # fmt: skip
@click.option("-c", "--config", type=click.Path(exists=True), metavar="CONF",
              help="The dasflex.conf of a root. Default: DASFLEX_CONFIG, else your own root.")  # fmt: skip
@click.option("-l", "--level", type=click.Choice(_LEVELS, case_sensitive=False), default="info", show_default=True,
              metavar="LEVEL", help=f"What is logged: {', '.join(_LEVELS)}.")  # fmt: skip
@click.option("--log-format", "log_format", type=click.Choice(("text", "json")), metavar="FORM",
              help="The form of the logs: text, or json. Default: LOG_FORMAT.")  # fmt: skip
@click.option("-s", "--ssl", "tls", is_flag=True, help="Speak TLS. Default: WEBSOCKET_SSL.")
@click.option("--cert", type=click.Path(path_type=Path), metavar="FILE",
              help="The certificate for that. Default: WEBSOCKET_CERT.")  # fmt: skip
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE",
              help="Its key, if it is not in the same file. Default: WEBSOCKET_KEY.")  # fmt: skip
@click.option("--status-port", "status", type=click.IntRange(0, 65535), metavar="PORT",
              help="Metrics and health at this port of 127.0.0.1. Default: WEBSOCKET_STATUS_PORT.")  # fmt: skip
@click.option("--check", is_flag=True, help="Say what would keep it from serving, a line for each, and end.")
@click.option("--handed-over", type=int, hidden=True)
@click.pass_context
def websocd(  # noqa: PLR0913  click gives each option
    context: click.Context,
    *,
    host: str | None,
    port: int | None,
    interface: str | None,
    number: int | None,
    pid_file: Path | None,
    config: str | None,
    level: str,
    log_format: str | None,
    tls: bool,
    cert: Path | None,
    key: Path | None,
    status: int | None,
    check: bool,
    handed_over: int | None,
) -> None:
    """Serve the sources of a root over WebSockets, and read a live one once for all who watch it.

    It runs in the foreground unless a PIDFILE is given. Ctrl-C or SIGTERM ends it, a second one at once; SIGHUP lets it
    open its log anew and read the configuration for new requests.
    """
    from dasflex_core.site import open_site

    options = Options(
        host=_one_of(context, "HOST", host, interface),
        number=_one_of(context, "PORT", port, number),
        status=status,
        tls=tls,
        cert=cert and cert.absolute(),  # a daemon is somewhere else soon
        key=key and key.absolute(),
        pid_file=pid_file,
        handed_over=handed_over,
        log_format=log_format,
    )
    site = with_log_format(open_site(config), log_format)
    if check:
        from dasflex_ws.checking import findings

        found = [*findings(site, options)]
        for each in found:
            click.echo(each)
        context.exit(FAILED if any(each.wrong for each in found) else 0)
    if site.config.log_format == "json":
        tell_in_json(level.upper())
    else:
        _log_to_standard_error(level)
    Beginning(site, options).run()


def _one_of(context: click.Context, name: str, *given: _T | None) -> _T | None:
    """What was given in one of two ways, or the same in both."""
    values = {each for each in given if each is not None}
    if len(values) > 1:
        raise click.UsageError(f"{name} is given twice: {' and '.join(map(str, given))}", context)
    return next(iter(values), None)


def _log_to_standard_error(level: str) -> None:
    """Lets what the modules log be written to standard error, with the time (UTC)."""
    form = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    form.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(form)
    logging.basicConfig(level=level.upper(), handlers=[handler])


class Beginning:
    """The way from the arguments to a daemon that serves, in the foreground or in the background."""

    def __init__(self, site: Site, options: Options) -> None:
        self._site = site
        self._options = options
        self._background: Background | None = None
        self._pid_file: PidFile | None = None

    def run(self) -> None:
        """Serves until a signal ends it. Raises `DasflexError` where it cannot.

        What can fail for a reason that somebody must be told is done first, then the process goes into the background,
        and only then begins what has threads or processes.
        """
        from dasflex_ws.listening import tls_context
        from dasflex_ws.notifying import passed_sockets

        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it can be obeyed
        files = self._options.certificate(self._site.config)
        tls = tls_context(*files) if files else None
        listeners = passed_sockets() or self._listening()
        status = self._status_listening()
        try:
            if self._options.pid_file is not None:
                self._go_into_background(self._options.pid_file)
            self._serve(listeners, status, tls)
        except BaseException as error:
            self._tell_failure(error)
            raise
        finally:
            self._remove_pid_file()

    def _listening(self) -> list[socket.socket]:
        """The sockets that listen. A daemon that gets its connections from a server may do without."""
        from dasflex_ws.listening import listening

        try:
            return listening(*self._options.place(self._site.config))
        except ConfigError as error:
            if self._options.handed_over is None:
                raise
            say(f"note: {error.message}")
            return []

    def _status_listening(self) -> list[socket.socket]:
        """The sockets at which it is asked how the daemon is."""
        from dasflex_ws.listening import listening
        from dasflex_ws.status import LOOPBACK

        port = self._options.status_port(self._site.config)
        if port is None:
            return []
        found = listening(LOOPBACK, port)
        say(f"note: metrics are at http://{LOOPBACK}:{found[0].getsockname()[1]}/metrics")
        return found

    def _go_into_background(self, pid_file: Path) -> None:
        """Returns in the daemon, which has the pid file."""
        from dasflex_core.cli.daemonizing import PidFile, into_background

        self._pid_file = PidFile(pid_file)
        self._background = into_background(self._log, say)
        self._pid_file.write()

    @property
    def _log(self) -> Path:
        """The log of the daemon."""
        return self._site.config.log_path / LOG

    def _serve(self, listeners: list[socket.socket], status: list[socket.socket], tls: ssl.SSLContext | None) -> None:
        """Serves until a signal ends it."""
        import trio

        from dasflex_core.run import Guardian
        from dasflex_ws.handed import Handed
        from dasflex_ws.listening import address, open_files
        from dasflex_ws.notifying import Manager
        from dasflex_ws.running import Outset, Running

        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start programs in the background
            signal.signal(signal.SIGINT, signal.default_int_handler)
        open_files()
        for remark in (*self._site.config.remarks, *self._site.remarks):
            _LOGGER.warning("%s", remark)
        where = address(listeners, self._options.place(self._site.config)[0], tls=tls is not None)
        handed = None if self._options.handed_over is None else Handed(self._options.handed_over)
        outset = Outset(
            listeners=listeners,
            status=status,
            handed=handed,
            log=None if self._background is None else self._log,
            tls=tls,
            certificate=self._options.certificate(self._site.config),
            reopen=self._reopened,
            manager=Manager(),
            serves=lambda: self._serves(where),
            quit_now=self._remove_pid_file,
            where=where,
        )
        with Guardian() as guardian:
            trio.run(Running(self._site, outset, guardian).run)

    def _reopened(self) -> Site:
        """The site as it is now. Raises `DasflexError`."""
        from dasflex_core.site import open_site

        return with_log_format(open_site(self._site.config.file), self._options.log_format)

    def _serves(self, where: str) -> None:
        """Says that connections are accepted."""
        if self._background is not None:
            _LOGGER.info("Serving %s at %s", self._site.config.root, where)
            self._background.serves()
        elif self._options.handed_over is None:
            click.echo(f"Serving {self._site.config.root} at {where}  (Ctrl-C stops)")
            sys.stdout.flush()

    def _tell_failure(self, error: BaseException) -> None:
        """Lets the process that waits for the daemon tell why it does not serve."""
        if self._background is not None:
            if isinstance(error, DasflexError):
                self._background.failed(exit_code(error), error.message)
            else:
                self._background.failed(FAILED, f"The daemon failed; {self._log} says why")

    def _remove_pid_file(self) -> None:
        """Takes the pid file away."""
        if self._pid_file is not None:
            self._pid_file.remove()


def main() -> None:
    """The program `dasflex_websocd`."""
    websocd.main(prog_name="dasflex_websocd")
