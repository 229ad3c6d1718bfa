# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins are discovered by entry point, declare what they provide, and cannot take anything down."""

from __future__ import annotations

import json
import types
from dataclasses import replace

import pytest

from dasflex_core.errors import ConfigError
from dasflex_core.hookspecs import Convention, Extra, Family, Mount, hookimpl
from dasflex_core.loading import load
from dasflex_core.manifest_form import plain, registry_from_plain, registry_to_plain
from dasflex_core.registry import PluginInfo, Registry, discover
from dasflex_core.stages import Cost, Reducer, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo


class Twice(Reducer):
    """Everything twice."""


def module(**hooks):
    made = types.ModuleType("made")
    for name, function in hooks.items():
        setattr(made, name, hookimpl(function))
    return made


def registry(**modules):
    return discover(
        (PluginInfo(name, f"{name}.plugin", "other"), lambda each=each: each) for name, each in modules.items()
    )


def stages(register):
    register(Twice)
    register(StageSpec("raw", "Raw", None, StreamType("raw"), "m:c"))


def test_what_a_plugin_declares_is_in_the_registry_with_its_origin():
    def families(register):
        register(Family("tone", 350, "Tones"))

    def conventions(register):
        register(Convention("old", "Old clients", "m:f"))

    found = registry(good=module(dasflex_stages=stages, dasflex_families=families, dasflex_conventions=conventions))
    assert [(each.name, each.origin, each.bundled) for each in found.stages] == [
        ("twice", "good", False),
        ("raw", "good", False),
    ]
    assert found.families[-1].name == "tone"
    assert found.convention("old").title == "Old clients"
    assert found.plugins[0].provides == ("reducer twice", "reader raw", "family tone", "convention old")


def test_mounts_are_declared_like_everything_else_and_need_no_plugin_manager_later():
    def mounts(register):
        register(Mount("/hapi", "HAPI", "m:application"))

    found = registry(good=module(dasflex_mounts=mounts))
    assert found.mounts() == [Mount("/hapi", "HAPI", "m:application")]
    assert found.plugins[0].provides == ("mount /hapi",)
    assert Registry(mounted=found.mounted).mounts() == found.mounts()


def test_a_registry_from_the_manifest_asks_the_plugins_for_their_verbs():
    assert [each.name for each in Registry().commands()] == [each.name for each in discover().commands()]


def broken(register):
    raise ValueError("no licence")


def wrong(register):
    register("a text")


def missing_trait(register):
    register(StageSpec("odd", "Odd", ARRAYS, ARRAYS, "m:c", needs=frozenset({"oddness"})))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (module(dasflex_stages=broken), "ValueError: no licence"),
        (module(dasflex_families=wrong), "registers a Family, not 'a text'"),
        (module(dasflex_stages=wrong), "declares no stage"),
        (module(dasflex_stages=missing_trait), "no trait 'oddness'"),
        (module(dasflex_stagse=stages), "dasflex_stagse"),
    ],
)
def test_a_broken_plugin_is_left_out_named_and_takes_nothing_down(bad, reason):
    with pytest.warns(RuntimeWarning, match="Plugin bad"):
        found = registry(bad=bad, good=module(dasflex_stages=stages))
    assert [each.name for each in found.stages] == ["twice", "raw"]
    assert reason in found.plugins[0].error
    assert not found.plugins[1].error


def test_a_plugin_that_cannot_be_imported_is_left_out():
    def fails():
        raise ImportError("No module named 'cdfpp'")

    with pytest.warns(RuntimeWarning, match="cdfpp"):
        found = discover([(PluginInfo("cdf", "dasflex_cdf.plugin"), fails)])
    assert found.stages == ()


def test_what_a_path_names_is_loaded_late_and_its_absence_explained():
    assert load("dasflex_core.registry:discover") is discover
    with pytest.raises(ConfigError, match="nothing_here is not installed") as caught:
        load("nothing_here:f")
    assert caught.value.kind == "config.missing-extra"
    with pytest.raises(ConfigError, match=r"cannot be loaded.*nonsense"):
        load("dasflex_core.registry:nonsense")
    with pytest.raises(ConfigError, match="No plugin provides"):
        discover([]).convention("klingon")


@pytest.mark.parametrize("cost", [Cost(-1.0), Cost(0.0, -1.0), Cost(float("nan")), Cost(float("inf"))])
def test_a_stage_whose_cost_is_no_price_is_left_out_with_its_plugin(cost):
    """The solver is exact only where no step is cheaper than nothing."""
    module = types.ModuleType("priced")
    spec = StageSpec("free", "", None, StreamType("das"), "m:c", cost=cost)

    def dasflex_stages(register):
        register(spec)

    module.dasflex_stages = hookimpl(dasflex_stages)
    with pytest.warns(RuntimeWarning, match="a cost is a number of seconds"):
        registry = discover([(PluginInfo("priced", "priced"), lambda: module)])
    assert registry.stages == ()


def test_an_extra_gives_its_stages_where_its_library_is_there_and_is_told_of_where_not():
    """The library is looked for by name; nothing of it is imported."""
    info = StreamTypeInfo(StreamType("raw"), "Raw", "x/y", "raw")
    spec = StageSpec("raw", "Raw", None, StreamType("raw"), "m:c")

    def extras(register):
        register(Extra("here", "What is here", "other[here]", "json", (spec,), (info,)))
        register(Extra("gone", "What is not", "other[gone]", "no_such_library", (replace(spec, name="gone"),)))
        register(Extra("odd", "No name of a module", "other[odd]", "no.such.library"))

    found = registry(good=module(dasflex_extras=extras))
    assert [(each.name, each.origin) for each in found.stages] == [("raw", "good")]
    assert found.stream_types == (info,)
    assert [each.name for each in found.extras] == ["gone", "odd"]
    assert found.extras[0].stages[0].origin == "good"
    assert found.plugins[0].provides == ("reader raw", "stream type raw", "extra gone", "extra odd")
    kept = json.loads(json.dumps(registry_to_plain(found), default=plain))
    assert registry_from_plain(kept) == found


def test_what_is_no_extra_is_the_fault_of_the_plugin():
    with pytest.warns(RuntimeWarning, match="registers an Extra"):
        found = registry(bad=module(dasflex_extras=lambda register: register("cdf")))
    assert "registers an Extra" in found.plugins[0].error
