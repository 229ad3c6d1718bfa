# SPDX-License-Identifier: GPL-3.0-or-later
"""What two answers may differ by follows from how they were written; anything more is told with its place."""

from __future__ import annotations

import numpy as np
import pytest

from dasflex_core.answers import gather
from dasflex_core.cli.differences import differences
from dasflex_core.cli.stream_files import decoded
from dasflex_core.errors import ConfigError, SourceError
from dasflex_core.registry import discover
from dasflex_core.remote.das2_server import Das2Server, read_description

REGISTRY = discover()


def stream(values, type_="ascii12", form="{:12.4e}", time="2020-01-01T00:00:{:02d}.000 ", time_type="time24"):
    """The answer of a das2 stream with these values."""
    header = f'<packet><x type="{time_type}" units="us2000"/><y type="{type_}" units="V" name="level"/></packet>'
    parts = [b'[00]000023<stream version="2.2"/>', b"[01]%06d%b" % (len(header), header.encode())]
    for number, value in enumerate(values):
        body = (
            form.format(value).encode()
            if form
            else np.array(value, type_.replace("little_endian_real", "<f")).tobytes()
        )
        parts.append(b":01:" + time.format(number).encode() + body)
    return decoded(parts, REGISTRY)


def told(one, other, tolerance=0.0):
    return list(differences(one, other, tolerance))


def binary(values, size=8):
    return stream(values, f"little_endian_real{size}", "")


def test_the_same_is_the_same():
    assert told(stream([1.5, 2.5]), stream([1.5, 2.5])) == []
    assert told(gather([]), gather([])) == []


def test_the_last_printed_digit_counts_where_both_print_it():
    [line] = told(stream([1.2345, 2.0]), stream([1.2346, 2.0]))
    assert "1 of 2 values differ, by 0.0001 at most; at 0 it is 1.2345 here and 1.2346 there" in line


def test_what_was_printed_may_stand_for_all_that_is_printed_so():
    """Half of its last digit, and no more."""
    text = stream([1.2345, 20.001, -3.3333])
    assert told(text, binary([1.23453, 20.0014, -3.33334])) == []
    [line] = told(text, binary([1.2345, 20.0018, -3.3333]))
    assert "1 of 3 values differ" in line
    shorter = stream([1.23, 20.0, -3.33], "ascii10", "{:10.2e}")
    assert told(text, shorter) == []


def test_floats_of_one_size_are_compared_bit_by_bit_and_of_two_by_the_shorter():
    exact = [0.1, 1e30, -7.25]
    assert told(binary(exact, 4), binary(exact, 8)) == []
    assert len(told(binary(exact), binary([np.nextafter(0.1, 1), 1e30, -7.25]))) == 1
    assert told(binary(exact), binary([np.nextafter(0.1, 1), 1e30, -7.25]), 1e-9) == []


def test_times_are_compared_to_the_shorter_of_their_fractions():
    seconds = stream([1.0, 2.0], time="2020-01-01T00:00:{:02d} ", time_type="time20")
    late = stream([1.0, 2.0], time="2020-01-01T00:00:{:02d}.999 ")
    assert told(seconds, late) == []
    later = stream([1.0, 2.0], time="2020-01-01T00:01:{:02d}.000 ")
    assert "2 of 2 values differ" in told(seconds, later)[0]


def test_records_that_only_one_has_are_told_and_the_others_are_compared():
    lines = told(stream([1.0, 2.0, 3.0]), stream([1.0, 2.5]))
    assert "3 records here, 2 there; the first time that only one has is 2020-01-01T00:00:02" in lines[0]
    assert "level: 1 of 2 values differ" in lines[1]


def test_a_missing_dataset_is_told():
    assert told(stream([1.0]), gather([]))[0].endswith("there none")


def test_what_goes_on_without_an_end_is_not_kept(monkeypatch):
    from dasflex_core.cli import stream_files

    monkeypatch.setattr(stream_files, "_MOST", 10)
    with pytest.raises(SourceError, match="shorter example"):
        decoded([b"[00]", b"0" * 100], REGISTRY)
    with pytest.raises(SourceError, match="no das stream"):
        decoded([b"<html>"], REGISTRY)


HEADER = """<stream version="2.2"><properties String:description="It &amp; more" techContact="A &lt;a@b.org&gt;"
 exampleRange_00="2020-01-01 to 2020-01-02 UTC | A day" exampleParams_00="low" String:exampleRange_01="2021-001 to NOW"
 exampleInterval_01="60" exampleRange_02="nonsense"/></stream>"""
IDL = """; old
description = 'It & more' ; what
techContact = "A <a@b.org>"
exampleRange_00 = '2020-01-01 to 2020-01-02 UTC | A day'
exampleParams_00 = 'low'
exampleRange_01 = '2021-001 to NOW'
exampleInterval_01 = 60
"""


@pytest.mark.parametrize("text", [f"[00]{len(HEADER):06d}{HEADER}", HEADER, IDL])
def test_a_description_is_read_in_each_form_that_servers_send(text):
    found = read_description(text, "x")
    assert (found.title, found.contact) == ("It & more", "A <a@b.org>")
    assert [(each.title, each.pairs) for each in found.examples] == [
        ("A day", (("start_time", "2020-01-01"), ("end_time", "2020-01-02"), ("params", "low"))),
        ("", (("start_time", "2021-001"), ("end_time", "NOW"), ("interval", "60"))),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[00]000099<stream><exception type="NoSuchDataSet" message="There is no x"/></stream>',
        "<stream",
        '<!DOCTYPE a [<!ENTITY b "c">]><stream/>',
    ],
)
def test_what_is_no_description_is_refused(text):
    with pytest.raises(SourceError, match=r"^x: "):
        read_description(text, "x")


def test_only_http_is_asked():
    assert Das2Server.at("http://h/das/server?server=list").address == "http://h/das/server"
    with pytest.raises(ConfigError):
        Das2Server.at("ftp://h/")
