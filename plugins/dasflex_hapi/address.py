# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of a data set of a HAPI server, as a definition writes it.

hapi:https://host/hapi?id=DATASET
hapi:https://host/hapi?id=DATASET&parameters=A,B            no other parameters
hapi:https://#[env.THEIR_LOGIN]@host/hapi?id=DATASET        THEIR_LOGIN=name:password
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, Place
from dasflex_core.remote.asking import Address
from dasflex_core.remote.written_address import written_address
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAME", "HapiSet", "hapi_set"]

#: What clients are told it is: the address of another server is none of their business.
NAME: Final = "The HAPI server that these data come from"
#: The endpoints of a server: one of them at the end of a copied address is none of the prefix.
_ENDPOINTS: Final = ("info", "data", "catalog", "capabilities", "about")


@dataclass(frozen=True, slots=True)
class HapiSet:
    """A data set of a server: the prefix of its endpoints, the id, and the parameters that are offered, if not all."""

    where: Address
    id: str
    parameters: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What tells it from others: without a log-in."""
        return f"{self.where.url}?{self.id}&{','.join(self.parameters)}"


def hapi_set(text: str, environ: Mapping[str, str], place: Place | None = None) -> HapiSet:
    """The data set that an address means, with the server's environment in the place of `#[env.NAME]`.

    Raises `ConfigError` for what is no such address.
    """
    where = f"{place}: " if place else ""
    address, pairs = written_address("hapi", text, environ, place)
    found: dict[str, str] = {}
    for key, value in pairs:
        if key not in ("id", "dataset", "parameters"):
            what = f"{where}{key}= has no place here, where a data set is named: hapi:https://…/hapi?id=ID"
            raise ConfigError(what, kind="config.bad-value")
        found["id" if key == "dataset" else key] = value
    if not found.get("id"):
        raise ConfigError(f"{where}it names no data set: write hapi:https://…/hapi?id=ID", kind="config.missing")
    base, _, last = address.url.rstrip("/").rpartition("/")
    prefix = Address(base if last.lower() in _ENDPOINTS else address.url.rstrip("/"), address.login)
    names = tuple(each.strip() for each in found.get("parameters", "").split(",") if each.strip())
    return HapiSet(prefix, found["id"], names)
