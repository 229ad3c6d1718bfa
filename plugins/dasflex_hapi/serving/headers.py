# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stream of a data set says of its records: learned once, from an example, and kept.

A file below `CACHE_ROOT/hapi/headers` holds it with a digest of the definitions that it depends on; when these change
it is learned anew. What was learned of sizes and of axes that vary goes on to hold, so that it only ever grows.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Final

import orjson

from dasflex_core.arrays import Ragged, Records
from dasflex_core.catalog.compiled import to_json
from dasflex_core.errors import BusyError, QueryError, SourceError
from dasflex_core.plan.binding import view_chain
from dasflex_core.plan.identity import digest
from dasflex_core.values import dataclass
from dasflex_hapi.serving.register import folder_of
from dasflex_hapi.writing.describing import from_plain, plain
from dasflex_hapi.writing.learning import Learned, learn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dasflex_core.arrays import Column, Item
    from dasflex_core.site import Request, Site
    from dasflex_hapi.serving.data_sets import DataSet
    from dasflex_hapi.writing.form import Wishes

__all__ = ["Header", "capture", "header_of", "keep", "made_at", "stored"]

_FORM: Final = 1
#: Seconds for which an example is read, and for which another process that reads it is waited for.
_SECONDS: Final = 20.0
#: Bytes of values that are looked at.
_MOST: Final = 32_000_000
_PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Header:
    """What was learned of a data set, and when (seconds since 1970)."""

    learned: Learned
    made: float


def stored(data_set: DataSet) -> Header | None:
    """What is known of a data set; None where nothing is, or the definition has changed since."""
    return _read(_path(data_set), _identity(data_set))


def header_of(data_set: DataSet) -> Header:
    """What is known of a data set, which is learned now where nothing is. Raises as `capture`."""
    return stored(data_set) or capture(data_set)


def capture(data_set: DataSet, span: tuple[int, int] | None = None) -> Header:
    """Learns what a data set is from the first example of its source that has data, and keeps that.

    With a `span` it learns from that range (ns since 1970), too: there the records are declared otherwise.

    Raises `QueryError` where HAPI cannot hold the data, and `SourceError` where there are none, or the reader fails.
    """
    path, begun = _path(data_set), time.time_ns()
    with _alone(path):
        before = _read(path, _identity(data_set))
        if span is None and made_at(data_set.source.site, data_set.name) > begun:
            learned_meanwhile = stored(data_set)
            if learned_meanwhile is not None:
                return learned_meanwhile
        return keep(data_set, _learned(data_set, before.learned.form.wishes if before else None, span))


def keep(data_set: DataSet, learned: Learned) -> Header:
    """Keeps what was learned of a data set. Where that cannot be written, it is learned again when it is asked for."""
    from dasflex_core.run.filing import replaced

    facts = {
        "form": _FORM,
        "set": data_set.name,
        "identity": _identity(data_set),
        "described": plain(learned.form),
        "first": learned.first,
        "last": learned.last,
        "records": learned.records,
        "cadence": learned.cadence,
    }
    path = _path(data_set)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replaced(path, orjson.dumps(facts))
    return Header(learned, time.time())


def _learned(data_set: DataSet, wishes: Wishes | None, span: tuple[int, int] | None) -> Learned:
    """What one of the examples tells, and the range beside it where there is one."""
    failures: list[SourceError] = []
    for request in _samples(data_set):
        try:
            beside = [] if span is None else list(_some(data_set.request_for(*span, {})))
            return learn(chain(_some(request), beside), wishes, 2 * _MOST)
        except SourceError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    raise QueryError(
        f"{data_set.name} has no example with a range from which it could be described", kind="query.bad-range"
    )


def _samples(data_set: DataSet) -> Iterator[Request]:
    """Requests from which a data set may be learned: the ranges of the examples, then the last days of its own."""
    from dasflex_hapi.serving.ranges import sample_spans

    for begin, end in sample_spans(data_set):
        yield data_set.request_for(begin, end, {})


def _some(request: Request) -> Iterator[Item]:
    """The first items of a run, until time is up or there are enough. It waits for its turn as clients do."""
    plan = request.arrays()
    crowd = plan.crowd(request.claim.address if request.claim else "")
    until, held = time.monotonic() + _SECONDS, 0
    with plan.open(crowd=crowd) as pump:
        for item in pump.items():
            yield item
            if isinstance(item, Records):
                held += sum(_size(column) for column in item.columns.values())
            if held >= _MOST or time.monotonic() > until:
                return


def _size(column: Column) -> int:
    """The bytes of a column."""
    return (column.leaves if isinstance(column, Ragged) else column).nbytes


def made_at(site: Site, name: str) -> int:
    """When what is known of a data set was written, by its name, in ns since 1970; 0 where nothing is known."""
    try:
        return _file(site, name).stat().st_mtime_ns
    except OSError:
        return 0


def _path(data_set: DataSet) -> Path:
    """Where what is known of a data set is kept."""
    return _file(data_set.source.site, data_set.name)


def _file(site: Site, name: str) -> Path:
    """The same by its name."""
    return folder_of(site) / "headers" / f"{digest([name.lower()])}.json"


def _identity(data_set: DataSet) -> str:
    """A short text that differs where the source, what it shows, or what is asked of it is defined otherwise."""
    site = data_set.source.site
    shown = view_chain(data_set.source.definition, site.catalog.find)
    return digest([_FORM, [to_json(each) for each in shown], data_set.set.id, list(data_set.set.request)])


def _read(path: Path, identity: str) -> Header | None:
    """What a file says, None where there is none, or it is of another identity."""
    try:
        kept = orjson.loads(path.read_bytes())
        if kept["form"] != _FORM or kept["identity"] != identity:
            return None
        form = from_plain(kept["described"])
        learned = Learned(form, kept["first"], kept["last"], kept["records"], kept["cadence"])
        return Header(learned, path.stat().st_mtime)
    except (OSError, ValueError, TypeError, KeyError):
        return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keeps others from learning the same meanwhile. Raises `BusyError` where that takes too long."""
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
    except OSError:  # it cannot be kept either
        yield
        return
    with lock:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise BusyError(
                        "The data set is being described; try again in a minute", kind="busy.limit"
                    ) from None
                time.sleep(0.05)
        yield
