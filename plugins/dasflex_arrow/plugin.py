# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides where pyarrow is installed: the formatters, declared so that nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.extras import Extra
from dasflex_core.hookspecs import hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ARROW", "PARQUET", "STAGES", "TYPES", "dasflex_extras"]

ARROW: Final = StreamType("arrow")
PARQUET: Final = StreamType("parquet")

#: What `ArrowFormatter.spec` and `ParquetFormatter.spec` are; a test compares them.
STAGES: Final = (
    StageSpec(
        name="arrow",
        title="Arrow IPC stream, batch by batch",
        accepts=ARRAYS,
        produces=ARROW,
        factory="dasflex_arrow.formatter:ArrowFormatter",
        params=(
            ParamSpec(
                "format.arrow.codec",
                "offered",
                values=(("none", "As they are"), ("lz4", "LZ4, quick"), ("zstd", "Zstandard, small")),
                default="none",
                title="How batches are compressed",
                attribute="codec",
            ),
        ),
        cost=Cost(0.2, 1.5),
    ),
    StageSpec(
        name="parquet",
        title="Parquet file, row group by row group",
        accepts=ARRAYS,
        produces=PARQUET,
        factory="dasflex_arrow.formatter:ParquetFormatter",
        params=(
            ParamSpec(
                "format.parquet.codec",
                "offered",
                values=(
                    ("none", "As they are"),
                    ("snappy", "Snappy, which all readers have"),
                    ("zstd", "Zstandard, small"),
                ),
                default="zstd",
                title="How columns are compressed",
                attribute="codec",
            ),
        ),
        cost=Cost(0.3, 8.0),
    ),
)
TYPES: Final = (
    StreamTypeInfo(ARROW, "Arrow IPC stream", "application/vnd.apache.arrow.stream", "arrows", many=False),
    StreamTypeInfo(PARQUET, "Parquet", "application/vnd.apache.parquet", "parquet", many=False),
)


@hookimpl
def dasflex_extras(register: Callable[[Extra], None]) -> None:
    """Registers the formatters, which need a library."""
    title = "Arrow streams and Parquet files, for data frames"
    register(Extra("arrow", title, "dasflex[arrow]", "pyarrow", stages=STAGES, stream_types=TYPES))
