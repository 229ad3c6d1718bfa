# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process imports for one request, by kind of request: a CGI program pays for every module.

A clock would say less: what is imported is the same on every machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

#: What no request may import that the manifest and the compiled definitions were made to spare.
NEVER = {
    "click",
    "csv",
    "dasflex_core.config_lines",
    "dasflex_core.hookspecs",
    "dasflex_core.roots",
    "difflib",
    "email",
    "http",
    "importlib.metadata",
    "importlib.resources",
    "jinja2",
    "logging",
    "matplotlib",
    "msgspec",
    "pluggy",
    "random",
    "redis",
    "shutil",
    "socket",
    "tempfile",
    "tomllib",
    "trio",
    "werkzeug",
    "zipfile",
}
#: What a plan and an error do without, beside that: no program is started for them, nothing is decoded,
#: and no hash is made by OpenSSL.
ALSO_NOT_FOR_A_PLAN = {
    "dasflex_core.arrays",
    "dasflex_core.run",
    "base64",
    "hashlib",
    "numpy",
    "orjson",
    "subprocess",
    "threading",
    "xml",
}
ALSO_NOT_FOR_PASSING_ON = ALSO_NOT_FOR_A_PLAN - {"dasflex_core.run", "hashlib", "subprocess", "threading", "xml"}

DEFINITION = """
title = "A file"

[contacts]
technical = "Somebody <somebody@example.edu>"

[reader]
command = "cat data.d2s"
writes = "das/2"

[coords.time]
title = "Time"

[data.x]
title = "x"
axes = ["time"]

[[example]]
title = "All"
time = "2001-01-01 to 2001-01-02"
"""
HEADER = '<stream version="2.2"/>\n'
PACKET = '<packet><x type="time24" units="us2000"/><y type="ascii10" name="x" units=""/></packet>\n'
DATA = f"[00]{len(HEADER):06d}{HEADER}[01]{len(PACKET):06d}{PACKET}:01:2001-01-01T00:00:00.000  +1.0e+00\n"

PROGRAM = """
import json, sys
sys.path[:0] = {path}
started = []
sys.addaudithook(lambda event, given: event == "subprocess.Popen" and started.append((given[0], set(sys.modules))))
import dasflex_core
site = dasflex_core.open({root!r})
assert not site.remarks, site.remarks
{request}
at_start = [sorted(modules) for program, modules in started if str(program).endswith("cat")]
print(json.dumps([sorted(sys.modules), at_start]))
"""
PLAN = "site.request('cat', {pairs}).plan().explain('json')"
RUN = """
with site.request('cat', {pairs}).plan().open() as pump:
    pump.start()
    assert b"".join(pump.chunks())
"""
ERROR = """
try:
    site.request('cat', [('colour', 'red')]).plan()
except dasflex_core.QueryError:
    pass
else:
    raise SystemExit("no error")
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root that was opened before, by a process with the same path of modules."""
    place = tmp_path_factory.mktemp("root")
    source = place / "definitions" / "cat"
    source.mkdir(parents=True)
    (place / "etc").mkdir()
    (place / "etc" / "dasflex.conf").write_text('SERVER_NAME = "Test"\nSERVER_ID = "test"\n')
    (source / "source.toml").write_text(DEFINITION)
    (source / "data.d2s").write_text(DATA)
    command = ["from dasflex_core.catalog import compile_tree", "from pathlib import Path", "import dasflex_core"]
    lines = [*command, f"assert not compile_tree(Path({str(place)!r})).findings", f"dasflex_core.open({str(place)!r})"]
    run("import sys", f"sys.path[:0] = {paths()}", *lines)
    return place


def paths():
    return [str(REPOSITORY), str(REPOSITORY / "plugins")]


def run(*lines):
    done = subprocess.run([sys.executable, "-I", "-c", "\n".join(lines)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(root, request):
    """The modules that a request imports, and those that were there when its reader was started."""
    found, at_start = json.loads(run(PROGRAM.format(path=paths(), root=str(root), request=request)))
    return packages(found), [packages(each) for each in at_start]


def packages(modules):
    """The modules and the packages that they are in."""
    return {
        ".".join(parts[:end]) for each in modules for parts in [each.split(".")] for end in range(1, len(parts) + 1)
    }


def test_a_plan_imports_no_plugin_manager_no_parser_of_files_and_no_numpy(root):
    found, started = imported(root, PLAN.format(pairs=[]))
    assert found & (NEVER | ALSO_NOT_FOR_A_PLAN) == set()
    assert started == []


def test_an_error_imports_no_more_than_a_plan_and_what_finds_the_nearest_name(root):
    found, _started = imported(root, ERROR)
    assert found & ((NEVER | ALSO_NOT_FOR_A_PLAN) - {"difflib"}) == set()


@pytest.mark.parametrize("pairs", [[], [("format.type", "das"), ("format.version", "2")]])
def test_data_that_are_passed_on_are_passed_on_without_numpy(root, pairs):
    found, started = imported(root, RUN.format(pairs=pairs))
    assert found & (NEVER | ALSO_NOT_FOR_PASSING_ON) == set()
    assert len(started) == 1


def test_a_request_without_limits_is_not_estimated(root):
    """What a complete run tells of others is looked at when its data were sent."""
    _found, [at_start] = imported(root, RUN.format(pairs=[]))
    assert at_start & {f"dasflex_core.{each}" for each in ("affording", "estimate", "history", "prices")} == set()


def test_numpy_is_imported_for_a_conversion_after_its_reader_was_started(root):
    found, [at_start] = imported(root, RUN.format(pairs=[("format.type", "csv")]))
    assert "numpy" in found
    assert found & NEVER == set()
    assert at_start & (NEVER | ALSO_NOT_FOR_PASSING_ON) == set()


def test_a_root_whose_manifest_is_stale_pays_for_it_once(root):
    """The budget above is the manifest's doing: without it plugins and files are asked."""
    (root / "etc" / "manifest.json").unlink()
    lines = ["import sys, dasflex_core", f"sys.path[:0] = {paths()}", f"dasflex_core.open({str(root)!r})"]
    check = "sys.exit('pluggy' not in sys.modules)"
    run("import sys", f"sys.path[:0] = {paths()}", lines[0], lines[2], check)
    found, _started = imported(root, PLAN.format(pairs=[]))
    assert "pluggy" not in found
