# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ends of a byte stream: what it may begin with, and where it stops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.errors import SourceError
from dasflex_core.run.head import Ends
from dasflex_das.das2_framing import Das2Framer
from dasflex_das.das3_framing import Das3Framer

BODY = b'<packet><x type="sun_real8" units="us2000"/><y type="sun_real8" units="V" name="v"/></packet>'
HEAD = b'[00]000023<stream version="2.2"/>'
DATASET = b"[01]%06d%b" % (len(BODY), BODY)


def binary(count):
    return b"".join(b":01:" + bytes((each * 7 + place) % 256 for place in range(16)) for each in range(count))


def das3(count):
    dataset = b"|Hx|01|9|<dataset>"
    return (
        b"|Sx||8|<stream>" + dataset + b"".join(b"|Pd|1|%d|" % (each % 9) + b"x" * (each % 9) for each in range(count))
    )


def follow(chunks, create=Das2Framer):
    ends = Ends(create)
    for chunk in chunks:
        ends.see(chunk)
    return ends


def cut(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("count", [1, 2, 10, 5000])
def test_a_whole_das2_stream_stops_between_packets(count, size):
    ends = follow(cut(HEAD + DATASET + binary(count), size))
    assert ends.found
    assert ends.stop() == "between"
    ends.finish()


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("lost", [1, 5, 19])
def test_a_das2_stream_that_is_cut_stops_inside(lost, size):
    ends = follow(cut((HEAD + DATASET + binary(3000))[:-lost], size))
    assert ends.stop() == "inside"
    with pytest.raises(SourceError) as caught:
        ends.finish()
    assert caught.value.kind == "source.truncated"


@given(st.integers(1, 400), st.integers(0, 60))
def test_of_a_das3_stream_it_can_be_told_whether_it_is_cut(count, lost):
    data = das3(count)
    kept = data[: len(data) - lost]
    framer = Das3Framer()
    frames = list(framer.feed(kept))
    told = follow([kept], Das3Framer).stop()
    assert told == ("between" if sum(len(frame.data) for frame in frames) == len(kept) else "inside")


def test_records_that_look_like_tags_do_not_mislead():
    records = b":01:" + b":01:" * 4
    ends = follow([HEAD + DATASET + records * 100])
    assert ends.stop() == "between"
    assert follow([HEAD + DATASET + (records * 100)[:-4]]).stop() in ("inside", "unknown")


@pytest.mark.parametrize("start", range(33))
def test_tags_in_the_times_of_each_packet_do_not_mislead(start):
    body = b'<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="v"/></packet>'
    packets = b"".join(b":01:2020-01-01T00:01:%02d %9d\n" % (each * 59 // 5000, each) for each in range(5000))
    stream = HEAD + b"[01]%06d%b" % (len(body), body) + packets
    end = stream[-(1 << 16) + start :]  # so that the end that is kept begins at each byte of a packet once
    assert follow([stream[: -len(end)], end]).stop() == "between"
    assert follow([stream[: -len(end)], end[: -34 + start]]).stop() == ("inside" if start else "between")


def test_garbage_is_refused_at_once():
    with pytest.raises(SourceError) as caught:
        follow([b"<html>not found</html>"])
    assert caught.value.kind == "source.stream"


def test_a_stream_without_data_that_ends_in_a_header_is_truncated():
    ends = follow([HEAD + DATASET[:-3]])
    assert not ends.found
    with pytest.raises(SourceError) as caught:
        ends.finish()
    assert caught.value.kind == "source.truncated"


def test_packets_declared_later_cannot_be_told_and_are_no_error():
    later = DATASET.replace(b"[01]", b"[02]")
    ends = follow([HEAD + DATASET + binary(2) + later, binary(9000).replace(b":01:", b":02:")])
    assert ends.stop() == "unknown"
    ends.finish()


def test_only_the_end_is_kept():
    ends = follow(cut(HEAD + DATASET + binary(100_000), 1000))
    assert sum(map(len, ends._pieces)) < (1 << 15) + 1000
    assert ends.stop() == "between"


def test_without_a_framer_any_bytes_are_data():
    ends = Ends(lambda: None)
    assert not ends.framed
    ends.see(b"")
    assert not ends.found
    ends.see(b"x")
    assert ends.found
    assert ends.stop() == "unknown"
    ends.finish()
