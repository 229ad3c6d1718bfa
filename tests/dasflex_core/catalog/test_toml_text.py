# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables as TOML: what is read from the text is what was written, however long and odd; and it is nice to look at."""

from __future__ import annotations

import string
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.catalog.toml_text import toml_text, toml_value


def test_every_key_of_the_format_is_written_as_it_is_read(full):
    tables = tomllib.loads(full)
    text = toml_text(tables)
    assert tomllib.loads(text) == tables
    assert "\n[[reader]]\nname " in text
    assert "\n[options.antenna]\n" in text
    assert "\nread.antenna = " in text
    assert "\n[coords.time]\n" in text
    assert "\ninterval = { default = " in text
    assert '\n[[cache.level]]\nblock = "day"\nbin.time.max = 60.0\n' in text


def test_the_definitions_of_the_format_are_written_as_they_are_read(published):
    for text in published:
        tables = tomllib.loads(text)
        assert tomllib.loads(toml_text(tables, directory="inherit" in tables)) == tables


def test_keys_are_aligned_and_requests_have_full_stops():
    tables = {
        "title": "A",
        "reader": {"command": "r", "writes": "das/2"},
        "example": [{"title": "One", "time": "2001 to 2002", "bin": {"time": {"max": 60}}, "read": {"x": True}}],
        "default": {"bin": {"stats": "mean"}},
        "data": {"B": {"units": "nT"}, "E x": {}},
        "hapi": {},
    }
    assert toml_text(
        tables, {("data", "B"): ["the field"], ("gone",): ["of nothing"], (): ["the end"]}, head=["top"]
    ) == (
        """# top

title = "A"

[reader]
command = "r"
writes  = "das/2"

[data]
# the field
B     = { units = "nT" }
"E x" = {}

[default]
bin.stats = "mean"

[[example]]
title = "One"
time  = "2001 to 2002"
bin.time.max = 60
read.x = true

[hapi]

# of nothing
# the end
"""
    )


TEXTS = st.one_of(
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=40),
    st.text("ab \"'\\\n\t\x00", max_size=300),
    st.lists(st.text(string.ascii_letters + "\"'\\", max_size=12), max_size=60).map(" ".join),
    st.lists(st.sampled_from(["a", "  ", " ", '"""', "\\", "\\n", "'''"]), max_size=200).map("".join),
)


@given(TEXTS)
@settings(max_examples=400, deadline=None)
def test_any_text_is_written_as_it_is_read(text):
    assert tomllib.loads(f"x = {toml_value(text)}") == {"x": text}


@given(
    st.lists(
        st.one_of(TEXTS, st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
    )
)
@settings(max_examples=100, deadline=None)
def test_any_list_is_written_as_it_is_read(values):
    assert tomllib.loads(f"x = {toml_value(values)}") == {"x": values}


@given(TEXTS, TEXTS)
@settings(max_examples=100, deadline=None)
def test_any_comment_leaves_the_tables_as_they_are(first, second):
    lines = [*first.split("\n"), second]
    assert tomllib.loads(toml_text({"title": "A"}, {("title",): lines}, head=lines)) == {"title": "A"}


def test_long_texts_go_over_several_lines():
    text = "word " * 60
    written = toml_value(text)
    assert max(map(len, written.split("\n"))) <= 115
    assert written.count("\n") > 2
    assert tomllib.loads(f"x = {written}") == {"x": text}


def test_what_no_definition_holds_is_refused():
    with pytest.raises(TypeError, match="no place in a definition"):
        toml_value(None)
