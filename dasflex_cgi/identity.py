# SPDX-License-Identifier: GPL-3.0-or-later
"""Who this server is, for programs: its name, its id, its logo. Nothing here takes long to import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dasflex_cgi.exchange import JSON, TEXT, Answer

if TYPE_CHECKING:
    from dasflex_core.site import Site

__all__ = ["id_json", "id_txt", "logo"]

_FRESH: Final = ("Cache-Control", "public, max-age=3600")
_SHIPPED: Final = Path(__file__).parent / "static" / "logo.png"
#: The logos that a site may have of its own, by preference. No client draws another kind.
_LOGOS: Final = {"logo.png": "image/png", "logo.gif": "image/gif", "logo.jpg": "image/jpeg"}


def id_json(site: Site) -> Answer:
    """Who this is, as an object of JSON."""
    config = site.config
    about = {
        "id": config.server_id,
        "name": config.server_name,
        "title": config.site_title or config.server_name,
        "url": config.server_url,
        "software": "dasflex",
    }
    return Answer(200, (("Content-Type", JSON), _FRESH), json.dumps(about, ensure_ascii=False).encode())


def id_txt(site: Site) -> Answer:
    """The server's name as text. It has no line end: Java clients show the body as it is."""
    return Answer(200, (("Content-Type", TEXT), _FRESH), " ".join(site.config.server_name.split()).encode())


def logo(site: Site) -> Answer:
    """The logo in `RESOURCE_PATH`, or the one that dasflex brings."""
    for name, media_type in _LOGOS.items():
        try:
            return Answer(200, (("Content-Type", media_type), _FRESH), (site.config.resource_path / name).read_bytes())
        except OSError:  # the site has none of its own, or none that can be read: the next will do
            continue
    return Answer(200, (("Content-Type", "image/png"), _FRESH), _SHIPPED.read_bytes())
