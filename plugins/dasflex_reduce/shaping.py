# SPDX-License-Identifier: GPL-3.0-or-later
"""The declarations of what transforms a stream or cuts it down, written out so that finding them imports no numpy.

Tests compare them with what the classes themselves declare.
"""

from __future__ import annotations

from typing import Final

from dasflex_core.hookspecs import ClassicProgram
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS

__all__ = ["CLASSIC_PROGRAMS", "SHAPING"]

CLASSIC_PROGRAMS: Final = tuple(
    ClassicProgram(name, title, f"dasflex_reduce.classic:{words}", ("das2-decode", *stages, "das2-binary"))
    for name, title, words, stages in (
        ("das2_psd", "Spectral densities", "psd", ("spectral-density", "spectral-density-lines")),
        ("das2_bin_avgsec", "Averages in bins of time", "bin_avgsec", ("bin-average",)),
        ("das2_bin_peakavgsec", "Averages and peaks in bins of time", "bin_peakavgsec", ("bin-average",)),
        ("das2_bin_ratesec", "Rates and coverage in bins of time", "bin_ratesec", ("rate",)),
        ("das2_histo", "Histograms of values", "histo", ("histogram",)),
    )
)

#: What a spectral density is asked, of a waveform and of a line alike.
_DFT: Final = (
    ParamSpec(
        "dft.length",
        type="integer",
        low=16,
        title="Points",
        help="Points of each Fourier transform; an even number",
        attribute="length",
    ),
    ParamSpec(
        "dft.slide",
        mode="modifier",
        type="integer",
        low=1,
        default="1",
        title="Denominator of the slide",
        help="Each segment begins length/slide points after the one before it: 2 makes them overlap by half",
        attribute="slide",
    ),
    ParamSpec(
        "dft.window",
        mode="modifier",
        values=(("hann", ""), ("hamming", ""), ("blackman", ""), ("none", "")),
        default="hann",
        title="Window function",
        attribute="window",
    ),
    ParamSpec(
        "dft.detrend",
        mode="modifier",
        values=(("mean", ""), ("none", ""), ("linear", "")),
        default="mean",
        title="What is taken away from each segment",
        attribute="detrend",
    ),
    ParamSpec(
        "dft.cadence",
        mode="modifier",
        type="real",
        units="s",
        low=1e-9,
        title="Widest step of spectra",
        help="Told as xTagWidth: up to this far apart a display draws two spectra without a gap",
        attribute="cadence",
    ),
)
_SKIP: Final = ParamSpec(
    "dft.skip",
    mode="modifier",
    type="boolean",
    default="true",
    title="Whether data of too few samples are left out",
    help="Else they are an error",
    attribute="skip",
)
_JITTER: Final = ParamSpec(
    "dft.jitter",
    mode="modifier",
    type="real",
    low=0.0,
    default="0.01",
    title="How uneven records may be",
    help="Of three times 2·|t2 - 2·t1 + t0| / |t2 - t0|; where it is more, segments begin anew",
    attribute="jitter",
)

SHAPING: Final = (
    StageSpec(
        name="spectral-density",
        title="Spectral densities of waveforms, by windowed Fourier transforms",
        accepts=ARRAYS,
        produces=ARRAYS,
        factory="dasflex_reduce.spectral_density:SpectralDensity",
        needs=frozenset({"waveform"}),
        adds=frozenset({"axis:frequency", "spectra"}),
        drops=frozenset({"ragged", "waveform"}),
        admits="dasflex_reduce.admitting:transform",
        params=(*_DFT, _SKIP),
        cost=Cost(per_gb=4.0),
    ),
    StageSpec(
        name="spectral-density-lines",
        title="Spectral densities of lines, by windowed Fourier transforms of records in a row",
        accepts=ARRAYS,
        produces=ARRAYS,
        factory="dasflex_reduce.line_spectra:LineSpectralDensity",
        needs=frozenset({"sampled"}),
        refuses=frozenset({"ragged", "scatter", "spectra", "waveform"}),
        adds=frozenset({"axis:frequency", "spectra"}),
        admits="dasflex_reduce.admitting:transform_lines",
        params=(*_DFT, _JITTER),
        cost=Cost(per_gb=4.0),
    ),
    StageSpec(
        name="trim",
        title="Records within the time range that was asked",
        accepts=ARRAYS,
        produces=ARRAYS,
        factory="dasflex_reduce.trim:Trim",
        params=(
            ParamSpec(
                "read.time.min",
                mode="offered",
                type="time",
                title="First time",
                help="Records before it are dropped",
                attribute="begin",
            ),
            ParamSpec(
                "read.time.max",
                mode="offered",
                type="time",
                title="Last time",
                help="Records at or after it are dropped",
                attribute="end",
            ),
        ),
        cost=Cost(per_gb=0.2),
    ),
    StageSpec(
        name="select",
        title="Only the data variables that were asked for",
        accepts=ARRAYS,
        produces=ARRAYS,
        factory="dasflex_reduce.subset:Select",
        admits="dasflex_reduce.admitting:select",
        params=(
            ParamSpec(
                "read.data",
                type="list",
                title="The data variables",
                help="Their names, between commas",
                attribute="names",
            ),
        ),
        cost=Cost(per_gb=0.1),
    ),
    StageSpec(
        name="cut",
        title="Only a part of an axis other than time",
        accepts=ARRAYS,
        produces=ARRAYS,
        factory="dasflex_reduce.subset:Cut",
        admits="dasflex_reduce.admitting:cut",
        params=(
            ParamSpec(
                "read.{coord}.min",
                mode="offered",
                type="real",
                title="Lowest value",
                help="In the units of the coordinate; it is kept",
                attribute="low",
            ),
            ParamSpec(
                "read.{coord}.max",
                mode="offered",
                type="real",
                title="Lowest value that is no longer wanted",
                help="In the same units",
                attribute="high",
            ),
        ),
        cost=Cost(per_gb=0.5),
    ),
    StageSpec(
        name="quiet",
        title="Streams without remarks",
        accepts=ARRAYS,
        produces=ARRAYS,
        factory="dasflex_reduce.quiet:Quiet",
        params=(
            ParamSpec(
                "format.remarks",
                values=(
                    ("data", "Without how far the reader is"),
                    ("none", "Without comments and exceptions"),
                ),
                title="Which remarks are kept in the stream",
                attribute="kept",
            ),
        ),
        cost=Cost(per_gb=0.01),
    ),
    StageSpec(
        name="decimate",
        title="Fewer records, for a display of so many points",
        accepts=ARRAYS,
        produces=ARRAYS,
        factory="dasflex_reduce.decimate:Decimate",
        refuses=frozenset({"waveform"}),
        reads=(
            "read.time.min",
            "read.time.max",
        ),
        admits="dasflex_reduce.admitting:decimate",
        params=(
            ParamSpec(
                "view.points",
                type="integer",
                low=1,
                title="Points",
                help="About how many points a line may have",
                attribute="points",
            ),
        ),
        cost=Cost(per_gb=1.0),
    ),
    StageSpec(
        name="histogram",
        title="Histograms of exact values. One object counts the whole stream, since its datasets are numbered anew",
        accepts=ARRAYS,
        produces=ARRAYS,
        factory="dasflex_reduce.histogram:Histogram",
        drops=frozenset({"ragged", "sampled", "scatter", "spectra", "waveform"}),
        params=(
            ParamSpec(
                "calc.histogram",
                values=(
                    (
                        "count",
                        "How often each value occurs",
                    ),
                    (
                        "below",
                        "Fraction of values that are not greater",
                    ),
                    (
                        "above",
                        "Fraction of values that are not less",
                    ),
                ),
                title="What is told of each value",
                attribute="kind",
            ),
        ),
        cost=Cost(per_gb=8.0),
    ),
)
