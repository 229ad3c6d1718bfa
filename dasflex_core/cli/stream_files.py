# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams kept in a file for a while, and what is decoded of them."""

from __future__ import annotations

from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import SourceError
from dasflex_core.plan.graph import Node
from dasflex_core.streamtype import ARRAYS, StreamType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.answers import Answer
    from dasflex_core.registry import Registry
    from dasflex_core.stages import StageSpec

__all__ = ["decoded", "decoder_of"]

#: The most bytes of one answer.
_MOST: Final = 512_000_000
#: How streams that can be decoded begin.
_BEGINNINGS: Final = ((b"[", StreamType("das", "2")), (b"|", StreamType("das", "3")))


def decoded(chunks: Iterable[bytes], registry: Registry) -> Answer:
    """The answer that the bytes of a das stream make; without data it is empty. Raises `SourceError`."""
    from dasflex_core.answers import gather
    from dasflex_core.run import Pump, PumpSettings

    with NamedTemporaryFile(prefix="dasflex-") as file:
        head, size = b"", 0
        for chunk in chunks:
            head = head or chunk[:1]
            size += len(chunk)
            if size > _MOST:
                raise SourceError(f"the answer has more than {_MOST // 10**6} MB; give the source a shorter example")
            file.write(chunk)
        file.flush()
        if not size:
            return gather([])
        type_, decoder = decoder_of(head, registry)
        nodes = (Node("answer", "file", type_, path=file.name), Node(decoder.name, "stage", ARRAYS, (0,), decoder))
        with Pump(nodes, PumpSettings(framer=registry.framer, info=registry.stream_type)) as pump:
            return gather(pump.items())


def decoder_of(head: bytes, registry: Registry) -> tuple[StreamType, StageSpec]:
    """The type of a stream by its first byte, and the stage that decodes it. Raises `SourceError`."""
    for first, type_ in _BEGINNINGS:
        for stage in registry.stages:
            if head == first and stage.accepts and stage.produces == ARRAYS and type_.serves(stage.accepts):
                return type_, stage
    raise SourceError("the answer is no das stream", kind="source.stream")
