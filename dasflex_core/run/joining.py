# SPDX-License-Identifier: GPL-3.0-or-later
"""Several byte streams of one type, one after the other, as one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dasflex_core.stages import Frame, Framer

__all__ = ["Joint", "concat_bytes", "concat_frames"]


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
    joint = Joint()
    for begin in inputs:
        framer = create()
        if framer is None:
            raise ConfigError("streams of this type cannot be joined, for lack of a framer", kind="config.plugin")
        for chunk in begin():
            # this may be empty: then nothing has come for a while
            yield b"".join([frame.data for frame in framer.feed(chunk) if joint.passes(frame)])
        for frame in framer.finish():
            yield frame.data


class Joint:
    """Decides which packets of streams that follow one another belong to the one stream that they make.

    The first header does. A declaration of a dataset does where the last one with its id had other bytes.
    """

    def __init__(self) -> None:
        self.headed = False
        self._declared: dict[int, bytes] = {}

    def passes(self, frame: Frame) -> bool:
        """Whether the next packet is to be passed on."""
        if frame.kind == "header":
            new, self.headed = not self.headed, True
            return new
        if frame.kind == "dataset":
            repeated = self._declared.get(frame.id) == frame.data
            self._declared[frame.id] = frame.data
            return not repeated
        return True
