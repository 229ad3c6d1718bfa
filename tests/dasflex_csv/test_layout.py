# SPDX-License-Identifier: GPL-3.0-or-later
"""The columns of a dataset: their names, tags and labels, and the digits of their times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dasflex_core.arrays import VARIES, Dataset, Dimension, Encoding, Properties, Property, Variable, Vector
from dasflex_core.errors import QueryError
from dasflex_core.second_digits import own_secfrac
from dasflex_core.testing import golden
from dasflex_csv.layout import component_labels, fields_of, plain_names, split_items
from dasflex_csv.tags import text_of

TIME = Variable("time", "center", "datetime", "UTC", (VARIES, None, None), np.dtype("M8[ns]"))


def coordinate(name, role, units, index, values):
    """A coordinate that is the same in each record."""
    array = np.array(values)
    return Variable(name, role, "real", units, index, array.dtype, values=array)


def cube(*coordinates):
    """A dataset of a 2 x 3 value over the coordinates, each in a dimension of its own name."""
    value = Variable("v", "center", "real", "counts", (VARIES, 2, 3), np.dtype("f4"))
    dimensions = [
        Dimension("time", "time", coordinate=True, variables=(TIME,)),
        *(Dimension(each.name, each.name, coordinate=True, variables=(each,)) for each in coordinates),
        Dimension("v", "v", coordinate=False, variables=(value,)),
    ]
    return Dataset(1, "cube", (VARIES, 2, 3), tuple(dimensions), ("time", "v"))


def names(dataset):
    """The plain header."""
    return plain_names(dataset, fields_of(dataset))


def test_two_inner_axes_give_two_tags():
    energy = coordinate("energy", "center", "eV", (None, 2, None), [10.0, 20.5])
    angle = coordinate("angle", "center", "degrees", (None, None, 3), [0, 60, 120])
    assert names(cube(energy, angle))[1:] == [
        f"v ({eV} eV; {degrees} degrees)" for eV in ("10", "20.5") for degrees in (0, 60, 120)
    ]


def test_an_axis_without_coordinate_shows_its_index():
    energy = coordinate("energy", "center", "eV", (None, 2, None), [10.0, 20.5])
    assert names(cube(energy))[1:3] == ["v [0] (10 eV)", "v [1] (10 eV)"]
    assert names(cube())[1:3] == ["v [0,0] (counts)", "v [0,1] (counts)"]


def test_a_coordinate_over_both_axes_tags_each_element():
    offset = coordinate("offset", "center", "", (None, 2, 3), [[0.1, 0.2, 0.1 + 0.2], [1, 2, 3]])
    assert names(cube(offset))[1:5] == ["v (0.1)", "v (0.2)", "v (0.3)", "v (1)"]


def test_the_center_is_the_tag_where_a_dimension_has_edges_too():
    center = coordinate("energy", "center", "eV", (None, 2, None), [10.0, 20.0])
    edge = coordinate("energy.min", "min", "eV", (None, 2, None), [9.0, 19.0])
    dataset = cube(center)
    both = replace(dataset.dimensions[1], variables=(edge, center))
    dataset = replace(dataset, dimensions=(dataset.dimensions[0], both, dataset.dimensions[2]))
    assert names(dataset)[1] == "v [0] (10 eV)"


def test_equal_tags_still_give_different_names():
    same = coordinate("energy", "center", "eV", (None, 2, None), [10.0, 10.0])
    found = names(cube(same, coordinate("angle", "center", "", (None, None, 3), [1, 1, 1])))
    assert found[1:4] == ["v (10 eV; 1)", "v (10 eV; 1)_2", "v (10 eV; 1)_3"]
    assert len(set(found)) == 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.0, "10"),
        (3 * 0.1, "0.3"),
        (np.float32(0.1), "0.1"),
        (np.float32(20), "20"),
        (np.int64(5), "5"),
        (b"low ", "low"),
        (1.5e-7, "1.5e-07"),
        (np.datetime64("2031-04-02"), "2031-04-02"),
    ],
)
def test_values_of_headers_have_few_digits(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("dtype", "units", "encoding", "digits"),
    [
        ("M8[ns]", "UTC", Encoding("time", 20), 0),
        ("M8[ns]", "UTC", Encoding("time", 11), 0),
        ("M8[ns]", "UTC", Encoding("time", 22), 1),
        ("M8[ns]", "UTC", Encoding("time", 25), 3),
        ("M8[ns]", "UTC", Encoding("time", 31), 9),
        ("M8[ns]", "UTC", Encoding("utf8", 24), 3),
        ("M8[ns]", "UTC", Encoding("utf8", 23), 3),
        ("M8[ns]", "UTC", Encoding("utf8", 27), 6),
        ("M8[ns]", "UTC", Encoding("utf8", VARIES), 9),
        ("M8[ns]", "UTC", None, 9),
        ("i8", "TT2000", Encoding("LEint", 8), 9),
        ("f8", "us2000", Encoding("sun_real", 8), 6),
        ("f8", "t1970", None, 6),
    ],
)
def test_times_have_the_digits_that_their_resolution_needs(dtype, units, encoding, digits):
    assert own_secfrac(replace(TIME, dtype=np.dtype(dtype), units=units, encoding=encoding)) == digits


def test_labels_of_components_come_from_the_property_or_from_symbols():
    _header, dataset, _batch = golden.vectors()
    field = fields_of(dataset)[1]
    assert component_labels(field) == ("b_x", "b_y", "b_z")
    labelled = replace(field.variable, properties=Properties((Property("compLabel", "Bx By Bz", "stringArray"),)))
    assert component_labels(replace(field, variable=labelled)) == ("Bx", "By", "Bz")
    place = replace(field.dimension, coordinate=True)
    spherical = replace(field.variable, vector=Vector(2, "spherical", order=(2, 0), frame="GEO"))
    assert component_labels(replace(field, variable=spherical, dimension=place)) == ("φ_GEO", "r_GEO")


@pytest.mark.parametrize(
    ("kind", "text", "term", "items"),
    [
        ("realRange", "1 to 2", "", ["1", "2"]),
        ("stringArray", "a b;c d;", ";", ["a b", "c d"]),
        ("integerArray", " 1  2 3 ", "", ["1", "2", "3"]),
        ("doubleArray", "1, 2,3", "", ["1", "2", "3"]),
        ("string", "a to b", "", ["a to b"]),
    ],
)
def test_properties_split_into_their_items(kind, text, term, items):
    assert split_items(Property("p", text, kind, term=term)) == items


def test_blobs_are_refused_by_name():
    blob = Variable("picture", "center", "blob", "", (VARIES, None, None), np.dtype(object))
    dataset = cube()
    dataset = replace(
        dataset, dimensions=(*dataset.dimensions, Dimension("p", "p", coordinate=False, variables=(blob,)))
    )
    with pytest.raises(QueryError, match=r"picture of dataset cube.*read\.data"):
        fields_of(dataset)
