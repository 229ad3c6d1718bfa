# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses become requests, and requests answers with the status, the type and the text that clients can use."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from werkzeug.test import Client, create_environ

import dasflex_core
from dasflex_cgi import delivering
from dasflex_cgi.app import Application, application, asked_of
from dasflex_cgi.exchange import Answer
from dasflex_core.errors import AccessError, BusyError, ConfigError, DasflexError, QueryError, SourceError
from dasflex_core.hookspecs import Mount
from dasflex_core.statuses import STATUSES, public_text, status_of

DAY = "time=2017-01-01/2017-01-02"
RANDOM = f"/source/Examples/Random/flex?{DAY}"
DAS2 = "/?server=dataset&dataset=Examples/Random&start_time=2017-01-01&end_time=2017-01-02"
JAVA = {"Accept": "text/html, image/gif, image/jpeg, */*; q=0.2", "User-Agent": "Java/17"}
FIREFOX = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}


@pytest.fixture
def noted() -> list[str]:
    """What the administrator was told."""
    return []


@pytest.fixture
def client(examples, noted) -> Client:
    """A client of the examples."""
    return Client(Application(dasflex_core.open(examples.root), noted.append))


@pytest.fixture
def local(bare, noted):
    """A client of a root to which sources are added, and the application behind it."""

    def opened() -> Client:
        return Client(Application(dasflex_core.open(bare.root), noted.append))

    return opened


class TestData:
    def test_they_come_as_the_reader_writes_them(self, client, examples):
        answer = client.get(RANDOM)
        assert answer.status_code == 200
        request = dasflex_core.open(examples.root)["Examples/Random"]["2017-01-01":"2017-01-02"]
        assert answer.data == b"".join(request.plan().run())
        assert answer.headers["Content-Type"] == "application/vnd.das2.das2stream"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        named = 'attachment; filename="Examples_Random_2017-01-01T00-00-00_2017-01-02T00-00-00.d2s"'
        assert answer.headers["Content-Disposition"] == named

    def test_the_suffix_is_the_format(self, client):
        answer = client.get(f"/source/examples/random/data.csv?{DAY}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert answer.headers["Content-Disposition"].startswith("inline; ")
        assert answer.data == client.get(f"{RANDOM}&format.type=csv").data

    @pytest.mark.parametrize("path", ["/SOURCE/examples/RANDOM/Flex", "/source//Examples/Random//flex"])
    def test_case_and_repeated_slashes_do_not_count(self, client, path):
        assert client.get(f"{path}?{DAY}").data == client.get(RANDOM).data

    def test_the_query_is_decoded_once(self, local, bare):
        bare.add(
            "echo",
            "sys.stderr.write(repr(sys.argv[3:])); headers(); packet('xx', f'<comment value=\"{sys.argv[3]}\"/>'); records(1)",
        )
        answer = local().get("/source/echo/flex?time=2020-01-01/2020-01-02&read.word=%2B5.5%25+V")
        assert b'value="+5.5% V"' in answer.data

    def test_a_das2_client_is_answered_and_its_extras_are_ignored(self, client):
        plain = client.get(DAS2).data
        assert b"xCacheRange" in plain
        assert plain[plain.index(b"[01]") :] == (flex := client.get(RANDOM).data)[flex.index(b"[01]") :]
        answer = client.get(f"{DAS2}&key=1&nitems=5").data
        assert answer == plain
        reduced = client.get(f"{DAS2}&resolution=143.04635761589404").data
        assert b"Datum:xCacheResolution" in reduced
        assert client.get(DAS2.replace("Examples/Random", "examples%2Frandom.dsdf")).data == plain
        assert client.get(f"{DAS2}&ascii=1").headers["Content-Type"].startswith("text/vnd.das2.das2stream")

    def test_head_says_what_get_would_and_runs_nothing(self, local, bare):
        bare.add("marked", "open('ran', 'w').close()")
        answer = local().head("/source/marked/data.csv?time=2020-01-01/2020-01-02")
        assert answer.status_code == 200
        assert answer.data == b""
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert "Content-Length" not in answer.headers
        assert not (bare.root / "definitions" / "marked" / "ran").exists()

    def test_a_browser_shows_text_and_a_java_client_gets_the_type(self, client):
        path = f"{RANDOM}&format.type=csv"
        assert client.get(path, headers=FIREFOX).headers["Content-Type"] == "text/plain; charset=utf-8"
        assert client.get(path, headers=JAVA).headers["Content-Type"].startswith("text/csv")
        assert "User-Agent" in client.get(path).headers["Vary"]

    def test_all_headers_together_are_below_what_das2c_reads(self, client):
        answer = client.get(f"{RANDOM}&format.type=csv&format.delim=comma")
        assert sum(len(f"{name}: {value}\r\n") for name, value in answer.headers) < 1024

    def test_a_value_that_no_header_can_hold_is_no_trouble(self, local, bare):
        bare.add("echo", "headers(); records(1)")
        answer = local().get("/source/echo/flex?time=2020-01-01/2020-01-02&read.word=%CE%A9%22%0Ax")
        assert answer.status_code == 200
        assert re.search(r'filename="[\w.+-]+"', answer.headers["Content-Disposition"], re.ASCII)

    def test_nothing_found_is_no_error(self, local, bare):
        bare.add("empty", "pass")
        web = local()
        answer = web.get("/source/empty/data.d2t?time=2020-01-01/2020-01-02")
        assert answer.status_code == 200
        assert b"NoDataInInterval" in answer.data
        record = json.loads(web.get(f"/request/{answer.headers['X-Request-Id']}").data)
        assert record["complete"]
        assert record["bytes"] == len(answer.data)

    def test_what_became_of_a_request_can_be_asked(self, client):
        answer = client.get(f"{RANDOM}&format.type=csv")
        length = len(answer.data)
        record = json.loads(client.get(f"/request/{answer.headers['X-Request-Id']}").data)
        assert record["complete"]
        assert record["bytes"] == length
        assert record["source"] == "Examples/Random"
        assert client.get(f"/REQUEST/{record['id'].upper()}").status_code == 200
        assert client.get("/request/../../etc/passwd").status_code == 404


class TestPlans:
    def test_they_are_text_json_or_a_graph(self, client):
        path = f"/source/examples/random/plan?{DAY}&format.type=csv"
        text = client.get(path)
        assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "das2-decode" in text.text
        assert json.loads(client.get(path, headers={"Accept": "application/json"}).data)["produces"] == "csv"
        assert json.loads(client.get(f"{path}&format=json").data)["produces"] == "csv"
        assert client.get(f"{path}&format=mermaid").text.startswith("flowchart")
        assert client.get(f"{path}&format=xml").status_code == 400

    def test_they_show_no_command_and_no_path(self, client, examples):
        for form in ("text", "json", "mermaid"):
            shown = client.get(f"/source/examples/random/plan?{DAY}&format={form}").text
            assert "reader.py" not in shown
            assert str(examples.root) not in shown


class TestFirstPage:
    def test_it_is_there_below_a_path_too(self, client):
        page = client.get("/", environ_overrides={"SCRIPT_NAME": "/das"})
        assert "Test Server" in page.text
        assert 'href="/das/source/' in page.text


class TestFailures:
    @pytest.mark.parametrize(
        ("path", "status", "text"),
        [
            ("/source/examples/radnom/flex", 404, "Examples/Random"),
            ("/nowhere", 404, "nothing at '/nowhere'"),
            (f"{RANDOM}&nonsense=1", 400, "nonsense"),
            ("/source/examples/random/flex?time=yesterday/2017-01-01", 400, "yesterday"),
            ("/source/examples/random/flex?time=2017-01-02/2017-01-01", 400, "2017-01-02"),
            ("/source/examples/random/flex", 400, "read.time.min"),
            (f"/source/examples/random/data.xyz?{DAY}", 400, "xyz"),
            (f"{RANDOM}&format.type=bogus", 400, "bogus"),
            (f"/source/examples/auth/flex?{DAY}", 401, "log in"),
            (f"{RANDOM}&read.x=%ff", 400, "UTF-8"),
            ("/source/examples/random/flex?" + "&".join(f"a{each}=1" for each in range(300)), 400, "query"),
        ],
    )
    def test_a_fault_of_the_client_is_told_in_the_form_of_what_was_asked(self, client, noted, path, status, text):
        answer = client.get(path)
        assert answer.status_code == status
        own = "/random/flex" in path.lower() and "bogus" not in path
        kind = "text/vnd.das2.das2stream; charset=utf-8" if own else "text/plain; charset=utf-8"
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["Cache-Control"] == "no-store"
        assert text in unescape(answer.text)
        assert len(answer.data.splitlines()) == (2 if own else 1)
        assert noted == []

    @pytest.mark.parametrize("path", [f"{RANDOM}&nonsense=1", "/nowhere", "/?server=nonsense"])
    def test_a_browser_gets_a_page_and_a_java_client_does_not(self, client, path):
        page = client.get(path, headers=FIREFOX)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["X-Request-Id"] in page.text
        plain = client.get(path, headers=JAVA)
        assert plain.status_code == page.status_code
        assert "html" not in plain.headers["Content-Type"]

    @pytest.mark.parametrize(
        ("query", "status", "kind"),
        [
            (
                "server=dataset&dataset=Examples/Radnom&start_time=2017-01-01&end_time=2017-01-02",
                404,
                "NoSuchDataSource",
            ),
            (
                "server=dataset&dataset=Examples/Random&start_time=2017-01-02&end_time=2017-01-01",
                400,
                "IllegalArgument",
            ),
            ("server=dataset&dataset=Examples/Random&start_time=2017-01-01", 400, "IllegalArgument"),
            ("server=dataset", 400, "IllegalArgument"),
            ("server=nonsense", 400, "IllegalArgument"),
        ],
    )
    def test_a_das2_client_is_told_in_the_one_form_that_all_of_them_read(self, client, query, status, kind):
        answer = client.get(f"/?{query}")
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "text/vnd.das2.das2stream; charset=utf-8"
        found = re.fullmatch(
            rb'\[00\]000025<stream version="2\.2" />\n\[xx\](\d{6})(<exception type="(\w+)" message="[^"<&\n]+" />\n)',
            answer.data,
        )
        assert found
        assert int(found[1]) == len(found[2])
        assert found[3].decode() == kind

    def test_a_das3_client_is_told_in_das3(self, client):
        answer = client.get(f"/source/examples/random/data.d3b?{DAY}&nonsense=1")
        assert answer.status_code == 400
        assert answer.headers["Content-Type"].startswith("text/vnd.das.stream")
        assert re.fullmatch(rb"\|Sx\|\|\d+\|\n<stream[^>]+/>\n\|Ex\|\|\d+\|\n<exception.+</exception>\n", answer.data)

    def test_a_reader_that_fails_before_its_data_is_a_proper_status_and_its_words_stay_here(self, local, bare, noted):
        bare.add("fails", "headers(); sys.stdout.flush(); sys.stderr.write('/secret/path is gone'); sys.exit(3)")
        for path in (
            "/source/fails/data.csv?time=2020-01-01/2020-01-02",
            "/?server=dataset&dataset=fails&start_time=2020-01-01&end_time=2020-01-02",
        ):
            answer = local().get(path)
            assert answer.status_code == 500
            assert "secret" not in answer.text
            assert "reader.py" not in answer.text
        assert all("/secret/path is gone" in each for each in noted)
        assert len(noted) == 2

    def test_a_reader_that_stays_silent_is_a_504_and_is_ended(self, local, bare, noted, monkeypatch, wait_until):
        monkeypatch.setattr(delivering, "PATIENCE", 0.4)
        bare.add("silent", "time.sleep(600)")
        answer = local().get("/source/silent/data.csv?time=2020-01-01/2020-01-02")
        assert answer.status_code == 504
        assert "silent gave nothing" in answer.text
        assert len(noted) == 1
        assert wait_until(lambda: not bare.processes("silent"), 2)

    def test_a_fault_of_the_administrator_is_told_to_him_alone(self, local, bare, noted):
        bare.add("broken", "")
        (bare.root / "sources" / "broken.json").write_text("{}", encoding="utf-8")
        answer = local().get("/source/broken/flex?time=2020-01-01/2020-01-02")
        assert answer.status_code == 500
        assert str(bare.root) not in answer.text
        assert str(bare.root) in noted[0]

    def test_a_fault_of_ours_is_one_status_without_a_traceback(self, examples, noted, monkeypatch):
        application = Application(dasflex_core.open(examples.root), noted.append)
        monkeypatch.setattr(application.front, "_source", None)
        answer = Client(application).get(f"/source/examples/random/plan?{DAY}")
        assert answer.status_code == 500
        assert "Traceback" not in answer.text
        assert "TypeError" in noted[0]

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND", "TRACE"])
    def test_only_get_and_head_are_answered(self, client, method):
        answer = client.open(RANDOM, method=method)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"

    def test_a_page_of_another_site_may_ask_what_it_may_ask(self, client):
        answer = client.options(RANDOM)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "GET" in answer.headers["Access-Control-Allow-Methods"]

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (QueryError("x"), 400),
            (QueryError("x", kind="query.bad-time"), 400),
            (AccessError("x", kind="access.log-in"), 401),
            (AccessError("x", kind="access.denied"), 403),
            (SourceError("x", kind="source.exit"), 500),
            (SourceError("x", kind="source.silent"), 504),
            (BusyError("x", kind="busy.limit"), 503),
            (ConfigError("/etc/secret"), 500),
            (DasflexError("/etc/secret"), 500),
        ],
    )
    def test_each_kind_of_error_has_its_status_and_no_path_is_told(self, error, status):
        assert status_of(error) == status
        assert "/etc/secret" not in public_text(error)

    def test_each_family_of_errors_is_in_the_table(self):
        families = {each.default_kind for each in DasflexError.__subclasses__()}
        assert families <= set(STATUSES)


class TestEnds:
    def test_a_body_that_is_closed_in_the_middle_ends_its_reader(self, local, bare, wait_until):
        bare.add("endless", "grandchild(); headers()\nwhile True: records(1000)")
        answer = local().get("/source/endless/flex?time=2020-01-01/2020-01-02", buffered=False)
        assert next(answer.response).startswith(b"[00]")
        assert len(bare.processes("endless")) == 2
        answer.response.close()
        assert wait_until(lambda: not bare.processes("endless"), 2)

    def test_a_body_that_was_never_begun_ends_its_reader(self, local, bare, wait_until):
        bare.add("endless", "grandchild(); headers()\nwhile True: records(1000)")
        answer = local().get("/source/endless/flex?time=2020-01-01/2020-01-02", buffered=False)
        answer.close()
        assert wait_until(lambda: not bare.processes("endless"), 2)


class TestEdge:
    @pytest.mark.parametrize(
        ("peer", "forwarded", "client"),
        [
            ("192.0.2.7", None, "192.0.2.7"),
            ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
            ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("::1", "10.0.0.1, 2001:db8::1", "2001:db8::1"),
            ("127.0.0.1", "198.51.100.1, evil\r\nx", "127.0.0.1"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("", "198.51.100.1", ""),
            ("<script>", "<script>", ""),
        ],
    )
    def test_the_client_is_whom_a_proxy_of_this_machine_names_last(self, peer, forwarded, client):
        environ = create_environ("/x", environ_overrides={"REMOTE_ADDR": peer})
        if forwarded is not None:
            environ["HTTP_X_FORWARDED_FOR"] = forwarded
        assert asked_of(environ).client == client

    @pytest.mark.parametrize(
        ("host", "origin"),
        [
            ("data.example.org", "http://data.example.org"),
            ("data.example.org:8080", "http://data.example.org:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ('x"><script>', ""),
            ("a\r\nb", ""),
            ("x" * 300, ""),
            *((host, "") for host in ("..", "a..b", "x" * 70, "[::1", "[x]", "a:b:c", "a:123456", "::::")),
        ],
    )
    def test_a_host_is_repeated_only_if_it_can_be_one(self, host, origin):
        environ = create_environ("/x")
        environ["HTTP_HOST"] = host
        assert asked_of(environ).origin == origin

    @pytest.mark.parametrize("host", ["..", "x" * 70, "[::1", "[x]", "a:b:c"])
    def test_whoever_writes_no_host_is_sent_on_to_the_servers_own(self, local, bare, host):
        bare.add("new", "headers(); records(1)")
        definition = (bare.root / "definitions" / "new" / "source.toml").read_text(encoding="utf-8")
        bare.add("old", "", definition.replace("options ", 'moved = "new"\noptions '))
        answer = local().get("/source/old", headers={"Host": host})
        assert (answer.status_code, answer.headers["Location"]) == (301, "http://127.0.0.1:8080/source/new")

    def test_a_path_is_utf_8_and_the_query_is_as_it_was_sent(self):
        environ = create_environ("/", environ_overrides={"SCRIPT_NAME": "/das/"})
        environ |= {"PATH_INFO": "/Gr\xc3\xb6\xc3\x9fe/\xff", "QUERY_STRING": "a=%2B+b&c=\xe9"}
        asked = asked_of(environ)
        assert asked.path == "/Größe/\ufffd"
        assert asked.query == "a=%2B+b&c=\xe9"
        assert asked.base == "/das"

    def test_a_body_that_is_not_sent_is_closed(self, examples):
        application = Application(dasflex_core.open(examples.root))
        closed = []

        class Body:
            def __iter__(self):
                return self

            def __next__(self):
                raise StopIteration

            def close(self):
                closed.append(True)

        for method, status in (("HEAD", 200), ("GET", 304)):
            application.front.answer = lambda _asked, status=status: Answer(status, (("X-A", "b"),), Body())
            answer = Client(application).open("/", method=method)
            assert answer.status_code == status
            assert "Content-Length" not in answer.headers
        assert len(closed) == 2

    def test_what_a_plugin_mounts_is_asked_below_its_path(self, examples, noted):
        site = dasflex_core.open(examples.root)
        mounts = [Mount("/hapi", "HAPI", f"{__name__}:mounted"), Mount("broken", "x", "no.such.module:x")]
        mounts.append(Mount("/raises", "x", f"{__name__}:raises"))
        object.__setattr__(site, "registry", Mounting(site.registry, mounts))
        client = Client(Application(site, noted.append))
        assert client.get("/hapi/about?x=1").data == b"/hapi|/about|Test Server"
        assert client.get("/hapi").data == b"/hapi||Test Server"
        assert client.get("/hapiness").status_code == 404
        assert sorted(each.split(":")[0] for each in noted) == ["/broken is not served", "/raises is not served"]
        assert any(each.endswith("RuntimeError: it has no table") for each in noted)

    def test_the_application_for_other_servers_opens_what_dasflex_config_names(self, examples, monkeypatch, capsys):
        monkeypatch.delenv("DASFLEX_CONFIG", raising=False)
        late = type(application)()
        answer = Client(late).get("/id.txt")
        assert answer.status_code == 500
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "DASFLEX_CONFIG" not in answer.text
        assert "DASFLEX_CONFIG" in capsys.readouterr().err
        assert Client(late).get("/id.txt", environ_overrides={"DASFLEX_CONFIG": "/no/such"}).status_code == 500
        answer = Client(late).get("/id.txt", environ_overrides={"DASFLEX_CONFIG": examples.config})
        assert answer.text == "Test Server"


class Mounting:
    """A registry with mounts of its own."""

    def __init__(self, registry, mounts):
        self._registry = registry
        self._mounts = mounts

    def mounts(self):
        return self._mounts

    def __getattr__(self, name):
        return getattr(self._registry, name)


def raises(_site):
    """An application that cannot be made, for a reason that is not of our family."""
    raise RuntimeError("it has no table")


def mounted(site):
    """An application that says where it is."""

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}|{site.config.server_name}".encode()]

    return application
