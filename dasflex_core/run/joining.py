# SPDX-License-Identifier: GPL-3.0-or-later
"""Several byte streams of one type, one after the other, as one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dasflex_core.stages import Frame, Framer

__all__ = ["concat_bytes", "concat_frames"]


def concat_bytes(inputs: Sequence[Callable[[], Iterator[bytes]]]) -> Iterator[bytes]:
    """The inputs as they are; each is begun when the one before it has ended."""
    for begin in inputs:
        yield from begin()


def concat_frames(
    inputs: Sequence[Callable[[], Iterator[bytes]]], create: Callable[[], Framer | None]
) -> Iterator[bytes]:
    """The inputs as one stream: the header of the first, and each declaration of a dataset only where it is new.

    A declaration counts as new if the last one with its id had other bytes. Each input is begun when the one before
    it has ended, and has a framer of its own.
    """
    declared: dict[int, bytes] = {}
    headed = False
    for begin in inputs:
        framer = create()
        if framer is None:
            raise ConfigError("streams of this type cannot be joined, for lack of a framer", kind="config.plugin")
        for chunk in begin():
            kept: list[bytes] = []  # it may remain empty: then nothing has come for a while
            for frame in framer.feed(chunk):
                if _is_new(frame, declared, headed=headed):
                    kept.append(frame.data)
                headed = headed or frame.kind == "header"
            yield b"".join(kept)
        for frame in framer.finish():
            yield frame.data


def _is_new(frame: Frame, declared: dict[int, bytes], *, headed: bool) -> bool:
    """Whether a packet is to be passed on; notes declarations."""
    if frame.kind == "header":
        return not headed
    if frame.kind == "dataset":
        repeated = declared.get(frame.id) == frame.data
        declared[frame.id] = frame.data
        return not repeated
    return True
