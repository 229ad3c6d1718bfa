# SPDX-License-Identifier: GPL-3.0-or-later
"""What a das stream that comes in pieces says, by the decoders of the installed plugins: its items, and their times."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from dasflex_core.cli.stream_files import decoder_of
from dasflex_core.errors import DasflexError
from dasflex_core.loading import load

if TYPE_CHECKING:
    from dasflex_core.arrays import Item, Records, Variable
    from dasflex_core.registry import Registry
    from dasflex_core.stages import Stage

__all__ = ["Decoding", "instants", "told_failure"]

#: The first bytes of das2 and das3 streams.
_FIRSTS: Final = (b"[", b"|")
#: Characters of a refusal's text that are shown.
_SHOWN: Final = 1000
_MESSAGE: Final = re.compile(r"""<exception\b[^>]*?\b(?:message|value)=(?:"([^"]*)"|'([^']*)')""", re.DOTALL)
_ELEMENT: Final = re.compile(r"<exception\b[^>]*>(.*?)</exception>", re.DOTALL)
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


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


def instants(records: Records) -> list[float]:
    """The time of each record in seconds since 1970; none where the records have no time."""
    import numpy as np

    time = _time(records)
    if time is None:
        return []
    column = np.asarray(records[time.name])
    if column.dtype.kind != "M":
        from dasflex_core.epochs import to_datetime64

        column = to_datetime64(column, time.units)
    known = column[~np.isnat(column)]
    seconds: list[float] = (known.astype("M8[ns]").view("i8") / 1e9).tolist()
    return seconds


def _time(records: Records) -> Variable | None:
    """The variable that says when a record is: its center, or what offsets count from."""
    from dasflex_core.epochs import is_epoch

    found = [
        each
        for dimension in records.dataset.dimensions
        if dimension.coordinate
        for each in dimension.variables
        if each.name in records.columns and not each.shape and (each.dtype.kind == "M" or is_epoch(each.units))
    ]
    return min(found, key=lambda each: each.role not in ("center", "reference"), default=None)


def told_failure(body: bytes) -> str:
    """What a refusal says, on one line: the text of its das exception, else the text itself unless it is a page."""
    text = body.decode("utf-8", "replace")
    found = _MESSAGE.search(text) or _ELEMENT.search(text)
    said = next((group for group in found.groups() if group), "") if found else text
    if not found and "<html" in text.lower():
        said = ""
    for entity, character in _ENTITIES if found else ():
        said = said.replace(entity, character)
    words = " ".join("".join(char for char in said if char.isprintable() or char.isspace()).split())
    return words[:_SHOWN]
