# SPDX-License-Identifier: GPL-3.0-or-later
"""What one generation of das says, the other says too: planes and dimensions, types and names of properties, times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dasflex_core import epochs
from dasflex_core.arrays import (
    VARIES,
    Dataset,
    Dimension,
    Encoding,
    Properties,
    Property,
    Records,
    Sequence,
    StreamHeader,
    Variable,
    Vector,
)
from dasflex_core.errors import QueryError
from dasflex_das import property_mapping
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder, Das2TextEncoder
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3BinaryEncoder, Das3TextEncoder
from dasflex_das.das3_framing import Das3Framer
from dasflex_das.generations import records_to_das2, to_das2, to_das3
from dasflex_das.to_das2 import dataset_to_das2

DAS2 = [
    "das2/das2_ascii_input1.d2s",
    "das2/das2_bin_avgsec_output1.d2t",
    "das2/das2_bin_peakavgsec_output1.d2t",
    "das2/galileo_pws_sample.d2t",
    "das2/juno_waves_sample.d2t",
    "das2/x_multi_y.d2s",
    "handmade/v2_bin_planes.d2t",
    "handmade/v2_xy_text.d2t",
    "handmade/v2_xyz_scatter.d2t",
    "handmade/v2_yscan_le_real.d2s",
]
DAS3 = {
    "das3/das3_csv_unsigned_test.d3b": ["x time", "y mag_id"],
    "das3/ex05_waveform_extra.d3t": ["x time.reference", "yscan Ey"],
    "das3/ex08_dynaspec_namespace.d3t": ["x time.min", "yscan electric"],
    "das3/ex17_vector_noframe.d3b": ["x time", "y b_tscs_x", "y b_tscs_y", "y b_tscs_z"],
    "das3/ex25_isee_rapid_rank2.d3b": ["x time.reference", "y frequency", "yscan e_series"],
    "das3/ex25_isee_rapid_rank2.d3t": ["x time.reference", "y frequency", "yscan e_series"],
    "handmade/v3_vector_text.d3t": ["x time", "y b_prb_x", "y b_prb_y", "y b_prb_z"],
    "handmade/v3_spectra_be.d3b": ["x time", "yscan psd"],
}
FILLS = {"fill", "yFill", "zFill"}


def run(stage, data) -> list:
    """Everything that comes out of a decoder or an encoder."""
    parts = [data] if isinstance(data, bytes) else data
    return [each for part in parts for each in stage.feed(part)] + list(stage.finish())


def columns(items: list) -> dict[tuple[int, str], np.ndarray]:
    """The columns of all datasets; those of one id that change their shape are kept apart."""
    found = {}
    for item in items:
        for name, column in item.columns.items() if isinstance(item, Records) else ():
            found.setdefault((item.dataset.id, name, column.shape[1:]), []).append(column)
    return {key: np.concatenate(parts) for key, parts in found.items()}


def datasets(items: list) -> list[Dataset]:
    """The declarations."""
    return [item for item in items if isinstance(item, Dataset)]


@pytest.mark.parametrize("name", DAS2)
def test_a_das2_stream_is_written_as_valid_das3_with_the_same_values(test_data, name):
    """Every header by the published schema, every value bit for bit in the binary form."""
    items = run(Das2Decoder(), (test_data / name).read_bytes())
    data = b"".join(run(Das3BinaryEncoder(), items))
    schema = etree.XMLSchema(etree.parse(test_data / "schema" / "das-basic-stream-v3.0.xsd"))
    for frame in Das3Framer().feed(data):
        if frame.kind != "data":
            schema.assertValid(etree.fromstring(frame.data.split(b"|", 4)[4]))
    before, after = columns(items), columns(run(Das3Decoder(), data))
    assert before.keys() == after.keys()
    for key, column in before.items():
        other = after[key]
        if column.dtype.kind == "M":
            other = epochs.to_datetime64(other, "TT2000")
        np.testing.assert_array_equal(column, other)


def said(header: StreamHeader, dataset: Dataset, variable: Variable) -> dict[str, str]:
    """What das2 says of a plane: the plane itself, else its packet, else the stream."""
    levels = (header.properties, dataset.properties, variable.properties)
    return {each.name: " ".join(each.text.split()) for level in levels for each in level if each.name not in FILLS}


@pytest.mark.parametrize("name", DAS2)
def test_what_das2_says_survives_the_way_through_das3_and_back(test_data, name):
    """Planes, names, units, encodings, tags, fill, and every property of every plane by the cascade."""
    items = run(Das2Decoder(), (test_data / name).read_bytes())
    back = run(Das3Decoder(), b"".join(run(Das3TextEncoder(secfrac=3), items)))
    header = items[0]
    first = datasets(back)[0]
    for before, middle in zip(datasets(items), datasets(back), strict=True):
        header2, after = (
            to_das2(back[0], middle) if middle is first else (to_das2(back[0], first)[0], to_das2(back[0], middle)[1])
        )
        assert [(each.plane, each.name, each.units) for each in before.columns if each.semantic != "datetime"] == [
            (each.plane, each.name, each.units) for each in after.columns if each.semantic != "datetime"
        ]
        assert before.index == after.index
        for own, other in zip(before.columns, after.columns, strict=True):
            assert own.plane == other.plane
            assert own.plane == "x" or other.fill == pytest.approx(own.fill)
            missing = said(header, before, own).items() - said(header2, after, other).items()
            assert not missing
        tags = [[each for each in made.variables.values() if each.plane == "tags"] for made in (before, after)]
        assert [each.units for each in tags[0]] == [each.units for each in tags[1]]
        for own, other in zip(*tags, strict=True):
            np.testing.assert_array_equal(own.values, other.values)


@pytest.mark.parametrize(("name", "planes"), DAS3.items())
@pytest.mark.parametrize("encoder", [Das2BinaryEncoder, Das2TextEncoder])
def test_a_das3_stream_is_read_by_das2_clients(test_data, name, planes, encoder):
    """Through the encoder and the decoder of das2: the planes, and the values to what das2 can hold."""
    items = run(Das3Decoder(), (test_data / name).read_bytes())
    _header, made = to_das2(items[0], datasets(items)[0])
    assert [f"{each.plane} {each.name}" for each in made.columns] == planes
    back = run(Das2Decoder(), b"".join(run(encoder(), items)))
    assert back[0].generation == 2
    expected = columns([records_to_das2(item, made) for item in items if isinstance(item, Records)])
    found = list(columns(back).values())
    assert len(found) == len(expected)
    for (key, values), other in zip(expected.items(), found, strict=True):
        if key[1].startswith("time"):
            units = made[key[1]].units
            plane = next(each for each in datasets(back)[0].columns if each.plane == "x")
            step = epochs.to_datetime64(values, units) - epochs.to_datetime64(other, plane.units)
            assert abs(step).max() <= np.timedelta64(1_000_000 if encoder is Das2TextEncoder else 1000, "ns")
        else:
            np.testing.assert_allclose(other, values, rtol=5.1e-4 if encoder is Das2TextEncoder else 0)


def scalar(name: str, **about) -> Variable:
    """A variable with one float per record."""
    facts = {
        "role": "center", "semantic": "real", "units": "V", "index": (VARIES,), "dtype": np.dtype("<f4"),
        "encoding": Encoding("LEreal", 4),
    }  # fmt: skip
    return Variable(name, **{**facts, **about})


TIME = Dimension(
    "time", "time", coordinate=True, axis="x",
    variables=(scalar("time", semantic="datetime", units="TT2000", dtype=np.dtype("<i8"), encoding=Encoding("LEint", 8)),),
)  # fmt: skip


def dataset(*dimensions: Dimension, index: tuple[int, ...] = (VARIES,), name: str = "d") -> Dataset:
    """A das3 dataset of these dimensions."""
    own = tuple(
        replace(each, variables=tuple(replace(variable, index=variable.index + (None,) * (len(index) - len(variable.index)))
                                      for variable in each.variables))
        for each in dimensions
    )  # fmt: skip
    wire = tuple(variable.name for each in own for variable in each.variables if variable.per_record)
    return Dataset(1, name, index, own, wire)


def data(*variables: Variable, **about) -> Dimension:
    """A data dimension, named as its first variable."""
    return Dimension(variables[0].name.partition(".")[0], "thing", coordinate=False, variables=variables, **about)


def coord(*variables: Variable, axis: str = "", physical: str = "thing") -> Dimension:
    """A coordinate dimension."""
    return Dimension(variables[0].name.partition(".")[0], physical, coordinate=True, variables=variables, axis=axis)


@settings(max_examples=40)
@given(st.lists(st.integers(-600_000_000, 1_000_000_000), min_size=1, max_size=8))
def test_tt2000_becomes_us2000_within_the_resolution_of_a_double(seconds):
    """From 1981 to 2031, leap seconds and all: half of the last digit of the double."""
    tt2000 = np.array(seconds, dtype=np.int64) * 1_000_000_000 + 123_456_789
    made = dataset(TIME, data(scalar("v")))
    header, other = to_das2(StreamHeader(), made)
    assert header.generation == 2
    assert (other["time"].units, other["time"].dtype, other["time"].encoding) == (
        "us2000", np.dtype("<f8"), Encoding("little_endian_real", 8))  # fmt: skip
    batch = records_to_das2(Records(made, {"time": tt2000, "v": np.zeros(len(tt2000), "<f4")}), other)
    exact = epochs.to_datetime64(tt2000, "TT2000").view("i8") - 946_684_800_000_000_000
    error = np.abs(batch["time"].astype(np.longdouble) * 1000 - exact)
    assert (error <= np.spacing(np.abs(batch["time"])) / 2 * 1000 + 1e-9).all()


def test_roles_of_one_dimension_become_planes_of_one_source():
    """Clients join `X.min` and `X.max` with `X` by `source` and `operation`."""
    made = dataset(TIME, data(scalar("b"), scalar("b.min", role="min"), scalar("b.max", role="max")))
    _header, other = to_das2(StreamHeader(), made)
    found = {
        each.name: (each.properties.text("source"), each.properties.text("operation")) for each in other.columns[1:]
    }
    assert found == {"b": ("b", "BIN_AVG"), "b.min": ("b", "BIN_MIN"), "b.max": ("b", "BIN_MAX")}


def test_vectors_become_a_plane_for_each_component_named_by_its_symbol():
    """By the system and the order of the slots; labels of components where the stream has them."""
    vector = Vector(2, "spherical", (2, 0))
    own = scalar("B", vector=vector, label="B field")
    labels = Properties((Property("compLabel", "first;second", "stringArray", term=";"),))
    made = dataset(TIME, data(own), data(replace(own, name="C", properties=labels)))
    _header, other = to_das2(StreamHeader(), made)
    assert [each.name for each in other.columns[1:]] == ["B_phi", "B_r", "C_phi", "C_r"]
    assert [each.label for each in other.columns[1:]] == ["B field phi", "B field r", "first", "second"]
    values = np.arange(6, dtype="<f4").reshape(3, 2)
    batch = records_to_das2(Records(made, {"time": np.zeros(3, "i8"), "B": values, "C": -values}), other)
    assert batch["B_r"].tolist() == [1, 3, 5]
    assert batch["C_phi"].tolist() == [0, -2, -4]


def test_reference_and_offset_become_a_waveform():
    """Tags are offsets, the renderer says so, for the plane and in the stream header, and das2 reads it back."""
    offset = scalar("time.offset", role="offset", units="s", index=(None, 4), values=np.arange(4) * 0.5, encoding=None,
                    sequences=(Sequence("0", ("-", "0.5")),), dtype=np.dtype("f8"))  # fmt: skip
    reference = replace(TIME.variables[0], name="time.reference", role="reference")
    made = dataset(
        replace(TIME, variables=(reference, offset)), data(scalar("e", index=(VARIES, 4))), index=(VARIES, 4)
    )
    header, other = to_das2(StreamHeader(), made)
    assert header.properties.text("renderer") == "waveform"
    later = dataset_to_das2(header, dataset(TIME, data(scalar("p", index=(VARIES, 4))), index=(VARIES, 4)))
    assert later["p"].properties.text("renderer") == "spectrogram"
    tags = other["time.offset"]
    assert (tags.plane, tags.sequences, tags.text) == ("tags", (Sequence("0", ("-", "0.5")),), "")
    records = Records(made, {"time.reference": np.zeros(2, "i8"), "e": np.ones((2, 4), "<f4")})
    back = run(Das2Decoder(), b"".join(run(Das2BinaryEncoder(), [StreamHeader(), made, records])))
    again = datasets(back)[0]
    assert again["time.offset"].values.tolist() == [0, 0.5, 1, 1.5]
    assert [each.role for each in again.dimensions[0].variables] == ["reference", "offset"]


def test_a_coordinate_on_the_y_axis_beside_data_makes_a_scatter():
    """x, y and z planes, as das2 has them; other coordinates are z too."""
    made = dataset(TIME, coord(scalar("lat"), axis="y"), coord(scalar("alt")), data(scalar("dens")))
    _header, other = to_das2(StreamHeader(), made)
    assert [(each.plane, each.name) for each in other.columns] == [
        ("x", "time"), ("y", "lat"), ("z", "alt"), ("z", "dens")]  # fmt: skip


def test_integers_states_and_times_beside_the_first_get_encodings_that_das2_has():
    """Reals wide enough to hold them; other times as us2000."""
    made = dataset(
        replace(TIME, variables=(*TIME.variables, replace(TIME.variables[0], name="time.max", role="max"))),
        data(scalar("a", dtype=np.dtype(">i2"), encoding=Encoding("BEint", 2), semantic="integer", fill=-1)),
        data(scalar("b", dtype=np.dtype("<i4"), encoding=Encoding("LEint", 4), semantic="integer")),
        data(scalar("c", dtype=np.dtype("i1"), encoding=Encoding("utf8", 2), semantic="bool", fill=-128)),
        data(scalar("d", dtype=np.dtype("f4"), encoding=Encoding("utf8", 11))),
        data(scalar("e", dtype=np.dtype("M8[ns]"), encoding=Encoding("utf8", 27), semantic="datetime", units="UTC")),
    )
    header, other = to_das2(StreamHeader(), made)
    assert header.properties == Properties()
    assert [(each.name, each.encoding.name, each.encoding.width, each.units) for each in other.columns] == [
        ("time", "little_endian_real", 8, "us2000"),
        ("time.max", "little_endian_real", 8, "us2000"),
        ("a", "sun_real", 4, "V"),
        ("b", "little_endian_real", 8, "V"),
        ("c", "ascii", 14, "V"),
        ("d", "ascii", 11, "V"),
        ("e", "time", 27, "UTC"),
    ]
    assert [dimension.coordinate for dimension in other.dimensions] == [True, False, False, False, False, False, False]
    assert other["a"].properties.text("yFill") == "-1.0"


def rank2(**about) -> Variable:
    """A variable over one inner index."""
    return scalar("v", **{"index": (VARIES, 3), **about})


STRINGS = scalar("v", semantic="string", dtype=np.dtype("S4"), encoding=Encoding("utf8", 4))
OFFSET = scalar("f.offset", role="offset", index=(None, 3), values=np.zeros(3), encoding=None)


@pytest.mark.parametrize(
    ("dimensions", "index", "why"),
    [
        ((TIME, data(STRINGS)), (VARIES,), "v of dataset d is text"),
        ((TIME, data(rank2(index=(VARIES, VARIES)))), (VARIES, VARIES), "v of dataset d is ragged"),
        ((TIME, data(scalar("v", index=(VARIES, 3, 4)))), (VARIES, 3, 4), "v of dataset d has rank 3"),
        ((TIME, coord(replace(rank2(), name="f")), data(rank2())), (VARIES, 3), "f of dataset d is a coordinate that"),
        ((TIME, coord(scalar("f.reference", role="reference"), OFFSET), data(rank2())), (VARIES, 3), "along f.offset"),
        ((data(scalar("v")),), (VARIES,), "d has no coordinate"),
    ],
)
def test_what_das2_cannot_hold_is_refused_by_the_name_of_the_variable(dimensions, index, why):
    """Text, ragged values, rank 3, coordinates that change along both indices."""
    with pytest.raises(QueryError, match=why) as caught:
        to_das2(StreamHeader(), dataset(*dimensions, index=index))
    assert caught.value.kind == "query.unreachable-type"


def test_inner_indices_that_das2_does_not_need_are_left_out_and_missing_tags_are_numbers():
    """A yscan without a coordinate has the tags 0, 1, 2."""
    made = dataset(TIME, data(scalar("v", index=(VARIES, None, 3))), index=(VARIES, 7, 3))
    _header, other = to_das2(StreamHeader(), made)
    assert other.index == (VARIES, 3)
    assert other["v"].index == (VARIES, 3)
    assert other["index_2"].values.tolist() == [0.0, 1.0, 2.0]


def test_the_stream_header_tells_title_and_labels_of_the_first_dataset():
    """Java looks for them there only; what the stream says itself comes first."""
    spectra = coord(
        scalar("f", units="Hz", index=(None, 3), values=np.arange(3.0), encoding=None, label="Frequency"), axis="y"
    )
    made = dataset(replace(TIME, variables=(replace(TIME.variables[0], label="UTC"),)), spectra,
                   data(rank2(label="Power")), index=(VARIES, 3))  # fmt: skip
    made = replace(made, properties=Properties((Property("title", "Waves"),)))
    header, _other = to_das2(StreamHeader(), made)
    assert {each.name: each.text for each in header.properties} == {
        "title": "Waves", "renderer": "spectrogram", "xLabel": "UTC", "yLabel": "Frequency", "zLabel": "Power"}  # fmt: skip
    told = StreamHeader(properties=Properties((Property("title", "Mine"), Property("yLabel", "f"))))
    header, _other = to_das2(told, made)
    assert (header.properties.text("title"), header.properties.text("yLabel")) == ("Mine", "f")


@pytest.mark.parametrize(
    ("das2", "das3"),
    [
        (Property("a", "text", "String"), Property("a", "text")),
        (Property("a", "true", "boolean"), Property("a", "true", "bool")),
        (Property("a", "7", "int"), Property("a", "7", "integer")),
        (Property("a", "-1.0e31", "double"), Property("a", "-1.0e31", "real")),
        (Property("a", "1,2", "doubleArray"), Property("a", "1,2", "realArray", term=",")),
        (Property("a", "8.0 s", "Datum"), Property("a", "8.0", "real", "s")),
        (Property("a", "1.4 V**2 Hz**-1", "Datum"), Property("a", "1.4", "real", "V**2 Hz**-1")),
        (Property("a", "1e-3 to 2.5 kHz", "DatumRange"), Property("a", "1e-3 to 2.5", "realRange", "kHz")),
        (Property("a", "-5 to 6", "DatumRange"), Property("a", "-5 to 6", "realRange")),
        (
            Property("a", "2031-04-02T00:00 to 2031-04-03 UTC", "DatumRange"),
            Property("a", "2031-04-02T00:00 to 2031-04-03", "datetimeRange", "UTC"),
        ),
        (Property("a", "2031-04-02", "Time"), Property("a", "2031-04-02", "datetime")),
    ],
)
def test_types_of_properties_have_a_counterpart(das2, das3):
    """Both ways."""
    assert property_mapping.das3_property(das2) == das3
    assert property_mapping.das2_property(das3) == das2


@pytest.mark.parametrize(
    ("das2", "das3"),
    [
        (Property("a", "soon", "Datum"), Property("a", "soon")),
        (Property("a", "here to there", "DatumRange"), Property("a", "here to there")),
        (Property("a", "2031-04-02 UTC", "Datum"), Property("a", "2031-04-02", "datetime", "UTC")),
        (
            Property("a", "2031-092 to 2031-093", "TimeRange"),
            Property("a", "2031-092 to 2031-093", "datetimeRange", "UTC"),
        ),
    ],
)
def test_what_das2_calls_a_datum_is_read_as_what_it_is(das2, das3):
    """A string where it is neither number nor time."""
    assert property_mapping.das3_property(das2) == das3


def test_names_of_an_axis_lose_and_regain_its_letter():
    """Those that every plot knows; others keep their names."""
    das2 = (
        Property("yLabel", "B", "String"),
        Property("yTagWidth", "2 s", "Datum"),
        Property("yOwn", "x", "String"),
        Property("zLabel", "Z", "String"),
    )
    das3 = property_mapping.axis_properties(das2, "y")
    assert [entry.name for entry in das3] == ["label", "tagWidth"]
    assert property_mapping.with_axis(das3, "y").entries == das2[:2]
    assert [entry.name for entry in property_mapping.other_properties(das2, ["y"])] == ["yOwn", "zLabel"]
    limits = (Property("scaleMin", "1", "real", "Hz"), Property("scaleMax", "9", "real", "Hz"), Property("fill", "0"))
    assert property_mapping.with_axis(limits, "y").get("yRange") == Property("yRange", "1 to 9 Hz", "DatumRange")


def test_what_has_the_generation_already_stays_as_it_is():
    """Conversion is asked for by encoders, whatever comes."""
    made, header = dataset(TIME, data(scalar("v"))), StreamHeader()
    assert to_das3(header, made) == (header, made)
    header2, other = to_das2(header, made)
    assert to_das2(header2, other) == (header2, other)
    batch = Records(other, {"time": np.zeros(1), "v": np.zeros(1)})
    assert records_to_das2(batch, other) is batch
