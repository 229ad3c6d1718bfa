# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of das3 headers, read and written: `<properties><p name="…" type="…">value</p></properties>`.

The names that the published schema allows are here too, since they bind everything that a header names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Properties, Property
from dasflex_das.das3_messages import attributes
from dasflex_das.elements import content_text

if TYPE_CHECKING:
    from dasflex_das.elements import Element

__all__ = [
    "TYPES",
    "items",
    "read_properties",
    "struct_name",
    "term_byte",
    "word_name",
    "write_properties",
]

#: The types of das3 properties (das 3.0 schema, `PropType`).
TYPES: Final = frozenset(
    {
        "string",
        "stringArray",
        *(base + form for base in ("bool", "datetime", "integer", "real") for form in ("", "Array")),
        *(base + "Range" for base in ("datetime", "integer", "real")),
    }
)
_LONGEST: Final = 63
_STRUCT: Final = re.compile(r"[^a-zA-Z0-9_.\-,:]")
_WORD: Final = re.compile(r"[^a-zA-Z0-9_.]")
_ESCAPES: Final = {r"\n": "\n", r"\t": "\t", r"\r": "\r", r"\0": "\0"}


def read_properties(parent: Element) -> Properties:
    """The properties among the children of an element; of two with one name the later counts.

    Values are stripped of blanks on both sides, line breaks inside are kept (the das3 stream format, properties).
    `sep` is what release candidates called `term`.
    """
    found = {}
    for group in parent.all("properties"):
        for entry in group.all("p"):
            name, kind = entry.get("name"), entry.get("type", "string")
            term = entry.get("term") or entry.get("sep")
            others = tuple((each.get("lang"), each.text.strip()) for each in entry.all("alt"))
            found[name] = Property(name, entry.text.strip(), kind, entry.get("units"), term, others)
    return Properties(tuple(found.values()))


def write_properties(properties: Properties, indent: str) -> str:
    """The `<properties>` element in lines that start with `indent`; empty where there are no properties."""
    if not properties:
        return ""
    lines = "".join(f"{indent}  {_written(entry)}\n" for entry in properties)
    return f"{indent}<properties>\n{lines}{indent}</properties>\n"


def _written(entry: Property) -> str:
    """One `<p>` element. A type that das3 does not know is written as a string."""
    kind = entry.type if entry.type in TYPES else "string"
    named = attributes(
        ("type", "" if kind == "string" else kind),
        ("name", struct_name(entry.name)),
        ("units", entry.units),
        ("term", entry.term),
    )
    others = "".join(
        f"<alt{attributes(('lang', lang))}>{content_text(text)}</alt>" for lang, text in entry.translations
    )
    return f"<p{named}>{content_text(entry.text)}{others}</p>"


def struct_name(text: str) -> str:
    """The text as a `StructName` of the das 3.0 schema: what it may not hold becomes `_`, at most 63 characters."""
    return _lettered(_STRUCT.sub("_", text))


def word_name(text: str) -> str:
    """The text as a name of a dataset or a physical dimension: letters, digits, `_` and `.`, at most 63 characters."""
    return _lettered(_WORD.sub("_", text))


def _lettered(text: str) -> str:
    """The name with a letter in front."""
    return (text if text[:1].isalpha() else "n_" + text)[:_LONGEST]


def term_byte(term: str) -> str:
    """The one character that a terminator of a header stands for: itself, or what an escape of a letter means."""
    return _ESCAPES.get(term, term)


def items(entry: Property) -> list[str]:
    """The items of an array property: split at its terminator, or at blanks where it has none."""
    if not entry.term:
        return entry.text.split()
    found = [item.strip() for item in entry.text.split(term_byte(entry.term))]
    return found[:-1] if found and not found[-1] else found
