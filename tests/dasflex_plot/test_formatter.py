# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures keep what every formatter must keep, and are what their declarations say."""

from __future__ import annotations

from dasflex_core.stages import spec_of
from dasflex_core.testing import FormatterContract
from dasflex_plot.formatter import PdfFormatter, PngFormatter, SvgFormatter
from dasflex_plot.plugin import STAGES


class TestPng(FormatterContract):
    """What every formatter must keep."""

    formatter = PngFormatter
    plugin = "dasflex_plot.plugin"


class TestSvg(FormatterContract):
    """The same."""

    formatter = SvgFormatter
    plugin = "dasflex_plot.plugin"


class TestPdf(FormatterContract):
    """The same."""

    formatter = PdfFormatter
    plugin = "dasflex_plot.plugin"


def test_the_declarations_are_those_of_the_classes():
    assert list(STAGES) == [spec_of(each) for each in (PngFormatter, SvgFormatter, PdfFormatter)]
