# SPDX-License-Identifier: GPL-3.0-or-later
"""The `catalog` of all data sets (HAPI 3.3, 3.6.3), kept as the bytes that are sent."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from dasflex_core.errors import DasflexError
from dasflex_core.plan.identity import digest
from dasflex_core.tasks import Task, hand_over
from dasflex_hapi.serving.headers import capture, made_at, stored
from dasflex_hapi.serving.info import info_of
from dasflex_hapi.serving.ranges import covered_at, span_of
from dasflex_hapi.serving.register import data_set_of, folder_of, keep, kept, listed, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dasflex_core.site import Site
    from dasflex_hapi.serving.headers import Header
    from dasflex_hapi.serving.register import Listed

__all__ = ["catalog_json"]

#: Seconds in which data sets are described of which nothing is known yet; what is left is for the work-list.
_SECONDS: Final = 30.0
#: Data sets that are described at once.
_AT_ONCE: Final = 4
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
    names, before, today = listed(site), _before(site), int(time.time() // _DAY)
    fresh = {each.id: known for each in names if (known := _still(site, each, before.get(each.id), today))}
    headers = _headers(site, [each for each in names if each.id not in fresh])
    for each in names:
        if each.id not in fresh:
            fresh[each.id] = _said(site, each, headers.get(each.id), today)
        if fresh[each.id]["info"]:
            yield {"id": each.id, "title": each.title, "info": fresh[each.id]["info"]}
    keep(site, "described", "now", orjson.dumps(fresh))


def _said(site: Site, each: Listed, header: Header | None, today: int) -> dict[str, Any]:
    """What is said of a data set, with what that depends on: its files, and the day where its end moves.

    Of one that cannot be described nothing is said, which its own `info` explains; it is tried again on another day.
    """
    stamp = _stamp(site, each)
    with suppress(DasflexError):
        if header is not None:
            data_set = data_set_of(site, each)
            moves = span_of(data_set, header.learned)[1] > time.time() * 1e9
            return {"stamp": stamp, "day": today if moves else 0, "info": info_of(data_set, header)}
    return {"stamp": stamp, "day": today, "info": None}


def _stamp(site: Site, each: Listed) -> list[int]:
    """When the files were written that tell of a data set."""
    return [*each.stamp, made_at(site, each.name), covered_at(site, each.source)]


def _still(site: Site, each: Listed, known: dict[str, Any] | None, today: int) -> dict[str, Any] | None:
    """What was said of a data set, where it is still so."""
    if known is None or known["stamp"] != _stamp(site, each) or known["day"] not in (0, today):
        return None
    return known


def _headers(site: Site, names: Sequence[Listed]) -> dict[str, Header]:
    """What is known of data sets. Those of which nothing is are described, a few at once, while there is time."""
    found: dict[str, Header] = {}
    missing: list[Listed] = []
    for each in names:
        with suppress(DasflexError):
            header = stored(data_set_of(site, each))
            if header is None:
                missing.append(each)
            else:
                found[each.id] = header
    if missing:
        until = time.monotonic() + _SECONDS
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            captured = pool.map(lambda each: _captured(site, each, until), missing)
        found |= {each.id: header for each, header in zip(missing, captured, strict=True) if header is not None}
        left = dict.fromkeys(each.source for each in missing if made_at(site, each.name) == 0)
        hand_over(site.config, [Task("hapi-info", {"source": source}) for source in left])
    return found


def _captured(site: Site, each: Listed, until: float) -> Header | None:
    """What is learned of a data set now, while there is time; None for one that cannot be described."""
    with suppress(DasflexError):
        return capture(data_set_of(site, each)) if time.monotonic() < until else None
    return None


def _before(site: Site) -> dict[str, Any]:
    """What was said of each data set the last time, with what that depended on."""
    known = kept(site, "described", "now")
    with suppress(ValueError):
        return dict(orjson.loads(known[0])) if known is not None else {}
    return {}
