# SPDX-License-Identifier: GPL-3.0-or-later
"""What a directory passes on to the definitions below it."""

from __future__ import annotations

import pytest

from dasflex_core.catalog.documents import Document, merged, parse_document
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.read_toml import problems, read_definition
from dasflex_core.errors import ConfigError

SOURCE = "title = 'x'\nreader = { command = 'read', writes = 'das/2' }\nexample = [{ time = '2020 to 2021' }]\n"


@pytest.fixture
def tree(tmp_path):
    """A definition two directories deep, and a function that writes a description of one of the directories."""
    folder = tmp_path / "juno" / "wav"
    folder.mkdir(parents=True)
    (folder / "survey.toml").write_text(SOURCE)

    def describe(where, text):
        (tmp_path / where / "_dirinfo_.toml").write_text(text)

    return tmp_path, describe


def read(root):
    return read_definition(root / "juno" / "wav" / "survey.toml", root=root)


def test_a_nearer_directory_wins_over_a_farther_one_and_the_definition_over_all(tree):
    root, describe = tree
    describe(".", "[inherit.contacts]\ntechnical = 'root'\nscientific = 'root'\n[inherit.cite]\nlicence = 'CC0-1.0'\n")
    describe("juno", "[inherit.contacts]\ntechnical = 'juno'\n[inherit.access]\nallow = ['group:juno', 'age:1y']\n")
    describe("juno/wav", "title = 'Waves'\n[inherit.access]\nallow = ['group:wav']\nrealm = 'Waves'\n")
    made = read(root)
    assert (made.contacts.technical, made.contacts.scientific) == ("juno", "root")
    assert made.cite.licence == "CC0-1.0"
    assert made.access.allow == ("group:wav",)
    assert made.title == "x"
    (root / "juno" / "wav" / "survey.toml").write_text(SOURCE + "contacts.technical = 'own'\n")
    assert (read(root).contacts.technical, read(root).contacts.scientific) == ("own", "root")


def test_what_lies_above_the_root_is_not_inherited(tree):
    root, describe = tree
    describe(".", "[inherit.contacts]\ntechnical = 'root'\n")
    with pytest.raises(ConfigError, match=r"contacts\.technical: is missing"):
        read_definition(root / "juno" / "wav" / "survey.toml", root=root / "juno")


def test_a_request_is_inherited_key_by_key(tree):
    root, describe = tree
    describe("juno", "[inherit.contacts]\ntechnical = 'a'\n[inherit.default]\nbin.stats = 'mean'\nbin.time.max = 60\n")
    (root / "juno" / "wav" / "survey.toml").write_text(SOURCE + "default.bin.stats = 'max'\n")
    assert read(root).defaults == (("bin.stats", "max"), ("bin.time.max", "60"))


def test_a_fault_is_told_where_it_stands_and_not_where_it_is_inherited(tree):
    root, describe = tree
    describe("juno", "[inherit.contacts]\ntechnical = 'a'\n[inherit.access]\nallow = ['everybody']\n")
    with pytest.raises(ConfigError) as caught:
        read(root)
    assert caught.value.message.startswith(
        f"{root}/juno/_dirinfo_.toml:4: inherit.access.allow: 'everybody' is no rule"
    )


def test_rules_of_access_are_not_lost_where_a_directory_cannot_be_read(tree):
    root, describe = tree
    (root / "juno" / "wav" / "survey.toml").write_text(SOURCE + "contacts.technical = 'own'\n")
    describe("juno", "[inherit.access\nallow = ['group:juno']\n")
    with pytest.raises(ConfigError, match=r"juno/_dirinfo_\.toml:1: this is no TOML"):
        read(root)


def test_a_directory_cannot_pass_on_what_is_each_ones_own(tree):
    root, describe = tree
    describe("juno", "[inherit]\nid = 'same'\ntitle = 'same'\n[inherit.contacts]\ntechnical = 'a'\n")
    assert (read(root).id, read(root).title) == ("juno/wav/survey", "x")
    assert [finding.place.line for finding in problems(root / "juno" / "_dirinfo_.toml")] == [2, 3]


def test_what_is_inherited_need_not_be_whole(tree):
    root, describe = tree
    describe("juno", "[inherit.contacts]\ntechnical = 'a'\n[inherit.reader]\npass_env = ['HOME']\n")
    assert problems(root / "juno" / "_dirinfo_.toml") == ()
    assert read(root).readers[0].pass_env == ("HOME",)


def test_tables_are_merged_and_all_else_is_taken_whole():
    own = {"a": {"x": 1, "y": [1]}, "b": [1]}
    below = {"a": {"y": [2, 3], "z": 4}, "b": {"c": 1}, "d": 5}
    assert merged(own, below) == {"a": {"x": 1, "y": [1], "z": 4}, "b": [1], "d": 5}
    assert own == {"a": {"x": 1, "y": [1]}, "b": [1]}


@pytest.mark.parametrize("text", ["a = 0x{}", "[[b]]\n[[b]]\na = [1, 0x{}]", "b.c = {{ a = 0b1{} }}"])
def test_an_integer_that_toml_cannot_hold_is_no_toml_and_told_with_its_key(text):
    """`tomllib` makes it, and then nobody can write it: Python turns no more than 4,300 digits into text."""
    found = parse_document(f'title = ""\n{text.format("1" * 5_000)}', "source.toml")
    assert isinstance(found, Finding)
    assert found.kind == "config.unreadable"
    assert "64 bits" in found.message
    assert found.place.line == 2 + text.count("\n")
    assert "a" in found.place.key


def test_the_largest_integers_of_toml_are_read():
    text = f"a = {-(2**63)}\nb = {2**63 - 1}"
    document = parse_document(text, "source.toml")
    assert isinstance(document, Document)
    assert document.tables == {"a": -(2**63), "b": 2**63 - 1}
