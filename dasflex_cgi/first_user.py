# SPDX-License-Identifier: GPL-3.0-or-later
"""The user of the protected example, in a root that `dasflex serve` makes by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dasflex_core.config import Config

__all__ = ["NAME", "add_first_user", "is_new"]

NAME: Final = "testuser"
_PASSWORD: Final = "test"  # noqa: S105  it is published: the example is there to be tried
_SECONDS: Final = 30


def is_new(config: str | None) -> bool:
    """Whether to serve a configuration, or none, makes a root; asked before that is done."""
    from dasflex_core.config import CONFIG_FILE
    from dasflex_core.roots import user_root

    return not config and not os.environ.get("DASFLEX_CONFIG") and not (user_root() / CONFIG_FILE).exists()


def add_first_user(config: Config) -> str:
    """Adds the user of the example by the program for that, and gives a warning that names the file."""
    done = subprocess.run(
        [sys.executable, "-m", "dasflex_passwd", "-i", NAME],
        env={**os.environ, "DASFLEX_CONFIG": str(config.file)},
        input=f"{_PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        return f"the user {NAME} of Examples/Auth could not be added: {done.stderr.strip()}"
    return (
        f"warning: {config.user_passwd} has the user {NAME}, whose password everybody knows ({_PASSWORD}), for"
        f" Examples/Auth; `dasflex_passwd -D {NAME}` deletes it"
    )
