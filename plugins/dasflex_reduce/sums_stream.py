# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a `.sums` file: a stream of moments of bins, which stands alone, with headers and datasets.

A line that names form and version, the length of the head (8 bytes, little-endian), a JSON head padded to 8 bytes,
then arrays, each padded to 8 bytes. The head has the type and the shape of each array, and the items of the stream:
headers and datasets as texts of plain JSON, each with the places of its arrays, and of moments the places of theirs.
Between two declarations all moments of a dataset are together; a dataset that is declared anew, under the same id, has
those that follow. Times are where bins begin, in nanoseconds of UTC since 1970. Extremes keep the type of their data,
since float64 does not hold every 64-bit integer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import Dataset, NoData, StreamHeader
from dasflex_core.errors import SourceError
from dasflex_core.moments import Moments
from dasflex_reduce.declared import dtype_of, from_plain, to_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Item

__all__ = ["read_stream", "write_stream"]

_MAGIC: Final = b"dasflex-sums 1\n\0"
_WORD: Final = 8
#: Declarations that are remembered.
_DECLARED: Final = 256


def write_stream(items: Iterable[Item]) -> bytes:
    """The bytes of a stream of moments. Raises `SourceError` for items that cannot be kept."""
    arrays: list[NDArray[Any]] = []
    written: list[dict[str, Any]] = []
    waiting: dict[object, list[Moments]] = {}
    for item in items:
        if isinstance(item, Moments):
            waiting.setdefault((id(item.dataset), frozenset(item.parts)), []).append(item)
        else:
            written += [_moments(some, arrays) for some in waiting.values()]
            waiting.clear()
            written.append(_item(item, arrays))
    written += [_moments(some, arrays) for some in waiting.values()]
    listed = [[array.dtype.str, list(array.shape)] for array in arrays]
    try:
        for name in {array.dtype.str for array in arrays}:
            dtype_of(name)
    except ValueError as error:
        raise SourceError(f"Cannot be kept in a file of sums: {error}", kind="source.stream") from error
    head = json.dumps({"arrays": listed, "items": written}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % _WORD)
    return b"".join((_MAGIC, len(head).to_bytes(_WORD, "little"), head, *map(_packed, arrays)))


def read_stream(data: bytes) -> Iterator[Item]:
    """The stream that was written; its arrays are views of `data`. Raises `SourceError` where it is cut or damaged."""
    start = len(_MAGIC) + _WORD
    if data[: len(_MAGIC)] != _MAGIC:
        raise _damaged("it does not begin as version 1 of the form does")
    place = start + int.from_bytes(data[len(_MAGIC) : start], "little")
    try:
        head = json.loads(data[start:place])
        arrays = []
        for kind, shape in head["arrays"]:
            array, place = _array(data, place, dtype_of(kind), tuple(shape))
            arrays.append(array)
        items = list(_items(head["items"], arrays))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise _damaged(str(error)) from error
    if place != len(data):
        raise _damaged(f"{len(data)} bytes, where its head tells of {place}")
    return iter(items)


def _item(item: Item, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    """An item that is no moments."""
    if isinstance(item, NoData):
        return {"nothing": item.message}
    if not isinstance(item, StreamHeader | Dataset):
        raise SourceError(f"A {type(item).__name__} cannot be kept in a file of sums", kind="source.stream")
    own: list[NDArray[Any]] = []
    try:
        text = json.dumps(to_plain(item, own), separators=(",", ":"))
    except TypeError as error:
        raise SourceError(str(error), kind="source.stream") from error
    first = len(arrays)
    arrays += own
    return {"declared": text, "arrays": list(range(first, len(arrays)))}


def _moments(some: list[Moments], arrays: list[NDArray[Any]]) -> dict[str, Any]:
    """Moments of one kind of one dataset, as one."""
    first = some[0]

    def put(held: list[NDArray[Any]]) -> int:
        arrays.append(np.concatenate(held) if len(held) > 1 else held[0])
        return len(arrays) - 1

    return {
        "of": first.dataset.id,
        "begins": put([each.begins for each in some]),
        "parts": {
            name: {key: put([each.parts[name][key] for each in some]) for key in found}
            for name, found in first.parts.items()
        },
    }


def _items(written: list[dict[str, Any]], arrays: list[NDArray[Any]]) -> Iterator[Item]:
    """The items of a head. Raises `KeyError` and its kin for what is none."""
    datasets: dict[int, Dataset] = {}
    for each in written:
        if "declared" in each:
            held = tuple(_Held.of(arrays[place]) for place in each["arrays"])
            made = _declared(each["declared"], held)
            if isinstance(made, Dataset):
                datasets[made.id] = made
            yield made
        elif "nothing" in each:
            yield NoData(str(each["nothing"]))
        else:
            parts = {
                name: {key: arrays[place] for key, place in found.items()} for name, found in each["parts"].items()
            }
            yield Moments(datasets[each["of"]], arrays[each["begins"]], parts)


@dataclass(frozen=True, slots=True)
class _Held:
    """An array as a key."""

    kind: str
    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: NDArray[Any]) -> _Held:
        """The key of an array."""
        return cls(array.dtype.str, array.shape, array.tobytes())

    def array(self) -> NDArray[Any]:
        """The array again."""
        return np.frombuffer(self.data, self.kind).reshape(self.shape)


@lru_cache(_DECLARED)
def _declared(text: str, held: tuple[_Held, ...]) -> StreamHeader | Dataset:
    """What is declared; the blocks of a range declare the same, which is made once."""
    made = from_plain(json.loads(text), [each.array() for each in held])
    if not isinstance(made, StreamHeader | Dataset):
        raise TypeError(f"a {type(made).__name__} declares nothing")
    return made


def _packed(array: NDArray[Any]) -> bytes:
    """The bytes of an array, padded."""
    data = array.tobytes()
    return data + bytes(-len(data) % _WORD)


def _array(data: bytes, place: int, kind: np.dtype[Any], shape: tuple[int, ...]) -> tuple[NDArray[Any], int]:
    """The array at a place, and the place behind it. Raises `ValueError` for one that cannot be there."""
    if min(shape, default=0) < 0:
        raise ValueError(f"no array has the shape {shape}")
    count = prod(shape)
    size = count * kind.itemsize
    if place + size > len(data):
        raise ValueError("it ends inside an array")
    array = np.frombuffer(data, kind, count, place) if size else np.empty(count, kind)
    return array.reshape(shape), place + size + -size % _WORD


def _damaged(why: str) -> SourceError:
    return SourceError(f"A file of sums cannot be read: {why}", kind="source.stream")
