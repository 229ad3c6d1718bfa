# SPDX-License-Identifier: GPL-3.0-or-later
"""Das3 streams whose packets have no fixed size: runs, strings of any length, blobs; read, refused and written."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dasflex_core import epochs
from dasflex_core.arrays import VARIES, Dataset, Ragged, Records
from dasflex_core.errors import SourceError
from dasflex_core.testing.comparing import difference, joined, merged, misfit
from dasflex_core.testing.strategies import streams
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3BinaryEncoder, Das3TextEncoder
from dasflex_das.das3_framing import Das3Framer

TWINS = (
    "ex22_mag_grid_vec",
    "ex25_isee_rapid_rank2",
    "ex27_epop_fai_mgf_blob",
    "ex30_cassini_ragged_notlast",
    "ex32_marsis_2d_ragged",
    "ex34_ragged_fixstr",
    "ex36_events_rank3",
    "ex38_wbr_wfrm_tags",
)
SINGLE = (
    "das3/ex14_var_len_item.d3t",
    "das3/ex15_vector_frame.d3t",
    "das3/ex19_cassini_ragged_wfrm.d3t",
    "das3/ex21_tracers_cdpu_status.d3b",
    "das3/ex29_ext_contract.d3t",
    "das3/ex29_ext_contract_flat.d3t",
    "handmade/v3_blob.d3b",
    "handmade/v3_ragged_wave.d3b",
    "handmade/v3_rank3_ragged_text.d3b",
)
HEADER = b'|Sx||49|\n<stream type="das-basic-stream" version="3.0"/>\n'


def decode(data: bytes, *sizes: int) -> list:
    """The items of a stream in chunks of these sizes, again and again."""
    decoder, items, at, turn = Das3Decoder(), [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)] if sizes else len(data)
        items += decoder.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    return [*items, *decoder.finish()]


def encode(encoder, items: list) -> bytes:
    """The stream of the items."""
    return b"".join(chunk for item in items for chunk in encoder.feed(item)) + b"".join(encoder.finish())


def records(items: list) -> Records:
    """All records of a stream of one dataset."""
    return joined([item for item in items if isinstance(item, Records)])


def plain(column) -> list:
    """A column as nested lists."""
    if isinstance(column, Ragged):
        inner = plain(column.values)
        return [inner[a:b] for a, b in zip(column.offsets[:-1], column.offsets[1:], strict=True)]
    return column.tolist()


def same_values(one: Records, other: Records, rtol: float) -> None:
    """Times to the millisecond of the text, reals to its digits, all else exactly, runs included."""
    assert list(one.columns) == list(other.columns)
    for name in one.columns:
        pair = []
        for batch in (one, other):
            variable, column = batch.dataset[name], batch[name]
            if variable.semantic == "datetime" and variable.units != "UTC":
                column = epochs.to_datetime64(column, variable.units)
            pair.append(column)
        if not isinstance(pair[0], Ragged) and pair[0].dtype.kind == "M":
            there = pair[0] > np.datetime64("1708-01-01")  # TT2000 begins in 1707
            assert not np.isnat(pair[1][there]).any()
            assert (abs(pair[0] - pair[1])[there] <= np.timedelta64(1, "ms")).all()
            continue
        if one.dataset[name].dtype.kind == "f":
            pair = [
                each.with_leaves(each.leaves.astype("f8")) if isinstance(each, Ragged) else each.astype("f8")
                for each in pair
            ]
        assert not difference(*pair, rtol=rtol, where=name)


def steps(variable) -> list[tuple[float, ...]]:
    """The numbers of the rules of a variable, however they are written."""
    texts = ([each.minimum, *each.intervals] for each in variable.sequences)
    return [tuple(float(text) for text in each if text != "-") for each in texts]


@pytest.mark.parametrize("name", TWINS)
def test_binary_and_text_twins_hold_equal_items(test_data, name):
    """To the four digits and the milliseconds of the text."""
    binary, text = (decode((test_data / "das3" / (name + suffix)).read_bytes()) for suffix in (".d3b", ".d3t"))
    same_values(records(binary), records(text), 5.001e-4)
    one, other = (next(item for item in items if isinstance(item, Dataset)) for items in (binary, text))
    assert one.index == other.index
    facts = [
        [(v.name, v.role, v.semantic, v.index, steps(v)) for v in each.variables.values()] for each in (one, other)
    ]
    assert facts[0] == facts[1]


EXACT: dict[str, dict] = {"binary": {}, "text": {"sigdigit": 17}}
ENCODERS = {"binary": (Das3BinaryEncoder, {}), "text": (Das3TextEncoder, {"secfrac": 9, "sigdigit": 9})}


@pytest.fixture(scope="session")
def schema(test_data):
    """The published schema of headers without a namespace."""
    return etree.XMLSchema(etree.parse(test_data / "schema" / "das-basic-stream-v3.0.xsd"))


@pytest.mark.parametrize("form", ENCODERS)
@pytest.mark.parametrize("name", [*(f"das3/{name}{suffix}" for name in TWINS for suffix in (".d3b", ".d3t")), *SINGLE])
def test_what_is_written_anew_is_valid_and_decodes_to_the_same(test_data, schema, name, form):
    """In both forms; and what that decodes to is written and decoded to the very same."""
    encoder, values = ENCODERS[form]
    items = decode((test_data / name).read_bytes())
    assert not [misfit(item) for item in items if isinstance(item, Records) and misfit(item)]
    data = encode(encoder(**values), items)
    for frame in Das3Framer().feed(data):
        if frame.kind != "data":
            schema.assertValid(etree.fromstring(frame.data.split(b"|", 4)[4]))
    back = decode(data)
    same_values(records(items), records(back), 1e-8)
    assert not difference(merged(decode(encode(encoder(**values), back))), merged(back))


@pytest.mark.parametrize("sizes", [(1,), (7,), (1000, 1, 3), (65536,)])
@pytest.mark.parametrize(
    "name", ["das3/ex30_cassini_ragged_notlast.d3b", "das3/ex36_events_rank3.d3t", "das3/ex32_marsis_2d_ragged.d3b"]
)
def test_any_chunking_gives_the_same_items(test_data, name, sizes):
    """From one byte on."""
    data = (test_data / name).read_bytes()
    assert not difference(merged(decode(data, *sizes)), merged(decode(data)))


def test_runs_hold_what_stands_in_the_packets(test_data):
    """Values read by eye from the files."""
    bursts = records(decode((test_data / "handmade" / "v3_ragged_wave.d3b").read_bytes()))
    assert plain(bursts["ex"]) == [[0.5, 0.25, -0.5], [1.0]]
    counts = records(decode((test_data / "handmade" / "v3_rank3_ragged_text.d3b").read_bytes()))
    assert plain(counts["cnt"]) == [[[4, 5, 6], [7]], [[8, 9]]]
    assert plain(counts["qual"]) == [1, 255]
    blobs = records(decode((test_data / "handmade" / "v3_blob.d3b").read_bytes()))
    assert plain(blobs["raw"]) == [[1, 2, 3], [0xFF, 0xFE]]
    events = records(decode((test_data / "das3" / "ex36_events_rank3.d3b").read_bytes()))
    assert plain(events["msgs"]) == [
        [[b"NOMINAL", b"LOW PWR"], [b"SAFE"]],
        [[b"RECOVER"], [b"WARM UP", b"OK"]],
        [[b"IDLE"]],
        [[b"CAL A", b""], [b"DONE"]],
    ]  # fmt: skip
    vectors = records(decode((test_data / "das3" / "ex15_vector_frame.d3t").read_bytes()))
    assert vectors["EAC"][0].tolist() == [-15.43, -2.776, -0.9903]
    assert vectors["gain"].tolist() == [0.0] * 6 + [20.0] * 9
    images = records(decode((test_data / "das3" / "ex27_epop_fai_mgf_blob.d3t").read_bytes()))
    assert all(bytes(image[:4]) == b"\x89PNG" for image in plain(images["FAI_image"]))


def test_a_borrowed_extent_is_read_as_a_caret_and_written_as_a_star(test_data):
    """The offset of a ragged waveform keeps its rule, and has no values of its own."""
    items = decode((test_data / "das3" / "ex19_cassini_ragged_wfrm.d3t").read_bytes())
    offset = items[1]["time.offset"]
    assert (offset.index, offset.values, offset.sequences[0].intervals) == ((None, VARIES), None, ("-", "0.01"))
    written = encode(Das3BinaryEncoder(), items)
    assert b'index="-;*"' in written
    assert b"^" not in written.partition(b"|Pd|")[0]


def test_files_inside_values_stay_files(test_data):
    """A blob of a mime type nobody decodes here keeps what was said of it as properties, as classic tools do."""
    items = decode((test_data / "das3" / "ex29_ext_contract.d3t").read_bytes())
    image = items[1]["img_size"]
    assert (image.semantic, image.dtype, image.encoding.mime) == ("blob", np.dtype("u1"), "image/jpeg")
    said = {entry.name: entry.text for entry in image.properties if entry.name.startswith("embedded")}
    assert said == {
        "embeddedMime": "image/jpeg",
        "embeddedIndex": "*",
        "embeddedSemantic": "integer",
        "embeddedStorage": "uint",
    }
    classic = decode((test_data / "das3" / "ex29_ext_contract_flat.d3t").read_bytes())
    assert classic[1]["img_size"].properties == image.properties


@pytest.mark.parametrize(
    ("name", "variable", "missing"),
    [("reject_rank3_noterm", "msgs", "idxTerm is missing"), ("reject_sandwich_noterm", "note", "idxTerm is missing")],
)
def test_what_must_be_rejected_is_refused_by_name(test_data, name, variable, missing):
    """The error names the variable, and what is missing."""
    with pytest.raises(SourceError, match=rf"variable {variable}: {missing}") as caught:
        decode((test_data / "das3" / f"{name}.d3t").read_bytes())
    assert caught.value.kind == "source.stream"


def test_what_belongs_to_others_is_not_looked_into(test_data):
    """One sample of a draft announces 1,984 bytes of annotation where 1,983 are left: they are passed on as they are."""
    data = (test_data / "das3" / "ex13_object_annotation.d3t").read_bytes()
    items = decode(data)
    assert records(items)["frequency"].tolist() == [np.float32(29.37)]
    extras = bytes(records(items).extras.leaves)
    assert (extras[:18], len(extras)) == (b"|1984|<Annotation ", 1989)
    assert data_of(encode(Das3TextEncoder(), items))[-1989:] == extras


def data_of(data: bytes) -> bytes:
    """The last data packet of a stream."""
    return [frame.data for frame in Das3Framer().feed(data) if frame.kind == "data"][-1]


def test_files_may_stand_for_values_over_any_index():
    """A picture per record of an index of two dimensions has one item, whatever its header says of their number."""
    packet = '<packet numItems="12" itemBytes="*" encoding="blob" mime="image/png"/>'
    items = decode(stream(packet, "*;3;4", [b"{2}ab", b"{0}"], about='semantic="integer" storage="ubyte"'))
    variable = items[1]["v"]
    assert (variable.index, variable.properties.text("embeddedIndex")) == ((VARIES, None, None), "*;3;4")
    assert plain(records(items)["v"]) == [[97, 98], []]


def stream(
    packet: str, index: str, bodies: list[bytes], *, about: str = 'semantic="real"', behind: str = "", tag="scalar"
) -> bytes:
    """A stream of one variable, and another behind it where `behind` is its packet."""
    rank = index.count(";") + 1
    other = (
        f'<data physDim="w"><scalar semantic="integer" units="" index="*{";-" * (rank - 1)}">{behind}</scalar></data>'
    )
    body = (
        f'<dataset name="d" rank="{rank}" index="{index}"><coord physDim="v"><{tag} {about} units="" index="{index}">'
        f"{packet}</{tag}></coord>{other if behind else ''}</dataset>"
    ).encode()
    packets = b"".join(b"|Pd|1|%d|%b" % (len(each), each) for each in bodies)
    return HEADER + b"|Hx|1|%d|%b" % (len(body), body) + packets


def found(packet: str, index: str, bodies: list[bytes], **about) -> list:
    """The column of such a stream."""
    return plain(records(decode(stream(packet, index, bodies, **about)))["v"])


BYTE = '<packet numItems="1" itemBytes="1" encoding="ubyte"/>'
TEXT = 'numItems="*" encoding="utf8"'
WHOLE = {"about": 'semantic="integer" storage="int"'}
WORD = {"about": 'semantic="string"'}


@pytest.mark.parametrize(
    ("packet", "index", "bodies", "about", "expected"),
    [
        (f'<packet {TEXT} itemBytes="*"/>', "*;*", [b"1 2  3\n", b" 4", b""], WHOLE, [[1, 2, 3], [4], []]),
        (f'<packet {TEXT} itemBytes="*" valTerm=";"/>', "*;*", [b"1;;3;", b"4;5"], WHOLE, [[1, -2147483647, 3], [4, 5]]),
        (f'<packet {TEXT} itemBytes="*" valSep=";" idxSep="!"/>', "*;*", [b"1;2;!", b"!"], WHOLE, [[1, 2], []]),
        (f'<packet {TEXT} itemBytes="*" valSep=";" idxSep="$|!"/>', "*;*;*", [b"1;!2;!$"], WHOLE, [[[1], [2]]]),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" idxTerm="!"/>', "*;2;*", [b"1;2!3;!", b"!4"], WHOLE, [[[1, 2], [3]], [[], [4]]]),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" idxTerm="$,!"/>', "*;2;*", [b"1;2;!3;!$", b"!!$"], WHOLE, [[[1, 2], [3]], [[], []]]),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" idxTerm="$,!,#"/>', "*;*;*;*", [b"1;2;#3;#!4;$", b"$", b"!$"], WHOLE, [[[[1, 2], [3]], [[4]]], [], [[]]]),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" idxTerm="$,!"/>', "*;*;*", [b"1;!2;!\n", b"3;!$\n"], WHOLE, [[[1], [2]], [[3]]]),
        (f'<packet {TEXT} itemBytes="3" idxTerm="!"/>', "*;*", [b" 1  2 !", b"!", b" 7 "], WHOLE, [[1, 2], [], [7]]),
        (f'<packet {TEXT} itemBytes="3"/>', "*;*", [b"[j|2] 1  2 ", b"[j|0]"], WHOLE, [[1, 2], []]),
        (f'<packet {TEXT} itemBytes="3" idxTerm="!"/>', "*;*", [b"a! b!c!"], WORD, [[b"a!", b"b!c"]]),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" trim="false"/>', "*;*", [b" a;b ;"], WORD, [[b" a", b"b "]]),
        (f'<packet {TEXT} itemBytes="*" valTerm="\\t"/>', "*;*", [b"a b\tc"], WORD, [[b"a b", b"c"]]),
        (f'<packet {TEXT} itemBytes="*" valTerm="\\0" idxTerm="\\n"/>', "*;*", [b"a;b\0\0\n"], WORD, [[b"a;b", b""]]),
        ('<packet numItems="*" itemBytes="1" encoding="ubyte"/>', "*;*;2", [b"[j|4]\1\2\3\4", b"[j|0]"], WHOLE, [[[1, 2], [3, 4]], []]),
        ('<packet numItems="*" itemBytes="1" encoding="ubyte"/>', "*;2;*", [b"[k|1]\1[k|2]\2\3"], WHOLE, [[[1], [2, 3]]]),
        ('<packet numItems="*" itemBytes="1" encoding="ubyte"/>', "*;*;*", [b"[j|0]", b"[j|2][k|0][k|1]\7"], WHOLE, [[], [[], [7]]]),
        ('<packet numItems="1" itemBytes="*" encoding="blob"/>', "*", [b"{0}", b"{3}{1}", b"|2|ab"], {"about": 'semantic="blob"'}, [[], [123, 49, 125], [97, 98]]),
        ('<packet numItems="1" itemBytes="2" encoding="blob"/>', "*", [b"ab"], {"about": 'semantic="blob"'}, [[97, 98]]),
        ('<packet numItems="1" itemBytes="*" encoding="base64"/>', "*", [b"{4}YWI="], {"about": 'semantic="blob"'}, [[97, 98]]),
        ('<packet numItems="2" itemBytes="*" encoding="blob"/>', "*;2", [b"{1}a{0}"], {"about": 'semantic="blob"'}, [[[97], []]]),
        ('<packet numItems="*" itemBytes="*" encoding="blob"/>', "*;*", [b"[j|2]{1}a{0}", b"[j|0]"], {"about": 'semantic="blob"'}, [[[97], []], []]),
        ('<packet numItems="2" itemBytes="*" encoding="utf8"/>', "*;2", [b"|1|a|3|b c"], WORD, [[b"a", b"b c"]]),
    ],
)  # fmt: skip
def test_values_of_any_size_are_read_as_the_format_says(packet, index, bodies, about, expected):
    """Terminators and count tags on each level, empty runs, edges of packets, names of release candidates."""
    assert found(packet, index, bodies, **about) == expected


def test_vectors_in_runs_are_counted_in_values():
    """`[j|6]` are two vectors of three."""
    packet = '<packet numItems="*" itemBytes="1" encoding="byte"/>'
    about = 'components="3" vecClass="spherical" refSurface="0" semantic="real"'
    items = decode(stream(packet, "*;*", [b"[j|6]\1\2\3\4\5\6", b"[j|0]"], about=about, tag="vector"))
    assert plain(records(items)["v"]) == [[[1, 2, 3], [4, 5, 6]], []]
    assert (items[1]["v"].vector.system, items[1]["v"].vector.surface) == ("spherical", "0")


@pytest.mark.parametrize(
    ("packet", "index", "body", "about", "behind", "why"),
    [
        ('<packet numItems="*" itemBytes="4" encoding="LEreal"/>', "*;*", b"[j|999999999]abcd", {}, "", "4 bytes left for it, and it needs 3,999,999,996"),
        ('<packet numItems="*" itemBytes="4" encoding="LEreal"/>', "*;*", b"[j|-1]", {}, "", r"count tag of a run stands, such as \[j\|12\]"),
        ('<packet numItems="*" itemBytes="4" encoding="LEreal"/>', "*;*", b"[k|1]abcd", {}, "", r"such as \[j\|12\]"),
        ('<packet numItems="*" itemBytes="4" encoding="LEreal"/>', "*;*", b"[j|1]abcdef", {}, "", "2 bytes behind its last variable"),
        ('<packet numItems="*" itemBytes="4" encoding="LEreal"/>', "*;*", b"", {}, "", "count tag"),
        ('<packet numItems="*" itemBytes="1" encoding="ubyte"/>', "*;*;*", b"[j|999999999][k|1]a", {}, "", "more than 1,048,576 values or runs"),
        ('<packet numItems="*" itemBytes="1" encoding="ubyte"/>', "*;*;*", b"[j|2][k|1]a", {}, "", r"such as \[k\|12\]"),
        ('<packet numItems="*" itemBytes="1" encoding="ubyte"/>', "*;*;2", b"[j|3]abc", {}, "", "no whole number of entries of 2|no multiple of 2"),
        ('<packet numItems="1" itemBytes="*" encoding="blob"/>', "*", b"{999999999}a", {"about": 'semantic="blob"'}, "", "an item of 999,999,999 bytes, and 1 are there"),
        ('<packet numItems="1" itemBytes="*" encoding="blob"/>', "*", b"a", {"about": 'semantic="blob"'}, "", "length of an item stands"),
        ('<packet numItems="999999999" itemBytes="*" encoding="blob"/>', "*;999999999", b"{0}", {"about": 'semantic="blob"'}, "", "more than 1,048,576 values or runs"),
        ('<packet numItems="1" itemBytes="*" encoding="base64"/>', "*", b"{3}a$b", {"about": 'semantic="blob"'}, "", "is no base64"),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" idxTerm="!"/>', "*;*", b"1;2;", {}, BYTE, "does not end with its terminator b'!'"),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" idxTerm="!"/>', "*;3;*", b"1;!2;!", {}, "", "2 runs over index j; by its header there are 3"),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" idxTerm="$,!"/>', "*;3;*", b"1;!2;!3;!4;!$", {}, "", "4 runs over index j; by its header there are 3"),
        (f'<packet {TEXT} itemBytes="3" idxTerm="!"/>', "*;*", b" 1 2!", {}, "", "5 bytes behind|no whole number of values of 3 bytes"),
        (f'<packet {TEXT} itemBytes="*" valTerm=";"/>', "*;*", b"one;", {}, "", "A value of v cannot be read"),
        (f'<packet {TEXT} itemBytes="*" valTerm=";"/>', "*;*", b"1" * 1001, {}, "", "it has 1,001 bytes"),
        (f'<packet {TEXT} itemBytes="*" valTerm=";"/>', "*;*", b"", {}, BYTE, "idxTerm is missing"),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" idxTerm="$,!,#"/>', "*;*;*", b"", {}, "", "idxTerm holds 3 terminators"),
        (f'<packet {TEXT} itemBytes="*" valTerm=";" idxTerm="!,;"/>', "*;*;*", b"", {}, "", "must all differ"),
        (f'<packet {TEXT} itemBytes="*" valTerm="ab"/>', "*;*", b"", {}, "", "'ab' is no terminator"),
        (f'<packet {TEXT} itemBytes="*" valTerm="["/>', "*;*", b"", {}, "", "is no terminator"),
        ('<packet numItems="*" itemBytes="4" encoding="LEreal" idxTerm="!"/>', "*;*", b"", {}, "", "idxTerm ends runs of text"),
        ('<packet numItems="3" itemBytes="4" encoding="LEreal"/>', "*;*", b"", {}, "", "holds \\* values, since their number varies"),
        ('<packet numItems="*" itemBytes="*" encoding="LEreal"/>', "*;*", b"", {}, "", "or \\* for text and blobs"),
        ('<packet numItems="3" itemBytes="*" encoding="utf8" valTerm=";"/>', "*;3", b"1;2;", {}, "", "2 of its 3 values|cannot be read"),
        ('<packet numItems="3" itemBytes="*" encoding="utf8"/>', "*;3", b"1 2", {}, "", "2 of its 3 values, which blanks separate"),
        ('<packet numItems="1" itemBytes="*" encoding="utf8"/>', "*", b"1 ", {}, '<packet numItems="1" itemBytes="9" encoding="LEint"/>', "cannot be read"),
        ('<packet numItems="1" itemBytes="*" encoding="utf8"/>', "*", b"1 ", {}, BYTE, "0 bytes left for it, and it needs 1"),
    ],
)  # fmt: skip
def test_packets_and_headers_that_lie_are_refused_by_name(packet, index, body, about, behind, why):
    """Counts without their bytes, lengths of a gigabyte, missing terminators: before anything of that size is made."""
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match=why) as caught:
            decode(stream(packet, index, [body], behind=behind, **about))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.kind == "source.stream"
    assert "v" in caught.value.message


def test_strings_of_very_different_lengths_come_in_smaller_batches():
    """A table has the width of its longest, so that few long ones and many short ones do not stand in one."""
    packet = '<packet numItems="1" itemBytes="*" encoding="utf8" valTerm=";"/>'
    bodies = [b"a;"] * 3000 + [b"b" * 60_000 + b";"] + [b"c;"] * 3000
    items = decode(stream(packet, "*", bodies, about='semantic="string"'))
    batches = [item for item in items if isinstance(item, Records)]
    assert sum(map(len, batches)) == 6001
    assert max(batch["v"].nbytes for batch in batches) <= 1 << 25
    one = stream(
        f'<packet {TEXT} itemBytes="*" valTerm=";"/>', "*;*", [b"d" * 60_000 + b";" * 3000], about='semantic="string"'
    )
    with pytest.raises(SourceError, match="strings of v are up to 60,000 bytes long"):
        decode(one)


def test_memory_is_bounded_by_the_batch():
    """Sixty megabytes of ragged records take what three megabytes take."""
    head, packets = (
        HEADER + stream('<packet numItems="*" itemBytes="4" encoding="LEreal"/>', "*;*", [])[len(HEADER) :],
        [],
    )
    for count in range(900, 1100):
        body = b"[j|%d]" % count + bytes(4 * count)
        packets.append(b"|Pd|1|%d|%b" % (len(body), body))
    piece = b"".join(packets)
    peaks = []
    for times in (4, 70):
        decoder, seen = Das3Decoder(), 0
        tracemalloc.start()
        for chunk in (head, *([piece] * times)):
            for item in decoder.feed(chunk):
                seen += len(item) if isinstance(item, Records) else 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert seen == 200 * times
    assert peaks[1] < 1.2 * peaks[0] < 16_000_000


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(list(ENCODERS)), st.lists(st.integers(1, 400), min_size=1, max_size=4))
def test_ragged_streams_survive_both_forms_in_any_chunks(drawn, form, sizes):
    """The same values come back, and those of the second time are the same items."""
    encoder, values = ENCODERS[form]
    items = drawn.draw(streams(ragged=True, form=form))
    back = decode(encode(encoder(**{**values, **EXACT[form]}), items), *sizes)
    before, after = merged(items)[1], merged(back)[1]
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert not misfit(other)
        same_values(one, other, 1e-15)
    again = decode(encode(encoder(**values), back))
    assert not difference(merged(decode(encode(encoder(**values), again))), merged(again))


def test_strings_that_hold_what_ends_them_are_refused(test_data):
    """Nothing is written that would be read as something else."""
    items = decode((test_data / "das3" / "ex36_events_rank3.d3t").read_bytes())
    batch = items[2]
    for text in (b"a;b", b"a!b", b"a\nb"):
        leaves = np.array([text] * len(batch["msgs"].leaves))
        with pytest.raises(SourceError, match="ends its values or runs"):
            encode(
                Das3TextEncoder(),
                [*items[:2], Records(batch.dataset, {**batch.columns, "msgs": batch["msgs"].with_leaves(leaves)})],
            )


def test_terminators_are_chosen_where_no_stream_gave_them():
    """A byte that no text holds for strings, others for runs, the line end for the last run of a packet."""
    items = decode(
        stream(f'<packet {TEXT} itemBytes="*" valTerm=";"/>', "*;*", [b"a;b"], about='semantic="string"', behind="")
    )
    variable = items[1]["v"]
    bare = items[1].swap(variable, replace(variable, encoding=None, axes=()))
    data = encode(Das3TextEncoder(), [items[0], bare, Records(bare, items[2].columns)])
    assert b'valTerm="\\0" idxTerm="\\n"' in data
    assert plain(records(decode(data))["v"]) == [[b"a", b"b"]]


def test_packets_beyond_what_classic_tools_read_are_refused():
    """A record of 262,144 bytes and more."""
    items = decode(
        stream(
            '<packet numItems="1" itemBytes="*" encoding="blob"/>',
            "*",
            [b"{300000}" + bytes(300_000)],
            about='semantic="blob"',
        )
    )
    with pytest.raises(SourceError, match="data packets of das3 hold at most") as caught:
        encode(Das3BinaryEncoder(), items)
    assert caught.value.kind == "source.limit"


EXTRA = '<extData name="e"><object scheme="s" objType="o" index="*"><packet numItems="1" itemBytes="{}" encoding="blob"/></object></extData>'


@pytest.mark.parametrize(("width", "parts"), [("2", [b"ab", b"cd"]), ("*", [b"{0}", b"{5}hello"])])
@pytest.mark.parametrize("form", ENCODERS)
def test_the_bytes_of_others_are_passed_through(width, parts, form):
    """What `<extData>` declares, and its bytes in each packet, whether packets have one size or not."""
    data = stream(BYTE, "*", [b"\1" + parts[0], b"\2" + parts[1]], about='semantic="integer"')
    size = int(data.split(b"|Hx|1|")[1].split(b"|")[0])
    data = data.replace(b"|Hx|1|%d|" % size, b"|Hx|1|%d|" % (size + len(EXTRA.format(width))))
    items = decode(data.replace(b"</dataset>", EXTRA.format(width).encode() + b"</dataset>"))
    assert items[1].extras == (EXTRA.format(width),)
    encoder, values = ENCODERS[form]
    back = decode(encode(encoder(**values), items), 5)
    assert not difference(records(back).extras, records(items).extras)
    assert bytes(records(back).extras.leaves) == b"".join(parts)
    assert records(back)["v"].tolist() == [1, 2]
    assert bytes(records(items).slice(slice(1, 2)).extras.leaves) == parts[1]
    bare = [*items[:2], Records(items[1], items[2].columns)]
    with pytest.raises(SourceError, match="d declares <extData>, and its records have none"):
        encode(encoder(**values), bare)


def test_extensions_of_datasets_are_kept():
    """Whatever stands in them."""
    body = stream(BYTE, "*", [b"a"], about='semantic="integer"').replace(
        b"<coord", b'<extension scheme="s" content="c"><own x="1">t</own></extension><coord', 1
    )
    head, size = body.split(b"|Hx|1|")[0], int(body.split(b"|Hx|1|")[1].split(b"|")[0])
    more = len(b'<extension scheme="s" content="c"><own x="1">t</own></extension>')
    items = decode(head + body[len(head) :].replace(b"|Hx|1|%d|" % size, b"|Hx|1|%d|" % (size + more)))
    back = decode(encode(Das3TextEncoder(), items))
    assert (
        back[1].extensions
        == items[1].extensions
        == ('<extension scheme="s" content="c"><own x="1">t</own></extension>',)
    )


def test_ids_of_fixed_and_of_varying_size_may_take_turns():
    """Each keeps its order, with thousands of spellings of lengths."""
    head = stream('<packet numItems="*" itemBytes="1" encoding="ubyte"/>', "*;*", [])
    fixed = b'<dataset name="f" rank="1" index="*"><coord physDim="n"><scalar semantic="integer" units="" index="*"><packet numItems="1" itemBytes="4" encoding="LEint"/></scalar></coord></dataset>'
    data = [head, b"|Hx|2|%d|%b" % (len(fixed), fixed)]
    for place in range(3000):
        body = b"[j|%d]" % place + bytes([place % 256]) * place
        data.append(b"|Pd|1|%d|%b|Pd|2|4|%b" % (len(body), body, place.to_bytes(4, "little")))
    columns: dict[str, list] = {"v": [], "n": []}
    for item in decode(b"".join(data), 100_000):
        if isinstance(item, Records):
            for name in item.columns:
                columns[name] += np.diff(item[name].offsets).tolist() if name == "v" else item[name].tolist()
    assert columns == {"v": list(range(3000)), "n": list(range(3000))}
