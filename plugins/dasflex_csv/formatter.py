# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes arrays as CSV: one header row that data frames read, or the layout of classic das3_csv."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from dasflex_core.arrays import Records, StreamHeader
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.stages import Formatter, param
from dasflex_csv.das_header import header_rows, property_rows
from dasflex_csv.fixed_rows import FixedRows, RowStyle
from dasflex_csv.layout import fields_of, plain_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.arrays import Dataset, Item
    from dasflex_core.stages import Value
    from dasflex_csv.layout import Field

__all__ = ["CsvFormatter"]

_WORDS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_DAS_SECFRAC: Final = 3


class _Writer(Protocol):
    """What writes the records of one layout."""

    def rows(self, batch: Records) -> Iterator[bytes]:
        """The text of a batch, in pieces."""
        ...


class CsvFormatter(Formatter, name="csv", accepts="arrays", produces="csv", start=0.1, per_gb=12.0):
    """Comma-separated values, one row per record.

    The *plain* style has one header row (`layout.plain_names`), rows that end in a line feed, shortest digits, and
    empty cells for fill; all its datasets must have one layout. The *das* style is that of classic das3_csv
    (das-streams 5.12): three header rows per dataset, rows that end in CR LF, as many digits as lose nothing, and fill
    as it is. `format.sigdigit` counts significant digits in both, so that 8 is what the classic program's `-r 7` is.
    """

    delim: str | None = param(
        "format.delim",
        mode="offered",
        title="What separates cells",
        help="A character, or comma, semicolon, tab or pipe. Not given: a comma, or a semicolon in the das style.",
    )
    headers: bool = param("format.headers", mode="offered", default="true", title="Whether headers are written")
    style: str = param(
        "format.csv.style",
        mode="offered",
        values={"plain": "One header row, for data frames", "das": "The layout of classic das3_csv"},
        default="plain",
        title="Layout",
    )
    props: bool = param(
        "format.csv.props",
        mode="offered",
        default="false",
        title="Whether properties are written",
        help="Rows of properties before the headers of each dataset, in the das style.",
    )
    dsid: bool | None = param(
        "format.csv.dsid",
        mode="offered",
        title="Whether rows start with the number of their dataset",
        help="In the das style. Not given: they do.",
    )
    secfrac: int | None = param(
        "format.secfrac",
        mode="offered",
        low=0,
        high=9,
        title="Digits of a second",
        help="Not given: as many as the times of the data need, or 3 in the das style.",
    )
    sigdigit: int | None = param(
        "format.sigdigit",
        mode="offered",
        low=2,
        high=17,
        title="Significant digits",
        help="Of every real number. Not given: the fewest that read back as the same number, or in the das style "
        "what any number of the type needs.",
    )

    def __init__(self, **values: Value | None) -> None:
        """Takes the values of the parameters by attribute. Raises `QueryError` for those that cannot be."""
        super().__init__(**values)
        if self.style not in (None, "plain", "das"):
            raise QueryError(f"format.csv.style={self.style} is neither plain nor das", kind="query.bad-value")
        self._das = self.style == "das"
        self._headed = self.headers
        self._with_props = self.props
        self._with_id = self._das if self.dsid is None else self.dsid
        if not self._das and (self._with_props or self._with_id):
            name = "format.csv.props" if self._with_props else "format.csv.dsid"
            raise QueryError(f"{name} belongs to format.csv.style=das", kind="query.bad-value")
        self._delimiter = _delimiter(self.delim or ("semicolon" if self._das else "comma"))
        self._stream = StreamHeader()
        self._writers: dict[int, _Writer] = {}
        self._first: tuple[Dataset, list[str]] | None = None

    def feed(self, item: Item, /) -> Iterable[bytes]:
        """The bytes of one item; those of a batch in pieces of about 1 MB."""
        return self._rows(item) if isinstance(item, Records) else super().feed(item)

    def header(self, header: StreamHeader) -> bytes:
        """No bytes: properties of the stream are written with each dataset."""
        self._stream = header
        return b""

    def dataset(self, dataset: Dataset) -> bytes:
        """The header rows. Raises `QueryError` where a table cannot hold the dataset."""
        return self._das_dataset(dataset) if self._das else self._plain_dataset(dataset)

    def records(self, batch: Records) -> bytes:
        """The rows of a batch."""
        return b"".join(self._rows(batch))

    def _rows(self, batch: Records) -> Iterator[bytes]:
        """The rows of a batch in pieces."""
        writer = self._writers.get(batch.dataset.id)
        if writer is None:
            raise SourceError(f"Records of {batch.dataset.name} come before its declaration", kind="source.stream")
        yield from writer.rows(batch)

    def _plain_dataset(self, dataset: Dataset) -> bytes:
        """The header row, for the first dataset."""
        fields = fields_of(dataset, secfrac=self.secfrac)
        names = plain_names(dataset, fields)
        self._writers[dataset.id] = self._plain_writer(fields)
        if self._first is None:
            self._first = dataset, names
            cells = (_quoted(name, self._delimiter) for name in names)
            return (self._delimiter.join(cells) + "\n").encode() if self._headed else b""
        first, known = self._first
        if names != known:
            raise QueryError(
                f"{_difference(first, dataset)}, and a CSV table holds one kind of record. "
                "Choose variables that stand in one dataset with read.data, or ask for format.csv.style=das",
                kind="query.unreachable-type",
            )
        return b""

    def _plain_writer(self, fields: tuple[Field, ...]) -> _Writer:
        """What writes the rows of a dataset in the plain style."""
        if self.sigdigit is not None:
            return FixedRows(fields, RowStyle(self._delimiter.encode(), b"\n"), self.sigdigit)
        from dasflex_csv.short_rows import ShortRows

        return ShortRows(fields, self._delimiter.encode())

    def _das_dataset(self, dataset: Dataset) -> bytes:
        """The property rows and the header rows of a dataset."""
        secfrac = _DAS_SECFRAC if self.secfrac is None else self.secfrac
        fields = fields_of(dataset, secfrac=secfrac, fixed=True)
        start = [str(dataset.id)] if self._with_id else []
        marks = [*start, '"values"'] if self._headed else start
        prefix = "".join(mark + self._delimiter for mark in marks).encode()
        style = RowStyle(self._delimiter.encode(), b"\r\n", prefix, empties=False)
        self._writers[dataset.id] = FixedRows(fields, style, self.sigdigit)
        if not self._headed:
            return b""
        rows = [[*start, *cells] for cells in header_rows(dataset, fields, self._stream)]
        if self._with_props:
            about = property_rows(dataset, fields, self._stream)
            rows = [*([str(number), *cells] if start else cells for number, cells in about), *rows]
        return "".join(self._delimiter.join(cells) + "\r\n" for cells in rows).encode()


def _delimiter(text: str) -> str:
    """The character that a parameter names. Raises `QueryError` for one that stands in numbers, times or quotes."""
    found = _WORDS.get(text.lower(), text)
    if len(found) != 1 or not found.isascii() or found.isalnum() or found in '"+-.:[]\r\n\0':
        words = ", ".join(_WORDS)
        raise QueryError(
            f"format.delim={text} cannot separate cells. Give one character that stands in no number or time, or one "
            f"of the words {words}",
            kind="query.bad-value",
        )
    return found


def _quoted(text: str, delimiter: str) -> str:
    """The text, in quotes where it holds a delimiter, a quote or the end of a line (RFC 4180)."""
    if any(mark in text for mark in (delimiter, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text


def _difference(first: Dataset, second: Dataset) -> str:
    """What is said of two datasets of different layouts."""
    if first.id == second.id:
        return f"Dataset {second.name} is declared anew with other columns"
    return f"Datasets {first.name} and {second.name} have different columns"
