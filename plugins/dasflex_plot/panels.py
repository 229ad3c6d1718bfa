# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels of a picture, filled as records come: what is in each, and what its axes are called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, is_fill
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.granroth import plain
from dasflex_core.times import seconds
from dasflex_core.units import convert_factor
from dasflex_plot.granroth import drawn, drawn_units, with_units
from dasflex_plot.images import Band
from dasflex_plot.quantities import is_time, quantities_of
from dasflex_plot.series import Points, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Records, StreamHeader, Variable
    from dasflex_plot.quantities import Quantity

__all__ = ["Line", "Panel", "Panels"]

_NANOSECONDS: Final = 1e9


@dataclass(slots=True)
class Line:
    """Lines that share their points: `names` are those of the lines, `bands` says whether each has its extremes.

    The columns of the series are the lines, then their least values, then their greatest.
    """

    series: Series
    names: tuple[str, ...]
    bands: bool
    means: bool = True
    steps: bool = False


@dataclass(slots=True)
class Panel:
    """One panel: labels as they are drawn, what the stream says of its scales, and what was gathered.

    `timed` tells whether x are nanoseconds since 1970. `key` is what panels share that are one.
    """

    kind: str
    key: tuple[str, ...]
    x_label: str
    y_label: str
    z_label: str
    timed: bool
    x_log: bool | None = None
    y_log: bool | None = None
    z_log: bool | None = None
    z_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    lines: list[Line] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    points: Points | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing came."""
        if self.points is not None and len(self.points.points()[0]):
            return False
        return all(each.empty for each in self.bands) and all(not len(each.series.points()[0]) for each in self.lines)


@dataclass(frozen=True, slots=True)
class _Filled:
    """A quantity, and what its records go into."""

    quantity: Quantity
    line: Line | None = None
    band: Band | None = None
    points: Points | None = None


class Panels:
    """The panels of a stream. `size` is that of the picture, `wide` the width in seconds of the bins that are drawn.

    `joined` tells how far apart, in seconds, points of so many lines may be that belong together: there were more.
    """

    def __init__(
        self, size: tuple[int, int], joined: Callable[[int, str], float], wide: float = 0.0, *, by_units: bool
    ) -> None:
        self.all: list[Panel] = []
        self.undrawn: list[str] = []
        self._size = size
        self._joined = joined
        self._wide = wide
        self._by_units = by_units
        self._header: StreamHeader | None = None
        self._filled: dict[int, list[_Filled]] = {}
        self._declared: dict[int, Dataset] = {}

    def header(self, header: StreamHeader) -> None:
        """What is said of the stream."""
        self._header = header

    def named(self, owner: Iterable[Any]) -> Callable[[str], str]:
        """What stands for a name in the labels: a property of one of the owners, or of the stream."""
        tables = [*owner, *([self._header.properties] if self._header else [])]

        def find(name: str) -> str:
            found = "" if name == "RANGE" else next((text for each in tables if (text := each.text(name))), "")
            return "" if "%{" in found else found

        return find

    def dataset(self, dataset: Dataset) -> None:
        """Makes or finds the panels of a dataset."""
        if self._declared.get(dataset.id) == dataset:
            return
        self._declared[dataset.id] = dataset
        found = quantities_of(dataset)
        if not found:
            self.undrawn.append(dataset.name)
        lines = sum(
            each.values.vector.components if each.values.vector else 1 for each in found if each.kind == "lines"
        )
        self._filled[dataset.id] = [self._placed(each, lines) for each in found]

    def records(self, batch: Records) -> None:
        """Takes records. Raises `SourceError` for those that nothing has declared."""
        if batch.dataset.id not in self._filled:
            raise SourceError(f"Records of {batch.dataset.name} come before its declaration", kind="source.stream")
        for each in self._filled[batch.dataset.id]:
            _fill(each, batch)

    # -- which panel

    def _placed(self, quantity: Quantity, lines: int) -> _Filled:
        """A quantity in its panel."""
        panel = self._panel(quantity)
        joined = self._told(quantity) if is_time(quantity.x) else 0.0
        if joined:
            joined = max(joined, self._joined(lines, quantity.kind) * _NANOSECONDS)
        if quantity.kind == "points":
            panel.points = panel.points or Points(*self._size)
            return _Filled(quantity, points=panel.points)
        if quantity.kind == "image":
            tags = None if quantity.y is None or quantity.y.values is None else _floats(quantity.y.values, quantity.y)
            if quantity.y is None:
                tags = np.arange(max(quantity.values.index[1] or 1, 1), dtype=np.float64)
            band = Band(self._size[0], tags, joined)
            panel.bands.append(band)
            return _Filled(quantity, band=band)
        waveform = quantity.offset is not None
        series = Series(self._size[0], 0.0 if waveform else joined)
        line = Line(series, self._names(quantity), quantity.low is not None and quantity.high is not None)
        line.means = quantity.values is not quantity.low
        line.steps = self._property(quantity, "renderer") == "stairSteps"
        panel.lines.append(line)
        return _Filled(quantity, line=line)

    def _panel(self, quantity: Quantity) -> Panel:
        """The panel of a quantity: one there is already, of the same kind, labels and units, or a new one."""
        named = self.named([quantity.values.properties, quantity.dimension.properties, quantity.dataset.properties])
        values = quantity.values
        label = values.label or self._property(quantity, "label") or quantity.dimension.name or values.name
        if quantity.kind != "lines" and values.role in ("min", "max"):
            label += f" {values.role}"
        units = drawn_units(values.units)
        own = with_units(label, values.units, named)
        x_label = self._axis_label(quantity.x, quantity, named)
        y_label = (
            self._axis_label(quantity.y, quantity, named)
            if quantity.y is not None
            else ("" if quantity.kind == "image" else own)
        )
        key: tuple[str, ...] = (quantity.kind, x_label, y_label, own)
        if quantity.kind == "lines" and self._by_units:
            key = (quantity.kind, x_label, units)
        elif quantity.kind == "lines":
            key = (*key, quantity.dimension.name, quantity.values.name)
        known = next((each for each in self.all if each.key == key), None)
        if known is not None:
            if known.kind == "lines" and known.y_label != own:
                known.y_label = units or known.y_label
            return known
        flat = quantity.kind == "lines"
        panel = Panel(
            quantity.kind, key, x_label, y_label, "" if flat else own, is_time(quantity.x),
            x_log=self._log(quantity.x, quantity, "x"),
            y_log=self._log(values if flat else quantity.y, quantity, "y"),
            z_log=None if flat else self._log(values, quantity, "z"),
            z_range=None if flat else self._range(quantity, "z"),
            y_range=self._range(quantity, "y") if flat else None,
        )  # fmt: skip
        self.all.append(panel)
        return panel

    def _axis_label(self, variable: Variable, quantity: Quantity, named: Callable[[str], str]) -> str:
        """What a coordinate is called."""
        dimension = quantity.dataset.dimension(variable)
        label = variable.label or dimension.properties.text("label") or dimension.name
        if is_time(variable):
            text = plain(label, named)
            return "" if text.lower() in ("time", "") else drawn(label, named)
        return with_units(label, variable.units, named)

    def _names(self, quantity: Quantity) -> tuple[str, ...]:
        """What the lines of a quantity are called in a legend."""
        values = quantity.values
        own = drawn(values.label or quantity.dimension.name or values.name, self.named([values.properties]))
        if values.vector:
            names = (quantity.dimension.properties.text("compLabel") or values.properties.text("compLabel")).split()
            if len(names) != values.vector.components:
                names = [f"{own} {place}" for place in range(1, values.vector.components + 1)]
            return tuple(drawn(each) for each in names)
        extent = values.index[1] if len(values.index) > 1 and quantity.offset is None else None
        return tuple(f"{own} {place}" for place in range(1, extent + 1)) if extent and extent > 1 else (own,)

    # -- what the stream says

    def _property(self, quantity: Quantity, name: str) -> str:
        """A property of the values, their dimension, the dataset or the stream; the nearest counts."""
        owners = [quantity.values.properties, quantity.dimension.properties, quantity.dataset.properties]
        owners += [self._header.properties] if self._header else []
        return next((text for each in owners if (text := each.text(name))), "")

    def _log(self, variable: Variable | None, quantity: Quantity, axis: str) -> bool | None:
        """Whether a scale is logarithmic, where the stream says so: das-streams 2.7, `scaleType`, `yScaleType`."""
        if variable is None:
            return None
        dimension = quantity.dataset.dimension(variable)
        own = variable.properties.text("scaleType") or dimension.properties.text("scaleType")
        told = own or variable.properties.text(f"{axis}ScaleType") or self._property(quantity, f"{axis}ScaleType")
        return {"log": True, "linear": False}.get(told.lower())

    def _range(self, quantity: Quantity, axis: str) -> tuple[float, float] | None:
        """The range of values that the stream suggests, if it can be read."""
        text = self._property(quantity, f"{axis}Range")
        low, to, rest = text.partition(" to ")
        try:
            pair = float(low), float(rest.split()[0]) if to and rest.split() else float("nan")
        except ValueError:
            return None
        return pair if pair[0] < pair[1] else None

    def _told(self, quantity: Quantity) -> float:
        """How far apart records may be that belong together, in nanoseconds, where it is told; else 0."""
        if self._wide:
            return 1.9 * self._wide * _NANOSECONDS
        for name in ("xTagWidth", "cadence", "tagWidth"):
            owners = [quantity.dataset.properties, *([self._header.properties] if self._header else [])]
            found = next((each for table in owners if (each := table.get(name)) is not None), None)
            if found is None:
                continue
            text = f"{found.text} {found.units}".strip()
            try:
                return seconds(text if text[-1:].isalpha() else f"{text} s") * 1.01 * _NANOSECONDS
            except QueryError:
                return 0.0
        return 0.0


def _fill(filled: _Filled, batch: Records) -> None:
    """Puts records into what draws them."""
    quantity = filled.quantity
    x = _places(batch[quantity.x.name], quantity.x)
    if filled.band is not None:
        values = _rows(batch[quantity.values.name], quantity.values)
        tags = quantity.y
        own = None if tags is None or tags.values is not None else _rows(batch[tags.name], tags)
        if filled.band.tags is None and own is not None and own.shape[1] != values.shape[1]:
            own = np.broadcast_to(own[:, :1], values.shape).copy()
        if filled.band.tags is not None and len(filled.band.tags) != values.shape[1]:
            values = values[:, : len(filled.band.tags)]
        filled.band.add(x, values, own)
        return
    columns = [each for each in (quantity.values, quantity.low, quantity.high) if each is not None]
    found = [_table(batch[each.name], each, quantity) for each in columns]
    if quantity.offset is not None:
        x = _moments(batch, quantity, x)
    if filled.points is not None and quantity.y is not None:
        z = found[0].reshape(-1)
        y = _table(batch[quantity.y.name], quantity.y, quantity)[:, 0]
        filled.points.add(x, np.repeat(y, len(z) // max(1, len(y))) if len(y) != len(z) else y, z)
    elif filled.line is not None:
        lines = np.concatenate(found, axis=1)
        if quantity.offset is not None and filled.line.series.cadence == 0 and len(x) > 1:
            lines = lines.reshape(len(x), -1)
        filled.line.series.add(x, lines)


def _table(column: Any, variable: Variable, quantity: Quantity) -> NDArray[np.float64]:  # noqa: ANN401  a Column
    """The values of lines: a row for each point, a column for each line."""
    leaves = column.leaves if isinstance(column, Ragged) else column
    components = variable.vector.components if variable.vector else 1
    flat = _floats(leaves, variable)
    if quantity.offset is not None and variable.index[1:] and variable.index[1] is not None:
        return flat.reshape(-1, components)
    return flat.reshape(len(column), -1) if not isinstance(column, Ragged) else flat.reshape(-1, components)


def _moments(batch: Records, quantity: Quantity, x: NDArray[Any]) -> NDArray[Any]:
    """The times of samples: the reference of each record and the offsets of its samples."""
    offset = quantity.offset
    column = batch[quantity.values.name]
    if offset is None:
        return x
    scale = (convert_factor(offset.units or "s", "s") or 1.0) * _NANOSECONDS if x.dtype.kind == "i" else 1.0
    counts = np.diff(column.offsets) if isinstance(column, Ragged) else np.full(len(column), column.shape[1])
    if offset.name in batch.columns:
        own = batch[offset.name]
        offsets = _floats(own.leaves if isinstance(own, Ragged) else own, offset).reshape(-1)
    else:
        fixed = _ruled(offset, int(counts.max(initial=0)))
        places = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        offsets = fixed[places]
    shift, repeated = offsets * scale, np.repeat(x, counts)
    return repeated + np.rint(np.nan_to_num(shift)).astype(np.int64) if x.dtype.kind == "i" else repeated + shift


def _ruled(offset: Variable, count: int) -> NDArray[np.float64]:
    """So many offsets that are the same for all records: values, or what the rule of a sequence gives (das3)."""
    if offset.values is not None:
        return _floats(offset.values, offset).reshape(-1)
    rule = offset.sequences[0]
    return float(rule.minimum) + float(rule.intervals[-1]) * np.arange(count, dtype=np.float64)


def _places(column: Any, variable: Variable) -> NDArray[Any]:  # noqa: ANN401  a Column
    """The places of records on x: nanoseconds since 1970 for times (NaT is the least integer), else numbers."""
    values = column.leaves if isinstance(column, Ragged) else column
    if not is_time(variable):
        return _floats(values, variable).reshape(-1)
    times = epochs.to_datetime64(values, variable.units if variable.dtype.kind != "M" else "UTC").reshape(-1)
    missing = is_fill(values, variable.fill).reshape(-1)
    ns: NDArray[Any] = np.where(missing, np.datetime64("NaT"), times).astype("M8[ns]").view(np.int64)
    return ns


def _floats(values: NDArray[Any], variable: Variable) -> NDArray[np.float64]:
    """Numbers with fill as NaN; what is not finite is NaN, too."""
    with np.errstate(invalid="ignore"):
        numbers = np.array(values, dtype=np.float64)
    numbers[is_fill(values, variable.fill)] = np.nan
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _rows(column: Any, variable: Variable) -> NDArray[np.float64]:  # noqa: ANN401  a Column
    """A row of numbers for each record; runs of different lengths end in NaN."""
    if not isinstance(column, Ragged):
        return _floats(column, variable).reshape(len(column), -1)
    lengths = np.diff(column.offsets)
    made = np.full((len(column), int(lengths.max(initial=1))), np.nan)
    made[np.arange(made.shape[1]) < lengths[:, None]] = _floats(column.leaves, variable).reshape(-1)
    return made
