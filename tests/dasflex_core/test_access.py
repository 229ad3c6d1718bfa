# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may read what: the decision, held against each rule, and against each way of asking for more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.access import NOBODY, Identity, Wish, decide, in_scope, rules_of
from dasflex_core.times import Time, parse_time

NOW = parse_time("2026-08-31T12:00:00")
ANNA = Identity("anna", frozenset({"juno"}))
EVERYTHING = Wish(parse_time("2026-08-30"), None)


def test_a_source_without_rules_is_open_to_everybody():
    assert decide(rules_of(()), NOBODY, EVERYTHING, NOW).granted


@pytest.mark.parametrize("rule", ["user:anna", "group:juno"])
def test_any_one_rule_suffices(rule):
    rules = rules_of(("user:someone", rule, "age:90y"))
    assert decide(rules, ANNA, EVERYTHING, NOW).granted
    assert not decide(rules, NOBODY, EVERYTHING, NOW).granted


@pytest.mark.parametrize("rule", ["user:Anna", "user:ann", "user:anna2", "group:Juno", "user:", "group:", "user", ""])
def test_names_are_compared_as_they_are(rule):
    """A case of its own is another user; a rule that names nobody opens nothing, not even to nobody."""
    for who in (ANNA, NOBODY, Identity("", frozenset({"juno", ""}))):
        assert not decide(rules_of((rule,)), who, EVERYTHING, NOW).granted


@pytest.mark.parametrize(
    ("age", "boundary"),
    [
        ("1y6m", "2025-02-28T12:00:00"),
        ("6m", "2026-02-28T12:00:00"),
        ("1m", "2026-07-31T12:00:00"),
        ("30d", "2026-08-01T12:00:00"),
        ("1y1m1d", "2025-07-30T12:00:00"),
        ("2500y", "0001-01-01"),
    ],
)
def test_data_are_open_once_they_are_older_than_an_age(age, boundary):
    """The end of the range does not belong to it, so that one that ends at the boundary is open; a day that its month
    does not have is the last one of it."""
    rules = rules_of((f"age:{age}",))
    edge = parse_time(boundary)
    assert decide(rules, NOBODY, Wish(edge), NOW).granted is (age != "2500y")
    assert not decide(rules, NOBODY, Wish(Time(edge.ns + 1)), NOW).granted
    assert not decide(rules, NOBODY, Wish(None), NOW).granted


@pytest.mark.parametrize("age", ["", "0d", "0y0m", "y", "1x", "-1d", "1d1y", "٣d"])
def test_what_is_no_age_opens_nothing(age):
    assert not decide(rules_of((f"age:{age}",)), NOBODY, Wish(parse_time("0001-01-02")), NOW).granted


def test_averages_are_open_from_a_width_on_and_offered_for_narrower_ones():
    rules = rules_of(("group:juno", "bin:60 s"))
    assert decide(rules, NOBODY, Wish(width=60.0), NOW).width == 60.0
    assert decide(rules, NOBODY, Wish(width=3600.0), NOW).granted
    for width in (None, 59.999999, 0.0, -1.0, float("nan"), float("inf")):
        decision = decide(rules, NOBODY, Wish(width=width), NOW)
        assert (decision.granted, decision.instead) == (False, 60.0)
    assert decide(rules, ANNA, Wish(width=None), NOW).width is None


@pytest.mark.parametrize("width", ["", "nan s", "inf s", "0 s", "-60 s", "60 Hz", "x"])
def test_what_is_no_width_opens_nothing(width):
    assert not decide(rules_of((f"bin:{width}",)), NOBODY, Wish(width=1e9), NOW).granted


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_no_list_of_rules_that_are_none_lets_nobody_in(rules):
    wish = Wish(parse_time("1990-01-01"), 1e6)
    named = [each for each in rules if each.partition(":")[0].strip().lower() in ("age", "bin")]
    if not named:
        assert not decide(rules_of(rules), NOBODY, wish, NOW).granted


def test_a_token_is_good_for_what_its_scope_names():
    rules = rules_of(("user:anna",))
    scoped = Identity("anna", scope=("juno/wav/", "Cassini/RPWS"))
    for source, good in (
        ("Juno/WAV/Survey", True),
        ("juno/wavx", False),
        ("CASSINI/rpws", True),
        ("Cassini/RPWS/HFR", False),
        ("Juno", False),
    ):
        assert in_scope(source, scoped.scope) is good
        assert decide(rules, scoped, EVERYTHING, NOW, source).granted is good
