# SPDX-License-Identifier: GPL-3.0-or-later
"""A CDF is planned, priced, limited and run as any other format, and says what a definition says of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pycdfpp
import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_cdf.plugin import CDF_TABLE, STAGE, TYPE, dasflex_extras
from dasflex_cdf.table import KEYS, Told, told
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.catalog.walk import Vocabulary
from dasflex_core.cli import main
from dasflex_core.errors import ConfigError, QueryError, SourceError
from dasflex_core.loading import load
from dasflex_core.registry import discover
from dasflex_core.roots import make_root
from dasflex_core.testing import golden

from .conftest import by_pycdfpp, globals_of, read_by_all

ABOUT = 'title = "A test"\ncontacts = { technical = "Somebody <somebody@example.org>", scientific = "A. B. Cee <abc@example.org>" }\n'  # fmt: skip
ENDS = "#[read.time.min] #[read.time.max]"
READER = f'[reader]\ncommand = "#[python] reader.py {ENDS}"\nwrites = "das/2"\nrate = "10 packet/s of 4 kB"\n'
EXAMPLE = '[[example]]\ntitle = "An hour"\ntime = "2031-04-02 to 2031-04-02T01:00"\n'
FIELD = "[data.bx]\naxes = ['time']\nunits = 'nT'\nvalid = [-100.0, 100.0]\n[coords.time]\n"
TABLE = """
[cdf]
skeleton = "skeleton.cdf"
names = { bx = "B_north" }
[cdf.attributes]
Project = "Probes"
Discipline = ["Space Physics>Fields", "Other"]
[cdf.variables.bx]
CATDESC = "The northward field"
SCALEMAX = 50
[cite]
doi = "10.1234/5678"
"""
CODE = r"""
import sys
body = b'<packet><x type="time24" units="us2000"></x><y name="bx" type="ascii11" units="nT"></y></packet>'
head = b'<stream version="2.2"/>'
sys.stdout.buffer.write(b"[00]%06d%b[01]%06d%b" % (len(head), head, len(body), body))
for minute in range(3):
    sys.stdout.buffer.write(b":01:2031-04-02T00:%02d:00.000  %.3e\n" % (minute, minute + 0.5))
"""


def skeleton(path):
    """A skeleton: attributes of the file and of a variable, and a constant."""
    made = pycdfpp.CDF()
    made.add_attribute("Project", ["Nobody"])
    made.add_attribute("Mods", ["First", "Second"])
    made.add_attribute("PI_affiliation", [" "])
    variable = made.add_variable("B_north", np.empty(0, "f8"), pycdfpp.DataType.CDF_REAL8)
    variable.add_attribute("CATDESC", "Of the skeleton")
    variable.add_attribute("DICT_KEY", "magnetic_field")
    variable.add_attribute("FILLVAL", np.array([-99.0]))
    made.add_variable("orientation", np.array([1.0, 2.0]), pycdfpp.DataType.CDF_REAL8, is_nrv=True)
    pycdfpp.save(made, str(path))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with a source that has a table, one that has none, and one that goes on for ever."""
    root = tmp_path_factory.mktemp("cdf") / "root"
    make_root(root, "Test", examples=False)
    live = f'[reader]\ncommand = "#[python] reader.py {ENDS}"\nwrites = "das/2"\nlive = true\n'
    sources = {
        "probes/mag/hires": READER + FIELD + TABLE,
        "plain": READER + FIELD,
        "rated": READER + FIELD,
        "live": live + '[[example]]\ntime = "now to forever"\n',
    }
    for name, text in sources.items():
        place = root / "definitions" / name
        place.mkdir(parents=True)
        place.joinpath("reader.py").write_text(CODE)
        place.joinpath("source.toml").write_text(ABOUT + text + ("" if name == "live" else EXAMPLE))
    skeleton(root / "definitions" / "probes" / "mag" / "hires" / "skeleton.cdf")
    report = compile_tree(root, Vocabulary.of(discover()))
    assert not report.findings, [str(each) for each in report.findings]
    return root


@pytest.fixture
def site(root):
    return dasflex_core.open(root)


def asked(site, name="plain", hours=1, **more):
    return site[name]["2031-04-02" : f"2031-04-{2 + hours // 24:02d}T{hours % 24:02d}"].ask(format_type="cdf", **more)


def registered(hook):
    """What a hook registers."""
    found = []
    hook(found.append)
    return found


def written(plan, path):
    path.write_bytes(b"".join(plan.run()))
    return path


def test_the_declaration_leads_to_the_class_and_the_plugin_needs_its_library():
    found = discover()
    assert found.stream_type(STAGE.produces).media_type == "application/x-cdf"
    assert found.by_suffix("cdf") == TYPE
    assert next(each for each in found.stages if each.name == "cdf").protocol == "spool"
    assert load(STAGE.factory).__name__ == "CdfSpool"
    (extra,) = registered(dasflex_extras)
    assert (extra.library, extra.requirement, extra.stages) == ("pycdfpp", "dasflex[cdf]", (STAGE,))
    assert CDF_TABLE.keys == KEYS


def test_a_file_is_made_by_a_plan_and_nothing_is_left_of_its_making(site, tmp_path, nasa):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    here = replace(site, config=replace(site.config, scratch_path=scratch))
    plan = asked(here).plan()
    assert (plan.media_type, plan.suffix) == ("application/x-cdf", "cdf")
    path = written(plan, tmp_path / "a.cdf")
    values = read_by_all(path, nasa)
    assert values["bx"].tolist() == [0.5, 1.5, 2.5]
    assert list(scratch.iterdir()) == []


def test_compression_is_as_asked(site, tmp_path):
    for name, wanted in (("gzip", "gzip_compression"), ("none", "no_compression")):
        plan = asked(site, format_cdf_compression=name).plan()
        assert dict(plan.solution.nodes[-1].values)["compression"] == name
        items = [*golden.spectra()[:2], *golden.spectra()[2:] * 200]
        from dasflex_cdf.spool import CdfSpool

        place = tmp_path / name
        place.mkdir()
        spool = CdfSpool(scratch=place, compression=name)
        for item in items:
            spool.feed(item)
        held = pycdfpp.load(str(spool.finish()))
        assert held["psd"].compression.name == wanted
        assert held["Epoch"].compression.name == "no_compression", "epochs never are"


def test_a_definition_says_what_the_stream_does_not(site, tmp_path):
    path = written(asked(site, "probes/mag/hires").plan(), tmp_path / "a.cdf")
    made = globals_of(path)
    assert made["Project"] == ["Probes"], "the table wins over the skeleton"
    assert made["Discipline"] == ["Space Physics>Fields", "Other"]
    assert made["Mods"] == ["First", "Second"], "of the skeleton"
    assert made["Logical_source"] == ["probes_mag_hires"]
    assert made["Logical_file_id"] == ["probes_mag_hires_20310402_v01"]
    assert made["PI_name"] == ["A. B. Cee"], "no address"
    assert made["DOI"] == ["10.1234/5678"]
    assert made["TITLE"] == ["A test"]
    values, about = by_pycdfpp(path)
    assert about["B_north"]["CATDESC"] == "The northward field", "the table wins over the skeleton"
    assert about["B_north"]["DICT_KEY"] == "magnetic_field"
    assert about["B_north"]["FILLVAL"] == [-1e31], "what the values decide, no skeleton does"
    assert (about["B_north"]["VALIDMIN"], about["B_north"]["VALIDMAX"]) == ([-100.0], [100.0])
    assert about["B_north"]["SCALEMAX"] == [50.0], "a number of the variable's type"
    assert values["orientation"].tolist() == [1.0, 2.0]


def test_names_make_another_answer_and_words_do_not(site):
    definition = site["probes/mag/hires"].definition
    assert json.loads(told(definition, definition.readers[0])[0]) == {"bx": "B_north"}
    assert told(site["plain"].definition, site["plain"].definition.readers[0])[0] == ""
    plan = asked(site, "probes/mag/hires").plan()
    other = replace(definition, title="Corrected")
    again = site.planner.solve(other, plan.canonical)
    assert again.answer == plan.solution.answer
    (table,) = [each for each in definition.tables if each.name == "cdf"]
    values = {**json.loads(table.values), "names": {"bx": "B_south"}}
    renamed = replace(definition, tables=(replace(table, values=json.dumps(values)),))
    assert site.planner.solve(renamed, plan.canonical).answer != plan.solution.answer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('skeleton = "gone.cdf"', "there is no file"),
        ("skeleton = 3", "name of a CDF file"),
        ("names = 3", "a table of names"),
        ('names = { bx = "B", time = "b" }', "by one name"),
        ('names = { by = "B" }', "no variable 'by'"),
        ("attributes = 3", r"a table, such as \[cdf.attributes\]"),
        ("attributes = { Project = { a = 1 } }", "a text, a number, or a list"),
        ("variables = { bx = 3 }", "attributes as texts or numbers"),
        ("variables = { bx = { FILLVAL = 3 } }", "follows from the data"),
    ],
)
def test_a_table_that_is_wrong_is_named(site, text, message):
    import tomllib

    definition = site["probes/mag/hires"].definition
    (table,) = [each for each in definition.tables if each.name == "cdf"]
    wrong = replace(definition, tables=(replace(table, values=json.dumps(tomllib.loads(text))),))
    with pytest.raises(ConfigError, match=message):
        told(wrong, definition.readers[0])


def test_an_unknown_key_of_the_table_is_found_when_it_is_installed(root, tmp_path):
    place = tmp_path / "root"
    make_root(place, "Test", examples=False)
    (place / "definitions" / "a").mkdir(parents=True)
    text = ABOUT + READER + EXAMPLE + '[cdf]\nskelton = "a.cdf"\n'
    (place / "definitions" / "a" / "source.toml").write_text(text)
    (found,) = compile_tree(place, Vocabulary.of(discover())).findings
    assert "skeleton" in str(found)


def test_a_skeleton_that_is_no_cdf_is_told_without_its_path(tmp_path):
    from dasflex_cdf.spool import CdfSpool

    (tmp_path / "skeleton.cdf").write_text("no CDF")
    words = json.dumps({"skeleton": str(tmp_path / "skeleton.cdf")})
    with pytest.raises(SourceError) as caught:
        CdfSpool(scratch=tmp_path, words=words)
    assert str(tmp_path) not in caught.value.message
    assert str(tmp_path) in caught.value.detail


def test_words_that_are_none_are_refused():
    with pytest.raises(ConfigError, match="JSON objects"):
        Told.read("", "[1]")


def test_data_that_go_on_for_ever_have_no_cdf(site):
    with pytest.raises(QueryError) as caught:
        site["live"].ask(format_type="cdf", read_time_min="now", read_time_max="forever").plan()
    assert caught.value.kind in ("query.unreachable-type", "query.no-plan")
    assert "cdf" in caught.value.message
    assert "needs finite" in caught.value.message


def test_a_file_that_would_be_too_large_is_refused_before_it_runs_with_what_would_do(site):
    tight = replace(site, config=replace(site.config, cdf_max_bytes=1_000_000))
    with pytest.raises(QueryError) as caught:
        asked(tight, "rated", hours=20).plan().afford()
    error = caught.value
    assert error.kind == "query.too-large"
    assert "give, as CDF, about" in error.message
    assert "where at most 1 MB are allowed" in error.message
    assert [each.key for each in error.limits] == ["CDF_MAX_BYTES"]
    assert error.suggestions
    for each in error.suggestions:
        replace(asked(tight, "rated"), pairs=each.pairs).plan().afford()
    tight["rated"]["2031-04-02":"2031-04-02T20:00"].ask(format_type="csv").plan().afford()
    asked(site, "rated").plan().afford()


def test_no_limit_is_no_limit(site):
    free = replace(site, config=replace(site.config, cdf_max_bytes=0))
    asked(free, "rated", hours=24 * 25).plan().afford()


def test_what_nothing_was_known_of_is_ended_at_the_limit(site):
    tight = replace(site, config=replace(site.config, cdf_max_bytes=40))
    with pytest.raises(QueryError, match="larger than the 40 bytes"):
        b"".join(asked(tight).plan().run())


@pytest.mark.parametrize(
    ("text", "value"), [("512 MB", 512_000_000), ("1.5GB", 1_500_000_000), ("1000", 1000), ("2k", 2000), ("", 0), ("0", 0)]
)  # fmt: skip
def test_the_limit_is_written_in_units(root, tmp_path, text, value):
    file = tmp_path / "dasflex.conf"
    file.write_text(f'CDF_MAX_BYTES = "{text}"\n')
    assert dasflex_core.config.read_config(file).cdf_max_bytes == value
    file.write_text('CDF_MAX_BYTES = "much"\n')
    with pytest.raises(ConfigError, match="is no size"):
        dasflex_core.config.read_config(file)


def test_a_plan_of_another_format_does_not_import_the_library(root):
    code = (
        "import sys, dasflex_core; site = dasflex_core.open(sys.argv[1]); "
        "source = site['plain']['2031-04-02':'2031-04-02T01:00']; "
        "b''.join(source.ask(format_type='csv').plan().run()); source.ask(format_type='cdf').plan(); "
        "print(*(name for name in ('pycdfpp', 'cdflib', 'dasflex_cdf.spool') if name in sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""


def test_the_command_line_writes_one(root, tmp_path):
    out = tmp_path / "out.cdf"
    words = ["get", "plain", "--root", str(root), "time=2031-04-02/2031-04-02T01:00", "format.type=cdf", "-o", str(out)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert by_pycdfpp(out)[0]["bx"].tolist() == [0.5, 1.5, 2.5]


def test_over_http_it_is_a_file_of_its_type_and_a_request_that_costs_too_much_is_refused(site, tmp_path):
    def ask(here, name, query):
        path = f"/source/{name}/data.cdf"
        answer = Front(here, print).answer(Asked(method="GET", path=path, query=query, origin="http://x", headers={}))
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        return answer.status, dict(answer.headers), body

    status, headers, body = ask(site, "plain", "time=2031-04-02/2031-04-02T01:00")
    assert (status, headers["Content-Type"]) == (200, "application/x-cdf")
    assert ".cdf" in headers["Content-Disposition"]
    (tmp_path / "a.cdf").write_bytes(body)
    assert by_pycdfpp(tmp_path / "a.cdf")[0]["bx"].tolist() == [0.5, 1.5, 2.5]
    tight = replace(site, config=replace(site.config, cdf_max_bytes=1_000_000))
    status, _headers, body = ask(tight, "rated", "time=2031-04-02/2031-04-03")
    assert status == 413
    assert b"at most 1 MB" in body


def test_what_clients_are_shown_of_a_plan_has_no_path(site, root):
    plan = asked(site, "probes/mag/hires").plan()
    for how in ("text", "json", "mermaid"):
        assert str(root) not in plan.explain(how)
