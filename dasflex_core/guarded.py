# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a request of a protected source: what may be had is planned, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dasflex_core.access import Identity
from dasflex_core.errors import QueryError
from dasflex_core.guarding import Guard, Leave
from dasflex_core.solved import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.claims import Claim
    from dasflex_core.site import Request
    from dasflex_core.streamtype import StreamType
    from dasflex_core.times import Time

__all__ = ["guarded_plan"]


def guarded_plan(request: Request, claim: Claim, goal: StreamType | None) -> Plan:
    """The plan of what somebody may have of a request: as it was asked, or else with wider bins.

    Raises `AccessError` where there is nothing that they may have, before anything is said of the request itself, and
    `QueryError` for what cannot be.
    """
    guard = Guard(request.source, claim)
    given: list[Leave] = []

    def admit(asked: Mapping[str, str], now: Time) -> Mapping[str, str]:
        given[:] = [guard.admit(asked, now)]
        return given[0].changes

    planner, definition = request.source.site.planner, request.source.definition
    try:
        solution = planner.solve(definition, request.pairs, convention=request.convention, goal=goal, admit=admit)
    except QueryError as error:
        if given and given[0].changes:  # there is no plan with wider bins
            raise guard.refusal(Identity(given[0].user)) from error
        raise
    leave = given[0]
    leave.check(solution, guard.refusal(Identity(leave.user)))
    if leave.note:
        solution = replace(solution, remarks=(leave.note, *solution.remarks))
    return Plan(request, solution, leave.user, leave.note)
