# SPDX-License-Identifier: GPL-3.0-or-later
"""dasflex: from a request to a solved, running, streaming pipeline. The public API, and only that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import (
    AccessError,
    BusyError,
    ConfigError,
    DasflexError,
    NotFoundError,
    QueryError,
    SourceError,
)

if TYPE_CHECKING:
    from dasflex_core.opening import open_anywhere as open  # noqa: A004  the word that users know: dasflex_core.open()
    from dasflex_core.site import Request, Site, Source
    from dasflex_core.solved import Plan

__all__ = [
    "AccessError",
    "BusyError",
    "ConfigError",
    "DasflexError",
    "NotFoundError",
    "Plan",
    "QueryError",
    "Request",
    "Site",
    "Source",
    "SourceError",
    "open",
]

_LATE = ("Plan", "Request", "Site", "Source")


def __getattr__(name: str) -> object:
    """The public names that are imported when they are used: importing dasflex_core itself costs next to nothing."""
    if name in _LATE:
        from dasflex_core import site

        return getattr(site, name)
    if name == "open":
        from dasflex_core.opening import open_anywhere

        return open_anywhere
    raise AttributeError(f"module 'dasflex_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return __all__
