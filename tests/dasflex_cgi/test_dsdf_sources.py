# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources that a DSDF defines, as das2 clients meet them: in lists, by their description, with data, and elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from urllib.request import urlopen

import pytest

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.catalog.publishing import publisher
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.catalog.walk import Vocabulary

DAY = "start_time=2020-01-01&end_time=2020-01-02"
#: A reader that tells its arguments as a comment, and then writes a record for each minute of its range.
READER = """
import sys
from datetime import datetime, timedelta

def packet(tag, body):
    sys.stdout.write(f"[{tag}]{len(body.encode()):06d}{body}")

packet("00", '<stream version="2.2" />\\n')
packet("01", '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\\n')
packet("xx", "<comment type='log:info' source='r' value='%s' />\\n" % "|".join(sys.argv[1:]).replace("&", "&amp;"))
times = [each for each in sys.argv[1:] if each[:2] == "20"][:2]
here, end = (datetime.fromisoformat(each[:19]) for each in times)
for number in range(5):
    now = here + number * timedelta(minutes=1)
    if now < end:
        sys.stdout.write(f":01:{now.isoformat()} {number:9d}\\n")
"""
DSDF = """\
; an imported source
description = 'Levels | as they were'   ; with a sign that separates
summary     = 'Not calibrated'
techContact = 'A. Nobody <nobody@example.org>'
reader      = '{python} {folder}/reader.py first'
das2Stream  = 1
validRange  = '2020-01-01T00:01 to 2020-06-01 UTC'
exampleRange_00  = '2020-01-01 to 2020-01-02 | A day'
exampleParams_00 = '--filter=low'
param_00 = '--filter | Which filter | --filter=@ | option: low high'
param_01 = 'spikes | Keep the spikes'
cacheNavParams = 'never told'
readAccess = ''
{more}
"""


def ask(front, target):
    """Status, headers and body of the answer to a das2 query."""
    path, _, query = target.partition("?")
    answer = front.answer(Asked(method="GET", path=path, query=query, origin="http://x.example.org", headers={}))
    if isinstance(answer.body, bytes):
        return answer.status, dict(answer.headers), answer.body.decode()
    body = b"".join(answer.body)
    answer.body.close()
    return answer.status, dict(answer.headers), body.decode()


@pytest.fixture
def root(bare):
    """A root with a directory `old`, in which a DSDF is described by another; a function adds sources to it."""
    folder = bare.root / "definitions" / "old"
    folder.mkdir(parents=True)
    (folder / "_dirinfo_.dsdf").write_text("description = 'What was measured then'\n")
    (folder / "reader.py").write_text(READER)

    def add(name="level", more="", drop=(), **changes):
        text = DSDF.format(python=sys.executable, folder=folder, more=more)
        for key in (*drop, *changes):
            text = re.sub(rf"(?m)^{key}\s*=.*\n", "", text)
        text += "".join(f"{key} = '{value}'\n" for key, value in changes.items())
        (folder / f"{name}.dsdf").write_text(text, encoding="utf-8")
        return opened(bare.root)

    return add


def opened(root):
    """The front-end of a root whose definitions are installed."""
    site = dasflex_core.open(root)
    publish = publisher(site.config, site.registry, site.external)
    report = compile_tree(root, Vocabulary.of(site.registry, site.config.datasrc_inc), publish)
    assert not report.findings, [str(each) for each in report.findings]
    return Front(dasflex_core.open(root), lambda _text: None)


def test_the_list_has_the_title_of_the_directory_and_of_the_source(root):
    status, _headers, body = ask(root(), "/?server=list")
    assert status == 200
    assert body.splitlines() == ["old/|What was measured then", "old/level|Levels / as they were"]


@pytest.mark.parametrize("name", ["old/level", "OLD/Level.dsdf"])
def test_the_description_has_the_public_keys_and_no_other(root, name):
    status, _headers, body = ask(root(), f"/?server=dsdf&dataset={name}")
    assert status == 200
    assert 'String:description="Levels | as they were"' in body
    assert 'String:validRange="2020-01-01T00:01 to 2020-06-01"' in body
    assert 'String:exampleRange_00="2020-01-01 to 2020-01-02 | A day"' in body
    assert 'String:exampleParams_00="--filter=low"' in body
    assert 'String:param_00="--filter | Which filter | --filter=@ | option: low high"' in body
    assert 'String:param_01="spikes | Keep the spikes"' in body
    assert "reader" not in body
    assert "never told" not in body


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("", []),
        ("--filter%3Dlow", ["--filter=low"]),
        ("--filter%3Dlow+--gain%3D3", ["--filter=low", "--gain=3"]),
        ("a+b", ["a", "b"]),
        ("a%20%20b", ["a", "b"]),
        ("filter%3Dlow%26gain%3D3", ["filter=low", "gain=3"]),
        ("%2B5.5V", ["+5.5V"]),
        ("50%25", ["50%"]),
        ("%2541", ["%41"]),
        ("it's+%22so%22", ["it's", '"so"']),
        ("%3Bls+%24HOME+%60id%60+*", [";ls", "$HOME", "`id`", "*"]),
    ],
)
def test_params_are_decoded_once_and_reach_the_reader_as_a_list_of_arguments(root, tmp_path, sent, got):
    log = tmp_path / "argv.json"
    front = root(reader=f"{sys.executable} {tmp_path}/echo.py", drop=["validRange"])
    (tmp_path / "echo.py").write_text(f"import json, sys\njson.dump(sys.argv[1:], open({str(log)!r}, 'w'))\n")
    status, _headers, _body = ask(front, f"/?server=dataset&dataset=old/level&{DAY}&params={sent}")
    assert status == 200
    assert json.loads(log.read_text()) == ["2020-01-01T00:00:00", "2020-01-02T00:00:00", *got]


def test_a_request_is_trimmed_to_the_valid_range(root):
    status, _headers, body = ask(root(), f"/?server=dataset&dataset=old/level&{DAY}&ascii=1")
    assert status == 200
    assert "first|2020-01-01T00:01:00|2020-01-02T00:00:00" in body
    assert ":01:2020-01-01T00:01:00" in body
    assert 'xCacheRange="2020-01-01T00:00:00 to 2020-01-02T00:00:00' in body


@pytest.mark.parametrize(
    "span", ["start_time=2019-01-01&end_time=2020-01-01", "start_time=2021-01-01&end_time=2021-02-01"]
)
def test_outside_of_the_valid_range_there_are_no_data_and_the_reader_is_not_asked(root, span):
    status, _headers, body = ask(root(), f"/?server=dataset&dataset=old/level&{span}")
    assert status == 200
    assert 'type="NoDataInInterval"' in body
    assert "first" not in body


@pytest.mark.parametrize("server", ["dsdf", "dataset"])
def test_a_renamed_source_is_a_redirect_with_the_query_as_it_was(root, server):
    front = root("gone", rename="old/level")
    status, headers, _body = ask(front, f"/das/server?server={server}&dataset=old%2Fgone&{DAY}&params=a%2Bb")
    assert status == 301
    assert headers["Location"].endswith(f"/das/server?server={server}&dataset=old/level&{DAY}&params=a%2Bb")


@pytest.mark.parametrize(("more", "dataset"), [({}, "old/gone"), ({"rename": "New/Name"}, "New/Name")])
def test_a_source_of_another_server_is_a_redirect_to_it(root, more, dataset):
    front = root("gone", server="https://das.example.org/das/server", **more)
    status, headers, _body = ask(front, f"/?server=dataset&dataset=old/gone&{DAY}")
    assert status == 301
    assert headers["Location"] == f"https://das.example.org/das/server?server=dataset&dataset={dataset}&{DAY}"


def test_a_definition_that_only_says_where_its_source_is_needs_no_reader(root):
    front = root("gone", rename="old/level", drop=["reader", "das2Stream", "param_00", "param_01", "exampleParams_00"])
    assert ask(front, "/?server=dsdf&dataset=old/gone")[0] == 301
    assert ask(front, "/?server=list")[0] == 200


@pytest.mark.parametrize("own", ["{base}", "{base}/", "{base}/das/server", "{base}/das2server"])
def test_a_source_that_names_this_very_server_is_here(root, bare, own):
    base = dasflex_core.open(bare.root).config.server_url.rstrip("/")
    own = own.format(base=base).replace("/das/server", "/server")
    assert ask(root("here", server=own), "/?server=dsdf&dataset=old/here")[0] == 200
    assert (bare.root / "public" / "old" / "here" / "flex.json").is_file()


def test_a_source_of_qstreams_says_so_and_gives_them_as_they_are(root, tmp_path):
    script = tmp_path / "q.py"
    script.write_text("""print('[00]000038<stream dataset_id="ds_0" x="" y="" />', end='')""")
    front = root(qstream=1, reader=f"{sys.executable} {script}", drop=["das2Stream"])
    assert 'String:qstream="1"' in ask(front, "/?server=dsdf&dataset=old/level")[2]
    status, headers, body = ask(front, f"/?server=dataset&dataset=old/level&{DAY}&resolution=60")
    assert status == 200
    assert headers["Content-Type"].split(";")[0] in ("application/vnd.das2.qstream", "text/vnd.das2.qstream")
    assert body.endswith('<stream dataset_id="ds_0" x="" y="" />')


def test_dropped_params_are_ignored_as_other_extras_are(root):
    status, _headers, body = ask(
        root(dropParams=1, drop=["exampleParams_00"]), f"/?server=dataset&dataset=old/level&{DAY}&params=x&ascii=1"
    )
    assert status == 200
    assert 'first|2020-01-01T00:01:00|2020-01-02T00:00:00"' in body


def test_the_node_of_the_source_offers_the_flags(root, bare):
    root()
    node = json.loads((bare.root / "public" / "old" / "level" / "flex.json").read_text())
    param = node["protocol"]["httpParams"]["read.opts"]
    assert (param["type"], param["flagSep"]) == ("FlagSet", " ")
    assert param["flags"]["spikes"]["title"] == "Keep the spikes"
    assert param["flags"]["--filter"]["title"] == "Which filter"


def test_a_dsdf_is_installed_by_the_command_and_served_by_the_server(root, bare, serving):
    root()  # writes the files
    folder = bare.root / "definitions" / "old"
    (folder / "moved.dsdf").write_text("description = 'Once here'\nrename = 'old/level'\n")
    (folder / "level.dsdf").write_text((folder / "level.dsdf").read_text() + "; changed\n")
    (folder / "wrong.dsdf").write_text("description = 'Wrong'\nreader = 'a; b'\n")
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    install = subprocess.run(
        [sys.executable, "-c", code, "install", "--root", str(bare.root)], capture_output=True, text=True, check=False
    )
    assert install.returncode == 1
    assert f"{folder}/wrong.dsdf:2: reader: needs a shell for ';'" in install.stderr
    assert f"{folder}/level.dsdf:12: cacheNavParams: warning" in install.stderr
    assert "moved.dsdf" not in install.stderr
    server = serving("--port", "0", "--config", bare.config)

    def get(query):
        with urlopen(f"{server.base}?{query}", timeout=20) as answer:  # noqa: S310  our own server
            return answer.geturl(), answer.read().decode()

    _place, listed = get("server=list")
    assert listed.splitlines()[:2] == ["old/|What was measured then", "old/level|Levels / as they were"]
    assert "old/wrong" not in listed
    place, described = get("server=dsdf&dataset=old/moved")
    assert place.endswith("server=dsdf&dataset=old/level")
    assert 'String:validRange="2020-01-01T00:01 to 2020-06-01"' in described
    _place, data = get(f"server=dataset&dataset=old/moved&{DAY}&params=--filter%3Dlow+%2B5.5V&ascii=1")
    assert "first|2020-01-01T00:01:00|2020-01-02T00:00:00|--filter=low|+5.5V" in data
