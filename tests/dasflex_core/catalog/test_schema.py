# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema takes every definition that the validator takes (what it refuses is in `test_rules.py`)."""

from __future__ import annotations

import copy
import json
import tomllib

import jsonschema
import pytest

from dasflex_core.catalog.keys import DEFINITION
from dasflex_core.catalog.schema import directory_schema, source_schema


def validator(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def source():
    """The validator of the schema of definitions."""
    return validator(source_schema())


def test_the_schema_is_plain_json():
    assert json.loads(json.dumps(source_schema())) == source_schema()
    assert source_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_takes_the_least_and_the_fullest_definition(source, least, full):
    source.validate(tomllib.loads(least))
    source.validate(tomllib.loads(full))


@pytest.mark.parametrize("place", range(8))
def test_the_schema_takes_the_published_definitions(source, published, place):
    source.validate(tomllib.loads(published[place]))


@pytest.mark.parametrize("place", range(7))
def test_the_schema_refuses_published_definitions_with_a_key_misspelt_anywhere(source, published, place):
    """Each key of each table is misspelt once; only the names of a table's own choosing may be anything."""
    tables = tomllib.loads(published[place])
    count = 0
    for path in list(named(tables)):
        wrong = copy.deepcopy(tables)
        held = wrong
        for part in path[:-1]:
            held = held[part]
        held["misspelt"] = held.pop(path[-1])
        count += 1
        assert list(source.iter_errors(wrong)), path
    assert count > 5


def named(tables, path=()):
    """The paths of keys whose names are those of the format: not names of options, variables, nor below families."""
    items = tables.items() if isinstance(tables, dict) else enumerate(tables)
    for name, held in items:
        here = (*path, name)
        free = len(path) == 1 and path[0] in {"options", "coords", "data"}
        free = free or path[-1:] == ("values",)
        if isinstance(name, str) and not free:
            yield here
        family = isinstance(name, str) and name in {"read", "bin", "dft"}
        if isinstance(held, dict | list) and not family:
            yield from named(held, here)


def test_a_directory_has_a_schema_of_its_own_which_that_of_sources_includes(source, published):
    directory = tomllib.loads(published[7])
    own = validator(directory_schema())
    own.validate(directory)
    own.validate({"title": "Only a title"})
    for wrong in (
        {**directory, "titel": "x"},
        {"inherit": {"title": "x"}},
        {"inherit": {"acess": {}}},
        {"inherit": {"access": {"allow": 5}}},
    ):
        assert list(own.iter_errors(wrong))
        assert list(source.iter_errors(wrong))


def test_the_tables_of_plugins_are_in_the_schema(plugin_words, least):
    tables = tomllib.loads(least)
    made = validator(source_schema(plugin_words))
    made.validate({**tables, "cdf": [{"epoch": "E", "bin": {"time": {"max": 60}}}, {}], "movie": {"frames": 3}})
    for wrong in ({"cdf": {"epochs": "E"}}, {"movie": [{"frames": 3}]}, {"movie": {"bin": {"time": {"max": 60}}}}):
        assert list(made.iter_errors({**tables, **wrong}))


def test_every_key_is_described(source):
    """Each key of the description has a sentence, and the schema hands it on."""
    made = json.dumps(source.schema, ensure_ascii=False)
    waiting = [DEFINITION]
    while waiting:
        table = waiting.pop()
        for part in table.parts:
            assert part.title[0].isupper()
            assert json.dumps(part.title, ensure_ascii=False) in made
        waiting.extend(table.tables)
