# SPDX-License-Identifier: GPL-3.0-or-later
"""How the documentation is built: Sphinx, Markdown by MyST, the Furo theme."""

from __future__ import annotations

import tomllib
from pathlib import Path

_pyproject = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))

project = "dasflex"
author = "The dasflex developers"
project_copyright = author
release = _pyproject["project"]["version"]
version = release

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"dasflex {release}"
html_copy_source = False
html_show_sphinx = False
