# SPDX-License-Identifier: GPL-3.0-or-later
"""What a das stream that comes in pieces says, by the decoders of the installed plugins."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from dasflex_core.cli.stream_files import decoder_of
from dasflex_core.errors import DasflexError
from dasflex_core.loading import load

if TYPE_CHECKING:
    from dasflex_core.arrays import Item
    from dasflex_core.registry import Registry
    from dasflex_core.stages import Stage

__all__ = ["Decoding"]

#: The first bytes of das2 and das3 streams.
_FIRSTS: Final = (b"[", b"|")


class Decoding:
    """Decodes a stream by its first bytes. `known` is False for what no plugin decodes, of which nothing comes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._stage: Stage[bytes, Item] | None = None
        self.known: bool | None = None

    def prepare(self) -> None:
        """Imports the decoders now, so that it takes no time when the first bytes are there."""
        for first in _FIRSTS:
            with suppress(DasflexError):
                load(decoder_of(first, self._registry)[1].factory)

    def feed(self, data: bytes) -> list[Item]:
        """The items that the next bytes complete. Raises `SourceError` for what is no valid stream."""
        if self.known is None and data:
            self._begin(data)
        return list(self._stage.feed(data)) if self._stage is not None else []

    def _begin(self, data: bytes) -> None:
        """Finds the decoder."""
        try:
            _type, spec = decoder_of(data[:1], self._registry)
        except DasflexError:
            self.known = False
            return
        self._stage = cast("Stage[bytes, Item]", load(spec.factory)())
        self.known = True
