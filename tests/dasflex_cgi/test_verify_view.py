# SPDX-License-Identifier: GPL-3.0-or-later
"""`/verify` takes streams by every edge, says what is wrong with them, and is harmed by none."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from werkzeug.test import Client

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.app import Application
from dasflex_cgi.exchange import Asked

BROWSER = {"Accept": "text/html", "User-Agent": "Mozilla/5.0"}


def header(tag: str, text: str) -> bytes:
    return f"[{tag}]{len(text.encode()):06d}{text}".encode()


GOOD = (
    header("00", '<stream version="2.2" />\n')
    + header("01", '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\n')
    + b":01:2020-01-01T00:00:00          1\n"
)
BAD = GOOD.replace(b'type="ascii10"', b'type="asciii0"')


@pytest.fixture
def client(bare) -> Client:
    """The site by WSGI."""
    return Client(Application(dasflex_core.open(bare.root), lambda _text: None))


def configured(bare, text: str) -> Client:
    """The site with more in its configuration."""
    with Path(bare.config).open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
    return Client(Application(dasflex_core.open(bare.root), lambda _text: None))


def post(client, data, **headers):
    """The answer to a stream."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/verify", data=data, headers=headers, environ_base={"REMOTE_ADDR": "127.0.0.1"})


def test_a_stream_is_told_to_be_good_in_each_form(client):
    told = post(client, GOOD)
    assert told.status_code == 200
    assert told.text.startswith(f"ok (das2, {len(GOOD):,} bytes)\n")
    found = post(client, GOOD, Accept="application/json").json
    assert (found["verdict"], [each["packet"] for each in found["headers"]]) == ("ok", ["[00]", "[01]"])
    page = post(client, GOOD, **BROWSER)
    assert page.mimetype == "text/html"
    assert "<strong>ok</strong>" in page.text


def test_the_first_fault_of_a_stream_is_told_with_its_header(client):
    found = post(client, BAD, Accept="application/json").json
    assert found["verdict"] == "fault"
    assert [each["verdict"] for each in found["headers"]] == ["ok", "fault"]
    assert "[01]" in found["findings"][0]["place"]
    assert "asciii0" in json.dumps(found["findings"])


def test_a_form_is_read_as_browsers_send_it(client):
    data = {"stream": (io.BytesIO(GOOD), "a.d2t"), "more": "words"}
    assert post(client, data).text.startswith("ok")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (
            b"--a\r\nContent-Disposition: form-data; name=b\r\n\r\nc\r\n--a--\r\n",
            "multipart/form-data; boundary=a",
            400,
        ),
        (b"--a\r\nContent-Disposition: form-data; name=b; filename=c\r\n\r\nd", "multipart/form-data; boundary=a", 400),
        (b"--a\r\n\r\nc\r\n--a--\r\n", "multipart/form-data; boundary=a", 400),
        (b"x" * 300_000, "multipart/form-data; boundary=a", 400),
        (b"x", "multipart/form-data", 400),
        (b"--a\r\nContent-Disposition: form-data; name=b\r\n\r\nc\r\n" * 50, "multipart/form-data; boundary=a", 400),
    ],
)
def test_what_is_no_form_is_refused(client, body, kind, status):
    assert post(client, body, Content_Type=kind).status_code == status


def test_what_a_stream_says_cannot_run_in_a_page(client):
    hostile = header("00", '<stream version="<script>alert(1)</script>" />\n')
    page = post(client, hostile, **BROWSER)
    assert "<script>alert" not in page.text
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "\x1b" not in post(client, header("00", '<stream version="\x1b[2J" />\n')).text


def test_the_page_has_a_form_and_head_has_its_headers(client):
    assert 'enctype="multipart/form-data"' in client.get("/verify", environ_base={"REMOTE_ADDR": "::1"}).text
    assert client.head("/verify", environ_base={"REMOTE_ADDR": "127.0.0.1"}).data == b""


def test_a_source_is_verified_by_its_id(bare):
    bare.add("one", "headers()\nrecords(3)\n")
    client = Client(Application(dasflex_core.open(bare.root), lambda _text: None))
    query = "source=one&time=2020-01-01/2020-01-02"
    told = client.get(f"/verify?{query}", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert told.text.startswith("ok (das2")
    told = client.get("/verify?source=none", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert told.status_code == 404


def test_a_protected_source_is_verified_for_nobody_who_may_not_read_it(bare):
    bare.add("one", "headers()\nrecords(3)\n")
    definition = bare.root / "definitions" / "one" / "source.toml"
    text = definition.read_text(encoding="utf-8") + '\n[access]\nrealm = "Some Realm"\nallow = ["user:testuser"]\n'
    definition.write_text(text, encoding="utf-8")
    from dasflex_core.catalog.tree import compile_tree

    assert not compile_tree(bare.root).findings
    client = Client(Application(dasflex_core.open(bare.root), lambda _text: None))
    told = client.get("/verify?source=one&time=2020-01-01/2020-01-02", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert told.status_code in (401, 403)


def test_no_address_is_fetched(client):
    told = client.get("/verify?source=http://127.0.0.1:1/x", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert told.status_code == 404


def test_it_is_not_there_where_it_is_switched_off(bare):
    client = configured(bare, 'ENABLE_VERIFIER = "false"')
    assert client.get("/verify", environ_base={"REMOTE_ADDR": "127.0.0.1"}).status_code == 404
    assert post(client, GOOD).status_code == 405


@pytest.mark.parametrize("address", ["203.0.113.5", "2001:db8::1", "", "::ffff:203.0.113.5"])
def test_other_addresses_are_refused(client, address):
    for method in ("GET", "POST"):
        told = client.open("/verify", method=method, data=GOOD, environ_base={"REMOTE_ADDR": address})
        assert told.status_code == 403


@pytest.mark.parametrize("path", ["/", "/source/", "/verify/x", "/search"])
def test_elsewhere_nothing_is_posted(client, path):
    told = client.post(path, data=GOOD)
    assert (told.status_code, told.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_what_is_too_long_is_refused_by_what_it_says_and_by_what_it_is(bare):
    client = configured(bare, 'LIMIT_VERIFY_MEGABYTES = "0.001"')
    assert post(client, GOOD).status_code == 200
    assert post(client, GOOD + b":01:2020-01-01T00:00:00          1\n" * 50).status_code == 413
    front = Front(dasflex_core.open(bare.root), lambda _text: None)
    endless = Asked(
        method="POST", path="/verify", client="127.0.0.1", headers={"content-length": "9"}, read=lambda n: b"x" * n
    )
    assert front.answer(endless).status == 413


def test_compressed_bodies_are_refused_and_bodies_without_a_length_too(client, bare):
    assert post(client, b"\x1f\x8b", Content_Encoding="gzip").status_code == 415
    front = Front(dasflex_core.open(bare.root), lambda _text: None)
    assert front.answer(Asked(method="POST", path="/verify", client="127.0.0.1")).status == 411


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
        + ']><stream version="&j;"/>\n',
        '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><stream version="2.2">&a;</stream>\n',
        '<!DOCTYPE s SYSTEM "http://127.0.0.1:1/x"><stream version="2.2"/>\n',
        "<stream>" + "<a>" * 50_000,
        "<stream " + " ".join(f'a{n}="b"' for n in range(20_000)) + "/>",
    ],
    ids=["laughs", "file", "dtd", "deep", "attributes"],
)
def test_bombs_of_xml_do_not_go_off(client, text):
    begun = time.monotonic()
    told = post(client, header("00", text))
    assert told.status_code == 200
    assert told.text.startswith(("fault", "deviation"))
    assert "root:" not in told.text
    assert time.monotonic() - begun < 5


def test_a_bomb_of_compression_costs_neither_time_nor_memory(client, monkeypatch):
    from dasflex_cgi import verify_view

    monkeypatch.setattr(verify_view, "_SECONDS", 0.5)
    packer = zlib.compressobj(9)
    line = b":01:2020-01-01T00:00:00          1\n"
    bomb = header("00", '<stream version="2.2" compression="deflate" />\n') + packer.compress(
        GOOD[len(header("00", '<stream version="2.2" />\n')) :]
    )
    bomb += b"".join(packer.compress(line * 30_000) for _ in range(150)) + packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    told = post(client, bomb)
    assert told.status_code == 503
    assert time.monotonic() - begun < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize("warm", [False, True])
def test_cgi_reads_the_body_that_it_is_given_whether_a_server_runs_or_not(bare, serving, warm):
    if warm:
        serving("--config", bare.config, "--port", "0")
    environ = {
        "DASFLEX_CONFIG": bare.config,
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/verify",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(GOOD)),
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    code = "from dasflex_cgi.cgimain import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, input=GOOD + b"behind", capture_output=True, check=True
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"Status: 200 OK")
    assert body.startswith(f"ok (das2, {len(GOOD):,} bytes)".encode())
