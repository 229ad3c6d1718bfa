# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of the server for programs: it is sound, it is of what is there, and the server does what it says."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from openapi_spec_validator import validate

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.das2_views import SERVERS
from dasflex_cgi.exchange import Asked
from dasflex_core.catalog.published_names import OPENAPI
from dasflex_core.upkeep.coverage import Coverage, coverage_path

LIVE = """
title = "Live"
contacts = { technical = "A <a@example.org>" }
reader = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text", live = true }
example = [{ time = "2020-01-01 to 2020-01-02" }]
"""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
#: What a browser says of itself.
BROWSER = ("Accept:text/html", "User-Agent:Mozilla/5.0")


@pytest.fixture(scope="module")
def front(examples):
    """The front-end of the examples."""
    made = Front(dasflex_core.open(examples.root), lambda _text: None)
    yield made
    made.end()


def get(front, path, **headers):
    """The status, the headers and the body of an answer; parameters may stand behind the path."""
    path, _, query = path.partition("?")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = front.answer(
        Asked(method="GET", path=path, query=query, origin="http://here:81", base="/x", headers=named)
    )
    if isinstance(answer.body, bytes):
        return answer.status, dict(answer.headers), answer.body
    with closing(answer.body) as body:
        return answer.status, dict(answer.headers), b"".join(body)


def described(front):
    """The description as an object of JSON."""
    return json.loads(get(front, "/openapi.json")[2])


def test_the_description_is_valid_openapi_with_sources_and_without(front, bare):
    validate(described(front))
    empty = described(Front(dasflex_core.open(bare.root), lambda _text: None))
    validate(empty)
    (bare.root / "public" / "openapi.lines").unlink()
    lost = described(Front(dasflex_core.open(bare.root), lambda _text: None))
    assert empty["paths"].keys() == lost["paths"].keys()
    assert described(front)["paths"].keys() - lost["paths"].keys() == {
        f"/source/examples/{name}/flex"
        for name in ("auth", "ephemeris", "live", "params", "random", "spectra", "waveform")
    }


def test_it_says_where_the_server_is_as_the_client_wrote_it(front):
    assert described(front)["servers"] == [{"url": "http://here:81/x"}]


def test_every_route_and_every_file_that_is_served_is_described(front, examples):
    paths = described(front)["paths"]
    patterns = [re.compile(re.sub(r"{\w+}", ".+", each.replace(".", "[.]"))) for each in paths]
    asked = [*front.said(Asked(method="GET", path="/")), "/das/server", "/das/das2server", "/source/", "/source/a/"]
    asked += [f"/source/a/{what}" for what in ("plan", "data.csv", "flexrt.json")]
    asked += [f"/source/{each.lower()}/flex" for each in front.site]
    public = examples.root / "public"
    files = [each.relative_to(public).as_posix() for each in public.rglob("*") if each.name != OPENAPI]
    files = [each for each in files if (public / each).is_file()]
    asked += [f"/source/{each}" if each.startswith("examples") else f"/{each}" for each in files]
    assert len(files) > 30
    assert [each for each in asked if not any(pattern.fullmatch(each) for pattern in patterns)] == []
    assert paths["/"]["get"]["parameters"][0]["schema"]["enum"] == [*SERVERS]


def test_every_operation_is_a_route(front, bare, wait_until):
    query = "read.time.min=1979-03-01T12:27&read.time.max=1979-03-01T12:27:01"
    run = get(front, f"/source/examples/waveform/flex?{query}")[1]
    answer = json.loads(get(front, f"/source/examples/waveform/plan?{query}&format=json")[2])["answer"]
    job = json.loads(get(front, f"/source/examples/waveform/flex?{query}", prefer="respond-async")[2])["job"]
    assert wait_until(lambda: json.loads(get(front, f"/jobs/{job}")[2])["state"] == "complete", 20)
    bare.add("live", "headers()\nrecords(2)\n", LIVE)
    install(bare.root)
    live = Front(dasflex_core.open(bare.root), lambda _text: None)
    measured = coverage_path(front.site.config, "Examples/Waveform")
    measured.parent.mkdir(parents=True, exist_ok=True)
    measured.write_bytes(Coverage("Examples/Waveform", 0, 60, (1,)).plain())
    for path, item in described(front)["paths"].items():
        params = item.get("get", {}).get("parameters", ())
        named = {each["name"]: each.get("example", "csv") for each in params if each.get("in") == "path"}
        named |= {
            "/request/{id}": {"id": run["X-Request-Id"]},
            "/answer/{id}": {"id": answer},
            "/jobs/{id}": {"id": job},
            "/jobs/{id}/result": {"id": job},
        }.get(path, {})
        who = front
        if "flexrt" in path:
            who, named = live, {"id": "live"}
        for name, value in named.items():
            path = path.replace(f"{{{name}}}", value)  # noqa: PLW2901  it is filled in
        status = get(who, f"{path}?{query}")[0]
        assert status == (401 if "/auth/" in path else 403 if path == "/verify" else 200), path


def test_the_guide_to_addresses_has_those_that_are_described(front):
    text = (Path(__file__).parents[2] / "docs" / "reference" / "addresses.md").read_text(encoding="utf-8")
    told = {each for row in re.findall(r"^\| (`/.*?) \|", text, re.MULTILINE) for each in re.findall(r"`(.*?)`", row)}
    paths = {re.sub(r"{(\w+)}", lambda name: name[1].upper(), each) for each in described(front)["paths"]}
    # The log viewer is for those whom the administrator lets in, and no part of what the server offers.
    assert told - {"/log/"} == {each for each in paths if not each.endswith("/flex")} | {"/source/ID/flex"}


def test_it_is_sent_as_a_file_is(front):
    status, headers, body = get(front, "/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert int(headers["Content-Length"]) == len(body)
    assert get(front, "/openapi.json", if_none_match=headers["ETag"])[::2] == (304, b"")
    _status, packed, coded = get(front, "/openapi.json", accept_encoding="gzip")
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(coded) == body
    assert packed["ETag"] != headers["ETag"]
    assert packed["Vary"] == headers["Vary"] == "Accept-Encoding"


def test_what_an_install_changes_is_there_at_once_under_another_tag(bare):
    front = Front(dasflex_core.open(bare.root), lambda _text: None)
    before = get(front, "/openapi.json")[1]["ETag"]
    bare.add("one", "headers()\nrecords(2)\n")
    install(bare.root)
    _status, headers, body = get(front, "/openapi.json", if_none_match=before)
    assert "/source/one/flex" in json.loads(body)["paths"]
    assert headers["ETag"] != before


def install(root) -> None:
    """Installs the definitions of a root as its administrator does."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    subprocess.run([sys.executable, "-c", code, "install", "--root", str(root)], check=True, capture_output=True)


def checked(server, *options: str):
    """A run of schemathesis against a server, which must find nothing."""
    here = Path(__file__).parent
    program = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.base}openapi.json"]
    fixed = ["--checks", CHECKS, "--generation-deterministic", "--no-shrink", "--no-color", "--request-timeout", "30"]
    environ = {**os.environ, "PYTHONPATH": str(here), "SCHEMATHESIS_HOOKS": "openapi_hooks"}
    done = subprocess.run(
        [*program, *fixed, *options], cwd=server.cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    return done.stdout


@pytest.fixture
def server(serving, examples, tmp_path):
    """A server of the examples; schemathesis writes where it runs."""
    made = serving("--port", "0", "--no-socket", "--config", examples.config)
    made.cwd = tmp_path
    return made


@pytest.mark.slow
@pytest.mark.integration
def test_whatever_is_asked_of_sources_nothing_fails_and_nothing_is_answered_that_is_not_described(server, examples):
    told = checked(server, "--phases", "examples,fuzzing", "-n", "20")
    assert re.search(r"[4-9]\d\d generated", told), told[-2000:]
    log = "".join(each.read_text(errors="replace") for each in (examples.root / "log").glob("*.log"))
    answered = Counter(re.findall(r'GET "/source/examples/(\w+)/flex\?[^"]*" 200', log))
    assert min(answered[name] for name in ("ephemeris", "params", "random", "spectra", "waveform")) >= 5, answered


@pytest.mark.slow
@pytest.mark.integration
def test_at_the_edges_of_what_may_be_asked_of_the_server_itself_the_same_holds(server):
    checked(server, "--phases", "coverage", "--exclude-path-regex", "/flex$")


@pytest.mark.slow
@pytest.mark.integration
def test_a_browser_gets_what_is_described_too(server):
    headers = [word for each in BROWSER for word in ("-H", each)]
    checked(server, "--phases", "examples,fuzzing", "-n", "5", *headers)
