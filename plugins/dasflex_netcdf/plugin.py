# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides where h5netcdf is installed: the formatter, declared so that nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.extras import Extra
from dasflex_core.hookspecs import hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NETCDF", "STAGE", "TYPE", "dasflex_extras"]

NETCDF: Final = StreamType("netcdf")

#: What `NetcdfFormatter.spec` is; a test compares them.
STAGE: Final = StageSpec(
    name="netcdf",
    title="NetCDF-4 file with the attributes of the CF conventions",
    accepts=ARRAYS,
    produces=NETCDF,
    factory="dasflex_netcdf.formatter:NetcdfFormatter",
    protocol="spool",
    needs=frozenset({"finite"}),
    params=(
        ParamSpec(
            "format.netcdf.deflate",
            "offered",
            "integer",
            low=0,
            high=9,
            default="1",
            title="How hard values are compressed",
            help="0: not at all; 9: slowest and smallest.",
            attribute="deflate",
        ),
    ),
    reads=("read.time.min", "read.time.max", "bin.time.max", "bin.stats", "dft.length"),
    cost=Cost(0.3, 12.0),
)
TYPE: Final = StreamTypeInfo(NETCDF, "NetCDF", "application/x-netcdf", "nc", many=False)


@hookimpl
def dasflex_extras(register: Callable[[Extra], None]) -> None:
    """Registers the formatter, which needs a library."""
    title = "NetCDF-4 files, for xarray and its kin"
    register(Extra("netcdf", title, "dasflex[netcdf]", "h5netcdf", stages=(STAGE,), stream_types=(TYPE,)))
