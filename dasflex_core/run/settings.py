# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pump is told by whoever makes it: where things are, what is registered, and the server's rules."""

from __future__ import annotations

import os
import sys
from dataclasses import field
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, SourceError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dasflex_core.plan.graph import Command, Nodes
    from dasflex_core.run.family import Guardian
    from dasflex_core.run.reader_log import Log
    from dasflex_core.run.sandbox import Sandbox
    from dasflex_core.stages import Framer
    from dasflex_core.streamtype import StreamType, StreamTypeInfo

__all__ = ["CHUNK", "LOOK", "QUOTA", "PumpSettings", "no_reader"]

#: Bytes that are read at a time, and the capacity of pipes. More is no faster, and Linux grants one user 64 MiB of
#: pipe buffers in all before it gives him small ones (pipe(7), pipe-user-pages-soft).
CHUNK: Final = 1 << 18
#: The longest wait, in seconds, after which it is seen that the run was ended, or that nothing has come for long.
LOOK: Final = 1.0
#: The most bytes of the files of a spool, where its format has no limit of its own.
QUOTA: Final = 10 << 30


def _no_framer(type_: StreamType) -> Framer | None:  # noqa: ARG001  nothing is registered
    return None


def _no_info(type_: StreamType) -> StreamTypeInfo | None:  # noqa: ARG001  nothing is registered
    return None


def _no_classic(command: Command, head: bytes) -> Nodes:  # noqa: ARG001  nothing is registered
    raise ConfigError(f"There is no classic program {command.argvs[0][0]}", kind="config.plugin")


def _discard(text: str) -> None:
    """Where nobody wants to know."""


def no_reader(begin: int, end: int) -> Nodes:  # noqa: ARG001  there are no blocks
    """Where no blocks are used. Raises `SourceError`."""
    raise SourceError("A block of the cache is broken, and nothing takes its place", kind="source.start")


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpSettings:
    """The surroundings of a run.

    `framer` gives a new `Framer` for a stream type, `info` what is registered of it; both give None for an unknown
    one. `classic` gives the plan that does the work of a classic program over an input with that beginning, for which
    its first node stands. `headerless` are byte types that may be concatenated as they are. `bin_path` and
    `library_path` go in front of `PATH` and `LD_LIBRARY_PATH` of programs; `environ` is the server's environment, free
    of what a request put there; `python` the interpreter that runs dasflex. `grace` is how many seconds a program has
    between SIGTERM and SIGKILL. A server that runs many pumps shares one `guardian`.

    Programs run in the `sandbox`, if there is one.

    Spools fill files in a directory of their own below `scratch` (blank: that for temporary files), of at most `quota`
    bytes for one request. `records` is the directory for request records (blank: none are written), `log` takes the
    standard error of programs, and `note` a sentence for the administrator about what went wrong beside the request.
    Without `digest`, bytes are not hashed; with it, a stream that is faster than the hash is not, either. `remarks` are
    told to the client as comments, where the format has any.

    For formats that have comments: when nothing has come for `pulse` seconds, a comment is sent where a packet has
    ended; when there are no data after `first_byte` seconds, the answer begins without them, with a stream header and a
    comment. 0 switches either off. `amend` is what the stream header shall say of the answer, by the names of
    parameters, where the format can and the reader does not. `absence` is what the stream says where no data were found
    (blank: nothing). A `plain` answer has no packets that a reader compressed, which some clients cannot read. `hold`
    is called when the run begins, and what it gives at its end: an instrument may admit one reader at a time.
    `measure` is told of a complete run: the bytes and the records (None: not counted) that it gave, the bytes that came
    from the reader, and the seconds of work, without those in which the client took its time. `instead` gives the nodes
    that take the place of a broken block, for its period in nanoseconds.
    """

    framer: Callable[[StreamType], Framer | None] = _no_framer
    info: Callable[[StreamType], StreamTypeInfo | None] = _no_info
    classic: Callable[[Command, bytes], Nodes] = _no_classic
    headerless: tuple[StreamType, ...] = ()
    bin_path: tuple[str, ...] = ()
    library_path: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    python: str = sys.executable
    grace: float = 0.3
    guardian: Guardian | None = None
    sandbox: Sandbox | None = None
    scratch: str = ""
    quota: int = QUOTA
    records: str = ""
    log: Log | None = None
    note: Callable[[str], None] = _discard
    digest: bool = True
    remarks: tuple[str, ...] = ()
    pulse: float = 20.0
    first_byte: float = 20.0
    absence: str = ""
    amend: tuple[tuple[str, str], ...] = ()
    plain: bool = False
    hold: Callable[[], Callable[[], None]] | None = None
    measure: Callable[[int, int | None, int, float], None] | None = None
    instead: Callable[[int, int], Nodes] = no_reader

    @property
    def look(self) -> float:
        """Seconds after which whoever waits looks at the clock."""
        return min(LOOK, self.pulse or LOOK, self.first_byte or LOOK)
