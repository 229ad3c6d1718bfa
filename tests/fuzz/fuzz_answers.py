# SPDX-License-Identifier: GPL-3.0-or-later
"""Random streams of both generations in every format: each is written or refused, and what is das is read again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["dasflex_core", "dasflex_das", "dasflex_csv"]):
    from dasflex_core.answers import gather
    from dasflex_core.errors import QueryError, SourceError
    from dasflex_csv.formatter import CsvFormatter
    from dasflex_das.das2_decoder import Das2Decoder
    from dasflex_das.das2_encoder import Das2BinaryEncoder, Das2TextEncoder
    from dasflex_das.das3_decoder import Das3Decoder
    from dasflex_das.das3_encoder import Das3BinaryEncoder, Das3TextEncoder

import fuzz_das2
import fuzz_das3
from decoding import fed, told
from words import Words, fuzz

if TYPE_CHECKING:
    from dasflex_core.stages import Decoder, Formatter

#: What writes, its parameters, and what reads it again.
FORMATS: tuple[tuple[type[Formatter], dict[str, object], type[Decoder] | None], ...] = (
    (CsvFormatter, {}, None),
    (CsvFormatter, {"sigdigit": 8, "secfrac": 3}, None),
    (CsvFormatter, {"style": "das", "props": True}, None),
    (Das2BinaryEncoder, {}, Das2Decoder),
    (Das2TextEncoder, {}, Das2Decoder),
    (Das2TextEncoder, {"sigdigit": 2, "secfrac": 9}, Das2Decoder),
    (Das3BinaryEncoder, {}, Das3Decoder),
    (Das3TextEncoder, {}, Das3Decoder),
    (Das3TextEncoder, {"sigdigit": 17, "secfrac": 0}, Das3Decoder),
)


def answer(data: bytes) -> None:
    """A stream that can be decoded, in each of the formats."""
    words = Words(data)
    second = words.flag()
    stream = fuzz_das2.stream(words) if second else fuzz_das3.stream(words)
    items, wrong = fed(Das2Decoder() if second else Das3Decoder(), [stream])
    if wrong:
        return
    with suppress(QueryError, SourceError):
        gather(items)
    for writer, options, reader in FORMATS:
        formatter = writer(**options)
        try:
            written = b"".join([*(chunk for item in items for chunk in formatter.feed(item)), *formatter.finish()])
        except (QueryError, SourceError):
            continue
        if reader is None:
            continue
        again, refused = fed(reader(), [written])
        if refused or told(again)[1] != told(items)[1]:
            raise AssertionError(f"{writer.__name__}: {told(items)[1]} became {told(again)[1]} {refused}")


if __name__ == "__main__":
    fuzz(answer)
