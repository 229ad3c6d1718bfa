# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes arrays as JSON: one object whose `items` are declarations and records as they come, or a text per line."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Records, StreamHeader
from dasflex_core.batching import Gathering
from dasflex_core.errors import SourceError
from dasflex_core.second_digits import own_secfrac
from dasflex_core.stages import Formatter, param
from dasflex_core.values import dataclass
from dasflex_json.declaring import dataset_text, json_text, stream_text
from dasflex_json.texts import column_text, entry_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.arrays import Comment, Dataset, Item, NoData, Problem
    from dasflex_core.stages import Value

__all__ = ["FORM", "JsonFormatter", "JsonLinesFormatter"]

#: The name of this form; its number grows when a program that reads it would have to change.
FORM: Final = "dasflex-1"
#: About how many values one item of records holds.
_VALUES: Final = 1 << 16
#: The values that a run is taken to have there.
_RUN: Final = 1 << 10


@dataclass(frozen=True, slots=True)
class _Declared:
    """A dataset that was declared: the digits of a second of each variable, and its records that wait."""

    digits: dict[str, int]
    gathering: Gathering


class Writing(Formatter, accepts="arrays"):
    """What both layouts share: an object for each item, and records that wait until there are enough for one."""

    secfrac: int | None = param(
        "format.secfrac",
        mode="offered",
        low=0,
        high=9,
        title="Digits of a second",
        help="Not given: as many as the times of the data need.",
    )
    #: How records are written.
    shape: str = "columns"

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        self._opened = self._broken = False
        self._records = 0
        self._datasets: dict[int, _Declared] = {}  # by id

    def feed(self, item: Item, /) -> Iterable[bytes]:
        """The bytes of one item. Records wait until there are as many as one item holds, or until something follows."""
        if isinstance(item, Records):
            yield from map(self._item, map(self._text, self._gathering(item).add(item)))
            return
        yield from self.flush()
        yield from super().feed(item)

    def flush(self) -> Iterable[bytes]:
        """The records that wait for others of their item: what is live waits for nothing."""
        for each in self._datasets.values():
            yield from map(self._item, map(self._text, each.gathering.rest()))

    def finish(self) -> Iterable[bytes]:
        """The records that wait, and what says how many there were."""
        yield from self.flush()
        complete = b"false" if self._broken else b"true"
        yield self._open() + self._end(b'"records":%d,"complete":%b}\n' % (self._records, complete))

    def header(self, header: StreamHeader) -> bytes:
        """The beginning. Of a stream that has several headers the first counts."""
        return self._open(header)

    def dataset(self, dataset: Dataset) -> bytes:
        """The declaration of a dataset."""
        digits = {
            name: own_secfrac(variable) if self.secfrac is None else self.secfrac
            for name, variable in dataset.variables.items()
        }
        self._datasets[dataset.id] = _Declared(digits, Gathering(_records_of_an_item(dataset)))
        return self._item(dataset_text(dataset, digits))

    def comment(self, comment: Comment) -> bytes:
        """A comment as an item."""
        return self._item(json_text({"comment": comment.type, "text": comment.text, "source": comment.source}))

    def problem(self, problem: Problem) -> bytes:
        """The failure as an item."""
        self._broken = True
        return self._item(json_text({"problem": problem.type, "message": problem.message}))

    def no_data(self, nothing: NoData) -> bytes:
        """That nothing was found, as an item."""
        return self._item(json_text({"nodata": nothing.message}))

    def _open(self, header: StreamHeader | None = None) -> bytes:
        """The beginning, the first time."""
        if self._opened:
            return b""
        self._opened = True
        return self._begin(b'{"form":"%b","stream":%b' % (FORM.encode(), stream_text(header or StreamHeader())))

    def _begin(self, text: bytes) -> bytes:
        """The beginning, made of an object that has yet to be closed."""
        raise NotImplementedError

    def _item(self, text: bytes) -> bytes:
        """An item, on a line of its own."""
        raise NotImplementedError

    def _end(self, text: bytes) -> bytes:
        """The end, made of what stands last in an object."""
        raise NotImplementedError

    def _gathering(self, batch: Records) -> Gathering:
        """Where the records of this dataset wait."""
        declared = self._datasets.get(batch.dataset.id)
        if declared is None:
            raise SourceError(f"Records of {batch.dataset.name} come before its declaration", kind="source.stream")
        return declared.gathering

    def _text(self, batch: Records) -> bytes:
        """The object of some records."""
        self._records += len(batch)
        digits = self._datasets[batch.dataset.id].digits
        head = b'{"records":%d,"count":%d,' % (batch.dataset.id, len(batch))
        columns = batch.dataset.columns
        if self.shape == "rows":
            entries = [entry_texts(each, batch[each.name], digits[each.name]) for each in columns]
            rows = b",\n".join(b"[%b]" % b",".join(row) for row in zip(*entries, strict=True))
            return head + b'"rows":[%b]}' % rows
        texts = (
            json_text(each.name) + b":" + column_text(each, batch[each.name], digits[each.name]) for each in columns
        )
        return head + b'"columns":{%b}}' % b",".join(texts)


class JsonFormatter(Writing, name="json", accepts="arrays", produces="json", start=0.1, per_gb=25.0):
    """JSON, typed and with its declarations.

    The object is `{"form", "stream", "items", "records", "complete"}`. An item is the declaration of a dataset
    (`dataset`), some of its records (`records`, with `columns` by name or `rows` in the order of the columns), a
    `comment`, `nodata`, or a `problem`, after which `complete` is false. An object that ends in mid-air was cut off.
    """

    shape: str = param(
        "format.shape",
        mode="offered",
        values={"columns": "A list per variable", "rows": "A list per record"},
        default="columns",
        title="How records are written",
    )

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        self._itemised = False

    def _begin(self, text: bytes) -> bytes:
        return text + b',"items":['

    def _item(self, text: bytes) -> bytes:
        begin = self._open() + (b",\n" if self._itemised else b"\n")
        self._itemised = True
        return begin + text

    def _end(self, text: bytes) -> bytes:
        return b"\n]," + text


class JsonLinesFormatter(Writing, name="jsonl", accepts="arrays", produces="jsonl", start=0.1, per_gb=25.0):
    """JSON lines: the same objects, each on a line of its own.

    The lines are `{"form", "stream"}`, then the items as in the one object, with columns, then `{"records",
    "complete"}`. So each message of a live stream can be read by itself.
    """

    def _begin(self, text: bytes) -> bytes:
        return text + b"}\n"

    def _item(self, text: bytes) -> bytes:
        return self._open() + text + b"\n"

    def _end(self, text: bytes) -> bytes:
        return b"{" + text


def _records_of_an_item(dataset: Dataset) -> int:
    """How many records one item holds. The lengths of runs are not known, so that they count as a thousand values."""
    values = sum(
        prod(extent for extent in each.shape if extent >= 0) * (_RUN if each.ragged else 1) for each in dataset.columns
    )
    return max(1, _VALUES // max(1, values))
