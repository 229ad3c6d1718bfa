# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs plans: processes, the pump, and what is kept of each run."""

from __future__ import annotations

from dasflex_core.run.family import Guardian
from dasflex_core.run.pump import Pump
from dasflex_core.run.reader_log import ReaderLog
from dasflex_core.run.records import RequestRecord, new_request_id, read_record
from dasflex_core.run.settings import PumpSettings
from dasflex_core.run.stats import NodeStats

__all__ = [
    "Guardian",
    "NodeStats",
    "Pump",
    "PumpSettings",
    "ReaderLog",
    "RequestRecord",
    "new_request_id",
    "read_record",
]
