# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries the commands of filters with values of their kind, for checks: no example need ask for them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import DasflexError
from dasflex_core.plan.classics import Classics
from dasflex_core.plan.commanding import commanded, rendered
from dasflex_core.plan.parameters import typed_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.catalog.model import Definition
    from dasflex_core.plan.planner import Planner
    from dasflex_core.stages import ParamSpec, Value

__all__ = ["unfit_filters"]

#: What a number is tried with, where its range admits that: a minute, which no program finds strange.
_NUMBER: Final = 60.0


def unfit_filters(planner: Planner, definition: Definition, request: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """The places of the definition's filters whose classic programs do not take what they are given, and why.

    `request` has values that come first, such as the range of an example. Filters that need a value of which nothing is
    known are left out, and so are all of a source that is none, as a view of nothing, of which its requests tell.
    """
    try:
        bound = planner.bound(definition, request)
    except DasflexError:
        return
    for place, filter_ in enumerate(definition.stages):
        for own in bound.stages.values():
            if own.template.text != filter_.command or own.reader or not own.classics:
                continue
            samples = {param.name: _sample(param, request) for param in own.spec.params}
            values = {name: value for name, value in samples.items() if value is not None}
            with suppress(DasflexError):  # a value or a variable is missing: this says nothing of the arguments
                command, _defaults = rendered(own, values, bound, request, planner.server)
                try:
                    commanded(own, command, Classics(planner.registry), 0)
                except DasflexError as error:
                    yield place, error.message.removeprefix(f"{own.place}: ")


def _sample(param: ParamSpec, request: Mapping[str, str]) -> Value | None:
    """A value of a parameter; None where none is known."""
    text = request.get(param.name, param.default)
    if text is not None:
        return typed_value(param, param.name, text)
    if param.type in ("real", "duration"):
        return _within(param, _NUMBER)
    if param.type == "integer":
        return int(_within(param, _NUMBER))
    if param.type == "boolean":
        return True
    return typed_value(param, param.name, param.values[0][0]) if param.values else None


def _within(param: ParamSpec, number: float) -> float:
    """The number, or the nearest that a parameter may have."""
    low = number if param.low is None else max(number, param.low)
    return low if param.high is None else min(low, param.high)
