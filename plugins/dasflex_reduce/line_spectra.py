# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectral densities of lines: values that follow one another at a cadence, one or a few in each record.

`dft.length` records in a row are a segment, if no three of them are further from an equal distance than a hundredth:
2·|t2 - 2·t1 + t0| / |t2 - t0| at most. Where three are, segments begin anew at the middle one. With τ the mean distance
of two records of a segment, (last - first) / (N - 1), frequencies are k/(N·τ), and the time of the spectrum is halfway
between the first and the last record. Classic das2_psd divided by N instead, left the first spectrum unscaled, and took
the inverse of the units of time for Hz (das-streams 5.5): here none of that is done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs, units
from dasflex_core.arrays import VARIES, Comment, Dataset, Ragged, Records, is_fill
from dasflex_core.errors import SourceError
from dasflex_core.record_times import is_time
from dasflex_core.stages import param
from dasflex_reduce import spectral_facts
from dasflex_reduce.sample_times import shifted, x_with_room
from dasflex_reduce.spectral_density import Transform
from dasflex_reduce.windows import blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dimension, Item, Variable

    Places = NDArray[np.int64]

__all__ = ["LineSpectralDensity"]

#: A cadence that has changed by more than this has other frequencies, which are then declared anew.
_CHANGED: Final = 1e-3


class LineSpectralDensity(
    Transform,
    name="spectral-density-lines",
    accepts="arrays",
    needs="sampled",
    refuses="waveform spectra scatter ragged",
    adds="spectra axis:frequency",
    admits="dasflex_reduce.admitting:transform_lines",
    per_gb=4.0,
):
    """Spectral densities of lines, by windowed Fourier transforms of records in a row."""

    jitter: float = param(
        "dft.jitter",
        mode="modifier",
        low=0.0,
        default="0.01",
        title="How uneven records may be",
        help="Of three times 2·|t2 - 2·t1 + t0| / |t2 - t0|; where it is more, segments begin anew",
    )

    _x: Variable | None = None
    _lines: tuple[Variable, ...] = ()
    _made: Dataset | None = None
    _step: float = 0.0

    def dataset(self, dataset: Dataset) -> Dataset | None:
        """Nothing yet: the frequencies are known with the first segment. A dataset without lines passes as it is."""
        self._source = dataset
        found = [each for dimension in dataset.dimensions for each in dimension.variables if each.name in dataset.wire]
        self._x = next(
            (each for each in found if is_time(each) and dataset.dimension(each).coordinate and not each.shape), None
        )
        self._lines = tuple(
            each
            for each in found
            if not dataset.dimension(each).coordinate
            and each.dtype.kind in "iufb"
            and each.semantic in ("real", "integer")
            and all(extent is None for extent in each.index[1:])
        )
        if self._x is None or not self._lines:
            self._lines = ()
            return dataset
        self._held = {each.name: np.empty((0, *each.shape), dtype=each.dtype) for each in (self._x, *self._lines)}
        self._next = 0
        return None

    def records(self, batch: Records) -> Records | Iterable[Item]:
        """The spectra of the segments that end in this batch."""
        return self._transformed(batch) if self._lines else batch

    def finish(self) -> Iterable[Item]:
        """That there were too few records in a row, where that is so."""
        if self._lines and self._made is None:
            few = f"{self._source.name} has no {self.length:,} records in a row at even times, as dft.length asks"
            yield Comment("log:info", few, "spectral-density-lines")

    def _transformed(self, batch: Records) -> Iterator[Item]:
        """The same, where there are lines."""
        columns = {name: np.concatenate([held, _plain(batch, name)]) for name, held in self._held.items()}
        x = self._x_of()
        seconds = _seconds(columns[x.name], x)
        starts = self._starts(seconds)
        keep = max(0, min(self._next, len(seconds) - 2))
        self._held = {name: column[keep:].copy() for name, column in columns.items()}
        self._next -= keep
        for rows in blocks(len(starts), self.length):
            yield from self._spectra(columns, seconds, starts[rows])

    def _x_of(self) -> Variable:
        """The time; there is one where there are lines."""
        if self._x is None:
            raise TypeError("a dataset without a time is not transformed")
        return self._x

    def _starts(self, seconds: NDArray[np.float64]) -> Places:
        """Where segments begin that are whole by now; `_next` is then where the next one begins."""
        begins = [self._next]
        if len(seconds) > 2:
            with np.errstate(invalid="ignore", divide="ignore"):
                off = 2 * np.abs(np.diff(seconds, 2)) / np.abs(seconds[2:] - seconds[:-2])
                begins += (np.flatnonzero(~(off <= self.jitter)) + 1).tolist()
        ends = [*(begin + 1 for begin in begins[1:]), len(seconds)]
        found: list[Places] = []
        for begin, end in zip(begins, ends, strict=True):
            count = max(0, (end - begin - self.length) // self.recipe.step + 1)
            found.append(begin + np.arange(count) * self.recipe.step)
            self._next = begin + count * self.recipe.step
        return np.concatenate(found)

    def _spectra(
        self, columns: dict[str, NDArray[Any]], seconds: NDArray[np.float64], starts: Places
    ) -> Iterator[Item]:
        """The spectra of some segments, with a declaration before those of another cadence."""
        steps = (seconds[starts + self.length - 1] - seconds[starts]) / (self.length - 1)
        starts, steps = starts[steps > 0], steps[steps > 0]
        first = 0
        while first < len(starts):
            near = self._made is not None and abs(steps[first] / self._step - 1) <= _CHANGED
            if self._made is None or not near:
                self._step = float(steps[first])
                self._made = self._declared()
                yield self._made
            same = np.abs(steps[first:] / self._step - 1) <= _CHANGED
            last = len(starts) if same.all() else first + int(same.argmin())
            yield from self._batch(self._made, columns, starts[first:last], steps[first:last])
            first = last

    def _batch(
        self, made: Dataset, columns: dict[str, NDArray[Any]], starts: Places, steps: NDArray[np.float64]
    ) -> Iterator[Records]:
        """The records of some segments of one cadence."""
        values: dict[str, NDArray[Any]] = {}
        kept = np.zeros(len(starts), dtype=np.bool_)
        places = starts[:, None] + np.arange(self.length)
        for line in self._lines:
            wanted = made.variables[line.name]
            segments = np.moveaxis(columns[line.name][places], 1, -1)
            lanes = segments.ndim - 2
            density = self.density.of(segments, steps.reshape(-1, *(1,) * lanes))
            peaks = density.max(axis=-1)
            with np.errstate(invalid="ignore", over="ignore"):
                bad = ~((peaks > 0) & (peaks < np.finfo(wanted.dtype).max)) | is_fill(segments, line.fill).any(axis=-1)
                density[bad] = wanted.fill
                values[line.name] = np.moveaxis(density, -1, 1).astype(wanted.dtype)
            kept |= ~bad.reshape(len(bad), -1).all(axis=1)
        if kept.any():
            x = self._x_of()
            half = steps * ((self.length - 1) / 2)
            values[x.name] = shifted(columns[x.name], made.variables[x.name], half, starts)
            yield Records(made, {name: values[name][kept] for name in made.wire})

    def _declared(self) -> Dataset:
        """The declaration of the spectra, with the frequencies of the present cadence."""
        dataset, x = self._source, self._x_of()
        taken = {*dataset.variables, *(each.name for each in dataset.dimensions)}
        name = next(
            each for each in ("frequency", *(f"frequency_{place}" for place in range(2, 999))) if each not in taken
        )
        axis = spectral_facts.frequencies(
            name, (None, self.recipe.count), 1 / (self.length * self._step), dataset.generation
        )
        lines = {each.name for each in self._lines}
        dimensions = [each for own in dataset.dimensions if (each := self._dimension(own, lines))]
        dimensions.insert(sum(each.coordinate for each in dimensions), axis)
        return replace(
            dataset,
            index=(VARIES, self.recipe.count),
            dimensions=tuple(dimensions),
            wire=tuple(each for each in dataset.wire if each in lines or each == x.name),
            properties=spectral_facts.packet_properties(dataset),
        )

    def _dimension(self, dimension: Dimension, lines: set[str]) -> Dimension | None:
        """A dimension with its time or its lines, or None where it has neither."""
        dataset, x = self._source, self._x_of()
        if dimension.coordinate:
            times = tuple(
                replace(x_with_room(each), index=(VARIES, None)) for each in dimension.variables if each.name == x.name
            )
            return replace(dimension, variables=times) if times else None
        made = tuple(
            replace(
                spectral_facts.density_variable(each, (VARIES, self.recipe.count), dataset.generation),
                plane="yscan" if dataset.generation == 2 else "",
            )
            for each in dimension.variables
            if each.name in lines
        )
        return spectral_facts.density_dimension(dimension, made, dataset.generation) if made else None


def _plain(batch: Records, name: str) -> NDArray[Any]:
    """A column that is not ragged."""
    column = batch[name]
    if isinstance(column, Ragged):
        raise SourceError(f"{name} is ragged, so that it is no line", kind="source.stream")
    return column


def _seconds(times: NDArray[Any], x: Variable) -> NDArray[np.float64]:
    """Seconds since the first of the times, NaN where there is none."""
    if times.dtype.kind != "M":
        scale = units.convert_factor(epochs.interval_units(x.units), "s") or 1.0
        return np.asarray((times - times[:1]).astype(np.float64) * scale)
    return np.asarray((times - times[:1]) / np.timedelta64(1, "s"))
