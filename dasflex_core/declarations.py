# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugins declare beside stages and stream types, as frozen data that names code by text.

Plugin authors find these names in `dasflex_core.hookspecs`. They stand here so that a request, which has what was
declared from the manifest, imports no plugin manager.
"""

from __future__ import annotations

from dasflex_core.values import dataclass

__all__ = [
    "Authenticator",
    "ClassicProgram",
    "Convention",
    "DefinitionImporter",
    "DefinitionTable",
    "Family",
    "Mount",
    "ReaderKind",
    "Summing",
    "TaskKind",
]


@dataclass(frozen=True, slots=True)
class Family:
    """A family of parameters and its place: a path consumes families in the order of their places.

    The core's are read (100), dft (200), calc (300), bin (400), view (500) and format (600).
    """

    name: str
    place: int
    title: str


@dataclass(frozen=True, slots=True)
class Convention:
    """How a kind of client names parameters.

    `translate` is `module:name` of a function `(pairs, definition) -> list of canonical pairs`, which raises
    `QueryError`. `lenient` drops, with a `log:info` comment, what no stage can consume. `goal` is the stream type
    (`das/2`) of a request that names none; blank: the reader's own. `reads` are kinds of stream that its clients take
    as they are, so that a source of these gives its own. `spells` are canonical parameters with the names that it has
    for them, in lower case, by which its clients are told what they may ask.
    """

    name: str
    title: str
    translate: str
    lenient: bool = False
    goal: str = ""
    reads: tuple[str, ...] = ()
    spells: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ClassicProgram:
    """A program of old installations whose work stages do.

    `dasflex filter NAME` runs them in its place, and so do commands of definitions that name it.

    `words` is `module:name` of a function `(arguments, head) -> the words of dasflex filter that do the same`, where
    `head` is the beginning of the input: nothing where there is no input, or where only the arguments are looked at. It
    raises `QueryError` for arguments that the program does not take. `stages` names the stages that work for it, by
    which a plan is priced and an answer identified; where that depends on the input, those of the commonest.
    `files` says that an argument may be the name of a file, which commands have relative to their directory.
    """

    name: str
    title: str
    words: str
    stages: tuple[str, ...] = ()
    files: bool = False


@dataclass(frozen=True, slots=True)
class DefinitionImporter:
    """Reads another form of definition: files with this suffix, which begins with a full stop and is in lower case.

    `read` is `module:name` of a function `(text, file, include) -> Imported` (`dasflex_core.catalog.importing`), where
    `include` is the directory whose files may be included, None where there is none.
    """

    name: str
    suffix: str
    title: str
    read: str


@dataclass(frozen=True, slots=True)
class DefinitionTable:
    """A table of definitions that belongs to a plugin, such as `[hapi]`.

    `keys` are its known keys, other than those of a partial request, which are allowed where `request` is true; `*`
    stands for any key. `many` allows `[[name]]`.
    """

    name: str
    title: str
    keys: tuple[str, ...] = ()
    request: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class ReaderKind:
    """Reads sources without a program: those whose definition has `key`, which is `files` or `url`.

    Of addresses, those are meant whose `scheme`, in lower case, stands before their first colon. `bind` is
    `module:name` of a function `(reader, setting) -> OwnReader` (`dasflex_core.plan.own_readers`), called when a
    request of such a source is planned; it raises `ConfigError` for what it cannot read.
    """

    name: str
    title: str
    key: str
    bind: str
    scheme: str = ""


@dataclass(frozen=True, slots=True)
class Mount:
    """A WSGI application below a path of the server, by `module:name` of a function `(site) -> application`.

    What it says behind a status (`404 Not Found; HAPI 1406`) reaches the client. Its answers get the headers that all
    answers have, such as `Access-Control-Allow-Origin`, unless they have their own, and `X-Request-Id`.

    It runs no plans. `environ["dasflex.front_end"]` (`dasflex_core.mounts.FrontEnd`) says who asks, and gives the data
    of a request: its `deliver` waits for a turn, keeps records, and answers conditional requests and HEAD.
    """

    path: str
    title: str
    application: str


@dataclass(frozen=True, slots=True)
class Authenticator:
    """A back end that finds out who asks.

    `schemes` are those of the header `Authorization` that it understands, in lower case (`basic`, `bearer`), or
    `remote-user` for the word of a web server. `check` is `module:name` of a function `(Credentials, Config) ->
    Identity | None` (`dasflex_core.authentication`): None for what it does not know, and for what is wrong; the next
    one is asked then. The core adds the groups of the group file. It raises `BusyError` (`busy.log-in`) where somebody
    has tried too often.
    """

    name: str
    title: str
    schemes: tuple[str, ...]
    check: str


@dataclass(frozen=True, slots=True)
class TaskKind:
    """A kind of background task, by `module:name` of the function that does it.

    `run` is given a `dasflex_core.tasks.Work`, and gives a line on what came of it, or None. `arguments` are the names
    of its arguments, in the order in which they are written where they have no names. `prepare` is `module:name` of a
    function `(site, arguments) -> several arguments`, which checks what is asked for, writes it in one way, and cuts it
    into tasks; it raises `QueryError` or `NotFoundError`. `waits` are the seconds after which a task that failed is
    tried again: as many as it is tried once more. `installed` says that an install hands the task over for each source
    that it has made anew, unless `prepare` refuses that one.
    """

    name: str
    title: str
    run: str
    arguments: tuple[str, ...] = ()
    prepare: str = ""
    waits: tuple[int, ...] = (10, 60, 600)
    installed: bool = False


@dataclass(frozen=True, slots=True)
class Summing:
    """How bins of time are kept so that wider ones can be made of them, each by `module:name`.

    `bins` is the name of the stage whose bins they are. `sums` makes a stage that gives moments
    (`dasflex_core.moments.Moments`) in place of records, of bins of `seconds` on the absolute grid; `widen` makes one
    that gives of moments, side by side, the very items that the stage would give for a multiple of that width: it is
    called with `seconds` and `stats`. `write` is a function of a stream of moments that gives the bytes of a file, and
    `read` gives the stream again; it raises `SourceError` for bytes that are none.
    """

    bins: str
    sums: str
    widen: str
    write: str
    read: str
