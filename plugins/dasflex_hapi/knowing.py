# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a data set of a HAPI server: the formats that there are, and what a plan must know of the data."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from dasflex_core.errors import SourceError
from dasflex_hapi.asking import HapiServer, NothingError, OutsideError
from dasflex_hapi.info import read_info

if TYPE_CHECKING:
    from dasflex_hapi.address import HapiSet

__all__ = ["found_out"]


def found_out(source: HapiSet, seconds: float) -> dict[str, Any]:
    """What a server says of a data set, in so many seconds. Raises `DasflexError`."""
    until = monotonic() + seconds
    server = HapiServer(source, seconds, lambda: monotonic() > until)
    try:
        info = read_info(server.info())
        formats = server.formats()
    except (NothingError, OutsideError) as error:  # what no description says
        raise SourceError(f"The HAPI server answers {error}", kind="source.stream") from error
    return {
        "complete": True,
        "formats": list(formats),
        "names": [each.name for each in info.parameters[1:] if each.name not in info.axes],
        "traits": sorted(info.traits),
        "cadence": info.cadence,
        "bytes": info.bytes,
    }
