# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect: the address that a client has, the page that it is of, and how many there are already."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from dasflex_core.claims import is_foreign
from dasflex_core.errors import AccessError, BusyError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Network

__all__ = ["Doors", "check_origin", "client_address", "is_strange"]


def client_address(peer: str, forwarded: str, proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """The address of a client: that of the peer; behind a trusted proxy, the last of `X-Forwarded-For`.

    >>> from ipaddress import ip_network
    >>> client_address("::ffff:127.0.0.1", "192.0.2.1, 192.0.2.7", [ip_network("127.0.0.0/8")])
    '192.0.2.7'
    >>> client_address("192.0.2.9", "192.0.2.7", [ip_network("127.0.0.0/8")])
    '192.0.2.9'
    """
    address = _address(peer)
    if address is None:
        return peer
    if any(address in each for each in proxies if each.version == address.version):
        return str(_address(forwarded.rpartition(",")[2]) or address)
    return str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as it stands for one host, with its port or without; None for what is none."""
    clean = text.strip()
    if clean.startswith("["):
        clean = clean[1:].partition("]")[0]
    elif clean.count(":") == 1:
        clean = clean.partition(":")[0]
    try:
        address = ip_address(clean.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def check_origin(origin: str, host: str, allowed: str) -> None:
    """Raises `AccessError` for the page of a site that may not connect (RFC 6455, 10.2).

    `allowed` are origins with blanks or commas between them, `*` being any. Pages of the same host may always, and so
    may programs, which have no origin.
    """
    if is_strange(origin, host, allowed) and "*" not in _listed(allowed):
        raise AccessError(f"Pages of {shown(origin)} may not connect to this server", kind="access.denied")


def is_strange(origin: str, host: str, allowed: str) -> bool:
    """Whether a page of another host connects which is not listed by its name.

    A browser sends the passwords that it knows with it, and any page may connect where `*` is listed. So such a page
    has nothing by what its visitor is, and needs a ticket for what is protected.
    """
    return is_foreign(origin, host) and origin.lower().rstrip("/") not in _listed(allowed)


def _listed(allowed: str) -> list[str]:
    """The origins of a list, and `*` where all are meant."""
    return [each.rstrip("/") for each in allowed.replace(",", " ").lower().split()]


class Doors:
    """How many connections there are, of each client address and in all."""

    def __init__(self) -> None:
        self._each: Counter[str] = Counter()
        self._all = 0

    @contextmanager
    def entered(self, client: str, *, most: int, most_each: int) -> Iterator[None]:
        """Counts a connection while it lasts; 0 is no limit. Raises `BusyError` where there are too many."""
        if most and self._all >= most:
            raise BusyError("This server has as many connections as it can hold; try again later", kind="busy.limit")
        if most_each and self._each[client] >= most_each:
            raise BusyError(
                f"There are {most_each} connections from this address already; close one first", kind="busy.limit"
            )
        self._all += 1
        self._each[client] += 1
        try:
            yield
        finally:
            self._all -= 1
            self._each[client] -= 1
            if not self._each[client]:
                del self._each[client]
