# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stream and its datasets say of themselves, as objects of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson

from dasflex_core.arrays import VARIES
from dasflex_json.texts import column_text

if TYPE_CHECKING:
    from dasflex_core.arrays import Dataset, Dimension, Fill, Properties, StreamHeader, Variable

__all__ = ["dataset_text", "json_text", "stream_text"]


def json_text(value: object) -> bytes:
    """A value of plain Python as JSON. Text that UTF-8 cannot hold is written with replacement characters."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(_encodable(value))


def _encodable(value: object) -> object:
    """The value with lone surrogates replaced in its text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {str(_encodable(name)): _encodable(each) for name, each in value.items()}
    return [_encodable(each) for each in value] if isinstance(value, list) else value


def stream_text(header: StreamHeader) -> bytes:
    """The object of the stream's header."""
    return json_text({"title": header.properties.text("title"), "properties": _properties(header.properties)})


def dataset_text(dataset: Dataset, digits: dict[str, int]) -> bytes:
    """The object of the declaration of a dataset; `digits` of a second for each variable by name."""
    variables = [
        _variable_text(dataset, dimension, variable, digits[variable.name])
        for dimension in dataset.dimensions
        for variable in dimension.variables
    ]
    about = {
        "dataset": dataset.id,
        "name": dataset.name,
        "plot": dataset.plot,
        "group": dataset.group,
        "properties": _properties(dataset.properties),
    }
    head = json_text({name: value for name, value in about.items() if value not in ("", {})})
    return head[:-1] + b',"variables":[%b]}' % b",".join(variables)


def _variable_text(dataset: Dataset, dimension: Dimension, variable: Variable, digits: int) -> bytes:
    """The object of a variable; one that is the same for all records has its values there."""
    about: dict[str, object] = {
        "name": variable.name,
        "dimension": dimension.name,
        "physical": dimension.physical,
        "coordinate": dimension.coordinate,
        "role": variable.role,
        "semantic": variable.semantic,
        "units": variable.units,
        "index": [
            "records" if at == 0 and each is not None else _extent(each) for at, each in enumerate(variable.index)
        ],
        "column": variable.name in dataset.wire,
    }
    if variable.label:
        about["label"] = variable.label
    if not dimension.coordinate:
        about["axes"] = [each.name for each in dataset.axes(variable)]
    if variable.vector:
        about["components"] = variable.vector.components
        about["frame"] = variable.vector.frame or dimension.frame
        about["system"] = variable.vector.system
    if (fill := _fill(variable.fill)) is not None:
        about["fill"] = fill
    if properties := _properties_of(dimension.properties, variable.properties):
        about["properties"] = properties
    if variable.sequences:
        about["sequence"] = [
            {"minimum": each.minimum, "intervals": list(each.intervals)} for each in variable.sequences
        ]
    text = json_text(about)
    if variable.values is None or variable.name in dataset.wire:
        return text
    values = column_text(variable, np.asarray(variable.values), digits)
    return text[:-1] + b',"values":%b}' % values


def _extent(extent: int | None) -> int | str | None:
    return "varies" if extent == VARIES else extent


def _fill(fill: Fill) -> float | int | str | None:
    """What is written for fill in other formats; here it is null."""
    if isinstance(fill, np.datetime64):
        return None
    if isinstance(fill, bytes):
        return fill.decode("utf-8", "replace")
    plain = fill.item() if isinstance(fill, np.generic) else fill
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


def _properties_of(*every: Properties) -> dict[str, dict[str, str]]:
    """The properties of several holders, those of the last first in rank."""
    both: dict[str, dict[str, str]] = {}
    for each in every:
        both |= _properties(each)
    return both


def _properties(entries: Properties) -> dict[str, dict[str, str]]:
    """Each property with its type, its text and, where it has some, its units."""
    return {
        entry.name: {"type": entry.type, "value": entry.text} | ({"units": entry.units} if entry.units else {})
        for entry in entries
    }
