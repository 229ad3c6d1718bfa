# SPDX-License-Identifier: GPL-3.0-or-later
"""The `dasflex` command and its old names."""

from __future__ import annotations

from dasflex_core.cli.verbs import main, mkroot

__all__ = ["main", "mkroot"]
