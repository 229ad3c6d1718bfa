# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as TABLEDATA (VOTable 1.4, section 5.1): elements of XML, which a person can read."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson

from dasflex_votable.elements import elements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dasflex_core.arrays import Records
    from dasflex_votable.fields import Field

__all__ = ["cells", "rows"]


def rows(fields: Iterable[Field], batch: Records) -> bytes:
    """The rows of a batch, one on each line. Missing values are empty cells."""
    columns = [cells(each, batch[each.variable.name]) for each in fields]
    return b"".join(
        b"<TR><TD>%b</TD></TR>\n" % b"</TD><TD>".join(row) for row in zip(*columns, strict=True)
    )  # fmt: skip


def cells(field: Field, column: Any) -> list[bytes]:  # noqa: ANN401  a column, of whichever kind
    """The text of the cell of each record."""
    made, offsets, missing = elements(field, column)
    if field.kind == "words":
        letters = "".join(map(chr, made[:, 0].tolist()))
        return [escape(letters[first:last], quote=False).encode() for first, last in pairwise(offsets.tolist())]
    texts = _texts(field, made)
    if field.varies:
        texts = [b" ".join(texts[first:last]) for first, last in pairwise(offsets.tolist())]
    return [b"" if lacks else text for text, lacks in zip(texts, missing.tolist(), strict=True)]


def _texts(field: Field, made: NDArray[Any]) -> list[bytes]:
    """The text of each entry: its elements with blanks between them; texts of an array one behind the other."""
    if field.kind == "time":
        return [each.tobytes().replace(b"\0", b" ").rstrip() for each in made]
    if field.kind == "text":
        # Texts of an array have no mark between them: each but the last is padded to its length (section 5.1).
        texts = ("".join(chr(code or 32) for code in each.tolist()).rstrip(" ") for each in made)
        return [escape(each, quote=False).encode() for each in texts]
    if field.kind == "flag":
        return [b" ".join(letter.strip() or b"?" for letter in each.tolist()) for each in made]
    native = made.astype(made.dtype.newbyteorder("="))
    if made.shape[1] == 1:
        return [_number(each) for each in orjson.dumps(native[:, 0].tolist())[1:-1].split(b",")] if len(made) else []
    return [
        b" ".join(map(_number, orjson.dumps(each)[1:-1].split(b","))) if each else b"" for each in native.tolist()
    ]  # fmt: skip


def _number(text: bytes) -> bytes:
    """A number as XML Schema writes it: orjson has null for what is no number."""
    return b"NaN" if text == b"null" else text
