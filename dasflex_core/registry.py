# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed: the plugins, what each provides, what failed to load and why. The only caller of pluggy.

A broken plugin takes nothing down: it is left out, and says why wherever plugins are listed. pluggy is imported only
where plugins are asked: most requests have their answers from the manifest.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, TypeVar

from dasflex_core import declarations
from dasflex_core.errors import ConfigError
from dasflex_core.extras import Extra
from dasflex_core.loading import load
from dasflex_core.stages import Framer, StageSpec, spec_of
from dasflex_core.streamtype import StreamType, StreamTypeInfo, check_traits
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click
    import pluggy

__all__ = ["CORE_FAMILIES", "PluginInfo", "Registry", "discover"]

T = TypeVar("T")
GROUP = "dasflex"

#: The families of the core, in the order of a path.
CORE_FAMILIES = (
    declarations.Family("read", 100, "What is read"),
    declarations.Family("dft", 200, "Fourier transforms"),
    declarations.Family("calc", 300, "Calculations"),
    declarations.Family("bin", 400, "Averages and other statistics of bins"),
    declarations.Family("view", 500, "What a display needs"),
    declarations.Family("format", 600, "The form of the answer"),
)


#: The forms of definition that the core itself reads, beside TOML.
CORE_IMPORTERS = (
    declarations.DefinitionImporter(
        "dsdf", ".dsdf", "Source definitions of das2 servers", "dasflex_core.catalog.dsdf_import:read_dsdf"
    ),
    declarations.DefinitionImporter(
        "json", ".json", "Definitions in JSON, with comments", "dasflex_core.catalog.json_definition:read_json"
    ),
)
#: The tables of definitions that the core itself keeps for whoever has a use for them.
CORE_TABLES = (declarations.DefinitionTable("dsdf", "What a DSDF file said that means nothing here", keys=("*",)),)


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin: its entry point's name and module, its distribution and version, and why it failed, if it did.

    `api` is the version of the plugin API that it says it is written for; blank where it says none.
    """

    name: str
    module: str
    distribution: str = ""
    version: str = ""
    error: str = ""
    provides: tuple[str, ...] = ()
    api: str = ""

    @property
    def bundled(self) -> bool:
        """Whether the plugin came with dasflex itself."""
        return self.distribution == "dasflex"


@dataclass(frozen=True, slots=True)
class Registry:
    """All that the installed plugins declare, as frozen data. `extras` are those whose library is not installed."""

    plugins: tuple[PluginInfo, ...] = ()
    stages: tuple[StageSpec, ...] = ()
    stream_types: tuple[StreamTypeInfo, ...] = ()
    families: tuple[declarations.Family, ...] = CORE_FAMILIES
    conventions: tuple[declarations.Convention, ...] = ()
    importers: tuple[declarations.DefinitionImporter, ...] = CORE_IMPORTERS
    tables: tuple[declarations.DefinitionTable, ...] = CORE_TABLES
    reader_kinds: tuple[declarations.ReaderKind, ...] = ()
    classic_programs: tuple[declarations.ClassicProgram, ...] = ()
    authenticators: tuple[declarations.Authenticator, ...] = ()
    task_kinds: tuple[declarations.TaskKind, ...] = ()
    summings: tuple[declarations.Summing, ...] = ()
    mounted: tuple[declarations.Mount, ...] = ()
    extras: tuple[Extra, ...] = ()
    manager: pluggy.PluginManager | None = field(default=None, compare=False, repr=False)

    @property
    def summing(self) -> declarations.Summing | None:
        """How bins are kept; None where no plugin says it."""
        return next(iter(self.summings), None)

    def stream_type(self, produced: StreamType) -> StreamTypeInfo | None:
        """What is registered of a type; of an unknown variant, the first that fits."""
        for info in self.stream_types:
            if info.type.serves(produced):
                return info
        return None

    def framer(self, produced: StreamType) -> Framer | None:
        """A new framer for a type; None where there is none."""
        info = self.stream_type(produced)
        if info is None or not info.framer:
            return None
        made = load(info.framer)()
        if not isinstance(made, Framer):
            raise ConfigError(f"{info.framer} makes no framer", kind="config.plugin")
        return made

    def by_suffix(self, suffix: str) -> StreamTypeInfo | None:
        """The type whose files have a suffix (without its dot)."""
        return next((info for info in self.stream_types if info.suffix and info.suffix == suffix.lower()), None)

    def lacking(self, *, kind: str = "", suffix: str = "", stage: str = "", param: str = "") -> str:
        """What is to be installed for a stream type, a suffix, a stage or a parameter that an extra would bring.

        It is the end of a sentence, for an error's text; blank where no extra brings that.
        """
        suffix = suffix.lower()
        for each in self.extras:
            types = any(info.type.kind == kind or (info.suffix and info.suffix == suffix) for info in each.stream_types)
            named = any(stage == spec.name or param in {own.name for own in spec.params} for spec in each.stages)
            if types or named:
                return f"is not installed here: it needs pip install {each.requirement!r}, by whoever runs this dasflex"
        return ""

    def convention(self, name: str) -> declarations.Convention:
        """The convention of that name. Raises `ConfigError`."""
        for each in self.conventions:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.conventions)
        raise ConfigError(f"No plugin provides the convention {name!r}; there are {known}", kind="config.plugin")

    def commands(self) -> list[click.Command]:
        """The verbs that plugins add to the `dasflex` command. A plugin that fails here warns and is left out.

        No manifest holds them: where the registry came from one, the plugins are asked now.
        """
        found: list[click.Command] = []
        manager = self.manager or discover().manager
        if manager is not None:
            _call(manager, "dasflex_commands", found.append)
        return found

    def mounts(self) -> list[declarations.Mount]:
        """The WSGI applications that plugins mount."""
        return list(self.mounted)


def _call(manager: pluggy.PluginManager, hook: str, register: Callable[[T], object]) -> dict[str, str]:
    """Calls a hook of each plugin by itself, so that one that fails leaves the others; gives the failures by name."""
    import warnings

    failed: dict[str, str] = {}
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        try:
            implementation.function(register)
        except Exception as error:  # noqa: BLE001  a stranger's plugin may raise anything; it is named, not hidden
            failed[implementation.plugin_name] = f"{hook}: {type(error).__name__}: {error}"
            warnings.warn(f"Plugin {implementation.plugin_name} is left out: {error}", RuntimeWarning, stacklevel=2)
    return failed


class _Collector:
    """Gathers what one plugin declares."""

    def __init__(self, info: PluginInfo) -> None:
        self.info = info
        self.stages: list[StageSpec] = []
        self.found: dict[str, list[object]] = {}

    def stage(self, declared: StageSpec | type) -> None:
        """Takes a stage."""
        self.stages.append(self._checked(declared))

    def extra(self, declared: object) -> None:
        """Takes an extra: what comes with it where its library is there, else the extra itself."""
        if not isinstance(declared, Extra):
            raise ConfigError(f"dasflex_extras registers an Extra, not {declared!r}", kind="config.plugin")
        stages = tuple(self._checked(each) for each in declared.stages)
        if _is_installed(declared.library):
            self.stages += stages
            self.found.setdefault("dasflex_stream_types", []).extend(declared.stream_types)
        else:
            self.found.setdefault("dasflex_extras", []).append(replace(declared, stages=stages))

    def _checked(self, declared: StageSpec | type) -> StageSpec:
        """A stage, checked and marked with its origin."""
        spec = spec_of(declared)
        check_traits(spec.needs | spec.refuses | spec.adds | spec.drops, f"stage {spec.name}")
        if not all(0 <= each < float("inf") for each in (spec.cost.start, spec.cost.per_gb)):
            raise ConfigError(f"stage {spec.name}: a cost is a number of seconds from 0 on", kind="config.plugin")
        return replace(spec, bundled=self.info.bundled, origin=self.info.name)

    def other(self, hook: str, kind: type) -> Callable[[object], None]:
        """Takes a declaration of a kind; anything else is the plugin's fault."""

        def register(declared: object) -> None:
            if not isinstance(declared, kind):
                raise ConfigError(f"{hook} registers a {kind.__name__}, not {declared!r}", kind="config.plugin")
            self.found.setdefault(hook, []).append(declared)

        return register


_KINDS: dict[str, type] = {
    "dasflex_stream_types": StreamTypeInfo,
    "dasflex_families": declarations.Family,
    "dasflex_conventions": declarations.Convention,
    "dasflex_definition_importers": declarations.DefinitionImporter,
    "dasflex_definition_tables": declarations.DefinitionTable,
    "dasflex_reader_kinds": declarations.ReaderKind,
    "dasflex_classic_programs": declarations.ClassicProgram,
    "dasflex_authenticators": declarations.Authenticator,
    "dasflex_task_kinds": declarations.TaskKind,
    "dasflex_summings": declarations.Summing,
    "dasflex_mounts": declarations.Mount,
}


def _loaded(info: PluginInfo, loader: Callable[[], object]) -> object:
    """The module of a plugin. Raises `ConfigError` where it is written for another version, and whatever it raises.

    One of another version may fail to load just because of that: then its source says it.
    """
    from dasflex_core.api_version import checked_api, stated_api, written_api
    from dasflex_core.hookspecs import API_VERSION

    try:
        module = loader()
    except Exception:
        checked_api(written_api(info.module), API_VERSION, bundled=info.bundled)
        raise
    checked_api(stated_api(module), API_VERSION, bundled=info.bundled)
    return module


def _collect(info: PluginInfo, module: object) -> _Collector:
    """What a plugin's module declares, asked through a manager of its own. Raises whatever the plugin raises."""
    import pluggy

    from dasflex_core import hookspecs

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, info.name)
    manager.check_pending()
    collector = _Collector(info)
    manager.hook.dasflex_stages(register=collector.stage)
    for hook, kind in _KINDS.items():
        getattr(manager.hook, hook)(register=collector.other(hook, kind))
    manager.hook.dasflex_extras(register=collector.extra)
    return collector


def discover(entry_points: Iterable[tuple[PluginInfo, Callable[[], object]]] | None = None) -> Registry:
    """The registry of the installed plugins. One that fails is left out, with a warning, and listed with its reason.

    `entry_points` (pairs of what is known of a plugin, and how to load its module) stand in for the installed ones.
    """
    import warnings

    import pluggy

    from dasflex_core import hookspecs
    from dasflex_core.api_version import stated_api

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins: list[PluginInfo] = []
    good: list[_Collector] = []
    for info, loader in _installed() if entry_points is None else entry_points:
        try:
            module = _loaded(info, loader)
            collector = _collect(info, module)
            manager.register(module, info.name)
        except Exception as error:  # noqa: BLE001  a stranger's plugin may raise anything; it is named, not hidden
            plugins.append(replace(info, error=f"{type(error).__name__}: {error}"))
            warnings.warn(f"Plugin {info.name} ({info.module}) is left out: {error}", RuntimeWarning, stacklevel=2)
            continue
        good.append(collector)
        plugins.append(replace(info, provides=_provides(collector), api=stated_api(module)))
    return Registry(
        plugins=tuple(plugins),
        stages=tuple(stage for each in good for stage in each.stages),
        stream_types=_all(good, "dasflex_stream_types", StreamTypeInfo),
        families=(*CORE_FAMILIES, *_all(good, "dasflex_families", declarations.Family)),
        conventions=(*CORE_CONVENTIONS, *_all(good, "dasflex_conventions", declarations.Convention)),
        importers=(
            *CORE_IMPORTERS,
            *_all(good, "dasflex_definition_importers", declarations.DefinitionImporter),
        ),
        tables=(*CORE_TABLES, *_all(good, "dasflex_definition_tables", declarations.DefinitionTable)),
        reader_kinds=_all(good, "dasflex_reader_kinds", declarations.ReaderKind),
        classic_programs=_all(good, "dasflex_classic_programs", declarations.ClassicProgram),
        authenticators=_all(good, "dasflex_authenticators", declarations.Authenticator),
        task_kinds=_all(good, "dasflex_task_kinds", declarations.TaskKind),
        summings=_all(good, "dasflex_summings", declarations.Summing),
        mounted=_all(good, "dasflex_mounts", declarations.Mount),
        extras=_all(good, "dasflex_extras", Extra),
        manager=manager,
    )


#: The convention of the core itself: canonical names.
CORE_CONVENTIONS = (declarations.Convention("flex", "Canonical parameters", ""),)


def _all(collectors: Iterable[_Collector], hook: str, kind: type[T]) -> tuple[T, ...]:
    """What all plugins declared through a hook."""
    return tuple(each for one in collectors for each in one.found.get(hook, ()) if isinstance(each, kind))


def _provides(collector: _Collector) -> tuple[str, ...]:
    """What a plugin provides, in words, for the list of plugins."""
    words = [f"{stage.role} {stage.name}" for stage in collector.stages]
    for hook, declared in collector.found.items():
        noun = hook.removeprefix("dasflex_").removesuffix("s").replace("_", " ").replace("familie", "family")
        words += [f"{noun} {_called(each)}" for each in declared]
    return tuple(words)


def _called(declared: object) -> str:
    """How a declaration is told from others of its kind."""
    return next((str(named) for each in ("name", "type", "path") if (named := getattr(declared, each, ""))), "")


def _is_installed(library: str) -> bool:
    """Whether a module can be found; it is not imported."""
    from importlib.util import find_spec

    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):
        return False


def _installed() -> list[tuple[PluginInfo, Callable[[], object]]]:
    """The entry points of the group `dasflex`, bundled ones first, then by name."""
    from importlib.metadata import entry_points

    found = []
    for each in entry_points(group=GROUP):
        distribution = each.dist.name if each.dist else ""
        version = each.dist.version if each.dist else ""
        found.append((PluginInfo(each.name, each.value, distribution, version), each.load))
    return sorted(found, key=lambda pair: (not pair[0].bundled, pair[0].name))
