# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a `.sums` file: what the bins of one block hold, as moments from which wider bins are made.

A line that names form and version, the length of the head (8 bytes, little-endian), a JSON head padded to 8 bytes,
then the arrays in the order of the head, each little-endian and padded to 8 bytes. Times are where bins begin, in
nanoseconds of UTC since 1970. Extremes keep the type of their data, since float64 does not hold every 64-bit integer.

>>> bins = DatasetSums("d", np.array([0, 60]), {"v": {"total": np.array([[1.0], [2.0]])}})
>>> whole = read_sums(write_sums(SumsFile(60, (bins,))))
>>> whole.width, whole.datasets[0].moments["v"]["total"].ravel().tolist()
(60, [1.0, 2.0])
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["DatasetSums", "SumsFile", "read_sums", "write_sums"]

_MAGIC: Final = b"dasflex-sums 1\n\0"
_WORD: Final = 8
#: The types of numbers that a file may hold.
_TYPES: Final = frozenset({"f8", "f4", "c16", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"})


@dataclass(frozen=True, slots=True)
class DatasetSums:
    """The bins of one dataset: where each begins (bins,), and by variable and moment an array (bins, columns)."""

    name: str
    begins: NDArray[np.int64]
    moments: Mapping[str, Mapping[str, NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class SumsFile:
    """The bins of a block, `width` nanoseconds each, of every dataset in the order of the stream."""

    width: int
    datasets: tuple[DatasetSums, ...]


def write_sums(sums: SumsFile) -> bytes:
    """The bytes of a file. Raises `ValueError` for an array of another length than the times, or of no numbers."""
    arrays: list[bytes] = []
    datasets = []
    for each in sums.datasets:
        arrays.append(_packed(np.asarray(each.begins, dtype="<i8")))
        listed = [
            [variable, moment, _placed(array, len(each.begins), arrays), list(array.shape)]
            for variable, found in each.moments.items()
            for moment, array in found.items()
        ]
        datasets.append({"name": each.name, "bins": len(each.begins), "arrays": listed})
    head = json.dumps({"width": sums.width, "datasets": datasets}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % _WORD)
    return b"".join((_MAGIC, len(head).to_bytes(_WORD, "little"), head, *arrays))


def _packed(array: NDArray[Any]) -> bytes:
    """The bytes of an array, padded."""
    data = array.tobytes()
    return data + bytes(-len(data) % _WORD)


def _placed(array: NDArray[Any], bins: int, arrays: list[bytes]) -> str:
    """Puts an array behind the others, and gives its type."""
    kind = array.dtype.str[1:]
    if kind not in _TYPES or array.ndim == 0 or len(array) != bins:
        raise ValueError(f"An array of {kind} and shape {array.shape} does not hold moments of {bins} bins")
    arrays.append(_packed(array.astype(f"<{kind}")))
    return kind


def read_sums(data: bytes) -> SumsFile:
    """What a file holds; its arrays are views of `data`. Raises `SourceError` where it is cut, damaged or newer."""
    start = len(_MAGIC) + _WORD
    if data[: len(_MAGIC)] != _MAGIC:
        raise _damaged("it does not begin as version 1 of the form does")
    place = start + int.from_bytes(data[len(_MAGIC) : start], "little")
    try:
        head = json.loads(data[start:place])
        datasets = []
        for each in head["datasets"]:
            bins = int(each["bins"])
            begins, place = _array(data, place, "i8", (bins,))
            moments: dict[str, dict[str, NDArray[Any]]] = {}
            for variable, moment, kind, shape in each["arrays"]:
                array, place = _array(data, place, kind, tuple(shape))
                moments.setdefault(variable, {})[moment] = array
            datasets.append(DatasetSums(each["name"], begins, moments))
        whole = SumsFile(int(head["width"]), tuple(datasets))
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(str(error)) from error
    if place != len(data):
        raise _damaged(f"{len(data)} bytes, where its head tells of {place}")
    return whole


def _array(data: bytes, place: int, kind: str, shape: tuple[int, ...]) -> tuple[NDArray[Any], int]:
    """The array at a place, and the place behind it. Raises `ValueError` for one that cannot be there."""
    if kind not in _TYPES or any(extent < 0 for extent in shape):
        raise ValueError(f"no array has the type {kind} and the shape {shape}")
    count = prod(shape)
    array = np.frombuffer(data[place:place] if not count else data, f"<{kind}", count, 0 if not count else place)
    size = array.nbytes
    return array.reshape(shape), place + size + -size % _WORD


def _damaged(why: str) -> SourceError:
    return SourceError(f"A file of sums cannot be read: {why}; build its block again", kind="source.stream")
