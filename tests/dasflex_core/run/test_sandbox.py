# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in a sandbox can do less, and are told by the same limits; where there is none, nothing runs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import replace
from functools import cache

import pytest

from dasflex_core.errors import ConfigError, SourceError
from dasflex_core.plan.graph import Limits
from dasflex_core.roots import make_root
from dasflex_core.run import Pump
from dasflex_core.run.sandbox import Sandbox, enclosed, sandbox_of
from dasflex_core.site import open_site


@cache
def works() -> bool:
    """Whether bubblewrap is here, and the system lets it do its work."""
    program = shutil.which("bwrap")
    test = ("--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "true")
    return program is not None and subprocess.run([program, *test], check=False, capture_output=True).returncode == 0


needs_bwrap = pytest.mark.skipif("not works()", reason="no bwrap that works here: apt-get install bubblewrap")
TRIES = """
    import json, os, pathlib, socket, sys
    def tried(what):
        try:
            return what() or "yes"
        except OSError as error:
            return type(error).__name__
    here, port = sys.argv[2], int(sys.argv[3])
    def connect():
        socket.create_connection(("127.0.0.1", port), 2).close()
    told = {
        "write here": tried(lambda: open(here + "/mark", "w").close()),
        "write to its scratch": tried(lambda: open(os.environ["TMPDIR"] + "/mark", "w").close()),
        "write where it may": tried(lambda: open(here + "/out/mark", "w").close()),
        "read a secret": tried(lambda: pathlib.Path(here + "/passwd").read_text()),
        "look into a directory": tried(lambda: ",".join(os.listdir(here + "/run")) or "nothing"),
        "connect": tried(connect),
        "processes": str(len([each for each in os.listdir("/proc") if each.isdigit()])),
        "directory": os.getcwd(),
    }
    print(json.dumps(told))
"""


@pytest.fixture
def place(tmp_path):
    """A directory with a secret, a directory of sockets, and one that may be written to."""
    (tmp_path / "passwd").write_text("secret")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "socket").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "tmp").mkdir()
    return tmp_path


def told_by(readers, settings, place, box: Sandbox | None) -> dict[str, str]:
    """What a program could do."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=lambda: listening.settimeout(5) or _accept(listening), daemon=True).start()
        node = readers.node(TRIES)
        (argv,) = node.command.argvs
        argv = (*argv, str(place), str(listening.getsockname()[1]))
        node = replace(node, command=replace(node.command, argvs=(argv,), directory=str(place)))
        with Pump((node,), settings(sandbox=box, scratch=str(place / "tmp"))) as pump:
            return json.loads(b"".join(pump.chunks()))


def _accept(listening) -> None:
    with suppress(OSError):  # nobody came
        listening.accept()[0].close()


@needs_bwrap
def test_a_program_in_bubblewrap_writes_only_where_it_may_and_sees_little(readers, settings, place):
    box = Sandbox("bwrap", writable=(str(place / "out"),), hidden=(str(place / "passwd"), str(place / "run")))
    told = told_by(readers, settings, place, box)
    assert told == {
        "write here": "OSError",  # a read-only file system
        "write to its scratch": "yes",
        "write where it may": "yes",
        "read a secret": "PermissionError",
        "look into a directory": "nothing",
        "connect": "ConnectionRefusedError",
        "processes": "2",
        "directory": str(place),
    }
    assert [*(place / "tmp").iterdir()] == []
    assert (place / "out" / "mark").exists()
    assert not (place / "mark").exists()


@needs_bwrap
def test_a_program_in_bubblewrap_may_use_the_network_where_that_is_wanted(readers, settings, place):
    assert told_by(readers, settings, place, Sandbox("bwrap", network=True))["connect"] == "yes"


def test_a_program_without_a_sandbox_can_do_what_the_server_can(readers, settings, place):
    told = told_by(readers, settings, place, None)
    assert told["read a secret"] == "secret"
    assert told["look into a directory"] == "socket"
    assert (told["write here"], told["connect"]) == ("yes", "yes")


HIDES = """
    import os, subprocess, sys, time
    clean = {"PATH": os.environ["PATH"]}
    code = "import time; time.sleep(30)"
    subprocess.Popen([sys.executable, "-S", "-c", code, sys.argv[1]], env=clean, start_new_session=True,
                     stdin=-3, stdout=-3, stderr=-3)
    print("data", flush=True)
    time.sleep(30)
"""


@needs_bwrap
def test_nothing_hides_in_bubblewrap(readers, settings):
    """Without a sandbox, a child without the variable and in a session of its own is not known."""
    node = readers.node(HIDES, limits=Limits(silence=0.5))
    with Pump((node,), settings(sandbox=Sandbox("bwrap"))) as pump, pytest.raises(SourceError) as caught:
        list(pump.chunks())
    assert caught.value.kind == "source.silent"
    assert readers.gone(1)


@needs_bwrap
def test_the_limits_hold_in_bubblewrap(readers, settings):
    text = "import time; data = bytearray(b'x' * 300_000_000); time.sleep(30)"
    node = readers.node(text, limits=Limits(memory=200_000_000))
    with Pump((node,), settings(sandbox=Sandbox("bwrap"))) as pump, pytest.raises(SourceError) as caught:
        list(pump.chunks())
    assert "memory" in caught.value.message
    assert readers.gone(1)


def test_a_scope_of_systemd_has_the_limits_of_memory_and_processes(monkeypatch, tmp_path):
    program = tmp_path / "systemd-run"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    limits = Limits(memory=1_000_000, processes=7)
    made = enclosed(("reader", "--opt"), Sandbox("systemd-run"), limits, directory="/", scratch="")
    assert made == (
        str(program), "--scope", "--quiet", "--collect", "--property=MemoryMax=1000000", "--property=MemorySwapMax=0",
        "--property=TasksMax=7", "--property=IPAddressDeny=any", "--", "reader", "--opt",
    )  # fmt: skip
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    made = enclosed(("reader",), Sandbox("systemd-run", network=True), Limits(), directory="/", scratch="")
    assert made == (str(program), "--scope", "--quiet", "--collect", "--user", "--", "reader")


def test_where_there_is_no_sandbox_nothing_runs(readers, settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    told = "READER_SANDBOX is bwrap, which is not installed here: apt-get install"
    node = readers.node("print('data')")
    with Pump((node,), settings(sandbox=Sandbox("bwrap"))) as pump, pytest.raises(ConfigError, match=told):
        list(pump.chunks())


@needs_bwrap
def test_a_site_runs_its_readers_in_the_sandbox_that_it_wants(tmp_path):
    make_root(tmp_path / "root", "Test")
    config = tmp_path / "root" / "etc" / "dasflex.conf"
    (tmp_path / "root" / "tmp").mkdir()
    with config.open("a") as file:
        file.write('READER_SANDBOX = "bwrap"\nREADER_SANDBOX_WRITE = "out:/dev/null"\nSCRATCH_PATH = "tmp"\n')
    site = open_site(tmp_path / "root")
    box = sandbox_of(site.config)
    assert (box.program, box.network) == ("bwrap", False)
    assert box.writable == (str(tmp_path / "root" / "out"), "/dev/null")
    assert box.hidden == tuple(
        str(tmp_path / "root" / each) for each in ("etc/passwd", "etc/passwd.tokens", "run", "tmp")
    )
    plan = site.request("Examples/Random", [("time", "2017-01-01/2017-01-01T00:10"), ("format.type", "csv")]).plan()
    whole = b"".join(plan.run())
    assert whole.count(b"\n") > 2
    config.write_text(config.read_text().replace('READER_SANDBOX = "bwrap"', ""))
    open_ = open_site(tmp_path / "root")
    again = open_.request("Examples/Random", [("time", "2017-01-01/2017-01-01T00:10"), ("format.type", "csv")]).plan()
    assert b"".join(again.run()) == whole


def test_a_sandbox_that_is_none_is_refused(tmp_path):
    make_root(tmp_path / "root", "Test", examples=False)
    with (tmp_path / "root" / "etc" / "dasflex.conf").open("a") as file:
        file.write('READER_SANDBOX = "docker"\n')
    with pytest.raises(ConfigError, match="there are bwrap and systemd-run"):
        open_site(tmp_path / "root")
