# SPDX-License-Identifier: GPL-3.0-or-later
"""A request of CGI answered by this process alone: from the variables to the bytes.

What it imports is paid for by every request, so that an application of a plugin, and what runs it, are imported only
for a path of theirs.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Final, TypeAlias

from dasflex_cgi.cgi_form import asked_from, head_of, without_body
from dasflex_cgi.exchange import TEXT, Answer
from dasflex_core.errors import DasflexError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType
    from wsgiref.types import WSGIApplication

    from dasflex_cgi.cgimain import Output
    from dasflex_cgi.exchange import Asked
    from dasflex_core.config import Config
    from dasflex_core.site import Site

__all__ = ["Turned", "run"]

#: Turns variables into those of a request to the main program, and says where the log viewer is.
Turned: TypeAlias = "Callable[[Mapping[str, str], Config], tuple[Mapping[str, str], str]]"

#: One request computes little: starting a thread for each core takes a third of the time that numpy takes to import.
_ONE_THREAD: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
#: The descriptor of a body, and the digits of a length that nobody takes.
_STDIN: Final = 0
_DIGITS: Final = 16
_NOT_SET_UP: Final = "The server is not set up for this request; its administrator can find out why from its log\n"


def run(variables: Mapping[str, str], config: str, output: Output, turned: Turned | None = None) -> int:
    """Answers a request, and gives the exit code: other than 0 for an answer that broke off in its middle.

    A program that is not the main one has the variables `turned` into those of a request to that, and says where its
    own pages are.
    Raises `BrokenPipeError` when the client has left; whatever ran for it has then ended.
    """
    gc.disable()  # until the first byte nothing is garbage
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    os.environ.pop("HTTP_PROXY", None)  # a client's header, which programs take for the server's (CVE-2016-5385)
    _end_by_signal()
    try:
        site = _opened(config)
    except (DasflexError, OSError) as error:
        from dasflex_core.run.records import new_request_id

        _note(f"{config or 'DASFLEX_CONFIG'}: {error}")
        headers = (("Content-Type", TEXT), ("X-Request-Id", new_request_id()))
        return _send(Answer(500, headers, _NOT_SET_UP.encode()), _asked(variables, output), output)
    if site.config.log_format == "json":
        from dasflex_core.noting import tell_in_json

        tell_in_json()
    logs_at = ""
    if turned is not None:
        variables, logs_at = turned(variables, site.config)
    mounted = _mounted(site, variables.get("PATH_INFO", ""))
    if mounted is not None:
        return _run_mounted(*mounted, site, _asked(variables, output), output)
    from dasflex_cgi.answering import Front

    front = Front(site, _note, lasting=False, logs_at=logs_at)
    try:
        asked = _asked(variables, output)
        return _send(front.answer(asked), asked, output)
    finally:
        front.end()
        _age_logs(site)


def _age_logs(site: Site) -> None:
    """Lets old logs be removed, if it is time to: by a process of its own, since Apache waits for the end of this."""
    from dasflex_core.logs import ageing_due

    if ageing_due(str(site.config.log_path)):
        from dasflex_cgi.tending import age_apart

        age_apart(site.config)


def _opened(config: str) -> Site:
    """The site of a configuration. Raises `ConfigError` without one: a CGI program has no root of its own."""
    from dasflex_core.errors import ConfigError

    if not config:
        raise ConfigError("is not set; Apache sets it by SetEnv to the dasflex.conf of a root", kind="config.missing")
    from dasflex_core.site import open_site

    return open_site(config)


def _asked(variables: Mapping[str, str], output: Output) -> Asked:
    """The request."""
    asked = asked_from(variables, output.gone)
    length = variables.get("CONTENT_LENGTH", "")
    if asked.method != "POST" or not (length.isascii() and length.isdigit() and len(length) < _DIGITS):
        return asked
    from dataclasses import replace

    return replace(asked, read=_reader(int(length)))


def _reader(length: int) -> Callable[[int], bytes]:
    """Reads the body of a request, which is so long (RFC 3875, 4.2), and no more of the standard input."""
    left = length

    def read(count: int) -> bytes:
        nonlocal left
        piece = os.read(_STDIN, min(count, left)) if left else b""
        left -= len(piece)
        return piece

    return read


def _send(answer: Answer, asked: Asked, output: Output) -> int:
    """Sends an answer, each piece as it comes, and gives the exit code. Whatever happens, its body is closed."""
    body = answer.body
    wanted = asked.method != "HEAD" and not without_body(answer.status)
    if isinstance(body, bytes):
        output.write(head_of(answer) + (body if wanted else b""))
        return 0
    try:
        output.write(head_of(answer))
        gc.freeze()
        gc.enable()
        if wanted:
            for piece in body:
                output.write(piece)
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001  whatever broke the answer: its length is wrong, and the exit code says so
        _note(f"{asked.method} {asked.path}: broken off: {type(error).__name__}: {error}")
        return 1
    finally:
        body.close()
    return 0


def _mounted(site: Site, path: str) -> tuple[str, str] | None:
    """The path at which the application of a plugin is mounted that answers a path, and where its code is."""
    for mount in site.registry.mounts():
        prefix = "/" + mount.path.strip("/")
        if f"{path}/".startswith(f"{prefix}/"):
            return prefix, mount.application
    return None


def _run_mounted(prefix: str, place: str, site: Site, asked: Asked, output: Output) -> int:
    """Answers by the application of a plugin (PEP 3333), which is mounted at a path. No body of a request is read."""
    from dasflex_cgi.answering import Front
    from dasflex_cgi.current import answer_or_fault
    from dasflex_cgi.mounted import Mounted
    from dasflex_core.loading import load

    front = Front(site, _note, lasting=False)
    try:
        application: WSGIApplication = Mounted(load(place)(site), prefix, front, lambda _environ: asked)
        return _send(answer_or_fault(application, asked, _note), asked, output)
    finally:
        front.end()
        _age_logs(site)


def _end_by_signal() -> None:
    """Lets SIGTERM, by which Apache ends a program whose answer nobody wants, end what runs for it as well."""
    import signal

    def stop(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)


def _note(text: str) -> None:
    """Tells the administrator: what a CGI program writes there is in Apache's log of errors."""
    if "dasflex_core.noting" in sys.modules:  # it was asked for JSON
        from dasflex_core.noting import say

        say(text)
        return
    print(f"dasflex: {text}", file=sys.stderr, flush=True)  # noqa: T201  Apache's log is the standard error
