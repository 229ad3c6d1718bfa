# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin mounts asks the front-end for data: framed, coded, dated and logged, and broken where they break."""

from __future__ import annotations

import http.client
import os
import zlib
from urllib.parse import urlsplit

import pytest

import dasflex_core
from dasflex_cgi.app import Application
from dasflex_cgi.current import answer_of
from dasflex_cgi.delivering import Manner, _Framed
from dasflex_cgi.exchange import Asked, Wrapped
from dasflex_core.errors import SourceError
from dasflex_core.log_reading import read_entries
from dasflex_core.run.records import read_record
from tests.dasflex_cgi.test_cgimain import answered, variables

DAY = "time=2020-01-01/2020-01-02&format.type=csv"
DATED = """
title    = "Dated"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text", changed = "*.dat" }
example  = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
"""
GUARDED = DATED + '[access]\nrealm = "The team"\nallow = ["group:team"]\n'


@pytest.fixture
def root(bare):
    """A root with sources whose readers end well, break early, and break late."""
    bare.add("good", "headers(); records(300)")
    bare.add("early", "sys.exit('no such disk')")
    bare.add("late", "headers(); records(20_000); sys.stdout.flush(); time.sleep(0.3); sys.exit(3)")
    bare.add("guarded", "open('ran', 'w').close(); headers(); records(3)", GUARDED)
    bare.add("dated", "open('ran', 'a').write('x'); headers(); records(300)", DATED)
    file = bare.root / "definitions" / "dated" / "a.dat"
    file.touch()
    os.utime(file, (784111777, 784111777))
    return bare


@pytest.fixture
def asked(root, serving, odd_plugin):
    """Asks a server in a process of its own: status, phrase, headers and body."""
    server = serving("--port", "0", "--config", root.config, **odd_plugin)
    place = urlsplit(server.base)

    def ask(path, method="GET", query=DAY, **headers):
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, f"/odd/data/{path}?{query}", headers=named)
            answer = connection.getresponse()
            return answer.status, answer.reason, answer.headers, answer.read()
        finally:
            connection.close()

    ask.base = server.base.rstrip("/")
    return ask


def test_data_stand_between_their_head_and_their_tail_under_each_edge(asked, root, odd_plugin):
    status, phrase, headers, body = asked("good")
    assert (status, phrase, headers["Content-Type"]) == (200, "Odd", "text/odd")
    assert headers["X-Odd"] == f"|{asked.base}|False"
    assert (body[:5], body[-2:], body.count(b"\n")) == (b"<time", b"\n>", 301)
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Content-Disposition" not in headers
    status, headers, cold, _told, code = answered(variables(root.root, "/odd/data/good", DAY, **odd_plugin))
    assert (status, code, cold) == (200, 0, body)
    assert headers["Status"] == "200 Odd"
    assert headers["X-Odd"] == "/stream|http://example.org|False"


def test_head_and_tail_are_in_the_coding(asked):
    plain = asked("good")[3]
    _status, _phrase, headers, body = asked("good", Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert zlib.decompress(body, 31) == plain


def test_what_fails_before_the_data_is_for_the_application_to_tell_and_is_logged(asked, root, wait_until):
    status, phrase, headers, body = asked("early")
    assert (status, phrase, body) == (404, "Not Found; source.exit", b"none")
    assert wait_until(lambda: _entries(root))
    entry = _entries(root)[-1]
    assert (entry.kind, entry.source, entry.status) == ("source.exit", "early", 404)
    assert entry.request == headers["X-Request-Id"]


def test_what_fails_in_mid_stream_breaks_the_connection_and_has_no_tail(asked, root, odd_plugin):
    with pytest.raises(http.client.IncompleteRead) as broken:
        asked("late")
    assert broken.value.partial.startswith(b"<time")
    assert not broken.value.partial.endswith(b">")
    _status, _headers, cold, _told, code = answered(variables(root.root, "/odd/data/late", DAY, **odd_plugin))
    assert code == 1
    assert (cold[:5], cold[-1:]) == (b"<time", b"\n")


def test_an_answer_has_the_id_of_its_run_and_an_entry_of_the_log(asked, root, wait_until):
    _status, _phrase, headers, body = asked("good")
    assert wait_until(lambda: _entries(root))
    entry = _entries(root)[-1]
    assert (entry.request, entry.bytes, entry.source) == (headers["X-Request-Id"], len(body), "good")
    records = dasflex_core.open(root.root).config.requests
    assert read_record(entry.request, str(records)).source == "good"


def test_what_a_client_has_is_not_sent_again_and_nothing_runs(asked, root):
    ran = root.root / "definitions" / "dated" / "ran"
    _status, _phrase, headers, body = asked("dated")
    assert body.startswith(b"<time")
    tag = headers["ETag"]
    assert asked("dated", If_None_Match=tag)[0] == 304
    assert asked("dated", method="HEAD")[2]["ETag"] == tag
    assert ran.read_text() == "x"
    flex = dasflex_core.open(root.root)["dated"].ask(time="2020-01-01/2020-01-02", format_type="csv").plan()
    assert tag.startswith(f'W/"{flex.solution.answer}-')


def test_who_may_not_have_data_gets_none(asked, root):
    status, phrase, _headers, body = asked("guarded")
    assert (status, phrase, body) == (404, "Not Found; access.log-in", b"none")
    assert not (root.root / "definitions" / "guarded" / "ran").exists()


def test_options_is_answered_for_pages_of_other_sites(asked):
    status, _phrase, headers, body = asked("good", method="OPTIONS")
    assert (status, body) == (200, b"")
    assert headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"


def test_who_asks_is_known_where_the_application_is_asked_as_a_value(root, monkeypatch, odd_plugin):
    """As behind the socket to which CGI programs hand their requests: what WSGI has no name for is not lost."""
    monkeypatch.syspath_prepend(odd_plugin["PYTHONPATH"])
    application = Application(dasflex_core.open(root.root), lambda _text: None)
    seen = []
    inner = application._mounts["/odd"]._application
    application._mounts["/odd"]._application = lambda environ, start: (
        seen.append(environ["dasflex.front_end"].claim),
        inner(environ, start),
    )[1]
    asked = Asked(method="GET", path="/odd/x", client="192.0.2.7", remote_user="ada", origin="http://x")
    answer = answer_of(application, asked)
    answer.body.close()
    application.end()
    assert (seen[0].address, seen[0].remote_user) == ("192.0.2.7", "ada")


class TestFramed:
    MANNER = Manner(head=b"<", tail=b">", mounted=True)

    @pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]])
    def test_without_data_it_is_empty(self, pieces):
        framed = _Framed(Wrapped(pieces), self.MANNER)
        assert framed.empty
        assert list(framed) == [b"<", b">"]

    def test_with_data_it_is_not(self):
        framed = _Framed(Wrapped([b"", b"a", b"b"]), self.MANNER)
        assert not framed.empty
        assert list(framed) == [b"<a", b"b", b">"]

    def test_what_fails_before_data_is_raised_at_once_and_closed(self):
        closed = []

        class Failing(Wrapped):
            def __next__(self):
                raise SourceError("no")

            def close(self):
                closed.append(1)

        with pytest.raises(SourceError, match="no"):
            _Framed(Failing(()), self.MANNER)
        assert closed == [1]


def _entries(root):
    """The entries of the log, the oldest first."""
    return [*read_entries(root.root / "log")]


def test_hapi_is_served_as_cgi(examples):
    query = "id=Examples_Random&time.min=2017-01-01Z&time.max=2017-01-02Z"
    status, headers, body, _told, code = answered(variables(examples.root, "/hapi/data", query))
    assert (status, code, headers["Status"]) == (200, 0, "200 OK; HAPI 1200 OK")
    assert headers["Content-Type"] == "text/csv"
    assert body.startswith(b"2017-01-01T00:00:00.000Z,")
    status, headers, body, _told, code = answered(variables(examples.root, "/hapi/info", "id=nothing"))
    assert (status, code) == (404, 0)
    assert headers["Status"] == "404 Not Found; HAPI 1406 Bad request - unknown dataset id"
    assert body.startswith(b'{"HAPI":"3.3","status":{"code":1406,')
    status, headers, _body, _told, _code = answered(variables(examples.root, "/hapi/catalog/", "depth=all"))
    assert (status, headers["Location"]) == (301, "/stream/hapi/catalog?depth=all")
