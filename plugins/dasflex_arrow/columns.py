# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of records as arrays of Arrow, and what a schema says of them.

Numbers keep their type, times become timestamps of nanoseconds in UTC, fill becomes null. An inner index of fixed
length is a list of fixed size, one that varies a list; the bytes of a blob are binary.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, is_fill
from dasflex_core.record_times import is_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Dataset, Properties, Records, StreamHeader, Variable

__all__ = ["batch_of", "schema_of"]

_TIME: Final = pa.timestamp("ns", tz="UTC")


def schema_of(stream: StreamHeader, dataset: Dataset) -> pa.Schema:
    """The schema of a dataset: a field for each variable with a column, in the order of the stream.

    A field says `units`, `label`, `role`, `dimension` and `axes`. The schema says the `title`, the `name` of the
    dataset, the `properties` of the stream as JSON, and in `constants` the variables that are the same for all records.
    """
    fields = [
        pa.field(each.name, _type_of(each), nullable=True, metadata=_told(dataset, each)) for each in dataset.columns
    ]
    constants = {
        each.name: {**_told(dataset, each), "values": _plain(each)}
        for each in dataset.variables.values()
        if each.name not in dataset.wire and each.values is not None
    }
    about = {
        "title": stream.properties.text("title"),
        "name": dataset.name,
        "properties": json.dumps(_properties(stream.properties)),
        "constants": json.dumps(constants),
    }
    return pa.schema(fields, metadata={name: text for name, text in about.items() if text not in ("", "{}")})


def batch_of(schema: pa.Schema, batch: Records) -> pa.RecordBatch:
    """Some records as a batch of Arrow."""
    arrays = [_array(each, batch[each.name]) for each in batch.dataset.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _told(dataset: Dataset, variable: Variable) -> dict[str, str]:
    """What is said of a variable."""
    dimension = dataset.dimension(variable)
    about = {
        "units": "" if is_time(variable) else variable.units,
        "label": variable.label,
        "role": variable.role,
        "dimension": dimension.name,
        "axes": "" if dimension.coordinate else ",".join(each.name for each in dataset.axes(variable)),
    }
    return {name: text for name, text in about.items() if text}


def _type_of(variable: Variable) -> pa.DataType:
    """The type of a column."""
    if variable.semantic == "blob":
        return _nested(pa.binary(), variable.shape[:-1] if variable.vector else variable.shape)
    leaf = _TIME if is_time(variable) else _plain_type(variable)
    return _nested(leaf, variable.shape)


def _plain_type(variable: Variable) -> pa.DataType:
    """The type of a value that is no time."""
    if variable.dtype.kind == "S":
        return pa.string()
    if variable.semantic == "bool":
        return pa.bool_()
    return pa.from_numpy_dtype(variable.dtype.newbyteorder("="))


def _nested(leaf: pa.DataType, shape: tuple[int, ...]) -> pa.DataType:
    """The type of values in lists, the innermost last."""
    for extent in reversed(shape):
        leaf = pa.list_(leaf, extent) if extent >= 0 else pa.list_(leaf)
    return leaf


def _array(variable: Variable, column: Column) -> pa.Array:
    """A column as an array of Arrow."""
    if isinstance(column, Ragged):
        return _runs(variable, column)
    inner = _flat(variable, column.reshape(-1))
    for extent in reversed(column.shape[1:]):
        inner = pa.FixedSizeListArray.from_arrays(inner, extent)
    return inner


def _runs(variable: Variable, column: Ragged) -> pa.Array:
    """Runs of values as lists; the innermost ones of a blob as its bytes."""
    offsets = pa.array(column.offsets.astype(np.int32))
    if variable.semantic == "blob" and not isinstance(column.values, Ragged):
        data = np.ascontiguousarray(column.values).tobytes()
        buffers = [None, pa.py_buffer(column.offsets.astype(np.int32)), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.binary(), len(column), buffers)
    return pa.ListArray.from_arrays(offsets, _array(variable, column.values))


def _flat(variable: Variable, values: NDArray[Any]) -> pa.Array:
    """Values in a row, fill as null."""
    missing = is_fill(values, variable.fill)
    if is_time(variable):
        times = epochs.to_datetime64(values, variable.units)
        return _primitive(_TIME, times, missing | np.isnat(times))
    if values.dtype.kind == "S":
        texts = np.strings.decode(np.strings.rstrip(values, b" "), "utf-8", "replace")
        return pa.array(texts.astype(object), type=pa.string(), mask=missing)
    if variable.semantic == "bool":
        return pa.array(values != 0, type=pa.bool_(), mask=missing)
    native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    return _primitive(pa.from_numpy_dtype(native.dtype), native, missing)


def _primitive(kind: pa.DataType, values: NDArray[Any], missing: NDArray[np.bool_]) -> pa.Array:
    """Values of a fixed width as they lie in memory, with a bit for each that is there (Arrow, validity bitmaps)."""
    bits = pa.py_buffer(np.invert(np.packbits(missing, bitorder="little"))) if missing.any() else None
    return pa.Array.from_buffers(kind, len(values), [bits, pa.py_buffer(np.ascontiguousarray(values))])


def _plain(variable: Variable) -> object:
    """The values of a variable that has the same for all records, as JSON holds them."""
    values = np.asarray(variable.values)
    if is_time(variable):
        return np.datetime_as_string(epochs.to_datetime64(values, variable.units)).tolist()
    return _array(variable, values[None]).to_pylist()[0]


def _properties(entries: Properties) -> dict[str, str]:
    """The properties of a stream by their names."""
    return {each.name: f"{each.text} {each.units}".strip() for each in entries}
