# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has asked of programs: their commands without secrets, how they ended, and how much was read."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from dasflex_core.redacting import masked_command, secrets_in
from dasflex_core.run.records import ProgramRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dasflex_core.plan.graph import Nodes
    from dasflex_core.run.family import Family
    from dasflex_core.run.stats import Meter

__all__ = ["programs_of", "read_of"]


def programs_of(family: Family, request: Iterable[tuple[str, str]]) -> tuple[ProgramRecord, ...]:
    """The programs that a run has started so far; values of the request that are secret are not told."""
    secrets = secrets_in(request)
    return tuple(
        ProgramRecord(
            stage=stage,
            command=masked_command([str(each) for each in _words(program.args)], secrets),
            status=program.returncode if program.returncode is not None and program.returncode >= 0 else None,
            signal=_signal(program.returncode),
        )
        for stage, program in family.programs
    )


def read_of(nodes: Nodes, meters: Sequence[Meter]) -> int:
    """The bytes that came from where data are: readers, and blocks; what is no bytes there does not count."""
    return sum(meter.bytes for node, meter in zip(nodes, meters, strict=True) if not node.inputs)


def _words(arguments: object) -> Sequence[object]:
    """The arguments of a program, which are always a sequence here."""
    return arguments if isinstance(arguments, (list, tuple)) else (arguments,)


def _signal(status: int | None) -> str:
    """The signal that has ended a program; blank where none has."""
    if status is None or status >= 0:
        return ""
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
