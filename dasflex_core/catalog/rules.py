# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a definition that concern more than one key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.identifiers import id_fault
from dasflex_core.catalog.quantities import UnfitError, range_ends
from dasflex_core.errors import QueryError, did_you_mean
from dasflex_core.plan.templates import parse_template
from dasflex_core.times import FOREVER, parse_range, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.catalog.findings import KeyPath, Problems
    from dasflex_core.catalog.model import Definition
    from dasflex_core.catalog.walk import Vocabulary

__all__ = ["check_rules"]

#: The parameters of the family `read` that are no options of a source.
_CANONICAL: Final = ("read.time.min", "read.time.max", "read.time.inter", "read.data", "read.opts")
#: What no option can be called, since `read.data` and `read.time.min` are canonical.
_NO_OPTIONS: Final = frozenset({"data", "time"})
_RANGE_OF_COORD: Final = re.compile(r"read\.[^.]+\.(?:min|max)")
_INTERVAL: Final = "read.time.inter"
_ENDS: Final = ("read.time.min", "read.time.max")


def check_rules(definition: Definition, vocabulary: Vocabulary, problems: Problems) -> None:
    """Notes where keys that are right by themselves contradict one another, or lack one another."""
    if not problems.within(("id",)) and (fault := id_fault(definition.id)):
        problems.add(("id",), fault)
    _check_contact(definition, problems)
    _check_names(definition, problems)
    _check_time(definition, problems)
    _check_examples(definition, problems)
    _check_commands(definition, vocabulary, problems)


def _check_contact(definition: Definition, problems: Problems) -> None:
    """There must be a technical contact; a view may leave that to the source that it shows."""
    if not definition.contacts.technical and not definition.viewed and not problems.within(("contacts",)):
        message = "is missing: write who answers for the server and the reader, here or in a _dirinfo_.toml above"
        problems.add(("contacts", "technical"), message, "config.missing")


def _check_names(definition: Definition, problems: Problems) -> None:
    """Readers and HAPI data sets have names of their own."""
    names = [reader.name for reader in definition.readers]
    _check_unique(names, lambda place: ("reader", place, "name"), "is the name of another reader too", problems)
    ids = [each.id.lower() for each in definition.hapi]
    _check_unique(ids, lambda place: ("hapi", place, "id"), "is the id of another data set too", problems)


def _check_unique(names: list[str], path: Callable[[int], KeyPath], message: str, problems: Problems) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            problems.add(path(place), f"{name!r} {message}; each needs one of its own")


def _check_time(definition: Definition, problems: Problems) -> None:
    """The range of `coords.time` is of times."""
    if definition.range:
        try:
            range_ends(str(definition.range))
        except UnfitError as error:
            problems.add(("coords", "time", "range"), error.message)


def _check_examples(definition: Definition, problems: Problems) -> None:
    """An example is of times that there are data for, some of them at least; there always are some of the present."""
    if not definition.range or problems.within(("coords", "time", "range")):
        return
    first, last = parse_range(str(definition.range))
    last = FOREVER if definition.range.end.lower().startswith("now") else last
    for place, example in enumerate(definition.examples):
        asked = dict(example.request)
        try:
            begin, end = (parse_time(asked[name]) for name in _ENDS)
        except (KeyError, QueryError):  # a range that is none is noted where it was read
            continue
        if end <= first or last <= begin:
            message = (
                f"is outside of the times that there are data for, {definition.range}: write a range within, or mend"
                " that one"
            )
            problems.add(("example", place, "time"), message)


def _check_commands(definition: Definition, vocabulary: Vocabulary, problems: Problems) -> None:
    """A command mentions parameters that there are, and each option is mentioned by a command."""
    families = [family.name for family in vocabulary.families]
    mentioned: set[str] = set()
    for path, command in _commands(definition):
        for parameter in parse_template(command).parameters:
            mentioned.add(parameter.name)
            if message := _strange(parameter.name, families, definition, problems):
                problems.add(path, message)
    for name in _NO_OPTIONS & set(definition.options):
        problems.add(("options", name), f"read.{name} has a meaning of its own; call the option something else")
    if any(not reader.command for reader in definition.readers) or problems.within(("stage",)):
        return  # files, views and other servers take options without a command; and what is wrong says nothing
    for name in definition.options:
        if f"read.{name}" not in mentioned and name not in _NO_OPTIONS:
            problems.add(("options", name), f"no command mentions #[read.{name}], so that nothing consumes it")
    for name, coord in definition.coords.items():
        if coord.interval and _INTERVAL not in mentioned:
            message = f"no command mentions #[{_INTERVAL}], so that nothing consumes it"
            problems.add(("coords", name, "interval"), message)


def _commands(definition: Definition) -> Iterator[tuple[KeyPath, str]]:
    for place, reader in enumerate(definition.readers):
        if reader.command:
            yield ("reader", place, "command"), reader.command
    for place, stage in enumerate(definition.stages):
        if stage.command:
            yield ("stage", place, "command"), stage.command


def _strange(name: str, families: Iterable[str], definition: Definition, problems: Problems) -> str:
    """Why a command cannot mention this parameter; empty where it can."""
    family, _, rest = name.partition(".")
    if family not in families:
        near = did_you_mean(family, families)
        return f"#[{name}] is no parameter: there is no family {family!r} among {', '.join(families)}.{near}"
    if family != "read" or name in _CANONICAL or _RANGE_OF_COORD.fullmatch(name):
        return ""
    if rest in definition.options or problems.within(("options", rest)):
        return ""
    near = did_you_mean(name, [*_CANONICAL, *(f"read.{each}" for each in definition.options)])
    return f"#[{name}] is neither a canonical parameter nor an option; add [options.{rest}].{near}"
