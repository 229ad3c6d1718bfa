# SPDX-License-Identifier: GPL-3.0-or-later
"""The block cache: what one level of a source keeps of one period, where it is, and whether it still holds."""

from __future__ import annotations

from dasflex_core.cache.periods import PERIODS, Period, period

__all__ = ["PERIODS", "Period", "period"]
