# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CDF says is what the ISTP guidelines ask for and what das-streams 5.14 makes of the properties of a stream."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from dasflex_cdf.attributes import plain_units
from dasflex_core.arrays import Dataset, Properties, Property, Records, StreamHeader
from dasflex_core.testing import golden

from .conftest import by_cdflib, by_pycdfpp, complaints, globals_of, read_by_all, same

#: What each variable must have (ISTP guidelines, variable attributes), by its VAR_TYPE.
REQUIRED = {
    "data": {"CATDESC", "FIELDNAM", "FORMAT", "UNITS", "VALIDMIN", "VALIDMAX", "FILLVAL", "DISPLAY_TYPE", "DEPEND_0"},
    "support_data": {"CATDESC", "FIELDNAM", "FORMAT", "UNITS", "VALIDMIN", "VALIDMAX", "FILLVAL"},
    "metadata": {"CATDESC", "FIELDNAM", "FORMAT", "FILLVAL"},
}
GLOBALS = (
    *("Project", "Source_name", "Discipline", "Data_type", "Descriptor", "Data_version", "PI_name", "PI_affiliation"),
    *("TEXT", "Instrument_type", "Mission_group", "Logical_source", "Logical_file_id", "Logical_source_description"),
)


def ruled(path):
    """Holds a file against our own reading of the guidelines."""
    values, about = by_pycdfpp(path)
    held = globals_of(path)
    assert set(GLOBALS) <= set(held)
    assert path.stem == held["Logical_file_id"][0]
    assert path.stem.startswith(held["Logical_source"][0])
    for name, own in about.items():
        assert re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII), name
        lacking = REQUIRED[own["VAR_TYPE"]] - set(own)
        assert not lacking - ({"FILLVAL"} if name.startswith("image") else set()), (name, lacking)
        assert "LABLAXIS" in own or "LABL_PTR_1" in own or own["VAR_TYPE"] == "metadata", name
        inner = values[name].shape[1:] if "DEPEND_0" in own else ()
        for axis, extent in enumerate(inner, 1):
            target = own.get(f"DEPEND_{axis}") or own.get(f"LABL_PTR_{axis}")
            if target is None:
                assert own["VAR_TYPE"] == "support_data", (name, axis)
                continue
            assert values[target].shape[-1] == extent, (name, axis)
        if own["VAR_TYPE"] == "data":
            assert len(values[own["DEPEND_0"]]) == len(values[name])
            assert own["VALIDMIN"] < own["VALIDMAX"]


@pytest.mark.parametrize("name", golden.streams())
def test_files_keep_our_rules_and_those_of_the_checker(make, nasa, name):
    path = make(golden.streams()[name])
    ruled(path)
    found = complaints(path, nasa)
    assert found == (["image: No FILLVAL attribute."] if name == "pictures" else [])


def decoded(path):
    """The items of a file of the das folder."""
    from dasflex_das.das2_decoder import Das2Decoder
    from dasflex_das.das3_decoder import Das3Decoder

    decoder = (Das2Decoder if path.parent.name == "das2" else Das3Decoder)()
    return [*decoder.feed(path.read_bytes()), *decoder.finish()]


REAL = (
    *("das2/juno_waves_sample.d2t", "das2/galileo_pws_sample.d2t", "das2/das2_bin_avgsec_input1.d2s"),
    *("das3/ex05_waveform_extra.d3t", "das3/ex12_sounder_xyz.d3t", "das3/ex15_vector_frame.d3t"),
    *("das3/ex19_cassini_ragged_wfrm.d3t", "das3/ex21_tracers_cdpu_status.d3b", "das3/ex22_mag_grid_vec.d3b"),
    *("das3/ex25_isee_rapid_rank2.d3t", "das3/ex27_epop_fai_mgf_blob.d3b", "das3/ex32_marsis_2d_ragged.d3b"),
    *("das3/ex36_events_rank3.d3t", "das3/ex38_wbr_wfrm_tags.d3t"),
)


@pytest.mark.parametrize("name", REAL)
def test_real_streams_become_files_of_istp(make, nasa, test_data, name):
    path = make(decoded(test_data / name))
    read_by_all(path, nasa)
    found = [each for each in complaints(path, nasa) if "multiple days" not in each]
    assert found == (["FAI_image: No FILLVAL attribute."] if "blob" in name else [])


def test_the_sounder_is_that_of_the_classic_program(make, test_data):
    ours, told = by_pycdfpp(make(decoded(test_data / "das3" / "ex12_sounder_xyz.d3t")))
    theirs, said = by_pycdfpp(test_data / "das3" / "ex12_sounder_xyz.cdf")
    assert set(ours) == set(theirs)
    for name, array in theirs.items():
        if name == "Epoch":  # the classic program makes its times of floats
            assert np.abs(ours[name] - array).max() <= 1
        elif name.startswith("altitude"):  # and adds steps up in float32
            np.testing.assert_allclose(ours[name], array, rtol=1e-5)
        else:
            assert same(ours[name], array), name
        for key in ("UNITS", "VAR_TYPE", "DEPEND_0", "DEPEND_1", "DEPEND_2", "FILLVAL"):
            if key in said[name]:
                assert told[name][key] == said[name][key], (name, key)


def test_a_real_istp_file_has_nothing_that_ours_lack(make, test_data):
    (real,) = (test_data / "themis").iterdir()
    _values, theirs = by_cdflib(real)
    _values, ours = by_cdflib(make(golden.spectra()))
    data = {name for each in theirs.values() if each["VAR_TYPE"] == "data" for name in each}
    known = {name for each in ours.values() for name in each}
    # optional ones, and two of theirs that the guidelines do not know
    assert data - known <= {"SCALEMIN", "SCALEMAX", "UCD", "LABEL", "VAR_NOTES"}
    assert set(globals_of(real)) >= {"Project", "Source_name", "Logical_source"}


def told(*properties, name="psd", variable=False):
    """The attributes of a variable of the spectra with these properties."""
    header, dataset, batch = golden.spectra()
    entries = Properties(tuple(Property(*each) for each in properties))
    dimensions = tuple(
        replace(
            each,
            properties=Properties() if variable else entries,
            variables=tuple(replace(own, properties=entries if variable else Properties()) for own in each.variables),
        )
        if each.name == name
        else each
        for each in dataset.dimensions
    )
    made = replace(dataset, dimensions=dimensions)
    return [header, made, Records(made, batch.columns)]


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("label", "E (V**2 m**-2 Hz**-1)", "LABLAXIS", "E"),
        ("title", "Electric field", "FIELDNAM", "Electric field"),
        ("description", "Electric field", "FIELDNAM", "Electric field"),
        ("summary", "The spectral density of E", "CATDESC", "The spectral density of E"),
        ("notes", "Not below 10 Hz", "VAR_NOTES", "Not below 10 Hz"),
        ("info", "Not below 10 Hz", "VAR_NOTES", "Not below 10 Hz"),
        ("format", "%9.3e", "FORMAT", "E9.3"),
        ("format", "%.2f", "FORMAT", "F10.2"),
        ("format", "shown", "FORMAT", "E14.7"),
        ("validMin", "1e-20", "VALIDMIN", [pytest.approx(1e-20)]),
        ("validMax", "1e-2 V**2", "VALIDMAX", [pytest.approx(1e-2)]),
        ("scaleMin", "1e-18", "SCALEMIN", [pytest.approx(1e-18)]),
        ("scaleMax", "1e-3", "SCALEMAX", [pytest.approx(1e-3)]),
        ("range", "1e-18 to 1e-3", "SCALEMAX", [pytest.approx(1e-3)]),
        ("scaleType", "log", "SCALETYP", "log"),
        ("nominalMin", "1e-18", "LIMITS_NOMINAL_MIN", [pytest.approx(1e-18)]),
        ("warnMax", "1e-3", "LIMITS_WARN_MAX", [pytest.approx(1e-3)]),
        ("calType", "polynomial", "CAL_METHOD", "polynomial"),
        ("calInfo", "y = 2 x", "CAL_DESCIPTION", "y = 2 x"),
        ("calSource", "Bench", "CAL_REFERENCE", "Bench"),
        ("calSrcDate", "2031-01-01", "CAL_REF_DATE", "2031-01-01"),
    ],
)
@pytest.mark.parametrize("variable", [True, False])
def test_properties_become_attributes(make, nasa, name, text, attribute, value, variable):
    path = make(told((name, text), variable=variable))
    assert by_pycdfpp(path)[1]["psd"][attribute] == value
    assert complaints(path, nasa) == [] or name.startswith("valid")


def test_properties_of_das2_are_found_on_the_stream_by_their_axis(make):
    header, dataset, *_rest, batch = golden.scalars()
    entries = (Property("yScaleType", "log", "String"), Property("yRange", "1 to 30 nT", "DatumRange"),
               Property("xLabel", "SCET %{RANGE}", "String"))  # fmt: skip
    _values, about = by_pycdfpp(make([replace(header, properties=Properties(entries)), dataset, batch]))
    assert about["bx"]["SCALETYP"] == "log"
    assert (about["bx"]["SCALEMIN"], about["bx"]["SCALEMAX"]) == ([1.0], [30.0])
    assert about["bx"]["LABLAXIS"] == "Bx"
    assert about["Epoch"]["LABLAXIS"] == "SCET"


def test_the_properties_of_the_stream_are_attributes_of_the_file(make):
    _header, dataset, batch = golden.spectra()
    entries = Properties((
        Property("title", "Probe A %{xRange}"),
        Property("Discipline", "Space Physics>Magnetospheric Science"),
        Property("rate", "0.25", "real", "Hz"),
        Property("sensors", "U;V;W;", "stringArray", term=";"),
    ))  # fmt: skip
    made = globals_of(make([StreamHeader(properties=entries), dataset, batch]))
    assert made["TITLE"] == ["Probe A"]
    assert made["Discipline"] == ["Space Physics>Magnetospheric Science"]
    assert made["rate"] == ["0.25 Hz"]
    assert made["sensors"] == ["U", "V", "W"]


def test_the_properties_of_datasets_are_too_with_their_names_where_there_are_several(make):
    def with_info(items):
        return [
            replace(each, properties=Properties((Property("summary", f"All of {each.name}"),)))
            if isinstance(each, Dataset)
            else each
            for each in items
        ]

    assert globals_of(make(with_info(golden.spectra())))["TEXT"] == ["All of spectra"]
    assert globals_of(make(with_info(golden.two_datasets())))["spectra_summary"] == ["All of spectra"]


def test_vectors_have_labels_and_a_frame(make):
    values, about = by_pycdfpp(make(golden.vectors()))
    assert about["b"]["LABL_PTR_1"] == "b_label"
    assert values["b_label"].tolist() == [b"b_x", b"b_y", b"b_z"]
    assert (about["b"]["COORD_FRAME"], about["b"]["DISPLAY_TYPE"]) == ("SM", "time_series")
    header, dataset, batch = golden.vectors()
    named = replace(dataset["b"], properties=Properties((Property("compLabel", "Bx By Bz", "stringArray"),)), axes=())
    made = dataset.swap(dataset["b"], named)
    values, _about = by_pycdfpp(make([header, made, Records(made, batch.columns)]))
    assert values["b_label"].tolist() == [b"Bx", b"By", b"Bz"]


def test_waveforms_have_offsets_and_spectra_frequencies(make):
    _values, about = by_pycdfpp(make(golden.waveform()))
    assert (about["ex"]["DEPEND_1"], about["ex"]["DISPLAY_TYPE"]) == ("EpochOffset", "time_series")
    assert about["EpochOffset"]["SI_CONVERSION"] == "1>s"
    _values, about = by_pycdfpp(make(golden.spectra()))
    assert (about["psd"]["DEPEND_1"], about["psd"]["DISPLAY_TYPE"]) == ("frequency", "spectrogram")
    assert about["psd"]["UNITS"] == "V^2 m^-2 Hz^-1"


def test_a_coordinate_that_differs_from_record_to_record_depends_on_the_epoch(make):
    header, dataset, batch = golden.spectra()
    frequency = replace(dataset["frequency"], index=dataset["psd"].index, values=None, axes=())
    made = replace(dataset.swap(dataset["frequency"], frequency), wire=("time", "frequency", "psd"))
    tags = np.arange(9.0).reshape(3, 3)
    values, about = by_pycdfpp(make([header, made, Records(made, {**batch.columns, "frequency": tags})]))
    assert (about["psd"]["DEPEND_1"], about["frequency"]["DEPEND_0"]) == ("frequency", "Epoch")
    assert values["frequency"].tolist() == tags.tolist()


def test_errors_are_named_by_delta_vars(make, nasa):
    header, dataset, *_rest, batch = golden.scalars()
    bx = dataset["bx"]
    error = replace(bx, name="bx.err", role="uncertainty", axes=(), label="")
    dimension = next(each for each in dataset.dimensions if each.name == "bx")
    dimensions = tuple(
        replace(each, variables=(*each.variables, error)) if each is dimension else each for each in dataset.dimensions
    )
    made = replace(dataset, dimensions=dimensions, wire=(*dataset.wire, "bx.err"))
    path = make([header, made, Records(made, {**batch.columns, "bx.err": batch["bx"] / 100})])
    _values, about = by_pycdfpp(path)
    assert about["bx"]["DELTA_PLUS_VAR"] == about["bx"]["DELTA_MINUS_VAR"] == "bx_err"
    assert complaints(path, nasa) == []


def test_the_name_that_a_stream_wants_in_a_cdf_is_taken(make):
    _values, about = by_pycdfpp(make(told(("cdfName", "E_psd"))))
    assert "E_psd" in about


def test_values_beyond_the_usual_make_the_valid_range_wider(make, nasa):
    header, dataset, batch = golden.spectra()
    large = batch["psd"].copy()
    large[0, 0] = 3e38
    path = make([header, dataset, Records(dataset, {**batch.columns, "psd": large})])
    assert by_pycdfpp(path)[1]["psd"]["VALIDMAX"][0] == np.finfo("f4").max
    assert complaints(path, nasa) == []


def test_a_valid_range_of_times_is_read(make):
    path = make(told(("validMin", "2030-01-01"), name="time"))
    assert str(by_pycdfpp(path)[1]["Epoch"]["VALIDMIN"][0]).startswith("2030-01-01T00:00:00")


@pytest.mark.parametrize(("units", "plain"), [("μs", "us"), ("V m**-1", "V m^-1"), ("", " "), ("nT", "nT")])
def test_units_are_written_as_programs_read_them(units, plain):
    assert plain_units(units) == plain
