# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers tell their administrator on standard error: as lines of text, or as JSON, one object a line.

An object has `time` (UTC), `level`, `logger` and `message`, and where something failed unexpectedly `exception`.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dasflex_core.site import Site

__all__ = ["JsonFormatter", "in_json", "say", "tell_in_json", "with_log_format"]

_NOTE: Final = "note: "


class JsonFormatter(logging.Formatter):
    """One JSON object for each record; `exception` is a traceback, where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The object, on one line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def tell_in_json(level: int | str = logging.INFO) -> None:
    """Lets all that is logged in this process be written to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def in_json() -> bool:
    """Whether that is so."""
    return any(isinstance(each.formatter, JsonFormatter) for each in logging.getLogger().handlers)


def say(text: str) -> None:
    """Tells the administrator a line; one that begins with `note:` is no cause for worry."""
    if in_json():
        level = logging.INFO if text.startswith(_NOTE) else logging.WARNING
        logging.getLogger("dasflex").log(level, "%s", text.removeprefix(_NOTE))
    else:
        print(f"dasflex: {text}", file=sys.stderr, flush=True)  # noqa: T201  the server's log is its standard error


def with_log_format(site: Site, form: str | None) -> Site:
    """The site with that form of its logs; its own where none is given."""
    return site if form is None else replace(site, config=replace(site.config, log_format=form))
