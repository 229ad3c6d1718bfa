# SPDX-License-Identifier: GPL-3.0-or-later
"""A server says who it is in the forms that its clients read."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from dasflex_cgi.identity import id_json, id_txt, logo
from dasflex_core.site import open_site


@pytest.fixture
def site(bare):
    return open_site(bare.root)


def test_the_name_is_text_without_a_line_end(site):
    named = replace(site, config=replace(site.config, server_name="Some  Server\n"))
    assert id_txt(named).body == b"Some Server"
    assert dict(id_txt(named).headers)["Content-Type"] == "text/plain; charset=utf-8"


def test_who_this_is_is_json_without_versions(site):
    about = json.loads(id_json(site).body)
    assert about == {
        "id": "bare",
        "name": "Bare",
        "title": "Bare",
        "url": "http://127.0.0.1:8080/",
        "software": "dasflex",
    }


def test_the_sites_own_logo_comes_before_the_one_that_dasflex_brings(site):
    assert logo(site).body.startswith(b"\x89PNG")
    (site.config.root / "static" / "logo.gif").write_bytes(b"GIF89a")
    assert (logo(site).body, dict(logo(site).headers)["Content-Type"]) == (b"GIF89a", "image/gif")
    (site.config.root / "static" / "logo.png").write_bytes(b"own")
    assert logo(site).body == b"own"


def test_saying_who_this_is_needs_no_templates():
    code = "import sys, dasflex_cgi.identity; print([each for each in ('jinja2', 'werkzeug', 'numpy') if each in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
