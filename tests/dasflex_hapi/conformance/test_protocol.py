# SPDX-License-Identifier: GPL-3.0-or-later
"""HAPI 3.3, section 3: addresses, methods, request parameters, headers, and the versions of names; a test for each rule."""

from __future__ import annotations

import gzip
import json
from urllib.parse import urlsplit

import pytest

from tests.dasflex_hapi.conformance.conftest import HOUR

ENDPOINTS = {
    "about": {},
    "capabilities": {},
    "catalog": {},
    "info": {"dataset": "Lab_Lines"},
    "data": HOUR,
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_that_is_required_answers(hapi, endpoint):
    answer = hapi.get(endpoint, **ENDPOINTS[endpoint])
    assert (answer.status, answer.phrase) == (200, "OK; HAPI 1200 OK")


@pytest.mark.parametrize("endpoint", ["about", "capabilities", "catalog", "info"])
def test_metadata_are_json_with_version_and_status(hapi, endpoint):
    answer = hapi.get(endpoint, **ENDPOINTS[endpoint])
    assert answer.headers["Content-Type"] == "application/json"
    assert (answer.json["HAPI"], answer.json["status"]) == ("3.3", {"code": 1200, "message": "OK"})


def test_the_landing_page_lists_the_datasets_and_leads_to_their_sources(hapi):
    answer = hapi.get()
    assert answer.headers["Content-Type"].startswith("text/html")
    text = answer.body.decode()
    assert "Lab_Lines_10min" in text
    assert 'href="/source/lab/lines"' in text
    assert "/hapi/info?dataset=Lab_Lines" in text
    assert "Secret" not in text


@pytest.mark.parametrize("endpoint", ["", *ENDPOINTS])
def test_an_address_with_a_slash_behind_it_leads_to_the_one_without_and_keeps_the_query(hapi, endpoint):
    answer = hapi.get(f"{endpoint}/", asked="a=b&c=%20")
    assert answer.status == 301
    assert answer.headers["Location"] == f"/hapi{'/' if endpoint else ''}{endpoint}?a=b&c=%20"


def test_an_endpoint_that_there_is_not_is_1400(hapi):
    for name in ("nothing", "data/more", "Data"):
        answer = hapi.get(name)
        assert (answer.status, answer.code) == (400, 1400)
        assert "about, capabilities, catalog, info, data" in answer.json["status"]["message"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_but_get_and_head_is_taken(hapi, method):
    answer = hapi.get("about", method)
    assert (answer.status, answer.code) == (405, 1400)
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_head_has_the_headers_of_get_and_no_body(hapi, endpoint):
    get, head = (hapi.get(endpoint, method, **ENDPOINTS[endpoint]) for method in ("GET", "HEAD"))
    assert (head.status, head.phrase, head.body) == (200, "OK; HAPI 1200 OK", b"")
    for name in ("Content-Type", "ETag", "Access-Control-Allow-Origin", "Vary"):
        assert head.headers[name] == get.headers[name]


def test_head_of_a_refusal_is_the_same_refusal(hapi):
    answer = hapi.get("info", "HEAD", dataset="nothing")
    assert (answer.status, answer.phrase, answer.body) == (
        404,
        "Not Found; HAPI 1406 Bad request - unknown dataset id",
        b"",
    )


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("name", ["nonsense", "Dataset", "x_nonsense", "DATASET", ""])
def test_unknown_names_are_1401_at_every_endpoint_and_are_not_echoed(hapi, endpoint, name):
    answer = hapi.get(endpoint, **ENDPOINTS[endpoint], **{name: "gibberish"})
    assert (answer.status, answer.code) == (400, 1401)
    text = answer.json["status"]["message"]
    assert "gibberish" not in text
    assert "nonsense" not in text


@pytest.mark.parametrize(("endpoint", "name"), [("about", "dataset"), ("catalog", "parameters"), ("info", "start"),
                                                ("info", "format"), ("info", "depth"), ("data", "resolve_references"),
                                                ("data", "depth"), ("capabilities", "depth")])  # fmt: skip
def test_a_name_of_another_endpoint_is_unknown(hapi, endpoint, name):
    answer = hapi.get(endpoint, **ENDPOINTS[endpoint], **{name: "all"})
    assert (answer.status, answer.code) == (400, 1401)


NAMES = [
    ("dataset", "start", "stop"),
    ("id", "time.min", "time.max"),
    ("id", "start", "stop"),
    ("dataset", "time.min", "stop"),
    ("id", "start", "time.max"),
]


@pytest.mark.parametrize("names", NAMES)
def test_names_of_both_versions_are_taken_and_may_be_mixed(hapi, names):
    answer = hapi.get("data", **dict(zip(names, HOUR.values(), strict=True)))
    assert answer.status == 200
    assert answer.body == hapi.get("data", **HOUR).body


@pytest.mark.parametrize(("one", "other"), [("dataset", "id"), ("start", "time.min"), ("stop", "time.max")])
def test_both_names_of_one_thing_at_once_are_1400(hapi, one, other):
    answer = hapi.get("data", **HOUR, **{other: HOUR[one]})
    assert (answer.status, answer.code) == (400, 1400)
    assert f"{one} (or {other}) is given more than once" in answer.json["status"]["message"]


def test_a_name_that_is_given_twice_is_1400(hapi):
    answer = hapi.get("info", asked="dataset=Lab_Lines&dataset=Lab_Lines")
    assert (answer.status, answer.code) == (400, 1400)


@pytest.mark.parametrize("name", HOUR)
def test_what_is_required_and_missing_or_blank_is_1400(hapi, name):
    for asked in ({key: value for key, value in HOUR.items() if key != name}, {**HOUR, name: ""}):
        answer = hapi.get("data", **asked)
        assert (answer.status, answer.code) == (400, 1400)
        assert f"{name} (or " in answer.json["status"]["message"]


def test_a_query_that_cannot_be_read_is_1400(hapi):
    assert hapi.get("info", asked="dataset=%ff%fe").code == 1400


@pytest.mark.parametrize("query", [{}, {"dataset": "nothing"}])
@pytest.mark.parametrize("endpoint", ["info", "catalog", "data"])
def test_all_answers_may_be_read_by_pages_of_others(hapi, endpoint, query):
    answer = hapi.get(endpoint, **query)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"


def test_a_browser_may_ask_what_is_allowed(hapi):
    answer = hapi.get("data", "OPTIONS")
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("endpoint", ["about", "capabilities", "catalog", "info"])
def test_metadata_have_a_date_and_are_not_sent_to_who_has_them(hapi, endpoint):
    query = ENDPOINTS[endpoint]
    answer = hapi.get(endpoint, **query)
    assert answer.headers["Last-Modified"].endswith(" GMT")
    again = hapi.get(endpoint, headers={"If-None-Match": answer.headers["ETag"]}, **query)
    assert (again.status, again.body) == (304, b"")
    assert hapi.get(endpoint, headers={"If-None-Match": 'W/"other"'}, **query).status == 200
    if endpoint in ("catalog", "info"):
        since = {"If-Modified-Since": answer.headers["Last-Modified"]}
        assert hapi.get(endpoint, headers=since, **query).status == 304


@pytest.mark.parametrize("query", [("catalog", {"depth": "all"}), ("data", HOUR), ("data", {**HOUR, "format": "json"})])
def test_text_is_compressed_for_who_takes_it(hapi, query):
    endpoint, asked = query
    plain = hapi.get(endpoint, **asked)
    packed = hapi.get(endpoint, headers={"Accept-Encoding": "gzip"}, **asked)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert "Content-Encoding" not in plain.headers


def test_the_version_has_no_patch_and_is_told_with_refusals_too(hapi):
    for answer in (hapi.get("about"), hapi.get("info"), hapi.get("nothing")):
        assert answer.json["HAPI"] == "3.3"


def test_keys_of_our_own_begin_with_x(hapi):
    known = {"HAPI", "status", "outputFormats", "catalogDepthOptions"}
    assert {key for key in hapi.get("capabilities").json if key not in known} == {"x_outputFormats"}


def test_what_is_asked_is_written_to_the_log(hapi):
    from dasflex_core.log_reading import read_entries

    answer = hapi.get("data", **HOUR)
    log = hapi.root / "log"
    entries = [entry for entry in read_entries(log) if entry.request == answer.headers["X-Request-Id"]]
    assert [(entry.source, entry.status, entry.bytes) for entry in entries] == [("Lab/Lines", 200, len(answer.body))]


def test_hapi_can_be_switched_off(hapi, tmp_path):
    import dasflex_core
    from dasflex_core.config import read_config
    from dasflex_hapi.serving.application import application

    site = dasflex_core.open(hapi.root)
    object.__setattr__(site.config, "enable_hapi_subsys", False)
    told = []
    body = application(site)({}, lambda status, _headers: told.append(status))
    assert told == ["404 Not Found"]
    assert b"HAPI" in b"".join(body)
    assert read_config(hapi.root / "etc" / "dasflex.conf").enable_hapi_subsys


def test_an_address_of_the_server_is_none_of_hapi(hapi):
    base = urlsplit(hapi.url)
    assert json.loads(hapi.get("about").body)["id"]
    assert base.path == "/hapi"
