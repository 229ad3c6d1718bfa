# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of spectral densities: window functions, detrending, and the one-sided density of many segments.

With w the window, s a segment of N samples without its mean, X the Fourier transform of s·w, and Δt the seconds between
two samples (das-streams 5.5):

    Wss  = N · Σ w²
    P[0] = |X[0]|² / Wss,  P[N/2] = |X[N/2]|² / Wss,  P[k] = (|X[k]|² + |X[N-k]|²) / Wss
    S[k] = P[k] · N · Δt   in units²/Hz, at f[k] = k / (N · Δt), for k from 0 to N/2

So the sum of S over frequency, times 1/(N·Δt), is the mean of (s·w)² over the mean of w² (Parseval), and a sine of
amplitude A holds A²/2.

>>> segment = np.sin(2 * np.pi * 8 * np.arange(64) / 64)
>>> found = Density(64, "none").of(segment[None, :], seconds=0.5)
>>> int(found[0].argmax()), float(found[0].sum() / (64 * 0.5)).__round__(12)
(8, 0.5)
"""

from __future__ import annotations

import sys
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.errors import QueryError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["DETRENDS", "WINDOWS", "Density", "blocks", "window"]

#: The cosine series of each window: the symmetric form, whose first and last values are equal.
_SERIES: Final[dict[str, tuple[float, ...]]] = {
    "hann": (0.5, -0.5),
    "hamming": (0.54, -0.46),
    "blackman": (0.42, -0.5, 0.08),
    "none": (1.0,),
}
#: The names of the windows, and of what may be taken away before one is applied.
WINDOWS: Final = tuple(_SERIES)
DETRENDS: Final = ("mean", "none", "linear")
#: Samples that are transformed at a time: a few arrays of so many doubles fit into the second level of the cache.
_BLOCK: Final = 1 << 17


def window(name: str, length: int) -> Floats:
    """The window of that name and length, symmetric: Hann is 0.5·(1 - cos(2πn/(N-1))) (das-streams 5.5).

    >>> window("hann", 5).round(12).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if name not in _SERIES:
        known = ", ".join(WINDOWS)
        raise QueryError(
            f"dft.window={name!r} is none of {known}.{did_you_mean(name, WINDOWS)}", kind="query.bad-value"
        )
    angle = 2 * np.pi * np.arange(length) / (length - 1)
    terms = [factor * np.cos(order * angle) for order, factor in enumerate(_SERIES[name])]
    total: Floats = np.sum(terms, axis=0)
    return total


class Density:
    """The spectral density of segments of one length."""

    def __init__(self, length: int, name: str = "hann", detrend: str = "mean") -> None:
        self.length = length
        self._detrend = detrend
        weights = window(name, length)
        #: With this scale, |X|² is the one-sided density for Δt = 1 s. The two ends, which have no partner, are halved.
        self._weights = weights * np.sqrt(2 / np.sum(weights**2))
        line = np.arange(length) - (length - 1) / 2
        self._line = line / np.sqrt(np.sum(line**2))
        self._last: tuple[float, Floats] = (1.0, self._weights)
        self._rooms: dict[str, NDArray[Any]] = {}

    def of(self, segments: NDArray[Any], seconds: float | Floats = 1.0) -> Floats:
        """The density of each segment: shape (…, length) gives (…, length/2 + 1), in units²/Hz.

        What it gives is overwritten by the next call. `seconds` are those between two samples: one number, or one for
        each segment. A segment with a value that is not finite gives NaN.
        """
        shape = (*segments.shape[:-1], self.length // 2 + 1)
        with np.errstate(invalid="ignore", over="ignore"):
            work = self._detrended(segments)
            work *= self._scaled(seconds) if isinstance(seconds, float) else self._weights
            found = self._transformed(work)
            density, other = self._room("density", shape), self._room("other", shape)
            np.square(found.real, out=density)
            density += np.square(found.imag, out=other)
            density[..., 0] *= 0.5
            density[..., -1] *= 0.5
            if not isinstance(seconds, float):
                density *= seconds[..., None]
        return density

    def _scaled(self, seconds: float) -> Floats:
        """The weights for samples so many seconds apart, which are those of the last call as a rule."""
        if self._last[0] != seconds:
            self._last = (seconds, self._weights * float(np.sqrt(seconds)))
        return self._last[1]

    def _room(self, name: str, shape: tuple[int, ...], dtype: type = np.float64) -> NDArray[Any]:
        """An array to write to, the same for each call: fresh memory costs more than what is computed in it."""
        count = prod(shape)
        room = self._rooms.get(name)
        if room is None or len(room) < count:
            room = self._rooms[name] = np.empty(count, dtype=dtype)
        return room[:count].reshape(shape)

    def _detrended(self, segments: NDArray[Any]) -> Floats:
        """A copy of the segments in double precision, without their mean or their straight line."""
        work = self._room("work", segments.shape)
        if self._detrend == "none":
            work[...] = segments
            return work
        means = segments.mean(axis=-1, dtype=np.float64, keepdims=True)
        np.subtract(segments, means, out=work)
        if self._detrend == "linear":
            work -= (work @ self._line)[..., None] * self._line
        return work

    def _transformed(self, work: Floats) -> NDArray[np.complex128]:
        """The Fourier transform of real numbers along the last axis.

        That of scipy is faster for short segments, but takes 0.1 s to import: it is used where a process that lives
        long, such as a server, has it already.
        """
        module = sys.modules.get("scipy.fft")
        if module is not None:
            found: NDArray[np.complex128] = module.rfft(work)
            return found
        return np.fft.rfft(work, out=self._room("complex", (*work.shape[:-1], self.length // 2 + 1), np.complex128))


def blocks(count: int, samples: int) -> Iterator[slice]:
    """Slices of `count` things of `samples` samples each, such that a slice is transformed in the cache."""
    size = max(1, _BLOCK // max(1, samples))
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))
