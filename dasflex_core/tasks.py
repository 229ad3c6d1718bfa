# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that are done in the background: what one is, and how a request hands it over without waiting for anything.

A task is handed over as a small file. Whoever works on tasks takes the files away and puts what they say on the
work-list. So a request needs no client of the list's server, does not notice whether that server runs, and a task that
was handed over outlives it. Below `CACHE_ROOT`, which all machines share that work for a site:

    work/new/ID     handed over, and on no list yet
    work/taken/ID   on the list, or worked on; there until the task is done
    work/beat       touched by whoever takes tasks

The id of a task is made from what is to be done, so that a task which is asked for a thousand times is there once.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dasflex_core.config import Config
    from dasflex_core.site import Site

__all__ = ["Spool", "Task", "Work", "background", "hand_over"]

_FOLDER: Final = 0o770
_FILE: Final = 0o660
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
#: Letters of an id that tell what a task is about, and what stands for all others.
_SLUG: Final = 96
_OTHERS: Final = re.compile(r"[^a-z0-9]+")
#: Seconds after which nobody works, if nobody has taken tasks, and after which nothing is handed over any more.
_IDLE: Final = 120.0
_ABANDONED: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done: the name of a kind of task (`dasflex_core.declarations.TaskKind`), and its arguments.

    `front`: before all that waits. It does not count for what the task is.
    """

    kind: str
    arguments: Mapping[str, str]
    front: bool = False

    def id(self, server: str) -> str:
        """The id of the task at a server (`SERVER_ID`): letters, digits and hyphens that say what it is.

        In which order the arguments are written does not count: the source comes first, then they go by their names.

        >>> Task("check", {"source": "Examples/Waveform"}).id("test")
        'check-examples-waveform-lv27heariyovbgth'
        """
        from dasflex_core.plan.identity import digest

        sorted_arguments = sorted(self.arguments.items())
        ordered = sorted(sorted_arguments, key=lambda each: each[0] != "source")
        words = _OTHERS.sub("-", "-".join(value for _name, value in ordered).lower())[:_SLUG].strip("-")
        told = digest([server, self.kind, sorted_arguments])
        return "-".join(filter(None, (self.kind, words, told)))


@dataclass(frozen=True, slots=True)
class Work:
    """What the function of a kind of task is given.

    `arguments` are those of the task. `tell` is told how much is done, from 0 to 1 or None where that is not known, and
    what is being done, as often as one likes. `tries` counts from 1. Whatever the function does must be right when it
    is done twice, or was done half before.
    """

    site: Site
    arguments: Mapping[str, str]
    tell: Callable[[float | None, str], None]
    tries: int = 1


def hand_over(config: Config, tasks: Iterable[Task]) -> str:
    """Hands tasks over, and gives why one could not be, for the log; blank where all were, or were before.

    It takes well below a millisecond for each, and raises nothing: what asks for it does not depend on it.
    """
    if not config.work_queue_broker:
        return "background work is off: WORK_QUEUE_BROKER is not set"
    spool = Spool(config)
    try:
        if spool.silence() > _ABANDONED:
            return "nobody has worked in the background for a day: is dasflex_workd running?"
        for task in tasks:
            spool.put(task)
    except OSError as error:
        return f"no task can be handed over: {error.filename}: {error.strerror}"
    return ""


def background(config: Config) -> Literal["off", "idle", "on"]:
    """Whether there is background work: `off` where it is not configured, `idle` where nobody takes tasks."""
    if not config.work_queue_broker:
        return "off"
    try:
        return "on" if Spool(config).silence() < _IDLE else "idle"
    except OSError:
        return "idle"


class Spool:
    """The files of the tasks of a site. Everything here may be called by many programs and machines at once."""

    def __init__(self, config: Config) -> None:
        self._server = config.server_id
        self._directory = config.cache_root / "work"
        self._beat = self._directory / "beat"

    # -- for those who have tasks

    def put(self, task: Task) -> str:
        """Hands a task over, unless it is there already. Gives its id. Raises `OSError`."""
        identifier = task.id(self._server)
        if not any((self._directory / part / identifier).exists() for part in ("new", "taken")):
            self._write("new", identifier, task)
        return identifier

    def silence(self) -> float:
        """Seconds since somebody took tasks. Where nobody ever has, it begins to count now. Raises `OSError`."""
        try:
            return max(0.0, time.time() - self._beat.stat().st_mtime)
        except FileNotFoundError:
            return _IDLE

    # -- for those who work

    def beat(self, ago: float = 0.0) -> None:
        """Says that somebody takes tasks, or did some seconds ago. Raises `OSError`."""
        for part in ("new", "taken"):
            self._make(part)
        self._beat.touch(_FILE)
        moment = time.time() - ago
        os.utime(self._beat, (moment, moment))

    def handed_over(self) -> list[str]:
        """The ids of what was handed over and is on no list yet."""
        return self._ids("new")

    def taken(self) -> list[str]:
        """The ids of what is on the list or worked on, as far as that is known here."""
        return self._ids("taken")

    def take(self, identifier: str) -> Task | None:
        """Takes what was handed over, to put it on the list; None where another one has, or nothing can be read."""
        try:
            (self._directory / "new" / identifier).rename(self._directory / "taken" / identifier)
        except FileNotFoundError:
            return None
        return self.read(identifier)

    def give_back(self, identifier: str) -> None:
        """Undoes that, where the list cannot be reached."""
        with suppress(FileNotFoundError):
            (self._directory / "taken" / identifier).rename(self._directory / "new" / identifier)

    def read(self, identifier: str) -> Task | None:
        """A task that is taken; None where there is none, or it cannot be read: it is removed then."""
        try:
            task = _from_plain(json.loads((self._directory / "taken" / identifier).read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError):
            task = None
        if task is None or task.id(self._server) != identifier:
            self.drop(identifier)
            return None
        return task

    def keep(self, task: Task) -> str:
        """Notes a task that somebody puts on the list. Gives its id. Raises `OSError`."""
        identifier = task.id(self._server)
        self._write("taken", identifier, task)
        return identifier

    def drop(self, identifier: str) -> None:
        """Forgets a task: it is done, or will not be."""
        for part in ("new", "taken"):
            (self._directory / part / identifier).unlink(missing_ok=True)

    # -- how it is done

    def _make(self, part: str) -> None:
        (self._directory / part).mkdir(_FOLDER, parents=True, exist_ok=True)

    def _ids(self, part: str) -> list[str]:
        try:
            found = os.listdir(self._directory / part)  # noqa: PTH208  a path for each of 100,000 names takes a second
        except FileNotFoundError:
            return []
        return sorted(each for each in found if not each.startswith("."))

    def _write(self, part: str, identifier: str, task: Task) -> None:
        """Writes the file of a task so that it is there whole or not at all."""
        partial = self._directory / part / f".{identifier}.{os.urandom(4).hex()}"
        try:
            descriptor = os.open(partial, _FLAGS, _FILE)
        except FileNotFoundError:
            self.beat(_IDLE)
            descriptor = os.open(partial, _FLAGS, _FILE)
        try:
            try:
                os.write(descriptor, json.dumps(_to_plain(task)).encode())
            finally:
                os.close(descriptor)
            partial.rename(partial.with_name(identifier))
        except OSError:
            partial.unlink(missing_ok=True)
            raise


def _to_plain(task: Task) -> dict[str, object]:
    return {"kind": task.kind, "arguments": dict(task.arguments), "front": task.front}


def _from_plain(kept: dict[str, Any]) -> Task:
    """The task that was written. Raises `TypeError`, `KeyError` or `AttributeError` for what is none."""
    arguments = {str(name): str(text) for name, text in kept["arguments"].items()}
    return Task(str(kept["kind"]), arguments, bool(kept.get("front")))
