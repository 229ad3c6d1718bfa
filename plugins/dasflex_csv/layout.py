# SPDX-License-Identifier: GPL-3.0-or-later
"""The columns of a dataset: which variables a row holds, what kind of text each gives, and what stands above them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from dasflex_core.errors import QueryError
from dasflex_core.record_times import is_time
from dasflex_core.second_digits import own_secfrac
from dasflex_core.values import dataclass
from dasflex_csv.tags import element_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Dimension, Property, Records, Variable

__all__ = ["Field", "Kind", "component_labels", "fields_of", "plain_names", "split_items", "values_of"]

#: What the cells of a field are. `fixed`: the same in every record, so that rows have nothing to say.
Kind: TypeAlias = Literal["time", "real", "integer", "boolean", "text", "fixed"]

#: Symbols of vector components by coordinate system (das 3.0, vectors).
_SYMBOLS: Final = {
    "cartesian": ("x", "y", "z"),
    "cylindrical": ("\N{GREEK SMALL LETTER RHO}", "φ", "z"),
    "spherical": ("r", "θ", "φ"),
    "centric": ("r", "φ", "θ"),
    "detic": ("φ", "θ", "a"),
    "graphic": ("φ", "θ", "a"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """The `count` neighbouring columns that one variable fills; `secfrac` digits of a second, where they are times."""

    variable: Variable
    dimension: Dimension
    kind: Kind
    count: int
    secfrac: int


def fields_of(dataset: Dataset, *, secfrac: int | None = None, fixed: bool = False) -> tuple[Field, ...]:
    """The fields of a row: coordinates, then data, each in the order of their declaration.

    Times have `secfrac` digits of a second, or as many as their resolution needs. With `fixed`, variables that do not
    change with the record have columns too. Raises `QueryError` for values that fit no fixed number of cells: ragged
    ones and blobs.
    """
    ordered = sorted(dataset.dimensions, key=lambda dimension: not dimension.coordinate)
    found = [
        Field(
            variable,
            dimension,
            _kind(dataset, variable),
            _count(dataset, variable),
            own_secfrac(variable) if secfrac is None else secfrac,
        )
        for dimension in ordered
        for variable in dimension.variables
        if variable.per_record or (fixed and variable.values is not None)
    ]
    if not any(field.variable.per_record for field in found):
        raise QueryError(f"Dataset {dataset.name} has no values to write in rows", kind="query.unreachable-type")
    return tuple(found)


def _kind(dataset: Dataset, variable: Variable) -> Kind:
    """What the cells of the variable are."""
    letter = variable.dtype.kind
    if not variable.per_record:
        return "fixed"
    if is_time(variable):
        return "time"
    if letter == "b" or (letter in "iu" and variable.semantic == "bool"):
        return "boolean"
    kinds: dict[str, Kind] = {"f": "real", "i": "integer", "u": "integer", "S": "text"}
    if letter not in kinds:
        raise _misfit(dataset, variable, f"its values ({variable.dtype}) are no numbers, times or text")
    return kinds[letter]


def _count(dataset: Dataset, variable: Variable) -> int:
    """The number of columns of the variable."""
    if variable.semantic == "blob":
        raise _misfit(dataset, variable, "its values are whole files")
    if variable.ragged:
        raise _misfit(dataset, variable, "the number of its values varies from record to record")
    return prod(variable.shape)


def _misfit(dataset: Dataset, variable: Variable, why: str) -> QueryError:
    """The error for a variable that rows of cells cannot hold."""
    return QueryError(
        f"Variable {variable.name} of dataset {dataset.name} cannot be written as CSV: {why}. "
        "Choose other variables with read.data, or a das stream with format.type=das",
        kind="query.unreachable-type",
    )


def plain_names(dataset: Dataset, fields: tuple[Field, ...]) -> list[str]:
    """The header of the plain style: one name per column, all different.

    A scalar is `NAME (UNITS)`; a time is `NAME`, as its text says what it is; a component of a vector is
    `NAME_x (UNITS)`. Values over an inner axis are `NAME (TAG)`, where the tag is the value of the coordinate with its
    units, as in `psd (10 Hz)` or `wave (0.5 s)`, several tags being separated by `; `. Where no coordinate says what
    an inner index means, or it varies with the record, the index itself is written: `NAME [0] (UNITS)`.
    """
    taken: dict[str, int] = {}
    return [_unique(name, taken) for field in fields for name in _field_names(dataset, field)]


def _unique(name: str, taken: dict[str, int]) -> str:
    """The name, or with `_2`, `_3`, … where it is taken; it is taken from then on.

    `taken` has the last number given to each name, so that many equal names do not cost their square.
    """
    found = name
    while found in taken:
        taken[name] += 1
        found = f"{name}_{taken[name]}"
    taken[found] = 1
    return found


def _field_names(dataset: Dataset, field: Field) -> Iterator[str]:
    """The names of the columns of one field, which may be those of another."""
    variable = field.variable
    units = f" ({variable.units})" if variable.units and field.kind != "time" else ""
    for index, tags in element_tags(dataset, variable):
        place = f" [{index}]" if index else ""
        behind = f" ({tags})" if tags else units
        for symbol in _symbols(variable) or ("",):
            yield f"{_base(field)}{'_' if symbol else ''}{symbol}{place}{behind}"


def _base(field: Field) -> str:
    """What a variable is called: the time of the first sample is just the time, as there is no other."""
    dimension, variable = field.dimension, field.variable
    roles = {other.role for other in dimension.variables}
    return dimension.name if variable.role == "reference" and "center" not in roles else variable.name


def _symbols(variable: Variable) -> tuple[str, ...]:
    """The symbols of the components of a vector, in the order of its slots; none for other variables."""
    vector = variable.vector
    if vector is None:
        return ()
    known = _SYMBOLS.get(vector.system, _SYMBOLS["cartesian"])
    order = vector.order or tuple(range(vector.components))
    return tuple(known[slot % 3] for slot in order[: vector.components])


def component_labels(field: Field) -> tuple[str, ...]:
    """The labels of the components of a vector (das 3.0, vectors); none for other variables.

    They are the property `compLabel` of the variable or the dimension where it has as many items as there are
    components, else `DIM_x` for data and `x_FRAME` for coordinates.
    """
    variable, dimension = field.variable, field.dimension
    for properties in (variable.properties, dimension.properties):
        given = properties.get("compLabel")
        if given and variable.vector and len(split_items(given)) == variable.vector.components:
            return tuple(split_items(given))
    frame = variable.vector.frame if variable.vector and variable.vector.frame else dimension.frame
    if dimension.coordinate:
        return tuple(f"{symbol}_{frame}" if frame else symbol for symbol in _symbols(variable))
    return tuple(f"{dimension.name}_{symbol}" for symbol in _symbols(variable))


def values_of(field: Field, batch: Records) -> NDArray[Any]:
    """The column of a field as (records, count)."""
    column: Any = batch[field.variable.name]
    values: NDArray[Any] = column.reshape(len(batch), field.count)
    return values


def split_items(entry: Property) -> list[str]:
    """The items of a property: two of a range, those of an array, one of anything else (das 3.0, properties)."""
    text, kind = entry.text.strip(), entry.type.lower()
    if kind.endswith("range") and " to " in text:
        return [part.strip() for part in text.split(" to ", 1)]
    if not kind.endswith("array"):
        return [text]
    if entry.term.strip():
        items = [part.strip() for part in text.split(entry.term)]
        return items[:-1] if len(items) > 1 and not items[-1] else items
    return [part.strip() for part in text.split(",")] if kind == "doublearray" else text.split()
