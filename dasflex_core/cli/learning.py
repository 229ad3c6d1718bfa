# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables `[coords]` and `[data]` of a definition, as the headers of its stream imply them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from dasflex_core.epochs import is_epoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.arrays import Dataset, Variable

__all__ = ["axis_names", "coord_name", "learned_tables"]


def learned_tables(datasets: Iterable[Dataset]) -> str:
    """TOML that says of the coordinates and the data what the datasets declare, each variable once."""
    coords: dict[str, list[str]] = {}
    data: dict[str, list[str]] = {}
    for dataset in datasets:
        for dimension in dataset.dimensions:
            for variable in dimension.variables:
                if dimension.coordinate:
                    coords.setdefault(coord_name(variable, dimension.name), list(_coord(variable, dimension.name)))
                else:
                    data.setdefault(variable.name, list(_data(dataset, variable)))
    tables = [("coords", name, lines) for name, lines in coords.items()]
    tables += [("data", name, lines) for name, lines in data.items()]
    return "\n".join("\n".join([f"[{table}.{_key(name)}]", *lines, ""]) for table, name, lines in tables)


def coord_name(variable: Variable, dimension: str) -> str:
    """What a definition calls a coordinate: the dimension's name, or `offset` for what is counted from it."""
    return "offset" if variable.role == "offset" else dimension


def _coord(variable: Variable, dimension: str) -> Iterator[str]:
    """What is known of a coordinate."""
    if variable.label:
        yield f"title = {json.dumps(variable.label, ensure_ascii=False)}"
    if variable.role == "offset":
        yield f"of    = {json.dumps(dimension)}"
    if variable.semantic != "datetime" and not is_epoch(variable.units):
        yield f"units = {json.dumps(variable.units, ensure_ascii=False)}"
    sizes = [extent for extent in variable.index[1:] if extent is not None and extent != 0]
    if len(sizes) == 1:
        yield f"size  = {sizes[0]}" if sizes[0] > 0 else 'size  = "*"'


def _data(dataset: Dataset, variable: Variable) -> Iterator[str]:
    """What is known of a variable."""
    if variable.label:
        yield f"title = {json.dumps(variable.label, ensure_ascii=False)}"
    yield f"axes  = {json.dumps(list(axis_names(dataset, variable)), ensure_ascii=False)}"
    yield f"units = {json.dumps(variable.units, ensure_ascii=False)}"


def axis_names(dataset: Dataset, variable: Variable) -> tuple[str, ...]:
    """What a definition calls the coordinates that a variable depends on, in order."""
    names = [coord_name(each, dataset.dimension(each).name) for each in dataset.axes(variable)]
    return tuple(dict.fromkeys(names))


def _key(name: str) -> str:
    """A name as a key of TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
