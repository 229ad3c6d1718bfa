# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest spares a request the discovery of plugins, and is used only while it is fresh and safe."""

from __future__ import annotations

import json
import sys

import pytest

from dasflex_core import manifest
from dasflex_core.manifest import load_registry, manifest_path


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
