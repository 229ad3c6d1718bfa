# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the stage and the stream type, declared by hand so that nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import ClassicProgram, hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CSV", "CSV_STAGE", "dasflex_classic_programs", "dasflex_stages", "dasflex_stream_types"]

CSV: Final = StreamType("csv")

#: What `CsvFormatter.spec` is; a test compares them.
CSV_STAGE: Final = StageSpec(
    name="csv",
    title="Comma-separated values, one row per record",
    accepts=ARRAYS,
    produces=CSV,
    factory="dasflex_csv.formatter:CsvFormatter",
    params=(
        ParamSpec(
            "format.delim",
            "offered",
            title="What separates cells",
            help="A character, or comma, semicolon, tab or pipe. Not given: a comma, or a semicolon in the das style.",
            attribute="delim",
        ),
        ParamSpec(
            "format.headers",
            "offered",
            "boolean",
            default="true",
            title="Whether headers are written",
            attribute="headers",
        ),
        ParamSpec(
            "format.csv.style",
            "offered",
            values=(("plain", "One header row, for data frames"), ("das", "The layout of classic das3_csv")),
            default="plain",
            title="Layout",
            attribute="style",
        ),
        ParamSpec(
            "format.csv.props",
            "offered",
            "boolean",
            default="false",
            title="Whether properties are written",
            help="Rows of properties before the headers of each dataset, in the das style.",
            attribute="props",
        ),
        ParamSpec(
            "format.csv.dsid",
            "offered",
            "boolean",
            title="Whether rows start with the number of their dataset",
            help="In the das style. Not given: they do.",
            attribute="dsid",
        ),
        ParamSpec(
            "format.secfrac",
            "offered",
            "integer",
            low=0,
            high=9,
            title="Digits of a second",
            help="Not given: as many as the times of the data need, or 3 in the das style.",
            attribute="secfrac",
        ),
        ParamSpec(
            "format.sigdigit",
            "offered",
            "integer",
            low=2,
            high=17,
            title="Significant digits",
            help="Of every real number. Not given: the fewest that read back as the same number, or in the das style "
            "what any number of the type needs.",
            attribute="sigdigit",
        ),
    ),
    cost=Cost(0.1, 12.0),
)


@hookimpl
def dasflex_stages(register: Callable[[StageSpec | type], None]) -> None:
    """Registers the formatter."""
    register(CSV_STAGE)


@hookimpl
def dasflex_stream_types(register: Callable[[StreamTypeInfo], None]) -> None:
    """Registers the type of what it writes."""
    register(StreamTypeInfo(CSV, "Comma-separated values", "text/csv", "csv", text=True))


@hookimpl
def dasflex_classic_programs(register: Callable[[ClassicProgram], None]) -> None:
    """Registers the classic program that wrote it."""
    register(ClassicProgram("das3_csv", "Das streams to CSV", "dasflex_csv.classic:words", ("das3-decode", "csv")))
