# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the stage and the stream type, declared by hand so that nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JSON", "JSON_STAGE", "dasflex_stages", "dasflex_stream_types"]

JSON: Final = StreamType("json")

#: What `JsonFormatter.spec` is; a test compares them.
JSON_STAGE: Final = StageSpec(
    name="json",
    title="JSON, typed and with its declarations",
    accepts=ARRAYS,
    produces=JSON,
    factory="dasflex_json.formatter:JsonFormatter",
    params=(
        ParamSpec(
            "format.shape",
            "offered",
            values=(
                ("columns", "A list per variable"),
                ("rows", "A list per record"),
                ("lines", "A list per variable, and each item a JSON text on a line of its own"),
            ),
            default="columns",
            title="How records are written",
            attribute="shape",
        ),
        ParamSpec(
            "format.secfrac",
            "offered",
            "integer",
            low=0,
            high=9,
            title="Digits of a second",
            help="Not given: as many as the times of the data need.",
            attribute="secfrac",
        ),
    ),
    cost=Cost(0.1, 25.0),
)


@hookimpl
def dasflex_stages(register: Callable[[StageSpec | type], None]) -> None:
    """Registers the formatter."""
    register(JSON_STAGE)


@hookimpl
def dasflex_stream_types(register: Callable[[StreamTypeInfo], None]) -> None:
    """Registers the type of what it writes."""
    register(StreamTypeInfo(JSON, "JSON with declarations", "application/json", "json", text=True))
