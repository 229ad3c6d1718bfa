# SPDX-License-Identifier: GPL-3.0-or-later
"""The same pages by CGI under Apache, below a path: nothing in them knows where they are mounted."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_a_source_is_found_and_plotted_by_cgi(visit, apache, examples):
    watched = visit(base=apache(examples.root).cgi.rstrip("/"))
    page = watched.go("/")
    page.get_by_role("link", name="Examples/Params").click()
    page.locator("#plan svg.graph").wait_for()
    assert page.locator("#recipe-url").inner_text().startswith(f"{watched.base}/source/examples/params/flex?time=")
    watched.plot()
    assert "Frequency (Hz)" in page.locator("#plot-panels svg text").all_text_contents()
    assert len(watched.data()) == 1
