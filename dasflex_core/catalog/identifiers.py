# SPDX-License-Identifier: GPL-3.0-or-later
"""What an id may be: rule 8 of the definition file, and what the installed tree and old clients add to it."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LONGEST", "PART", "RESERVED", "folded", "id_fault"]

#: The longest id in bytes: das2C keeps it in a buffer of 64.
LONGEST: Final = 63
#: What the last part of an id may not be, since these follow an id in a URL.
RESERVED: Final = ("flex", "flexRT", "plan", "das2", "hapi", "data", "coverage", "ticket")
#: One part of an id. It starts with no full stop, so that it is no hidden file and never `..`.
PART: Final = r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*"

_ID = re.compile(rf"{PART}(?:/{PART})*")


def folded(identifier: str) -> str:
    """The form in which ids are compared: they match without regard to case, and clients may append `.dsdf`."""
    return identifier.lower().removesuffix(".dsdf")


def id_fault(identifier: str) -> str:
    """Why this cannot be an id, and what would be right; empty where it can."""
    last = identifier.rpartition("/")[2].lower()
    faults = (
        (not identifier, "there is no id; a source.toml has that of its directory, or says it with the key 'id'"),
        (
            not _ID.fullmatch(identifier),
            f"{identifier!r} is no id; it has letters, digits, _-+. and / between parts that begin with no full stop",
        ),
        (
            len(identifier) > LONGEST,
            f"the id {identifier!r} has {len(identifier)} characters; clients can take {LONGEST}",
        ),
        (
            last in {name.lower() for name in RESERVED},
            f"an id cannot end in {last!r}, which follows an id in addresses; nor in {', '.join(RESERVED)}",
        ),
        (
            last.endswith(".dsdf"),
            f"an id cannot end in '.dsdf', which clients may append to any: {identifier!r}",
        ),
        (
            any(part.endswith(".flex") for part in identifier.lower().split("/")),
            f"no part of an id can end in '.flex', as the nodes of the catalog do: {identifier!r}",
        ),
        (identifier.lower() == "index", "an id cannot be 'index', the name of the catalog's own list"),
    )
    return next((message for wrong, message in faults if wrong), "")
