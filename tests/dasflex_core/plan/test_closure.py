# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a source advertises has a plan: each parameter and each format, of sources of every kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dasflex_core.catalog.model import Access, Coord, DataItem, Definition, Example, Interval, Option, Reader, Span
from dasflex_core.catalog.tree import Catalog
from dasflex_core.errors import QueryError
from dasflex_core.plan.offering import Offers
from dasflex_core.plan.parameters import GOAL
from dasflex_core.plan.planner import Planner
from dasflex_core.plan.reaching import sample_text
from dasflex_core.registry import discover
from dasflex_core.roots import make_root

RANGE = "#[read.time.min] #[read.time.max]"
TIME = Coord(range=Span("2020-01-01", "2021-01-01"), cadence=1.0)
DAY = (("read.time.min", "2020-01-01"), ("read.time.max", "2020-01-02"))
LINES = Definition(
    id="Lines",
    title="Lines",
    readers=(Reader("r", command=f"read {RANGE}", writes="das/2"),),
    coords={"time": TIME},
    data={"bx": DataItem(axes=("time",)), "by": DataItem(axes=("time",))},
    examples=(Example("A day", DAY),),
)
MODEL = replace(
    LINES,
    id="Model",
    readers=(Reader("r", command=f"orbit #[read.time.inter] {RANGE}", writes="das/2/text"),),
    coords={"time": Coord(range=Span("2020-01-01", "2021-01-01"), interval=Interval(600.0, 0.1))},
)
LIVE = replace(
    LINES,
    id="Live",
    readers=(
        Reader("archive", command=f"read {RANGE} #[read.gain # @ #]", writes="das/3"),
        Reader("live", command="follow #[read.gain # @ #] #[read.fast # --fast #]", writes="das/3", live=True),
    ),
    options={"gain": Option(values=(("a", "A"), ("b", "B")), default="a"), "fast": Option(type="boolean")},
    coords={"time": Coord(range=Span("2020-01-01", "forever"), cadence=0.1)},
)
ONLY_LIVE = replace(LIVE, id="OnlyLive", readers=LIVE.readers[1:], examples=())
OPTIONS = replace(
    LINES,
    id="Options",
    readers=(
        Reader(
            "r",
            command=f"read {RANGE} #[read.set] #[read.n] #[read.q] #[read.data(,|bx) # bx #] #[bin.time.max # @ #]",
            writes="das/2",
        ),
    ),
    options={
        "set": Option(values=(("x", "X"),)),
        "n": Option(type="integer", range=Span("3", "9")),
        "q": Option(type="real", units="Hz", range=Span("0.5", "2")),
    },
    examples=(),
)
SPECTRA = replace(
    LINES,
    id="Spectra",
    readers=(Reader("r", command=f"read {RANGE}", writes="das/3/binary"),),
    coords={"time": TIME, "frequency": Coord(units="Hz", scale="log")},
    data={"psd": DataItem(axes=("time", "frequency"))},
)
WAVEFORM = replace(
    LINES,
    id="Waveform",
    coords={"time": TIME, "offset": Coord(of="time", units="s", size=1600)},
    data={"w": DataItem(axes=("time", "offset"))},
    defaults=(("bin.stats", "min,max"),),
)
SOURCES = (
    LINES,
    MODEL,
    LIVE,
    ONLY_LIVE,
    OPTIONS,
    SPECTRA,
    WAVEFORM,
    replace(LINES, id="Protected", access=Access("R", ("group:g",))),
    replace(LINES, id="Fixed", never=("bin", "view", "dft", "calc")),
    replace(LINES, id="Inexact", readers=(Reader("r", command=f"read {RANGE}", writes="das/2", exact=False),)),
    replace(LINES, id="Unsaid", coords={}, data={}, examples=()),
    replace(LINES, id="Stream", readers=(Reader("r", command=f"read {RANGE}", writes="qstream"),)),
    replace(LINES, id="ShortWaves", coords={"time": TIME, "offset": Coord(of="time", units="s", size=8)}),
    Definition(id="View", title="V", readers=(Reader("r", source="Waveform"),), defaults=(("dft.length", "800"),)),
    Definition(id="Table", title="T", readers=(Reader("r", source="Lines"),), defaults=(("format.type", "csv"),)),
    replace(LINES, id="Day", defaults=DAY),
)


@pytest.fixture(scope="module")
def registry():
    return discover()


@pytest.fixture(scope="module")
def site(registry, tmp_path_factory):
    """All sources by their ids in lower case: the examples that dasflex brings, and those above."""
    make_root(tmp_path_factory.mktemp("closure") / "root", "Closure")
    catalog = Catalog(next(tmp_path_factory.getbasetemp().glob("closure*")) / "root")
    return {each.id.lower(): each for each in (*SOURCES, *(catalog.find(name) for name in catalog.ids()))}


NAMES = [
    *(each.id for each in SOURCES),
    *(f"Examples/{name}" for name in ("Auth", "Ephemeris", "Live", "Params", "Random", "Spectra", "Waveform")),
]


def requests(definition, offer):
    """A request for each type and each parameter of an offer, with all that must be asked beside it."""
    base = dict(definition.examples[0].request) if definition.examples else {}
    for name in offer.required:
        base.setdefault(name, dict(DAY).get(name) or sample_text(offer.param(name), definition))
    for name, text in DAY:
        if offer.param(name):
            base.setdefault(name, text)
    for info in offer.types:
        asked = zip(GOAL, (info.type.kind, info.type.version, info.type.variant), strict=True)
        yield str(info.type), {**base, **{name: text for name, text in asked if text}}
    kinds: dict[str, list[str]] = {}
    for kind, name in offer.formats:
        kinds.setdefault(name, []).append(kind)
    for param in offer.params:
        beside = {name: sample_text(offer.param(name), definition) for name in offer.companions(param.name)}
        for kind in kinds.get(param.name, [""]):
            goal = {"format.type": kind} if kind else {}
            yield param.name, {param.name: sample_text(param, definition), **base, **beside, **goal}


@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_and_each_format_that_a_source_offers_has_a_plan(name, site, registry):
    find = lambda each: site[each.lower()]  # noqa: E731
    definition, planner = find(name), Planner(registry, find)
    offer = Offers(registry, find).of(definition)
    assert offer.types
    assert offer.own
    for what, request in requests(definition, offer):
        tried = [request, {**request, "read.time.max": "forever"}, {**request, "read.time.min": "now", "read.time.max": "forever"}]  # fmt: skip
        tried = tried if any(reader.live for reader in definition.readers) else tried[:1]
        failures = []
        for each in tried:
            try:
                planner.solve(definition, each.items())
                break
            except QueryError as error:
                failures.append(error.message)
        else:
            raise AssertionError(f"{name}: {what} has no plan: {failures[0]}")


def offer_of(definition, registry, site):
    return Offers(registry, lambda each: site[each.lower()]).of(definition)


def test_what_a_definition_forbids_or_cannot_do_is_no_offer(site, registry):
    def names(name):
        return {each.name for each in offer_of(site[name], registry, site).params}

    assert {"bin.time.max", "bin.stats", "view.points", "calc.rate"} <= names("lines")
    assert not {each for each in names("fixed") if each.startswith(("bin.", "view.", "calc.", "dft."))}
    assert not {each for each in names("model") if each.startswith("bin.")}
    assert "dft.length" in names("waveform")
    assert "dft.length" not in names("shortwaves")
    assert "bin.frequency.max" in names("spectra")
    assert "dft.length" not in names("spectra")


def test_a_stream_that_no_converter_reads_is_offered_as_it_is(site, registry):
    offer = offer_of(site["stream"], registry, site)
    assert {info.type.kind for info in offer.types} == {"qstream"}
    assert {each.name for each in offer.params} == {"read.time.min", "read.time.max"}


def test_what_stands_as_a_default_is_the_default_and_required_no_more(site, registry):
    waveform = offer_of(site["waveform"], registry, site)
    assert waveform.param("bin.stats").default == "min,max"
    assert waveform.companions("bin.stats") == ("bin.time.max",)
    assert offer_of(site["view"], registry, site).param("dft.length").default == "800"
    assert offer_of(site["day"], registry, site).required == frozenset()
    assert offer_of(LINES, registry, site).required == {"read.time.min", "read.time.max"}


def test_live_readers_have_an_offer_of_their_own(site, registry):
    offers = Offers(registry, lambda each: site[each.lower()])
    live, archive = offers.of(LIVE, live=True), offers.of(LIVE, live=False)
    assert live.param("read.fast")
    assert not archive.param("read.fast")
    assert not live.param("calc.rate")  # it needs an end
    assert archive.param("calc.rate")
    assert offers.of(LINES, live=True).params == ()
    assert {info.type.kind for info in live.types} >= {"das"}


def test_sources_that_are_alike_are_searched_once(site, registry):
    offers = Offers(registry, lambda each: site[each.lower()])
    first = offers.of(LINES)
    other = offers.of(replace(LINES, id="Other", title="Other", data={"u": LINES.data["bx"], "v": LINES.data["by"]}))
    assert other.params[2:] == first.params[2:]
    assert len(offers._kept) == 1
    offers.of(SPECTRA)
    assert len(offers._kept) == 2
