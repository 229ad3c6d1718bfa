# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes arrays as a VOTable 1.4 with one table, whose rows are TABLEDATA or BINARY2, as they come.

What fails behind the first rows is told as DALI 1.1, section 4.4, has it: an INFO called QUERY_STATUS with the value
ERROR behind the table.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import StreamHeader
from dasflex_core.batching import one_kind_only
from dasflex_core.errors import SourceError
from dasflex_core.stages import Formatter
from dasflex_votable import binary2, tabledata
from dasflex_votable.fields import element, field_of, identifiers, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.arrays import Dataset, NoData, Problem, Records
    from dasflex_core.stages import Value
    from dasflex_votable.fields import Field

__all__ = ["Binary2Formatter", "TabledataFormatter"]

_READS: Final = ("read.time.min", "read.time.max", "bin.time.max", "bin.stats", "dft.length")
_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
    '<RESOURCE type="results">\n'
)
#: The times are UTC; where they were measured is a matter of the data, and not said by das streams.
_UTC: Final = "utc"
_TIMESYS: Final = f'<TIMESYS ID="{_UTC}" timescale="UTC" refposition="UNKNOWN"/>\n'
#: What XML 1.0 has no form for.
_NO_XML: Final = {code: None for code in range(32) if code not in (9, 10, 13)}


class _Table(Formatter, accepts="arrays", reads=_READS):
    """What both serialisations share: the document around the rows."""

    begin: str = ""
    end: str = ""

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        self._stream = StreamHeader()
        self._declared: str | None = None
        self._fields: dict[int, tuple[Field, ...]] = {}  # by the id of the dataset
        self._name = ""
        self._nothing = ""
        self._failure = ""

    def header(self, header: StreamHeader) -> bytes:
        """No bytes yet: whether there is a table shows with the dataset."""
        self._stream = header
        return b""

    def dataset(self, dataset: Dataset) -> bytes:
        """The document up to the rows. Raises `QueryError` for a second dataset with other columns."""
        fields = tuple(map(field_of, dataset.columns))
        constants = _constants(dataset)
        named = identifiers((each.variable.name for each in (*fields, *constants)), _UTC)
        own, others = named[: len(fields)], named[len(fields) :]
        declared = "".join(
            f"<FIELD{element(dataset, each, name)}</FIELD>\n" for each, name in zip(fields, own, strict=True)
        )
        declared += "".join(_constant(dataset, each, name) for each, name in zip(constants, others, strict=True))
        self._fields[dataset.id] = fields
        if self._declared is None:
            self._declared, self._name = declared, dataset.name
            return self._opened(dataset.name, declared)
        if declared != self._declared:
            raise one_kind_only(self._name, dataset.name)
        return b""

    def records(self, batch: Records) -> bytes:
        """The rows of a batch. Raises `SourceError` for records that nothing has declared."""
        if batch.dataset.id not in self._fields:
            raise SourceError(f"Records of {batch.dataset.name} come before its declaration", kind="source.stream")
        return self._rows(batch)

    def no_data(self, nothing: NoData) -> bytes:
        """That nothing was found is said at the end."""
        self._nothing = nothing.message or "There are no data in this range"
        return b""

    def problem(self, problem: Problem) -> bytes:
        """A failure before the table is one of the whole answer; behind it, the end says it."""
        if self._declared is None:
            return super().problem(problem)
        self._failure = problem.message
        return b""

    def finish(self) -> Iterable[bytes]:
        """The last rows and the end of the document; without any dataset, one without a table."""
        text = self._last()
        if self._declared is None:
            text = self._top()
        else:
            text += f"{self.end}</DATA>\n</TABLE>\n".encode()
        if self._failure:
            text += _info("QUERY_STATUS", "ERROR", self._failure).encode()
        elif self._nothing:
            text += _info("NODATA", "true", self._nothing).encode()
        yield text + b"</RESOURCE>\n</VOTABLE>\n"

    def _top(self) -> bytes:
        """The beginning of the document, up to the table."""
        about = [_info("QUERY_STATUS", "OK"), _info("SERVICE_PROTOCOL", "dasflex")]
        asked = {name: getattr(self, name.replace(".", "_")) for name in _READS}
        about += [_info(name, str(text)) for name, text in asked.items() if text]
        about += [_info(each.name, f"{each.text} {each.units}".strip()) for each in self._stream.properties]
        title = self._stream.properties.text("title")
        told = f"<DESCRIPTION>{_escaped(title)}</DESCRIPTION>\n" if title else ""
        return (_HEAD + told + "".join(about) + _TIMESYS).encode()

    def _opened(self, name: str, declared: str) -> bytes:
        """The document up to the rows."""
        return self._top() + f"<TABLE name={_quoted(name)}>\n{declared}<DATA>\n{self.begin}".encode()

    def _rows(self, batch: Records) -> bytes:
        """The rows of a batch."""
        raise NotImplementedError

    def _last(self) -> bytes:
        """The rows that wait for others."""
        return b""


class TabledataFormatter(
    _Table, name="votable", accepts="arrays", produces="votable//text", reads=_READS, start=0.15, per_gb=60.0
):
    """VOTable, rows as text (TABLEDATA)."""

    begin = "<TABLEDATA>\n"
    end = "</TABLEDATA>\n"

    def _rows(self, batch: Records) -> bytes:
        return tabledata.rows(self._fields[batch.dataset.id], batch)


class Binary2Formatter(
    _Table, name="votable-binary2", accepts="arrays", produces="votable//binary", reads=_READS, start=0.15, per_gb=6.0
):
    """VOTable, rows as bytes (BINARY2)."""

    begin = '<BINARY2>\n<STREAM encoding="base64">\n'
    end = "</STREAM>\n</BINARY2>\n"

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        self._text = binary2.Base64()

    def _rows(self, batch: Records) -> bytes:
        return self._text.feed(binary2.rows(self._fields[batch.dataset.id], batch))

    def _last(self) -> bytes:
        return self._text.finish()


def _constants(dataset: Dataset) -> list[Field]:
    """The variables that are the same for all records."""
    return [
        field_of(each)
        for each in dataset.variables.values()
        if each.name not in dataset.wire and each.values is not None
    ]


def _constant(dataset: Dataset, field: Field, identifier: str) -> str:
    """A variable that is the same for all records, as a PARAM."""
    (text,) = tabledata.cells(field, np.asarray(field.variable.values)[None])
    attributes, _, inside = element(dataset, field, identifier).partition(">")
    return f"<PARAM{attributes} value={_quoted(text.decode())}>{inside}</PARAM>\n"


def _info(name: str, value: str, text: str = "") -> str:
    """The element INFO."""
    return f"<INFO name={_quoted(name)} value={_quoted(value)}>{_escaped(text)}</INFO>\n"


def _escaped(text: str) -> str:
    """A text between two tags."""
    return escape(text.translate(_NO_XML), quote=False)


def _quoted(text: str) -> str:
    """A text as the value of an attribute."""
    return quoted(text.translate(_NO_XML))
