# SPDX-License-Identifier: GPL-3.0-or-later
"""HAPI 3.3, sections 3.6.5 and 3.7: data in csv, binary and JSON, their range, and what is refused; a test for each rule."""

from __future__ import annotations

import http.client
import json
import math
import struct
from itertools import pairwise

import numpy as np
import pytest

from tests.dasflex_hapi.conformance.conftest import HOUR

RECORD = np.dtype([("Time", "S24"), ("b", "<f8"), ("e", "<f8", (3,))])


def minutes(answer):
    """The minute of the day of each line."""
    return [int(line[11:13]) * 60 + int(line[14:16]) for line in answer.body.decode().splitlines()]


def test_csv_is_the_default_and_is_text_csv(hapi):
    answer = hapi.get("data", **HOUR)
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.body == hapi.get("data", **HOUR, format="csv").body
    assert answer.body.startswith(
        b"2020-01-01T00:00:00.000Z,0.0,0.0,0.0,-0.0\n2020-01-01T00:01:00.000Z,0.125,1.0,0.5,-0.25\n"
    )


def test_csv_has_no_names_no_blanks_and_no_blank_line_at_its_end(hapi):
    body = hapi.get("data", **HOUR).body
    assert len(body.splitlines()) == 60
    assert b" " not in body
    assert b"\r" not in body
    assert body.endswith(b"\n")
    assert not body.endswith(b"\n\n")


def test_fill_is_written_as_it_is_declared_and_nan_is_fill_where_there_is_one(hapi):
    cells = [line.split(b",")[1] for line in hapi.get("data", **HOUR).body.splitlines()]
    fill = hapi.get("info", dataset="Lab_Lines").json["parameters"][1]["fill"]
    assert cells[3] == fill.encode()
    assert cells[5] == fill.encode()


def test_binary_has_records_of_fixed_length_and_the_values_of_csv(hapi):
    answer = hapi.get("data", **HOUR, format="binary")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    rows = np.frombuffer(answer.body, RECORD)
    lines = [line.split(",") for line in hapi.get("data", **HOUR).body.decode().splitlines()]
    assert rows["Time"].astype(str).tolist() == [line[0] for line in lines]
    assert rows["b"].tolist() == [float(line[1]) for line in lines]
    assert rows["e"].tolist() == [list(map(float, line[2:])) for line in lines]
    assert struct.unpack("<d", answer.body[24:32]) == (0.0,)


def test_json_has_the_header_and_the_data_as_its_last_key(hapi):
    answer = hapi.get("data", **HOUR, format="json")
    assert answer.headers["Content-Type"] == "application/json"
    said = answer.json
    assert list(said)[-2:] == ["format", "data"]
    assert said["format"] == "json"
    assert said["data"][1] == ["2020-01-01T00:01:00.000Z", 0.125, [1.0, 0.5, -0.25]]
    assert len(said["data"]) == 60
    info = hapi.get("info", dataset="Lab_Lines").json
    assert {key: value for key, value in said.items() if key not in ("format", "data")} == info


@pytest.mark.parametrize("kind", ["csv", "binary"])
def test_a_header_that_is_asked_for_stands_before_the_data_in_lines_of_hashes(hapi, kind):
    plain, headed = (hapi.get("data", **HOUR, format=kind, **more).body for more in ({}, {"include": "header"}))
    head, body = headed[: -len(plain)], headed[-len(plain) :]
    assert body == plain
    assert all(line.startswith(b"#") for line in head.splitlines())
    assert head.endswith(b"\n")
    said = json.loads(b"".join(line[1:] for line in head.splitlines()))
    assert said == {**hapi.get("info", dataset="Lab_Lines").json, "format": kind}


def test_the_header_has_the_parameters_that_were_chosen(hapi):
    body = hapi.get("data", **HOUR, include="header", parameters="e").body
    head, _, rest = body.partition(b"\n")
    assert [each["name"] for each in json.loads(head[1:])["parameters"]] == ["Time", "e"]
    assert len(rest.splitlines()[0].split(b",")) == 4


def test_another_word_for_the_header_is_1410(hapi):
    for word in ("Header", "", "data"):
        answer = hapi.get("data", **HOUR, include=word)
        assert (answer.status, answer.code) == (400, 1410)


def test_an_unknown_format_is_1409(hapi):
    for word in ("gibberish", "", "CSV", "x_gibberish", "hapi-csv"):
        answer = hapi.get("data", **HOUR, format=word)
        assert (answer.status, answer.code) == (400, 1409)
        assert "csv, binary, json" in answer.json["status"]["message"]
        assert "gibberish" not in answer.json["status"]["message"]


def test_every_format_of_our_own_that_is_told_is_given(hapi):
    told = hapi.get("capabilities").json["x_outputFormats"]
    assert {"x_arrow", "x_cdf", "x_das2", "x_das3", "x_jsonl", "x_png"} <= set(told)
    for name in told:
        answer = hapi.get("data", **HOUR, format=name)
        assert answer.status == 200, (name, answer.body)
        assert len(answer.body) > 100


def test_formats_of_our_own_are_given(hapi):
    answer = hapi.get("data", **HOUR, format="x_das2")
    assert answer.status == 200
    assert answer.body.startswith(b"[00]")
    assert hapi.get("data", **HOUR, format="x_das2", parameters="b").code == 1400


@pytest.mark.parametrize(("asked", "width"), [("b", 2), ("e", 4), ("Time,b", 2), ("b,e", 5), ("Time", 1), ("", 5)])
def test_parameters_are_chosen_and_the_time_comes_with_them(hapi, asked, width):
    first = hapi.get("data", **HOUR, parameters=asked).body.splitlines()[1].split(b",")
    assert len(first) == width
    assert first[0] == b"2020-01-01T00:01:00.000Z"


def test_parameters_that_are_wrong_are_1407_and_1411(hapi):
    assert hapi.get("data", **HOUR, parameters="x").code == 1407
    assert hapi.get("data", **HOUR, parameters="e,b").code == 1411


# -- the range


@pytest.mark.parametrize(
    ("start", "stop", "first", "last"),
    [
        ("2020-01-01T00:10Z", "2020-01-01T00:20Z", 10, 19),
        ("2020-01-01T00:10:00.000000001Z", "2020-01-01T00:20:00.000000001Z", 11, 20),
        ("2020-01-01T00:09:59.999999999Z", "2020-01-01T00:19:59.999999999Z", 10, 19),
        ("2020-001T00:10", "2020-001T00:20", 10, 19),
        ("2020-01-01", "2020-01-01T01Z", 0, 59),
        ("2020Z", "2020-01-01T00:02Z", 0, 1),
        ("2020-01Z", "2020-001T00:02:00.0Z", 0, 1),
    ],
)
def test_the_range_is_half_open_to_the_nanosecond_in_every_form_of_time(hapi, start, stop, first, last):
    found = minutes(hapi.get("data", dataset="Lab_Lines", start=start, stop=stop, parameters="Time"))
    assert found == list(range(first, last + 1))


def test_midnight_may_be_written_as_the_end_of_a_day(hapi):
    query = {"dataset": "Lab_Lines", "start": "2020-01-01T23:58Z", "parameters": "Time"}
    answers = [
        hapi.get("data", stop=stop, **query).body
        for stop in ("2020-01-01T24:00Z", "2020-01-01T24:00:00.000Z", "2020-01-02")
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0].count(b"\n") == 2


def test_times_do_not_go_back_and_have_one_length(hapi):
    answer = hapi.get("data", dataset="Lab_Lines", start="2020-01-01Z", stop="2020-01-03Z", parameters="Time")
    lines = answer.body.splitlines()
    assert {len(line) for line in lines} == {24}
    assert lines == sorted(set(lines))
    assert len(lines) == 2 * 1440 - 60


def test_pieces_of_a_range_give_what_the_whole_gives(hapi):
    for name in ("Lab_Lines", "Lab_Lines_10min", "Examples_Params", "Examples_Ephemeris_10min", "Examples_Waveform"):
        said = hapi.get("info", dataset=name).json
        begin = np.datetime64(said["sampleStartDate"][:-1], "ms")
        length = min((np.datetime64(said["sampleStopDate"][:-1], "ms") - begin), np.timedelta64(3_600_000, "ms"))
        ends = [begin, begin + length * 2 // 7, begin + length * 4 // 7, begin + length]
        texts = [f"{each}Z" for each in ends]
        whole = hapi.get("data", dataset=name, start=texts[0], stop=texts[-1]).body
        parts = [hapi.get("data", dataset=name, start=one, stop=other).body for one, other in pairwise(texts)]
        assert b"".join(parts) == whole, name
        assert whole.count(b"\n") > 2


@pytest.mark.parametrize("text", ["gibberish", "2020-13-01Z", "2020-02-30Z", "2020-01-01T25:00Z", "2020-01-01T", "20200101",
                                  "2020-01-01 00:00", "2020-366T00:00:61Z", "now", "2020-01-01T00:00+00:00", "2020-01T00:00Z",
                                  "2020-01-01T00:00:00,5Z", "2019-366Z", "02020-01-01Z", "2020-01-01T00:00:60Z", "1" * 100])  # fmt: skip
def test_a_time_that_is_none_is_1402_or_1403_and_is_not_echoed(hapi, text):
    for name, code in (("start", 1402), ("stop", 1403)):
        answer = hapi.get("data", **{**HOUR, name: text})
        assert (answer.status, answer.code) == (400, code), text
        assert "gibberish" not in answer.json["status"]["message"]


def test_a_leap_second_is_a_time_and_counts_as_the_midnight_behind_it(hapi):
    answer = hapi.get("data", dataset="Lab_Lines", start="2016-12-31T23:59:60Z", stop="2020-01-01T00:02Z")
    assert answer.code == 1405


def test_start_not_before_stop_is_1404(hapi):
    for start, stop in (("2020-01-02Z", "2020-01-01Z"), ("2020-01-01Z", "2020-01-01T00:00:00.000Z")):
        answer = hapi.get("data", dataset="Lab_Lines", start=start, stop=stop)
        assert (answer.status, answer.code) == (400, 1404)


def test_a_range_beyond_the_data_is_1405_and_says_what_there_is(hapi):
    for start, stop in (("2019-12-31T23:59:59.999Z", "2020-01-02Z"), ("2020-01-02Z", "2020-01-03T00:00:00.000000001Z")):
        answer = hapi.get("data", dataset="Lab_Lines", start=start, stop=stop)
        assert (answer.status, answer.code) == (400, 1405)
        assert "2020-01-01T00:00:00Z, 2020-01-03T00:00:00Z" in answer.json["status"]["message"]


# -- nothing, too much, and failures


@pytest.mark.parametrize("kind", ["csv", "binary"])
def test_a_range_without_data_is_an_answer_without_a_body(hapi, kind):
    answer = hapi.get("data", dataset="Lab_Lines", start="2020-01-01T10:10Z", stop="2020-01-01T10:20Z", format=kind)
    assert (answer.status, answer.phrase, answer.body) == (200, "OK; HAPI 1201 OK - no data for time range", b"")


def test_a_range_without_data_has_its_header_with_1201(hapi):
    query = {"dataset": "Lab_Lines", "start": "2020-01-01T10:10Z", "stop": "2020-01-01T10:20Z"}
    headed = hapi.get("data", **query, include="header")
    assert json.loads(headed.body[1:])["status"]["code"] == 1201
    said = hapi.get("data", **query, format="json").json
    assert (said["status"]["code"], said["data"]) == (1201, [])


def test_records_of_nothing_but_fill_are_data(hapi):
    answer = hapi.get("data", dataset="Lab_Lines", start="2020-01-01T00:03Z", stop="2020-01-01T00:04Z", parameters="b")
    assert (answer.phrase, answer.body) == ("OK; HAPI 1200 OK", b"2020-01-01T00:03:00.000Z,-1e+31\n")


def test_order_of_checks_is_dataset_parameters_times_format_header(hapi):
    wrong = {"dataset": "x", "parameters": "x", "start": "x", "stop": "x", "format": "x", "include": "x"}
    codes = []
    for name, right in (("dataset", "Lab_Lines"), ("parameters", "b"), ("start", HOUR["start"]), ("stop", HOUR["stop"]),
                        ("format", "csv"), ("include", "header")):  # fmt: skip
        codes.append(hapi.get("data", **wrong).code)
        wrong[name] = right
    assert codes == [1406, 1407, 1402, 1403, 1409, 1410]


def test_a_reader_that_fails_at_once_is_1501_in_json_whatever_was_asked(hapi):
    for kind in ("csv", "binary", "json"):
        answer = hapi.get("data", dataset="Lab_Early", start="2020-01-01Z", stop="2020-01-02Z", format=kind)
        assert (answer.status, answer.code) == (500, 1501)
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("kind", ["csv", "binary", "json"])
def test_a_failure_behind_the_first_bytes_breaks_the_connection(hapi, kind):
    with pytest.raises(http.client.IncompleteRead) as broken:
        hapi.get("data", dataset="Lab_Late", start="2020-01-01Z", stop="2020-01-03Z", format=kind)
    partial = broken.value.partial
    assert partial
    assert b"rror" not in partial
    assert not partial.endswith(b"]}\n")


def test_too_much_is_1408_and_says_how_much_would_do():
    from dasflex_core.errors import TooLargeError
    from dasflex_core.prices import Excess
    from dasflex_hapi.serving.refusals import refusal_of

    limit = Excess("LIMIT_ANSWER_GIGABYTES", "would send", 2.0, 1.0, "GB")
    told = refusal_of(TooLargeError("2 GB, and the limit is 1 GB, for gibberish", limits=(limit,)))
    assert "the request would send about 2 GB, where at most 1 GB are allowed" in told.message
    assert (told.status, told.code) == (400, 1408)
    assert "gibberish" not in told.message


def test_values_are_those_of_the_reader(hapi):
    rows = np.frombuffer(hapi.get("data", **HOUR, format="binary").body, RECORD)
    minute = np.arange(60)
    np.testing.assert_array_equal(rows["e"], minute[:, np.newaxis] * np.array([1, 0.5, -0.25]))
    missing = (minute % 7 == 3) | (minute % 7 == 5)
    np.testing.assert_array_equal(rows["b"], np.where(missing, -1e31, minute / 8))
    assert not any(math.isnan(each) for each in rows["b"])


def test_averages_are_on_a_grid_of_their_own(hapi):
    answer = hapi.get("data", dataset="Lab_Lines_10min", start="2020-01-01T00:07Z", stop="2020-01-01T00:31Z")
    lines = answer.body.decode().splitlines()
    assert [line[11:19] for line in lines] == ["00:15:00", "00:25:00"]
    assert [float(line.split(",")[2]) for line in lines] == [14.5, 24.5]


def test_a_description_that_no_longer_holds_is_renewed_and_the_client_is_told_to_look(hapi):
    """On the second day the reader has another table of frequencies, which the example does not show."""
    query = {"dataset": "Lab_Tables", "start": "2020-01-02T00:00Z", "stop": "2020-01-02T00:02Z"}
    before = hapi.get("info", dataset="Lab_Tables").json["parameters"]
    assert before[-1]["bins"][0]["centers"] == [10.0, 20.0, 40.0]
    answer = hapi.get("data", **query)
    assert (answer.status, answer.code) == (500, 1501)
    assert "ask info again" in answer.json["status"]["message"]
    after = hapi.get("info", dataset="Lab_Tables").json["parameters"]
    assert [each["name"] for each in after] == ["Time", "frequency", "b", "e"]
    assert after[-1]["bins"][0]["centers"] == "frequency"
    lines = hapi.get("data", **query, parameters="frequency,e").body.decode().splitlines()
    assert [line.split(",")[1:4] for line in lines] == [["1.0", "2.0", "4.0"]] * 2
    first = hapi.get(
        "data", dataset="Lab_Tables", start="2020-01-01Z", stop="2020-01-01T00:01Z", parameters="frequency"
    )
    assert first.body == b"2020-01-01T00:00:00.000Z,10.0,20.0,40.0\n"
