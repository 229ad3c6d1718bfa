# SPDX-License-Identifier: GPL-3.0-or-later
"""`data` (HAPI 3.3, 3.6.5): a query as a request to the front-end, and the header that stands before the records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from dasflex_core.errors import ConfigError, DasflexError, SourceError
from dasflex_core.noting import say
from dasflex_core.times import Time, format_time
from dasflex_hapi.serving.describing import own_formats
from dasflex_hapi.serving.headers import capture, header_of
from dasflex_hapi.serving.info import info_of, time_text
from dasflex_hapi.serving.queries import chosen, header_wanted, output_format, time_range
from dasflex_hapi.serving.ranges import span_of
from dasflex_hapi.serving.refusals import HAPI, HapiError, status_json
from dasflex_hapi.serving.register import find
from dasflex_hapi.writing.asking import FORMATS, stage_values
from dasflex_hapi.writing.stages import ChangedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.mounts import Delivered, FrontEnd
    from dasflex_core.site import Site
    from dasflex_hapi.serving.data_sets import DataSet
    from dasflex_hapi.serving.headers import Header
    from dasflex_hapi.serving.queries import Query

__all__ = ["answer_data", "described"]

_OPEN: Final = b',"data":[\n'
_CLOSE: Final = b"\n]}\n"


def answer_data(site: Site, front: FrontEnd, query: Query) -> Delivered:
    """The data of a query. Raises `DasflexError` for what fails before the first of them."""
    data_set = find(site, query["dataset"], front.claim)
    header = described(data_set)
    form = header.learned.form
    names = chosen(query, [each.name for each in form.parameters])
    begin, end = span_of(data_set, header.learned)
    start, stop = time_range(query, begin, end, f"{time_text(begin)}, {time_text(end)}")
    own = own_formats(site)
    wanted = output_format(query, tuple(FORMATS), sorted(own))
    headed = header_wanted(query)
    if wanted in own:
        return _own(front, data_set, wanted, start, stop, names=names, headed=headed)
    behind = None if names is None else names[1:]
    asked = stage_values(form, wanted, behind, format_time(Time(start)), format_time(Time(stop)))
    request = data_set.request_for(start, stop, asked)
    around = _around(data_set, header, names, wanted, headed=headed)
    try:
        return front.deliver(request, media_type=FORMATS[wanted], **around)
    except ChangedError as error:
        _described_again(data_set, (start, stop))
        raise SourceError(
            "the data are no longer what info said, which has just been renewed; ask info again", kind=error.kind
        ) from error


def described(data_set: DataSet) -> Header:
    """What is known of a data set; the administrator is told where that cannot be found out. Raises `DasflexError`."""
    try:
        return header_of(data_set)
    except (SourceError, ConfigError) as error:
        say(f"HAPI: {data_set.name} cannot be described: {error.kind}: {error.message} {error.detail}".rstrip())
        raise


def _own(
    front: FrontEnd, data_set: DataSet, wanted: str, start: int, stop: int, *, names: object, headed: bool
) -> Delivered:
    """Data in a format that is none of the standard's: the whole request, as the formatter of that format writes it."""
    if names is not None or headed:
        raise HapiError(1400, "With formats that begin with x_ there are all parameters, and no header")
    info = own_formats(data_set.source.site)[wanted]
    parts = {"type": info.type.kind, "version": info.type.version, "serial": info.type.variant}
    asked = {f"format.{name}": text for name, text in parts.items() if text}
    return front.deliver(data_set.request_for(start, stop, asked, exact=True))


def _around(
    data_set: DataSet, header: Header, names: tuple[str, ...] | None, wanted: str, *, headed: bool
) -> Mapping[str, Any]:
    """What stands around the records: in JSON the object that they are in, else the header where it was asked."""
    if wanted != "json" and not headed:
        return {}
    info = info_of(data_set, header)
    if names is not None:
        info["parameters"] = [each for each in info["parameters"] if each["name"] in names]
    texts = [
        orjson.dumps({"HAPI": HAPI, "status": status_json(code), **info, "format": wanted}) for code in (1200, 1201)
    ]
    if wanted == "json":
        some, none = (text[:-1] + _OPEN for text in texts)
        return {"head": some, "tail": _CLOSE, "alone": none.rstrip() + b"]}\n"}
    some, none = (b"#" + text + b"\n" for text in texts)
    return {"head": some, "alone": none}


def _described_again(data_set: DataSet, span: tuple[int, int]) -> None:
    """Learns the description of a data set anew, from this range, too. What fails then is told by the next `info`."""
    try:
        capture(data_set, span)
    except DasflexError:
        return
