# SPDX-License-Identifier: GPL-3.0-or-later
"""What `Request.read()` gives: the datasets of an answer as numpy arrays, times as datetime64, fill as NaN."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from dasflex_core.arrays import Comment, Dataset, NoData, Problem, Properties, Ragged, Records, StreamHeader, is_fill
from dasflex_core.epochs import is_epoch, to_datetime64
from dasflex_core.errors import ConfigError, QueryError, did_you_mean
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray
    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Item, Variable

__all__ = ["Answer", "Table", "gather"]


@dataclass(frozen=True, repr=False)
class Table(Mapping[str, "NDArray[Any]"]):
    """One dataset of an answer: its variables by name, as arrays whose axis 0 is the record.

    Coordinates that do not depend on the record (frequencies, offsets) have their inner axes only. Times are
    datetime64[ns] in UTC, fill is NaN (NaT for times), text is text. `dataset` declares units, labels and axes.

    Values whose number varies are an array of objects, one for each record: an array of its values, a list of such
    arrays where runs nest, bytes for a file. The offsets along such an index go as far as the longest run.
    """

    dataset: Dataset
    columns: Mapping[str, NDArray[Any]]

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The array of a variable. Raises `QueryError` with the closest names."""
        if name not in self.columns:
            hint = did_you_mean(name, self.columns)
            raise QueryError(
                f"{self.dataset.name} has no variable {name!r}.{hint} There are {', '.join(self.columns)}",
                kind="query.unknown-parameter",
            )
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def get(self, name: str, default: Any = None, /) -> Any:  # noqa: ANN401  as of any mapping
        """The array of a variable, or the default where there is none of that name."""
        return self.columns.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        facts = (f"{name} {values.shape} {self.units(name)}".rstrip() for name, values in self.columns.items())
        return f"<Table {self.dataset.name}: {', '.join(facts)}>"

    def units(self, name: str) -> str:
        """The units of a variable; `UTC` for times."""
        variable = self.dataset[name]
        return "UTC" if variable.semantic == "datetime" or is_epoch(variable.units) else variable.units

    def to_xarray(self) -> xarray.Dataset:
        """The same as an xarray Dataset, dimensions named after coordinates. Raises `ConfigError` without xarray."""
        try:
            import xarray as xr
        except ImportError as error:
            raise ConfigError(
                "to_xarray() needs the package xarray; pip install xarray", kind="config.missing-extra"
            ) from error
        names = self._index_names()
        variables: dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, str]]] = {}
        for name, values in self.columns.items():
            variable = self.dataset[name]
            depends = [names[at] for at, extent in enumerate(variable.index) if extent is not None]
            indices = depends[:1] if values.dtype == object else depends
            vector = variable.vector and values.dtype != object
            own = (*indices, f"{name}_component") if vector else tuple(indices)
            facts = {"units": self.units(name), "long_name": variable.label or name}
            if values.dtype.kind == "M":
                del facts["units"]
            variables[name] = (own, values, facts)
        coordinates = [own.name for each in self.dataset.dimensions if each.coordinate for own in each.variables]
        dataset = xr.Dataset(variables, attrs={"title": self.dataset.name})
        return dataset.set_coords([each for each in coordinates if each in variables])

    def _index_names(self) -> list[str]:
        """A name for each index of the dataset: that of the coordinate that depends on it alone."""
        names = [f"{self.dataset.name}_{at}" for at in range(self.dataset.rank)]
        named: set[int] = set()
        for dimension in self.dataset.dimensions:
            for variable in dimension.variables:
                own = [at for at, extent in enumerate(variable.index) if extent is not None]
                if dimension.coordinate and len(own) == 1 and own[0] not in named:
                    names[own[0]] = variable.name
                    named.add(own[0])
        return names


@dataclass(frozen=True, repr=False)
class Answer(Mapping[str, Table]):
    """The datasets of an answer by name, in the order of the stream, with its properties and remarks."""

    tables: Mapping[str, Table]
    properties: Properties = field(default_factory=Properties)
    comments: tuple[Comment, ...] = ()

    def __getitem__(self, name: str) -> Table:
        """The dataset of that name. Raises `QueryError` with the closest names."""
        if name not in self.tables:
            known = ", ".join(self.tables) or "none: nothing was found in the range"
            raise QueryError(
                f"There is no dataset {name!r}.{did_you_mean(name, self.tables)} There are {known}",
                kind="query.unknown-parameter",
            )
        return self.tables[name]

    def __contains__(self, name: object) -> bool:
        return name in self.tables

    def get(self, name: str, default: Any = None, /) -> Any:  # noqa: ANN401  as of any mapping
        """The dataset of that name, or the default where there is none."""
        return self.tables.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __repr__(self) -> str:
        return f"<Answer: {', '.join(map(repr, self.tables.values())) or 'nothing was found in the range'}>"

    @property
    def only(self) -> Table:
        """The one dataset of the answer. Raises `QueryError` where there are none or several."""
        if len(self.tables) != 1:
            raise QueryError(
                f"The answer holds {len(self.tables)} datasets: {', '.join(self.tables)}; name one",
                kind="query.unreachable-type",
            )
        return next(iter(self.tables.values()))

    def to_xarray(self) -> dict[str, xarray.Dataset]:
        """Every dataset as an xarray Dataset, by name. Raises `ConfigError` without xarray."""
        return {name: table.to_xarray() for name, table in self.tables.items()}


def gather(items: Iterable[Item]) -> Answer:
    """The answer that a stream of items makes.

    Raises `SourceError` where the stream tells of a failure, or the failure itself where it comes right behind.
    """
    from dasflex_core.errors import SourceError

    items = iter(items)
    layouts = _Names()
    batches: dict[str, list[Records]] = {}
    names: dict[int, str] = {}
    header, comments = StreamHeader(), []
    for item in items:
        match item:
            case StreamHeader():
                header = item
            case Dataset():
                names[item.id] = layouts.name(item)
            case Records():
                batches.setdefault(names[item.dataset.id], []).append(item)
            case Comment():
                comments.append(item)
            case Problem():
                next(items, None)  # raises what was told, with its kind and detail, if it was no word of the reader's
                raise SourceError(item.message, kind="source.stream")
            case NoData():
                comments.append(Comment("log:info", item.message or "nothing was found in the range"))
    tables = {name: _table(found[0].dataset, found) for name, found in batches.items()}
    return Answer(tables, header.properties, tuple(comments))


class _Names:
    """The names of datasets in an answer: their own, with a number where another layout has it already.

    A stream may declare an id anew before each record, so layouts are looked up by what tells most of them apart.
    """

    def __init__(self) -> None:
        self._known: dict[object, list[tuple[Dataset, str]]] = {}
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def name(self, dataset: Dataset) -> str:
        """The name of a dataset: that of the same layout where it was declared before."""
        plain = replace(dataset, id=0)
        alike = self._known.setdefault(_fingerprint(dataset), [])
        for known, name in alike:
            if known == plain:
                return name
        name, count = dataset.name, self._last.get(dataset.name, 1)
        while name in self._taken:
            count += 1
            name = f"{dataset.name}_{count}"
        self._last[dataset.name] = count
        self._taken.add(name)
        alike.append((plain, name))
        return name


def _fingerprint(dataset: Dataset) -> object:
    """What is the same for the same layout, and seldom for another: names, units, shapes, and fixed values."""
    variables = dataset.variables.values()
    fixed = tuple(b"" if each.values is None else each.values.tobytes() for each in variables)
    return dataset.name, dataset.index, tuple((each.name, each.units, each.index) for each in variables), hash(fixed)


def _table(dataset: Dataset, batches: list[Records]) -> Table:
    """The arrays of a dataset from its batches."""
    columns: dict[str, NDArray[Any]] = {}
    for name, variable in dataset.variables.items():
        if variable.per_record:
            columns[name] = _joined(variable, [batch[name] for batch in batches])
        elif variable.values is not None:
            columns[name] = _finished(variable, variable.values)
        elif variable.sequences:
            _put(columns, name, _borrowed(variable, batches))
    return Table(dataset, columns)


def _put(columns: dict[str, NDArray[Any]], name: str, values: NDArray[Any] | None) -> None:
    """Adds values, if there are any."""
    if values is not None:
        columns[name] = values


def _joined(variable: Variable, columns: list[Column]) -> NDArray[Any]:
    """One array from those of the batches, finished; runs become an array of objects, one for each record."""
    if not variable.ragged:
        return _finished(variable, np.concatenate([column for column in columns if not isinstance(column, Ragged)]))
    rows = [row for column in columns if isinstance(column, Ragged) for row in _rows(variable, column)]
    found = np.empty(len(rows), dtype=object)
    for place, row in enumerate(rows):
        found[place] = row
    return found


def _rows(variable: Variable, column: Ragged) -> list[Any]:
    """The entries of a level of runs: an array for each run, lists of arrays where runs nest, bytes for blobs."""
    inner: Any
    if isinstance(column.values, Ragged):
        inner = _rows(variable, column.values)
    elif variable.semantic == "blob":
        inner = column.values.tobytes()
    else:
        inner = _finished(variable, column.values)
    return [inner[begin:end] for begin, end in pairwise(column.offsets.tolist())]


def _borrowed(variable: Variable, batches: list[Records]) -> NDArray[Any] | None:
    """The values of a sequence along an index whose length varies, as many as the longest run has; None for others."""
    places = [place for place, extent in enumerate(variable.index) if extent is not None]
    if len(places) != 1 or len(variable.sequences) != 1:
        return None
    rule, place = variable.sequences[0], places[0]
    try:
        start, step = float(rule.minimum), float(rule.intervals[place])
    except ValueError:  # a time, or no step
        return None
    steps: NDArray[Any] = start + step * np.arange(_longest(place, batches))
    return steps.astype(variable.dtype)


def _longest(place: int, batches: list[Records]) -> int:
    """The length of the longest run along one index of the dataset."""
    longest = 0
    for batch in batches:
        for variable in batch.dataset.columns:
            level: Any = batch[variable.name]
            for _outer in (own for own in variable.index[1:place] if own is not None):
                level = level.values if isinstance(level, Ragged) else level
            if isinstance(level, Ragged) and variable.index[place] is not None and len(level):
                longest = max(longest, int(np.diff(level.offsets).max()))
    return longest


def _finished(variable: Variable, values: NDArray[Any]) -> NDArray[Any]:
    """Values as a scientist wants them: native numbers, fill as NaN, times as datetime64, text as text."""
    if is_epoch(variable.units) and values.dtype.kind in "iuf":
        return to_datetime64(values, variable.units)
    if values.dtype.kind == "S":
        text: NDArray[Any] = np.char.decode(values, "utf-8", "replace")
        return text
    if values.dtype.kind not in "iuf":
        return values
    fill = is_fill(values, variable.fill)
    native = values.astype(values.dtype.newbyteorder("="))
    if not fill.any():
        return native
    if native.dtype.kind != "f":
        native = native.astype(np.float64)
    native[fill] = np.nan
    return native
