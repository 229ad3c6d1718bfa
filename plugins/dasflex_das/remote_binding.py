# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition's `url = "das2:…"` is, when a request is planned: what the other server can do, it is asked to.

It reduces where its bins hold just what is asked for, and takes the interval of a model and the options of its reader.
All else is left to the stages that are here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import Place, QueryError
from dasflex_core.plan.option_params import interval_param, option_param
from dasflex_core.plan.own_readers import OwnReader
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import StreamType
from dasflex_core.times import parse_range, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.catalog.model import Definition, Option, Reader
    from dasflex_core.plan.own_readers import Setting
    from dasflex_core.stages import Value
    from dasflex_das.remote_address import Das2Source
    from dasflex_das.remote_knowing import Probe

__all__ = ["bind"]

#: Seconds until an answer begins, and per gigabyte: about what a connection of 500 Mbit/s takes.
COST: Final = Cost(0.2, 16.0)
#: Seconds that a server may be silent, where the definition does not say it.
SILENCE: Final = 120.0
_RANGE: Final = ("read.time.min", "read.time.max")


def bind(reader: Reader, setting: Setting) -> OwnReader:
    """The reader of a source of another das2 server. Raises `ConfigError` for an address that is none."""
    from dasflex_das.remote_address import das2_source

    definition = setting.definition
    source = das2_source(reader.url, setting.environ, Place(definition.file, key=f"reader.{reader.name}.url"))
    known = _known(source, setting)
    model = bool(known.get("model")) or _is_model(definition)
    given: list[tuple[str, Value]] = [
        ("url", reader.url),
        ("keep", setting.keep),
        ("probe", _probe_text(definition)),
        ("silence", definition.limits.silence or SILENCE),
        ("denied", tuple(f"read.{name}" for name, each in definition.options.items() if _is_on(each))),
    ]
    params = [
        ParamSpec("read.time.min", "required", "time", title="Begin of the range", attribute="begin"),
        ParamSpec("read.time.max", "required", "time", title="End of the range", attribute="end"),
    ]
    own = [*_options(definition), *((interval_param(definition, "required"),) if model else ())]
    for each in own:
        params.append(_attributed(each))
        if each.default is not None and each.name not in setting.request:
            given.append((params[-1].attribute, _absent(each)))
    if not model and _reduces(known, definition, setting.request):
        params += _BINS
    qstream = StreamType("qstream") if known.get("qstream") else StreamType("das", "2")
    spec = StageSpec(
        name="das2",
        title=definition.title,
        accepts=None,
        produces=StreamType.parse(reader.writes) if reader.writes else qstream,
        factory="dasflex_das.remote_reader:Das2Reader",
        protocol="producer",
        params=tuple(params),
        cost=COST,
        bundled=True,
    )
    return OwnReader(spec, tuple(given), facts=json.dumps([reader.url]))


#: What a server that reduces consumes: the width of bins, and what they hold.
_BINS: Final = (
    ParamSpec(
        "bin.time.max", "offered", "real", "s", 1e-9, 4e9, title="Width of the bins", attribute="resolution"
    ),
    ParamSpec("bin.stats", "offered", "list", title="What is told of the values of a bin", attribute="stats"),
    ParamSpec("bin.align", "offered", values=(("begin", ""),), title="Where bins begin", attribute="align"),
)  # fmt: skip


def _reduces(known: Mapping[str, object], definition: Definition, request: Mapping[str, str]) -> bool:
    """Whether the bins of the server are those that are asked for.

    They hold the same statistics, and begin where the request does: not at midnight, and not before the source has
    data, since the server is asked from there on.
    """
    bins = known.get("bins")
    wanted = {each.strip() for each in request.get("bin.stats", "mean").split(",")} - {""}
    if not isinstance(bins, list) or set(bins) != wanted or request.get("bin.align", "begin") != "begin":
        return False
    span, begin = definition.range, request.get("read.time.min")
    if span is None or begin is None:
        return True
    try:
        return parse_range(str(span))[0] <= parse_time(begin)
    except QueryError:
        return False


def _known(source: Das2Source, setting: Setting) -> dict[str, object]:
    """What is known of the source."""
    if not setting.keep:
        return {}
    from dasflex_core.remote.knowing import Knowledge

    def ask(seconds: float) -> dict[str, object]:
        from dasflex_das.remote_knowing import found_out

        return found_out(source, probe_of(_probe_text(setting.definition)), seconds)

    return Knowledge(setting.keep, "das2", source.key).known(ask)


def _probe_text(definition: Definition) -> str:
    """The first example that has a range, as text: its ends, and its options as they are sent."""
    for example in definition.examples:
        asked = {**dict(definition.defaults), **dict(example.request)}
        if asked.get("read.time.max", "forever") != "forever" and "read.time.min" in asked:
            options = {name.removeprefix("read."): text for name, text in asked.items() if name not in _RANGE}
            words = [text if name == "opts" else f"{name}={text}" for name, text in options.items()
                     if name == "opts" or name in definition.options]  # fmt: skip
            return json.dumps([asked["read.time.min"], asked["read.time.max"], " ".join(words)])
    return ""


def probe_of(text: str) -> Probe | None:
    """The range that a text says; None where it says none."""
    from dasflex_das.remote_knowing import Probe

    return Probe(*json.loads(text)) if text else None


def _is_model(definition: Definition) -> bool:
    """Whether the definition says that the source has values at any interval."""
    time = definition.coords.get("time")
    return time is not None and time.interval is not None


def _options(definition: Definition) -> Iterator[ParamSpec]:
    """The options of the source; of one that declares none, the raw `params`."""
    for name, option in definition.options.items():
        yield option_param(f"read.{name}", option, "offered")
    if not definition.options:
        yield ParamSpec("read.opts", "offered", title="Options as the other server's reader takes them")


def _is_on(option: Option) -> bool:
    """Whether an option is a flag that is set where nobody says otherwise: then it has to be denied."""
    return option.type == "boolean" and (option.default or "").lower() == "true"


def _attributed(param: ParamSpec) -> ParamSpec:
    """The parameter with its name as the keyword of the factory: an option may be called anything."""
    from dataclasses import replace

    return replace(param, attribute="interval" if param.name == "read.time.inter" else param.name)


def _absent(param: ParamSpec) -> Value:
    """What an option is where it was not given: its default, typed."""
    from dasflex_core.plan.parameters import typed_value

    return typed_value(param, param.name, param.default or "")
