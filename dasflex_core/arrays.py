# SPDX-License-Identifier: GPL-3.0-or-later
"""The in-memory stream: the items that in-process stages exchange.

An item is a `StreamHeader`, a `Dataset` (the declaration of its variables, sent before its records and again when
they change), `Records` (a batch of about 1 MiB), a `Comment`, a `Problem` or `NoData`. The model is that of das3
(datasets, dimensions, variables with roles, one entry of index per array dimension); what only das2 knows (the
plane, its own name, its encoding) is kept beside it, so that a das2 stream can be written as it was read.

Records are columns: one numpy array per variable, axis 0 is the record.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from dasflex_core.columns import Column, Fill, Ragged, is_fill
from dasflex_core.errors import QueryError, did_you_mean
from dasflex_core.moments import Moments
from dasflex_core.properties import Properties, Property

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

__all__ = [
    "VARIES",
    "Column",
    "Comment",
    "CoordinateFrame",
    "Dataset",
    "Dimension",
    "Encoding",
    "Fill",
    "Item",
    "NoData",
    "Problem",
    "Properties",
    "Property",
    "Ragged",
    "Records",
    "Sequence",
    "StreamHeader",
    "Variable",
    "Vector",
    "is_fill",
    "traits_of",
]

#: The extent of an index whose length is not fixed: the record counter, and the inner index of ragged values.
VARIES: Final = -1


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a variable's values stand in a das packet.

    `name` is a das2 type without its width (`sun_real`, `little_endian_real`, `ascii`, `time`) or a das3 encoding
    (`BEreal`, `LEint`, `utf8`, …). `width` is bytes per value, `VARIES` where values end by a terminator.
    `value_term` and `index_terms` are the das3 terminators, `mime` the inner type of a blob.
    """

    name: str
    width: int
    value_term: str = ""
    index_terms: tuple[str, ...] = ()
    mime: str = ""
    trim: bool = True


@dataclass(frozen=True, slots=True)
class Vector:
    """The geometry of a vector variable: das 3.0 schema, `<vector>`. `order` maps slots to canonical components."""

    components: int
    system: str = "cartesian"
    order: tuple[int, ...] = ()
    surface: str = ""
    frame: str = ""


@dataclass(frozen=True, slots=True)
class Sequence:
    """Values that a rule gives: minimum + Σ interval[k] · i[k] (das 3.0 schema, `<sequence>`), one per component.

    `minimum` and `intervals` are texts as written; an interval has one entry per index of the dataset, `-` where the
    value does not depend on it.
    """

    minimum: str
    intervals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """One array of a dataset: coordinates or data, in one role of a dimension.

    `name` is unique in the dataset and names the column of `Records`. `index` has one entry per index of the dataset:
    None where the value does not depend on it, `VARIES` or the extent where it does; entry 0 is the record. A value of
    a record has the shape of the inner extents, then the components of a vector. `dtype` is that of the column
    (`datetime64[ns]` for text times, the wire's own number type otherwise, `S` for fixed-width strings). A variable
    that does not depend on the record has its `values` here, of that same shape, and no column.

    `plane` (`x`, `y`, `z`, `yscan`, `tags`), `plane_name` (which may be empty) and `text` (tags as written) are what
    only das2 knows. `axes`, filled in by `Dataset.__getitem__` and `first`, are the coordinates of its indices.
    """

    name: str
    role: str
    semantic: str
    units: str
    index: tuple[int | None, ...]
    dtype: np.dtype[Any]
    fill: Fill = None
    label: str = ""
    vector: Vector | None = None
    properties: Properties = field(default_factory=Properties)
    encoding: Encoding | None = None
    values: NDArray[Any] | None = None
    sequences: tuple[Sequence, ...] = ()
    plane: str = ""
    plane_name: str = ""
    text: str = ""
    axes: tuple[Variable, ...] = field(default=(), compare=False, repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Variable):
            return NotImplemented
        mine, theirs = self.values, other.values
        if mine is None or theirs is None:
            same = mine is theirs
        else:
            same = mine.dtype == theirs.dtype and np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f")
        return same and all(_alike(getattr(self, name), getattr(other, name)) for name in _COMPARED)

    def __hash__(self) -> int:
        return hash((self.name, self.role, self.units, self.index))

    @property
    def per_record(self) -> bool:
        """Whether each record has a value of its own."""
        return self.index[0] is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one record's value: the inner extents (`VARIES` where ragged), then the components."""
        inner = tuple(extent for extent in self.index[1:] if extent is not None)
        return (*inner, self.vector.components) if self.vector else inner

    @property
    def depth(self) -> int:
        """How many levels of runs a column has: 0 for an array, else those of its `Ragged`.

        Each inner index from the first to the last whose length varies is a level, with fixed ones between them. The
        bytes of a blob are one more level, behind all inner indices.
        """
        inner = [extent for extent in self.index[1:] if extent is not None]
        if self.semantic == "blob":
            return len(inner) + 1
        return max((place for place, extent in enumerate(inner, 1) if extent == VARIES), default=0)

    @property
    def leaf(self) -> tuple[int, ...]:
        """The shape of one entry of the innermost runs: the extents behind the last that varies, the components."""
        return () if self.semantic == "blob" else self.shape[self.depth :]

    @property
    def ragged(self) -> bool:
        """Whether records have values of different lengths, so that a column is a `Ragged`; blobs have, too."""
        return self.depth > 0

    def axis(self, units: str) -> Variable:
        """The coordinate with these units on which the values depend. Raises `QueryError` where there is none."""
        for coordinate in self.axes:
            if coordinate.units == units:
                return coordinate
        raise QueryError(f"{self.name} has no axis in {units}", kind="query.unreachable-type")


#: The fields of a variable that make it equal to another, beside its values.
_COMPARED = tuple(each.name for each in fields(Variable) if each.compare and each.name != "values")


def _alike(mine: object, theirs: object) -> bool:
    """Whether two facts are equal; a fill of NaN or NaT is equal to another."""
    both_nan = isinstance(mine, (float, np.datetime64)) and mine != mine and theirs != theirs  # noqa: PLR0124  the test for NaN
    return both_nan or mine == theirs


@dataclass(frozen=True, slots=True)
class Dimension:
    """A physical dimension: the variables that say the same thing in different roles (das 3.0, `<coord>`, `<data>`).

    `physical` is what kind of thing it is (`time`, `frequency`, `B`); `coordinate` tells a coordinate from data.
    """

    name: str
    physical: str
    coordinate: bool
    variables: tuple[Variable, ...]
    axis: str = ""
    annotation: str = ""
    frame: str = ""
    properties: Properties = field(default_factory=Properties)
    named: bool = True


@dataclass(frozen=True, slots=True)
class Dataset:
    """The declaration of one kind of record: dimensions, their variables, and the order of these on the wire.

    `id` is the packet id. `index` has one extent per index: `VARIES` for the record, then the inner ones. `wire` names
    the variables with a column in the order in which a packet holds them. `generation` is 2 or 3: whose property names
    and types the properties have. `extensions` are elements kept as text and passed through; so are `extras` (das3,
    `<extData>`), of whose bytes each record has some in `Records.extras`.
    """

    id: int
    name: str
    index: tuple[int, ...]
    dimensions: tuple[Dimension, ...]
    wire: tuple[str, ...]
    properties: Properties = field(default_factory=Properties)
    generation: int = 3
    plot: str = ""
    group: str = ""
    traits: frozenset[str] = frozenset()
    extensions: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """The number of indices."""
        return len(self.index)

    @property
    def variables(self) -> dict[str, Variable]:
        """All variables by name, coordinates first where the stream had them first."""
        return {variable.name: variable for dimension in self.dimensions for variable in dimension.variables}

    @property
    def columns(self) -> tuple[Variable, ...]:
        """The variables that have a column in `Records`, in the order of the wire."""
        variables = self.variables
        return tuple(variables[name] for name in self.wire)

    @property
    def plain(self) -> Dataset:
        """The dataset less what belongs to others: nobody knows what becomes of that when records are changed."""
        return replace(self, extras=()) if self.extras else self

    def __getitem__(self, name: str) -> Variable:
        """The variable of that name, with its axes. Raises `QueryError` with the closest names."""
        variables = self.variables
        if name not in variables:
            raise QueryError(
                f"Dataset {self.name} has no variable {name!r}.{did_you_mean(name, variables)}",
                kind="query.unknown-parameter",
            )
        variable = variables[name]
        return replace(variable, axes=self.axes(variable))

    def dimension(self, variable: Variable) -> Dimension:
        """The dimension that the variable belongs to."""
        return next(each for each in self.dimensions if any(own.name == variable.name for own in each.variables))

    def axes(self, variable: Variable) -> tuple[Variable, ...]:
        """The coordinates, `center` or `reference` first, whose indices are among those of the variable."""
        used = {place for place, extent in enumerate(variable.index) if extent is not None}
        found = [
            each
            for dimension in self.dimensions
            if dimension.coordinate
            for each in dimension.variables
            if each.name != variable.name
            and {place for place, extent in enumerate(each.index) if extent is not None} <= used
        ]
        return tuple(sorted(found, key=lambda each: each.role not in ("center", "reference")))

    def first(self, trait: str) -> Variable:
        """The first data variable with the trait, such as `spectra` (it has an axis of frequency) or `waveform`."""
        for variable in self.data():
            if _variable_has(self, variable, trait):
                return self[variable.name]
        raise QueryError(f"Dataset {self.name} has no variable with the trait {trait!r}", kind="query.unreachable-type")

    def data(self) -> tuple[Variable, ...]:
        """The data variables, in order."""
        return tuple(each for dimension in self.dimensions if not dimension.coordinate for each in dimension.variables)

    def swap(self, old: Variable, new: Variable) -> Dataset:
        """This dataset with `new` in the place of `old`."""
        dimensions = tuple(
            replace(
                dimension,
                variables=tuple(new if own.name == old.name else own for own in dimension.variables),
            )
            for dimension in self.dimensions
        )
        wire = tuple(new.name if name == old.name else name for name in self.wire)
        return replace(self, dimensions=dimensions, wire=wire)


def _variable_has(dataset: Dataset, variable: Variable, trait: str) -> bool:
    """Whether the data variable itself has the trait."""
    axes = dataset.axes(variable)
    inner = [axis for axis in axes if any(extent is not None for extent in axis.index[1:])]
    if trait == "spectra":
        return any(axis.units in ("Hz", "kHz", "MHz", "GHz") for axis in inner)
    if trait == "waveform":
        return any(axis.role == "offset" and dataset.dimension(axis).physical == "time" for axis in inner)
    if trait == "ragged":
        return variable.ragged
    return trait == "strings" and variable.semantic == "string"


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """The head of a stream. `generation` is 2 or 3; `frames` and `extensions` are das3's, kept as written."""

    generation: int = 3
    properties: Properties = field(default_factory=Properties)
    frames: tuple[CoordinateFrame, ...] = ()
    extensions: tuple[str, ...] = ()
    compression: str = ""
    lang: str = ""


@dataclass(frozen=True, slots=True)
class CoordinateFrame:
    """A coordinate frame of a das3 stream: das 3.0 schema, `<frame>`. `fixed` is blank where it was not written."""

    name: str
    body: str = ""
    fixed: str = ""
    properties: Properties = field(default_factory=Properties)


@dataclass(frozen=True, slots=True)
class Records:
    """A batch of records of one dataset: `columns[name]` has the shape (records, *variable.shape).

    `extras` are the bytes of each record that belong to the elements in `Dataset.extras`: opaque, and passed through by
    what does not change the records.
    """

    dataset: Dataset
    columns: Mapping[str, Column]
    extras: Ragged | None = None

    def __len__(self) -> int:
        return len(self.columns[self.dataset.wire[0]]) if self.dataset.wire else 0

    def __getitem__(self, name: str) -> Column:
        """The column of a variable as it is, fill and all."""
        return self.columns[name]

    def floats(self, name: str) -> NDArray[np.float64]:
        """The column as float64 with fill as NaN. Raises `QueryError` for text, and for ragged values."""
        variable = self.dataset[name]
        column = self.columns[name]
        if isinstance(column, Ragged) or column.dtype.kind not in "iufb":
            raise QueryError(
                f"{name} holds no fixed number of numbers per record; its column as it is has the runs or the text",
                kind="query.unreachable-type",
            )
        with np.errstate(invalid="ignore"):  # a signalling NaN
            numbers = column.astype(np.float64)
        numbers[is_fill(column, variable.fill)] = np.nan
        return numbers

    def slice(self, rows: slice) -> Records:
        """These records at some rows, a slice with a step of one. No value is copied."""
        columns = {name: _rows(column, rows) for name, column in self.columns.items()}
        return Records(self.dataset, columns, None if self.extras is None else _runs(self.extras, rows))


def _rows(column: Column, rows: slice) -> Column:
    """Some rows of a column."""
    if not isinstance(column, Ragged):
        picked: NDArray[Any] = column[rows]
        return picked
    return _runs(column, rows)


def _runs(column: Ragged, rows: slice) -> Ragged:
    """Some rows of a column of runs."""
    first, last, _step = rows.indices(len(column))
    offsets = column.offsets[first : last + 1]
    inner = _rows(column.values, slice(int(offsets[0]), int(offsets[-1])))
    return Ragged(inner, offsets - offsets[0])


@dataclass(frozen=True, slots=True)
class Comment:
    """A remark in the stream: `log:info`, `taskSize`, `taskProgress`, … with its source program and text."""

    type: str
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure that the stream itself tells: the in-band exception of a reader, or of ours after the first byte.

    `type` is spelt as in das3: `QueryError`, `ServerError`, or what the reader wrote.
    """

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class NoData:
    """There is nothing in the range that was asked for. It is an answer, not an error."""

    message: str = ""


#: Moments are given by one stage to another only: no format has them.
Item: TypeAlias = StreamHeader | Dataset | Records | Moments | Comment | Problem | NoData


def traits_of(datasets: Iterable[Dataset]) -> frozenset[str]:
    """What can be seen of the traits of a stream from the declarations of its datasets."""
    every = list(datasets)
    found = {"one"} if len(every) == 1 else set()
    for dataset in every:
        found |= dataset.traits
        for variable in dataset.data():
            found |= {
                trait
                for trait in ("spectra", "waveform", "ragged", "strings")
                if _variable_has(dataset, variable, trait)
            }
        if any(variable.plane == "z" for variable in dataset.data()):
            found.add("scatter")
        for dimension in dataset.dimensions:
            if dimension.coordinate and any(
                extent is not None for each in dimension.variables for extent in each.index[1:]
            ):
                found.add(f"axis:{dimension.name}")
    return frozenset(found)
