# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands behind an answer id: the request that gives the answer, in a small file of JSON since it was first run.

An answer id is what a figure caption cites, so that nothing here is ever removed. Whoever asks the same again, however
often, leaves no more. Keys and passwords are not kept: whoever asks again has their own.
"""

from __future__ import annotations

import os
from time import time
from typing import TYPE_CHECKING

from dasflex_core.errors import NotFoundError
from dasflex_core.run.records import iso_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Answered", "note_answer", "read_answer"]

_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The request behind an answer.

    `pairs` are its parameters as the convention names them, all times resolved; `first` is when it was first run, in
    UTC.
    """

    id: str
    source: str
    pairs: tuple[tuple[str, str], ...] = ()
    convention: str = "flex"
    first: str = ""


def note_answer(
    answer: str,
    source: str,
    pairs: Iterable[tuple[str, str]],
    convention: str,
    directory: str,
    note: Callable[[str], None],
) -> None:
    """Writes `directory/ID.json`, whole or not at all, unless it is there.

    A disk that is full or not there does not fail the request: `note` is told.
    """
    path = f"{directory}/{answer}.json"
    if not _is_id(answer) or os.path.exists(path):  # noqa: PTH110  each request asks this
        return
    import json
    from pathlib import Path

    from dasflex_core.redacting import masked_pairs
    from dasflex_core.run.filing import replaced

    told = list(masked_pairs(pairs))
    shown = {"id": answer, "source": source, "pairs": told, "convention": convention, "first": iso_time(time())}
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        replaced(Path(path), json.dumps(shown, ensure_ascii=False).encode("utf-8", "replace"))
    except OSError as error:
        note(f"the request behind the answer {answer} cannot be kept: {error}")


def read_answer(identifier: str, directory: str) -> Answered:
    """The request behind an answer id, case aside. Raises `NotFoundError` (`not-found.answer`)."""
    import json
    from pathlib import Path

    missing = NotFoundError(
        f"There is no answer {identifier[:40]!r}; ids of answers have {_LENGTH} letters and digits",
        kind="not-found.answer",
    )
    named = identifier.lower()
    if not _is_id(named):
        raise missing
    try:
        shown = json.loads(Path(directory, f"{named}.json").read_bytes())
        pairs = tuple((str(name), str(text)) for name, text in shown["pairs"])
        return Answered(**{**shown, "pairs": pairs})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise missing from error


def _is_id(text: str) -> bool:
    """Whether the text may be the id of an answer, and so the name of a file."""
    return len(text) == _LENGTH and text.isascii() and text.isalnum()
