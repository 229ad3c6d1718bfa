# SPDX-License-Identifier: GPL-3.0-or-later
"""The epoch units of das streams, and columns of times between them (das-streams 2.9).

The common ground is datetime64[ns]: nanoseconds of UTC, leap seconds not counted, from 1677-09-21 to 2262-04-11. What
is outside, not finite, or fill is NaT. Integers convert exactly. A double is cut into whole units and a fraction
first, so that no more is lost than what it cannot hold itself: us2000 counts in steps of 0.125 μs from 2017 to 2035.

TT2000 counts leap seconds, so its conversion needs the table (`dasflex_core.leapseconds`). A TT2000 inside a leap
second becomes the last nanosecond before it, as a datetime64 has no such second. ET2000 are the ephemeris seconds of
SPICE: those of TT, less a term of the year that stays below two milliseconds.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from dasflex_core.errors import SourceError, did_you_mean
from dasflex_core.leapseconds import TT2000_LESS_UTC, LeapSeconds, leap_seconds

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Integers: TypeAlias = NDArray[np.int64]
    Times: TypeAlias = NDArray[np.datetime64]

__all__ = ["FILL_INTEGER", "convert", "from_datetime64", "interval_units", "is_epoch", "to_datetime64"]

#: What stands for NaT in a column of integers: the default fill of das3's `long`.
FILL_INTEGER: Final = -(2**63) + 1

_NAT: Final = -(2**63)
_LARGEST: Final = 2**63 - 1
_SECOND: Final = 1_000_000_000
_DAY: Final = 86400 * _SECOND
#: TT2000 reaches from 1707 to 2292, so the two have 1707 to 2262 in common.
_LAST_TT2000: Final = _LARGEST + TT2000_LESS_UTC
_FIRST_UTC: Final = FILL_INTEGER + 1 - TT2000_LESS_UTC


class _Epoch(NamedTuple):
    """An epoch without leap seconds: nanoseconds per unit, its count at 1970-01-01, and the units of its intervals."""

    unit: int
    at_1970: int
    interval: str


_MICRO, _MILLI = 1000, 1_000_000
#: Seconds from 1970-01-01 to the first of January of a year.
_TO_1980, _TO_2000, _TO_2010, _TO_2020 = 315_532_800, 946_684_800, 1_262_304_000, 1_577_836_800

_EPOCHS: Final = {
    "us2000": _Epoch(_MICRO, -_TO_2000 * 10**6, "μs"),
    "t2000": _Epoch(_SECOND, -_TO_2000, "s"),
    "t1970": _Epoch(_SECOND, 0, "s"),
    "mj1958": _Epoch(_DAY, 4383, "days"),
    "ns1970": _Epoch(1, 0, "ns"),
    # those below are only in das2java's streams
    "us1970": _Epoch(_MICRO, 0, "μs"),
    "us1980": _Epoch(_MICRO, -_TO_1980 * 10**6, "μs"),
    "us2020": _Epoch(_MICRO, -_TO_2020 * 10**6, "μs"),
    "ms1970": _Epoch(_MILLI, 0, "ms"),
    "t2010": _Epoch(_SECOND, -_TO_2010, "s"),
    "mjd": _Epoch(_DAY, 40587, "days"),
    "cdfEpoch": _Epoch(_MILLI, 62_167_219_200_000, "ms"),
}
_NANOSECONDS: Final = _EPOCHS["ns1970"]
#: The epochs that need more than a scale and a shift; das2java writes `cdfTT2000`.
_OTHERS: Final = {"TT2000": "ns", "cdfTT2000": "ns", "ET2000": "s", "UTC": "s"}
_EPHEMERIS: Final = _Epoch(_SECOND, 0, "s")
#: The epochs that count leap seconds, and begin at noon of 2000-01-01 TT.
_LEAPING: Final = ("TT2000", "ET2000")
#: Ephemeris time less TT: its amplitude in ns, the mean anomaly of the Earth at J2000 and its rate, the eccentricity
#: (the leap-second kernels of SPICE, `DELTET`).
_AMPLITUDE, _ANOMALY, _RATE, _ECCENTRICITY = 1.657e6, 6.239996, 1.99096871e-7, 1.671e-2
_NAMES: Final = {name.lower(): name for name in (*_EPOCHS, *_OTHERS)}


def is_epoch(units: str) -> bool:
    """Whether values in these units are times. Names match without regard to case."""
    return units.strip().lower() in _NAMES


def interval_units(units: str) -> str:
    """The units of a difference of two times in these units, such as `μs` for us2000. Raises `SourceError`."""
    name = _name(units)
    return _OTHERS[name] if name in _OTHERS else _EPOCHS[name].interval


def _name(units: str) -> str:
    """The name of the epoch as it is written."""
    name = _NAMES.get(units.strip().lower())
    if name is None:
        message = f"{units!r} are no units of time. Known are {', '.join(_NAMES.values())}."
        raise SourceError(message + did_you_mean(units, _NAMES.values()), kind="source.stream")
    return "TT2000" if name == "cdfTT2000" else name


def _epoch(name: str) -> _Epoch:
    """The scale of an epoch; of those that count leap seconds, from their own zero on."""
    return _EPHEMERIS if name == "ET2000" else _EPOCHS.get(name, _NANOSECONDS)


def _ephemeris_less_tt(ns: Integers) -> Integers:
    """What ephemeris time is ahead of TT, in ns, at times since J2000 of either."""
    anomaly = _ANOMALY + _RATE * (ns / _SECOND)
    return np.rint(_AMPLITUDE * np.sin(anomaly + _ECCENTRICITY * np.sin(anomaly))).astype(np.int64)


def to_datetime64(values: NDArray[Any], units: str) -> Times:
    """The times that the values are, as datetime64[ns] of the same shape; NaT for fill and what is out of reach.

    Raises `SourceError` for units that are no epoch.
    """
    name, values = _name(units), np.asarray(values)
    if values.dtype.kind == "M":
        return _reachable(values)
    if name == "UTC":
        raise SourceError(f"Times in UTC are datetime64 here, not {values.dtype}", kind="source.stream")
    flat = values.reshape(-1)
    ns, missing = _scaled(flat, _epoch(name))
    if name in _LEAPING:
        missing |= ns > _LAST_TT2000
        ns = _utc_of_tt2000(ns - _ephemeris_less_tt(ns) if name == "ET2000" else ns)
    if missing.any():
        ns[missing] = _NAT
    return ns.view("M8[ns]").reshape(values.shape)


def _reachable(times: Times) -> Times:
    """The times as datetime64[ns], NaT where they do not fit, which numpy does not see to."""
    if times.dtype == np.dtype("M8[ns]"):
        return times
    seconds = times.astype("M8[s]").astype(np.int64)
    outside = (seconds <= -(_LARGEST // _SECOND)) | (seconds >= _LARGEST // _SECOND)
    return np.where(outside, np.datetime64("NaT"), times).astype("M8[ns]")


def _scaled(values: NDArray[Any], epoch: _Epoch) -> tuple[Integers, NDArray[np.bool_]]:
    """The nanoseconds since 1970 of values of such an epoch, and where there are none."""
    reach = _LARGEST // epoch.unit - (epoch.unit > 1)  # less one, for a fraction
    lowest, highest = max(epoch.at_1970 - reach, FILL_INTEGER + 1), min(epoch.at_1970 + reach, _LARGEST)
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # a signalling NaN
            floats = values.astype(np.float64)
        missing = floats > float(lowest)
        missing &= floats < float(highest)  # a NaN makes both false
        np.logical_not(missing, out=missing)
        if missing.any():
            floats[missing] = 0.0
        whole = np.floor(floats)
        floats -= whole
        floats *= epoch.unit
        ns = whole.astype(np.int64)
        ns -= epoch.at_1970
        ns *= epoch.unit
        ns += np.rint(floats, out=floats).astype(np.int64)
        return ns, missing
    missing = (values < lowest) | (values > highest)
    counts = np.where(missing, values.dtype.type(0), values).astype(np.int64)
    return (counts - epoch.at_1970) * epoch.unit, missing


def from_datetime64(times: Times, units: str, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """The times as numbers in these units, or for `UTC` as they are.

    Without `dtype`, TT2000 and ns1970 are int64 and the others float64. Numbers that are integers are rounded to the
    nearest, a half up. NaT is NaN, or das3's default fill of the integer type (`FILL_INTEGER` for int64), and so is a
    time before TT2000 begins. Raises `SourceError` for units that are no epoch.
    """
    name, times = _name(units), _reachable(np.asarray(times))
    if name == "UTC":
        return times
    kind = np.dtype(dtype) if dtype is not None else np.dtype(np.int64 if name in ("TT2000", "ns1970") else np.float64)
    epoch = _epoch(name)
    flat = times.reshape(-1)
    missing = np.isnat(flat)
    if name in _LEAPING:
        missing |= flat.view(np.int64) < _FIRST_UTC
    ns = np.where(missing, 0, flat.view(np.int64))
    if name in _LEAPING:
        ns = _tt2000_of_utc(ns)
    if name == "ET2000":
        ns = ns + _ephemeris_less_tt(ns)
    whole, part = np.divmod(ns, epoch.unit)
    whole += epoch.at_1970
    if kind.kind == "f":
        numbers = np.where(missing, np.nan, whole + part / epoch.unit).astype(kind)
    else:
        numbers = (whole + (2 * part >= max(epoch.unit, 2))).astype(kind)
        numbers[missing] = np.iinfo(kind).max if kind.kind == "u" else np.iinfo(kind).min + 1
    return numbers.reshape(times.shape)


def convert(values: NDArray[Any], from_units: str, to_units: str) -> NDArray[Any]:
    """Times in other epoch units, through nanoseconds of UTC; values in the same units are returned as they are."""
    if _name(from_units) == _name(to_units):
        return values
    return from_datetime64(to_datetime64(values, from_units), to_units)


class _Steps(NamedTuple):
    """The leap-second table as arrays: from `starts` (UTC) and `instants` (TT2000) on, TT2000 - UTC is `shifts`.

    `lasts` is the last nanosecond (UTC) of each step.
    """

    starts: Integers
    lasts: Integers
    instants: Integers
    shifts: Integers


@cache
def _steps(table: LeapSeconds) -> _Steps:
    """The steps of the table."""
    starts, offsets = np.array(table.starts, dtype=np.int64), np.array(table.offsets, dtype=np.int64)
    instants = np.array([max(instant, _NAT) for instant in table.instants], dtype=np.int64)
    return _Steps(starts, np.append(starts[1:] - 1, _LARGEST), instants, offsets + TT2000_LESS_UTC)


def _step(bounds: Integers, times: Integers) -> NDArray[np.intp]:
    """The step of each time, or one for all: most columns lie between two leap seconds."""
    if times.size == 0:
        return np.zeros(1, dtype=np.intp)
    ends = np.searchsorted(bounds, np.array([times.min(), times.max()]), side="right") - 1
    return ends[:1] if ends[0] == ends[1] else np.searchsorted(bounds, times, side="right") - 1


def _tt2000_of_utc(ns: Integers) -> Integers:
    """TT2000 of nanoseconds of UTC."""
    steps = _steps(leap_seconds())
    shifts: Integers = steps.shifts[_step(steps.starts, ns)]
    return ns + shifts


def _utc_of_tt2000(count: Integers) -> Integers:
    """Nanoseconds of UTC of TT2000; inside a leap second, the last one before it."""
    steps = _steps(leap_seconds())
    step = _step(steps.instants, count)
    ns: Integers = np.minimum(count - steps.shifts[step], steps.lasts[step])
    return ns
