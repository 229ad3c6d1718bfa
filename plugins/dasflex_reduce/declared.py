# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers and datasets of a stream as plain JSON, with their arrays beside it, so that they can be kept in a file.

>>> arrays = []
>>> kept = to_plain(Property("label", "B (nT)", "String"), arrays)
>>> from_plain(kept, arrays)
Property(name='label', text='B (nT)', type='String', units='', term='', translations=())
"""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import (
    CoordinateFrame,
    Dataset,
    Dimension,
    Encoding,
    Properties,
    Property,
    Sequence,
    StreamHeader,
    Variable,
    Vector,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableSequence
    from collections.abc import Sequence as SequenceOf

    from numpy.typing import NDArray

    Plain = Any

__all__ = ["dtype_of", "from_plain", "to_plain"]

_CLASSES: Final[Mapping[str, type]] = {
    each.__name__: each
    for each in (
        CoordinateFrame,
        Dataset,
        Dimension,
        Encoding,
        Properties,
        Property,
        Sequence,
        StreamHeader,
        Variable,
        Vector,
    )
}
#: Fields that are made of others.
_DERIVED: Final = frozenset({"axes"})
#: Numbers, truths, text and times, as numpy writes their types.
_TYPE: Final = re.compile(r"[<>|=][biufcSU]\d{1,9}|[<>=]M8\[\d*[a-z]{1,2}\]")


def to_plain(value: object, arrays: MutableSequence[NDArray[Any]]) -> Plain:
    """What JSON holds of a value; its arrays are put behind others. Raises `TypeError` for what cannot be kept."""
    if isinstance(value, tuple):
        return [to_plain(each, arrays) for each in value]
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if type(value).__name__ in _CLASSES and is_dataclass(value):
        told = {each.name: getattr(value, each.name) for each in fields(value) if not _is_default(value, each)}
        return {"is": type(value).__name__, **{name: to_plain(held, arrays) for name, held in told.items()}}
    return _simple(value)


def _simple(value: object) -> Plain:
    """What JSON holds of a value that has no others in it."""
    made: Plain = value
    match value:
        case np.generic():
            made = {"scalar": [value.dtype.str, value.tobytes().hex()]}
        case None | bool() | str() | int():
            pass
        case np.dtype():
            made = {"dtype": value.str}
        case float():
            made = {"float": value.hex()}
        case bytes():
            made = {"bytes": value.hex()}
        case frozenset():
            made = {"set": sorted(map(str, value))}
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be kept in a file of sums")
    return made


def from_plain(plain: Plain, arrays: SequenceOf[NDArray[Any]]) -> Any:  # noqa: ANN401  whatever was written
    """The value that was kept. Raises `TypeError`, `KeyError`, `ValueError` or `IndexError` for what is none."""
    if isinstance(plain, list):
        return tuple(from_plain(each, arrays) for each in plain)
    if not isinstance(plain, dict):
        return plain
    if "is" in plain:
        made = {name: from_plain(each, arrays) for name, each in plain.items() if name != "is"}
        return _CLASSES[plain["is"]](**made)
    ((kind, held),) = plain.items()
    return arrays[held] if kind == "array" else _MADE[kind](held)


def dtype_of(text: str) -> np.dtype[Any]:
    """The type of that name. Raises `ValueError` for one that no array of a stream has."""
    if not _TYPE.fullmatch(text):
        raise ValueError(f"{text!r} is no type of an array")
    return np.dtype(text)


def _scalar(held: list[str]) -> np.generic:
    """A number of numpy's own types."""
    found: np.generic = np.frombuffer(bytes.fromhex(held[1]), dtype_of(held[0]))[0]
    return found


_MADE: Final[Mapping[str, Callable[[Any], object]]] = {
    "dtype": dtype_of,
    "scalar": _scalar,
    "float": float.fromhex,
    "bytes": bytes.fromhex,
    "set": frozenset,
}


def _is_default(value: object, field: Any) -> bool:  # noqa: ANN401  a field of whatever type
    """Whether a field need not be told."""
    return field.name in _DERIVED or (field.default is not MISSING and getattr(value, field.name) is field.default)
