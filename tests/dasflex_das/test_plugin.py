# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that what the plugin registers is what its classes declare, and that registering imports no codec."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dasflex_core import registry
from dasflex_core.registry import PluginInfo, discover
from dasflex_das import plugin

CODE = """
import sys, pluggy
from dasflex_das import plugin
found = []
plugin.dasflex_stages(found.append)
plugin.dasflex_stream_types(found.append)
plugin.dasflex_conventions(found.append)
assert len(found) == len(plugin.STAGES) + len(plugin.STREAM_TYPES) + 1, found
heavy = [name for name in sys.modules if name.split(".")[0] == "numpy" or name.startswith("dasflex_das.das")]
sys.exit(", ".join(heavy) or 0)
"""


@pytest.fixture(scope="module")
def found():
    """What the registry makes of the plugin."""
    return discover([(PluginInfo("das", "dasflex_das.plugin", "dasflex"), lambda: plugin)])


def test_the_registry_takes_all_that_the_plugin_provides(found):
    assert [stage.name for stage in found.stages] == [
        *("das1-decode", "das2-decode", "das2-binary", "das2-text", "das3-decode", "das3-binary", "das3-text")
    ]
    assert all(stage.bundled and stage.origin == "das" for stage in found.stages)
    assert {(str(info.type), info.suffix, info.text) for info in found.stream_types} == {
        ("das/1", "bin", False),
        ("das/1/tagged", "d1s", False),
        ("das/2/binary", "d2s", False),
        ("das/2/text", "d2t", True),
        ("das/3/binary", "d3b", False),
        ("das/3/text", "d3t", True),
        ("das/3/xml", "d3x", True),
        ("qstream", "qds", False),
        ("qstream//binary", "qds", False),
        ("qstream//text", "qdt", True),
    }
    das2 = found.convention("das2")
    assert (das2.lenient, das2.goal) == (True, "das/2")


def test_registering_imports_neither_numpy_nor_a_codec():
    ran = subprocess.run([sys.executable, "-c", CODE], check=False, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("stage", plugin.STAGES, ids=lambda stage: stage.name)
def test_each_registered_stage_is_what_its_class_declares(stage):
    assert registry.load(stage.factory).spec == stage


@pytest.mark.parametrize("info", [info for info in plugin.STREAM_TYPES if info.framer], ids=lambda info: str(info.type))
def test_framer_problem_and_comment_belong_together(info):
    framer, problem, comment = (registry.load(path) for path in (info.framer, info.problem, info.comment))
    made = framer()
    start = (
        b"[00]000009<stream/>"
        if info.type.version == "2"
        else b'|Sx||47|<stream type="das-basic-stream" version="3.0"/>'
    )
    frames = [*made.feed(start), *made.feed(comment("log:info", "us", "busy")), *made.feed(problem("query", "no"))]
    assert [frame.kind for frame in frames] == ["header", "comment", "problem"]


def test_the_convention_can_be_loaded():
    assert registry.load(plugin.DAS2_CONVENTION.translate)([], None) == []
