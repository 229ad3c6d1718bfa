# SPDX-License-Identifier: GPL-3.0-or-later
"""A request over a definition becomes a plan, or an error that says what would be right."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from dasflex_core.catalog.model import (
    Contacts,
    Coord,
    Definition,
    Example,
    ExternalStage,
    Interval,
    Option,
    Rate,
    Reader,
    SourceLimits,
    Span,
)
from dasflex_core.errors import ConfigError, NotFoundError, QueryError
from dasflex_core.hookspecs import Convention
from dasflex_core.plan import explain
from dasflex_core.plan.planner import Planner
from dasflex_core.registry import CORE_CONVENTIONS, Registry
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

DAS2 = StreamType("das", "2")
RANGE = [("time", "2020-01-01/2020-01-02")]


def stage(name, accepts, produces, *params, cost=0.1, **more):
    return StageSpec(
        name,
        f"The stage {name}",
        accepts,
        produces,
        f"plugin:{name}",
        params=params,
        cost=Cost(cost),
        bundled=True,
        **more,
    )


BIN = stage(
    "bin", ARRAYS, ARRAYS, ParamSpec("bin.time.max", type="real", units="s", low=0), ParamSpec("bin.stats", "modifier"),
    needs=frozenset({"sampled"}),
)  # fmt: skip
PSD = stage("psd", ARRAYS, ARRAYS, ParamSpec("dft.length", type="integer", low=2), needs=frozenset({"waveform"}))
CSV = stage("csv", ARRAYS, StreamType("csv"), ParamSpec("format.secfrac", "offered", "integer", low=0, high=9))
DECODE = stage("das2-decoder", DAS2, ARRAYS)
BINARY = stage("das2-binary", ARRAYS, StreamType("das", "2", "binary"))
TEXT = stage("das2-text", ARRAYS, StreamType("das", "2", "text"), cost=0.2)
TYPES = (
    StreamTypeInfo(StreamType("das", "2", "binary"), "das2", "application/vnd.das2.das2stream", "d2s"),
    StreamTypeInfo(StreamType("das", "2", "text"), "das2 text", "text/vnd.das2.das2stream", "d2t", text=True),
    StreamTypeInfo(StreamType("csv"), "CSV", "text/csv", "csv", text=True, many=False),
)
LENIENT = Convention("old", "An old client", "", lenient=True, goal="das/2")
SMALL = Registry(stages=(DECODE, BINARY, TEXT, CSV), stream_types=TYPES, conventions=(*CORE_CONVENTIONS, LENIENT))
LARGE = Registry(stages=(*SMALL.stages, BIN, PSD), stream_types=TYPES, conventions=SMALL.conventions)


def definition(name="Lab/Mag", command="cat #[read.time.min] #[read.time.max] data", **more):
    facts = {
        "contacts": Contacts("A <a@b.c>"),
        "readers": (Reader("", command=command, writes="das/2"),),
        "coords": {"time": Coord(cadence=1.0)},
        "examples": (Example("One", (("read.time.min", "2020-01-01"), ("read.time.max", "2020-01-02"))),),
        "directory": "/srv",
    }
    return Definition(name, "A magnetometer", **{**facts, **more})


def planner(registry=LARGE, *others, **more):
    known = {each.id: each for each in others}

    def find(source):
        if source not in known:
            raise NotFoundError(f"no {source}")
        return known[source]

    return Planner(registry, find, python="/usr/bin/python3", environ={"DATA": "/data"}, **more)


def names(solution):
    return [step.spec.name for step in solution.path.steps]


def test_without_a_format_the_answer_is_the_readers_own_stream():
    solution = planner().solve(definition(), RANGE)
    assert names(solution) == ["reader"]
    assert solution.nodes[0].command.argvs == (("cat", "2020-01-01T00:00:00", "2020-01-02T00:00:00", "data"),)
    assert solution.nodes[0].command.directory == "/srv"


def test_a_format_and_a_reduction_make_a_path_of_four_stages():
    pairs = [*RANGE, ("bin.time.max", "60"), ("format.type", "csv"), ("format.secfrac", "3")]
    solution = planner().solve(definition(), pairs)
    assert names(solution) == ["reader", "das2-decoder", "bin", "csv"]
    assert dict(solution.nodes[2].values) == {"max": 60.0}
    assert dict(solution.nodes[3].values) == {"secfrac": 3}


def test_text_is_asked_with_format_serial_alone():
    assert names(planner().solve(definition(), [*RANGE, ("format.serial", "text")])) == [
        "reader",
        "das2-decoder",
        "das2-text",
    ]


def test_an_unknown_parameter_is_named_with_the_closest_legal_ones():
    with pytest.raises(QueryError, match=r"bin\.tme\.max.*Did you mean bin\.time\.max") as caught:
        planner().solve(definition(), [*RANGE, ("bin.tme.max", "60")])
    assert caught.value.kind == "query.unknown-parameter"


def test_a_canonical_parameter_that_nothing_installed_consumes_says_so():
    with pytest.raises(QueryError, match=r"nothing that is installed or declared consumes dft\.length") as caught:
        planner(SMALL).solve(definition(defaults=(("dft.length", "800"), ("dft.slide", "2"))), RANGE)
    assert caught.value.kind == "query.unknown-parameter"


@pytest.mark.parametrize(
    ("pair", "text", "kind"),
    [
        (("bin.time.max", "soon"), r"bin\.time\.max='soon' is not a number \(of s\)", "query.bad-value"),
        (("bin.time.max", "-1"), r"out of its range from 0", "query.bad-value"),
        (("bin.time.max", "60 kg"), r"is not a number \(of s\)", "query.bad-value"),
        (("format.secfrac", "12"), r"out of its range from 0 to 9", "query.bad-value"),
        (("format.secfrac", "1.5"), r"no whole number", "query.bad-value"),
        (("format.type", "bogus"), r"There are das, csv", "query.unreachable-type"),
        (("format.serial", "loud"), r"neither text nor binary", "query.bad-value"),
        (("read.time.max", "2019"), r"2020-01-0|twice", "query.bad-value"),
    ],
)
def test_a_bad_value_is_named_with_what_would_be_right(pair, text, kind):
    extra = [("format.type", "csv")] if pair[0] == "format.secfrac" else []
    with pytest.raises(QueryError, match=text) as caught:
        planner().solve(definition(), [*RANGE, pair, *extra])
    assert caught.value.kind == kind


def test_a_reversed_range_is_refused():
    with pytest.raises(QueryError, match="2020") as caught:
        planner().solve(definition(), [("time", "2020-01-02/2020-01-01")])
    assert caught.value.kind == "query.bad-range"


def test_a_malformed_time_is_refused_with_a_right_one():
    with pytest.raises(QueryError, match="yesterdayish") as caught:
        planner().solve(definition(), [("read.time.min", "yesterdayish"), ("read.time.max", "2020")])
    assert caught.value.kind == "query.bad-time"


def test_a_missing_required_parameter_is_named_with_its_title():
    with pytest.raises(QueryError, match=r"Lab/Mag needs read\.time\.max \(end of the time range") as caught:
        planner().solve(definition(), [("read.time.min", "2020")])
    assert caught.value.kind == "query.missing-parameter"


def test_a_trait_that_the_data_lack_is_named():
    with pytest.raises(QueryError, match=r"dft\.length cannot be used here: psd needs data with the trait waveform"):
        planner().solve(definition(), [*RANGE, ("dft.length", "800")])


def test_a_trait_is_named_where_a_stage_consumes_two_parameters():
    band = stage(
        "band", ARRAYS, ARRAYS, ParamSpec("calc.band.min", type="real"), ParamSpec("calc.band.max", type="real"),
        needs=frozenset({"spectra"}),
    )  # fmt: skip
    registry = Registry(stages=(*SMALL.stages, band), stream_types=TYPES, conventions=SMALL.conventions)
    wanted = r"calc\.band\.max and calc\.band\.min cannot be used here: band needs data with the trait spectra"
    with pytest.raises(QueryError, match=wanted) as caught:
        planner(registry).solve(definition(), [*RANGE, ("calc.band.min", "1"), ("calc.band.max", "2")])
    assert caught.value.kind == "query.no-plan"


def test_a_modifier_of_the_client_without_its_stage_says_what_else_is_needed():
    with pytest.raises(QueryError, match=r"bin\.stats.*bin also needs bin\.time\.max"):
        planner().solve(definition(), [*RANGE, ("bin.stats", "max")])


def test_a_default_of_a_modifier_counts_only_if_its_stage_is_there():
    source = definition(defaults=(("bin.stats", "min,max"),))
    assert names(planner().solve(source, RANGE)) == ["reader"]
    solution = planner().solve(source, [*RANGE, ("bin.time.max", "60")])
    assert names(solution) == ["reader", "das2-decoder", "bin", "das2-binary"]
    assert dict(solution.nodes[2].values)["stats"] == "min,max"


def test_a_default_of_a_trigger_calls_for_its_stage_and_the_client_may_change_it():
    base = definition(coords={"time": Coord(), "offset": Coord(of="time", units="s")})
    view = Definition(
        "Lab/Spectra", "Spectra", readers=(Reader("", source="Lab/Mag"),), defaults=(("dft.length", "800"),)
    )
    solve = planner(LARGE, base).solve
    assert names(solve(view, RANGE)) == ["reader", "das2-decoder", "psd", "das2-binary"]
    assert dict(solve(view, [*RANGE, ("dft.length", "16")]).request)["dft.length"] == "16"


def test_a_view_of_itself_is_refused():
    one = Definition("A", "A", readers=(Reader("", source="B"),))
    two = Definition("B", "B", readers=(Reader("", source="A"),))
    with pytest.raises(ConfigError, match="leads back to itself"):
        planner(LARGE, one, two).solve(one, RANGE)


def test_options_are_typed_and_their_defaults_fill_the_command():
    source = definition(
        command="read --frame=#[read.frame] #[read.gain # -g @ #] #[read.spikes # KEEP #] #[read.time.min] #[read.time.max]",
        options={
            "frame": Option(values=(("SIII", ""), ("JSO", "")), default="SIII"),
            "gain": Option(type="integer", range=Span("0", "10")),
            "spikes": Option(type="boolean", default="true"),
        },
    )
    command = planner().solve(source, RANGE).nodes[0].command.argvs[0]
    assert command[:3] == ("read", "--frame=SIII", "KEEP")
    pairs = [*RANGE, ("read.frame", "JSO"), ("read.gain", "9"), ("read.spikes", "false")]
    assert planner().solve(source, pairs).nodes[0].command.argvs[0][:4] == ("read", "--frame=JSO", "-g", "9")
    for pair, text in ((("read.frame", "X"), "SIII, JSO"), (("read.gain", "10"), "from 0 to 9")):
        with pytest.raises(QueryError, match=text):
            planner().solve(source, [*RANGE, pair])


def test_the_default_of_an_interval_is_used_and_told():
    time = Coord(interval=Interval(default=600.0, min=0.1))
    source = definition(command="orbit #[read.time.inter] #[read.time.min] #[read.time.max]", coords={"time": time})
    solution = planner().solve(source, RANGE)
    assert solution.nodes[0].command.argvs[0][1] == "600"
    assert "read.time.inter was not given; its default is 600" in solution.remarks
    with pytest.raises(QueryError, match=r"from 0\.1"):
        planner().solve(source, [*RANGE, ("read.time.inter", "0.01")])
    with pytest.raises(QueryError, match=r"bin\.time\.max cannot be used here: bin needs data with the trait sampled"):
        planner().solve(source, [*RANGE, ("bin.time.max", "60")])


def test_the_present_and_forever_tell_live_readers_from_archives():
    source = definition(
        readers=(
            Reader("archive", command="old #[read.time.min] #[read.time.max]", writes="das/2"),
            Reader("live", command="follow", writes="das/2", live=True),
        )
    )
    assert names(planner().solve(source, RANGE)) == ["archive"]
    forever = [("read.time.min", "now"), ("read.time.max", "forever")]
    with pytest.raises(QueryError):
        planner().solve(definition(), forever)
    live = definition(
        readers=(Reader("live", command="follow #[read.time.min] #[read.time.max]", writes="das/2", live=True),)
    )
    assert "live" in planner().solve(live, forever).produces.traits


def test_a_live_reader_answers_for_the_ends_that_its_command_does_not_mention():
    live = definition(readers=(Reader("live", command="follow", writes="das/2", live=True),))
    forever = [("read.time.min", "2020-01-01T12:00"), ("read.time.max", "forever")]
    for exact in (True, False):
        readers = (replace(live.readers[0], exact=exact),)
        assert names(planner().solve(replace(live, readers=readers), forever)) == ["live"]
    with pytest.raises(QueryError, match="no range that ends"):
        planner().solve(live, RANGE)


def test_a_list_is_consumed_only_by_a_command_that_knows_its_items():
    source = definition(command="read #[read.time.min] #[read.time.max] #[read.data(,|LF) # LF #]")
    assert planner().solve(source, [*RANGE, ("read.data", "LF")]).nodes[0].command.argvs[0][-1] == "LF"
    with pytest.raises(QueryError, match=r"read\.data"):
        planner().solve(source, [*RANGE, ("read.data", "LF,HF")])


def admits_from_sixty(request, _source):
    return float(request.get("bin.time.max", 0)) >= 60 or "this level holds averages of 60 s"


def asks_for_bins(request, _source):
    return {"bin.time.max": "5"}


def test_a_level_of_60_s_serves_120_and_not_10():
    level = StageSpec(
        "level-60s", "A cached level", None, DAS2, "p:c",
        params=(ParamSpec("read.time.min"), ParamSpec("read.time.max"), ParamSpec("bin.time.max", type="real")),
        admits=f"{__name__}:admits_from_sixty", cost=Cost(0.001),
    )  # fmt: skip
    import sys

    sys.modules.setdefault(__name__, sys.modules[admits_from_sixty.__module__])
    cached = Registry(stages=(*LARGE.stages, level), stream_types=TYPES)
    cached = Registry(stages=cached.stages, stream_types=TYPES, conventions=CORE_CONVENTIONS)
    assert names(planner(cached).solve(definition(), [*RANGE, ("bin.time.max", "120")])) == ["level-60s"]
    fine = planner(cached).solve(definition(), [*RANGE, ("bin.time.max", "10")])
    assert names(fine) == ["reader", "das2-decoder", "bin", "das2-binary"]
    assert explain.why(fine, "level-60s") == "level-60s declined: this level holds averages of 60 s"


def test_a_formatter_may_ask_for_a_coarser_answer():
    picture = stage("picture", ARRAYS, StreamType("png"), asks=f"{__name__}:asks_for_bins")
    types = (*TYPES, StreamTypeInfo(StreamType("png"), "PNG", "image/png", "png"))
    import sys

    sys.modules.setdefault(__name__, sys.modules[asks_for_bins.__module__])
    drawing = Registry(stages=(*LARGE.stages, picture), stream_types=types, conventions=CORE_CONVENTIONS)
    solution = planner(drawing).solve(definition(), [*RANGE, ("format.type", "png")])
    assert names(solution) == ["reader", "das2-decoder", "bin", "picture"]
    plain = definition(coords={})
    assert names(planner(drawing).solve(plain, [*RANGE, ("format.type", "png")])) == [
        "reader",
        "das2-decoder",
        "picture",
    ]


def asks_for_a_transform(request, _source):
    assert "dft.length" not in request
    return {"dft.length": "1024"}


def with_bands():
    """A registry with a band of spectra, which asks for a transform."""
    import sys

    sys.modules.setdefault(__name__, sys.modules[asks_for_a_transform.__module__])
    bands = stage(
        "band", ARRAYS, ARRAYS, ParamSpec("calc.band.max", type="real"), needs=frozenset({"spectra"}),
        drops=frozenset({"spectra"}), asks=f"{__name__}:asks_for_a_transform",
    )  # fmt: skip
    transform = replace(PSD, adds=frozenset({"spectra"}), drops=frozenset({"waveform"}))
    return Registry(stages=(*SMALL.stages, transform, bands), stream_types=TYPES, conventions=SMALL.conventions)


WAVES = {"time": Coord(), "offset": Coord(of="time")}
BAND = [*RANGE, ("calc.band.max", "5")]


def test_a_reducer_may_ask_for_what_makes_its_data_and_the_client_is_told():
    solution = planner(with_bands()).solve(definition(coords=WAVES), BAND)
    assert names(solution) == ["reader", "das2-decoder", "psd", "band", "das2-binary"]
    assert dict(solution.request)["dft.length"] == "1024"
    assert solution.asked == {"read.time.min", "read.time.max", "calc.band.max"}
    assert solution.remarks == ("dft.length=1024 was not given; band asks for it",)


def test_a_lenient_convention_is_helped_too_before_anything_is_dropped():
    solution = planner(with_bands()).solve(definition(coords=WAVES), BAND, convention="old")
    assert "band" in names(solution)
    assert solution.remarks == ("dft.length=1024 was not given; band asks for it",)


def test_what_the_client_or_the_source_says_is_not_asked_for():
    told = planner(with_bands()).solve(definition(coords=WAVES), [*BAND, ("dft.length", "64")])
    assert (dict(told.request)["dft.length"], told.remarks) == ("64", ())
    default = definition(coords=WAVES, defaults=(("dft.length", "256"),))
    solution = planner(with_bands()).solve(default, BAND)
    assert (dict(solution.request)["dft.length"], solution.remarks) == ("256", ())


def test_where_asking_does_not_help_the_error_is_of_what_was_asked():
    with pytest.raises(
        QueryError, match=r"calc\.band\.max cannot be used here: band needs data with the trait spectra$"
    ):
        planner(with_bands()).solve(definition(coords={}), BAND)


def test_who_makes_what_a_stage_needs_is_told():
    silent = with_bands()
    silent = replace(silent, stages=tuple(replace(each, asks="") for each in silent.stages))
    with pytest.raises(QueryError, match=r"trait spectra; psd makes it, with dft\.length"):
        planner(silent).solve(definition(coords=WAVES), BAND)


def test_a_lenient_convention_drops_what_nothing_can_use_and_says_so():
    solution = planner().solve(definition(coords={}), [*RANGE, ("bin.time.max", "60"), ("odd", "1")], convention="old")
    assert names(solution) == ["reader"]
    assert sorted(solution.remarks) == [
        "bin.time.max was ignored: nothing in this source can use it",
        "odd was ignored: nothing in this source can use it",
    ]


def test_a_filter_of_the_definition_is_a_stage_of_this_source_only():
    source = definition(stages=(ExternalStage("smooth", "smooth #[calc.width]", "das/2", "das/2"),))
    solution = planner().solve(source, [*RANGE, ("calc.width", "5")])
    assert names(solution) == ["reader", "smooth"]
    assert solution.nodes[1].command.argvs == (("smooth", "5"),)
    with pytest.raises(QueryError):
        planner().solve(definition(), [*RANGE, ("calc.width", "5")])


def test_never_forbids_a_stage_or_a_family():
    for word in ("bin",):
        with pytest.raises(QueryError):
            planner().solve(definition(never=(word,)), [*RANGE, ("bin.time.max", "60")])


def test_the_answer_id_is_of_what_and_the_plan_id_of_how():
    solve = planner().solve
    pairs = [*RANGE, ("format.type", "csv")]
    one, again = solve(definition(), pairs), solve(definition(summary="Another text"), pairs[::-1])
    assert (one.answer, one.plan) == (again.answer, again.plan)
    other_program = solve(definition(command="zcat #[read.time.min] #[read.time.max]"), pairs)
    assert other_program.answer == one.answer
    assert other_program.plan != one.plan
    assert solve(definition(), [*pairs, ("format.secfrac", "1")]).answer != one.answer


def test_the_date_of_the_newest_file_is_the_date_of_the_data(tmp_path):
    (tmp_path / "a.dat").write_bytes(b"")
    reader = Reader("", command="cat #[read.time.min] #[read.time.max]", writes="das/2", changed="*.dat")
    source = definition(readers=(reader,), directory=str(tmp_path))
    before = planner().solve(source, RANGE)
    assert before.changed == (tmp_path / "a.dat").stat().st_mtime
    import os

    os.utime(tmp_path / "a.dat", (time.time() + 100, time.time() + 100))
    assert planner().solve(source, RANGE).answer != before.answer


def test_the_explanation_shows_stages_prices_and_why_others_lost():
    rival = stage("a-second-csv", ARRAYS, StreamType("csv"))
    rivals = Registry(stages=(*LARGE.stages, rival), stream_types=TYPES, conventions=CORE_CONVENTIONS)
    solution = planner(rivals).solve(definition(), [*RANGE, ("format.type", "csv"), ("format.secfrac", "2")])
    text = explain.as_text(solution)
    assert "das2-decoder" in text
    assert "format.secfrac=2" in text
    assert "cat" not in text.replace("category", "")
    assert "cat 2020-01-01T00:00:00" in explain.as_text(solution, administrator=True)
    facts = explain.as_json(solution)
    assert json.loads(json.dumps(facts))["nodes"][2]["consumes"] == ["format.secfrac"]
    assert "command" not in json.dumps(facts)
    graph = explain.as_mermaid(solution)
    assert graph.startswith("flowchart LR")
    assert "n0 -->|das/2| n1" in graph
    assert explain.why(solution, "format.secfrac") == "format.secfrac is consumed by csv (The stage csv)"
    assert "does not give dft.length" in explain.why(solution, "psd")
    assert "no stage and no parameter" in explain.why(solution, "nonsense")


def test_an_alternative_of_equal_cost_lost_by_its_name():
    rival = stage("rival-csv", ARRAYS, StreamType("csv"))
    rivals = Registry(stages=(*LARGE.stages, rival), stream_types=TYPES, conventions=CORE_CONVENTIONS)
    solution = planner(rivals).solve(definition(), [*RANGE, ("format.type", "csv")])
    assert [(each.stages[-1], each.reason) for each in explain.alternatives(solution)] == [
        ("rival-csv", "costs the same, and its name comes later")
    ]


def test_the_shell_line_is_the_command_and_then_filters():
    solution = planner().solve(definition(), [*RANGE, ("format.type", "csv"), ("format.secfrac", "2")])
    assert explain.shell_line(solution) == (
        "(cd /srv && cat 2020-01-01T00:00:00 2020-01-02T00:00:00 data)"
        " | dasflex filter das2-decoder --then csv secfrac=2"
    )


def test_a_formatter_that_asks_is_served_by_a_level_that_declined_before():
    """A picture asks for bins of 5 s; without them the level of 5 s had nothing to serve."""
    import sys

    sys.modules.setdefault(__name__, sys.modules[asks_for_bins.__module__])
    level = stage(
        "level-5s", None, DAS2, *(ParamSpec(each) for each in ("read.time.min", "read.time.max")),
        ParamSpec("bin.time.max", type="real"), admits=f"{__name__}:admits_bins", cost=0.001,
    )  # fmt: skip
    picture = stage("picture", ARRAYS, StreamType("png"), asks=f"{__name__}:asks_for_bins")
    types = (*TYPES, StreamTypeInfo(StreamType("png"), "PNG", "image/png", "png"))
    drawing = Registry(stages=(*LARGE.stages, picture, level), stream_types=types, conventions=CORE_CONVENTIONS)
    solution = planner(drawing).solve(definition(), [*RANGE, ("format.type", "png")])
    assert names(solution) == ["level-5s", "das2-decoder", "picture"]
    assert solution.declined == ()


def admits_bins(request, _source):
    return "bin.time.max" in request or "no bins were asked"


def test_a_plugins_modifier_as_a_default_counts_only_if_its_stage_is_there():
    csv = stage("csv", ARRAYS, StreamType("csv"), ParamSpec("format.csv.style", "offered"))
    registry = Registry(stages=(DECODE, BINARY, csv), stream_types=TYPES, conventions=CORE_CONVENTIONS)
    source = definition(defaults=(("format.csv.style", "das"),))
    assert names(planner(registry).solve(source, RANGE)) == ["reader"]
    solution = planner(registry).solve(source, [*RANGE, ("format.type", "csv")])
    assert solution.nodes[-1].values == (("style", "das"),)


def test_the_version_of_a_default_format_is_not_asked_of_another():
    source = definition(defaults=(("format.version", "2"), ("format.serial", "text")))
    assert names(planner().solve(source, [*RANGE, ("format.type", "csv")]))[-1] == "csv"
    assert names(planner().solve(source, RANGE))[-1] == "das2-text"


def test_a_format_with_one_form_may_be_asked_for_that_form():
    pairs = [*RANGE, ("format.type", "csv"), ("format.serial", "text")]
    assert names(planner().solve(definition(), pairs))[-1] == "csv"
    with pytest.raises(QueryError, match="csv is text only"):
        planner().solve(definition(), [*RANGE, ("format.type", "csv"), ("format.serial", "binary")])


def test_a_default_binds_as_what_a_client_asks_does():
    live = Reader("live", command="follow #[read.time.min] #[read.time.max]", writes="das/2", live=True)
    archive = Reader("archive", command="old #[read.time.min] #[read.time.max]", writes="das/2")
    source = definition(readers=(archive, live), defaults=(("read.time.max", "forever"),))
    assert names(planner().solve(source, [("read.time.min", "now")])) == ["live"]


def test_a_range_of_which_one_end_is_a_default_is_checked():
    source = definition(defaults=(("read.time.max", "2019-01-01"),))
    with pytest.raises(QueryError) as caught:
        planner().solve(source, [("read.time.min", "2020-01-01")])
    assert caught.value.kind == "query.bad-range"


def test_a_view_of_a_view_has_the_limits_rate_options_and_filters_of_all():
    base = definition(
        readers=(Reader("", command="cat #[read.time.min] #[read.time.max] #[read.gain # @ #]", writes="das/2",
                        rate=Rate(1.0, 1_000_000)),),
        limits=SourceLimits(silence=900.0, cpu=60.0), options={"gain": Option(type="integer", default="1")},
        stages=(ExternalStage("smooth", "smooth #[calc.a]", "das/2", "das/2"),),
    )  # fmt: skip
    middle = Definition(
        "Lab/Middle", "M", readers=(Reader("", source="Lab/Mag"),), limits=SourceLimits(cpu=5.0), directory="/middle",
        options={"gain": Option(type="integer", default="2")},
        stages=(ExternalStage("smooth", "smooth #[calc.b]", "das/2", "das/2"),),
    )  # fmt: skip
    view = Definition("Lab/View", "V", readers=(Reader("", source="Lab/Middle"),), directory="/view")
    solution = planner(LARGE, base, middle).solve(view, [*RANGE, ("calc.a", "1"), ("calc.b", "2")])
    assert solution.size == pytest.approx(86.4)
    reader, *filters = [node.command for node in solution.nodes]
    assert reader.argvs[0][-1] == "2"
    assert (reader.directory, reader.limits.silence, reader.limits.cpu) == ("/srv", 900.0, 5.0)
    assert sorted((each.argvs[0][1], each.directory) for each in filters) == [("1", "/srv"), ("2", "/middle")]


def test_a_filter_is_not_taken_for_a_stage_that_has_its_name():
    """A filter is called after its program, which may be `reader` or `bin`."""
    source = definition(
        stages=(ExternalStage("reader", "r #[calc.a]", "das/2", "das/2"), ExternalStage("bin", "b", "das/2", "das/2"))
    )
    pairs = [*RANGE, ("bin.time.max", "60"), ("calc.a", "1")]
    solution = planner().solve(source, pairs)
    assert sorted(names(solution)) == ["bin", "das2-binary", "das2-decoder", "reader", "reader-2"]
    assert [node.kind for node in solution.nodes if node.name == "bin"] == ["stage"]


def test_never_forbids_filters_of_a_family_and_no_reader():
    able = definition(
        command="cat #[read.time.min] #[read.time.max] #[bin.time.max # @ #]", never=("bin",),
        stages=(ExternalStage("thin", "thin #[bin.time.max]", "das/2", "das/2"),),
    )  # fmt: skip
    assert names(planner().solve(able, [*RANGE, ("bin.time.max", "60")])) == ["reader"]
    with pytest.raises(QueryError):
        planner().solve(
            definition(never=("bin",), stages=(ExternalStage("thin", "thin #[bin.time.max]", "das/2", "das/2"),)),
            [*RANGE, ("bin.time.max", "60")],
        )


def test_the_answer_id_is_that_of_the_answer_however_it_is_asked():
    options = {"frame": Option(values=(("SIII", ""), ("JSO", "")), default="SIII")}
    command = "cat #[read.time.min] #[read.time.max] #[read.frame]"
    source = definition(command=command, options=options, defaults=(("bin.stats", "max"),))
    solve = planner().solve
    bins = {solve(source, [*RANGE, ("bin.time.max", text)]).answer for text in ("60", "60.0", "1 min", "60 s")}
    assert len(bins) == 1
    plain = solve(source, RANGE).answer
    assert solve(source, [*RANGE, ("read.frame", "SIII")]).answer == plain
    assert solve(definition(command=command, options=options), RANGE).answer == plain
    other = {"frame": Option(values=options["frame"].values, default="JSO")}
    assert solve(definition(command=command, options=other), RANGE).answer != plain


def test_the_plan_id_is_another_after_an_upgrade_of_a_plugin():
    from dataclasses import replace

    from dasflex_core.registry import PluginInfo

    stages = tuple(replace(each, origin="mine") for each in LARGE.stages)
    plans, answers = set(), set()
    for version in ("1.0", "1.1"):
        registry = replace(LARGE, stages=stages, plugins=(PluginInfo("mine", "m", "mine", version),))
        solution = planner(registry).solve(definition(), [*RANGE, ("format.type", "csv")])
        plans.add(solution.plan)
        answers.add(solution.answer)
    assert (len(plans), len(answers)) == (2, 1)


def test_an_inexact_reader_reads_the_range_and_the_trim_stage_consumes_it():
    trim = stage(
        "trim", ARRAYS, ARRAYS, ParamSpec("read.time.min", type="time"), ParamSpec("read.time.max", type="time")
    )
    registry = Registry(stages=(*LARGE.stages, trim), stream_types=TYPES, conventions=CORE_CONVENTIONS)
    command = "cat #[read.time.min] #[read.time.max]"
    source = definition(readers=(Reader("", command=command, writes="das/2", exact=False),))
    solution = planner(registry).solve(source, RANGE)
    assert names(solution) == ["reader", "das2-decoder", "trim", "das2-binary"]
    assert solution.nodes[0].command.argvs[0][1:] == ("2020-01-01T00:00:00", "2020-01-02T00:00:00")
    with pytest.raises(QueryError, match=r"read\.time\.max") as caught:
        planner(registry).solve(source, [("read.time.min", "2020")])
    assert caught.value.kind == "query.missing-parameter"


def test_why_is_true_of_what_makes_the_goal_what_was_not_asked_and_traits_on_the_way():
    chirp = stage("chirp", ARRAYS, ARRAYS, ParamSpec("calc.chirp"), needs=frozenset({"waveform"}))
    turn = stage("turn", ARRAYS, ARRAYS, ParamSpec("calc.turn"), drops=frozenset({"waveform"}))
    registry = Registry(stages=(*SMALL.stages, chirp, turn), stream_types=TYPES, conventions=SMALL.conventions)
    source = definition(coords={"time": Coord(), "offset": Coord(of="time", units="s")})
    pairs = [*RANGE, ("calc.turn", "1"), ("format.type", "csv"), ("odd", "1")]
    solution = planner(registry).solve(source, pairs, convention="old")
    assert explain.why(solution, "format.type") == (
        "format.type is no stage's: it tells the type of the answer, which is csv"
    )
    assert explain.why(solution, "calc.chirp") == "calc.chirp was not asked for; it could be consumed by chirp"
    assert explain.why(solution, "chirp") == "chirp is not on the plan: the request does not give calc.chirp"
    assert explain.why(solution, "odd") == "odd was ignored: nothing in this source can use it"


def test_planning_imports_no_numpy():
    import subprocess
    import sys

    code = """
import sys
from dasflex_core.catalog.model import Definition, Reader
from dasflex_core.plan import explain
from dasflex_core.plan.planner import Planner
from dasflex_core.registry import discover
command = "cat #[read.time.min] #[read.time.max] | das2_psd -c 2 64 2 | das2_ascii -c | das2_from_tagged_das1 -tBeg 2020"
source = Definition("A", "A", readers=(Reader("", command=command, writes="das/2"),))
pairs = [("time", "2020-01-01/2020-01-02"), ("format.type", "csv")]
solution = Planner(discover(), lambda name: source).solve(source, pairs)
explain.as_text(solution)
explain.as_json(solution)
heavy = {"numpy", "msgspec", "tomllib", "jinja2", "trio", "asyncio", "subprocess"} & set(sys.modules)
raise SystemExit(str(sorted(heavy)) if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
