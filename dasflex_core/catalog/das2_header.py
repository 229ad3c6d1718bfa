# SPDX-License-Identifier: GPL-3.0-or-later
"""What das2 clients read of a source before they ask for data: a das2 stream of one header, with its public keys.

    [00]000131<stream version="2.2">
    <properties String:description="…" String:exampleRange_00="A to B | what it shows" />
    </stream>

The keys are those of DSDF files. A client counts characters where it should count bytes, and reads the six digits
without a check, so they are exact and padded with zeros, and everything outside of ASCII is escaped. Clients have had
trouble with definitions of more than 64 kB: what no longer fits is left out, the least important last.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.catalog.model import Definition, Pairs
    from dasflex_core.plan.offering import Offer
    from dasflex_core.stages import ParamSpec

__all__ = ["das2_header"]

#: The longest definition, in bytes, and the longest value of one key, in characters.
_LONGEST: Final = 60_000
_LONGEST_VALUE: Final = 4_000
#: A list has at most so many numbered keys: `item_00` to `item_99`.
_LONGEST_LIST: Final = 100
#: What XML has no character for, not even an escaped one (XML 1.0, 2.2), and white space, which attributes do not keep.
_NO_TEXT: Final = re.compile("[^\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+|\\s+")
_ESCAPED: Final = re.compile(r"""[^ -~]|[&<>"']""")


def das2_header(definition: Definition, offer: Offer) -> bytes:
    """The das2 definition of a source: one header packet, in ASCII."""
    room = _LONGEST
    properties = ""
    for name, text in _keys(definition, offer):
        written = f'\n  String:{name}="{_escaped(text)}"'
        if text and len(written) <= room:
            room -= len(written)
            properties += written
    xml = f'<stream version="2.2">\n<properties{properties} />\n</stream>\n'.encode("ascii")
    return b"[00]%06d" % len(xml) + xml


def _escaped(text: str) -> str:
    """A value as it stands between quotes: one line of ASCII."""
    line = _NO_TEXT.sub(" ", text).strip()[:_LONGEST_VALUE]
    return _ESCAPED.sub(lambda found: f"&#x{ord(found[0]):x};", line)


def _keys(definition: Definition, offer: Offer) -> Iterator[tuple[str, str]]:
    """The public keys and their values, those that clients cannot do without first."""
    model = offer.param("read.time.inter") is not None
    contacts = definition.contacts
    yield "description", definition.title
    yield "label", definition.label
    yield "techContact", contacts.technical
    yield "sciContact", contacts.scientific
    yield "requiresInterval", "1" if model else ""
    if definition.range:
        yield "validRange", f"{_time(definition.range.begin)} to {_time(definition.range.end)}"
    if definition.readers and all(reader.writes.partition("/")[0] == "qstream" for reader in definition.readers):
        yield "qstream", "1"  # Autoplot takes QStreams of no other source
    if definition.access.allow:
        yield "securityRealm", definition.access.realm
    if any(reader.live for reader in definition.readers):
        yield "realTime", "1"
    yield from _examples(definition)
    yield from _numbered("param", (text for each in offer.params if _is_option(each) for text in _param(each)))
    variables = [(name, each.title or each.label, each.units) for name, each in definition.data.items()]
    coords = [(name, each.title or each.label, each.units) for name, each in definition.coords.items()]
    yield from _numbered("item" if model else "data", (_variable(*each) for each in variables))
    yield from _numbered("coord", (_variable(*each) for each in coords))
    yield "summary", definition.summary


def _numbered(name: str, texts: Iterator[str]) -> Iterator[tuple[str, str]]:
    """The keys of a list."""
    for number, text in zip(range(_LONGEST_LIST), texts, strict=False):
        yield f"{name}_{number:02d}", text


def _examples(definition: Definition) -> Iterator[tuple[str, str]]:
    """The examples that have a range of time, numbered: the range with a title, the options, and the interval.

    What follows the present cannot be asked for in das2.
    """
    ranged = [
        each
        for each in definition.examples
        if {"read.time.min", "read.time.max"} <= {*dict(each.request)}
        and dict(each.request)["read.time.max"] != "forever"
    ]
    for number, example in enumerate(ranged[:_LONGEST_LIST]):
        asked = dict(example.request)
        span = f"{_time(asked['read.time.min'])} to {_time(asked['read.time.max'])}"
        yield f"exampleRange_{number:02d}", " | ".join(part for part in (span, _part(example.title)) if part)
        yield f"exampleInterval_{number:02d}", asked.get("read.time.inter", "")
        yield f"exampleParams_{number:02d}", _params(example.request)


def _params(request: Pairs) -> str:
    """The options of a request as das2 clients send them: `params`."""
    raw = dict(request).get("read.opts")
    return raw or " ".join(f"{name.removeprefix('read.')}={text}" for name, text in request if _is_own(name))


def _is_own(name: str) -> bool:
    """Whether a parameter is an option of the reader's own."""
    return name.startswith("read.") and name.count(".") == 1 and name not in ("read.opts", "read.data")


def _is_option(param: ParamSpec) -> bool:
    return _is_own(param.name) or param.type == "arguments"


def _param(param: ParamSpec) -> Iterator[str]:
    """An option: its name, what it means, how it is written, and what it may be.

    Arguments have the texts of their values, which are already the parts of such a key.
    """
    if param.type == "arguments":
        yield from (" | ".join([name, title or name]) for name, title in param.values)
        return
    name = param.name.removeprefix("read.")
    values = [value for value, _title in param.values] or (["true", "false"] if param.type == "boolean" else [])
    parts = [name, _part(param.title) or name, f"{name}=@"]
    yield " | ".join([*parts, f"option: {' '.join(map(_part, values))}"] if values else parts)


def _variable(name: str, title: str, units: str | None) -> str:
    """A variable: its name, what it is, and its units."""
    return " | ".join([name, _part(title) or name, *([_part(units)] if units else [])])


def _part(text: str) -> str:
    """A text that is one part of a value: without what separates parts."""
    return " ".join(text.replace("|", "/").split())


def _time(text: str) -> str:
    """The end of a range: das2 clients know no other word than NOW."""
    return "NOW" if text.lower() in ("now", "forever") else text
