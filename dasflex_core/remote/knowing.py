# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a source of another server: asked once, kept in a file, and asked anew now and then beside a run.

A plan is made of what is kept. It waits for the other server only where nothing is kept, and then not for long; where
nothing can be kept, it never does, and nothing is known.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import time
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.errors import DasflexError
from dasflex_core.plan.identity import digest
from dasflex_core.run.filing import replaced
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Asks the server, which may be silent for so many seconds. Raises `DasflexError`.
    Ask = Callable[[float], dict[str, Any]]

__all__ = ["BRIEF", "FRESH", "OLD", "Knowledge"]

#: Seconds for which a plan waits for another server.
BRIEF: Final = 4.0
#: Seconds for which a run waits for the same, beside its data.
PATIENT: Final = 60.0
#: Seconds after which what is kept is asked anew by a run, and by a plan.
FRESH: Final = 86_400.0
OLD: Final = 30 * FRESH
#: Seconds after which a server that did not say is asked again by a plan.
AGAIN: Final = 300.0


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is kept of a source, as an object of JSON, in a file below `directory`; blank where nothing can be kept.

    `kind` and `key` tell the sources apart: the protocol, and the address without a log-in.
    """

    directory: str
    kind: str
    key: str

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return Path(self.directory, self.kind, f"{digest([self.kind, self.key])}.json")

    def kept(self) -> tuple[dict[str, Any], float] | None:
        """What is kept, and its age in seconds; None where there is nothing."""
        if not self.directory:
            return None
        try:
            with self.file.open("rb") as file:
                said = json.load(file)
                age = time() - os.fstat(file.fileno()).st_mtime
        except (OSError, ValueError):
            return None
        return (said, age) if isinstance(said, dict) else None

    def known(self, ask: Ask) -> dict[str, Any]:
        """What is known of the source, for a plan. Nothing where the server does not say it in little time."""
        found = self.kept()
        if found is not None and found[1] < (OLD if found[0] else AGAIN):
            return found[0]
        if not self._keep({}):  # else each plan would ask
            return {}
        try:
            said = ask(BRIEF)
        except DasflexError:
            return {}
        self._keep(said)
        return said

    def renew(self, ask: Ask) -> None:
        """Asks anew, in a thread, where what is kept is no longer fresh, or not all of it: for a run."""
        found = self.kept()
        if self.directory and (found is None or found[1] > FRESH or not found[0].get("complete")):
            Thread(target=self._renew, args=(ask,), name="dasflex-knowing", daemon=True).start()

    def _renew(self, ask: Ask) -> None:
        """Asks, and keeps what comes; what was known stays where nothing does."""
        with suppress(DasflexError):
            self._keep(ask(PATIENT))

    def _keep(self, said: dict[str, Any]) -> bool:
        """Writes it down; false where that cannot be."""
        if not self.directory:
            return False
        try:
            self.file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            replaced(self.file, json.dumps(said).encode())
        except OSError:
            return False
        return True
