# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes variables and attributes with pycdfpp.

Numbers are lent to the library and not copied: it writes from the arrays themselves, so that what is mapped from a file
is read when it is written. Times and text it converts, which copies them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pycdfpp

from dasflex_cdf.attributes import Own

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from dasflex_cdf.attributes import Attributes
    from dasflex_cdf.group import Made
    from dasflex_cdf.kinds import CdfType

__all__ = ["File"]

#: Bytes that are not worth compressing.
_SMALL: Final = 512


class File:
    """A CDF that is being made."""

    def __init__(self, *, compressed: bool) -> None:
        self._cdf = pycdfpp.CDF()
        self._compressed = compressed

    def tell(self, attributes: Mapping[str, tuple[str, ...]]) -> None:
        """Adds attributes of the file, each with its entries."""
        for name, entries in attributes.items():
            self._cdf.add_attribute(name, list(entries))

    def add(self, made: Made) -> None:
        """Adds a variable. Epochs are not compressed (das-streams 5.14), nor is what is small."""
        values = made.values if made.records else made.values[None]
        kind = made.type
        time = kind is not None and kind.name == "CDF_TIME_TT2000"
        small = time or values.nbytes < _SMALL or not self._compressed
        compression = pycdfpp.CompressionType
        options: dict[str, Any] = {
            "is_nrv": not made.records,
            "compression": compression.no_compression if small else compression.gzip_compression,
        }
        if kind is None:
            self._cdf.add_variable(made.name, _blank(values), pycdfpp.DataType.CDF_CHAR, **options)
        elif time:
            self._cdf.add_variable(made.name, _tt2000(values), pycdfpp.DataType.CDF_TIME_TT2000, **options)
        else:
            lent = np.ascontiguousarray(values, kind.dtype)
            whole = lent.size > 0
            self._cdf.add_variable(made.name, lent, getattr(pycdfpp.DataType, kind.name), copy=not whole, **options)
        _describe(self._cdf[made.name], made.attributes, kind)

    def adopt(self, variable: Any) -> None:  # noqa: ANN401  a variable of the library
        """Adds a variable of another file as it is there."""
        self._cdf.add_variable(variable)

    def save(self, path: Path) -> None:
        """Writes the file. Raises `OSError`."""
        pycdfpp.save(self._cdf, str(path))


def _describe(variable: Any, attributes: Attributes, kind: CdfType | None) -> None:  # noqa: ANN401  of the library
    """Adds the attributes of a variable; its own numbers in its own type."""
    for name, entry in attributes.items():
        if not isinstance(entry, Own):
            variable.add_attribute(name, entry or " ")
        elif kind is not None and kind.name == "CDF_TIME_TT2000":
            variable.add_attribute(name, [pycdfpp.tt2000_t(int(entry.value))])
        elif kind is not None:
            number = np.array([entry.value]).astype(kind.dtype)
            variable.add_attribute(name, number, getattr(pycdfpp.DataType, kind.name))


def _blank(values: NDArray[np.bytes_]) -> NDArray[np.bytes_]:
    """Text with blanks behind it, as CDF_CHAR has it."""
    width = max(1, values.dtype.itemsize)
    if not values.size:
        return values.astype(f"S{width}")
    return np.strings.ljust(values, width).astype(f"S{width}")


def _tt2000(values: NDArray[np.int64]) -> NDArray[Any]:
    """Integers as the library has times; nothing is converted, so that times within leap seconds stay what they are."""
    return np.ascontiguousarray(values, np.int64).view(_time_type())


@cache
def _time_type() -> np.dtype[Any]:
    """The type of arrays in which the library has TT2000."""
    made: np.dtype[Any] = pycdfpp.to_tt2000(np.zeros(1, "M8[ns]")).dtype
    return made
