# SPDX-License-Identifier: GPL-3.0-or-later
"""The global attributes of a file: what the guidelines require, from the definition, the stream and the skeleton.

What the table `[cdf.attributes]` says comes first, then the skeleton, then properties of the stream (das-streams 5.14:
each becomes an attribute), then what else the definition says. What is required and nobody knows is one blank, which is
how ISTP files have it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_cdf.names import clean
from dasflex_cdf.saying import items_of, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_cdf.table import Told
    from dasflex_core.arrays import Dataset, StreamHeader

__all__ = ["Globals", "globals_of"]

Globals = dict[str, tuple[str, ...]]

#: What the guidelines require or recommend (ISTP, global attributes), in their order.
_REQUIRED: Final = (
    *("Project", "Source_name", "Discipline", "Data_type", "Descriptor", "File_naming_convention", "Data_version"),
    *("PI_name", "PI_affiliation", "TEXT", "Instrument_type", "Mission_group", "Logical_source", "Logical_file_id"),
    "Logical_source_description",
)
#: The properties of streams that have a name of their own in CDF (das-streams 5.14).
_RENAMED: Final = {"title": "TITLE", "label": "TITLE", "summary": "TEXT", "info": "TEXT"}
_ADDRESS: Final = re.compile(r"\s*<[^>]*>")


def globals_of(
    told: Told, stream: StreamHeader, datasets: Iterable[Dataset], day: str, notes: tuple[str, ...]
) -> Globals:
    """What a file has without a skeleton. `day` is the first of its data, as 20310402; `notes` go last."""
    made = _defined(told, stream)
    for name, entries in _streamed(stream, tuple(datasets)).items():
        before = made.get(name, ()) if name == "TEXT" else ()
        made[name] = tuple(dict.fromkeys((*before, *entries)))
    made |= told.attributes
    made["TEXT"] = tuple(each for each in (*made.get("TEXT", ()), *notes) if each.strip()) or (" ",)
    source = made["Logical_source"][0]
    made.setdefault("Logical_file_id", (f"{source}_{day or '00000000'}_v{_version(made)}",))
    ordered = {name: made.get(name, (" ",)) for name in _REQUIRED}
    return {name: tuple(each or " " for each in entries) for name, entries in (ordered | made).items()}


def _version(made: Globals) -> str:
    """The version of the data in two digits at least."""
    text = made.get("Data_version", ("1",))[0].strip()
    return text.zfill(2) if text.isdigit() else clean(text)


def _defined(told: Told, stream: StreamHeader) -> Globals:
    """What follows from the definition."""
    source = told.source or stream.properties.text("sourceId") or "dasflex"
    parts = [clean(each) for each in source.split("/") if each]
    made: Globals = {
        "Project": (parts[0],),
        "Source_name": (parts[0],),
        "Discipline": ("Space Physics",),
        "Data_type": ("_".join(parts[1:-1]) or parts[-1],),
        "Descriptor": (parts[-1],),
        "File_naming_convention": ("source_datatype_descriptor_yyyyMMdd",),
        "Data_version": ("1",),
        "PI_name": (_ADDRESS.sub("", told.scientist) or " ",),
        "Mission_group": (parts[0],),
        "Logical_source": ("_".join(parts),),
        "Logical_source_description": (told.title or stream.properties.text("title") or source,),
        "Generated_by": ("dasflex",),
    }
    more = {
        "TITLE": told.title,
        "TEXT": told.summary,
        "DOI": told.doi,
        "spase_DatasetResourceID": told.spase,
        "Rules_of_use": told.licence,
        "Acknowledgement": told.cite,
    }
    return made | {name: (" ".join(text.split()),) for name, text in more.items() if text.strip()}


def _streamed(stream: StreamHeader, datasets: tuple[Dataset, ...]) -> Globals:
    """The properties of the stream, and of its datasets, which have their names before them where there are several."""
    made: Globals = {}
    sources = [
        ("", stream.properties),
        *((each.name if len(datasets) > 1 else "", each.properties) for each in datasets),
    ]
    for prefix, properties in sources:
        for each in properties:
            name = _RENAMED.get(each.name, each.name) if not prefix else f"{prefix}_{each.name}"
            texts = [plain_text(each.text) if name in ("TITLE", "TEXT") else each.text.strip() for each in (each,)]
            texts = items_of(each) if each.type.lower().endswith("array") else texts
            entries = tuple(f"{text} {each.units}".strip() for text in texts if text)
            if entries and name not in made:
                made[name] = entries
    return made


def merged(own: Mapping[str, tuple[str, ...]], told: Told, skeleton: Mapping[str, tuple[str, ...]]) -> Globals:
    """The attributes with those of a skeleton, which yield to the table of the definition; blank ones yield to all."""
    said = {name: entries for name, entries in skeleton.items() if any(each.strip() for each in entries)}
    return {**own, **{name: entries for name, entries in said.items() if name not in told.attributes}}
