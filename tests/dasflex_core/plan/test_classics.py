# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic programs that commands of definitions name become stages of the plan, with their price and their identity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dasflex_core.catalog.model import Contacts, Coord, Definition, ExternalStage, Option, Reader
from dasflex_core.errors import ConfigError, QueryError
from dasflex_core.loading import load
from dasflex_core.plan import explain
from dasflex_core.plan.classics import Classics
from dasflex_core.plan.graph import Command
from dasflex_core.plan.planner import Planner
from dasflex_core.plan.trying import unfit_filters
from dasflex_core.registry import discover

RANGE = [("time", "2020-01-01/2020-01-02")]
READ = "read #[read.time.min] #[read.time.max]"
DAY = ("2020-01-01T00:00:00", "2020-01-02T00:00:00")
REGISTRY = discover()


def source(command=READ, *filters, writes="das/2", **more):
    facts = {"directory": "/srv", "file": "/srv/source.toml", "coords": {"time": Coord(cadence=1.0)}, **more}
    stages = tuple(ExternalStage(f"filter-{at}", each, "das/2", "das/2") for at, each in enumerate(filters))
    readers = (Reader("reader", command=command, writes=writes),)
    return Definition("Lab/Mag", "Lab", contacts=Contacts("A <a@b.c>"), readers=readers, stages=stages, **facts)


def solved(made, *pairs, **how):
    planner = Planner(REGISTRY, lambda _name: made, python="python", environ={"OLD": "/opt/das/bin"}, **how)
    return planner.solve(made, [*RANGE, *pairs])


def parts(solution):
    """The kind of each node, and the commands of each."""
    return [(node.kind, *(node.command.argvs if node.command else ())) for node in solution.nodes]


def test_programs_behind_a_reader_are_nodes_of_their_own():
    solution = solved(source(f"{READ} | das2_bin_avgsec 60 | das2_ascii -r 4", writes="das/2/text"))
    assert parts(solution) == [
        ("process", ("read", *DAY)),
        ("classic", ("das2_bin_avgsec", "60")),
        ("classic", ("das2_ascii", "-r", "4")),
    ]
    assert [node.inputs for node in solution.nodes] == [(), (0,), (1,)]
    assert [node.part for node in solution.nodes] == [0, 1, 2]
    assert [str(node.produces) for node in solution.nodes] == ["das", "das", "das/2/text"]


def test_programs_of_others_before_between_and_behind_stay_processes():
    solution = solved(source(f"{READ} | grep . | das2_histo | tr a b | uniq"))
    assert parts(solution) == [
        ("process", ("read", *DAY), ("grep", ".")),
        ("classic", ("das2_histo",)),
        ("process", ("tr", "a", "b"), ("uniq",)),
    ]


def test_a_command_without_classic_programs_is_one_process():
    assert parts(solved(source(f"{READ} | my_das2_psd 1 2"))) == [
        ("process", ("read", *DAY), ("my_das2_psd", "1", "2"))
    ]


def test_stages_behind_such_a_reader_follow_its_last_node():
    solution = solved(source(f"{READ} | das2_bin_avgsec 60"), ("format.type", "csv"))
    assert [node.name for node in solution.nodes] == ["reader", "reader", "das2-decode", "csv"]
    assert [node.inputs for node in solution.nodes] == [(), (0,), (1,), (2,)]


@pytest.mark.parametrize("program", ["das2_psd", "/opt/das/bin/das2_psd", "bin/das2_psd", "#[env.OLD]/das2_psd"])
def test_a_program_is_known_by_its_name_wherever_it_is_said_to_be(program):
    made = source(f"{READ} | {program} #[dft.length] 2")
    solution = solved(made, ("dft.length", "32"))
    assert [(node.kind, node.program) for node in solution.nodes] == [("process", ""), ("classic", "das2_psd")]
    assert solution.path.steps[0].consumes == ("dft.length", "read.time.max", "read.time.min")


@pytest.mark.parametrize("path", ["{}/das2_psd", "bin/das2_psd"])
def test_the_path_of_a_program_that_is_there_is_that_program(tmp_path, path):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "das2_psd"
    program.touch(0o755)
    made = source(f"{READ} | {path.format(program.parent)} 32 2", directory=str(tmp_path))
    assert [node.kind for node in solved(made).nodes] == ["process"]
    program.chmod(0o644)
    assert [node.kind for node in solved(made).nodes] == ["process", "classic"]


def test_the_first_program_of_a_reader_filters_nothing_and_is_what_it_says():
    assert parts(solved(source("das2_from_das1 x.dsdf #[read.time.min] #[read.time.max]"))) == [
        ("process", ("das2_from_das1", "x.dsdf", *DAY))
    ]


def test_a_filter_of_the_definition_consumes_what_it_mentions_and_needs_no_process():
    solution = solved(
        source(READ, "das2_bin_peakavgsec #[bin.time.max] #[bin.stats # -b 2020 #]"), ("bin.time.max", "60")
    )
    assert parts(solution)[1:] == [("classic", ("das2_bin_peakavgsec", "60"))]
    assert solution.path.steps[1].consumes == ("bin.time.max",)
    assert solution.nodes[1].name == "filter-0"


def test_a_filter_of_the_site_is_one_too():
    external = (ExternalStage("text", "das2_ascii -r #[format.sigdigit]", "das/2", "das/2/text"),)
    solution = solved(source(), ("format.sigdigit", "4"), external=external)
    assert parts(solution)[1:] == [("classic", ("das2_ascii", "-r", "4"))]


def test_values_are_inserted_by_the_rules_of_all_templates():
    """Sub-parameters, absent texts, and no option from a value."""
    command = f"{READ} | das2_bin_ratesec #[read.how(;|events) # -e #] #[read.how(;|title|=) # -t @ # -t None] 60"
    made = source(command, options={"how": Option(type="string")})
    assert solved(made, ("read.how", "events")).nodes[1].command.argvs[0][1:] == ("-e", "-t", "None", "60")
    assert solved(made, ("read.how", "title=A b")).nodes[1].command.argvs[0][1:] == ("-t", "A b", "60")
    with pytest.raises(QueryError, match="must not begin with a hyphen"):
        solved(made, ("read.how", "title=-e"))


def test_what_cannot_be_is_the_definitions_fault_where_no_value_has_a_part_in_it():
    with pytest.raises(ConfigError, match=r"source\.toml: reader\.reader\.command: das2_bin_avgsec: .*-q") as caught:
        solved(source(f"{READ} | das2_bin_avgsec -q 60"))
    assert caught.value.kind == "config.bad-value"
    assert "the options are -b -p -r -s" in caught.value.message


def test_what_cannot_be_is_a_wrong_request_where_a_value_has_a_part_in_it():
    made = source(f"{READ} | das2_bin_ratesec -v #[read.unit] 60", options={"unit": Option(type="string")})
    assert parts(solved(made, ("read.unit", "MB")))[1] == ("classic", ("das2_bin_ratesec", "-v", "MB", "60"))
    with pytest.raises(QueryError, match="-v 'miles' is none of bytes, kB, MB, GB"):
        solved(made, ("read.unit", "miles"))


def test_values_that_only_the_stages_know_are_looked_at_too():
    with pytest.raises(ConfigError, match=r"bin\.time\.max"):
        solved(source(f"{READ} | das2_bin_avgsec soon"))


@pytest.mark.parametrize(
    ("command", "writes", "text"),
    [
        (f"{READ} | das3_csv", "das/2", "das3_csv writes csv, not das/2"),
        (f"{READ} | das2_ascii", "csv", "das2_ascii writes das, not csv"),
    ],
)
def test_what_a_program_writes_is_what_the_definition_says(command, writes, text):
    with pytest.raises(ConfigError, match=text):
        solved(source(command, writes=writes))


def test_what_a_program_takes_is_what_the_filter_accepts():
    filter_ = ExternalStage("f", "das2_ascii #[format.sigdigit # -r @ #]", "csv", "das/2/text")
    made = replace(source(f"{READ} | das3_csv", writes="csv"), stages=(filter_,))
    with pytest.raises(ConfigError, match="das2_ascii takes das, not csv"):
        solved(made, ("format.type", "das"), ("format.sigdigit", "4"))


def test_the_price_is_that_of_the_stages_and_of_a_process_only_where_one_runs():
    classics = Classics(REGISTRY)
    cost = {each.name: each.cost for each in REGISTRY.stages}
    assert classics.cost(["das2_bin_avgsec"]).per_gb == sum(
        cost[name].per_gb for name in ("das2-decode", "bin-average", "das2-binary")
    )
    bare, more = (solved(source(command)) for command in (READ, f"{READ} | das2_histo"))
    assert more.seconds == pytest.approx(bare.seconds + classics.cost(["das2_histo"]).per_gb * bare.size)
    own = source(
        READ, "das2_bin_avgsec #[bin.time.max]", "cat | das2_bin_avgsec #[bin.time.max]", never=("bin-average",)
    )
    assert solved(own, ("bin.time.max", "60")).nodes[1].name == "filter-0"


def test_the_answer_is_known_by_what_the_definition_has_computed_and_by_its_algorithm(monkeypatch):
    ids = {
        solved(source(command)).answer
        for command in (READ, f"{READ} | das2_bin_avgsec 60", f"{READ} | das2_bin_avgsec 120", f"{READ} | das2_histo")
    }
    assert len(ids) == 4
    made = source(f"{READ} | das2_bin_avgsec 60"), source(f"{READ} | das2_bin_avgsec #[bin.time.max]")
    pairs = [[], [("bin.time.max", "60")]]
    before = [solved(each, *some).answer for each, some in zip(made, pairs, strict=True)]
    newer = tuple(replace(each, algorithm=each.algorithm + 1) for each in REGISTRY.stages)
    monkeypatch.setattr(f"{__name__}.REGISTRY", replace(REGISTRY, stages=newer))
    after = [solved(each, *some).answer for each, some in zip(made, pairs, strict=True)]
    assert not set(before) & set(after)


def test_the_same_average_has_one_identity_whoever_makes_it():
    ours = solved(source(READ), ("bin.time.max", "60"))
    theirs = solved(source(READ, "das2_bin_avgsec #[bin.time.max]"), ("bin.time.max", "60"))
    assert ours.nodes[1].kind == "stage"
    assert theirs.nodes[1].kind == "classic"
    assert replace(ours.produces, variant="") == replace(theirs.produces, variant="")
    assert ours.plan != theirs.plan


def test_explanations_name_the_program_and_tell_its_arguments_to_the_administrator_only():
    solution = solved(source(f"{READ} | das2_bin_avgsec 61 | sort"))
    assert "as das2_bin_avgsec" in explain.as_text(solution)
    assert "61" not in explain.as_text(solution)
    assert "| das2_bin_avgsec 61 | sort" in explain.as_text(solution, administrator=True)
    nodes = explain.as_json(solution)["nodes"]
    assert [each.get("program") for each in nodes] == [None, "das2_bin_avgsec", None]
    assert [each["consumes"] for each in nodes] == [["read.time.max", "read.time.min"], [], []]
    assert sum(each["seconds"] for each in nodes) == pytest.approx(solution.seconds)
    assert "command" not in nodes[1]
    assert explain.why(solution, "das2_bin_avgsec").startswith("das2_bin_avgsec is a program that reader names")
    assert "as das2_bin_avgsec" in explain.as_mermaid(solution)
    assert explain.as_mermaid(solution).count("-->") == 3
    assert "dasflex filter das2_bin_avgsec 61" in explain.shell_line(solution)


def test_files_are_those_of_the_directory_of_the_command_and_errors_do_not_tell_it(tmp_path):
    (tmp_path / "old.dsdf").write_text("form = x_multi_y\nny = 2\n")
    classics = Classics(REGISTRY)
    command = Command((("das2_from_das1", "old.dsdf", "2000-01-01", "2000-01-02"),), directory=str(tmp_path))
    assert [node.name for node in classics.nodes(command, b"")[1:]] == ["das1-decode", "das2-binary"]
    (tmp_path / "old.dsdf").write_text("form = of_nothing\n")
    with pytest.raises(QueryError) as caught:
        classics.nodes(command, b"")
    assert str(tmp_path) not in caught.value.message
    with pytest.raises(QueryError, match=r"old\.dsdf cannot be read"):
        classics.nodes(replace(command, directory="/nowhere"), b"")


@pytest.mark.parametrize("program", REGISTRY.classic_programs, ids=lambda each: each.name)
def test_each_program_says_which_stages_work_for_it(program, tmp_path):
    arguments = {
        "das2_psd": ["32", "2"],
        "das2_bin_avgsec": ["60"],
        "das2_bin_peakavgsec": ["60"],
        "das2_bin_ratesec": ["60"],
        "das2_from_das1": ["old.dsdf", "2000-01-01", "2000-01-02"],
        "das2_from_tagged_das1": ["-tBeg", "2000-01-01", "-t", "1"],
    }
    (tmp_path / "old.dsdf").write_text("form = x_multi_y\nny = 2\n")
    command = Command(((program.name, *arguments.get(program.name, [])),), directory=str(tmp_path))
    nodes = Classics(REGISTRY).nodes(command, b"")
    assert tuple(node.name for node in nodes[1:]) == program.stages
    assert callable(load(program.words))


def test_a_check_tries_filters_that_no_example_asks_for():
    made = source(
        READ,
        "das2_bin_avgsec -q #[bin.time.max]",
        "das2_psd #[dft.length] 2",
        "das2_bin_ratesec -v #[read.unit] 60",
        "cat #[bin.time.max]",
        options={"unit": Option(type="string")},
    )
    planner = Planner(REGISTRY, lambda _name: made, environ={})
    found = list(unfit_filters(planner, made, {}))
    assert [place for place, _message in found] == [0]
    assert found[0][1].startswith("das2_bin_avgsec: option -q not recognized")
    view = replace(made, readers=(Reader("reader", source="Lab/Mag"),))
    assert not list(unfit_filters(planner, view, {})), "a view that leads back to itself"
