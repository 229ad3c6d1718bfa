# SPDX-License-Identifier: GPL-3.0-or-later
"""A failure as a whole stream of the type that a client expects, and which type that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import DasflexError
from dasflex_core.loading import load
from dasflex_core.streamtype import StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.catalog.model import Definition
    from dasflex_core.registry import Registry

__all__ = ["asked_type", "own_type", "telling_type", "told"]


def asked_type(pairs: Iterable[tuple[str, str]]) -> StreamType | None:
    """The stream type that a request names, if it names one."""
    from dasflex_core.plan.parameters import canonical_name

    named = {canonical_name(name): value for name, value in pairs if value}
    kind = named.get("format.type")
    return StreamType(kind.lower(), named.get("format.version", "")) if kind else None


def own_type(definition: Definition) -> StreamType | None:
    """The stream type that a source gives to who names none: that of its defaults, else of its first reader."""
    kind = dict(definition.defaults)
    if "format.type" in kind:
        return StreamType(kind["format.type"], kind.get("format.version", ""))
    written = next((reader.writes for reader in definition.readers if reader.writes), "")
    return StreamType.parse(written) if written else None


def telling_type(registry: Registry, wanted: StreamType) -> StreamTypeInfo | None:
    """The variant of a type that can tell a failure, if there is one: that which people can read before others."""
    for each in (StreamType(wanted.kind, wanted.version, "text"), wanted):
        info = registry.stream_type(each)
        if info is not None and info.failure:
            return info
    return None


def told(info: StreamTypeInfo, kind: str, text: str) -> bytes:
    """A whole stream that says only what went wrong; `kind` is that of an error, or an exception type of das3."""
    body = load(info.failure)(kind, text)
    if not isinstance(body, bytes):
        raise DasflexError(f"{info.failure} gives no bytes")
    return body
