# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain style: what data frames read without options, and what one table cannot hold."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dasflex_core.arrays import VARIES, Comment, Dimension, Problem, Ragged, Records, StreamHeader, Variable
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.testing import golden
from dasflex_csv.formatter import CsvFormatter


def formatted(items, **options):
    """The text of a stream."""
    formatter = CsvFormatter(**options)
    return b"".join([*(chunk for item in items for chunk in formatter.feed(item)), *formatter.finish()]).decode()


def frame(items, **options):
    """What pandas reads, with no option but that of the delimiter."""
    return pd.read_csv(io.StringIO(formatted(items)), **options)


def test_scalars_have_units_in_their_header_and_fill_is_an_empty_cell():
    assert formatted(golden.scalars()) == (
        "time,bx (nT),by (nT)\n"
        "2031-04-02T00:00:00.500,12.5,-3.25\n"
        "2031-04-02T00:00:04.500,12.75,\n"
        "2031-04-02T00:00:08.500,13.0,-3.5\n"
    )


def test_pandas_reads_numbers_as_numbers_and_times_as_times():
    table = frame(golden.scalars(), parse_dates=["time"], index_col="time")
    assert list(table.dtypes) == [np.float64, np.float64]
    assert table.index[1] == pd.Timestamp("2031-04-02T00:00:04.5")
    assert np.isnan(table["by (nT)"].iloc[1])


def test_spectra_have_a_column_per_frequency_named_by_it():
    assert formatted(golden.spectra()) == (
        "time,psd (10 Hz),psd (20 Hz),psd (40 Hz)\n"
        "2031-04-02T00:00:00.500000000,1e-9,2e-9,4e-9\n"
        "2031-04-02T00:00:01.500000000,2e-9,,\n"
        "2031-04-02T00:00:02.500000000,3e-9,-2e-9,0.0\n"
    )


def test_waveforms_have_a_row_per_record_and_a_column_per_sample_named_by_its_offset():
    assert formatted(golden.waveform()) == (
        "time,ex (0 s),ex (0.5 s),ex (1 s),ex (1.5 s)\n"
        "2031-04-02T00:00:00.500,0.5,-0.25,0.125,1.0\n"
        "2031-04-02T00:00:04.500,,0.0,-1.0,2.0\n"
    )


def test_vectors_have_a_column_per_component():
    assert formatted(golden.vectors()).splitlines()[:2] == [
        "time,b_x (nT),b_y (nT),b_z (nT)",
        "2031-04-02T00:00:00.500,1.5,-2.5,3.0",
    ]


def test_states_are_words_and_text_is_quoted_where_it_must_be():
    assert formatted(golden.states()) == (
        "time,count,on,mode\n"
        "2031-04-02T00:00:00.500,7,True,survey\n"
        "2031-04-02T00:00:04.500,,,\n"
        '2031-04-02T00:00:08.500,-1200,False,"burst, ""B"""\n'
    )
    assert frame(golden.states())["mode"].iloc[2] == 'burst, "B"'


def test_text_over_lines_stays_one_cell():
    items = golden.states()
    items[-1].columns["mode"][:] = [b"a\nb", b"c\rd", b'"']
    rows = list(csv.reader(io.StringIO(formatted(items), newline="")))
    assert [row[3] for row in rows] == ["mode", "a\nb", "c\rd", '"']


@pytest.mark.parametrize("options", [{}, {"sigdigit": 5}])
@pytest.mark.parametrize("mark", ["semicolon", ";", "tab", "pipe", " "])
def test_any_delimiter_separates_and_what_holds_it_is_quoted(mark, options):
    character = {"semicolon": ";", "tab": "\t", "pipe": "|"}.get(mark, mark)
    items = golden.states()
    items[-1].columns["mode"][0] = b"a" + character.encode() + b"b"
    rows = list(csv.reader(io.StringIO(formatted(items, delim=mark, **options)), delimiter=character))
    assert rows[0] == ["time", "count", "on", "mode"]
    assert rows[1][1:] == ["7", "True", f"a{character}b"]
    assert rows[3][3] == 'burst, "B"'


@pytest.mark.parametrize("bad", ["", "::", "5", "e", ".", "-", '"', "\n", "µ", "commas", "["])
def test_a_delimiter_that_stands_in_values_is_refused(bad):
    if bad:
        with pytest.raises(QueryError, match=r"comma, semicolon, tab, pipe") as told:
            CsvFormatter(delim=bad)
        assert told.value.kind == "query.bad-value"
    else:
        assert formatted(golden.scalars(), delim=bad).startswith("time,bx")


def test_without_headers_rows_start_at_once():
    assert formatted(golden.scalars(), headers=False).startswith("2031-04-02T00:00:00.500,12.5")


def test_significant_digits_count_all_digits():
    assert formatted(golden.scalars(), sigdigit=3, secfrac=0).splitlines()[1:] == [
        "2031-04-02T00:00:00,1.25e+01,-3.25e+00",
        "2031-04-02T00:00:04,1.28e+01,",
        "2031-04-02T00:00:08,1.30e+01,-3.50e+00",
    ]


def test_digits_of_a_second_can_be_asked_for():
    assert formatted(golden.scalars(), secfrac=6).splitlines()[1].startswith("2031-04-02T00:00:00.500000,")


def test_a_missing_time_is_an_empty_cell_in_both_ways_of_writing():
    items = golden.scalars()
    items[-1].columns["time"][1] = np.datetime64("NaT")
    assert formatted(items).splitlines()[2] == ",12.75,"
    assert formatted(items, sigdigit=3).splitlines()[2] == ",1.28e+01,"


def test_infinities_stay():
    items = golden.scalars()
    items[-1].columns["bx"][:] = [np.inf, -np.inf, np.finfo(np.float64).max]
    assert list(frame(items)["bx (nT)"]) == [np.inf, -np.inf, np.finfo(np.float64).max]
    assert [row.split(",")[1] for row in formatted(items, sigdigit=2).splitlines()[1:3]] == ["inf", "-inf"]


def test_coordinates_that_vary_with_the_record_are_columns():
    header, dataset, batch = golden.spectra()
    varying = Variable("frequency", "center", "real", "Hz", (VARIES, 3), np.dtype("f8"))
    dimensions = (dataset.dimensions[0], replace(dataset.dimensions[1], variables=(varying,)), dataset.dimensions[2])
    swept = replace(dataset, dimensions=dimensions, wire=("time", "frequency", "psd"))
    values = np.array([[10.0, 20.0, 40.0]] * 3)
    names = formatted([header, swept, Records(swept, {**batch.columns, "frequency": values})]).splitlines()[0]
    assert names == (
        "time,frequency [0] (Hz),frequency [1] (Hz),frequency [2] (Hz),"
        "psd [0] (V**2 m**-2 Hz**-1),psd [1] (V**2 m**-2 Hz**-1),psd [2] (V**2 m**-2 Hz**-1)"
    )


def test_a_second_dataset_with_other_columns_is_refused_by_name():
    with pytest.raises(QueryError, match=r"packet_01 and spectra.*read\.data.*format\.csv\.style=das") as told:
        formatted(golden.two_datasets())
    assert told.value.kind == "query.unreachable-type"


def test_a_second_dataset_with_the_same_columns_goes_on_in_the_table():
    header, dataset, _comment, batch = golden.scalars()
    again = replace(dataset, id=2, name="packet_02")
    text = formatted([header, dataset, again, batch, replace(batch, dataset=again)])
    assert len(text.splitlines()) == 7


def test_a_dataset_declared_anew_is_refused_only_if_its_columns_differ():
    header, dataset, _comment, batch = golden.scalars()
    assert len(formatted([header, dataset, batch, dataset, batch]).splitlines()) == 7
    other = replace(dataset, dimensions=dataset.dimensions[:2], wire=("time", "bx"))
    with pytest.raises(QueryError, match=r"packet_01 is declared anew with other columns"):
        formatted([header, dataset, batch, other])


def test_names_are_made_unique():
    header, dataset, _comment, batch = golden.scalars()
    bx = dataset["bx"]
    twin = Dimension("bx", "bx", coordinate=False, variables=(replace(bx, name="twin", role="reference"),))
    double = replace(dataset, dimensions=(*dataset.dimensions, twin), wire=("time", "bx", "by", "twin"))
    columns = {**batch.columns, "twin": batch.columns["bx"]}
    assert formatted([header, double, Records(double, columns)]).splitlines()[0] == "time,bx (nT),by (nT),bx (nT)_2"


def test_ragged_values_are_refused_by_name():
    header, dataset, batch = golden.spectra()
    ragged = dataset.swap(dataset["psd"], replace(dataset["psd"], index=(VARIES, VARIES)))
    column = Ragged(batch["psd"].ravel(), np.array([0, 2, 5, 9]))
    with pytest.raises(QueryError, match=r"psd of dataset spectra.*varies from record to record") as told:
        formatted([header, ragged, Records(ragged, {**batch.columns, "psd": column})])
    assert told.value.kind == "query.unreachable-type"


def test_files_are_refused_by_name():
    with pytest.raises(
        QueryError, match=r"image of dataset pictures cannot be written as CSV: its values are whole files"
    ):
        formatted(golden.pictures())


def test_strings_of_any_length_are_cells_of_their_length():
    header, dataset, batch = golden.states()
    free = dataset.swap(dataset["mode"], replace(dataset["mode"], dtype=np.dtype("S"), axes=()))
    parts = [Records(free, {**part.columns, "mode": np.array([text])}) for part, text in (
        (batch.slice(slice(0, 1)), b"x"), (batch.slice(slice(1, 2)), b"a longer, quoted text"))]  # fmt: skip
    lines = formatted([header, free, *parts]).splitlines()
    assert [line.split(",", 3)[3] for line in lines[1:]] == ["x", '"a longer, quoted text"']


def test_a_problem_breaks_the_table():
    with pytest.raises(SourceError, match="out of film"):
        formatted([*golden.scalars(), Problem("ServerError", "out of film")])


def test_records_without_declaration_are_an_error_of_the_source():
    header, _dataset, _comment, batch = golden.scalars()
    with pytest.raises(SourceError, match="packet_01"):
        formatted([header, batch])


def test_comments_leave_no_trace():
    assert formatted([StreamHeader(), Comment("log:info", "hello")]) == ""


def test_options_of_the_das_style_are_refused():
    for options in ({"props": True}, {"dsid": True}):
        with pytest.raises(QueryError, match=r"format\.csv\.style=das"):
            CsvFormatter(**options)


def test_an_unknown_style_is_refused():
    with pytest.raises(QueryError, match="neither plain nor das"):
        CsvFormatter(style="wide")


def test_options_that_are_none_are_as_if_not_given():
    nothing = dict.fromkeys(("delim", "headers", "style", "props", "dsid", "secfrac", "sigdigit"))
    assert formatted(golden.scalars(), **nothing) == formatted(golden.scalars())


def test_a_batch_comes_in_pieces_of_bounded_size():
    header, dataset, _comment, batch = golden.scalars()
    many = Records(dataset, {name: np.repeat(column, 40_000, axis=0) for name, column in batch.columns.items()})
    formatter = CsvFormatter()
    for item in (header, dataset):
        list(formatter.feed(item))
    pieces = [len(piece) for piece in formatter.feed(many)]
    assert len(pieces) > 10
    assert max(pieces) < 1_000_000


def test_very_many_equal_names_are_made_unique_in_time():
    """A header of 1 MB can declare hundreds of thousands of columns of one name."""
    from dasflex_csv.layout import _unique

    taken = {}
    names = [_unique(name, taken) for name in ["a"] * 100_000 + ["a_2", "b"]]
    assert len(set(names)) == len(names)
    assert names[:2] == ["a", "a_2"]
