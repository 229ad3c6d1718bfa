# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that a das3 header holds or implies: storage types, fill values, `<values>` and `<sequence>`."""

from __future__ import annotations

import re
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.errors import SourceError
from dasflex_das.das3_properties import term_byte

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence as Listed

    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill, Sequence

__all__ = [
    "MAX_ITEMS",
    "NUMBER",
    "STORAGE",
    "count_of",
    "default_fill",
    "evaluate",
    "evaluate_at",
    "full_rank",
    "header_texts",
    "header_values",
    "is_number",
    "moment",
    "natural_type",
    "sequence_type",
    "storage_name",
    "typed_fill",
]

#: The in-memory types by their names in headers (das 3.0 schema, `Storage`).
STORAGE: Final[dict[str, np.dtype[Any]]] = {
    "byte": np.dtype("i1"),
    "ubyte": np.dtype("u1"),
    "short": np.dtype("i2"),
    "ushort": np.dtype("u2"),
    "int": np.dtype("i4"),
    "uint": np.dtype("u4"),
    "long": np.dtype("i8"),
    "ulong": np.dtype("u8"),
    "float": np.dtype("f4"),
    "double": np.dtype("f8"),
}
#: Values that the header of one dataset may hold or imply: more than any real one, and no danger to the memory.
MAX_ITEMS: Final = 1 << 20
#: Bytes of the texts in a header, each as long as the longest.
_MAX_TEXT: Final = 1 << 23
#: A number as the schema allows it in `<sequence>` (das 3.0 schema, `Real`).
NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")

_COUNT: Final = re.compile(r"[1-9][0-9]{0,8}")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_SECOND: Final = 1_000_000_000


def count_of(text: str) -> int:
    """The number that a header writes as an extent or a width, 1 to 999,999,999; 0 for what is none."""
    return int(text) if _COUNT.fullmatch(text.strip()) else 0


def is_number(text: str) -> bool:
    """Whether a header may write this as the number of a sequence, and a double can hold it."""
    return bool(NUMBER.fullmatch(text)) and isfinite(float(text))


def natural_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type as it is written where no encoding says otherwise: the same, little-endian but for big-endian ones."""
    if dtype.kind == "b":
        return np.dtype("i1")
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or dtype == np.float16:
        return np.dtype("<f4" if dtype == np.float16 else "<f8")
    return dtype if dtype.byteorder == ">" else dtype.newbyteorder("<")


def storage_name(dtype: np.dtype[Any]) -> str:
    """The name of a type in headers: `struct` for calendar times, blank for text."""
    if dtype.kind in "MS":
        return "struct" if dtype.kind == "M" else ""
    plain = dtype.newbyteorder("=")
    return next(name for name, known in STORAGE.items() if known == plain)


def default_fill(dtype: np.dtype[Any]) -> Fill:
    """The fill of a variable that declares none (the das3 stream format, fill); None for times, which use NaT."""
    if dtype.kind == "f":
        return -1e31
    if dtype.kind == "S":
        return b""
    if dtype.kind == "u":
        return int(np.iinfo(dtype).max)
    if dtype.kind == "i":
        return int(np.iinfo(dtype).min) + (dtype.itemsize > 1)
    return None


def typed_fill(text: str, dtype: np.dtype[Any], semantic: str, where: str) -> Fill:
    """The fill that a header writes as text, typed as the column.

    Blank text, and a number that the type cannot hold, give the default of the type.

    Raises `SourceError` for a number that is none.
    """
    clean = text.strip()
    if dtype.kind == "S":
        return clean.encode()
    if not clean or (semantic == "bool" and clean in ("*", "?", "-")):
        return default_fill(dtype)
    if dtype.kind == "M":
        time = moment(clean, where)
        return None if np.isnat(time) else time
    try:
        number: float | None = float(clean) if dtype.kind == "f" else int(clean)
    except ValueError:
        number = _odd_fill(clean, semantic, where)
    if number is None or (dtype.kind != "f" and not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max):
        return default_fill(dtype)
    return number


def _odd_fill(text: str, semantic: str, where: str) -> int | None:
    """The fill where the text is not of the type of the column: a real for integers; None for a time of an epoch."""
    if semantic == "datetime":
        return None
    if NUMBER.fullmatch(text) and float(text).is_integer():
        return int(float(text))
    raise SourceError(f"{where}: the fill {text!r} is no number", kind="source.stream")


def moment(text: str, where: str) -> np.datetime64:
    """The time that a header writes; NaT where it is blank or outside the years 1678 to 2261, as fill times are.

    Raises `SourceError` for what is no time.
    """
    from dasflex_core.errors import QueryError
    from dasflex_core.times import parse_time

    if not text.strip():
        return np.datetime64("NaT", "ns")
    try:
        ns = parse_time(text).ns
    except QueryError as error:
        raise SourceError(f"{where}: {error.message}", kind="source.stream") from None
    return np.datetime64(ns, "ns") if abs(ns) < 1 << 63 else np.datetime64("NaT", "ns")


def header_texts(text: str, term: str, count: int) -> list[str]:
    """The texts of the values that a `<values>` element holds (the das3 stream format, header values).

    Without a terminator they are set apart by blanks or semicolons, the separator of release candidates. With a
    terminator that is no blank, an empty text is a value too; `count` tells whether the last one is.
    """
    mark = term_byte(term)
    if not mark.strip():
        return text.replace(";", " ").split()
    tokens = [token.strip() for token in text.split(mark)]
    return tokens[:-1] if not tokens[-1] and len(tokens) != count else tokens


def header_values(
    tokens: list[str], shape: tuple[int, ...], dtype: np.dtype[Any], fill: Fill, where: str
) -> NDArray[Any]:
    """The array that the texts of a `<values>` element stand for, in C order; empty ones are fill.

    Raises `SourceError` for another number of values than the shape has, and for what is no number.
    """
    if len(tokens) != prod(shape):
        raise SourceError(
            f"{where}: the header holds {len(tokens)} values, and the index asks for {prod(shape)}",
            kind="source.stream",
        )
    if dtype.kind == "S":
        return _texts(tokens, where).reshape(shape)
    if dtype.kind == "M":
        return np.array([moment(token, where) for token in tokens], dtype=dtype).reshape(shape)
    stand_in = "nan" if fill is None else str(fill)
    kind = float if dtype.kind == "f" else int
    try:
        with np.errstate(over="ignore"):  # a number beyond the range of the type is infinite
            found = np.array([kind(token or stand_in) for token in tokens], dtype=dtype)
    except (ValueError, OverflowError) as error:
        raise SourceError(f"{where}: a value in the header cannot be read: {error}", kind="source.stream") from None
    return found.reshape(shape)


def _texts(tokens: list[str], where: str) -> NDArray[Any]:
    """The texts as an array, in which each takes as many bytes as the longest. Raises `SourceError` for too many."""
    encoded = [token.encode() for token in tokens]
    longest = max(map(len, encoded), default=0)
    if longest * len(encoded) > _MAX_TEXT:
        raise SourceError(
            f"{where}: {len(encoded):,} texts of {longest:,} bytes each are too much for a header", kind="source.stream"
        )
    return np.array(encoded)


def full_rank(intervals: Listed[str], index: tuple[int | None, ...], where: str) -> tuple[str, ...]:
    """The intervals of a sequence with one entry per index of the dataset, `-` where the value does not depend on it.

    A compact list, one entry per index that the variable depends on, is accepted. Raises `SourceError` for a list of
    another length, and for what is no number.
    """
    clean = [interval.strip() for interval in intervals]
    depends = [place for place, extent in enumerate(index) if extent is not None]
    if len(clean) == len(index):
        spread = {place: clean[place] for place in depends}
    elif len(clean) == len(depends):
        spread = dict(zip(depends, clean, strict=True))
    else:
        raise SourceError(
            f"{where}: a sequence has {len(clean)} intervals, and the index has {len(index)} entries",
            kind="source.stream",
        )
    for interval in spread.values():
        if interval != "-" and not is_number(interval):
            raise SourceError(f"{where}: the interval {interval!r} is no number", kind="source.stream")
    return tuple(spread.get(place, "-") for place in range(len(index)))


def sequence_type(sequences: tuple[Sequence, ...], storage: str, semantic: str) -> np.dtype[Any]:
    """The type of the values of a sequence: that of its storage, else double, long or calendar time."""
    if any(not NUMBER.fullmatch(sequence.minimum) for sequence in sequences):
        return np.dtype("M8[ns]")
    whole = all(
        _INTEGER.fullmatch(text) for each in sequences for text in (each.minimum, *each.intervals) if text != "-"
    )
    return STORAGE.get(storage, np.dtype("i8") if semantic == "integer" and whole else np.dtype("f8"))


def evaluate(
    sequences: tuple[Sequence, ...], extents: tuple[int | None, ...], dtype: np.dtype[Any], first: int = 0
) -> NDArray[Any]:
    """The values of a sequence: minimum + Σ interval[k] · i[k], with the extents that are not None as shape.

    A vector has one sequence per component, and the components, if they are several, are the last axis. `first` is the
    number of the first record, where the first extent is that of records. Where the minimum is a time, intervals are
    seconds.
    """
    used = [(place, extent) for place, extent in enumerate(extents) if extent is not None]
    counters = {}
    for axis, (place, extent) in enumerate(used):
        counter = np.arange(extent) + (first if place == 0 else 0)
        counters[place] = counter.reshape([-1 if axis == at else 1 for at in range(len(used))])
    return evaluate_at(sequences, counters, dtype)


def evaluate_at(
    sequences: tuple[Sequence, ...], counters: Mapping[int, NDArray[np.int64]], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The values of a sequence at the places that `counters` give for each index of the dataset; they broadcast."""
    with np.errstate(over="ignore", invalid="ignore"):  # absurd slopes lead beyond the range of numbers
        parts = [_one(sequence, counters, dtype) for sequence in sequences]
    return parts[0] if len(parts) == 1 else np.stack(parts, axis=-1)


def _one(sequence: Sequence, counters: Mapping[int, NDArray[np.int64]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values of one component."""
    exact = dtype.kind in "iu" and all(_INTEGER.fullmatch(text) for text in sequence.intervals if text != "-")
    shape = np.broadcast_shapes(*(counter.shape for counter in counters.values()))
    offset: NDArray[Any] = np.zeros(shape, dtype=np.int64 if exact else np.float64)
    for place, counter in counters.items():
        slope = sequence.intervals[place]
        offset += counter * (0 if slope == "-" else int(slope) if exact else float(slope))
    if dtype.kind == "M":
        steps = np.rint(offset * _SECOND).astype(np.int64).view("m8[ns]")
        return np.asarray(moment(sequence.minimum, "A sequence") + steps)
    minimum = int(sequence.minimum) if exact and _INTEGER.fullmatch(sequence.minimum) else float(sequence.minimum)
    return np.asarray(offset + minimum).astype(dtype)
