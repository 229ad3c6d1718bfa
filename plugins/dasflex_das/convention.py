# SPDX-License-Identifier: GPL-3.0-or-later
"""The `das2` convention: the keys of das2 clients as canonical parameters.

    server=dataset&dataset=ID&start_time=&end_time=[&resolution=][&interval=][&params=][&ascii=1]

Keys that clients send out of habit (`key`, `compress`, `redirect`, `devel`, `nitems`) and unknown ones are ignored.
Names with a dot are canonical already and stay as they are.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final, Protocol

from dasflex_core.errors import QueryError, did_you_mean, listing, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dasflex_core.catalog.model import Option

__all__ = ["reader_options", "translate"]

_TIMES: Final = {"start_time": "read.time.min", "end_time": "read.time.max"}
_SECONDS: Final = {"resolution": "bin.time.max", "interval": "read.time.inter"}
_TRUE: Final = ("1", "true", "yes", "on")
#: The one option of an imported DSDF: the raw `params` string.
_RAW: Final = "opts"


class _Optioned(Protocol):
    """What is needed of a definition: its options by name."""

    @property
    def options(self) -> Mapping[str, Option]: ...


def translate(pairs: Sequence[tuple[str, str]], definition: _Optioned) -> list[tuple[str, str]]:
    """The canonical pairs of a das2 query, in its order; `definition` is that of the source.

    Values are those of the decoded query. Empty ones count as absent, and so does a resolution of 0, which means full
    resolution. Raises `QueryError` for numbers and `params` that cannot be.
    """
    found: list[tuple[str, str]] = []
    for written, raw in pairs:
        key, value = written.strip().lower(), raw.strip()
        if not value:
            continue
        if key in _TIMES:
            found.append((_TIMES[key], value))
        elif key in _SECONDS:
            found += [(_SECONDS[key], value.replace(" ", "+"))] if _seconds(key, value) else []
        elif key == "params":
            found += reader_options(value, definition.options)
        elif key == "ascii":
            found += [("format.serial", "text")] if value.lower() in _TRUE else []
        elif "." in key:
            found.append((written.strip(), value))
    return found


def _seconds(key: str, value: str) -> float:
    """The number of seconds; 0 where nothing is asked. Raises `QueryError`.

    A blank is the plus of an exponent (`1E+3`), which means a blank in a query.
    """
    try:
        number = float(value.replace(" ", "+"))
    except ValueError:
        number = -1.0
    if not isfinite(number) or number < 0:
        raise QueryError(f"{key}={shown(value)} must be a number of seconds, such as 60", kind="query.bad-value")
    return number


def reader_options(text: str, options: Mapping[str, Option]) -> list[tuple[str, str]]:
    """What `params` asks of a reader, as pairs `read.NAME`.

    A source with the option `opts`, as imported DSDF files have it, and one without options get the whole text as
    `read.opts`. Else blanks and `&` separate tokens, each of which is the name of a boolean option, `name=value`,
    `name:value`, or a value of just one option. Raises `QueryError` for any other token.
    """
    if _RAW in options or not options:
        return [(f"read.{_RAW}", text)]
    found: dict[str, list[str]] = {}
    for token in text.replace("&", " ").split():
        name, value = _token(token, options)
        found.setdefault(name, []).append(value)
    return [(f"read.{name}", _joined(name, values, options[name])) for name, values in found.items()]


def _token(token: str, options: Mapping[str, Option]) -> tuple[str, str]:
    """The option that a token names, and its value."""
    by_lower = {name.lower(): name for name in options}
    named = by_lower.get(token.lower())
    if named is not None and options[named].type == "boolean":
        return named, "true"
    for separator in ("=", ":"):
        name, found, value = token.partition(separator)
        if found and name.lower() in by_lower:
            return by_lower[name.lower()], value
    for same in (str.__eq__, lambda first, second: first.lower() == second.lower()):
        owners = [name for name, each in options.items() if any(same(value, token) for value, _title in each.values)]
        if len(owners) == 1:
            values = options[owners[0]].values
            return owners[0], next(value for value, _title in values if same(value, token))
    raise _unknown(token, named, options)


def _unknown(token: str, named: str | None, options: Mapping[str, Option]) -> QueryError:
    """The error for a token that names nothing, or too little."""
    if named is not None:
        return QueryError(f"params: {named} needs a value: write {named}=VALUE", kind="query.bad-value")
    words = [*options, *(value for each in options.values() for value, _title in each.values)]
    return QueryError(
        f"params: {shown(token)} is no option of this source, nor a value of just one.{did_you_mean(token, words)}"
        f" The options are {listing(options)}",
        kind="query.unknown-parameter",
    )


def _joined(name: str, values: list[str], option: Option) -> str:
    """The values of one option as one: several make a list. Raises `QueryError` where the option takes one."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) > 1 and option.type != "list":
        given = " and as ".join(f"{each:.40}" for each in distinct[:5])
        raise QueryError(f"params: {name} is given as {given}; give it once", kind="query.bad-value")
    return ",".join(distinct)
