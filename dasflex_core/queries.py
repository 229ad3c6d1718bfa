# SPDX-License-Identifier: GPL-3.0-or-later
"""The query of an address as names and values: what every front-end reads a request from."""

from __future__ import annotations

from urllib.parse import parse_qsl

from dasflex_core.errors import QueryError

__all__ = ["Pairs", "joined_lists", "query_pairs"]

Pairs = list[tuple[str, str]]

_MOST_FIELDS = 200
_HEX = frozenset("0123456789abcdefABCDEF")


def query_pairs(query: str) -> Pairs:
    """The names and values of a query, decoded once; a `+` is a blank.

    Raises `QueryError` where an escape is none, where the text is no UTF-8, and for more fields than anybody needs.
    """
    try:
        text = query.encode("latin-1").decode()
        if all(len(each) > 1 and _HEX.issuperset(each[:2]) for each in text.split("%")[1:]):
            return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
        wrong: ValueError | None = None
    except ValueError as error:
        wrong = error
    raise QueryError(
        f"The query of this address cannot be read: it has at most {_MOST_FIELDS} fields, in UTF-8 with % escapes"
    ) from wrong


def joined_lists(pairs: Pairs) -> Pairs:
    """The pairs of a query, with a list in one that has several fields, as the boxes of a form send it.

    >>> joined_lists([("bin.stats", "min"), ("a", "1"), ("bin.stats", "max")])
    [('bin.stats', 'min,max'), ('a', '1')]
    """
    if len({name for name, _text in pairs}) == len(pairs):
        return pairs
    from dasflex_core.plan.parameters import canonical_facts, canonical_name

    found: Pairs = []
    places: dict[str, int] = {}
    for name, text in pairs:
        facts = canonical_facts(canonical_name(name))
        if facts is None or facts.type != "list" or not text.strip():
            found.append((name, text))
        elif name in places:
            known = found[places[name]][1]
            if text not in known.split(","):
                found[places[name]] = (name, f"{known},{text}")
        else:
            places[name] = len(found)
            found.append((name, text))
    return found
