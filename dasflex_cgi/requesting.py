# SPDX-License-Identifier: GPL-3.0-or-later
"""One request in the words of several programs: as an address, for a shell, in Python, for Autoplot and in IDL.

Each is a text with gaps, `{url}` and the like, which are filled here, and again by the script of the page when the form
changes. What fills a gap has no quote, blank or backslash that is not escaped, so that it may stand in any of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from dasflex_core.plan.parameters import GOAL
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.plan.offering import Offer

__all__ = ["Recipe", "address_query", "gaps", "recipes"]

#: What may stand in a query as it is; a quote may not.
SAFE: Final = ":/,"
_RECIPES: Final = (
    ("url", "Address", "{url}"),
    ("curl", "curl", "curl -o '{file}' '{url}'"),
    ("wget", "wget", "wget -O '{file}' '{url}'"),
    (
        "python",
        "Python",
        'import urllib.request\n\nurllib.request.urlretrieve("{url}", "{file}")',
    ),
    (
        "dasflex",
        "Python on the server's machine",
        "import dasflex_core\n\nsite = dasflex_core.open()\nanswer = site.request({id}, [\n{pairs}]).read()",
    ),
    ("autoplot", "Autoplot", "vap+das2server:{server}?dataset={path}&start_time={begin}&end_time={end}{more}"),
    ("idl", "IDL", "net = OBJ_NEW('IDLnetURL')\nfile = net->Get(URL='{url}', FILENAME='{file}')"),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The request for one program: the `pattern` with its gaps, and the `text` with these filled."""

    name: str
    title: str
    pattern: str
    text: str


def address_query(pairs: Mapping[str, str]) -> str:
    """The query that asks for parameters, with both ends of the range as one where both are given.

    >>> address_query({"read.time.min": "2020-01-01", "read.time.max": "2020-01-02", "read.word": "it's"})
    'time=2020-01-01/2020-01-02&read.word=it%27s'
    """
    rest = dict(pairs)
    if "read.time.min" in rest and "read.time.max" in rest:
        rest = {"time": f"{rest.pop('read.time.min')}/{rest.pop('read.time.max')}", **rest}
    return urlencode(rest, safe=SAFE)


def gaps(source: str, server: str, offer: Offer, pairs: Mapping[str, str]) -> Mapping[str, str]:
    """What fills the gaps for a request of a source; `server` is the absolute address of the server."""
    query = address_query(pairs)
    path = quote(source.lower(), safe="/+")
    flex = f"{server}/source/{path}/flex"
    lines = "".join(f"    ({json.dumps(name)}, {json.dumps(text)}),\n" for name, text in pairs.items())
    short = {"bin.time.max": "resolution", "read.time.inter": "interval"}
    ends = ("read.time.min", "read.time.max")
    more = {short.get(name, name): text for name, text in pairs.items() if name not in (*ends, *GOAL)}
    plain = {name: text for name, text in more.items() if not name.startswith("format.")}
    return {
        "url": f"{flex}?{query}" if query else flex,
        "file": f"{source.rpartition('/')[2]}.{_suffix(offer, pairs)}",
        "id": json.dumps(source),
        "pairs": lines,
        "server": f"{server}/",
        "path": quote(source, safe="/+"),
        "begin": quote(pairs.get(ends[0], ""), safe=SAFE),
        "end": quote(pairs.get(ends[1], ""), safe=SAFE),
        "more": f"&{urlencode(plain, safe=SAFE)}" if plain else "",
    }


def _suffix(offer: Offer, pairs: Mapping[str, str]) -> str:
    """The suffix of the files of the type that is asked for."""
    own = offer.own
    wanted = [pairs.get(name, "") for name in GOAL]
    if own is not None and not wanted[0]:
        wanted = [own.kind, wanted[1] or own.version, wanted[2] or own.variant]
    for info in offer.types:
        parts = (info.type.kind, info.type.version, info.type.variant)
        if all(want in ("", part) for want, part in zip(wanted, parts, strict=True)):
            return info.suffix
    return "dat"


def recipes(filling: Mapping[str, str]) -> tuple[Recipe, ...]:
    """The request in the words of each program."""
    return tuple(Recipe(name, title, pattern, _fill(pattern, filling)) for name, title, pattern in _RECIPES)


def _fill(pattern: str, filling: Mapping[str, str]) -> str:
    """A pattern with its gaps filled, each once: what fills one may have braces of its own."""
    first, *rest = pattern.split("{")
    parts = [first]
    for each in rest:
        name, _, after = each.partition("}")
        parts += [filling.get(name, ""), after]
    return "".join(parts)
