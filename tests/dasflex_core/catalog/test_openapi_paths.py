# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources in the description of the server: each as it is now, what they share once, and nothing that is not there."""

from __future__ import annotations

import json

import pytest

import dasflex_core
from dasflex_core.catalog.installing import install
from dasflex_core.catalog.openapi_paths import read_descriptions
from dasflex_core.catalog.publishing import publisher
from dasflex_core.catalog.walk import Vocabulary
from dasflex_core.roots import make_root

SOURCE = """
title = "{title}"
contacts = {{ technical = "A <a@example.org>" }}
reader = {{ command = "cat #[read.time.min] #[read.time.max]{asked}", writes = "das/2" }}
example = [{{ time = "{begin} to 2021-01-01" }}]
{more}
"""


class Tree:
    """A root of one's own; `described` is the description of its sources as an object of JSON."""

    def __init__(self, root) -> None:
        self.root = root
        make_root(root, "Tree", examples=False)
        self.site = dasflex_core.open(root)
        self.part = root / "public" / "openapi.lines"

    def add(self, name: str, title="Something", asked="", begin="2020-01-01", more="") -> None:
        path = self.root / "definitions" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = SOURCE.format(title=title, asked=asked, begin=begin, more=more)
        path.write_text(text, encoding="utf-8")

    def install(self) -> None:
        registry = self.site.registry
        report = install(self.root, Vocabulary.of(registry), publisher(self.site.config, registry, self.site.external))
        assert report.findings == ()

    @property
    def described(self):
        first, *lines = self.part.read_text(encoding="utf-8").splitlines()
        return {**json.loads(f"{{{first[1:]}}}"), "paths": json.loads(f"{{{''.join(lines)[1:]}}}")}

    def item(self, name: str):
        """The path item of a source, with its parameters by name."""
        held = self.described
        get = at(held, held["paths"][f"/source/{name}/flex"])["get"]
        named = {param["name"]: param for param in (at(held, each) for each in get["parameters"])}
        return get, named, {status: at(held, each) for status, each in get["responses"].items()}


def at(held, reference):
    """What a reference leads to."""
    kind, name = reference["$ref"].removeprefix("#/components/").split("/")
    return held[kind][name]


@pytest.fixture
def tree(tmp_path):
    made = Tree(tmp_path / "root")
    made.add("Mission/One", title="One")
    made.install()
    return made


def test_a_source_is_described_by_what_it_takes_and_by_what_it_may_answer(tree):
    more = '[options.gain]\nvalues = { a = "A", b = "B" }\n[options.level]\ntype = "integer"\nrange = "1 to 9"\n'
    more += '[data.bx]\naxes = ["time"]\n[data.by]\naxes = ["time"]\n'
    tree.add("Mission/Two", title="Two", asked=" #[read.gain # @ #] #[read.level # @ #]", more=more)
    tree.install()
    get, params, answers = tree.item("mission/two")
    assert tree.described["paths"]["/source/mission/two/flex"]["summary"] == "Two"
    assert params["read.gain"]["schema"] == {"type": "string", "enum": ["a", "b"]}
    assert params["read.level"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 8}
    assert params["read.data"]["schema"] == {"type": "array", "items": {"type": "string", "enum": ["bx", "by"]}}
    assert params["read.data"]["explode"] is False
    assert params["read.time.min"]["required"] is True
    assert params["read.time.min"]["example"] == "2020-01-01"
    assert "Needs bin.time.max" in params["bin.stats"]["description"]
    assert {"csv", "das", "json"} <= {*params["format.type"]["schema"]["enum"]}
    assert {"text/csv", "application/vnd.das2.das2stream", "text/plain"} <= answers["200"]["content"].keys()
    assert answers.keys() == {"200", "202", "304", "400", "404", "413", "429", "500", "503", "504"}
    assert "security" not in get


def test_every_parameter_of_the_node_of_a_source_is_described_and_no_other(tree):
    node = json.loads((tree.root / "public" / "mission" / "one" / "flex.json").read_text(encoding="utf-8"))
    assert tree.item("mission/one")[1].keys() == node["protocol"]["httpParams"].keys()


def test_of_a_protected_source_a_log_in_is_said_and_of_a_hidden_one_nothing(tree):
    tree.add("Closed", more='[access]\nrealm = "Team"\nallow = ["user:a"]\n')
    tree.add("Hidden")
    path = tree.root / "definitions" / "Hidden.toml"
    path.write_text(f"listed = false\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    tree.install()
    get, _params, answers = tree.item("closed")
    assert get["security"] == [{"basic": []}]
    assert {"401", "403"} <= answers.keys()
    assert tree.described["paths"].keys() == {"/source/closed/flex", "/source/mission/one/flex"}


def test_sources_of_one_kind_share_all_but_their_title(tree):
    for number in range(100):
        tree.add(f"Many/S{number:02d}", title=f"Number {number}")
    tree.install()
    held = tree.described
    assert len(held["paths"]) == 101
    assert len(held["pathItems"]) == 1
    assert max(map(len, tree.part.read_bytes().splitlines()[1:])) < 150


def test_a_source_that_changed_is_described_anew_and_what_only_it_had_is_gone(tree):
    tree.add("Two", begin="1999-01-01", asked=" #[read.word # @ #]", more='[options.word]\ntitle = "A word"\n')
    tree.install()
    assert b"1999-01-01" in tree.part.read_bytes()
    one = tree.described["paths"]["/source/mission/one/flex"]
    tree.add("Two", begin="1998-01-01")
    tree.install()
    held = tree.part.read_bytes()
    assert b"1998-01-01" in held
    assert b"1999-01-01" not in held
    assert b"read.word" not in held
    assert tree.described["paths"]["/source/mission/one/flex"] == one
    (tree.root / "definitions" / "Two.toml").unlink()
    tree.install()
    assert b"1998-01-01" not in tree.part.read_bytes()


@pytest.mark.parametrize("damage", [None, b"", b"\n", b'{"a"', b',"parameters":{}\n,"x"', b"\xff\xfe"])
def test_a_description_that_is_lost_is_made_again_though_no_source_changed(tree, damage):
    before = tree.part.read_bytes()
    if damage is None:
        tree.part.unlink()
    else:
        tree.part.write_bytes(damage)
    assert read_descriptions(tree.part).lines == {}
    tree.install()
    assert tree.part.read_bytes() == before


def test_titles_may_hold_whatever_a_text_holds(tree):
    tree.add("Two", title=r"B \"of\" \\ \n /flex\": \u2028 {id}")
    tree.install()
    before = tree.part.read_bytes()
    tree.add("Three")
    tree.install()
    assert tree.described["paths"]["/source/two/flex"]["summary"].startswith('B "of" \\')
    assert set(before.splitlines()[1:]) < set(tree.part.read_bytes().splitlines()[1:])


def test_a_source_that_cannot_be_read_is_left_out_and_the_others_are_described(tree):
    tree.add("Two")
    tree.install()
    tree.part.unlink()
    (tree.root / "sources" / "mission" / "one.json").write_bytes(b"{")
    tree.install()
    assert tree.described["paths"].keys() == {"/source/two/flex"}
