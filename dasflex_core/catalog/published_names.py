# SPDX-License-Identifier: GPL-3.0-or-later
"""By what published files are known: their names, and how a node of the catalog begins."""

from __future__ import annotations

from typing import Final

__all__ = ["CATALOG_BEGIN", "SELF", "SITE_NODES", "SOURCE_FILES"]

#: The files of a source.
SOURCE_FILES: Final = ("flex.json", "das2.d2t")
#: Names at the top that belong to the site, so that no directory has a node there.
SITE_NODES: Final = frozenset({"root", "catalog", "nodes", "peers", "openapi", "id"})
#: The key of a source in the node of a directory of the same name; no id ends in it.
SELF: Final = "flex"
#: How the node of a directory begins.
CATALOG_BEGIN: Final = b'{\n "type": "Catalog",'
