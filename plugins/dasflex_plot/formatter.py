# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a stream: what comes is gathered in panels that keep no more than is seen, and drawn at its end."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, ClassVar

from dasflex_core.errors import QueryError
from dasflex_core.stages import Formatter, param
from dasflex_core.times import FOREVER, parse_time
from dasflex_plot.figures import MOST_PANELS, Drawing, height_of
from dasflex_plot.panels import Panels
from dasflex_plot.styles import Style

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.arrays import Dataset, NoData, Records, StreamHeader
    from dasflex_core.stages import Value

__all__ = ["PdfFormatter", "PngFormatter", "SvgFormatter"]

_READS = ("read.time.min", "read.time.max", "view.points", "bin.time.max")
#: Lines that `decimate` counts for the number of its buckets, each of which has two points.
_LINES, _ENDS = 4, 2


class _Picture(Formatter, accepts="arrays"):
    """What all forms share."""

    form: ClassVar[str] = "png"
    width: int = param(
        "format.width", mode="offered", low=80, high=8000, default="800", title="Width", help="Pixels, or 1/100 inch."
    )
    height: int = param(
        "format.height", mode="offered", low=60, high=8000, title="Height",
        help="Pixels, or 1/100 inch. Not given: as high as the panels need.",
    )  # fmt: skip
    title: str = param("plot.title", mode="offered", title="Title", help="Not given: that of the stream.")
    x_log: bool = param("plot.x.log", mode="offered", title="Logarithmic x", help="Where x is no time.")
    y_log: bool = param("plot.y.log", mode="offered", title="Logarithmic y", help="Not given: as the stream says.")
    z_log: bool = param(
        "plot.z.log", mode="offered", title="Logarithmic colours", help="Not given: as the stream says."
    )
    y_min: float = param("plot.y.min", mode="offered", title="Least y")
    y_max: float = param("plot.y.max", mode="offered", title="Greatest y")
    z_min: float = param("plot.z.min", mode="offered", title="Value of the first colour")
    z_max: float = param("plot.z.max", mode="offered", title="Value of the last colour")
    colormap: str = param(
        "plot.colormap",
        mode="offered",
        values={
            "viridis": "Blue to yellow; safe for the colour-blind",
            "cividis": "Blue to yellow; looks the same to nearly all",
            "plasma": "Purple to yellow",
            "inferno": "Black to yellow",
            "magma": "Black to pale pink",
            "gray": "Black to white",
            "binary": "White to black, for print",
            "turbo": "A rainbow; not for the colour-blind",
        },
        default="viridis",
        title="Colour map",
    )
    lines: str = param(
        "plot.lines",
        mode="offered",
        values={
            "auto": "Lines; with points where they are few",
            "lines": "Lines only",
            "points": "Points only",
            "both": "Lines and points",
            "steps": "Steps",
        },
        default="auto",
        title="How lines are drawn",
    )
    panels: str = param(
        "plot.panels",
        mode="offered",
        values={"quantity": "One for each quantity", "units": "Lines of the same units share one"},
        default="quantity",
        title="Panels",
    )
    grid: bool = param("plot.grid", mode="offered", default="true", title="Grid lines")
    legend: bool = param(
        "plot.legend", mode="offered", default="true", title="Legend", help="Where there are several lines."
    )
    font: float = param(
        "plot.font", mode="offered", low=3, high=60, title="Size of the type", help="Points. Not given: by the size."
    )

    read_time_min: str | None
    read_time_max: str | None
    view_points: str | None
    bin_time_max: str | None

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        given = {each.attribute: getattr(self, each.attribute) for each in self.spec.params}
        self._style = Style(**given)
        self._span = _span(self.read_time_min, self.read_time_max)
        size = self._style.width, self._style.height or height_of(1, self._style.width)
        wide = float(self.bin_time_max or 0)
        self._panels = Panels(size, self._joined, wide, by_units=self._style.panels == "units")
        self._header: StreamHeader | None = None
        self._absent = ""

    def _joined(self, lines: int, kind: str) -> float:
        """How far apart, in seconds, points may be that belong together, for there were more of them; 0 for no bound.

        A bucket keeps two points of each line, and nobody knows where in it: they are less than two buckets apart.
        """
        if self._span is None or not (self.view_points or "").isdigit():
            return 0.0
        points = max(1, int(self.view_points or "1"))
        bucket = (self._span[1] - self._span[0]) / 1e9 / points
        return 1.01 * bucket * (1.5 if kind == "image" else 2 * _ENDS * min(max(lines, 1), _LINES))

    def header(self, header: StreamHeader) -> bytes:
        """Takes what is said of the stream."""
        self._header = header
        self._panels.header(header)
        return b""

    def dataset(self, dataset: Dataset) -> bytes:
        """Makes the panels of a dataset."""
        self._panels.dataset(dataset)
        return b""

    def records(self, batch: Records) -> bytes:
        """Takes records; what a picture does not show is let go."""
        self._panels.records(batch)
        return b""

    def no_data(self, nothing: NoData) -> bytes:
        """Takes that there is nothing."""
        self._absent = nothing.message
        return b""

    def finish(self) -> Iterable[bytes]:
        """The picture. Raises `QueryError` where there are data and none of them can be drawn."""
        panels = self._panels
        shown = [each for each in panels.all if not each.empty]
        if not panels.all and panels.undrawn:
            raise QueryError(
                f"Nothing of {', '.join(panels.undrawn)} can be drawn: a picture needs numbers over one coordinate or two."
                " Ask for another format, or choose other variables with read.data",
                kind="query.unreachable-type",
            )
        about = json.loads(str(self.words or "{}")) if self.spec.tells else {}
        title = self._style.title
        if title is None:
            title = self._title() or about.get("title", "")
        note = ""
        if not shown:
            note = "No data" + (f"\n{self._absent}" if self._absent else " in this range")
        elif len(shown) > MOST_PANELS:
            note = f"{len(shown) - MOST_PANELS} more are not drawn: choose with read.data"
        drawing = Drawing(shown, self._style, self._span, title, note)
        yield drawing.written(self.form, about.get("id", ""))

    def _title(self) -> str:
        """The title of the stream, with its properties in their places."""
        if self._header is None:
            return ""
        named = self._panels.named(())
        text = self._header.properties.text("title")
        return re.sub(r"%\{([^}]*)\}", lambda found: named(found[1]), text)


def _span(begin: str | None, end: str | None) -> tuple[int, int] | None:
    """The range of the request in nanoseconds; None where it has not both ends."""
    if not begin or not end:
        return None
    low, high = parse_time(begin), parse_time(end)
    return None if FOREVER in (low, high) or low.ns >= high.ns else (low.ns, high.ns)


class PngFormatter(
    _Picture, name="png", accepts="arrays", produces="png", reads=_READS, refuses="live", admits="dasflex_plot.asking:admits",
    asks="dasflex_plot.asking:asks", tells="dasflex_plot.asking:told", start=0.6, per_gb=3.0,
):  # fmt: skip
    """PNG picture."""

    form = "png"


class SvgFormatter(
    _Picture, name="svg", accepts="arrays", produces="svg", reads=_READS, refuses="live", admits="dasflex_plot.asking:admits",
    asks="dasflex_plot.asking:asks", tells="dasflex_plot.asking:told", start=0.6, per_gb=3.0,
):  # fmt: skip
    """SVG picture."""

    form = "svg"


class PdfFormatter(
    _Picture, name="pdf", accepts="arrays", produces="pdf", reads=_READS, refuses="live", admits="dasflex_plot.asking:admits",
    asks="dasflex_plot.asking:asks", tells="dasflex_plot.asking:told", start=0.6, per_gb=3.0,
):  # fmt: skip
    """PDF picture."""

    form = "pdf"
