# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of reader programs: little, the same for everyone, and what the definition adds."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from dasflex_core.run.guardian import VARIABLE

if TYPE_CHECKING:
    from dasflex_core.plan.graph import Command
    from dasflex_core.run.settings import PumpSettings

__all__ = ["environment"]

#: What is passed on from the server's environment without being asked for.
PASSED: Final = ("HOME", "LANG", "LOGNAME", "TMPDIR", "TZ", "USER")
#: Where programs are looked for last.
SYSTEM: Final = ("/usr/local/bin", "/usr/bin", "/bin")


def environment(command: Command, settings: PumpSettings, token: str, scratch: str = "") -> dict[str, str]:
    """The variables for the programs of a command; `token` marks them as belonging to one run.

    `TMPDIR` is `scratch`, the directory of the run for temporary files, where there is one.

    `PATH` is the server's BIN_PATH, the directory of the interpreter and the system's directories; `LC_ALL` is
    `C.UTF-8`, so that no program writes decimal commas. Then come what the command passes on from the server's
    environment and what it sets, which may replace any of these but the token.
    """
    server = settings.environ
    interpreter = str(PurePath(settings.python).parent)
    made = {
        VARIABLE: token,
        **{name: server[name] for name in PASSED if name in server},
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join((*settings.bin_path, interpreter, *SYSTEM)),
    }
    if scratch:
        made["TMPDIR"] = scratch
    if settings.library_path:
        made["LD_LIBRARY_PATH"] = os.pathsep.join(settings.library_path)
    made |= {name: server[name] for name in command.pass_env if name in server}
    made |= dict(command.environment)
    return made | {VARIABLE: token}
