# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m dasflex_work`: a worker."""

from __future__ import annotations

from dasflex_work.workd import main

if __name__ == "__main__":
    main()
