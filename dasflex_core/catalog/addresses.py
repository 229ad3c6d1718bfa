# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what is published can be had: absolute addresses, the permanent names of the federated catalog, and files.

Some clients take no address with a port, so that the ports that follow from the scheme are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from dasflex_core.config import Config
    from dasflex_core.registry import Registry

__all__ = ["hapi_url", "has_port", "public_base", "site_url", "socket_url", "source_url", "uris"]

_PORTS: Final = {"http": 80, "https": 443}


def public_base(config: Config) -> str:
    """The public address of the server, without a slash behind it, and without the port that its scheme has anyway."""
    base = config.server_url.rstrip("/")
    parts = urlsplit(base)
    usual = f":{_PORTS.get(parts.scheme, '')}"
    return base.replace(usual, "", 1) if usual != ":" and parts.netloc.endswith(usual) else base


def hapi_url(config: Config, registry: Registry) -> str:
    """The public address of the HAPI server; blank where nothing serves that, or it is switched off."""
    mounted = any(each.path.strip("/") == "hapi" for each in registry.mounts())
    return f"{public_base(config)}/hapi" if mounted and config.enable_hapi_subsys else ""


def has_port(address: str) -> bool:
    """Whether an address names a port: das2C, and all that is made with it, refuses such a one."""
    return ":" in urlsplit(address).netloc.rpartition("@")[2].rpartition("]")[2]


def site_url(config: Config, file: str) -> str:
    """The public address of a file of the site itself."""
    return f"{public_base(config)}/{file}"


def source_url(config: Config, identifier: str, file: str) -> str:
    """The public address of something of a source or of a directory; of its own node where `file` begins with a dot."""
    path = quote(identifier.lower(), safe="/+")
    return f"{public_base(config)}/source/{path}{file if file.startswith('.') else f'/{file}'}"


def socket_url(config: Config, identifier: str) -> str:
    """The public address of a source at the WebSocket daemon: below WEBSOCKET_URI, or below `dasws` of the server."""
    base = config.websocket_uri.rstrip("/") or f"{public_base(config)}/dasws"
    scheme, found, rest = base.partition("://")
    secure = {"http": "ws", "https": "wss"}.get(scheme.lower(), scheme)
    return f"{secure}{found}{rest}/{quote(identifier.lower(), safe='/+')}/flexRT"


def uris(config: Config, path: str) -> list[str]:
    """The permanent names of a node in the federated catalog: below the site's own tag, and below the common root."""
    below = f"/{path}" if path else ""
    tag = config.site_catalog_tag.rstrip(":/")
    found = [f"{tag}:site:{below or '/'}"] if tag else []
    return found + (
        [f"tag:das2.org,2012:site:/{config.site_id.strip('/')}{below}"] if config.site_id.strip("/") else []
    )
