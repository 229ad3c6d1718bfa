# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed and not used costs a request nothing: no module of it is imported, nor any library of its own.

The plugins are those of `pyproject.toml`, so that a new one is held to it from its first day. All extras are installed
where the tests run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PLUGINS = {
    path.removeprefix("plugins/")
    for path in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    if path.startswith("plugins/")
}
#: The libraries of the extras. Each is imported by the name by which pip installs it.
LIBRARIES = {
    re.split(r"[^\w.-]", requirement)[0]
    for name, requirements in PYPROJECT["project"]["optional-dependencies"].items()
    for requirement in requirements
    if name != "all"
}
DAY = "time=2017-01-01/2017-01-02"
MINUTE = "time=1979-03-01T12:27:00/1979-03-01T12:27:01"
#: Requests of each kind, and the plugins that their plans use.
REQUESTS = [
    ("random", DAY, set()),
    ("random", f"{DAY}&format.type=das&format.version=2&format.serial=text", set()),
    ("random", f"{DAY}&format.type=das&format.version=3&format.serial=text", {"dasflex_das"}),
    ("random", f"{DAY}&format.type=csv", {"dasflex_das", "dasflex_csv"}),
    ("random", f"{DAY}&format.type=json", {"dasflex_das", "dasflex_json"}),
    ("waveform", f"{MINUTE}&format.type=csv", {"dasflex_das", "dasflex_csv"}),
    ("waveform", f"{MINUTE}&dft.length=800&format.type=das&format.version=2", {"dasflex_das", "dasflex_reduce"}),
]
#: What finds paths with the plugins' own words when a request is planned, and frames streams that are passed on.
ALWAYS = {"dasflex_das", "dasflex_reduce"}

CGI = """
import json, sys
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.site import open_site

front = Front(open_site(sys.argv[1]), lambda text: None)
path, _, query = sys.argv[2].partition("?")
answer = front.answer(Asked(method="GET", path=path, query=query, origin="http://x"))
body = answer.body
size = len(body) if isinstance(body, bytes) else sum(map(len, body))
if not isinstance(body, bytes):
    body.close()
front.end()
assert answer.status == 200 and size, answer
print(json.dumps(sorted(sys.modules)))
"""
GET = """
import json, os, sys
from dasflex_core.cli import main

config, source, query, target = sys.argv[1:]
os.environ["DASFLEX_CONFIG"] = config
words = query.split("&")
words[0] = words[0].removeprefix("time=")
main(["get", f"Examples/{source}", *words, "-o", target], standalone_mode=False)
assert os.path.getsize(target)
print(json.dumps(sorted(sys.modules)))
"""


def modules(code, *words):
    """The modules that a process of its own has at the end of a request."""
    command = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The configuration of a root with the examples, and a manifest that a process of the same kind wrote."""
    from dasflex_core.roots import make_root

    root = tmp_path_factory.mktemp("unused") / "root"
    made = make_root(root, "Unused")
    modules(CGI, made.file, f"/source/examples/random/plan?{DAY}")
    return made.file


def test_all_plugins_and_libraries_are_known_and_installed():
    """Otherwise the tests below would prove nothing."""
    assert {"dasflex_das", "dasflex_csv", "dasflex_arrow", "dasflex_cdf", "dasflex_plot", "dasflex_hapi"} <= PLUGINS
    assert {"pycdfpp", "matplotlib", "pyarrow", "h5py", "h5netcdf"} <= LIBRARIES
    assert [name for name in PLUGINS | LIBRARIES if find_spec(name) is None] == []


@pytest.mark.parametrize(("source", "query", "used"), REQUESTS)
def test_a_cgi_request_imports_only_the_plugins_of_its_plan(config, source, query, used):
    for what in ("plan", "flex"):
        found = modules(CGI, config, f"/source/examples/{source}/{what}?{query}")
        assert found & LIBRARIES == set()
        assert found & PLUGINS <= used | ALWAYS
        assert what == "plan" or used <= found


@pytest.mark.parametrize(("source", "query", "used"), REQUESTS)
def test_dasflex_get_imports_only_the_plugins_of_its_plan(config, tmp_path, source, query, used):
    found = modules(GET, config, source.title(), query, tmp_path / "answer.d2s")
    assert found & LIBRARIES == set()
    assert found & PLUGINS <= used | ALWAYS
    assert used <= found


def test_a_classic_das2_request_imports_no_plugin_but_that_of_its_streams(config):
    dataset = "dataset=Examples/Random&start_time=2017-01-01&end_time=2017-01-02"
    found = modules(CGI, config, f"/?server=dataset&{dataset}")
    assert found & LIBRARIES == set()
    assert found & PLUGINS <= ALWAYS


def test_a_format_that_is_asked_for_is_imported(config):
    """What the tests above look for can be found."""
    found = modules(CGI, config, f"/source/examples/random/data.parquet?{DAY}")
    assert {"pyarrow", "dasflex_arrow"} <= found
    assert found & LIBRARIES == {"pyarrow"}


def test_asking_what_plugins_declare_imports_no_library_of_theirs():
    """As where the manifest is stale."""
    code = (
        "import json, sys; from dasflex_core.registry import discover; discover(); print(json.dumps(list(sys.modules)))"
    )
    assert modules(code) & (LIBRARIES | {"numpy"}) == set()
