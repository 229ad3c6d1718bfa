# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin for another version of the plugin API is refused, and told what would do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from dataclasses import replace

import pytest

from dasflex_core.api_version import checked_api, written_api
from dasflex_core.errors import ConfigError
from dasflex_core.hookspecs import API_VERSION, hookimpl
from dasflex_core.manifest_form import plain, registry_from_plain, registry_to_plain
from dasflex_core.registry import PluginInfo, discover
from dasflex_core.stages import StageSpec
from dasflex_core.streamtype import StreamType

MAJOR, MINOR = map(int, API_VERSION.split("."))
#: The module of a stranger's plugin, and what its distribution says of itself.
MODULE = """
{first}
from dasflex_core.hookspecs import hookimpl
from dasflex_core.stages import StageSpec
from dasflex_core.streamtype import StreamType

@hookimpl
def dasflex_stages(register):
    register(StageSpec("tune", "A tune", None, StreamType("tune"), "m:c"))
"""


def registry(stated=None, **about):
    """The registry of one plugin that states a version of the API."""

    def stages(register):
        register(StageSpec("tune", "A tune", None, StreamType("tune"), "m:c"))

    module = types.ModuleType("tunes")
    module.dasflex_stages = hookimpl(stages)
    if stated is not None:
        module.DASFLEX_API = stated
    info = replace(PluginInfo("tunes", "tunes.plugin", "tunes-of-saturn", "2.1"), **about)
    return discover([(info, lambda: module)])


@pytest.mark.parametrize("stated", [None, MAJOR, str(MAJOR), API_VERSION])
def test_a_plugin_for_this_version_is_used(stated):
    found = registry(stated)
    assert [each.name for each in found.stages] == ["tune"]
    assert [(each.api, each.error) for each in found.plugins] == [("" if stated is None else str(stated), "")]
    assert registry_from_plain(json.loads(json.dumps(registry_to_plain(found), default=plain))) == found


@pytest.mark.parametrize(
    ("stated", "remedy"),
    [
        (MAJOR + 1, f"install a dasflex that has {MAJOR + 1}, or install a release of the plugin for {MAJOR}"),
        (f"{MAJOR}.{MINOR + 1}", f"install a dasflex that has {MAJOR}.{MINOR + 1}, or"),
        (MAJOR - 1, f": install a release of the plugin for {MAJOR}"),
    ],
)
def test_a_plugin_for_another_version_is_left_out_and_says_what_would_do(stated, remedy):
    with pytest.warns(RuntimeWarning, match=r"Plugin tunes \(tunes\.plugin\) is left out: it is written for version"):
        found = registry(stated)
    assert found.stages == ()
    [info] = found.plugins
    assert f"for version {stated} of the plugin API, and this dasflex has {API_VERSION}" in info.error
    assert remedy in info.error


@pytest.mark.parametrize("stated", ["one", "1.", "", "1.0.0", (1, 0), "99999"])
def test_what_is_no_version_is_refused(stated):
    if stated == "":
        assert registry(stated).plugins[0].error == ""
        return
    with pytest.warns(RuntimeWarning, match="is no version of the plugin API; one is 1, or a text"):
        assert registry(stated).stages == ()


def test_a_plugin_that_says_nothing_is_for_the_first_version_and_a_bundled_one_for_its_own():
    """So a silent plugin of today is refused by the dasflex of the next major version, and not broken by it."""
    assert checked_api("", "1.7") == ""
    with pytest.raises(ConfigError, match=r"version 1 of the plugin API, and this dasflex has 2\.0"):
        checked_api("", "2.0")
    assert checked_api("", "2.0", bundled=True) == ""
    with pytest.raises(ConfigError, match="version 1 of"):
        checked_api("1", "2.0", bundled=True)


@pytest.mark.parametrize(
    ("files", "module"),
    [
        ({"alone.py": "import gone\nDASFLEX_API = 7\n"}, "alone"),
        ({"pack/__init__.py": "import gone\n", "pack/plugin.py": "DASFLEX_API: int = 7\n"}, "pack.plugin"),
        ({"pack/__init__.py": "DASFLEX_API = '7'\n"}, "pack:hooks"),
        ({"pack/__init__.py": "", "pack/deep/__init__.py": "DASFLEX_API=7"}, "pack.deep"),
    ],
)
def test_the_version_is_read_from_the_source_of_what_cannot_be_imported(tmp_path, monkeypatch, files, module):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert written_api(module) == "7"
    assert written_api("not_there.plugin") == written_api("json.decoder") == written_api("sys") == written_api("") == ""


@pytest.mark.parametrize(
    "first", [f"DASFLEX_API = {MAJOR + 1}", f"DASFLEX_API = {MAJOR + 1}\nfrom dasflex_core import tomorrow"]
)
def test_an_installed_plugin_for_the_next_version_is_listed_with_the_reason(tmp_path, first):
    """Also where it cannot be imported, since it wants what this version does not have."""
    (tmp_path / "tunes.py").write_text(MODULE.format(first=first), encoding="utf-8")
    place = tmp_path / "tunes_of_saturn-2.1.dist-info"
    place.mkdir()
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: tunes-of-saturn\nVersion: 2.1\n", encoding="utf-8")
    (place / "entry_points.txt").write_text("[dasflex]\ntunes = tunes\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "dasflex_core", "plugins"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )
    reason = f"it is written for version {MAJOR + 1} of the plugin API, and this dasflex has {API_VERSION}: install"
    assert f"tunes (tunes-of-saturn 2.1, tunes)\n  failed: ConfigError: {reason}" in done.stdout
    assert f"plugin API: {API_VERSION}" in done.stdout
    assert "csv (dasflex" in done.stdout
