# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition says of its own options and of the interval of a model, as declarations of parameters."""

from __future__ import annotations

from math import inf, nextafter
from typing import TYPE_CHECKING

from dasflex_core.stages import ParamSpec

if TYPE_CHECKING:
    from dasflex_core.catalog.model import Definition, Option
    from dasflex_core.stages import Mode

__all__ = ["interval_param", "option_param"]

_INTERVAL = "read.time.inter"


def option_param(name: str, option: Option, mode: Mode) -> ParamSpec:
    """The declaration of the parameter `read.NAME` that an option makes."""
    low, high = _bounds(option)
    return ParamSpec(name, mode, option.type, option.units, low, high, option.values, option.default, option.title)


def interval_param(definition: Definition, mode: Mode) -> ParamSpec:
    """The declaration of the interval of a model, in seconds, with the default and the lower bound that it has."""
    time = definition.coords.get("time")
    said = time.interval if time else None
    default = None if said is None or said.default is None else f"{said.default:g}"
    low = 0.0 if said is None or said.min is None else said.min
    return ParamSpec(
        _INTERVAL, mode, "real", "s", low, default=default, title="Interval between the values of a model, in seconds"
    )


def _bounds(option: Option) -> tuple[float | None, float | None]:
    """The bounds of a numeric option as inclusive ones; its range is half open."""
    if option.range is None or option.type not in ("real", "integer"):
        return None, None
    low, high = float(option.range.begin), float(option.range.end)
    return low, high - 1 if option.type == "integer" else nextafter(high, -inf)
