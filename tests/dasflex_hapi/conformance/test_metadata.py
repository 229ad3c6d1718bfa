# SPDX-License-Identifier: GPL-3.0-or-later
"""HAPI 3.3, section 3.6: about, capabilities, catalog and info; a test for each rule."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import jsonschema
import pytest

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})*Z")
C_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
SCHEMA = json.loads(Path(__file__).with_name("schema.json").read_bytes())


@pytest.fixture(scope="module")
def listed(hapi):
    return hapi.get("catalog").json["catalog"]


@pytest.fixture(scope="module")
def infos(hapi, listed):
    """The info of each data set that can be described."""
    found = {}
    for each in listed:
        answer = hapi.get("info", dataset=each["id"])
        if each["id"] != "Lab_Early":
            assert answer.status == 200, answer.body
            found[each["id"]] = answer.json
    return found


def fits(kind, said):
    """Raises where something does not fit the schema."""
    jsonschema.Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{kind}"}).validate(said)


# -- the schema


@pytest.mark.parametrize(
    ("endpoint", "query"), [("about", {}), ("capabilities", {}), ("catalog", {}), ("catalog", {"depth": "all"})]
)
def test_what_is_said_of_the_server_fits_the_schema(hapi, endpoint, query):
    fits(endpoint, hapi.get(endpoint, **query).json)


def test_every_info_fits_the_schema(infos):
    for said in infos.values():
        fits("info", said)


@pytest.mark.parametrize(
    "query", [{}, {"dataset": "nothing"}, {"dataset": "Lab_Lines", "parameters": "x"}, {"other": "1"}]
)
def test_refusals_fit_the_schema(hapi, query):
    fits("refusal", hapi.get("info", **query).json)


# -- about and capabilities


def test_about_says_who_and_what(hapi):
    said = hapi.get("about").json
    assert len(said["title"]) <= 40
    assert "hapi" not in said["title"].lower()
    assert said["contact"]


def test_the_test_of_about_gives_records(hapi, infos):
    query = hapi.get("about").json["dataTest"]["query"]
    assert query["dataset"] in infos
    assert hapi.get("data", **query).body.count(b"\n") > 0


def test_capabilities_list_the_formats_of_the_standard_and_ours_beside_them(hapi):
    said = hapi.get("capabilities").json
    assert said["outputFormats"] == ["csv", "binary", "json"]
    assert said["catalogDepthOptions"] == ["dataset", "all"]
    assert {"x_das2", "x_das3", "x_cdf"} <= set(said["x_outputFormats"])
    assert all(each.startswith("x_") for each in said["x_outputFormats"])


# -- catalog


def test_ids_are_names_of_c_and_titles_are_short(listed):
    for each in listed:
        assert C_NAME.fullmatch(each["id"])
        assert 0 < len(each["title"]) <= 40
    assert len({each["id"].lower() for each in listed}) == len(listed)


def test_all_definitions_with_hapi_are_listed_and_no_others(listed):
    assert [each["id"] for each in listed] == [
        "Examples_Ephemeris_10min", "Examples_Ephemeris_1min_JSO", "Examples_Params", "Examples_Random",
        "Examples_Spectra", "Examples_Waveform", "Lab_Early", "Lab_Half_hour", "Lab_Late", "Lab_Lines",
        "Lab_Lines_10min", "Lab_Moving", "Lab_Tables",
    ]  # fmt: skip


def test_a_long_title_is_cut_at_a_word(listed):
    titles = {each["id"]: each["title"] for each in listed}
    assert titles["Lab_Lines"] == "Lines of a laboratory, which have a…"
    assert titles["Lab_Lines_10min"] == "Averages"


@pytest.mark.parametrize("word", ["true", "false"])
def test_references_may_be_resolved_or_not(hapi, word):
    assert hapi.get("catalog", resolve_references=word).json == hapi.get("catalog").json
    query = {"dataset": "Lab_Lines", "resolve_references": word}
    assert hapi.get("info", **query).json == hapi.get("info", dataset="Lab_Lines").json


@pytest.mark.parametrize("word", ["yes", "", "True"])
def test_another_word_for_references_is_1412(hapi, word):
    for endpoint, query in (("catalog", {}), ("info", {"dataset": "Lab_Lines"})):
        answer = hapi.get(endpoint, resolve_references=word, **query)
        assert (answer.status, answer.code) == (400, 1412)


def test_the_depth_is_dataset_or_all(hapi, listed):
    assert hapi.get("catalog", depth="dataset").json["catalog"] == listed
    for word in ("parameters", "", "ALL"):
        answer = hapi.get("catalog", depth=word)
        assert (answer.status, answer.code) == (400, 1413)
        assert "dataset, all" in answer.json["status"]["message"]


def test_the_whole_catalog_has_the_info_of_each_dataset(hapi, infos):
    for each in hapi.get("catalog", depth="all").json["catalog"]:
        alone = {key: value for key, value in infos[each["id"]].items() if key not in ("HAPI", "status")}
        assert each["info"].keys() == alone.keys()
        assert each["info"]["parameters"] == alone["parameters"]


def test_the_whole_catalog_is_given_from_a_file(hapi):
    hapi.get("catalog", depth="all")
    kept = list((hapi.root / "cache" / "hapi").glob("catalog-all-*.json"))
    assert len(kept) == 1
    assert json.loads(kept[0].read_bytes()) == hapi.get("catalog", depth="all").json["catalog"]


def test_what_cannot_be_described_is_not_tried_again_on_the_same_day(hapi, hapi_root):
    import dasflex_core
    from dasflex_hapi.serving.catalog import catalog_json

    hapi.get("catalog", depth="all")
    kept = json.loads((hapi_root / "cache" / "hapi" / "described-now.json").read_bytes())
    assert kept["Lab_Early"]["info"] is None
    (hapi_root / "definitions" / "Lab" / "Early" / "reader.py").rename(hapi_root / "reader.moved")
    try:
        (hapi_root / "cache" / "hapi" / "headers").touch()
        text, _made = catalog_json(dasflex_core.open(hapi_root), "all")
    finally:
        (hapi_root / "reader.moved").rename(hapi_root / "definitions" / "Lab" / "Early" / "reader.py")
    assert "Lab_Early" not in [each["id"] for each in json.loads(text)]
    assert json.loads((hapi_root / "cache" / "hapi" / "described-now.json").read_bytes()) == kept


# -- who may see what


def test_a_protected_dataset_is_not_listed_and_needs_a_log_in(hapi):
    for name in ("Lab_Secret", "Lab_Half", "Lab/Secret"):
        for endpoint, more in (("info", {}), ("data", {"start": "2020-01-01Z", "stop": "2020-01-02Z"})):
            answer = hapi.get(endpoint, dataset=name, **more)
            assert (answer.status, answer.code) == (401, 1400)
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="The team"'


def test_who_may_read_a_protected_dataset_gets_it_and_no_other_does(hapi):
    query = {"dataset": "Lab_Anna", "start": "2020-01-01T00:00Z", "stop": "2020-01-01T00:02Z"}
    told = {"Authorization": f"Basic {b64encode(b'anna:her password').decode()}"}
    info = hapi.get("info", headers=told, dataset="Lab_Anna")
    assert info.status == 200
    assert info.headers["Cache-Control"] == "private, no-store"
    assert hapi.get("data", headers=told, **query).body.count(b"\n") == 2
    other = {"Authorization": f"Basic {b64encode(b'anna:other').decode()}"}
    for headers in ({}, other):
        for endpoint, asked in (("info", {"dataset": "Lab_Anna"}), ("data", query)):
            answer = hapi.get(endpoint, headers=headers, **asked)
            assert (answer.status, answer.code) == (401, 1400)
            assert b"nT" not in answer.body


def test_where_old_data_are_open_the_range_decides(hapi, listed):
    assert not {"Lab_Old", "Lab_Young"} & {each["id"] for each in listed}
    assert hapi.get("info", dataset="Lab_Old").status == 200
    query = {"start": "2020-01-01T00:00Z", "stop": "2020-01-01T00:02Z"}
    assert hapi.get("data", dataset="Lab_Old", **query).body.count(b"\n") == 2
    for endpoint, more in (("info", {}), ("data", query)):
        assert hapi.get(endpoint, dataset="Lab_Young", **more).status == 401


def test_averages_that_are_open_to_all_are_listed(hapi):
    answer = hapi.get("data", dataset="Lab_Half_hour", start="2020-01-01Z", stop="2020-01-01T03:00Z")
    assert answer.body.count(b"\n") == 3


def test_a_dataset_that_lists_do_not_show_can_be_asked_for(hapi, listed):
    assert "Lab_Hidden" not in [each["id"] for each in listed]
    assert hapi.get("info", dataset="Lab_Hidden").status == 200


def test_a_source_without_hapi_is_no_dataset(hapi):
    assert hapi.get("info", dataset="Lab_Plain").code == 1406
    assert hapi.get("info", dataset="Lab/Plain").code == 1406


# -- info


def test_an_unknown_dataset_is_1406_with_404(hapi):
    answer = hapi.get("info", dataset="gibberish")
    assert (answer.status, answer.phrase) == (404, "Not Found; HAPI 1406 Bad request - unknown dataset id")
    message = answer.json["status"]["message"]
    assert message.startswith("HAPI error 1406: Bad request - unknown dataset id")
    assert "gibberish" not in message


@pytest.mark.parametrize("name", ["Lab_Lines_10min", "lab_lines_10MIN", "Lab/Lines/10min", "lab/lines/10min"])
def test_a_dataset_has_its_id_and_its_path_and_letters_of_any_case(hapi, name):
    assert hapi.get("info", dataset=name).json == hapi.get("info", dataset="Lab_Lines_10min").json


def test_times_are_whole_and_end_in_z(infos):
    for said in infos.values():
        for key in ("startDate", "stopDate", "sampleStartDate", "sampleStopDate", "modificationDate"):
            assert TIME.fullmatch(said[key])


def test_the_range_is_that_of_the_definition(infos):
    said = infos["Lab_Lines"]
    assert (said["startDate"], said["stopDate"]) == ("2020-01-01T00:00:00Z", "2020-01-03T00:00:00Z")


def test_a_range_that_goes_on_ends_some_days_from_now(infos):
    stop = datetime.fromisoformat(infos["Lab_Moving"]["stopDate"])
    now = datetime.now(UTC)
    assert timedelta(days=1) < stop - now <= timedelta(days=2)
    assert stop.time() == datetime.min.time()


def test_a_sample_lies_in_the_range_and_has_more_than_ten_records(hapi, infos):
    for name, said in infos.items():
        assert said["startDate"] <= said["sampleStartDate"] < said["sampleStopDate"] <= said["stopDate"]
        if name != "Lab_Half_hour":  # its example has an hour only
            query = {"start": said["sampleStartDate"], "stop": said["sampleStopDate"], "parameters": "Time"}
            assert hapi.get("data", dataset=name, **query).body.count(b"\n") > 10, name


def test_the_cadence_is_the_width_of_bins_or_what_was_seen(infos):
    assert infos["Lab_Lines"]["cadence"] == "PT1M"
    assert infos["Lab_Lines_10min"]["cadence"] == "PT10M"
    assert infos["Examples_Ephemeris_1min_JSO"]["cadence"] == "PT1M"
    assert infos["Examples_Waveform"]["cadence"] == "PT0.06S"


def test_what_the_definition_tells_is_told(infos):
    said = infos["Lab_Lines"]
    assert said["description"] == "A line and a spectrum, each minute of two days."
    assert said["contact"] == "Ann Other <ann@example.org>"
    assert said["resourceURL"].endswith("/source/lab/lines")
    assert said["resourceID"] == "spase://Lab/NumericalData/Lines"
    assert said["datasetCitation"] == "Other, A., Lines"
    assert said["licenseURL"] == "https://spdx.org/licenses/CC0-1.0.html"
    assert said["additionalMetadata"]["name"] == "SPASE"
    assert said["unitsSchema"] == "udunits2"


def test_parameters_are_those_of_the_stream(infos):
    assert infos["Lab_Lines"]["parameters"] == [
        {"name": "Time", "type": "isotime", "length": 24, "units": "UTC", "fill": None},
        {"name": "b", "type": "double", "units": "nT", "fill": "-1e+31", "label": "Bx (nT)"},
        {
            "name": "e", "type": "double", "size": [3], "units": "V**2 m**-2 Hz**-1", "fill": "-1e+31", "label": "E",
            "bins": [{"name": "frequency", "units": "Hz", "centers": [10.0, 20.0, 40.0]}],
        },
    ]  # fmt: skip


def test_the_time_is_first_and_has_no_fill(infos):
    for said in infos.values():
        first = said["parameters"][0]
        assert (first["name"], first["type"], first["units"], first["fill"]) == ("Time", "isotime", "UTC", None)


def test_names_differ_whatever_their_case(infos):
    for said in infos.values():
        names = [each["name"].lower() for each in said["parameters"]]
        assert len(set(names)) == len(names)


def test_bins_have_as_many_centers_as_their_dimension(infos):
    for said in infos.values():
        for each in said["parameters"]:
            for place, bins in enumerate(each.get("bins", ())):
                if isinstance(bins["centers"], list):
                    assert len(bins["centers"]) == each["size"][place]
                assert bins["units"]


def test_parameters_are_chosen_in_order_with_the_time_and_the_rest_stays(hapi, infos):
    for asked, names in (("b", ["Time", "b"]), ("Time,e", ["Time", "e"]), ("Time", ["Time"]), ("b,e", ["Time", "b", "e"]),
                         ("", ["Time", "b", "e"])):  # fmt: skip
        said = hapi.get("info", dataset="Lab_Lines", parameters=asked).json
        assert [each["name"] for each in said["parameters"]] == names
        assert said.keys() == infos["Lab_Lines"].keys()


def test_an_unknown_parameter_is_1407_with_404(hapi):
    for asked in ("gibberish", "b,gibberish", "B", "b,", " b"):
        answer = hapi.get("info", dataset="Lab_Lines", parameters=asked)
        assert (answer.status, answer.code) == (404, 1407)
        assert "gibberish" not in answer.json["status"]["message"]
        assert "Time, b, e" in answer.json["status"]["message"]


def test_parameters_twice_or_out_of_order_are_1411(hapi):
    for asked in ("e,b", "b,b", "b,Time", "Time,Time"):
        answer = hapi.get("info", dataset="Lab_Lines", parameters=asked)
        assert (answer.status, answer.code) == (400, 1411)


def test_nothing_runs_for_info_of_what_is_described(hapi):
    hapi.get("info", dataset="Lab_Lines")
    before = _runs(hapi)
    assert hapi.get("info", dataset="Lab_Lines").status == 200
    assert hapi.get("catalog", depth="all").status == 200
    assert _runs(hapi) == before


def _runs(hapi):
    return sorted(path.name for path in (hapi.root / "run").rglob("*") if "lab" in path.name.lower())


def test_a_dataset_that_cannot_be_described_says_why(hapi):
    answer = hapi.get("info", dataset="Lab_Early")
    assert (answer.status, answer.code) == (500, 1501)
    assert answer.phrase == "Internal Server Error; HAPI 1501 Internal server error - upstream request error"


def test_the_date_of_info_is_that_of_its_description_and_of_today_where_the_end_moves(hapi, infos):
    made = datetime.fromisoformat(infos["Lab_Lines"]["modificationDate"]).timestamp()
    assert time.time() - 3600 < made <= time.time()
    header = hapi.get("info", dataset="Lab_Lines").headers["Last-Modified"]
    assert parsedate_to_datetime(header).timestamp() == made
    moved = datetime.fromisoformat(infos["Lab_Moving"]["modificationDate"]).timestamp()
    assert moved >= time.time() // 86_400 * 86_400
