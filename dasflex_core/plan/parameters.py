# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of requests: their canonical names, how they are spelt elsewhere, and their typed values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dasflex_core.errors import QueryError, did_you_mean, listing, shown
from dasflex_core.times import parse_quantity, parse_range, parse_time, seconds
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.stages import ParamSpec, ParamType, Value

__all__ = [
    "CANONICAL",
    "GOAL",
    "Canonical",
    "canonical_facts",
    "canonical_name",
    "canonical_pairs",
    "canonical_text",
    "check_characters",
    "check_range",
    "is_trigger",
    "typed_value",
    "value_text",
]


@dataclass(frozen=True, slots=True)
class Canonical:
    """What everybody must know of a canonical parameter.

    `trigger` tells what a default of it means: a trigger calls for the stage that consumes it, a modifier counts only
    if its stage is there. The type, units and bounds are those of a command that mentions it; a stage declares its own.
    """

    title: str
    trigger: bool = True
    type: ParamType = "string"
    units: str = ""
    low: float | None = None
    high: float | None = None
    values: tuple[tuple[str, str], ...] = ()


#: The canonical parameters that the core itself names (plugins may consume others). Options are `read.NAME`.
CANONICAL: dict[str, Canonical] = {
    "read.time.min": Canonical("Begin of the time range, inclusive", type="time"),
    "read.time.max": Canonical("End of the time range, exclusive; `forever` follows the present", type="time"),
    "read.time.inter": Canonical("Interval between the values of a model, in seconds", type="real", units="s", low=0),
    "read.opts": Canonical("The raw `params` string of das2"),
    "read.data": Canonical("The data variables, a list between commas", type="list"),
    "read.{coord}.min": Canonical("Lower edge of a coordinate, inclusive", type="real"),
    "read.{coord}.max": Canonical("Upper edge of a coordinate, exclusive", type="real"),
    "dft.length": Canonical("Points of each Fourier transform", type="integer", low=16),
    "dft.slide": Canonical(
        "Denominator of the slide: each transform begins length/slide points later",
        trigger=False,
        type="integer",
        low=1,
    ),
    "dft.window": Canonical(
        "Window function of the transform",
        trigger=False,
        values=(("hann", ""), ("hamming", ""), ("blackman", ""), ("none", "")),
    ),
    "dft.detrend": Canonical(
        "What is taken away before the transform",
        trigger=False,
        values=(("mean", ""), ("none", ""), ("linear", "")),
    ),
    "bin.{coord}.max": Canonical("Widest bin of a coordinate; for time, in seconds", type="real", low=0),
    "bin.stats": Canonical(
        "What is told of the values of a bin",
        trigger=False,
        type="list",
        values=(("mean", ""), ("min", ""), ("max", ""), ("stddev", ""), ("count", ""), ("median", "")),
    ),
    "view.points": Canonical("About how many points a line may have", type="integer", low=1),
    "format.type": Canonical("Format of the answer: das, csv, …"),
    "format.version": Canonical("Version of the format: das 2 or 3"),
    "format.serial": Canonical("`text` or `binary`"),
    "format.secfrac": Canonical(
        "Digits of the fraction of seconds, 0 to 9", trigger=False, type="integer", low=0, high=9
    ),
    "format.sigdigit": Canonical(
        "Significant digits of numbers, 2 to 17", trigger=False, type="integer", low=2, high=17
    ),
    "format.delim": Canonical("Delimiter of text columns", trigger=False),
    "format.headers": Canonical("Whether headers are written", trigger=False, type="boolean"),
}
#: The longest name of a parameter: an id's own limit, twice.
_LONGEST_NAME = 126
#: The parameters that make the goal of the search, rather than being consumed by a stage.
GOAL = ("format.type", "format.version", "format.serial")


def canonical_facts(name: str) -> Canonical | None:
    """What the core knows of a parameter, by its own name or by the pattern that it fits; None for any other."""
    if name in CANONICAL:
        return CANONICAL[name]
    first, _, rest = name.partition(".")
    middle, _, last = rest.rpartition(".")
    facts = CANONICAL.get(f"{first}.{{coord}}.{last}") if middle else None
    return replace(facts, units="s") if facts and (first, middle) == ("bin", "time") else facts


def is_trigger(name: str, declared: Iterable[ParamSpec] = ()) -> bool:
    """Whether a default of the parameter calls for the stage that consumes it.

    What the core does not know does where a stage requires it, or where nobody declares it, which is then told; and
    what is read always does, since other data would be another answer.
    """
    facts = canonical_facts(name)
    if facts is not None:
        return facts.trigger
    modes = {param.mode for param in declared}
    return name.startswith("read.") or not modes or "required" in modes


def canonical_name(name: str) -> str:
    """The canonical spelling: names have no underscore, so `dft_length` is `dft.length`; case does not count.

    An option keeps its underscore if it has one behind `read.`.

    >>> canonical_name("dft_length"), canonical_name("Format.Type"), canonical_name("read.my_option")
    ('dft.length', 'format.type', 'read.my_option')
    """
    lower = name.strip()
    return lower if lower.startswith("read.") else lower.replace("_", ".").lower()


def canonical_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The request that pairs of name and value write: canonical names, empty values absent, `time=A/B` expanded.

    Raises `QueryError` for a name that no parameter has, for values that are no text, for a parameter that is given
    twice with different values, and for a range that is none.
    """
    request: dict[str, str] = {}
    for written, value in pairs:
        if not value.strip():
            continue
        name = canonical_name(written)
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise QueryError(f"There is no parameter {shown(name)}", kind="query.unknown-parameter")
        check_characters(name, value)
        for key, text in _expand(name, _listed(name, value.strip())):
            if request.setdefault(key, text) != text:
                raise QueryError(
                    f"{key} is given twice, as {shown(request[key])} and as {shown(text)}; give it once",
                    kind="query.bad-value",
                )
    return request


def _listed(name: str, value: str) -> str:
    """The value; of a parameter that is a list, with commas between its items."""
    facts = CANONICAL.get(name)
    return (",".join(_items(value)) or value) if facts and facts.type == "list" else value


def check_characters(name: str, value: str) -> None:
    """Raises `QueryError` where a value holds what no file, argument and answer can."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise QueryError(
            f"The value of {name} holds a character that is none (a NUL or half of a pair); leave it out.",
            kind="query.bad-value",
        )


def _expand(name: str, value: str) -> list[tuple[str, str]]:
    """The pair itself, or the two ends that `time=A/B` is short for."""
    if name != "time":
        return [(name, value)]
    separator = " to " if " to " in value else "/"
    begin, found, end = value.partition(separator)
    if not found:
        raise QueryError(
            f"time={shown(value)} is no range; write it like 2020-01-01/2020-01-02", kind="query.bad-range"
        )
    return [("read.time.min", begin.strip()), ("read.time.max", end.removesuffix(" UTC").strip())]


def check_range(request: Mapping[str, str]) -> None:
    """Raises `QueryError` where the time range is malformed, empty or reversed."""
    for name in _ENDS:
        if name in request:
            _check_time(name, request[name])
    if all(name in request for name in _ENDS):
        parse_range(" to ".join(request[name] for name in _ENDS))


_ENDS = ("read.time.min", "read.time.max")


def _check_time(name: str, text: str) -> None:
    """Raises `QueryError` (`query.bad-time`), which names the parameter, where its text is no time."""
    try:
        parse_time(text)
    except QueryError as error:
        raise QueryError(f"{name}: {error.message}", kind=error.kind) from error


_WORDS = {"true": True, "yes": True, "on": True, "1": True, "t": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
    "f": False,
}


def typed_value(spec: ParamSpec, name: str, text: str) -> Value:
    """The value that `text` writes for the parameter, of the declared type and within the declared range.

    Raises `QueryError` (`query.bad-value`, `query.bad-time`) which names the parameter, what was given, and what would
    be right.
    """
    value: Value
    match spec.type:
        case "real" | "integer" | "duration":
            value = _number(spec, name, text)
        case "boolean":
            if text.lower() not in _WORDS:
                raise QueryError(f"{name}={shown(text)} is neither true nor false", kind="query.bad-value")
            value = _WORDS[text.lower()]
        case "time":
            _check_time(name, text)
            value = text
        case "arguments":
            value = text
        case "list":
            value = _items(text)
            _check_values(spec, name, value)
        case _:
            value = text
            _check_values(spec, name, (text,))
    return value


def _items(text: str) -> tuple[str, ...]:
    """The items of a list, between commas or blanks: das2py joins what is chosen with blanks, whatever a node says."""
    return tuple(text.replace(",", " ").split())


def canonical_text(declared: Iterable[ParamSpec], name: str, text: str) -> str:
    """The one spelling of a value, where those who declare the parameter agree on its type: `60` for `1 min`.

    Raises what `typed_value` raises where the value suits none of them.
    """
    faults: list[QueryError] = []
    spellings: set[str] = set()
    kinds = {(each.type, each.units) for each in declared}
    for param in declared:
        try:
            spellings.add(value_text(typed_value(param, name, text)))
        except QueryError as error:
            faults.append(error)
    if faults and not spellings:
        raise faults[0]
    return spellings.pop() if len(kinds) == len(spellings) == 1 else text


def value_text(value: Value) -> str:
    """A typed value as it stands in a URL: numbers by their shortest digits, whole ones without a point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _number(spec: ParamSpec, name: str, text: str) -> float | int:
    """A number, with a unit of its own where it has one, within the bounds."""
    unit = f" {spec.units}" if spec.units else ""
    try:
        number = float(text if text.isascii() and "_" not in text else "")
    except ValueError:
        number = _quantity(spec, name, text)
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124  the test for NaN
        raise QueryError(f"{name}={shown(text)} is no finite number", kind="query.bad-value")
    if spec.type == "integer" and number != int(number):
        raise QueryError(f"{name}={shown(text)} is no whole number", kind="query.bad-value")
    if (spec.low is not None and number < spec.low) or (spec.high is not None and number > spec.high):
        low = "" if spec.low is None else f" from {spec.low:g}"
        high = "" if spec.high is None else f" to {spec.high:g}"
        raise QueryError(f"{name}={text:.40} is out of its range{low}{high}{unit}", kind="query.bad-value")
    return int(number) if spec.type == "integer" else number


def _quantity(spec: ParamSpec, name: str, text: str) -> float:
    """A number with a unit, such as `60 ms`, in the units of the parameter."""
    wanted = "a whole number" if spec.type == "integer" else "a number"
    units = spec.units or ("s" if spec.type == "duration" else "")
    try:
        if units == "s":
            return seconds(text)
        number, written = parse_quantity(text)
    except QueryError:
        written, number = "?", 0.0
    if not units or written != units:
        of = f" (of {units})" if units else ""
        raise QueryError(f"{name}={shown(text)} is not {wanted}{of}", kind="query.bad-value")
    return number


def _check_values(spec: ParamSpec, name: str, given: Iterable[str]) -> None:
    """Raises `QueryError` where a value is not among the declared ones."""
    known = [value for value, _title in spec.values]
    for value in given:
        if known and value not in known:
            raise QueryError(
                f"{name}={shown(value)} is unknown.{did_you_mean(value, known)} It may be {listing(known)}",
                kind="query.bad-value",
            )
