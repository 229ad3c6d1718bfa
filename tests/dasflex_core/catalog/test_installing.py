# SPDX-License-Identifier: GPL-3.0-or-later
"""An install makes what changed and nothing else, as make does; it can be looked at before, and undone after."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

import dasflex_core
from dasflex_core.catalog import compiling
from dasflex_core.catalog.changing import Changes, undo
from dasflex_core.catalog.installing import install, update
from dasflex_core.catalog.publishing import Publication, publisher
from dasflex_core.catalog.remembering import MEMORY
from dasflex_core.catalog.walk import Vocabulary
from dasflex_core.errors import ConfigError
from dasflex_core.roots import make_root

SOURCE = 'title = "{title}"\nreader = {{ command = "cat #[read.time.min] #[read.time.max]", writes = "das/2" }}\nexample = [{{ time = "2020-01-01 to 2020-01-02" }}]\n{more}'
VIEW = 'title = "{title}"\nreader = {{ source = "{shown}" }}\nexample = [{{ time = "2020-01-01 to 2020-01-02" }}]\n'
CONTACT = '[inherit.contacts]\ntechnical = "{}"\n'


class Tree:
    """A root whose definitions can be written, and that notes which of them an install reads."""

    def __init__(self, root, monkeypatch) -> None:
        self.root = root
        make_root(root, "Tree", examples=False)
        self.site = dasflex_core.open(root)
        self.read: list[str] = []
        self.published: list[str] = []
        examine, source = compiling.examine_file, Publication.source

        def examined(path, *rest):
            self.read.append(path.relative_to(root / "definitions").as_posix())
            return examine(path, *rest)

        def made(publication, definition):
            self.published.append(definition.id)
            return source(publication, definition)

        monkeypatch.setattr(compiling, "examine_file", examined)
        monkeypatch.setattr(Publication, "source", made)
        self.write("_dirinfo_.toml", CONTACT.format("A <a@example.org>"))

    def write(self, name: str, text: str) -> None:
        path = self.root / "definitions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def add(self, name: str, title: str = "Something", more: str = "") -> None:
        self.write(f"{name}.toml", SOURCE.format(title=title, more=more))

    def install(self, **how):
        self.read.clear()
        self.published.clear()
        config = how.pop("config", self.site.config)
        publish = publisher(config, self.site.registry, self.site.external)
        return install(self.root, Vocabulary.of(self.site.registry), publish, **how)

    def files(self) -> dict[str, bytes]:
        """All that an install has made, without what it remembers for itself."""
        found = [path for tree in ("sources", "public") for path in (self.root / tree).rglob("*") if path.is_file()]
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in found
            if ".undo" not in str(path) and path.name not in (".lock", ".made.json")
        }

    def node(self, name: str):
        return json.loads((self.root / "public" / name).read_bytes())


@pytest.fixture
def tree(tmp_path, monkeypatch):
    made = Tree(tmp_path / "root", monkeypatch)
    for name in ("a/one", "a/two", "b/three"):
        made.add(name)
    made.write("b/view.toml", VIEW.format(title="A view", shown="A/One"))
    report = made.install()
    assert report.findings == ()
    assert report.changed == ("a/one", "a/two", "b/three", "b/view")
    return made


def test_where_nothing_changed_nothing_is_read_and_nothing_written(tree):
    before = {path: path.stat().st_mtime_ns for path in tree.root.rglob("*") if path.is_file()}
    report = tree.install()
    assert (tree.read, report.changed, report.files) == ([], (), ())
    assert report.installed == ("a/one", "a/two", "b/three", "b/view")
    assert {path: path.stat().st_mtime_ns for path in tree.root.rglob("*") if path.is_file()} == before


def test_one_definition_that_changed_is_the_only_one_that_is_read(tree):
    tree.add("a/two", title="Another")
    report = tree.install()
    assert tree.read == ["a/two.toml"]
    assert report.changed == ("a/two",)
    assert tree.node("a/two/flex.json")["title"] == tree.node("a.json")["catalog"]["two"]["title"] == "Another"
    assert tree.install().changed == ()


def test_a_file_that_was_only_touched_is_not_made_again(tree):
    path = tree.root / "definitions" / "a" / "two.toml"
    os.utime(path, ns=(1, 1))
    assert tree.install().changed == ()
    assert tree.read == []


def test_a_change_that_keeps_time_and_size_goes_unseen_and_one_that_keeps_the_size_does_not(tree):
    path = tree.root / "definitions" / "a" / "two.toml"
    facts = path.stat()
    tree.add("a/two", title="SOMETHING")
    assert path.stat().st_size == facts.st_size
    assert tree.install().changed == ("a/two",)


def test_a_view_is_made_again_with_what_it_shows_however_far_away(tree):
    tree.write("c/far.toml", VIEW.format(title="A view of a view", shown="B/View"))
    assert tree.install().changed == ("c/far",)
    tree.add("a/one", title="Changed")
    assert tree.install().changed == ("a/one", "b/view", "c/far")
    assert sorted(tree.read) == ["a/one.toml", "b/view.toml", "c/far.toml"]


def test_a_view_whose_source_went_is_told_and_stays_as_it_was(tree):
    (tree.root / "definitions" / "a" / "one.toml").unlink()
    report = tree.install()
    assert (report.removed, report.kept) == (("a/one",), ("b/view",))
    assert "there is no source 'A/One'" in str(report.findings[0])
    assert (tree.root / "public" / "b" / "view" / "flex.json").exists()
    assert not (tree.root / "public" / "a" / "one.json").exists()
    tree.add("a/one")
    report = tree.install()
    assert (report.findings, report.kept, report.changed) == ((), (), ("a/one", "b/view"))


def test_what_a_directory_passes_on_makes_what_is_below_it_again(tree):
    tree.write("b/_dirinfo_.toml", 'title = "All of b"\n' + CONTACT.format("B <b@example.org>"))
    assert tree.install().changed == ("b/three", "b/view")
    assert tree.node("b/three/flex.json")["contacts"][0]["name"] == "B"
    assert tree.node("root.json")["catalog"]["b"]["title"] == "All of b"
    (tree.root / "definitions" / "b" / "_dirinfo_.toml").unlink()
    assert tree.install().changed == ("b/three", "b/view")
    assert tree.node("root.json")["catalog"]["b"]["title"] == "b"


def test_a_file_that_a_definition_includes_makes_it_again(tree, tmp_path):
    include = tmp_path / "include"
    include.mkdir()
    (include / "time.json").write_text('{"coords": {"time": {"title": "Old"}}}', encoding="utf-8")
    body = {"title": "J", "reader": {"command": "cat #[read.time.min] #[read.time.max]", "writes": "das/2"}, "example": [{"time": "2020-01-01 to 2020-01-02"}], "$include": "time.json"}  # fmt: skip
    tree.write("j.json", json.dumps(body))
    words = Vocabulary.of(tree.site.registry, include)
    publish = publisher(tree.site.config, tree.site.registry)

    def run():
        return install(tree.root, words, publish)

    assert (run().findings, run().changed) == ((), ())
    assert tree.node("j/flex.json")["interface"]["coords"]["time"]["title"] == "Old"
    (include / "time.json").write_text('{"coords": {"time": {"title": "New title"}}}', encoding="utf-8")
    assert run().changed == ("j",)
    assert tree.node("j/flex.json")["interface"]["coords"]["time"]["title"] == "New title"


def test_another_public_address_makes_everything_again(tree):
    config = replace(tree.site.config, server_url="https://das.example.org/das")
    assert len(tree.install(config=config).changed) == 4
    assert tree.node("root.json")["catalog"]["a"]["urls"] == ["https://das.example.org/das/source/a.json"]
    assert tree.install(config=config).changed == ()


def test_what_somebody_deleted_is_made_again(tree):
    (tree.root / "public" / "a" / "two" / "flex.json").unlink()
    (tree.root / "sources" / "b" / "three.json").unlink()
    assert tree.install().changed == ("a/two", "b/three")


def test_a_wrong_definition_is_told_each_time_and_its_source_stays(tree):
    tree.write("a/two.toml", "title = 7\n")
    for _ in range(2):
        report = tree.install()
        assert report.kept == ("a/two",)
        assert report.findings
        assert tree.read == ["a/two.toml"]
        assert tree.node("a/two/flex.json")["title"] == "Something"


def test_an_id_that_is_taken_is_told_with_both_files_whether_they_are_read_or_not(tree):
    tree.write("z.toml", 'id = "A/One"\n' + SOURCE.format(title="Double", more=""))
    report = tree.install()
    assert "is that of" in str(report.findings[0])
    assert "one.toml" in str(report.findings[0])
    assert tree.install().findings == report.findings
    assert tree.node("a/one/flex.json")["title"] == "Something"


def test_after_any_changes_the_files_are_those_of_an_install_from_nothing(tree, tmp_path):
    tree.add("a/two", title="Changed")
    tree.write("d/e/new.toml", 'was = ["Old/Name"]\n' + SOURCE.format(title="New", more=""))
    (tree.root / "definitions" / "b" / "three.toml").unlink()
    tree.write("a/_dirinfo_.toml", 'title = "A"\n' + CONTACT.format("Z <z@example.org>"))
    tree.install()
    step_by_step = tree.files()
    tree.install(fresh=True)
    assert tree.files() == step_by_step
    for place in ("sources", "public"):
        subprocess.run(["rm", "-r", tree.root / place], check=True)
    tree.install()
    assert tree.files() == step_by_step


def test_only_the_files_that_are_named_are_looked_at(tree):
    tree.add("a/two", title="Changed")
    tree.add("b/three", title="Changed")
    tree.add("c/new")
    report = tree.install(only={str(tree.root / "definitions" / "a" / "two.toml")})
    assert (tree.read, report.changed) == (["a/two.toml"], ("a/two",))
    assert "c/new" not in report.installed
    assert report.removed == ()
    assert tree.node("b/three/flex.json")["title"] == "Something"
    assert tree.install().changed == ("b/three", "c/new")


def test_one_file_is_installed_without_a_memory_and_the_others_stay(tree):
    (tree.root / MEMORY).unlink()
    before = tree.files()
    tree.add("a/two", title="Changed")
    report = tree.install(only={str(tree.root / "definitions" / "a" / "two.toml")})
    assert report.changed == ("a/two",)
    after = tree.files()
    assert {name for name in before if before[name] != after.get(name)} <= {
        name for name in before if "a/two" in name or "das2" in name or "nodes" in name or name.startswith(("public/a.", "public/catalog", "public/openapi", "sources/index"))
    }  # fmt: skip
    assert len(tree.site.catalog.ids()) == 4


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"form": 1}', b'{"form": 99, "whole": "", "records": {}}', b"\xff"]
)
def test_a_memory_that_is_damaged_is_as_good_as_none(tree, damage):
    before = tree.files()
    (tree.root / MEMORY).write_bytes(damage)
    assert tree.install().findings == ()
    assert tree.files() == before
    assert tree.install().changed == ()


# -- looking before, and undoing after


def test_a_check_says_what_an_install_would_do_and_does_nothing(tree):
    tree.add("a/two", title="Changed")
    tree.add("c/new")
    (tree.root / "definitions" / "b" / "three.toml").unlink()
    before = {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()}
    told = tree.install(changes=Changes(tree.root, dry=True))
    assert {path: path.read_bytes() for path in tree.root.rglob("*") if path.is_file()} == before
    done = tree.install()
    assert (told.changed, told.removed, told.files) == (done.changed, done.removed, done.files)
    assert done.changed == ("a/two", "c/new")


def test_an_undo_puts_back_what_the_last_install_replaced_and_removes_what_it_made(tree):
    before, memory = tree.files(), (tree.root / MEMORY).read_bytes()
    tree.add("a/two", title="Changed")
    tree.add("c/new")
    (tree.root / "definitions" / "b" / "three.toml").unlink()
    tree.install()
    assert tree.files() != before
    undo(tree.root)
    assert tree.files() == before
    assert (tree.root / MEMORY).read_bytes() == memory
    assert not (tree.root / "public" / "c").exists()
    assert tree.site["b/three"].title == "Something"
    with pytest.raises(ConfigError, match="no install to be undone"):
        undo(tree.root)
    assert tree.install().changed == ("a/two", "c/new")


def test_an_install_that_changes_nothing_leaves_the_one_before_to_be_undone(tree):
    before = tree.files()
    tree.add("a/two", title="Changed")
    tree.install()
    tree.install()
    undo(tree.root)
    assert tree.files() == before


def test_an_update_writes_the_nodes_anew_and_reads_no_definition(tree):
    wanted = tree.files()
    (tree.root / "definitions" / "a" / "one.toml").write_text("title = 7", encoding="utf-8")
    for name in ("root.json", "a/two.json", "a/two/das2.d2t", "nodes.csv"):
        (tree.root / "public" / name).unlink()
    (tree.root / "public" / "a" / "one" / "flex.json").write_text("{}", encoding="utf-8")
    tree.read.clear()
    report = update(tree.root, Vocabulary.of(tree.site.registry), publisher(tree.site.config, tree.site.registry))
    assert tree.read == []
    assert report.installed == ("a/one", "a/two", "b/three", "b/view")
    assert tree.files() == wanted


def test_two_installs_at_once_do_not_mix(tree):
    program = "import sys, dasflex_core.cli as c; sys.argv[0] = 'dasflex'; c.main()"
    for number in range(6):
        tree.add(f"many/s{number}", title=f"Number {number}")
    words = [sys.executable, "-c", program, "install", "--root", str(tree.root)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    outcomes = [each.communicate(timeout=60) for each in running]
    assert [each.returncode for each in running] == [0, 0, 0], outcomes
    assert [out.splitlines()[-1] for out, _err in outcomes] == ["10 sources"] * 3
    together = tree.files()
    tree.install(fresh=True)
    assert tree.files() == together
