# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: what the installed plugins declare, kept as JSON so that a request need not ask them.

`etc/manifest.json` of a root holds the registry and a stamp of what it was made from: Python, dasflex, and each
directory of `sys.path` with its time of change. With another stamp it is stale: the registry is made anew, and written
again if permitted. It names code to import, so it is used only if root or the owner of the root's directory owns it,
and nobody else may write it.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dasflex_core import hookspecs
from dasflex_core.registry import PluginInfo, Registry, discover
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["load_registry", "manifest_path"]

T = TypeVar("T")
_FORMAT = 2
_LISTS: dict[str, type] = {
    "families": hookspecs.Family,
    "conventions": hookspecs.Convention,
    "importers": hookspecs.DefinitionImporter,
    "tables": hookspecs.DefinitionTable,
    "authenticators": hookspecs.Authenticator,
    "task_kinds": hookspecs.TaskKind,
}


def manifest_path(root: Path) -> Path:
    """Where the manifest of a root is."""
    return root / "etc" / "manifest.json"


def load_registry(root: Path) -> Registry:
    """The registry of the installed plugins: from the manifest if that is fresh and safe, else made anew and kept."""
    path = manifest_path(root)
    stamp = _stamp()
    if _trusted(path, root):
        try:
            kept = json.loads(path.read_bytes())
            if kept.get("stamp") == stamp:
                return _from_json(kept)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            # A damaged manifest is only a stale one: what it held can be made anew.
            pass
    registry = discover()
    _keep(path, {"stamp": stamp, **_to_json(registry)})
    return registry


def _stamp() -> list[Any]:
    """What the manifest depends on: Python, dasflex itself, and the directories that modules come from."""
    places = []
    for entry in [*sys.path, str(Path(__file__).parent)]:
        try:
            places.append([entry, Path(entry or ".").stat().st_mtime_ns])
        except OSError:
            places.append([entry, 0])
    return [_FORMAT, sys.version, sys.executable, places]


def _trusted(path: Path, root: Path) -> bool:
    """Whether nobody but root and the root's owner can have written the manifest."""
    try:
        facts, owner = path.stat(), root.stat().st_uid
    except OSError:
        return False
    return facts.st_uid in (0, owner) and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _keep(path: Path, content: dict[str, Any]) -> None:
    """Writes the manifest atomically, readable by all and writable by its owner; where that is not permitted, not."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
        partial.chmod(0o644)
        partial.replace(path)
    except OSError:
        # A read-only root works, only slower: each request then asks the plugins themselves.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _to_json(registry: Registry) -> dict[str, Any]:
    """The registry as plain JSON."""
    lists = {name: [asdict(each) for each in getattr(registry, name)] for name in _LISTS}
    return {
        "plugins": [asdict(each) for each in registry.plugins],
        "stages": [_stage_to_json(each) for each in registry.stages],
        "stream_types": [{**asdict(each), "type": _type_to_json(each.type)} for each in registry.stream_types],
        **lists,
    }


def _stage_to_json(spec: StageSpec) -> dict[str, Any]:
    """A stage as plain JSON: types as text, traits as sorted lists."""
    plain = {
        each.name: getattr(spec, each.name)
        for each in fields(spec)
        if each.name not in ("accepts", "produces", "needs", "adds", "drops", "params", "cost")
    }
    return {
        **plain,
        "accepts": None if spec.accepts is None else _type_to_json(spec.accepts),
        "produces": _type_to_json(spec.produces),
        "needs": sorted(spec.needs),
        "adds": sorted(spec.adds),
        "drops": sorted(spec.drops),
        "params": [asdict(each) for each in spec.params],
        "cost": [spec.cost.start, spec.cost.per_gb],
    }


def _type_to_json(kind: StreamType) -> list[str]:
    """A stream type as plain JSON: its text, then its traits."""
    return [str(kind), *sorted(kind.traits)]


def _type_from_json(kept: list[str]) -> StreamType:
    """A stream type from its plain form."""
    text, *traits = kept
    return StreamType.parse(text).with_traits(frozenset(traits))


def _from_json(kept: dict[str, Any]) -> Registry:
    """The registry that was kept."""
    return Registry(
        plugins=tuple(PluginInfo(**{**each, "provides": tuple(each["provides"])}) for each in kept["plugins"]),
        stages=tuple(_stage_from_json(each) for each in kept["stages"]),
        stream_types=tuple(
            StreamTypeInfo(**{**each, "type": _type_from_json(each["type"])}) for each in kept["stream_types"]
        ),
        families=_made(hookspecs.Family, kept["families"]),
        conventions=_made(hookspecs.Convention, kept["conventions"]),
        importers=_made(hookspecs.DefinitionImporter, kept["importers"]),
        tables=_made(hookspecs.DefinitionTable, [{**each, "keys": tuple(each["keys"])} for each in kept["tables"]]),
        authenticators=_made(hookspecs.Authenticator, kept["authenticators"]),
        task_kinds=_made(hookspecs.TaskKind, kept["task_kinds"]),
    )


def _made(kind: type[T], entries: Iterable[dict[str, Any]]) -> tuple[T, ...]:
    """Values of a kind from their fields."""
    return tuple(kind(**each) for each in entries)


def _stage_from_json(kept: dict[str, Any]) -> StageSpec:
    """A stage from its plain form."""
    accepts = kept["accepts"]
    return StageSpec(
        **{
            **kept,
            "accepts": None if accepts is None else _type_from_json(accepts),
            "produces": _type_from_json(kept["produces"]),
            "needs": frozenset(kept["needs"]),
            "adds": frozenset(kept["adds"]),
            "drops": frozenset(kept["drops"]),
            "params": tuple(
                ParamSpec(**{**each, "values": tuple((value, title) for value, title in each["values"])})
                for each in kept["params"]
            ),
            "reads": tuple(kept["reads"]),
            "cost": Cost(*kept["cost"]),
        }
    )
