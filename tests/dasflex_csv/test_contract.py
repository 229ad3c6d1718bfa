# SPDX-License-Identifier: GPL-3.0-or-later
"""The formatter keeps the contract of formatters, in each of its styles."""

from __future__ import annotations

from typing import ClassVar

from dasflex_core.testing import FormatterContract
from dasflex_csv.formatter import CsvFormatter


class TestPlain(FormatterContract):
    formatter = CsvFormatter
    plugin = "dasflex_csv.plugin"


class TestSignificantDigits(TestPlain):
    options: ClassVar = {"sigdigit": 5, "secfrac": 0, "delim": "tab"}


class TestDasStyle(TestPlain):
    options: ClassVar = {"style": "das", "props": True}
