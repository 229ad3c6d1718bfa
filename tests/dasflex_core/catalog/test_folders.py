# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory is told from the lines of the index that are below it, as if all of them had been read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.catalog.identifiers import id_fault
from dasflex_core.catalog.tree import Catalog, Entry, index_text
from dasflex_core.errors import ConfigError, NotFoundError

PARTS = st.sampled_from(["a", "A", "ab", "a-b", "a+b", "a.b", "_x", "b", "0"])
IDS = st.lists(PARTS, min_size=1, max_size=4).map("/".join).filter(lambda name: not id_fault(name))
TITLES = st.text(max_size=20)


def catalog_of(root, entries, titles, former=()):
    (root / "sources").mkdir(exist_ok=True)
    (root / "sources" / "index.json").write_text(index_text(entries, dict(former), titles), encoding="utf-8")
    return Catalog(root)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("folders")


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(st.tuples(IDS, TITLES, st.booleans()), max_size=25, unique_by=lambda each: each[0].lower()),
    titles=st.dictionaries(IDS, TITLES, max_size=4),
    path=st.one_of(st.just(""), IDS),
)
def test_a_directory_has_what_all_entries_together_say_of_it(place, names, titles, path):
    entries = [Entry(name, f"{name.lower()}.json", title, listed=listed) for name, title, listed in names]
    catalog = catalog_of(place, entries, titles, [("zz/old", "a"), ("a/0old", "a"), ("a/b/0old", "a")])
    start = f"{path.lower()}/" if path else ""
    below = [each for each in entries if each.listed and each.id.lower().startswith(start)]
    assert catalog.count() == sum(each.listed for each in entries)
    if path and not below:
        assert not catalog.has_folder(path)
        with pytest.raises(NotFoundError):
            catalog.folder(path)
        return
    found = catalog.folder(path.upper())
    rest = {each.id: each.id[len(start) :] for each in below}
    assert sorted(each.id for each in found.entries) == sorted(name for name, left in rest.items() if "/" not in left)
    counts: dict[str, int] = {}
    for left in rest.values():
        if "/" in left:
            counts[left.partition("/")[0].lower()] = counts.get(left.partition("/")[0].lower(), 0) + 1
    assert {each.path.lower()[len(start) :]: each.count for each in found.folders} == counts
    assert found.count == len(below)
    last = {name.lower(): title for name, title in sorted(titles.items())}
    assert found.title == last.get(path.lower(), "")
    assert {each.path.lower(): each.title for each in found.folders} == {each.path.lower(): last.get(each.path.lower(), "") for each in found.folders}  # fmt: skip


def test_of_the_index_no_more_is_parsed_than_the_directory_takes(place):
    entries = [Entry(f"{folder}/s{number}", "x.json", "T") for folder in ("a", "b") for number in range(5)]
    catalog = catalog_of(place, entries, {})
    index = place / "sources" / "index.json"
    index.write_text(index.read_text(encoding="utf-8").replace('"b/s3": {"id"', '"b/s3": {"no"'), encoding="utf-8")
    assert len(catalog.folder("a").entries) == 5
    assert [each.count for each in catalog.folder().folders] == [5, 5]
    with pytest.raises(ConfigError, match="cannot be used"):
        catalog.folder("b")


@pytest.mark.parametrize("path", ['a"', "a\n", "ä", "\0", "a" * 10_000, "../a", "%2e"])
def test_what_no_id_can_be_is_no_directory(place, path):
    catalog = catalog_of(place, [Entry("a/b", "x.json", "T")], {})
    assert not catalog.has_folder(path)
    with pytest.raises(NotFoundError) as told:
        catalog.folder(path)
    assert len(told.value.message) < 400


def test_a_root_where_nothing_was_installed_has_one_empty_directory(tmp_path):
    assert Catalog(tmp_path).folder().folders == ()
    assert Catalog(tmp_path).count() == 0


def test_titles_that_cannot_be_read_are_none(place):
    catalog = catalog_of(place, [Entry("a/b", "x.json", "T")], {"a": "All of a"})
    assert catalog.folder("A").title == "All of a"
    index = place / "sources" / "index.json"
    index.write_text(index.read_text(encoding="utf-8").replace(json.dumps({"a": "All of a"}), "7"), encoding="utf-8")
    assert catalog.folder("a").title == ""
