# SPDX-License-Identifier: GPL-3.0-or-later
"""Das3 headers become declarations; what cannot be read is refused, naming dataset and variable."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dasflex_core.arrays import VARIES, Comment, NoData, Problem, Property, Vector
from dasflex_core.errors import SourceError
from dasflex_das.das3_headers import read_comment, read_dataset, read_exception, read_stream
from dasflex_das.das3_properties import items, struct_name, word_name

TIME = """<coord physDim="time" axis="x"><scalar semantic="datetime" index="*{rest}" units="UTC">
<packet numItems="1" itemBytes="24" encoding="utf8"/></scalar></coord>"""


def dataset(*elements: str, index: str = "*", attributes: str = ""):
    """A dataset with a text time and these elements."""
    rank = index.count(";") + 1
    time = TIME.format(rest=";-" * (rank - 1))
    body = f'<dataset name="d" rank="{rank}" index="{index}" {attributes}>{time}{"".join(elements)}</dataset>'
    return read_dataset(body.encode(), 1, "The Hx packet")[0]


def data(packet: str, index: str = "*", about: str = 'semantic="real"', name: str = "v") -> str:
    """A data dimension with one scalar."""
    return f'<data physDim="{name}"><scalar {about} index="{index}" units="V">{packet}</scalar></data>'


def refused(*elements: str, index: str = "*") -> str:
    """The text of the error of a dataset with these elements."""
    with pytest.raises(SourceError) as caught:
        dataset(*elements, index=index)
    assert caught.value.kind == "source.stream"
    return caught.value.message


def test_roles_names_and_wire_order_follow_the_document():
    """A center is named as its dimension, other roles behind a dot, and what would clash gets a number."""
    made = dataset(
        '<coord physDim="f"><scalar use="Center" semantic="real" units="Hz" index="-"><values>3</values></scalar></coord>',
        data('<packet numItems="1" itemBytes="4" encoding="LEreal"/>'),
        data('<packet numItems="1" itemBytes="2" encoding="BEuint"/>', about='use="min" semantic="integer"'),
    )
    assert made.wire == ("time", "v", "v_2.min")
    assert [(each.name, each.coordinate, each.named) for each in made.dimensions] == [
        ("time", True, False),
        ("f", True, False),
        ("v", False, False),
        ("v_2", False, False),
    ]
    assert made["f"].role == "center"
    assert made["f"].index == (None,)
    assert made["v_2.min"].dtype == np.dtype(">u2")
    assert made["v_2.min"].index == (VARIES,)


@pytest.mark.parametrize(
    ("encoding", "width", "expected"),
    [
        ("byte", 1, "i1"),
        ("ubyte", 1, "u1"),
        *((f"{order}{kind}", width, f"{mark}{letter}{width}")
          for order, mark in (("BE", ">"), ("LE", "<"))
          for kind, letter in (("int", "i"), ("uint", "u"))
          for width in (1, 2, 4, 8)),
        *((f"{order}real", width, f"{mark}f{width}") for order, mark in (("BE", ">"), ("LE", "<")) for width in (4, 8)),
    ],
)  # fmt: skip
def test_binary_encodings_keep_their_own_type(encoding, width, expected):
    """On the wire and in the column."""
    made = dataset(data(f'<packet numItems="1" itemBytes="{width}" encoding="{encoding}"/>'))
    assert made["v"].dtype == np.dtype(expected)


@pytest.mark.parametrize(
    ("about", "width", "expected"),
    [
        ('semantic="real"', 15, "f4"),
        ('semantic="real"', 16, "f8"),
        ('semantic="real" storage="double"', 9, "f8"),
        ('semantic="integer"', 4, "i2"),
        ('semantic="integer"', 9, "i4"),
        ('semantic="integer"', 10, "i8"),
        ('semantic="integer" storage="ushort"', 8, "u2"),
        ('semantic="string"', 7, "S7"),
        ('semantic="bool"', 2, "i1"),
        ('semantic="datetime" storage="struct"', 24, "M8[ns]"),
        ('semantic="datetime" storage="double"', 22, "f8"),
        ('semantic="pixel"', 3, "i2"),
    ],
)
def test_text_gets_the_type_of_its_storage_or_width(about, width, expected):
    """The das3 stream format, storage."""
    made = dataset(data(f'<packet numItems="1" itemBytes="{width}" encoding="utf8"/>', about=about))
    assert made["v"].dtype == np.dtype(expected)


@pytest.mark.parametrize(
    ("about", "packet", "expected"),
    [
        ('semantic="real"', 'itemBytes="4" encoding="LEreal"', -1e31),
        ('semantic="real"', 'itemBytes="4" encoding="LEreal" fill="0"', 0.0),
        ('semantic="integer"', 'itemBytes="1" encoding="byte"', -128),
        ('semantic="integer"', 'itemBytes="2" encoding="LEint"', -32767),
        ('semantic="integer"', 'itemBytes="4" encoding="LEuint"', 4294967295),
        ('semantic="integer"', 'itemBytes="8" encoding="LEint"', -(2**63) + 1),
        ('semantic="integer"', 'itemBytes="8" encoding="LEint" fill="-9223372036854775808"', -(2**63)),
        ('semantic="integer"', 'itemBytes="1" encoding="ubyte" fill="2.0e1"', 20),
        ('semantic="integer"', 'itemBytes="1" encoding="ubyte" fill="-1"', 255),
        ('semantic="bool"', 'itemBytes="2" encoding="utf8" fill="*"', -128),
        ('semantic="string"', 'itemBytes="2" encoding="utf8"', b""),
        ('semantic="datetime"', 'itemBytes="24" encoding="utf8" fill="0001-01-01T00:00:00"', None),
        ('semantic="datetime"', 'itemBytes="24" encoding="utf8" fill="2026-01-01"', np.datetime64("2026-01-01")),
        ('semantic="datetime"', 'itemBytes="8" encoding="LEreal" fill="0001-01-01"', -1e31),
    ],
)
def test_fill_is_the_attribute_or_the_default_of_the_storage(about, packet, expected):
    """The das3 stream format, fill."""
    made = dataset(data(f'<packet numItems="1" {packet}/>', about=about))
    assert made["v"].fill == expected


def test_a_fill_property_of_the_dimension_counts_where_the_packet_has_none():
    """Real streams write it so."""
    made = dataset(
        '<data physDim="v"><properties><p name="fill" type="real">0.0</p></properties><scalar semantic="real" index="*"'
        ' units=""><packet numItems="1" itemBytes="4" encoding="LEreal"/></scalar></data>'
    )
    assert made["v"].fill == 0.0


def test_sequences_are_read_compact_and_in_full_rank_and_evaluated():
    """The minimum and the slopes, over the indices that the variable depends on; a vector has one per component."""
    made = dataset(
        '<coord physDim="a"><scalar semantic="real" storage="float" index="-;-;4" units=""><sequence minval="1"'
        ' interval="-;-;0.5"/></scalar></coord>'
        '<coord physDim="b"><scalar semantic="integer" index="-;3;4" units=""><sequence minval="10"'
        ' interval="100;1"/></scalar></coord>'
        '<coord physDim="c"><vector components="2" semantic="real" index="-;3;4" units="m"><sequence minval="1"'
        ' interval="1;0"/><sequence minval="2" interval="-;0;1"/></vector></coord>'
        '<coord physDim="t"><scalar semantic="datetime" index="-;3;-" units="UTC"><sequence'
        ' minval="2031-04-02" interval="-;0.5;-"/></scalar></coord>',
        index="*;3;4",
    )
    assert made["a"].values.dtype == np.float32
    assert made["a"].values.tolist() == [1.0, 1.5, 2.0, 2.5]
    assert made["b"].values.dtype == np.int64
    assert made["b"].values.tolist() == [[10 + 100 * j + k for k in range(4)] for j in range(3)]
    assert made["b"].sequences[0].intervals == ("-", "100", "1")
    assert made["c"].values[2, 3].tolist() == [3.0, 5.0]
    assert made["c"].sequences[0].intervals == ("-", "1", "0")
    assert made["t"].values[1] == np.datetime64("2031-04-02T00:00:00.5")
    assert made["t"].units == "UTC"


def test_header_values_may_be_set_apart_by_blanks_semicolons_or_a_terminator():
    """Without a terminator as release candidates wrote them; with one, an empty item is fill."""

    def values(text: str, term: str = "") -> list:
        about = f' valTerm="{term}"' if term else ""
        made = dataset(
            f'<coord physDim="f"><scalar semantic="real" units="" index="-;3"><values{about}>{text}</values></scalar></coord>',
            index="*;3",
        )
        return made["f"].values.tolist()

    assert values("1 2\n3") == values("1; 2;3;") == [1.0, 2.0, 3.0]
    assert values("1@@3@", "@") == [1.0, -1e31, 3.0]


def test_vectors_have_geometry_and_old_attribute_names_are_read():
    """`vecClass` and `refSurface` are what release candidates wrote."""
    made = dataset(
        '<data physDim="B"><vector components="3" vecClass="spherical" refSurface="2" sysorder="2;0;1" frame="GSE"'
        ' semantic="real" index="*" units="nT"><packet numItems="3" itemBytes="4" encoding="LEreal"/></vector></data>'
    )
    assert made["B"].vector == Vector(3, "spherical", (2, 0, 1), "2", "GSE")
    assert made["B"].shape == (3,)


def test_stream_headers_keep_frames_properties_and_extensions_as_written():
    """A default namespace, a prolog and comments before the root do not matter."""
    body = b"""<?xml version="1.0"?><!-- before --><stream xmlns="das-basic-stream" type="das-basic-stream" version="3.0" lang="de">
    <properties><p name="n"> two
 lines </p><p name="a" type="stringArray" sep=";">x; y ;</p><p name="a2" type="realArray">1  2</p></properties>
    <frame name="F" body="IO" fixed="t"><properties><p name="label">L</p></properties></frame>
    <extension scheme="s" content="c"><own x="1"/></extension></stream>"""
    header = read_stream(body, "here")
    assert header.properties.get("n") == Property("n", "two\n lines")
    assert [items(each) for each in header.properties][1:] == [["x", "y"], ["1", "2"]]
    assert (header.frames[0].name, header.frames[0].body, header.frames[0].fixed) == ("F", "IO", "t")
    assert header.extensions == ('<extension scheme="s" content="c"><own x="1"/></extension>',)
    assert header.lang == "de"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'<comment type="log:info" source="me">text</comment>', Comment("log:info", "text", "me")),
        (b'<comment type="taskSize" value="3"/>', Comment("taskSize", "3")),
    ],
)
def test_comments_are_read_in_both_forms(body, expected):
    """Text as content, or as in das2."""
    assert read_comment(body, "here") == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'<exception type="NoMatchingData">none</exception>', NoData("none")),
        (b'<exception type="NoDataInInterval" message="none"/>', NoData("none")),
        (b'<exception type="IllegalArgument" message="bad"/>', Problem("QueryError", "bad")),
        (b'<exception type="ServerError"> tape </exception>', Problem("ServerError", "tape")),
    ],
)
def test_exceptions_are_read_in_both_spellings(body, expected):
    """Nothing found is no problem."""
    assert read_exception(body, "here") == expected


@pytest.mark.parametrize("interval", ["-;1e400", "-;fast", "-;"])
def test_intervals_must_be_numbers_that_a_double_holds(interval):
    """And a sequence that runs out of the numbers is no failure of ours."""
    rule = '<coord physDim="f"><scalar semantic="real" units="" index="-;3"><sequence minval="0" interval="{}"/></scalar></coord>'
    assert "is no number" in refused(rule.format(interval), index="*;3")
    made = dataset(rule.format("-;1e308"), index="*;3")
    assert made["f"].values.tolist() == [0.0, 1e308, float("inf")]


PACKET = '<packet numItems="1" itemBytes="4" encoding="LEreal"/>'


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        (data('<packet numItems="1" itemBytes="3" encoding="LEreal"/>'), "v: real values in the encoding 'LEreal' with 3"),
        (data('<packet numItems="1" itemBytes="4" encoding="sun_real"/>'), "the encodings are byte"),
        (data('<packet numItems="2" itemBytes="4" encoding="LEreal"/>'), "numItems '2'; by its index a packet holds 1"),
        (data('<packet numItems="1" itemBytes="x" encoding="utf8"/>'), "itemBytes 'x'"),
        (data(f'<packet numItems="1" itemBytes="{"9" * 5000}" encoding="utf8"/>'), "itemBytes"),
        (data('<packet numItems="1" itemBytes="4" encoding="LEreal" fill="often"/>'), "the fill 'often' is no number"),
        (data(PACKET, about='semantic="colour"'), "the semantic 'colour'"),
        (data(PACKET, index="*;3"), "the index \\*;3, and its dataset \\*"),
        (data(PACKET, index="0"), "the index '0'"),
        (data(PACKET, index="-"), "does not depend on the record"),
        (data(""), "neither <packet>"),
        (data('<sequence minval="soon" interval="1"/>', index="-"), "'soon' is no time"),
        (data('<sequence minval="1" interval="1;2;3"/>', index="-"), "3 intervals"),
        (data("<values>1 2</values>", index="-"), "the header holds 2 values, and the index asks for 1"),
        (data('<values valTerm="@">x@</values>', index="-"), "cannot be read"),
        (data("<values>1</values>"), "for each record"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_is_refused_with_the_name_of_the_variable(elements, why):
    """What is wrong, and what would be right."""
    message = refused(elements)
    assert re.search(why, message), message
    assert "Dataset d, variable v" in message


def test_more_values_than_any_header_needs_are_refused_before_they_are_made():
    """A sequence of a billion, and a packet of a gigabyte."""
    huge = '<coord physDim="f"><scalar semantic="real" units="" index="-;999999999"><sequence minval="0" interval="1"/></scalar></coord>'
    assert "999,999,999 values in the header" in refused(huge, index="*;999999999")
    thousands = "".join(
        f'<coord physDim="f{each}"><scalar semantic="real" units="" index="-;60000"><sequence minval="0" interval="1"/></scalar></coord>'
        for each in range(20)
    )
    assert "variable f17 has 60,000 values in the header" in refused(thousands, index="*;60000")
    wide = data('<packet numItems="2200000" itemBytes="8" encoding="LEreal"/>', index="*;2200000")
    assert "17,600,024 bytes" in refused(wide, index="*;2200000")


@pytest.mark.parametrize("index", ["", "x", "*;0", "*;-1", "*;*;*;*;*;*;*;*;*"])
def test_an_index_that_cannot_be_is_refused(index):
    """Blank, no number, zero, negative, and more than eight indices."""
    body = f'<dataset name="d" index="{index}"><coord physDim="t"/></dataset>'.encode()
    with pytest.raises(SourceError, match=r"index|indices"):
        read_dataset(body, 1, "here")


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><stream type="das-basic-stream" version="3.0">&a;</stream>',
        b"<dataset/>",
        b'<stream type="das-basic-doc" version="3.0"/>',
        b'<stream compression="deflate"/>',
        b"<stream",
        b"<?xml version='1.0' encoding='klingon'?><stream/>",
    ],
)
def test_a_stream_header_that_is_none_is_refused(body):
    """Entities, another root, the document form, compression, broken XML."""
    with pytest.raises(SourceError):
        read_stream(body, "The Sx packet")


def test_minor_header_values_that_are_too_few_are_left_out_with_a_warning():
    """As a real Galileo stream has them; a center is needed and refused."""
    minor = '<coord physDim="f"><scalar use="{}" semantic="real" units="Hz" index="-;3"><values>1 2</values></scalar></coord>'
    time = TIME.format(rest=";-")
    body = f'<dataset name="d" rank="2" index="*;3">{time}{minor.format("width")}</dataset>'
    made, _layout, remarks = read_dataset(body.encode(), 1, "here")
    assert "f.width" not in made.variables
    assert [remark.type for remark in remarks] == ["log:warning"]
    assert "f.width: the header holds 2 values" in remarks[0].text
    assert "the header holds 2 values" in refused(minor.format("center"), index="*;3")


@pytest.mark.parametrize(
    ("text", "struct", "word"),
    [
        ("B_x", "B_x", "B_x"),
        ("1st", "n_1st", "n_1st"),
        ("a:b,c d", "a:b,c_d", "a_b_c_d"),
        ("é", "n__", "n__"),
        ("x" * 80, "x" * 63, "x" * 63),
    ],
)
def test_names_are_made_to_fit_the_schema(text, struct, word):
    """A letter first, no foreign characters, at most 63."""
    assert (struct_name(text), word_name(text)) == (struct, word)
