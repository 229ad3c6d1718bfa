# SPDX-License-Identifier: GPL-3.0-or-later
"""What the headers of a spectral density say: title, labels, units, and how it was made (das-streams 5.5).

Both generations say the same. das2 writes the axis into a name (`zLabel` of a plane), das3 has the property at the
dimension that is meant (`label`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core import units
from dasflex_core.arrays import Dimension, Encoding, Properties, Property, Sequence, Variable
from dasflex_core.errors import QueryError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.arrays import Dataset, StreamHeader

__all__ = [
    "Recipe",
    "density_dimension",
    "density_variable",
    "frequencies",
    "header_of",
    "packet_properties",
    "with_cadence",
]

_FREQUENCY: Final = "Frequency (Hz)"
_FILL: Final = -1e31
#: Properties of das2 of the values and the tags of samples, which are not true of their spectrum; `ySummary` stays.
_SAMPLED: Final = re.compile(
    r"[yz](Label|Range|ScaleType|TagWidth|Format|ValidMin|ValidMax|Monotonic|Fill)|renderer|period"
)
#: The same in das3, where a dimension has them.
_PLAIN: Final = (
    *("label", "range", "scaleType", "scaleMin", "scaleMax", "tagWidth", "format", "validMin", "validMax", "fill"),
    *("nominalMin", "nominalMax", "warnMin", "warnMax", "renderer", "compLabel", "period"),
)
_TYPES: Final = {"String": "string", "int": "integer"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How spectral densities are made: the length, the denominator of the slide, the window, what is taken away."""

    length: int
    slide: int
    window: str
    detrend: str

    @property
    def step(self) -> int:
        """How many samples one segment begins after the one before it."""
        return max(1, self.length // self.slide)

    @property
    def count(self) -> int:
        """How many frequencies a density has."""
        return self.length // 2 + 1

    def facts(self) -> Iterable[Property]:
        """The properties of a stream that say how it was made, with das2 types."""
        overlap = "No Overlap" if self.slide == 1 else f"{self.slide - 1}/{self.slide} Overlap"
        yield Property("xDftOverlapInfo", overlap, "String")
        yield Property("DFT_length", str(self.length), "int")
        yield Property("DFT_slide_denominator", str(self.slide), "int")
        yield Property("DFT_window", self.window, "String")
        if self.detrend != "mean":
            yield Property("DFT_detrend", self.detrend, "String")


def header_of(header: StreamHeader, recipe: Recipe) -> StreamHeader:
    """The head of a stream of spectral densities. One that says that it is one stays as it is."""
    if header.properties.get("DFT_length") is not None:
        return header
    kept = Properties(tuple(each for each in header.properties if not _SAMPLED.fullmatch(each.name)))
    new = [
        Property("yScaleType", "linear", "String"),
        Property("zScaleType", "log", "String"),
        Property("renderer", "spectrum", "String"),
        Property("sourceId", f"das2_psd {recipe.length} {recipe.slide}", "String"),
    ]
    title = next((each for each in kept if each.name in ("title", "label") and each.text.strip()), None)
    if title is not None:
        new.append(replace(title, text=f"{title.text.rstrip()}!c%{{DFT_length}} point DFT, %{{xDftOverlapInfo}}"))
    return replace(header, properties=_typed(kept.put(*new, *recipe.facts()), header.generation))


def with_cadence(header: StreamHeader, seconds: float) -> StreamHeader:
    """The header with a widest step of its records, in seconds."""
    old = header.generation == 2
    width = (
        Property("xTagWidth", f"{seconds!r} s", "Datum") if old else Property("xTagWidth", repr(seconds), "real", "s")
    )
    return replace(header, properties=header.properties.put(width))


def _typed(properties: Properties, generation: int) -> Properties:
    """Properties whose types are those of the generation."""
    if generation == 2:
        return properties
    return Properties(tuple(replace(each, type=_TYPES.get(each.type, each.type)) for each in properties))


def packet_properties(dataset: Dataset) -> Properties:
    """The properties of a dataset that are still true of its spectra."""
    return Properties(tuple(each for each in dataset.properties if not _SAMPLED.fullmatch(each.name)))


def density_units(text: str) -> str:
    """The units of the square of a value per Hz: `V m**-1` gives `V**2 m**-2 Hz**-1`.

    >>> density_units("V m**-1"), density_units("")
    ('V**2 m**-2 Hz**-1', 'Hz**-1')
    """
    try:
        squared = units.power(text, 2)
        if re.search(r"Hz|\bs\b|sec", squared):
            return units.multiply(squared, "Hz**-1")
    except QueryError:  # text that is no unit, which a stream may hold all the same
        squared = f"({text.strip()})**2"
    return f"{squared} Hz**-1".strip()


def _typeset(text: str) -> str:
    """Units with exponents as das labels write them: `V**2 Hz**-1` as `V!a2!n Hz!a-1!n`."""
    return re.sub(r"\*\*([+-]?[0-9./]+)", r"!a\1!n", text)


def density_variable(variable: Variable, index: tuple[int | None, ...], generation: int) -> Variable:
    """The variable of the densities of a variable of samples; `index` is that of the new dataset.

    Reals keep their encoding. Integers become 4-byte reals, since a density is none.
    """
    made = density_units(variable.units)
    label = f"Spectral Density ({_typeset(made)})"
    dtype, encoding = variable.dtype, variable.encoding
    if dtype.kind != "f":
        dtype = np.dtype("<f8" if dtype.itemsize > 4 else "<f4")
        encoding = None if generation == 2 else Encoding("LEreal", dtype.itemsize)
    fill = float(variable.fill) if isinstance(variable.fill, (int, float)) and variable.dtype.kind == "f" else _FILL
    return replace(
        variable,
        semantic="real",
        units=made,
        index=index,
        dtype=dtype,
        fill=fill,
        label=label,
        encoding=encoding,
        properties=_plane(variable, label, fill) if generation == 2 else variable.properties.without(*_PLAIN),
    )


def _plane(variable: Variable, label: str, fill: float) -> Properties:
    """The properties of a das2 plane of densities."""
    kept = (each for each in variable.properties if not _SAMPLED.fullmatch(each.name) and each.name != "operation")
    return Properties(tuple(kept)).put(
        Property("yLabel", _FREQUENCY, "String"),
        Property("zLabel", label, "String"),
        Property("operation", "DFT", "String"),
        Property("zFill", repr(fill), "double"),
    )


def density_dimension(dimension: Dimension, variables: tuple[Variable, ...], generation: int) -> Dimension:
    """The dimension of densities, with what das3 says of them there."""
    properties = dimension.properties
    if generation == 3:
        label = Property("label", variables[0].label)
        properties = properties.without(*_PLAIN).put(label, Property("scaleType", "log"))
    return replace(dimension, variables=variables, properties=properties)


def frequencies(
    name: str, index: tuple[int | None, ...], step: float, generation: int, first: float = 0.0
) -> Dimension:
    """The dimension of frequencies `first` + 0, 1, 2, … times `step` (Hz), along the inner index that `index` has.

    The step is written with six digits, as classic das2_psd does, where nothing is lost by that.
    """
    count = next(extent for extent in index if extent is not None)
    text = f"{step:.6e}" if float(f"{step:.6e}") == step else repr(step)
    variable = Variable(
        name=name,
        role="center",
        semantic="real",
        units="Hz",
        index=index,
        dtype=np.dtype(np.float64),
        label=_FREQUENCY,
        values=first + np.arange(count, dtype=np.float64) * step,
        sequences=(
            Sequence(repr(first) if first else "0", tuple("-" if extent is None else text for extent in index)),
        ),
        plane="tags" if generation == 2 else "",
    )
    said = () if generation == 2 else (Property("label", _FREQUENCY), Property("scaleType", "linear"))
    return Dimension(name, "frequency", coordinate=True, variables=(variable,), axis="y", properties=Properties(said))
