# SPDX-License-Identifier: GPL-3.0-or-later
"""Binding: a definition and a request become concrete stages. The only step of planning that looks at the disk.

A reader of the definition becomes a `StageSpec` whose parameters are those that its command mentions; a filter of the
definition likewise. A view is bound to the readers of the source that it views.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dasflex_core.catalog.model import SourceLimits
from dasflex_core.errors import ConfigError, Place
from dasflex_core.plan.option_params import option_param
from dasflex_core.plan.own_readers import Setting, made_by_kind, named
from dasflex_core.plan.parameters import canonical_facts
from dasflex_core.plan.templates import SubParam, Template, TemplateParam, expand_environment, parse_template
from dasflex_core.stages import Cost, Mode, ParamSpec, StageSpec
from dasflex_core.streamtype import AXIS, StreamType
from dasflex_core.times import FOREVER, Time, parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from dasflex_core.catalog.model import Definition, ExternalStage, Option, Rate, Reader
    from dasflex_core.declarations import ReaderKind
    from dasflex_core.plan.classics import Classics
    from dasflex_core.plan.own_readers import OwnReader
    from dasflex_core.registry import Registry

__all__ = ["Around", "Bound", "BoundStage", "bind", "gigabytes", "source_traits"]

#: What a reader costs, where nothing is known of it: seconds to start and per gigabyte.
READER_COST = Cost(0.05, 5.0)
#: What an external filter costs: a process is started, and text or bytes pass through two pipes.
FILTER_COST = Cost(0.05, 10.0)
#: How big an answer is, in gigabytes, where the definition does not say what its reader writes.
UNKNOWN_SIZE = 0.01
#: What stands for the command of a reader that has none.
_NO_COMMAND = Template("", (), (), ())
_LONGEST_VIEW = 16
_ENDS = ("read.time.min", "read.time.max")


@dataclass(frozen=True, slots=True)
class BoundStage:
    """A stage of the source itself: its declaration, the template of its command, and the definition it is from.

    `classics` has, for each program of the command, the name of the classic program that is meant; blank for others.
    `own` is what a plugin made of a reader without a command, whose template is empty.
    """

    spec: StageSpec
    template: Template
    definition: Definition
    reader: Reader | None = None
    classics: tuple[str, ...] = ()
    own: OwnReader | None = None

    @property
    def said(self) -> str:
        """What the definition has it do: the text of its command, or the facts of a reader without one."""
        return self.template.text if self.own is None else self.own.facts

    @property
    def rate(self) -> Rate | None:
        """What a reader gives, as far as it is known."""
        stated = self.reader.rate if self.reader else None
        return stated or (self.own.rate if self.own else None)

    @property
    def directory(self) -> str:
        """Where the command runs."""
        return (self.reader.directory if self.reader else "") or self.definition.directory

    @property
    def place(self) -> Place:
        """Where the command is written."""
        return Place(self.definition.file, key=f"{'reader' if self.reader else 'stage'}.{self.spec.name}.command")


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a source: the server's environment, and what is installed that can stand in for a command.

    `classics` are the classic programs that run in process; without them, all programs are what they say. `kinds` are
    the readers without a program that there are, which keep what they find out below the directory `keep`, and look
    into the registry for what else is installed.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    classics: Classics | None = None
    kinds: tuple[ReaderKind, ...] = ()
    keep: str = ""
    registry: Registry | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """What a source offers a request: its own stages by name, those declined with the reason, and its defaults.

    `defaults` are the definition's `[default]` pairs, a view's over those of the source that it views; so are `options`
    and `limits`. `changed` is the date of the data in seconds since 1970, None where it is not known.
    """

    definition: Definition
    stages: Mapping[str, BoundStage]
    declined: tuple[tuple[str, str], ...]
    defaults: tuple[tuple[str, str], ...]
    traits: frozenset[str]
    options: Mapping[str, Option]
    changed: float | None = None
    limits: SourceLimits = field(default_factory=SourceLimits)


def bind(
    definition: Definition,
    request: Mapping[str, str],
    *,
    find: Callable[[str], Definition],
    external: tuple[ExternalStage, ...] = (),
    taken: Collection[str] = (),
    around: Around | None = None,
) -> Bound:
    """The stages that a definition gives for a request, which stands over the definition's defaults.

    `find` looks a viewed source up; `external` are the site's own filters; `taken` are names of stages that others
    have, so that a filter called `bin` is not taken for the plugin's. Raises `ConfigError` for a broken definition.
    """
    around = around or Around()
    chain = view_chain(definition, find)
    base = chain[-1]
    options = dict(item for each in reversed(chain) for item in each.options.items())
    defaults = dict(pair for each in reversed(chain) for pair in each.defaults)
    traits = source_traits(base)
    stages: dict[str, BoundStage] = {}
    declined: list[tuple[str, str]] = []
    request = {**defaults, **request}
    names = {*taken}
    for reader in base.readers:
        name = _unused(reader.name or "reader", names)
        reason = _declines(reader, request)
        if reason:
            declined.append((name, reason))
            continue
        owner = replace(base, options=options)
        if reader.kind == "command":
            stages[name] = _bound_reader(name, reader, owner, traits, request)
            continue
        made = made_by_kind(reader, Setting(owner, request, around.environ, around.keep, around.registry), around.kinds)
        if made is None:
            declined.append((name, f"no installed plugin reads {reader.files or reader.url}"))
            continue
        stages[name] = BoundStage(named(made, reader, name, owner, traits), _NO_COMMAND, owner, reader, own=made)
    filters = [(filter_, each) for each in chain for filter_ in each.stages]
    for filter_, owner in (*filters, *((filter_, definition) for filter_ in external)):
        name = _unused(filter_.name, names)
        stages[name] = _bound_filter(replace(filter_, name=name), replace(owner, options=options))
    dates = [newest(base, around.environ), *(each.own.changed for each in stages.values() if each.own)]
    changed = max((each for each in dates if each is not None), default=None)
    if around.classics is not None:
        stages = {name: _with_classics(each, around.classics, around.environ) for name, each in stages.items()}
    limits = _inherited(chain)
    return Bound(definition, stages, tuple(declined), tuple(defaults.items()), traits, options, changed, limits)


def _unused(name: str, names: set[str]) -> str:
    """The name, with a number where another stage has it already; it is then taken."""
    found, count = name, 1
    while found in names:
        count += 1
        found = f"{name}-{count}"
    names.add(found)
    return found


def _inherited(chain: tuple[Definition, ...]) -> SourceLimits:
    """The limits of a view where it sets them, else those of what it views, whose reader runs."""
    found = chain[0].limits
    for each in chain[1:]:
        found = SourceLimits(
            silence=each.limits.silence if found.silence is None else found.silence,
            cpu=each.limits.cpu if found.cpu is None else found.cpu,
            output=each.limits.output if found.output is None else found.output,
            at_once=each.limits.at_once if found.at_once is None else found.at_once,
        )
    return found


def view_chain(definition: Definition, find: Callable[[str], Definition]) -> tuple[Definition, ...]:
    """The definition, what it views, and so on to the one with a reader of its own. A cycle is a `ConfigError`."""
    chain = [definition]
    while chain[-1].viewed:
        if len(chain) > _LONGEST_VIEW or chain[-1].viewed.lower() in {each.id.lower() for each in chain}:
            path = " → ".join(each.id for each in chain)
            raise ConfigError(f"{path} → {chain[-1].viewed}: a view leads back to itself", kind="config.bad-value")
        chain.append(find(chain[-1].viewed))
    return tuple(chain)


def source_traits(definition: Definition) -> frozenset[str]:
    """The traits that the definition's tables of coordinates and data state of its stream."""
    traits = {"axis:time"} | {AXIS + name for name in definition.coords}
    coords = definition.coords
    if any(coord.of == "time" for coord in coords.values()):
        traits.add("waveform")
    spectral = {name for name, coord in coords.items() if (coord.units or "").endswith("Hz")}
    if any(spectral & set(item.axes) for item in definition.data.values()):
        traits.add("spectra")
    if any(coords[name].ragged for item in definition.data.values() for name in item.axes if name in coords):
        traits.add("ragged")
    time = coords.get("time")
    if time is not None and time.cadence is not None:
        traits.add("sampled")
    if len({item.axes for item in definition.data.values()}) == 1:
        traits.add("one")
    return frozenset(traits)


def gigabytes(stages: Iterable[BoundStage], request: Mapping[str, str]) -> float:
    """How many gigabytes the reader among the stages is expected to write for the range of the request."""
    rate = next((each.rate for each in stages if each.rate), None)
    begin, end = request.get("read.time.min"), request.get("read.time.max")
    if rate is None or begin is None or end is None:
        return UNKNOWN_SIZE
    first, last = parse_time(begin), parse_time(end)
    if last == FOREVER:
        return UNKNOWN_SIZE
    return max(0.0, (last.ns - first.ns) / 1e9) * rate.packets * rate.size / 1e9


def newest(definition: Definition, environ: Mapping[str, str]) -> float | None:
    """The date of the newest file that a reader's `changed` names, in seconds since 1970; None where none is found."""
    times: list[float] = []
    for reader in definition.readers:
        if not reader.changed:
            continue
        pattern = Path(definition.directory, expand_environment(reader.changed, environ))
        for found in Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))):
            with suppress(OSError):  # replaced or removed while we look: the others have a date
                times.append(found.stat().st_mtime)
    return max(times, default=None)


def _declines(reader: Reader, request: Mapping[str, str]) -> str:
    """Why a reader does not serve the request; blank where it does."""
    if reader.kind == "source":
        return ""
    forever = "read.time.max" in request and parse_time(request["read.time.max"]) == FOREVER
    if reader.live and not forever:
        return "a live reader answers read.time.max=forever, and no range that ends"
    if forever and not reader.live:
        return "only a live reader answers read.time.max=forever"
    return ""


def _bound_reader(
    name: str, reader: Reader, definition: Definition, traits: frozenset[str], request: Mapping[str, str]
) -> BoundStage:
    """The stage that a reader's command makes."""
    template = parse_template(reader.command, place=Place(definition.file, key=f"reader.{name}.command"))
    params = tuple(_param(each, definition) for each in template.parameters if not _lacks(each, request))
    inexact = () if reader.exact or reader.live else _ENDS
    if reader.live:
        params += _present(params)
    spec = StageSpec(
        name=name,
        title=definition.title,
        accepts=None,
        produces=StreamType.parse(reader.writes or "das/2"),
        factory="",
        protocol="process",
        adds=traits | {"live" if reader.live else "finite"},
        params=tuple(each for each in params if each.name not in inexact),
        reads=inexact,
        cost=READER_COST,
        exact=reader.exact,
        bundled=True,
        origin=definition.id,
    )
    return BoundStage(spec, template, definition, reader)


def _present(params: tuple[ParamSpec, ...]) -> tuple[ParamSpec, ...]:
    """The ends of a range that a live reader's command does not mention. It answers for both.

    Its range begins at the present, or as far back as what it wrote was kept, and has no end. Nothing need be cut.
    """
    mentioned = {each.name for each in params}
    facts = {name: canonical_facts(name) for name in _ENDS if name not in mentioned}
    return tuple(ParamSpec(name, "offered", "time", title=fact.title if fact else "") for name, fact in facts.items())


def _bound_filter(external: ExternalStage, definition: Definition) -> BoundStage:
    """The stage that an external filter's command makes."""
    template = parse_template(external.command, place=Place(definition.file, key=f"stage.{external.name}.command"))
    spec = StageSpec(
        name=external.name,
        title=external.name,
        accepts=StreamType.parse(external.accepts),
        produces=StreamType.parse(external.writes),
        factory="",
        protocol="process",
        params=tuple(_param(each, definition) for each in template.parameters),
        cost=FILTER_COST,
        bundled=True,
        origin=definition.id,
    )
    return BoundStage(spec, template, definition)


def _with_classics(own: BoundStage, classics: Classics, environ: Mapping[str, str]) -> BoundStage:
    """The stage with the classic programs of its command; their stages make its price and its algorithm.

    The first program of a reader has nothing to filter: it is what it says.
    """
    names = [classics.named(program, own.directory) for program in own.template.programs(environ)]
    if own.reader and names:
        names[0] = ""
    ours = [name for name in names if name]
    if not ours:
        return own
    base, more = own.spec.cost if len(ours) < len(names) else Cost(), classics.cost(ours)
    cost = Cost(base.start + more.start, base.per_gb + more.per_gb)
    spec = replace(own.spec, cost=cost, algorithm=max(1, classics.algorithm(ours)))
    return replace(own, spec=spec, classics=tuple(names))


def _lacks(parameter: TemplateParam, request: Mapping[str, str]) -> bool:
    """Whether the request asks for an item of a list that the command does not know: then it cannot consume it."""
    if parameter.whole or parameter.name not in request:
        return False
    separator = parameter.subs[0].separator
    asked = request[parameter.name].split(None if separator.isspace() else separator)
    return not all(any(_is(sub, each) for sub in parameter.subs) for each in asked)


def _is(sub: SubParam, item: str) -> bool:
    """Whether an item of a list is that sub-parameter, with a value or without."""
    name = item.partition(sub.value_separator)[0] if sub.value_separator else item
    return name.strip() == sub.name


def _param(parameter: TemplateParam, definition: Definition) -> ParamSpec:
    """The declaration of a parameter that a command mentions: an option's, or the canonical one."""
    name = parameter.name
    option = definition.options.get(name.removeprefix("read."))
    mode: Mode = "required" if parameter.required else "offered"
    if option is not None and name.startswith("read."):
        return option_param(name, option, mode)
    facts = canonical_facts(name)
    default = None
    if name == "read.time.inter" and (time := definition.coords.get("time")) and time.interval:
        default = None if time.interval.default is None else f"{time.interval.default:g}"
    return ParamSpec(
        name,
        mode,
        facts.type if facts else "string",
        facts.units if facts else "",
        _lowest(name, definition, facts.low if facts else None),
        facts.high if facts else None,
        default=default,
        title=facts.title if facts else "",
    )


def _lowest(name: str, definition: Definition, low: float | None) -> float | None:
    """The lower bound of a canonical parameter: the interval's own, where the definition gives one."""
    time = definition.coords.get("time")
    if name == "read.time.inter" and time and time.interval and time.interval.min is not None:
        return time.interval.min
    return low


def canonical_time(text: str, now: Time) -> str:
    """A time as readers get it: the full calendar form, `now` resolved, `forever` as the word."""
    from dasflex_core.times import format_time

    moment = parse_time(text, now=now)
    return "forever" if moment == FOREVER else format_time(moment)
