# SPDX-License-Identifier: GPL-3.0-or-later
"""Small streams of items whose every value can be checked by eye: one for each kind of data.

Times are 2031-04-02; fill stands in the second record. Each call makes new items, so that a test may not disturb
another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    Encoding,
    NoData,
    Properties,
    Property,
    Ragged,
    Records,
    Sequence,
    StreamHeader,
    Variable,
    Vector,
)

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from dasflex_core.arrays import Column, Fill, Item

__all__ = [
    "bursts",
    "nothing",
    "pictures",
    "scalars",
    "spectra",
    "states",
    "streams",
    "two_datasets",
    "vectors",
    "waveform",
]

_FILL = -1e31


def streams() -> dict[str, list[Item]]:
    """All streams by name."""
    makers = (scalars, spectra, waveform, vectors, states, bursts, pictures, two_datasets, nothing)
    return {maker.__name__: maker() for maker in makers}


def scalars() -> list[Item]:
    """Three records of a text time and two numbers, as a das2 reader of a magnetometer writes them."""
    ascii11 = Encoding("ascii", 11)
    dataset = Dataset(
        id=1,
        name="packet_01",
        index=(VARIES,),
        dimensions=(
            _time(("time", 24)),
            _data(_variable("bx", "f8", "nT", fill=_FILL, label="Bx (nT)", plane="y", encoding=ascii11)),
            _data(_variable("by", "f8", "nT", fill=_FILL, label="By (nT)", plane="y", encoding=ascii11)),
        ),
        wire=("time", "bx", "by"),
        generation=2,
    )
    header = StreamHeader(generation=2, properties=Properties((Property("title", "Probe A", "String"),)))
    columns = {"time": _times(3), "bx": np.array([12.5, 12.75, 13.0]), "by": np.array([-3.25, _FILL, -3.5])}
    return [header, dataset, Comment("log:info", "three records", "golden"), Records(dataset, columns)]


def spectra() -> list[Item]:
    """Three records of a TT2000 time and a spectral density at 10, 20 and 40 Hz."""
    frequency = Variable(
        "frequency",
        "center",
        "real",
        "Hz",
        (None, 3),
        np.dtype("f8"),
        values=np.array([10.0, 20.0, 40.0]),
        plane="tags",
        text="10,20,40",
    )
    time = Variable("time", "center", "datetime", "TT2000", (VARIES, None), np.dtype(">i8"), fill=-(2**63))
    density = _variable("psd", ">f4", "V**2 m**-2 Hz**-1", inner=(3,), fill=_FILL, encoding=Encoding("BEreal", 4))
    dataset = Dataset(
        id=3,
        name="spectra",
        index=(VARIES, 3),
        dimensions=(
            Dimension("time", "time", coordinate=True, variables=(time,), axis="x"),
            Dimension("frequency", "frequency", coordinate=True, variables=(frequency,), axis="y"),
            _data(density),
        ),
        wire=("time", "psd"),
    )
    values = np.array([[1e-9, 2e-9, 4e-9], [2e-9, _FILL, np.nan], [3e-9, -2e-9, 0.0]], dtype=">f4")
    ticks = np.array([986126469684000000 + second * 10**9 for second in range(3)], dtype=">i8")
    return [StreamHeader(), dataset, Records(dataset, {"time": ticks, "psd": values})]


def waveform() -> list[Item]:
    """Two records of four samples, half a second apart: the time of the first sample, and fixed offsets from it."""
    reference = Variable(
        "time.reference",
        "reference",
        "datetime",
        "UTC",
        (VARIES, None),
        np.dtype("M8[ns]"),
        encoding=Encoding("utf8", 24),
    )
    offset = Variable(
        "time.offset", "offset", "real", "s", (None, 4), np.dtype("f8"), values=np.array([0.0, 0.5, 1.0, 1.5])
    )
    dataset = Dataset(
        id=4,
        name="wave",
        index=(VARIES, 4),
        dimensions=(
            Dimension("time", "time", coordinate=True, variables=(reference, offset), axis="x"),
            _data(_variable("ex", "<f4", "V m**-1", inner=(4,), fill=_FILL, encoding=Encoding("LEreal", 4))),
        ),
        wire=("time.reference", "ex"),
    )
    samples = np.array([[0.5, -0.25, 0.125, 1.0], [_FILL, 0.0, -1.0, 2.0]], dtype="<f4")
    return [StreamHeader(), dataset, Records(dataset, {"time.reference": _times(2), "ex": samples})]


def vectors() -> list[Item]:
    """Two records of a magnetic field of three components."""
    field = _variable("b", "f4", "nT", fill=_FILL, vector=Vector(3, frame="SM"), encoding=Encoding("LEreal", 4))
    dataset = Dataset(
        id=5, name="field", index=(VARIES,), dimensions=(_time(("utf8", 24)), _data(field)), wire=("time", "b")
    )
    values = np.array([[1.5, -2.5, 3.0], [0.25, _FILL, 0.75]], dtype="f4")
    return [StreamHeader(), dataset, Records(dataset, {"time": _times(2), "b": values})]


def states() -> list[Item]:
    """Three records of a counter, a state and a name, one with a comma and quotes in it."""
    dataset = Dataset(
        id=6,
        name="status",
        index=(VARIES,),
        dimensions=(
            _time(("utf8", 24)),
            _data(_variable("count", "<i4", "", fill=-2147483647, semantic="integer", encoding=Encoding("LEint", 4))),
            _data(_variable("on", "i1", "", fill=-128, semantic="bool", encoding=Encoding("byte", 1))),
            _data(_variable("mode", "S12", "", fill=b"", semantic="string", encoding=Encoding("utf8", 12))),
        ),
        wire=("time", "count", "on", "mode"),
    )
    columns: dict[str, Column] = {
        "time": _times(3),
        "count": np.array([7, -2147483647, -1200], dtype="<i4"),
        "on": np.array([1, -128, 0], dtype="i1"),
        "mode": np.array([b"survey", b"", b'burst, "B"'], dtype="S12"),
    }
    return [StreamHeader(), dataset, Records(dataset, columns)]


def bursts() -> list[Item]:
    """Three records of a waveform of three, none and two samples, whose offsets go as far as they do, and a gain."""
    offset = Variable(
        "time.offset", "offset", "real", "s", (None, VARIES), np.dtype("f8"), sequences=(Sequence("0", ("-", "0.5")),)
    )
    time = Variable(
        "time.reference", "reference", "datetime", "TT2000", (VARIES, None), np.dtype("<i8"), fill=-(2**63),
        encoding=Encoding("LEint", 8),
    )  # fmt: skip
    wave = _variable("ex", "<f4", "V m**-1", inner=(VARIES,), fill=_FILL, encoding=Encoding("LEreal", 4))
    gain = _variable("gain", "u1", "dB", fill=255, semantic="integer", encoding=Encoding("ubyte", 1))
    gain = replace(gain, index=(VARIES, None))
    dataset = Dataset(
        id=7,
        name="bursts",
        index=(VARIES, VARIES),
        dimensions=(
            Dimension("time", "time", coordinate=True, variables=(time, offset), axis="x"),
            _data(wave),
            _data(gain),
        ),
        wire=("time.reference", "ex", "gain"),
    )
    columns: dict[str, Column] = {
        "time.reference": np.array([986126469684000000 + second * 10**9 for second in range(3)], dtype="<i8"),
        "ex": Ragged(np.array([0.5, -0.25, _FILL, 1.0, 0.0], dtype="<f4"), np.array([0, 3, 3, 5])),
        "gain": np.array([10, 255, 20], dtype="u1"),
    }
    return [StreamHeader(), dataset, Records(dataset, columns)]


def pictures() -> list[Item]:
    """Two records of a file each, and of lists of remarks: two lists of one and two, and none."""
    image = _variable("image", "u1", "", semantic="blob", encoding=Encoding("blob", VARIES))
    image = replace(image, index=(VARIES, None, None))
    remarks = _variable(
        "remarks", "S", "", inner=(VARIES, VARIES), fill=b"", semantic="string",
        encoding=Encoding("utf8", VARIES, value_term=";", index_terms=(r"\n", "!")),
    )  # fmt: skip
    time = Variable(
        "time", "center", "datetime", "TT2000", (VARIES, None, None), np.dtype("<i8"), fill=-(2**63),
        encoding=Encoding("LEint", 8),
    )  # fmt: skip
    dataset = Dataset(
        id=8,
        name="pictures",
        index=(VARIES, VARIES, VARIES),
        dimensions=(
            Dimension("time", "time", coordinate=True, variables=(time,), axis="x"),
            _data(image),
            _data(remarks),
        ),
        wire=("time", "image", "remarks"),
    )
    columns: dict[str, Column] = {
        "time": np.array([986126469684000000, 986126470684000000], dtype="<i8"),
        "image": Ragged(np.array([0, 255, 10, 7], dtype="u1"), np.array([0, 3, 4])),
        "remarks": Ragged(Ragged(np.array([b"ARC", b"STAR, FIELD", b""]), np.array([0, 1, 3])), np.array([0, 2, 2])),
    }
    return [StreamHeader(), dataset, Records(dataset, columns)]


def two_datasets() -> list[Item]:
    """The scalars and the spectra in one stream, their batches in turn."""
    header, first, _comment, scalar = scalars()
    _header, second, spectrum = spectra()
    if not isinstance(scalar, Records) or not isinstance(spectrum, Records):
        raise TypeError("the golden streams end in records")
    parts = [(batch.slice(slice(row, row + 1))) for row in range(3) for batch in (scalar, spectrum)]
    return [header, first, second, *parts]


def nothing() -> list[Item]:
    """A stream that found nothing in its range."""
    return [StreamHeader(), NoData("Nothing from 2031-05-01 to 2031-05-02")]


def _times(count: int) -> NDArray[np.datetime64]:
    """Times four seconds apart."""
    first = np.datetime64("2031-04-02T00:00:00.500", "ns")
    times: NDArray[np.datetime64] = first + np.arange(count) * np.timedelta64(4, "s")
    return times


def _time(encoding: tuple[str, int]) -> Dimension:
    """The dimension of a text time."""
    variable = Variable(
        "time", "center", "datetime", "UTC", (VARIES,), np.dtype("M8[ns]"), encoding=Encoding(*encoding), plane="x"
    )
    return Dimension("time", "time", coordinate=True, variables=(variable,), axis="x")


def _data(variable: Variable) -> Dimension:
    """A dimension of data for one variable."""
    return Dimension(variable.name, variable.name, coordinate=False, variables=(variable,))


def _variable(  # noqa: PLR0913  a variable has as many facts
    name: str,
    dtype: DTypeLike,
    units: str,
    *,
    inner: tuple[int, ...] = (),
    fill: Fill = None,
    label: str = "",
    semantic: str = "real",
    plane: str = "",
    encoding: Encoding | None = None,
    vector: Vector | None = None,
) -> Variable:
    """A variable of data that varies with the record."""
    return Variable(
        name=name,
        role="center",
        semantic=semantic,
        units=units,
        index=(VARIES, *inner),
        dtype=np.dtype(dtype),
        fill=fill,
        label=label,
        encoding=encoding,
        vector=vector,
        plane=plane,
        plane_name=name if plane else "",
    )
