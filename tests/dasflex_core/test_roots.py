# SPDX-License-Identifier: GPL-3.0-or-later
"""A root is made whole or not at all, over nothing that is there, and one's own root by any number of processes at once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dasflex_core.catalog import Catalog
from dasflex_core.config import KEYS, read_config
from dasflex_core.errors import ConfigError
from dasflex_core.roots import ensure_user_root, install_examples, make_root, shipped_examples, user_root

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ["Examples/Auth", "Examples/Ephemeris", "Examples/Live", "Examples/Params", "Examples/Random", "Examples/Spectra", "Examples/Waveform"]  # fmt: skip


@pytest.fixture
def fresh_user(tmp_path, monkeypatch) -> Path:
    """A user without any files; gives the directory for data of programs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("DASFLEX_CONFIG", raising=False)
    return tmp_path / "data"


def test_a_new_root_has_its_files_and_the_examples_as_sources(tmp_path):
    config = make_root(tmp_path / "new", "Test Server")
    root = tmp_path / "new"
    assert config == read_config(root / "etc" / "dasflex.conf")
    assert config.server_name == "Test Server"
    assert config.server_id == "test_server"
    assert config.allow_test_from == ()
    assert config.remarks == ()
    for name in ("etc/passwd", "etc/group", "etc/mime.json", "etc/peers.json"):
        assert (root / name).is_file()
    for name in ("definitions", "catalog", "cache", "log", "run", "static"):
        assert (root / name).is_dir()
    assert list(Catalog(root).ids()) == EXAMPLES
    assert Catalog(root).find("examples/waveform").directory == str(root / "definitions" / "Examples" / "Waveform")


def test_the_new_configuration_explains_every_key(tmp_path):
    text = (make_root(tmp_path / "new", "X", examples=False).file).read_text(encoding="utf-8")
    for name, key in KEYS.items():
        assert re.search(rf"^# {re.escape(key.title)}\n(?:# )?{name} = ", text, re.MULTILINE), name


def test_a_root_may_be_made_without_the_examples(tmp_path):
    config = make_root(tmp_path / "bare", "Bare", examples=False)
    assert Catalog(config.root).ids() == ()
    assert not (config.definitions / "Examples").exists()


def test_a_root_may_be_made_where_other_things_are(tmp_path):
    (tmp_path / "venv").mkdir()
    (tmp_path / "etc").mkdir()
    make_root(tmp_path, "Beside")
    assert (tmp_path / "venv").is_dir()


@pytest.mark.parametrize("taken", ["etc/dasflex.conf", "etc/passwd", "definitions/Examples/mine.toml"])
def test_a_root_is_not_made_over_another_one(tmp_path, taken):
    (tmp_path / taken).parent.mkdir(parents=True)
    (tmp_path / taken).write_text("mine", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="is there already"):
        make_root(tmp_path, "Second")
    assert (tmp_path / taken).read_text(encoding="utf-8") == "mine"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["", "  ", "a\x00b"])
def test_a_name_that_cannot_be_written_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="no name for a server"):
        make_root(tmp_path / "x", name)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ['The "Best" Server', "Serveur à Étoiles", "***", "back\\slash"])
def test_any_name_is_read_back_as_it_was_given(tmp_path, name):
    assert make_root(tmp_path / "named", name, examples=False).server_name == name


def test_where_nothing_can_be_written_there_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be made: Not a directory"):
        make_root(tmp_path / "file" / "root", "X")


def test_the_shipped_examples_are_there():
    assert {path.parent.name for path in shipped_examples().glob("*/source.toml")} == {
        each.partition("/")[2] for each in EXAMPLES
    }


def test_one_s_own_root_is_made_once_and_kept(fresh_user):
    config = ensure_user_root()
    assert config.root == user_root() == fresh_user / "dasflex"
    assert list(Catalog(config.root).ids()) == EXAMPLES
    assert config.remarks == ()
    (config.root / "note").write_text("mine", encoding="utf-8")
    assert ensure_user_root() == config
    assert (config.root / "note").read_text(encoding="utf-8") == "mine"
    assert not [path for path in fresh_user.iterdir() if path.name.startswith(".dasflex-")]


def test_many_processes_may_make_one_s_own_root_at_once(fresh_user):
    code = (
        "from dasflex_core.roots import ensure_user_root; from dasflex_core.catalog import Catalog; "
        "print(len(Catalog(ensure_user_root().root).ids()))"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        for _ in range(6)
    ]
    assert [run.communicate(timeout=60)[0].strip() for run in runs] == [str(len(EXAMPLES))] * 6
    assert sorted(path.name for path in fresh_user.iterdir()) == [".dasflex.lock", "dasflex"]


def test_a_root_whose_making_was_cut_short_is_completed(fresh_user):
    config = ensure_user_root()
    shutil.rmtree(config.root / "sources")
    assert list(Catalog(ensure_user_root().root).ids()) == EXAMPLES


def test_other_things_in_the_place_of_one_s_own_root_are_not_touched(fresh_user):
    (fresh_user / "dasflex").mkdir(parents=True)
    (fresh_user / "dasflex" / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be made: Directory not empty"):
        ensure_user_root()
    assert [path.name for path in (fresh_user / "dasflex").iterdir()] == ["mine"]
    assert not list(fresh_user.glob(".dasflex-*"))


@pytest.mark.usefixtures("fresh_user")
def test_newer_examples_are_told_of_and_only_installed_when_asked():
    config = ensure_user_root()
    examples = config.definitions / "Examples"
    (examples / ".shipped").write_text("0\n", encoding="ascii")
    (examples / "Random" / "source.toml").write_text("# changed by hand\n", encoding="utf-8")
    [remark] = ensure_user_root().remarks
    assert "dasflex install --examples" in remark
    assert (examples / "Random" / "source.toml").read_text(encoding="utf-8") == "# changed by hand\n"
    aside = install_examples(config)
    assert aside is not None
    assert (aside / "Random" / "source.toml").read_text(encoding="utf-8") == "# changed by hand\n"
    assert ensure_user_root().remarks == ()
    assert list(Catalog(config.root).ids()) == EXAMPLES
