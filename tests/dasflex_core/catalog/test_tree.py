# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions on disk are compiled, and found again by their ids."""

from __future__ import annotations

import json
import os
import stat

import pytest

from dasflex_core.catalog import Catalog, Entry, compile_tree
from dasflex_core.catalog.making import definition_files
from dasflex_core.errors import ConfigError, NotFoundError

VIEW = "title = 'A view'\nreader.source = '{}'\nexample = [{{ time = '2020 to 2021' }}]\n"


@pytest.fixture
def root(tmp_path, least):
    """A root with three sources, one of them hidden, and a directory with a title."""
    put(tmp_path, "Lab/Mag/source.toml", least.replace("Random numbers", "Magnetometer") + "was = ['Old/Mag']\n")
    put(tmp_path, "Lab/Plasma.toml", least.replace("Random numbers", "Plasma") + "coords.time.range = '2010 to now'\n")
    put(tmp_path, "Lab/_dirinfo_.toml", "title = 'The laboratory'\n")
    put(tmp_path, "Hidden.toml", least + "listed = false\nsummary = 'Secret weapon'\n")
    return tmp_path


def put(root, path, text):
    file = root / "definitions" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def index_line(**fields):
    """An index with one source."""
    held = {"title": "", "label": "", "summary": "", "range": "", "listed": True, **fields}
    return '{"form": 1, "sources": {\n"hidden": ' + json.dumps(held) + "\n}}\n"


def test_a_tree_is_compiled_and_each_source_is_found(root):
    report = compile_tree(root)
    assert (report.installed, report.findings) == (("Hidden", "Lab/Mag", "Lab/Plasma"), ())
    catalog = Catalog(root)
    assert catalog.ids() == ("Hidden", "Lab/Mag", "Lab/Plasma")
    for name in ("Lab/Mag", "lab/MAG", "Lab/Mag.dsdf", "lab/mag.DSDF", "old/mag"):
        found = catalog.find(name)
        assert (found.id, found.directory) == ("Lab/Mag", str(root / "definitions/Lab/Mag"))
    assert catalog.entries()[2] == Entry(
        "Lab/Plasma", "lab/plasma.json", "Plasma between -10 and 10", range="2010 to now", exampled=True
    )
    assert [entry.listed for entry in catalog.entries()] == [False, True, True]
    assert catalog.directories() == {"Lab": "The laboratory"}


def test_search_looks_for_all_the_words_in_what_is_listed(root):
    compile_tree(root)
    catalog = Catalog(root)
    assert catalog.search("lab") == ("Lab/Mag", "Lab/Plasma")
    assert catalog.search("between PLASMA") == ("Lab/Plasma",)
    assert catalog.search(["mag", "lab"]) == ("Lab/Mag",)
    assert catalog.search("") == ("Lab/Mag", "Lab/Plasma")
    assert catalog.search("secret") == ()


def test_what_is_not_there_is_told_with_the_nearest_that_is(root):
    compile_tree(root)
    with pytest.raises(NotFoundError) as caught:
        Catalog(root).find("lab/magg")
    assert caught.value.kind == "not-found.source"
    assert caught.value.message == "There is no source 'lab/magg'. Did you mean Lab/Mag or Lab/Plasma?"
    with pytest.raises(NotFoundError) as caught:
        Catalog(root).find("hiden")
    assert "Hidden" not in caught.value.message


@pytest.mark.parametrize(
    "name",
    ["", "..", "../definitions/Hidden", "/etc/passwd", "lab/mag.json", "index", 'x"', '"', "a\nb", "\0", "é", "now", "lab",
     'lab/mag": {', "Lab/Mag.dsdf.dsdf", "sources", "x" * 100_000],
)  # fmt: skip
def test_an_id_from_outside_never_becomes_a_path(root, name):
    compile_tree(root)
    (root / "definitions" / "lab").mkdir(exist_ok=True)
    with pytest.raises(NotFoundError) as caught:
        Catalog(root).find(name)
    assert len(caught.value.message) < 400


def test_a_root_where_nothing_was_installed_has_no_sources(tmp_path):
    catalog = Catalog(tmp_path)
    assert (catalog.ids(), catalog.search("x"), catalog.directories()) == ((), (), {})
    with pytest.raises(NotFoundError):
        catalog.find("x")
    assert compile_tree(tmp_path).installed == ()


def test_a_wrong_definition_is_told_and_the_others_are_installed(root):
    file = put(root, "Lab/Bad.toml", "title = 5\n")
    report = compile_tree(root)
    assert report.installed == ("Hidden", "Lab/Mag", "Lab/Plasma")
    assert {finding.place.file for finding in report.findings} == {str(file)}
    assert Catalog(root).ids() == report.installed


def test_a_wrong_definition_leaves_what_was_installed_of_it(root, least):
    compile_tree(root)
    put(root, "Lab/Plasma.toml", "title = 'half")
    report = compile_tree(root)
    assert (report.kept, report.installed) == (("Lab/Plasma",), ("Hidden", "Lab/Mag"))
    assert Catalog(root).find("lab/plasma").title == "Plasma between -10 and 10"
    assert compile_tree(root).kept == ("Lab/Plasma",)
    put(root, "Lab/Plasma.toml", least)
    assert compile_tree(root).kept == ()
    assert Catalog(root).find("lab/plasma").title == "Random numbers between -10 and 10"


def test_a_definition_that_is_gone_is_uninstalled(root):
    compile_tree(root)
    (root / "definitions/Hidden.toml").unlink()
    assert compile_tree(root).removed == ("Hidden",)
    assert Catalog(root).ids() == ("Lab/Mag", "Lab/Plasma")
    assert not (root / "sources/hidden.json").exists()


def test_nothing_is_written_where_nothing_changed(root):
    compile_tree(root)
    before = {path: path.stat().st_mtime_ns for path in (root / "sources").rglob("*.json")}
    assert len(before) == 4
    os.utime(root / "sources/hidden.json", ns=(1, 1))
    compile_tree(root)
    after = {path: path.stat().st_mtime_ns for path in (root / "sources").rglob("*")}
    assert {path: time for path, time in after.items() if path.suffix == ".json"} == {
        **before,
        root / "sources/hidden.json": 1,
    }
    hidden = {path.name for path in after if path.is_file() and ".undo" not in path.parts} - {
        path.name for path in before
    }
    assert hidden == {".lock"}


def test_files_are_replaced_whole(root, least):
    """A file that somebody has open keeps its text: it is another file that takes its name."""
    compile_tree(root)
    with (root / "sources/hidden.json").open() as opened:
        put(root, "Hidden.toml", least.replace("Random", "Other"))
        compile_tree(root)
        assert "Random numbers" in opened.read()
    assert Catalog(root).find("hidden").title.startswith("Other")


def test_compiled_files_have_the_permissions_that_the_umask_leaves(root):
    old = os.umask(0o027)
    try:
        compile_tree(root)
    finally:
        os.umask(old)
    assert stat.S_IMODE((root / "sources/hidden.json").stat().st_mode) == 0o640


def test_ids_are_unique_without_regard_to_case(root, least):
    put(root, "lab/mag.toml", least)
    put(root, "Other.toml", least + "id = 'HIDDEN'\n")
    report = compile_tree(root)
    assert report.installed == ("Hidden", "Lab/Mag", "Lab/Plasma")
    remedy = "since ids match without regard to case; remove one of the two, or give it another id"
    assert [finding.message for finding in report.findings] == [
        f"the id 'HIDDEN' is that of {root}/definitions/Hidden.toml too, {remedy}",
        f"the id 'lab/mag' is that of {root}/definitions/Lab/Mag/source.toml too, {remedy}",
    ]
    assert report.findings[0].place.line == 5


def test_a_former_id_never_hides_a_source(root, least):
    put(root, "Usurper.toml", least + "was = ['Hidden', 'Old/Mag']\n")
    report = compile_tree(root)
    assert {finding.message for finding in report.findings} == {
        "'Hidden' cannot be a former id of this source: Hidden has it",
        "'Old/Mag' cannot be a former id of this source: Lab/Mag has it",
    }
    assert Catalog(root).find("hidden").id == "Hidden"
    assert Catalog(root).find("old/mag").id == "Lab/Mag"


def test_the_other_files_of_a_source_are_its_own_business(root, least):
    put(root, "Lab/Mag/settings.toml", "speed = 5\n")
    put(root, "Lab/Mag/deep/er/pyproject.toml", "[project]\n")
    put(root, "Lab/Mag/Fine/source.toml", least)
    put(root, ".git/x.toml", "title = 5\n")
    put(root, "Lab/.old.toml", "title = 5\n")
    put(root, "Lab/readme.txt", "no definition")
    report = compile_tree(root)
    assert report.findings == ()
    assert report.installed == ("Hidden", "Lab/Mag", "Lab/Mag/Fine", "Lab/Plasma")


def test_links_are_followed_but_not_in_a_ring(root, tmp_path_factory, least):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "Far.toml").write_text(least)
    (root / "definitions/Linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root / "definitions")
    assert [path.name for path in definition_files(root / "definitions")] == [
        "Hidden.toml",
        "Plasma.toml",
        "source.toml",
        "Far.toml",
    ]
    assert compile_tree(root).installed == ("Hidden", "Lab/Mag", "Lab/Plasma", "Linked/Far")


def test_views_are_installed_with_what_they_show(root):
    put(root, "View.toml", VIEW.format("lab/mag"))
    put(root, "Second.toml", VIEW.format("View"))
    assert compile_tree(root).findings == ()
    catalog = Catalog(root)
    assert catalog.find("second").viewed == "View"
    assert catalog.find("second").contacts == catalog.find("lab/mag").contacts


def test_views_of_nothing_and_of_themselves_are_not_installed(root):
    put(root, "Ring.toml", VIEW.format("Gnir"))
    put(root, "Gnir.toml", VIEW.format("Ring"))
    put(root, "Lost.toml", VIEW.format("Lab/Lost"))
    put(root, "After.toml", VIEW.format("Lost"))
    report = compile_tree(root)
    assert report.installed == ("Hidden", "Lab/Mag", "Lab/Plasma")
    assert {finding.place.file.rpartition("/")[2] for finding in report.findings} == {
        "Ring.toml",
        "Gnir.toml",
        "Lost.toml",
        "After.toml",
    }
    assert all(finding.place.line == 2 for finding in report.findings)


def test_a_view_of_a_source_that_is_kept_stays(root):
    put(root, "View.toml", VIEW.format("lab/mag"))
    compile_tree(root)
    put(root, "Lab/Mag/source.toml", "broken")
    report = compile_tree(root)
    assert (report.kept, report.installed) == (("Lab/Mag",), ("Hidden", "Lab/Plasma", "View"))
    assert Catalog(root).find("view").contacts.technical


def test_a_fault_of_a_directory_is_told_once_for_all_below_it(root):
    put(root, "Lab/_dirinfo_.toml", "title = 5\n[inherit.access]\nallow = ['all']\n")
    report = compile_tree(root)
    assert report.installed == ("Hidden",)
    places = [(finding.place.line, finding.place.key) for finding in report.findings]
    assert sorted(places) == [(1, "title"), (3, "inherit.access.allow")]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("hidden.json", "{"),
        ("hidden.json", ""),
        ("index.json", ""),
        ("index.json", "{}"),
        ("index.json", '{"form": 1, "sources": {\n"hidden": {"id": "Hidden"}\n}}\n'),
        ("index.json", '{"form": 1, "sources": {\n"hidden": 5\n}}\n'),
        ("index.json", '{"form": 1, "sources": {\n"hidden": {"id'),
        ("index.json", index_line(id="Hidden", file="../../etc/passwd.json")),
        ("index.json", index_line(id=5, file="hidden.json")),
    ],
)  # fmt: skip
def test_malformed_files_of_the_catalog_are_refused(root, file, text):
    compile_tree(root)
    (root / "sources" / file).write_text(text)
    with pytest.raises(ConfigError) as caught:
        Catalog(root).find("hidden")
    assert caught.value.kind == "config.unreadable"
    assert str(root / "sources" / file) in caught.value.message


def test_a_malformed_index_is_made_anew(root):
    compile_tree(root)
    (root / "sources/index.json").write_text("{")
    for read in (Catalog(root).ids, Catalog(root).directories):
        with pytest.raises(ConfigError, match="Make it anew with `dasflex install`"):
            read()
    assert compile_tree(root).installed == ("Hidden", "Lab/Mag", "Lab/Plasma")
    assert Catalog(root).find("hidden").id == "Hidden"


def test_a_compiled_file_that_is_gone_is_told(root):
    compile_tree(root)
    (root / "sources/hidden.json").unlink()
    with pytest.raises(ConfigError, match=r"hidden\.json: this file cannot be read: No such file"):
        Catalog(root).find("hidden")


def test_a_file_that_cannot_be_written_is_told_and_takes_nothing_down(root):
    (root / "sources/hidden.json/in the way").mkdir(parents=True)
    report = compile_tree(root)
    assert report.installed == ("Lab/Mag", "Lab/Plasma")
    assert [finding.place.file for finding in report.findings] == [str(root / "sources/hidden.json")]


def test_the_index_is_json_with_a_line_for_each_source(root):
    compile_tree(root)
    index = json.loads((root / "sources/index.json").read_text())
    assert set(index["sources"]) == {"hidden", "lab/mag", "lab/plasma", "old/mag"}
    assert len((root / "sources/index.json").read_text().splitlines()) == 1 + 4 + 1


def test_finding_a_source_reads_two_files_and_no_other(root):
    compile_tree(root)
    for file in (root / "sources").rglob("*.json"):
        if file.name not in {"index.json", "plasma.json"}:
            file.unlink()
    assert Catalog(root).find("Lab/Plasma").id == "Lab/Plasma"


def test_an_install_is_seen_at_once(root, least):
    compile_tree(root)
    catalog = Catalog(root)
    catalog.find("hidden")
    put(root, "New.toml", least)
    compile_tree(root)
    assert catalog.find("new").id == "New"
