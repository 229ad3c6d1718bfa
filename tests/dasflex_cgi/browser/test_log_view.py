# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients write into the log does not run in the browser of whoever reads it there."""

from __future__ import annotations

import http.client
from urllib.parse import quote, urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

MARK = "zq7"
AGENT = f'{MARK}<script>window.ran=1</script><img src=x onerror="window.ran=2">'
TARGET = f"/source/{MARK}%3Cscript%3Ewindow.ran=3%3C/script%3E?a=<svg/onload=window.ran=4>\"'"
REFERRER = f'{MARK}"><iframe srcdoc="<script>top.ran=5</script>">'


@pytest.fixture
def attacked(server):
    """The address of a server that a hostile client has asked for something, and the id of that request."""
    place = urlsplit(server)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    connection.request("GET", TARGET, headers={"User-Agent": AGENT, "Referer": REFERRER})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.getheader("X-Request-Id")


def test_markup_in_a_user_agent_and_in_an_address_is_text_in_each_page_of_the_logs(visit, attacked):
    watched = visit()
    day = watched.go("/log/").locator("main table a").first.get_attribute("href")
    pages = (f"/log/request/{attacked}", f"/log/search?q={quote(AGENT)}", "/log/tail?hold", f"{day}/127.0.0.1")
    for path in pages:
        page = watched.go(path)
        assert AGENT in page.locator("main").inner_text(), path
        assert page.evaluate("window.ran") is None, path
        assert page.locator("main").locator("script, img, svg, iframe").count() == 0, path


def test_the_policy_of_these_pages_runs_no_script_that_stands_in_them(visit, attacked):
    page = visit().go(f"/log/request/{attacked}")
    answer = page.request.get(page.url)
    policy = answer.headers["content-security-policy"]
    assert "'unsafe-inline'" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["cache-control"] == "private, no-store"
