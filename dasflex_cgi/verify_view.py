# SPDX-License-Identifier: GPL-3.0-or-later
"""`/verify`: the verdict on a stream that a client sends, or that a source of this server gives.

A stream is verified as it comes and kept nowhere. Nothing on the server is changed by that, so that a request which a
page of another site makes in a visitor's name gains nothing. No address is fetched: what a client wants to have
verified it sends, else the server would ask other machines in the name of strangers.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from dasflex_cgi.bounds import megabytes
from dasflex_cgi.delivering import deliver
from dasflex_cgi.exchange import JSON, TEXT, Answer
from dasflex_cgi.failures import NOT_DATA
from dasflex_core.errors import AccessError, BusyError, ConfigError, QueryError
from dasflex_core.loading import load
from dasflex_core.queries import joined_lists, query_pairs
from dasflex_core.site import Request
from dasflex_core.verdicts import StreamReporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import BoundedSemaphore

    from dasflex_cgi.exchange import Asked
    from dasflex_cgi.runs import Runs
    from dasflex_cgi.visit import Visit
    from dasflex_core.registry import Registry
    from dasflex_core.site import Site
    from dasflex_core.verdicts import StreamReport

__all__ = ["verify"]

#: Bytes that are read at a time, and that are verified between two looks at the clock: compressed, a thousand times as
#: many may come of them.
_CHUNK: Final = 1 << 16
_STEP: Final = 1 << 12
#: Seconds that a stream may take.
_SECONDS: Final = 30.0
#: Bytes of a form beside the file, and parts of a form.
_FORM: Final = 1 << 17
_PARTS: Final = 16
_AROUND: Final = 1 << 14
#: Headers and findings that are shown to people; JSON has all.
_SHOWN: Final = 100


class _TooLargeError(Exception):
    """A stream is longer than may be verified."""


class _TooSlowError(Exception):
    """A stream takes longer than may be."""


def verify(site: Site, visit: Visit, runs: Runs, at_once: BoundedSemaphore) -> Answer:
    """The form, or the verdict. Raises `DasflexError`."""
    asked = visit.asked
    _admitted(site, asked)
    most = megabytes(site.config.limit_verify_megabytes)
    pairs = [] if asked.method == "POST" else query_pairs(asked.query)
    named = next((text.strip() for name, text in pairs if name.lower() == "source"), "")
    if asked.method != "POST" and (not named or asked.method == "HEAD"):
        return _form(site, asked)
    if not at_once.acquire(blocking=False):
        raise BusyError("Other streams are being verified at the moment; try again in a while", kind="busy.limit")
    try:
        if asked.method == "POST":
            coding = asked.headers.get("content-encoding", "").strip().lower()
            if coding not in ("", "identity"):
                return _refused(415, "A body is taken as it is, without Content-Encoding; send the stream itself")
            if asked.read is None:
                return _refused(411, "A body needs its length: send it with Content-Length, not in chunks")
            report = _report(site.registry, _uploaded(asked, most))
        else:
            report = _report(site.registry, _of_source(site, visit, runs, named, most))
    except _TooLargeError:
        return _refused(413, f"A stream that is verified has at most {most:,} bytes here; dasflex_verify takes any")
    except _TooSlowError:
        return _refused(503, f"The stream could not be verified in {_SECONDS:.0f} s; dasflex_verify takes any time")
    finally:
        at_once.release()
    return _told(site, asked, report, named)


def _admitted(site: Site, asked: Asked) -> None:
    """Raises `AccessError` for an address that may not verify here."""
    from ipaddress import ip_address

    try:
        address = ip_address(asked.client)
    except ValueError:
        address = None
    plain = getattr(address, "ipv4_mapped", None) or address
    ranges = site.config.allow_validate_from
    if plain is None or not any(plain in each for each in ranges if each.version == plain.version):
        raise AccessError("Streams are verified here for some addresses only, and yours is none of them")


# -- streams


def _uploaded(asked: Asked, most: int) -> Iterator[bytes]:
    """The stream in the body of a request: all of it, or the first file of a form."""
    kind = asked.headers.get("content-type", "")
    chunks = _body(asked, most)
    if kind.partition(";")[0].strip().lower() != "multipart/form-data":
        return chunks
    from werkzeug.http import parse_options_header

    boundary = parse_options_header(kind)[1].get("boundary", "")
    if not (boundary.isascii() and 0 < len(boundary) <= 70):  # RFC 2046, 5.1.1
        raise QueryError("The form in the body names no boundary")
    return _file(chunks, boundary.encode("ascii"))


def _body(asked: Asked, most: int) -> Iterator[bytes]:
    """The bytes of a body, as they come."""
    size = 0
    while asked.read is not None and (chunk := asked.read(_CHUNK)):
        size += len(chunk)
        if size > most:
            raise _TooLargeError
        yield chunk


def _file(chunks: Iterator[bytes], boundary: bytes) -> Iterator[bytes]:
    """The bytes of the first file of a form (RFC 7578). Raises `QueryError` for what is none, or has none."""
    from werkzeug.exceptions import RequestEntityTooLarge
    from werkzeug.sansio import multipart

    decoder = multipart.MultipartDecoder(boundary, _FORM, max_parts=_PARTS)
    inside = False
    try:
        for chunk in chunks:
            decoder.receive_data(chunk)
            while not isinstance(event := decoder.next_event(), multipart.NeedData):
                if isinstance(event, multipart.File):
                    inside = True
                elif isinstance(event, multipart.Data) and inside:
                    yield event.data
                    if not event.more_data:
                        return
                elif isinstance(event, multipart.Epilogue):
                    raise QueryError("The form in the body has no file in it")
    except RequestEntityTooLarge:
        raise QueryError(f"A form has at most {_PARTS} parts and {_FORM:,} bytes beside its file") from None
    except ValueError:
        raise QueryError("The body is no form of the kind multipart/form-data") from None
    raise QueryError("The form in the body breaks off" if inside else "The form in the body has no file in it")


def _of_source(site: Site, visit: Visit, runs: Runs, named: str, most: int) -> Iterator[bytes]:
    """What a source of this server answers to the rest of the query, as far as whoever asks may read it."""
    pairs = [(name, text) for name, text in query_pairs(visit.asked.query) if name.lower() != "source" and text.strip()]
    source = site[named]
    visit.source = source.id
    request = Request(source, tuple(joined_lists(pairs)), claim=visit.claim)
    if not any(name.lower().startswith("format") for name, _text in pairs):
        request = request.as_suffix("d2s")
    asked, visit.asked = visit.asked, _plain(visit.asked)
    try:
        body = deliver(visit, request, runs).body
    finally:
        visit.asked = asked
    if isinstance(body, bytes):
        yield body
        return
    size = 0
    try:
        for chunk in body:
            size += len(chunk)
            if size > most:
                raise _TooLargeError
            yield chunk
    finally:
        body.close()


def _plain(asked: Asked) -> Asked:
    """The same request of a client that has nothing yet, and reads nothing compressed."""
    kept = {name: text for name, text in asked.headers.items() if name == "authorization"}
    return replace(asked, headers=kept)


def _report(registry: Registry, chunks: Iterator[bytes]) -> StreamReport:
    """The report on a stream. Raises `ConfigError` where no plugin can verify any."""
    verifier = _verifier(registry)
    until = time.monotonic() + _SECONDS
    for chunk in chunks:
        for start in range(0, len(chunk), _STEP):
            if time.monotonic() > until:
                raise _TooSlowError
            verifier.feed(bytes(chunk[start : start + _STEP]))
    return verifier.report()


def _verifier(registry: Registry) -> StreamReporter:
    """What verifies streams of the formats that clients read."""
    for place in dict.fromkeys(info.verify for info in registry.stream_types if info.verify):
        made = load(place)()
        if isinstance(made, StreamReporter):
            return made
    raise ConfigError("No plugin is installed that verifies streams", kind="config.plugin")


# -- answers


def _form(site: Site, asked: Asked) -> Answer:
    """The page with the form."""
    from dasflex_cgi import pages

    return pages.verifier(site, asked, None, "", site.config.limit_verify_megabytes)


def _told(site: Site, asked: Asked, report: StreamReport, named: str) -> Answer:
    """The report as whoever asks reads it: a page, JSON, or text."""
    if asked.browser:
        from dasflex_cgi import pages

        return pages.verifier(site, asked, report, named, site.config.limit_verify_megabytes).with_headers(
            Cache_Control="no-store"
        )
    if "json" in asked.headers.get("accept", "").lower():
        text = json.dumps(asdict(report), indent=1)
        return Answer(200, (("Content-Type", JSON), *NOT_DATA), f"{text}\n".encode())
    lines = "\n".join(_lines(report))
    return Answer(200, (("Content-Type", TEXT), *NOT_DATA), f"{lines}\n".encode("utf-8", "replace"))


def _lines(report: StreamReport) -> Iterator[str]:
    """The report for people, without anything that a terminal obeys."""
    yield f"{report.verdict} ({report.form}, {report.size:,} bytes)"
    for header in report.headers[:_SHOWN]:
        what = " ".join(filter(None, (f"<{header.root}>" if header.root else "no element", header.name)))
        yield _printable(f"  {header.packet:<9} at byte {header.offset:>9,}  {header.verdict:<9}  {what}")
    for each in report.findings[:_SHOWN]:
        often = f" ({each.count:,} times)" if each.count > 1 else ""
        yield _printable(f"  {each.verdict} {each.rule}, {each.place}: {each.message}{often}")
        if each.text:
            yield _printable(f"    {each.text}")
    left_out = report.left_out + sum(max(0, len(each) - _SHOWN) for each in (report.headers, report.findings))
    if left_out:
        yield f"  and {left_out:,} more"


def _printable(text: str) -> str:
    """A text with a mark in the place of what cannot be printed."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _refused(status: int, text: str) -> Answer:
    """A line of text for what is not verified."""
    return Answer(status, (("Content-Type", TEXT), *NOT_DATA), f"{text}\n".encode())
