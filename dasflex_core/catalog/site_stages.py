# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of all sources, `[[stage]]` in a file of the site, with the keys that they have in a definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.catalog.documents import load_document
from dasflex_core.catalog.findings import Finding, Places, Problems, raise_for
from dasflex_core.catalog.keys import SITE_STAGES
from dasflex_core.catalog.read_toml import completed_stages
from dasflex_core.catalog.walk import CORE, Walk

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.catalog.model import ExternalStage

__all__ = ["read_stages"]


def read_stages(file: Path) -> tuple[ExternalStage, ...]:
    """The filters in a file. Raises one `ConfigError` that lists all that is wrong, with file, line and key."""
    document = load_document(file)
    if isinstance(document, Finding):
        raise_for((document,))
        return ()
    found = Problems(Places((document,)))
    fields = Walk(CORE, found).fields(SITE_STAGES, document.tables)
    stages = tuple(completed_stages(fields.get("stages", ()), (), found))
    raise_for(found.made())
    return stages
