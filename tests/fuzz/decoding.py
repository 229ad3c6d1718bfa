# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fuzz targets of decoders share: a stream is fed in random chunks, and only a `SourceError` may come of it.

Beyond that a decoder must give the same records however the stream is cut, and the packets of the framer must make the
same records as the stream itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.arrays import Dataset, Records
from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from words import Words

    from dasflex_core.stages import Decoder, Framer


def cut(stream: bytes, words: Words) -> Iterator[bytes]:
    """The stream, cut: into pieces of one length, or of some lengths in turn."""
    lengths = [words.number(1, 1 << words.number(0, 16)) for _each in range(words.number(1, 4))]
    at = turn = 0
    while at < len(stream):
        length = max(lengths[turn % len(lengths)], len(stream) >> 9)
        yield stream[at : at + length]
        at, turn = at + length, turn + 1


def fed(stage: Decoder | Framer, chunks: Sequence[bytes]) -> tuple[list[object], str]:
    """What a stage makes of the chunks, and the kind of the error that ended it, or blank."""
    made: list[object] = []
    try:
        for chunk in chunks:
            made.extend(stage.feed(chunk))
        made.extend(stage.finish())
    except SourceError as error:
        return made, error.kind
    return made, ""


def told(items: Sequence[object]) -> tuple[list[object], dict[int, int]]:
    """The declarations and messages among the items, and the number of records by dataset."""
    counts: dict[int, int] = {}
    others: list[object] = []
    for item in items:
        if isinstance(item, Records):
            if any(len(column) != len(item) for column in item.columns.values()):
                raise AssertionError(f"columns of different lengths in {item.dataset.name}")
            counts[item.dataset.id] = counts.get(item.dataset.id, 0) + len(item)
        else:
            others.append((item.id, item.index, item.wire) if isinstance(item, Dataset) else item)
    return others, counts


def check_decoder(decoder: Callable[[], Decoder], stream: bytes, words: Words) -> None:
    """Raises `AssertionError` where a decoder makes something else of the same stream in chunks."""
    whole, wrong = fed(decoder(), [stream])
    split, split_wrong = fed(decoder(), list(cut(stream, words)))
    if bool(wrong) != bool(split_wrong):
        raise AssertionError(f"whole: {wrong or 'no error'}; in chunks: {split_wrong or 'no error'}")
    if not wrong and told(whole) != told(split):
        raise AssertionError(f"whole: {told(whole)}; in chunks: {told(split)}")


def check(decoder: Callable[[], Decoder], framer: Callable[[], Framer], stream: bytes, words: Words) -> None:
    """Raises `AssertionError` where decoder and framer do not agree with themselves and one another."""
    chunks = list(cut(stream, words))
    whole, wrong = fed(decoder(), [stream])
    split, split_wrong = fed(decoder(), chunks)
    if wrong != split_wrong:
        raise AssertionError(f"whole: {wrong or 'no error'}; in chunks: {split_wrong or 'no error'}")
    frames, unframed = fed(framer(), chunks)
    at_once, unframed_at_once = fed(framer(), [stream])
    common = min(len(frames), len(at_once))
    if unframed != unframed_at_once or frames[:common] != at_once[:common]:
        raise AssertionError("the frames depend on the chunks")
    if wrong:  # damage of a compressed stream is seen a little earlier or later
        return
    if len(frames) != len(at_once):
        raise AssertionError("the number of frames depends on the chunks")
    if told(whole) != told(split):
        raise AssertionError(f"whole: {told(whole)}; in chunks: {told(split)}")
    if unframed:
        raise AssertionError(f"a stream that can be decoded cannot be framed: {unframed}")
    again, _wrong = fed(decoder(), [frame.data for frame in frames])
    if told(again)[1] != told(whole)[1]:
        raise AssertionError(f"records: {told(whole)[1]}; of the frames: {told(again)[1]}")
