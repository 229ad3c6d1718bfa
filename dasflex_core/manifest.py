# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: what a root is opened with, kept as JSON so that a request neither asks plugins nor parses files.

`etc/manifest.json` of a root holds the registry of plugins, the configuration, and the site's own filters, each with a
mark of what it was made from: Python, dasflex, each directory of `sys.path` and each plugin's module; the configuration
file and `etc/stages.toml`; all with their time of change. A part whose mark differs now is stale: it is made anew for
this process, and written again if permitted. Nothing of the catalog is kept here: its index is read by each request.

The manifest names code to import, so it is used only if root or the owner of the root's directory owns it and the
directory that it is in, and nobody else may write either.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dasflex_core.config import (
    STAGES_FILE,
    Config,
    config_from_plain,
    config_to_plain,
    external_stages,
    read_config,
    root_of,
)
from dasflex_core.loading import source_of
from dasflex_core.manifest_form import plain, registry_from_plain, registry_to_plain
from dasflex_core.registry import discover
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from dasflex_core.catalog.model import ExternalStage
    from dasflex_core.registry import PluginInfo, Registry

__all__ = ["Facts", "load_facts", "manifest_path"]

T = TypeVar("T")
Kept = dict[str, Any]
_FORMAT: Final = 5
_HERE: Final = __file__.rpartition("/")[0]
#: What a part of a damaged manifest raises. What it held can be made anew: it is only a stale one.
_DAMAGED: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a site is opened with; `remarks` tell the administrator what became of the manifest, if it was of no use."""

    config: Config
    registry: Registry
    external: tuple[ExternalStage, ...] = ()
    remarks: tuple[str, ...] = ()


def manifest_path(root: Path) -> Path:
    """Where the manifest of a root is."""
    return root / "etc" / "manifest.json"


def load_facts(file: Path) -> Facts:
    """What the site of a configuration file is opened with: from the manifest what is fresh and safe, the rest anew.

    Raises `ConfigError` for what is wrong with a configuration, or with the site's filters, that was changed.
    """
    file = file.absolute()
    root = root_of(file)
    kept, why = _read(manifest_path(root), root)
    marks = {"installed": _installed(kept), "configured": _marks((file, root / STAGES_FILE))}
    registry = _fresh(kept, marks, "installed", registry_from_plain)
    configured = _fresh(kept, marks, "configured", _configured_from_plain)
    if registry is not None and configured is not None:
        return Facts(configured[0], registry, configured[1])
    if not why:
        changed = ["what is installed"] * (registry is None) + ["the configuration"] * (configured is None)
        why = f"{' and '.join(changed)} changed, or it is damaged"
    if configured is None:
        config = read_config(file)
        configured = (config, external_stages(config))
    if registry is None:
        registry = discover()
    remark = _keep(manifest_path(root), *configured, registry, marks)
    return Facts(configured[0], registry, configured[1], (f"The manifest was not used: {why}. {remark}",))


# -- reading


def _read(path: Path, root: Path) -> tuple[Kept, str]:
    """What is kept, if nobody but root and the root's owner can have written it; else why it is of no use."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return {}, f"{path}: {error.strerror}"
    with os.fdopen(opened, "rb") as file:
        if not _only_by_owner(root, os.fstat(opened), path.parent.stat()):
            return {}, f"{path}: others than the owner of {root} may write it, or its directory"
        try:
            kept = json.loads(file.read())
        except (*_DAMAGED, OSError):
            return {}, f"{path} is damaged"
    if not isinstance(kept, dict) or kept.get("format") != _FORMAT:
        return {}, f"{path} was written by another version of dasflex"
    return kept, ""


def _only_by_owner(root: Path, *facts: os.stat_result) -> bool:
    """Whether nobody but root and the owner of the root's directory can have made what has these facts."""
    owners = (0, root.stat().st_uid)
    return all(
        each.st_uid in owners
        and not each.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        and (stat.S_ISREG(each.st_mode) or stat.S_ISDIR(each.st_mode))
        for each in facts
    )


def _fresh(kept: Kept, marks: Kept, name: str, make: Callable[[Any], T]) -> T | None:
    """A part of the manifest, if what it was made from is as it was; else None."""
    try:
        part = kept[name]
        return make(part["held"]) if part["mark"] == marks[name] else None
    except _DAMAGED:
        return None


def _configured_from_plain(held: Kept) -> tuple[Config, tuple[ExternalStage, ...]]:
    """The configuration and the site's own filters, as they were kept."""
    external: tuple[ExternalStage, ...] = ()
    if held["external"]:
        from dasflex_core.catalog.compiled import stages_from_plain

        external = stages_from_plain(held["external"])
    return config_from_plain(held["config"]), external


# -- what it depends on


def _marks(files: Iterable[Path | str]) -> list[Any]:
    """Files and directories, each with its time of change and size; zeros for one that is not there."""
    found = []
    for each in files:
        try:
            facts = os.stat(each or ".")  # noqa: PTH116  a dozen paths in each request: Path costs more than the call
            found.append([str(each), facts.st_mtime_ns, facts.st_size])
        except (OSError, ValueError):
            found.append([str(each), 0, 0])
    return found


def _installed(kept: Kept) -> list[Any]:
    """The mark of what is installed. The modules of plugins are those that the manifest names."""
    places = [entry for entry in sys.path if entry != _own_directory()]
    modules = kept.get("modules", ())
    return [
        sys.version,
        sys.prefix,
        _marks([*places, _HERE]),
        _marks(each for each in modules if isinstance(each, str)) if isinstance(modules, list) else [],
    ]


def _own_directory() -> str | None:
    """The directory of the program that runs, which Python put into `sys.path`: each program has another.

    Without leaving it out, the `dasflex` command and a CGI program would take turns in making the manifest anew.
    """
    if sys.flags.safe_path or not sys.argv or "/" not in sys.argv[0]:
        return None
    return os.path.realpath(sys.argv[0]).rpartition("/")[0]


# -- writing


def _keep(path: Path, config: Config, external: tuple[ExternalStage, ...], registry: Registry, marks: Kept) -> str:
    """Writes the manifest atomically, if it will be of use; says what came of it.

    Whoever may read the configuration may read it, since it repeats that.
    """
    from dasflex_core.catalog.compiled import stages_to_plain

    modules = [each for each in map(_file_of, registry.plugins) if each]
    content = {
        "format": _FORMAT,
        "modules": modules,
        "installed": {"mark": _installed({"modules": modules}), "held": registry_to_plain(registry)},
        "configured": {
            "mark": marks["configured"],
            "held": {"config": config_to_plain(config), "external": stages_to_plain(external)},
        },
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        owners = (0, config.root.stat().st_uid)
        if os.geteuid() not in owners or not _only_by_owner(config.root, path.parent.stat()):
            return f"Only the owner of {config.root} can make it anew, in a directory that others may not write."
        text = json.dumps(content, separators=(",", ":"), default=plain)
        _write(partial, text.encode("ascii"), config.file.stat())
        partial.replace(path)
    except OSError as error:
        # A read-only root works, only slower: each process makes for itself what it needs.
        import contextlib

        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        return f"It cannot be written: {error.strerror}."
    return "It was made anew."


def _write(file: Path, content: bytes, like: os.stat_result) -> None:
    """Writes a new file that those may read who may read another, and that only its owner may write."""
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(opened, "wb") as out:
        out.write(content)
        readable = like.st_mode & (stat.S_IRGRP | stat.S_IROTH)
        try:
            os.fchown(opened, -1, like.st_gid)
        except OSError:  # whoever is not of that group cannot give a file to it
            readable &= stat.S_IROTH
        os.fchmod(opened, stat.S_IRUSR | stat.S_IWUSR | readable)


def _file_of(plugin: PluginInfo) -> str:
    """The file of a plugin's module, also where it could not be imported and may be mended; blank where it has none."""
    module = sys.modules.get(plugin.module.partition(":")[0])
    return getattr(module, "__file__", None) or str(source_of(plugin.module) or "")
