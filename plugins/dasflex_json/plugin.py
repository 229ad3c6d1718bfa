# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the stages and the stream types, declared by hand so that nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JSON", "JSON_LINES", "STAGES", "TYPES", "dasflex_stages", "dasflex_stream_types"]

JSON: Final = StreamType("json")
JSON_LINES: Final = StreamType("jsonl")

_SECFRAC: Final = ParamSpec(
    "format.secfrac",
    "offered",
    "integer",
    low=0,
    high=9,
    title="Digits of a second",
    help="Not given: as many as the times of the data need.",
    attribute="secfrac",
)

_SHAPE: Final = ParamSpec(
    "format.shape",
    "offered",
    values=(("columns", "A list per variable"), ("rows", "A list per record")),
    default="columns",
    title="How records are written",
    attribute="shape",
)

#: What `JsonFormatter.spec` and `JsonLinesFormatter.spec` are; a test compares them.
STAGES: Final = (
    StageSpec(
        name="json",
        title="JSON, typed and with its declarations",
        accepts=ARRAYS,
        produces=JSON,
        factory="dasflex_json.formatter:JsonFormatter",
        params=(_SECFRAC, _SHAPE),
        cost=Cost(0.1, 25.0),
    ),
    StageSpec(
        name="jsonl",
        title="JSON lines: the same objects, each on a line of its own",
        accepts=ARRAYS,
        produces=JSON_LINES,
        factory="dasflex_json.formatter:JsonLinesFormatter",
        params=(_SECFRAC,),
        cost=Cost(0.1, 25.0),
    ),
)
TYPES: Final = (
    StreamTypeInfo(JSON, "JSON with declarations", "application/json", "json", text=True),
    StreamTypeInfo(
        JSON_LINES,
        "JSON lines with declarations",
        "application/jsonl",
        "jsonl",
        text=True,
        framer="dasflex_json.lines:LinesFramer",
        problem="dasflex_json.lines:problem_line",
        comment="dasflex_json.lines:comment_line",
    ),
)


@hookimpl
def dasflex_stages(register: Callable[[StageSpec | type], None]) -> None:
    """Registers the formatters."""
    for each in STAGES:
        register(each)


@hookimpl
def dasflex_stream_types(register: Callable[[StreamTypeInfo], None]) -> None:
    """Registers the types of what they write."""
    for each in TYPES:
        register(each)
