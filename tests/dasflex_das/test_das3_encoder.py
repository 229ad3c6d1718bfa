# SPDX-License-Identifier: GPL-3.0-or-later
"""What the encoders write is valid das3, and decodes to what was encoded."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from lxml import etree

from dasflex_core import epochs
from dasflex_core.arrays import (
    VARIES,
    Comment,
    CoordinateFrame,
    Dataset,
    Dimension,
    Encoding,
    NoData,
    Problem,
    Properties,
    Property,
    Ragged,
    Records,
    Sequence,
    StreamHeader,
    Variable,
    Vector,
)
from dasflex_core.errors import SourceError
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3BinaryEncoder, Das3TextEncoder
from dasflex_das.das3_framing import Das3Framer
from dasflex_das.das3_messages import comment_packet, problem_packet

FILES = [
    "das3/das3_csv_unsigned_test.d3b",
    "das3/ex05_waveform_extra.d3t",
    "das3/ex08_dynaspec_namespace.d3t",
    "das3/ex12_sounder_xyz.d3t",
    "das3/ex17_vector_noframe.d3b",
    "das3/ex22_mag_grid_vec.d3b",
    "das3/ex22_mag_grid_vec.d3t",
    "das3/ex23_props.d3t",
    "das3/ex25_isee_rapid_rank2.d3b",
    "das3/ex25_isee_rapid_rank2.d3t",
    "handmade/v3_vector_text.d3t",
    "handmade/v3_spectra_be.d3b",
]


@pytest.fixture(scope="session")
def schema(test_data):
    """The published schema of headers without a namespace."""
    return etree.XMLSchema(etree.parse(test_data / "schema" / "das-basic-stream-v3.0.xsd"))


def decode(data: bytes, size: int = 1 << 20) -> list:
    """The items of a stream."""
    decoder = Das3Decoder()
    items = [item for start in range(0, len(data), size) for item in decoder.feed(data[start : start + size])]
    return [*items, *decoder.finish()]


def encode(encoder, items: list) -> bytes:
    """The stream of the items."""
    return b"".join(chunk for item in items for chunk in encoder.feed(item)) + b"".join(encoder.finish())


def validate(schema, data: bytes) -> None:
    """Every header of the stream is valid."""
    for frame in Das3Framer().feed(data):
        if frame.kind != "data":
            body = frame.data.split(b"|", 4)[4]
            schema.assertValid(etree.fromstring(body))


def column(items: list, name: str) -> np.ndarray:
    """The whole column of a variable."""
    return np.concatenate([item[name] for item in items if isinstance(item, Records)])


def first(items: list) -> Dataset:
    """The first declaration."""
    return next(item for item in items if isinstance(item, Dataset))


def stream(
    *variables: Variable, columns: dict | None = None, index: tuple[int, ...] = (VARIES,), coordinates: int = 1, **about
) -> list:
    """Header, dataset and records of some variables, each in a dimension of its own."""
    made = Dataset(
        id=1,
        name="d",
        index=index,
        dimensions=tuple(
            Dimension(each.name.partition(".")[0], "thing", coordinate=place < coordinates, variables=(each,))
            for place, each in enumerate(variables)
        ),
        wire=tuple(each.name for each in variables if each.per_record),
    )
    made = replace(made, **about)
    return [StreamHeader(), made, *([Records(made, columns)] if columns else [])]


def variable(name: str, dtype, encoding: Encoding | None = None, **about) -> Variable:
    """A variable with one value per record."""
    facts = {"role": "center", "semantic": "real", "units": "V", "index": (VARIES,), **about}
    return Variable(name=name, dtype=np.dtype(dtype), encoding=encoding, **facts)


def tags(name: str, values: np.ndarray, **about) -> Variable:
    """A coordinate whose values stand in the header."""
    return variable(name, values.dtype, **{"index": (None, 2, None), **about}, values=values)


ENCODERS = [(Das3BinaryEncoder, {}), (Das3TextEncoder, {}), (Das3TextEncoder, {"secfrac": 9, "sigdigit": 9})]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("encoder", "values"), ENCODERS)
def test_a_real_stream_is_written_validly_and_decodes_to_the_same(test_data, schema, name, encoder, values):
    """In both forms: declarations, properties, sequences and values."""
    items = decode((test_data / name).read_bytes())
    data = encode(encoder(**values), items)
    validate(schema, data)
    back = decode(data)
    assert back[0].properties == items[0].properties
    assert back[0].frames == items[0].frames
    before, after = first(items), first(back)
    assert (after.name, after.index, after.wire, after.plot, after.properties) == (
        before.name, before.index, before.wire, before.plot, before.properties)  # fmt: skip
    for own, other in zip(before.variables.values(), after.variables.values(), strict=True):
        assert (own.name, own.role, own.index, own.properties, own.label) == (
            other.name, other.role, other.index, other.properties, other.label)  # fmt: skip
        assert own.vector is None or own.vector.components == other.vector.components
        if own.values is not None:
            np.testing.assert_array_equal(own.values, other.values)
        elif any(isinstance(item, Records) for item in items):
            equal_columns(own, other, column(items, own.name), column(back, own.name))


def equal_columns(own: Variable, other: Variable, before: np.ndarray, after: np.ndarray) -> None:
    """Times to the millisecond, floats to the digits of their text, and everything else exactly."""
    if own.semantic == "datetime":
        step = epochs.to_datetime64(before, own.units) - epochs.to_datetime64(after, other.units)
        assert abs(step).max() <= np.timedelta64(500_001, "ns")
    elif own.dtype.kind == "f":
        np.testing.assert_allclose(after, before, rtol=5.01e-6)
    else:
        np.testing.assert_array_equal(after, before)


TWINS = [
    "ex22_mag_grid_vec",
    "ex25_isee_rapid_rank2",
    "ex27_epop_fai_mgf_blob",
    "ex30_cassini_ragged_notlast",
    "ex32_marsis_2d_ragged",
    "ex34_ragged_fixstr",
    "ex36_events_rank3",
    "ex38_wbr_wfrm_tags",
]


@pytest.mark.parametrize("name", TWINS)
def test_text_records_are_those_of_the_classic_tool(test_data, name):
    """Byte for byte what `das3_text -r 4` made of the binary twin, but for the milliseconds that it cut off."""
    items = decode((test_data / "das3" / f"{name}.d3b").read_bytes())
    mine = data_packets(encode(Das3TextEncoder(sigdigit=4, secfrac=3), items))
    golden = data_packets((test_data / "das3" / f"{name}.d3t").read_bytes())
    parts = [[re.split(rb"(\d{4}-\d\d-\d\dT[\d:]+)\.\d*", packet) for packet in packets] for packets in (mine, golden)]
    assert parts[0] == parts[1]


def data_packets(data: bytes) -> list[bytes]:
    """The data packets of a stream."""
    return [frame.data for frame in Das3Framer().feed(data) if frame.kind == "data"]


def test_a_text_stream_is_written_as_it_was_read(test_data):
    """Widths and digits of text are kept, so the data packets are the same bytes."""
    for name in ("das3/ex22_mag_grid_vec.d3t", "das3/ex25_isee_rapid_rank2.d3t", "handmade/v3_vector_text.d3t"):
        data = (test_data / name).read_bytes()
        assert data_packets(encode(Das3TextEncoder(), decode(data))) == data_packets(data)


BINARY = [
    ("byte", "i1"), ("ubyte", "u1"),
    *((f"{order}{kind}", f"{mark}{letter}{width}")
      for order, mark in (("BE", ">"), ("LE", "<"))
      for kind, letter, widths in (("int", "i", (2, 4, 8)), ("uint", "u", (2, 4, 8)), ("real", "f", (4, 8)))
      for width in widths),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "dtype"), BINARY)
@settings(max_examples=12)
@given(drawn=st.data())
def test_every_binary_encoding_survives_the_round_trip(encoding, dtype, drawn):
    """Every bit, in any shape, split anywhere."""
    dtype = np.dtype(dtype)
    shape = drawn.draw(st.sampled_from([(), (3,), (2, 2)]))
    rows = drawn.draw(st.integers(1, 5))
    values = drawn.draw(arrays.arrays(dtype, (rows, *shape), elements=arrays.from_dtype(dtype, allow_nan=False)))
    own = variable("v", dtype, Encoding(encoding, dtype.itemsize), index=(VARIES, *shape), fill=0)
    items = stream(own, columns={"v": values}, index=(VARIES, *shape))
    back = decode(encode(Das3BinaryEncoder(), items), drawn.draw(st.sampled_from([1, 7, 4096])))
    found = first(back)["v"]
    assert (found.dtype, found.encoding.name, found.fill) == (dtype, encoding, 0)
    np.testing.assert_array_equal(column(back, "v"), values)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@settings(max_examples=15)
@given(drawn=st.data())
def test_every_integer_survives_as_text(dtype, drawn):
    """In the classic widths, up to the largest of 64 bits."""
    values = drawn.draw(arrays.arrays(dtype, st.integers(1, 5)))
    items = stream(variable("v", dtype, semantic="integer"), columns={"v": values})
    data = encode(Das3TextEncoder(), items)
    back = decode(data)
    assert first(back)["v"].encoding.width == {"1": 5, "2": 8, "4": 13, "8": 22}[dtype[1]]
    np.testing.assert_array_equal(column(back, "v"), values)
    assert column(back, "v").dtype == np.dtype(dtype)
    assert data.endswith(b"\n")


@pytest.mark.parametrize(("dtype", "significant"), [("f4", 9), ("f8", 17)])
@settings(max_examples=30)
@given(drawn=st.data())
def test_reals_survive_as_text_with_enough_digits(dtype, significant, drawn):
    """Nine digits for a float, seventeen for a double, which is what they get where none are asked for."""
    finite = arrays.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False, allow_subnormal=False)
    finite = finite.filter(lambda value: value == 0 or 1e-90 < abs(float(value)) < 1e90)
    values = drawn.draw(arrays.arrays(dtype, st.integers(1, 6), elements=finite))
    items = stream(variable("v", dtype, Encoding("LEreal", int(dtype[1]))), columns={"v": values})
    exact = decode(encode(Das3TextEncoder(sigdigit=significant), items))
    np.testing.assert_array_equal(column(exact, "v"), values)
    plain = decode(encode(Das3TextEncoder(), items))
    np.testing.assert_array_equal(column(plain, "v"), values)


@settings(max_examples=30)
@given(st.lists(st.integers(-2_000_000_000, 6_000_000_000), min_size=1, max_size=6), st.integers(0, 9))
def test_times_survive_in_both_forms(seconds, digits):
    """As TT2000 to the nanosecond, as text to the digits asked for."""
    times = np.array(seconds, dtype="M8[s]").astype("M8[ns]") + np.timedelta64(123_456_789, "ns")
    own = variable("t", "M8[ns]", Encoding("utf8", 30), semantic="datetime", units="UTC")
    items = stream(own, columns={"t": times})
    binary = decode(encode(Das3BinaryEncoder(), items))
    assert (first(binary)["t"].units, first(binary)["t"].encoding.name) == ("TT2000", "LEint")
    np.testing.assert_array_equal(epochs.to_datetime64(column(binary, "t"), "TT2000"), times)
    text = decode(encode(Das3TextEncoder(secfrac=digits), items))
    assert first(text)["t"].encoding.width == (21 + digits if digits else 20)
    step = abs(column(text, "t") - times).max()
    assert step <= np.timedelta64(5 * 10 ** (8 - digits) if digits < 9 else 0, "ns")


@settings(max_examples=30)
@given(st.lists(st.text("abc xyz-_", max_size=6).map(str.strip), min_size=1, max_size=5))
def test_strings_and_states_survive_in_both_forms(words):
    """Strings of fixed width; states as T, F and `*`."""
    text = np.array([word.encode() for word in words], dtype="S6")
    state = np.array([len(word) % 3 - 1 for word in words], dtype="i1")
    state[state < 0] = -128
    items = stream(
        variable("s", "S6", Encoding("utf8", 6), semantic="string", units=""),
        variable("b", "i1", semantic="bool", units="", fill=-128),
        columns={"s": text, "b": state},
    )
    for encoder in (Das3BinaryEncoder(), Das3TextEncoder()):
        back = decode(encode(encoder, items))
        assert column(back, "s").tolist() == [word.encode() for word in words]
        assert column(back, "b").tolist() == state.tolist()


@pytest.mark.parametrize(
    ("width", "text"),
    [(9, b"-1234.56 "), (9, b"0.001234 "), (10, b"123.45678 "), (11, b"-0.0012345 "), (12, b"98765.43210 ")],
)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_text_of_numbers_keeps_its_digits_in_its_width(dtype, width, text):
    """In decimal notation, where `%e` has no room for them; das3_text leaves texts alone."""
    value = np.array([float(text)], dtype=dtype)
    items = stream(variable("v", dtype, Encoding("utf8", width)), columns={"v": value})
    back = decode(encode(Das3TextEncoder(), items))
    assert first(back)["v"].encoding.width == width
    assert column(back, "v").tolist() == value.tolist()


@pytest.mark.parametrize(("units", "step"), [("TT2000", 1), ("ns1970", 1)])
def test_times_that_count_nanoseconds_survive_as_text(units, step):
    """Nothing is lost where nothing is said of `format.secfrac`."""
    numbers = np.array([800_000_000_123_456_789, 800_000_000_123_456_789 + step], dtype="i8")
    own = variable("t", "i8", Encoding("LEint", 8), semantic="datetime", units=units, fill=-(2**63))
    back = decode(encode(Das3TextEncoder(), stream(own, columns={"t": numbers})))
    np.testing.assert_array_equal(epochs.from_datetime64(column(back, "t"), units), numbers)


def test_text_records_look_as_people_expect():
    """Right-justified numbers, one blank between values, a line end at the end, fill as the header says."""
    own = (
        variable("t", "i8", Encoding("LEint", 8), semantic="datetime", units="TT2000", fill=-(2**63)),
        variable("f", "f4", fill=-1e31),
        variable("n", "f4", fill=float("nan")),
        variable("s", "S4", Encoding("utf8", 4), semantic="string", units=""),
    )
    tt2000 = np.array([0, -(2**63)], dtype="i8")
    columns = {
        "t": tt2000,
        "f": np.array([1.5, -1e31], dtype="f4"),
        "n": np.array([np.nan, 2], dtype="f4"),
        "s": np.array([b"on", b"full"]),
    }
    data = encode(Das3TextEncoder(), stream(*own, columns=columns))
    assert data_packets(data) == [
        b"|Pd|1|66|2000-01-01T11:58:55.816000000  1.50000000e+00             NaN on \n",
        b"|Pd|1|66|0001-01-01T00:00:00.000000000 -1.00000000e+31  2.00000000e+00 full",
    ]


def test_neighbours_of_one_width_are_written_as_each_alone_would_be():
    """Singles with fills of their own, rows of two, and doubles and integers between; and no record is no packet."""
    own = (
        variable("a", "f4", fill=-1e31),
        variable("b", "f4", fill=-1e31),
        variable("c", ">f4", fill=1e30, index=(VARIES, 2)),
        variable("i", "i2", semantic="integer", fill=-1),
        variable("e", "f8", fill=-1e31),
        variable("f", "f4", fill=float("nan")),
    )
    columns = {
        "a": np.array([-1e31, 2], dtype="f4"),
        "b": np.array([1e30, -1e31], dtype="f4"),
        "c": np.array([[1e30, -1e31], [0, -0.5]], dtype=">f4"),
        "i": np.array([7, -1], dtype="i2"),
        "e": np.array([np.float32(-1e31), -1e31]),
        "f": np.array([np.nan, 1e30], dtype="f4"),
    }
    items = stream(*own, columns=columns, index=(VARIES, 2))
    texts = [
        b"-1.000000000e+31 1.000000015e+30 1.000000000e+30 -9.999999848e+30 7 -9.999999848e+30 NaN",
        b"2.000000000e+00 -1.000000000e+31 0.000000000e+00 -5.000000000e-01 -1 -1.000000000e+31 1.000000015e+30",
    ]
    packets = data_packets(encode(Das3TextEncoder(sigdigit=10), items))
    assert [packet.split(b"|")[-1].split() for packet in packets] == [text.split() for text in texts]
    assert len({len(packet) for packet in packets}) == 1
    empty = Records(items[1], {name: values[:0] for name, values in columns.items()})
    assert encode(Das3TextEncoder(), [*items[:2], empty]) == encode(Das3TextEncoder(), items[:2])


def test_a_fill_time_of_its_own_is_written_for_what_is_missing():
    """NaT in the column, the declared time on the wire, NaT again."""
    fill = np.datetime64("2026-01-01", "ns")
    times = np.array(["NaT", "2031-04-02T00:00:00.5"], dtype="M8[ns]")
    own = variable("t", "M8[ns]", Encoding("utf8", 24), semantic="datetime", units="UTC", fill=fill)
    data = encode(Das3TextEncoder(), stream(own, columns={"t": times}))
    assert b"2026-01-01T00:00:00.000\n" in data
    np.testing.assert_array_equal(column(decode(data), "t"), times)


def test_what_reducers_change_is_written_by_type():
    """Averages of integers become reals, computed columns without encoding get the natural one."""
    counts = variable("mean", "f8", Encoding("LEint", 2))
    wide = variable("sum", "i8", Encoding("BEint", 2), semantic="integer")
    narrow = variable("peak", "f8", Encoding("BEreal", 4))
    plain = variable("plain", ">f4")
    columns = {
        "mean": np.array([1.5]), "sum": np.array([2**40]), "peak": np.array([0.5]), "plain": np.array([2.5], dtype=">f4"),
    }  # fmt: skip
    back = decode(encode(Das3BinaryEncoder(), stream(counts, wide, narrow, plain, columns=columns)))
    found = {each.name: (each.encoding.name, each.encoding.width) for each in first(back).columns}
    assert found == {"mean": ("LEreal", 8), "sum": ("LEint", 8), "peak": ("BEreal", 4), "plain": ("BEreal", 4)}
    assert [column(back, name)[0] for name in columns] == [1.5, 2**40, 0.5, 2.5]


def test_headers_that_say_everything_are_valid(schema):
    """Odd names, unknown types, means, frames, sequences of every kind, header values that are not finite."""
    header = StreamHeader(
        properties=Properties(
            (
                Property("2 odd", 'a < b & "c"\nd', "Datum"),
                Property("a", "1;2", "realArray", "V", ";"),
                Property("r", "1 to 2", "realRange", "Hz"),
            )
        ),
        frames=(CoordinateFrame("GSE", "EARTH", "true", Properties((Property("label", "L"),))), CoordinateFrame("a b")),
        extensions=('<extension scheme="s" content="c"><own/></extension>',),
        lang="en",
    )
    grid = np.array([[1.0, np.nan, np.inf]] * 2)
    times = np.array(["2031-04-02", "2031-04-03"], dtype="M8[ns]")
    utc = {"semantic": "datetime", "units": "UTC"}
    daily, endless = Sequence("2031-04-02", ("-", "86400", "-")), Sequence("NaN", ("-", "1", "-"))
    variables = (
        variable("t", "M8[ns]", index=(VARIES, None, None), **utc),
        tags("f", grid, index=(None, 2, 3)),
        tags("s", np.zeros(2), sequences=(Sequence(" 1.0 ", ("-", "1e-3", "-")),)),
        tags("u", times, sequences=(daily,), **utc),
        tags("w", times, **utc),
        tags("x", np.zeros(2), sequences=(endless,)),
        variable(
            "B.mean",
            "f4",
            role="mean",
            label="mean B",
            vector=Vector(2, "detic", (1, 0), "0", "a b"),
            index=(VARIES, 2, 3),
        ),
    )
    items = stream(*variables, index=(VARIES, 2, 3), coordinates=6, plot="odd plot", name="1 d")
    last = replace(items[1].dimensions[6], axis="x y", frame="a b")
    made = replace(items[1], dimensions=(*items[1].dimensions[:6], last))
    data = encode(Das3TextEncoder(), [header, made])
    validate(schema, data)
    back = first(decode(data))
    assert back.index == (VARIES, 2, 3)
    assert back["f"].values.tolist() == [[1.0, -1e31, -1e31]] * 2
    np.testing.assert_array_equal(back["u"].values, times)
    np.testing.assert_array_equal(epochs.to_datetime64(back["w"].values, back["w"].units), times)
    assert (back["B"].role, back["B"].label, back["B"].vector.order) == ("center", "mean B", (1, 0))


def test_messages_are_packets_that_decode(schema):
    """Comments, problems and nothing found; a bare header comes first where none was given."""
    items = [Comment("log:info", "a < b", "me"), Problem("QueryError", "bad & worse"), NoData("nothing here")]
    data = encode(Das3BinaryEncoder(), items)
    validate(schema, data)
    assert decode(data) == [StreamHeader(), *items]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("query.bad-time", Problem("QueryError", "m")),
        ("not-found.source", Problem("QueryError", "m")),
        ("source.exit", Problem("ServerError", "m")),
        ("ServerError", Problem("ServerError", "m")),
        ("NoMatchingData", NoData("m")),
    ],
)
def test_a_failure_has_the_exception_type_of_its_kind(kind, expected):
    """As `das3` spells it."""
    head = encode(Das3BinaryEncoder(), [StreamHeader()])
    assert decode(head + problem_packet(kind, "m"))[1] == expected
    assert decode(head + comment_packet("taskSize", "", "7"))[1] == Comment("taskSize", "7")


def test_a_record_too_large_for_a_packet_is_refused_with_the_dataset():
    """Classic tools read at most 262,144 bytes."""
    items = stream(variable("v", "f4", index=(VARIES, 65_536)), index=(VARIES, 65_536))
    with pytest.raises(SourceError, match=r"Dataset d has records of 262,15\d bytes"):
        encode(Das3BinaryEncoder(), items)
    many = Properties(tuple(Property(f"p{each}", "x" * 200) for each in range(1300)))
    with pytest.raises(SourceError, match="header of"):
        encode(Das3BinaryEncoder(), [StreamHeader(properties=many)])


def test_ragged_columns_and_undeclared_records_are_refused():
    """By name."""
    items = stream(variable("v", "f4", index=(VARIES,)), columns={"v": np.zeros(1, "f4")})
    with pytest.raises(SourceError, match="d came before its declaration"):
        encode(Das3BinaryEncoder(), [items[0], items[2]])
    ragged = Records(items[1], {"v": Ragged(np.zeros(1), np.array([0, 1]))})
    with pytest.raises(SourceError, match="v is declared with a fixed shape, and is ragged"):
        encode(Das3BinaryEncoder(), [items[0], items[1], ragged])


def test_the_text_form_offers_digits_within_bounds():
    """`format.secfrac` 0 to 9 and `format.sigdigit` 2 to 17, for the solver."""
    params = {each.name: (each.mode, each.type, each.low, each.high) for each in Das3TextEncoder.spec.params}
    assert params == {
        "format.secfrac": ("offered", "integer", 0, 9),
        "format.sigdigit": ("offered", "integer", 2, 17),
    }
    assert str(Das3BinaryEncoder.spec.produces) == "das/3/binary"
    assert str(Das3TextEncoder.spec.produces) == "das/3/text"
    assert str(Das3Decoder.spec.accepts) == "das/3"
