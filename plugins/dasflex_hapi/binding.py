# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition's `url = "hapi:…"` is, when a request is planned.

A HAPI server gives a range of time, and some of its parameters. All else is left to the stages that are here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.model import Rate
from dasflex_core.errors import Place
from dasflex_core.plan.own_readers import OwnReader
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS
from dasflex_hapi.spelling import picked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.model import Reader
    from dasflex_core.plan.own_readers import Setting
    from dasflex_hapi.address import HapiSet

__all__ = ["bind"]

#: Seconds until an answer begins, and per gigabyte: about what csv takes.
COST: Final = Cost(0.3, 30.0)
#: Seconds that a server may be silent, where the definition does not say it.
SILENCE: Final = 120.0


def bind(reader: Reader, setting: Setting) -> OwnReader:
    """The reader of a data set of a HAPI server. Raises `ConfigError` for an address that is none."""
    from dasflex_hapi.address import hapi_set

    definition = setting.definition
    source = hapi_set(reader.url, setting.environ, Place(definition.file, key=f"reader.{reader.name}.url"))
    known = _known(source, setting)
    names = {name: item.source or name for name, item in definition.data.items()}
    params = [
        ParamSpec("read.time.min", "required", "time", title="Begin of the range", attribute="begin"),
        ParamSpec("read.time.max", "required", "time", title="End of the range", attribute="end"),
    ]
    if _selects(known, source, names, setting.request.get("read.data", "")):
        params.append(ParamSpec("read.data", "offered", "list", title="The data variables", attribute="data"))
    spec = StageSpec(
        name="hapi",
        title=definition.title,
        accepts=None,
        produces=ARRAYS,
        factory="dasflex_hapi.reader:HapiReader",
        protocol="producer",
        adds=_traits(known),
        params=tuple(params),
        cost=COST,
        bundled=True,
    )
    return OwnReader(
        spec,
        given=(
            ("url", reader.url),
            ("keep", setting.keep),
            ("silence", definition.limits.silence or SILENCE),
            ("names", json.dumps(names)),
        ),
        facts=json.dumps([reader.url]),
        rate=_rate(known),
    )


def _selects(known: Mapping[str, object], source: HapiSet, names: Mapping[str, str], wanted: str) -> bool:
    """Whether the server has all the parameters that are asked for; else the stage that selects tells what there is."""
    found = known.get("names")
    there = [str(each) for each in found] if isinstance(found, list) else []
    only = [each for each in there if not source.parameters or each in source.parameters]
    return bool(only) and picked(wanted.split(","), only, names) is not None


def _known(source: HapiSet, setting: Setting) -> Mapping[str, object]:
    """What is known of the data set."""
    if not setting.keep:
        return {}
    from dasflex_core.remote.knowing import Knowledge

    def ask(seconds: float) -> dict[str, object]:
        from dasflex_hapi.knowing import found_out

        return found_out(source, seconds)

    return Knowledge(setting.keep, "hapi", source.key).known(ask)


def _traits(known: Mapping[str, object]) -> frozenset[str]:
    """The traits of the stream, as far as they are known."""
    found = known.get("traits")
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


def _rate(known: Mapping[str, object]) -> Rate | None:
    """What the server gives, where its records come at a cadence."""
    cadence, size = known.get("cadence"), known.get("bytes")
    if not isinstance(cadence, int | float) or not isinstance(size, int) or cadence <= 0:
        return None
    return Rate(1.0 / cadence, size)
