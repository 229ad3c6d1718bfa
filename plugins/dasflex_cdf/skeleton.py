# SPDX-License-Identifier: GPL-3.0-or-later
"""The skeleton of a definition: a CDF whose attributes the file has, and whose constants, too.

As with classic das3_cdf (`-s`), it is made by hand or by the tools of SPDF for what no stream says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pycdfpp

from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_cdf.attributes import Attributes

__all__ = ["NO_SKELETON", "Skeleton", "read_skeleton"]

#: Attributes that the values themselves decide.
_OURS: Final = ("FILLVAL", "VAR_TYPE", "DEPEND_", "LABL_PTR_", "LENGTH_VAR_", "DELTA_")
_LIMITS: Final = ("VALIDMIN", "VALIDMAX", "SCALEMIN", "SCALEMAX")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What a skeleton says: the attributes of the file, those of variables, and variables that are constant."""

    attributes: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, Attributes]
    constants: Mapping[str, Any]


NO_SKELETON: Final = Skeleton({}, {}, {})


def read_skeleton(path: str) -> Skeleton:
    """The skeleton in a file; nothing where the path is blank. Raises `SourceError` for what is no CDF."""
    if not path:
        return NO_SKELETON
    try:
        held = pycdfpp.load(path)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unread(f"{path}: {error}") from error
    if held is None:
        raise _unread(path)
    return Skeleton(
        {name: tuple(_texts(held.attributes[name])) for name in held.attributes},
        {name: _attributes(held[name]) for name in held},
        {name: held[name] for name in held if held[name].is_nrv and tuple(held[name].shape)[:1] == (1,)},
    )


def _unread(detail: str) -> SourceError:
    """The error for a skeleton that is none; the client sees no path."""
    return SourceError("The CDF skeleton of this source cannot be read", kind="source.start", detail=detail)


def _texts(attribute: Iterable[Any]) -> Iterable[str]:
    """The entries of an attribute as text."""
    for entry in attribute:
        if isinstance(entry, str):
            yield entry
        else:
            yield from map(str, entry)


def _attributes(variable: Any) -> Attributes:  # noqa: ANN401  a variable of the library
    """What a skeleton may say of a variable: its texts, and limits of numbers."""
    from dasflex_cdf.attributes import Own

    found: Attributes = {}
    for name, attribute in variable.attributes.items():
        value = attribute.value
        if name.startswith(_OURS):
            continue
        if isinstance(value, str):
            if value.strip():
                found[name] = value
        elif name in _LIMITS and len(value) == 1 and isinstance(value[0], (int, float)):
            found[name] = Own(value[0])
    return found
