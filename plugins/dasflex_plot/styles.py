# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request says of a picture, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["COLOURS", "Style"]

#: Colours of lines that the colour-blind tell apart: M. Okabe, K. Ito, "Color Universal Design" (2008), blue first.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8A7A00")


@dataclass(frozen=True, slots=True)
class Style:
    """The parameters of a picture; None is what the data ask for. Sizes are pixels, `font` is points."""

    width: int = 800
    height: int | None = None
    title: str | None = None
    x_log: bool | None = None
    y_log: bool | None = None
    z_log: bool | None = None
    y_min: float | None = None
    y_max: float | None = None
    z_min: float | None = None
    z_max: float | None = None
    colormap: str = "viridis"
    lines: str = "auto"
    panels: str = "quantity"
    grid: bool = True
    legend: bool = True
    font: float | None = None
