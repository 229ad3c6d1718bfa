# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks lie where the classic cache reader looks for them, and nothing that is asked leads anywhere else."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.cache.levels import levels_of
from dasflex_core.cache.periods import PERIODS
from dasflex_core.cache.places import folder, normal, resolution
from dasflex_core.cache.store import Shelf
from dasflex_core.catalog.model import Option
from dasflex_core.times import parse_time

OPTIONS = {
    "set": Option("set", type="text", values=(("E", ""), ("B", "")), default="E"),
    "spikes": Option("spikes", type="boolean", default="false"),
    "gain": Option("gain", type="integer", default="1"),
    "some": Option("some", type="list", values=(("a", ""), ("b", "")), default=""),
}


def places(*requests, defaults=None):
    """The folders of levels of a day that ask something."""
    levels = levels_of([("day", each) for each in requests], defaults or {}, OPTIONS)
    return [folder(each, levels, OPTIONS, defaults or {}) for each in levels]


def test_the_example_of_the_classic_layout_is_met():
    (place,) = places({"bin.time.max": "60"})
    shelf = Shelf(f"data/mission/mag/{place}", "bin-60s", PERIODS["day"], "")
    assert f"{shelf.base(parse_time('2031-04-02T11:05').ns)}.d2s" == (
        "data/mission/mag/_noparam/bin-60s/2031/04/2031-04-02_bin-60s.d2s"
    )


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        ({}, "_noparam/intrinsic"),
        ({"bin.time.max": "0.01"}, "_noparam/bin-10ms"),
        ({"bin.time.max": "0.000002"}, "_noparam/bin-2us"),
        ({"bin.time.max": "1e-9"}, "_noparam/bin-1ns"),
        ({"bin.time.max": "86400"}, "_noparam/bin-86400s"),
        ({"bin.time.max": "60", "read.set": "B"}, "B/bin-60s"),
        ({"bin.time.max": "60", "read.set": "E"}, "_noparam/bin-60s"),
        ({"read.opts": "--x=1 B -a"}, "B___x=1__a/intrinsic"),
        ({"read.spikes": "true", "read.set": "B"}, "B_spikes/intrinsic"),
        ({"read.gain": "7"}, "gain=7/intrinsic"),
        ({"read.some": "b,a"}, "a_b/intrinsic"),
        ({"dft.length": "800"}, "dft.length=800/intrinsic"),
    ],
)
def test_a_level_has_the_folder_that_its_parameters_normalise_to(request_, place):
    assert places(request_) == [place]


def test_what_the_defaults_of_a_definition_ask_is_not_in_the_name():
    assert places({"bin.time.max": "60"}, defaults={"dft.length": "800"}) == ["_noparam/bin-60s"]
    assert places({"dft.length": "400"}, defaults={"dft.length": "800"}) == ["dft.length=400/intrinsic"]


def test_python_normalises_options_with_dashes_as_das_streams_says():
    assert normal(["--opt=a", "B"]) == "B___opt=a"
    assert normal([]) == "_noparam"


def test_levels_that_would_share_a_folder_have_each_their_own():
    same = {"bin.time.max": "60"}
    assert places(same, {}, same, same) == [
        "_noparam/bin-60s",
        "_noparam/intrinsic",
        "_noparam/bin-60s_3",
        "_noparam/bin-60s_4",
    ]
    assert places({"read.opts": "a-b"}, {"read.opts": "a_b"}) == ["a_b/intrinsic", "a_b/intrinsic_2"]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(["..", ".", "/", "\0", ""])))
def test_no_parameters_lead_out_of_their_folder(tokens):
    name = normal(tokens)
    assert PurePosixPath(name).parts == (name,)
    assert not name.startswith(".")
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set("/\\\0 \n'\"$`*?")
    assert 0 < len(name.encode()) <= 255


def test_long_parameters_that_differ_at_their_end_have_different_folders():
    one, other = normal(["x" * 300 + "a"]), normal(["x" * 300 + "b"])
    assert one != other
    assert max(len(one), len(other)) < 255


@given(st.integers(1, 10**15))
def test_the_name_of_a_width_says_it_exactly(width):
    unit = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
    number = "".join(each for each in resolution(width) if each.isdigit())
    assert int(number) * unit[resolution(width).removeprefix("bin-").lstrip("0123456789")] == width
