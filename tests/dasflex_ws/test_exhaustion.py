# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon when the system has no more descriptors for it: who is there stays, and who comes later is served."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from websockets.sync.client import connect

#: Descriptors that the daemon may have, of which it needs about twenty for itself and its reader.
FEW = 48


def opened(port):
    """A connection as soon as there is one, which is waited for."""
    end = time.monotonic() + 60
    while True:
        try:
            return connect(f"ws://127.0.0.1:{port}/dasws/Lab/Device/flexRT", proxy=None, open_timeout=30)
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_a_daemon_without_descriptors_serves_again_when_it_has_some(device, free_port):
    port = free_port()
    command = [
        Path(sys.executable).with_name("dasflex_websocd"), "-i", "127.0.0.1", "-p", str(port), "-c",
        device.root / "etc" / "dasflex.conf",
    ]  # fmt: skip

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))

    with subprocess.Popen(command, preexec_fn=few, stderr=subprocess.DEVNULL) as daemon:  # noqa: PLW1509  it has no threads
        try:
            with opened(port) as first:
                with ExitStack() as many:
                    for _each in range(2 * FEW):
                        many.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
                    deadline = time.monotonic() + 30
                    while len([*Path(f"/proc/{daemon.pid}/fd").iterdir()]) < FEW - 1:
                        assert time.monotonic() < deadline
                        time.sleep(0.02)
                    assert [first.recv(30) for _each in range(5)]
                with opened(port) as second:
                    assert second.recv(30)
                    assert first.recv(30)
        finally:
            daemon.terminate()
        assert daemon.wait(30) == 0
