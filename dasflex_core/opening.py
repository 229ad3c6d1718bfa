# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a site, wherever it is: a root directory, or a server at an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from dasflex_core.errors import ConfigError
from dasflex_core.fetching import SCHEMES
from dasflex_core.site import Site, open_site

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.remote.site import RemoteSite

__all__ = ["is_address", "open_anywhere"]


def is_address(text: object) -> bool:
    """Whether a text is the address of a server rather than a path."""
    return isinstance(text, str) and text.lower().startswith(SCHEMES)


@overload
def open_anywhere(where: Path | None = None, *, user: str = "") -> Site: ...


@overload
def open_anywhere(where: str | Path | None, *, user: str = "") -> Site | RemoteSite: ...


def open_anywhere(where: str | Path | None = None, *, user: str = "") -> Site | RemoteSite:
    """The site of a root directory (or of its `dasflex.conf`), or of a server at an address.

    `https://host/das/server` is a dasflex or a das2.2 server. A log-in for it stands in the address,
    `https://name:password@host/`. Of a root, `user` is in whose name protected sources are asked.

    Without an argument: the root that the environment variable `DASFLEX_CONFIG` names, else the per-user one, which is
    made with the examples if need be. Raises `ConfigError` for what cannot be read, `SourceError` for a server that
    does not answer.
    """
    if not isinstance(where, str) or not is_address(where):
        return open_site(where, user=user)
    if user:
        what = "A server takes no user without a password: write https://name:password@host/…"
        raise ConfigError(what, kind="config.bad-value")
    from dasflex_core.remote.opening import open_remote

    return open_remote(where)
