# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of a source of another das2 server, as a definition writes it.

das2:https://host/das/server?dataset=ID
das2:https://host/das/server?dataset=ID&params=ALWAYS SENT
das2:https://#[env.THEIR_LOGIN]@host/das/server?dataset=ID        THEIR_LOGIN=name:password
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, Place
from dasflex_core.remote.written_address import written_address
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.remote.asking import Address

__all__ = ["Das2Source", "das2_source"]

#: What a copied address may say besides, and what is said already.
_SAID: Final = {"server": "dataset"}
#: What clients are told it is: the address of another server is none of their business.
NAME: Final = "The server that these data come from"


@dataclass(frozen=True, slots=True)
class Das2Source:
    """A source of a server: where that is, the id of the source there, and the `params` that are always sent."""

    where: Address
    dataset: str
    params: str = ""
    name: str = NAME

    @property
    def key(self) -> str:
        """What tells it from others: without a log-in."""
        return f"{self.where.url}?{self.dataset}&{self.params}"


def das2_source(text: str, environ: Mapping[str, str], place: Place | None = None) -> Das2Source:
    """The source that an address means, with the server's environment in the place of `#[env.NAME]`.

    Raises `ConfigError` for what is no such address.
    """
    where = f"{place}: " if place else ""
    address, pairs = written_address("das2", text, environ, place)
    found: dict[str, str] = {}
    for key, value in pairs:
        name = key.lower()
        if name not in ("dataset", "params") and _SAID.get(name) != value.lower():
            what = f"{where}{key}= has no place here, where a source is named: das2:https://…?dataset=ID"
            raise ConfigError(what, kind="config.bad-value")
        found[name] = value
    if not found.get("dataset"):
        raise ConfigError(f"{where}it names no source: write das2:https://…?dataset=ID", kind="config.missing")
    return Das2Source(address, found["dataset"], found.get("params", ""))
