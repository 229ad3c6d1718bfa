# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin could do if an optional library were installed: declared whether it is or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_core.stages import StageSpec
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = ["Extra"]


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional library, and what comes with it.

    `requirement` is what pip installs (`dasflex[cdf]`), and `library` the module that is looked for, without importing
    it. `stages` and `stream_types` belong to the plugin where it is found; where not, they tell what it would add to a
    source. `shows` is for what no stage does, such as a plot on a page: the kind of stream that a source must give to
    have it; blank where it is for no source.
    """

    name: str
    title: str
    requirement: str
    library: str
    stages: tuple[StageSpec, ...] = ()
    stream_types: tuple[StreamTypeInfo, ...] = ()
    shows: str = ""
