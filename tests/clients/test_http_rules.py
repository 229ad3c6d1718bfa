# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients of das servers need of HTTP, one rule after the other, behind each way of serving.

The rules are numbered as our notes on those clients number them, and each test carries its number. H9, H10 and H14 are
about what an administrator publishes; `dasflex check` looks after them.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
import time
from contextlib import closing
from http.client import HTTPConnection

import das2c_like as das2c
import java_like as java
import pytest

pytestmark = pytest.mark.integration

DAY = "time=2020-01-01/2020-01-02"
DAS2_DAY = "start_time=2020-01-01&end_time=2020-01-02"
LINE = f"/source/test/line/flex?{DAY}"
FIREFOX = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
JAVA = {name.replace("-", "_"): value for name, value in java.HEADERS.items() if name != "Connection"}
#: One answer of each sort, and its status.
SORTS = {
    "data": (LINE, 200),
    "das2": (f"/?server=dataset&dataset=Test/Line&{DAS2_DAY}", 200),
    "csv": (f"/source/test/line/data.csv?{DAY}", 200),
    "das3": (f"/source/test/line/data.d3b?{DAY}", 200),
    "nothing": (f"/?server=dataset&dataset=Nothing/Silent&{DAS2_DAY}", 200),
    "plan": (f"/source/test/line/plan?{DAY}", 200),
    "list": ("/?server=list", 200),
    "id": ("/?server=id", 200),
    "logo": ("/?server=logo", 200),
    "front": ("/", 200),
    "id.json": ("/id.json", 200),
    "flex.json": ("/source/test/line/flex.json", 200),
    "directory": ("/source/", 200),
    "bad": (f"/?server=dataset&dataset=Test/Line&{DAS2_DAY}&end_time=1999-01-01", 400),
    "keyword": ("/?server=nonsense", 400),
    "unknown": (f"/?server=dataset&dataset=Test/Nowhere&{DAS2_DAY}", 404),
    "nowhere": ("/nothing/here", 404),
    "refused": (f"/?server=dataset&dataset=Test/Guarded&{DAS2_DAY}", 401),
    "broken": (f"/?server=dataset&dataset=Early/Exits&{DAS2_DAY}", 500),
    "broken csv": (f"/source/early/exits/data.csv?{DAY}", 500),
}
each_sort = pytest.mark.parametrize("sort", SORTS)


# -- H1


@each_sort
def test_h1_http_1_0_gets_an_unchunked_body_that_ends_with_the_connection(served, seen_raw, sort):
    path, status = SORTS[sort]
    received, seconds = seen_raw(served, path)
    assert seconds < 5, "it did not close"
    head, end, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    assert end
    assert int(lines[0].split()[1]) == status
    assert "Connection: close" in lines
    assert not [each for each in lines if each.lower().startswith(("transfer-encoding", "trailer"))]
    assert not re.match(rb"[0-9A-Fa-f]+\r\n", body), "the body is chunked"
    assert body


def test_h1_the_strict_client_reads_what_the_reader_wrote(served):
    fetched = das2c.get(served.url(f"/?server=dataset&dataset=Test/Line&{DAS2_DAY}"), served.port)
    data = das2c.read(fetched.body)
    assert (data.version, data.count, data.exceptions) == ("2.2", 100, [])
    assert fetched.content_type.startswith(("application/vnd.das2.das2stream", "text/vnd.das2.das2stream"))


def test_h1_a_long_body_is_whole_and_not_chunked(served):
    fetched = das2c.get(served.url(f"/?server=dataset&dataset=Test/Long&{DAS2_DAY}"), served.port)
    assert das2c.read(fetched.body).count == 20_000


def test_h1_a_connection_that_asks_to_be_kept_is_no_trouble(served):
    with java.Java(served.host, served.port, served.base) as client:
        for _ in range(3):
            assert client.plot(f"server=dataset&dataset=Test/Line&{DAS2_DAY}").records == 100
            with pytest.raises(java.ShownError):
                client.plot("server=nonsense")
            assert client.name()


# -- H2


@each_sort
def test_h2_the_whole_header_is_below_2048_bytes(served, seen_raw, sort):
    head = seen_raw(served, SORTS[sort][0])[0].partition(b"\r\n\r\n")[0]
    assert len(head) + 4 < 2048


@pytest.mark.rows
@pytest.mark.parametrize("size", [900, 6000])
@pytest.mark.parametrize(
    "path",
    [
        "/?server=dataset&dataset=Test/Echo&start_time=2020-01-01&end_time=2020-01-02&params={}",
        "/source/test/options/data.csv?time=2020-01-01/2020-01-02&read.text={}",
        "/source/test/options/flex?time=2020-01-01/2020-01-02&format.type={}",
        "/source/test/options/flex?time={}",
        "/?server=dataset&dataset={}&start_time=2020-01-01&end_time=2020-01-02",
        "/?server={}",
        "/source/test/moved/flex?time=2020-01-01/2020-01-02&read.text={}",
        "/{}",
        "/request/{}",
        "/answer/{}",
    ],
)
def test_h2_no_value_makes_the_header_longer(served, path, size):
    request = served.line(path.format("x" * size)) + b"Host: " + b"h" * 300 + b"\r\n\r\n"
    head = served.raw(request).partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.")
    assert len(head) + 4 < 2048


# -- H3


@each_sort
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_h3_names_of_headers_are_in_canonical_case(served, seen, sort, method):
    names = [name for name, _value in seen(served, SORTS[sort][0], method).headers]
    for name in names:
        assert re.fullmatch(r"ETag|WWW-Authenticate|[A-Z][a-z]*(-[A-Z][a-z]*)*", name), name
    assert "Content-Type" in names


def test_h3_the_file_name_and_the_place_of_a_redirect_are_found_by_exact_bytes(served):
    fetched = das2c.get(served.url(f"/?server=dataset&dataset=Test/Line&{DAS2_DAY}"), served.port)
    assert fetched.file_name.startswith("Test_Line_2020-01-01T00-00-00_2020-01-02T00-00-00")
    fetched = das2c.get(served.url(f"/source/test/moved/flex?{DAY}"), served.port)
    assert das2c.read(fetched.body).count == 100


# -- H4


@each_sort
def test_h4_nothing_is_encoded_that_was_not_asked_for(served, seen, sort):
    reply = seen(served, SORTS[sort][0])
    assert not reply["Content-Encoding"]
    assert not reply.body.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))


@pytest.mark.rows
@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0, zstd;q=0", "*;q=0, identity"])
@pytest.mark.parametrize("sort", ["das2", "csv", "list", "flex.json", "broken"])
def test_h4_nothing_is_encoded_that_was_refused(served, sort, accepted):
    assert served.get(SORTS[sort][0], Accept_Encoding=accepted)["Content-Encoding"] in ("", "identity")


def test_h4_what_was_asked_for_is_the_same_when_decoded(served):
    plain = served.get(f"/source/test/long/data.csv?{DAY}")
    reply = served.get(f"/source/test/long/data.csv?{DAY}", Accept_Encoding="gzip")
    if reply["Content-Encoding"]:
        assert gzip.decompress(reply.body) == plain.body
        assert "Accept-Encoding" in reply["Vary"]
    else:
        assert reply.body == plain.body
    assert "Accept-Encoding" in plain["Vary"]


# -- H5


@pytest.mark.parametrize("sort", [each for each, (_path, status) in SORTS.items() if status == 200])
def test_h5_success_is_exactly_200(served, seen, sort):
    plain = seen(served, SORTS[sort][0])
    assert (plain.status, plain["Content-Range"]) == (200, "")
    if served.name == "serve" and sort != "flex.json":  # of files, and by Apache of what is short, there are parts
        part = served.get(SORTS[sort][0], Range="bytes=0-9")
        assert (part.status, len(part.body)) == (200, len(plain.body))


# -- H6


OLD = [
    f"/?server=dataset&dataset=Test/Moved&{DAS2_DAY}",
    f"/?dataset=test%2Fmoved.dsdf&server=dataset&{DAS2_DAY}&params=",
    f"/source/test/moved/flex?{DAY}",
    f"/source/Test/Moved/data.d2t?{DAY}",
    f"/?server=dataset&dataset=Test/Old&{DAS2_DAY}",
    f"/?server=dataset&dataset=test%2Fold.dsdf&{DAS2_DAY}",
    f"/?server=dataset&dataset=Gone/Long_ago&{DAS2_DAY}&params=",
    f"/source/test/old/flex?{DAY}",
    f"/source/Gone/Long_Ago/data.d2t?{DAY}",
]


@pytest.mark.parametrize("path", OLD)
def test_h6_a_source_that_has_moved_is_found_by_every_client(served, path):
    fetched = das2c.get(served.url(path), served.port)
    assert das2c.read(fetched.body).count == 100
    with java.Java(served.host, served.port, served.base) as client:
        assert client.plotted(client.fetch(served.base + path)).records == 100


@pytest.mark.rows
@pytest.mark.parametrize("path", [*OLD, "/source", "/source/test", "/source/test/line", "/source/test/line/"])
def test_h6_redirects_are_absolute_short_few_and_of_the_right_status(served, path):
    reply = served.get(path)
    for _ in range(3):
        if reply.status < 300 or reply.status >= 400:
            break
        assert reply.status in (301, 302, 307, 308)
        location = reply["Location"]
        assert re.match(r"https?://127\.0\.0\.1(:\d+)?/", location), "it is not absolute"
        assert len(location) < 1024
        assert location.startswith(f"http://127.0.0.1:{served.port}{served.base}/"), "it leads elsewhere"
        assert location.isascii()
        reply = served.get(location.removeprefix(f"http://127.0.0.1:{served.port}{served.base}"))
    assert reply.status == 200


@pytest.mark.rows
@pytest.mark.parametrize("value", ["%2B5.5%25+V", "a%20b+c", "%E2%82%AC", "a%26b%3Dc", "~!*()'"])
def test_h6_the_query_of_a_redirect_is_copied_byte_for_byte(served, value):
    query = f"{DAY}&read.text={value}&x=%41"
    reply = served.get(f"/source/test/moved/flex?{query}")
    assert reply.status // 100 == 3
    assert reply["Location"].partition("?")[2] == query


@pytest.mark.rows
@pytest.mark.parametrize("size", [700, 880, 950, 1000, 3000, 6000])
def test_h6_no_place_is_longer_than_there_is_room_for(served, size):
    reply = served.get(f"/source/test/moved/flex?{DAY}&bin.time.max={'6' * size}")
    assert len(reply["Location"]) < 1024
    assert (reply.status in (301, 302, 307, 308)) == bool(reply["Location"])
    assert reply["Location"] or size > 900, "an address that is short enough is given"


# -- H7


def test_h7_java_is_no_browser_though_it_accepts_html(served):
    reply = served.get(f"/?server=dataset&dataset=Early/Exits&{DAS2_DAY}", **JAVA)
    assert (reply.status, reply.type) == (500, "text/vnd.das2.das2stream")
    reply = served.get(f"/?server=dataset&dataset=Test/Line&{DAS2_DAY}&ascii=1", **JAVA)
    assert reply.type == "text/vnd.das2.das2stream"
    assert served.get(f"/source/test/line/data.csv?{DAY}", **JAVA).type == "text/csv"


def test_h7_a_browser_is_shown_text_and_pages(served):
    assert served.get(f"/source/test/line/data.csv?{DAY}", **FIREFOX)["Content-Type"] == "text/plain; charset=utf-8"
    assert served.get(f"/source/test/line/data.d2t?{DAY}", **FIREFOX)["Content-Type"] == "text/plain; charset=utf-8"
    reply = served.get(f"/source/test/line/data.d2t?{DAY}&bogus=1", **FIREFOX)
    assert (reply.status, reply.type) == (400, "text/html")
    assert b"bogus" in reply.body


@pytest.mark.rows
@pytest.mark.parametrize(
    "headers",
    [
        {"User_Agent": "Mozilla/5.0", "Accept": "*/*"},
        {"User_Agent": "curl/8", "Accept": "text/html"},
        {"User_Agent": "Mozilla/5.0"},
        {"Accept": "text/html"},
    ],
    ids=["agent", "accept", "agent alone", "accept alone"],
)
def test_h7_one_sign_of_two_makes_no_browser(served, headers):
    assert served.get(f"/source/test/line/data.csv?{DAY}", **headers).type == "text/csv"
    assert served.get(f"/?server=dataset&dataset=Early/Exits&{DAS2_DAY}", **headers).type == "text/vnd.das2.das2stream"


def test_h7_what_decides_is_said_to_caches(served):
    vary = served.get(f"/source/test/line/data.csv?{DAY}")["Vary"]
    assert "Accept" in re.split(r", *", vary)
    assert "User-Agent" in vary


# -- H11


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("/?", "text/html"),
        ("/id.json?", "application/json"),
        ("/source/test/line/flex.json?", "application/json"),
        ("/?server=list", "text/plain"),
        ("?server=list", "text/plain"),
        ("//?server=list", "text/plain"),
        ("///source//test///line//flex.json?", "application/json"),
        (f"//source//test/line//flex?{DAY}", "application/vnd.das2.das2stream"),
    ],
)
def test_h11_empty_queries_missing_paths_and_double_slashes_are_tolerated(served, path, type_):
    if path.startswith("?") and not served.base:
        path = "/" + path
    head, _end, body = served.raw(served.line(path) + b"Host: 127.0.0.1\r\n\r\n").partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert f"Content-Type: {type_}".encode() in head
    assert body


@pytest.mark.rows
@pytest.mark.parametrize(
    "head",
    ["", "Host: x\r\n", "Host: x\r\nAccept:\r\n", "Host: x\r\nUser-Agent:\r\n", "Host: x\r\nAccept: ;;q=,\r\n"],
    ids=["none", "host", "empty accept", "empty agent", "odd accept"],
)
def test_h11_headers_that_are_missing_or_empty_are_tolerated(served, head):
    received = served.raw(served.line(f"/source/test/line/data.csv?{DAY}") + head.encode() + b"\r\n")
    assert b" 200 " in received.splitlines()[0]
    assert received.count(b"\n2020-01-01") == 100


@pytest.mark.parametrize("path", ["/?server=id", LINE, "?server=id"])
def test_h11_the_absolute_form_is_tolerated(served, path):
    request = f"GET http://127.0.0.1{served.base}{path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode()
    assert b" 200 " in served.raw(request).splitlines()[0]


def test_h11_a_query_without_a_path_is_tolerated(ways):
    received = ways["serve"].raw(b"GET ?server=id HTTP/1.0\r\n\r\n")  # Apache itself refuses it, and has a path anyhow
    assert b" 200 " in received.splitlines()[0]


# -- H12


@pytest.mark.parametrize("path", ["/source/test/line/flex.json"])
def test_h12_what_is_published_has_a_date_and_can_be_asked_about(served, path):
    reply = served.get(path)
    told = served.get(path, "HEAD")
    assert (reply.status, told.status, told.body) == (200, 200, b"")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply["Last-Modified"])
    assert told["Last-Modified"] == reply["Last-Modified"]
    assert told["Content-Length"] in ("", str(len(reply.body)))
    assert served.get(path, If_Modified_Since=reply["Last-Modified"]).status == 304
    assert served.get(path, Cache_Control="no-cache").status == 200


@pytest.mark.parametrize("path", ["/source/test/line/", "/source/test/", "/source/", "/"])
def test_h12_the_directory_above_a_published_file_is_there(served, path):
    assert served.get(path).status == 200
    assert served.get(path, **JAVA).status == 200


# -- H13


def test_h13_the_body_does_not_depend_on_the_host_or_the_version(served):
    bodies = set()
    for host in (
        "",
        "Host: 127.0.0.1\r\n",
        "Host: 127.0.0.1:80\r\n",
        "Host: das.example.org\r\n",
        "Host: [::1]:8080\r\n",
    ):
        received = served.raw(served.line(LINE) + host.encode() + b"\r\n")
        assert b" 200 " in received.splitlines()[0], host
        bodies.add(received.partition(b"\r\n\r\n")[2])
    for version in ("1.0", "1.1"):
        with closing(HTTPConnection(served.host, served.port, timeout=10)) as connection:
            connection._http_vsn_str = f"HTTP/{version}"
            connection.request("GET", served.base + LINE)
            bodies.add(connection.getresponse().read())
    assert len(bodies) == 1
    assert bodies.pop().count(b":01:2020") == 100


def test_h13_nothing_of_http_1_1_is_needed(served):
    head = b"Host: x\r\nConnection: close\r\nTE: trailers\r\nExpect: 100-continue\r\n\r\n"
    received = served.raw(served.line(LINE, "1.1") + head)
    lines = received.partition(b"\r\n\r\n")[0].splitlines()
    assert not [each for each in lines if each.lower().startswith(b"trailer:")]
    assert b" 200 " in received
    last = received[-200:]
    assert last.endswith((b"\n", b"0\r\n\r\n"))
    assert b"HTTP/1.1" not in last


# -- H15


@each_sort
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_h15_there_is_always_a_content_type(served, seen, sort, method):
    path, status = SORTS[sort]
    reply = seen(served, path, method)
    assert reply.status == status or method == "HEAD"  # what only running it tells is not known to HEAD
    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+(; ?charset=utf-8)?", reply["Content-Type"])


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "POST"), (LINE, "PUT"), (LINE, "DELETE"), (LINE, "OPTIONS"), (f"/source/test/moved/flex?{DAY}", "GET")],
)
def test_h15_other_methods_and_redirects_have_a_content_type_too(served, path, method):
    reply = served.get(path, method, Content_Length="0")
    assert reply["Content-Type"] or reply.status == 204


# -- what is said of data (the requests of the server that users know)


@pytest.mark.parametrize(
    ("path", "name", "shown"),
    [
        (LINE, "Test_Line_2020-01-01T00-00-00_2020-01-02T00-00-00.d2s", "attachment"),
        (f"/source/test/line/data.csv?{DAY}", "Test_Line_2020-01-01T00-00-00_2020-01-02T00-00-00.csv", "inline"),
        (f"/source/test/line/data.d2t?{DAY}", "Test_Line_2020-01-01T00-00-00_2020-01-02T00-00-00.d2t", "inline"),
        (f"/source/test/options/data.csv?{DAY}&read.choice=red&read.count=3", r"Test_Options_2020-01-01\S*red\S*\.csv", "inline"),
        (f"/?server=dataset&dataset=Test/Echo&{DAS2_DAY}&params=5V", r"Test_Echo_2020-01-01\S*5V\S*\.d2s", "attachment"),
    ],
)  # fmt: skip
def test_the_file_name_is_made_of_source_range_and_options(served, path, name, shown):
    found = re.fullmatch(rf'{shown}; filename="({name})"', served.get(path)["Content-Disposition"])
    assert found
    assert "FixMe" not in found[1]


@each_sort
def test_every_answer_may_be_read_by_pages_of_other_sites(served, seen, sort):
    assert seen(served, SORTS[sort][0])["Access-Control-Allow-Origin"] == "*"


def test_each_header_stands_on_its_own_line_and_none_is_out_of_date(served, seen):
    for path, _status in SORTS.values():
        reply = seen(served, path)
        names = [name for name, _value in reply.headers]
        assert len(names) == len(set(names)), names
        assert "Content-Disposition" not in reply["Content-Type"]
        assert reply["Expires"] != "now"


def test_a_request_can_be_asked_about_afterwards(served):
    reply = served.get(f"/source/test/line/data.csv?{DAY}")
    record = json.loads(served.get(f"/request/{reply['X-Request-Id']}").body)
    assert record["complete"]
    assert record["bytes"] == len(reply.body)


# -- H8: last, since it waits; the requests are under way while the other tests run


@pytest.fixture(scope="session", autouse=True)
def waited(request):
    """Requests of readers that are silent for 23 s, with the moments at which bytes came, by server and source."""
    if not any("test_h8" in item.name for item in request.session.items):
        yield {}
        return
    ways = request.getfixturevalue("ways")
    results, threads = {}, []

    def ask(way, name):
        served = ways[way]
        moments, received, begun = [], b"", time.monotonic()
        path = f"/?server=dataset&dataset={name}&{DAS2_DAY}"
        with served.connection(60) as connection:
            connection.sendall(served.line(path) + b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n")
            while chunk := connection.recv(65536):
                moments.append(time.monotonic() - begun)
                received += chunk
        results[way, name] = moments, received

    for way in ways:
        for name in ("Slow/Begins", "Slow/Pauses"):
            threads.append(threading.Thread(target=ask, args=(way, name), daemon=True))
            threads[-1].start()

    def result(way, name):
        deadline = time.monotonic() + 60
        while (way, name) not in results and time.monotonic() < deadline:
            time.sleep(0.1)
        return results[way, name]

    yield result


@pytest.mark.parametrize(("name", "records"), [("Slow/Begins", 100), ("Slow/Pauses", 20)])
def test_h8_no_client_waits_longer_than_twenty_seconds_for_a_sign(served, waited, name, records):
    moments, received = waited(served.name, name)
    pauses = [after - before for before, after in zip([0.0, *moments], moments, strict=False)]
    assert max(pauses) < 22, "the reader is silent for 23 s; a comment should have come after 20"
    head, _end, body = received.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    data = das2c.read(body)
    assert (data.count, data.exceptions) == (records, [])
    assert data.comments
    assert java.read(body).records == records
