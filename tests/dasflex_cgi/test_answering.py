# SPDX-License-Identifier: GPL-3.0-or-later
"""The front-end without a socket: each path has its answer, and each answer its headers, whatever was asked."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.roots import make_root
from dasflex_core.site import open_site
from dasflex_core.tasks import Spool

DAY = "time=2020-01-01/2020-01-02"
RANDOM = "time=2017-01-01/2017-01-02"
PLAIN = 'title = "{title}"\ncontacts = {{ technical = "A <a@example.org>" }}\n'
READER = 'reader = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }}\n'
EXAMPLE = 'example = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]\n'


def taken(answer) -> bytes:
    """All bytes of an answer, which is closed."""
    if isinstance(answer.body, bytes):
        return answer.body
    try:
        return b"".join(answer.body)
    finally:
        answer.body.close()


def ask(front, target, method="GET", **headers):
    """The answer to a target, and its headers."""
    path, _, query = target.partition("?")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = Asked(
        method=method, path=path, query=query, origin="http://data.example.org", headers=named, client="192.0.2.7"
    )
    answer = front.answer(asked)
    return answer, dict(answer.headers)


@pytest.fixture
def noted() -> list[str]:
    """What the administrator was told."""
    return []


@pytest.fixture
def front(examples, noted):
    """The front-end of the examples."""
    return Front(dasflex_core.open(examples.root), noted.append)


@pytest.fixture
def local(bare, noted):
    """Opens the front-end of a root to which sources are added."""
    return lambda: Front(dasflex_core.open(bare.root), noted.append)


class TestPaths:
    @pytest.mark.parametrize(
        ("target", "kind"),
        [
            ("", "text/html"),
            ("/?", "text/html"),
            ("/?server=", "text/html"),
            ("/das/server", "text/html"),
            ("/source/", "text/html"),
            ("/source", "text/html"),
            ("/source/examples", "text/html"),
            ("/Source/EXAMPLES/", "text/html"),
            ("/source/examples.html", "text/html"),
            ("/source/examples/random", "text/html"),
            ("/source/Examples/Random/", "text/html"),
            ("/source/examples/random.html", "text/html"),
            ("//source//examples//random", "text/html"),
            ("/source/examples/random/flex.json", "application/json"),
            ("/source/Examples/Random/das2.d2t", "text/vnd.das2.das2stream"),
            ("/catalog.json", "application/json"),
            ("/root.json", "application/json"),
            ("/id.json", "application/json"),
            ("/ID.TXT", "text/plain"),
            ("/logo.png", "image/png"),
            ("/static/", "text/plain"),
            ("/static/dasflex.css", "text/css"),
            ("/health", "application/json"),
            ("/peers.xml", "text/xml"),
        ],
    )
    def test_each_has_its_answer(self, front, target, kind):
        answer, headers = ask(front, target)
        assert answer.status == 200
        assert headers["Content-Type"].startswith(kind)
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert re.fullmatch("[0-9a-z]{22}", headers["X-Request-Id"])
        assert taken(answer)

    @pytest.mark.parametrize("folder", ["/", "/source/", "/source/examples/", "/source/examples/random/", "/static/"])
    def test_the_directory_of_each_published_file_answers_200(self, front, folder):
        assert ask(front, folder)[0].status == 200
        assert ask(front, folder, "HEAD")[0].status == 200

    @pytest.mark.parametrize(
        "path",
        [
            "/source/../etc/dasflex.conf",
            "/static/../etc/dasflex.conf",
            "/static/..%2fetc/dasflex.conf",
            "/sources/examples/random.json",
            "/source/examples/\x00/flex",
            "/source/\ud800/flex",
            "/source/examples/random/internal.json",
            "/source/" + "a/" * 3_000,
            "/.git/config",
        ],
    )
    def test_nothing_else_is_there(self, front, noted, path):
        answer, headers = ask(front, path)
        assert answer.status == 404
        assert headers["Content-Type"]
        assert len(taken(answer)) < 1000
        assert noted == []

    def test_health_is_503_where_the_catalog_cannot_be_read(self, local, bare, noted):
        bare.add("good", "")
        assert ask(local(), "/health")[0].status == 200
        (bare.root / "sources" / "index.json").write_text("{", encoding="utf-8")
        answer, headers = ask(local(), "/health")
        assert answer.status == 503
        assert headers["Cache-Control"] == "no-store"
        assert str(bare.root) not in answer.body.decode()
        assert str(bare.root) in noted[0]

    def test_health_says_whether_there_is_background_work(self, local, bare):
        def said():
            return json.loads(taken(ask(local(), "/health")[0]))["background"]

        assert said() == "off"
        with (bare.root / "etc" / "dasflex.conf").open("a") as conf:
            conf.write("\nWORK_QUEUE_BROKER = redis\n")
        assert said() == "idle"
        Spool(open_site(bare.root).config).beat()
        assert said() == "on"


class TestKept:
    def test_an_answer_id_leads_to_the_request_and_to_the_same_data(self, front):
        data = taken(ask(front, f"/source/examples/random/data.csv?{RANDOM}")[0])
        plan = json.loads(taken(ask(front, f"/source/examples/random/plan?{RANDOM}&format.type=csv&format=json")[0]))
        answer, headers = ask(front, f"/answer/{plan['answer']}")
        told = json.loads(answer.body)
        assert headers["Cache-Control"] == "no-store"
        assert told["source"] == "Examples/Random"
        assert told["request"]["read.time.min"].startswith("2017-01-01")
        assert told["url"].startswith("http://data.example.org/source/examples/random/flex?")
        assert taken(ask(front, told["url"].removeprefix("http://data.example.org"))[0]) == data

    @pytest.mark.parametrize("path", ["/answer/abc", "/answer/../x", "/request/0", "/request/", "/answer/%2e%2e"])
    def test_what_is_not_kept_is_404(self, front, path):
        assert ask(front, path)[0].status == 404


class TestMoved:
    def add(self, bare, name, moved):
        folder = bare.root / "definitions" / name
        folder.mkdir(parents=True)
        text = PLAIN.format(title="T") + f'moved = "{moved}"\n' + READER.format() + EXAMPLE.format()
        (folder / "source.toml").write_text(text, encoding="utf-8")
        from dasflex_core.catalog.tree import compile_tree

        found = compile_tree(bare.root).findings
        assert not found, [str(each) for each in found]

    @pytest.mark.parametrize(
        ("target", "place"),
        [
            (f"/source/old/flex?{DAY}", f"http://data.example.org/source/new/place/flex?{DAY}"),
            ("/source/OLD", "http://data.example.org/source/new/place"),
            (f"/source/old/data.csv?{DAY}", f"http://data.example.org/source/new/place/data.csv?{DAY}"),
            (f"/source/old/plan?{DAY}", f"http://data.example.org/source/new/place/plan?{DAY}"),
            (
                "/das/server?server=dataset&dataset=old.dsdf&start_time=2020-01-01T00%3A00&params=a+b",
                "http://data.example.org/das/server?server=dataset&dataset=New/Place&start_time=2020-01-01T00%3A00&params=a+b",
            ),
            ("/?server=dsdf&dataset=old", "http://data.example.org/?server=dsdf&dataset=New/Place"),
        ],
    )
    def test_another_id_is_an_absolute_redirection(self, local, bare, target, place):
        bare.add("new/place", "headers(); records(1)")
        self.add(bare, "old", "New/Place")
        answer, headers = ask(local(), target)
        assert answer.status == 301
        assert headers["Location"] == place
        assert headers["Content-Type"] == "text/plain; charset=utf-8"

    @pytest.mark.parametrize(
        ("target", "place"),
        [
            (f"/source/old/flex?{DAY}", f"https://other.example.org/das/source/a/b/flex?{DAY}"),
            ("/?server=dataset&dataset=old", "https://other.example.org/das/?server=dataset&dataset=a/b"),
        ],
    )
    def test_another_server_is_one_too(self, local, bare, target, place):
        self.add(bare, "old", "https://other.example.org/das/source/a/b")
        answer, headers = ask(local(), target)
        assert answer.status == 301
        assert headers["Location"] == place

    def test_an_address_that_is_too_long_is_told_instead(self, local, bare):
        bare.add("new", "")
        self.add(bare, "old", "new")
        answer, _headers = ask(local(), f"/source/old/flex?{DAY}&x={'y' * 1000}")
        assert answer.status == 404
        assert b"moved to new" in taken(answer)


class TestLog:
    def logs(self, root):
        """What the log of today says."""
        return "".join(each.read_text(encoding="utf-8") for each in (root / "log").glob("192.0.2.7_*.log"))

    def test_each_request_is_one_entry_at_its_end(self, local, bare):
        bare.add("good", "headers(); records(3)")
        front = local()
        answer, headers = ask(front, f"/source/good/flex?{DAY}", user_agent="curl/8")
        assert self.logs(bare.root) == ""
        size = len(taken(answer))
        answer.body.close()
        ask(front, "/nowhere")
        lines = self.logs(bare.root).splitlines()
        assert f'{headers["X-Request-Id"]} GET "/source/good/flex?{DAY}" 200 {size} ' in lines[0]
        assert lines[0].endswith('complete "curl/8" - good')
        assert '"/nowhere" 404' in lines[1]
        assert len(lines) == 3

    def test_an_answer_that_breaks_is_told_with_its_reason(self, local, bare):
        bare.add("breaks", "headers(); records(2000); sys.stdout.flush(); time.sleep(0.2); sys.exit(1)")
        answer, _headers = ask(local(), f"/source/breaks/data.csv?{DAY}")
        with pytest.raises(dasflex_core.SourceError):
            taken(answer)
        assert " broken " in self.logs(bare.root)
        assert "source.exit" in self.logs(bare.root)

    def test_a_log_that_cannot_be_written_fails_no_request(self, local, bare, noted):
        bare.add("good", "headers(); records(3)")
        log = bare.root / "log"
        if log.is_dir():
            log.rmdir()
        log.write_text("a file", encoding="utf-8")
        answer, _headers = ask(local(), f"/source/good/flex?{DAY}")
        assert answer.status == 200
        assert taken(answer).count(b"\n:01:") == 3
        assert any("cannot be" in each for each in noted)


@pytest.fixture(scope="module")
def any_front(tmp_path_factory):
    """A front-end that many examples of a property share."""
    root = tmp_path_factory.mktemp("any") / "root"
    make_root(root, "Any")
    return Front(dasflex_core.open(root), lambda _text: None)


HOSTILE = st.text(st.characters(codec=None, exclude_categories=()), max_size=40) | st.sampled_from(
    ["a\r\nSet-Cookie: x=y", "\x00", "a\nb", "é", "\ud800", "x" * 5000, "%0d%0aX: y", "bytes=0-1", 'W/"x"', "*"]
)
SHAPES = st.sampled_from(
    [
        "/{0}",
        "/source/{0}/flex?{1}",
        "/source/Examples/Random/flex?" + RANDOM + "&read.x={1}",
        "/source/Examples/Random/plan?" + RANDOM + "&format={1}",
        "/source/examples/random/data.{0}?" + RANDOM,
        "/source/{0}",
        "/static/{0}",
        "/request/{0}",
        "/answer/{0}",
        "/?server={1}",
        "/das/server?server=dataset&dataset={1}",
        "/?server=dsdf&dataset={0}{1}",
        "/?server=dataset&dataset=examples/random&start_time={1}&end_time=2017-01-02",
    ]
)


class TestHostileRequests:
    @settings(max_examples=250, deadline=None)
    @given(shape=SHAPES, texts=st.tuples(*[HOSTILE] * 6))
    def test_no_value_gets_into_a_header_or_makes_headers_long(self, any_front, shape, texts):
        first, second, agent, accept, tag, method = texts
        path, _, query = shape.format(first, second).partition("?")
        asked = Asked(
            method="GET" if len(method) % 2 else "HEAD" if len(method) % 4 else method,
            path=path,
            query=query,
            origin="http://data.example.org",
            headers={"user-agent": agent, "accept": accept, "if-none-match": tag, "accept-encoding": accept},
            client=agent,
        )
        answer = any_front.answer(asked)
        head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        assert len(head.encode("latin-1")) < 1900
        assert all(re.fullmatch(r"[A-Z][A-Za-z-]*", name) for name, _value in answer.headers)
        assert not any(char < " " or char == "\x7f" for _name, value in answer.headers for char in value)
        assert answer.status == 304 or dict(answer.headers)["Content-Type"]
        assert answer.status < 500
        if not isinstance(answer.body, bytes):
            answer.body.close()

    @pytest.mark.parametrize(
        "query",
        ["a=%zz", "a=%", "a=%e9", "&".join(f"a{number}=1" for number in range(1000)), "x" * 6_000 + "=%ff"],
    )
    def test_a_query_that_cannot_be_read_is_400(self, any_front, query):
        for target in (f"/source/examples/random/flex?{query}", f"/?server=dataset&{query}", f"/?{query}"):
            answer, _headers = ask(any_front, target)
            assert answer.status == 400

    def test_a_nul_in_a_value_is_400(self, any_front):
        answer, _headers = ask(any_front, f"/source/examples/params/flex?{RANDOM}&read.low=%00")
        assert answer.status == 400
