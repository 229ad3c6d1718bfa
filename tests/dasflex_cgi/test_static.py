# SPDX-License-Identifier: GPL-3.0-or-later
"""Files below `static` and `public` of a root are served with what caches need, and no other file is."""

from __future__ import annotations

import gzip
import os
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_cgi.static import MEDIA_TYPES, describe, encoded, find, root_of, serve

NODE = b'{"type": "Catalog"}\n'


@pytest.fixture
def root(tmp_path):
    """A root with a compiled node, the flat list, a logo, and things that are nobody's business."""
    files = {
        "public/root.json": NODE,
        "public/examples/random/flex.json": NODE,
        "static/Emblem.PNG": b"\x89PNG",
        "static/.hidden.txt": b"secret",
        "static/.git/config.txt": b"secret",
        "static/notes.py": b"secret",
        "static/none": b"secret",
        "sources/a.json": b"secret",
        "etc/passwd.txt": b"secret",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def got(root, path, method="GET", **headers):
    """The status, the headers and the body of a file; None where none answers."""
    served = serve(str(root), method, path, {name.replace("_", "-"): text for name, text in headers.items()})
    if served is None:
        return None
    body = b"".join(served)
    served.close()
    assert len(body) == served.size
    return served.status, dict(served.headers), body


@pytest.mark.parametrize("path", ["/root.json", "/ROOT.json", "//root.json", "/source/root.json"])
def test_a_node_is_found_without_regard_to_case(root, path):
    status, headers, body = got(root, path)
    assert (status, body) == (200, NODE)
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(NODE))
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Vary"] == "Accept-Encoding"
    assert headers["Cache-Control"].startswith("public, max-age=")


def test_a_definition_is_below_its_source(root):
    assert got(root, "/source/Examples//Random/flex.json")[2] == NODE


def test_what_pages_are_made_of_has_names_as_they_are_written(root):
    assert got(root, "/static/Emblem.PNG")[1]["Content-Type"] == "image/png"
    assert got(root, "/static/emblem.png") is None


def test_a_root_may_have_its_own_in_place_of_what_comes_with_dasflex(root):
    shipped = got(root, "/static/logo.png")[2]
    (root / "static" / "logo.png").write_bytes(b"ours")
    assert got(root, "/static/logo.png")[2] == b"ours" != shipped


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/static/",
        "/static/none",
        "/static/notes.py",
        "/static/.hidden.txt",
        "/static/.git/config.txt",
        "/static/../etc/passwd.txt",
        "/static/../../etc/passwd.txt",
        "/static//../etc/passwd.txt",
        "/static/./Emblem.PNG",
        "/../sources/a.json",
        "/source/../../sources/a.json",
        "/source/examples/../../sources/a.json",
        "/examples",
        "/examples/random",
        "/root.json/",
        "/root.json\0",
        "/root.json\n",
        "/static/Emblem.PNG\udcff",
        "/" + "a/" * 4000 + "b.json",
        "/" + "a" * 300 + ".json",
        "/missing.json",
    ],
)
def test_nothing_else_is_there(root, path):
    assert find(str(root), path) is None
    assert got(root, path) is None


def test_a_link_leads_nowhere_outside(root):
    (root / "public" / "inside.json").symlink_to("root.json")
    (root / "public" / "outside.json").symlink_to("../sources/a.json")
    (root / "public" / "away").symlink_to(root / "sources")
    (root / "public" / "loop.json").symlink_to("loop.json")
    assert got(root, "/inside.json")[2] == NODE
    for path in ("/outside.json", "/away/a.json", "/loop.json"):
        assert got(root, path) is None


def test_what_is_no_plain_file_is_not_there(root):
    os.mkfifo(root / "public" / "pipe.json")
    (root / "public" / "folder.json").mkdir()
    assert got(root, "/pipe.json") is None
    assert got(root, "/folder.json") is None


@given(st.text(max_size=40))
def test_no_path_leads_outside(tmp_path_factory, path):
    root = tmp_path_factory.getbasetemp()
    found = find(str(root), f"/{path}")
    assert found is None or found.startswith((f"{root}/public/", f"{root}/static/"))


def test_the_root_itself_may_be_reached_by_a_link(root, tmp_path_factory):
    link = tmp_path_factory.mktemp("linked") / "root"
    link.symlink_to(root)
    assert got(link, "/root.json")[2] == NODE


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "get", ""])
def test_other_methods_are_answered_elsewhere(root, method):
    assert got(root, "/root.json", method) is None


def test_head_says_what_get_would(root):
    _, headers, body = got(root, "/root.json")
    status, told, nothing = got(root, "/root.json", "HEAD")
    assert (status, told, nothing) == (200, headers, b"")
    assert body


def test_dates_are_those_of_the_file(root):
    file = root / "public" / "root.json"
    os.utime(file, ns=(0, 784111777_900_000_000))
    assert got(root, "/root.json")[1]["Last-Modified"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    os.utime(file)
    told = parsedate_to_datetime(got(root, "/root.json")[1]["Last-Modified"]).timestamp()
    assert told == int(file.stat().st_mtime)


class TestWhatTheClientHas:
    def test_the_tag_is_enough(self, root):
        tag = got(root, "/root.json")[1]["ETag"]
        for asked in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            status, headers, body = got(root, "/root.json", if_none_match=asked)
            assert (status, body) == (304, b"")
            assert headers["ETag"] == tag
            assert {"Last-Modified", "Cache-Control", "Vary"} <= headers.keys()
            assert not {"Content-Length", "Content-Type"} & headers.keys()

    def test_the_date_is_enough(self, root):
        changed = got(root, "/root.json")[1]["Last-Modified"]
        assert got(root, "/root.json", if_modified_since=changed)[0] == 304
        assert got(root, "/root.json", if_modified_since="Sun, 06 Nov 1994 08:49:37 GMT")[0] == 200
        assert got(root, "/root.json", if_modified_since="last week")[0] == 200

    def test_the_tag_wins_over_the_date(self, root):
        changed = got(root, "/root.json")[1]["Last-Modified"]
        assert got(root, "/root.json", if_none_match='"other"', if_modified_since=changed)[0] == 200

    def test_a_changed_file_is_sent_again(self, root):
        tag = got(root, "/root.json")[1]["ETag"]
        file = root / "public" / "root.json"
        file.write_bytes(NODE.upper())
        os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
        assert got(root, "/root.json", if_none_match=tag)[0] == 200


class TestParts:
    @pytest.mark.parametrize(
        ("asked", "begin", "end"),
        [("bytes=2-5", 2, 6), ("bytes=3-", 3, None), ("Bytes = -4", -4, None), ("bytes=1-9999", 1, None)],
    )
    def test_one_part_is_sent_alone(self, root, asked, begin, end):
        status, headers, body = got(root, "/root.json", range=asked)
        assert (status, body) == (206, NODE[begin:end])
        first = begin % len(NODE)
        assert headers["Content-Range"] == f"bytes {first}-{first + len(body) - 1}/{len(NODE)}"
        assert headers["Content-Length"] == str(len(body))

    @pytest.mark.parametrize("asked", ["bytes=9999-", "bytes=-0", f"bytes={'9' * 30}-"])
    def test_a_part_that_is_not_there_is_416(self, root, asked):
        status, headers, body = got(root, "/root.json", range=asked)
        assert (status, body, headers["Content-Range"]) == (416, b"", f"bytes */{len(NODE)}")

    @pytest.mark.parametrize(
        "asked",
        [
            "bytes=0-1,3-4",
            "bytes=5-2",
            "bytes=",
            "bytes=-",
            "lines=1-2",
            "bytes=a-b",
            "bytes=1",
            "bytes=\u0661-",
            "9" * 99,
        ],
    )
    def test_of_what_is_no_single_part_all_is_sent(self, root, asked):
        assert got(root, "/root.json", range=asked)[::2] == (200, NODE)

    def test_a_part_of_something_else_is_not_sent(self, root):
        headers = got(root, "/root.json")[1]
        for held in (headers["ETag"], headers["Last-Modified"]):
            assert got(root, "/root.json", range="bytes=0-0", if_range=held)[0] == 206
        for held in ('"other"', f"W/{headers['ETag']}", "Sun, 06 Nov 1994 08:49:37 GMT"):
            assert got(root, "/root.json", range="bytes=0-0", if_range=held)[::2] == (200, NODE)

    def test_parts_are_offered_to_get_only(self, root):
        assert got(root, "/root.json")[1]["Accept-Ranges"] == "bytes"
        assert got(root, "/root.json", "HEAD", range="bytes=0-0")[0] == 200


class TestCompressed:
    @pytest.fixture(autouse=True)
    def beside(self, root):
        """Compressed files beside the node."""
        (root / "public" / "root.json.gz").write_bytes(gzip.compress(NODE))
        (root / "public" / "root.json.zst").write_bytes(b"zstd")

    def test_who_does_not_ask_gets_the_file(self, root):
        for headers in ({}, {"accept_encoding": ""}, {"accept_encoding": "br, deflate"}):
            _, told, body = got(root, "/root.json", **headers)
            assert body == NODE
            assert "Content-Encoding" not in told

    def test_who_asks_gets_it_compressed(self, root):
        plain = got(root, "/root.json")[1]["ETag"]
        status, told, body = got(root, "/root.json", accept_encoding="deflate, GZIP;q=0.5, zstd;q=0")
        assert status == 200
        assert told["Content-Encoding"] == "gzip"
        assert told["Content-Type"] == "application/json"
        assert gzip.decompress(body) == NODE
        assert told["ETag"] != plain
        assert got(root, "/root.json", accept_encoding="gzip, zstd")[1]["Content-Encoding"] == "zstd"

    def test_a_weight_of_nothing_is_a_refusal(self, root):
        for weight in ("q=0", "q=0.0", " q = 0.000"):
            assert "Content-Encoding" not in got(root, "/root.json", accept_encoding=f"gzip;{weight}")[1]

    def test_each_form_has_its_own_tag(self, root):
        plain = got(root, "/root.json")[1]["ETag"]
        assert got(root, "/root.json", if_none_match=plain, accept_encoding="gzip")[0] == 200

    def test_the_compressed_file_has_no_address_of_its_own(self, root):
        assert got(root, "/root.json.gz") is None

    def test_a_link_beside_it_is_not_followed(self, root):
        (root / "public" / "root.json.gz").unlink()
        (root / "public" / "root.json.gz").symlink_to("../sources/a.json")
        file = find(str(root), "/root.json")
        assert encoded(file, "gzip") == file


def test_what_is_described_is_what_is_served(root):
    file = find(str(root), "/root.json")
    status, headers, size = describe(file, Path(file).stat(), {})
    assert (status, dict(headers)) == got(root, "/root.json")[:2]
    assert size == len(NODE)


def test_a_file_that_shrinks_is_broken_off(root):
    file = root / "public" / "big.json"
    file.write_bytes(b"x" * 1_000_000)
    served = serve(str(root), "GET", "/big.json", {})
    next(served)
    os.truncate(file, 10)
    with pytest.raises(OSError, match="cut"):
        list(served)


def test_the_configuration_says_where_the_root_is(root, monkeypatch):
    (root / "etc" / "dasflex.conf").write_text("")
    monkeypatch.chdir(root)
    for config in (root, root / "etc" / "dasflex.conf", "etc/dasflex.conf", root / "dasflex.conf", f"{root}/"):
        assert root_of(str(config)) == str(root)


def test_every_media_type_can_stand_in_a_header():
    assert all(text.isascii() and text.isprintable() and "/" in text for text in MEDIA_TYPES.values())
