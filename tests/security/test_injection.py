# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client says stays what it is: one argument, one line of a log, text of a page, of XML, and part of a name.

The readers here tell what they were started with, so that the attacks are judged by what a program sees.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.parsers import expat

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.cli import main
from dasflex_core.errors import DasflexError
from dasflex_core.logs import LogEntry
from dasflex_core.roots import make_root
from dasflex_core.site import Request

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Tells its arguments and its environment in a comment of the stream.
READER = r"""
import json, os, sys
told = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode().hex()
for tag, text in (("00", '<stream version="2.2"/>\n'), ("xx", f'<comment type="told" value="{told}"/>\n')):
    sys.stdout.write(f"[{tag}]{len(text):06d}{text}")
"""
#: An option in each of the ways that a command can take one.
COMMAND = (
    '#[python] reader.py --a=#[read.a # @ #] \\"#[read.b # -x @ #]\\" #[read.c # -o @ #] #[read.d # @ # none]'
    " #[read.e(,|flag) # --flag #] #[read.f # pre@post #] #[read.g(;|sub|=) # @ #] #[read.time.min] #[read.time.max]"
)
SOURCE = """
title    = "{title}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "{command}", writes = "das/2/text" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
{options}
"""
DAY = (("read.time.min", "2020-01-01"), ("read.time.max", "2020-01-02"))
ENDS = ["2020-01-01T00:00:00", "2020-01-02T00:00:00"]
BROWSER = {"accept": "text/html", "user-agent": "Mozilla/5.0"}
#: What means something to a shell, a template, a page, XML, SQL, a log, a header or a file system.
HOSTILE = [
    "; touch pwned", "$(touch pwned)", "`touch pwned`", "| cat /etc/passwd", "&& id", "|| id", "> pwned", "< /etc/passwd",
    "a b", "a\tb", "a\nb", "a\r\nX-Pwn: 1", "\n", "\x0b", "\x1b[2J", "\x7f", "--help", "-", "--", "-rf", "-x y", "'", '"', "\\", "a'b\"c\\d",
    "#[python]", "#[read.time.min]", "#[env.PATH]", "#[read.a # @ #]", "@", "@@", "#", "]", "%{x}", "%s%n", "%(PREFIX)s", "${HOME}", "$HOME",
    "{{7*7}}", "{% raw %}", "{0.__class__}", "*", "?", "~", "../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "a;b", "a&b", "a|b",
    "<xpwn onload=pwn()>", '"><xpwn>', "' pwn=1 '", "]]>", "<!--", "&lt;", "&#0;", "<!DOCTYPE a>", "<?xml?>", "'; DROP TABLE users; --",
    "\u202e", "\u2028", "\ufeff", "\uff0d\uff0dhelp", "\u010a", "\x85", "a" * 5000, "\U0001f600", "flag,-x", "flag", "sub=--x", "sub=a;sub=b",
]  # fmt: skip
TEXTS = (
    st.sampled_from(HOSTILE)
    | st.text(min_size=1, max_size=40)
    | st.lists(st.sampled_from(HOSTILE[:40]), min_size=2, max_size=3).map("".join)
)
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The examples and a source with an option of each kind, whose readers tell what they were started with."""
    place = tmp_path_factory.mktemp("injection") / "root"
    make_root(place, "Injection", examples=False)
    texts = {each.parent.name: each.read_text() for each in EXAMPLES.glob("*/source.toml")}
    del texts["Auth"]
    texts = {
        name: text.replace('"das/2"', '"das/2/text"').replace("das/3/binary", "das/2/text")
        for name, text in texts.items()
    }
    options = "\n".join(f'[options.{name}]\ntitle = "{name}"\ntype = "string"' for name in "abcdefg")
    texts["Telling"] = SOURCE.format(title="Tells", command=COMMAND, options=options)
    title = "<xpwn onload=pwn()> &amp; ' \\\" ]]> {{7*7}} #[python] \\u202e"
    texts["Title"] = SOURCE.format(
        title=title, command="#[python] reader.py #[read.time.min] #[read.time.max]", options=""
    )
    for name, text in texts.items():
        folder = place / "definitions" / "Examples" / name
        folder.mkdir(parents=True)
        (folder / "source.toml").write_text(text)
        (folder / "reader.py").write_text(READER)
        (folder / "frames").mkdir()
    (place / "definitions" / "Examples" / "_dirinfo_.toml").write_text((EXAMPLES / "_dirinfo_.toml").read_text())
    done = CliRunner().invoke(main, ["install", "--root", str(place)])
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture(scope="module")
def site(root):
    return dasflex_core.open(root)


@pytest.fixture(scope="module")
def front(site):
    """The front-end without a socket."""
    return Front(site, lambda _text: None)


def taken(answer) -> bytes:
    """The body of an answer."""
    if isinstance(answer.body, bytes):
        return answer.body
    try:
        return b"".join(answer.body)
    finally:
        answer.body.close()


def told(body: bytes) -> tuple[list[str], dict[str, str], str]:
    """The arguments, the environment and the directory of the reader."""
    found = re.search(rb'type="told" value="([0-9a-f]+)"', body)
    assert found, body[:300]
    return tuple(json.loads(bytes.fromhex(found[1].decode())))


def options_of(front, pairs, path="/source/examples/telling/flex", more=""):
    """What the reader of the source with all options is told, or the status where nothing runs."""
    answer = front.answer(Asked(method="GET", path=path, query=urlencode([*pairs, *DAY]) + more, client="127.0.0.1"))
    body = taken(answer)
    return told(body)[0] if answer.status == 200 else answer.status


def expected(name: str, text: str) -> list[str]:
    """The arguments that the command of the source becomes, by its template."""
    first = [f"--a={text if name == 'a' else ''}"]
    first += [f"-x {text}" if name == "b" else ""]
    first += ["-o", text] if name == "c" else []
    first += [text if name == "d" else "none"]
    first += ["--flag"] if name == "e" and "flag" in [each.strip() for each in text.split(",")] else []
    first += [f"pre{text}post"] if name == "f" else []
    values = [each.partition("=") for each in text.split(";")]
    first += [value.strip() for key, found, value in values if found and key.strip() == "sub"] if name == "g" else []
    return [*first, *ENDS]


class TestArguments:
    @settings(SLOW, max_examples=50)
    @given(name=st.sampled_from("abcdefg"), text=TEXTS)
    @example(name="d", text="--help")
    @example(name="c", text="-x")
    @example(name="a", text="a\nb c")
    @example(name="g", text="sub=--x")
    @example(name="g", text="sub=$(id);x=1")
    def test_a_value_is_exactly_the_argument_that_the_template_makes_of_it(self, front, root, name, text):
        """It comes whole and unchanged, adds no argument, and begins none with a hyphen that the template did not."""
        found = options_of(front, [(f"read.{name}", text)])
        stripped = text.strip()
        if isinstance(found, int):
            assert found == 400
            reasons = (
                (name in "cdg" and re.search(r"(^|=)\s*-", stripped)),
                any("\ud800" <= char <= "\udfff" or char == "\0" for char in text),
                (name == "g" and "sub" in stripped),  # a name without a value, twice, or an empty one
                name in "eg",  # an item that the command does not know
            )
            assert any(reasons)
        elif stripped:
            assert found == expected(name, stripped)
        assert not list(root.rglob("pwned"))

    def test_every_hostile_text_reaches_a_reader_as_it_is(self, front):
        """Nothing is taken away either, by which an attack on a filter would be one on the reader."""
        for text in HOSTILE[::2]:
            stripped = text.strip()
            found = options_of(front, [("read.a", text)])
            assert found == [f"--a={stripped}", "", "none", *ENDS]

    @pytest.mark.parametrize("text", ["--help", "-", "-x", "--", "-1", "-\nx"])
    @pytest.mark.parametrize("name", ["c", "d"])
    def test_no_value_becomes_an_option_where_it_begins_an_argument(self, front, name, text):
        assert options_of(front, [(f"read.{name}", text)]) == 400

    @settings(SLOW, max_examples=50)
    @given(text=TEXTS)
    def test_the_options_of_das2_clients_add_no_arguments(self, front, text):
        """`params` names options of the source; whatever else it holds is refused."""
        query = urlencode({"server": "dataset", "dataset": "examples/telling", "start_time": "2020-01-01",
                           "end_time": "2020-01-02", "params": f"d={text}"})  # fmt: skip
        answer = front.answer(Asked(method="GET", path="/", query=query, client="127.0.0.1"))
        body = taken(answer)
        if answer.status == 200:
            arguments = told(body)[0]
            assert len(arguments) == 5
            assert (arguments[0], arguments[3:]) == ("--a=", ENDS)
            assert not arguments[2].startswith("-")

    def parameters(self, site, identifier):
        """All parameters that a stage of a source declares."""
        source = site[identifier]
        bound = site.planner.bound(source.definition, {})
        own = {param.name for each in bound.stages.values() for param in each.spec.params}
        return sorted(own | {param.name for each in site.registry.stages for param in each.params})

    @pytest.mark.parametrize("name", ["Ephemeris", "Live", "Params", "Random", "Spectra", "Waveform"])
    def test_no_parameter_of_an_example_puts_anything_else_on_a_command_line(self, site, name):
        """Each parameter that there is, with each hostile text: what plans at all has as many arguments as without."""
        identifier = f"Examples/{name}"
        base = site[identifier].examples[0].pairs
        usual = [node.command.argvs for node in site[identifier].examples[0].plan().solution.nodes if node.command]
        tried = 0
        for parameter in self.parameters(site, identifier):
            for text in (*HOSTILE[::5], "-1e3", "--seed=7"):
                pairs = (
                    *(pair for pair in base if pair[0] != parameter),
                    (parameter.replace("{coord}", "frequency"), text),
                )
                try:
                    plan = Request(site[identifier], pairs).plan()
                except DasflexError:
                    tried += 1
                    continue
                found = [node.command.argvs for node in plan.solution.nodes if node.command]
                flat, known = ([word for argvs in each for argv in argvs for word in argv] for each in (found, usual))
                assert len(flat) == len(known)
                for new, old in zip(flat, known, strict=True):
                    head, equals, _value = old.partition("=")
                    assert new == old or (equals and new.startswith(f"{head}=")) or not new.startswith("-")
        assert tried

    def test_what_a_request_says_of_itself_is_not_in_the_environment_of_a_reader(self, root):
        """By CGI all of a request comes as variables, some of which mean something to programs."""
        secret = "pwnedpwned"  # noqa: S105  it is looked for
        variables = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/source/examples/telling/flex",
            "QUERY_STRING": urlencode(DAY) + f"&read.a={secret}",
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "localhost",
            "SCRIPT_NAME": "",
            "REMOTE_USER": secret,
            "AUTH_TYPE": secret,
            "CONTENT_TYPE": secret,
            "REDIRECT_HTTP_AUTHORIZATION": secret,
        }
        headers = ("AUTHORIZATION", "COOKIE", "PROXY", "USER_AGENT", "LD_PRELOAD", "PYTHONPATH", "X_A", "HOST", "PATH")
        variables |= {f"HTTP_{name}": "localhost" if name == "HOST" else secret for name in headers}
        program = "import sys; from dasflex_cgi.cgimain import main; sys.exit(main())"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "DASFLEX_CONFIG": str(root / "etc" / "dasflex.conf"), **variables},
            capture_output=True,
            timeout=60,
            check=False,
        )
        arguments, environment, directory = told(done.stdout)
        assert arguments[0] == f"--a={secret}"
        assert not [name for name, value in environment.items() if secret in value or name in variables]
        assert not [name for name in environment if name.startswith(("HTTP_", "DASFLEX_CONFIG"))]
        assert secret not in directory


class TestNames:
    @settings(SLOW, max_examples=60)
    @given(name=st.sampled_from("abcdefg"), text=TEXTS, suffix=st.sampled_from(["flex", "data.d2t"]))
    def test_the_name_of_a_file_is_one_that_every_system_takes(self, front, name, text, suffix):
        query = urlencode([(f"read.{name}", text), *DAY])
        answer = front.answer(Asked(method="HEAD", path=f"/source/examples/telling/{suffix}", query=query))
        if answer.status == 200:
            said = dict(answer.headers)["Content-Disposition"]
            found = re.fullmatch(r'(inline|attachment); filename="([A-Za-z0-9_.+-]+)"', said)
            assert found, said
            assert not found[2].startswith((".", "-"))
            assert len(found[2]) < 255

    def test_nothing_is_written_but_where_it_belongs(self, front, root):
        """Logs are named by addresses, records by our own ids, whatever clients say that they are."""

        def files():
            return {
                str(each.relative_to(root.parent))
                for each in root.parent.rglob("*")
                if not str(each.relative_to(root)).startswith(("log", "run", "cache"))
            }

        before = files()
        for text in HOSTILE[::4]:
            for client in (text, "../../../pwned", "/tmp/pwned", ".", "..", "", "a" * 5000):  # noqa: S108  of an attack
                front.answer(
                    Asked(method="GET", path=f"/request/{text}", client=client, headers={"x-request-id": text})
                )
        assert files() == before
        names = [each.name for each in (root / "log").iterdir()]
        own = ".aged"  # what says when old files were looked for
        wrong = [name for name in names if name != own and not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name)]
        assert not wrong


class TestLogs:
    LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [a-z0-9]+ |    )")

    @settings(SLOW, max_examples=80)
    @given(texts=st.tuples(*[TEXTS] * 4), method=st.sampled_from(["GET", "HEAD", "POST"]) | TEXTS)
    def test_a_request_is_one_entry_whatever_it_says(self, front, root, texts, method):
        file = root / "log"
        before = self.entries(file)
        asked = Asked(
            method=method,
            path=f"/source/examples/{texts[0]}/flex",
            query=texts[1].encode("utf-8", "replace").decode("latin-1"),
            client="192.0.2.99",
            headers={"user-agent": texts[2], "referer": texts[3], "x-forwarded-for": texts[3]},
        )
        taken(front.answer(asked))
        assert self.entries(file) == before + 1

    @settings(SLOW, max_examples=100)
    @given(texts=st.tuples(*[TEXTS] * 6))
    def test_an_entry_in_json_is_one_line_and_one_object(self, texts):
        names = ("client", "request", "method", "target", "agent", "detail")
        line = LogEntry(time=0.0, status=200, **dict(zip(names, texts, strict=True))).json()
        assert line.isascii()
        assert line.count("\n") == 1
        assert isinstance(json.loads(line), dict)

    def entries(self, folder: Path) -> int:
        """The number of entries of a client; no line is anything else."""
        lines = b"".join(each.read_bytes() for each in folder.glob("192.0.2.99_*")).decode().split("\n")[:-1]
        assert all(self.LINE.match(line) for line in lines)
        assert all(line.isprintable() for line in lines)
        return sum(not line.startswith("    ") for line in lines)


class _Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.scripts = ""
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, _tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside in ("script", "style"):
            self.scripts += data.strip()


def sound(text: str) -> bool:
    """Whether a page has nothing that an attack has put there: no element, attribute, address or script."""
    page = _Page(text)
    for tag, attributes in page.found:
        addresses = [attributes.get(name) or "" for name in ("href", "src", "action", "formaction")]
        ours = tag != "xpwn" and not any("pwn" in name or name.startswith("on") for name in attributes)
        if not ours or any(re.match(r"\s*(javascript|data|vbscript):", each, re.IGNORECASE) for each in addresses):
            return False
    return not page.scripts


class TestPages:
    ATTACKS = ("<xpwn onload=pwn()>", '"><xpwn>', "'><xpwn>", '" pwn=1 x="', "' onmouseover=pwn() '", "</title><xpwn>", "</script><xpwn>",
               "javascript:pwn()", "&lt;xpwn&gt;", "{{7*7}}", "<!--", "]]><xpwn>", "\x00<xpwn>", "<\x00xpwn>", "%3Cxpwn%3E", "\uff1cxpwn\uff1e")  # fmt: skip
    PAGES = (
        "/search?q={0}", "/search?q=random&{0}={0}", "/{0}", "/source/{0}", "/source/{0}/", "/source/{0}.html", "/source/examples/{0}/flex",
        "/source/examples/telling.html?read.a={0}&time={0}", "/source/examples/telling.html?{0}=1", "/source/examples/params.html?read.sensor={0}",
        "/source/examples/telling/flex?time={0}", "/source/examples/telling/flex?{0}=1", "/source/examples/telling/plan?format={0}",
        "/source/examples/random/data.{0}?time=2017-01-01/2017-01-02", "/?server={0}", "/?server=dataset&dataset={0}", "/request/{0}", "/answer/{0}",
        "/verify?source={0}", "/static/{0}.css", "/source/examples/title.html", "/source/examples/", "/source/", "/search?q=xpwn", "/",
    )  # fmt: skip

    @pytest.mark.parametrize("page", PAGES)
    def test_no_page_has_anything_in_it_that_an_address_has_put_there(self, front, page):
        for attack in self.ATTACKS:
            path, _, query = page.partition("?")
            asked = Asked(
                method="GET",
                path=path.format(attack),
                query=query.format(quote(attack.encode())),
                client="127.0.0.1",
                headers={**BROWSER, "host": "localhost", "referer": attack, "user-agent": f"Mozilla/5.0 {attack}"},
            )
            answer = front.answer(asked)
            body = taken(answer)
            if dict(answer.headers).get("Content-Type", "").startswith("text/html"):
                assert sound(body.decode())
                assert "49" not in body.decode() or "7*7" not in attack or "{{7*7}}" in body.decode()

    @pytest.mark.parametrize("where", ["name", "element", "attribute", "title", "type", "garbage"])
    def test_a_page_about_a_stream_has_nothing_in_it_that_the_stream_has_put_there(self, front, where):
        attack = "&lt;xpwn onload=pwn()&gt;&quot;&gt;&lt;xpwn&gt;"
        element = {
            "name": f'<y name="{attack}" type="ascii10" units="{attack}"/>',
            "element": "<xpwn><xpwn onload='pwn()'/></xpwn>",
            "attribute": f'<y name="a" type="ascii10" units="" onload="{attack}"/>',
            "title": f'<y name="a" type="ascii10" units=""><properties title="{attack}" pwn="{attack}"/></y>',
            "type": f'<y name="a" type="{attack}" units=""/>',
            "garbage": "<xpwn onload=pwn()>",
        }[where]
        header = f'<packet><x type="time24" units="us2000"/>{element}</packet>'
        stream = f'[00]000025<stream version="2.2" />\n[01]{len(header):06d}{header}<xpwn>'.encode()
        rest = [stream]
        headers = {**BROWSER, "content-length": str(len(stream)), "content-type": "application/octet-stream"}
        asked = Asked(
            method="POST",
            path="/verify",
            client="127.0.0.1",
            headers=headers,
            read=lambda _count: rest.pop() if rest else b"",
        )
        answer = front.answer(asked)
        assert answer.status == 200
        assert sound(taken(answer).decode())


def packets(body: bytes) -> list[bytes]:
    """The XML of a das2 stream, to its last byte; or of a das3 stream."""
    found, at = [], 0
    while at < len(body):
        head = re.compile(rb"\[(?:\d\d|xx)\](\d{6})|\|[A-Z][a-z]\|\d*\|(\d+)\|").match(body, at)
        assert head, body[at : at + 60]
        end = head.end() + int(head[1] or head[2])
        assert end <= len(body)
        found.append(body[head.end() : end])
        at = end
    return found


def attributes_of(xml: bytes) -> list[str]:
    """The values of all attributes of well-formed XML."""
    parser, found = expat.ParserCreate(), []
    parser.StartElementHandler = lambda name, attributes: found.extend((name, *attributes, *attributes.values()))
    parser.Parse(xml, True)
    return found


class TestXml:
    @settings(SLOW, max_examples=100)
    @given(
        text=TEXTS,
        shape=st.sampled_from(
            [
                "/?server=dataset&dataset={0}",
                "/?server=dsdf&dataset={0}",
                "/?server={0}",
                "/?server=dataset&dataset=examples/telling&start_time={0}&end_time=2020-01-02",
                "/?server=dataset&dataset=examples/telling&start_time=2020-01-01&end_time=2020-01-02&params={0}",
                "/?server=dataset&dataset=examples/telling&start_time=2020-01-01&end_time=2020-01-02&resolution={0}",
                "/?server=dataset&dataset=examples/telling&start_time=2020-01-01&end_time=2020-01-02&{0}.x=1",
                "/source/examples/telling/flex?read.time.min={0}&format.type=das&format.version=3",
                "/source/examples/telling/flex?{0}=1&format.type=das&format.version=2",
                "/source/{0}/flex?format.type=das&format.version=3",
            ]
        ),
    )
    def test_what_das_clients_are_told_is_well_formed_whatever_they_say(self, front, text, shape):
        path, _, query = shape.partition("?")
        asked = Asked(
            method="GET",
            path=path.format(text.replace("\0", "")),
            query=query.format(quote(text.encode("utf-8", "replace"))),
            client="127.0.0.1",
        )
        answer = front.answer(asked)
        body = taken(answer)
        if "das" in dict(answer.headers)["Content-Type"]:
            for each in packets(body):
                found = attributes_of(each)
                assert "xpwn" not in found
                assert "pwn" not in found
                assert not any("\n" in value for value in found[2:] if "message" in found)

    def test_what_definitions_say_is_escaped_in_every_form(self, front):
        """Definitions may be those of others: their titles are text, too."""
        for path, query in (("/source/examples/title/das2.d2t", ""), ("/", "server=dsdf&dataset=examples/title")):
            answer = front.answer(Asked(method="GET", path=path, query=query, client="127.0.0.1"))
            body = taken(answer)
            assert answer.status == 200
            found = [value for each in packets(body) for value in attributes_of(each)]
            assert "xpwn" not in found
            assert any("<xpwn onload=pwn()>" in value for value in found)
        for path in (
            "/source/examples/title.json",
            "/source/examples/title/flex.json",
            "/openapi.json",
            "/catalog.json",
        ):
            json.loads(taken(front.answer(Asked(method="GET", path=path))))
        peers = taken(front.answer(Asked(method="GET", path="/peers.xml")))
        attributes_of(peers)
