# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the reducers.

The declarations are written out here, so that finding the plugins imports no numpy. Tests compare them with what the
classes themselves declare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_core.stages import StageSpec

__all__ = ["STAGES", "dasflex_stages"]

STAGES: Final[tuple[StageSpec, ...]] = ()


@hookimpl
def dasflex_stages(register: Callable[[StageSpec | type], None]) -> None:
    """Registers the reducers."""
    for stage in STAGES:
        register(stage)
