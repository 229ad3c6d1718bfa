# SPDX-License-Identifier: GPL-3.0-or-later
"""Each key of a TOML file is found in its line, however the file is written."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.catalog.locate import locate_keys

WRITTEN = '''\
# a comment = 1
plain = 1
dotted.key.path = 2   # trailing = "comment"
"quoted key" = 3
'single "quoted"'.x = 4
"esc\\u0061ped" = 5
many = """
inside = 1
[not.a.table]
\\""" still inside = 2
"""
literal = \'\'\'
# no = "comment"
\'\'\'\'\'
after = "a = b # c [d]"
array = [
  1, # one = 1
  [2, "three = 3"],

  { four = 4, deep.five = 5, six = [6] },
]
inline = { a = 1, b.c = 2, d = { e = 3 }, f = [{ g = 4 }] }
empty = {}
nothing = []
date = 2020-01-01T00:00:00Z
[table]
x = 1
[table.inner."odd.name"]
y = 2
[[list]]
z = 1
[[list]]
  z = 2
  [list.sub]
  w = 1
  [[list.deep]]
  v = 1
  [[list.deep]]
  v.u = 2
[last] # [not]
x = -1e5
'''


def paths(value, path=()):
    """The paths of all keys and items in parsed tables."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, held in value.items():
            yield from paths(held, (*path, name))
    if isinstance(value, list):
        for place, held in enumerate(value):
            yield from paths(held, (*path, place))


def line_of(path):
    return locate_keys(WRITTEN)[path]


def test_the_sample_holds_what_it_should():
    assert tomllib.loads(WRITTEN)["list"][1]["deep"][1]["v"]["u"] == 2


@pytest.mark.parametrize(
    ("path", "start"),
    [
        (("plain",), "plain ="),
        (("dotted", "key", "path"), "dotted."),
        (("dotted",), "dotted."),
        (("quoted key",), '"quoted key"'),
        (('single "quoted"', "x"), "'single"),
        (("escaped",), '"esc'),
        (("many",), "many ="),
        (("literal",), "literal ="),
        (("after",), "after ="),
        (("array",), "array ="),
        (("array", 0), "  1,"),
        (("array", 1, 1), "  [2,"),
        (("array", 2), "  { four"),
        (("array", 2, "deep", "five"), "  { four"),
        (("array", 2, "six", 0), "  { four"),
        (("inline", "d", "e"), "inline ="),
        (("inline", "f", 0, "g"), "inline ="),
        (("empty",), "empty ="),
        (("date",), "date ="),
        (("table",), "[table]"),
        (("table", "x"), "x = 1"),
        (("table", "inner", "odd.name", "y"), "y = 2"),
        (("list",), "[[list]]"),
        (("list", 0, "z"), "z = 1"),
        (("list", 1, "z"), "  z = 2"),
        (("list", 1, "sub", "w"), "  w = 1"),
        (("list", 1, "deep", 0, "v"), "  v = 1"),
        (("list", 1, "deep", 1, "v", "u"), "  v.u = 2"),
        (("last",), "[last]"),
        (("last", "x"), "x = -1e5"),
    ],
)
def test_a_key_is_found_in_its_line(path, start):
    assert WRITTEN.splitlines()[line_of(path) - 1].startswith(start)


def test_every_key_and_nothing_else_is_located():
    assert set(locate_keys(WRITTEN)) == set(paths(tomllib.loads(WRITTEN)))


def test_the_published_definitions_are_located_key_by_key(published):
    for text in published:
        lines = locate_keys(text)
        assert set(lines) == set(paths(tomllib.loads(text)))
        for path, line in lines.items():
            name = next(part for part in reversed(path) if isinstance(part, str))
            assert name in text.splitlines()[line - 1]


KEYS = st.sampled_from(["a", "b-c", "D_9", '"q k"', "'x.y'", '"\\u00e9"'])
SCALARS = st.sampled_from(["1", "'a = 1'", '"#"', '"""\nk = 1\n"""', "'''\n[t]\n'''''", "true", "1979-05-27", "-inf"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ", # c = [\n".join([*items, "]"]) if items else "[ ]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key} = {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=6,
)
ENTRIES = st.tuples(KEYS, KEYS | st.none(), VALUES).map(lambda made: (".".join(filter(None, made[:2])), made[2]))
BLOCKS = st.tuples(
    st.sampled_from(["", "[t{0}]", "[t{0}.'u v']", "[[r]]", "[[s.t]]", "\n# [x]\n[[r]]"]),
    st.lists(ENTRIES, max_size=3, unique_by=lambda entry: tomllib.loads(f"{entry[0]} = 1").popitem()[0]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(BLOCKS, max_size=5))
def test_any_document_is_located_key_by_key(blocks):
    """The keys found are those that the parser finds, and each line holds its key as written."""
    parts = []
    for place, (header, entries) in enumerate(blocks):
        opened = header.format(place) or f"[plain{place}]"
        parts.append("\n".join([opened, *(f"{key} = {value}" for key, value in entries)]))
    text = "\n".join(parts)
    lines = locate_keys(text)
    assert set(lines) == set(paths(tomllib.loads(text)))
    written = text.splitlines()
    for path, line in lines.items():
        if isinstance(path[-1], str):
            shown = path[-1].replace("é", "\\u00e9")
            assert shown in written[line - 1]
