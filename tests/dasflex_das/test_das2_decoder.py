# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that das2 streams are decoded to what they hold: against a slow parser, for any chunking and any order."""

from __future__ import annotations

import re
import struct
import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import Comment, Dataset, NoData, Problem, Records, StreamHeader
from dasflex_core.errors import SourceError
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_framing import Das2Framer
from dasflex_das.das2_packets import BATCH

FORMATS = {"sun_real4": ">f", "sun_real8": ">d", "little_endian_real4": "<f", "little_endian_real8": "<d"}


def decode(stream, cuts=()):
    decoder = Das2Decoder()
    edges = [0, *sorted(cuts), len(stream)]
    items = [item for a, b in pairwise(edges) for item in decoder.feed(stream[a:b])]
    return [*items, *decoder.finish()]


def header(tag, body):
    data = body.encode()
    return b"[%b]%06d%b" % (tag.encode(), len(data), data)


START = header("00", '<stream version="2.2"/>')
TIME = '<x type="little_endian_real8" units="us2000"/>'


def packet(number, planes, attributes=""):
    return header(f"{number:02d}", f"<packet {attributes}>{planes}</packet>")


# The slow parser: regular expressions, struct and float, one packet after the other.


def slow_planes(body):
    for kind, text in re.findall(r"<(x|y|z|yscan)\b([^>]*)>", body):
        found = dict(re.findall(r'(\w+)="([^"]*)"', text))
        yield kind, found["type"], int(found.get("nitems", 1))


def slow_value(encoding, text):
    if encoding in FORMATS:
        return struct.unpack(FORMATS[encoding], text)[0]
    clean = text.decode().strip()
    return np.datetime64(clean, "ns") if encoding.startswith("time") else float(clean)


def slow_parse(stream):
    """Every packet as (number of its header in the stream, [values of a plane, …])."""
    layouts, packets, at, count = {}, [], 0, 0
    while at < len(stream):
        tag = stream[at : at + 4].decode()
        if tag[0] == ":":
            at += 4
            values = []
            for encoding, width, items in layouts[tag[1:3]][1]:
                row = [stream[at + place * width : at + place * width + width] for place in range(items)]
                values.append([slow_value(encoding, text) for text in row])
                at += width * items
            packets.append((layouts[tag[1:3]][0], values))
            continue
        length = int(stream[at + 4 : at + 10])
        body = stream[at + 10 : at + 10 + length].decode()
        at += 10 + length
        if tag == "[00]" and "deflate" in body:
            stream, at = zlib.decompress(stream[at:]), 0
        elif tag[1:3].isdigit() and tag != "[00]":
            planes = []
            for _kind, encoding, items in slow_planes(body):
                width = int(encoding[-1]) if encoding in FORMATS else int(re.findall(r"\d+", encoding)[0])
                planes.append((encoding, width, items))
            layouts[tag[1:3]] = (count, planes)
            count += 1
    return packets


def same_as_slow(items, packets):
    """Whether the records of each dataset are those of the slow parser, in order, to the last bit."""
    datasets = [item for item in items if isinstance(item, Dataset)]
    places = {id(dataset): place for place, dataset in enumerate(datasets)}
    found = [[] for _ in datasets]
    for item in items:
        if isinstance(item, Records):
            columns = [item[name] for name in item.dataset.wire]
            found[places[id(item.dataset)]].append(columns)
    for place, batches in enumerate(found):
        expected = [values for own, values in packets if own == place]
        assert sum(len(columns[0]) for columns in batches) == len(expected)
        for plane in range(len(datasets[place].wire)):
            joined = np.concatenate([columns[plane].reshape(len(columns[plane]), -1) for columns in batches] or [[]])
            wanted = np.array([values[plane] for values in expected]).reshape(joined.shape)
            assert np.array_equal(joined.astype(wanted.dtype), wanted, equal_nan=joined.dtype.kind == "f")


def test_every_real_and_handmade_stream_holds_what_a_slow_parser_finds(test_data):
    files = [*test_data.glob("das2/*.d2*"), *test_data.glob("handmade/v2*")]
    assert len(files) > 10
    for file in files:
        stream = file.read_bytes()
        same_as_slow(decode(stream, range(65536, len(stream), 65536)), slow_parse(stream))


def test_a_real_stream_of_interleaved_ids_comes_out_the_same_byte_by_byte(test_data):
    stream = (test_data / "das2" / "juno_waves_sample.d2t").read_bytes()[:60_000]
    stream = stream[: stream.rindex(b"\n:") + 1]
    same_as_slow(decode(stream, range(1, len(stream))), slow_parse(stream))


# Streams of any order of ids, whose records count themselves.

LAYOUTS = {
    number: packet(number, f'{TIME}<yscan name="v" type="sun_real4" nitems="{size}" yUnits="Hz" zUnits="V"/>')
    for number, size in ((1, 1), (2, 1), (3, 4), (40, 7))
}
SIZES = {1: 1, 2: 1, 3: 4, 40: 7}


def counted(ids):
    packets = [
        b":%02d:" % number + struct.pack("<d", place) + struct.pack(">f", number) * SIZES[number]
        for place, number in enumerate(ids)
    ]
    return START + b"".join(LAYOUTS.values()) + b"".join(packets)


ids = st.sampled_from(list(SIZES))
orders = st.lists(
    st.one_of(
        st.lists(ids, max_size=8),
        st.tuples(st.lists(ids, min_size=1, max_size=5), st.integers(1, 60)).map(lambda drawn: drawn[0] * drawn[1]),
    ),
    max_size=6,
).map(lambda parts: [number for part in parts for number in part])


@settings(max_examples=150, deadline=None)
@given(orders, st.data())
def test_any_order_of_ids_and_any_chunking_keep_the_order_within_each_dataset(order, data):
    stream = counted(order)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    found = {number: [] for number in SIZES}
    for item in decode(stream, cuts):
        if isinstance(item, Records):
            found[item.dataset.id] += item["time"].tolist()
            assert (item[item.dataset.wire[1]] == item.dataset.id).all()
    assert found == {number: [place for place, own in enumerate(order) if own == number] for number in SIZES}


def test_columns_of_one_id_are_views_of_the_bytes_received():
    stream = counted([3] * 1000)
    first, second = stream[: len(stream) - 28 * 500], stream[len(stream) - 28 * 500 :]
    decoder = Das2Decoder()
    list(decoder.feed(first))
    (batch,) = decoder.feed(second)
    received = np.frombuffer(second, dtype=np.uint8)
    assert all(np.shares_memory(batch[name], received) for name in batch.dataset.wire)
    assert not batch["v"].flags.writeable


def test_interleaved_ids_are_views_of_the_bytes_received():
    stream = counted([1, 3, 2, 3, 40] * 400)
    size = sum(4 + 8 + 4 * SIZES[number] for number in (1, 3, 2, 3, 40))
    decoder = Das2Decoder()
    list(decoder.feed(stream[: len(stream) - size * 200]))
    second = stream[len(stream) - size * 200 :]
    received = np.frombuffer(second, dtype=np.uint8)
    shared = {batch.dataset.id: np.shares_memory(batch["v"], received) for batch in decoder.feed(second)}
    assert shared == {1: True, 2: True, 40: True, 3: False}


def test_batches_hold_about_a_mebibyte_of_a_large_chunk():
    stream = counted([40] * 200_000)
    sizes = [len(item) * 40 for item in decode(stream) if isinstance(item, Records)]
    assert sum(sizes) == 200_000 * 40
    assert max(sizes) <= BATCH + 40


def test_a_packet_larger_than_a_batch_is_one_record_and_small_chunks_are_joined_once():
    items = 500_000
    plane = f'<yscan name="v" type="sun_real4" nitems="{items}" yUnits="s" zUnits="" yTagInterval="1"/>'
    values = np.arange(items, dtype=">f4")
    stream = START + packet(1, TIME + plane) + b":01:" + struct.pack("<d", 1.5) + values.tobytes()
    batches = [item for item in decode(stream, range(64, len(stream), 64)) if isinstance(item, Records)]
    assert len(batches) == 1
    assert np.array_equal(batches[0]["v"], [values])


def test_a_packet_is_there_as_soon_as_its_last_byte_is():
    stream = counted([1, 2, 1])
    decoder = Das2Decoder()
    assert [type(item) for item in decoder.feed(stream[:-33])][-1] is Dataset
    assert [len(item) for item in decoder.feed(stream[-33:-32])] == [1]
    assert [len(item) for item in decoder.feed(stream[-32:-1])] == [1]
    assert [len(item) for item in decoder.feed(stream[-1:])] == [1]


def test_comments_and_headers_keep_their_place_among_the_records():
    note = header("xx", '<comment type="log:info" source="me" value="a &lt; b"/>')
    one = b":01:" + bytes(12)
    new = packet(1, f'{TIME}<y type="sun_real4" name="w" units="V"/>')
    stream = START + note + LAYOUTS[1] + one + one + note + one + LAYOUTS[1] + one + new + one
    items = decode(stream)
    assert [type(item) for item in items] == [
        *(StreamHeader, Comment, Dataset, Records, Comment, Records, Records, Dataset, Records)
    ]
    assert items[1] == Comment("log:info", "a < b", "me")
    assert [len(item) for item in items if isinstance(item, Records)] == [2, 1, 1, 1]
    assert items[-1].dataset.wire == ("time", "w")


def test_an_id_redefined_with_another_layout_is_read_by_the_new_one():
    wide = packet(1, TIME + '<yscan name="v" type="little_endian_real8" nitems="2" yUnits="Hz" zUnits="V"/>')
    old = b":01:" + struct.pack("<d", 1.0) + struct.pack(">f", 2.0)
    new = b":01:" + struct.pack("<3d", 3.0, 4.0, 5.0)
    stream = START + LAYOUTS[1] + old * 200 + wide + new * 200 + LAYOUTS[1] + old
    same_as_slow(decode(stream), slow_parse(stream))
    same_as_slow(decode(stream, range(1, len(stream), 5)), slow_parse(stream))


@pytest.mark.parametrize(
    ("element", "item"),
    [
        ('<exception type="NoDataInInterval" message="none"/>', NoData("none")),
        ('<exception type="NoMatchingData" message="none"/>', NoData("none")),
        ('<exception type="IllegalArgument" message="bad"/>', Problem("QueryError", "bad")),
        ('<exception type="ServerError" message="down"/>', Problem("ServerError", "down")),
        ('<exception type="Odd" message="?"/>', Problem("Odd", "?")),
    ],
)
def test_exceptions_are_problems_in_the_spelling_of_das3_or_no_data(element, item):
    assert decode(START + header("XX", element))[1:] == [item]
    assert decode(header("00", element)) == [StreamHeader(generation=2), item]


def test_a_message_that_is_unknown_and_a_second_stream_header_are_remarked_upon():
    items = decode(START + header("xx", "<greeting/>") + START)
    assert [item.type for item in items[1:]] == ["log:warning", "log:warning"]
    assert "<greeting>" in items[1].text
    assert "second stream header" in items[2].text


@pytest.mark.parametrize("name", ["deflate", "zlib"])
def test_a_compressed_stream_decodes_as_the_plain_one(name):
    stream = counted([1, 2, 3] * 50)
    start = header("00", f'<stream version="2.2" compression="{name}"/>')
    packed = start + zlib.compress(stream[len(START) :])
    for step in (1, 100, 10**6):
        items = decode(packed, range(step, len(packed), step))
        assert items[0].compression == "deflate"
        same_as_slow(items, slow_parse(stream))


def test_newlines_between_packets_are_skipped():
    packets = [b":01:" + struct.pack("<df", place, 1) for place in range(300)]
    items = decode(START + b"\n" + LAYOUTS[1] + b"\n" + b"\n".join(packets) + b"\n")
    times = np.concatenate([item["time"] for item in items if isinstance(item, Records)])
    assert times.tolist() == list(range(300))


def test_a_stream_that_ends_inside_a_packet_gives_its_records_and_then_fails():
    stream = counted([1, 1, 1])[:-1]
    decoder = Das2Decoder()
    items = list(decoder.feed(stream))
    assert len(items[-1]) == 2
    with pytest.raises(SourceError, match="15 bytes of it are there") as caught:
        decoder.finish()
    assert caught.value.kind == "source.truncated"


def test_records_before_garbage_come_out_before_the_error():
    stream = counted([1] * 10) + b"Segmentation fault"
    decoder = Das2Decoder()
    items = []
    with pytest.raises(SourceError, match=r"At byte .*Segmentation") as caught:
        items.extend(decoder.feed(stream))
    assert caught.value.kind == "source.stream"
    assert f"{len(stream) - 18:,}" in caught.value.message


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        (b"hello", "At byte 0"),
        (START + b":55:abc", "no packet header \\[55\\]"),
        (LAYOUTS[1], "starts with \\[01\\]"),
        (START + packet(1, TIME + '<y type="ascii9" units=""/>') + b":01:" + bytes(8) + b" rubbish ", "rubbish"),
        (START + packet(1, '<x type="time9" units=""/>') + b":01:yesterday", "yesterday"),
        (header("00", '<stream dataset_id="x"/>'), "QStream"),
        (header("00", '<stream version="3.0"/>'), "version"),
        (header("00", "<packet/>"), "<stream> should be"),
        (START + header("01", "<stream/>"), "<packet> should be"),
        (START + packet(1, '<x type="sun_real8"/>'), "needs units"),
        (START + header("01", '<!DOCTYPE a [<!ENTITY b "c">]><packet/>'), "no DTD"),
    ],
)
def test_what_is_no_das2_stream_is_refused(stream, says):
    with pytest.raises(SourceError, match=says) as caught:
        decode(stream)
    assert caught.value.kind == "source.stream"


def test_blank_numbers_are_nan_and_any_width_of_text_is_read():
    planes = '<x type="time11" units="UTC"/><y type="ascii3" units=""/><y name="b" type="ascii40" units=""/>'
    stream = START + packet(1, planes) + b":01:2001-02-03 -7 " + b"1.5".ljust(40) + b":01:2001-034      " + bytes(40)
    (batch,) = [item for item in decode(stream) if isinstance(item, Records)]
    assert batch["time"].tolist() == [np.datetime64("2001-02-03", "ns").astype(int)] * 2
    assert np.array_equal(batch["y"], [-7.0, np.nan], equal_nan=True)
    assert np.array_equal(batch["b"], [1.5, np.nan], equal_nan=True)


SEEDS = [
    counted([1, 3, 2] * 3),
    START
    + packet(1, '<x type="time20" units="us2000"/><y type="ascii9" units="nT"/>')
    + b":01:2001-02-03T04:05:06  1.0e+02\n" * 3,
    header("00", '<stream compression="deflate"/>') + zlib.compress(LAYOUTS[1] + b":01:" + bytes(12)),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_damaged_streams_raise_nothing_but_source_errors(stream, data):
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream = stream[:at] + data.draw(st.binary(max_size=3)) + stream[at + data.draw(st.integers(0, 3)) :]
    results = []
    for tool in (Das2Decoder, Das2Framer):
        made = tool()
        try:
            for start in range(0, len(stream), 50):
                list(made.feed(stream[start : start + 50]))
            list(made.finish())
            results.append("")
        except SourceError as error:
            results.append(error.kind)
    assert results[0] or not results[1]  # what cannot be framed cannot be decoded
