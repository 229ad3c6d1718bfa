# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of a source of another das2 server: its stream, as it comes, or an error that says what is wrong with it.

?server=dataset&dataset=ID&start_time=…&end_time=…[&resolution=…][&interval=…][&params=…]
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import AccessError, NotFoundError, QueryError, SourceError
from dasflex_core.remote.confirming import Confirmed, record_bases
from dasflex_core.remote.das2_server import Das2Server
from dasflex_core.remote.knowing import Knowledge
from dasflex_das.remote_address import das2_source
from dasflex_das.remote_binding import probe_of
from dasflex_das.remote_knowing import found_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.catalog.model import Pairs
    from dasflex_core.errors import DasflexError
    from dasflex_core.remote.asking import Reply
    from dasflex_core.stages import Value

__all__ = ["Das2Reader"]

#: What das2 and das3 call it when there are no data.
_NOTHING: Final = ("NoDataInInterval", "NoMatchingData")


class Das2Reader:
    """One request to another server.

    Beside the range it is given the width of bins or the interval, in seconds, and the options by the names of their
    parameters, `read.NAME`. `url` is that of the definition, `keep` where it is kept what is known of the source, and
    `probe` how that is found out anew. The flags in `denied` have to be, where they are not set.
    """

    def __init__(  # noqa: PLR0913  what a request has
        self,
        *,
        url: str,
        keep: str,
        probe: str,
        silence: float,
        denied: tuple[str, ...],
        begin: str,
        end: str,
        resolution: float | None = None,
        stats: tuple[str, ...] = (),  # noqa: ARG002  they are what the server gives: else it would not be asked
        align: str = "",  # noqa: ARG002  the same
        interval: float | None = None,
        **options: Value,
    ) -> None:
        self._source = das2_source(url, os.environ)
        self._knowledge = Knowledge(keep, "das2", self._source.key)
        self._probe = probe_of(probe)
        self._server = Das2Server(self._source.where, silence, self._source.name)
        self._pairs: Pairs = tuple(
            (key, text)
            for key, text in (
                ("start_time", begin),
                ("end_time", end),
                ("resolution", "" if resolution is None else f"{resolution:.15g}"),
                ("interval", "" if interval is None else f"{interval:.15g}"),
                ("params", _params(self._source.params, options, denied)),
            )
            if text
        )
        self._empty = begin == end

    def items(self, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        """The bytes of the stream. Raises `DasflexError` for an answer that is none, or is cut."""
        if self._empty:
            return
        self._knowledge.renew(lambda seconds: found_out(self._source, self._probe, seconds))
        try:
            with self._server.reply(self._source.dataset, self._pairs, cancelled) as reply:
                _check_kind(reply)
                yield from Confirmed(reply, record_bases(self._source.where)).watch(reply.chunks())
        except (QueryError, SourceError, AccessError, NotFoundError) as error:
            if error.detail in _NOTHING:
                return
            if isinstance(error, AccessError | NotFoundError):  # it is ours that the source is asked in the wrong way
                raise _ours(error) from error
            raise


def _ours(error: DasflexError) -> SourceError:
    """What a client is told of an error that only the administrator can mend."""
    return SourceError(error.message, kind="source.start", detail=f"{error.kind}: {error.message}")


def _check_kind(reply: Reply) -> None:
    """Raises `SourceError` for a page, as servers send it that have moved or are locked."""
    if reply.media_type in ("text/html", "application/xhtml+xml"):
        raise SourceError(f"{reply.name} answers with a page ({reply.media_type}), not with data", kind="source.stream")


def _params(fixed: str, options: dict[str, Value], denied: tuple[str, ...]) -> str:
    """The `params` of a request: what is always sent, then the options, as tokens between blanks.

    A flag that is set is its name, others are `name=value`; the raw text of `read.opts` stays as it is.
    """
    words = [fixed] if fixed else []
    for name, value in options.items():
        option = name.removeprefix("read.")
        if option == "opts":
            words.append(" ".join(value) if isinstance(value, tuple) else str(value))
        elif value is True:
            words.append(option)
        elif value is False:
            words += [f"{option}=false"] if name in denied else []
        elif isinstance(value, tuple):
            words.append(f"{option}={','.join(value)}")
        else:
            words.append(f"{option}={value:.15g}" if isinstance(value, float) else f"{option}={value}")
    return " ".join(words)
