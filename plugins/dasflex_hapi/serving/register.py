# SPDX-License-Identifier: GPL-3.0-or-later
"""Which data sets the site has, by their ids: composed once for each state of the catalog, and kept in a file.

Below `CACHE_ROOT`, `hapi/sets-STATE.json` is a list of `[id, source, set, title, open, shown, stamp]`. `STATE` is made
of what an install writes anew, so that no request reads all definitions to find one. When the state has changed, only
definitions that have are read again.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from dasflex_core.catalog.model import HapiSet
from dasflex_core.errors import AccessError, DasflexError, NotFoundError, QueryError
from dasflex_core.guarding import Guard
from dasflex_core.plan.binding import view_chain
from dasflex_core.plan.identity import digest
from dasflex_core.times import Time, format_time, parse_time
from dasflex_hapi.serving.data_sets import DataSet, identifier_of, title_of
from dasflex_hapi.serving.ranges import span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from dasflex_core.catalog.tree import Entry
    from dasflex_core.claims import Claim
    from dasflex_core.site import Site, Source

__all__ = ["Listed", "data_set_of", "find", "folder_of", "keep", "kept", "listed", "sets_of", "stamp_of", "state_of"]

_FORM: Final = 3
_PARTS: Final = ("sources/index.json", "sources/.made.json")


class Listed(NamedTuple):
    """A data set in the list: its id, its source and the id of the set there, its title, and whether all may read it.

    `open` is false, too, for what lists do not show. `shown` are the sources whose definitions it depends on, its own
    first, and `stamp` is when these were made.
    """

    id: str
    source: str
    set: str
    title: str
    open: bool
    shown: list[str]
    stamp: list[int]

    @property
    def name(self) -> str:
        """The path of the source, with the id of the set behind it where it has one."""
        return "/".join(filter(None, (self.source, self.set)))


def listed(site: Site) -> tuple[Listed, ...]:
    """The data sets that anybody may read, in the order of their sources."""
    return tuple(each for each in _register(site) if each.open)


def find(site: Site, identifier: str, claim: Claim | None = None) -> DataSet:
    """The data set of that id, or of that path, case aside; a former id of its source will do.

    Raises `NotFoundError` (`not-found.source`) where there is none, and `AccessError` where the claim may not read any
    of it as the definition asks it. Where only old data are open, the rules are applied to the range, too, when it is
    planned.
    """
    register = _register(site)
    wanted = identifier.strip("/").lower()
    found = next((each for each in register if wanted in (each.id.lower(), each.name.lower())), None)
    if found is None and wanted in site.catalog:
        source = site[wanted].id
        found = next((each for each in register if each.source == source and not each.set), None)
    if found is None:
        raise NotFoundError(f"There is no HAPI data set {identifier[:80]!r}", kind="not-found.source")
    made = data_set_of(site, found, claim)
    who = site.claim if claim is None else claim
    try:
        _admit(made, who)
    except AccessError:
        if not _may_have_the_oldest(made, who):
            raise
    return made


def data_set_of(site: Site, listed: Listed, claim: Claim | None = None) -> DataSet:
    """The data set of an entry of the list, whoever may read it. Raises `NotFoundError` where its source has gone."""
    source = site[listed.source]
    own = next((each for each in source.definition.hapi if each.id == listed.set), HapiSet(listed.set))
    return DataSet(listed.id, source, own, claim)


def sets_of(site: Site, source: Source) -> list[DataSet]:
    """The data sets of one source, whoever may read them."""
    return [data_set_of(site, each) for each in _register(site) if each.source == source.id]


def _admit(data_set: DataSet, claim: Claim, end: str = "") -> None:
    """Raises `AccessError` where somebody may not have a data set as the definition asks it, up to a time."""
    guard = Guard(data_set.source, claim)
    asked = {**data_set.asked, "read.time.max": end} if end else data_set.asked
    if guard.admit(asked, parse_time("now")).changes:
        raise guard.refusal()


def _may_have_the_oldest(data_set: DataSet, claim: Claim) -> bool:
    """Whether somebody may have the first data that there are, as where only old ones are open."""
    try:
        _admit(data_set, claim, format_time(Time(span_of(data_set)[0])))
    except (AccessError, QueryError):
        return False
    return True


def state_of(site: Site) -> str:
    """A short text that changes when an install has changed something."""
    facts = [_FORM, site.config.server_url]
    for name in _PARTS:
        with suppress(OSError):
            found = (site.config.root / name).stat()
            facts += [name, found.st_mtime_ns, found.st_size]
    return digest(facts)


def folder_of(site: Site) -> Path:
    """Where what is composed is kept."""
    return site.config.cache_root / "hapi"


def kept(site: Site, kind: str, state: str) -> tuple[bytes, float] | None:
    """What was composed for a state, and when; None where it is not there."""
    path = folder_of(site) / f"{kind}-{state}.json"
    try:
        return path.read_bytes(), path.stat().st_mtime
    except OSError:
        return None


def keep(site: Site, kind: str, state: str, data: bytes) -> None:
    """Keeps what was composed for a state, in the place of what was for others. Where it cannot, it does without."""
    from dasflex_core.run.filing import replaced

    folder = folder_of(site)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        former = list(folder.glob(f"{kind}-*.json"))
        replaced(folder / f"{kind}-{state}.json", data)
        for each in former:
            if each.name != f"{kind}-{state}.json":
                each.unlink(missing_ok=True)


def _register(site: Site) -> list[Listed]:
    """All data sets."""
    state = state_of(site)
    known = kept(site, "sets", state)
    if known is not None:
        with suppress(ValueError, TypeError):
            return [Listed(*each) for each in orjson.loads(known[0])]
    made = list(_composed(site, _before(site)))
    keep(site, "sets", state, orjson.dumps([list(each) for each in made]))
    return made


def _before(site: Site) -> dict[str, list[Listed]]:
    """What is kept of a former state, by the source."""
    found: dict[str, list[Listed]] = {}
    with suppress(OSError, ValueError, TypeError):
        for path in folder_of(site).glob("sets-*.json"):
            for each in map(Listed._make, orjson.loads(path.read_bytes())):
                found.setdefault(each.source, []).append(each)
    return found


def _composed(site: Site, before: Mapping[str, list[Listed]]) -> Iterator[Listed]:
    """All data sets, of all definitions. Two whose ids would be the same keep their paths."""
    found: list[Listed] = []
    for entry in site.catalog.entries():
        if "hapi" not in entry.parts.split():
            continue
        known = before.get(entry.id, [])
        if known and known[0].stamp == stamp_of(site, known[0].shown):
            found += known
            continue
        with suppress(DasflexError):  # it is being removed, or was made by another version: the catalog tells that
            found += _of_source(site, entry)
    counted = Counter(identifier_of(each.name).lower() for each in found)
    for each in found:
        identifier = identifier_of(each.name)
        yield each._replace(id=identifier if counted[identifier.lower()] == 1 else each.name)


def _of_source(site: Site, entry: Entry) -> Iterator[Listed]:
    """The data sets of one source. Of one that must be told its interval, only those that say it."""
    source = site[entry.id]
    chain = view_chain(source.definition, site.catalog.find)
    shown = [each.id for each in chain]
    stamp = stamp_of(site, shown)
    needs_interval = any(time.interval for each in chain if (time := each.coords.get("time")))
    for own in source.definition.hapi:
        if needs_interval and "read.time.inter" not in DataSet("", source, own).asked:
            continue
        is_open = entry.listed and _is_open(source, own)
        title = title_of(own.title or source.title)
        yield Listed("", source.id, own.id, title, is_open, shown, stamp)


def stamp_of(site: Site, sources: Iterable[str]) -> list[int]:
    """When the compiled definitions of sources were written; 0 for one that is not there."""
    found = []
    for each in sources:
        try:
            found.append(os.stat(f"{site.config.root}/sources/{each.lower()}.json").st_mtime_ns)  # noqa: PTH116  ten thousand of them
        except OSError:
            found.append(0)
    return found


def _is_open(source: Source, own: HapiSet) -> bool:
    """Whether whoever has not logged in may have a data set as the definition asks it."""
    from dasflex_core.claims import UNKNOWN

    try:
        _admit(DataSet("", source, own), UNKNOWN)
    except AccessError:
        return False
    return True
