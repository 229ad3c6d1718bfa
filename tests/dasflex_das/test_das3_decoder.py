# SPDX-License-Identifier: GPL-3.0-or-later
"""Real das3 streams decode to the values that a slow and independent parser finds, however they are split."""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.arrays import Comment, Dataset, NoData, Problem, Records, StreamHeader
from dasflex_core.errors import SourceError
from dasflex_das.das3_decoder import Das3Decoder

if TYPE_CHECKING:
    from pathlib import Path

IN_SCOPE = {
    "das3/das3_csv_unsigned_test.d3b": 169,
    "das3/ex05_waveform_extra.d3t": 13,
    "das3/ex08_dynaspec_namespace.d3t": 193,
    "das3/ex12_sounder_xyz.d3t": 3,
    "das3/ex17_vector_noframe.d3b": 2441,
    "das3/ex22_mag_grid_vec.d3b": 5,
    "das3/ex22_mag_grid_vec.d3t": 5,
    "das3/ex23_props.d3t": 0,
    "das3/ex25_isee_rapid_rank2.d3b": 48,
    "das3/ex25_isee_rapid_rank2.d3t": 48,
    "handmade/v3_vector_text.d3t": 2,
    "handmade/v3_spectra_be.d3b": 2,
}
CODES = {"byte": "b", "ubyte": "B", "int": " bh i   q", "uint": " BH I   Q", "real": "    f   d"}


def slow_number(encoding: str, raw: bytes, semantic: str):
    """One value by `struct`, `float` or numpy's own time parser."""
    if encoding == "utf8":
        text = raw.decode().strip()
        return np.datetime64(text, "ns") if semantic == "datetime" else float(text)
    kind = CODES[encoding.removeprefix("BE").removeprefix("LE")]
    return struct.unpack(
        (">" if encoding[:2] == "BE" else "<") + kind.ljust(len(raw) + 1)[len(raw) if len(kind) > 1 else 0], raw
    )[0]


def slow_values(data: bytes) -> dict[int, list[list]]:
    """The values of each variable of each dataset, in the order of the wire, with nothing of the product in use."""
    layouts, found, at = {}, {}, 0
    while at < len(data):
        head = re.compile(rb"\|(..)\|(\d*)\|(\d+)\|").match(data, at)
        tag, number, stop = head[1], int(head[2] or 0), head.end() + int(head[3])
        body, at = data[head.end() : stop], stop
        if tag == b"Hx":
            text = re.sub(r'xmlns(:\w+)?="[^"]*"|xsi:\w+="[^"]*"', "", body.decode())
            variables = ET.fromstring(text.strip()).iter()  # noqa: S314  files of our own choice
            layouts[number] = [
                (
                    packet.get("encoding"),
                    int(packet.get("itemBytes")),
                    int(packet.get("numItems")),
                    each.get("semantic", ""),
                )
                for each in variables
                if each.tag in ("scalar", "vector", "object")
                for packet in each.iter("packet")
            ]
            found[number] = [[] for _ in layouts[number]]
        elif tag == b"Pd":
            start = 0
            for (encoding, width, count, semantic), values in zip(layouts[number], found[number], strict=True):
                for _ in range(count):
                    values.append(slow_number(encoding, body[start : start + width], semantic) if semantic else None)
                    start += width
            assert start == len(body)
    return found


def decode(data: bytes, *cuts: int) -> list:
    """The items of a stream that is split at some places."""
    decoder, items = Das3Decoder(), []
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, stop in pairwise(places):
        items += decoder.feed(data[start:stop])
    return [*items, *decoder.finish()]


def columns(items: list) -> dict[tuple[int, str], np.ndarray]:
    """The whole columns of all datasets."""
    found = {}
    for item in items:
        if isinstance(item, Records):
            for name in item.dataset.wire:
                found.setdefault((item.dataset.id, name), []).append(item[name])
    return {key: np.concatenate(parts) for key, parts in found.items()}


def others(items: list) -> list:
    """What is not records."""
    return [item for item in items if not isinstance(item, Records)]


@pytest.mark.parametrize(("name", "count"), IN_SCOPE.items())
def test_a_real_stream_has_the_values_of_the_slow_parser(test_data, name, count):
    """Value by value, for every record of every dataset."""
    data = (test_data / name).read_bytes()
    items = decode(data)
    found = columns(items)
    for dataset in (item for item in items if isinstance(item, Dataset)):
        slow = [values for values in slow_values(data)[dataset.id] if None not in values]
        assert len(slow) == len(dataset.wire)
        for variable, values in zip(dataset.columns, slow, strict=True):
            if not count:
                assert not values
                continue
            column = found[dataset.id, variable.name]
            assert column.shape == (count, *variable.shape)
            assert column.dtype == variable.dtype.newbyteorder("=")
            expected = np.array(values).astype(column.dtype)
            np.testing.assert_array_equal(column.ravel(), expected)


@pytest.mark.parametrize("name", ["das3/ex22_mag_grid_vec", "das3/ex25_isee_rapid_rank2"])
def test_text_and_binary_twins_hold_equal_items(test_data, name):
    """To the precision of the text: four digits, and milliseconds."""
    from dasflex_core import epochs

    twins = [decode((test_data / (name + suffix)).read_bytes()) for suffix in (".d3b", ".d3t")]
    binary, text = (next(item for item in items if isinstance(item, Dataset)) for items in twins)
    assert binary.wire == text.wire
    assert binary.index == text.index
    a, b = (columns(items) for items in twins)
    for mine, other in zip(binary.variables.values(), text.variables.values(), strict=True):
        assert (mine.name, mine.role, mine.semantic, mine.index) == (
            other.name,
            other.role,
            other.semantic,
            other.index,
        )
        if mine.values is not None:
            np.testing.assert_array_equal(mine.values, other.values)
            assert mine.sequences == other.sequences
            continue
        first, second = a[1, mine.name], b[1, mine.name]
        if mine.semantic == "datetime":
            difference = epochs.to_datetime64(first, mine.units) - second
            assert abs(difference).max() <= np.timedelta64(500_001, "ns")
        else:
            np.testing.assert_allclose(first, second, rtol=5.001e-4)


@pytest.mark.parametrize(
    "name", ["das3/ex08_dynaspec_namespace.d3t", "das3/ex17_vector_noframe.d3b", "handmade/v3_vector_text.d3t"]
)
@pytest.mark.parametrize("size", [1, 7, 1000, 65536])
def test_real_streams_decode_alike_in_chunks_of_any_size(test_data, name, size):
    """From one byte on."""
    data = (test_data / name).read_bytes()[: 20000 if size == 1 else None]
    whole = Das3Decoder()
    expected = list(whole.feed(data))
    decoder = Das3Decoder()
    found = [item for start in range(0, len(data), size) for item in decoder.feed(data[start : start + size])]
    assert [type(item) for item in others(found)] == [type(item) for item in others(expected)]
    first, second = columns(expected), columns(found)
    assert first.keys() == second.keys()
    for key, column in first.items():
        np.testing.assert_array_equal(column, second[key])


def test_extension_data_and_extensions_are_kept(test_data):
    """An `<extData>` element has eight bytes in each packet that are not for us."""
    items = decode((test_data / "das3" / "ex05_waveform_extra.d3t").read_bytes())
    assert items[0].extensions[0].startswith('<extension scheme="uiowa/tracers" content="xml">')
    assert items[1].wire == ("time.reference", "Ey")
    assert items[1].extras[0].startswith('<extData name="sync_flag">')
    assert items[2]["Ey"][0, 0] == np.float32(-2.051e-05)
    assert np.diff(items[2].extras.offsets).tolist() == [8] * len(items[2])


HEADER = b'|Sx||49|\n<stream type="das-basic-stream" version="3.0"/>\n'


def declared(number: int, encoding: str = "LEreal", width: int = 8, count: int = 1, tag: str = "") -> bytes:
    """A dataset of a binary time and some values."""
    index, inner = (f"*;{count}", "*;-") if count > 1 else ("*", "*")
    body = (
        f'<dataset name="d{number}" rank="{1 + (count > 1)}" index="{index}"><coord physDim="time"><scalar'
        f' semantic="datetime" index="{inner}" units="us2000"><packet numItems="1" itemBytes="8" encoding="BEreal"/>'
        f'</scalar></coord><data physDim="v"><scalar semantic="real" index="{index}" units="V"><packet'
        f' numItems="{count}" itemBytes="{width}" encoding="{encoding}"/></scalar></data></dataset>'
    ).encode()
    return b"|Hx|%b|%d|%b" % ((tag or f"{number:02d}").encode(), len(body), body)


def record(number: int, time: float, *values: float, tag: str = "") -> bytes:
    """A packet of such a dataset."""
    body = struct.pack(">d", time) + struct.pack(f"<{len(values)}d", *values)
    return b"|Pd|%b|%d|%b" % ((tag or str(number)).encode(), len(body), body)


@given(
    st.lists(st.integers(1, 3), max_size=12),
    st.integers(1, 30),
    st.lists(st.integers(1, 3), max_size=20),
    st.lists(st.integers(0, 9000), max_size=5),
)
def test_interleaved_datasets_keep_the_order_within_each(pattern, times, rest, cuts):
    """With and without a pattern, split anywhere."""
    order = pattern * times + rest
    data = HEADER + declared(1) + declared(2, count=2) + declared(3)
    data += b"".join(record(each, place, *[place] * (2 if each == 2 else 1)) for place, each in enumerate(order))
    found = columns(decode(data, *cuts))
    for number in (1, 2, 3):
        expected = [float(place) for place, each in enumerate(order) if each == number]
        assert found.get((number, "time"), np.empty(0)).tolist() == expected
        assert found.get((number, "v"), np.empty(0)).ravel().tolist() == [
            value for value in expected for _ in range(2 if number == 2 else 1)
        ]


def test_ids_are_compared_as_integers():
    """`|Hx|01|` declares `|Pd|1|` and `|Pd|001|`, in their order."""
    data = HEADER + declared(1, tag="01")
    data += b"".join(record(1, place, place, tag=("1", "01", "001")[place % 3]) for place in range(300))
    assert columns(decode(data))[1, "time"].tolist() == list(range(300))


def test_an_id_may_be_declared_anew_with_another_layout():
    """From there on its packets have the new one; the same header again changes nothing."""
    data = HEADER + declared(1) + b"".join(record(1, place, 5) for place in range(200))
    data += declared(1) + record(1, 200, 5) + declared(1, count=3)
    data += b"".join(record(1, place, 1, 2, 3) for place in range(100))
    items = decode(data)
    assert [item.index for item in items if isinstance(item, Dataset)] == [(-1,), (-1, 3)]
    batches = [item for item in items if isinstance(item, Records)]
    assert sum(len(batch) for batch in batches if batch.dataset.rank == 1) == 201
    assert batches[-1]["v"].shape == (100, 3)


def test_comments_exceptions_and_extras_stand_where_they_stood():
    """Records before a message come before it; what `XX` holds is for others."""
    message = b'|Cx||41|<comment type="taskProgress">3</comment>  '
    data = HEADER + declared(1) + record(1, 0, 0) + message + record(1, 1, 1) + b"|XX||4|what" + record(1, 2, 2)
    data += b'|Ex||49|<exception type="NoMatchingData">none</exception>'[:8] + b""
    body = b'<exception type="NoMatchingData">none</exception>'
    data = data[: -len(b"|Ex||49|")] + b"|Ex||%d|%b" % (len(body), body)
    kinds = [type(item) for item in decode(data.replace(b"|41|", b"|%d|" % (len(message) - len(b"|Cx||41|"))))]
    assert kinds == [StreamHeader, Dataset, Records, Comment, Records, Records, NoData]


def test_a_stream_may_hold_only_a_header_and_a_problem():
    """The answer of a reader that failed."""
    body = b'<exception type="ServerError">tape</exception>'
    items = decode(HEADER + b"|Ex||%d|%b" % (len(body), body))
    assert items[1:] == [Problem("ServerError", "tape")]


def test_sequences_over_records_count_through_batches():
    """A value that follows from the number of the record is a column, right in whatever pieces the stream comes."""
    body = (
        b'<dataset name="d" rank="1" index="*"><coord physDim="time"><scalar semantic="datetime" index="*" units="UTC">'
        b'<sequence minval="2031-04-02T00:00:00" interval="0.25"/></scalar></coord><data physDim="v"><scalar'
        b' semantic="integer" index="*" units=""><packet numItems="1" itemBytes="1" encoding="ubyte"/></scalar></data></dataset>'
    )
    data = HEADER + b"|Hx|1|%d|%b" % (len(body), body) + b"".join(b"|Pd|1|1|%c" % each for each in range(200))
    found = columns(decode(data, *range(0, 3000, 97)))
    assert found[1, "v"].tolist() == list(range(200))
    start = np.datetime64("2031-04-02T00:00:00", "ns")
    np.testing.assert_array_equal(found[1, "time"], start + np.arange(200) * np.timedelta64(250, "ms"))


def text_dataset(packet: str, about: str, bodies: list[bytes]) -> list:
    """The column of a dataset with one text variable, whose packets have these bodies."""
    body = (
        f'<dataset name="d" rank="1" index="*"><coord physDim="v"><scalar {about} index="*" units=""><packet numItems="1"'
        f' encoding="utf8" {packet}/></scalar></coord></dataset>'
    ).encode()
    data = HEADER + b"|Hx|1|%d|%b" % (len(body), body)
    data += b"".join(b"|Pd|1|%d|%b" % (len(each), each) for each in bodies)
    return columns(decode(data))[1, "v"].tolist()


@pytest.mark.parametrize(
    ("packet", "about", "bodies", "expected"),
    [
        (
            'itemBytes="9"',
            'semantic="real" storage="double"',
            [b" 1.5e+00 ", b"         ", b"- 2.25  \n"],
            [1.5, -1e31, -2.25],
        ),
        ('itemBytes="6" fill="-9"', 'semantic="integer"', [b"   12 ", b"      ", b"   -9\n"], [12, -9, -9]),
        ('itemBytes="22"', 'semantic="integer" storage="long"', [b" 9223372036854775807 \n"], [2**63 - 1]),
        ('itemBytes="22"', 'semantic="integer" storage="ulong"', [b"18446744073709551615 \n"], [2**64 - 1]),
        ('itemBytes="2"', 'semantic="bool"', [b"T ", b"f\n", b"* ", b"1 ", b"N ", b"? "], [1, 0, -128, 1, 0, -128]),
        (
            'itemBytes="5"',
            'semantic="string"',
            [b"ON   ", b"FIVE5", b"     ", b" a b\n"],
            [b"ON", b"FIVE5", b"", b"a b"],
        ),
        ('itemBytes="5" trim="false"', 'semantic="string"', [b" a b\n"], [b" a b"]),
    ],
)
def test_fixed_width_text_is_read_as_its_header_says(packet, about, bodies, expected):
    """Blank is fill, blanks inside a number do not count, integers are exact, states by their first letter."""
    bodies = [body.ljust(len(bodies[0])) for body in bodies]
    assert text_dataset(packet, about, bodies) == expected


@pytest.mark.parametrize("body", [b"  1.5  ", b" often ", b"  300  "])
def test_text_that_is_no_such_number_is_refused_by_the_name_of_the_variable(body):
    """A fraction, a word, and a number that does not fit into the storage."""
    with pytest.raises(SourceError, match="A value of v cannot be read"):
        text_dataset('itemBytes="7"', 'semantic="integer" storage="ubyte"', [body])


def test_times_that_equal_the_fill_are_missing():
    """Whether the fill can be held or not."""
    times = [b"2026-01-01T00:00:00.000 ", b"2026-01-02T00:00:00.000 ", b"0001-01-01T00:00:00.000 ", b" " * 24]
    found = text_dataset('itemBytes="24" fill="2026-01-01"', 'semantic="datetime"', times)
    assert [np.isnat(np.datetime64(each, "ns")) if each is not None else True for each in found] == [
        True,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (declared(1), "before the stream header"),
        (HEADER + HEADER, "second stream header"),
        (HEADER + record(1, 0, 0), "no header declares"),
        (HEADER + declared(1) + record(2, 0, 0), "id 2, which no header declares"),
        (HEADER + declared(1) + record(1, 0, 0, 0), "has 24 bytes; by its header each has 16"),
        (HEADER + declared(1) + record(1, 0, 0) * 500 + b"|Pd|1|9999|", "has 9,999 bytes; by its header each has 16"),
        (HEADER + declared(1) + record(1, 0, 0) + b"\n" + record(1, 0, 0), "starts no das3 packet"),
        (HEADER + b"".join(declared(each) for each in range(1, 1002)), "may declare 1000 datasets"),
    ],
)
def test_a_stream_that_breaks_the_rules_is_refused(data, why):
    """Order, ids, lengths that lie, bytes between packets, endless declarations."""
    with pytest.raises(SourceError, match=why) as caught:
        decode(data)
    assert caught.value.kind == "source.stream"


def test_what_came_before_the_damage_is_delivered():
    """A damaged stream gives its good part, and then the error."""
    found = []
    with pytest.raises(SourceError, match="starts no das3 packet"):
        found.extend(Das3Decoder().feed(HEADER + declared(1) + record(1, 0, 0) * 200 + b"garbage garbage"))
    assert sum(len(item) for item in found if isinstance(item, Records)) == 200


def test_a_stream_that_ends_inside_a_record_is_truncated_after_its_whole_records():
    """The whole ones were delivered."""
    decoder = Das3Decoder()
    found = list(decoder.feed(HEADER + declared(1) + record(1, 0, 0) * 3 + record(1, 0, 0)[:-1]))
    assert len(found[-1]) == 3
    with pytest.raises(SourceError) as caught:
        decoder.finish()
    assert caught.value.kind == "source.truncated"


def test_batches_hold_about_a_mebibyte_whatever_the_chunk():
    """Memory is bounded by the batch."""
    data = HEADER + declared(1) + declared(2) + (record(1, 0, 0) + record(2, 0, 0)) * 60_000
    sizes = [len(item) * 25 for item in decode(data) if isinstance(item, Records)]
    assert sum(sizes) == 2 * 60_000 * 25
    assert max(sizes) <= 1 << 20


def test_binary_columns_are_views_of_the_chunk():
    """No value is copied on the fast path."""
    decoder, packets = Das3Decoder(), record(1, 0, *range(64)) * 100
    assert list(decoder.feed(HEADER + declared(1, count=64) + packets))
    (batch,) = decoder.feed(packets)
    assert np.shares_memory(batch["v"], np.frombuffer(packets, dtype=np.uint8))
    assert not batch["v"].flags.writeable


def path_of(test_data: Path) -> Path:
    """The golden CSV of the unsigned test."""
    return test_data / "das3" / "das3_csv_unsigned_test.csv"


def test_times_and_values_are_those_of_the_golden_csv(test_data):
    """What the classic tool printed of the same stream."""
    from dasflex_core import epochs

    found = columns(decode((test_data / "das3" / "das3_csv_unsigned_test.d3b").read_bytes()))
    rows = [line.split(";") for line in path_of(test_data).read_text().splitlines() if '"values"' in line]
    times = np.array([row[2] for row in rows], dtype="M8[ms]")
    step = epochs.to_datetime64(found[76, "time"], "TT2000") - times
    assert abs(step).max() <= np.timedelta64(1, "ms")
    values = [int(row[3]) if row[3].strip() not in ("", "*") else -128 for row in rows]
    assert found[76, "mag_id"].tolist() == values
