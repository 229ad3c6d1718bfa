# SPDX-License-Identifier: GPL-3.0-or-later
"""What das clients are told of failures: each row of the table, byte for byte, and as each client then shows it."""

from __future__ import annotations

import json
import re
from xml.sax.saxutils import unescape

import das2c_like as das2c
import java_like as java
import pytest

pytestmark = pytest.mark.integration

DAY = "time=2020-01-01/2020-01-02"
DAS2_DAY = "start_time=2020-01-01&end_time=2020-01-02"
DAS2_TEXT = "text/vnd.das2.das2stream; charset=utf-8"
DAS3_TEXT = "text/vnd.das.stream; charset=utf-8"
FIREFOX = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "User_Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
OPENING = b'[00]000025<stream version="2.2" />\n'


def canonical(body: bytes) -> tuple[str, str]:
    """The exception type and the message of a body in the one form that all das2 clients take; it must be in that form."""
    assert body.startswith(OPENING), body[:80]
    found = re.fullmatch(
        rb'\[xx\](\d{6})(<exception type="([A-Za-z]+)" message="([^"<\n]*)" />\n)', body[len(OPENING) :]
    )
    assert found, body
    assert int(found[1]) == len(found[2])
    assert not re.search(rb"&(?!(amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)", found[4])
    return found[3].decode(), unescape(found[4].decode("utf-8"), {"&quot;": '"'})


def canonical_das3(body: bytes) -> tuple[str, str]:
    """The same for das3."""
    found = re.fullmatch(
        rb"\|Sx\|\|(\d+)\|(\s*<stream [^>]+/>\n)\|Ex\|\|(\d+)\|(\s*<exception type=\"(\w+)\">([^<]*)</exception>\n)",
        body,
    )
    assert found, body
    assert (int(found[1]), int(found[3])) == (len(found[2]), len(found[4]))
    assert b'version="3.0"' in found[2]
    return found[5].decode(), unescape(found[6].decode("utf-8"))


#: Each row that is known before the first byte: the query, the status, the types of exception, what Autoplot shows,
#: and what the C library raises.
ROWS = {
    "broken": (f"dataset=Early/Exits&{DAS2_DAY}", 500, "ServerError", "ServerError", "reader", das2c.ClientError),
    "broken headed": (f"dataset=Early/ExitsHeaded&{DAS2_DAY}", 500, "ServerError", "ServerError", "reader", das2c.ClientError),
    "no time": ("dataset=Test/Line&start_time=2020-01-01", 400, "IllegalArgument", "QueryError", "Query error", das2c.BadQueryError),
    "bad time": ("dataset=Test/Line&start_time=soon&end_time=2020-01-02", 400, "IllegalArgument", "QueryError", "Query error", das2c.BadQueryError),
    "bad number": (f"dataset=Test/Line&{DAS2_DAY}&resolution=fine", 400, "IllegalArgument", "QueryError", "Query error", das2c.BadQueryError),
    "bad option": (f"dataset=Test/Options&{DAS2_DAY}&params=nonsense", 400, "IllegalArgument", "QueryError", "Query error", das2c.BadQueryError),
    "unknown": (f"dataset=Test/Nowhere&{DAS2_DAY}", 404, "NoSuchDataSource", "QueryError", "Query error", das2c.BadQueryError),
}  # fmt: skip
each_row = pytest.mark.parametrize("row", ROWS)


@each_row
def test_errors_of_das2_are_of_the_right_status_and_form(served, row):
    query, status, kind, _das3, _shown, _raised = ROWS[row]
    reply = served.get(f"/?server=dataset&{query}")
    assert (reply.status, reply["Content-Type"]) == (status, DAS2_TEXT)
    found, message = canonical(reply.body)
    assert found == kind
    assert 10 < len(message) < 2500


@each_row
def test_errors_are_shown_by_autoplot_and_raised_by_the_c_library_as_they_should(served, row):
    query, status, _kind, _das3, shown, raised = ROWS[row]
    with java.Java(served.host, served.port, served.base) as client, pytest.raises(java.ShownError) as told:
        client.plot(f"server=dataset&{query}")
    assert shown in str(told.value)
    with pytest.raises(raised) as failed:
        das2c.get(served.url(f"/?server=dataset&{query}"), served.port)
    assert (type(failed.value), failed.value.status) == (raised, status)


@pytest.mark.rows
@pytest.mark.parametrize("suffix", ["d3b", "d3t"])
@pytest.mark.parametrize(
    ("source", "query", "status", "kind"),
    [
        ("early/exits", DAY, 500, "ServerError"),
        ("test/line", "time=soon/later", 400, "QueryError"),
        ("test/line", f"{DAY}&bogus=1", 400, "QueryError"),
        ("test/nowhere", DAY, 404, "QueryError"),
    ],
)
def test_errors_of_das3_are_in_das3(served, suffix, source, query, status, kind):
    reply = served.get(f"/source/{source}/data.{suffix}?{query}")
    assert (reply.status, reply["Content-Type"]) == (status, DAS3_TEXT)
    found, message = canonical_das3(reply.body)
    assert found == kind
    assert das2c.read(reply.body).exceptions == [(found, message.strip())]


@pytest.mark.parametrize(
    ("query", "read"),
    [("format.type=das&format.version=3", canonical_das3), ("format.type=das&format.version=2", canonical), ("format.type=das", canonical), ("", canonical)],
    ids=["das3", "das2", "das", "own type"],
)  # fmt: skip
def test_errors_are_in_the_version_that_was_asked_for_or_that_the_source_writes(served, query, read):
    for source, status in (("early/exits", 500),):
        reply = served.get(f"/source/{source}/flex?{DAY}&{query}")
        assert reply.status == status
        assert read(reply.body)[1]


@pytest.mark.parametrize("source", ["Silent", "HeaderOnly", "Declared", "SaysSo"])
def test_errors_nothing_in_the_range_is_no_error(served, source):
    query = f"server=dataset&dataset=Nothing/{source}&{DAS2_DAY}"
    reply = served.get(f"/?{query}")
    assert reply.status == 200
    assert reply.type in ("application/vnd.das2.das2stream", "text/vnd.das2.das2stream")
    if source == "Silent":
        assert canonical(reply.body)[0] == "NoDataInInterval"
    assert reply.body.count(b"[00]") == 1
    with java.Java(served.host, served.port, served.base) as client, pytest.raises(java.NoDataError):
        client.plot(query)
    data = das2c.read(das2c.get(served.url(f"/?{query}"), served.port).body)
    assert (data.count, [kind for kind, _message in data.exceptions]) == (0, ["NoDataInInterval"])


@pytest.mark.parametrize("suffix", ["d3b", "d3t"])
def test_errors_nothing_in_the_range_is_said_in_das3_too(served, suffix):
    reply = served.get(f"/source/nothing/silent/data.{suffix}?{DAY}")
    assert reply.status == 200
    data = das2c.read(reply.body)
    assert (data.count, [kind for kind, _message in data.exceptions]) == (0, ["NoMatchingData"])


@pytest.mark.parametrize("source", ["ExitsLate", "CrashesLate"])
def test_errors_in_mid_stream_are_told_behind_the_data(served, source):
    query = f"server=dataset&dataset=Late/{source}&{DAS2_DAY}"
    received = served.raw(served.line(f"/?{query}") + b"\r\n")
    head, _end, body = received.partition(b"\r\n\r\n")
    data = das2c.read(body)
    if b" 200 " in head.splitlines()[0]:
        assert data.count == 100
        last = body[body.rindex(b"[xx]") :]
        assert int(last[4:10]) == len(last) - 10, "nothing comes behind the exception"
    else:
        assert b" 500 " in head.splitlines()[0]
    assert [kind for kind, _message in data.exceptions] == ["ServerError"]
    with pytest.raises(java.ShownError, match="reader"):
        java.read(body)


@pytest.mark.parametrize("suffix", ["csv", "d2t", "d3b"])
def test_errors_in_mid_stream_break_the_connection(served, suffix):
    reply = served.get(f"/source/late/dies/data.{suffix}?{DAY}")
    assert reply.status == 200
    assert (b"<exception" in reply.body) == (suffix != "csv")
    if served.name not in ("cgi", "warm"):  # there Apache ends the answer of a program that fails as if it were whole
        assert reply.broken
    record = json.loads(served.get(f"/request/{reply['X-Request-Id']}").body)
    assert not record["complete"]
    assert record["error_kind"] == "source.exit"


@pytest.mark.parametrize("suffix", ["csv", "d2t"])
def test_errors_of_the_first_of_two_programs_are_not_hidden_by_the_second(served, suffix):
    reply = served.get(f"/source/early/pipe/data.{suffix}?{DAY}")
    if reply.status == 200:  # the second wrote before it was known what had become of the first
        assert reply.broken or served.name in ("cgi", "warm")
        assert suffix == "csv" or das2c.read(reply.body).exceptions
        assert not json.loads(served.get(f"/request/{reply['X-Request-Id']}").body)["complete"]
    else:
        assert reply.status == 500


def test_errors_are_never_put_behind_a_table(served):
    body = served.get(f"/source/late/dies/data.csv?{DAY}").body
    lines = body.decode().splitlines()
    assert len(lines) > 5000
    assert all(re.fullmatch(r"2020-01-01T[\d:.]+Z?, ?\d+(\.0)?", each) for each in lines[1:]), lines[-1]


# -- who is told in which form


@pytest.mark.rows
@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/source/early/exits/data.csv?{DAY}", 500),
        (f"/source/test/line/data.csv?{DAY}&bogus=1", 400),
        ("/nowhere", 404),
        ("/source/nowhere/at/all/plan", 404),
        ("/request/nothing", 404),
        ("/answer/nothing", 404),
    ],
)
def test_others_are_told_in_plain_text_and_people_by_a_page(served, path, status):
    reply = served.get(path)
    assert (reply.status, reply["Content-Type"]) == (status, "text/plain; charset=utf-8")
    assert 10 < len(reply.body.strip()) < 3000
    assert b"<html" not in reply.body.lower()
    page = served.get(path, **FIREFOX)
    assert (page.status, page["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert b"<html" in page.body.lower()


@pytest.mark.parametrize(
    "path", [f"/source/early/exits/data.d2t?{DAY}", f"/?server=dataset&dataset=Early/Exits&{DAS2_DAY}"]
)
def test_a_person_who_asks_for_a_stream_gets_a_page(served, path):
    page = served.get(path, **FIREFOX)
    assert (page.status, page.type) == (500, "text/html")


# -- texts


HOSTILE = [
    "%3C%26%22%3E%27",
    "a%0Ab%0D%0Ac",
    "%C3%A9%E2%82%AC%F0%9F%98%80",
    "%3C/exception%3E%5Bxx%5D000000",
    "x%E2%80%A8%C2%85%0B%0C",
    "x" * 3000,
    "%EF%BF%BE%EF%BF%BF%01%1F%7F",
]


@pytest.mark.rows
@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "path",
    [
        f"/?server=dataset&dataset=Test/Options&{DAS2_DAY}&params={{}}",
        f"/?server=dataset&dataset={{}}&{DAS2_DAY}",
        "/?server={}",
        "/?server=dataset&dataset=Test/Line&start_time={}&end_time=2020-01-02",
    ],
)
def test_errors_hold_what_was_asked_without_harm(served, path, value):
    reply = served.get(path.format(value))
    assert reply.status in (400, 404)
    kind, message = canonical(reply.body)
    assert das2c.read(reply.body).exceptions == [(kind, message)]
    assert message.isprintable()
    with pytest.raises(java.ShownError):
        java.read(reply.body)


@pytest.mark.rows
@pytest.mark.parametrize("value", HOSTILE)
def test_errors_of_das3_and_pages_hold_what_was_asked_without_harm(served, value):
    reply = served.get(f"/source/test/line/data.d3t?{DAY}&{value}=1")
    assert reply.status == 400
    assert len(das2c.read(reply.body).exceptions) == 1
    page = served.get(f"/source/test/line/data.csv?{DAY}&{value}=1", **FIREFOX)
    assert page.status == 400
    assert b'<&"' not in page.body
    assert b"</exception>[xx]" not in page.body


# -- faults that the server before this one had (and that are not covered by a rule)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        (f"/source/test/whole/flex?{DAY}&bin.time.max=60&format.type=csv", 400, b"bin.time.max"),
        (f"/source/test/line/data.csv?{DAY}&nonsense=1", 400, b"nonsense"),
        (f"/source/test/line/flex?{DAY}&format.type=bogus", 400, b"bogus"),
        (f"/source/test/line/data.bogus?{DAY}", 400, b"bogus"),
        (f"/source/test/guarded/data.csv?{DAY}", 401, b"log in"),
    ],
)
def test_what_cannot_be_is_told_and_not_ignored(served, path, status, says):
    reply = served.get(path)
    assert reply.status == status
    assert says in reply.body


@pytest.mark.rows
@pytest.mark.parametrize("source", ["exits", "missing", "plain", "garbage", "html"])
@pytest.mark.parametrize("form", ["d2t", "csv", "page"])
def test_nothing_of_how_the_server_is_made_reaches_a_client(served, source, form):
    suffix, headers = ("csv", FIREFOX) if form == "page" else (form, {})
    reply = served.get(f"/source/early/{source}/data.{suffix}?{DAY}", **headers)
    assert reply.status == 500
    said = reply.body.decode() + str(reply.headers)
    for secret in (
        "Traceback",
        'File "',
        "reader.py",
        "filter.py",
        "/secret",
        str(served.root.path),
        served.root.mark,
        "python",
        ".toml",
    ):
        assert secret not in said, secret


@pytest.mark.parametrize(
    "path", [f"/source/late/exitslate/data.csv?{DAY}", f"/?server=dataset&dataset=Early/Exits&{DAS2_DAY}", "/nowhere"]
)
def test_a_failure_is_one_response(served, path):
    received = served.raw(served.line(path) + b"\r\n")
    assert received.count(b"HTTP/1.") == 1
    assert received.count(b"Content-Type:") == 1
    assert b"Status:" not in received


@pytest.mark.rows
@pytest.mark.parametrize("word", ["comma", "tab", "semicolon", "pipe", "space"])
def test_the_name_of_a_delimiter_is_not_printed(served, word):
    reply = served.get(f"/source/test/line/data.csv?{DAY}&format.delim={word}")
    assert reply.status in (200, 400)
    assert reply.status == 400 or word.encode() not in reply.body


def test_narrow_numbers_are_read_by_every_converter(served):
    for suffix in ("csv", "d2t", "d3t", "d3b"):
        reply = served.get(f"/source/test/narrow/data.{suffix}?{DAY}")
        assert reply.status == 200
        assert len(reply.body) > 2000


def test_head_runs_nothing(served):
    ran = served.root.folder("Test/Marked") / "ran"
    for path in (f"/source/test/marked/data.csv?{DAY}", f"/?server=dataset&dataset=Test/Marked&{DAS2_DAY}"):
        reply = served.get(path, "HEAD")
        assert (reply.status, reply.body) == (200, b"")
        assert reply["Content-Disposition"]
    assert not ran.exists()
    assert served.get(f"/source/test/marked/data.csv?{DAY}").status == 200
    assert ran.exists()
    ran.unlink()


@pytest.mark.parametrize(
    "path",
    [
        "/sources/test/line.json",
        "/source/test/line/internal.json",
        "/source/test/line/source.toml",
        "/source/test/line/reader.py",
        "/sources/index.json",
        "/etc/dasflex.conf",
        "/etc/passwd",
        "/static/../etc/dasflex.conf",
        "/static/%2e%2e/etc/dasflex.conf",
        "/source/%2e%2e/etc/manifest.json",
        "/static/..%2fetc%2fdasflex.conf",
        "/log/requests",
        "/run/dasflex.sock",
    ],
)
def test_nothing_but_what_is_public_is_served(served, path):
    received = served.raw(served.line(path) + b"\r\n")
    assert re.match(rb"HTTP/1\.\d (400|403|404) ", received)
    for secret in (b"SERVER_NAME", b"#[python]", b"sys.stdout", b"root:"):
        assert secret not in received


@pytest.mark.rows
@pytest.mark.parametrize(
    "value",
    ["%60touch+HARM%60", "$(touch+HARM)", "x%0Atouch+HARM", "%253Btouch+HARM", ";touch+HARM|", "x%26%26touch+HARM"],
)
def test_no_value_is_ever_given_to_a_shell(served, value):
    for path in (
        f"/?server=dataset&dataset=Test/Echo&{DAS2_DAY}&params={value}",
        f"/source/test/options/flex?{DAY}&read.text={value}",
    ):
        assert served.get(path).status == 200
    assert not list(served.root.path.rglob("HARM"))


@pytest.mark.parametrize(
    "address", [f"/?server=dataset&dataset=Test/Guarded&{DAS2_DAY}", f"/source/test/guarded/flex?{DAY}"]
)
def test_a_log_in_is_asked_for_by_the_one_header_that_autoplot_and_the_c_library_read(served, address):
    """Nothing stands behind the realm, and the body is short: the one matches the whole header, the other drains it."""
    reply = served.get(address)
    assert (reply.status, reply["WWW-Authenticate"]) == (401, 'Basic realm="The team"')
    assert reply["Content-Type"].startswith("text/plain")
    assert 0 < len(reply.body) < 500
