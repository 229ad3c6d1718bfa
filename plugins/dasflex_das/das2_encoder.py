# SPDX-License-Identifier: GPL-3.0-or-later
"""Encodes arrays as das2 streams, binary and text.

A batch becomes one array of whole packets, whose fields are filled column by column. Datasets of das3 are converted
first, by `generations`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from dasflex_core.arrays import Ragged, StreamHeader
from dasflex_core.errors import SourceError
from dasflex_core.stages import Formatter, param
from dasflex_das.das2_encodings import TextOptions, binary_encoding, field_of, put, text_encoding
from dasflex_das.das2_layout import MAX_WRITTEN
from dasflex_das.das2_messages import NO_DATA, comment_packet, problem_packet
from dasflex_das.das2_writer import WrittenPlane, kind_of, packet_header, stream_header
from dasflex_das.decimals import write_side_by_side
from dasflex_das.packet_rows import PacketRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Comment, Dataset, Encoding, NoData, Problem, Records, Variable

__all__ = ["Das2BinaryEncoder", "Das2TextEncoder"]

_TEXT = ("ascii", "time")
_IDS = range(1, 100)
_TAG = 4


class _Written:
    """A dataset whose header has been written: its packets as a numpy type, and its planes."""

    def __init__(self, number: int, dataset: Dataset, planes: list[WrittenPlane], *, keep: bool) -> None:
        """`keep` is that of `das2_encodings.put`."""
        self.number = number
        self.dataset = dataset
        self.planes = planes
        self._keep = keep
        self._groups = list(_groups(planes, keep=keep))
        fields: list[tuple[Any, ...]] = [("tag", "S4")]
        fields += [(f"group{place}", *_field(group)) for place, group in enumerate(self._groups)]
        self._dtype = np.dtype(fields)

    def packets(self, batch: Records, memory: PacketRows) -> bytes:
        """The packets of a batch."""
        flat = memory.take(len(batch), self._dtype.itemsize)
        rows = flat.view(self._dtype)[:, 0]
        rows["tag"] = b":%02d:" % self.number
        for place, group in enumerate(self._groups):
            columns = [(_column(batch, plane.variable), plane.variable.fill) for plane in group]
            if len(group) > 1:
                write_side_by_side(rows[f"group{place}"], columns)
            else:
                kept = self._keep and _was_text(group[0])
                put(rows[f"group{place}"], columns[0][0], group[0].variable, group[0].encoding, keep=kept)
        if self.planes[-1].encoding.name in _TEXT:
            flat[:, -1] = ord("\n")
        return flat.tobytes()


def _column(batch: Records, variable: Variable) -> NDArray[Any]:
    """The column of a variable. Raises `SourceError` for runs."""
    column = batch[variable.name]
    if isinstance(column, Ragged):
        raise SourceError(f"{variable.name} is ragged, which das2 cannot carry", kind="source.stream")
    return column


def _was_text(plane: WrittenPlane) -> bool:
    """Whether the values of a plane were read from text."""
    own = plane.variable.encoding
    return own is not None and own.name == "ascii"


def _groups(planes: list[WrittenPlane], *, keep: bool) -> Iterator[list[WrittenPlane]]:
    """The planes, those together that are written at once: neighbours of numbers in text of one width."""

    def width(plane: WrittenPlane) -> int:
        plain = plane.encoding.name == "ascii" and plane.variable.dtype.kind in "fiub"
        return plane.encoding.width if plain and not (keep and _was_text(plane)) else 0

    for found, group in groupby(planes, key=width):
        if found:
            yield list(group)
        else:
            yield from ([plane] for plane in group)


def _field(group: list[WrittenPlane]) -> tuple[Any, tuple[int, ...]]:
    """The numpy type and shape of a group of planes in a packet."""
    first = group[0]
    if len(group) == 1:
        return field_of(first.encoding, first.variable.shape)
    return field_of(first.encoding, (sum(prod(plane.variable.shape) for plane in group),))


class _Writer:
    """Writes the packets of a stream, in the encoding that `choose` gives for a variable of a dataset."""

    def __init__(self, choose: Callable[[Dataset, Variable], Encoding], *, keep: bool) -> None:
        self._choose = choose
        self._keep = keep
        self._held: StreamHeader | None = None
        self._header: StreamHeader | None = None
        self._written: dict[int, _Written] = {}
        self._memory = PacketRows()

    def header(self, header: StreamHeader) -> bytes:
        """The stream header; a second one is left out.

        That of a das3 stream is held until the next item: das2 says there what das3 says of its first dataset.
        """
        if self._header is not None or self._held is not None:
            return b""
        self._held = header
        return self.start() if header.generation == 2 else b""

    def start(self, dataset: Dataset | None = None) -> bytes:
        """The stream header where it has not been written yet, since it comes before all else."""
        if self._header is not None:
            return b""
        header = self._held or StreamHeader(generation=2)
        if header.generation != 2:
            from dasflex_das.to_das2 import header_to_das2

            header = header_to_das2(header, dataset)
        self._header = header
        return stream_header(header)

    def finish(self) -> bytes:
        """The stream header that is still held, of a stream that holds nothing."""
        return self.start() if self._held is not None else b""

    def dataset(self, dataset: Dataset) -> bytes:
        """The header of a dataset's packets. Raises `QueryError` or `SourceError` for what das2 cannot carry."""
        start = self.start(dataset)
        header = self._header or StreamHeader(generation=2)
        known = self._written.get(dataset.id)
        number = known.number if known else self._number(dataset.id)
        own = dataset.id
        if dataset.generation != 2:
            from dasflex_das.to_das2 import dataset_to_das2

            # The published schema knows no `group`: only a packet that came with one keeps it.
            dataset = replace(dataset_to_das2(header, dataset), group="")
        if not dataset.wire:
            raise SourceError(f"{dataset.name} has no values that change from record to record", kind="source.stream")
        planes = [
            WrittenPlane(variable, kind_of(dataset, variable), self._choose(dataset, variable))
            for variable in dataset.columns
        ]
        size = _TAG + sum(each.encoding.width * prod(each.variable.shape) for each in planes)
        if size >= MAX_WRITTEN:
            raise SourceError(
                f"A packet of {dataset.name} would have {size:,} bytes; those that all das2 clients read have less than"
                f" {MAX_WRITTEN:,}: ask for fewer values, or for das3",
                kind="source.limit",
            )
        self._written[own] = _Written(number, dataset, planes, keep=self._keep)
        return start + packet_header(number, dataset, planes, header)

    def _number(self, wanted: int) -> int:
        """The packet id for a dataset that is new: its own where das2 has that, else the first that is free."""
        used = {each.number for each in self._written.values()}
        if wanted in _IDS and wanted not in used:
            return wanted
        free = next((number for number in _IDS if number not in used), 0)
        if not free:
            raise SourceError("A das2 stream has at most 99 kinds of packets; ask for das3", kind="source.limit")
        return free

    def records(self, batch: Records) -> bytes:
        """The packets of a batch; its dataset's header comes first where it has not been written."""
        start = self.dataset(batch.dataset) if batch.dataset.id not in self._written else b""
        written = self._written[batch.dataset.id]
        if not len(batch):
            return start
        if batch.dataset.generation != 2:
            from dasflex_das.to_das2 import records_to_das2

            batch = records_to_das2(batch, written.dataset)
        return start + written.packets(batch, self._memory)


class _Das2Encoder(Formatter):
    """What both encoders share: the das2 packet of each kind of item."""

    _writer: _Writer

    def header(self, header: StreamHeader) -> bytes:
        """The `[00]` packet."""
        return self._writer.header(header)

    def dataset(self, dataset: Dataset) -> bytes:
        """The packet header of a dataset."""
        return self._writer.dataset(dataset)

    def records(self, batch: Records) -> bytes:
        """The data packets of a batch."""
        return self._writer.records(batch)

    def finish(self) -> Iterable[bytes]:
        """Nothing, unless the stream holds nothing but its header."""
        last = self._writer.finish()
        return (last,) if last else ()

    def comment(self, comment: Comment) -> bytes:
        """A comment packet."""
        return self._writer.start() + comment_packet(comment.type, comment.source, comment.text)

    def problem(self, problem: Problem) -> bytes:
        """An exception packet."""
        return self._writer.start() + problem_packet(problem.type, problem.message)

    def no_data(self, nothing: NoData) -> bytes:
        """The exception that says that nothing was found, which das2 clients do not take for an error."""
        return self._writer.start() + problem_packet(NO_DATA, nothing.message or "There are no data in the interval")


class Das2BinaryEncoder(_Das2Encoder, name="das2-binary", accepts="arrays", produces="das/2/binary"):
    """Arrays to das2 in the binary form."""

    keep: bool = param(
        "format.das.keep",
        mode="modifier",
        default="false",
        title="Whether text stays text",
        help="Else it does so beside binary planes only",
    )

    def __init__(self, **values: bool | None) -> None:
        super().__init__(**values)
        self._writer = _Writer(self._choose, keep=True)

    def _choose(self, dataset: Dataset, variable: Variable) -> Encoding:
        """The encoding of a variable: its own if that is binary, or is kept; text stays beside binary planes."""
        mixed = self.keep or any(each.encoding and each.encoding.name not in _TEXT for each in dataset.columns)
        return binary_encoding(variable, mixed=mixed)


class Das2TextEncoder(_Das2Encoder, name="das2-text", accepts="arrays", produces="das/2/text", per_gb=6.0):
    """Arrays to das2 in the text form, which people can read."""

    secfrac: int | None = param(
        "format.secfrac",
        mode="offered",
        low=0,
        high=9,
        title="Digits of seconds",
        help="Digits behind the second of times",
    )
    sigdigit: int | None = param(
        "format.sigdigit", mode="offered", low=2, high=17, title="Significant digits", help="Digits of real numbers"
    )

    def __init__(self, **values: int | None) -> None:
        super().__init__(**values)
        options = TextOptions(self.secfrac, self.sigdigit)
        self._writer = _Writer(lambda _dataset, variable: text_encoding(variable, options), keep=self.sigdigit is None)
