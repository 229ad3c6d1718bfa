# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of systemd that come with a root: systemd itself finds nothing wrong with them, whatever the paths are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from ctypes.util import find_library
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


#: What `systemd-analyze security` may say at most: 10 is a service without any protection, 0 one that can do nothing.
EXPOSURE = 2.0
#: Runs a program under the filter of system calls that systemd makes of a group; libseccomp comes with systemd.
FILTERED = """
import ctypes, os, sys
allowed, program = sys.argv[1].split(), sys.argv[2:]
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
refuse, allow = 0x00050000 | 1, 0x7FFF0000  # SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW
context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(refuse)))
for name in allowed:
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:
        assert seccomp.seccomp_rule_add(context, ctypes.c_uint32(allow), number, 0) == 0, name
assert seccomp.seccomp_load(context) == 0
os.execv(program[0], program)
"""


def test_little_is_open_to_who_takes_the_service_over(config, tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze to judge units with")
    for name, text in units(config, Path("/usr/bin")).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        run = subprocess.run(
            [program, "security", "--offline=true", "--no-pager", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if "unrecognized option" in run.stderr:
            pytest.skip("this systemd-analyze judges no files")
        [said] = [line for line in run.stdout.splitlines() if "Overall exposure level" in line]
        assert float(said.rpartition(": ")[2].split()[0]) < EXPOSURE, run.stdout


def system_calls(group):
    """The system calls of a group of systemd, those of the groups in it, too."""
    run = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", group], capture_output=True, text=True, check=True
    )
    names = [line.strip() for line in run.stdout.splitlines()[1:] if line.startswith("    ")]
    for name in names:
        if name.startswith("@"):
            yield from system_calls(name)
        elif not name.startswith("#"):
            yield name


@pytest.mark.integration
@pytest.mark.parametrize(
    ("sandbox", "more"), [("", ()), ("bwrap", ("@mount",))], ids=["the unit", "its drop-in for bubblewrap"]
)
def test_the_server_and_its_readers_do_with_the_system_calls_that_are_left(tmp_path, sandbox, more):
    """A request with a reader, a reducer and a formatter, under the same filter."""
    if shutil.which("systemd-analyze") is None or find_library("seccomp") is None:
        pytest.skip("no systemd with libseccomp to filter system calls with")
    made = make_root(tmp_path / "root", "Filtered")
    if sandbox:
        if shutil.which(sandbox) is None:
            pytest.skip(f"no {sandbox} to enclose readers with")
        with made.file.open("a", encoding="utf-8") as config:
            config.write(f'READER_SANDBOX = "{sandbox}"\n')
    [wanted] = {
        line.partition("=")[2]
        for text in units(made, Path("/usr/bin")).values()
        for line in text.splitlines()
        if line.startswith("SystemCallFilter=")
    }
    allowed = " ".join(dict.fromkeys(name for group in (wanted, *more) for name in system_calls(group)))
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    asked = ["get", "Examples/Random", "2017-01-01/2017-01-08", "bin.time.max=3600", "format.type=csv"]
    started = [sys.executable, "-c", FILTERED, allowed, sys.executable, "-c"]
    run = subprocess.run(
        [*started, code, *asked, "--root", str(made.root)], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) > 100
    traced = "import ctypes; raise SystemExit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0)"  # which is none of them
    assert subprocess.run([*started, traced], check=False, timeout=60).returncode == 0
    assert subprocess.run([sys.executable, "-c", traced], check=False, timeout=60).returncode == 1


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
