# SPDX-License-Identifier: GPL-3.0-or-later
"""The units by which systemd runs the servers of a root, with real paths (systemd.service(5), systemd.exec(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dasflex_core.config import Config

__all__ = ["OPEN_FILES", "UNITS", "units"]

#: Where the units are, below the root.
UNITS: Final = "etc/systemd"
#: Files that may be open: those of as many connections as there may be by default, and of readers.
OPEN_FILES: Final = 16_384

_UNIT: Final = """\
[Unit]
Description={title}
After=network.target

[Service]
{about}
User=www-data
ExecStart={start}
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
TimeoutStopSec=30
Restart=on-failure

# What may be used, by the server and its readers together. No core dump can hold a password.
LimitNOFILE={files}
LimitCORE=0
TasksMax=4096
MemoryMax=4G
OOMPolicy=continue

# Nothing but these can be written, and /tmp is the server's own. A reader that writes elsewhere needs its place here.
ProtectSystem=strict
ReadWritePaths={places}
PrivateTmp=yes
ProtectHome=read-only
UMask=0027

# No devices but /dev/null and its kin, no rights of root, no other users' processes. Readers inherit all of it.
# A reader that needs a device, or a sandbox of its own for each reader, is the reason to take a line out.
PrivateDevices=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
LockPersonality=yes
KeyringMode=private
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes

[Install]
WantedBy=multi-user.target
"""


def units(config: Config, programs: Path) -> Mapping[str, str]:
    """The unit of the HTTP server and that of the WebSocket daemon, by their names; `programs` is where these are."""
    places = dict.fromkeys((config.log_path, config.runtime, config.file.parent, config.cache_root, config.jobs_path))
    writable = " ".join(_quoted(f"-{each}") for each in places)
    setting = _quoted(str(config.file)).replace("$", "$$")  # as an argument, but not as a program
    web = f"{_quoted(str(programs / 'dasflex'))} serve --port 8080 --no-websocket --config {setting}"
    live = f"{_quoted(str(programs / 'dasflex_websocd'))} --config {setting}"
    name = config.server_name.replace("%", "%%")
    fill = _UNIT.format
    return {
        f"{config.server_id}.service": fill(
            title=name, about="Type=exec", start=web, files=OPEN_FILES, places=writable
        ),
        f"{config.server_id}-websocd.service": fill(
            title=f"{name}, live data",
            about="Type=notify\nWatchdogSec=60",
            start=live,
            files=OPEN_FILES,
            places=writable,
        ),
    }


def _quoted(path: str) -> str:
    """A path as a word of a unit (systemd.syntax(7)): `%` stands for itself, and blanks do not end it."""
    kept = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{kept}"' if any(each in kept for each in " \t\"'\\;") else kept
