# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets of one size as rows of bytes, in memory that is used again: fresh memory costs about what the digits do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PacketRows"]


class PacketRows:
    """The memory of an encoder for the packets of one batch after the other."""

    def __init__(self) -> None:
        self._memory = np.empty(0, dtype=np.uint8)

    def take(self, count: int, size: int) -> NDArray[np.uint8]:
        """Rows of shape (count, size), whose bytes may be anything. The next rows stand in the same memory."""
        if self._memory.size < count * size:
            self._memory = np.empty(count * size, dtype=np.uint8)
        return self._memory[: count * size].reshape(count, size)
