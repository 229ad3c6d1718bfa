# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that header XML is read as das streams write it, and that hostile XML is refused with its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.errors import SourceError
from dasflex_das.elements import MAX_BYTES, MAX_DEPTH, Element, parse, raw, serialise

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,6}(:[A-Za-z]{1,4})?", fullmatch=True)
legal = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)


def elements(children=None):
    return st.builds(
        Element,
        tag=names,
        attributes=st.dictionaries(names, legal, max_size=3).map(lambda found: tuple(found.items())),
        children=st.lists(children, max_size=3).map(tuple) if children is not None else st.just(()),
        text=legal,
    )


trees = st.recursive(elements(), elements, max_leaves=8)


def shape(element):
    """The element without where it stood."""
    return element.tag, element.attributes, element.text, [shape(child) for child in element.children]


def test_attributes_with_undeclared_prefixes_are_read_in_order():
    tree = parse(b'<properties title="A &amp; B" Datum:xTagWidth="8.0 s"/>', "H")
    assert tree.attributes == (("title", "A & B"), ("Datum:xTagWidth", "8.0 s"))


def test_a_prolog_comments_and_blanks_around_the_root_are_skipped():
    tree = parse(b'\n  <?xml version="1.0"?><!-- hello --><stream version="2.2"/>\n\t\n', "H")
    assert tree.tag == "stream"
    assert tree.get("version") == "2.2"
    assert tree.has("version")
    assert not tree.has("compression")
    assert tree.get("compression", "none") == "none"


def test_raw_gives_each_element_exactly_as_it_was_written():
    body = b' <a><a/><b x="1">t&amp;/></b ><c></c>\n<p:q z="/"></p:q></a>'
    tree = parse(body, "H")
    assert [raw(body, child) for child in tree.children] == [
        "<a/>",
        '<b x="1">t&amp;/></b >',
        "<c></c>",
        '<p:q z="/"></p:q>',
    ]
    assert raw(body, tree) == body.decode().strip()
    assert [child.line for child in tree.children] == [1, 1, 1, 2]


@settings(max_examples=150, deadline=None)
@given(trees)
def test_what_is_serialised_is_read_as_the_same_tree(tree):
    assert shape(parse(serialise(tree).encode(), "H")) == shape(tree)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "no DTD"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE lolz SYSTEM "http://127.0.0.1/x.dtd"><a/>', "no DTD, at line 2"),
        (b"<a>&undeclared;</a>", "undefined entity"),
        (b"<a>\n <b>\n</a>", "mismatched tag, at line 3, column 3"),
        (b"\n\n<a>\n</b>", "line 4"),
        (b"<a/><b/>", "junk after document element"),
        (b"", "no element found"),
        (b"<a>\xff</a>", "not well-formed"),
        (b'<a x="1" x="2"/>', "duplicate attribute"),
    ],
)
def test_what_is_no_single_plain_element_is_refused_with_its_place(body, says):
    with pytest.raises(SourceError, match="The header of X") as caught:
        parse(body, "The header of X")
    assert says in caught.value.message
    assert caught.value.kind == "source.stream"


def test_nesting_is_bounded():
    deepest = b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH
    assert parse(deepest, "H").tag == "a"
    with pytest.raises(SourceError, match="nested more than"):
        parse(b"<a>" + deepest + b"</a>", "H")


def test_size_is_bounded_before_anything_is_parsed():
    with pytest.raises(SourceError, match="the limit is"):
        parse(b" " * (MAX_BYTES + 1), "H")


def test_characters_that_xml_cannot_hold_are_written_as_question_marks():
    text = serialise(Element("a", (("x", "tab\tbell\x07end\ud800\n"),)))
    assert text == '<a x="tab&#9;bell?end?&#10;"/>'
