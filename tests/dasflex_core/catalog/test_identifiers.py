# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids that all clients can take, and that can never leave the catalog."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.catalog.identifiers import RESERVED, folded, id_fault


@pytest.mark.parametrize("name", ["a", "Examples/Waveform", "a/b-c+d_e.f", "x" * 63, "flex/a", "dataset", "1min_JSO"])
def test_ids_as_they_are_in_use_are_right(name):
    assert id_fault(name) == ""


@pytest.mark.parametrize(
    "name", ["", "/", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a/.b", "a b", "a&b", "a\\b", "ä", "a\n", "a%2e"]
)
def test_what_is_no_id_is_refused(name):
    assert "is no id" in id_fault(name)


@pytest.mark.parametrize("last", RESERVED)
def test_no_id_ends_in_a_reserved_word_in_any_case(last):
    assert "cannot end in" in id_fault(last)
    assert "cannot end in" in id_fault(f"a/b/{last.upper()}")
    assert id_fault(f"{last}/a") == ""


def test_an_id_fits_the_buffers_of_clients():
    assert id_fault("x" * 64) == f"the id {'x' * 64!r} has 64 characters; clients can take 63"


def test_an_id_is_not_what_clients_append_nor_the_catalogs_own_file():
    assert "'.dsdf'" in id_fault("a/b.DSDF")
    assert "'index'" in id_fault("Index")
    assert id_fault("a/index") == ""


def test_ids_match_without_case_and_with_the_suffix_of_old_definitions():
    assert folded("Examples/Waveform.dsdf") == folded("examples/WAVEFORM") == "examples/waveform"


@given(st.text(alphabet="aA1_-+./", max_size=12))
def test_a_right_id_stays_below_any_directory_that_it_is_joined_to(name):
    if not id_fault(name):
        assert not name.startswith("/")
        assert all(part.strip(".") for part in name.split("/"))
