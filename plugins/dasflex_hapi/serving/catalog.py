# SPDX-License-Identifier: GPL-3.0-or-later
"""The `catalog` of all data sets (HAPI 3.3, 3.6.3), kept as the bytes that are sent."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from dasflex_core.errors import DasflexError
from dasflex_core.plan.identity import digest
from dasflex_core.tasks import Task, hand_over
from dasflex_hapi.serving.headers import capture, made_at, stored
from dasflex_hapi.serving.info import info_of
from dasflex_hapi.serving.ranges import span_of
from dasflex_hapi.serving.register import data_set_of, folder_of, keep, kept, listed, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.site import Site
    from dasflex_hapi.serving.data_sets import DataSet
    from dasflex_hapi.serving.headers import Header

__all__ = ["catalog_json"]

#: Seconds in which data sets are described of which nothing is known yet; what is left is for the work-list.
_SECONDS: Final = 30.0
_DAY: Final = 86_400


def catalog_json(site: Site, depth: Literal["dataset", "all"]) -> tuple[bytes, float]:
    """The list of data sets as JSON, and when it was composed (seconds since 1970).

    With `all` each has its `info`, less those that cannot be described.
    """
    state = state_of(site) if depth == "dataset" else _state_of_all(site)
    found = kept(site, f"catalog-{depth}", state)
    if found is not None:
        return found
    entries = _names(site) if depth == "dataset" else _described(site)
    text = orjson.dumps(list(entries))
    if depth == "all":
        state = _state_of_all(site)  # describing changes it
    keep(site, f"catalog-{depth}", state, text)
    return text, time.time()


def _state_of_all(site: Site) -> str:
    """What the list with `info` depends on: the day, too, since ends that move do so with it."""
    try:
        headers = (folder_of(site) / "headers").stat().st_mtime_ns
    except OSError:
        headers = 0
    return digest([state_of(site), headers, int(time.time() // _DAY)])


def _names(site: Site) -> Iterator[dict[str, str]]:
    """The data sets with their titles."""
    for each in listed(site):
        yield {"id": each.id, "title": each.title}


def _described(site: Site) -> Iterator[dict[str, Any]]:
    """The data sets with all that is said of them. What has not changed since the last time is taken from there."""
    until, today = time.monotonic() + _SECONDS, int(time.time() // _DAY)
    before, after = _before(site), {}
    left: list[Task] = []
    for each in listed(site):
        stamp = [*each.stamp, made_at(site, each.name)]
        known = before.get(each.id)
        if known is None or known["stamp"] != stamp or known["day"] not in (0, today):
            try:
                data_set = data_set_of(site, each)
                header = stored(data_set) or _captured(data_set, until)
                if header is None:
                    left.append(Task("hapi-info", {"source": each.source}))
                    continue
                moving = span_of(data_set, header.learned)[1] > time.time() * 1e9
                stamp = [*each.stamp, made_at(site, each.name)]
                known = {"stamp": stamp, "day": today if moving else 0, "info": info_of(data_set, header)}
            except DasflexError:  # its own info tells why
                continue
        after[each.id] = known
        yield {"id": each.id, "title": each.title, "info": known["info"]}
    keep(site, "described", "now", orjson.dumps(after))
    if left:
        hand_over(site.config, left)


def _before(site: Site) -> dict[str, Any]:
    """What was said of each data set the last time, with what that depended on."""
    known = kept(site, "described", "now")
    with suppress(ValueError):
        return dict(orjson.loads(known[0])) if known is not None else {}
    return {}


def _captured(data_set: DataSet, until: float) -> Header | None:
    """What is learned of a data set now, while there is time."""
    return capture(data_set) if time.monotonic() < until else None
