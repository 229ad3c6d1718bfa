# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection, from the first byte to the last: greeted, admitted, planned, upgraded, answered, closed and logged.

Whatever can fail is done before the upgrade, so that it is told as an HTTP status. The only module that knows
trio-websocket, which does the handshake, receives, and answers pings.
"""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from dasflex_core.claims import Claim, user_of_proxy
from dasflex_core.errors import BusyError, DasflexError
from dasflex_core.logs import LogEntry
from dasflex_core.run.records import new_request_id
from dasflex_core.statuses import public_text
from dasflex_core.telling import asked_type, own_type
from dasflex_core.tickets import check, site_key
from dasflex_ws.admission import check_origin, client_address, is_strange
from dasflex_ws.answering import answer
from dasflex_ws.asking import asked_of, request_of, source_of
from dasflex_ws.channel import Channel
from dasflex_ws.control_stream import ControlStream
from dasflex_ws.ending import FAILED, GONE, NORMAL, POLICY, PROTOCOL, TRY_LATER, Ending, left_with, told_with
from dasflex_ws.greeting import SUBPROTOCOL, Greeting, greeted
from dasflex_ws.pumping import pump_of
from dasflex_ws.replying import Reply, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dasflex_core.site import Site
    from dasflex_core.solved import Plan
    from dasflex_core.streamtype import StreamType
    from dasflex_ws.serving import Serving

    Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]

__all__ = ["Connection"]

#: The longest message of a client, which is not looked at, and what is received at a time, in bytes.
_LONGEST: Final = 1 << 16
_RECEIVED: Final = 1 << 12
#: Bytes that a client may send between two pings; nobody has more to say to who does not listen.
_MOST: Final = 1 << 20
#: Seconds that an answer of HTTP may take to be sent, and that a client has to take the last of what was sent.
_REPLY: Final = 10.0
_LINGER: Final = 1.0
#: Seconds between two looks at a connection for which there are no pings.
_LOOK: Final = 20.0
#: What the log has instead of a status where the client left before there was one, as others write it.
_LEFT: Final = 499
_STOPPING: Final = "The server is stopping"
_LOGGER: Final = logging.getLogger(__name__)


class Connection:
    """One client of a server. `run` serves it to the end; `stop` brings that about."""

    def __init__(self, stream: Stream, serving: Serving, peer: str, begun: bytes = b"") -> None:
        self._stream = stream
        self._serving = serving
        self._peer = peer
        self._begun = begun
        self._site: Site = serving.site
        self._client = peer
        self._id = new_request_id()
        self._greeting: Greeting | None = None
        self._wanted: StreamType | None = None
        self._user = ""
        self._source = ""
        self._channel: Channel | None = None
        self._preparing = trio.CancelScope()
        self._watching = trio.CancelScope()
        self._unwatched = trio.Event()
        self._showing: trio.CancelScope | None = None
        self._ending: Ending | None = None
        self._time = time.time()
        self._clock = time.perf_counter()
        self._counted = (0, 0, 0, 0)
        self._heard = 0
        self._finite = False

    async def run(self) -> None:
        """Serves the client. Raises nothing but `Cancelled`."""
        try:
            with self._preparing:
                await self._serve()
            if self._preparing.cancelled_caught:
                await self._give_up()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client is gone, and has nothing to be told any more
        except Exception:
            _LOGGER.exception("A connection from %s failed", self._client)
        finally:
            with trio.CancelScope(shield=True):
                await _part(self._stream)

    def stop(self, ending: Ending) -> None:
        """Ends what is sent; before the upgrade, the client is refused. The first ending that is given counts."""
        self._ending = self._ending or ending
        (self._showing or self._preparing).cancel()

    # -- before the upgrade

    async def _serve(self) -> None:
        """Greets the client, and gives it what it asks for."""
        said = await greeted(self._stream, self._begun)
        if isinstance(said, Reply):
            await self._reply(said)
        elif said is not None:
            self._greeting = said
            failure: DasflexError | None = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._notice_leaving)
                try:
                    await self._admit(said)
                except DasflexError as error:
                    failure = error
                except Exception as error:
                    if self._channel is not None:
                        raise
                    _LOGGER.exception("%s: preparing the answer failed", said.path)
                    failure = DasflexError("The server failed", detail=repr(error))
                nursery.cancel_scope.cancel()
            if failure is not None and self._channel is None:
                await self._refuse(failure)
            elif failure is not None:
                _LOGGER.error("%s: %s: %s %s", said.path, failure.kind, failure.message, failure.detail)

    async def _admit(self, greeting: Greeting) -> None:
        """Serves a client that may connect. Raises `DasflexError` for what fails before the upgrade."""
        config, headers = self._site.config, greeting.headers
        self._client = client_address(self._peer, headers.get("x-forwarded-for", ""), config.websocket_proxies)
        check_origin(headers.get("origin", ""), headers.get("host", ""), config.websocket_origins)
        with self._serving.doors.entered(
            self._client, most=config.websocket_connections, most_each=config.websocket_connections_each
        ):
            plan = await trio.to_thread.run_sync(self._planned, greeting, abandon_on_cancel=True)
            self._wanted = plan.solution.produces
            self._user = plan.user
            await self._show(plan)

    def _planned(self, greeting: Greeting) -> Plan:
        """The plan of what is asked, in a thread, since it reads files. Raises `DasflexError`."""
        site = self._site
        identifier = source_of(greeting.path, site.config.websocket_uri)
        asked = asked_of(greeting.query)
        self._wanted = asked_type(asked.pairs)
        source = site[identifier]
        self._source = source.id
        self._wanted = self._wanted or own_type(source.definition)
        user = check(site_key(site.config.runtime), asked.ticket, source.id, time.time()) if asked.ticket else ""
        plan = request_of(source, asked, self._claim(greeting, user)).plan()
        plan.afford()
        return plan

    def _claim(self, greeting: Greeting, user: str) -> Claim:
        """Who asks: the user of a ticket, or whoever logs in by what is not sent in the name of another."""
        headers, config = greeting.headers, self._site.config
        if is_strange(headers.get("origin", ""), headers.get("host", ""), config.websocket_origins):
            return Claim(self._client, ticket_user=user, foreign=True)
        named = user_of_proxy(self._peer, headers, config)
        return Claim(self._client, headers.get("authorization", ""), named, user)

    async def _show(self, plan: Plan) -> None:
        """Shows what a plan gives: a seat at the live hub, or a run of its own, is had before the upgrade."""
        hub, failure = self._serving.hub, None
        if hub.takes(plan):
            async with hub.seat(plan) as seat:
                await self._converse(seat.watch)
            return
        absence = f"{plan.request.source.id} has no data in this range"
        async with pump_of(
            plan, self._client, limiter=self._serving.limiter, guardian=self._serving.guardian, absence=absence
        ) as pump:
            self._id = pump.record.id
            self._finite = True
            try:
                await pump.start()
            except DasflexError as error:
                failure = error  # raised below, outside of the pump and its group
            else:
                await self._converse(partial(answer, pump))
        if failure is not None:
            raise failure

    async def _notice_leaving(self) -> None:
        """Gives up when the client leaves before its upgrade; one that says more than it should is there."""
        try:
            with self._watching:
                left = not await _below(self._stream).socket.recv(1, socket.MSG_PEEK)
                if left:
                    self._preparing.cancel()
        except (OSError, trio.ClosedResourceError):
            self._preparing.cancel()
        finally:
            self._unwatched.set()

    async def _give_up(self) -> None:
        """Ends what was not upgraded: the client has left, or the server stops."""
        if self._ending is not None:
            await self._refuse(BusyError(_STOPPING, kind="busy.stopped"))
        elif self._greeting is not None:
            self._serving.metrics.failure("gone")
            self._log("GET", self._greeting.target, _LEFT, 0, None, complete=False)

    async def _refuse(self, error: DasflexError) -> None:
        """Tells a client why it gets no WebSocket."""
        if error.kind.partition(".")[0] in ("source", "config", "error"):
            target = self._greeting.path if self._greeting else ""
            _LOGGER.warning("%s: %s: %s %s", target, error.kind, error.message, error.detail)
        await self._reply(refusal(self._site.registry, error, self._wanted), error)

    async def _reply(self, reply: Reply, error: DasflexError | None = None) -> None:
        """Sends an answer of HTTP instead of an upgrade."""
        self._serving.metrics.refusal(reply.kind)
        data, complete = reply.known_as(self._id).encoded(), False
        try:
            with trio.move_on_after(_REPLY):
                await self._stream.send_all(data)
                complete = True
        finally:
            target = self._greeting.target if self._greeting else reply.target
            self._log(reply.method or "GET", target, reply.status, len(reply.body), error, complete=complete)

    # -- behind the upgrade

    async def _converse(self, show: Callable[[Channel], Awaitable[Ending]]) -> None:
        """Upgrades the connection, shows what there is, and closes it."""
        greeting = self._greeting
        if greeting is None:
            raise RuntimeError("a client is greeted before it is spoken to")
        self._watching.cancel()
        await self._unwatched.wait()
        metrics = self._serving.metrics
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            self._showing = showing = trio.CancelScope()
            channel = self._channel = Channel(self._stream, nursery, lost=showing.cancel)
            metrics.clients.inc()
            metrics.connections.inc()
            try:
                ending = await self._shown(show, greeting, channel, nursery)
                reason = public_text(ending.failure) if ending.failure else ending.reason
                await channel.close(ending.code, reason)
            except Exception as error:  # noqa: BLE001  raised again below, outside of the nursery and its group
                failure = error
                await channel.close(FAILED, "The server failed")
            finally:
                channel.lose()
                metrics.clients.dec()
                self._conclude(greeting, channel)
                nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _shown(
        self,
        show: Callable[[Channel], Awaitable[Ending]],
        greeting: Greeting,
        channel: Channel,
        nursery: trio.Nursery,
    ) -> Ending:
        """Shows what there is, until the end of it, the client's leaving, or whatever else stops it."""
        with self._showing or trio.CancelScope(), suppress(ConnectionClosed):  # who leaves while it is upgraded is gone
            connection = await self._upgraded(greeting, channel, nursery)
            nursery.start_soon(self._receive, connection, channel)
            nursery.start_soon(self._look_after, connection, channel)
            if self._ending is None:
                ending = await show(channel)
                self._ending = self._ending or ending
        if self._ending is None:
            self._ending = Ending(channel.code or GONE)
        return self._ending

    async def _upgraded(self, greeting: Greeting, channel: Channel, nursery: trio.Nursery) -> WebSocketConnection:
        """The connection as a WebSocket."""
        stream = ControlStream(self._stream, channel, greeting.handshake(), greeting.rest)
        request = await wrap_server_stream(
            nursery, stream, message_queue_size=1, max_message_size=_LONGEST, receive_buffer_size=_RECEIVED
        )
        connection = await request.accept(
            subprotocol=SUBPROTOCOL if greeting.subprotocols else None,
            extra_headers=[(b"X-Request-Id", self._id.encode("ascii"))],
        )
        channel.open(connection.aclose)
        return connection

    async def _receive(self, connection: WebSocketConnection, channel: Channel) -> None:
        """Takes what the client says, which nobody wants to know, until it leaves."""
        try:
            while True:
                self._heard += len(await connection.get_message())
                if self._heard > _MOST:
                    self.stop(Ending(POLICY, "Nothing is wanted from clients, and this one says too much"))
        except ConnectionClosed as closed:
            code = PROTOCOL if closed.reason is None else closed.reason.code
            reason = (closed.reason.reason or "") if closed.reason else ""
            self._ending = self._ending or left_with(code, reason)
            if code == GONE:
                channel.lose()
            else:
                await channel.hang_up(code, told_with(code, reason))

    async def _look_after(self, connection: WebSocketConnection, channel: Channel) -> None:
        """Pings the client, and ends a connection that is lost, or has come to one of its limits."""
        config = self._site.config
        while True:
            pause = config.websocket_ping or _LOOK
            if config.websocket_lifetime:
                pause = min(pause, channel.begun + config.websocket_lifetime - trio.current_time())
            if config.websocket_idle:
                pause = min(pause, channel.touched + config.websocket_idle - trio.current_time())
            await trio.sleep(max(pause, 0))
            self._heard = 0
            self._account(channel)
            now = trio.current_time()
            if config.websocket_lifetime and now - channel.begun >= config.websocket_lifetime:
                self.stop(Ending(POLICY, f"Connected for {config.websocket_lifetime:g} s, which is the most here"))
            elif config.websocket_idle and now - channel.touched >= config.websocket_idle:
                self.stop(Ending(POLICY, f"There were no data for {config.websocket_idle:g} s"))
            elif config.websocket_ping and not await _answers(connection, channel, config.websocket_ping):
                self.stop(Ending(GONE, "The client does not answer"))
                channel.lose()

    def _account(self, channel: Channel) -> None:
        """Tells the metrics what was sent and what was not since the last time."""
        now = (channel.sent_bytes, channel.sent, channel.dropped_bytes, channel.dropped)
        count, messages, lost_bytes, lost = (new - old for new, old in zip(now, self._counted, strict=True))
        self._counted = now
        self._serving.metrics.written(count, messages)
        self._serving.metrics.lag.observe(channel.lag)
        if lost:
            self._serving.metrics.lost(lost_bytes, lost)

    def _conclude(self, greeting: Greeting, channel: Channel) -> None:
        """Writes what became of the connection into the log and the metrics."""
        self._account(channel)
        ending = self._ending or Ending(FAILED, "The server failed")
        failure = ending.failure
        code = channel.code or ending.code
        if code == TRY_LATER and failure is None:
            failure = BusyError("The client was too slow for what it watched", kind="busy.limit")
            self._serving.metrics.failure("slow")
        elif failure is not None:
            self._serving.metrics.failure(failure.kind)
        elif ending.code == GONE:
            self._serving.metrics.failure("gone")
        complete = failure is None and (code == NORMAL if self._finite else code != GONE)
        self._log("GET", greeting.target, 101, channel.sent_bytes, failure, complete=complete)

    def _log(
        self, method: str, target: str, status: int, count: int, error: DasflexError | None, *, complete: bool
    ) -> None:
        """Writes an entry of the log."""
        headers = self._greeting.headers if self._greeting else {}
        entry = LogEntry(
            time=self._time,
            client=self._client,
            request=self._id,
            method=method,
            target=target,
            status=status,
            bytes=count,
            seconds=time.perf_counter() - self._clock,
            complete=complete,
            agent=headers.get("user-agent", ""),
            kind=error.kind if error else "",
            message=error.message if error else "",
            detail=error.detail if error else "",
            user=self._user,
            source=self._source,
        )
        self._serving.log.write(entry)


async def _answers(connection: WebSocketConnection, channel: Channel, seconds: float) -> bool:
    """Pings a client: whether it answers in time, or takes at least what it is sent meanwhile."""
    taken = channel.acknowledged
    with trio.move_on_after(seconds) as waiting, suppress(ConnectionClosed):
        await connection.ping()
    return not waiting.cancelled_caught or channel.acknowledged > taken


def _below(stream: Stream) -> trio.SocketStream:
    """The connection of TCP below a stream."""
    return stream if isinstance(stream, trio.SocketStream) else stream.transport_stream


async def _part(stream: Stream) -> None:
    """Closes a connection so that the client gets the last of what was sent: what it still sends is let go first.

    A socket that is closed with bytes unread is reset, and what is under way is lost (RFC 9112, 9.6).
    """
    with trio.move_on_after(_LINGER), suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
        if isinstance(stream, trio.SSLStream):
            await stream.unwrap()
        below = _below(stream)
        await below.send_eof()
        while await below.receive_some(_LONGEST):
            pass
    await trio.aclose_forcefully(stream)
