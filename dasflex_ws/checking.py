# SPDX-License-Identifier: GPL-3.0-or-later
"""What would keep a daemon from serving, or from serving well: `dasflex_websocd --check`."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import AccessError, ConfigError, DasflexError
from dasflex_core.values import dataclass
from dasflex_ws.listening import listening, tls_context
from dasflex_ws.status import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dasflex_core.config import Config
    from dasflex_core.site import Site
    from dasflex_ws.options import Options

__all__ = ["Finding", "findings", "unit_of"]

#: Files that are open beside those of connections: the daemon's own, and those of some readers.
SPARE: Final = 256
_LIVE: Final = (("read.time.min", "now"), ("read.time.max", "forever"))
_LOCAL: Final = ("localhost", "127.", "::1")
#: Seconds that the service manager may take to answer.
_PATIENCE: Final = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: of whom it is to be said, and whether it is wrong or worth a look."""

    what: str
    message: str
    wrong: bool = True

    def __str__(self) -> str:
        return f"{self.what}: {'' if self.wrong else 'warning: '}{self.message}"


def findings(site: Site, options: Options) -> Iterator[Finding]:
    """All that is found, in the order in which it is looked at."""
    config = site.config
    for remark in (*config.remarks, *site.remarks):
        yield Finding(str(config.file), remark.removeprefix(f"{config.file}:").strip(), wrong=False)
    yield from _places(options, config)
    yield from _certificate(options, config)
    yield from _files(config)
    yield from _directories(config)
    yield from _live_sources(site)


def unit_of(config: Config) -> str:
    """The name of the daemon's unit of systemd, as `dasflex root` proposes it."""
    return f"{config.server_id}-websocd.service"


def _places(options: Options, config: Config) -> Iterator[Finding]:
    """Whether it can listen where it is to."""
    host, port = options.place(config)
    for what, place in (
        ("WEBSOCKET_PORT", (host, port)),
        ("WEBSOCKET_STATUS_PORT", (LOOPBACK, options.status_port(config))),
    ):
        if place[1] is None:
            continue
        try:
            for each in listening(place[0], place[1]):
                each.close()
        except ConfigError as error:
            yield Finding(what, error.message)
    if not options.certificate(config) and not host.startswith(_LOCAL):
        yield Finding(
            "WEBSOCKET_SSL", f"passwords pass in clear to {host}, unless a web server is in front", wrong=False
        )


def _certificate(options: Options, config: Config) -> Iterator[Finding]:
    """Whether certificate and key can be read and belong together."""
    files = options.certificate(config)
    if files is None:
        return
    try:
        tls_context(*files)
    except ConfigError as error:
        yield Finding("WEBSOCKET_CERT", error.message)
        return
    key = files[1] or files[0]
    if key is not None and key.stat().st_mode & stat.S_IROTH:
        yield Finding("WEBSOCKET_KEY", f"{key} can be read by everybody on this machine", wrong=False)


def _files(config: Config) -> Iterator[Finding]:
    """Whether as many files may be open as there may be connections."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    places = [("LimitNOFILE", "this shell", allowed)]
    installed = _installed_limit(unit_of(config))
    if installed is not None:
        places.append((unit_of(config), "the unit", installed))
    most = config.websocket_connections
    for what, who, limit in places:
        if limit == resource.RLIM_INFINITY:
            continue
        if most and limit < most + SPARE:
            yield Finding(
                what, f"{who} allows {limit:,} open files; WEBSOCKET_CONNECTIONS = {most} needs {most + SPARE:,}"
            )
        elif not most:
            yield Finding(
                what, f"no more than {limit - SPARE:,} connections fit into {limit:,} open files", wrong=False
            )


def _installed_limit(unit: str) -> int | None:
    """How many files an installed unit allows; None where there is no such unit, or no systemd."""
    program = shutil.which("systemctl")
    if program is None:
        return None
    command = (program, "show", "--property=LoadState,LimitNOFILE", unit)
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = dict(line.split("=", 1) for line in run.stdout.splitlines() if "=" in line)
    if said.get("LoadState") != "loaded":
        return None
    limit = said.get("LimitNOFILE", "")
    return int(limit) if limit.isdecimal() else resource.RLIM_INFINITY


def _directories(config: Config) -> Iterator[Finding]:
    """Whether it may write where it has to."""
    places = (("LOG_PATH", config.log_path), ("LOG_PATH", config.requests), ("the root", config.runtime))
    for nearest, what in {_nearest(place): what for what, place in places}.items():
        if not nearest.is_dir():
            yield Finding(what, f"{nearest} is no directory")
        elif not os.access(nearest, os.W_OK | os.X_OK):
            yield Finding(what, f"{nearest} cannot be written by user {os.geteuid()}")


def _nearest(place: Path) -> Path:
    """The place itself, or what is there of the way to it."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _live_sources(site: Site) -> Iterator[Finding]:
    """Whether the sources can be asked for what comes in."""
    try:
        names = list(site)
    except DasflexError as error:
        yield Finding("the catalog", error.message)
        return
    for name in names:
        try:
            source = site[name]
            if any(reader.live for reader in source.definition.readers):
                site.request(source.id, _LIVE).plan()
        except AccessError:
            continue
        except DasflexError as error:
            yield Finding(name, error.message)
