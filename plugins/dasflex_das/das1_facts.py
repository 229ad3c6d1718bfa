# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be known of das1 data, which have no header: from the words of a DSDF, or from a definition.

The words are those of the table `[das1]` and of DSDF files (das-streams 5.10): `form`, `ny`, `y_coordinate` and so on.
What a definition says in `[coords]` and `[data]` need not be said again there. A plan is made of it, so numpy is not
imported here.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, Self

from dasflex_core.errors import ConfigError
from dasflex_core.units import convert_factor
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.catalog.model import Definition, Reader

__all__ = ["Das1Facts", "Das1Plane", "told", "told_of"]

#: What a DSDF says of das1 data that changes what is read from their bytes.
_FACTS: Final = (
    *("form", "items", "ny", "x_unit", "y_coordinate", "y_unit", "y_fill", "z_unit", "z_fill"),
    *("names", "units", "epoch", "tagged"),
)
#: What it says that becomes a property of the stream as it is.
_KEPT: Final = ("spacecraft", "spacecraft_id", "instrument", "instrument_id")
_WORDS: Final = ("x_parameter", "x_sample_width", "y_parameter", "z_parameter", "description", "source", *_KEPT)
_FORMS: Final = ("x_multi_y", "x_tagged_y_scan", "x_y_z")
#: The exponent of a double as IDL writes it.
_DOUBLE: Final = re.compile(r"(?<=[0-9.])[dD](?=[-+]?[0-9])")
#: Values of a record that are read.
_MAX_VALUES: Final = 250_000


@dataclass(frozen=True, slots=True)
class Das1Plane:
    """A plane of the das2 stream that das1 data become: its kind, its name, and its other attributes."""

    kind: str
    name: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Das1Facts:
    """What das1 data are.

    `planes` are those behind the time, `values` the numbers that they take of a record. The number in front of these
    is a time since the begin of the request, in units of `seconds`; it becomes a time of `epoch`. `properties` are
    those of the stream, as name, text and type. `tagged`: each record has `:b0:` before it.
    """

    planes: tuple[Das1Plane, ...]
    values: int
    properties: tuple[tuple[str, str, str], ...]
    seconds: float = 1.0
    epoch: str = "us2000"
    tagged: bool = False

    @classmethod
    def of(cls, entries: Mapping[str, object]) -> Self:
        """The facts in the entries of a DSDF, by its keys. Raises `ConfigError` that names what is wrong or missing.

        Beside these there may be `names` and `units`, lists for the planes in order; `tagged`; `epoch`; and `source`,
        which the stream tells as its `sourceId`.
        """
        text = {key: _text(value) for key, value in entries.items()}
        names = _list(entries, "names")
        form = text.get("form", "")
        if form not in _FORMS:
            raise _bad(f"The form of das1 data is {form!r}; there are {', '.join(_FORMS)}")
        if form == "x_multi_y":
            planes = _lines(text, names, _list(entries, "units"))
        elif form == "x_tagged_y_scan":
            planes = (_scan(text, names),)
        else:
            _named(form, names, 2)
            planes = tuple(
                _plane(axis, names, place, units=text.get(f"{axis}_unit", "")) for place, axis in enumerate("yz")
            )
        seconds = convert_factor(text.get("x_unit", "s"), "s")
        if seconds is None:
            raise _bad(f"x_unit of das1 data is {text['x_unit']!r}, which is no unit of time such as s")
        values = max(len(planes), *(int(dict(each.attributes).get("nitems", "1")) for each in planes))
        epoch, tagged = text.get("epoch", "us2000"), entries.get("tagged") is True
        return cls(planes, values, tuple(_properties(text)), seconds, epoch, tagged)

    @classmethod
    def parse(cls, facts: str, words: str = "") -> Self:
        """The facts in texts as `told_of` writes them. Raises `ConfigError`."""
        try:
            read = {**json.loads(facts or "{}"), **json.loads(words or "{}")}
        except (ValueError, TypeError) as error:
            raise _bad(f"The facts of das1 data are JSON objects with keys such as form and ny: {error}") from error
        return cls.of(read)


def told_of(entries: Mapping[str, object]) -> tuple[str, str]:
    """The entries that a decoder needs as two texts: what changes the values that are read, and what is only said."""
    parts = ({key: entries[key] for key in sorted(entries) if key in keys} for keys in (_FACTS, _WORDS))
    facts, words = (json.dumps(part, ensure_ascii=False, separators=(",", ":")) for part in parts)
    return facts, words


def told(source: Definition, reader: Reader) -> tuple[str, str]:
    """What a definition says of the das1 data of a reader: the table `[das1]` over `[coords]`, `[data]` and `title`.

    Raises `ConfigError` where that is too little.
    """
    table = next((each for each in source.tables if each.name == "das1"), None)
    own: dict[str, object] = json.loads(table.values) if table else {}
    entries = {**_described(source, str(own.get("form", ""))), **own}
    entries |= {"description": source.title, "source": source.id}
    if reader.writes.partition("das/1/")[2] == "tagged":
        entries["tagged"] = True
    try:
        Das1Facts.of(entries)
    except ConfigError as error:
        raise ConfigError(
            f"{source.id}: {error.message}, in the table [das1] of its definition", kind=error.kind
        ) from None
    return told_of(entries)


def _described(source: Definition, form: str) -> dict[str, object]:
    """What `[coords]` and `[data]` say of the form, the names, the units and the fill; `form` is that of `[das1]`."""
    items = list(source.data.items())
    if not items:
        return {}
    name, item = items[0]
    inner = [axis for axis in item.axes or source.coords if axis != "time"]
    if form == "x_multi_y" or not (form or inner) or len(items) > 1:
        fills = {each.fill for _name, each in items if each.fill}
        names, units = [each for each, _item in items], [each.units or "" for _name, each in items]
        found: dict[str, object] = {"form": "x_multi_y", "names": names, "units": units}
        return found | ({"y_fill": fills.pop()} if len(fills) == 1 else {})
    axis = source.coords.get(inner[0]) if inner else None
    tags = axis.tags if axis else ()
    if form != "x_y_z" and (form or tags):
        found = {"form": "x_tagged_y_scan", "names": [name], "y_coordinate": " ".join(tags)}
    else:
        found = {"form": "x_y_z", "names": [*inner[:1], name]}
    facts = {"y_unit": axis.units if axis else None, "z_unit": item.units, "z_fill": item.fill or None}
    return found | {key: text for key, text in facts.items() if text is not None}


def _bad(message: str) -> ConfigError:
    """The error of facts that cannot be."""
    return ConfigError(message, kind="config.bad-value")


def _text(value: object) -> str:
    """A value as a DSDF writes it."""
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value))
    return value.strip() if isinstance(value, str) else str(value)


def _list(entries: Mapping[str, object], key: str) -> list[str]:
    """The texts of a list, none where it is not there."""
    value = entries.get(key, [])
    return [_text(each) for each in value] if isinstance(value, list | tuple) else [_text(value)]


def _count(text: Mapping[str, str], keys: tuple[str, ...], default: int) -> int:
    """How many values a record has: what each of the keys says that is there. Raises `ConfigError`."""
    found = {key: _number(key, text[key]) for key in keys if key in text}
    if len(set(found.values())) > 1:
        raise _bad("das1 data have " + " and ".join(f"{key} = {count}" for key, count in found.items()))
    return next(iter(found.values()), default)


def _named(form: str, names: list[str], count: int) -> None:
    """Raises `ConfigError` where not all variables are named, or more than there are."""
    if names and len(names) != count:
        raise _bad(f"das1 data of the form {form} with {count} variables have {len(names)} names: {', '.join(names)}")


def _number(key: str, text: str) -> int:
    """A count from a definition. Raises `ConfigError` for what is none."""
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_VALUES:
        raise _bad(f"{key} of das1 data is {text!r}; it gives a number of values from 1 to {_MAX_VALUES:,}")
    return int(text)


def _tags(text: str) -> list[str]:
    """The values of a literal array, written as in IDL (`1.0d3`) or not. Raises `ConfigError` for anything else."""
    words = [_DOUBLE.sub("e", word) for word in text.strip("[] \t\n").replace(",", " ").split()]
    for word in words:
        _real("y_coordinate", word)
    if not 1 <= len(words) <= _MAX_VALUES:
        raise _bad(f"y_coordinate of das1 data is {text[:40]!r}; it lists the values, as in [10, 20, 40]")
    return words


def _real(key: str, text: str) -> float:
    """A number. Raises `ConfigError`."""
    try:
        return float(text)
    except ValueError:
        raise _bad(f"{key} of das1 data is {text[:40]!r}, which is no number") from None


def _lines(text: Mapping[str, str], names: list[str], units: list[str]) -> tuple[Das1Plane, ...]:
    """The planes of x_multi_y: as many as `ny` or `items` says, or as there are names."""
    count = _count(text, ("ny", "items"), len(names) or 1)
    _named("x_multi_y", names, count)
    own = [*units, *[""] * count]
    return tuple(_plane("y", names, place, units=own[place] or text.get("y_unit", "")) for place in range(count))


def _scan(text: Mapping[str, str], names: list[str]) -> Das1Plane:
    """The plane of x_tagged_y_scan, with the coordinates of its values."""
    _named("x_tagged_y_scan", names, 1)
    tags = _tags(text.get("y_coordinate", ""))
    count = _count(text, ("items",), len(tags))
    if count != len(tags):
        raise _bad(f"y_coordinate of das1 data has {len(tags)} values for records of {count}")
    facts = {"yUnits": text.get("y_unit", ""), "zUnits": text.get("z_unit", ""), "nitems": str(len(tags))}
    return _plane("yscan", names, 0, **facts, yTags=",".join(tags))


def _plane(kind: str, names: list[str], place: int, **facts: str) -> Das1Plane:
    """A plane, by the name that was said, or as the classic converter names it."""
    return Das1Plane(kind, names[place] if place < len(names) else f"plane_{place}", tuple(facts.items()))


def _properties(text: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The properties of the stream, in the order and the words of the classic program."""
    yield "xLabel", _label(text, "x", "time"), "String"
    for axis in ("y", "z"):
        if f"{axis}_parameter" in text:
            yield f"{axis}Label", _label(text, axis, ""), "String"
    if text.get("description"):
        yield "title", text["description"], "String"
    for key in _KEPT:
        if key in text:
            yield key, text[key], "String"
    if "x_sample_width" in text:
        width = _real("x_sample_width", text["x_sample_width"])
        yield "xTagWidth", f"{width:f} {text.get('x_unit', 's')}", "Datum"
    for axis in ("y", "z"):
        if f"{axis}_fill" in text:
            _real(f"{axis}_fill", text[f"{axis}_fill"])
            yield f"{axis}Fill", text[f"{axis}_fill"], "double"
    if text.get("source"):
        yield "sourceId", text["source"], "String"


def _label(text: Mapping[str, str], axis: str, default: str) -> str:
    """The label of an axis: what is measured, with its units unless it is time."""
    word = text.get(f"{axis}_parameter", default)
    units = text.get(f"{axis}_unit", "")
    named = word[:1].upper() + word[1:]
    return f"{named} ({units})" if units and word.lower() != "time" else named
