# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fetched comes by HTTP, wherever an address or a redirection points."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.error import HTTPError, URLError

import pytest

from dasflex_core.fetching import fetch


class Redirecting(BaseHTTPRequestHandler):
    """Redirects to whatever the query says, and answers what has none."""

    def do_GET(self):
        _, _, target = self.path.partition("?")
        self.send_response(302 if target else 200)
        if target:
            self.send_header("Location", target)
        self.send_header("Content-Length", "0" if target else "4")
        self.end_headers()
        self.wfile.write(b"" if target else b"data")

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as listening:
        thread = Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_an_answer_is_fetched_and_a_redirection_by_http_followed(server):
    for address in (server, f"{server}?/there"):
        with fetch(address, 10) as answer:
            assert (answer.status, answer.read()) == (200, b"data")


@pytest.mark.parametrize("scheme", ["file://", "ftp://127.0.0.1", "data:,", "gopher://127.0.0.1"])
def test_no_redirection_leads_anywhere_else(server, tmp_path, scheme):
    secret = tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    with pytest.raises((HTTPError, URLError)) as caught:
        fetch(f"{server}?{scheme}{secret}", 10)
    caught.value.close() if isinstance(caught.value, HTTPError) else None


@pytest.mark.parametrize("scheme", ["file://", "ftp://127.0.0.1", "data:,"])
def test_no_address_does(tmp_path, scheme):
    secret = tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    with pytest.raises(URLError):
        fetch(f"{scheme}{secret}", 10)
