# SPDX-License-Identifier: GPL-3.0-or-later
"""The tags of a `<yscan>`: the coordinate of its values, as a list of numbers or as a rule.

`yTags` lists `nitems` numbers; else `yTagInterval` with `yTagMin` or `yTagMax` says them; else they are 0, 1, 2, …
(the das2 stream format, packet headers).
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import Sequence, Variable
from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_das.das2_properties import number_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_das.das2_layout import Plane

__all__ = ["Tags", "numbers_of", "tags_of"]

_PHYSICAL: Final = {
    "Hz": "frequency",
    "kHz": "frequency",
    "MHz": "frequency",
    "GHz": "frequency",
    "eV": "energy",
    "keV": "energy",
}


@dataclass(frozen=True, slots=True)
class Tags:
    """One set of tags. Two yscans share a coordinate where all of this is equal.

    `text` is `yTags` as written; where it is blank, `minimum` and `interval` are the texts of the rule. `offset` says
    that the tags are times to add to x, as those of waveforms are.
    """

    units: str
    count: int
    text: str = ""
    minimum: str = ""
    interval: str = ""
    offset: bool = False

    @property
    def physical(self) -> str:
        """The kind of coordinate: `time` for offsets, `frequency` or `energy` by the units, else `y`."""
        return "time" if self.offset else _PHYSICAL.get(self.units, "y")

    def values(self) -> NDArray[np.float64]:
        """The tags as numbers, shape (count,)."""
        if self.text:
            return numbers_of(self.text)
        return float(self.minimum) + np.arange(self.count, dtype=np.float64) * float(self.interval)

    def variable(self, name: str, index: tuple[int | None, ...], label: str) -> Variable:
        """The coordinate variable of these tags; `index` has the extent at their own inner index, else None."""
        intervals = tuple("-" if extent is None else self.interval for extent in index)
        return Variable(
            name=name,
            role="offset" if self.offset else "center",
            semantic="real",
            units=self.units,
            index=index,
            dtype=np.dtype(np.float64),
            label=label,
            values=self.values(),
            sequences=() if self.text else (Sequence(self.minimum, intervals),),
            plane="tags",
            text=self.text,
        )


def numbers_of(text: str) -> NDArray[np.float64]:
    """The numbers of a comma list; blanks around them, and one comma at the end, do not count."""
    pieces = text.split(",")
    if len(pieces) > 1 and not pieces[-1].strip():
        pieces.pop()
    return np.array([float(piece) for piece in pieces], dtype=np.float64)


def tags_of(plane: Plane, *, offset: bool, where: str) -> Tags:
    """The tags of a `<yscan>` plane; `offset` says that they are times to add to x.

    Raises `SourceError` for tags that are no numbers, whose count is not `nitems`, or whose interval is not positive,
    and for a rule that leads beyond the range of numbers. The names `yOffsets`, `yOffsetInterval` and `yOffsetMin` of
    the das 2.3 draft are read too.
    """
    element, count = plane.element, plane.items
    own = f"{where}: <yscan> {element.get('name')}".rstrip()
    units = element.get("yUnits").strip()
    text = (element.get("yTags") or element.get("yOffsets")).strip()
    try:
        if text:
            found = len(numbers_of(text))
            if found != count:
                raise SourceError(f"{own} has {found} yTags for nitems={count}", kind="source.stream")
            return Tags(units, count, text, offset=offset)
        interval = (element.get("yTagInterval") or element.get("yOffsetInterval")).strip()
        if not interval:
            return Tags(units, count, "", "0", "1", offset)
        step = float(interval)
        minimum = (element.get("yTagMin") or element.get("yOffsetMin")).strip()
        if not minimum:
            maximum = element.get("yTagMax").strip()
            minimum = number_text(float(maximum) - (count - 1) * step) if maximum else "0"
        last = float(minimum) + (count - 1) * step
    except ValueError:
        raise SourceError(f"{own} has tags that are no numbers", kind="source.stream") from None
    if not step > 0:
        raise SourceError(f"{own} has yTagInterval={interval!r}; it must be above zero", kind="source.stream")
    if not isfinite(last):
        raise SourceError(f"{own} has tags beyond the range of numbers", kind="source.stream")
    return Tags(units, count, "", minimum, interval, offset)
