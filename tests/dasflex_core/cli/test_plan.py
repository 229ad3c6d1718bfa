# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex plan` explains without running, and its shell pipeline gives the bytes that `dasflex get` gives."""

from __future__ import annotations

import json
import subprocess

import pytest

BOW_SHOCK = ("Examples/Waveform", "1979-03-01T12:26:11/1979-03-01T12:29:24")


def test_the_text_shows_stages_parameters_price_and_the_command(examples):
    shown = examples.run("plan", *BOW_SHOCK, "format.type=csv").stdout
    for word in ("das2-decode", "csv", "read.time.min=1979-03-01T12:26:11", "reader.py frames", "about"):
        assert word in shown


def test_nothing_is_run(bare):
    bare.add("marked", "open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ran'), 'w').close()")
    assert bare.run("plan", "marked", "2020-01-01/2020-01-02").exit_code == 0
    assert not (bare.root / "definitions" / "marked" / "ran").exists()


def test_the_json_is_for_programs(examples):
    shown = json.loads(examples.run("plan", *BOW_SHOCK, "format.type=csv", "--json").stdout)
    assert [node["name"] for node in shown["nodes"]] == ["reader", "das2-decode", "csv"]
    assert shown["nodes"][0]["command"][0][1] == "reader.py"


def test_the_mermaid_graph_has_each_stage(examples):
    shown = examples.run("plan", *BOW_SHOCK, "format.type=csv", "--mermaid").stdout
    assert shown.startswith("flowchart LR")
    assert "das2-decode" in shown


def test_what_has_no_plan_says_why(examples):
    done = examples.run("plan", *BOW_SHOCK, "read.nosuch=1")
    assert done.exit_code == 2
    assert "read.nosuch" in done.stderr


@pytest.mark.integration
@pytest.mark.parametrize(
    "words",
    [
        (*BOW_SHOCK, "format.type=csv"),
        (*BOW_SHOCK, "format.type=csv", "format.delim=;"),
        (*BOW_SHOCK, "format.type=csv", "format.csv.style=das", "format.csv.props=true", "format.secfrac=3"),
        (*BOW_SHOCK, "format.type=das", "format.version=3", "format.serial=text"),
        BOW_SHOCK,
        ("Examples/Ephemeris", "2016-08-27/2016-08-28", "read.frame=JSO", "--every", "1 h", "format.type=csv"),
        ("Examples/Ephemeris", "2016-08-27/2016-08-28"),
        ("Examples/Ephemeris", "2016-08-27/2016-08-28", "--every", "1 h", "format.serial=binary"),
        (
            "Examples/Params",
            "2008-06-29T17:00/2008-06-29T17:01",
            "read.noise=false",
            "read.sensor=E",
            "format.type=csv",
        ),
    ],
    ids=" ".join,
)
def test_the_pipeline_of_a_real_shell_gives_the_same_bytes(examples, program, words):
    line = examples.run("plan", *words, "--sh").stdout
    assert ("dasflex filter" in line) is any(word.startswith("format.") for word in words)
    environment = examples.environment()
    environment["PATH"] = f"{program.parent}:{environment['PATH']}"
    shell = subprocess.run(["/bin/sh", "-c", line], env=environment, capture_output=True, check=True, timeout=60)
    assert shell.stderr == b""
    assert shell.stdout
    assert shell.stdout == examples.run("get", *words).stdout_bytes
