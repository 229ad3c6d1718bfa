# SPDX-License-Identifier: GPL-3.0-or-later
"""The das style: byte for byte what classic das3_csv writes, but for the deviations that are declared."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from dasflex_core.arrays import Properties, Property, Records
from dasflex_core.testing import golden
from dasflex_csv.formatter import CsvFormatter
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das3_decoder import Das3Decoder

CLASSIC = {"style": "das", "sigdigit": 8}


def formatted(items, **options):
    """The text of a stream."""
    formatter = CsvFormatter(**options)
    return b"".join([*(chunk for item in items for chunk in formatter.feed(item)), *formatter.finish()]).decode()


def decoded(decoder, stream):
    """The items of a stream of bytes."""
    return [*decoder.feed(stream), *decoder.finish()]


def rows(text, delimiter=";"):
    """The cells of all rows."""
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_the_verified_sample_of_das3_csv():
    items = golden.scalars()
    labels = {"bx": "B!Dx!N (nT)", "by": "B!Dy!N (nT)"}
    dataset = items[1]
    for name, label in labels.items():
        dataset = dataset.swap(dataset[name], replace(dataset[name], label=label))
    text = formatted([items[0], dataset, replace(items[-1], dataset=dataset)], **CLASSIC)
    assert text.split("\r\n")[:4] == [
        '1;"header";"coord:time";"data:bx";"data:by"',
        '1;"header";"(UTC)";"(nT)";"(nT)"',
        '1;"header";;"B!Dx!N (nT)";"B!Dy!N (nT)"',
        '1;"values";2031-04-02T00:00:00.500;1.2500000e+01;-3.2500000e+00',
    ]


def test_the_sample_from_its_das2_stream(test_data):
    stream = (test_data / "handmade" / "v2_xy_text.d2t").read_bytes()
    text = formatted(decoded(Das2Decoder(), stream), **CLASSIC)
    assert text.split("\r\n")[3] == '1;"values";2031-04-02T00:00:00.500;1.2500000e+01;-3.2500000e+00'
    assert text.split("\r\n")[2] == '1;"header";;"B!Dx!N (nT)";"B!Dy!N (nT)"'


def test_the_golden_file_of_das3_csv(test_data):
    stream = (test_data / "das3" / "das3_csv_unsigned_test.d3b").read_bytes()
    golden_text = (test_data / "das3" / "das3_csv_unsigned_test.csv").read_bytes()
    assert formatted(decoded(Das3Decoder(), stream), **CLASSIC).encode() == golden_text


def test_without_options_no_value_loses_a_digit():
    text = formatted(golden.spectra(), style="das")
    first = [float(cell) for cell in rows(text)[3][-3:]]
    assert np.array(first, dtype="f4").tolist() == golden.spectra()[-1]["psd"][0].tolist()
    assert "9.99999972e-10" in text
    assert "1.2750000000000000e+01" in formatted(golden.scalars(), style="das")


def test_tags_stand_in_the_third_row_above_columns_that_are_empty_in_rows_of_values():
    table = rows(formatted(golden.spectra(), **CLASSIC))
    assert table[0] == ["3", "header", "coord:time", "coord:frequency", "", "", "data:psd", "", ""]
    assert table[1] == ["3", "header", "(TT2000)", "(Hz)", "", "", "(V**2 m**-2 Hz**-1)", "", ""]
    assert table[2] == ["3", "header", "", "10", "20", "40", "", "", ""]
    assert table[3][3:6] == ["", "", ""]
    assert {len(row) for row in table} == {9}


def test_the_offsets_of_a_waveform_are_a_role_of_time():
    table = rows(formatted(golden.waveform(), **CLASSIC))
    assert table[0][2:8] == ["coord:time:reference", "coord:time:offset", "", "", "", "data:ex"]
    assert table[2][3:7] == ["0", "0.5", "1", "1.5"]


def test_fixed_columns_at_the_end_keep_rows_whole():
    header, dataset, batch = golden.spectra()
    data = replace(dataset.dimensions[1], coordinate=False)
    turned = replace(dataset, dimensions=(dataset.dimensions[0], dataset.dimensions[2], data))
    text = formatted([header, turned, replace(batch, dataset=turned)], **CLASSIC)
    assert text.split("\r\n")[3].endswith(";3.9999999e-09;;;")
    assert {len(row) for row in rows(text)} == {9}


def test_components_of_vectors_are_labelled():
    table = rows(formatted(golden.vectors(), **CLASSIC))
    assert table[0] == ["5", "header", "coord:time", "data:b", "", ""]
    assert table[2][3:] == ["b_x", "b_y", "b_z"]


def test_fill_and_states_are_written_as_they_are():
    table = rows(formatted(golden.states(), style="das"))
    assert table[4][2:] == ["2031-04-02T00:00:04.500", "-2147483647", "-128", ""]
    assert table[5][2:] == ["2031-04-02T00:00:08.500", "-1200", "0", 'burst, "B"']
    assert "-9.9999998e+30" in formatted(golden.spectra(), **CLASSIC)
    assert ";NaN\r\n" in formatted(golden.spectra(), **CLASSIC)


def test_a_missing_time_is_the_das_fill_time():
    items = golden.scalars()
    items[-1].columns["time"][1] = np.datetime64("NaT")
    assert rows(formatted(items, **CLASSIC))[4][2] == "0001-01-01T00:00:00.000"


def test_property_rows_come_before_the_headers_with_scope_type_and_units():
    header, dataset, comment, batch = golden.scalars()
    header = replace(
        header,
        properties=Properties(
            (
                Property("title", 'The "new" probe', "String"),
                Property("xTagWidth", "8.0 s", "Datum"),
                Property("xCacheRange", "2031-04-02T00:00 to 2031-04-02T01:00 UTC", "DatumRange"),
            )
        ),
    )
    dataset = replace(dataset, properties=Properties((Property("scale", "1;2", "realArray", "nT", ";"),)))
    text = formatted([header, dataset, comment, replace(batch, dataset=dataset)], props=True, **CLASSIC)
    assert text.split("\r\n")[:5] == [
        '0;"property";"global";"title";"string";;"The ""new"" probe"',
        '0;"property";"global";"xTagWidth";"real";"s";"8.0"',
        '0;"property";"global";"xCacheRange";"datetimeRange";;"2031-04-02T00:00";"2031-04-02T01:00"',
        '1;"property";"packet_01";"scale";"realArray";"nT";"1";"2"',
        '1;"header";"coord:time";"data:bx";"data:by"',
    ]


def test_properties_of_dimensions_and_variables_have_both_names_in_their_scope():
    header, dataset, comment, batch = golden.scalars()
    bx = replace(dataset["bx"], properties=Properties((Property("yLabel", "Bx", "String"),)))
    dataset = dataset.swap(dataset["bx"], bx)
    text = formatted([header, dataset, comment, replace(batch, dataset=dataset)], props=True, **CLASSIC)
    assert '1;"property";"packet_01:bx";"yLabel";"string";;"Bx"\r\n' in text


def test_the_id_column_can_be_left_out():
    table = rows(formatted(golden.scalars(), dsid=False, props=True, **CLASSIC))
    assert [row[0] for row in table] == ["property", "header", "header", "header", "values", "values", "values"]


def test_without_headers_the_second_column_and_properties_go_too():
    text = formatted(golden.scalars(), headers=False, props=True, **CLASSIC)
    assert text.split("\r\n")[0] == "1;2031-04-02T00:00:00.500;1.2500000e+01;-3.2500000e+00"
    bare = formatted(golden.scalars(), headers=False, dsid=False, **CLASSIC)
    assert bare.split("\r\n")[0] == "2031-04-02T00:00:00.500;1.2500000e+01;-3.2500000e+00"


def test_several_datasets_take_turns_each_with_its_headers():
    table = rows(formatted(golden.two_datasets(), **CLASSIC))
    assert [(row[0], row[1]) for row in table] == [("1", "header")] * 3 + [("3", "header")] * 3 + [
        ("1", "values"),
        ("3", "values"),
    ] * 3


def test_a_dataset_declared_anew_has_new_headers():
    header, dataset, comment, batch = golden.scalars()
    other = replace(dataset, dimensions=dataset.dimensions[:2], wire=("time", "bx"))
    short = Records(other, {name: batch.columns[name] for name in other.wire})
    table = rows(formatted([header, dataset, comment, batch, other, short], **CLASSIC))
    assert [len(row) for row in table] == [5] * 6 + [4] * 6


@pytest.mark.parametrize("mark", ["comma", "tab", "|"])
def test_another_delimiter_can_be_asked_for(mark):
    character = {"comma": ",", "tab": "\t"}.get(mark, mark)
    assert rows(formatted(golden.scalars(), delim=mark, **CLASSIC), character)[3][3] == "1.2500000e+01"


def test_a_label_of_the_dataset_stands_in_for_one_of_the_variable():
    header, dataset, batch = golden.states()
    labelled = replace(dataset, properties=Properties((Property("label", "Housekeeping"),)))
    table = rows(formatted([header, labelled, replace(batch, dataset=labelled)], **CLASSIC))
    assert table[2][3] == "Housekeeping"
