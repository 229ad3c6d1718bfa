# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex watch`: the latest of a source in a terminal, from the site's WebSocket daemon or from a run of its own."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from math import inf
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.completion import complete_parameter, complete_source
from dasflex_core.cli.verbs import Verb, root_option
from dasflex_core.errors import NotFoundError, QueryError, SourceError

if TYPE_CHECKING:
    import trio

    from dasflex_core.arrays import Item, Records
    from dasflex_core.site import Request, Site
    from dasflex_core.solved import Plan
    from dasflex_ws.client import Address

__all__ = ["addresses", "watch"]

#: Seconds between two drawings of the screen.
_REFRESH: Final = 0.1
#: Seconds that the site's own daemon may take to answer.
_PATIENCE: Final = 10.0
#: How an answer fails that had begun; any other failure says that this is not the site's own daemon.
_BROKEN: Final = ("source.truncated", "source.stream")
_ENDS: Final = ("read.time.min", "read.time.max")
_ALTERNATE: Final = ("\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l")


@click.command("watch", cls=Verb, section="Data")
@click.argument("source", shell_complete=complete_source)
@click.argument("words", nargs=-1, metavar="[A/B] [KEY=VALUE]...", shell_complete=complete_parameter)
@click.option(
    "--url", metavar="URL", help="The WebSocket of the source, where it is not that of the site's own daemon."
)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), metavar="S", help="End after so many seconds.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after so many records.")
@root_option
def watch(
    *, source: str, words: tuple[str, ...], url: str | None, seconds: float | None, count: int | None, root: str | None
) -> None:
    """Show the latest data of a source as they come.

    In a terminal each variable is drawn, with how late the data are and what went wrong; what lies outside of `warn`
    is red. Elsewhere a record is a line. A live source is watched from now on, unless a range is given; Ctrl-C ends.

    The data come from the site's own WebSocket daemon, so that a live source is read once for all who watch; where
    none answers, the plan is run here.
    """
    from dasflex_core.site import open_site

    site = open_site(root)
    request, plan = _asked(site, source, words)
    watching = Watching(site, plan, seconds, count)
    places = _places(site, request, url)
    watching.run(places, falls_back=url is None)


def _asked(site: Site, source: str, words: tuple[str, ...]) -> tuple[Request, Plan]:
    """The request, from now on where a live source is asked without a range, in a form that is decoded."""
    from dasflex_core.cli.words import request_of
    from dasflex_core.plan.parameters import canonical_pairs

    request = request_of(site, source, words)
    given = canonical_pairs(request.pairs)
    if not set(_ENDS) & given.keys() and any(each.live for each in request.source.definition.readers):
        request = request.ask(time="now/forever")
    plan = request.plan()
    if any(name.startswith("format.") for name in given) or plan.solution.produces.kind == "das":
        return request, plan
    for version in ("3", "2"):
        try:
            decoded = request.ask(format_type="das", format_version=version)
            return decoded, decoded.plan()
        except QueryError:
            continue
    return request, plan


def addresses(site: Site, source: str) -> list[str]:
    """Where the site's own daemon has a source: where it listens, and where the public finds it."""
    from dasflex_core.catalog.addresses import socket_url

    config = site.config
    scheme = "wss" if config.websocket_ssl else "ws"
    host = _reached(config.websocket_iface)
    listens = f"{scheme}://{host}:{config.websocket_port}/dasws/{source.lower()}/flexRT"
    return [*dict.fromkeys([listens, socket_url(config, source)])]


def _reached(interface: str) -> str:
    """The host by which something on this machine is reached that listens at an interface, or at all of them."""
    from ipaddress import ip_address

    try:
        address = ip_address(interface)
    except ValueError:
        return interface or "localhost"
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return str(address) if address.version == 4 else f"[{address}]"


def _places(site: Site, request: Request, url: str | None) -> list[Address]:
    """The addresses to try, with the request."""
    from dasflex_core.plan.parameters import canonical_pairs
    from dasflex_ws.client import address_of

    pairs = sorted(canonical_pairs(request.pairs).items())
    return [address_of(each, pairs) for each in ([url] if url else addresses(site, request.source.id))]


class Watching:
    """What is watched, and how it is shown."""

    def __init__(self, site: Site, plan: Plan, seconds: float | None, count: int | None) -> None:
        from dasflex_ws.decoding import Decoding
        from dasflex_ws.latest import Latest

        definition = plan.request.source.definition
        self._plan = plan
        self._decoding = Decoding(site.registry)
        self._latest = Latest({each.source or name: each for name, each in definition.data.items()})
        self._title = f"{definition.id}   {definition.title}"
        self._seconds, self._count = inf if seconds is None else seconds, count
        self._screen = sys.stdout.isatty()
        self._came: float | None = None
        self._note = ""
        self._interrupted = False

    def run(self, places: list[Address], *, falls_back: bool) -> None:
        """Shows what comes until it ends, or somebody ends it. Raises what failed."""
        import trio

        if self._screen:
            sys.stdout.write(_ALTERNATE[0])
        try:
            trio.run(self._watched, places, falls_back)
        finally:
            if self._screen:
                sys.stdout.write(_ALTERNATE[1])
                sys.stdout.flush()
        if self._screen and self._latest.records and not self._interrupted:  # it came to its end: that stays to be seen
            click.echo("\n".join(self._lines()))
        if self._note and self._screen:
            click.echo(f"dasflex: note: {self._note}", err=True)

    async def _watched(self, places: list[Address], falls_back: bool) -> None:  # noqa: FBT001  as trio.run passes it
        """Receives beside the drawing and the signals; the first to end ends all."""
        import trio

        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._obey_signals, nursery.cancel_scope)
            if self._screen:
                nursery.start_soon(self._draw_now_and_then)
            try:
                with trio.move_on_after(self._seconds):
                    await self._received(places, falls_back=falls_back)
            except Exception as error:  # noqa: BLE001  raised again below, outside of the nursery and its group
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _received(self, places: list[Address], *, falls_back: bool) -> None:
        """Receives from the first place that answers; where none does, from a run of our own."""
        from dasflex_ws.client import CONNECT, connected

        for place in places:
            try:
                async with connected(place, patience=_PATIENCE if falls_back else CONNECT) as connection:
                    while (message := await connection.receive()) is not None:
                        if self._take(message.data, message.came):
                            return
                    return
            except (SourceError, NotFoundError, QueryError) as error:
                if not falls_back or error.kind in _BROKEN:
                    raise
        tried = " or ".join(dict.fromkeys(f"{each.host}:{each.port}" for each in places))
        self._note = f"no WebSocket daemon has it at {tried}, so the plan runs here"
        if not self._screen:
            click.echo(f"dasflex: note: {self._note}", err=True)
        await self._run_here()

    async def _run_here(self) -> None:
        """Runs the plan until there is enough."""
        import trio

        from dasflex_core.run import Guardian
        from dasflex_ws.pumping import pump_of

        with Guardian() as guardian, ExitStack() as held:
            held.callback(self._plan.hold())
            async with pump_of(self._plan, limiter=trio.CapacityLimiter(1), guardian=guardian) as pump:
                while (chunks := await pump.take()) is not None:
                    if any(self._take(chunk, time.time()) for chunk in chunks):
                        return

    def _take(self, data: bytes, came: float) -> bool:
        """Takes bytes, and shows what they say. Gives whether there were enough."""
        self._came = came
        try:
            self._show(self._decoding.feed(data), data)
        except BrokenPipeError:  # nobody reads any more, nor what is still to be flushed
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return True
        return self._count is not None and self._latest.records >= self._count

    def _show(self, items: list[Item], data: bytes) -> None:
        """Prints records, and what is not decoded; remembers the rest for the screen."""
        from dasflex_core.arrays import Records

        if data and not self._decoding.known:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        for item in items:
            if isinstance(item, Records):
                left = len(item) if self._count is None else self._count - self._latest.records
                item = item.slice(slice(0, left))  # noqa: PLW2901  the records that are still to be shown
                if not self._screen:
                    self._print(item)
            self._latest.take(item, self._came or 0.0)

    def _print(self, batch: Records) -> None:
        """Each record on a line."""
        from dasflex_ws.dating import instants
        from dasflex_ws.drawing import line
        from dasflex_ws.latest import measured

        moments = instants(batch)
        for row in range(len(batch)):
            moment = moments[row] if len(moments) == len(batch) else None
            sys.stdout.write(line(moment, measured(batch, row, self._latest.facts)) + "\n")
        sys.stdout.flush()

    async def _draw_now_and_then(self) -> None:
        """Draws the screen as often as an eye can follow."""
        import trio

        while True:
            size = shutil.get_terminal_size()
            age = None if self._came is None else time.time() - self._came
            lines = self._lines(age)
            lines += [self._note[: size.columns]] if self._note and len(lines) < size.lines - 1 else []
            sys.stdout.write("\x1b[H" + "".join(f"{each}\x1b[K\r\n" for each in lines) + "\x1b[J")
            sys.stdout.flush()
            await trio.sleep(_REFRESH)

    def _lines(self, age: float | None = None) -> list[str]:
        """The lines of the screen; `age` is for how many seconds nothing has come."""
        from dasflex_ws.drawing import screen

        size = shutil.get_terminal_size()
        return screen(self._title, self._latest, age, size.columns, size.lines - 1)

    async def _obey_signals(self, everything: trio.CancelScope) -> None:
        """Ctrl-C is how watching ends."""
        import trio

        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _number in signals:
                self._interrupted = True
                everything.cancel()
                return
