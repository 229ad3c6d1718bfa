# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers to fixed-notation text, many at once.

The text is a matrix of bytes: one row per value, all of one width. A row is what `'%{width}.{digits}e' % value`
gives, byte for byte, only NaN is spelled `NaN`, as in das streams.

How a block of values becomes text, with D = digits + 1 significant digits:

1. Tables indexed by the binary exponent give k, the decimal exponent, after one comparison with a power of ten.
2. x = |v| * 10**(D-1-k) lies in [10**(D-1), 10**D]; rounded to the integer n, its digits are the digits wanted.
   Up to 12 digits one product of doubles does; above that, a product with about 106 bits (Dekker 1971).
3. Where x is so near to a half that the error of x could decide, the row is *doubtful*. The value is then compared
   with the half by error-free products, which is exact while the power of ten is a double; the rest go to `%`.
4. n is cut into groups of four digits, which a table turns into four bytes that are written as one 32-bit word.

NaN, infinities, subnormals and values that need three digits of exponent go to `%` too.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from dasflex_core.digits import powers
from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Places: TypeAlias = NDArray[np.int64]
    Words: TypeAlias = NDArray[np.uint32]
    Bytes: TypeAlias = NDArray[np.uint8]

__all__ = ["DROP", "compact", "compact_e", "fixed_e", "integers", "natural_width"]

#: A byte that no UTF-8 text holds: padding with it marks bytes that `compact` removes.
DROP: Final = 0xFF

_BLANK: Final = 0x20
#: Values per block: its arrays (about 4 MB) stay in a third-level cache, and the calls of numpy are few to a value.
_BLOCK: Final = 65536
_ONE_PRODUCT: Final = 12  # digits up to which the product of two doubles is near enough to what it should be
_LOW: Final = 2e-99  # values whose exponent has two digits, also after rounding
_HIGH: Final = 9e99
_EXACT: Final = 22  # 10**22 is the largest power of ten that a double holds exactly


def natural_width(dtype: np.dtype[Any], digits: int) -> int:
    """The width that holds every value: sign, digits, point, and an exponent of three digits but for float32."""
    return digits + (7 if dtype.itemsize <= 4 else 8)


def fixed_e(
    values: NDArray[Any], digits: int, *, width: int | None = None, pad: int = _BLANK, out: Bytes | None = None
) -> Bytes:
    """The text `%{width}.{digits}e` of each value, as bytes of shape (*values.shape, width).

    `values` are floats of any byte order (integers are taken as float64), `digits` is 1 to 16, `pad` the byte on the
    left. `width` defaults to what every value of the type needs (`natural_width`). A text that is wider than `width`
    loses digits of its fraction until it fits, so that rows keep their width. `out`, if given, is written to and
    returned: any array of that shape whose last axis is contiguous, such as columns of a larger matrix.

    Raises `QueryError` for digits or a width that cannot be.
    """
    values = np.asarray(values)
    if width is None:
        width = natural_width(values.dtype, digits) if out is None else out.shape[-1]
    if not 1 <= digits <= 16:
        raise QueryError(f"{digits} digits cannot be written; 1 to 16 can", kind="query.bad-value")
    if width < digits + 7:
        message = f"{digits} digits need a width of {digits + 7} or more, not {width}"
        raise QueryError(message, kind="query.bad-value")
    if out is None:
        out = np.empty((*values.shape, width), dtype=np.uint8)
    if values.ndim == 0:
        fixed_e(values[np.newaxis], digits, pad=pad, out=out[np.newaxis])
        return out
    if values[:1].size > _BLOCK:  # long records go one by one, in blocks of their own
        for value, rows in zip(values, out, strict=True):
            fixed_e(value, digits, pad=pad, out=rows)
        return out
    step = max(1, _BLOCK * len(values) // max(1, values.size))
    work = _workspace(values[:step].size)
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
        for first in range(0, len(values), step):
            block = values[first : first + step]
            if block.size < work.value.size:
                work = _Work._make(array[: block.size] for array in work)
            work.value.reshape(block.shape)[...] = block
            _write_block(out[first : first + step], work, digits + 1, pad)
    return out


class _Work(NamedTuple):
    """The arrays that one block needs, flat, made once: fresh memory for each step would cost page faults."""

    value: Floats
    size: Floats
    scaled: Floats
    number: Floats
    spare: Floats
    place: Places
    flag: NDArray[np.bool_]
    high: Words
    low: Words


def _workspace(count: int) -> _Work:
    """Arrays for blocks of that many values, in one piece of memory."""
    memory = np.empty((7, count), dtype=np.float64)
    words = memory[6].view("<u4").reshape(2, count)
    return _Work._make([*memory[:5], memory[5].view(np.int64), np.empty(count, dtype=np.bool_), *words])


def _write_block(out: Bytes, work: _Work, significant: int, pad: int) -> None:
    """Write the rows of the values of one block."""
    np.abs(work.value, out=work.size)
    odd = _odd(work.size)
    work.size[odd] = 0.0
    _find_places(work)
    unsettled = _round(work, significant) if significant <= _ONE_PRODUCT else _round_long(work, significant)
    width, body = out.shape[-1], significant + 6
    rows = out[..., width - body :]
    powers.put_word(rows, significant + 2, powers.exponents().take(work.place, out=work.high, mode="clip"))
    _put_digits(rows, significant + 2, work, significant)
    sign = np.signbit(work.value, out=work.flag).view(np.uint8)
    sign *= np.uint8((0x2D - pad) % 256)  # modulo 256, pad + (minus - pad) is the minus
    sign += np.uint8(pad)
    rows[..., 0] = sign.reshape(rows.shape[:-1])
    out[..., : width - body] = pad
    _put_by_percent(out, work.value, np.concatenate([odd, unsettled]), significant - 1, pad)


def _odd(size: Floats) -> Places:
    """Where magnitudes are neither zero nor finite with two digits of exponent."""
    if size.size == 0 or (size.min() >= _LOW and size.max() < _HIGH):  # a NaN makes both false
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(~((size >= _LOW) & (size < _HIGH)) & (size != 0))


def _find_places(work: _Work) -> None:
    """The place of each magnitude in the tables."""
    power_of_ten, _ = powers.decades()
    place = np.right_shift(work.size.view(np.int64), 52, out=work.place)
    power_of_ten.take(place, out=work.spare, mode="clip")
    np.greater_equal(work.size, work.spare, out=work.flag)
    place += place
    place += work.flag


def _round(work: _Work, significant: int) -> Places:
    """Put the digits of each magnitude in `number`, by one product; where they could not be settled."""
    scales = powers.scales(significant)
    scales.high.take(work.place, out=work.spare, mode="clip")
    np.multiply(work.size, work.spare, out=work.scaled)
    np.rint(work.scaled, out=work.number)
    np.subtract(work.scaled, work.number, out=work.spare)
    np.abs(work.spare, out=work.spare)
    tolerance = 10.0**significant * 2.0**-51  # twice the two roundings, of the power and of the product
    return _finish(work, scales, work.number, significant, tolerance)


def _round_long(work: _Work, significant: int) -> Places:
    """The same with 106 bits; the digits are left in `number` as 64-bit integers."""
    scales = powers.scales(significant)
    product, rest = powers.product(work.size, scales.high.take(work.place, out=work.spare, mode="clip"))
    rest += np.multiply(work.size, scales.low.take(work.place, out=work.spare, mode="clip"), out=work.spare)
    work.scaled[...] = product
    whole = np.rint(product, out=work.spare)
    rest += np.subtract(product, whole, out=product)
    number = work.number.view(np.int64)
    np.copyto(number, whole, casting="unsafe")
    step = np.rint(rest, out=work.spare)
    rest -= step
    number += step.astype(np.int64)
    np.abs(rest, out=work.spare)
    return _finish(work, scales, number, significant, tolerance=1e-12)


def _finish(work: _Work, scales: powers.Scales, number: NDArray[Any], significant: int, tolerance: float) -> Places:
    """Settle what `spare`, the distance to the integer, leaves in doubt.

    The answer is where that cannot be done, and where rounding up gave one digit more (9.99 to 10.0); some twice.
    """
    unsettled = np.empty(0, dtype=np.int64)
    if number.size == 0:
        return unsettled
    if work.spare.max() > 0.5 - tolerance:
        doubtful = np.flatnonzero(work.spare > 0.5 - tolerance)
        power = scales.power.take(work.place.take(doubtful))
        settled, known = _settle(work.size.take(doubtful), power, work.scaled.take(doubtful), significant)
        number[doubtful] = settled
        unsettled = doubtful[~known]
    if number.max() >= 10**significant:
        unsettled = np.concatenate([unsettled, np.flatnonzero(number >= 10**significant)])
    return unsettled


def _settle(
    size: Floats, power: NDArray[np.int64], scaled: Floats, significant: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """What lies next to a half, size · 10**power, rounded half to even; and where that could be told.

    Both sides of the comparison with the half are products of two doubles, exact with their errors.
    """
    known = np.abs(power) <= _EXACT
    if significant > 15:  # the half itself is no double
        known[:] = False
    below = np.floor(scaled)
    half = below + 0.5
    ten = 10.0 ** np.where(known, np.abs(power), 0)
    up = power >= 0
    product, error = powers.product(np.where(up, size, half), ten)
    side = np.where(up, (product - half) + error, (size - product) - error)
    odd = np.fmod(below, 2.0) == 1.0
    return below + ((side > 0) | ((side == 0) & odd)), known


def _put_digits(rows: Bytes, end: int, work: _Work, significant: int) -> None:
    """Write d.ddd so that it ends before `end`; groups of four run from the right and what they overlap comes later."""
    if significant > _ONE_PRODUCT:
        _put_long(rows, end, work)
        end, significant = end - 8, significant - 8
    elif significant > 9:
        np.copyto(work.number.view(np.int64), work.number, casting="unsafe")
        _put_long(rows, end, work)
        end, significant = end - 8, significant - 8
    else:
        np.copyto(work.high.view(np.int32), work.number, casting="unsafe")
    first = _put_groups(rows, end, work, significant)
    first >>= np.uint32(8 * (3 - (significant - 1) % 4))
    first &= np.uint32(0xFF)
    first |= np.uint32(0x2E00)
    powers.put_word(rows, 1, first.astype("<u2"))


def _put_long(rows: Bytes, end: int, work: _Work) -> None:
    """Write the last eight digits of a number of more than nine, and leave the others in `high`."""
    number = work.number.view(np.int64)
    top = np.floor_divide(number, 100_000_000, out=work.spare.view(np.int64))
    rest = np.multiply(top, 100_000_000, out=work.scaled.view(np.int64))
    np.subtract(number, rest, out=rest)
    np.copyto(work.high, rest, casting="unsafe")
    _put_groups(rows, end, work, 8)
    np.copyto(work.high, top, casting="unsafe")


def _put_groups(rows: Bytes, end: int, work: _Work, count: int) -> Words:
    """Write `count` digits of `high` in groups of four, the last before `end`; the word of the first group."""
    quads, ten_thousand = powers.quads(), np.uint32(10000)
    number, other = work.high, work.low
    index = work.scaled.view(np.int64)
    while count > 4:
        np.floor_divide(number, ten_thousand, out=other)
        np.multiply(other, ten_thousand, out=index)
        np.subtract(number, index, out=index)
        quads.take(index, out=number, mode="clip")
        powers.put_word(rows, end - 4, number)
        number, other, end, count = other, number, end - 4, count - 4
    np.copyto(index, number)
    word = quads.take(index, out=other, mode="clip")
    if count > 1:  # the first digit alone is not written here
        powers.put_word(rows, end - 4, word)
    return word


def _put_by_percent(out: Bytes, values: Floats, which: Places, digits: int, pad: int) -> None:
    """Write the rows of a few values, each different one by one: fill, and NaN, come again and again."""
    if which.size == 0:
        return
    width = out.shape[-1]
    found = values.take(which)
    bits = found.view(np.int64).tolist()  # a NaN is not equal to itself, its bits are
    texts = {key: _text(value, digits, width) for key, value in dict(zip(bits, found.tolist(), strict=True)).items()}
    padded = {key: text.encode().rjust(width, bytes([pad])) for key, text in texts.items()}
    rows = np.frombuffer(b"".join([padded[key] for key in bits]), dtype=np.uint8)
    out[np.unravel_index(which, out.shape[:-1])] = rows.reshape(len(which), width)


def _text(value: float, digits: int, width: int) -> str:
    """The text of a value, with fewer digits where it is too wide."""
    if isnan(value):
        return "NaN"
    while len(text := f"{value:.{digits}e}") > width:
        digits -= 1
    return text


def integers(values: NDArray[Any], *, width: int | None = None, pad: int = _BLANK) -> Bytes:
    """The text `%{width}d` of each integer, as bytes of shape (*values.shape, width).

    `width` defaults to that of the longest. Raises `QueryError` if a number does not fit.
    """
    values = np.asarray(values)
    flat = values.ravel()
    negative = flat < 0
    size = flat.astype(np.uint64) if flat.dtype.kind == "u" else flat.astype(np.int64).view(np.uint64)
    size = np.where(negative, np.uint64(0) - size, size)
    count = np.searchsorted(10 ** np.arange(1, 20, dtype=np.uint64), size, side="right") + 1
    length = count + negative
    longest = int(length.max(initial=1))
    width = longest if width is None else width
    if longest > width:
        raise QueryError(f"{flat[length.argmax()]} needs a width of {longest}, not {width}", kind="query.bad-value")
    groups = -(-width // 4)
    rows = np.empty((flat.size, 4 * groups), dtype=np.uint8)
    for end in range(4 * groups, 0, -4):
        size, group = np.divmod(size, np.uint64(10000))
        powers.put_word(rows, end - 4, powers.quads().take(group.astype(np.intp)))
    rows = rows[:, 4 * groups - width :]
    rows[np.arange(width) < (width - count)[:, np.newaxis]] = pad
    rows[negative, width - length[negative]] = 0x2D
    return rows.reshape(*values.shape, width)


def compact(rows: Bytes) -> bytes:
    """The bytes of the rows one after another, without `DROP`."""
    return rows.tobytes().replace(bytes([DROP]), b"")


def compact_e(values: NDArray[Any], digits: int, *, delimiter: bytes = b",", newline: bytes = b"\n") -> bytes:
    """Lines of text of a matrix of floats, `%.{digits}e` without padding; the delimiter is one byte."""
    values = np.atleast_2d(values)
    lines, columns = values.shape
    width = natural_width(values.dtype, digits)
    step = max(1, min(lines, _BLOCK // max(1, columns)))
    length = max(0, columns * (width + 1) - 1) + len(newline)
    memory = bytearray(step * length)  # used again for each block: fresh memory would cost as much as the digits
    rows = np.frombuffer(memory, dtype=np.uint8).reshape(step, length)
    cells = rows[:, : columns * (width + 1)].reshape(step, columns, width + 1)
    cells[..., width] = delimiter[0]
    rows[:, length - len(newline) :] = np.frombuffer(newline, dtype=np.uint8)
    pieces = []
    for first in range(0, lines, step):
        block = values[first : first + step]
        fixed_e(block, digits, pad=DROP, out=cells[: len(block), :, :width])
        written = memory if len(block) == step else memory[: len(block) * length]
        pieces.append(written.replace(bytes([DROP]), b""))
    return b"".join(pieces)
