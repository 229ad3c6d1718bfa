# SPDX-License-Identifier: GPL-3.0-or-later
"""Which level serves a request: the coarsest that is not above it, of those that ask the same of the readers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.cache.levels import Level, level_for, levels_of
from dasflex_core.cache.periods import PERIODS
from dasflex_core.catalog.model import Option
from dasflex_core.errors import ConfigError
from dasflex_core.times import GRID

OPTIONS = {
    "set": Option("set", type="text", values=(("E", ""), ("B", "")), default="E"),
    "spikes": Option("spikes", type="boolean", default="false"),
}
SECOND = 1_000_000_000


def found(*written, defaults=None):
    """Levels of pairs of period and request."""
    return levels_of(written, defaults or {}, OPTIONS)


SURVEY = found(
    ("day", {"bin.time.max": "60", "bin.stats": "mean,min,max,count"}),
    ("month", {"bin.time.max": "600"}),
    ("day", {"bin.time.max": "60", "read.set": "B"}),
    ("hour", {}),
)


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ({"bin.time.max": "59.9"}, 3),
        ({"bin.time.max": "60"}, 0),
        ({"bin.time.max": "599"}, 0),
        ({"bin.time.max": "599.9999999999999"}, 1),  # a rounding error below
        ({"bin.time.max": "600"}, 1),
        ({"bin.time.max": "1e7"}, 1),
        ({}, 3),
        ({"bin.time.max": "nonsense"}, 3),
        ({"bin.time.max": "inf"}, 3),
        ({"bin.time.max": "600", "read.set": "B"}, 2),
        ({"bin.time.max": "600", "read.set": "E"}, 1),  # what is the default is not asked
        ({"bin.time.max": "600", "read.spikes": "false"}, 1),
        ({"bin.time.max": "10", "read.set": "B"}, None),
        ({"read.set": "B"}, None),
        ({"bin.time.max": "600", "read.spikes": "true"}, None),
        ({"bin.time.max": "600", "read.data": "LFRL"}, None),
        ({"bin.time.max": "600", "bin.frequency.max": "10"}, None),
        ({"bin.time.max": "600", "dft.length": "10"}, None),
        ({"bin.time.max": "600", "format.type": "csv", "bin.stats": "max", "view.points": "9"}, 1),
        ({"bin.time.max": "600", "read.time.min": "2020", "read.time.max": "2021", "bin.align": "grid"}, 1),
    ],
)
def test_the_coarsest_level_not_above_the_request_is_taken_of_those_that_ask_the_same(asked, number):
    level = level_for(SURVEY, asked, OPTIONS)
    assert (level.number if level else None) == number


def test_what_is_a_default_of_the_definition_is_asked_of_each_level():
    defaults = {"dft.length": "800", "bin.stats": "mean", "read.set": "B"}
    (level,) = found(("hour", {"bin.time.max": "0.25"}), defaults=defaults)
    assert level.fixed == {"dft.length": "800", "read.set": "B"}
    assert level_for([level], {**defaults, "bin.time.max": "1"}, OPTIONS) is level
    assert level_for([level], {**defaults, "bin.time.max": "1", "dft.length": "400"}, OPTIONS) is None
    assert level_for([level], {**defaults, "bin.time.max": "1", "read.set": "E"}, OPTIONS) is None


def test_of_levels_that_serve_alike_the_first_is_taken():
    levels = found(("day", {"bin.time.max": "60"}), ("hour", {"bin.time.max": "60"}), ("day", {}), ("hour", {}))
    assert level_for(levels, {"bin.time.max": "100"}, OPTIONS) is levels[0]
    assert level_for(levels, {"bin.time.max": "1"}, OPTIONS) is levels[2]


@given(
    widths=st.lists(st.sampled_from([0, 1, 2, 5, 10, 60, 600, 3600]), max_size=5),
    wanted=st.none() | st.floats(0.1, 1e5),
)
def test_no_level_is_above_the_request_and_none_that_fits_is_coarser(widths, wanted):
    levels = found(*(("day", {"bin.time.max": str(each)} if each else {}) for each in widths))
    request = {} if wanted is None else {"bin.time.max": repr(wanted)}
    level = level_for(levels, request, OPTIONS)
    fitting = [each for each in widths if each and wanted is not None and each <= wanted * (1 + 1e-9)]
    if fitting:
        assert level is not None
        assert level.seconds == max(fitting)
    else:
        assert level is None if 0 not in widths else level.width == 0


@given(
    width=st.sampled_from([1, 10, 250, 1000, 60_000]),
    begin=st.integers(-(10**17), 2 * 10**18),
    length=st.integers(1, 10**15),
    times=st.integers(1, 50),
)
def test_a_range_is_widened_to_whole_bins_and_no_more(width, begin, length, times):
    level = Level(0, PERIODS["day"], width * 1_000_000, {}, {})
    wide = level.width * times
    first, last = level.widened(begin, begin + length, wide)
    assert first <= begin < first + wide
    assert last - wide < begin + length <= last
    assert (first - GRID) % wide == (last - GRID) % wide == 0
    assert level.widened(first, last, wide) == (first, last)


@given(width=st.sampled_from(["0.1", "0.25", "1", "7.2", "60"]), times=st.integers(1, 10_000), part=st.floats(0, 0.99))
def test_a_width_becomes_the_largest_multiple_that_is_not_above_it(width, times, part):
    (level,) = found(("day", {"bin.time.max": width}))
    assert level.multiple(float(width) * times) == level.width * times
    assert level.multiple(float(width) * (times + part)) == level.width * times
    assert level.multiple(0.0) == level.width


@pytest.mark.parametrize(
    ("period", "width", "told"),
    [
        ("day", "7", "Cache level 1: bins of 7 s do not fit into blocks of a day; the width must divide a day"),
        ("year", "172800", "bins of 172800 s do not fit into blocks of a year; the width must divide a day"),
        ("minute", "120", "bins of 120 s do not fit into blocks of a minute; the width must divide a minute"),
        ("day", "0", "bin.time.max='0' of a cache level is no width of bins"),
        ("day", "-60", "is no width of bins"),
        ("day", "1e-10", "is no width of bins"),
        ("day", "nan", "is no width of bins"),
        ("day", "wide", "is no width of bins"),
        ("fortnight", "60", "'fortnight' is no period of blocks"),
    ],
)
def test_a_level_whose_bins_do_not_fit_into_its_blocks_is_refused(period, width, told):
    with pytest.raises(ConfigError) as error:
        found((period, {"bin.time.max": width}))
    assert told in error.value.message


def test_a_period_begins_with_a_bin_wherever_a_level_is_allowed():
    for word, width in (("second", "0.25"), ("minute", "2.5"), ("hour", "450"), ("day", "0.3"), ("month", "43200")):
        (level,) = found((word, {"bin.time.max": width}))
        begin = level.period.snap(GRID + 12_345 * 86_400 * SECOND + 17)
        assert level.widened(begin, level.period.next(begin), level.width) == (begin, level.period.next(begin))


def test_a_level_is_told_in_words():
    assert SURVEY[2].title == "bins of 60 s in day blocks (read.set=B)"
    assert SURVEY[3].title == "records as they are in hour blocks"
