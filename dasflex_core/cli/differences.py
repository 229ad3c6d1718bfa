# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two answers to the same request, number by number.

Where both answers have a variable in the same encoding, its numbers must be the same. Where the encodings differ, they
may differ by as much as the coarser one can: half of the last digit that it prints, or of the last bit that it keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.epochs import is_epoch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dasflex_core.answers import Answer, Table
    from dasflex_core.arrays import Variable

__all__ = ["differences"]

#: The encodings that print numbers and times.
_TEXT: Final = ("ascii", "utf8", "time")
#: Nanoseconds of the steps that printed times have; binary times are exact to the second of these.
_STEPS: Final = (10**9, 10**6, 10**3, 1)
_BINARY_TIME: Final = 10**3
#: How many digits and decimal places are tried.
_DIGITS: Final = 17


def differences(ours: Answer, theirs: Answer, tolerance: float = 0.0) -> Iterator[str]:
    """What differs, a sentence each. `tolerance` is the relative difference that numbers may have."""
    names = dict(zip(ours, ours, strict=True))
    if set(ours) != set(theirs):
        if len(ours) == len(theirs) and [set(each) for each in ours.values()] == [set(e) for e in theirs.values()]:
            names = dict(zip(ours, theirs, strict=True))  # other names of the same
        yield f"datasets: here {_listed(ours)}, there {_listed(theirs)}"
    for name, other in names.items():
        if other in theirs:
            yield from (f"{name}: {each}" for each in _table(ours[name], theirs[other], tolerance))


def _listed(names: Answer | set[str]) -> str:
    """Names, or that there are none."""
    return ", ".join(sorted(names)) or "none"


def _table(ours: Table, theirs: Table, tolerance: float) -> Iterator[str]:
    """What differs between two datasets."""
    if set(ours) != set(theirs):
        yield f"variables: only here {_listed(set(ours) - set(theirs))}, only there {_listed(set(theirs) - set(ours))}"
    rows, other_rows, remark = _rows(ours, theirs)
    if remark:
        yield remark
    for name in (each for each in ours if each in theirs):
        if ours.units(name) != theirs.units(name):
            yield f"{name}: the units are {ours.units(name)!r} here and {theirs.units(name)!r} there"
            continue
        first, second = ours[name], theirs[name]
        if ours.dataset[name].per_record and theirs.dataset[name].per_record and rows is not None:
            first, second = first[rows], second[other_rows]
        one, other = _flat(first), _flat(second)
        if one.shape != other.shape:
            if not remark or rows is not None:
                yield f"{name}: {_shape(first)} here and {_shape(second)} there"
            continue
        allowed = _allowed(ours.dataset[name], theirs.dataset[name], one, other, tolerance)
        yield from (f"{name}: {each}" for each in _values(one, other, allowed))


def _rows(ours: Table, theirs: Table) -> tuple[NDArray[Any] | None, NDArray[Any] | None, str]:
    """The records that are compared, None for all, and what is to be said of the others."""
    here, there = _count(ours), _count(theirs)
    if here == there:
        return None, None, ""
    said = f"{here:,} records here, {there:,} there"
    time, other = _times(ours), _times(theirs)
    if time is None or other is None or len({*time.tolist()}) != len(time) or len({*other.tolist()}) != len(other):
        return None, None, said
    common, rows, other_rows = np.intersect1d(time, other, return_indices=True)
    only = np.setxor1d(time, other)
    if len(only):
        said += f"; the first time that only one has is {only[0]}"
    return (rows, other_rows, said) if len(common) else (None, None, said)


def _count(table: Table) -> int:
    """The number of records."""
    return next((len(table[name]) for name in table if table.dataset[name].per_record), 0)


def _times(table: Table) -> NDArray[Any] | None:
    """The times of the records."""
    columns = (table[name] for name in table if table.dataset[name].per_record)
    return next((each for each in columns if each.dtype.kind == "M" and each.ndim == 1), None)


def _shape(values: NDArray[Any]) -> str:
    """The shape of values in words."""
    return " by ".join(map(str, values.shape)) + (" values" if values.dtype != object else " lists of values")


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    """The values themselves; of lists, all of theirs behind their lengths."""
    if values.dtype != object:
        return values
    if not len(values):
        return np.zeros(0)
    if all(isinstance(each, bytes | str) for each in values):
        return np.array([str(each) for each in values])
    if not all(isinstance(each, np.ndarray) for each in values):
        return np.array([repr(each) for each in values])
    lengths = np.array([len(each) for each in values], dtype=np.float64)
    parts = [np.ravel(each) for each in values]
    if any(each.dtype.kind not in "iufb" for each in parts):
        return np.array([repr(each.tolist()) for each in values])
    return np.concatenate([lengths, *(each.astype(np.float64) for each in parts)])


def _allowed(
    ours: Variable, theirs: Variable, one: NDArray[Any], other: NDArray[Any], tolerance: float
) -> NDArray[Any] | float:
    """How far values may be from one another; nanoseconds for times."""
    kind = one.dtype.kind
    if kind not in "Miuf" or other.dtype.kind not in "Miuf":
        return 0.0
    same = _encoding(ours) == _encoding(theirs)
    if kind == "M":
        return 0.0 if same else float(max(_step(ours, one), _step(theirs, other)) - 1)
    numbers, others = one.astype(np.float64), other.astype(np.float64)
    found: NDArray[Any] = np.zeros(one.shape)
    if not same:
        found = np.maximum(_precision(ours, numbers), _precision(theirs, others))
    with np.errstate(invalid="ignore"):
        widened: NDArray[Any] = np.maximum(found, tolerance * np.maximum(np.abs(numbers), np.abs(others)))
    return widened


def _encoding(variable: Variable) -> object:
    """What tells whether two variables were written alike: byte order does not matter."""
    encoding = variable.encoding
    if encoding is None:
        return variable.dtype.str[1:]
    if encoding.name in _TEXT:
        return encoding.name, encoding.width
    return variable.dtype.str[1:], is_epoch(variable.units) and variable.units


def _is_text(variable: Variable) -> bool:
    return variable.encoding is not None and variable.encoding.name in _TEXT


def _step(variable: Variable, times: NDArray[Any]) -> int:
    """The nanoseconds to which times are known."""
    if not _is_text(variable):
        return _BINARY_TIME
    count = times[~np.isnat(times)].astype("M8[ns]").view("i8")
    return next(step for step in _STEPS if not (count % step).any())


def _precision(variable: Variable, values: NDArray[Any]) -> NDArray[Any]:
    """How far values may be from what was meant: half of the last digit, or of the last bit."""
    size = np.abs(np.where(np.isfinite(values), values, 0.0))
    if not _is_text(variable):
        # integers are what they are
        bits = np.finfo(variable.dtype).eps if variable.dtype.kind == "f" else 0.0
        whole: NDArray[Any] = size * bits
        return whole
    exponent = np.floor(np.log10(np.where(size > 0, size, 1.0)))
    for digits in range(1, _DIGITS + 1):
        half = 0.5 * 10.0 ** (exponent + 1 - digits)
        scaled = size / (2 * half)
        if np.all(np.abs(scaled - np.rint(scaled)) <= 1e-9 * scaled):
            break
    places = next((each for each in range(10) if np.array_equal(np.round(size, each), size)), None)
    fixed = 0.0 if places is None else 0.5 * 10.0**-places
    return np.maximum(half, fixed) * (1 + 1e-9)


def _values(one: NDArray[Any], other: NDArray[Any], allowed: NDArray[Any] | float) -> Iterator[str]:
    """What differs between values of the same shape."""
    if one.dtype.kind == other.dtype.kind == "M":
        void, other_void = np.isnat(one), np.isnat(other)
        apart = np.abs(one.astype("M8[ns]").view("i8") - other.astype("M8[ns]").view("i8")).astype(np.float64)
    elif one.dtype.kind in "iuf" and other.dtype.kind in "iuf":
        void, other_void = np.isnan(one.astype(np.float64)), np.isnan(other.astype(np.float64))
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
        apart[one == other] = 0.0  # infinities
    else:
        void = other_void = np.zeros(one.shape, dtype=np.bool_)
        apart = (one.astype(str) != other.astype(str)).astype(np.float64)
    filled = void != other_void
    if filled.any():
        place = _first(filled)
        words = "fill here and a value there" if void[place] else "a value here and fill there"
        yield f"{np.count_nonzero(filled):,} of {one.size:,} values are fill in one only; {_at(place)} there is {words}"
    wrong = (apart > allowed) & ~void & ~other_void
    if wrong.any():
        place = _first(wrong)
        most = "" if one.dtype.kind not in "iuf" else f", by {apart[wrong].max():g} at most"
        said = f"{one[place]} here and {other[place]} there"
        yield f"{np.count_nonzero(wrong):,} of {one.size:,} values differ{most}; {_at(place)} it is {said}"


def _first(found: NDArray[Any]) -> tuple[int, ...]:
    """The indices of the first true value."""
    return tuple(int(each) for each in np.unravel_index(int(np.argmax(found)), found.shape))


def _at(place: tuple[int, ...]) -> str:
    """Where a value is, in words."""
    inner = f", {', '.join(map(str, place[1:]))}" if len(place) > 1 else ""
    return f"at {place[0]}{inner}" if place else "as a whole"
