# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service manager and a service tell one another: sockets that it opened, and when the service is ready.

The form is that of systemd (sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)). Where there is no such manager,
nothing is told to anybody.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["Manager", "passed_sockets"]

#: The first descriptor that a service manager passes on.
_FIRST: Final = 3


class Manager:
    """The service manager of this process, if it has one that wants to be told.

    `watchdog` is the longest time in seconds between two signs of life that it allows; 0 where it wants none. What
    tells this process of its manager is taken out of the environment, so that readers do not speak for it.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")
        period = environment.pop("WATCHDOG_USEC", "")
        meant = environment.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.watchdog = int(period) / 1e6 if meant and period.isdecimal() else 0.0

    def ready(self, state: str) -> None:
        """Says that the service serves, and what it does in words."""
        self._tell(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={state}")

    def reloading(self) -> None:
        """Says that the configuration is being read anew; `ready` says that it was."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Says that the service ends."""
        self._tell("STOPPING=1\nSTATUS=Ending")

    def alive(self) -> None:
        """Gives a sign of life."""
        self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        """Sends a message. A manager that does not hear it is no reason not to serve."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.connect(address)
                sender.send(text.encode())
            except OSError:
                return


def passed_sockets(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The sockets that a service manager has opened for this process; none where it has not."""
    count, meant = environment.pop("LISTEN_FDS", ""), environment.pop("LISTEN_PID", "")
    environment.pop("LISTEN_FDNAMES", None)
    if not count.isdecimal() or meant != str(os.getpid()):
        return []
    passed = [socket.socket(fileno=number) for number in range(_FIRST, _FIRST + int(count))]
    for each in passed:
        each.set_inheritable(False)
    return passed
