# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of systemd that come with a root: systemd itself finds nothing wrong with them, whatever the paths are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dasflex_core.config import read_config
from dasflex_core.roots import make_root
from dasflex_core.services import units


@pytest.fixture(params=["root", "50% of a root; its name"])
def config(tmp_path, request):
    return make_root(tmp_path / request.param, "A 100% Server", examples=False)


def programs_in(folder: Path) -> Path:
    """A directory of programs that can be executed."""
    folder.mkdir()
    for name in ("dasflex", "dasflex_websocd"):
        (folder / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def test_systemd_finds_nothing_wrong(config, tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze to verify units with")
    texts = units(config, programs_in(tmp_path / "bin $HOME"))
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    run = subprocess.run(
        [program, "verify", "--man=no", *(str(tmp_path / name) for name in texts)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    ours = [line for line in run.stderr.splitlines() if str(tmp_path) in line or any(name in line for name in texts)]
    assert ours == []
    assert len(texts) == 2


def test_what_is_wrong_is_found(tmp_path):
    """The proof that the test above can fail: systemd-analyze says what it does not know."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze to verify units with")
    unit = tmp_path / "wrong.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nMemoryMaximum=4G\n", encoding="utf-8")
    run = subprocess.run([program, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert "MemoryMaximum" in run.stderr


def test_only_what_the_server_writes_can_be_written(config):
    for text in units(config, Path("/opt/bin")).values():
        [line] = [line for line in text.splitlines() if line.startswith("ReadWritePaths=")]
        for place in (config.log_path, config.runtime, config.root / "etc", config.cache_root):
            assert f"-{place}".replace("%", "%%") in line
        assert "definitions" not in line
        assert {"ProtectSystem=strict", "NoNewPrivileges=yes", "PrivateTmp=yes"} <= set(text.splitlines())


def test_the_daemon_tells_when_it_is_ready_and_has_files_for_its_connections(config):
    live = units(config, Path("/opt/bin"))["a_100_server-websocd.service"]
    assert "Type=notify" in live
    [files] = [int(line.split("=")[1]) for line in live.splitlines() if line.startswith("LimitNOFILE=")]
    assert files > config.websocket_connections + 256


def test_the_root_comes_with_them(tmp_path):
    code = "import sys; from dasflex_core.cli import mkroot; sys.argv = ['dasflex_mkroot', *sys.argv[1:]]; mkroot()"
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "root"), "Test Server", "--no-examples"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    folder = tmp_path / "root" / "etc" / "systemd"
    assert sorted(each.name for each in folder.iterdir()) == ["test_server-websocd.service", "test_server.service"]
    assert str(folder) in run.stdout
    assert read_config(tmp_path / "root" / "etc" / "dasflex.conf").root == tmp_path / "root"
