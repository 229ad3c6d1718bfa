# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared methods of frozen values do what the compiled ones of the standard library do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.values import dataclass


@dataclass(frozen=True, slots=True)
class Ours:
    """A value made by our decorator."""

    name: str
    count: int = 3
    words: list[str] = field(default_factory=list, hash=False)
    note: str = field(default="", compare=False, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """The same, made by the standard library."""

    name: str
    count: int = 3
    words: list[str] = field(default_factory=list, hash=False)
    note: str = field(default="", compare=False, repr=False)


VALUES = st.fixed_dictionaries(
    {"name": st.text()}, optional={"count": st.integers(), "words": st.lists(st.text()), "note": st.text()}
)


@given(VALUES, VALUES)
def test_values_are_made_shown_and_compared_as_those_of_the_standard_library(one, other):
    assert repr(Ours(**one)) == repr(Theirs(**one)).replace("Theirs", "Ours")
    assert dataclasses.asdict(Ours(**one)) == dataclasses.asdict(Theirs(**one))
    assert (Ours(**one) == Ours(**other)) == (Theirs(**one) == Theirs(**other))
    assert dataclasses.replace(Ours(**one), **other) == Ours(**{**one, **other})


@pytest.mark.parametrize(
    ("places", "names"),
    [((), {}), (("a", 1, [], "n", "more"), {}), (("a",), {"name": "b"}), (("a",), {"colour": "red"})],
)
def test_what_the_standard_library_refuses_is_refused(places, names):
    for made in (Ours, Theirs):
        with pytest.raises(TypeError):
            made(*places, **names)


def test_a_value_does_not_change_and_has_no_room_for_more():
    for made in (Ours("a"), Theirs("a")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.name = "b"
        with pytest.raises(dataclasses.FrozenInstanceError):
            del made.count
        assert not hasattr(made, "__dict__")


def test_equal_values_have_one_hash_and_other_classes_are_other_values():
    assert hash(Ours("a", 1)) == hash(Ours("a", 1, ["not counted"], "nor this"))
    assert Ours("a") != Theirs("a")
    assert Ours("a") != "a"


def test_copies_and_pickles_are_equal():
    value = Ours("a", 7, ["x"], "n")
    for made in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301  our own bytes
        assert (made, made.note) == (value, "n")


def test_what_stands_in_the_class_itself_is_kept():
    @dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
    class Own:
        """A value with methods of its own."""

        size: int

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ValueError(self.size)

        def __repr__(self) -> str:
            return "mine"

    assert repr(Own(size=1)) == "mine"
    assert Own(size=1) != Own(size=1)
    with pytest.raises(ValueError, match="-1"):
        Own(size=-1)
    with pytest.raises(TypeError):
        Own(1)


def test_only_plain_frozen_values_are_made():
    with pytest.raises(TypeError, match="standard library"):
        dataclass(frozen=True, order=True)
    with pytest.raises(TypeError, match="standard library"):
        dataclass(frozen=False)
