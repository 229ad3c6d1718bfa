# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m dasflex_ws` is `dasflex_websocd`."""

from __future__ import annotations

from dasflex_ws.daemon import main

if __name__ == "__main__":
    main()
