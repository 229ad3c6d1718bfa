# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources: their definitions as values, and the installed catalog. Reading TOML is in `catalog.read_toml`.

What is here is for every request, so it imports neither a TOML reader nor a schema library.
"""

from __future__ import annotations

from dasflex_core.catalog.compiled import from_json, to_json
from dasflex_core.catalog.model import (
    Access,
    Cache,
    CacheLevel,
    Cite,
    Contacts,
    Coord,
    DataItem,
    Definition,
    Example,
    ExternalStage,
    HapiSet,
    Interval,
    Live,
    Option,
    Pairs,
    PluginTable,
    Rate,
    Reader,
    SourceLimits,
    Span,
)
from dasflex_core.catalog.tree import Catalog, Entry, TreeReport, compile_tree

__all__ = [
    "Access",
    "Cache",
    "CacheLevel",
    "Catalog",
    "Cite",
    "Contacts",
    "Coord",
    "DataItem",
    "Definition",
    "Entry",
    "Example",
    "ExternalStage",
    "HapiSet",
    "Interval",
    "Live",
    "Option",
    "Pairs",
    "PluginTable",
    "Rate",
    "Reader",
    "SourceLimits",
    "Span",
    "TreeReport",
    "compile_tree",
    "from_json",
    "to_json",
]
