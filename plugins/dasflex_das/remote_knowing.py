# SPDX-License-Identifier: GPL-3.0-or-later
"""What a das2 server can do for a source: found out from its definition, and from the header of a small answer.

A definition (`server=dsdf`) says whether the source is a model, but not what its reducer makes of bins: that key is
never sent. A reduced stream says it (das-streams 2.12, and 5.1 item 10): `xCacheResolution` is the width of its bins,
and `operation` of a plane what that holds. Older programs write averages without saying so.
"""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.errors import BusyError, QueryError
from dasflex_core.remote.das2_server import Das2Server
from dasflex_core.times import format_time, parse_time
from dasflex_core.values import dataclass
from dasflex_das.das2_framing import Das2Framer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_core.remote.das2_server import Description
    from dasflex_das.remote_address import Das2Source

__all__ = ["Probe", "bins_of", "found_out"]

#: Bins in the range of the example that is asked for: the header comes with the first.
_BINS: Final = 50
#: Bytes in which the headers must have come.
_HEAD: Final = 1 << 20
_OPERATION: Final = re.compile(rb"""\boperation\s*=\s*["']BIN_([A-Z]+)["']""")
_RESOLUTION: Final = re.compile(rb"""xCacheResolution\s*=\s*["']\s*([-+.\deE]+)\s*s?\s*["']""")
_STATISTICS: Final = {
    b"AVG": "mean",
    b"MIN": "min",
    b"MAX": "max",
    b"STDDEV": "stddev",
    b"COUNT": "count",
    b"MEDIAN": "median",
}
_CLOSE: Final = 0.999


@dataclass(frozen=True, slots=True)
class Probe:
    """A range for which the source has data, as the definition's example says it, and the options of that."""

    begin: str
    end: str
    params: str = ""


def found_out(source: Das2Source, probe: Probe | None, seconds: float) -> dict[str, Any]:
    """What a server says and shows of a source, in so many seconds. Raises `DasflexError`.

    `bins` are the statistics of its bins, none where it makes none; it is all there (`complete`) where the server gave
    an answer to the probe.
    """
    until = monotonic() + seconds
    server = Das2Server(source.where, seconds, source.name)
    said = server.description(source.dataset, lambda: monotonic() > until)
    found: dict[str, Any] = {"title": said.title, "model": said.model, "qstream": said.qstream, "bins": []}
    if said.model or said.qstream or said.reducer.lower().startswith("not_reduc"):
        return found | {"complete": True}
    try:
        bins = _probed(server, source, _span(said, probe), lambda: monotonic() > until)
    except (BusyError, QueryError):  # too slow for now; or it is not asked in the right way, which a run will tell
        return found | {"complete": False}
    return found | {"bins": bins or [], "complete": bins is not None}


def _span(said: Description, probe: Probe | None) -> Probe | None:
    """What is asked for: an example of ours, else one of theirs."""
    if probe is not None:
        return probe
    for example in said.examples:
        asked = dict(example.pairs)
        return Probe(asked["start_time"], asked["end_time"], asked.get("params", ""))
    return None


def _probed(server: Das2Server, source: Das2Source, probe: Probe | None, late: Callable[[], bool]) -> list[str] | None:
    """The statistics of bins over a small range; None where no answer says anything of them."""
    if probe is None:
        return None
    begin, end = parse_time(probe.begin), parse_time(probe.end)
    seconds = (end.ns - begin.ns) / 1e9 / _BINS
    pairs = [("start_time", format_time(begin)), ("end_time", format_time(end)), ("resolution", f"{seconds:.9g}")]
    params = " ".join(each for each in (source.params, probe.params) if each)
    framer, size, head = Das2Framer(), 0, b""
    with server.reply(source.dataset, (*pairs, *((("params", params),) if params else ())), late) as reply:
        for chunk in reply.chunks():
            size += len(chunk)
            for frame in framer.feed(chunk):
                if frame.kind == "header":
                    head = frame.data
                elif frame.kind == "dataset":
                    return bins_of(head, frame.data, seconds)
            if size > _HEAD:
                break
    return None


def bins_of(head: bytes, packet: bytes, seconds: float) -> list[str]:
    """The statistics in a stream that was asked for in bins, by its headers; none where it is not in bins."""
    found = _RESOLUTION.search(head)
    try:
        width = float(found[1]) if found else 0.0
    except ValueError:
        width = 0.0
    if width < seconds * _CLOSE:
        return []
    told = {_STATISTICS[each] for each in _OPERATION.findall(packet) if each in _STATISTICS}
    return [each for each in _STATISTICS.values() if each in told] or ["mean"]
