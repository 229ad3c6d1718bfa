# SPDX-License-Identifier: GPL-3.0-or-later
"""The library that draws is served from its wheel, compressed once, and a site without it has pages without a plot."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
import zstandard

from dasflex_cgi import pages, plot_library
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_cgi.plot_library import library, serve_library
from dasflex_core.site import open_site

BROWSER = {"accept": "text/html", "user-agent": "Mozilla/5.0"}


@pytest.fixture
def address() -> str:
    """Where the library is."""
    return f"/static/{library().name}"


def body(served) -> bytes:
    """All that is sent."""
    return b"".join(served)


def test_its_address_has_its_version_and_is_kept_for_ever(tmp_path, address):
    assert re.fullmatch(r"/static/plotly-[0-9]+\.[0-9.]+[a-z0-9]*\.min\.js", address)
    served = serve_library(tmp_path, "GET", address, {})
    headers = dict(served.headers)
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert body(served) == library().file.read_bytes()
    again = serve_library(tmp_path, "GET", address, {"if-none-match": headers["ETag"]})
    assert (again.status, body(again)) == (304, b"")


def test_it_is_compressed_once(tmp_path, address):
    for coding, read in (("gzip", gzip.decompress), ("zstd", zstandard.ZstdDecompressor().decompress)):
        served = serve_library(tmp_path / "made", "GET", address, {"accept-encoding": coding})
        assert dict(served.headers)["Content-Encoding"] == coding
        assert served.size < 2_000_000
        assert read(body(served)) == library().file.read_bytes()
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "made").iterdir()}
    assert len(kept) == 3
    serve_library(tmp_path / "made", "GET", address, {"accept-encoding": "gzip"}).close()
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "made").iterdir()} == kept


def test_where_nothing_can_be_kept_it_is_sent_as_it_is(tmp_path, address):
    (tmp_path / "file").touch()
    served = serve_library(tmp_path / "file" / "folder", "GET", address, {"accept-encoding": "gzip"})
    assert body(served) == library().file.read_bytes()


@pytest.mark.parametrize("path", ["/static/plotly-0.0.1.min.js", "/static/plotly-.js", "/static/plotly-../x.js"])
def test_no_other_path_leads_to_it(tmp_path, path):
    assert serve_library(tmp_path, "GET", path, {}) is None


def test_a_front_end_answers_with_it(examples, address):
    front = Front(open_site(examples.root), pytest.fail)
    try:
        answer = front.answer(Asked(method="GET", path=address, headers={**BROWSER, "accept-encoding": "gzip"}))
        assert (answer.status, dict(answer.headers)["Content-Encoding"]) == (200, "gzip")
        assert gzip.decompress(body(answer.body)) == library().file.read_bytes()
        gone = front.answer(Asked(method="GET", path="/static/plotly-1.min.js", headers=BROWSER))
        assert gone.status == 404
    finally:
        front.end()


def test_styles_that_it_would_write_are_known(examples):
    script = library().file.read_text(encoding="utf-8")
    made = script.count('createElement("style")')
    assert made == len(library().sheets) + 1, "one that it adds rules to, and those with a name"
    assert "no-inline-styles" in script, "the class by which it is told to leave styles to us"
    page = pages.source(
        open_site(examples.root), Asked(method="GET", path="/", headers=BROWSER), "Examples/Params"
    ).body
    assert b'id="plotly.js-style-global" class="no-inline-styles"' in page
    assert all(sheet.encode() in page for sheet in library().sheets)


def test_a_site_without_it_shows_the_page_without_a_plot(examples, monkeypatch, tmp_path, address):
    def missing(_name: str) -> str:
        raise plot_library.PackageNotFoundError

    monkeypatch.setattr(plot_library, "version", missing)
    library.cache_clear()
    try:
        assert library() is None
        assert serve_library(tmp_path, "GET", address, {}) is None
        asked = Asked(method="GET", path="/", headers=BROWSER)
        page = pages.source(open_site(examples.root), asked, "Examples/Params").body
    finally:
        monkeypatch.undo()
        library.cache_clear()
    assert b"plotly" not in page
    assert b'id="draw"' not in page
    assert b"dasflex[pages]" in page
    assert b'id="ask"' in page


def test_the_scripts_of_a_protected_source_know_that_a_log_in_comes_first(examples):
    asked = Asked(method="GET", path="/", headers=BROWSER)
    page = pages.source(open_site(examples.root), asked, "Examples/Auth").body
    assert b"&#34;entered&#34;: false" in page
    assert b'<a id="log-in" href="/source/examples/auth.html?log-in">' in page
    open_to_all = pages.source(open_site(examples.root), asked, "Examples/Random").body
    assert b"&#34;entered&#34;: true" in open_to_all
    assert b"log-in" not in open_to_all.replace(b'data-log-in=""', b"")


def test_a_wheel_without_its_file_is_no_library(monkeypatch, tmp_path):
    class Found:
        origin = str(tmp_path / "plotly" / "__init__.py")

    monkeypatch.setattr(plot_library, "find_spec", lambda _name: Found)
    library.cache_clear()
    try:
        assert library() is None
        (tmp_path / "plotly" / "package_data").mkdir(parents=True)
        (tmp_path / "plotly" / "package_data" / "plotly.min.js").write_text('getElementById("ab")', encoding="utf-8")
        library.cache_clear()
        assert library().sheets == ()
        assert library().file == Path(Found.origin).parent / "package_data" / "plotly.min.js"
    finally:
        monkeypatch.undo()
        library.cache_clear()
