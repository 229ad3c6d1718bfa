# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms as JSON: a parameter as the standard has it, and a whole form as it is kept."""

from __future__ import annotations

from typing import Any

import orjson

from dasflex_hapi.info import Bins, Parameter
from dasflex_hapi.writing.form import Form, Shown, Wishes

__all__ = ["from_plain", "parameter_json", "plain"]


def parameter_json(parameter: Parameter) -> dict[str, Any]:
    """A parameter as `info` lists it (HAPI 3.3, 3.6.5 to 3.6.10). What is not known is left out, where it may be."""
    said: dict[str, Any] = {"name": parameter.name, "type": parameter.type}
    if parameter.length:
        said["length"] = parameter.length
    if parameter.size:
        said["size"] = list(parameter.size)
    units = [each or None for each in parameter.units]
    said["units"] = units[0] if len(units) == 1 else units
    said["fill"] = parameter.fill
    if parameter.description:
        said["description"] = parameter.description
    if parameter.labels:
        said["label"] = parameter.labels[0] if len(parameter.labels) == 1 else list(parameter.labels)
    if parameter.frame:
        said["coordinateSystemName"] = parameter.frame
    if parameter.components and len(parameter.size) == 1:
        said["vectorComponents"] = list(parameter.components)
    if parameter.bins:
        said["bins"] = [_bins_json(each) for each in parameter.bins]
    return said


def _bins_json(bins: Bins) -> dict[str, Any]:
    """What one dimension runs over; `"centers": null` is that of an index that means nothing by itself."""
    said: dict[str, Any] = {"name": bins.name, "units": bins.units or "dimensionless"}
    if bins.label:
        said["label"] = bins.label
    if bins.centers or not bins.ranges:
        said["centers"] = bins.centers if isinstance(bins.centers, str) else list(bins.centers) or None
    if bins.ranges:
        said["ranges"] = bins.ranges if isinstance(bins.ranges, str) else [list(each) for each in bins.ranges]
    return said


def plain(form: Form) -> dict[str, Any]:
    """A form as JSON keeps it."""
    kept: dict[str, Any] = orjson.loads(orjson.dumps(form))
    return kept


def from_plain(kept: dict[str, Any]) -> Form:
    """The form that was kept. Raises `KeyError`, `TypeError` or `ValueError` for what is none."""
    wishes = kept["wishes"]
    return Form(
        tuple(Shown(_parameter(each["parameter"]), each["variable"], each["digits"]) for each in kept["shown"]),
        kept["stamp"],
        Wishes(tuple((name, int(size)) for name, size in wishes["sizes"]), tuple(wishes["varying"])),
    )


def _parameter(kept: dict[str, Any]) -> Parameter:
    """A parameter that was kept."""
    lists = {name: tuple(kept[name]) for name in ("size", "units", "labels", "components")}
    return Parameter(**{**kept, **lists, "bins": tuple(map(_bins, kept["bins"]))})


def _bins(kept: dict[str, Any]) -> Bins:
    """The bins of one dimension that were kept."""
    centers, ranges = kept["centers"], kept["ranges"]
    return Bins(
        kept["name"],
        kept["units"],
        kept["label"],
        centers if isinstance(centers, str) else tuple(centers),
        ranges if isinstance(ranges, str) else tuple((low, high) for low, high in ranges),
    )
