# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest spares a request the discovery of plugins, and is used only while it is fresh and safe."""

from __future__ import annotations

import json
import os
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core import hookspecs, manifest
from dasflex_core.errors import ConfigError
from dasflex_core.manifest import load_facts, manifest_path
from dasflex_core.manifest_form import plain, registry_from_plain, registry_to_plain
from dasflex_core.registry import PluginInfo, Registry
from dasflex_core.roots import make_root
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import TRAITS, StreamType, StreamTypeInfo

CONFIG = """
SERVER_NAME = "One"
SERVER_ID = "one"
BIN_PATH = "bin:/opt/bin"
ALLOW_TEST_FROM = "10.0.0.0/8 ::1"
ENABLE_HAPI_SUBSYS = "false"
WEBSOCKET_PORT = "4711"
HANDLE_SOMETHING = "old"
"""
STAGES = """
[[stage]]
command = "smooth -"
accepts = "das/2"
writes = "das/2"
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "dasflex.conf").write_text(CONFIG)
    return tmp_path


def opened(root):
    return load_facts(root / "etc" / "dasflex.conf")


def same(one, other):
    """Whether two openings give the same; what became of the manifest aside."""
    return (one.config, one.registry, one.external) == (other.config, other.registry, other.external)


@pytest.fixture
def asked(monkeypatch):
    """Notes each time that the plugins are asked, or the configuration is read."""
    calls = []
    for name in ("discover", "read_config"):
        real = getattr(manifest, name)
        monkeypatch.setattr(manifest, name, lambda *given, name=name, real=real: calls.append(name) or real(*given))
    return calls


def test_what_is_kept_is_what_the_plugins_and_the_files_say(root, asked):
    (root / "etc" / "stages.toml").write_text(STAGES)
    made = opened(root)
    assert made.registry.stages
    assert [each.command for each in made.external] == ["smooth -"]
    again = opened(root)
    assert same(again, made)
    assert asked == ["read_config", "discover"]
    assert "made anew" in made.remarks[0]
    assert again.remarks == ()
    assert [str(each) for each in again.config.allow_test_from] == ["10.0.0.0/8", "::1/128"]


def test_another_path_of_modules_makes_the_registry_stale_and_nothing_else(root, monkeypatch, asked):
    opened(root)
    asked.clear()
    monkeypatch.syspath_prepend(str(root))
    assert "what is installed changed" in opened(root).remarks[0]
    opened(root)
    assert asked == ["discover"]


def test_another_version_of_python_makes_the_registry_stale(root, monkeypatch, asked):
    opened(root)
    asked.clear()
    monkeypatch.setattr(sys, "version", "4.0")
    opened(root)
    assert asked == ["discover"]


def test_a_changed_module_of_a_plugin_makes_the_registry_stale(root, asked):
    opened(root)
    kept = json.loads(manifest_path(root).read_bytes())
    assert any(each.endswith("dasflex_das/plugin.py") for each in kept["modules"])
    module = root / "plugin.py"
    module.write_text("")
    kept["modules"].append(str(module))
    kept["installed"]["mark"] = manifest._installed(kept)
    manifest_path(root).write_text(json.dumps(kept))
    asked.clear()
    opened(root)
    assert asked == []
    module.write_text("# more")
    opened(root)
    assert asked == ["discover"]


def test_a_plugin_that_could_not_be_imported_is_asked_again_when_it_was_mended(root, monkeypatch, tmp_path):
    """In place, so that no directory tells of it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    place = tmp_path / "path"
    (place / "mended_later-1.0.dist-info").mkdir(parents=True)
    facts = place / "mended_later-1.0.dist-info"
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: mended-later\nVersion: 1.0\n", encoding="utf-8")
    (facts / "entry_points.txt").write_text("[dasflex]\nmended = mended_later\n", encoding="utf-8")
    module = place / "mended_later.py"
    module.write_text("import no_such_module\n", encoding="utf-8")
    monkeypatch.syspath_prepend(place)

    def error():
        [found] = [each.error for each in opened(root).registry.plugins if each.name == "mended"]
        return found

    with pytest.warns(RuntimeWarning, match="no_such_module"):
        assert "no_such_module" in error()
    assert "no_such_module" in error()
    module.write_text("DASFLEX_API = 1\n", encoding="utf-8")
    assert error() == ""
    monkeypatch.delitem(sys.modules, "mended_later")


def test_two_programs_in_different_directories_use_one_manifest(root, monkeypatch, tmp_path, asked):
    """Python puts the directory of the program that runs into the path."""
    places = list(sys.path)
    for name in ("one", "other"):
        monkeypatch.setattr(sys, "argv", [str(tmp_path / name / "program")])
        monkeypatch.setattr(sys, "path", [str(tmp_path / name), *places])
        opened(root)
    assert asked == ["read_config", "discover"]


@pytest.mark.parametrize(
    ("name", "content"), [("dasflex.conf", CONFIG + "SITE_TITLE = 'New'"), ("stages.toml", STAGES)]
)
def test_a_changed_file_is_read_again_and_the_plugins_are_not_asked(root, asked, name, content):
    opened(root)
    asked.clear()
    (root / "etc" / name).write_text(content)
    made = opened(root)
    assert "the configuration changed" in made.remarks[0]
    assert same(opened(root), made)
    assert asked == ["read_config"]


def test_what_is_wrong_in_a_changed_file_is_told_in_spite_of_the_manifest(root):
    opened(root)
    (root / "etc" / "dasflex.conf").write_text("SEVER_NAME = 'One'")
    with pytest.raises(ConfigError, match="SERVER_NAME"):
        opened(root)
    (root / "etc" / "dasflex.conf").unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        opened(root)


def test_a_root_that_was_moved_has_its_own_paths(root):
    opened(root)
    moved = root.rename(root.with_name("moved"))
    assert opened(moved).config.log_path == moved / "log"


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"format": 3, "installed": 1}', b"\xff", b""])
def test_a_damaged_manifest_is_made_anew(root, content):
    made = opened(root)
    manifest_path(root).write_bytes(content)
    assert same(opened(root), made)
    assert opened(root).remarks == ()


def test_a_damaged_part_is_made_anew(root):
    made = opened(root)
    kept = json.loads(manifest_path(root).read_bytes())
    kept["installed"]["held"]["stages"][0]["colour"] = "red"
    del kept["configured"]["held"]["config"]["plain"]["site_title"]
    manifest_path(root).write_text(json.dumps(kept))
    assert same(opened(root), made)


@pytest.mark.parametrize("opens", ["file", "directory"])
def test_a_manifest_that_others_may_write_is_not_used(root, asked, opens):
    opened(root)
    asked.clear()
    (manifest_path(root) if opens == "file" else root / "etc").chmod(0o777)
    assert "may write it" in opened(root).remarks[0]
    assert asked == ["read_config", "discover"]


def test_a_manifest_of_somebody_else_is_not_used(root, asked):
    if os.geteuid():
        pytest.skip("only root can give files away")
    opened(root)
    asked.clear()
    os.chown(manifest_path(root), 4711, -1)
    opened(root)
    assert asked == ["read_config", "discover"]


def test_a_manifest_that_is_a_link_is_not_used(root, asked):
    opened(root)
    asked.clear()
    manifest_path(root).rename(root / "etc" / "other.json")
    manifest_path(root).symlink_to("other.json")
    opened(root)
    assert asked == ["read_config", "discover"]


def test_who_may_not_read_the_configuration_may_not_read_the_manifest(root):
    (root / "etc" / "dasflex.conf").chmod(0o600)
    opened(root)
    assert manifest_path(root).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in (root / "etc").iterdir() if each.name.startswith(".")] == []


def test_a_root_without_a_place_for_it_works(tmp_path):
    (tmp_path / "dasflex.conf").write_text(CONFIG)
    made = load_facts(tmp_path / "dasflex.conf")
    assert made.registry.stages
    assert "cannot be written" in made.remarks[0]


def test_a_new_root_has_a_manifest_of_use_even_where_a_group_may_write_new_files(tmp_path):
    former = os.umask(0o002)
    try:
        make_root(tmp_path / "new", "New", examples=False)
    finally:
        os.umask(former)
    assert opened(tmp_path / "new").remarks == ()


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
SPECS = st.builds(
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
        stages=some(SPECS),
        stream_types=some(INFOS),
        families=some(st.builds(hookspecs.Family, TEXT, st.integers(), TEXT)),
        conventions=some(st.builds(hookspecs.Convention, TEXT, TEXT, TEXT, st.booleans(), TEXT)),
        importers=some(st.builds(hookspecs.DefinitionImporter, TEXT, TEXT, TEXT, TEXT)),
        tables=some(TABLES),
        reader_kinds=some(st.builds(hookspecs.ReaderKind, TEXT, TEXT, TEXT, TEXT, TEXT)),
        authenticators=some(
            st.builds(hookspecs.Authenticator, TEXT, TEXT, st.lists(TEXT, max_size=2).map(tuple), TEXT)
        ),
        task_kinds=some(st.builds(hookspecs.TaskKind, TEXT, TEXT, TEXT)),
        mounted=some(st.builds(hookspecs.Mount, TEXT, TEXT, TEXT)),
    )
)
def test_every_registry_comes_back_from_json_as_it_was(registry):
    assert registry_from_plain(json.loads(json.dumps(registry_to_plain(registry), default=plain))) == registry
