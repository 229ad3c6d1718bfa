# SPDX-License-Identifier: GPL-3.0-or-later
"""The definitions of the examples, as plain TOML: that they say what their readers do."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from dasflex_core.plan.templates import parse_template

NAMES = ("Random", "Waveform", "Spectra", "Params", "Ephemeris", "Live", "Auth")
DAS2 = ("Random", "Waveform", "Params", "Ephemeris", "Auth")  # those of one command; test_live has a walk of its own


@pytest.fixture(params=NAMES)
def definition(request, examples):
    return tomllib.loads((examples / request.param / "source.toml").read_text())


def readers_of(definition):
    readers = definition["reader"]
    return readers if isinstance(readers, list) else [readers]


def command_of(definition):
    return " ".join(each.get("command", "") for each in readers_of(definition))


def test_every_folder_is_a_source_and_the_directory_has_a_title(examples):
    assert sorted(path.parent.name for path in examples.glob("*/source.toml")) == sorted(NAMES)
    directory = tomllib.loads((examples / "_dirinfo_.toml").read_text())
    assert directory["title"]
    assert directory["inherit"]["contacts"]["technical"]


def test_a_definition_has_what_it_needs(definition):
    assert definition["title"]
    assert definition["example"]
    for reader in readers_of(definition):
        assert len(set(reader) & {"command", "files", "source", "url"}) == 1


def test_each_option_is_mentioned_by_the_command_and_the_reverse(definition):
    mentioned = set(re.findall(r"#\[read\.([A-Za-z]+)\b(?!\.)", command_of(definition))) - {"time"}
    assert mentioned == set(definition.get("options", {}))


def test_examples_and_hapi_requests_name_only_options_there_are(definition):
    named = [
        set(request.get("read", {})) - {"time"}
        for request in definition["example"] + [*definition.get("hapi", [])]
        if isinstance(request, dict)
    ]
    assert set().union(*named) <= set(definition.get("options", {}))


def test_spectra_is_a_view_of_waveform_that_calls_for_a_transform(examples):
    spectra = tomllib.loads((examples / "Spectra" / "source.toml").read_text())
    assert spectra["reader"] == {"source": "Examples/Waveform"}
    assert spectra["default"] == {"dft": {"length": 800, "slide": 2}, "bin": {"stats": "mean"}}


def test_params_has_options_of_every_type(examples):
    options = tomllib.loads((examples / "Params" / "source.toml").read_text())["options"]
    assert {type(option["default"]) for option in options.values()} == {str, bool, int, float}
    assert all(options["sensor"]["values"].values())


@pytest.mark.parametrize("name", DAS2)
def test_every_example_of_a_definition_runs_and_gives_data(name, examples, walk):
    """The command that dasflex makes of the template, with the defaults of the options under the example's request."""
    definition = tomllib.loads((examples / name / "source.toml").read_text())
    template = parse_template(command_of(definition))
    for example in definition["example"]:
        options = {option: each["default"] for option, each in definition.get("options", {}).items()}
        request = options | example.get("read", {})
        begin, end = example["time"].split(" to ")
        values = {f"read.{key}": value for key, value in request.items() if key != "time"}
        values |= {"read.time.min": begin, "read.time.max": end}
        values |= {f"read.time.{key}": str(value) for key, value in request.get("time", {}).items()}
        (arguments,) = template.render(values, python=sys.executable, environ={})
        done = subprocess.run(arguments, cwd=examples / name, capture_output=True, check=True, timeout=60)
        assert walk(done.stdout).records


def test_ephemeris_requires_an_interval_and_auth_has_a_rule(examples):
    ephemeris = tomllib.loads((examples / "Ephemeris" / "source.toml").read_text())
    assert "#[read.time.inter]" in command_of(ephemeris)
    assert ephemeris["coords"]["time"]["interval"] == {"default": "10 min", "min": "100 ms"}
    auth = tomllib.loads((examples / "Auth" / "source.toml").read_text())
    assert auth["access"]["realm"]
    assert auth["access"]["allow"]
