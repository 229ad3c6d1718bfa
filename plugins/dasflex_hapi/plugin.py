# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: data sets of HAPI servers as sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import ReaderKind, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HAPI_SERVERS", "dasflex_reader_kinds"]

HAPI_SERVERS: Final = ReaderKind(
    "hapi-server", "Data sets of HAPI servers", "url", "dasflex_hapi.binding:bind", scheme="hapi"
)


@hookimpl
def dasflex_reader_kinds(register: Callable[[ReaderKind], None]) -> None:
    """Registers the reader of HAPI servers."""
    register(HAPI_SERVERS)
