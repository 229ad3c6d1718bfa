# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled form gives back exactly what went in, and takes nothing else."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import types
import typing
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.catalog import Definition, from_json, model, to_json
from dasflex_core.catalog.read_toml import read_text
from dasflex_core.errors import ConfigError
from dasflex_core.stages import ParamType

TEXTS = st.text(max_size=8)
PLAIN = {
    str: TEXTS,
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    model.Pairs: st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    ParamType: st.sampled_from(typing.get_args(ParamType)),
    tuple[float, float]: st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
}


def values(hint):
    """Values of an annotation of the model."""
    if hint in PLAIN:
        return PLAIN[hint]
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint, vars(model), {"Mapping": Mapping, "ParamType": ParamType})
        return st.builds(hint, **{each.name: values(hints[each.name]) for each in dataclasses.fields(hint)})
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return st.none() | values(parts[0])
    if origin is tuple:
        return st.lists(values(parts[0]), max_size=2).map(tuple)
    assert origin is Mapping
    return st.dictionaries(TEXTS, values(parts[1]), max_size=2)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_definition_is_the_same_after_it_was_written_and_read(data):
    definition = data.draw(values(Definition))
    text = to_json(definition)
    assert from_json(text) == definition
    assert from_json(text.encode()) == definition
    assert "\n" not in text


def test_a_real_definition_is_the_same_after_it_was_written_and_read(full, least, contact):
    for text in (full, least):
        definition = read_text(text, id="x", directory="/srv", inherited=contact)
        assert from_json(to_json(definition)) == definition


def test_what_was_not_said_is_not_written(least):
    compiled = json.loads(to_json(read_text(least, id="x")))
    assert set(compiled) == {"form", "id", "title", "contacts", "readers", "examples", "file"}


def changed(text, change):
    raw = json.loads(text)
    change(raw)
    return json.dumps(raw)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.update(form=0), "another version of dasflex wrote it"),
        (lambda raw: raw.pop("form"), "another version of dasflex wrote it"),
        (lambda raw: raw.update(titel="x"), "Definition does not know 'titel'"),
        (lambda raw: raw.pop("title"), "Definition lacks 'title'"),
        (lambda raw: raw.update(title=5), "5 stands where text should"),
        (lambda raw: raw.update(listed=0), "0 stands where true or false should"),
        (lambda raw: raw.update(readers={}), "{} stands where a list should"),
        (lambda raw: raw.update(readers=[5]), "5 stands where a table should"),
        (lambda raw: raw.update(coords=[]), "[] stands where a table should"),
        (lambda raw: raw.update(coords={"time": {"size": True}}), "True stands where an integer should"),
        (lambda raw: raw.update(coords={"time": {"cadence": "1"}}), "'1' stands where a number should"),
        (lambda raw: raw.update(coords={"time": {"cadence": True}}), "True stands where a number should"),
        (lambda raw: raw.update(coords={"time": {"valid": [1]}}), "a pair of bounds has two numbers"),
        (lambda raw: raw.update(options={"x": {"type": "any"}}), "'any' is no type of an option"),
        (lambda raw: raw.update(defaults=[["a"]]), "a pair has two parts"),
        (lambda raw: raw.update(defaults=[["a", 1]]), "1 stands where text should"),
        (lambda raw: raw.update(contacts=None), "None stands where a table should"),
        (lambda raw: raw.update(coords={"time": {"cadence": float("nan")}}), "it holds NaN, which is no JSON"),
    ],
)
def test_a_compiled_definition_that_is_not_ours_is_refused(least, change, message):
    text = changed(to_json(read_text(least, id="x")), change)
    with pytest.raises(ConfigError) as caught:
        from_json(text, file="sources/x.json")
    assert caught.value.kind == "config.unreadable"
    assert caught.value.message == (
        f"sources/x.json: this compiled definition cannot be used: {message}. Make it anew with `dasflex install`."
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "5", b"\xff", "[" * 100_000, '{"form": 1}'])
def test_what_is_no_compiled_definition_at_all_is_refused(text):
    with pytest.raises(ConfigError, match="cannot be used"):
        from_json(text)


def test_reading_a_compiled_definition_imports_nothing_slow():
    """What a request needs of the catalog comes without a TOML reader, numpy or a schema library."""
    code = """
import sys
from pathlib import Path
from dasflex_core.catalog import Catalog, from_json
Catalog(Path("nowhere")).ids()
print(*(name for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    slow = {"tomllib", "numpy", "jsonschema", "msgspec", "pluggy", "click", "trio", "werkzeug", "asyncio", "redis"}
    assert not loaded & slow
    own = {name for name in loaded if name.startswith("dasflex_core.catalog.")}
    assert own == {f"dasflex_core.catalog.{name}" for name in ("compiled", "identifiers", "model", "tree")}
