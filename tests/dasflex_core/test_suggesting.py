# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refusal suggests is granted to whoever asks for it: over random ranges, limits, sources, and clients."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dasflex_core
from dasflex_core.affording import WIDTHS, nice_width, span_text, with_changes
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.claims import Claim
from dasflex_core.errors import QueryError, TooLargeError
from dasflex_core.roots import make_root
from dasflex_core.times import Time, format_time, parse_time

ABOUT = 'title = "A test"\ncontacts = { technical = "Somebody <somebody@example.org>" }\n'
ENDS = "#[read.time.min] #[read.time.max]"
EXAMPLE = '[[example]]\ntitle = "An hour"\ntime = "2020-02-01 to 2020-02-01T01:00"\n'
RATED = f'[reader]\ncommand = "true {ENDS}"\nwrites = "das/2"\nrate = "10 packet/s of 4 kB"\n'
SOURCES = {
    "rated": RATED,
    "sized": f'[reader]\ncommand = "true {ENDS}"\nwrites = "das/2"\n[coords.time]\ncadence = "2 s"\n'
    '[coords.frequency]\nsize = 200\nunits = "Hz"\n[data.psd]\naxes = ["time", "frequency"]\n',
    "model": f'[reader]\ncommand = "true #[read.time.inter] {ENDS}"\nwrites = "das/2/text"\n'
    '[coords.time]\ninterval = { default = "1 s", min = "100 ms" }\n[data.x]\naxes = ["time"]\n',
    "covered": RATED + '[coords.time]\nrange = "2020-02-01 to 2021-02-01"\ncadence = "100 ms"\n',
    "silent": f'[reader]\ncommand = "true {ENDS}"\nwrites = "das/2"\n',
    "binned": RATED + '[access]\nrealm = "The Team"\nallow = ["user:anna", "bin:60s"]\n',
    "aged": RATED + '[access]\nrealm = "The Team"\nallow = ["user:anna", "age:1y"]\n',
}
FIRST = parse_time("2020-01-01").ns


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with sources of each sort."""
    root = tmp_path_factory.mktemp("suggest") / "root"
    make_root(root, "Test", examples=False)
    for name, text in SOURCES.items():
        (root / "definitions" / name).mkdir(parents=True)
        (root / "definitions" / name / "source.toml").write_text(ABOUT + text + EXAMPLE)
    report = compile_tree(root)
    assert not report.findings, [str(each) for each in report.findings]
    return dasflex_core.open(root)


def limited(site, **limits):
    """The same site with limits."""
    return replace(site, config=replace(site.config, **limits))


def request_of(site, name, pairs, convention="flex", user=""):
    source = site[name]
    return dasflex_core.site.Request(source, tuple(pairs), convention, Claim("192.0.2.1", ticket_user=user))


def refused(request):
    with pytest.raises(TooLargeError) as caught:
        request.plan().afford()
    return caught.value


def hours(count, convention="flex"):
    end = format_time(Time(FIRST + int(count * 3_600) * 1_000_000_000))
    names = ("start_time", "end_time") if convention == "das2" else ("read.time.min", "read.time.max")
    return list(zip(names, ("2020-01-01", end), strict=True))


#: What is asked: of which source, for how many hours, in which bins and form, in which convention, by whom.
ASKED = st.tuples(
    st.sampled_from(sorted(SOURCES)),
    st.floats(0.01, 20_000),
    st.none() | st.sampled_from([0.5, 1, 7, 60, 90, 3600]),
    st.sampled_from(["", "csv"]),
    st.sampled_from(["flex", "das2"]),
    st.sampled_from(["", "anna"]),
)


@given(
    asked=ASKED,
    limit=st.sampled_from(["limit_request_seconds", "limit_request_gigabytes", "limit_answer_gigabytes"]),
    most=st.floats(-7, 1).map(lambda power: 10**power),
)
@settings(max_examples=150, deadline=None)
def test_every_suggestion_is_granted_when_it_is_asked(site, asked, limit, most):
    name, count, width, form, convention, user = asked
    tight = limited(site, **{limit: most})
    pairs = hours(count, convention)
    if width is not None:
        by = {"das2": ("interval", "resolution"), "flex": ("read.time.inter", "bin.time.max")}[convention]
        pairs.append((by[name != "model"], str(width)))
    if form:
        pairs.append(("format.type", form))
    request = request_of(tight, name, pairs, convention, user)
    try:
        plan = request.plan()
    except (QueryError, dasflex_core.AccessError):
        assume(False)
    try:
        plan.afford()
    except TooLargeError as error:
        for each in error.suggestions:
            again = replace(request, pairs=each.pairs).plan()
            again.afford()
            made = dict(again.solution.request)
            spelled = dict(tight.registry.convention(convention).spells)
            meant = {spelled.get(key, key): text for key, text in made.items()}
            for key, text in each.changes:
                assert meant[key] == text or float(meant[key]) == float(text), "it is asked for, and not dropped"
            assert again.note == plan.note or not again.note
            assert each.pairs == with_changes(request.pairs, spelled, each.changes)
    else:
        assert plan.refusal() is None


class TestWhatIsSuggested:
    def test_bins_are_suggested_where_none_were_asked_and_they_are_the_narrowest_that_fit(self, site):
        tight = limited(site, limit_answer_gigabytes=0.01)
        error = refused(request_of(tight, "sized", [*hours(24), ("format.type", "csv")]))
        bins, shorter = error.suggestions
        assert bins.changes == (("bin.time.max", "30"),)
        assert bins.text == "bins of 30 s or wider"
        assert shorter.text == "at most 137 minutes"
        assert str(error).endswith("; ask for bins of 30 s or wider, or for at most 137 minutes")
        narrower = request_of(tight, "sized", [*hours(24), ("format.type", "csv"), ("bin.time.max", "20")])
        assert narrower.plan().refusal() is not None
        longer = request_of(tight, "sized", [*hours(3), ("format.type", "csv")])
        assert longer.plan().refusal() is not None

    def test_das2_clients_are_told_their_own_words(self, site):
        tight = limited(site, limit_answer_gigabytes=0.01)
        error = refused(request_of(tight, "sized", hours(24 * 30, "das2"), "das2"))
        assert dict(error.suggestions[0].changes).keys() == {"resolution"}
        assert dict(error.suggestions[1].changes).keys() == {"start_time", "end_time"}

    def test_of_a_model_a_longer_interval_is_suggested(self, site):
        tight = limited(site, limit_answer_gigabytes=0.001)
        error = refused(request_of(tight, "model", hours(24)))
        assert error.suggestions[0].text == "values every 4 s or more"
        assert error.suggestions[0].changes == (("read.time.inter", "4"),)

    def test_a_range_without_data_before_it_begins_where_they_begin(self, site):
        tight = limited(site, limit_request_gigabytes=1.0)
        pairs = [("time", "1990-01-01/2030-01-01")]
        error = refused(request_of(tight, "covered", pairs))
        (shorter,) = (each for each in error.suggestions if each.text.startswith("at most"))
        assert dict(shorter.changes)["read.time.min"] == "2020-02-01T00:00:00"
        assert "time" not in dict(shorter.pairs)

    def test_what_somebody_may_not_read_is_not_suggested(self, site):
        tight = limited(site, limit_answer_gigabytes=1e-4)
        error = refused(request_of(tight, "binned", [*hours(24 * 30), ("bin.time.max", "61")]))
        width = float(dict(error.suggestions[0].changes)["bin.time.max"])
        assert width > 61
        whole = limited(site, limit_request_gigabytes=1e-9)
        for user in ("", "anna"):
            assert refused(request_of(whole, "binned", hours(24), user=user)).suggestions == ()

    def test_where_nothing_would_do_nothing_is_suggested(self, site):
        error = refused(request_of(limited(site, limit_request_seconds=1e-6), "rated", hours(1)))
        assert error.suggestions == ()
        assert str(error).endswith("; ask for less")

    def test_what_nothing_is_known_of_is_not_refused_for_its_bytes(self, site):
        tight = limited(site, limit_request_gigabytes=1e-9, limit_answer_gigabytes=1e-9)
        request_of(tight, "silent", hours(1)).plan().afford()
        refused(request_of(tight, "rated", hours(1)))


class TestWords:
    def test_spans_are_rounded_down_to_units_that_people_use(self):
        assert [span_text(each) for each in (0.2, 59.9, 600, 86_400, 3 * 86_400 + 5000, 1e6)] == [
            "", "59 seconds", "10 minutes", "1 day", "73 hours", "11 days",
        ]  # fmt: skip

    def test_widths_grow_and_each_has_a_name_of_a_whole_number(self):
        assert list(WIDTHS) == sorted(set(WIDTHS))
        assert all(nice_width(each).partition(" ")[0].isdigit() for each in WIDTHS)
        assert nice_width(90.0) == "90 s"

    def test_changes_take_the_place_of_all_that_means_the_same(self):
        pairs = (("Time", "2020/2021"), ("read_time_min", "2020"), ("bin.time.max", "5"), ("x", "y"))
        changed = with_changes(pairs, {}, [("read.time.max", "2019"), ("bin.time.max", "6")])
        assert changed == (("read_time_min", "2020"), ("x", "y"), ("read.time.max", "2019"), ("bin.time.max", "6"))
        das2 = {"bin.time.max": "resolution"}
        assert with_changes((("Resolution", "5"),), das2, [("resolution", "6")]) == (("resolution", "6"),)
        assert with_changes((("bin.time.max", "5"),), das2, [("resolution", "6")]) == (("resolution", "6"),)
