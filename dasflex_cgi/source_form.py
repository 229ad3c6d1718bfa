# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of a source: what it takes as fields, filled with what an address asks or with the first example.

It is made from the same `Offer` as the published interface of the source, so that it has every parameter that some
stage could consume, and no other. A blank field asks nothing, so that the form works as it is, without a script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError
from dasflex_core.plan.parameters import CANONICAL, GOAL, canonical_pairs
from dasflex_core.queries import joined_lists
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dasflex_core.catalog.model import Definition
    from dasflex_core.plan.offering import Offer
    from dasflex_core.queries import Pairs
    from dasflex_core.registry import Registry
    from dasflex_core.stages import ParamSpec

__all__ = ["Choice", "Field", "Fieldset", "fields", "filled"]

_TIMES: Final = ("read.time.min", "read.time.max", "read.time.inter")
_BINS: Final = ("bin.time.max", "bin.stats", "bin.align")
#: A bound that only says that a number is positive.
_TINY: Final = 1e-6
_TRUE: Final = ("true", "yes", "on", "1", "t")
_EXAMPLE: Final = {"read.time.min": "2017-01-31T12:00", "read.time.max": "2017-02-01"}
#: What stands for no choice: whatever the source does by itself.
_UNSAID: Final = "as the source has it"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a field may have."""

    value: str
    text: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter as a field.

    `kind` is `text`, `time`, `number`, `select`, `check` (one box, which says true) or `checks` (a box for each value).
    `format` is the kinds of stream that the parameter belongs to, blank for all. `plain` is the list of values that is
    meant where none is sent. `step` is that between the numbers that may be given.
    """

    name: str
    kind: str
    label: str
    hint: str = ""
    units: str = ""
    low: str = ""
    high: str = ""
    step: str = ""
    value: str = ""
    placeholder: str = ""
    required: bool = False
    choices: tuple[Choice, ...] = ()
    format: str = ""
    plain: str = ""

    @property
    def id(self) -> str:
        """The name of the element, which no other has."""
        plain = self.name.replace(".", "-")
        return "field-" + "".join(
            char if char.isascii() and (char.isalnum() or char == "-") else f"_{ord(char):x}" for char in plain
        )


@dataclass(frozen=True, slots=True)
class Fieldset:
    """Fields under a title; `folded` where few people need them and none is filled."""

    name: str
    title: str
    fields: tuple[Field, ...]
    folded: bool = False


def filled(definition: Definition, offer: Offer, query: Pairs) -> Mapping[str, str]:
    """What the form begins with: the parameters of an address that the source takes, else the first example."""
    try:
        asked = canonical_pairs(joined_lists(query))
    except QueryError:  # an address that asks nonsense fills nothing in
        asked = {}
    known = {each.name for each in offer.params} | {*GOAL}
    given = {name: text for name, text in asked.items() if name in known}
    if given or not definition.examples:
        return given
    return {name: text for name, text in definition.examples[0].request if name in known}


def fields(definition: Definition, offer: Offer, registry: Registry, given: Mapping[str, str]) -> tuple[Fieldset, ...]:
    """The fields of a source in sets, the needed ones first. Sets without a field are left out."""
    making = _Making(definition, offer, given)
    titles = {each.name: each.title for each in registry.families}
    rest: dict[str, list[Field]] = {}
    for param in offer.params:
        if param.name not in making.placed and param.family != "format":
            rest.setdefault(param.family, []).append(making.field(param))
    order = sorted(registry.families, key=lambda family: family.place)
    sets = [
        Fieldset("time", "Time", making.named(_TIMES)),
        Fieldset("data", "Data", making.data()),
        Fieldset("options", "Options of the reader", making.options()),
        Fieldset("bins", "Resolution", making.named(_BINS)),
        Fieldset("format", "Format", making.goals()),
        Fieldset("details", "Details of the format", making.formats(), folded=True),
        *(
            Fieldset(each.name, _OTHERS.get(each.name, titles[each.name]), tuple(rest[each.name]), folded=True)
            for each in order
            if each.name in rest
        ),
    ]
    return tuple(_unfolded(each, given) for each in sets if each.fields)


#: What is left of some families when their common parameters stand elsewhere.
_OTHERS: Final = {"read": "Other coordinates", "bin": "Bins of other coordinates"}


def _unfolded(fieldset: Fieldset, given: Mapping[str, str]) -> Fieldset:
    """A set that shows its fields where one of them is filled."""
    folded = fieldset.folded and not any(each.name in given for each in fieldset.fields)
    return Fieldset(fieldset.name, fieldset.title, fieldset.fields, folded)


class _Making:
    """The fields of one source in the making; `placed` are the parameters that have their place already."""

    def __init__(self, definition: Definition, offer: Offer, given: Mapping[str, str]) -> None:
        self._definition = definition
        self._offer = offer
        self._given = given
        self._defaults = dict(definition.defaults)
        self._options = tuple(f"read.{name}" for name in (*definition.options, "opts"))
        switched = {"read.data"} if definition.data else set()
        self.placed = {*_TIMES, *_BINS, *self._options, *switched}

    def named(self, names: Sequence[str]) -> tuple[Field, ...]:
        """The fields of those parameters that the source takes."""
        found = (self._offer.param(name) for name in names)
        return tuple(self.field(param) for param in found if param)

    def options(self) -> tuple[Field, ...]:
        """The fields of the reader's own parameters."""
        return self.named(self._options)

    def data(self) -> tuple[Field, ...]:
        """A switch for each variable; none where there is no choice."""
        items = self._definition.data
        if len(items) < 2 or not self._offer.param("read.data"):
            return ()
        plain = self._defaults.get("read.data", "") or ",".join(name for name, each in items.items() if each.default)
        chosen = self._given.get("read.data", plain).replace(" ", "").split(",")
        choices = tuple(
            Choice(name, f"{each.title or each.label or name}{each.units and f' ({each.units})'}", name in chosen)
            for name, each in items.items()
        )
        return (Field("read.data", "checks", "Variables", choices=choices, plain=plain),)

    def goals(self) -> tuple[Field, ...]:
        """The format, its version and its form."""
        kinds: dict[str, list[str]] = {}
        versions: dict[str, str] = {}
        serials: dict[str, str] = {}
        for info in self._offer.types:
            kinds.setdefault(info.type.kind, []).append(info.title)
            versions[info.type.version] = serials[info.type.variant] = ""
        own = f"{_UNSAID} ({self._offer.own})" if self._offer.own else _UNSAID
        texts = {kind: titles[0] if len(titles) == 1 else f"{kind} stream" for kind, titles in kinds.items()}
        several = " ".join(kind for kind, titles in kinds.items() if len(titles) > 1)
        found = (
            self._goal("format.type", "Format", texts, own),
            self._goal("format.version", "Version", versions, "any", several),
            self._goal("format.serial", "Written as", serials, "any", several),
        )
        return tuple(each for each in found if len(each.choices) > 1)

    def formats(self) -> tuple[Field, ...]:
        """What else can be said of each format."""
        kinds: dict[str, list[str]] = {}
        for kind, name in self._offer.formats:
            if name not in GOAL:
                kinds.setdefault(name, []).append(kind)
        params = ((self._offer.param(name), of) for name, of in kinds.items())
        return tuple(self.field(param, " ".join(of)) for param, of in params if param)

    def _goal(self, name: str, label: str, values: Mapping[str, str], unsaid: str, format_: str = "") -> Field:
        """The choice of a part of the stream type."""
        given = self._given.get(name, "").lower()
        choices = tuple(Choice(value, text or value, value == given) for value, text in values.items() if value)
        return Field(name, "select", label, choices=(Choice("", unsaid), *choices), format=format_)

    def field(self, param: ParamSpec, format_: str = "") -> Field:
        """A parameter as the field that suits its type."""
        default = self._defaults.get(param.name, param.default or "")
        value = self._given.get(param.name, "")
        kind, choices = _kind(param, default, value)
        facts = CANONICAL.get(param.name)
        number = kind == "number"
        return Field(
            name=param.name,
            kind=kind,
            label=(param.title or (facts.title if facts else "") or param.name).replace("`", ""),
            hint=_hint(param, default, kind),
            units="" if param.title.endswith("in seconds") else param.units,
            low=_bound(param, param.low) if number else "",
            high=_bound(param, param.high) if number else "",
            step=("1" if param.type == "integer" else "any") if number else "",
            value=value,
            placeholder=_EXAMPLE.get(param.name, default if kind in ("number", "text") else ""),
            required=param.name in self._offer.required and not default and param.name not in self._defaults,
            choices=choices,
            format=format_,
        )


def _kind(param: ParamSpec, default: str, value: str) -> tuple[str, tuple[Choice, ...]]:
    """The kind of field for a parameter, and its choices.

    A box that is not ticked sends nothing, so only what is false by itself is a box.
    """
    if param.type == "list" and param.values:
        given = value.replace(" ", "").split(",")
        return "checks", tuple(Choice(each, title or each, each in given) for each, title in param.values)
    if param.choices:
        return "select", _select(dict(param.choices), default, value)
    if param.type == "boolean":
        said = "" if not value else "true" if value.lower() in _TRUE else "false"
        if default.lower() == "false":
            return "check", (Choice("true", "", said == "true"),)
        return "select", _select({"true": "yes", "false": "no"}, default, said)
    if param.type in ("real", "integer"):
        return "number", ()
    return ("time" if param.type == "time" else "text"), ()


def _select(values: Mapping[str, str], default: str, value: str) -> tuple[Choice, ...]:
    """The choices of one value: the default is the blank one."""
    unsaid = _UNSAID if default not in values else f"{values[default] or default} (default)"
    rest = (Choice(each, title or each, each == value) for each, title in values.items() if each != default)
    return Choice("", unsaid), *rest


def _hint(param: ParamSpec, default: str, kind: str) -> str:
    """What stands below a field: its meaning, its range, and what it is by itself."""
    words = [f"{param.help.rstrip('.')}." if param.help else ""]
    if kind == "number" and (param.low is not None or param.high is not None):
        low = "" if param.low is None or 0 < param.low <= _TINY else f"from {param.low:.6g} "
        high = "" if param.high is None else f"to {param.high:.6g}"
        words.append(f"{low}{high}".strip().capitalize() + "." if low or high else "")
    if default and kind in ("number", "text", "checks"):
        words.append(f"Default: {default}.")
    return " ".join(each for each in words if each)


def _bound(param: ParamSpec, bound: float | None) -> str:
    """A bound as a browser reads it; blank for none."""
    if bound is None:
        return ""
    return str(int(bound)) if param.type == "integer" else repr(float(bound))
