# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of a source has a field for each parameter that it takes, of the right kind, and asks nothing when blank."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_cgi.requesting import address_query, gaps, recipes
from dasflex_cgi.source_form import fields, filled
from dasflex_cgi.source_page import describe
from dasflex_core.plan.offering import Offer, offered
from dasflex_core.plan.parameters import GOAL
from dasflex_core.queries import joined_lists
from dasflex_core.site import open_site
from dasflex_core.stages import ParamSpec


@pytest.fixture(scope="module")
def site(examples):
    return open_site(examples.root)


def offer_of(site, name):
    return offered(site[name].definition, site.registry, site.catalog.find, site.external)


def form_of(site, name, **given):
    """The fields of a source by the names of their parameters."""
    offer = offer_of(site, name)
    return {
        each.name: each for group in fields(site[name].definition, offer, site.registry, given) for each in group.fields
    }


def test_every_parameter_that_a_source_takes_has_one_field(site):
    for name in site:
        offer = offer_of(site, name)
        found = [
            each.name for group in fields(site[name].definition, offer, site.registry, {}) for each in group.fields
        ]
        assert len(found) == len(set(found)) == len({field.id for field in form_of(site, name).values()})
        switched = {"read.data"} if len(site[name].definition.data) == 1 else set()
        assert {*found} - {*GOAL} == {each.name for each in offer.params} - switched - {*GOAL}, name


def test_fields_suit_the_types_of_parameters(site):
    found = form_of(site, "Examples/Params")
    kinds = {name: field.kind for name, field in found.items()}
    assert kinds["read.time.min"] == "time"
    assert kinds["read.sensor"] == kinds["read.noise"] == kinds["format.type"] == "select"
    assert kinds["read.gyro"] == kinds["bin.time.max"] == "number"
    assert kinds["bin.stats"] == "checks"
    assert kinds["format.csv.props"] == "check"
    assert (found["read.channels"].low, found["read.channels"].high, found["read.channels"].step) == ("6", "64", "1")
    assert found["read.gyro"].units == "Hz"
    assert found["read.time.min"].required
    assert not found["bin.time.max"].required
    assert found["format.delim"].format == "csv"
    assert {choice.value for choice in found["format.type"].choices} >= {"", "das", "csv", "json"}


def test_what_is_given_is_chosen_and_the_default_is_blank(site):
    found = form_of(site, "Examples/Params", **{"read.sensor": "E", "read.noise": "no", "bin.stats": "min, max"})
    chosen = {name: [each.value for each in found[name].choices if each.chosen] for name in ("read.sensor", "read.noise", "bin.stats")}  # fmt: skip
    assert chosen == {"read.sensor": ["E"], "read.noise": ["false"], "bin.stats": ["min", "max"]}
    assert found["read.sensor"].choices[0].text == "Magnetic field, search coil (default)"
    data = form_of(site, "Examples/Ephemeris", **{"read.data": "radius,local"})["read.data"]
    assert [each.value for each in data.choices if each.chosen] == ["radius", "local"]
    assert data.plain == "radius,longitude,latitude,local"


def test_the_default_of_a_definition_counts_before_that_of_a_stage(site):
    assert "Default: 800." in form_of(site, "Examples/Spectra")["dft.length"].hint
    assert "Default: min,max." in form_of(site, "Examples/Waveform")["bin.stats"].hint


def test_a_form_begins_with_the_address_or_with_the_first_example(site):
    definition, offer = site["Examples/Params"].definition, offer_of(site, "Examples/Params")
    assert filled(definition, offer, []) == dict(definition.examples[0].request)
    asked = [("time", "2008-07-01/2008-07-02"), ("strange", "1"), ("read.sensor", "E")]
    assert filled(definition, offer, asked) == {
        "read.time.min": "2008-07-01", "read.time.max": "2008-07-02", "read.sensor": "E"
    }  # fmt: skip
    for nonsense in ([("time", "x")], [("read.sensor", "\0")], [("read.sensor", "B"), ("read.sensor", "E")]):
        assert filled(definition, offer, nonsense) == dict(definition.examples[0].request)
    assert filled(replace(definition, examples=()), offer, []) == {}


def test_strange_parameters_have_fields_that_browsers_understand(site):
    strange = ParamSpec("read.ä b\"'", "offered", "duration", low=float("-inf"), title="`x`", help="<b>.")
    offer = Offer(params=(strange,))
    (group,) = fields(replace(site["Examples/Random"].definition, data={}), offer, site.registry, {})
    assert group.fields[0].id == "field-read-_e4_20b_22_27"
    assert group.fields[0].kind == "text"


def test_a_list_may_have_several_fields():
    pairs = [("bin.stats", "min"), ("read.data", "a"), ("bin_stats", "max"), ("read.data", "a"), ("read.data", " ")]
    assert joined_lists(pairs) == [("bin.stats", "min"), ("read.data", "a"), ("bin_stats", "max"), ("read.data", " ")]
    assert joined_lists([("time", "a"), ("time", "b")]) == [("time", "a"), ("time", "b")]


def test_boxes_of_a_form_are_one_list_for_a_plan(examples):
    front = Front(open_site(examples.root), pytest.fail)
    try:
        query = "time=2016-08-27/2016-08-28&read.data=radius&read.data=local&read.frame="
        answer = front.answer(Asked(method="GET", path="/source/examples/ephemeris/plan", query=query))
        assert answer.status == 200
        assert b"read.data=radius,local" in answer.body
    finally:
        front.end()


def test_the_page_can_be_asked_whatever_the_address_says(examples):
    front = Front(open_site(examples.root), pytest.fail)
    try:
        for query in (
            "%zz",
            "time=",
            "time=%00/x",
            "read.sensor=%22%3E%3Cscript%3E",
            "=&&=",
            "bin.stats=,,&bin.stats=x",
        ):
            answer = front.answer(Asked(method="GET", path="/source/examples/params.html", query=query))
            assert answer.status == 200, query
            assert b"<script>" not in answer.body
    finally:
        front.end()


def test_a_query_reads_back_as_what_it_says():
    pairs = {"read.time.min": "2020-01-01", "read.time.max": "2020-01-02", "read.x": "a b+c&d='e\"/é`$\\"}
    query = address_query(pairs)
    assert dict(parse_qsl(query)) == {"time": "2020-01-01/2020-01-02", "read.x": pairs["read.x"]}
    assert not set(query) & set(" '\"`$\\")


def test_the_request_in_other_words_asks_the_same(site):
    offer = offer_of(site, "Examples/Ephemeris")
    pairs = {"read.time.min": "2016-08-27", "read.time.max": "2016-08-28", "read.time.inter": "60", "read.frame": "JSO"}
    found = {each.name: each.text for each in recipes(gaps("Examples/Ephemeris", "http://h/x", offer, pairs))}
    assert (
        found["url"]
        == "http://h/x/source/examples/ephemeris/flex?time=2016-08-27/2016-08-28&read.time.inter=60&read.frame=JSO"
    )
    assert found["autoplot"] == "vap+das2server:http://h/x/?dataset=Examples/Ephemeris&start_time=2016-08-27&end_time=2016-08-28&interval=60&read.frame=JSO"  # fmt: skip
    assert found["curl"].startswith("curl -o 'Ephemeris.d2t' 'http://h/x/")
    names: dict = {}
    code = found["dasflex"].replace("import dasflex_core", "").replace("dasflex_core.open()", "opened")
    exec(code.replace(".read()", ""), {"opened": site}, names)  # noqa: S102  what the page tells people to run
    assert names["answer"].plan().canonical[0][0].startswith("read.")
    csv = gaps("Examples/Ephemeris", "http://h/x", offer, {**pairs, "format.type": "csv"})
    assert csv["file"] == "Ephemeris.csv"
    assert gaps("a", "", Offer(), {})["file"] == "a.dat"


def test_what_fills_a_gap_is_not_filled_again():
    assert recipes({"url": "{file}", "file": "f"})[1].text == "curl -o 'f' '{file}'"


def test_all_that_can_be_had_is_what_the_solver_finds(site):
    for name in ("Examples/Params", "Examples/Waveform"):
        about = describe(site[name], "", "http://h")
        offer = offer_of(site, name)
        assert {each.name for each in about.abilities.formats} == {f".{info.suffix}" for info in offer.types}
        asked = {each.asks[0] for each in about.abilities.reductions}
        assert "bin.time.max" in asked
        assert asked <= {each.name for each in offer.params}
        assert {"flex", "das2"} <= {each.name for each in about.abilities.conventions}
        for way in about.abilities.formats:
            pairs = [*site[name].examples[0].pairs, *(tuple(each.split("=")) for each in way.asks)]
            assert site.planner.solve(site[name].definition, pairs)
    assert describe(replace_definition(site, "Examples/Params"), "", "").abilities.formats == ()


def replace_definition(site, name):
    """A source of which nothing can be had any more."""
    source = site[name]
    reader = replace(source.definition.readers[0], command="", source="Gone")
    return type(source)(site, replace(source.definition, readers=(reader,)))
