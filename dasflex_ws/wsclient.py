# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_wsclient`: connects to a WebSocket source and writes what arrives to standard output."""

from __future__ import annotations

import os
import signal
import stat
import sys
from math import inf
from typing import TYPE_CHECKING

import click
import trio

from dasflex_core.cli.exit_codes import INTERRUPTED
from dasflex_core.cli.verbs import OutputError, Verb
from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    import ssl

    from dasflex_ws.client import Address, Connection
    from dasflex_ws.measuring import Measure

__all__ = ["log_in", "main", "pairs_of", "wsclient"]


@click.command("dasflex_wsclient", cls=Verb)
@click.argument("url", metavar="URL")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "-u", "--user", metavar="USER[:PASSWORD]", help="Log in by HTTP Basic; a password not given is asked for."
)
@click.option("--ca", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="Certificates of the authorities that are believed.")  # fmt: skip
@click.option("--insecure", is_flag=True, help="Believe any certificate.")
@click.option("--subprotocol", default="", metavar="NAME", help="The sub-protocol to ask for, such as request.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after so many messages.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), metavar="S", help="End after so many seconds.")
@click.option("--stats", is_flag=True, help="Say at the end how much came, how fast and how late.")
@click.option("-q", "--quiet", is_flag=True, help="Do not write what arrives.")
@click.pass_context
def wsclient(  # noqa: PLR0913  click gives each option
    context: click.Context,
    *,
    url: str,
    words: tuple[str, ...],
    user: str | None,
    ca: str | None,
    insecure: bool,
    subprotocol: str,
    count: int | None,
    seconds: float | None,
    stats: bool,
    quiet: bool,
) -> None:
    """Connect to a WebSocket source and write what arrives to standard output.

    URL is ws://HOST/PATH or wss://HOST/PATH, with or without a query; each KEY=VALUE is encoded and added to it, as in
    read.time.max=forever. Ctrl-C ends with a proper close.
    """
    from dasflex_ws.client import address_of, trust

    receiving = Receiving(
        address_of(url, pairs_of(words)),
        trust(ca or "", insecure=insecure) if ca or insecure else None,
        (log_in(user),) if user else (),
        subprotocol,
        count,
        seconds,
        quiet=quiet,
        measure=_measure() if stats else None,
    )
    try:
        trio.run(receiving.run)
    finally:
        if receiving.measure is not None:
            click.echo(receiving.measure.report(), err=True)
    if receiving.interrupted:
        context.exit(INTERRUPTED)


def pairs_of(words: tuple[str, ...]) -> list[tuple[str, str]]:
    """The parameters that words of the command line are. Raises `QueryError` for what is none."""
    for word in words:
        if "=" not in word:
            raise QueryError(f"{word!r} is no parameter; write KEY=VALUE", kind="query.bad-value")
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def log_in(user: str) -> tuple[str, str]:
    """The header that logs a user in; a password that was not given is asked for."""
    from dasflex_ws.client import basic

    name, given, password = user.partition(":")
    return basic(name, password if given else click.prompt("Password", hide_input=True, err=True))


def _measure() -> Measure:
    """What counts the messages, with the decoders of the installed plugins."""
    from dasflex_core.registry import discover
    from dasflex_ws.measuring import Measure

    return Measure(discover())


class Receiving:
    """One connection from its beginning to its end: what arrives is written, counted, and told no more than asked."""

    def __init__(  # noqa: PLR0913  one value for each option of the command
        self,
        address: Address,
        trusted: ssl.SSLContext | None,
        headers: tuple[tuple[str, str], ...],
        subprotocol: str,
        count: int | None,
        seconds: float | None,
        *,
        quiet: bool,
        measure: Measure | None,
    ) -> None:
        self._address = address
        self._trusted = trusted
        self._headers = headers
        self._subprotocol = subprotocol
        self._count = count
        self._seconds = seconds
        self._output = None if quiet else Output()
        self.measure = measure
        self.interrupted = False
        self._receiving: trio.CancelScope | None = None

    async def run(self) -> None:
        """Receives until the server closes, enough came, or a signal. Raises what refused or failed."""
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._obey_signals, nursery.cancel_scope)
            try:
                await self._connect()
            except Exception as error:  # noqa: BLE001  raised again below, outside of the nursery and its group
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _connect(self) -> None:
        """One connection, with a proper close at its end."""
        from dasflex_ws.client import connected

        opened = connected(self._address, trusted=self._trusted, headers=self._headers, subprotocol=self._subprotocol)
        async with opened as connection:
            with trio.move_on_after(inf if self._seconds is None else self._seconds) as self._receiving:
                await self._receive(connection)

    async def _receive(self, connection: Connection) -> None:
        """Takes messages until there are enough."""
        from dasflex_ws.ending import GOING_AWAY

        taken = 0
        while (message := await connection.receive()) is not None:
            if self.measure is not None:
                self.measure.take(message)
            if self._output is not None and not await self._output.write(message.data):
                return
            taken += 1
            if taken == self._count:
                return
        if connection.code == GOING_AWAY:
            click.echo("dasflex: note: the server is going away", err=True)

    async def _obey_signals(self, everything: trio.CancelScope) -> None:
        """Ctrl-C and SIGTERM end the receiving only, so that the close still goes out; before it, they end all."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _number in signals:
                self.interrupted = True
                (self._receiving or everything).cancel()


class Output:
    """Standard output. A pipe that nobody empties holds up the receiving, and nothing else."""

    def __init__(self) -> None:
        self._descriptor = sys.stdout.fileno()
        self._waits = not stat.S_ISREG(os.fstat(self._descriptor).st_mode)

    async def write(self, data: bytes) -> bool:
        """Writes all of it; False where nobody reads any more. Raises `OutputError`."""
        try:
            if self._waits:
                await trio.to_thread.run_sync(self._write, data, abandon_on_cancel=True)
            else:
                self._write(data)
        except BrokenPipeError:
            return False
        except OSError as error:
            raise OutputError(f"standard output cannot be written: {error.strerror}") from error
        return True

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


def main() -> None:
    """The program `dasflex_wsclient`."""
    wsclient.main(prog_name="dasflex_wsclient")
