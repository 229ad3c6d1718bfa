# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources the reducers suit, decided while a request is planned: nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.model import Definition

__all__ = ["has_records"]


_FAMILIES = ("bin.", "calc.")


def has_records(request: Mapping[str, str], source: Definition) -> bool | str:
    """Whether the source has records to reduce, else why not: a model has values at any interval that is asked."""
    time = source.coords.get("time")
    if time is None or time.interval is None or not any(name.startswith(_FAMILIES) for name in request):
        return True
    return "the source is a model, which has values at any time: ask for their interval with read.time.inter"
