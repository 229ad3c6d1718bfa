# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams for hypothesis: headers, datasets and records that a das2 or a das3 stream can carry.

    from hypothesis import given
    from dasflex_core.testing.strategies import streams

    @given(streams(generation=2))
    def test_what_is_written_is_read(items):
        assert not difference(merged(decode(encode(items))), merged(items))

A stream is a list of items. Its variables have encodings, and its values are such that these lose nothing: text
numbers have no more digits than their width holds, text times end where theirs do.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from hypothesis import strategies as st

from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    Encoding,
    NoData,
    Ragged,
    Records,
    Sequence,
    StreamHeader,
    Variable,
    Vector,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Fill, Item

    #: How the variables of a stream are encoded.
    Form: TypeAlias = Literal["binary", "text", "mixed"]

__all__ = ["columns", "comments", "datasets", "names", "ragged_datasets", "records", "streams", "variables"]

_FILL: Final = -1e31
_MAX_EXTENT: Final = 5
#: Characters that no header keeps: what is not printed, and the blank that does not break.
_ODD: Final = "".join(map(chr, (*range(0x7F, 0xA1), 0xAD)))
_UNITS: Final = ("", "nT", "V m**-1", "V**2 m**-2 Hz**-1", "cm**-3", "degrees")
#: From 1700 to 2200, in nanoseconds: what every epoch reaches.
_FIRST: Final = -8_520_336_000 * 10**9
_LAST: Final = 7_258_118_400 * 10**9


@dataclass(frozen=True, slots=True)
class _Wire:
    """A way to write values: the type of the column, the encoding, and for text the digits it holds."""

    dtype: str
    encoding: Encoding
    semantic: str = "real"
    digits: int = 0
    units: str = ""
    fill: Fill = None

    @property
    def text(self) -> bool:
        """Whether values are written as text; strings are in every form."""
        return self.encoding.name in ("time", "ascii") or (self.encoding.name == "utf8" and self.semantic != "string")


#: Widths of das2 text times, and how many digits of a second each holds (das 2.2 ICD, value encodings).
_TIMES2: Final = tuple(
    _Wire("M8[ns]", Encoding("time", width), "datetime", digits, "UTC")
    for width, digits in ((20, 0), (22, 1), (24, 3), (27, 6), (30, 9))
)
_NUMBERS2: Final = (
    _Wire(">f4", Encoding("sun_real", 4), fill=_FILL),
    _Wire(">f8", Encoding("sun_real", 8), fill=_FILL),
    _Wire("<f4", Encoding("little_endian_real", 4), fill=_FILL),
    _Wire("<f8", Encoding("little_endian_real", 8), fill=_FILL),
    *(_Wire("f8", Encoding("ascii", width), digits=width - 7, fill=_FILL) for width in (10, 14, 17)),
)
_EPOCHS2: Final = (
    _Wire(">f8", Encoding("sun_real", 8), "datetime", units="us2000"),
    _Wire("<f8", Encoding("little_endian_real", 8), "datetime", units="t1970"),
)
_TIMES3: Final = (
    *(_Wire("M8[ns]", Encoding("utf8", 21 + digits), "datetime", digits, "UTC") for digits in (3, 6, 9)),
    _Wire("<i8", Encoding("LEint", 8), "datetime", units="TT2000", fill=-(2**63)),
    _Wire(">i8", Encoding("BEint", 8), "datetime", units="TT2000", fill=-(2**63)),
)
_REALS3: Final = (
    _Wire(">f4", Encoding("BEreal", 4), fill=_FILL),
    _Wire("<f8", Encoding("LEreal", 8), fill=_FILL),
    _Wire("f4", Encoding("utf8", 13), digits=6, fill=_FILL),
    _Wire("f8", Encoding("utf8", 22), digits=15, fill=_FILL),
)
_OTHERS3: Final = (
    _Wire("<i2", Encoding("LEint", 2), "integer", fill=-32767),
    _Wire(">i4", Encoding("BEint", 4), "integer", fill=-2147483647),
    _Wire("u1", Encoding("ubyte", 1), "integer", fill=255),
    _Wire("<u8", Encoding("LEuint", 8), "integer", fill=2**64 - 1),
    _Wire("i1", Encoding("byte", 1), "bool", fill=-128),
    _Wire("S9", Encoding("utf8", 9), "string", fill=b""),
)


def _fitting(wires: tuple[_Wire, ...], form: Form) -> tuple[_Wire, ...]:
    """The ways to write values that belong to a form."""
    if form == "mixed":
        return wires
    return tuple(wire for wire in wires if wire.text == (form == "text") or wire.semantic in ("string", "blob"))


def names() -> st.SearchStrategy[str]:
    """Names of variables, as all formats take them."""
    return st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,9}", fullmatch=True)


def variables(
    name: str, generation: int, index: tuple[int | None, ...], form: Form = "mixed"
) -> st.SearchStrategy[Variable]:
    """Variables of data of that name and index; in das3 also vectors, integers, states and text."""
    inner = any(extent is not None for extent in index[1:])
    wires = _fitting(_NUMBERS2 if generation == 2 else (*_REALS3, *(() if inner else _OTHERS3)), form)
    most = 1 if generation == 2 else 3

    def made(wire: _Wire, units: str, components: int) -> Variable:
        real = wire.semantic == "real"
        return Variable(
            name=name,
            role="center",
            semantic=wire.semantic,
            units=units if real else wire.units,
            index=index,
            dtype=np.dtype(wire.dtype),
            fill=wire.fill,
            encoding=wire.encoding,
            vector=Vector(components) if real and components > 1 else None,
            plane=("yscan" if inner else "y") if generation == 2 else "",
            plane_name=name if generation == 2 else "",
        )

    return st.builds(made, st.sampled_from(wires), st.sampled_from(_UNITS), st.integers(1, most))


@st.composite
def datasets(draw: st.DrawFn, generation: int = 3, number: int = 1, form: Form = "mixed") -> Dataset:
    """Datasets of a time, up to four variables of data, and at most one inner axis of frequency."""
    extent = draw(st.none() | st.integers(1, _MAX_EXTENT))
    rank = 1 if extent is None else 2
    wire = draw(st.sampled_from(_fitting((*_TIMES2, *_EPOCHS2) if generation == 2 else _TIMES3, form)))
    time = Variable(
        name="time",
        role="center",
        semantic="datetime",
        units=wire.units,
        index=(VARIES, None)[:rank],
        dtype=np.dtype(wire.dtype),
        fill=wire.fill,
        encoding=wire.encoding,
        plane="x" if generation == 2 else "",
    )
    dimensions = [Dimension("time", "time", coordinate=True, variables=(time,), axis="x")]
    if extent is not None:
        dimensions.append(draw(_frequencies(extent, generation)))
    for place, name in enumerate(draw(st.lists(names(), min_size=1, max_size=4, unique_by=str.lower))):
        wide = extent is not None and draw(st.booleans() if place else st.just(True))
        index = (VARIES, extent if wide else None)[:rank]
        variable = draw(variables(f"d_{name}", generation, index, form))
        dimensions.append(Dimension(variable.name, variable.name, coordinate=False, variables=(variable,)))
    wired = [each for dimension in dimensions for each in dimension.variables if each.per_record]
    return Dataset(
        id=number,
        name=f"packet_{number:02d}" if generation == 2 else f"set_{number}",
        index=(VARIES,) if extent is None else (VARIES, extent),
        dimensions=tuple(dimensions),
        wire=tuple(each.name for each in wired),
        generation=generation,
    )


#: Ways to write what has no fixed size beside numbers: strings of any length, and files.
_LONG3: Final = (
    _Wire("S", Encoding("utf8", VARIES, value_term=";"), "string", fill=b""),
    _Wire("S9", Encoding("utf8", 9), "string", fill=b""),
    _Wire("u1", Encoding("blob", VARIES), "blob"),
)


@st.composite
def ragged_datasets(draw: st.DrawFn, number: int = 1, form: Form = "mixed") -> Dataset:
    """Datasets of das3 with one to three inner indices, of which some vary: runs within runs, strings, blobs.

    An offset borrows the extent of the last index. Some variables depend on all indices, others on some or none.
    """
    inner = draw(st.lists(st.sampled_from((VARIES, VARIES, 2, 3)), min_size=1, max_size=3))
    wire = draw(st.sampled_from(_fitting(_TIMES3, form)))
    time = Variable(
        name="time",
        role="center",
        semantic="datetime",
        units=wire.units,
        index=(VARIES, *(None for _extent in inner)),
        dtype=np.dtype(wire.dtype),
        fill=wire.fill,
        encoding=wire.encoding,
    )
    dimensions = [Dimension("time", "time", coordinate=True, variables=(time,), axis="x"), _borrowed(inner)]
    for place, name in enumerate(draw(st.lists(names(), min_size=1, max_size=4, unique_by=str.lower))):
        index = (VARIES, *(extent if not place or draw(st.booleans()) else None for extent in inner))
        wires = _fitting((*_REALS3, *_OTHERS3, *_LONG3), form)
        variable = _made3(f"d_{name}", index, draw(st.sampled_from(wires)), draw(st.integers(1, 3)))
        dimensions.append(Dimension(variable.name, variable.name, coordinate=False, variables=(variable,)))
    wired = [each for dimension in dimensions for each in dimension.variables if each.per_record]
    return Dataset(
        id=number,
        name=f"set_{number}",
        index=(VARIES, *inner),
        dimensions=tuple(dimensions),
        wire=tuple(each.name for each in wired),
    )


def _made3(name: str, index: tuple[int | None, ...], wire: _Wire, components: int) -> Variable:
    """A variable of data of das3."""
    return Variable(
        name=name,
        role="center",
        semantic=wire.semantic,
        units="V" if wire.semantic == "real" else wire.units,
        index=index,
        dtype=np.dtype(wire.dtype),
        fill=wire.fill,
        encoding=wire.encoding,
        vector=Vector(components) if wire.semantic == "real" and components > 1 else None,
    )


def _borrowed(inner: list[int]) -> Dimension:
    """The dimension of an offset that has a value for each place along the last index."""
    steps = ("-",) * len(inner)
    variable = Variable(
        name="sample",
        role="center",
        semantic="real",
        units="s",
        index=(None,) * len(inner) + (inner[-1],),
        dtype=np.dtype("f8"),
        values=None if inner[-1] == VARIES else np.arange(inner[-1]) * 0.5,
        sequences=(Sequence("0", (*steps, "0.5")),),
    )
    return Dimension("sample", "sample", coordinate=True, variables=(variable,))


@st.composite
def _frequencies(draw: st.DrawFn, extent: int, generation: int) -> Dimension:
    """The dimension of frequencies that are the same in each record."""
    values = draw(st.lists(st.integers(1, 99_999), min_size=extent, max_size=extent, unique=True))
    numbers = np.array(sorted(values), dtype=np.float64)
    variable = Variable(
        name="frequency",
        role="center",
        semantic="real",
        units="Hz",
        index=(None, extent),
        dtype=np.dtype("f8"),
        values=numbers,
        plane="tags" if generation == 2 else "",
        text=",".join(f"{number:g}" for number in numbers) if generation == 2 else "",
    )
    return Dimension("frequency", "frequency", coordinate=True, variables=(variable,), axis="y")


@st.composite
def columns(draw: st.DrawFn, variable: Variable, count: int) -> Column:
    """Columns of `count` values of a variable, that its encoding can hold; some are fill, and some runs are empty."""
    inner = [extent for extent in variable.index[1:] if extent is not None]
    if variable.semantic == "blob":
        inner.append(VARIES)
    offsets: list[NDArray[np.int64]] = []
    for extent in inner[: variable.depth]:
        lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)) if extent == VARIES else [extent]
        offsets.append(np.concatenate([[0], np.cumsum(np.resize(lengths, count))]).astype(np.int64))
        count = int(offsets[-1][-1])
    if not variable.depth:
        return draw(_array(variable, count, variable.shape))
    few = draw(_array(variable, min(count, 4), variable.leaf))  # again and again: many would take too long to draw
    column: Column = np.resize(few, (count, *variable.leaf)) if count else few
    for own in reversed(offsets):
        column = Ragged(column, own)
    return column


@st.composite
def _array(draw: st.DrawFn, variable: Variable, count: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Arrays of `count` entries of that shape."""
    total = count * prod(shape)
    drawn = draw(st.lists(_values(variable), min_size=total, max_size=total))
    return np.array(drawn, dtype=variable.dtype).reshape(count, *shape)


def _values(variable: Variable) -> st.SearchStrategy[Any]:
    """Single values of a variable."""
    dtype, encoding = variable.dtype, variable.encoding
    plain: st.SearchStrategy[Any]
    if dtype.kind == "M":
        unit = 10 ** (9 - _digits(variable))
        plain = st.integers(_FIRST // unit, _LAST // unit).map(lambda ticks: np.datetime64(ticks * unit, "ns"))
        return plain
    if variable.semantic == "datetime" and dtype.kind == "i":
        return st.integers(_FIRST, _LAST)
    if variable.semantic == "datetime":
        return st.integers(-(10**9), 10**9).map(float)
    if variable.semantic == "bool":
        plain = st.integers(0, 1)
    elif dtype.kind == "S":
        # What ends runs and strings is no part of them; a width of its own leaves room for a blank.
        ends = ";!$#@^~" if variable.ragged or not dtype.itemsize else ""
        letters = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=ends)
        plain = st.text(letters, max_size=(dtype.itemsize or 21) - 1).map(str.encode)
    elif dtype.kind in "iu":
        limits = np.iinfo(dtype)
        plain = st.integers(int(limits.min), int(limits.max))
    else:
        plain = st.integers(-999_999, 999_999).flatmap(
            lambda number: st.integers(-30, 20).map(lambda power: float(f"{number}e{power}"))
        )
        if encoding is not None and encoding.name not in ("ascii", "utf8"):
            width: Any = 8 * dtype.itemsize
            plain |= st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, width=width)
        else:
            digits = _digits(variable)
            plain = plain.map(lambda value: float(f"{value:.{digits - 1}e}"))
    return plain if variable.fill is None else st.one_of(plain, plain, plain, st.just(variable.fill))


def _digits(variable: Variable) -> int:
    """The digits that the text of a variable holds: of a second for times, significant ones for numbers."""
    same = (wire for wire in (*_TIMES2, *_TIMES3, *_NUMBERS2, *_REALS3) if wire.encoding == variable.encoding)
    return next(wire.digits for wire in same)


@st.composite
def records(draw: st.DrawFn, dataset: Dataset, max_records: int = 6) -> Records:
    """Batches of one to `max_records` records of a dataset."""
    count = draw(st.integers(1, max_records))
    return Records(dataset, {each.name: draw(columns(each, count)) for each in dataset.columns})


def comments() -> st.SearchStrategy[Comment]:
    """Remarks, with characters that mean something in headers."""
    text = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_characters=_ODD), max_size=20)
    types = st.sampled_from(("log:info", "log:warning", "taskSize", "own"))
    return st.builds(Comment, type=types, text=text.map(str.strip), source=st.just("tests"))


@st.composite
def streams(
    draw: st.DrawFn,
    generation: int = 3,
    *,
    form: Form = "mixed",
    max_datasets: int = 2,
    max_records: int = 6,
    ragged: bool = False,
) -> list[Item]:
    """Streams: a header, datasets, their batches in any turn, and remarks among them; or nothing found.

    `form` is how their variables are encoded: `binary`, `text`, or each in its own way. With `ragged`, the datasets are
    those of `ragged_datasets`, which das3 alone has.
    """
    count = draw(st.integers(1, max_datasets))
    declared = [
        draw(ragged_datasets(number, form) if ragged else datasets(generation, number, form))
        for number in range(1, count + 1)
    ]
    rest = st.one_of(st.sampled_from(declared).flatmap(lambda each: records(each, max_records)), comments())
    items: list[Item] = [StreamHeader(generation=generation), *declared, *draw(st.lists(rest, max_size=6))]
    return [items[0], NoData("nothing here")] if draw(st.integers(0, 19)) == 19 else items
