# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides where pycdfpp is installed: the formatter, declared so that nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.declarations import DefinitionTable
from dasflex_core.extras import Extra
from dasflex_core.hookspecs import hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CDF", "CDF_TABLE", "STAGE", "TYPE", "dasflex_definition_tables", "dasflex_extras"]

CDF: Final = StreamType("cdf")

STAGE: Final = StageSpec(
    name="cdf",
    title="CDF file, as the ISTP guidelines want it",
    accepts=ARRAYS,
    produces=CDF,
    factory="dasflex_cdf.spool:CdfSpool",
    protocol="spool",
    needs=frozenset({"finite"}),
    reads=("read.time.min",),
    tells="dasflex_cdf.table:told",
    params=(
        ParamSpec(
            "format.cdf.compression",
            "offered",
            values=(("gzip", "Each variable by gzip, but for epochs"), ("none", "As they are")),
            default="gzip",
            title="How variables are compressed",
            attribute="compression",
        ),
    ),
    cost=Cost(0.3, 20.0),
)
TYPE: Final = StreamTypeInfo(CDF, "CDF", "application/x-cdf", "cdf", limit="CDF_MAX_BYTES")

CDF_TABLE: Final = DefinitionTable(
    "cdf", "What a CDF of the source says beside what its stream says", ("skeleton", "names", "attributes", "variables")
)


@hookimpl
def dasflex_extras(register: Callable[[Extra], None]) -> None:
    """Registers the formatter, which needs a library."""
    title = "CDF files with the attributes of ISTP"
    register(Extra("cdf", title, "dasflex[cdf]", "pycdfpp", stages=(STAGE,), stream_types=(TYPE,)))


@hookimpl
def dasflex_definition_tables(register: Callable[[DefinitionTable], None]) -> None:
    """Registers the table of what is said of CDF files, known whether they can be written or not."""
    register(CDF_TABLE)
