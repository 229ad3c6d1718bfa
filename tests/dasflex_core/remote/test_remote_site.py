# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that is another server: the same as the site of its root, whole or an error."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_core.cli import main
from dasflex_core.errors import ConfigError, NotFoundError, QueryError, SourceError
from dasflex_core.fetching import fetch

MONTH = ("2017-01-01", "2017-02-01")


@pytest.fixture(scope="module")
def there(second_server):
    """The site of the root that the other server serves."""
    return dasflex_core.open(second_server.root)


@pytest.fixture(scope="module")
def site(second_server):
    return dasflex_core.open(second_server.base)


def assert_same(one, other):
    """Two answers are equal, but for the last bits of what was computed."""
    assert list(one) == list(other)
    for name, table in one.items():
        assert {each: table.units(each) for each in table} == {each: other[name].units(each) for each in other[name]}
        for variable, values in table.items():
            if values.dtype.kind == "f":  # the last bit of a mean depends on how a stream was cut into batches
                np.testing.assert_allclose(values, other[name][variable], rtol=1e-14)
            else:
                assert np.array_equal(values, other[name][variable])


def test_it_has_the_same_sources_with_the_same_titles_and_finds_them_by_words(site, there):
    assert sorted(site) == sorted(there)
    assert "examples/RANDOM" in site
    assert "nothing" not in site
    for identifier in site:
        one, other = site[identifier.lower()], there[identifier]
        assert (one.id, one.title, one.summary.split()) == (other.id, other.title, other.summary.split())
        assert (one.protected, one.step_name) == (other.protected, other.step_name)
    assert [each.id for each in site.search("voyager spectra")] == [each.id for each in there.search("voyager spectra")]


def test_das2_clients_address_is_that_of_the_same_site(site, second_server):
    assert dasflex_core.open(f"{second_server.base}/das/server").url == site.url


@pytest.mark.parametrize(
    "parameters",
    [{}, {"every": "10 h"}, {"bin_time_max": 36000, "bin_stats": ("min", "max")}, {"read_data": "random"}],
)
def test_what_is_read_is_what_is_read_there(site, there, parameters):
    begin, end = MONTH
    request = site["examples/random"][begin:end].ask(**parameters)
    other = there["examples/random"][begin:end].ask(**parameters)
    assert_same(request.read(), other.read())
    name = request.source.step_name
    assert request.canonical.get(name) == dict(other.pairs).get(name)


@pytest.mark.parametrize("identifier", ["Examples/Waveform", "Examples/Params"])
def test_examples_are_requests_options_keep_their_names_and_others_kinds_of_data_come_too(site, there, identifier):
    for one, other in zip(site[identifier].examples, there[identifier].examples, strict=True):
        assert_same(one.read(), other.read())
    assert site["Examples/Params"].ask(read_sensor="E").canonical == {"read.sensor": "E"}


def test_a_plan_is_explained_by_the_server_and_not_run(site):
    plan = site["Examples/Random"][MONTH[0] : MONTH[1] : 3600].plan()
    assert "bin-average" in plan.explain()
    assert "flowchart" in plan.explain("mermaid")
    assert json.loads(plan.explain("json"))["seconds"] == plan.seconds > 0
    assert plan.estimate().seconds > 0
    with pytest.raises(QueryError):
        plan.explain("sh")


@pytest.mark.parametrize("suffix", ["csv", "d2t", "json"])
def test_a_file_is_what_the_site_of_the_root_saves(site, there, tmp_path, suffix):
    begin, end = MONTH
    one = site["Examples/Random"][begin:end].save(tmp_path / f"one.{suffix}")
    other = there["Examples/Random"][begin:end].save(tmp_path / f"other.{suffix}")
    assert one.read_bytes() == other.read_bytes()


def test_the_address_of_a_request_gives_its_bytes(site):
    request = site["Examples/Random"][MONTH[0] : MONTH[1]].ask(format_type="csv")
    with fetch(request.url(), 30) as answer, request.open() as run:
        assert answer.read() == b"".join(run.chunks())
        assert run.record.confirmed
        assert run.record.bytes == request.plan().estimate().bytes or run.record.bytes > 0


def test_what_cannot_be_asked_is_told_in_the_words_of_the_server(site):
    with pytest.raises(NotFoundError, match=r"no source 'Examples/Randum'.*Did you mean Examples/Random"):
        site["Examples/Randum"]
    with pytest.raises(QueryError, match="has no parameter 'foo'"):
        site["Examples/Random"][MONTH[0] : MONTH[1]].ask(foo=3).read()
    with pytest.raises(QueryError):
        site["Examples/Random"]["2017-02-01":"2017-01-01"].read()
    with pytest.raises(dasflex_core.AccessError):
        site["Examples/Auth"].examples[0].read()


def test_a_classic_server_is_a_site_of_what_das2_can_ask(das2_server):
    site = dasflex_core.open(f"{das2_server.base}/das/server")
    assert list(site)[:2] == ["mean", "peak"]
    source = site["mean"]
    assert source.title == "mean"
    assert len(source.examples[0].read().only["time"]) == 600
    assert len(source["2020-01-01":"2020-01-01T01:00":60].read().only["time"]) == 60
    assert site["model"].step_name == "read.time.inter"
    with pytest.raises(QueryError, match="cannot be asked"):
        source.ask(dft_length=100).read()
    with pytest.raises(QueryError, match="tells no plan"):
        source.examples[0].plan().explain()
    with pytest.raises(SourceError, match="bytes are missing"):
        site["bad-cut"].ask(time="2020-01-01/2020-01-01T01:00").read()
    with pytest.raises(dasflex_core.AccessError, match="401"):
        site["locked"]
    locked = dasflex_core.open(das2_server.base.replace("//", "//ann:secret@"))["locked"]
    assert len(locked.examples[0].read().only["time"]) == 600
    assert "secret" not in f"{locked!r} {locked.site!r} {locked.examples[0].url()} {locked.examples[0]!r}"


class Broken(BaseHTTPRequestHandler):
    """A dasflex server behind CGI, whose answer ends early as a whole one does; only its record tells."""

    record: dict[str, object]

    def do_GET(self):
        name = "1m859gxyd8c6e2fj6drxte"
        if self.path.startswith("/request/"):
            body = json.dumps({"id": name, "complete": True, **self.record}).encode()
        elif self.path.startswith("/id.json"):
            body = b'{"software": "dasflex"}'
        elif "flex.json" in self.path:
            body = b"{}"
        else:
            body = b'[00]000025<stream version="2.2" />\n'
        self.send_response(200)
        self.send_header("X-Request-Id", name)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"bytes": 99}, "99 bytes were sent; 35 have come"),
        ({"complete": False, "error": "the reader failed"}, "not whole: the reader failed"),
        ({"bytes": 35, "sha256": "0" * 64}, "other bytes"),
    ],
)
def test_an_answer_that_is_not_what_the_server_has_sent_is_an_error_and_no_file(tmp_path, record, words):
    handler = type("Handler", (Broken,), {"record": record})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            request = dasflex_core.open(f"http://127.0.0.1:{server.server_port}/")["a/b"].ask(time="2020-001/2020-002")
            for take in (request.read, lambda: request.save(tmp_path / "a.d2s")):
                with pytest.raises(SourceError, match=words):
                    take()
        finally:
            server.shutdown()
            thread.join()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_server_of_the_kind_is_told():
    with pytest.raises(SourceError, match="cannot be reached"):
        dasflex_core.open("http://127.0.0.1:1/")
    with pytest.raises(ConfigError, match="no address"):
        dasflex_core.open("http:///path")
    with pytest.raises(ConfigError, match="without a password"):
        dasflex_core.open("http://127.0.0.1:1/", user="ann")


def got(*words):
    """What `dasflex get` writes and says, and its exit code."""
    done = CliRunner().invoke(main, ["get", *words], catch_exceptions=False, prog_name="dasflex")
    return done.stdout_bytes, done.stderr, done.exit_code


def test_get_takes_addresses_of_data_of_sources_and_of_servers(second_server, site, tmp_path):
    begin, end = MONTH
    span = f"{begin}/{end}"
    csv = site["Examples/Random"][begin:end].save(tmp_path / "a.csv").read_bytes()
    base = second_server.base
    for words in (
        (f"{base}/source/examples/random/data.csv?time={span}",),
        (f"{base}/source/examples/random/flex?time={span}&format.type=csv",),
        (f"{base}/source/Examples/Random.html", span, "format.type=csv"),
        (f"{base}/das/server", "Examples/Random", span, "format.type=csv"),
    ):
        assert got(*words) == (csv, "", 0)
    file = tmp_path / "b.csv"
    assert got(f"{base}/source/examples/random", span, "-o", str(file), "--stats")[2] == 0
    assert file.read_bytes() == csv
    text, said, status = got(
        f"{base}/das/server?server=dataset&dataset=examples/random&start_time={begin}&end_time={end}&ascii=1"
    )
    assert (text[:4], said, status) == (b"[00]", "", 0)
    assert got(f"{base}/das/server")[2] == 2
    assert got(f"{base}/source/examples/random/flex", "Examples/Random")[2] == 2
    assert len(got(f"{base}/source/examples/random", span, "--every", "1 d", "format.type=csv")[0].splitlines()) == 32


def test_get_says_where_a_server_cannot_confirm_that_an_answer_is_whole(das2_server):
    _data, said, status = got(f"{das2_server.base}/", "mean", "2020-01-01/2020-01-01T01:00")
    assert (status, "keeps no record" in said) == (0, True)
    assert got(f"{das2_server.base}/", "bad-cut", "2020-01-01/2020-01-01T01:00")[2] == 5
