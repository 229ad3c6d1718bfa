# SPDX-License-Identifier: GPL-3.0-or-later
"""The CGI program of the log viewer, for sites whose web server keeps it at a place of its own.

It answers what the main program answers below `/log`, and links to its own address. All else on its pages (the style,
the sources) is the main program's, whose address is `MAIN_SRV_URL`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from dasflex_cgi.cgimain import Output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.config import Config

__all__ = ["main", "run", "turned"]

_STDOUT: Final = 1


def main() -> None:
    """Answers the request of the environment, and ends the process, as `dasflex_cgimain` does."""
    code = run()
    sys.stderr.flush()
    os._exit(code)


def run() -> int:
    """Answers the request of the environment, and gives the exit code: 0 also for a client that has left."""
    from dasflex_cgi import cold

    try:
        return cold.run(os.environ, os.environ.get("DASFLEX_CONFIG", ""), Output(_STDOUT), turned)
    except BrokenPipeError:
        return 0
    except ConnectionResetError:
        return 1


def turned(variables: Mapping[str, str], config: Config) -> tuple[Mapping[str, str], str]:
    """The variables of the same request to the main program, and the address of this one.

    `MAIN_SRV_URL` may be an address, a path, or a name that stands where the name of this program does.
    """
    from urllib.parse import urlsplit

    here = variables.get("SCRIPT_NAME", "").rstrip("/")
    main_ = config.main_srv_url.strip()
    if "://" in main_:
        base = urlsplit(main_).path
    else:
        base = main_ if main_.startswith("/") else f"{here.rpartition('/')[0]}/{main_}"
    place = f"/log{variables.get('PATH_INFO', '')}"
    return {**variables, "SCRIPT_NAME": base.rstrip("/"), "PATH_INFO": place}, here
