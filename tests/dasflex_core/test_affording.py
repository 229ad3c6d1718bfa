# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request may cost: the refusal is true, and so is what it offers; and what a run says of its answer."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_core.cli import main
from dasflex_core.errors import QueryError
from dasflex_core.roots import make_root
from dasflex_core.run.answered import read_answer
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS

DAY = ("2017-01-01", "2017-01-02")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with the examples."""
    root = tmp_path_factory.mktemp("afford") / "root"
    make_root(root, "Test Server")
    definition = root / "definitions" / "Examples" / "Random" / "source.toml"
    text = definition.read_text()
    definition.write_text(text.replace('writes = "das/2"', 'writes = "das/2", rate = "10 packet/s of 4 kB"'))
    done = CliRunner().invoke(main, ["install", "--root", str(root)])
    assert done.exit_code == 0, done.output
    return root


@pytest.fixture
def site(root):
    """A site where nothing is limited."""
    return dasflex_core.open(root)


def limited(site, **limits):
    """The same site with limits."""
    return replace(site, config=replace(site.config, **limits))


def refusal(request):
    with pytest.raises(QueryError) as caught:
        request.plan().afford()
    assert caught.value.kind == "query.too-large"
    return caught.value.message


def days(site, count, **more):
    return site["Examples/Random"]["2017-01-01" : f"2017-01-{1 + count:02d}"].ask(**more)


def test_without_limits_anything_is_afforded(site):
    days(site, 30).plan().afford()


def test_a_range_that_reads_too_much_is_refused_with_one_that_would_do(site):
    whole = days(site, 20).plan().solution.size
    tight = limited(site, limit_request_gigabytes=whole / 4)
    text = refusal(days(tight, 20))
    count = int(re.search(r"ask for .*at most (\d+) days$", text)[1])
    assert 2 <= count <= 5
    assert " GB, where at most " in text
    days(tight, count).plan().afford()


def test_a_plan_that_takes_too_long_is_refused_and_nothing_is_offered_that_would_not_do(site):
    price = days(site, 20).plan().seconds
    text = refusal(days(limited(site, limit_request_seconds=price / 1e6), 20))
    assert " s, where at most " in text
    assert text.endswith("; ask for less"), "nothing would do, and so nothing is offered"


def wide(request, _source):
    """Whether the cheap stage of the next test serves the bins of a request."""
    return float(request.get("bin.time.max", 0)) >= 600 or "its bins are 600 s wide"


def test_wider_bins_are_offered_where_they_are_cheaper(site):
    bins = ParamSpec("bin.time.max", mode="required", type="real", attribute="width")
    fine = StageSpec("fine", "Fine bins", ARRAYS, ARRAYS, params=(bins,), cost=Cost(start=100.0), factory="x:y")
    coarse = replace(fine, name="coarse", cost=Cost(start=1.0), admits=f"{__name__}:wide")
    others = tuple(each for each in site.registry.stages if each.origin != "reduce")
    binning = replace(site, registry=replace(site.registry, stages=(*others, fine, coarse)))
    assert days(binning, 2, bin_time_max=60).plan().seconds > 100
    tight = limited(binning, limit_request_seconds=50.0)
    assert refusal(days(tight, 2, bin_time_max=60)).endswith("; ask for bins of 10 minutes or wider")
    days(tight, 2, bin_time_max=600).plan().afford()


def test_both_limits_are_told_at_once(site):
    plan = days(site, 20).plan()
    tight = limited(site, limit_request_seconds=plan.seconds / 2, limit_request_gigabytes=plan.solution.size / 2)
    assert refusal(days(tight, 20)).count("where at most") == 2


def test_a_request_of_the_das2_convention_is_priced_too(site):
    pairs = [("start_time", "2017-01-01"), ("end_time", "2017-01-21")]
    size = site.request("Examples/Random", pairs, "das2").plan().solution.size
    tight = limited(site, limit_request_gigabytes=size / 2)
    assert refusal(tight.request("Examples/Random", pairs, "das2")).endswith("; ask for at most 10 days")


def test_the_configuration_limits_readers_and_prefers_stages(root, tmp_path):
    make_root(tmp_path / "own", "Own")
    with (tmp_path / "own" / "etc" / "dasflex.conf").open("a") as file:
        file.write(
            'LIMIT_READER_SILENCE = "7.5"\nLIMIT_READER_CPU = "60"\nLIMIT_READER_OUTPUT = "0.5"\n'
            'LIMIT_READER_MEMORY = "2"\nPREFER_STAGES = "b, a"\nLIMIT_REQUEST_SECONDS = "600"\n'
        )
    planner = dasflex_core.open(tmp_path / "own").planner
    assert (planner.limits.silence, planner.limits.cpu) == (7.5, 60.0)
    assert (planner.limits.output, planner.limits.memory) == (500_000_000, 2_000_000_000)
    assert planner.prefer == ("b", "a")
    assert dasflex_core.open(root).planner.limits.silence == 300.0


def test_the_request_behind_an_answer_gives_the_same_answer_id(site):
    for each in ("Examples/Random", "Examples/Waveform"):
        for asked in (site[each].examples[0], site[each].examples[0].as_suffix("d3t")):
            plan = asked.plan()
            plan.open().close()
            found = read_answer(plan.solution.answer, str(site.config.answers))
            again = site.request(found.source, found.pairs, found.convention).plan()
            assert again.solution.answer == plan.solution.answer
            assert again.solution.produces == plan.solution.produces


def test_a_log_directory_that_is_not_there_fails_no_request(site):
    plan = days(replace(site, config=replace(site.config, log_path=site.config.file / "no")), 1).plan()
    with plan.open() as run:
        assert b"".join(run.chunks())


def test_an_amended_answer_says_its_range_and_is_otherwise_the_same(site):
    plan = days(site, 1).as_suffix("d2t").plan()
    with plan.open() as run:
        plain = b"".join(run.chunks())
    with plan.open(amend=True) as run:
        told = b"".join(run.chunks())
    assert b"xCacheRange" not in plain
    assert b'DatumRange:xCacheRange="2017-01-01T00:00:00' in told
    first = plain.index(b"[01]")
    assert told[told.index(b"[01]") :] == plain[first:]
