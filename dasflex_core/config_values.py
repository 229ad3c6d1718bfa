# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of `dasflex.conf` as values of the types that its keys have; each raises `ValueError` for what is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Network, IPv6Network

    Network: TypeAlias = IPv4Network | IPv6Network

__all__ = ["MAKE", "ConfigValue", "KeyType", "network"]

KeyType = Literal[
    "text",
    "identifier",
    "flag",
    "port",
    "path",
    "paths",
    "networks",
    "queue",
    "amount",
    "count",
    "size",
    "form",
    "sandbox",
]
ConfigValue: TypeAlias = "str | bool | float | Path | tuple[Path, ...] | tuple[Network, ...] | None"
#: The bytes of a unit, without its B.
_SIZES: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _identifier(text: str, _root: Path) -> str:
    import re

    if not re.fullmatch(r"[a-z0-9][a-z0-9_.+-]*", text):
        raise ValueError(f"{text!r} is no identifier: lower case letters, digits and _ - . without blanks")
    return text


def _flag(text: str, _root: Path) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError(f"{text!r} is neither true nor false")
    return _FLAGS[text.lower()]


def _port(text: str, _root: Path) -> int:
    if not text:  # only where the key has no default
        return 0
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


def _amount(text: str, _root: Path) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{text!r} is no amount: a number of 0 or more; 0 or nothing is no limit")
    return value


def _count(text: str, _root: Path) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ValueError(f"{text!r} is no count: a whole number of 0 or more; 0 or nothing is no limit")
    return int(text or 0)


def _size(text: str, _root: Path) -> int:
    number, unit = text.rstrip("BbKkMmGgTt"), text[len(text.rstrip("BbKkMmGgTt")) :].upper().removesuffix("B")
    try:
        value = float(number or 0) * _SIZES[unit]
    except (ValueError, KeyError):
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{text!r} is no size: a number of bytes, or one such as 512 MB; 0 or nothing is no limit")
    return int(value)


def _paths(text: str, root: Path) -> tuple[Path, ...]:
    return tuple(root / Path(each.strip()).expanduser() for each in text.split(":") if each.strip())


def _queue(text: str, _root: Path) -> str:
    if text.lower() not in ("", "redis", "none"):
        raise ValueError(f"{text!r} is no broker; there is redis, or leave the key out")
    return "" if text.lower() == "none" else text.lower()


def _sandbox(text: str, _root: Path) -> str:
    if text.lower() not in ("", "none", "bwrap", "systemd-run"):
        raise ValueError(f"{text!r} is no sandbox; there are bwrap and systemd-run, or leave the key out")
    return "" if text.lower() == "none" else text.lower()


def _form(text: str, _root: Path) -> str:
    if text.lower() not in ("text", "json"):
        raise ValueError(f"{text!r} is no form of logs; there are text and json")
    return text.lower()


def _networks(text: str, _root: Path) -> tuple[Network, ...]:
    return tuple(network(each) for each in text.replace(",", " ").replace(";", " ").split())


def network(text: str) -> Network:
    """An address range: CIDR of IPv4 or IPv6, or short, as in `129.255/16`. Bits behind the length do not count."""
    from ipaddress import ip_network

    address, slash, length = text.partition("/")
    if ":" not in address and slash:
        address = ".".join([*address.rstrip(".").split("."), "0", "0", "0"][: max(4, address.count(".") + 1)])
    try:
        return ip_network(f"{address}{slash}{length}", strict=False)
    except ValueError as error:
        raise ValueError(f"{text!r} is no range of addresses; one is written like 129.255.0.0/16 or ::1") from error


#: What makes a value of each type of a text, for a root.
MAKE: Final[Mapping[KeyType, Callable[[str, Path], ConfigValue]]] = {
    "text": lambda text, _root: text,
    "identifier": _identifier,
    "flag": _flag,
    "port": _port,
    "path": lambda text, root: root / Path(text).expanduser() if text else None,
    "paths": _paths,
    "networks": _networks,
    "queue": _queue,
    "amount": _amount,
    "count": _count,
    "size": _size,
    "form": _form,
    "sandbox": _sandbox,
}
