# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest spares a request the discovery of plugins, and is used only while it is fresh and safe."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core import hookspecs, manifest
from dasflex_core.manifest import load_registry, manifest_path
from dasflex_core.registry import PluginInfo, Registry
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import TRAITS, StreamType, StreamTypeInfo


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    return tmp_path


def asked(monkeypatch):
    """Counts how often the plugins themselves are asked."""
    calls = []
    real = manifest.discover
    monkeypatch.setattr(manifest, "discover", lambda: calls.append(1) or real())
    return calls


def test_what_is_kept_is_what_the_plugins_declare(root, monkeypatch):
    calls = asked(monkeypatch)
    made = load_registry(root)
    assert made.stages
    assert load_registry(root) == made
    assert len(calls) == 1


def test_another_path_of_modules_makes_it_stale(root, monkeypatch):
    load_registry(root)
    calls = asked(monkeypatch)
    monkeypatch.syspath_prepend(str(root))
    load_registry(root)
    load_registry(root)
    assert len(calls) == 1


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"stamp": 1}', b"\xff"])
def test_a_damaged_manifest_is_made_anew(root, monkeypatch, content):
    manifest_path(root).write_bytes(content)
    calls = asked(monkeypatch)
    assert load_registry(root).stages
    assert len(calls) == 1
    assert json.loads(manifest_path(root).read_bytes())["stages"]


def test_a_manifest_that_others_may_write_is_not_used(root, monkeypatch):
    load_registry(root)
    manifest_path(root).chmod(0o666)
    calls = asked(monkeypatch)
    load_registry(root)
    assert len(calls) == 1


def test_a_root_without_a_place_for_it_works(tmp_path):
    assert load_registry(tmp_path / "absent").stages
    assert sys.version in json.dumps(manifest._stamp())


TEXT = st.text(max_size=8)
WORD = st.text("abcz09-_.", min_size=1, max_size=6)
TRAIT_SETS = st.frozensets(st.sampled_from([*TRAITS, "axis:frequency"]), max_size=3)
TYPES = st.builds(StreamType, WORD, st.sampled_from(["", "2", "3"]), st.sampled_from(["", "text"]), TRAIT_SETS)
NUMBERS = st.floats(allow_nan=False)
PARAMS = st.builds(
    ParamSpec,
    name=WORD,
    mode=st.sampled_from(["required", "offered", "modifier"]),
    type=st.sampled_from(["real", "list", "time"]),
    units=TEXT,
    low=st.none() | NUMBERS,
    high=st.none() | NUMBERS,
    values=st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
    default=st.none() | TEXT,
    title=TEXT,
    help=TEXT,
    attribute=TEXT,
)
STAGES = st.builds(
    StageSpec,
    name=WORD,
    title=TEXT,
    accepts=st.none() | TYPES,
    produces=TYPES,
    factory=TEXT,
    protocol=st.sampled_from(["stage", "producer", "spool", "process"]),
    needs=TRAIT_SETS,
    adds=TRAIT_SETS,
    drops=TRAIT_SETS,
    params=st.lists(PARAMS, max_size=2).map(tuple),
    reads=st.lists(TEXT, max_size=2).map(tuple),
    admits=TEXT,
    asks=TEXT,
    cost=st.builds(Cost, NUMBERS, NUMBERS),
    algorithm=st.integers(),
    exact=st.booleans(),
    bundled=st.booleans(),
    origin=TEXT,
)
INFOS = st.builds(StreamTypeInfo, TYPES, TEXT, TEXT, TEXT, st.booleans(), st.booleans(), TEXT, TEXT, TEXT, TEXT)
TABLES = st.builds(hookspecs.DefinitionTable, TEXT, TEXT, st.lists(TEXT, max_size=2).map(tuple), st.booleans())
PLUGINS = st.builds(PluginInfo, TEXT, TEXT, TEXT, TEXT, TEXT, st.lists(TEXT, max_size=2).map(tuple))


def some(strategy):
    return st.lists(strategy, max_size=2).map(tuple)


@settings(max_examples=150, deadline=None)
@given(
    st.builds(
        Registry,
        plugins=some(PLUGINS),
        stages=some(STAGES),
        stream_types=some(INFOS),
        families=some(st.builds(hookspecs.Family, TEXT, st.integers(), TEXT)),
        conventions=some(st.builds(hookspecs.Convention, TEXT, TEXT, TEXT, st.booleans(), TEXT)),
        importers=some(st.builds(hookspecs.DefinitionImporter, TEXT, TEXT, TEXT, TEXT)),
        tables=some(TABLES),
        authenticators=some(st.builds(hookspecs.Authenticator, TEXT, TEXT, TEXT)),
        task_kinds=some(st.builds(hookspecs.TaskKind, TEXT, TEXT, TEXT)),
    )
)
def test_every_registry_comes_back_from_json_as_it_was(registry):
    assert manifest._from_json(json.loads(json.dumps(manifest._to_json(registry)))) == registry
