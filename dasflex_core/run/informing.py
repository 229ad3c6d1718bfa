# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts what a definition says of its coordinates and data on the datasets of the stream, where it is decoded.

What is written wins over what the stream says (the definition file, rule 6), so that every stage sees it: units, label
and fill as those of the variable, `period`, `valid` and `scale` as the properties that a stream of that generation has
for them. What the stream says already stays as it is written there. Values do not change, so that bytes which nothing
decodes are true of both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Dataset, Property, Records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Dimension, Fill, Item, Properties, Variable
    from dasflex_core.catalog.model import Coord, DataItem, Facts

__all__ = ["informed", "with_facts"]

#: The axis that das2 writes into the names of the properties of a plane (das 2.2 ICD, standard property names).
_AXES: Final = {"x": "x", "y": "y", "z": "z", "yscan": "z"}
#: Roles whose values are not of the kind that the definition describes.
_COUNTS: Final = ("count", "width")


def informed(items: Iterator[Item], facts: Facts) -> Iterator[Item]:
    """The same items, with the facts on datasets and on the datasets of records."""
    known: dict[int, tuple[Dataset, Dataset]] = {}
    for item in items:
        if isinstance(item, Dataset):
            known[item.id] = item, with_facts(item, facts)
            yield known[item.id][1]
        elif isinstance(item, Records):
            read, told = known.get(item.dataset.id, (None, None))
            if told is None or read is not item.dataset:
                told = with_facts(item.dataset, facts)
                known[item.dataset.id] = item.dataset, told
            yield item if told is item.dataset else Records(told, item.columns, item.extras)
        else:
            yield item


def with_facts(dataset: Dataset, facts: Facts) -> Dataset:
    """The dataset as the definition describes it; the same object where that says nothing else than the stream."""
    dimensions = tuple(_dimension(dataset, each, facts) for each in dataset.dimensions)
    if all(made is own for made, own in zip(dimensions, dataset.dimensions, strict=True)):
        return dataset
    return replace(dataset, dimensions=dimensions)


def _dimension(dataset: Dataset, dimension: Dimension, facts: Facts) -> Dimension:
    """The dimension with what is said of its variables."""
    for variable in dimension.variables:
        said = _said(dimension, variable, facts)
        if said is None or variable.role in _COUNTS:
            continue
        made = _variable(dataset, variable, said)
        entries = tuple(_entries(dataset, variable, said))
        alone = dataset.generation == 3 and len(dimension.variables) == 1
        if alone:
            dimension = _put(dimension, _news(dimension.properties, entries))
        else:
            news = _news(made.properties, entries)
            made = replace(made, properties=made.properties.put(*news)) if news else made
        if made is not variable:
            variables = tuple(made if each is variable else each for each in dimension.variables)
            dimension = replace(dimension, variables=variables)
    return dimension


def _put(dimension: Dimension, news: tuple[Property, ...]) -> Dimension:
    """The dimension with more properties, or the same where there are none."""
    return replace(dimension, properties=dimension.properties.put(*news)) if news else dimension


def _said(dimension: Dimension, variable: Variable, facts: Facts) -> Coord | DataItem | None:
    """What the definition says of a variable, by its name, that of its plane, or that of its dimension."""
    tables: dict[str, Coord | DataItem] = {}
    if dimension.coordinate:
        tables |= {name.lower(): coord for name, coord in facts.coords.items()}
    else:
        tables |= {name.lower(): item for name, item in facts.data.items()}  # readers of files have renamed them
        tables |= {item.source.lower(): item for item in facts.data.values() if item.source}
    general = "offset" if variable.role == "offset" else dimension.name
    names = (variable.name, variable.plane_name.strip(), general)
    return next((tables[name.lower()] for name in names if name and name.lower() in tables), None)


def _variable(dataset: Dataset, variable: Variable, said: Coord | DataItem) -> Variable:
    """The variable with the units, the label and the fill that are said of it. Times keep their units."""
    timed = variable.semantic == "datetime" or epochs.is_epoch(variable.units)
    units = variable.units if said.units is None or timed else said.units
    label = said.label or variable.label
    fill = variable.fill if dataset.dimension(variable).coordinate else _fill(variable, getattr(said, "fill", ""))
    if (units, label) == (variable.units, variable.label) and fill is variable.fill:
        return variable
    return replace(variable, units=units, label=label, fill=fill)


def _fill(variable: Variable, text: str) -> Fill:
    """The fill that a text says, in the kind of the variable's values; its own where it says none."""
    kind = variable.dtype.kind
    try:
        made: Fill = text
        if not text:
            made = variable.fill
        elif kind in "iu":
            made = int(text)
        elif kind == "f":
            made = float(text)
        elif kind == "M":
            made = np.datetime64(text.removesuffix("Z"), "ns")
        elif kind == "S":
            made = text.encode()
    except ValueError:  # no value that this variable can have
        return variable.fill
    own = variable.fill
    return own if made == own and type(made) is type(own) else made


def _entries(dataset: Dataset, variable: Variable, said: Coord | DataItem) -> Iterator[Property]:
    """What is said of a variable as properties, in the names and types of its generation."""
    old = dataset.generation == 2
    real, text = ("double", "String") if old else ("real", "string")
    axis = _AXES.get(variable.plane, "") if old else ""

    def name(plain: str) -> str:
        return f"{axis}{plain[:1].upper()}{plain[1:]}" if axis else plain

    if said.label:
        yield Property(name("label"), said.label, text)
    if said.scale:
        yield Property(name("scaleType"), said.scale, text)
    for plain, value in zip(("validMin", "validMax"), said.valid or (), strict=False):
        yield Property(name(plain), repr(float(value)), real)
    if said.period is not None:
        yield Property("period", repr(float(said.period)), real)


def _news(properties: Properties, entries: tuple[Property, ...]) -> tuple[Property, ...]:
    """The entries that do not stand among the properties already, in whatever form."""
    return tuple(each for each in entries if not _same(properties.get(each.name), each))


def _same(there: Property | None, entry: Property) -> bool:
    """Whether a property says what the entry does; numbers may be written in several ways."""
    if there is None:
        return False
    if there.text.strip() == entry.text:
        return True
    try:
        return float(there.text.split()[0]) == float(entry.text)
    except (ValueError, IndexError):
        return False
