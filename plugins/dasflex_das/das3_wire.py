# SPDX-License-Identifier: GPL-3.0-or-later
"""How variables are written into das3 packets: the binary and the text form of each, and columns to bytes.

No digit is lost that a value has, unless fewer are asked for: with its separator a float takes 16 bytes, a double 24,
a time 21 and 9 digits, or 6 where its epoch counts no nanoseconds. Other widths are those of classic das3_text
(the das3 stream format, utilities): integers 22, 13, 8 and 5, a state 2. Text stays text, and keeps its width; in the
binary form times become TT2000, and text numbers become little-endian numbers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import VARIES, is_fill
from dasflex_core.digits import FILL_TIME, integers, iso_times, iso_width
from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_das.das3_properties import term_byte
from dasflex_das.das3_values import default_fill, natural_type, storage_name
from dasflex_das.das3_variables import binary_type
from dasflex_das.decimals import keep_digits, write_reals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill, Variable

    Bytes = NDArray[np.uint8]

__all__ = ["Wire", "binary_wire", "check_packet", "end_line", "text_wire", "with_terms"]

_INTEGER_WIDTHS: Final = {1: 5, 2: 8, 4: 13, 8: 22}
#: Digits of a second in times, and in those of epochs that count nanoseconds.
_TIME_DIGITS: Final = 6
_FINE_DIGITS: Final = 9
_FINE: Final = ("TT2000", "cdfTT2000", "ns1970")
#: Text reals in this range of widths keep it: `%{N-1}.{N-8}e` then has 2 to 17 significant digits.
_KEPT_WIDTHS: Final = range(9, 25)
#: The bytes in which `%e` tells any two floats apart, and any two doubles.
_FLOAT_WIDTH, _DOUBLE_WIDTH = 16, 24
_SECONDS: Final = 20  # bytes of a time to the second, with its separator
#: What ends runs, where no stream says so; classic das3_text takes them in this order.
_MARKS: Final = "!$#@^~;:%+=?"
_LINE: Final = r"\n"
_NUL: Final = r"\0"
_BLANK: Final = 32
_NEWLINE: Final = 10


@dataclass(frozen=True, slots=True)
class Wire:
    """The form in which a variable is written: what its header says, and the type or the digits of its values.

    `dtype` is the type of a binary value; None for text. `width` is `VARIES` for strings that end with `value_term`,
    and for blobs. `index_terms` end runs of text, one for each level; without them count tags stand before the runs.
    `trim` is false for strings whose outer blanks count. `keep` lets reals have decimal notation where that saves
    digits, as the text that they come from had.
    """

    encoding: str
    width: int
    storage: str
    units: str
    fill: str
    dtype: np.dtype[Any] | None = None
    value_term: str = ""
    index_terms: tuple[str, ...] = ()
    trim: bool = True
    keep: bool = False

    def write(self, variable: Variable, values: NDArray[Any], out: Bytes) -> None:
        """Writes values of shape (rows, count) into `out`, their bytes of shape (rows, count · width)."""
        places = out.reshape(*values.shape, self.width)
        if self.dtype is not None:
            _write_binary(self.dtype, values, places)
        elif self.units == "UTC":
            _write_times(variable, values, places)
        elif variable.semantic == "string":
            _write_strings(values, places)
        elif variable.semantic == "bool":
            _write_states(variable, values, places)
        elif values.dtype.kind in "iu":
            _write_integers(values, places)
        else:
            write_reals(places, values, variable.fill)
            if self.keep:
                keep_digits(places[..., :-1], values)

    def alike(self, variable: Variable) -> int:
        """The width of reals in `%e`, which are written at once with neighbours of that width; 0 for all else."""
        plain = self.dtype is None and self.units != "UTC" and variable.semantic not in ("string", "bool")
        return self.width if plain and variable.dtype.kind == "f" and not self.keep else 0


def binary_wire(variable: Variable) -> Wire:
    """The binary form: the encoding that the variable has, or the natural one of its type."""
    if variable.semantic == "blob":
        return Wire("blob", VARIES, "", variable.units, "")
    if variable.dtype.kind == "S":
        return _string_wire(variable)
    if variable.dtype.kind == "M":
        return Wire("LEint", 8, "long", "TT2000", str(epochs.FILL_INTEGER), np.dtype("<i8"))
    dtype = _kept(variable) or natural_type(variable.dtype)
    kind, width = dtype.kind, dtype.itemsize
    order = "" if width == 1 else "BE" if dtype.byteorder == ">" else "LE"
    names = {"i": "int", "u": "uint", "f": "real"} if order else {"i": "byte", "u": "ubyte"}
    return Wire(order + names[kind], width, storage_name(dtype), variable.units, fill_text(variable), dtype)


def _kept(variable: Variable) -> np.dtype[Any] | None:
    """The type of the encoding of the variable, if that is binary and can hold what the column holds."""
    encoding = variable.encoding
    dtype = binary_type(encoding.name, encoding.width) if encoding else None
    if dtype is None or dtype.kind == "f":
        return dtype
    return dtype if dtype.kind == variable.dtype.kind and dtype.itemsize >= variable.dtype.itemsize else None


def text_wire(variable: Variable, time_digits: int | None, real_digits: int | None) -> Wire:
    """The text form. `time_digits` of a second and `real_digits` significant digits count for all, where given."""
    encoding, dtype = variable.encoding, variable.dtype
    kept = max(0, encoding.width) if encoding is not None and encoding.name == "utf8" else 0
    if variable.semantic == "blob":
        return Wire("base64", VARIES, "", variable.units, "")
    if dtype.kind == "S":
        return _string_wire(variable)
    if dtype.kind == "M" or (variable.semantic == "datetime" and epochs.is_epoch(variable.units)):
        width = _time_width(variable, kept if dtype.kind == "M" else 0, time_digits)
        return Wire("utf8", width, "struct", "UTC", _time_fill(variable))
    fill, storage = fill_text(variable), storage_name(natural_type(dtype))
    if variable.semantic == "bool":
        return Wire("utf8", 2, storage, variable.units, "*")
    if dtype.kind in "iub":
        return Wire("utf8", max(kept, _INTEGER_WIDTHS[dtype.itemsize]), storage, variable.units, fill)
    return replace(_real_wire(kept, dtype, real_digits), storage=storage, units=variable.units, fill=fill)


def _real_wire(kept: int, dtype: np.dtype[Any], digits: int | None) -> Wire:
    """The text form of reals: with so many digits, in the width that they had, or with all that they have."""
    if digits is None and kept in _KEPT_WIDTHS:
        return Wire("utf8", kept, "", "", "", keep=True)
    all_digits = _FLOAT_WIDTH if dtype.itemsize <= 4 else _DOUBLE_WIDTH
    return Wire("utf8", all_digits if digits is None else digits + 7, "", "", "")


def _string_wire(variable: Variable) -> Wire:
    """The form of strings, which is the same in both.

    Those of any length end with the terminator of the stream that they come from, or a byte that no text holds.
    """
    encoding, fill = variable.encoding, fill_text(variable)
    trim = encoding is None or encoding.trim
    if not variable.dtype.itemsize:
        term = encoding.value_term if encoding is not None and term_byte(encoding.value_term).strip() else _NUL
        return Wire("utf8", VARIES, "", variable.units, fill, value_term=term, trim=trim)
    width = max(variable.dtype.itemsize, encoding.width if encoding else 1, 1)
    return Wire("utf8", width, "", variable.units, fill, trim=trim)


def with_terms(wire: Wire, variable: Variable, *, text: bool, last: bool) -> Wire:
    """The form with what ends its runs of text: in the text form, and for strings of any length in both.

    Terminators of the stream that it comes from are kept. The outermost run of the last variable in a packet ends
    with the line, as classic das3_text writes it.
    """
    levels = variable.depth
    if wire.encoding != "utf8" or not levels or not (text or wire.width == VARIES):
        return wire
    kept = variable.encoding.index_terms if variable.encoding is not None else ()
    terms = list(kept) if len(kept) == levels else [""] * levels
    if last:
        terms[0] = _LINE
    taken = {wire.value_term, *terms}
    spare = (mark for mark in _MARKS if mark not in taken)
    return replace(wire, index_terms=tuple(term or next(spare) for term in terms))


def _time_width(variable: Variable, kept: int, time_digits: int | None) -> int:
    """The bytes of a time: 20 to the second, one more for the point, one for each digit."""
    if time_digits is None:
        if kept:
            return max(kept, _SECONDS)
        fine = variable.dtype.kind == "M" or variable.units in _FINE
        return _SECONDS + 1 + (_FINE_DIGITS if fine else _TIME_DIGITS)
    return _SECONDS + (1 + time_digits if time_digits else 0)


def _time_fill(variable: Variable) -> str:
    """The fill of a time as text."""
    return str(variable.fill) if isinstance(variable.fill, np.datetime64) else FILL_TIME


def fill_text(variable: Variable) -> str:
    """The fill as a header writes it; that of the type where the variable has none."""
    fill: Fill = default_fill(variable.dtype) if variable.fill is None else variable.fill
    if isinstance(fill, bytes):
        return fill.decode("utf-8", errors="replace")
    if isinstance(fill, float):
        return "NaN" if np.isnan(fill) else f"{fill:.15g}"
    return "" if fill is None else str(fill)


def _write_binary(dtype: np.dtype[Any], values: NDArray[Any], places: Bytes) -> None:
    """Numbers as they are, calendar times as TT2000."""
    if values.dtype.kind == "M":
        nothing = np.isnat(values)
        values = epochs.from_datetime64(values, "TT2000")
        values[nothing] = epochs.FILL_INTEGER
    places[...] = values.astype(dtype)[..., np.newaxis].view(np.uint8)


def _write_times(variable: Variable, values: NDArray[Any], places: Bytes) -> None:
    """ISO times with as many digits as there is room for, and blanks behind them; NaT is the fill of the variable."""
    if values.dtype.kind != "M":
        nothing = is_fill(values, variable.fill)
        values = epochs.to_datetime64(values, variable.units)
        values[nothing] = np.datetime64("NaT")
    if isinstance(variable.fill, np.datetime64):
        values = np.where(np.isnat(values), variable.fill, values)
    seconds = min(9, max(0, places.shape[-1] - _SECONDS - 1))
    text = iso_width(seconds)
    iso_times(values, seconds, out=places[..., :text])
    places[..., text:] = _BLANK


def _write_strings(values: NDArray[Any], places: Bytes) -> None:
    """Strings with blanks behind them."""
    width = places.shape[-1]
    text = np.ascontiguousarray(values.astype(f"S{width}"))[..., np.newaxis].view(np.uint8)
    places[...] = np.where(text == 0, _BLANK, text)


def _write_states(variable: Variable, values: NDArray[Any], places: Bytes) -> None:
    """States as T and F, fill as `*`."""
    places[..., 0] = np.where(values != 0, ord("T"), ord("F"))
    places[..., 0][is_fill(values, variable.fill)] = ord("*")
    places[..., 1:] = _BLANK


def _write_integers(values: NDArray[Any], places: Bytes) -> None:
    """Integers, right-justified before a blank."""
    width = places.shape[-1] - 1
    places[..., :-1] = integers(values, width=width)
    places[..., -1] = _BLANK


def end_line(rows: Bytes) -> None:
    """Makes the last byte of each packet a line end, where it is a blank."""
    last = rows[:, -1]
    last[last == _BLANK] = _NEWLINE


def check_packet(size: int, name: str, largest: int) -> None:
    """Raises `SourceError` where the data packets of a dataset are larger than classic tools read."""
    if size > largest:
        raise SourceError(
            f"Dataset {name} has records of {size:,} bytes; data packets of das3 hold at most {largest:,}",
            kind="source.limit",
        )
