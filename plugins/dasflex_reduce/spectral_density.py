# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectral densities of waveforms: each record of samples gives one spectrum for each segment of `dft.length`.

Segments begin at the first sample of a record and every `dft.length // dft.slide` samples after it; none goes across
two records. The time of a spectrum is the middle of its segment, `reference + offset[0] + (start + N/2)·Δt`. A segment
that holds fill, or whose spectrum is zero throughout, gives fill, and no record where nothing else is in it
(das-streams 5.5).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import VARIES, Comment, Dataset, Dimension, Ragged, Records, is_fill
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.sampling import cadence_along
from dasflex_core.stages import Reducer, param
from dasflex_core.values import dataclass
from dasflex_reduce import spectral_facts
from dasflex_reduce.output_band import Band, band_of
from dasflex_reduce.picking import on_places, used_places
from dasflex_reduce.sample_times import shifted, x_with_room
from dasflex_reduce.spectral_facts import Recipe
from dasflex_reduce.windows import DETRENDS, WINDOWS, Density, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Fill, Item, StreamHeader, Variable

    Places = NDArray[np.intp]
    Flags = NDArray[np.bool_]
    #: Some segments: which, their densities, and which of them hold fill.
    _Part = tuple[slice, NDArray[np.float64], Flags | None]

__all__ = ["SpectralDensity", "Transform"]

SOURCE: Final = "spectral-density"


class Transform(Reducer):
    """What both spectral densities share: the parameters, and the head of the stream."""

    length: int = param("dft.length", low=16, title="Points", help="Points of each Fourier transform; an even number")
    slide: int = param(
        "dft.slide",
        mode="modifier",
        low=1,
        default="1",
        title="Denominator of the slide",
        help="Each segment begins length/slide points after the one before it: 2 makes them overlap by half",
    )
    window: str = param("dft.window", mode="modifier", values=WINDOWS, default="hann", title="Window function")
    detrend: str = param(
        "dft.detrend", mode="modifier", values=DETRENDS, default="mean", title="What is taken away from each segment"
    )
    cadence: float | None = param(
        "dft.cadence",
        mode="modifier",
        units="s",
        low=1e-9,
        title="Widest step of spectra",
        help="Told as xTagWidth: up to this far apart a display draws two spectra without a gap",
    )

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  as in the base
        super().__init__(**values)
        if self.length % 2 or self.length < 16:
            raise QueryError(
                f"dft.length={self.length} must be an even number from 16; try {max(16, self.length + 1)}",
                kind="query.bad-value",
            )
        if self.slide >= self.length:
            raise QueryError(f"dft.slide={self.slide} must be below dft.length={self.length}", kind="query.bad-value")
        self.recipe = Recipe(self.length, self.slide, self.window, self.detrend)
        self.density = Density(self.length, self.window, self.detrend)

    def header(self, header: StreamHeader) -> StreamHeader:
        """The head of the stream, with how the spectra were made."""
        made = spectral_facts.header_of(header, self.recipe)
        return made if self.cadence is None else spectral_facts.with_cadence(made, self.cadence)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is transformed in a dataset: the inner index of the samples, and the names of variables by what they become.

    `first` is the offset of the first sample, `seconds` the distance of two. `kept` are columns that are said again for
    each spectrum of a record.
    """

    place: int
    reference: Variable
    time: str
    samples: tuple[Variable, ...]
    kept: tuple[str, ...]
    first: float
    seconds: float


class SpectralDensity(
    Transform,
    name="spectral-density",
    accepts="arrays",
    needs="waveform",
    adds="spectra axis:frequency",
    drops="waveform ragged",
    admits="dasflex_reduce.admitting:transform",
    per_gb=4.0,
):
    """Spectral densities of waveforms, by windowed Fourier transforms."""

    skip: bool = param(
        "dft.skip",
        mode="modifier",
        default="true",
        title="Whether data of too few samples are left out",
        help="Else they are an error",
    )

    _shape: _Shape
    _band: Band
    _made: Dataset
    _remarks: list[str]

    def dataset(self, dataset: Dataset) -> Dataset | None:
        """The declaration of the spectra; None where nothing is transformed.

        Raises `QueryError` for samples that follow no regular time.
        """
        self._remarks = []
        self._shape = self._shaped(dataset)
        said = [each.properties for each in (*self._shape.samples[:1], dataset, self.stream) if each]
        self._band = band_of(said, self.recipe.count, 1 / (self.length * self._shape.seconds))
        self._made = self._declared(dataset)
        return self._made if self._shape.samples else None

    def _shaped(self, dataset: Dataset) -> _Shape:
        """What is transformed in the dataset."""
        offset = _offsets(dataset)[0]
        place = next(place for place, extent in enumerate(offset.index) if place and extent is not None)
        time = dataset.dimension(offset)
        reference = next((each for each in time.variables if each.role in ("reference", "center", "min")), None)
        if reference is None or not reference.per_record or reference.shape:
            raise SourceError(f"{dataset.name} has no time to which {offset.name} is an offset", kind="source.stream")
        first, seconds = cadence_along(dataset, offset, place)
        along = [each for each in dataset.columns if each.index[place] is not None]
        samples = tuple(each for each in along if self._transformable(dataset, each, place))
        others = [each.name for each in dataset.columns if each not in along and each.name != reference.name]
        taken = {name for name in dataset.variables if name != reference.name}
        plain = reference.name.removesuffix(".reference")
        name = plain if plain not in taken else reference.name
        for lost in (each for each in _offsets(dataset) if each.index[place] is None):
            self._remarks.append(
                f"{dataset.name}: {lost.name} is another time axis, and what lies along it is left out"
            )
        return _Shape(place, reference, name, samples, tuple(others), first, seconds)

    def _transformable(self, dataset: Dataset, variable: Variable, place: int) -> bool:
        """Whether a variable along the samples has numbers enough; what has not is told."""
        if dataset.dimension(variable).coordinate or variable.dtype.kind not in "iufb":
            return False
        extent = variable.index[place]
        if extent != VARIES and extent is not None and extent < self.length:
            few = f"records have {extent:,} samples, and dft.length asks for {self.length:,}"
            if not self.skip:
                raise QueryError(f"{variable.name} of {dataset.name} has no spectra: its {few}", kind="query.bad-value")
            self._remarks.append(f"{variable.name} of {dataset.name} is left out: its {few}")
            return False
        return True

    def _declared(self, dataset: Dataset) -> Dataset:
        """The declaration of the spectra."""
        shape, generation = self._shape, dataset.generation
        kept = [place for place, extent in enumerate(dataset.index) if extent != VARIES or place in (0, shape.place)]
        index = tuple(VARIES if not place else self._extent(dataset.index, place) for place in kept)
        taken = {*dataset.variables, *(each.name for each in dataset.dimensions)}
        name = _free("frequency", taken)
        over = tuple(self._band.count if place == shape.place else None for place in kept)
        axis = spectral_facts.frequencies(name, over, self._band.step, generation, self._band.first)
        dimensions = [each for own in dataset.dimensions if (each := self._dimension(own, dataset, kept))]
        before = sum(each.coordinate for each in dimensions)
        if shape.samples:
            dimensions.insert(before, axis)
        sampled = {each.name for each in shape.samples}
        order = [shape.time if each == shape.reference.name else each for each in dataset.wire]
        wire = tuple(each for each in order if each in {shape.time, *sampled, *self._kept(dataset)})
        return replace(
            dataset,
            index=index,
            dimensions=tuple(dimensions),
            wire=wire,
            properties=spectral_facts.packet_properties(dataset),
            traits=(dataset.traits - {"waveform"}) | ({"spectra"} if "waveform" in dataset.traits else set()),
        )

    def _kept(self, dataset: Dataset) -> list[str]:
        """The columns that are said again for each spectrum."""
        variables = dataset.variables
        return [name for name in self._shape.kept if not variables[name].ragged and not self._elsewhere(dataset, name)]

    def _elsewhere(self, dataset: Dataset, name: str) -> bool:
        """Whether a variable lies along the offsets of another waveform."""
        index = dataset.variables[name].index
        places = [place for each in _offsets(dataset) for place, own in enumerate(each.index) if place and own]
        return any(index[place] is not None for place in places if place != self._shape.place)

    def _extent(self, index: tuple[int | None, ...], place: int) -> int:
        """The extent of a place, where that of the samples becomes the number of frequencies."""
        own = index[place]
        return self._band.count if place == self._shape.place else 0 if own is None else own

    def _dimension(self, dimension: Dimension, dataset: Dataset, kept: list[int]) -> Dimension | None:
        """A dimension of the dataset as it stands beside the spectra, or None where nothing of it does."""
        shape, found = self._shape, []
        sampled = {each.name for each in shape.samples}
        passing, beside = {*self._kept(dataset)}, {*kept} - {shape.place}
        for variable in dimension.variables:
            index = tuple(variable.index[place] for place in kept)
            if variable.name == shape.reference.name:
                found.append(replace(x_with_room(variable), name=shape.time, role="center", index=index))
            elif variable.name in sampled:
                index = tuple(
                    own if own is None or not place else self._extent(variable.index, place)
                    for place, own in zip(kept, index, strict=True)
                )
                found.append(spectral_facts.density_variable(variable, index, dataset.generation))
            elif variable.name in passing or (not variable.per_record and used_places(variable) <= beside):
                found.append(on_places(variable, kept))
        if not found:
            return None
        if any(each.name in sampled for each in found):
            return spectral_facts.density_dimension(dimension, tuple(found), dataset.generation)
        return replace(dimension, variables=tuple(found))

    def records(self, batch: Records) -> Iterable[Item]:
        """The spectra of a batch of records."""
        for text in self._remarks:
            yield Comment("log:info", text, SOURCE)
        self._remarks = []
        shape = self._shape
        if not shape.samples or not len(batch):
            return
        record, start = self._segments(batch, batch[shape.samples[0].name])
        values: dict[str, NDArray[Any]] = {}
        kept: Flags = np.zeros(len(record), dtype=np.bool_)
        for variable in shape.samples:
            made, good = self._spectra(batch[variable.name], variable, record, start)
            values[variable.name] = made
            kept |= good
        if not kept.all():
            record, start = record[kept], start[kept]
            values = {name: made[kept] for name, made in values.items()}
        if len(record):
            seconds = np.asarray(shape.first + (start + self.length / 2) * shape.seconds, dtype=np.float64)
            reference = self._made.variables[shape.time]
            values[shape.time] = shifted(_plain(batch[shape.reference.name]), reference, seconds, record)
            values |= {name: _plain(batch[name])[record] for name in self._kept(batch.dataset)}
            yield Records(self._made, {name: values[name] for name in self._made.wire})

    def _segments(self, batch: Records, column: Column) -> tuple[Places, Places]:
        """The record of each segment of a batch, and the sample of the record at which it begins."""
        step, length = self.recipe.step, self.length
        if isinstance(column, Ragged):
            counts = np.maximum(0, (np.diff(column.offsets) - length) // step + 1)
        else:
            extent = column.shape[self._axis(self._shape.samples[0])]
            counts = np.full(len(batch), (extent - length) // step + 1)
        record = np.repeat(np.arange(len(batch)), counts)
        first = np.cumsum(counts) - counts
        return record, (np.arange(len(record)) - first[record]) * step

    def _axis(self, variable: Variable) -> int:
        """The axis of the column of a variable along which its samples lie."""
        return 1 + sum(extent is not None for extent in variable.index[1 : self._shape.place])

    def _spectra(self, column: Column, variable: Variable, record: Places, start: Places) -> tuple[NDArray[Any], Flags]:
        """The densities of all segments of a variable, and which of them have a value."""
        made = self._made.variables[variable.name]
        out = np.empty((len(record), *made.shape), dtype=made.dtype)
        good: Flags = np.zeros(len(record), dtype=np.bool_)
        axis = self._axis(variable)
        parts = self._ragged if isinstance(column, Ragged) else self._fixed
        for rows, density, lost in parts(column, variable, record, start):
            peaks = density.max(axis=-1)
            with np.errstate(invalid="ignore", over="ignore"):
                bad = ~((peaks > 0) & (peaks < np.finfo(made.dtype).max))
                if lost is not None:
                    bad |= lost
                if bad.any():
                    density[bad] = made.fill
                np.moveaxis(out[rows], axis, -1)[...] = density[..., self._band.kept]
            good[rows] = ~bad.reshape(len(bad), -1).all(axis=1)
        return out, good

    def _fixed(self, column: Any, variable: Variable, *_places: Places) -> Iterator[_Part]:  # noqa: ANN401  no Ragged
        """The densities of records of one length, some at a time. The segments are views, so samples are read once."""
        length, step = self.length, self.recipe.step
        column = np.moveaxis(column, self._axis(variable), -1)
        count = (column.shape[-1] - length) // step + 1
        lanes = column.shape[1:-1]
        for rows in blocks(len(column), int(np.prod(lanes, dtype=np.int64)) * count * length):
            work = np.ascontiguousarray(column[rows], dtype=np.float64)
            density = self.density.of(_slid(work, length, step), self._shape.seconds)
            lost = None
            if _may_hold(column[rows], variable.fill):
                filled = is_fill(column[rows], variable.fill)
                found: Flags = np.any(_slid(filled, length, step), axis=-1)
                lost = np.moveaxis(found, -1, 1).reshape(-1, *lanes)
            flat = np.moveaxis(density, -2, 1).reshape(-1, *lanes, density.shape[-1])
            yield slice(rows.start * count, rows.stop * count), flat, lost

    def _ragged(self, column: Any, variable: Variable, record: Places, start: Places) -> Iterator[_Part]:  # noqa: ANN401
        """The densities of records of different lengths, some segments at a time."""
        values = column.values
        if isinstance(values, Ragged) or values.ndim > 1:
            raise QueryError(
                f"{variable.name} has more than one value for each sample of records of different lengths, which has no"
                " spectral density here",
                kind="query.unreachable-type",
            )
        if not len(record):
            return
        begin, filled = column.offsets[:-1][record] + start, is_fill(values, variable.fill)
        view, bad = (np.lib.stride_tricks.sliding_window_view(each, self.length) for each in (values, filled))
        for rows in blocks(len(begin), self.length):
            yield rows, self.density.of(view[begin[rows]], self._shape.seconds), bad[begin[rows]].any(axis=-1)


def _may_hold(values: NDArray[Any], fill: Fill) -> bool:
    """Whether fill may be among the values: one extreme tells, in a quarter of the time that finding it takes."""
    if not isinstance(fill, (int, float)) or not np.isfinite(fill) or fill == 0 or not values.size:
        return True
    return not (values.min() > fill * (1 - 1e-4) if fill < 0 else values.max() < fill * (1 - 1e-4))


def _slid(values: NDArray[Any], length: int, step: int) -> NDArray[Any]:
    """The segments along the last axis, without copying: (…, samples) gives (…, segments, length)."""
    view: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(values, length, axis=-1)[..., ::step, :]
    return view


def _plain(column: Column) -> NDArray[Any]:
    """A column that is not ragged."""
    if isinstance(column, Ragged):
        raise TypeError("a ragged column was kept")
    return column


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken."""
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    return found


def _offsets(dataset: Dataset) -> list[Variable]:
    """The coordinates that are offsets of time along an inner index."""
    return [
        each
        for dimension in dataset.dimensions
        if dimension.coordinate and dimension.physical == "time"
        for each in dimension.variables
        if each.role == "offset" and any(extent is not None for extent in each.index[1:])
    ]
