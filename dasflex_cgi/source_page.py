# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page of a source shows, as values: its texts, its examples, its form and its parameters in a table."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from dasflex_cgi.covering import Strip, strip_of
from dasflex_cgi.entering import OPEN, Entrance
from dasflex_cgi.plot_library import Library, library
from dasflex_cgi.requesting import Recipe, address_query, gaps, recipes
from dasflex_cgi.source_form import Fieldset, fields, filled
from dasflex_core.cache.keeping import kept_levels
from dasflex_core.errors import DasflexError
from dasflex_core.plan.capabilities import Addition, Capabilities, additions, capabilities
from dasflex_core.plan.offering import Offer, offered
from dasflex_core.plan.parameters import CANONICAL, GOAL
from dasflex_core.tasks import background
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.catalog.model import Contacts, Definition
    from dasflex_core.queries import Pairs
    from dasflex_core.registry import Registry
    from dasflex_core.site import Source
    from dasflex_core.stages import ParamSpec
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = ["About", "Example", "Group", "Link", "Row", "Variable", "Wording", "describe", "folder_of"]

_MOST_FORMATS: Final = 8
#: The kind of stream that the script of the page draws.
_DRAWN: Final = "json"
_MOST_EXAMPLES: Final = 30
_TYPES: Final = {"time": "time", "real": "number", "integer": "whole number", "string": "text", "boolean": "yes or no"}


@dataclass(frozen=True, slots=True)
class Link:
    """A text and where it leads."""

    text: str
    href: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """An example: its title, what it asks in words, its data in several formats, and its plan.

    `form` is the address of the page with its form filled. Without a plan this server cannot make it.
    """

    title: str
    asks: tuple[tuple[str, str], ...]
    form: str
    formats: tuple[Link, ...]
    plan: str


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter: its name, what it means, and what it may be."""

    name: str
    title: str
    type: str
    units: str
    values: tuple[tuple[str, str], ...]
    range: str
    default: str
    required: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The parameters of one family."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable or a coordinate of the data."""

    name: str
    title: str
    units: str
    axes: str


@dataclass(frozen=True, slots=True)
class About:
    """All that the page of a source shows. Without `groups`, what the source takes could not be told.

    `address` is where data are asked for, and `data_address` the same with what the form asks. `facts` is what the
    scripts of the page have to know, as JSON; `plot` is None where nothing draws, `strip` where it is not known when
    there are data; `cache` says what is kept.
    """

    id: str
    summary: tuple[str, ...]
    range: str
    contacts: tuple[tuple[str, str], ...]
    cite: tuple[Link, ...]
    entrance: Entrance
    view: Link | None
    examples: tuple[Example, ...]
    coords: tuple[Variable, ...]
    data: tuple[Variable, ...]
    groups: tuple[Group, ...]
    files: tuple[Link, ...]
    address: str
    data_address: str
    form: tuple[Fieldset, ...]
    recipes: tuple[Recipe, ...]
    plan: str
    abilities: Capabilities
    additions: tuple[Addition, ...]
    plot: Library | None
    facts: str
    strip: Strip | None = None
    cache: tuple[str, ...] = ()


class Wording:
    """How what others wrote is shown."""

    @staticmethod
    def safe(address: str) -> str:
        """An address that a page may lead to; blank for one that would do something else."""
        plain = address.strip()
        return plain if plain.startswith(("http://", "https://", "/")) else ""

    @staticmethod
    def mangled(text: str) -> str:
        """Addresses for mail as people read them and collectors do not."""
        return re.sub(r"\s*<\s*([^<>]*?)\s*>", r" (\1)", text).replace("@", " [at] ")


def folder_of(identifier: str) -> str:
    """The directory that an id lies in; blank for the uppermost."""
    return identifier.rpartition("/")[0]


def describe(source: Source, base: str, server: str = "", query: Pairs | None = None, door: Entrance = OPEN) -> About:
    """What the page shows; `base` is where the server is mounted, and `server` is its absolute address.

    `query` is that of the page: what it asks stands in the form. `door` is how a protected source is entered.
    """
    definition, site = source.definition, source.site
    here = f"{base}/source/{quote(source.id.lower(), safe='/+')}"
    try:
        offer = offered(definition, site.registry, site.catalog.find, site.external)
    except DasflexError:  # the rest of the page can be shown; `dasflex check` says what is wrong
        offer = Offer()
    given = filled(definition, offer, query or [])
    asked = address_query(given)
    viewed = definition.viewed
    return About(
        id=source.id,
        summary=tuple(" ".join(each.split()) for each in re.split(r"\n\s*\n", definition.summary) if each.strip()),
        range=str(definition.range or ""),
        contacts=_contacts(definition.contacts),
        cite=_cite(definition),
        entrance=door,
        view=Link(viewed, f"{base}/source/{quote(viewed.lower(), safe='/+')}.html") if viewed else None,
        examples=tuple(_examples(source, offer, here)),
        coords=_variables(definition, coordinates=True),
        data=_variables(definition, coordinates=False),
        groups=_groups(offer, site.registry),
        files=(
            Link("flex.json", f"{here}/flex.json", "the source as a node of the federated catalog"),
            Link("das2.d2t", f"{here}/das2.d2t", "its definition for das2 clients"),
        ),
        address=f"{here}/flex",
        data_address=f"{here}/flex?{asked}" if asked else f"{here}/flex",
        form=fields(definition, offer, site.registry, given),
        recipes=recipes(gaps(source.id, server, offer, given)),
        plan=f"{here}/plan?{asked}" if asked else "",
        abilities=capabilities(offer, site.registry),
        additions=_additions(source, offer),
        plot=library() if _is_plotted(offer) else None,
        facts=_facts(source, offer, server, given, door),
        strip=strip_of(source, here),
        cache=tuple(_cache(source)),
    )


def _cache(source: Source) -> Iterator[str]:
    """What is kept of the source, and that nobody makes it where that is so; nothing where nothing is kept."""
    try:
        levels = kept_levels(source.site.planner, source.definition)
    except DasflexError:  # `dasflex check` says what is wrong
        return
    yield from (each.level.title for each in levels if not each.declined)
    state = background(source.site.config)
    if levels and state != "on":
        yield "background work is off" if state == "off" else "nobody works in the background now"


def _variables(definition: Definition, *, coordinates: bool) -> tuple[Variable, ...]:
    """The variables of the data, or their coordinates."""
    if coordinates:
        coords = definition.coords.items()
        return tuple(Variable(name, each.title or each.label, each.units or "", each.of) for name, each in coords)
    return tuple(
        Variable(name, each.title or each.label, each.units or "", ", ".join(each.axes))
        for name, each in definition.data.items()
    )


def _additions(source: Source, offer: Offer) -> tuple[Addition, ...]:
    """What would come with extras that are not installed."""
    site = source.site
    try:
        return additions(offer, source.definition, site.registry, site.catalog.find, site.external)
    except DasflexError:  # as of the offer
        return ()


def _is_plotted(offer: Offer) -> bool:
    """Whether the source gives what the script of the page can draw."""
    return any(info.type.kind == _DRAWN for info in offer.types)


def _facts(source: Source, offer: Offer, server: str, given: Mapping[str, str], door: Entrance) -> str:
    """What the scripts have to know of the source and of the server.

    `reduce` tells whether data may be asked for in bins of time, and `lines` whether something is drawn as lines, so
    that the extremes of bins are worth asking for. `every` is the seconds between records, where that is known.
    `entered` is false where a log-in is needed first.
    """
    definition = source.definition
    time = definition.coords.get("time")
    ends = {name: text for name, text in given.items() if name in ("read.time.min", "read.time.max")}
    wanted = [*ends.items(), ("bin.time.max", "60"), ("format.type", _DRAWN)]
    axes = [each.axes for each in definition.data.values()]
    return json.dumps(
        {
            "id": source.id,
            "server": server,
            "types": [[*_parts(info), info.suffix] for info in offer.types],
            "own": [offer.own.kind, offer.own.version, offer.own.variant] if offer.own else ["", "", ""],
            "reduce": bool(_is_plotted(offer) and offer.param("bin.time.max") and _can_be_made(source, wanted)),
            "stats": bool(offer.param("bin.stats")) and "bin.stats" not in dict(definition.defaults),
            "lines": not axes or any(len(each) < 2 for each in axes),
            "every": (time and time.cadence) or 0,
            "entered": door.entered,
        }
    )


def _parts(info: StreamTypeInfo) -> tuple[str, str, str]:
    """The parts of a stream type."""
    return info.type.kind, info.type.version, info.type.variant


def _contacts(contacts: Contacts) -> tuple[tuple[str, str], ...]:
    """Whom to ask about what."""
    both = (("Scientific contact", contacts.scientific), ("Technical contact", contacts.technical))
    return tuple((what, Wording.mangled(who)) for what, who in both if who)


def _cite(definition: Definition) -> tuple[Link, ...]:
    """How the data are cited: what has an address is a link."""
    cite = definition.cite
    doi = re.sub(r"^(?:https?://(?:dx\.)?doi\.org/|doi:)", "", cite.doi.strip(), flags=re.IGNORECASE)
    found = (
        Link(cite.text, ""),
        Link(f"doi:{doi}" if doi else "", f"https://doi.org/{quote(doi)}"),
        Link(cite.spase, ""),
        Link(f"Licence {cite.licence}" if cite.licence else "", ""),
    )
    return tuple(each for each in found if each.text)


def _examples(source: Source, offer: Offer, here: str) -> list[Example]:
    """The examples, each as links to its data in those formats in which they can be had."""
    found = []
    infos = sorted(offer.types, key=lambda info: not info.text)[:_MOST_FORMATS]
    for number, example in enumerate(source.definition.examples[:_MOST_EXAMPLES], 1):
        asks = _shortened(example.request)
        plain = [pair for pair in asks if pair[0] not in GOAL]
        query = address_query(dict(plain))
        ends = dict(plain).get("read.time.max") != "forever" and not dict(plain).get("time", "").endswith("/forever")
        formats = tuple(
            Link(info.suffix, f"{here}/data.{info.suffix}?{query}", info.title)
            for info in infos
            if ends and _can_be_made(source, [*plain, *_goal(info)])
        )
        whole = address_query(dict(asks))
        plan = f"{here}/plan?{whole}" if _can_be_made(source, asks) else ""
        form = f"{here}.html?{whole}#form"
        found.append(Example(example.title or f"Example {number}", tuple(asks), form, formats, plan))
    return found


def _goal(info: StreamTypeInfo) -> list[tuple[str, str]]:
    """The pairs that ask for a stream type."""
    return list(zip(GOAL, _parts(info), strict=True))


def _can_be_made(source: Source, pairs: list[tuple[str, str]]) -> bool:
    """Whether there is a plan for a request."""
    try:
        source.site.planner.solve(source.definition, pairs)
    except DasflexError:  # an example that asks for what no stage here can do has no link; its page says so
        return False
    return True


def _shortened(request: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """A request with its two ends of time as one."""
    asked = dict(request)
    begin, end = asked.pop("read.time.min", ""), asked.pop("read.time.max", "")
    if begin and end:
        return [("time", f"{begin}/{end}"), *asked.items()]
    return list(request)


def _groups(offer: Offer, registry: Registry) -> tuple[Group, ...]:
    """The parameters by their families, in the order of a path, those that must be given first."""
    goals = {
        "format.type": dict.fromkeys(info.type.kind for info in offer.types),
        "format.version": dict.fromkeys(info.type.version for info in offer.types if info.type.version),
        "format.serial": dict.fromkeys(info.type.variant for info in offer.types if info.type.variant),
    }
    rows: dict[str, list[Row]] = {}
    for name, values in goals.items():
        if values:
            choice = tuple((value, "") for value in values)
            rows.setdefault("format", []).append(
                Row(name, CANONICAL[name].title.replace("`", ""), "choice", "", choice, "", "", required=False)
            )
    for param in sorted(offer.params, key=lambda param: (param.name not in offer.required, param.name.count(".") < 2)):
        if param.name not in GOAL:
            rows.setdefault(param.family, []).append(_row(param, required=param.name in offer.required))
    families = sorted(registry.families, key=lambda family: family.place)
    return tuple(Group(each.title, tuple(rows[each.name])) for each in families if each.name in rows)


def _row(param: ParamSpec, *, required: bool) -> Row:
    """A parameter as a row of the table."""
    low = "" if param.low is None else f"from {param.low:.6g}"
    high = "" if param.high is None else f"to {param.high:.6g}"
    kind = "choice" if param.values and param.type != "arguments" else _TYPES.get(param.type, param.type)
    bounds = " ".join(each for each in (low, high) if each)
    default = param.default or ""
    return Row(
        param.name, param.title.replace("`", ""), kind, param.units, param.values, bounds, default, required=required
    )
