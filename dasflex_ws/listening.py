# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server listens, and with which certificate: both are had before it goes into the background."""

from __future__ import annotations

import errno
import resource
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["address", "listening", "load_certificate", "open_files", "tls_context"]

#: Connections that may wait to be accepted, as far as the system allows.
_BACKLOG: Final = 4096
#: A name may have addresses that this machine does not: without IPv6, that of `localhost`.
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen at all addresses of a host that are this machine's, all at one port; 0 is any.

    Raises `ConfigError` where one cannot be listened on.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        told = getattr(error, "strerror", "") or str(error)
        raise ConfigError(f"There is no address {host!r} to listen on: {told}") from error
    listeners: list[socket.socket] = []
    failure: OSError | None = None
    for family, kind, _protocol, _name, place in dict.fromkeys(found):
        number = listeners[0].getsockname()[1] if listeners else port
        try:
            listeners.append(_listener(family, kind, (place[0], number, *place[2:])))
        except OSError as error:
            failure = error
            if error.errno not in _NOT_HERE:
                _close(listeners)
                break
    if not listeners:
        told = (failure and failure.strerror) or "it has no address here"
        raise ConfigError(f"{host}:{port} cannot be listened on: {told}") from failure
    return listeners


def _listener(family: int, kind: int, place: tuple[object, ...]) -> socket.socket:
    """A socket that listens. Raises `OSError`."""
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _close(listeners: list[socket.socket]) -> None:
    for each in listeners:
        each.close()
    listeners.clear()


def address(listeners: Sequence[socket.socket], host: str, *, tls: bool) -> str:
    """The address of sources at a host by the first of the sockets, such as `ws://localhost:52242/dasws/`."""
    place = listeners[0].getsockname() if listeners else ""
    if not isinstance(place, tuple):
        return f"unix:{place}" if place else "no port of its own"
    name = host or str(place[0])
    return f"{'wss' if tls else 'ws'}://{f'[{name}]' if ':' in name else name}:{place[1]}/dasws/"


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """What TLS needs to be spoken with a certificate and its key. Raises `ConfigError` for what cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    load_certificate(context, certificate, key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path | None, key: Path | None) -> None:
    """Reads a certificate and its key, for handshakes from now on. Raises `ConfigError`.

    The key may be in the file of the certificate; one with a password is refused, since nobody is there to be asked.
    """
    if certificate is None:
        raise ConfigError("TLS needs a certificate: --cert, or WEBSOCKET_CERT in dasflex.conf", kind="config.missing")
    for each in filter(None, (certificate, key)):
        try:
            each.open("rb").close()
        except OSError as error:
            raise ConfigError(f"{each} cannot be read: {error.strerror}", kind="config.unreadable") from error
    try:
        context.load_cert_chain(certificate, key, password="")  # nosec B106 # none: OpenSSL asks nobody
    except ssl.SSLError as error:
        pair = f"{certificate} and {key} are" if key else f"{certificate} is"
        why = (
            "the key is not that of the certificate"
            if "MISMATCH" in (error.reason or "")
            else "both are wanted as PEM, the key without a password"
        )
        detail = str(error)
        raise ConfigError(
            f"{pair} no certificate with its key: {why}", kind="config.bad-value", detail=detail
        ) from error


def open_files() -> int:
    """How many files this process may have open, after that number was raised to what it is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft
