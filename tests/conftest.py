# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test may ask for: the folder of real data, and free ports; and how property tests are run."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from itertools import cycle
from pathlib import Path
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
