# SPDX-License-Identifier: GPL-3.0-or-later
"""Which das2 encoding a column is written in, and how its values get there.

Text widths that are chosen here stay within what every client reads: 9 to 24 bytes for numbers, 5 to 31 for times;
the last byte of a value is a separator (the das2 stream format, value encodings).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import digits, epochs
from dasflex_core.arrays import Encoding
from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_das.decimals import keep_digits, write_reals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Variable

__all__ = ["TextOptions", "binary_encoding", "field_of", "put", "text_encoding", "type_of", "units_of"]

#: The units of times that das2 clients of every age convert.
_TIME_UNITS: Final = "us2000"
_REALS: Final = ("sun_real", "little_endian_real")
#: The bytes of `asciiN` beyond its significant digits: sign, point, exponent of four, separator.
_BESIDE_DIGITS: Final = 7
_LEAST_DIGITS, _MOST_DIGITS = 2, 17
#: The widths of times without a fraction, separator included: year, month, day, hour, minute, second.
_TIME_WIDTHS: Final = (5, 8, 11, 14, 17, 20)
#: A time with a fraction is this much wider than the fraction has digits.
_BESIDE_FRACTION: Final = 21
#: Digits of a second that the numbers of an epoch carry, where they are more than those of a microsecond.
_EPOCH_DIGITS: Final = {"ns1970": 9, "TT2000": 9}


@dataclass(frozen=True, slots=True)
class TextOptions:
    """What a request says about text: digits behind the point of seconds, and significant digits; None: as it was."""

    secfrac: int | None = None
    sigdigit: int | None = None


def _is_time(variable: Variable) -> bool:
    """Whether the values are times: text, or numbers of an epoch."""
    return variable.dtype.kind == "M" or epochs.is_epoch(variable.units)


def text_encoding(variable: Variable, options: TextOptions) -> Encoding:
    """The text encoding of a variable: as asked, else the width that it has, else all digits that its type carries."""
    own = variable.encoding
    if _is_time(variable):
        if options.secfrac is not None:
            return Encoding("time", _BESIDE_FRACTION + options.secfrac if options.secfrac else _TIME_WIDTHS[-1])
        if own is not None and own.name == "time":
            return Encoding("time", _time_width(own.width))
        fraction = 9 if variable.dtype.kind == "M" else _EPOCH_DIGITS.get(variable.units, 6)
        return Encoding("time", _BESIDE_FRACTION + fraction)
    if options.sigdigit is None and own is not None and own.name == "ascii":
        return Encoding("ascii", _number_width(own.width))
    significant = options.sigdigit or _digits_of(variable)
    return Encoding("ascii", min(max(significant, _LEAST_DIGITS), _MOST_DIGITS) + _BESIDE_DIGITS)


def binary_encoding(variable: Variable, *, mixed: bool) -> Encoding:
    """The binary encoding of a variable; text is kept where other planes of the packet are binary (`mixed`).

    A stream all of text becomes 8-byte reals: times as us2000, which holds the tenth of a microsecond. Times that were
    written with more than eight digits of a second stay text.
    """
    own = variable.encoding
    name, width = (own.name, own.width) if own else ("", 0)
    if name in _REALS:
        return Encoding(name, width)
    if name == "time" and (mixed or width > _BESIDE_FRACTION + 8):
        return Encoding(name, _time_width(width))
    if name == "ascii" and mixed:
        return Encoding(name, _number_width(width))
    short = variable.dtype.kind in "fiub" and variable.dtype.itemsize * (1 if variable.dtype.kind == "f" else 2) <= 4
    return Encoding("sun_real" if variable.dtype.byteorder == ">" else "little_endian_real", 4 if short else 8)


def _digits_of(variable: Variable) -> int:
    """The significant digits that tell any two values of the variable's type apart."""
    dtype = variable.dtype
    if dtype.kind not in "iu":
        return 9 if dtype.itemsize <= 4 else _MOST_DIGITS
    return len(str(np.iinfo(dtype).max))


def _number_width(width: int) -> int:
    """The width that numbers of a text plane are written in: as read, or what holds as many digits."""
    if width < _LEAST_DIGITS + _BESIDE_DIGITS:
        return max(width - 1, _LEAST_DIGITS) + _BESIDE_DIGITS
    return min(width, _MOST_DIGITS + _BESIDE_DIGITS)


def _time_width(width: int) -> int:
    """The width that times of a text plane are written in: as read, or that of the next longer form."""
    if width <= _TIME_WIDTHS[-1]:
        return next(each for each in _TIME_WIDTHS if each >= width)
    return min(width, _BESIDE_FRACTION + 10)


def type_of(encoding: Encoding) -> str:
    """The `type` attribute of an encoding, such as `ascii11`."""
    return f"{encoding.name}{encoding.width}"


def units_of(variable: Variable, encoding: Encoding) -> str:
    """The units of the values as written. Times of text are said to be us2000: old clients know no UTC."""
    return _TIME_UNITS if encoding.name == "time" or variable.dtype.kind == "M" else variable.units


def field_of(encoding: Encoding, shape: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """The numpy type and shape of a plane in a packet; texts are rows of bytes."""
    if encoding.name in _REALS:
        return np.dtype(f"{'>' if encoding.name == 'sun_real' else '<'}f{encoding.width}"), shape
    return np.dtype(np.uint8), (*shape, encoding.width)


def put(target: NDArray[Any], values: NDArray[Any], variable: Variable, encoding: Encoding, *, keep: bool) -> None:
    """Writes a column into its field of the packets: numbers, or text with a blank behind each value.

    `keep` lets numbers of a text plane have decimal notation where that saves digits. Raises `SourceError` for values
    that das2 cannot hold, which are all but numbers and times.
    """
    if values.dtype.kind not in "fiubM":
        raise SourceError(f"{variable.name} holds text, which das2 streams cannot carry", kind="source.stream")
    if encoding.name == "time":
        times = values if values.dtype.kind == "M" else epochs.to_datetime64(values, variable.units)
        _put_times(target, times, encoding.width)
    elif encoding.name == "ascii":
        write_reals(target, values, variable.fill)
        if keep:
            keep_digits(target[..., :-1], values)
    elif values.dtype.kind == "M":
        target[...] = epochs.from_datetime64(values, _TIME_UNITS)
    else:
        target[...] = values


def _put_times(target: NDArray[Any], times: NDArray[Any], width: int) -> None:
    """Writes times into rows of that width; a form shorter than a second is the beginning of the row."""
    fraction = min(max(width - _BESIDE_FRACTION, 0), 9)
    text = digits.iso_width(fraction)
    if text < width:
        target[..., text:] = ord(" ")
        digits.iso_times(times, fraction, out=target[..., :text])
    else:
        target[..., width - 1] = ord(" ")
        target[..., : width - 1] = digits.iso_times(times, 0)[..., : width - 1]
