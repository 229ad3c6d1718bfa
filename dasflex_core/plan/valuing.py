# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that a stage is made with: those that it consumes, typed, and those that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.plan.parameters import typed_value
from dasflex_core.plan.stage_index import binds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.plan.solver import Step
    from dasflex_core.stages import StageSpec, Value

__all__ = ["by_attribute", "read_values", "values_of"]


def values_of(step: Step, request: Mapping[str, str]) -> dict[str, Value]:
    """The typed values of the parameters that a step consumes. Raises `QueryError` for a bad one."""
    values: dict[str, Value] = {}
    for name in step.consumes:
        param = next(each for each in step.spec.params if binds(each.name, name) is not None)
        values[name] = typed_value(param, name, request[name])
    return values


def by_attribute(step: Step, values: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    """The values by the keywords of the factory; of a wildcard also `coord`, the coordinate to which it is bound."""
    for name, value in values.items():
        param = next(each for each in step.spec.params if binds(each.name, name) is not None)
        yield param.attribute or name.rpartition(".")[2], value
        if coord := binds(param.name, name):
            yield "coord", coord


def read_values(spec: StageSpec, request: Mapping[str, str]) -> Iterator[tuple[str, Value]]:
    """The texts of the parameters that a stage reads, while another consumes them, by their names with underscores."""
    for name in spec.reads:
        if name in request:
            yield name.replace(".", "_"), request[name]
