# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels drawn by matplotlib: stacked over one axis, each with its scales, labels and colours.

Only the object interface is used, so that a server draws many pictures and nothing stays behind. The settings are those
of matplotlib as it comes, with ours on top, whatever stands in a `matplotlibrc`.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from dasflex_core.granroth import plain
from dasflex_plot.granroth import drawn
from dasflex_plot.spans import breaks_of, broken, ends_of, extent_of, is_geometric, tags_of
from dasflex_plot.styles import COLOURS
from dasflex_plot.time_axis import TimeScale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from dasflex_plot.panels import Panel
    from dasflex_plot.styles import Style

    Floats = NDArray[np.floating[Any]]

__all__ = ["MOST_PANELS", "Drawing", "height_of"]

MOST_PANELS: Final = 12
_DPI: Final = 100
#: matplotlib has settings of the process, which are ours while we draw.
_ONE_AT_A_TIME: Final = threading.Lock()
_SETTINGS: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",
    "svg.hashsalt": "dasflex",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "axes.linewidth": 0.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-4, 5),
    "agg.path.chunksize": 0,
    "path.simplify": True,
}
_FEW: Final = 80
#: Mathematical text, and what in it is no letter.
_MATHS: Final = re.compile(r"(?<!\\)\$(.*?)(?<!\\)\$")
_MARKS: Final = {ord(each): None for each in "{}^_\\"}
#: Pictures of no more pixels than these, in either direction, are shown small, without words.
_SMALL: Final = (240, 130)


def height_of(panels: int, width: int) -> int:
    """The height of a picture of so many panels where nobody says one."""
    return int(min(max(0.5625 * width, 0.17 * width + 0.29 * width * panels), 4000))


class Drawing:
    """A picture of some panels. `span` is the range of time in nanoseconds, None where that of the data counts."""

    def __init__(
        self, panels: Sequence[Panel], style: Style, span: tuple[int, int] | None, title: str, note: str
    ) -> None:
        self.panels = panels[:MOST_PANELS]
        self._style = style
        self._span = span
        self._title = title
        self._note = note
        self._height = style.height or height_of(max(1, len(self.panels)), style.width)
        room = min(style.width, 1.6 * self._height)
        self._font = style.font or float(np.clip(4.6 + 0.0065 * room, 6.0, 15.0))
        self._legend: list[Any] = []

    def written(self, form: str, source: str) -> bytes:
        """The picture as `png`, `svg` or `pdf`: the same bytes for the same panels."""
        settings: dict[str, Any] = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
        settings |= _SETTINGS | {"font.size": self._font}
        title = plain(self._title)
        with _ONE_AT_A_TIME, warnings.catch_warnings(), mpl.rc_context():
            warnings.filterwarnings("ignore", category=mpl.MatplotlibDeprecationWarning)
            ours: Any = mpl.rcParams  # whose keys have types of their own
            ours.update(settings)
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure = self._figure()
            told: dict[str, Any] = {"Title": title or source}
            if form == "png":
                told |= {"Source": source, "Software": None}
            elif form == "svg":
                told |= {"Source": source, "Date": None, "Creator": "dasflex"}
            else:
                told |= {"Subject": source, "CreationDate": None, "Creator": "dasflex", "Producer": "matplotlib"}
            file = io.BytesIO()
            _canvas(form)(figure).print_figure(file, format=form, dpi=_DPI, metadata=told)
        return file.getvalue()

    def _figure(self) -> Figure:
        """The figure."""
        size = (self._style.width / _DPI, self._height / _DPI)
        figure = Figure(figsize=size, dpi=_DPI, facecolor="white")
        if not self.panels:
            figure.text(0.5, 0.5, self._note, ha="center", va="center", wrap=True)
            if not self._small:
                figure.suptitle(self._shortened(self._title), fontsize=self._font * 1.15)
            return figure
        box = self._box()
        count = len(self.panels)
        gap = self._gap
        each = (box[3] - box[1] - gap * (count - 1)) / count
        scale = self._scale()
        for place, panel in enumerate(self.panels):
            bottom = box[3] - (place + 1) * each - place * gap
            axes = figure.add_axes((box[0], bottom, box[2] - box[0], each))
            last = place == count - 1 or not self._shared
            self._panel(figure, axes, panel, scale if panel.timed else None)
            self._x_axis(axes, panel, scale if panel.timed else None, last=last)
        if self._title and not self._small:
            x = (box[0] + box[2]) / 2
            figure.text(
                x,
                1 - 0.5 * self._em / self._height,
                self._shortened(self._title),
                ha="center",
                va="top",
                fontsize=self._font * 1.15,
            )
        if self._note and not self._small:
            figure.text(0.995, 0.004, self._note, ha="right", va="bottom", fontsize=self._font * 0.7, color="#666666")
        return figure

    # -- where things are

    @property
    def _em(self) -> float:
        """The size of the type in pixels."""
        return self._font * _DPI / 72

    @property
    def _small(self) -> bool:
        """Whether there is no room for words: only what is in the panels is drawn."""
        return self._style.width <= _SMALL[0] or self._height <= _SMALL[1]

    @property
    def _shared(self) -> bool:
        """Whether all panels have the same x."""
        return len({(each.timed, "" if each.timed else each.x_label) for each in self.panels}) == 1

    def _box(self) -> tuple[float, float, float, float]:
        """The left, bottom, right and top of what is between the labels, in parts of the picture."""
        width, height, em = self._style.width, self._height, self._em
        coloured = any(each.kind != "lines" for each in self.panels)
        if self._small:
            return 3 / width, 3 / height, 1 - 3 / width, 1 - 3 / height
        lines = 1 + drawn(self._title).count("\n") if self._title else 0
        bottom, top = 3.6 * em / height, 1 - (1.0 + 1.4 * lines) * em / height
        count = len(self.panels)
        each = height * (top - bottom - self._gap * (count - 1)) / count
        left = 6.4 + 1.3 * self._folds([panel.y_label for panel in self.panels], each)
        folds = self._folds([panel.z_label for panel in self.panels if panel.kind != "lines"], each)
        right = 8.2 + 1.5 * folds if coloured else 1.6
        return left * em / width, bottom, 1 - right * em / width, top

    @property
    def _gap(self) -> float:
        """What is between two panels, in parts of the height."""
        return (0.9 if self._shared else 3.6) * self._em / self._height

    def _folds(self, labels: Sequence[str], height: float) -> int:
        """How many lines the longest of these labels has beyond its first, beside panels of so many pixels."""
        return max((self._folded(each, height).count("\n") for each in labels), default=0)

    def _shortened(self, text: str) -> str:
        """A title that fits."""
        room = int(self._style.width / (0.66 * self._em))
        words = plain(text)
        return drawn(text) if len(words) <= room else drawn(words[: room - 1].rstrip() + "…")

    def _scale(self) -> TimeScale | None:
        """The common scale of time: the range that was asked, else that of the data."""
        if self._span is not None:
            return TimeScale(*self._span)
        ends = [end for each in self.panels if each.timed for end in extent_of(each)]
        if not ends:
            return None
        low, high = int(min(ends)), int(max(ends))
        return TimeScale(low, high) if low < high else TimeScale(low - 10**9, high + 10**9)

    # -- what is in a panel

    def _panel(self, figure: Figure, axes: Axes, panel: Panel, scale: TimeScale | None) -> None:
        """Draws one panel."""
        if scale is not None:
            axes.set_xlim(*scale.limits)
        if panel.kind == "lines":
            self._lines(axes, panel, scale)
        elif panel.kind == "image":
            self._image(figure, axes, panel, scale)
        else:
            self._points(figure, axes, panel, scale)
        if panel.empty:
            axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center", color="#666666")

    def _x_axis(self, axes: Axes, panel: Panel, scale: TimeScale | None, *, last: bool) -> None:
        """The ticks of x, and at the lowest panel its numbers and label."""
        if self._small:
            axes.tick_params(
                which="both", bottom=False, top=False, left=False, right=False, labelbottom=False, labelleft=False
            )
            return
        room = axes.get_position().width * self._style.width / self._em
        if scale is not None:
            scale.dress(axes, max(2, min(9, int(room / 5.6))))
        elif axes.get_xscale() == "linear":
            axes.locator_params(axis="x", nbins=max(2, min(9, int(room / 5.6))))
        axes.tick_params(axis="x", labelbottom=last, which="both")
        if last:
            text = scale.label(panel.x_label) if scale is not None else panel.x_label
            size = self._font * min(1.0, 1.05 * room * self._em / (0.58 * self._em * max(1, len(plain(text)))))
            axes.set_xlabel(text, fontsize=max(size, 0.6 * self._font), labelpad=0.35 * self._font)

    def _y_label(self, axes: Axes, text: str, panel_height: float) -> None:
        """The label of y, in two lines where it does not fit in one."""
        if self._small:
            return
        axes.set_ylabel(self._folded(text, panel_height), labelpad=0.3 * self._font)
        axes.yaxis.set_label_coords(-4.9 * self._em / (axes.get_position().width * self._style.width), 0.5)

    def _folded(self, text: str, height: float) -> str:
        """A label with its units below it where both do not fit beside one another, and shortened where it must be."""
        room = max(6, int(height / (0.56 * self._em)))
        if len(_letters(text)) <= room or "\n" in text:
            return text
        label, bracket, units = text.rpartition(" (")
        if not bracket:
            label, units = text, ""
        if len(_letters(label)) > room and "$" not in label:
            label = label[: room - 1].rstrip() + "…"
        return f"{label}\n({units}" if units else label

    def _height_of(self, axes: Axes) -> float:
        """The height of a panel in pixels."""
        return float(axes.get_position().height * self._height)

    def _lines(self, axes: Axes, panel: Panel, scale: TimeScale | None) -> None:
        """Draws lines, with the band between their extremes."""
        place = 0
        seen: list[Floats] = []
        style = self._style
        single = sum(len(each.names) for each in panel.lines) == 1
        for line in panel.lines:
            moments, values = line.series.points()
            if not len(moments):
                continue
            x = scale.places(moments) if scale is not None else moments.astype(np.float64)
            breaks = breaks_of(moments, line.series.cadence if panel.timed else 0.0)
            count = len(line.names)
            seen.append(values)
            for number, name in enumerate(line.names):
                colour = COLOURS[place % len(COLOURS)]
                place += 1
                if line.bands:
                    low, high = values[:, count + number], values[:, 2 * count + number]
                    places, lows, highs = broken(x, breaks, low, high)
                    axes.fill_between(
                        places, lows, highs, facecolor=(colour, 0.3), linewidth=0.06 * self._font,
                        edgecolor=(colour, 0.3 if line.means else 0.9), label=None if line.means else name,
                    )  # fmt: skip
                if line.means:
                    self._line(axes, broken(x, breaks, values[:, number]), colour, name, steps=line.steps,
                               joined=panel.timed or bool(np.all(np.diff(x) >= 0)))  # fmt: skip
        every = np.concatenate([each.ravel() for each in seen]) if seen else np.zeros(0)
        self._y_scale(axes, panel, every, legend=style.legend and not single and not self._small)
        if style.grid:
            axes.grid(color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
        if style.legend and not single and not self._small:
            axes.legend(loc="upper right", fontsize=0.85 * self._font, ncols=min(place, 4), framealpha=0.8,
                        edgecolor="none", borderpad=0.2, handlelength=1.2, columnspacing=1.0)  # fmt: skip
        self._y_label(axes, panel.y_label, self._height_of(axes))

    def _line(self, axes: Axes, xy: Sequence[Floats], colour: str, name: str, *, steps: bool, joined: bool) -> None:
        """Draws one line: with its points where they are few, without it where points are asked."""
        x, y = xy
        how = self._style.lines
        known = ~np.isnan(y)
        alone = known & ~np.concatenate([[False], known[:-1]]) & ~np.concatenate([known[1:], [False]])
        few = int(known.sum()) <= _FEW
        marks = how in ("points", "both") or (how == "auto" and few)
        line = "None" if how == "points" or (how == "auto" and not joined) else "-"
        stepped = "steps-mid" if how == "steps" or (how == "auto" and steps) else "default"
        axes.plot(
            x, y, color=colour, label=name, linestyle=line, drawstyle=stepped, linewidth=0.1 * self._font,
            marker="o" if marks or line == "None" else None, markersize=0.32 * self._font, markeredgewidth=0,
        )  # fmt: skip
        if alone.any() and not marks and line != "None":
            axes.plot(x[alone], y[alone], "o", color=colour, markersize=0.22 * self._font, markeredgewidth=0)

    def _y_scale(self, axes: Axes, panel: Panel, values: Floats, *, legend: bool = False) -> None:
        """The scale and limits of values on y."""
        style = self._style
        known = values[~np.isnan(values)]
        log = panel.y_log if style.y_log is None else style.y_log
        log = bool(log) and bool((known > 0).any())
        if log:
            known = known[known > 0]
            axes.set_yscale("log", nonpositive="mask")
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        if log:
            ratio = max((high / low) ** 0.05, 1.05)
            low, high = low / ratio, high * ratio
        else:
            margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
            low, high = low - margin, high + margin
            if legend:
                high += 2.0 * self._em / self._height_of(axes) * (high - low)
            axes.locator_params(axis="y", nbins=max(2, min(7, int(self._height_of(axes) / (2.2 * self._em)))))
        low = low if style.y_min is None else style.y_min
        high = high if style.y_max is None else style.y_max
        if low < high and not (log and low <= 0):
            axes.set_ylim(low, high)
        if not log:
            self._multiplied(axes, max(abs(low), abs(high)))

    def _multiplied(self, axes: Axes, most: float) -> None:
        """Writes the power of ten of large and of small numbers once, within the panel."""
        power = int(np.floor(np.log10(most))) if most > 0 and np.isfinite(most) else 0
        if -4 < power < 5 or self._small:
            axes.ticklabel_format(axis="y", style="plain", useOffset=False)
            return
        axes.yaxis.set_major_formatter(lambda value, _place: f"{value / 10.0**power:.6g}".replace("-", "\u2212"))
        told = f"$\\times\\mathregular{{10^{{{power}}}}}$"
        axes.text(0.006, 0.985, told, transform=axes.transAxes, ha="left", va="top",
                  fontsize=0.9 * self._font)  # fmt: skip

    def _image(self, figure: Figure, axes: Axes, panel: Panel, scale: TimeScale | None) -> None:
        """Draws values over two coordinates on the pixels of the panel."""
        log, (low, high) = self._tags(panel)
        if log:
            axes.set_yscale("log")
        if low < high:
            axes.set_ylim(low, high)
        box = axes.get_position()
        size = max(2, round(box.width * self._style.width)), max(2, round(box.height * self._height))
        begin, end = (scale.begin, scale.end) if scale is not None else ends_of(panel)
        columns = begin + (np.arange(size[0]) + 0.5) * ((end - begin) / size[0])
        rows = low + (np.arange(size[1]) + 0.5) * ((high - low) / size[1])
        if log:
            rows = low * (high / low) ** ((np.arange(size[1]) + 0.5) / size[1])
        found = np.full((size[1], size[0]), np.nan, dtype=np.float32)
        for band in panel.bands:
            painted = band.painted(columns, rows, log)
            found = np.where(np.isnan(painted), found, painted)
        if scale is None:
            axes.set_xlim(begin, end)
        limits = axes.get_xlim(), axes.get_ylim()
        norm = self._norm(found, panel)
        axes.set_facecolor("#f2f2f2")
        image = axes.imshow(
            np.ma.masked_invalid(found), norm=norm, cmap=mpl.colormaps[self._style.colormap], origin="lower",
            extent=(0, 1, 0, 1), transform=axes.transAxes, aspect="auto", interpolation="nearest",
        )  # fmt: skip
        axes.set_xlim(*limits[0])
        axes.set_ylim(*limits[1])
        axes.tick_params(direction="out", which="both", top=False, right=False)
        self._y_label(axes, panel.y_label, self._height_of(axes))
        self._bar(figure, axes, image, panel)

    def _tags(self, panel: Panel) -> tuple[bool, tuple[float, float]]:
        """Whether the tags of a panel stand on a logarithmic scale, and between what they lie."""
        from dasflex_plot.images import edges_of

        every = [tags for each in panel.bands if (tags := tags_of(each)) is not None and len(tags)]
        together = np.unique(np.concatenate(every)) if every else np.array([0.0, 1.0])
        log = panel.y_log if self._style.y_log is None else self._style.y_log
        if log is None:
            log = is_geometric(together)
        positive = together[together > 0]
        log = bool(log) and len(positive) > 0
        edges = [edges_of(used, log) for tags in every if len(used := np.unique(tags[tags > 0] if log else tags))]
        low, high = (min(each[0] for each in edges), max(each[-1] for each in edges)) if edges else (0.0, 1.0)
        low = low if self._style.y_min is None else self._style.y_min
        high = high if self._style.y_max is None else self._style.y_max
        if log and low <= 0:
            low = float(positive.min())
        return log, (float(low), float(high)) if low < high else (float(low), float(low) + 1.0)

    def _norm(self, values: NDArray[Any], panel: Panel) -> Normalize:
        """The scale of the colours: nearly all of what is seen, within what the stream suggests."""
        style = self._style
        known = values[np.isfinite(values)]
        log = panel.z_log if style.z_log is None else style.z_log
        positive = known[known > 0]
        if log is None:
            log = len(positive) > 0.9 * len(known) > 0 and bool(
                np.percentile(positive, 99) > 100 * np.percentile(positive, 5)
            )
        log = bool(log) and len(positive) > 0
        known = positive if log else known
        low, high = (float(each) for each in np.percentile(known, (0.5, 99.8))) if len(known) else (0.0, 1.0)
        if panel.z_range is not None and low < panel.z_range[1] and high > panel.z_range[0]:
            low, high = max(low, panel.z_range[0]), min(high, panel.z_range[1])
        low = low if style.z_min is None else style.z_min
        high = high if style.z_max is None else style.z_max
        if log and low <= 0:
            low = float(positive.min())
        if low >= high:
            low, high = (low / 2, low * 2) if log else (low - 0.5, low + 0.5)
        return LogNorm(low, high, clip=False) if log else Normalize(low, high)

    def _bar(self, figure: Figure, axes: Axes, drawn_by: Any, panel: Panel) -> None:  # noqa: ANN401  a mappable
        """The scale of colours beside a panel."""
        if self._small:
            return
        box = axes.get_position()
        wide = self._style.width
        place = figure.add_axes((box.x1 + 0.7 * self._em / wide, box.y0, 1.1 * self._em / wide, box.height))
        bar = figure.colorbar(drawn_by, cax=place)
        bar.outline.set_linewidth(0.6)
        place.tick_params(direction="out", which="both")
        bar.set_label(self._folded(panel.z_label, self._height_of(axes)), labelpad=0.3 * self._font)

    def _points(self, figure: Figure, axes: Axes, panel: Panel, scale: TimeScale | None) -> None:
        """Draws points in colours."""
        if panel.points is None:
            return
        moments, y, z = panel.points.points()
        x = scale.places(moments) if scale is not None else moments.astype(np.float64)
        norm = self._norm(z, panel)
        size = float(np.clip(4000 / max(1, len(x)) ** 0.5, 6, 90)) * (self._font / 10) ** 2
        shown = axes.scatter(x, y, c=z, s=size, norm=norm, cmap=mpl.colormaps[self._style.colormap], linewidths=0)
        if self._style.x_log and scale is None:
            axes.set_xscale("log")
        self._y_scale(axes, panel, y)
        if self._style.grid:
            axes.grid(color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
        self._y_label(axes, panel.y_label, self._height_of(axes))
        self._bar(figure, axes, shown, panel)


def _canvas(form: str) -> Any:  # noqa: ANN401  a class of matplotlib
    """The canvas of a form."""
    if form == "svg":
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        return FigureCanvasSVG
    if form == "pdf":
        from matplotlib.backends.backend_pdf import FigureCanvasPdf

        return FigureCanvasPdf
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    return FigureCanvasAgg


def _letters(text: str) -> str:
    """About what a text shows, without what makes parts of it mathematical."""
    return _MATHS.sub(lambda found: found[1].replace("\\mathregular", "").translate(_MARKS), text)
