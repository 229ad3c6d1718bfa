# SPDX-License-Identifier: GPL-3.0-or-later
"""Other forms of definition than TOML: what an importer gives, and which importer reads a file."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.findings import Finding
from dasflex_core.errors import DasflexError, Place
from dasflex_core.loading import load
from dasflex_core.registry import CORE_IMPORTERS
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path, PurePath

    from dasflex_core.catalog.findings import KeyPath
    from dasflex_core.declarations import DefinitionImporter

__all__ = ["TOML", "Forms", "Imported", "imported"]

#: The suffix of the form that is read without an importer.
TOML: Final = ".toml"
#: The end of names that are no definitions, though their suffix is that of one: schemas, which editors are given.
_NO_DEFINITION: Final = ".schema.json"


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file of another form says, as the tables that a TOML definition has.

    `origins` tells where each key of the tables comes from; a blank `key` there stands for its path. `called` is what
    keys are called in this form, for those that the file does not have. `findings` make the definition wrong, and
    `warnings` do not. `may_lack` are keys that a TOML definition must have, and that this form never asked for: their
    absence is a warning. `included` are the other files that were read. `comments` are those of the file, by the key
    that they belong to; under the empty path, those at its end.
    """

    tables: Mapping[str, object]
    origins: Mapping[KeyPath, Place] = field(default_factory=dict, hash=False)
    called: Mapping[KeyPath, str] = field(default_factory=dict, hash=False)
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    may_lack: frozenset[KeyPath] = frozenset()
    included: tuple[str, ...] = ()
    comments: Mapping[KeyPath, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of definition beside TOML, and the directory whose files they may include."""

    importers: tuple[DefinitionImporter, ...] = CORE_IMPORTERS
    include: Path | None = None

    def importer(self, path: PurePath) -> DefinitionImporter | None:
        """What reads a file that is no TOML; None for any other."""
        return next((each for each in self.importers if path.suffix.lower() == each.suffix), None)

    def are_form_of(self, path: PurePath) -> bool:
        """Whether a file's name is that of a definition, or of the description of a directory."""
        name = path.name
        if name.startswith(".") or name.endswith(_NO_DEFINITION):
            return False
        return path.suffix == TOML or self.importer(path) is not None


def imported(importer: DefinitionImporter, text: str, file: str, include: Path | None) -> Imported:
    """What an importer makes of a text. One that fails is told, and named."""
    try:
        made = load(importer.read)(text, file, include)
    except DasflexError as error:
        return Imported({}, findings=(Finding(error.kind, f"{importer.title}: {error.message}", Place(file)),))
    except Exception as error:  # noqa: BLE001  a stranger's plugin may raise anything; it is named, not hidden
        message = f"the importer {importer.name} failed: {type(error).__name__}: {error}"
        return Imported({}, findings=(Finding("config.plugin", message, Place(file)),))
    if not isinstance(made, Imported):
        message = f"the importer {importer.name} gives no Imported, but {made!r:.80}"
        return Imported({}, findings=(Finding("config.plugin", message, Place(file)),))
    return made
