# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the two serialisations of a VOTable, declared so that nothing heavy is imported.

They are written without a library: none of those that write VOTables streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import hookimpl
from dasflex_core.stages import Cost, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STAGES", "TYPES", "dasflex_stages", "dasflex_stream_types"]

_READS: Final = ("read.time.min", "read.time.max", "bin.time.max", "bin.stats", "dft.length")

#: What `TabledataFormatter.spec` and `Binary2Formatter.spec` are; a test compares them.
STAGES: Final = (
    StageSpec(
        name="votable",
        title="VOTable, rows as text (TABLEDATA)",
        accepts=ARRAYS,
        produces=StreamType("votable", "", "text"),
        factory="dasflex_votable.formatter:TabledataFormatter",
        reads=_READS,
        cost=Cost(0.15, 60.0),
    ),
    StageSpec(
        name="votable-binary2",
        title="VOTable, rows as bytes (BINARY2)",
        accepts=ARRAYS,
        produces=StreamType("votable", "", "binary"),
        factory="dasflex_votable.formatter:Binary2Formatter",
        reads=_READS,
        cost=Cost(0.15, 6.0),
    ),
)
TYPES: Final = (
    StreamTypeInfo(
        StreamType("votable", "", "binary"),
        "VOTable, rows as bytes",
        "application/x-votable+xml;serialization=binary2",
        "vot",
        many=False,
    ),
    StreamTypeInfo(
        StreamType("votable", "", "text"),
        "VOTable, rows as text",
        "application/x-votable+xml;serialization=tabledata",
        "xml",
        text=True,
        many=False,
    ),
)


@hookimpl
def dasflex_stages(register: Callable[[StageSpec], None]) -> None:
    """Registers the formatters."""
    for each in STAGES:
        register(each)


@hookimpl
def dasflex_stream_types(register: Callable[[StreamTypeInfo], None]) -> None:
    """Registers the types that they write."""
    for each in TYPES:
        register(each)
