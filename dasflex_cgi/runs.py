# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs of a server: each is ended soon after its client has gone, and all of them when the server stops."""

from __future__ import annotations

from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.run import Guardian, Pump

__all__ = ["Body", "Runs"]

_PERIOD: Final = 0.25


def _never() -> bool:
    """Where the server cannot tell whether a client has gone: it is then noticed at the next write."""
    return False


class Runs:
    """The runs that are going on. A silent reader does not write, so one thread looks whether the clients are there."""

    def __init__(self) -> None:
        self._guardian: Guardian | None = None
        self._lock = Lock()
        self._going: dict[Pump, Callable[[], bool]] = {}
        self._stopped = Event()
        self._watch: Thread | None = None

    @property
    def guardian(self) -> Guardian:
        """What ends the programs of all runs if this process should die: started when it is first needed."""
        from dasflex_core.run import Guardian

        with self._lock:
            if self._guardian is None or not self._guardian.awake:
                self._guardian = Guardian()
            return self._guardian

    def add(self, run: Pump, gone: Callable[[], bool] | None) -> None:
        """Takes a run up; `gone` tells whether its client has left. One that comes after the end is ended at once."""
        with self._lock:
            self._going[run] = gone or _never
            if self._stopped.is_set():
                run.cancel()
            elif self._watch is None:
                self._watch = Thread(target=self._look, name="dasflex-clients", daemon=True)
                self._watch.start()

    def remove(self, run: Pump) -> None:
        """Lets go of a run that is over."""
        with self._lock:
            self._going.pop(run, None)

    def end(self) -> None:
        """Ends all runs: no program that a reader started is left."""
        with self._lock:
            self._stopped.set()
            going = list(self._going)
        for run in going:
            run.cancel()
        with self._lock:
            guardian, self._guardian = self._guardian, None
        if guardian is not None:
            guardian.close()

    def _look(self) -> None:
        """Ends the runs whose clients have gone, until the server stops."""
        while not self._stopped.wait(_PERIOD):
            with self._lock:
                left = [run for run, gone in self._going.items() if gone()]
            for run in left:
                self.remove(run)
                run.cancel()


class Body:
    """The bytes of a run as the body of a response. Whether it was begun or not, `close` ends the run."""

    def __init__(self, run: Pump, runs: Runs) -> None:
        self._run = run
        self._runs = runs
        self._chunks = run.chunks()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        """Ends the run."""
        self._run.close()
        self._runs.remove(self._run)
