# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m dasflex_passwd`."""

from __future__ import annotations

from dasflex_passwd.command import main

if __name__ == "__main__":
    main()
