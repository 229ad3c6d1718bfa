# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server is used, by its logs: requests, bytes, distinct addresses and errors, with robots apart.

A request is that of a robot where its user agent says so, by one of the words in `ROBOT_WORDS`, and where its address
has asked for /robots.txt on the same day, which no browser and no data program does.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from dasflex_core.log_reading import log_files, rows
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dasflex_core.log_reading import LogFile, LogRow

__all__ = ["GROUPINGS", "ROBOT_WORDS", "Usage", "is_robot", "source_of", "usage_of"]

#: What is in the user agents of robots, in lower case: of those that gather pages, watch servers, and look for holes.
ROBOT_WORDS: Final = (
    *("bot", "crawl", "spider", "slurp", "scrap", "archiv", "facebookexternalhit", "mediapartners", "preview"),
    *("monitor", "uptime", "pingdom", "statuscake", "nagios", "icinga", "zabbix", "check_http", "kube-probe"),
    *("healthcheck", "blackbox-exporter", "scan", "censys", "zgrab", "nikto", "nmap", "sqlmap", "nuclei"),
)
#: Answers of this status and above are errors.
_ERROR: Final = 400
#: User agents that are remembered: a hostile client may name a million.
_REMEMBERED: Final = 4_096
#: The last words of addresses that ask something of a source.
_LAST: Final = (
    "flex",
    "flexrt",
    "plan",
    "ticket",
    "flex.json",
    "flexrt.json",
    "das2.d2t",
    "hapi.json",
    "coverage.json",
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked under one key, such as a month and a source. `requests` to `addresses` are without robots."""

    key: tuple[str, ...]
    requests: int = 0
    bytes: int = 0
    errors: int = 0
    addresses: int = 0
    robot_requests: int = 0
    robot_bytes: int = 0
    robot_addresses: int = 0


#: What usage can be grouped by, and what gives the word for it; None where that is the same for a whole file.
GROUPINGS: Final[Mapping[str, Callable[[LogRow], str] | None]] = {
    "month": None,
    "day": None,
    "address": None,
    "source": lambda row: row.source or source_of(row.target),
    "user": lambda row: row.user,
    "status": lambda row: str(row.status),
    "agent": lambda row: row.agent,
}


class _Count:
    """What is counted under one key, of people (0) and of robots (1)."""

    __slots__ = ("addresses", "bytes", "errors", "requests")

    def __init__(self) -> None:
        self.requests = [0, 0]
        self.bytes = [0, 0]
        self.errors = [0, 0]
        self.addresses: tuple[set[str], set[str]] = (set(), set())

    def add(self, other: _Count, *, robots: bool) -> None:
        """Adds what was counted of one address on one day; all of it is robots' if one of them was seen to be."""
        for kind in (0, 1):
            to = 1 if robots else kind
            if other.requests[kind]:
                self.requests[to] += other.requests[kind]
                self.bytes[to] += other.bytes[kind]
                self.errors[to] += other.errors[kind]
                self.addresses[to].update(other.addresses[kind])


def usage_of(
    directory: Path, by: Sequence[str] = ("month", "source"), *, since: str = "", until: str = ""
) -> tuple[list[Usage], Usage]:
    """The usage that the logs below a directory tell, by the words of `GROUPINGS`, in their order; and the total.

    `since` and `until` are days or months, both with all that is in them. The memory that this takes does not grow with
    the number of requests, only with that of the keys and of the addresses.
    """
    total = _Count()
    counts: dict[tuple[str, ...], _Count] = {}
    names: dict[tuple[str, ...], tuple[str, ...]] = {}
    agents: dict[str, bool] = {}
    found = log_files(directory, since=since, until=until)
    for (day, client), files in groupby(found, key=lambda each: (each.day, each.client)):
        counted, robots = _counted(files, by, {"day": day, "month": day[:7], "address": client}, agents)
        for key, each in counted.items():
            folded = tuple(word.lower() if name == "source" else word for name, word in zip(by, key, strict=True))
            names[folded] = min(names.get(folded, key), key)  # as the catalog writes it, where any entry does
            counts.setdefault(folded, _Count()).add(each, robots=robots)
            total.add(each, robots=robots)
    return [_usage(names[key], counts[key]) for key in sorted(counts)], _usage(tuple("total" for _each in by), total)


def is_robot(agent: str) -> bool:
    """Whether a user agent is that of a robot, by its own words.

    >>> is_robot("Mozilla/5.0 (compatible; Googlebot/2.1)"), is_robot("das2py/3.0"), is_robot("")
    (True, False, False)
    """
    lower = agent.lower()
    return any(word in lower for word in ROBOT_WORDS)


def source_of(target: str) -> str:
    """The source that an address is about, where its entry does not say it; blank where it is about none.

    >>> source_of("/source/a/b/data.csv?time=2020-01-01/P1D"), source_of("/das/server?server=dataset&dataset=a/b")
    ('a/b', 'a/b')
    >>> source_of("/hapi/data?id=a/b&time.min=2020-01-01"), source_of("/dasws/a/b/flexRT"), source_of("/search?q=x")
    ('a/b', 'a/b', '')
    """
    path, _, query = target.partition("?")
    if "=" in query and ("dataset=" in query.lower() or "id=" in query):
        named = {name.lower(): value for name, value in parse_qsl(query.replace(";", "&")) if value}
        if "server" in named or "/hapi/" in path:
            return (named.get("dataset") or named.get("id") or "").strip("/").lower()
    for place in ("/source/", "/dasws/"):
        _before, there, below = unquote(path).lower().partition(place)
        identifier, _, last = below.rpartition("/")
        if there and identifier and (last in _LAST or last.startswith("data.")):
            return identifier
        if there and below.endswith((".html", ".json")):
            return below.rpartition(".")[0]
    return ""


def _counted(
    files: Iterable[LogFile], by: Sequence[str], known: Mapping[str, str], agents: dict[str, bool]
) -> tuple[dict[tuple[str, ...], _Count], bool]:
    """What one address has asked on one day, by keys, and whether it was seen to be a robot."""
    counted: dict[tuple[str, ...], _Count] = {}
    told = tuple(how for each in by if (how := GROUPINGS[each]) is not None)
    cells: dict[tuple[str, ...], list[int]] = {}
    robots = False
    for row in _all_rows(files):
        words = (row.agent, *[each(row) for each in told])
        cell = cells.get(words)
        if cell is None:
            if len(cells) >= _REMEMBERED:
                _add_up(cells, counted, by, known, agents)
                cells.clear()
            cell = cells[words] = [0, 0, 0]
        cell[0] += 1
        cell[1] += row.bytes
        if row.status >= _ERROR or not row.complete:
            cell[2] += 1
        if "robots.txt" in row.target and row.target.partition("?")[0].endswith("/robots.txt"):
            robots = True
    _add_up(cells, counted, by, known, agents)
    return counted, robots


def _add_up(
    cells: Mapping[tuple[str, ...], list[int]],
    counted: dict[tuple[str, ...], _Count],
    by: Sequence[str],
    known: Mapping[str, str],
    agents: dict[str, bool],
) -> None:
    """Adds requests, bytes and errors, by user agent and the words that were told of each, to the counts by keys."""
    for (agent, *words), (requests, amount, errors) in cells.items():
        if agent not in agents:
            if len(agents) >= _REMEMBERED:
                agents.clear()
            agents[agent] = is_robot(agent)
        rest = iter(words)
        key = tuple(known[each] if each in known else next(rest) for each in by)
        kind = int(agents[agent])
        count = counted.setdefault(key, _Count())
        count.requests[kind] += requests
        count.bytes[kind] += amount
        count.errors[kind] += errors
        count.addresses[kind].add(known["address"])


def _all_rows(files: Iterable[LogFile]) -> Iterator[LogRow]:
    """The rows of several files."""
    for file in files:
        yield from rows(file)


def _usage(key: tuple[str, ...], count: _Count) -> Usage:
    """What was counted, as a value."""
    return Usage(
        key,
        count.requests[0],
        count.bytes[0],
        count.errors[0],
        len(count.addresses[0]),
        count.requests[1],
        count.bytes[1],
        len(count.addresses[1]),
    )
