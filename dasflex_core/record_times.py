# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables are times, and which of them says when a record is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core import epochs

if TYPE_CHECKING:
    from dasflex_core.arrays import Dataset, Variable

__all__ = ["is_time", "time_of"]

#: The roles of a coordinate that says when a record is, the best first.
_ROLES: Final = ("center", "reference", "mean", "average", "min", "max")


def is_time(variable: Variable) -> bool:
    """Whether the values are times: datetime64, or numbers of the semantic `datetime` that count from an epoch.

    >>> import numpy as np
    >>> from dasflex_core.arrays import Variable
    >>> is_time(Variable("time", "center", "datetime", "us2000", (-1,), np.dtype("f8")))
    True
    >>> is_time(Variable("offset", "offset", "real", "s", (None, 4), np.dtype("f8")))
    False
    """
    letter = variable.dtype.kind
    return letter == "M" or (variable.semantic == "datetime" and letter in "iuf" and epochs.is_epoch(variable.units))


def time_of(dataset: Dataset) -> Variable | None:
    """The variable that says when a record is, one time for each; None where there is none."""
    found = [
        each
        for dimension in dataset.dimensions
        if dimension.coordinate
        for each in dimension.variables
        if each.per_record and not each.shape and each.role in _ROLES and is_time(each)
    ]
    return min(found, key=lambda each: _ROLES.index(each.role), default=None)
