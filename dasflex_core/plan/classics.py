# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic programs in the commands of definitions: which are meant, what they cost, and the stages that work for them.

A program is meant by its name, whatever directory stands before it: `das2_psd` and `/opt/das/bin/das2_psd` are ours.
Only a path (with a slash in it) of a program that is there is that program. So a definition runs the same on each
server, whatever is on its `BIN_PATH`, and who wants the program itself writes where it is.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError
from dasflex_core.loading import load
from dasflex_core.stages import Cost
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dasflex_core.declarations import ClassicProgram
    from dasflex_core.plan.graph import Command, Nodes
    from dasflex_core.registry import Registry
    from dasflex_core.stages import StageSpec

__all__ = ["Classics"]

#: What a program costs that does not say which stages work for it.
_UNKNOWN: Final = Cost(0.0, 4.0)
#: The path of the input, which the nodes of a program are given instead.
_GIVEN: Final = ""


@dataclass(frozen=True, slots=True)
class Classics:
    """The classic programs of a registry."""

    registry: Registry

    def named(self, program: str, directory: str) -> str:
        """The name of the classic program that the first word of a command means; blank for any other program.

        `directory` is where the command runs.
        """
        name = PurePath(program).name
        if name not in self._programs() or (os.sep in program and _runs(Path(directory, program))):
            return ""
        return name

    def cost(self, names: Sequence[str]) -> Cost:
        """The price of programs one after the other: that of their stages."""
        costs = [stage.cost for name in names for stage in self._stages(name)]
        costs += [_UNKNOWN for name in names if not self._stages(name)]
        return Cost(sum(each.start for each in costs), sum(each.per_gb for each in costs))

    def algorithm(self, names: Sequence[str]) -> int:
        """A number that grows when what one of the programs computes changes; 0 where they only write."""
        return sum(each.algorithm for name in names for each in self._stages(name) if each.role == "reducer")

    def nodes(self, command: Command, head: bytes) -> Nodes:
        """The plan that does what a command of one classic program does, over an input that begins with `head`.

        Its first node stands for the input. With an empty head, the arguments alone are looked at. Raises `QueryError`
        for arguments that the program does not take.
        """
        from dasflex_core.plan.filtering import filter_nodes

        program, *written = command.argvs[0]
        made = self._programs()[PurePath(program).name]
        given = [_path(each, command.directory) if made.files else each for each in written]
        try:
            return filter_nodes(self.registry, load(made.words)(given, head), _GIVEN)
        except QueryError as error:
            raise _without_paths(error, given, written) from error

    def _programs(self) -> dict[str, ClassicProgram]:
        """The programs by name."""
        return {each.name: each for each in self.registry.classic_programs}

    def _stages(self, name: str) -> list[StageSpec]:
        """The stages that work for a program."""
        wanted = self._programs()[name].stages
        return [each for each in self.registry.stages if each.name in wanted]


def _runs(program: Path) -> bool:
    """Whether a file is a program."""
    return program.is_file() and os.access(program, os.X_OK)


def _path(argument: str, directory: str) -> str:
    """The whole path of a file that an argument names from where a command runs; other arguments as they are."""
    path = Path(directory, argument)
    return str(path) if argument and directory and path.is_file() else argument


def _without_paths(error: QueryError, given: Sequence[str], written: Sequence[str]) -> QueryError:
    """The error as the client may see it: files as the command names them."""
    message = error.message
    for whole, short in zip(given, written, strict=True):
        if whole != short:
            message = message.replace(whole, short)
    return QueryError(message, kind=error.kind)
