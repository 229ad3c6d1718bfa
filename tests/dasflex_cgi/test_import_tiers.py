# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CGI process imports for a plan, an error and a stream that is passed through: the second tier (T1)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

DAY = "time=2020-01-01/2020-01-02"
#: What none of these requests may import, each for its price.
FORBIDDEN = (
    "werkzeug",
    "jinja2",
    "numpy",
    "msgspec",
    "tomllib",
    "redis",
    "trio",
    "email",
    "http",
    "click",
    "pluggy",
    "zstandard",
    "logging",
    "traceback",
    "importlib.metadata",
    "dasflex_core.catalog.publishing",
    "dasflex_core.jobs",
    "dasflex_cgi.deferring",
    "dasflex_cgi.job_views",
)
CODE = """
import json, sys
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.site import open_site

path, _, query = sys.argv[2].partition("?")
front = Front(open_site(sys.argv[1]), lambda text: None)
answer = front.answer(Asked(method="GET", path=path, query=query, origin="http://x"))
body = answer.body
size = len(body) if isinstance(body, bytes) else sum(map(len, body))
if not isinstance(body, bytes):
    body.close()
front.end()
found = sorted(sys.modules)
print(json.dumps([answer.status, size, found]))
"""


@pytest.fixture(scope="module")
def passing(tmp_path_factory):
    """The configuration of a root with a source whose stream is passed through, and a fresh manifest."""
    from dasflex_core.catalog.tree import compile_tree
    from dasflex_core.roots import make_root

    root = tmp_path_factory.mktemp("tiers") / "root"
    make_root(root, "Tiers")
    assert not compile_tree(root).findings
    config = str(root / "etc" / "dasflex.conf")
    modules_of(config, "/source/examples/random/plan?time=2017-01-01/2017-01-02")
    return config


def modules_of(config, target):
    """The status, the size and the modules of a request in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, config, target], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/source/examples/random/plan?time=2017-01-01/2017-01-02", 200),
        ("/source/examples/random/flex?time=2017-01-01/2017-01-02", 200),
        ("/?server=dataset&dataset=Examples/Random&start_time=2017-01-01&end_time=2017-01-02", 200),
        ("/source/examples/random/flex?time=2017-01-02/2017-01-01", 400),
        ("/source/examples/auth/flex?time=2017-01-01/2017-01-02", 401),
        ("/nowhere", 404),
        ("/?server=list", 200),
        ("/?server=id", 200),
    ],
)
def test_none_of_them_imports_what_it_does_not_need(passing, target, expected):
    status, size, modules = modules_of(passing, target)
    assert status == expected
    assert size > 0
    assert [each for each in FORBIDDEN if each in modules] == []


def test_only_a_page_imports_jinja2(passing):
    status, _size, modules = modules_of(passing, "/source/examples/random")
    assert status == 200
    assert "jinja2" in modules
    assert "werkzeug" not in modules


CACHED = """
title    = "Kept"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2" }
example  = [{ title = "An hour", time = "2020-01-01 to 2020-01-01T01:00" }]
coords.time.range = "2020-01-01 to 2020-01-02"

[[cache.level]]
block = "hour"
bin.time.max = 60
"""
#: Writes the minutes of the hour in which its range begins.
HOUR = """
headers()
for minute in range(60):
    sys.stdout.write(f":01:{sys.argv[1][:13]}:{minute:02d}:00 {minute:9d}\\n")
"""


def test_blocks_as_they_are_are_joined_without_numpy(bare):
    """Also with background work, for which there is nothing to do."""
    from dasflex_core.cache.keeping import kept_levels
    from dasflex_core.site import open_site
    from dasflex_core.times import parse_time
    from dasflex_core.upkeep.building import build

    bare.add("Kept", HOUR, CACHED)
    site = open_site(bare.root)
    (kept,) = kept_levels(site.planner, site["Kept"].definition)
    ends = [parse_time(each).ns for each in ("2020-01-01T00:00", "2020-01-01T03:00")]
    assert build(site, kept, *ends, lambda _part, _what: None).built == 3
    query = "time=2020-01-01T00:00/2020-01-01T03:00&bin.time.max=60&bin.align=grid"
    modules_of(bare.config, f"/source/kept/plan?{query}")
    status, size, modules = modules_of(bare.config, f"/source/kept/flex?{query}")
    assert status == 200
    assert size > 180 * 20
    assert sorted(set(FORBIDDEN) & set(modules)) == []
    assert "dasflex_core.run.blocks" in modules
