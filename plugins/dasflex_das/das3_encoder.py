# SPDX-License-Identifier: GPL-3.0-or-later
"""Items to das3 packets, in the binary and in the text form. Das2 datasets are converted on the way."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from itertools import chain, count, groupby, pairwise
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from dasflex_core.arrays import VARIES, Ragged
from dasflex_core.errors import SourceError
from dasflex_core.stages import Formatter, param
from dasflex_core.values import dataclass
from dasflex_das.das3_cells import cells_of
from dasflex_das.das3_messages import MAX_PACKET, comment_packet, problem_packet
from dasflex_das.das3_wire import binary_wire, check_packet, end_line, text_wire, with_terms
from dasflex_das.das3_writing import dataset_packet, stream_packet, written_columns
from dasflex_das.decimals import write_side_by_side
from dasflex_das.packet_rows import PacketRows
from dasflex_das.to_das3 import dataset_to_das3, header_to_das3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Comment, Dataset, NoData, Problem, Records, StreamHeader, Variable
    from dasflex_das.das3_wire import Wire

__all__ = ["Das3BinaryEncoder", "Das3TextEncoder"]

#: The ids that classic tools read.
_IDS: Final = range(1, 100)


@dataclass(frozen=True, slots=True)
class _Form:
    """How the records of a dataset are written: the form of each column, and the tag and the size of each packet.

    `size` is `VARIES` where packets have different sizes; the tag is then its part before the size. `extras` says that
    bytes of others stand behind all variables.
    """

    tag: bytes
    size: int
    columns: tuple[tuple[Variable, Wire], ...]
    extras: bool = False

    def groups(self) -> Iterator[list[tuple[Variable, Wire]]]:
        """The columns, those together that are written at once: neighbours of reals in text of one width."""
        for width, columns in groupby(self.columns, key=lambda column: column[1].alike(column[0])):
            if width:
                yield list(columns)
            else:
                yield from ([column] for column in columns)


class _Das3Encoder(Formatter):
    """What both forms share. In the `text` form each packet ends with a line end."""

    text: ClassVar[bool] = False

    def __init__(self, **values: str | float | bool | tuple[str, ...] | None) -> None:
        super().__init__(**values)
        self._header: StreamHeader | None = None
        self._forms: dict[int, _Form] = {}
        self._rows = PacketRows()
        self._numbers: dict[int, int] = {}

    @abstractmethod
    def wire(self, variable: Variable) -> Wire:
        """The form in which the column of a variable is written."""

    def header(self, header: StreamHeader) -> bytes:
        """The packet `|Sx|`."""
        self._header = header
        return stream_packet(header_to_das3(header))

    def dataset(self, dataset: Dataset) -> bytes:
        """The packet `|Hx|`. Raises `SourceError` where its records would be too large for a packet."""
        head = self._lead()
        if self._header is not None:
            dataset = dataset_to_das3(self._header, dataset)
        written = written_columns(dataset)
        final = None if dataset.extras or not written else written[-1]
        columns = tuple(
            (each, with_terms(self.wire(each), each, text=self.text, last=each is final)) for each in written
        )
        wires = {variable.name: wire for variable, wire in columns}
        number = self._number(dataset.id)
        header = head + dataset_packet(replace(dataset, id=number), wires)
        if dataset.extras or any(variable.ragged or wire.width == VARIES for variable, wire in columns):
            self._forms[dataset.id] = _Form(b"|Pd|%d|" % number, VARIES, columns, bool(dataset.extras))
            return header
        size = sum(prod(variable.shape) * wire.width for variable, wire in columns)
        tag = b"|Pd|%d|%d|" % (number, size)
        check_packet(len(tag) + size, dataset.name, MAX_PACKET)
        self._forms[dataset.id] = _Form(tag, size, columns)
        return header

    def _number(self, own: int) -> int:
        """The id of a dataset in the stream: its own where classic tools read that, else the first that is free.

        Beyond 99 datasets each keeps its own, unless that is taken.
        """
        if own not in self._numbers:
            taken = set(self._numbers.values())
            wanted = chain((own,) if own in _IDS else (), _IDS, (own,), count(_IDS.stop))
            self._numbers[own] = next(number for number in wanted if number not in taken)
        return self._numbers[own]

    def records(self, batch: Records) -> bytes:
        """One packet `|Pd|` for each record."""
        form = self._forms.get(batch.dataset.id)
        if form is None:
            raise SourceError(f"Records of {batch.dataset.name} came before its declaration", kind="source.stream")
        if form.size == VARIES:
            return self._varying(batch, form)
        body = len(form.tag)
        rows = self._rows.take(len(batch), body + form.size)
        rows[:, :body].view(f"V{body}")[...] = np.void(form.tag)
        start = body
        for columns in form.groups():
            stop = start + sum(prod(variable.shape) * wire.width for variable, wire in columns)
            _write(batch, columns, rows[:, start:stop])
            start = stop
        if self.text:
            end_line(rows)
        return rows.tobytes()

    def _varying(self, batch: Records, form: _Form) -> bytes:
        """Packets of different sizes."""
        cells = [cells_of(variable, wire, batch[variable.name]) for variable, wire in form.columns]
        if form.extras:
            cells.append(_others(batch))
        elif self.text:
            cells[-1] = [cell[:-1] + b"\n" if cell.endswith(b" ") else cell for cell in cells[-1]]
        bodies = [b"".join(parts) for parts in zip(*cells, strict=True)]
        packets = [b"%b%d|%b" % (form.tag, len(body), body) for body in bodies]
        check_packet(max(map(len, packets), default=0), batch.dataset.name, MAX_PACKET)
        return b"".join(packets)

    def comment(self, comment: Comment) -> bytes:
        """The packet `|Cx|`."""
        return self._lead() + comment_packet(comment.type, comment.source, comment.text)

    def problem(self, problem: Problem) -> bytes:
        """The packet `|Ex|`."""
        return self._lead() + problem_packet(problem.type or "Unknown", problem.message)

    def no_data(self, nothing: NoData) -> bytes:
        """The packet `|Ex|` of type NoMatchingData."""
        return self._lead() + problem_packet("NoMatchingData", nothing.message)

    def _lead(self) -> bytes:
        """A bare stream header, where none has come: a stream starts with one."""
        if self._header is not None:
            return b""
        from dasflex_core.arrays import StreamHeader

        return self.header(StreamHeader())


def _write(batch: Records, columns: list[tuple[Variable, Wire]], out: NDArray[np.uint8]) -> None:
    """Writes columns that stand side by side into their bytes."""
    variable, wire = columns[0]
    if len(columns) == 1:
        wire.write(variable, _matrix(batch, variable), out)
    else:
        room = out.reshape(len(out), out.shape[1] // wire.width, wire.width)
        write_side_by_side(room, ((_matrix(batch, each), each.fill) for each, _wire in columns))


def _matrix(batch: Records, variable: Variable) -> NDArray[Any]:
    """The column of a variable as (records, values), which is an array by its declaration."""
    column = batch[variable.name]
    if isinstance(column, Ragged):
        raise SourceError(f"{variable.name} is declared with a fixed shape, and is ragged", kind="source.stream")
    return column.reshape(len(batch), prod(variable.shape))


def _others(batch: Records) -> list[bytes]:
    """The bytes of others in each record. Raises `SourceError` where the declaration says that there are some."""
    if batch.extras is None:
        raise SourceError(f"{batch.dataset.name} declares <extData>, and its records have none", kind="source.stream")
    flat = batch.extras.leaves.tobytes()
    return [flat[first:stop] for first, stop in pairwise(batch.extras.offsets.tolist())]


class Das3BinaryEncoder(_Das3Encoder, name="das3-binary", accepts="arrays", produces="das/3/binary"):
    """Arrays to das3 in the binary form: encodings stay as they were, times in text become TT2000."""

    def wire(self, variable: Variable) -> Wire:
        """The binary form of a column."""
        return binary_wire(variable)


class Das3TextEncoder(_Das3Encoder, name="das3-text", accepts="arrays", produces="das/3/text", per_gb=8.0):
    """Arrays to das3 in the text form, which people can read."""

    text = True

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

    def wire(self, variable: Variable) -> Wire:
        """The text form of a column."""
        return text_wire(variable, self.secfrac, self.sigdigit)
