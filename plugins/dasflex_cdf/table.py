# SPDX-License-Identifier: GPL-3.0-or-later
"""The table `[cdf]` of a definition, and what else of a definition a CDF says. A plan is made of it: no numpy here.

[cdf]
skeleton = "juno_wav_survey.cdf"          # beside the definition
names = { spec_dens = "E_psd" }           # variable of the stream = variable of the CDF
[cdf.attributes]                          # of the file
Project = "Juno"
Discipline = ["Planetary Physics>Fields"]
[cdf.variables.spec_dens]                 # of a variable, by its name in the stream
CATDESC = "Electric spectral density"
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, did_you_mean
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.model import Definition, Reader

__all__ = ["KEYS", "Told", "told"]

#: The keys of the table.
KEYS: Final = ("skeleton", "names", "attributes", "variables")
#: Attributes that the values themselves decide.
_OURS: Final = ("FILLVAL", "VAR_TYPE", "DEPEND_", "LABL_PTR_", "LENGTH_VAR_", "DELTA_")


@dataclass(frozen=True, slots=True)
class Told:
    """What a CDF is told by its definition.

    `names` are those of variables in the file by those of the stream; `attributes` are of the file, each with its
    entries; `variables` has attributes by variable of the stream. `source`, `title`, `summary`, `scientist`, `cite` and
    `licence` are what the definition says anyway.
    """

    names: Mapping[str, str]
    skeleton: str
    attributes: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, Mapping[str, str]]
    source: str = ""
    title: str = ""
    summary: str = ""
    scientist: str = ""
    doi: str = ""
    spase: str = ""
    licence: str = ""
    cite: str = ""

    @classmethod
    def read(cls, facts: str, words: str) -> Told:
        """What two texts say, as `told` writes them; blank ones say nothing. Raises `ConfigError`."""
        try:
            held = json.loads(words or "{}")
            names = json.loads(facts or "{}")
            return cls(
                names={str(key): str(text) for key, text in names.items()},
                skeleton=str(held.pop("skeleton", "")),
                attributes={key: tuple(map(str, entries)) for key, entries in held.pop("attributes", {}).items()},
                variables={key: dict(own) for key, own in held.pop("variables", {}).items()},
                **{key: str(text) for key, text in held.items()},
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise _bad(f"facts and words of a CDF are JSON objects: {error}") from error


def told(source: Definition, reader: Reader) -> tuple[str, str]:  # noqa: ARG001  what every such function is given
    """What a definition says to the CDF stage: the names of variables, and all words.

    Raises `ConfigError` for a table that is wrong, and for a skeleton that is not there.
    """
    table = next((each for each in source.tables if each.name == "cdf"), None)
    own: dict[str, object] = json.loads(table.values) if table else {}
    names = _names(source, own.get("names", {}))
    words: dict[str, object] = {
        "source": source.id,
        "title": source.title,
        "summary": source.summary,
        "scientist": source.contacts.scientific,
        "doi": source.cite.doi,
        "spase": source.cite.spase,
        "licence": source.cite.licence,
        "cite": source.cite.text,
        "skeleton": _skeleton(source, own.get("skeleton", "")),
        "attributes": {key: _entries(key, value) for key, value in _table(own, "attributes").items()},
        "variables": {name: _attributes(name, value) for name, value in _table(own, "variables").items()},
    }
    kept = {key: value for key, value in words.items() if value}
    return _json(names) if names else "", _json(kept)


def _json(value: object) -> str:
    """A value in one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _bad(text: str) -> ConfigError:
    """The error for a table that is wrong."""
    return ConfigError(text, kind="config.bad-value")


def _table(own: Mapping[str, object], key: str) -> Mapping[str, object]:
    """A table of the table."""
    value = own.get(key, {})
    if not isinstance(value, dict):
        raise _bad(f"[cdf] {key} is a table, such as [cdf.{key}]")
    return value


def _names(source: Definition, value: object) -> dict[str, str]:
    """The names of variables. Raises `ConfigError` for two that are one."""
    if not isinstance(value, dict) or not all(isinstance(text, str) and text for text in value.values()):
        raise _bad('[cdf] names is a table of names, such as { spec_dens = "E_psd" }')
    if len({text.lower() for text in value.values()}) < len(value):
        raise _bad("[cdf] names calls two variables by one name; each needs its own")
    if source.data and source.coords:
        known = {*source.data, *source.coords}
        for name in value:
            if name not in known and not any(name.startswith(f"{each}.") for each in known):
                raise _bad(f"[cdf] names: the definition has no variable {name!r}.{did_you_mean(name, known)}")
    return dict(value)


def _skeleton(source: Definition, value: object) -> str:
    """The absolute path of the skeleton; blank where there is none."""
    if not isinstance(value, str):
        raise _bad("[cdf] skeleton is the name of a CDF file beside the definition")
    if not value:
        return ""
    path = Path(source.directory) / value
    if not path.is_file():
        raise _bad(f"[cdf] skeleton: there is no file {path}")
    return str(path)


def _entries(key: str, value: object) -> list[str]:
    """The entries of an attribute of the file."""
    entries = value if isinstance(value, list) else [value]
    if not entries or not all(isinstance(each, (str, int, float)) for each in entries):
        raise _bad(f"[cdf.attributes] {key} is a text, a number, or a list of these")
    return [_text(each) for each in entries]


def _attributes(name: str, value: object) -> dict[str, str]:
    """The attributes of a variable."""
    if not isinstance(value, dict) or not all(isinstance(each, (str, int, float)) for each in value.values()):
        raise _bad(f'[cdf.variables.{name}] has attributes as texts or numbers, such as CATDESC = "…"')
    for key in value:
        if key.startswith(_OURS):
            raise _bad(f"[cdf.variables.{name}] {key} follows from the data, and is not written")
    return {key: _text(each) for key, each in value.items()}


def _text(value: object) -> str:
    """A value as an attribute has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
