# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalogs of several servers become one, and what a strange one says goes no further than it should."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.catalog.merging import Naming, merged_files, read_catalog
from dasflex_core.errors import ConfigError

NAMING = Naming("https://site.example.org/cat/", "Site", "The site", lambda path: [f"tag:x:/{path}"] if path else [])


def stub(kind="Collection", url="https://a.example.org/x.json", **more):
    return {"type": kind, "name": "N", "urls": [url], **more}


def folder(children, url="https://a.example.org/d.json"):
    return stub("Catalog", url, separator="/", catalog=children)


def merged(*catalogs, ending=".json"):
    files = merged_files([{"type": "Catalog", "catalog": each} for each in catalogs], NAMING, ending)
    return {name: json.loads(data) for name, data in files.items()}


def test_directories_of_the_same_name_are_one_and_have_their_addresses_here():
    files = merged({"d": folder({"a": stub()})}, {"d": folder({"b": stub(url="https://b.example.org/y.json")})})
    assert files["root.json"]["catalog"]["d"]["urls"] == ["https://site.example.org/cat/d.json"]
    assert set(files["d.json"]["catalog"]) == {"a", "b"}
    assert files["d.json"]["uris"] == ["tag:x:/d"]
    assert files["catalog.json"]["catalog"]["d"]["catalog"]["a"]["urls"] == ["https://a.example.org/x.json"]


def test_a_source_of_several_servers_has_their_addresses_in_order_and_each_once():
    other = stub(url="https://b.example.org/y.json")
    assert merged({"a": stub()}, {"a": other}, {"a": stub()})["root.json"]["catalog"]["a"]["urls"] == [
        "https://a.example.org/x.json",
        "https://b.example.org/y.json",
    ]


def test_what_is_a_directory_here_and_a_source_there_is_both():
    catalog = merged({"a": stub()}, {"a": folder({"b": stub()})})["root.json"]["catalog"]
    assert (catalog["a"]["type"], catalog["a-2"]["type"]) == ("Collection", "Catalog")


def test_the_plain_tree_takes_no_type_that_old_clients_do_not_know():
    mixed = {"a": stub(), "b": stub("SourceSet"), "c": folder({"d": stub("WebSocSrc")})}
    assert set(merged(mixed)["root.json"]["catalog"]) == {"a"}
    assert set(merged(mixed, ending=".flex.json")["root.flex.json"]["catalog"]) == {"a", "b", "c"}


def test_an_empty_directory_is_left_out_and_one_of_which_only_the_place_is_known_stays():
    catalog = merged({"a": stub(), "empty": folder({}), "there": stub("Catalog", "https://a.example.org/t.json")})
    assert set(catalog["root.json"]["catalog"]) == {"a", "there"}
    assert catalog["root.json"]["catalog"]["there"]["urls"] == ["https://a.example.org/t.json"]
    assert "there.json" not in catalog
    assert merged({"empty": folder({})}) == {} or not merged({"empty": folder({})})["root.json"]["catalog"]


@pytest.mark.parametrize(
    "key", ["../../etc/x", "..", "/abs", "a/b", "A", "", "a\0", "x" * 64, "a.flex", "a\n", "~a", "é"]
)
def test_a_key_that_could_name_another_file_is_left_out(key):
    files = merged({"good": stub(), key: folder({"in": stub()})})
    assert set(files) == {"root.json", "catalog.json"}
    assert set(files["root.json"]["catalog"]) == {"good"}


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/relative.json", "file:///etc/passwd", "https://a b", 7, ""])
def test_an_address_that_is_none_is_left_out_with_its_source(url):
    assert set(merged({"good": stub(), "bad": stub(url=url)})["root.json"]["catalog"]) == {"good"}


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'"x"', b'{"type": "Catalog"}', b'{"type": "SourceSet", "catalog": {}}', b"[" * 100_000]
)
def test_what_is_no_catalog_is_told_with_where_it_was(data):
    with pytest.raises(ConfigError, match="server-x"):
        read_catalog(data, "server-x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "urls", "catalog", "a", "b", "root", "flex", "../x"]), inner, max_size=5
        )
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "root", "../x"]), JSON, max_size=3), max_size=3))
def test_whatever_servers_say_the_files_are_nodes_below_the_directory(catalogs):
    for ending in (".json", ".flex.json"):
        for name, node in merged(*catalogs, ending=ending).items():
            assert ".." not in name
            assert not name.startswith("/")
            assert node["type"] == "Catalog"
            for child in node["catalog"].values():
                assert {"type", "name", "label", "title", "urls"} <= child.keys()
