# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole streams as bytes, from real ones on: decoded and framed the same however they are cut, or a `SourceError`."""

from __future__ import annotations

from hashlib import blake2b

import atheris

with atheris.instrument_imports(include=["dasflex_core", "dasflex_das"]):
    from dasflex_das.das2_decoder import Das2Decoder
    from dasflex_das.das2_framing import Das2Framer
    from dasflex_das.das3_decoder import Das3Decoder
    from dasflex_das.das3_framing import Das3Framer

import seeds
from decoding import check, check_decoder
from words import Words, fuzz


def decode(data: bytes) -> None:
    """A stream of the generation that it begins like; where it is cut follows from its own bytes."""
    words = Words(blake2b(data).digest())
    if data.lstrip()[:1] == b"<":
        check_decoder(Das3Decoder, data, words)
    elif data[:1] == b"|":
        check(Das3Decoder, Das3Framer, data, words)
    else:
        check(Das2Decoder, Das2Framer, data, words)


if __name__ == "__main__":
    fuzz(decode, seeds.streams(), longest=seeds.LONGEST)
