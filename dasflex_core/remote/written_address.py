# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of another server as a definition writes it: `PROTOCOL:https://…?key=value`, perhaps with a log-in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from dasflex_core.errors import ConfigError, Place
from dasflex_core.plan.templates import expand_environment
from dasflex_core.remote.asking import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["written_address"]


def written_address(
    protocol: str, text: str, environ: Mapping[str, str], place: Place | None
) -> tuple[Address, list[tuple[str, str]]]:
    """The address behind the protocol, and the pairs of its query, with the environment in the place of `#[env.NAME]`.

    Raises `ConfigError`, at its place, for an address of another protocol, and for what is none.
    """
    where = f"{place}: " if place else ""
    written = expand_environment(text, environ, place=place).strip()
    scheme, _, rest = written.partition(":")
    if scheme.lower() != protocol:
        raise ConfigError(
            f"{where}the address of a server of this kind begins with {protocol}:", kind="config.bad-value"
        )
    try:
        address, query = Address.parse(rest)
    except ConfigError as error:
        raise ConfigError(f"{where}{error.message}, behind {protocol}:", kind="config.bad-value") from error
    return address, [(name, value.strip()) for name, value in parse_qsl(query, keep_blank_values=True)]
