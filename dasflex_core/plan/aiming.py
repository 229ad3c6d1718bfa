# SPDX-License-Identifier: GPL-3.0-or-later
"""The types that would do as an answer: what a request says of its format, over what its convention and source say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError, did_you_mean, shown
from dasflex_core.streamtype import ARRAYS, StreamType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.declarations import Convention
    from dasflex_core.plan.binding import Bound
    from dasflex_core.registry import Registry

__all__ = ["fitting", "goal_of", "goals_of"]

_LONGEST_VERSION: Final = 16


def fitting(registry: Registry, defaults: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    """The defaults without the version and the serialisation of a format that is not the one asked for."""
    kind = asked.get("format.type")
    known = [info.type for info in registry.stream_types if info.type.kind == kind]
    lost: set[str] = set()
    if kind and kind != defaults.get("format.type"):
        lost |= {"format.version"} - {"format.version" for each in known if each.version}
        lost |= {"format.serial"} - {"format.serial" for each in known if each.variant}
    return {name: text for name, text in defaults.items() if name not in lost}


def goals_of(registry: Registry, request: Mapping[str, str], bound: Bound, default: str) -> list[StreamType]:
    """The types that would do: what `format.type` and its kin ask, or the types of the source's readers."""
    kind = request.get("format.type", "")
    version, serial = request.get("format.version", ""), request.get("format.serial", "")
    _check_kind(registry, kind)
    if version and not (version.isalnum() and len(version) <= _LONGEST_VERSION):
        raise QueryError(f"format.version={shown(version)} is no version; one is 2 or 3", kind="query.bad-value")
    if serial not in ("", "text", "binary"):
        raise QueryError(f"format.serial={shown(serial)} is neither text nor binary", kind="query.bad-value")
    if kind:
        forms = [info for info in registry.stream_types if info.type.kind == kind]
        if serial and not any(info.type.variant for info in forms):
            if not any(info.text == (serial == "text") for info in forms):
                only = "binary" if serial == "text" else "text"
                what = f"format.serial={serial} cannot be had: {kind} is {only} only"
                raise QueryError(what, kind="query.unreachable-type")
            serial = ""  # the format has one form, and it is this
        return [StreamType(kind, version, serial)]
    if default:
        conventional = StreamType.parse(default)
        return [replace(conventional, version=version or conventional.version, variant=serial)]
    own = dict.fromkeys(each.spec.produces for each in bound.stages.values() if each.reader)
    if not own:
        return [StreamType("das", version, serial)]
    if ARRAYS in own:  # they are in memory: das3 can tell all that they hold
        own = dict.fromkeys(StreamType("das", "3") if each == ARRAYS else each for each in own)
    registered = {info.type for info in registry.stream_types}
    asked = [replace(each, version=version or each.version, variant=serial or each.variant) for each in own]
    return [replace(each, variant=serial) if version and each not in registered else each for each in asked]


def _check_kind(registry: Registry, kind: str) -> None:
    """Raises `QueryError` for a kind of stream that is unknown, or that needs what is not installed."""
    if not kind or any(info.type.kind == kind for info in registry.stream_types):
        return
    known = dict.fromkeys(info.type.kind for info in registry.stream_types if info.suffix)
    there_are = ", ".join(known)
    if lacking := registry.lacking(kind=kind):
        raise QueryError(f"format.type={kind} {lacking}; there are {there_are}", kind="query.unreachable-type")
    hint = did_you_mean(kind, known)
    raise QueryError(
        f"format.type={shown(kind)} is unknown.{hint} There are {there_are}", kind="query.unreachable-type"
    )


def goal_of(how: Convention, bound: Bound) -> str:
    """The type of a request that names none; blank where the clients take what the source gives as it is."""
    kinds = {each.spec.produces.kind for each in bound.stages.values() if each.reader}
    return "" if kinds and kinds <= set(how.reads) else how.goal
