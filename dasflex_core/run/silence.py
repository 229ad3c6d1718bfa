# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign that nothing has come for a while, where items flow. Where bytes do, an empty chunk is the same sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Comment

if TYPE_CHECKING:
    from dasflex_core.arrays import Item

__all__ = ["SILENCE"]

#: Told by identity: no stage is given it, and no answer holds it.
SILENCE: Final[Item] = Comment("silence", "", "dasflex")
