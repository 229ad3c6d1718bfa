# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of other das2 servers: a second dasflex, and a classic server that also misbehaves."""

from __future__ import annotations

import json
import os
from itertools import combinations, product

import numpy as np
import pytest

import dasflex_core
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import ConfigError, QueryError, SourceError
from dasflex_core.remote.knowing import Knowledge
from dasflex_core.roots import make_root
from dasflex_das.remote_address import das2_source

SOURCE = """
title    = "A source of another server"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ url = "das2:{base}/das/server?dataset={id}" }}
example  = [{{ time = "{span}" }}]
{more}
"""
HOUR = "2020-01-01/2020-01-01T01:00"
EXAMPLES = {
    "Examples/Random": "2017-01-01 to 2017-02-01",
    "Examples/Waveform": "1979-03-01T12:26:11 to 1979-03-01T12:29:24",
    "Examples/Params": "2008-06-29T17:00 to 2008-06-29T17:30",
}


@pytest.fixture
def here(tmp_path):
    """A site to which sources of other servers are added."""
    make_root(tmp_path / "root", "Here", examples=False)

    def add(base: str, identifier: str, more: str = "", span: str = "2020-01-01 to 2020-01-01T00:10"):
        folder = tmp_path / "root" / "definitions" / "Other"
        folder.mkdir(parents=True, exist_ok=True)
        text = SOURCE.format(base=base, id=identifier, span=span, more=more)
        (folder / "source.toml").write_text(text, encoding="utf-8")
        report = compile_tree(tmp_path / "root")
        assert not report.findings, [str(each) for each in report.findings]
        return dasflex_core.open(tmp_path / "root")["Other"]

    return add


def stages(request) -> list[str]:
    """The stages of the plan towards das2, as the other server gives it where nothing is done here."""
    return [each.name for each in request.plan().solution.nodes]


def pushed(request) -> bool:
    """Whether the reader answers for the bins."""
    return "bin.time.max" in request.plan().solution.path.steps[0].consumes


def assert_same(one, other) -> None:
    """Two answers have the same datasets, to the accuracy of the encodings."""
    assert list(one) == list(other)
    for name, table in one.items():
        assert list(table) == list(other[name])
        for variable, values in table.items():
            if values.dtype.kind == "M":
                assert np.abs((values - other[name][variable]).astype(np.int64)).max() <= 1000  # us2000 as doubles
            else:
                np.testing.assert_allclose(values, other[name][variable], rtol=1e-12)


@pytest.mark.parametrize("identifier", sorted(EXAMPLES))
def test_a_source_read_through_another_server_is_what_it_is_there(here, second_server, identifier):
    there = dasflex_core.open(second_server.root)[identifier].examples[0]
    request = here(second_server.base, identifier, span=EXAMPLES[identifier]).ask(
        **{name.replace(".", "_"): text for name, text in there.pairs}
    )
    assert stages(request) == ["reader"]
    assert_same(request.read(), there.read())


@pytest.mark.parametrize(
    ("identifier", "stats", "there"),
    [
        ("Examples/Random", "", True),  # the server's bins hold means
        ("Examples/Random", "mean", True),
        ("Examples/Random", "min,max", False),
        ("Examples/Random", "mean,count", False),
        ("Examples/Waveform", "min,max", True),  # its default, by its definition
        ("Examples/Waveform", "mean", False),
    ],
)
def test_the_other_server_makes_just_the_bins_that_it_has_and_they_are_those_made_here(
    here, second_server, identifier, stats, there
):
    source = here(second_server.base, identifier, span=EXAMPLES[identifier])
    more = {"bin_stats": stats} if stats else {}
    step = "36000" if identifier == "Examples/Random" else "10"
    request = source.examples[0].ask(bin_time_max=step, **more)
    assert pushed(request) == there
    assert ("bin-average" in stages(request)) != there
    own = dasflex_core.open(second_server.root)[identifier]
    assert_same(
        request.read(),
        own.ask(time=EXAMPLES[identifier].replace(" to ", "/"), bin_time_max=step, bin_stats=stats or "mean").read(),
    )


@pytest.mark.parametrize(
    ("identifier", "stats", "there"),
    [
        ("mean", "mean", True),
        ("mean", "mean,max", False),
        ("peak", "mean,max", True),
        ("peak", "max,mean", True),
        ("peak", "mean", False),
        ("whole", "mean", False),
        ("whole", "mean,max", False),
    ],
)
def test_what_a_classic_server_makes_of_bins_is_seen_and_all_else_is_made_here(
    here, das2_server, identifier, stats, there
):
    request = here(das2_server.base, identifier).ask(time=HOUR, bin_time_max=60, bin_stats=stats)
    assert pushed(request) == there
    table = request.read().only
    begin = np.datetime64("2020-01-01T00:00:30", "ns")
    assert (table["time"] == begin + np.arange(60) * np.timedelta64(60, "s")).all()
    values = next(each for name, each in table.items() if name not in ("time", "level.max"))
    assert np.allclose(values, np.arange(60) * 60 + 29.5 - 100)
    if "max" in stats:
        assert np.allclose(table["level.max"], np.arange(60) * 60 + 59 - 100)


@pytest.mark.parametrize(
    "more",
    [{"bin_align": "grid"}, {"read_data": "level"}, {"time": "2019-12-31T23:59:30/2020-01-01T01:00"}],
)
def test_bins_that_would_begin_elsewhere_or_are_of_a_part_are_made_here(here, das2_server, more):
    source = here(das2_server.base, "mean", '[coords.time]\nrange = "2020-01-01 to 2021-01-01"')
    asked = {"time": HOUR, "bin_time_max": 60, **more}
    assert pushed(source.ask(time=HOUR, bin_time_max=60))
    assert not pushed(source.ask(**asked))
    assert len(source.ask(**asked).read().only["time"]) >= 60


def test_what_is_known_of_a_source_is_asked_once_and_kept(here, das2_server):
    source = here(das2_server.base, "mean")
    begun = len(das2_server.lines)
    source.ask(time=HOUR).plan()
    asked = das2_server.lines[begun:]
    assert ["server=dsdf" in each for each in asked] == [True, False]
    source.ask(time=HOUR, bin_time_max=60).plan()
    assert das2_server.lines[begun:] == asked


def test_without_a_place_to_keep_it_nothing_is_asked_for_a_plan_and_bins_are_made_here(here, das2_server, tmp_path):
    source = here(das2_server.base, "mean")
    (tmp_path / "root" / "run" / "readers").write_text("no directory", encoding="utf-8")
    begun = len(das2_server.lines)
    request = source.ask(time=HOUR, bin_time_max=60)
    assert not pushed(request)
    assert das2_server.lines[begun:] == []
    assert len(request.read().only["time"]) == 60


def test_what_is_kept_for_long_is_asked_anew_beside_a_run_and_not_for_a_plan(here, das2_server, tmp_path):
    source = here(das2_server.base, "mean")
    source.ask(time=HOUR).plan()
    [kept] = (tmp_path / "root" / "run" / "readers" / "das2").iterdir()
    old = kept.stat().st_mtime - 2 * 86400
    os.utime(kept, (old, old))
    begun = len(das2_server.lines)
    source.ask(time=HOUR).plan()
    assert das2_server.lines[begun:] == []
    source.ask(time=HOUR).read()
    assert das2_server.waits_for(lambda: sum("server=dsdf" in each for each in das2_server.lines[begun:]) == 1)


def test_a_model_needs_its_interval_and_has_no_bins(here, das2_server):
    source = here(das2_server.base, "model")
    table = source.ask(time="2020-01-01/2020-01-01T00:10", read_time_inter=60).read().only
    assert len(table["time"]) == 10
    with pytest.raises(QueryError, match=r"read\.time\.inter"):
        source.ask(time=HOUR).plan()
    given = here(das2_server.base, "model", "[coords.time]\ninterval = { default = '2 min' }")
    assert len(given.ask(time="2020-01-01/2020-01-01T00:10").read().only["time"]) == 5


def test_options_are_sent_as_params_behind_those_that_always_are(here, das2_server):
    more = """
[options.set]
values = { E = "Electric", B = "Magnetic" }
default = "E"
[options.spikes]
default = true
[options.fast]
default = false
"""
    source = here(das2_server.base, "whole&params=EUNC", more)
    for asked, sent in (
        ({}, "EUNC%20set%3DE%20spikes"),
        ({"read_set": "B", "read_spikes": "false", "read_fast": "true"}, "EUNC%20set%3DB%20spikes%3Dfalse%20fast"),
        ({"read_fast": "false"}, "EUNC%20set%3DE%20spikes"),
    ):
        source.ask(time=HOUR, **asked).read()
        [line] = [
            each for each in das2_server.lines if "start_time=2020-01-01T00:00:00&end_time=2020-01-01T01" in each
        ][-1:]
        assert sorted(line.partition("params=")[2].split("%20")) == sorted(sent.split("%20"))
    raw = here(das2_server.base, "whole")
    raw.ask(time=HOUR, read_opts="--what else").read()
    assert any("params=--what%20else" in each for each in das2_server.lines)


@pytest.mark.parametrize(
    ("identifier", "kind", "words"),
    [
        ("bad-cut", "source.truncated", "7 bytes are missing"),
        ("bad-between", "source.truncated", "48 bytes are missing"),
        ("bad-packet", "source.truncated", "ends inside"),
        ("bad-page", "source.stream", "answers with a page"),
        ("bad-content", "source.stream", "starts no das2 packet"),
        ("bad-error", "source.start", "the tape is out"),
        ("bad-told", "source.stream", "half of it"),
        ("locked", "source.start", "401"),
    ],
)
@pytest.mark.parametrize("form", ["arrays", "das"])
def test_a_server_that_misbehaves_is_an_error_that_says_how_and_not_where(
    here, das2_server, identifier, kind, words, form
):
    request = here(das2_server.base, identifier).ask(time=HOUR)
    if form == "das" and identifier == "bad-told":
        assert b"half of it" in b"".join(request.plan().run())
        return
    with pytest.raises(SourceError, match=words) as caught:
        request.read() if form == "arrays" else b"".join(request.plan().run())
    assert caught.value.kind == kind
    assert "127.0.0.1" not in caught.value.message


def test_an_exception_that_there_are_no_data_is_no_error(here, das2_server):
    assert len(here(das2_server.base, "bad-nothing").ask(time=HOUR).read()) == 0


def test_a_log_in_comes_from_the_environment_and_stays_with_its_server(here, das2_server, monkeypatch):
    monkeypatch.setenv("THEIR_LOGIN", "ann:secret")
    base = das2_server.base.replace("http://", "http://#[env.THEIR_LOGIN]@")
    assert len(here(base, "locked").ask(time=HOUR).read().only["time"]) == 3600
    assert len(here(base, "bad-away").ask(time=HOUR).read().only["time"]) == 3600
    sent = [each for each in das2_server.lines if "bad-away" in each and "end_time=2020-01-01T01" in each]
    assert [each.endswith("YW5uOnNlY3JldA==") for each in sent] == [True, False]  # the second is to another host
    monkeypatch.delenv("THEIR_LOGIN")
    with pytest.raises(ConfigError, match="THEIR_LOGIN"):
        here(base, "locked").ask(time=HOUR).plan()


def test_who_leaves_ends_the_request_at_the_other_server_too(here, das2_server):
    with here(das2_server.base, "bad-slow").ask(time=HOUR, format_type="csv").plan().open() as run:
        assert not run.start(0.5)
    assert das2_server.waited_for("gone")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("das2:ftp://h/das/server?dataset=a", "no address of a server"),
        ("das2:https://h/das/server", "names no source"),
        ("das2:https://h/das/server?dataset=a&start_time=2020", "start_time= has no place"),
        ("das4:https://h/das/server?dataset=a", "no installed plugin reads"),
    ],
)
def test_an_address_that_is_none_is_told(here, das2_server, tmp_path, url, words):
    here(das2_server.base, "mean")
    file = tmp_path / "root" / "definitions" / "Other" / "source.toml"
    text = file.read_text(encoding="utf-8").replace(f"das2:{das2_server.base}/das/server?dataset=mean", url)
    file.write_text(text, encoding="utf-8")
    compile_tree(tmp_path / "root")
    with pytest.raises((ConfigError, QueryError), match=words):
        dasflex_core.open(tmp_path / "root")["Other"].ask(time=HOUR).plan()


def test_a_plan_pushes_bins_down_if_and_only_if_the_other_server_has_just_these(here, tmp_path):
    source = here("http://127.0.0.1:1", "any")
    folder = tmp_path / "root" / "run" / "readers"
    file = Knowledge(str(folder), "das2", das2_source("das2:http://127.0.0.1:1/das/server?dataset=any", {}).key).file
    file.parent.mkdir(parents=True)
    statistics = ("mean", "min", "max", "stddev")
    some = [each for size in (1, 2, 3) for each in combinations(statistics, size)]
    for bins, model in product(((), *some), (False, True)):
        file.write_text(json.dumps({"bins": bins, "model": model, "complete": True}), encoding="utf-8")
        for wanted, align in product(some, ("begin", "grid")):
            asked = {"bin_stats": ",".join(wanted), "bin_align": align, **({"read_time_inter": 60} if model else {})}
            request = source.ask(time=HOUR, bin_time_max=60, **asked)
            can = not model and set(bins) == set(wanted) and align == "begin"
            assert pushed(request) == can, (bins, model, wanted, align)
