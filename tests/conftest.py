# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test may ask for: the folder of real data, and free ports; and how property tests are run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parent.parent

# No test asserts a time: of an example that took long nobody knows whether it waited for a busy machine. What hangs is
# ended by the limit that every test has.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

#: Ports that the system gives to nobody who asks for any, which begin at 32768: so many stretches of so many ports.
_FIRST_PORT, _STRETCHES, _STRETCH = 12_000, 400, 50


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real mission data; without it a test skips, and with a wrong `DASFLEX_TEST_DATA` it fails."""
    named = os.environ.get("DASFLEX_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        if named:
            pytest.fail(f"DASFLEX_TEST_DATA names {folder}, which is no folder")
        pytest.skip("no real mission data: set DASFLEX_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def free_port() -> Callable[[str], int]:
    """Gives ports, by default of 127.0.0.1, for servers that must be told one before they start.

    Tests run in several processes, and between the look at a port and the start of its server another could take it.
    So each process has a stretch of its own (a prime keeps those of neighbours apart), from which it takes turns.
    """
    first = _FIRST_PORT + os.getpid() * 37 % _STRETCHES * _STRETCH
    turns = cycle(range(first, first + _STRETCH))

    def free(host: str = "127.0.0.1") -> int:
        for port in (next(turns) for _ in range(_STRETCH)):
            with suppress(OSError), socket.create_server((host, port)):
                return port
        raise AssertionError(f"all ports of {host} from {first} on are taken")

    return free


class OtherServer:
    """A server in a process of its own, at `base`; `lines` is what it says, such as the requests that it has had."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment},
        )
        first = self.process.stdout.readline().split()
        self.base = first[3].rstrip("/") if first[0] == "Serving" else f"http://127.0.0.1:{first[0]}"
        self.lines: list[str] = []
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def waits_for(self, happened: Callable[[], bool]) -> bool:
        """Whether something happens, which may take a while."""
        until = monotonic() + 15
        while not happened() and monotonic() < until:
            self._thread.join(0.05)
        return happened()

    def waited_for(self, line: str) -> bool:
        """Whether it says a line."""
        return self.waits_for(lambda: line in self.lines)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._thread.join(5)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def second_server(tmp_path_factory) -> OtherServer:
    """`dasflex serve` with the examples, in another process; its root is `root`."""
    from dasflex_core.roots import make_root

    root = tmp_path_factory.mktemp("second") / "root"
    make_root(root, "Second")
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    config = str(root / "etc" / "dasflex.conf")
    made = OtherServer([sys.executable, "-c", code, "serve", "--port", "0", "--no-websocket", "--config", config])
    made.root = root
    yield made
    made.end()


@pytest.fixture(scope="session")
def das2_server() -> OtherServer:
    """A classic das2 server, which misbehaves where it is asked to: tests/das2_server.py."""
    made = OtherServer([sys.executable, "-S", str(REPOSITORY / "tests" / "das2_server.py")])
    yield made
    made.end()
