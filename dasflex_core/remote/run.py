# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of another server as it comes, confirmed at its end, and what is decoded of it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from dasflex_core.errors import SourceError
from dasflex_core.loading import load
from dasflex_core.remote.asking import PATIENCE, asked
from dasflex_core.remote.confirming import Confirmed
from dasflex_core.streamtype import ARRAYS, StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.answers import Answer
    from dasflex_core.registry import Registry
    from dasflex_core.remote.asking import Address, Reply
    from dasflex_core.remote.serving import Question
    from dasflex_core.stages import StageSpec

__all__ = ["RemoteRecord", "RemoteRun", "decoded"]

#: How streams that can be decoded begin.
_BEGINNINGS: Final = ((b"[", StreamType("das", "2")), (b"|", StreamType("das", "3")))


@dataclass(frozen=True, slots=True)
class RemoteRecord:
    """What has come: its bytes and their hash, the id of the request there, and whether the server confirmed it.

    `records` is what the server says of them; None where it does not.
    """

    id: str = ""
    bytes: int = 0
    sha256: str = ""
    records: int | None = None
    confirmed: bool = False


class RemoteRun:
    """One answer of another server: a context manager. `bases` are where its records may be asked for."""

    def __init__(self, question: Question, bases: Iterable[Address], patience: float = PATIENCE) -> None:
        self._question = question
        self._bases = tuple(bases)
        self._patience = patience
        self._stack = ExitStack()
        self._reply: Reply | None = None
        self._confirmed: Confirmed | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self._stack.close()

    @property
    def media_type(self) -> str:
        """The media type of the answer; blank before it has begun."""
        return self._reply.media_type if self._reply else ""

    @property
    def record(self) -> RemoteRecord:
        """What has come so far."""
        told = self._confirmed
        if told is None:
            return RemoteRecord()
        records = told.record.get("records") if told.record else None
        return RemoteRecord(
            told.id, told.bytes, told.sha256, records if isinstance(records, int) else None, told.checked
        )

    def start(self) -> None:
        """Asks, and waits until the answer begins. Raises what the server says instead."""
        if self._reply is None:
            question = self._question
            self._reply = self._stack.enter_context(asked(question.where, question.pairs, patience=self._patience))
            self._confirmed = Confirmed(self._reply, self._bases)

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the answer. Raises `SourceError` at their end, where they are not all."""
        self.start()
        if self._reply is not None and self._confirmed is not None:
            yield from self._confirmed.watch(self._reply.chunks())


def decoded(chunks: Iterable[bytes], registry: Registry) -> Answer:
    """The answer that the bytes of a das stream make; without data it is empty. Raises `SourceError`."""
    from dasflex_core.answers import gather
    from dasflex_core.run.staging import decoded as items

    source = iter(chunks)
    first = next(filter(None, source), b"")
    if not first:
        return gather([])
    stage = load(decoder_of(first[:1], registry).factory)()
    return gather(each for each in items(stage, _joined(first, source)) if not _silent(each))


def _joined(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    """The first chunk, and the rest."""
    yield first
    yield from rest


def _silent(item: object) -> bool:
    """Whether an item only says that nothing has come."""
    from dasflex_core.run.silence import SILENCE

    return item is SILENCE


def decoder_of(head: bytes, registry: Registry) -> StageSpec:
    """The stage that decodes a stream, by its first byte. Raises `SourceError`."""
    for first, type_ in _BEGINNINGS:
        for stage in registry.stages:
            if head == first and stage.accepts and stage.produces == ARRAYS and type_.serves(stage.accepts):
                return stage
    raise SourceError("The answer is no das stream", kind="source.stream")
