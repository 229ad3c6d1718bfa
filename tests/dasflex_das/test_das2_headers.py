# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that das2 headers become the model: names, dimensions, roles, tags, fill, labels, properties."""

from __future__ import annotations

import numpy as np
import pytest

from dasflex_core.arrays import VARIES, Encoding, Properties, Property, Sequence, StreamHeader, traits_of
from dasflex_core.errors import SourceError
from dasflex_das.das2_headers import read_packet, read_stream
from dasflex_das.das2_properties import properties_lines
from dasflex_das.elements import parse

TIME = '<x type="time24" units="us2000"/>'
REAL = 'type="sun_real4" units="nT"'


def dataset(planes, *, attributes="", stream=(), number=1):
    root = parse(f"<packet {attributes}>{planes}</packet>".encode(), "H")
    return read_packet(root, number, StreamHeader(2, Properties(tuple(stream))), "H")


def scan(text="", name="v", items=3, units="Hz", inside=""):
    return f'<yscan name="{name}" type="ascii9" nitems="{items}" yUnits="{units}" zUnits="V" {text}>{inside}</yscan>'


def shapes(found):
    return [(each.name, each.physical, each.coordinate, each.axis) for each in found.dimensions]


def test_properties_keep_their_das2_types_and_none_is_a_string():
    root = parse(
        b'<stream version="2.2"><properties title="t" Datum:w="8 s" DATUMRANGE:r="1 to 2 Hz" integer:n="4"'
        b' String:title="u" odd:thing="x" datetimeRange:span="2000 to 2001"/></stream>',
        "H",
    )
    assert list(read_stream(root, "H").properties) == [
        Property("title", "u", "String"),
        Property("w", "8 s", "Datum"),
        Property("r", "1 to 2 Hz", "DatumRange"),
        Property("n", "4", "int"),
        Property("thing", "x", "String"),
        Property("span", "2000 to 2001", "TimeRange"),
    ]


def test_types_of_das3_are_known_in_das2_too():
    root = parse(b'<stream version="2.2"><properties integerRange:a="1 to 2" integerArray:b="1,2"/></stream>', "H")
    assert [each.type for each in read_stream(root, "H").properties] == ["DatumRange", "doubleArray"]


def test_properties_whose_names_das2c_refuses_do_not_hide_one_another():
    """The schema takes more letters than das2C; what is written has names of its own."""
    names = ("a_b", "a.b", "a-b", "9", "x" * 70, "x" * 71)
    text = properties_lines((Property(name, name, "String") for name in names), "")
    said = parse(text.encode(), "H").attributes
    assert sorted(value for _name, value in said) == sorted(names)
    written = [name.removeprefix("String:") for name, _value in said]
    assert written[:4] == ["a_b", "a_b_2", "a_b_3", "p_9"]
    assert max(map(len, written)) <= 63


def test_a_packet_of_y_planes_is_time_and_data():
    found = dataset(f'{TIME}<y name="bx" {REAL}/><y {REAL}/>', attributes='group="mag"', number=7)
    assert (found.id, found.name, found.group, found.generation) == (7, "mag", "mag", 2)
    assert found.index == (VARIES,)
    assert found.wire == ("time", "bx", "y")
    assert shapes(found) == [("time", "time", True, "x"), ("bx", "bx", False, ""), ("y", "y", False, "")]
    time, bx, y = found.columns
    assert (time.units, time.semantic, time.dtype, time.fill) == ("UTC", "datetime", np.dtype("M8[ns]"), None)
    assert time.encoding == Encoding("time", 24)
    assert (bx.units, bx.semantic, bx.dtype.str, bx.fill) == ("nT", "real", ">f4", -1e31)
    assert (y.plane, y.plane_name) == ("y", "")


def test_without_a_group_a_dataset_is_named_by_its_id():
    assert dataset(TIME, number=7).name == "packet_07"


def test_names_are_unique_and_x_is_time():
    planes = f'<y name="time" {REAL}/>{TIME}<y name="a" {REAL}/><y name="a" {REAL}/><y {REAL}/><y {REAL}/>'
    assert dataset(planes).wire == ("time_2", "time", "a", "a_2", "y_1", "y_2")


def test_epochs_keep_their_number_and_units():
    time = dataset('<x type="little_endian_real8" units="mj1958"/>')["time"]
    assert (time.units, time.semantic, time.dtype.str) == ("mj1958", "datetime", "<f8")


def test_an_x_that_is_no_time_is_named_after_its_plane():
    found = dataset(f'<x name="lon" type="ascii10" units="degrees"/><y name="lat" {REAL}/><z name="d" {REAL}/>')
    assert shapes(found) == [("lon", "lon", True, "x"), ("lat", "lat", True, "y"), ("d", "d", False, "")]
    assert [variable.fill for variable in found.columns] == [None, None, -1e31]
    assert found["lon"].semantic == "real"
    assert traits_of([found]) == {"one", "scatter"}


def test_tags_as_a_list_keep_their_text():
    found = dataset(TIME + scan('yTags=" 10, 17.8,1e2"', inside='<properties yLabel="f"/>'))
    assert found.index == (VARIES, 3)
    tags = found["frequency"]
    assert shapes(found)[1] == ("frequency", "frequency", True, "y")
    assert (tags.plane, tags.index, tags.text, tags.sequences) == ("tags", (None, 3), "10, 17.8,1e2", ())
    assert tags.values.tolist() == [10, 17.8, 100]
    assert tags.label == "f"
    assert found["v"].index == (VARIES, 3)
    assert traits_of([found]) == {"one", "spectra", "axis:frequency"}


@pytest.mark.parametrize(
    ("text", "values", "rule"),
    [
        ('yTagInterval="0.5"', [0, 0.5, 1], ("0", "0.5")),
        ('yTagInterval="0.5" yTagMin="1e1"', [10, 10.5, 11], ("1e1", "0.5")),
        ('yTagInterval="2" yTagMax="10"', [6, 8, 10], ("6.0", "2")),
        ('yOffsetInterval="2" yOffsetMin="1"', [1, 3, 5], ("1", "2")),
        ("", [0, 1, 2], ("0", "1")),
    ],
)
def test_tags_as_a_rule_are_a_sequence(text, values, rule):
    tags = dataset(TIME + scan(text))["frequency"]
    assert tags.values.tolist() == values
    assert tags.text == ""
    assert tags.sequences == (Sequence(rule[0], ("-", rule[1])),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('yTags="1,2"', "2 yTags for nitems=3"),
        ('yTags="1,2,x"', "no numbers"),
        ('yTagInterval="0"', "above zero"),
        ('yTagInterval="nan"', "above zero"),
        ('yTagInterval="1" yTagMin="low"', "no numbers"),
        ('yTagInterval="fast"', "no numbers"),
    ],
)
def test_tags_that_cannot_be_are_refused(text, says):
    with pytest.raises(SourceError, match=says):
        dataset(TIME + scan(text))


def test_each_distinct_set_of_tags_has_an_index_of_its_own():
    planes = TIME + scan('yTags="1,2,3"') + scan('yTags="1,2"', "w", 2) + scan('yTags="1,2,3"', "u")
    found = dataset(planes)
    assert found.index == (VARIES, 3, 2)
    assert [found[name].index for name in ("v", "w", "u")] == [(VARIES, 3, None), (VARIES, None, 2), (VARIES, 3, None)]
    assert [found[name].index for name in ("frequency", "frequency_2")] == [(None, 3, None), (None, None, 2)]
    assert [axis.name for axis in found["w"].axes] == ["time", "frequency_2"]


@pytest.mark.parametrize(("units", "name"), [("kHz", "frequency"), ("eV", "energy"), ("km", "y"), ("s", "y")])
def test_tags_are_named_by_their_units(units, name):
    assert shapes(dataset(TIME + scan(units=units)))[1] == (name, name, True, "y")


@pytest.mark.parametrize("level", ["plane", "packet", "stream"])
def test_tags_of_a_waveform_are_offsets_of_time(level):
    waveform = '<properties renderer="waveform"/>'
    stream = [Property("renderer", "waveform", "String")] if level == "stream" else []
    planes = (waveform if level == "packet" else "") + TIME
    found = dataset(planes + scan(units="ms", inside=waveform if level == "plane" else ""), stream=stream)
    assert [(each.name, each.role) for each in found.dimensions[0].variables] == [
        ("time.reference", "reference"),
        ("time.offset", "offset"),
    ]
    assert found.wire == ("time.reference", "v")
    assert traits_of([found]) == {"one", "waveform", "axis:time"}


def test_a_second_set_of_offsets_has_a_dimension_of_its_own():
    stream = [Property("renderer", "waveform", "String")]
    found = dataset(TIME + scan(units="s") + scan(units="s", items=4, name="w"), stream=stream)
    assert shapes(found)[:2] == [("time", "time", True, "x"), ("time_2", "time", True, "y")]
    assert [found[axis].role for axis in ("time.offset", "time.offset_2")] == ["offset", "offset"]


def test_planes_of_one_source_share_a_dimension_by_their_operation():
    def plane(name, operation, source="B"):
        return f'<y name="{name}" {REAL}><properties source="{source}" operation="{operation}"/></y>'

    planes = [
        plane("B", "BIN_AVG"),
        plane("B.min", "BIN_MIN"),
        plane("B.max", "BIN_MAX"),
        plane("B.sd", "BIN_STDDEV"),
        plane("again", "BIN_AVG"),
        plane("other", "BIN_MAX", source=""),
    ]
    found = dataset(TIME + "".join(planes))
    assert [[(each.name, each.role) for each in dimension.variables] for dimension in found.dimensions[1:]] == [
        [("B", "center"), ("B.min", "min"), ("B.max", "max"), ("B.sd", "std_dev")],
        [("again", "center")],
        [("other", "center")],
    ]
    assert found.dimensions[1].physical == "B"


def test_fill_and_labels_come_from_plane_packet_and_stream_in_that_order():
    def fill(plane, packet, *stream, kind="y"):
        attributes = REAL if kind == "y" else 'type="ascii9" nitems="1" yUnits="" zUnits=""'
        planes = f'<properties {packet}/>{TIME}<{kind} name="v" {attributes}><properties {plane}/></{kind}>'
        variable = dataset(planes, stream=[Property(name, text, kind) for kind, name, text in stream])["v"]
        return variable.fill, variable.label

    stream = [("double", "yFill", "3"), ("String", "yLabel", "s"), ("double", "zFill", "4")]
    assert fill('double:yFill="1" yLabel="p"', 'double:yFill="2" yLabel="q"', *stream) == (1.0, "p")
    assert fill("", 'double:yFill="2" yLabel="q"', *stream) == (2.0, "q")
    assert fill('double:fill="1"', "", *stream) == (3.0, "s")
    assert fill('double:fill="1"', "") == (1.0, "")
    assert fill('Datum:zFill="0 V" zLabel="z"', "", *stream, kind="yscan") == (0.0, "z")
    assert np.isnan(fill('double:fill="NaN"', "")[0])
    with pytest.raises(SourceError, match="no number"):
        fill('double:fill="none"', "")
