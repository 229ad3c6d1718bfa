# SPDX-License-Identifier: GPL-3.0-or-later
"""What a daemon is to do: by its arguments, and where they say nothing by the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.config import Config

__all__ = ["Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The arguments; what is None, or false, is as the configuration says.

    `number` is the port, and `status` the one at which the daemon is asked how it is; 0 is any. `handed_over` is the
    descriptor over which `dasflex serve` hands connections over.
    """

    host: str | None = None
    number: int | None = None
    status: int | None = None
    tls: bool = False
    cert: Path | None = None
    key: Path | None = None
    pid_file: Path | None = None
    handed_over: int | None = None
    log_format: str | None = None

    def place(self, config: Config) -> tuple[str, int]:
        """The host and the port to listen at."""
        host = config.websocket_iface if self.host is None else self.host
        return host, config.websocket_port if self.number is None else self.number

    def status_port(self, config: Config) -> int | None:
        """The port for metrics and health; None for none."""
        return self.status if self.status is not None else config.websocket_status_port or None

    def certificate(self, config: Config) -> tuple[Path | None, Path | None] | None:
        """The files of certificate and key, either of which may not be named; None where no TLS is wanted."""
        if not (self.tls or self.cert or config.websocket_ssl):
            return None
        if self.cert:  # the key of the configuration is that of its own certificate
            return self.cert, self.key
        return config.websocket_cert, self.key or config.websocket_key
