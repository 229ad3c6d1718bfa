# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the reducers.

The declarations are written out here, so that finding the plugins imports no numpy. Tests compare them with what the
classes themselves declare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import ClassicProgram, Summing, hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS
from dasflex_reduce.shaping import CLASSIC_PROGRAMS, SHAPING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STAGES", "dasflex_stages"]

_STATISTICS: Final = (
    ("mean", "Mean of the values"),
    ("min", "Smallest value"),
    ("max", "Largest value"),
    ("stddev", "Sample standard deviation"),
    ("count", "How many values were not fill"),
    ("median", "Middle value"),
)

BIN_AVERAGE: Final = StageSpec(
    name="bin-average",
    title="Statistics of the values in bins of time",
    accepts=ARRAYS,
    produces=ARRAYS,
    factory="dasflex_reduce.bin_average:BinAverage",
    adds=frozenset({"sampled"}),
    drops=frozenset({"ragged", "waveform"}),
    params=(
        ParamSpec(
            "bin.time.max",
            type="real",
            units="s",
            low=1e-9,
            high=4e9,
            title="Width of the bins",
            help="Each holds the records of so many seconds",
            attribute="seconds",
        ),
        ParamSpec(
            "bin.stats",
            "modifier",
            "list",
            values=_STATISTICS,
            default="mean",
            title="What is told of the values of a bin",
            attribute="stats",
        ),
        ParamSpec(
            "bin.align",
            "modifier",
            values=(("begin", "At the begin of the request"), ("grid", "At midnight, whatever was asked")),
            default="begin",
            title="Where bins begin",
            attribute="align",
        ),
    ),
    reads=("read.time.min",),
    admits="dasflex_reduce.admitting_bins:has_records",
    cost=Cost(per_gb=1.5),
)

BIN_COORDINATE: Final = StageSpec(
    name="bin-coordinate",
    title="Statistics of the values in bins of a coordinate",
    accepts=ARRAYS,
    produces=ARRAYS,
    factory="dasflex_reduce.bin_coordinate:BinCoordinate",
    params=(
        ParamSpec(
            "bin.{coord}.max",
            type="real",
            low=0.0,
            title="Width of the bins",
            help="In the units of the coordinate itself",
            attribute="width",
        ),
        ParamSpec(
            "bin.stats",
            "offered",
            "list",
            values=_STATISTICS,
            default="mean",
            title="What is told of the values of a bin",
            attribute="stats",
        ),
    ),
    admits="dasflex_reduce.admitting_bins:has_coordinate",
    cost=Cost(per_gb=2.0),
)

RATE: Final = StageSpec(
    name="rate",
    title="How much data there are in bins of time",
    accepts=ARRAYS,
    produces=ARRAYS,
    factory="dasflex_reduce.rate:Rate",
    refuses=frozenset({"live"}),
    adds=frozenset({"sampled", "one"}),
    drops=frozenset({"waveform", "spectra", "scatter", "ragged", "strings"}),
    params=(
        ParamSpec(
            "calc.rate",
            type="real",
            units="s",
            low=1e-3,
            high=4e9,
            title="Width of the bins in which data are counted",
            attribute="seconds",
        ),
        ParamSpec(
            "calc.rate.of",
            "modifier",
            values=(
                ("records", "Records in each bin"),
                ("bytes", "Bytes of data in each bin"),
                ("kB", "The same in units of 1,024 bytes"),
                ("MB", "The same in units of 1,024 kB"),
                ("GB", "The same in units of 1,024 MB"),
                ("events", "1 where a bin has records, 0 where it has none"),
            ),
            default="records",
            title="What is counted",
            attribute="of",
        ),
        ParamSpec(
            "calc.rate.title",
            "modifier",
            title="Title of the stream",
            help="In place of its own",
            attribute="title",
        ),
        ParamSpec(
            "calc.rate.label",
            "modifier",
            title="Label of the counts",
            help="On their axis",
            attribute="label",
        ),
    ),
    reads=("read.time.min",),
    admits="dasflex_reduce.admitting_bins:has_records",
    cost=Cost(per_gb=1.0),
)

#: How the bins of `bin-average` are kept in blocks.
SUMMING: Final = Summing(
    BIN_AVERAGE.name,
    sums="dasflex_reduce.sums:Sums",
    widen="dasflex_reduce.widen:Widen",
    write="dasflex_reduce.sums_stream:write_stream",
    read="dasflex_reduce.sums_stream:read_stream",
)

STAGES: Final[tuple[StageSpec, ...]] = (BIN_AVERAGE, BIN_COORDINATE, RATE)


@hookimpl
def dasflex_stages(register: Callable[[StageSpec | type], None]) -> None:
    """Registers the reducers."""
    for stage in (*STAGES, *SHAPING):
        register(stage)


@hookimpl
def dasflex_classic_programs(register: Callable[[ClassicProgram], None]) -> None:
    """Registers the classic programs whose work the reducers do."""
    for program in CLASSIC_PROGRAMS:
        register(program)


@hookimpl
def dasflex_summings(register: Callable[[Summing], None]) -> None:
    """Registers how bins are kept."""
    register(SUMMING)
