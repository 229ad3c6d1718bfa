# SPDX-License-Identifier: GPL-3.0-or-later
"""How alike two pictures look: what an eye sees of them at a little distance, not their bytes.

The measure is the structural similarity of luminance (Z. Wang et al., "Image Quality Assessment: From Error Visibility
to Structural Similarity", IEEE TIP 13, 2004) over windows of a Gaussian, of pictures that were blurred first: another
version of the font or of its hinting moves edges by parts of a pixel, which nobody sees. The least of the windows counts
beside the mean, or a line that is missing would be lost among much that is white.
"""

from __future__ import annotations

import io

import numpy as np
from matplotlib.image import imread

#: Of a whole picture, and of its worst part; both are 1 for the same.
ALIKE, WORST = 0.97, 0.55
_BLUR, _WINDOW = 1.5, 4.0
_C1, _C2 = 0.01**2, 0.03**2


def luminance(png: bytes) -> np.ndarray:
    """A PNG as relative luminance from 0 to 1 (ITU-R BT.709)."""
    colours = np.asarray(imread(io.BytesIO(png)), dtype=float)
    opaque = colours[..., :3] * colours[..., 3:] + 1 - colours[..., 3:] if colours.shape[-1] == 4 else colours
    return opaque @ np.array([0.2126, 0.7152, 0.0722])


def blurred(picture: np.ndarray, width: float) -> np.ndarray:
    """A picture through a Gaussian of so many pixels."""
    reach = int(3 * width)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        pad = [(reach, reach) if each == axis else (0, 0) for each in (0, 1)]
        around = np.pad(picture, pad, mode="edge")
        picture = np.apply_along_axis(np.convolve, axis, around, kernel, mode="valid")
    return picture


def similarity(one: bytes, other: bytes) -> tuple[float, float]:
    """The mean similarity of two pictures, and that of their worst part; 0 where their sizes differ."""
    first, second = luminance(one), luminance(other)
    if first.shape != second.shape:
        return 0.0, 0.0
    first, second = blurred(first, _BLUR), blurred(second, _BLUR)
    mean1, mean2 = blurred(first, _WINDOW), blurred(second, _WINDOW)
    spread1 = blurred(first**2, _WINDOW) - mean1**2
    spread2 = blurred(second**2, _WINDOW) - mean2**2
    both = blurred(first * second, _WINDOW) - mean1 * mean2
    found = ((2 * mean1 * mean2 + _C1) * (2 * both + _C2)) / ((mean1**2 + mean2**2 + _C1) * (spread1 + spread2 + _C2))
    return float(found.mean()), float(found.min())


def alike(one: bytes, other: bytes) -> bool:
    """Whether two pictures look the same."""
    mean, worst = similarity(one, other)
    return mean >= ALIKE and worst >= WORST
