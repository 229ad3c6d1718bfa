# SPDX-License-Identifier: GPL-3.0-or-later
"""Each key of DSDF, by files written by hand: what it becomes, what is told of it, and that TOML says the same."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dasflex_core.catalog.documents import Directories, load_document, parse_document
from dasflex_core.catalog.dsdf_import import read_dsdf
from dasflex_core.catalog.importing import Forms
from dasflex_core.catalog.read_toml import examination, examine, examine_directory
from dasflex_core.catalog.tree import Catalog, compile_tree
from dasflex_core.catalog.walk import CORE
from dasflex_core.cli.convert import converted
from dasflex_core.declarations import DefinitionTable
from dasflex_core.plan.templates import parse_template

FILES = Path(__file__).parent / "dsdf"
SOURCES = sorted(path.name for path in FILES.glob("*.dsdf") if not path.name.startswith("_"))
LEAST = """\
description = 'A'
techContact = 'B <b@example.org>'
exampleRange_00 = '2001-01-01 to 2001-01-02'
"""
#: What a test file says above its first own key.
LINES = LEAST.count("\n")
TIMES = "#[read.time.min] #[read.time.max]"
BEHIND = f"{TIMES} #[read.opts # @ #]"
#: The words of definitions where a plugin reads das1, whose table is its own.
WITH_DAS1 = replace(CORE, tables=(*CORE.tables, DefinitionTable("das1", "", keys=("*",))))


def read(name):
    """The definition in one of the files."""
    reading = examination(FILES / name, vocabulary=WITH_DAS1)
    assert not reading.findings, [str(each) for each in reading.findings]
    return reading.definition


def said(text, file="x.dsdf"):
    """The findings and the warnings of a text, by line and key."""
    made = read_dsdf(LEAST + text, file)
    return [
        [(each.place.line - LINES, each.place.key, each.message) for each in found]
        for found in (made.findings, made.warnings)
    ]


def argv(command, **asked):
    """The arguments of a command."""
    given = {"read.time.min": "A", "read.time.max": "B", **{f"read.{name}": value for name, value in asked.items()}}
    return [
        list(each)
        for each in parse_template(command).render(given, python="p", environ={}, typed={"read.opts": "arguments"})
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_the_toml_of_a_file_means_what_the_file_means(name):
    document = load_document(FILES / name)
    text = converted(document.imported, name)
    again = parse_document(text, name)
    # The last table of the text is `dsdf` or another: what a file lacks comes in front, as tables of their own.
    if document.imported.may_lack and "example" not in document.tables:
        text = f'contacts.technical = "A <a@example.org>"\nexample = [{{ time = "2001 to 2002" }}]\n{text}'
        again = parse_document(text, name)
    imported, read_again = (examine(each, id=Path(name).stem, vocabulary=WITH_DAS1) for each in (document, again))
    assert not read_again.findings
    lacking = "example" not in document.tables
    expected = replace(imported.definition, file=name)
    if lacking:
        expected = replace(expected, contacts=read_again.definition.contacts, examples=read_again.definition.examples)
    assert read_again.definition == expected


@pytest.mark.parametrize("name", SOURCES)
def test_the_comments_of_a_file_stand_in_its_toml(name):
    import re

    document = load_document(FILES / name)
    text = converted(document.imported, name)
    for comment in re.findall(
        r"^[^'\"\n]*?(?:'[^']*'|\"[^\"]*\")?[^'\"\n]*?;(.*)$", (FILES / name).read_text(), re.MULTILINE
    ):
        assert f"# {comment.strip()}" in text


def test_text_is_joined_and_unquoted_and_contacts_and_id_are_taken():
    made = read("words.dsdf")
    assert (made.id, made.title, made.label) == ("Examples/Words", "A source", "Words")
    assert made.summary == 'The level isn\'t calibrated, and never "was", since 1999'
    assert made.contacts.technical == "Somebody <somebody@example.org>"
    assert made.contacts.scientific == "A <a@example.org>, B <b@example.org>"
    (reader,) = made.readers
    assert (reader.command, reader.writes) == (f"/opt/bin/words -x {BEHIND}", "das/2")


@pytest.mark.parametrize(
    ("name", "writes"), [("das3stream", "das/3"), ("qstream", "qstream"), ("das1", "das/1"), ("params", "das/2")]
)
def test_the_stream_that_a_reader_writes_is_known_by_its_switch(name, writes):
    assert read(f"{name}.dsdf").readers[0].writes == writes


def test_a_model_takes_the_interval_first_and_has_no_resolution():
    made = read("interval.dsdf")
    assert made.readers[0].command == f"/opt/bin/orbit --frame=JSO #[read.time.inter] {BEHIND}"
    assert made.coords["time"].interval is not None
    assert [dict(each.request)["read.time.inter"] for each in made.examples] == ["60", "600.5"]
    assert [(name, each.title, each.units) for name, each in made.data.items()] == [
        ("radius", "Distance", "RJ"),
        ("mlat", "Magnetic latitude", None),
    ]
    assert [(each.id, each.title, dict(each.request)) for each in made.hapi] == [
        ("1min", "Each minute", {"read.time.inter": "60"}),
        ("10min", "Each ten minutes", {"read.time.inter": "600", "read.opts": "--frame=SIII"}),
    ]


def test_dropped_params_reach_no_reader_and_no_request():
    made = read("drop_params.dsdf")
    assert made.readers[0].command == f"/opt/bin/rdr one {TIMES}"
    assert not made.options
    assert "read.opts" not in dict(made.examples[0].request)


def test_placed_params_stand_where_the_file_puts_them_and_times_at_the_end_of_the_pipe():
    command = read("placed_params.dsdf").readers[0].command
    assert argv(command) == [["rdr", "--mode", "x ]@", "--quiet"], ["filter", "a b", "A", "B"]]
    assert argv(command, opts="-a b&c") == [["rdr", "-a", "b", "c", "--quiet"], ["filter", "a b", "A", "B"]]


def test_variables_in_front_of_the_program_are_set_for_it():
    (reader,) = read("environment.dsdf").readers
    assert reader.set_env == (("TZ", "UTC"), ("DATA", "/data/a b"))
    assert reader.command == f"rdr {BEHIND}"


def test_params_are_one_option_whose_texts_are_kept():
    made = read("params.dsdf")
    option = made.options["opts"]
    assert option.type == "arguments"
    assert option.values == (
        ("LFRL", "Only the low band"),
        ("gain", "Gain of the receiver|gain=@|option: 1 2 3"),
        ("spikes", "spikes"),
    )
    assert dict(made.examples[0].request)["read.opts"] == "LFRL gain=2"


@pytest.mark.parametrize("name", ["none", "misspelt", "done"])
def test_a_source_that_cannot_be_reduced_is_never_binned(name):
    made = read(f"reducer_{name}.dsdf")
    assert (made.never, made.stages, made.defaults) == (("bin",), (), ())


def test_the_reducers_of_das2_are_those_of_dasflex():
    made = read("reducer_default.dsdf")
    assert (made.never, made.stages, made.defaults) == ((), (), ())
    assert read("reducer_peaks.dsdf").defaults == (("bin.stats", "mean,max"),)


def test_a_reducer_of_the_sources_own_is_a_stage_that_takes_the_place_of_the_average():
    made = read("reducer_program.dsdf")
    (stage,) = made.stages
    assert (stage.command, stage.accepts, stage.writes) == (
        "/opt/bin/mean_angle -p 360 #[bin.time.max]",
        "das/2",
        "das/2",
    )
    assert made.never == ("bin-average",)


def test_ranges_and_variables_are_those_of_the_file():
    made = read("range.dsdf")
    assert list(made.coords) == ["time", "frequency"]
    time = made.coords["time"]
    assert (str(time.range), time.title, time.units) == ("1977-09-05 to NOW", "Spacecraft event time", "UTC")
    assert made.data["E_field"].units == "V m**-1"


def test_examples_have_the_options_of_their_number():
    made = read("examples.dsdf")
    assert [each.title for each in made.examples] == ["A day", "Perijove 1", ""]
    assert dict(made.examples[1].request) == {
        "read.time.min": "2013-240T6:50",
        "read.time.max": "2013-240T18:50",
        "read.opts": "--filter=low +5.5V 100%",
    }


def test_access_is_what_any_of_the_rules_grants():
    made = read("access.dsdf")
    assert made.access.realm == "Juno Magnetospheric Working Group"
    assert made.access.allow == ("group:juno", "user:joe", "age:1y6m", "group:lab")


def test_cache_levels_are_requests():
    assert [(each.block, dict(each.request)) for each in read("cache.dsdf").cache.levels] == [
        ("day", {}),
        ("day", {"bin.time.max": "60"}),
        ("minute", {"bin.time.max": "0.01", "read.opts": "OPT1 OPT2"}),
        ("month", {"bin.time.max": "0.25"}),
    ]


def test_a_live_source_has_one_reader_for_what_was_and_one_that_follows():
    made = read("live.dsdf")
    assert [(each.name, each.live, each.command) for each in made.readers] == [
        ("archive", False, f"follow {BEHIND}"),
        ("live", True, f"follow {BEHIND}"),
    ]


def test_hapi_shows_the_source_or_its_sub_sources():
    assert [(each.id, each.request) for each in read("hapi_whole.dsdf").hapi] == [("", ())]
    assert [(each.id, each.title, dict(each.request)) for each in read("hapi_sets.dsdf").hapi] == [
        ("60s", "Averages of a minute", {"bin.time.max": "60"}),
        ("native_B", "Magnetic field", {"read.opts": "B"}),
    ]


def test_a_source_that_moved_says_where():
    assert read("moved.dsdf").moved == "Examples/New"
    assert read("elsewhere.dsdf").moved == "https://das.example.org/das/server?server=dsdf&dataset=Their/Name"
    stub = read_dsdf("description = 'Gone'\nrename = 'a/b'", "x.dsdf")
    assert ("reader",) in stub.may_lack


def test_what_a_first_generation_reader_needs_is_kept():
    kept = load_document(FILES / "das1.dsdf").tables["das1"]
    assert kept["form"] == "x_tagged_y_scan"
    assert (kept["items"], kept["x_sample_width"], kept["z_fill"]) == (4, 120.0, -1e31)
    assert kept["y_coordinate"].replace(" ", "") == "[5.62,7.5,10.0,13.3]"


def test_a_file_without_contact_and_example_is_right_and_that_is_told():
    reading = examine(load_document(FILES / "das1.dsdf"), id="das1", vocabulary=WITH_DAS1)
    assert reading.definition is not None
    assert [(each.place.key, each.kind) for each in reading.warnings] == [
        ("exampleRange_00", "config.missing"),
        ("techContact", "config.missing"),
    ]


def test_an_unknown_or_repeated_key_is_a_warning_and_kept():
    reading = examination(FILES / "odd.dsdf")
    assert not reading.findings
    assert [(each.place.line, each.place.key) for each in reading.warnings] == [
        (2, "DESCRIPTION"),
        (6, "dataset_color"),
        (7, "mission"),
        (8, "mission"),
        (10, "exampleParams_07"),
        (11, "item_00"),
        (12, "data_00"),
        (13, "subSource_00"),
    ]
    assert all(each.place.file.endswith("odd.dsdf") for each in reading.warnings)
    assert reading.definition.title == "What is odd in a file, and wrong in none"
    (table,) = reading.definition.tables
    assert '"dataset_color": "red"' in table.values
    assert '"mission": ["one", "two"]' in table.values
    assert '"DESCRIPTION": "Old"' in table.values


def test_a_directory_has_its_title_and_passes_its_contacts_on(tmp_path):
    shutil.copy(FILES / "_dirinfo_.dsdf", tmp_path)
    (tmp_path / "a.dsdf").write_text(
        "description = 'A'\nreader = 'r'\ndas2Stream = 1\nexampleRange_00 = '2001 to 2002'\n"
    )
    directories = Directories(tmp_path)
    reading = examine_directory(directories.own(tmp_path))
    assert [(each.place.line, each.place.key) for each in reading.warnings] == [(3, "reader")]
    assert not reading.findings
    definition = examination(tmp_path / "a.dsdf", root=tmp_path).definition
    assert definition.contacts.technical == "Who answers for all <all@example.org>"


# -- what is wrong


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("[reader]\n", 1, "", "sections"),
        ("\n[[x]]\nnonsense\n", 2, "", "TOML"),
        ("reader = 'a; b'", 1, "reader", 'command = "sh reader.sh #\\[read.time.min\\]'),
        ("\nreader = 'a && b'", 2, "reader", "'&&' in column 3"),
        ("reader = 'a || b'", 1, "reader", "'\\|\\|' in column 3"),
        ("reader = 'a $(b)'", 1, "reader", "no command is run inside another"),
        ("reader = 'a `b`'", 1, "reader", "script, reader.sh"),
        ("reader = 'a \"`b`\"'", 1, "reader", "no command is run inside another"),
        ("reader = 'a > /dev/null'", 1, "reader", "nothing is redirected"),
        ("reader = 'a 2>&1'", 1, "reader", "nothing is redirected"),
        ("reader = 'a < b'", 1, "reader", "nothing is redirected"),
        ("reader = 'a *.dat'", 1, "reader", "file names are not expanded"),
        ("reader = '$HOME/bin/a'", 1, "reader", r"#\[env.HOME\]/bin/a #\[read.time.min\]"),
        ("reader = 'a \"${DATA}\"'", 1, "reader", r"#\[env.DATA\]"),
        ("reader = '~/a'", 1, "reader", "whole path"),
        ("reader = 'a &'", 1, "reader", "foreground"),
        ("reader = '(a)'", 1, "reader", "not grouped"),
        ('reader = "a it\'s"', 1, "reader", "not closed"),
        ("reader = 'a | | b'", 1, "reader", "on each side"),
        ("reader = 'a'\nreducer = 'b > c'", 2, "reducer", r"\[\[stage\]\] command = .sh reducer.sh #\[bin.time.max\]"),
        ("reader = 'a'\ndas2Stream = maybe", 2, "das2Stream", "must be 1 or 0"),
        ("reader = 'a'\ndas2Stream = 1\nqstream = 1", 3, "qstream", "one kind of stream"),
        ("server = 'planet'", 1, "server", "no address"),
        ("readAccess = 'ROLE:x'", 1, "readAccess", "GROUP:NAME"),
        ("cacheLevel_00 = '60 s | weekly'", 1, "cacheLevel_00", "one of persecond"),
        ("cacheLevel_03 = '60 parsec | daily'", 1, "cacheLevel_03", "unit of time"),
        ("exampleInterval_00 = 'often'", 1, "exampleInterval_00", "number of seconds"),
        ("summary = 'not closed", 1, "summary", "not closed in this line"),
        ("summary = 'it's'", 1, "summary", "twice"),
        ("summary = 'a' + $\nlabel = 'b'", 1, "summary", "go on with text in quotes"),
        ("nonsense", 1, "", "neither key"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_its_key_and_what_would_be_right(text, line, key, message):
    import re

    findings, _warnings = said(text)
    assert [each[:2] for each in findings] == [(line, key)]
    assert re.search(message, findings[0][2])


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("validRange = 'whenever'\nreader = 'a'", 4, "validRange"),
        ("reader = 'a'\nexampleRange_01 = '2002 to 2001'", 5, "exampleRange_01"),
        ("reader = 'a'\nsecurityRealm = 'Only a realm'", 1, "readAccess"),
        ("summary = 'no reader'", 1, "reader"),
        ("reader = 'a'\nlocalId = '../up'", 5, "localId"),
        ("reader = 'a'\nreadAccess = 'AGE:old'", 5, "readAccess"),
        ("reader = 'a'\nhapi = 1\nsubSource_00 = 'a b|x|60'", 6, "subSource_00"),
    ],
)
def test_what_no_definition_may_say_is_told_at_the_line_and_key_of_the_file(tmp_path, text, line, key):
    file = tmp_path / "a.dsdf"
    file.write_text(LEAST + text)
    reading = examination(file)
    assert [(each.place.file, each.place.line, each.place.key) for each in reading.findings] == [(str(file), line, key)]


# -- the real ones


def test_the_real_files_install_and_the_draft_is_refused_at_its_first_section(test_data, tmp_path):
    folder = tmp_path / "definitions" / "real"
    folder.mkdir(parents=True)
    for name in ("basic_rates", "das2_from_das1_test1", "Survey"):
        shutil.copy(test_data / "das2" / f"{name}.dsdf", folder)
    report = compile_tree(tmp_path, WITH_DAS1)
    assert report.installed == ("real/basic_rates", "real/das2_from_das1_test1")
    (finding,) = report.findings
    assert (finding.place.file, finding.place.line) == (str(folder / "Survey.dsdf"), 5)
    assert "das 2.3" in finding.message
    installed = Catalog(tmp_path).find("real/basic_rates.dsdf")
    assert str(installed.range) == "2013-279 to now"
    assert installed.moved == "http://jupiter.physics.uiowa.edu/das/server"
    assert any("paramTrans_05" in str(each) and each.place.line == 117 for each in report.warnings)


def test_a_wrong_file_leaves_what_was_installed_of_it(tmp_path):
    file = tmp_path / "definitions" / "a.dsdf"
    file.parent.mkdir()
    file.write_text(LEAST + "reader = 'a'\ndas2Stream = 1\n")
    assert compile_tree(tmp_path).installed == ("a",)
    file.write_text(LEAST + "reader = 'a; b'\ndas2Stream = 1\n")
    report = compile_tree(tmp_path)
    assert (report.installed, report.kept) == ((), ("a",))
    assert Catalog(tmp_path).find("A").readers[0].command == f"a {BEHIND}"


def test_toml_comes_before_dsdf_of_the_same_id(tmp_path):
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "a.dsdf").write_text(LEAST + "reader = 'a'\ndas2Stream = 1\n")
    assert compile_tree(tmp_path).installed == ("a",)
    toml = converted(load_document(folder / "a.dsdf").imported, "a.dsdf")
    (folder / "a.toml").write_text(toml.replace('"A"', '"Edited"'))
    report = compile_tree(tmp_path)
    assert report.installed == ("a",)
    assert Catalog(tmp_path).find("a").title == "Edited"
    (finding,) = report.findings
    assert finding.place.file.endswith("a.dsdf")
    assert "a.toml too" in finding.message


def test_a_strangers_importer_reads_its_own_suffix_and_one_that_fails_is_named(tmp_path):
    from dasflex_core.declarations import DefinitionImporter

    file = tmp_path / "a.ini"
    file.write_text("x")
    for reference, message in (("json:loads", "the importer ini failed"), ("nowhere:x", "cannot be used")):
        document = load_document(file, Forms((DefinitionImporter("ini", ".ini", "INI files", reference),)))
        assert message in document.imported.findings[0].message
