# SPDX-License-Identifier: GPL-3.0-or-later
"""What `info` says of a data set (HAPI 3.3, 3.6.4): its range and parameters, and what its definition tells of it."""

from __future__ import annotations

import re
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from dasflex_core.catalog.addresses import public_base
from dasflex_core.times import Time, format_time
from dasflex_hapi.serving.headers import header_of
from dasflex_hapi.serving.ranges import cadence_of, changed_at, sample_of, span_of
from dasflex_hapi.writing.describing import parameter_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.catalog.model import Definition
    from dasflex_hapi.info import Parameter
    from dasflex_hapi.serving.data_sets import DataSet
    from dasflex_hapi.serving.headers import Header

__all__ = ["duration", "info_of", "modified_at", "time_text"]

_NS: Final = 1_000_000_000
_WORD: Final = re.compile(r"[^\W\d_]+|%|°")
#: Units of UDUNITS-2 that space physics has, with and without a prefix, by which it is seen whether units are of it.
_PREFIXED: Final = ("m", "s", "g", "V", "A", "W", "J", "K", "T", "Hz", "Pa", "eV", "C", "F", "N", "ohm", "rad", "sr")
_PREFIXES: Final = ("", "n", "u", "µ", "μ", "m", "c", "k", "M", "G", "p", "T")
_PLAIN: Final = ("degree", "degrees", "deg", "hour", "hours", "h", "min", "minute", "day", "days", "dB", "%", "°")
_UDUNITS: Final = frozenset((*(prefix + unit for prefix in _PREFIXES for unit in _PREFIXED), *_PLAIN))
_SPASE: Final = "https://hpde.io/"


def info_of(data_set: DataSet, header: Header | None = None) -> dict[str, Any]:
    """The whole `info` less `HAPI` and `status`, with all parameters.

    Where nothing is kept of the data set it is described now, from an example. Raises `QueryError` and `SourceError`.
    """
    header = header or header_of(data_set)
    learned = header.learned
    definition = data_set.source.definition
    start, stop = span_of(data_set, learned)
    begin, end = sample_of(data_set, learned)
    cadence = cadence_of(data_set, learned)
    said: dict[str, Any] = {
        "startDate": time_text(start),
        "stopDate": time_text(stop),
        "timeStampLocation": learned.form.stamp,
        "cadence": duration(cadence) if cadence else "",
        "sampleStartDate": time_text(begin) if begin < end else "",
        "sampleStopDate": time_text(end) if begin < end else "",
        "description": " ".join(definition.summary.split()) or data_set.set.title or definition.title,
        "unitsSchema": _units_schema(learned.form.parameters),
        "resourceURL": f"{public_base(data_set.source.site.config)}/source/{quote(definition.id.lower(), safe='/+')}",
        "resourceID": definition.cite.spase or definition.cite.doi,
        "modificationDate": time_text(int(modified_at(data_set, header)) * _NS),
        **_people(definition),
        "datasetCitation": definition.cite.text or definition.cite.doi,
        "licenseURL": _licence(definition.cite.licence),
        **_more(definition),
        "parameters": [parameter_json(each) for each in learned.form.parameters],
    }
    return {name: value for name, value in said.items() if value}


def modified_at(data_set: DataSet, header: Header) -> float:
    """When something of what is said of a data set has changed last, in seconds since 1970."""
    return max(header.made, changed_at(data_set, header.learned))


def time_text(ns: int) -> str:
    """A time as HAPI writes it, no shorter than a date with a clock (HAPI 3.3, 3.7.1).

    >>> time_text(946_684_800 * 10**9), time_text(946_684_800_500_000_000)
    ('2000-01-01T00:00:00Z', '2000-01-01T00:00:00.500Z')
    """
    fraction = ns % _NS
    digits = 0 if not fraction else next(each for each in (3, 6, 9) if fraction % 10 ** (9 - each) == 0)
    return f"{format_time(Time(ns), digits)}Z"


def duration(seconds: float) -> str:
    """A duration of ISO 8601.

    >>> duration(600), duration(0.06), duration(86400), duration(5400)
    ('PT10M', 'PT0.06S', 'P1D', 'PT90M')
    """
    for size, before, unit in ((86_400, "P", "D"), (3600, "PT", "H"), (60, "PT", "M")):
        if seconds >= size and seconds % size == 0:
            return f"{before}{seconds // size:.0f}{unit}"
    return f"PT{f'{seconds:.9f}'.rstrip('0').rstrip('.')}S"


def _units_schema(parameters: Iterable[Parameter]) -> str:
    """`udunits2` where all units are of it; das writes powers by `**`, as it does."""
    units = [
        unit for each in parameters for unit in (*each.units, *(bins.units for bins in each.bins)) if unit != "UTC"
    ]
    words = {word for unit in units for word in _WORD.findall(unit)}
    return "udunits2" if words <= _UDUNITS else ""


def _people(definition: Definition) -> dict[str, str]:
    """Who answers for the data: a scientist where one is named."""
    written = definition.contacts.scientific or definition.contacts.technical
    names = [f"{name} <{address}>" if name else address for name, address in getaddresses([written]) if address]
    return {"contact": ", ".join(names) or written}


def _licence(identifier: str) -> str:
    """The address of a licence, of its SPDX id or as it is."""
    if not identifier or "://" in identifier:
        return identifier
    return f"https://spdx.org/licenses/{quote(identifier)}.html"


def _more(definition: Definition) -> dict[str, Any]:
    """What is known elsewhere: the SPASE description (an object, since the schema takes no list of one)."""
    _, found, path = definition.cite.spase.partition("spase://")
    if not found:
        return {}
    return {
        "additionalMetadata": {
            "name": "SPASE",
            "contentURL": f"{_SPASE}{quote(path)}.json",
            "aboutURL": "https://spase-group.org/",
        }
    }
