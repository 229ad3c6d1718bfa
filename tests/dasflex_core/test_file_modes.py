# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a root that are too open are told, with what to do; those of a new root are not."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from dasflex_core.file_modes import too_open
from dasflex_core.roots import make_root
from dasflex_core.tickets import site_key


@pytest.fixture(params=[0o022, 0o002], ids=["umask 022", "umask 002"])
def config(tmp_path, request):
    """A new root, made under an umask that hides little or nothing."""
    before = os.umask(request.param)
    try:
        made = make_root(tmp_path / "root", "Test", examples=False)
        site_key(made.runtime)
        return made
    finally:
        os.umask(before)


def test_a_new_root_is_closed_enough(config):
    assert list(too_open(config)) == []
    assert config.user_passwd.stat().st_mode & 0o777 == 0o600
    assert config.log_path.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize(
    ("place", "mode", "told"),
    [
        ("etc/passwd", 0o644, "others may read it, and password hashes"),
        ("etc/passwd.tokens", 0o604, "tokens"),
        ("run/tickets.key", 0o640, "tickets for any user"),
        ("log", 0o755, "who read what"),
        ("etc/group", 0o602, "others may write it"),
        ("run", 0o777, "stand in for the server"),
        ("etc/dasflex.conf", 0o666, "which programs run"),
        ("etc", 0o777, "which programs run"),
        ("definitions", 0o777, "which programs run"),
        ("sources", 0o757, "which programs run"),
    ],
)
def test_what_is_too_open_is_told_with_the_remedy(config, place, mode, told):
    path = config.root / place
    if not path.exists():
        path.write_text("", encoding="utf-8")
    path.chmod(mode)
    [remark] = too_open(config)
    assert told in remark
    assert str(path) in remark
    subprocess.run(shlex.split(remark.rpartition("; ")[2]), check=True)
    assert list(too_open(config)) == []


def test_check_says_it(config):
    config.user_passwd.chmod(0o644)
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    run = subprocess.run(
        [sys.executable, "-c", code, "check", "--root", str(config.root)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert f"{config.user_passwd}: warning: others may read it" in run.stdout
    assert "1 warning" in run.stderr
