# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions in JSON: they mean what TOML means; comments, includes and faults, each at its line of its file."""

from __future__ import annotations

import json
import string
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.catalog.importing import Forms
from dasflex_core.catalog.json_definition import read_json
from dasflex_core.catalog.read_toml import examination, read_text
from dasflex_core.catalog.tree import Catalog, compile_tree
from dasflex_core.catalog.walk import Vocabulary

LEAST = """\
// the least there can be
{
  "title": "A // title", // and a remark
  "contacts": { "technical": "A <a@example.org>" },
  "reader": { "command": "r #[read.time.min] #[read.time.max]", "writes": "das/2" },
  "example": [{ "time": "2017-01-01 to 2017-03-01", "bin.time.max": 60, "bin": { "stats": "min,max" } }],
  "coords.time.range": "2015-01-01 to now"
}
"""


@pytest.fixture
def tree(tmp_path):
    """A root with a directory of files to include; functions that write files and examine one."""
    (tmp_path / "include").mkdir()
    (tmp_path / "definitions").mkdir()
    words = Vocabulary(forms=Forms(include=tmp_path / "include"))

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text, indent=1))
        return path

    def examined(text):
        return examination(write("definitions/a.json", text), root=tmp_path / "definitions", vocabulary=words)

    return tmp_path, write, examined


def places(reading):
    """The findings by name of the file, line and key."""
    return [(each.place.file.rpartition("/")[2], each.place.line, each.place.key) for each in reading.findings]


def test_comments_and_dotted_keys_are_read(tree):
    _root, _write, examined = tree
    made = examined(LEAST).definition
    assert (made.id, made.title) == ("a", "A // title")
    assert dict(made.examples[0].request)["bin.time.max"] == "60"
    assert dict(made.examples[0].request)["bin.stats"] == "min,max"
    assert str(made.range) == "2015-01-01 to now"


def test_json_means_what_the_same_toml_means(tree, full):
    _root, _write, examined = tree
    text = full.replace("moved ", "#moved ")
    tables = tomllib.loads(text)
    found = examined(json.dumps(tables))
    assert not found.findings, [str(each) for each in found.findings]
    expected = read_text(text, directory=found.definition.directory)
    assert replace(found.definition, file="") == replace(expected, file="")


def test_a_fault_has_the_line_and_the_path_of_its_key(tree):
    _root, _write, examined = tree
    found = examined(LEAST.replace('"writes"', '"wrtes"').replace("60,", '"x",\n  "tme": 5,'))
    assert places(found) == [
        ("a.json", 5, "reader.wrtes"),
        ("a.json", 5, "reader.writes"),
        ("a.json", 7, "example[0].tme"),
    ]
    assert "Did you mean" in found.findings[0].message


def test_what_a_file_includes_lies_under_what_it_says_itself(tree):
    _root, write, examined = tree
    write(
        "include/one.json",
        '{ "summary": "from one", "coords": { "time": { "cadence": "1 s", "title": "one" } } } // end',
    )
    write("include/sub/two.json", {"$include": "three.json", "summary": "from two", "label": "two", "title": "two"})
    write("include/three.json", {"label": "three", "cite": {"licence": "CC0-1.0"}})
    made = examined(LEAST.replace('"title":', '"$include": ["one.json", "sub/two.json"], "title":')).definition
    assert (made.title, made.summary, made.label, made.cite.licence) == ("A // title", "from one", "two", "CC0-1.0")
    assert (str(made.range), made.coords["time"].cadence, made.coords["time"].title) == (
        "2015-01-01 to now",
        1.0,
        "one",
    )


def test_an_include_may_stand_in_any_object(tree):
    _root, write, examined = tree
    write("include/contact.json", {"technical": "B <b@example.org>", "scientific": "C <c@example.org>"})
    made = examined(LEAST.replace('"technical"', '"$include": "contact.json", "technical"')).definition
    assert (made.contacts.technical, made.contacts.scientific) == ("A <a@example.org>", "C <c@example.org>")


def test_a_fault_of_an_included_file_is_told_where_it_stands(tree):
    _root, write, examined = tree
    write("include/wrong.json", '{\n "cite": { "licnce": "x" },\n "label": 5\n}')
    found = examined(LEAST.replace('"title":', '"$include": "wrong.json", "title":'))
    assert places(found) == [("wrong.json", 2, "cite.licnce"), ("wrong.json", 3, "label")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../secret.json", "is outside of"),
        ("/etc/hostname", "is outside of"),
        ("sub/../../secret.json", "is outside of"),
        ("link.json", "is outside of"),
        ("loop.json", "includes itself"),
        ("gone.json", "cannot be read"),
        ("latin.json", "not UTF-8"),
        ("broken.json", "this is no JSON"),
        ("list.json", "must be one object"),
        ("a\0b", "is no file"),
        ("", "must be the name of a file"),
    ],
)
def test_an_include_that_cannot_be_is_told_and_nothing_is_read(tree, name, message):
    root, write, examined = tree
    write("secret.json", {"summary": "secret"})
    write("include/list.json", "[1]")
    write("include/broken.json", '{\n "a": 1,\n}')
    (root / "include" / "latin.json").write_bytes('{ "label": "ö" }'.encode("latin-1"))
    (root / "include" / "link.json").symlink_to(root / "secret.json")
    write("include/loop.json", {"$include": "around.json"})
    write("include/around.json", {"$include": "loop.json"})
    found = examined(LEAST.replace('"title":', f'"$include": {json.dumps(name)},\n "title":'))
    (finding,) = found.findings
    assert message in finding.message
    assert found.definition is None
    if name not in ("loop.json", "broken.json", "list.json"):
        assert places(found) == [("a.json", 3, "$include")]
    if name == "loop.json":
        assert "loop.json -> " in finding.message
        assert places(found) == [("around.json", 2, "$include")]


def test_a_definition_may_not_include_itself(tree):
    root, _write, examined = tree
    (root / "include" / "self.json").symlink_to(root / "definitions" / "a.json")
    found = examined(LEAST.replace('"title":', '"$include": "self.json", "title":'))
    assert "is outside of" in found.findings[0].message


def test_without_a_directory_nothing_is_included(tmp_path):
    made = read_json('{ "$include": "x.json" }', "a.json")
    assert "DATASRC_INC" in made.findings[0].message


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('{\n"a": 1\n"b": 2 }', 3, "where a comma or } should"),
        ('{ "a": 1,\n}', 2, "a comma stands in front of }"),
        ('{ "a": [1,\n] }', 2, "a comma stands in front of ]"),
        ('{ "a": 1, "a": 2 }', 1, "stands twice"),
        ('{ "a": null }', 1, "null says nothing"),
        ('{ "a": NaN }', 1, "neither a number"),
        ('{ "a": 01 }', 1, "neither a number"),
        ("{ a: 1 }", 1, "a key in quotes"),
        ('{ "a" 1 }', 1, "where a : should"),
        ('{ "a": "x\ny" }', 1, "not closed"),
        ('{ "a": "\\ud800" }', 1, "character that is none"),
        ('{ "a": "\\q" }', 1, "character that is none"),
        ("/* x */ {}", 1, "no meaning"),
        ("{} {}", 1, "behind the object"),
        ("", 1, "the end stands where a value should"),
        ('{ "a": ' + "[" * 100 + "]" * 100 + " }", 1, "too deep"),
        ('{ "a.b": 1, "a": { "b": 2 } }', 1, "said twice"),
        ('{ "a": 1, "a.b": 2 }', 1, "said twice"),
        ("[1]", 1, "must be one object"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_told_with_its_line(text, line, message):
    (finding, *_more) = read_json(text, "a.json").findings
    assert (finding.place.file, finding.place.line) == ("a.json", line)
    assert message in finding.message


def test_a_wrong_definition_leaves_the_catalog_as_it_was(tree):
    root, write, _examined = tree
    words = Vocabulary(forms=Forms(include=root / "include"))
    write("definitions/a.json", LEAST)
    assert compile_tree(root, words).installed == ("a",)
    write("definitions/a.json", LEAST.replace('"title":', '"$include": "../x.json", "title":'))
    report = compile_tree(root, words)
    assert (report.installed, report.kept, len(report.findings)) == ((), ("a",), 1)
    assert Catalog(root).find("a").title == "A // title"


def test_a_schema_beside_the_definitions_is_none(tree):
    root, write, _examined = tree
    write("definitions/a.json", LEAST)
    write("definitions/source.schema.json", {"title": "a schema"})
    assert compile_tree(root).findings == ()


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(string.ascii_letters + "_-", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(string.ascii_letters + "_-", min_size=1), VALUES, max_size=4))
@settings(max_examples=150, deadline=None)
def test_what_json_says_is_what_is_read(tables):
    made = read_json(f"// above\n{json.dumps(tables, indent=1)} // behind", "a.json")
    assert not made.findings
    assert made.tables == tables


@given(st.text(st.sampled_from('{}[]",:/\\ \n09.eEtruefalsn$include'), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_tables_or_a_finding_with_a_line(text):
    for finding in read_json(text, "a.json").findings:
        assert 1 <= finding.place.line <= text.count("\n") + 1
