# SPDX-License-Identifier: GPL-3.0-or-later
"""What variables have in das3 packets of different sizes, as bytes: one piece for each record.

Values of one width are written all at once and cut. Runs are put together from the innermost outwards, each with its
terminator or its count tag; strings of any length end with theirs, and blobs have their length before them.
"""

from __future__ import annotations

import binascii
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from dasflex_core.arrays import VARIES, Ragged
from dasflex_core.errors import SourceError
from dasflex_das.das3_levels import LETTERS
from dasflex_das.das3_properties import term_byte

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Variable
    from dasflex_das.das3_wire import Wire

__all__ = ["cells_of"]


def cells_of(variable: Variable, wire: Wire, column: Column) -> list[bytes]:
    """The bytes of each record of a column. Raises `SourceError` for text that holds what ends it."""
    if not isinstance(column, Ragged):
        values = column.reshape(len(column), prod(variable.shape))
        if wire.width == VARIES:
            texts, count = _texts(variable, wire, values.ravel()), values.shape[1]
            return [b"".join(texts[at : at + count]) for at in range(0, len(texts), count)]
        return _sliced(_flat(variable, wire, values), values.shape[1] * wire.width * np.arange(len(values) + 1))
    return _runs(variable, wire, column, _marks(variable, wire))


def _marks(variable: Variable, wire: Wire) -> list[tuple[str, bytes]]:
    """For each level of runs the letter of its count tag, which is blank where there is none, and its terminator."""
    inner = [
        (letter, extent)
        for letter, extent in zip(LETTERS, variable.index, strict=False)
        if letter != LETTERS[0] and extent is not None
    ]
    if wire.index_terms:
        return [("", term_byte(term).encode()) for term in wire.index_terms]
    return [(letter if extent == VARIES else "", b"") for letter, extent in inner]


def _runs(variable: Variable, wire: Wire, column: Ragged, marks: list[tuple[str, bytes]]) -> list[bytes]:
    """The bytes of each run of a level."""
    if not marks:
        return _blobs(wire, column)
    (letter, term), *inner = marks
    if isinstance(column.values, Ragged):
        entries = _runs(variable, wire, column.values, inner)
        bodies = [b"".join(entries[first:stop]) for first, stop in pairwise(column.offsets.tolist())]
        lengths = np.diff(column.offsets)
    else:
        bodies = _values(variable, wire, column)
        lengths = np.diff(column.offsets) * prod(variable.leaf)
    if letter:
        return [
            b"[%b|%d]%b" % (letter.encode(), length, body)
            for length, body in zip(lengths.tolist(), bodies, strict=True)
        ]
    return [body + term for body in bodies] if term else bodies


def _values(variable: Variable, wire: Wire, column: Ragged) -> list[bytes]:
    """The values of each innermost run."""
    count = prod(variable.leaf)
    values = column.leaves.reshape(-1, count)
    if wire.width == VARIES:
        texts = _texts(variable, wire, values.ravel())
        return [b"".join(texts[first:stop]) for first, stop in pairwise((column.offsets * count).tolist())]
    if wire.index_terms and variable.semantic == "string":
        _check_first(variable, wire, values.ravel())
    return _sliced(_flat(variable, wire, values), column.offsets * (count * wire.width))


def _flat(variable: Variable, wire: Wire, values: NDArray[Any]) -> bytes:
    """The bytes of values of one width, of shape (rows, count)."""
    out = np.empty((len(values), values.shape[1] * wire.width), dtype=np.uint8)
    wire.write(variable, values, out)
    return out.tobytes()


def _sliced(flat: bytes, offsets: NDArray[np.int64]) -> list[bytes]:
    """The bytes between each two offsets."""
    return [flat[first:stop] for first, stop in pairwise(offsets.tolist())]


def _blobs(wire: Wire, column: Ragged) -> list[bytes]:
    """Each blob behind its length, as it is or in base64 (RFC 4648)."""
    items = _sliced(column.leaves.tobytes(), column.offsets)
    if wire.encoding == "base64":
        items = [binascii.b2a_base64(item, newline=False) for item in items]
    return [b"{%d}%b" % (len(item), item) for item in items]


def _texts(variable: Variable, wire: Wire, values: NDArray[Any]) -> list[bytes]:
    """Each string with its terminator. Raises `SourceError` for one that holds a terminator."""
    term = term_byte(wire.value_term).encode()
    texts: list[bytes] = values.tolist()
    whole = b"".join(texts)
    for mark in (term, *(term_byte(each).encode() for each in wire.index_terms)):
        if mark in whole:
            _refuse(variable, next(text for text in texts if mark in text), mark)
    return [text + term for text in texts]


def _check_first(variable: Variable, wire: Wire, values: NDArray[Any]) -> None:
    """Raises `SourceError` where a string of a fixed width starts with what ends its run."""
    for term in wire.index_terms:
        mark = term_byte(term).encode()
        found = np.flatnonzero(np.strings.startswith(values, mark))
        if found.size:
            _refuse(variable, values[found[0]], mark)


def _refuse(variable: Variable, text: bytes, mark: bytes) -> None:
    """Raises the error for a string that cannot be told from what ends it."""
    raise SourceError(
        f"{variable.name} has the text {text[:40]!r}, and {mark!r} ends its values or runs in das3; the binary form or"
        " another format can hold it",
        kind="source.stream",
    )
