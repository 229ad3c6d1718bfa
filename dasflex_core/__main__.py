# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m dasflex_core` is the `dasflex` command, for where that is not on the path."""

from __future__ import annotations

from dasflex_core.cli import main

if __name__ == "__main__":
    main(prog_name="dasflex")
