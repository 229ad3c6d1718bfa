# SPDX-License-Identifier: GPL-3.0-or-later
"""A blank part of a type is unknown in what is produced and any in what is accepted."""

from __future__ import annotations

import pytest

from dasflex_core.errors import ConfigError
from dasflex_core.streamtype import StreamType, check_traits


@pytest.mark.parametrize(
    ("produced", "wanted", "serves"),
    [
        ("das/2/binary", "das/2", True),
        ("das/2/binary", "das", True),
        ("das/2", "das/2/binary", False),
        ("das/2", "das/3", False),
        ("csv", "das", False),
        ("das/2/text", "das/2/text", True),
    ],
)
def test_a_produced_type_serves_what_is_wanted(produced, wanted, serves):
    assert StreamType.parse(produced).serves(StreamType.parse(wanted)) is serves


@pytest.mark.parametrize("text", ["das", "das/2", "das/2/text"])
def test_a_type_is_written_as_it_is_parsed(text):
    assert str(StreamType.parse(text)) == text


@pytest.mark.parametrize("text", ["", "a/b/c/d", "/2"])
def test_what_is_no_type_is_refused(text):
    with pytest.raises(ConfigError, match="no stream type"):
        StreamType.parse(text)


def test_traits_are_a_closed_set_and_axes():
    assert check_traits(frozenset({"waveform", "axis:energy"}), "here")
    with pytest.raises(ConfigError, match="here: there is no trait 'wave'"):
        check_traits(frozenset({"wave"}), "here")
