# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of CDF variables: what programs for ISTP files take, each once in a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_cdf.parts import Part

__all__ = ["Names", "clean"]

_OTHER: Final = re.compile(r"[^A-Za-z0-9_]+")
#: What the CDF library takes is longer; programs print tables.
_LONGEST: Final = 60


class Names:
    """The names of one file. `given` are those of a definition, by the names of the stream."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self._taken: set[str] = set()

    def of(self, part: Part, epoch: Part | None, dataset: str) -> str:
        """The name of a variable: that of the definition, its property `cdfName`, else by das-streams 5.14.

        The time of records is `Epoch`, what is added to it `EpochOffset`, others have their own name. Where that is
        taken, that of the dataset comes behind it.
        """
        variable, dimension = part.variable, part.dimension
        alone = len(dimension.variables) == 1
        said = variable.properties.text("cdfName") or (dimension.properties.text("cdfName") if alone else "")
        wanted = self._given.get(variable.name) or said
        if not wanted and part is epoch:
            wanted = "Epoch"
        if not wanted and epoch is not None and dimension is epoch.dimension and variable.role == "offset":
            wanted = "EpochOffset"
        return self.free(wanted or variable.name, dataset)

    def free(self, wanted: str, dataset: str = "") -> str:
        """The name, or one like it that is not taken."""
        base = clean(wanted)
        behind = f"_{clean(dataset)}" if dataset else ""
        found, number = base, 1
        if found.lower() in self._taken and behind:
            found = base = f"{base[: _LONGEST - len(behind)]}{behind}"
        while found.lower() in self._taken:
            number += 1
            found = f"{base[: _LONGEST - 4]}_{number}"
        self._taken.add(found.lower())
        return found


def clean(name: str) -> str:
    """The name in letters, digits and underscores, a letter first.

    >>> clean("psd.max"), clean("2nd"), clean("")
    ('psd_max', 'v_2nd', 'v')
    """
    made = _OTHER.sub("_", name)[:_LONGEST]
    return made if made[:1].isalpha() else f"v_{made}".rstrip("_")
