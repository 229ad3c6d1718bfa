# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has delivered, and the record that it leaves when it is over."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic, time
from typing import TYPE_CHECKING

from dasflex_core.errors import DasflexError
from dasflex_core.run.records import RequestRecord, iso_time, new_request_id, write_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_core.run.context import Piece
    from dasflex_core.run.digest import Digest
    from dasflex_core.run.records import ProgramRecord
    from dasflex_core.run.settings import PumpSettings

__all__ = ["Account"]


class Account:
    """Counts and hashes what is delivered. `about` is the record as far as it is known before the run."""

    def __init__(self, settings: PumpSettings, about: RequestRecord | None) -> None:
        self.record = about or RequestRecord(id=new_request_id())
        self.delivered = 0
        self._settings = settings
        self._begun = (monotonic(), time())
        self._digest: Digest | None = None
        self._settled = False

    def count(self, piece: Piece) -> None:
        """Counts and hashes bytes that are delivered."""
        if not isinstance(piece, bytes) or not piece:
            return
        self.delivered += len(piece)
        if self._settings.digest:
            if self._digest is None:
                from dasflex_core.run.digest import Digest

                self._digest = Digest()
            self._digest.update(piece)

    def settle(
        self,
        failure: BaseException | None,
        records: int | None,
        *,
        complete: bool = False,
        programs: Callable[[], tuple[ProgramRecord, ...]] = tuple,
        read: int = 0,
        worked: float | None = None,
    ) -> None:
        """Completes the record and writes it, once.

        `records` is how many came out of the last node with items, `read` how many bytes came from readers; `programs`
        gives what was started. `worked` is the seconds in which the run was at work, where they were measured.
        """
        if self._settled:
            return
        self._settled = True
        begun, began = self._begun
        seconds = monotonic() - begun
        self.record = replace(
            self.record,
            started=iso_time(began),
            ended=iso_time(began + seconds),
            seconds=round(seconds, 3),
            complete=complete,
            bytes=self.delivered,
            records=records,
            programs=programs(),
            read=read,
            sha256=self._digest.finish() if self._digest is not None else "",
            error_kind=failure.kind if isinstance(failure, DasflexError) else "error" if failure else "",
            error=failure.message if isinstance(failure, DasflexError) else type(failure).__name__ if failure else "",
        )
        if self._settings.records:
            write_record(self.record, self._settings.records, self._settings.note)
        if complete and worked is not None and self._settings.measure is not None:
            self._settings.measure(self.delivered, records, read, worked)
