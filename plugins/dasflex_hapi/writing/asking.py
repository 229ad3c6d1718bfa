# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters by which a request asks for the records of a form, whose names no client needs to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dasflex_hapi.writing.form import Form

__all__ = ["FORMATS", "KIND", "stage_values"]

#: What the kinds of their stream types begin with.
KIND: Final = "hapi-"
#: The three forms of data (HAPI 3.3, 3.7.2), with their media types.
FORMATS: Final[Mapping[str, str]] = {
    "csv": "text/csv",
    "binary": "application/octet-stream",
    "json": "application/json",
}


def stage_values(
    form: Form,
    serial: str,
    chosen: Sequence[str] | None,
    start: str,
    stop: str,
) -> dict[str, str]:
    """What asks for the records of `[start, stop)`, with the `chosen` parameters behind the time, None being all.

    `serial` is one of `FORMATS`, the times are as `dasflex_core.times` reads them.
    """
    found = {
        "format.type": f"{KIND}{serial}",
        "format.hapi.form": form.digest,
        "format.hapi.start": start,
        "format.hapi.stop": stop,
        "format.hapi.sizes": ",".join(f"{name}:{count}" for name, count in form.wishes.sizes),
        "format.hapi.varying": ",".join(form.wishes.varying),
        "format.hapi.parameters": "" if chosen is None else ",".join((form.parameters[0].name, *chosen)),
    }
    return {name: text for name, text in found.items() if text}
