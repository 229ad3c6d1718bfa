# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that what das2 clients send becomes the canonical parameters that were meant."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dasflex_core.catalog.model import Option
from dasflex_core.errors import QueryError
from dasflex_das.convention import reader_options, translate

ANTENNAS = Option(type="string", values=(("Eu", "Monopole u"), ("Ev", "Monopole v")))
OPTIONS = {
    "antenna": ANTENNAS,
    "spikes": Option(type="boolean"),
    "gain": Option(type="real"),
    "bands": Option(type="list", values=(("LFR", ""), ("HFR", ""))),
}


def asked(*pairs, **options):
    return translate(pairs, SimpleNamespace(options=options))


def test_a_whole_das2_query_is_translated_in_its_order():
    assert asked(
        ("server", "dataset"),
        ("dataset", "Juno/WAV/Survey"),
        ("start_time", "2016-06-24T00:00:00.000Z"),
        ("end_time", "2016-06-25"),
        ("resolution", "143.04635761589404"),
        ("interval", "0.1"),
        ("params", " --spikes  +5.5V "),
        ("ascii", "1"),
        opts=Option(),
    ) == [
        ("read.time.min", "2016-06-24T00:00:00.000Z"),
        ("read.time.max", "2016-06-25"),
        ("bin.time.max", "143.04635761589404"),
        ("read.time.inter", "0.1"),
        ("read.opts", "--spikes  +5.5V"),
        ("format.serial", "text"),
    ]


@pytest.mark.parametrize("key", ["key", "compress", "redirect", "devel", "nitems", "server", "dataset", "whatever"])
def test_keys_that_mean_nothing_here_are_ignored(key):
    assert asked((key, "true")) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resolution", "0"),
        ("resolution", ""),
        ("resolution", "0.000"),
        ("interval", " "),
        ("ascii", "0"),
        ("params", ""),
    ],
)
def test_full_resolution_and_empty_values_ask_for_nothing(key, value):
    assert asked((key, value)) == []


@pytest.mark.parametrize("value", ["-1", "fast", "nan", "inf", "1 s"])
@pytest.mark.parametrize("key", ["resolution", "interval"])
def test_a_resolution_or_interval_that_is_no_number_of_seconds_is_an_error(key, value):
    with pytest.raises(QueryError, match=f"{key}=.*number of seconds") as caught:
        asked((key, value))
    assert caught.value.kind == "query.bad-value"


def test_exponents_and_canonical_names_are_taken_as_they_are():
    assert asked(("Resolution", "1.5E2"), ("format.secfrac", "3")) == [
        ("bin.time.max", "1.5E2"),
        ("format.secfrac", "3"),
    ]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("spikes", [("read.spikes", "true")]),
        ("SPIKES", [("read.spikes", "true")]),
        ("spikes=false", [("read.spikes", "false")]),
        ("antenna=Ev gain:2.5", [("read.antenna", "Ev"), ("read.gain", "2.5")]),
        ("Ev&spikes", [("read.antenna", "Ev"), ("read.spikes", "true")]),
        ("ev", [("read.antenna", "Ev")]),
        ("HFR LFR HFR", [("read.bands", "HFR,LFR")]),
        ("Eu antenna=Eu", [("read.antenna", "Eu")]),
        ("gain=+5.5", [("read.gain", "+5.5")]),
    ],
)
def test_params_are_options_by_name_or_by_value(text, pairs):
    assert reader_options(text, OPTIONS) == pairs


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("spike", "Did you mean spikes"),
        ("antenna", "antenna needs a value"),
        ("antena=Eu", "no option of this source.*The options are antenna, spikes, gain, bands"),
        ("Eu Ev", "given as Eu and as Ev"),
    ],
)
def test_params_that_name_nothing_or_contradict_are_errors(text, says):
    with pytest.raises(QueryError, match=says):
        reader_options(text, OPTIONS)


def test_a_value_of_two_options_names_neither():
    with pytest.raises(QueryError, match="nor a value of just one"):
        reader_options("Eu", {"first": ANTENNAS, "second": ANTENNAS})


def test_a_source_without_options_gets_the_raw_string():
    assert reader_options("a b", {}) == [("read.opts", "a b")]


def test_the_plus_of_an_exponent_is_a_blank_in_a_query():
    assert asked(("resolution", "1.5E 3")) == [("bin.time.max", "1.5E+3")]
