# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures are asked of sources: what they ask of the stages before them, what they refuse, and where pages show them."""

from __future__ import annotations

import pytest

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import QueryError
from dasflex_core.registry import discover
from dasflex_core.roots import make_root

READER = """
import sys
print('[00]000025<stream version="2.2" />\\n', end='')
body = '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\\n'
print(f'[01]{len(body):06d}{body}', end='')
for number in range(1440):
    print(f':01:2020-01-01T{number // 60:02d}:{number % 60:02d}:00 {number % 100:9d}')
"""
SOURCE = """
title    = "Levels"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }}
coords.time.range = "2020-01-01 to 2020-01-02"
data.level = {{ axes = ["time"], units = "V" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
{more}
"""
LEVEL = '[[cache.level]]\nblock = "day"\nbin.time.max = 60\n'
GUARDED = '[access]\nallow = ["user:anna"]\n'
DAY = {"time": "2020-01-01/2020-01-02", "format.type": "png"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Sources: one as it is, one that keeps bins of a minute, one protected."""
    root = tmp_path_factory.mktemp("plot") / "root"
    make_root(root, "Pictures")
    for name, more in (("plain", ""), ("kept", LEVEL), ("guarded", GUARDED)):
        place = root / "definitions" / "test" / name
        place.mkdir(parents=True)
        (place / "source.toml").write_text(SOURCE.format(more=more), encoding="utf-8")
        (place / "reader.py").write_text(READER, encoding="utf-8")
    report = compile_tree(root)
    assert not report.findings, report.findings
    return dasflex_core.open(root)


def steps(plan):
    return [step.spec.name for step in plan.solution.path.steps]


def request_of(plan):
    return dict(plan.solution.request)


def page(site, path):
    answer = Front(site, lambda _text: None).answer(Asked(method="GET", path=path, query="", origin="http://x.org", headers={"Accept": "text/html", "User-Agent": "Mozilla/5.0"}))  # fmt: skip
    return answer.body.decode()


def test_lines_are_made_fewer_before_they_are_drawn(site):
    plan = site["test/plain"].ask(**DAY, **{"format.width": 500}).plan()
    assert steps(plan)[-2:] == ["decimate", "png"]
    assert request_of(plan)["view.points"] == "4000"
    assert b"".join(plan.run()).startswith(b"\x89PNG")


def test_a_source_that_keeps_bins_is_drawn_from_them(site):
    plan = site["test/kept"].ask(**DAY, **{"format.width": 800}).plan()
    assert request_of(plan)["bin.time.max"] == "60"
    assert plan.solution.kept.level.seconds == 60
    assert "decimate" not in steps(plan)
    assert b"".join(plan.run()).startswith(b"\x89PNG")


def test_bins_that_are_wider_than_a_pixel_are_not_asked(site):
    plan = site["test/kept"].ask(**DAY, **{"format.width": 4000}).plan()
    assert "bin.time.max" not in request_of(plan)
    assert request_of(plan)["view.points"] == "32000"


def test_what_the_client_says_counts(site):
    plan = site["test/kept"].ask(**DAY, **{"view.points": 77}).plan()
    assert request_of(plan)["view.points"] == "77"
    assert "bin.time.max" not in request_of(plan)
    plan = site["test/plain"].ask(**DAY, **{"bin.time.max": 600}).plan()
    assert steps(plan)[-3:] == ["bin-average", "decimate", "png"]


def test_waveforms_are_drawn_from_bins_of_a_pixel(site):
    plan = site["Examples/Waveform"].examples[0].ask(format_type="png").plan()
    assert steps(plan)[-2:] == ["bin-average", "png"]
    assert float(request_of(plan)["bin.time.max"]) == pytest.approx(193 / 800, rel=1e-4)
    assert request_of(plan)["bin.stats"] == "min,max"


def test_format_and_plot_are_taken_by_one_stage(site):
    plan = (
        site["test/plain"].ask(**DAY, **{"plot.colormap": "cividis", "format.height": 200, "plot.y.log": "true"}).plan()
    )
    assert {"plot.colormap", "format.height", "plot.y.log"} <= set(plan.solution.path.steps[-1].consumes)


def test_a_value_that_cannot_be_is_told(site):
    with pytest.raises(QueryError, match="viridis"):
        site["test/plain"].ask(**DAY, **{"plot.colormap": "rainbow"}).plan()


def test_no_picture_of_what_follows_the_present_is_offered(site):
    source = site["Examples/Live"]
    with pytest.raises(QueryError, match="png"):
        source.ask(**{"read.time.min": "now", "read.time.max": "forever", "format.type": "png"}).plan()


def test_where_matplotlib_is_missing_it_is_told_what_to_install():
    from dasflex_plot.plugin import dasflex_extras

    found = []
    dasflex_extras(found.append)
    assert [(each.requirement, each.library) for each in found] == [("dasflex[plot]", "matplotlib")]
    assert {each.type.kind for each in found[0].stream_types} == {"png", "svg", "pdf"}
    assert {"png", "svg", "pdf"} <= {each.name for each in discover().stages}


def test_a_directory_shows_a_sample_of_each_source_that_all_may_see(site):
    told = page(site, "/source/test/")
    assert told.count('<img class="sample"') == 2
    assert 'src="/source/test/plain/data.png?time=2020-01-01' in told
    assert 'loading="lazy"' in told
    assert "guarded/data.png" not in told
    assert "auth/data.png" not in page(site, "/source/examples/")


def test_a_sample_is_what_the_page_says(site):
    import html
    import re

    target = html.unescape(re.search(r'src="(/source/test/plain/data\.png[^"]*)"', page(site, "/source/test/"))[1])
    path, _, query = target.partition("?")
    answer = Front(site, lambda _text: None).answer(
        Asked(method="GET", path=path, query=query, origin="http://x.org", headers={})
    )
    body = b"".join(answer.body)
    answer.body.close()
    assert answer.status == 200
    assert [int.from_bytes(body[at : at + 4]) for at in (16, 20)] == [160, 90]
