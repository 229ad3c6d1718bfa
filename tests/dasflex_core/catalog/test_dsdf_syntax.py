# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax of DSDF: what was written is what is read, and any text is entries and faults, never a crash."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.catalog.dsdf_import import read_dsdf
from dasflex_core.catalog.dsdf_syntax import parse_dsdf


def entries(text):
    """Keys, values and lines."""
    found = parse_dsdf(text)
    assert not found.faults, found.faults
    return [(each.key, each.text, each.line) for each in found.entries]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = 'x'", "x"),
        ('a="x"', "x"),
        ("\ta\t=\t'x'\t; why", "x"),
        ("a = 'x; y'", "x; y"),
        ("a = 'it''s'", "it's"),
        ('a = "say ""so"" it\'s"', 'say "so" it\'s'),
        ("a = ''", ""),
        ("a = 'x' + $\n 'y'", "xy"),
        ("a = 'x'+$\n'y'", "xy"),
        ("a = 'x' $ ; why\n\n ; and why\n  \"y\" + $\n 'z'", "xyz"),
        ("a = 'x' + 'y'", "xy"),
        ("a = 12.5 ; half", "12.5"),
        ("a = x_multi_y ; form", "x_multi_y"),
        ("a = [1, 2, $\n 3]", "[1, 2,3]"),
        ("a = $x", "$x"),
        ("a =", ""),
        ("a = 'Größe 長さ'", "Größe 長さ"),
        ("a = 'x = y'", "x = y"),
    ],
)
def test_a_value_is_what_idl_would_assign(text, value):
    assert entries(text) == [("a", value, 1)]


def test_lines_are_those_of_the_keys_and_comments_go_with_what_follows_them():
    found = parse_dsdf("; head\n\na = 'x' + $ ; one\n    'y' ; two\n; for b\nb = 1\n; the end\n")
    assert [(each.key, each.line, each.comments) for each in found.entries] == [
        ("a", 3, ("head", "one", "two")),
        ("b", 6, ("for b",)),
    ]
    assert found.comments == ["the end"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("item_00", ("item", 0)),
        ("item07", ("item", 7)),
        ("item_7", ("item", 7)),
        ("cacheLevel_99", ("cacheLevel", 99)),
        ("item", None),
        ("item_100", None),
        ("_00", None),
    ],
)
def test_the_items_of_a_list_are_numbered(key, expected):
    (entry,) = parse_dsdf(f"{key} = 'x'").entries
    assert entry.numbered == expected


def test_a_fault_hides_nothing_that_follows_it_and_a_section_ends_the_file():
    found = parse_dsdf("a = 'x\nb = 'y' + $\nc = 'z'\nnonsense\nd = 1\n  [e]\nf = 2\n[[g]]\n")
    assert [(each.line, each.key) for each in found.faults] == [(1, "a"), (2, "b"), (4, ""), (6, "")]
    assert [each.key for each in found.entries] == ["c", "d"]


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029\x85"), max_size=30)
KEY = st.from_regex(r"[A-Za-z][A-Za-z_]{0,8}", fullmatch=True)


@st.composite
def assignments(draw):
    """The text of an assignment in one of the ways to write it, with its key and value."""
    key, pieces = draw(KEY), draw(st.lists(TEXT, min_size=1, max_size=3))
    written = []
    for piece in pieces:
        quote = draw(st.sampled_from("'\""))
        written.append(quote + piece.replace(quote, quote * 2) + quote)
    joint = draw(st.sampled_from([" + $\n  ", "$\n", " +$ ; why\n", " $\n; a remark\n\n"]))
    behind = draw(st.sampled_from(["", " ", "  ; a 'remark'", ";"]))
    return f"{key} = {joint.join(written)}{behind}\n", key, "".join(pieces)


@given(st.lists(assignments(), max_size=5))
@settings(max_examples=200, deadline=None)
def test_what_was_written_is_what_is_read(written):
    text = "".join(each for each, _key, _value in written)
    assert [each[:2] for each in entries(text)] == [(key, value) for _text, key, value in written]


LINE = st.one_of(
    st.text(string.printable, max_size=40),
    st.sampled_from(
        ["reader = 'a $(PARAMS,", "a = 'x' + $", "[x]", "param_00 = '|||'", "cacheLevel = ' | daily'", "readAccess=':'"]
    ),
    st.tuples(
        st.sampled_from(
            ["reader", "reducer", "param_01", "item_00", "cacheLevel_02", "exampleRange", "hapi", "server"]
        ),
        st.text(string.printable.replace("\n", ""), max_size=30),
    ).map(lambda pair: f"{pair[0]} = '{pair[1]}'"),
)


@given(st.lists(LINE, max_size=8).map("\n".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_tables_and_findings_with_lines(text):
    made = read_dsdf(text, "x.dsdf")
    lines = text.count("\n") + 1
    for finding in (*made.findings, *made.warnings):
        assert 1 <= finding.place.line <= lines
