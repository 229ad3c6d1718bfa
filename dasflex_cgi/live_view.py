# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page of a source needs for its live view: where the data come from, and what is known of them before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from dasflex_cgi.following import page_socket, public_socket
from dasflex_core.errors import DasflexError
from dasflex_core.plan.offering import Offers
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_cgi.exchange import Asked
    from dasflex_core.catalog.model import Definition
    from dasflex_core.site import Source

__all__ = ["LiveView", "live_view"]

#: The format that the script of the page reads.
_READ: Final = "jsonl"
_MINUTE: Final = 60
_SPANS: Final = (
    (30, "30 seconds"),
    (_MINUTE, "1 minute"),
    (2 * _MINUTE, "2 minutes"),
    (5 * _MINUTE, "5 minutes"),
    (10 * _MINUTE, "10 minutes"),
    (30 * _MINUTE, "30 minutes"),
)
_FIRST: Final = _MINUTE


@dataclass(frozen=True, slots=True)
class LiveView:
    """How a page watches a source.

    `address` is that of its WebSocket, and `shown` the same for people. `plan` is where it is told what is wrong with a
    request, and `ticket` where a ticket is had, blank where none is needed. `spans` are the times that may be shown, in
    seconds and in words, `first` is the one that is shown at first, and `limits` is what the values of each variable
    should lie between, as JSON.
    """

    address: str
    shown: str
    plan: str
    ticket: str
    spans: tuple[tuple[int, str], ...]
    first: int
    limits: str


def live_view(source: Source, asked: Asked) -> LiveView | None:
    """The live view of a source; None where no reader follows the present, or the script cannot read what it gives."""
    definition, site = source.definition, source.site
    try:
        offer = Offers(site.registry, site.catalog.find, site.external).of(definition, live=True)
    except DasflexError:  # the rest of the page can be shown
        return None
    if all(info.type.kind != _READ for info in offer.types):
        return None
    here = f"{asked.base}/source/{quote(source.id.lower(), safe='/+')}"
    return LiveView(
        address=page_socket(asked, site.config, source.id),
        shown=public_socket(asked, site.config, source.id),
        plan=f"{here}/plan",
        ticket=f"{here}/ticket" if source.protected else "",
        spans=_SPANS,
        first=_FIRST,
        limits=_limits(definition),
    )


def _limits(definition: Definition) -> str:
    """The limits beyond which values are worth a look, by the name that each variable has in the stream."""
    return json.dumps(
        {
            (item.source or name).lower(): {"low": item.warn[0], "high": item.warn[1]}
            for name, item in definition.data.items()
            if item.warn is not None
        }
    )
