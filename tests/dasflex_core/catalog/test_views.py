# SPDX-License-Identifier: GPL-3.0-or-later
"""A view shows a source that there is, and never itself."""

from __future__ import annotations

import pytest

from dasflex_core.catalog.model import Definition, Reader
from dasflex_core.catalog.read_toml import read_definition
from dasflex_core.catalog.views import check_views


def view(name, *shown, was=()):
    return Definition(name, name, was=was, readers=tuple(Reader("r", source=each) for each in shown), file="none.toml")


BASE = Definition("Lab/Base", "Base", readers=(Reader("r", command="read", writes="das/2"),))


def test_a_view_of_a_source_and_a_view_of_a_view_are_right():
    assert check_views([BASE, view("a", "lab/BASE"), view("b", "a"), view("c", "a", "b")]) == {}


def test_a_view_of_nothing_names_the_nearest_source():
    found = check_views([BASE, view("a", "Lab/Bass")])
    assert list(found) == ["a"]
    assert found["a"].message == "there is no source 'Lab/Bass' to be shown. Did you mean Lab/Base?"
    assert found["a"].kind == "config.bad-value"


def test_a_view_may_name_a_former_id():
    assert check_views([view("new", "a", was=("old",)), view("a", "lab/base"), view("b", "old"), BASE]) == {}


@pytest.mark.parametrize(
    ("views", "messages"),
    [
        ([view("a", "A")], {"a": "a view cannot show itself: a -> a"}),
        (
            [view("a", "b"), view("b", "c"), view("c", "a")],
            {
                "a": "a view cannot show itself: a -> b -> c -> a",
                "b": "a view cannot show itself: b -> c -> a -> b",
                "c": "a view cannot show itself: c -> a -> b -> c",
            },
        ),
        ([view("a", "Lab/Base", "b"), view("b", "a")], {"a": "a view cannot show itself: a -> b -> a", "b": "a view cannot show itself: b -> a -> b"}),
        ([view("outside", "a"), view("a", "a")], {"a": "a view cannot show itself: a -> a"}),
    ],
)  # fmt: skip
def test_rings_of_views_are_found_however_long(views, messages):
    assert {name: finding.message for name, finding in check_views([BASE, *views]).items()} == messages


def test_a_long_chain_of_views_is_no_ring():
    chain = [BASE, view("v0", "lab/base"), *(view(f"v{place}", f"v{place - 1}") for place in range(1, 300))]
    assert check_views(chain) == {}


def test_a_wrong_view_is_told_with_its_line(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("title = 'x'\nexample.time = '2020 to 2021'\n\n[reader]\nsource = 'b'\n")
    found = check_views([read_definition(file, root=tmp_path)])
    assert str(found["a"]) == f"{file}:5: reader.source: there is no source 'b' to be shown."
