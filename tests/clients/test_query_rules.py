# SPDX-License-Identifier: GPL-3.0-or-later
"""What das2 clients ask, in all the ways in which they spell it; each test carries the number of its rule."""

from __future__ import annotations

import ast
import re
from itertools import permutations
from urllib.parse import quote

import das2c_like as das2c
import java_like as java
import pytest

pytestmark = pytest.mark.integration

DAS2_DAY = "start_time=2020-01-01&end_time=2020-01-02"
NEVER_SENT = ("reader", "reducer", "readAccess", "groupAccess", "compressor", "coverageReducer")


def asked(served, rest: str, dataset: str = "Test/Echo", day: str = DAS2_DAY) -> list[str]:
    """The arguments with which the reader of a das2 query was started."""
    fetched = das2c.get(served.url(f"/?server=dataset&dataset={dataset}&{day}&{rest}"), served.port)
    [echoed] = [value for kind, value in das2c.read(fetched.body).comments if kind == "log:info" and _is_hex(value)]
    return ast.literal_eval(bytes.fromhex(echoed).decode())


def _is_hex(text: str) -> bool:
    return bool(re.fullmatch(r"([0-9a-f]{2})+", text))


@pytest.fixture
def java_client(served):
    """The Java client, at the base of the server."""
    with java.Java(served.host, served.port, served.base) as client:
        yield client


# -- Q1


@pytest.mark.parametrize("base", ["/das/server", "/das/das2Server"])
def test_q1_the_present_and_the_historic_place_are_both_a_base(served, base):
    url = f"http://127.0.0.1{base}?server=dataset&dataset=Test/Line&{DAS2_DAY}"
    assert das2c.read(das2c.get(url, served.port).body).count == 100
    with java.Java(served.host, served.port, base) as client:
        assert client.name()
        assert client.plot(f"server=dataset&dataset=Test/Line&{DAS2_DAY}").records == 100


# -- Q2


def test_q2_id_and_logo_are_a_name_and_a_picture(java_client):
    assert java_client.name() == "Test Server"
    assert java_client.logo() in ("png", "gif", "jpeg")


@pytest.mark.parametrize("keyword", ["list", "discovery"])
def test_q2_the_list_has_every_source_below_directories_that_come_first(java_client, keyword):
    tree = java_client.tree(keyword)
    assert "Test/Line" in tree
    assert "Test/" in tree
    assert tree["Test/Line"].startswith("The source Test/Line: 5 ")
    assert "The source" not in tree["Test/"], "a directory shows the description of its first child"
    assert "Test/Old" not in tree


def test_q2_the_description_is_what_both_java_readers_take(served, java_client):
    for dataset in ("Test/Line", "test%2Fline", "Test/Line.dsdf"):
        found = java_client.descriptor(dataset)
        assert found == java_client.panel(dataset)
        assert found["description"] == "The source Test/Line: 5 µV < Ω & more | others"
        assert re.match(r"2020-01-01\S* to 2020-01-02", found["exampleRange_00"])
        assert "somebody@example.org" in found["techContact"]
        assert not [key for key in found if key.startswith(NEVER_SENT)]
    assert java_client.descriptor("Test/Orbit")["requiresInterval"] == "1"


def test_q2_the_description_of_an_unknown_source_is_the_error(served, java_client):
    reply = java_client.ask("server=dsdf&dataset=Test/Nowhere")
    assert (reply.status, reply.type) == (404, "text/vnd.das2.das2stream")


def test_q2_the_data_come_for_both_words(java_client):
    query = f"&dataset=Test/Line&{DAS2_DAY}"
    assert java_client.plot(f"server=dataset{query}").records == 100
    reply = java_client.ask(f"server=compactdataset{query}")
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert java.read(reply.body).records == 100


def test_q2_the_peers_are_found_by_the_path_that_is_asked(served):
    reply = served.get("/?server=peers")
    assert reply.status == 200
    assert reply.type in ("text/xml", "application/xml")
    root = das2c.element(reply.body)
    assert root.tag == "das2server"
    assert root.find("peers") is not None


@pytest.mark.rows
@pytest.mark.parametrize(
    "query",
    [
        "server=nonsense",
        "server=authenticator&user=a&passwd=b",
        "server=groups&key=1",
        "server=changePassword",
        "server=dataset",
        "server=dsdf",
        "server=dataset&dataset=",
        "server=list&server=id",
        "server=%3Cscript%3E%22%26",
    ],
)
def test_q2_anything_else_is_a_clean_das2_error(served, query):
    reply = served.get(f"/?{query}")
    assert (reply.status, reply["Content-Type"]) == (400, "text/vnd.das2.das2stream; charset=utf-8")
    [(kind, message)] = das2c.read(reply.body).exceptions
    assert kind == "IllegalArgument"
    assert message


def test_q2_pictures_are_drawn(served):
    reply = served.get("/?SERVER=Image&dataset=test/line&start_time=2020&end_time=2021")
    assert (reply.status, reply["Content-Type"]) == (200, "image/png")
    assert reply.body.startswith(b"\x89PNG")


# -- Q3


def test_q3_the_keys_may_come_in_any_order_and_case(served):
    keys = ["server=dataset", "dataset=Test/Echo", "start_time=2020-01-01", "end_time=2020-01-02"]
    orders = [
        *[*permutations(keys)][::5],
        [each.replace("server=", "SERVER=").replace("start_time", "Start_Time") for each in keys],
    ]
    bodies = {served.get("/?" + "&".join(order)).body for order in orders}
    assert len(bodies) == 1
    assert das2c.read(bodies.pop()).count == 3


@pytest.mark.rows
@pytest.mark.parametrize(
    "dataset",
    [
        "Test/Line",
        "Test%2FLine",
        "Test%2fLine",
        "test/line",
        "TEST/LINE",
        "Test/Line.dsdf",
        "test%2Fline.DSDF",
        "/Test/Line",
        "Test//Line",
        "Test/Line/",
    ],
)
def test_q3_the_id_may_be_raw_or_escaped_with_or_without_suffix_in_any_case(served, dataset):
    fetched = das2c.get(served.url(f"/?server=dataset&dataset={dataset}&{DAS2_DAY}"), served.port)
    assert das2c.read(fetched.body).count == 100
    assert fetched.file_name.startswith("Test_Line_"), "an answer names the source as its definition does"


# -- Q4


@pytest.mark.rows
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2020-01-01", "2020-01-02"),
        ("2020-01-01T00:00", "2020-01-02T00:00"),
        ("2020-01-01T00:00:00", "2020-01-02T00:00:00"),
        ("2020-01-01T00:00:00.000", "2020-01-02T00:00:00.000"),
        ("2020-01-01T00:00:00.000Z", "2020-01-02T00:00:00.000Z"),
        ("2020-01-01T00%3A00%3A00.000Z", "2020-01-02T00%3A00%3A00.000Z"),
        ("2020-01-01Z", "2020-01-02Z"),
        ("2020-001T00:00:00", "2020-002T00:00Z"),
        ("2020-001", "2020-002"),
        ("2020-01-01%2000:00:00", "2020-01-02+00:00:00"),
        ("2020-01-01+00%3A00%3A00.000", "2020-002+00:00"),
    ],
)
def test_q4_times_come_in_many_forms(served, start, end):
    arguments = asked(served, "", day=f"start_time={start}&end_time={end}")
    assert arguments == ["2020-01-01T00:00:00", "2020-01-02T00:00:00"]


def test_q4_milliseconds_are_kept(served):
    day = "start_time=2020-01-01T01%3A02%3A03.456Z&end_time=2020-01-01T01:02:04.001"
    assert asked(served, "", day=day) == ["2020-01-01T01:02:03.456", "2020-01-01T01:02:04.001"]


# -- Q5


@pytest.mark.rows
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("143.04635761589404", 143.04635761589404),
        ("60", 60),
        ("60.0", 60),
        ("1e2", 100),
        ("1.5E%2B1", 15),
        ("1E-3", 0.001),
        (".5", 0.5),
        ("0.00000012345678901", 1.2345678901e-07),
    ],
)
def test_q5_the_resolution_is_any_positive_decimal(served, value, seconds):
    [*_times, argument] = asked(served, f"resolution={value}", "Test/Averages")
    assert float(argument.removeprefix("--bin=")) == seconds


@pytest.mark.rows
@pytest.mark.parametrize("query", ["", "resolution=", "resolution=0", "resolution=0.0", "resolution=0e5"])
def test_q5_none_or_nought_is_full_resolution(served, query):
    assert len(asked(served, query, "Test/Averages")) == 2


@pytest.mark.rows
@pytest.mark.parametrize("value", ["fine", "-5", "nan", "inf", "1e999", "5s"])
def test_q5_what_is_no_resolution_is_refused(served, value):
    with pytest.raises(das2c.BadQueryError) as refused:
        asked(served, f"resolution={value}", "Test/Averages")
    assert refused.value.status == 400


def test_q5_a_source_that_cannot_reduce_says_so_and_gives_all_it_has(served, java_client):
    plot = java_client.plot(f"server=dataset&dataset=Test/Whole&{DAS2_DAY}&resolution=143.04635761589404")
    assert plot.records == 100
    assert [each for each in plot.log if "ignored" in each]


# -- Q6


@pytest.mark.rows
@pytest.mark.parametrize("value", ["60.0", "0.1", "0.5", "600", "86400.0"])
def test_q6_the_interval_is_decimal_seconds(served, value):
    [*_times, argument] = asked(served, f"interval={value}", "Test/Orbit")
    assert float(argument) == float(value)


def test_q6_the_interval_is_needed_only_where_the_source_says_so(served):
    assert asked(served, "interval=60.0") == ["2020-01-01T00:00:00", "2020-01-02T00:00:00"]
    for value in ("often", "-1"):
        with pytest.raises(das2c.BadQueryError):
            asked(served, f"interval={value}", "Test/Orbit")


# -- Q7


@pytest.mark.rows
@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("5V", ["5V"]),
        ("%2B5.5V", ["+5.5V"]),
        ("a+b", ["a b"]),
        ("a%20b", ["a b"]),
        ("5%25", ["5%"]),
        ("%2541", ["%41"]),
        ("%252B", ["%2B"]),
        ("%252541", ["%2541"]),
        ("low+gain%3D3", ["low gain=3"]),
        ("filter%3Dlow%26gain%3D3", ["filter=low&gain=3"]),
        ("%3Brm+-rf", [";rm -rf"]),
        ("%60id%60%24%28id%29%7C", ["`id`$(id)|"]),
        ("%C2%B5V", ["µV"]),
        ("x%22y%27z%5C", ["x\"y'z\\"]),
        ("", []),
    ],
)
def test_q7_params_are_decoded_once(served, sent, got):
    arguments = asked(served, f"params={sent}")[2:]
    assert arguments in (got, [word for each in got for word in each.split()])


def test_q7_params_that_begin_with_a_hyphen_are_no_options_of_the_program(served):
    reply = served.get(f"/?server=dataset&dataset=Test/Echo&{DAS2_DAY}&params=--filter%3Dlow+--gain%3D3")
    assert reply.status == 400
    assert "hyphen" in das2c.read(reply.body).exceptions[0][1]


@pytest.mark.rows
@pytest.mark.parametrize(
    "sent", ["count%3D3+level%3D1.5", "count%3D3%26level%3D1.5%26flag", "level:1.5+count:3", "red+count%3D3"]
)
def test_q7_params_are_the_options_of_a_source_that_declares_them(served, sent):
    arguments = asked(served, f"params={sent}", "Test/Options")[2:]
    assert "count=3" in arguments
    assert ("level=1.5" in arguments) == ("level" in sent)
    assert ("choice=red" in arguments) == ("red" in sent)
    assert ("flag=true" in arguments) == ("flag" in sent)


def test_q7_escaped_twice_is_read_as_it_was_written(served):
    assert asked(served, f"params={quote(quote('a b'))}")[2:] == ["a%20b"]


# -- Q8


@pytest.mark.rows
@pytest.mark.parametrize(
    "extra",
    [
        "key=1",
        "compress=false",
        "compress=true",
        "redirect=1",
        "devel=x",
        "nitems=40",
        "_res=5",
        "unknown=%C3%A9",
        "x",
        "=",
        "&&",
    ],
)
def test_q8_extras_are_ignored(served, extra):
    assert asked(served, extra) == ["2020-01-01T00:00:00", "2020-01-02T00:00:00"]


def test_q8_ascii_is_text(served):
    fetched = das2c.get(served.url(f"/?server=dataset&dataset=Test/Line&{DAS2_DAY}&ascii=1"), served.port)
    assert das2c.read(fetched.body).count == 100
    assert fetched.content_type.startswith("text/vnd.das2.das2stream")


# -- Q9


@pytest.mark.parametrize("dataset", ["Test/Line", "Test/Long"])
@pytest.mark.parametrize("extra", ["", "&compress=false", "&ascii=1"])
def test_q9_packets_are_not_compressed_unless_that_was_asked_for(served, dataset, extra):
    fetched = das2c.get(served.url(f"/?server=dataset&dataset={dataset}&{DAS2_DAY}{extra}"), served.port)
    assert b"compression" not in fetched.body[:200]
    assert das2c.read(fetched.body).count == (20_000 if dataset == "Test/Long" else 100)


def test_q9_packets_that_a_reader_compresses_are_not_passed_on_so(served):
    fetched = das2c.get(served.url(f"/?server=dataset&dataset=Test/Deflated&{DAS2_DAY}"), served.port)
    assert b'"deflate"' not in fetched.body[:200]
    assert das2c.read(fetched.body).count == 100


# -- Q10


def test_q10_the_list_is_ascii_and_its_ids_need_no_escapes(served):
    body = served.get("/?server=list").body
    assert body.isascii()
    paths = [line.partition("|")[0] for line in body.decode().splitlines()]
    assert len(paths) > 40
    assert all(re.fullmatch(r"[A-Za-z0-9_+./-]+", each) for each in paths)
    assert len({each.lower() for each in paths}) == len(paths)
    assert all(line.count("|") <= 1 for line in body.decode().splitlines())
