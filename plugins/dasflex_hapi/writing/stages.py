# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages that write records of HAPI: csv, binary and json, without what stands around them.

A stage is told by a digest in which form the records were described. It forms each declaration of the stream anew, and
refuses one that has become another: a client reads bytes by the description that it was given before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import Records
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.stages import Formatter, param
from dasflex_core.times import parse_time
from dasflex_hapi.writing.columns import rounded_times, times_text, values_of
from dasflex_hapi.writing.form import Wishes, form_of
from dasflex_hapi.writing.rows import binary_records, csv_rows, json_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Item
    from dasflex_core.stages import Value
    from dasflex_hapi.writing.form import Form, Shown

__all__ = ["ChangedError", "HapiBinary", "HapiCsv", "HapiJson"]

#: Values of a block: they, and their text, stay in a second-level cache.
_VALUES: Final = 16_384
#: In binary there is no text, but the first bytes of a batch should not wait for its last.
_RECORDS: Final = 65_536


class ChangedError(SourceError):
    """The records have another form than the description of the data set says."""


class _HapiRecords(Formatter, accepts="arrays"):
    """What the three have in common."""

    form: str = param("format.hapi.form", title="The form in which the records were described")
    parameters: tuple[str, ...] = param(
        "format.hapi.parameters",
        mode="modifier",
        title="Which parameters are written",
        help="Names of HAPI parameters. The time is always among them. Not given: all.",
    )
    start: str = param("format.hapi.start", mode="modifier", type="time", title="Time of the first record, at least")
    stop: str = param("format.hapi.stop", mode="modifier", type="time", title="Time that all records are before")
    sizes: tuple[str, ...] = param(
        "format.hapi.sizes",
        mode="modifier",
        title="How many values there is room for",
        help="NAME:COUNT for variables whose records have different numbers of values, NAME#:BYTES for texts.",
    )
    varying: tuple[str, ...] = param(
        "format.hapi.varying", mode="modifier", title="Coordinates that are given with each record"
    )

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        self._wishes = Wishes(tuple(map(_size, self.sizes or ())), tuple(self.varying or ()))
        self._begin = parse_time(self.start).ns if self.start else None
        self._end = parse_time(self.stop).ns if self.stop else None
        self._shown: dict[int, tuple[Shown, ...]] = {}

    def dataset(self, dataset: Dataset) -> bytes:
        """No bytes. Raises `SourceError` for records of another form than was described."""
        form = form_of(dataset, self._wishes)
        if form.digest != self.form:
            raise ChangedError(
                f"The records of {dataset.name} are no longer what the description of the data set says. Describe it "
                "anew: dasflex hapi --again SOURCE",
                kind="source.stream",
            )
        self._shown[dataset.id] = _chosen(form, self.parameters)
        return b""

    def feed(self, item: Item, /) -> Iterable[bytes]:
        """The bytes of one item; those of a batch in pieces."""
        return self._pieces(item) if isinstance(item, Records) else super().feed(item)

    def _pieces(self, batch: Records) -> Iterator[bytes]:
        """The records of a batch that lie in the range."""
        shown = self._shown.get(batch.dataset.id)
        if shown is None:
            raise SourceError(f"Records of {batch.dataset.name} come before its declaration", kind="source.stream")
        step = self._step(shown)
        for first in range(0, len(batch), step):
            block = batch.slice(slice(first, first + step))
            ns = rounded_times(shown[0], block)
            inside = self._inside(ns)
            if not inside.any():
                continue
            whole = bool(inside.all())
            times = (ns if whole else ns[inside]).view("M8[ns]")
            others = [values_of(each, block) for each in shown[1:]]
            columns = [times_text(times, shown[0].digits), *(each if whole else each[inside] for each in others)]
            yield self._written(shown, columns)

    def _inside(self, ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which times are in the range; none that is missing is."""
        begin = np.iinfo(np.int64).min + 1 if self._begin is None else self._begin
        inside: NDArray[np.bool_] = ns >= begin
        if self._end is not None:
            inside &= ns < self._end
        return inside

    def _step(self, shown: tuple[Shown, ...]) -> int:
        """How many records are written at once."""
        return max(1, _VALUES // sum(each.parameter.count for each in shown))

    def _written(self, shown: tuple[Shown, ...], columns: list[NDArray[Any]]) -> bytes:
        """Some records."""
        raise NotImplementedError


class HapiCsv(_HapiRecords, name="hapi-csv", accepts="arrays", produces="hapi-csv", start=0.05, per_gb=12.0):
    """HAPI records as csv."""

    def _written(self, shown: tuple[Shown, ...], columns: list[NDArray[Any]]) -> bytes:
        return csv_rows([each.parameter for each in shown], columns)


class HapiBinary(_HapiRecords, name="hapi-binary", accepts="arrays", produces="hapi-binary", start=0.05, per_gb=2.0):
    """HAPI records in the binary form."""

    def _step(self, shown: tuple[Shown, ...]) -> int:  # noqa: ARG002  as above
        return _RECORDS

    def _written(self, shown: tuple[Shown, ...], columns: list[NDArray[Any]]) -> bytes:  # noqa: ARG002  as above
        return binary_records(columns)


class HapiJson(_HapiRecords, name="hapi-json", accepts="arrays", produces="hapi-json", start=0.05, per_gb=20.0):
    """HAPI records as rows of JSON, with `,` and a line end between two."""

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        self._first = True

    def _written(self, shown: tuple[Shown, ...], columns: list[NDArray[Any]]) -> bytes:  # noqa: ARG002  as above
        text = json_rows(columns)
        if self._first:
            self._first = False
            return text[2:]
        return text


def _size(text: str) -> tuple[str, int]:
    """The name of a variable, and how many values there is room for. Raises `QueryError`."""
    name, colon, count = text.rpartition(":")
    if not colon or not count.isdigit():
        raise QueryError(f"format.hapi.sizes={text} is not written like NAME:COUNT", kind="query.bad-value")
    return name, int(count)


def _chosen(form: Form, names: tuple[str, ...] | None) -> tuple[Shown, ...]:
    """The time, and the parameters with these names, or all. Raises `QueryError`."""
    if not names:
        return form.shown
    unknown = set(names) - {each.name for each in form.parameters}
    if unknown:
        known = ", ".join(each.name for each in form.parameters)
        raise QueryError(
            f"format.hapi.parameters: there is no {', '.join(sorted(unknown))}; there are {known}",
            kind="query.bad-value",
        )
    first, *others = form.shown
    return (first, *(each for each in others if each.parameter.name in names))
