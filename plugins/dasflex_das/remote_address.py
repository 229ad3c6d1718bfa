# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of a source of another das2 server, as a definition writes it.

das2:https://host/das/server?dataset=ID
das2:https://host/das/server?dataset=ID&params=ALWAYS SENT
das2:https://#[env.THEIR_LOGIN]@host/das/server?dataset=ID        THEIR_LOGIN=name:password
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from dasflex_core.errors import ConfigError, Place
from dasflex_core.plan.templates import expand_environment
from dasflex_core.remote.asking import Address
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    written = expand_environment(text, environ, place=place).strip()
    scheme, _, rest = written.partition(":")
    if scheme.lower() != "das2":
        raise ConfigError(f"{where}the address of a das2 server begins with das2:", kind="config.bad-value")
    try:
        address, query = Address.parse(rest)
    except ConfigError as error:
        raise ConfigError(f"{where}{error.message}, behind das2:", kind="config.bad-value") from error
    found: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        name = key.lower()
        if name not in ("dataset", "params") and _SAID.get(name) != value.lower():
            what = f"{where}{key}= has no place here, where a source is named: das2:https://…?dataset=ID"
            raise ConfigError(what, kind="config.bad-value")
        found[name] = value.strip()
    if not found.get("dataset"):
        raise ConfigError(f"{where}it names no source: write das2:https://…?dataset=ID", kind="config.missing")
    return Das2Source(address, found["dataset"], found.get("params", ""))
