# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides where matplotlib is installed: pictures, declared so that nothing heavy is imported.

The parameters of the family `plot` stand beside those of `format`: a picture consumes both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.extras import Extra
from dasflex_core.hookspecs import Family, hookimpl
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STAGES", "TYPES", "dasflex_extras", "dasflex_families"]

PNG: Final = StreamType("png")
SVG: Final = StreamType("svg")
PDF: Final = StreamType("pdf")

#: The parameters of a picture of any form.
_PARAMS: Final = (
    ParamSpec(
        "format.width",
        "offered",
        "integer",
        low=80,
        high=8000,
        default="800",
        title="Width",
        help="Pixels, or 1/100 inch.",
        attribute="width",
    ),
    ParamSpec(
        "format.height",
        "offered",
        "integer",
        low=60,
        high=8000,
        title="Height",
        help="Pixels, or 1/100 inch. Not given: as high as the panels need.",
        attribute="height",
    ),
    ParamSpec("plot.title", "offered", title="Title", help="Not given: that of the stream.", attribute="title"),
    ParamSpec("plot.x.log", "offered", "boolean", title="Logarithmic x", help="Where x is no time.", attribute="x_log"),
    ParamSpec(
        "plot.y.log",
        "offered",
        "boolean",
        title="Logarithmic y",
        help="Not given: as the stream says.",
        attribute="y_log",
    ),
    ParamSpec(
        "plot.z.log",
        "offered",
        "boolean",
        title="Logarithmic colours",
        help="Not given: as the stream says.",
        attribute="z_log",
    ),
    ParamSpec("plot.y.min", "offered", "real", title="Least y", attribute="y_min"),
    ParamSpec("plot.y.max", "offered", "real", title="Greatest y", attribute="y_max"),
    ParamSpec("plot.z.min", "offered", "real", title="Value of the first colour", attribute="z_min"),
    ParamSpec("plot.z.max", "offered", "real", title="Value of the last colour", attribute="z_max"),
    ParamSpec(
        "plot.colormap",
        "offered",
        values=(
            ("viridis", "Blue to yellow; safe for the colour-blind"),
            ("cividis", "Blue to yellow; looks the same to nearly all"),
            ("plasma", "Purple to yellow"),
            ("inferno", "Black to yellow"),
            ("magma", "Black to pale pink"),
            ("gray", "Black to white"),
            ("binary", "White to black, for print"),
            ("turbo", "A rainbow; not for the colour-blind"),
        ),
        default="viridis",
        title="Colour map",
        attribute="colormap",
    ),
    ParamSpec(
        "plot.lines",
        "offered",
        values=(
            ("auto", "Lines; with points where they are few"),
            ("lines", "Lines only"),
            ("points", "Points only"),
            ("both", "Lines and points"),
            ("steps", "Steps"),
        ),
        default="auto",
        title="How lines are drawn",
        attribute="lines",
    ),
    ParamSpec(
        "plot.panels",
        "offered",
        values=(
            ("quantity", "One for each quantity"),
            ("units", "Lines of the same units share one"),
        ),
        default="quantity",
        title="Panels",
        attribute="panels",
    ),
    ParamSpec("plot.grid", "offered", "boolean", default="true", title="Grid lines", attribute="grid"),
    ParamSpec(
        "plot.legend",
        "offered",
        "boolean",
        default="true",
        title="Legend",
        help="Where there are several lines.",
        attribute="legend",
    ),
    ParamSpec(
        "plot.font",
        "offered",
        "real",
        low=3,
        high=60,
        title="Size of the type",
        help="Points. Not given: by the size.",
        attribute="font",
    ),
)


def _stage(form: StreamType) -> StageSpec:
    """The formatter of a form: what `PngFormatter.spec` and its kin are; a test compares them."""
    word = form.kind.capitalize()
    return StageSpec(
        name=form.kind,
        title=f"{form.kind.upper()} picture",
        accepts=ARRAYS,
        produces=form,
        factory=f"dasflex_plot.formatter:{word}Formatter",
        refuses=frozenset({"live"}),
        params=_PARAMS,
        reads=("read.time.min", "read.time.max", "view.points", "bin.time.max"),
        admits="dasflex_plot.asking:admits",
        asks="dasflex_plot.asking:asks",
        tells="dasflex_plot.asking:told",
        cost=Cost(0.6, 3.0),
    )


STAGES: Final = tuple(_stage(each) for each in (PNG, SVG, PDF))
TYPES: Final = (
    StreamTypeInfo(PNG, "PNG picture", "image/png", "png"),
    StreamTypeInfo(SVG, "SVG picture", "image/svg+xml", "svg"),
    StreamTypeInfo(PDF, "PDF picture", "application/pdf", "pdf"),
)


@hookimpl
def dasflex_families(register: Callable[[Family], None]) -> None:
    """Registers the family of what a picture looks like, behind all that makes the data."""
    register(Family("plot", 610, "What a picture looks like"))


@hookimpl
def dasflex_extras(register: Callable[[Extra], None]) -> None:
    """Registers the formatters, which need a library."""
    title = "Pictures: PNG, SVG and PDF"
    register(Extra("plot", title, "dasflex[plot]", "matplotlib", stages=STAGES, stream_types=TYPES))
