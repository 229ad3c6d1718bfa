# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that das2 streams are written as every client reads them, and come back as they went in."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    Encoding,
    NoData,
    Problem,
    Properties,
    Property,
    Records,
    StreamHeader,
    Variable,
)
from dasflex_core.errors import QueryError, SourceError
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder, Das2TextEncoder
from dasflex_das.das2_framing import Das2Framer
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.elements import parse

ENCODERS = (Das2BinaryEncoder, Das2TextEncoder)


def decode(stream, cuts=(), decoder=Das2Decoder):
    made = decoder()
    edges = [0, *sorted(cuts), len(stream)]
    return [*(item for a, b in pairwise(edges) for item in made.feed(stream[a:b])), *made.finish()]


def encode(items, encoder, **options):
    made = encoder(**options)
    return b"".join([*(chunk for item in items for chunk in made.feed(item)), *made.finish()])


def header(tag, body):
    return b"[%b]%06d%b" % (tag.encode(), len(body.encode()), body.encode())


def stream(planes, data=b"", properties=""):
    return (
        header("00", f'<stream version="2.2">{properties}</stream>') + header("01", f"<packet>{planes}</packet>") + data
    )


def said(item):
    """What an item says, as values that compare; records as their columns."""
    if not isinstance(item, Dataset):
        return item
    return (
        item.id,
        item.name,
        item.index,
        item.wire,
        item.properties,
        [
            (each.name, each.physical, each.coordinate, each.axis, [variable(own) for own in each.variables])
            for each in item.dimensions
        ],
    )


def variable(own):
    values = None if own.values is None else own.values.tolist()
    names = set(Variable.__dataclass_fields__) - {"values", "axes", "properties"}
    return values, [getattr(own, name) for name in sorted(names)], set(own.properties)


def columns(items):
    """The columns of each dataset, batches joined, by the ordinal of the dataset among those with records."""
    found, ordinals = {}, {}
    for item in items:
        if isinstance(item, Records):
            ordinal = ordinals.setdefault(id(item.dataset), len(ordinals) + 1)
            for name in item.dataset.wire:
                found.setdefault((ordinal, name), []).append(item[name])
    return {key: np.concatenate(batches) for key, batches in found.items()}


def assert_same(first, second):
    assert [said(item) for item in first if not isinstance(item, Records)] == [
        said(item) for item in second if not isinstance(item, Records)
    ]
    ours, theirs = columns(first), columns(second)
    assert ours.keys() == theirs.keys()
    for key, column in ours.items():
        assert np.array_equal(column, theirs[key], equal_nan=True), key


# Any dataset of generation 2, in every encoding.

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}(\.[a-z]{1,3})?", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=10)
binary = st.sampled_from([("sun_real", 4), ("sun_real", 8), ("little_endian_real", 4), ("little_endian_real", 8)])
ascii_ = st.tuples(st.just("ascii"), st.integers(9, 24))
#: Widths of times that hold whole seconds or more; the fraction has width - 21 digits.
times = st.tuples(st.just("time"), st.sampled_from([20, 22, 23, 24, 25, 26, 27, 28, 29, 30]))
types = st.sampled_from(
    ["String", "double", "boolean", "int", "Datum", "DatumRange", "doubleArray", "Time", "TimeRange"]
)
properties = st.dictionaries(
    st.from_regex(r"p[A-Za-z0-9_]{1,6}", fullmatch=True),
    st.tuples(types, texts.map(lambda text: " ".join(text.split()))),
    max_size=3,
).map(
    lambda found: (
        "<properties " + " ".join(f'{kind}:{name}="{escaped(text)}"' for name, (kind, text) in found.items()) + "/>"
        if found
        else ""
    )
)


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


@st.composite
def planes(draw, encodings):
    """The element of a plane."""
    kind = draw(st.sampled_from(["y", "yscan"]))
    name, width = draw(encodings)
    inside, own = draw(properties), draw(names)
    if kind == "y":
        return (
            f'<y name="{own}" type="{name}{width}" units="{draw(st.sampled_from(["nT", "", "V m**-1"]))}">{inside}</y>'
        )
    count = draw(st.integers(1, 4))
    tags = draw(
        st.sampled_from(["", 'yTagInterval="0.5" yTagMin="-1e1"', f'yTags="{",".join(map(str, range(count)))}"'])
    )
    units = draw(st.sampled_from(["Hz", "s", "eV", ""]))
    return (
        f'<yscan name="{own}" type="{name}{width}" nitems="{count}" yUnits="{units}" zUnits="V" {tags}>{inside}</yscan>'
    )


def layouts(encodings, first):
    """The planes of a packet, x first; no other plane has its name, which would be written with a number behind it."""
    x = first.map(lambda drawn: f'<x name="wire_clock" type="{drawn[0]}{drawn[1]}" units="us2000"/>')
    return st.tuples(x, st.lists(planes(encodings), max_size=3)).map(lambda drawn: drawn[0] + "".join(drawn[1]))


def numbers(own, count, draw):
    """Values that the encoding of a variable can hold exactly."""
    shape = (count, *own.shape)
    size = int(np.prod(shape))
    if own.dtype.kind == "M":
        unit = 10 ** (9 - max(0, own.encoding.width - 21))
        drawn = draw(st.lists(st.integers(-(10**18), 8 * 10**18), min_size=size, max_size=size))
        return (np.array(drawn, dtype=np.int64) // unit * unit).view("M8[ns]").reshape(shape)
    if own.encoding.name == "ascii":
        digits = own.encoding.width - 7
        drawn = draw(st.lists(st.floats(allow_infinity=False), min_size=size, max_size=size))
        kept = [
            0.0 if number and not 1e-99 < abs(number) < 1e99 else float(f"{number:.{digits - 1}e}") for number in drawn
        ]
        return np.array(kept, dtype=np.float64).reshape(shape)
    drawn = draw(st.lists(st.floats(width=8 * own.dtype.itemsize), min_size=size, max_size=size))
    return np.array(drawn, dtype=own.dtype).reshape(shape)


def drawn_items(layout, draw):
    """The items of a stream of that layout, with values."""
    start, dataset = decode(stream(layout, properties=draw(properties)))
    batches = []
    for count in draw(st.lists(st.integers(1, 4), max_size=3)):
        batches.append(Records(dataset, {own.name: numbers(own, count, draw) for own in dataset.columns}))
        if draw(st.booleans()):
            batches.append(Comment("log:info", draw(texts).strip(), "me"))
    last = draw(st.sampled_from([(), (Problem("QueryError", "bad"),), (NoData("none"),)]))
    return [start, dataset, *batches, *last]


def canonical(items, encoder):
    """The items as they are once the stream has been written: planes named, `sourceId` there."""
    return decode(encode([item for item in items if isinstance(item, (StreamHeader, Dataset))], encoder))


@pytest.mark.parametrize(
    ("encoder", "layout"),
    [
        (Das2BinaryEncoder, layouts(binary, binary.filter(lambda drawn: drawn[1] == 8))),
        (Das2BinaryEncoder, layouts(st.one_of(binary, ascii_, times), binary.filter(lambda drawn: drawn[1] == 8))),
        (Das2TextEncoder, layouts(st.one_of(ascii_, times), times)),
    ],
    ids=["binary", "mixed", "text"],
)
def test_what_is_encoded_decodes_to_the_same_items_for_any_chunking(encoder, layout):
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def prove(data):
        items = drawn_items(data.draw(layout), data.draw)
        written = encode(items, encoder)
        cuts = data.draw(st.lists(st.integers(0, len(written)), max_size=5))
        found = decode(written, cuts)
        wanted = [
            *canonical(items, encoder),
            *(item for item in items if not isinstance(item, (StreamHeader, Dataset))),
        ]
        comments = [item for item in wanted if isinstance(item, Comment)]
        assume(all(" ".join(each.text.split()) == each.text for each in comments))
        assert_same(found, wanted)
        assert encode(found, encoder) == written

    prove()


def test_real_streams_have_one_canonical_form_in_each_encoder(test_data):
    files = [*test_data.glob("das2/*.d2*"), *test_data.glob("handmade/v2*")]
    assert len(files) > 10
    for file in files:
        items = decode(file.read_bytes())
        for encoder in ENCODERS:
            once = encode(items, encoder)
            assert encode(decode(once), encoder) == once, file.name


def test_real_values_survive_both_encoders(test_data):
    for file in [*test_data.glob("das2/*.d2*"), *test_data.glob("handmade/v2*")]:
        items = decode(file.read_bytes())
        ours = columns(items)
        for encoder in ENCODERS:
            theirs = columns(decode(encode(items, encoder)))
            for (number, name), column in ours.items():
                other = theirs[number, name]
                if name == "time":
                    continue  # its units may differ; see the tests of times
                assert np.array_equal(column, other.astype(column.dtype)), (file.name, encoder, name)


def numbered(frames):
    """The data packets, each with its place among those of its id."""
    counts = {}
    for frame in frames:
        if frame.kind == "data":
            counts[frame.id] = counts.get(frame.id, 0) + 1
            yield counts[frame.id], frame


def test_classic_text_is_written_again_byte_for_byte(test_data):
    """The data packets of what the classic program wrote in %e are our own canonical form."""
    for name in (
        "das2_ascii_output1.d2t",
        "das2_from_das1_output1.d2t",
        "juno_waves_sample.d2t",
        "galileo_pws_sample.d2t",
    ):
        original = (test_data / "das2" / name).read_bytes()
        written = encode(decode(original), Das2TextEncoder)
        ours, theirs = (
            sorted((frame.id, place, frame.data) for place, frame in numbered(Das2Framer().feed(data)))
            for data in (written, original)
        )
        assert len(ours) > 30
        assert ours == theirs


def test_the_classic_conversion_to_text_is_reproduced(test_data):
    """What `das2_ascii -r 4 -s 3` made of a binary stream: each packet, each property, each comment."""
    items = decode((test_data / "das2" / "das2_ascii_input1.d2s").read_bytes())
    golden = (test_data / "das2" / "das2_ascii_output1.d2t").read_bytes()
    encoder = Das2TextEncoder(secfrac=3, sigdigit=4)
    written = b"".join(chunk for item in items for chunk in encoder.feed(item))
    ours, theirs = ([f.data for f in Das2Framer().feed(each) if f.kind == "data"] for each in (written, golden))
    assert len(ours) == 1398
    assert ours == theirs
    mine, classic = decode(written), decode(golden)
    assert [each for each in mine if isinstance(each, Comment)] == [
        each for each in classic if isinstance(each, Comment)
    ]
    assert mine[0].properties == classic[0].properties


# Headers.


def schema(test_data):
    return etree.XMLSchema(etree.parse(test_data / "schema" / "das-basic-stream-v2.2.xsd"))


def standard_xml(element):
    """The element with each property as `<p name type>`, which is what the published schema describes."""
    made = etree.Element(element.tag, dict(element.attributes) if element.tag != "properties" else {})
    for name, text in element.attributes if element.tag == "properties" else ():
        prefix, _colon, own = name.rpartition(":")
        etree.SubElement(made, "p", {"name": own, "type": prefix or "String"}).text = text
    for child in element.children:
        made.append(standard_xml(child))
    return made


def test_every_header_that_is_written_follows_the_published_schema(test_data):
    rules = schema(test_data)
    seen = 0
    for file in [*test_data.glob("das2/*.d2*"), *test_data.glob("handmade/v2*"), *test_data.glob("handmade/v3_*")]:
        try:
            items = decode(file.read_bytes(), decoder=Das3Decoder if file.name.startswith("v3") else Das2Decoder)
            written = [encode(items, encoder) for encoder in ENCODERS]
        except QueryError:
            continue  # runs and blobs, which das2 cannot hold
        for data in written:
            for frame in Das2Framer().feed(data):
                if frame.kind != "data":
                    seen += 1
                    rules.assertValid(standard_xml(parse(frame.data[10:], "H")))
    assert seen > 40


def test_the_schema_check_can_fail(test_data):
    bad = parse(b'<packet><x type="time24"/></packet>', "H")
    assert not schema(test_data).validate(standard_xml(bad))


def test_the_header_has_the_canonical_form():
    planes = '<x type="time24" units="UTC"/><yscan type="ascii11" nitems="2" yTags=" 1, 2" yUnits="Hz" zUnits="V"/>'
    assert encode(decode(stream(planes, properties='<properties title="a &lt; b"/>')), Das2TextEncoder) == (
        b'[00]000110<stream version="2.2">\n  <properties\n    String:title="a &lt; b"\n    String:sourceId="dasflex"\n'
        b"  />\n</stream>\n"
        b'[01]000178<packet>\n  <x name="time" type="time24" units="us2000">\n  </x>\n  <yscan name="yscan" type="ascii11"'
        b' nitems="2" yUnits="Hz" zUnits="V"\n         yTags="1, 2">\n  </yscan>\n</packet>\n'
    )


def plane(name, dtype="<f4", index=(VARIES,), **facts):
    return Variable(name, "center", "real", "V", index, np.dtype(dtype), **facts)


def made(*data, coordinates=(), index=(VARIES,), **facts):
    """A dataset of generation 2 as a reader of arrays might make it."""
    time = Variable("time", "center", "datetime", "UTC", (VARIES, *[None] * (len(index) - 1)), np.dtype("M8[ns]"))
    dimensions = [Dimension("time", "time", True, (time,), axis="x")]
    dimensions += [Dimension(each.name, each.name, True, (each,), axis="y") for each in coordinates]
    dimensions += [Dimension(each.name, each.name, False, (each,)) for each in data]
    wire = ("time", *(each.name for each in data))
    return Dataset(1, "d", index, tuple(dimensions), wire, generation=2, **facts)


def test_a_plane_gets_the_fill_and_the_operation_that_its_variable_says():
    low = Variable("b.min", "min", "real", "nT", (VARIES,), np.dtype("<f4"), fill=0.0)
    mean = Variable("b", "center", "real", "nT", (VARIES,), np.dtype("<f4"), fill=float("nan"))
    data = Dimension("b", "b", False, (mean, low))
    dataset = made()
    dataset = Dataset(1, "d", (VARIES,), (*dataset.dimensions, data), ("time", "b", "b.min"), generation=2)
    found = decode(encode([dataset], Das2BinaryEncoder))[1]
    assert np.isnan(found["b"].fill)
    assert found["b.min"].fill == 0.0
    assert [each.properties.text("operation") for each in (found["b"], found["b.min"])] == ["BIN_AVG", "BIN_MIN"]
    assert found["b.min"].role == "min"


def test_tags_that_a_stage_has_changed_are_written_by_their_values():
    changed = Variable("f", "center", "real", "Hz", (None, 2), np.dtype("f8"), values=np.array([3.0, 4.5]), text="1,2")
    dataset = made(plane("v", index=(VARIES, 2)), coordinates=[changed], index=(VARIES, 2))
    assert b'yTags="3,4.5"' in encode([dataset], Das2BinaryEncoder)


def test_properties_that_clients_refuse_are_left_out_or_renamed():
    own = Properties((Property("units", "x"), Property("a.b", "y", "odd"), Property("n", "3", "integer")))
    written = encode([made(plane("µ volts", properties=own))], Das2BinaryEncoder)
    assert b'String:a_b="y"' in written
    assert b'int:n="3"' in written
    assert b'units="x"' not in written
    assert b'name="y___volts"' in written


# Values.


def test_encodings_that_are_chosen_lose_nothing():
    values = {
        "time": np.array(["2031-04-02T01:02:03.123456789", "NaT"], dtype="M8[ns]"),
        "single": np.array([1 / 3, -1e31], dtype="<f4"),
        "double": np.array([-1 / 3, 1e-300]),
        "count": np.array([-(2**31), 2**31 - 1], dtype="i4"),
        "small": np.array([0, 255], dtype="u1"),
    }
    dataset = made(*(plane(name, column.dtype) for name, column in values.items() if name != "time"))
    text = columns(decode(encode([dataset, Records(dataset, values)], Das2TextEncoder)))
    assert text[1, "time"].tolist() == values["time"].tolist()
    for name in ("single", "count", "small"):
        assert np.array_equal(text[1, name].astype(values[name].dtype), values[name])
    assert text[1, "double"].tolist() == [-1 / 3, 1e-300]
    whole = columns(decode(encode([dataset, Records(dataset, values)], Das2BinaryEncoder)))
    assert [whole[1, name].dtype.str for name in ("time", "single", "double", "count", "small")] == [
        *("<f8", "<f4", "<f8", "<f8", "<f4")
    ]
    assert whole[1, "time"][0] == pytest.approx(986173323123456.75)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"secfrac": 0, "sigdigit": 2}, b":01:2031-04-02T01:02:03  1.2e+02\n"),
        ({"secfrac": 3, "sigdigit": 4}, b":01:2031-04-02T01:02:03.457  1.235e+02\n"),
        ({"secfrac": 9, "sigdigit": 17}, b":01:2031-04-02T01:02:03.456789000  1.2345677999999999e+02\n"),
        ({}, b":01:2031-04-02T01:02:03.456789 123.45678\n"),
    ],
)
def test_text_has_the_digits_that_were_asked_for(options, expected):
    planes = '<x type="time27" units="us2000"/><y name="v" type="ascii10" units=""/>'
    items = decode(stream(planes, b":01:2031-04-02T01:02:03.456789 123.45678 "))
    written = encode(items, Das2TextEncoder, **options)
    assert written.endswith(expected)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-90), min_size=1, max_size=20),
    st.integers(9, 24),
)
def test_a_kept_width_keeps_as_many_digits_as_the_exponent_form_or_more(values, width):
    planes = f'<x type="time27" units="us2000"/><y name="v" type="ascii{width}" units=""/>'
    dataset = decode(stream(planes))[1]
    column = np.array(values)
    batch = Records(dataset, {"time": np.zeros(len(values), "M8[ns]"), "v": column})
    found = columns(decode(encode([dataset, batch], Das2TextEncoder)))[1, "v"]
    plain = np.array([float(f"{value:.{width - 8}e}") for value in values])
    assert (np.abs(found - column) <= np.abs(plain - column) + 1e-15 * np.abs(column)).all()


def test_old_widths_become_such_as_every_client_reads():
    planes = '<x type="time19" units="us2000"/><y name="v" type="ascii4" units=""/>'
    written = encode(decode(stream(planes, b":01:2001-02-03T04:05   -12 ")), Das2TextEncoder)
    assert b'type="time20"' in written
    assert b'type="ascii10"' in written
    assert written.endswith(b":01:2001-02-03T04:05:00 -1.20e+01\n")


def test_not_a_number_is_spelt_as_java_reads_it():
    dataset = made(plane("v"))
    batch = Records(dataset, {"time": np.zeros(1, "M8[ns]"), "v": np.array([np.nan], "f4")})
    assert encode([dataset, batch], Das2TextEncoder).endswith(b"             NaN\n".rjust(17))


def test_fill_in_text_is_the_number_that_the_header_names():
    dataset = made(plane("v", fill=-1e31))
    batch = Records(dataset, {"time": np.zeros(1, "M8[ns]"), "v": np.array([-1e31], "f4")})
    assert encode([dataset, batch], Das2TextEncoder).endswith(b" -1.00000000e+31\n")


# What a stream says beside its data, and what it cannot hold.


def test_messages_come_after_a_stream_header_even_where_none_was_given():
    for item, element in (
        (Comment("taskSize", "3", "rdr"), b'<comment type="taskSize" source="rdr" value="3" />\n'),
        (Problem("QueryError", "no & no"), b'<exception type="IllegalArgument" message="no &amp; no" />\n'),
        (NoData("nothing"), b'<exception type="NoDataInInterval" message="nothing" />\n'),
    ):
        written = encode([item], Das2BinaryEncoder)
        assert written.startswith(b"[00]000082<stream")
        assert written.endswith(b"[xx]%06d%b" % (len(element), element))


def test_an_id_is_declared_again_and_new_ones_stay_below_one_hundred():
    first, other = made(plane("a")), made(plane("b"))
    frames = list(
        Das2Framer().feed(encode([first, Dataset(**{**_fields(other), "id": 1234}), first], Das2BinaryEncoder))
    )
    assert [(frame.kind, frame.id) for frame in frames] == [
        ("header", 0),
        ("dataset", 1),
        ("dataset", 2),
        ("dataset", 1),
    ]


def _fields(dataset):
    return {name: getattr(dataset, name) for name in Dataset.__dataclass_fields__}


def test_records_of_a_dataset_that_was_not_declared_bring_its_header():
    dataset = made(plane("v"))
    batch = Records(dataset, {"time": np.zeros(2, "M8[ns]"), "v": np.zeros(2, "f4")})
    kinds = [frame.kind for frame in Das2Framer().feed(encode([batch, batch.slice(slice(0, 0))], Das2BinaryEncoder))]
    assert kinds == ["header", "dataset", "data", "data"]


def test_a_packet_that_classic_clients_cannot_hold_is_refused_by_name():
    tags = Variable("f", "center", "real", "Hz", (None, 70_000), np.dtype("f8"), values=np.arange(70_000.0))
    dataset = made(plane("v", index=(VARIES, 70_000)), coordinates=[tags], index=(VARIES, 70_000))
    with pytest.raises(SourceError, match="A packet of d would have 280,012 bytes") as caught:
        encode([dataset], Das2BinaryEncoder)
    assert caught.value.kind == "source.limit"


def test_a_packet_that_no_memory_holds_is_refused_before_it_is_made():
    with pytest.raises(SourceError, match="A packet of d would have 4,000,000,012 bytes"):
        encode([made(plane("v", index=(VARIES, 10**9)), index=(VARIES, 10**9))], Das2BinaryEncoder)


def test_a_header_that_classic_clients_cannot_hold_is_refused_by_name():
    tags = Variable("f", "center", "real", "Hz", (None, 50_000), np.dtype("f8"), values=np.arange(50_000.0) ** 2)
    dataset = made(plane("v", index=(VARIES, 50_000)), coordinates=[tags], index=(VARIES, 50_000))
    with pytest.raises(SourceError, match="The header of d would have"):
        encode([dataset], Das2BinaryEncoder)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (plane("v", index=(VARIES, 2, 3)), "v of d has values of the shape"),
        (plane("v", index=(VARIES, VARIES, None)), "v of d has values of the shape"),
    ],
)
def test_values_of_a_shape_that_das2_lacks_are_refused_by_name(bad, says):
    with pytest.raises(QueryError, match=says) as caught:
        encode([made(bad, index=(VARIES, 2, 3))], Das2BinaryEncoder)
    assert caught.value.kind == "query.unreachable-type"


def test_text_values_are_refused_by_name():
    dataset = made(plane("v", "S3"))
    batch = Records(dataset, {"time": np.zeros(1, "M8[ns]"), "v": np.array([b"abc"])})
    with pytest.raises(SourceError, match="v holds text"):
        encode([dataset, batch], Das2BinaryEncoder)


def test_encodings_by_name():
    dataset = made(plane("v", encoding=Encoding("sun_real", 4)))
    found = decode(encode([dataset], Das2BinaryEncoder))[1]
    assert (found["v"].encoding, found["time"].encoding) == (Encoding("sun_real", 4), Encoding("little_endian_real", 8))


def test_das3_streams_become_das2_with_the_values_they_had(test_data):
    items = decode((test_data / "handmade" / "v3_spectra_be.d3b").read_bytes(), decoder=Das3Decoder)
    found = decode(encode(items, Das2BinaryEncoder))
    (batch,) = [item for item in found if isinstance(item, Records)]
    assert batch["psd"].tolist() == next(item for item in items if isinstance(item, Records))["psd"].tolist()
    assert batch["time"].tolist() == next(item for item in items if isinstance(item, Records))["time"].tolist()
    assert batch.dataset["frequency"].values.tolist() == [10, 20, 40]
