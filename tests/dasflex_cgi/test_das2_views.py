# SPDX-License-Identifier: GPL-3.0-or-later
"""What das2 clients ask by `server=`, in the forms that they read: rules Q1 to Q9 of the das2 clients."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.catalog.tree import compile_tree

DAY = "start_time=2020-01-01&end_time=2020-01-02"
DEFINITION = """
title    = "{title}"
contacts = {{ technical = "Ä. Nobody <nobody@example.org>" }}
reader   = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max] {extra}", writes = "das/2/text" }}
{rest}
"""
EXAMPLE = 'example = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]'
ECHO = """
headers()
packet('xx', '<comment type="log:info" source="r" value="%s" />\\n' % '|'.join(sys.argv[1:]).replace('&', '&amp;'))
records(3)
"""


def ask(front, target, method="GET", **headers):
    """Status, headers and body of the answer to a target."""
    path, _, query = target.partition("?")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = front.answer(Asked(method=method, path=path, query=query, origin="http://x.example.org", headers=named))
    if isinstance(answer.body, bytes):
        return answer.status, dict(answer.headers), answer.body
    body = b"" if method == "HEAD" else b"".join(answer.body)
    answer.body.close()
    return answer.status, dict(answer.headers), body


@pytest.fixture
def front(examples):
    """The front-end of the examples."""
    return Front(dasflex_core.open(examples.root), lambda _text: None)


@pytest.fixture
def local(bare):
    """Opens the front-end of a root to which sources are added."""
    return lambda: Front(dasflex_core.open(bare.root), lambda _text: None)


def define(title="A title", extra="", rest=EXAMPLE):
    """A definition."""
    return DEFINITION.format(title=title, extra=extra, rest=rest)


def options(bare, text):
    """Adds a source that takes the raw `params`, and echoes what its reader got."""
    bare.add(
        "echo",
        ECHO,
        define(extra=":#[read.opts # @ #]", rest=f'{EXAMPLE}\noptions = {{ opts = {{ title = "{text}" }} }}'),
    )


class TestPlaces:
    @pytest.mark.parametrize("path", ["", "/", "/das/server", "/das/das2Server", "/das/das2server/", "//das//server"])
    def test_q1_each_historic_place_is_the_server(self, front, path):
        status, _headers, body = ask(front, f"{path}?server=list")
        assert status == 200
        assert b"Examples/Random|" in body

    @pytest.mark.parametrize(
        ("server", "kind"),
        [
            ("id", "text/plain"),
            ("logo", "image/png"),
            ("list", "text/plain"),
            ("discovery", "text/plain"),
            ("peers", "text/xml"),
            ("image&dataset=examples/random&start_time=2017-01-01&end_time=2017-01-02", "image/png"),
            ("dsdf&dataset=examples/random", "text/vnd.das2.das2stream"),
            ("dataset&dataset=examples/random&start_time=2017-01-01&end_time=2017-01-02", "application/vnd.das2"),
            (
                "compactdataset&dataset=examples/random&start_time=2017-01-01&end_time=2017-01-02",
                "application/octet-stream",
            ),
        ],
    )
    def test_q2_each_word_is_answered(self, front, server, kind):
        for spelt in (server, server.upper().split("&")[0] + server[len(server.split("&")[0]) :]):
            status, headers, _body = ask(front, f"/?server={spelt}")
            assert status == 200
            assert headers["Content-Type"].startswith(kind)
            assert headers["Content-Type"] == kind or kind != "application/octet-stream"

    def test_q2_a_picture_has_the_size_that_is_asked(self, front):
        query = "image&dataset=examples/random&start_time=2017-01-01&end_time=2017-01-02&width=300&height=200&ascii=1"
        status, headers, body = ask(front, f"/?server={query}")
        assert (status, headers["Content-Type"]) == (200, "image/png")
        assert body[:8] == b"\x89PNG\r\n\x1a\n"
        assert [int.from_bytes(body[at : at + 4]) for at in (16, 20)] == [300, 200]

    def test_where_nothing_draws_das2_clients_are_told_so(self, front):
        registry = front.site.registry
        without = replace(registry, stream_types=tuple(e for e in registry.stream_types if e.type.kind != "png"))
        lesser = Front(replace(front.site, registry=without), lambda _text: None)
        status, headers, body = ask(lesser, "/?server=image&dataset=examples/random")
        assert status == 501
        assert headers["Content-Type"] == "text/vnd.das2.das2stream; charset=utf-8"
        assert body.startswith(b'[00]000025<stream version="2.2" />\n[xx]')
        assert b"draws pictures" in body

    @pytest.mark.parametrize("server", ["authenticator", "groups", "x%0d%0ay", "list&server=id", "datasets"])
    def test_q2_anything_else_is_a_clean_400(self, front, server):
        status, headers, body = ask(front, f"/?server={server}")
        assert status == 400
        assert headers["Content-Type"] == "text/vnd.das2.das2stream; charset=utf-8"
        assert re.fullmatch(
            rb'\[00\]000025<stream version="2\.2" />\n'
            rb'\[xx\]\d{6}<exception type="IllegalArgument" message="[^"<&\n]+" />\n',
            body.replace(b"&apos;", b"'"),
        )


class TestQueries:
    RANDOM = "server=dataset&dataset=Examples/Random&start_time=2017-01-01&end_time=2017-01-02"

    @pytest.mark.parametrize(
        "query",
        [
            "end_time=2017-01-02&dataset=Examples/Random&server=dataset&start_time=2017-01-01",
            "server=dataset&dataset=Examples%2FRandom&start_time=2017-01-01&end_time=2017-01-02",
            "server=dataset&dataset=examples/random.dsdf&start_time=2017-01-01&end_time=2017-01-02",
            "server=dataset&dataset=EXAMPLES/RANDOM.DSDF&start_time=2017-01-01&end_time=2017-01-02",
            "server=dataset&dataset=/Examples//Random/&start_time=2017-01-01&end_time=2017-01-02",
            "SERVER=dataset&DataSet=Examples/Random&START_TIME=2017-01-01&End_Time=2017-01-02",
            f"{RANDOM}&key=&compress=true&redirect=1&devel=x&nitems=7&foo=bar&_res=10s&item=x",
            f"{RANDOM}&resolution=0&interval=&params=",
            f"{RANDOM}&resolution=",
            "server=dataset&dataset=Examples/Random&start_time=2017-01-01T00%3A00%3A00.000Z&end_time=2017-01-02T00%3A00%3A00.000Z",
            "server=dataset&dataset=Examples/Random&start_time=2017-001T00:00&end_time=2017-002T00:00:00",
            "server=dataset&dataset=Examples/Random&start_time=2017-01-01+00:00&end_time=2017-01-02%2000:00:00.000",
        ],
    )
    def test_q3_q4_q5_q8_all_forms_are_one_request(self, front, query):
        status, _headers, body = ask(front, f"/das/server?{query}")
        assert status == 200
        assert re.sub(rb"\[xx\]\d{6}<comment.*?/>\n", b"", body) == ask(front, f"/?{self.RANDOM}")[2]

    @pytest.mark.parametrize("written", ["a-b_c.d+e", "a-b_c.d%2Be", "A-B_C.D+E.dsdf"])
    @pytest.mark.parametrize("server", ["dsdf", "dataset"])
    def test_q3_q10_an_id_with_a_plus_may_be_written_as_it_is(self, local, bare, server, written):
        bare.add("a-b_c.d+e", "headers(); records(1)")
        query = f"server={server}&dataset={written}&start_time=2020-01-01&end_time=2020-01-02"
        assert ask(local(), f"/?{query}")[0] == 200

    @pytest.mark.parametrize("resolution", ["143.04635761589404", "1e3", "1.4304635761589404E2", "1E+3", ".5", "60"])
    def test_q5_a_resolution_may_have_many_digits_or_an_exponent(self, front, resolution):
        assert ask(front, f"/?{self.RANDOM}&resolution={resolution}")[0] == 200

    @pytest.mark.parametrize("resolution", ["x", "-1", "nan", "inf"])
    def test_q5_a_resolution_that_is_no_number_is_400(self, front, resolution):
        assert ask(front, f"/?{self.RANDOM}&resolution={resolution}")[0] == 400

    def test_q6_an_interval_is_decimal_seconds(self, front):
        query = "server=dataset&dataset=Examples/Ephemeris&start_time=2017-01-01&end_time=2017-01-01T01:00"
        status, _headers, coarse = ask(front, f"/?{query}&interval=600.0")
        assert status == 200
        assert len(ask(front, f"/?{query}&interval=60.0")[2]) > len(coarse)

    @pytest.mark.parametrize(
        ("sent", "got"),
        [
            ("a+b", b"a b"),
            ("%2B5.5V", b"+5.5V"),
            ("--filter%3Dlow+--gain%3D3", b"--filter=low --gain=3"),
            ("50%25", b"50%"),
            ("%2541", b"%41"),
            ("a%26b", b"a&amp;b"),
        ],
    )
    def test_q7_params_are_decoded_once_and_reach_the_reader_as_they_are(self, local, bare, sent, got):
        options(bare, "Raw")
        status, _headers, body = ask(local(), f"/?server=dataset&dataset=echo&{DAY}&params={sent}")
        assert status == 200
        assert b"|:" + got + b'" />' in body

    def test_q9_nothing_is_compressed_even_if_asked(self, front):
        plain = ask(front, f"/?{self.RANDOM}")
        for target in (f"/?{self.RANDOM}&compress=true", f"/?{self.RANDOM}"):
            _status, headers, body = ask(front, target, accept_encoding="gzip, deflate, zstd")
            assert "Content-Encoding" not in headers
            assert b"compression" not in body
            assert re.sub(rb"\[xx\]\d{6}<comment.*?/>\n", b"", body) == plain[2]

    def test_compactdataset_is_the_same_data(self, front):
        assert (
            ask(front, f"/?{self.RANDOM.replace('dataset&', 'compactdataset&', 1)}")[2]
            == ask(front, f"/?{self.RANDOM}")[2]
        )

    def test_no_data_is_no_error(self, local, bare):
        bare.add("empty", "pass")
        for server in ("dataset", "compactdataset"):
            status, _headers, body = ask(local(), f"/?server={server}&dataset=empty&{DAY}")
            assert status == 200
            assert body.startswith(b'[00]000025<stream version="2.2" />\n[xx]')
            assert b'type="NoDataInInterval"' in body

    def test_the_header_says_what_range_was_asked_for(self, front):
        assert b'xCacheRange="2017-01-01T00:00:00 to 2017-01-02T00:00:00' in ask(front, f"/?{self.RANDOM}")[2]

    def test_head_runs_nothing(self, local, bare):
        bare.add("marked", "open('ran', 'w').close()")
        status, headers, body = ask(local(), f"/?server=dataset&dataset=marked&{DAY}", "HEAD")
        assert (status, body) == (200, b"")
        assert headers["Content-Type"] == "text/vnd.das2.das2stream; charset=utf-8"
        assert not (bare.root / "definitions" / "marked" / "ran").exists()


class TestLists:
    def test_directories_stand_before_their_children_in_ascii(self, local, bare):
        bare.add("b/one", "", define(title="Größe | Ω\\n in V"))
        bare.add("a/z/deep", "", define())
        bare.add("a/top", "", define())
        (bare.root / "definitions" / "a" / "_dirinfo_.toml").write_text('title = "All of a"\n', encoding="utf-8")
        compile_tree(bare.root)
        status, headers, body = ask(local(), "/?server=list")
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain")
        assert body.decode("ascii").splitlines() == [
            "a/|All of a",
            "a/top|A title",
            "a/z/",
            "a/z/deep|A title",
            "b/",
            "b/one|Gro?e / ? in V",
        ]
        lines = body.decode().splitlines()
        for number, line in enumerate(lines):
            parts = line.partition("|")[0].rstrip("/").split("/")
            for depth in range(1, len(parts)):
                assert any(each.startswith("/".join(parts[:depth]) + "/") for each in lines[:number])

    @pytest.mark.parametrize("missing", [False, True])
    def test_discovery_has_only_what_has_an_example(self, local, bare, missing):
        bare.add("with", "", define())
        old = "description = 'A title'\nreader = 'cat'\ndas2Stream = 1\ntechContact = 'A <a@example.org>'\n"
        (bare.root / "definitions" / "without.dsdf").write_text(old, encoding="utf-8")
        compile_tree(bare.root)
        if missing:  # it is then made of the index
            for name in ("das2list.txt", "das2discovery.txt"):
                (bare.root / "public" / name).unlink()
        assert ask(local(), "/?server=list")[2] == b"with|A title\nwithout|A title\n"
        assert ask(local(), "/?server=discovery")[2] == b"with|A title\n"

    def test_what_is_not_listed_is_not_listed(self, local, bare):
        bare.add("shown", "", define())
        bare.add("hidden", "", define(rest=f"{EXAMPLE}\nlisted = false"))
        assert ask(local(), "/?server=list")[2] == b"shown|A title\n"
        assert ask(local(), "/?server=dsdf&dataset=hidden")[0] == 200

    def test_the_name_is_text_without_a_line_end(self, front):
        assert ask(front, "/?server=id")[2] == b"Test Server"

    def test_peers_are_xml_that_autoplot_finds_its_way_in(self, local, bare):
        listed = [
            {"name": "A & <B>", "url": "https://a.example.org/das/server"},
            {"url": "https://b.example.org/?x&y"},
            7,
        ]
        (bare.root / "etc" / "peers.json").write_text(json.dumps(listed), encoding="utf-8")
        status, headers, body = ask(local(), "/?server=peers")
        assert status == 200
        assert headers["Content-Type"] == "text/xml; charset=utf-8"
        root = ET.fromstring(body)  # noqa: S314  our own answer
        assert root.tag == "das2server"
        assert [each.text for each in root.findall("peers/server/url")] == [listed[0]["url"], listed[1]["url"]]
        assert root.find("peers/server/name").text == "A & <B>"

    @pytest.mark.parametrize("text", ["{", "7", "[[[", ""])
    def test_peers_that_cannot_be_read_are_none(self, local, bare, text):
        (bare.root / "etc" / "peers.json").write_text(text, encoding="utf-8")
        status, _headers, body = ask(local(), "/?server=peers")
        assert status == 200
        assert b"<server>" not in body


class TestDefinitions:
    def test_the_six_digits_are_exact_and_every_character_is_one_byte(self, local, bare):
        bare.add("odd/one", "", define(title="Größe of Ω & <more>"))
        status, headers, body = ask(local(), "/?server=dsdf&dataset=Odd/One.dsdf")
        assert status == 200
        assert headers["Content-Type"] == "text/vnd.das2.das2stream; charset=utf-8"
        assert body[:4] == b"[00]"
        assert int(body[4:10]) == len(body) - 10
        assert body.isascii()
        assert body[10:].startswith(b'<stream version="2.2">')
        assert body.endswith(b"</stream>\n")
        assert b'exampleRange_00="2020-01-01 to 2020-01-02 | A day"' in body
        assert b"nobody@example.org" in body
        assert b"reader.py" not in body

    def test_it_is_the_file_that_was_published(self, local, bare):
        bare.add("one", "", define())
        file = bare.root / "public" / "one" / "das2.d2t"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"[00]000010<stream />\n")
        assert ask(local(), "/?server=dsdf&dataset=ONE")[2] == b"[00]000010<stream />\n"

    @pytest.mark.parametrize(
        "dataset", ["", "dataset=", "dataset=nowhere", "dataset=../../etc/passwd", "dataset=a&dataset=b"]
    )
    def test_what_is_not_there_is_a_das2_error(self, front, dataset):
        status, headers, body = ask(front, f"/?server=dsdf&{dataset}")
        assert status in (400, 404)
        assert headers["Content-Type"] == "text/vnd.das2.das2stream; charset=utf-8"
        assert b"<exception" in body
