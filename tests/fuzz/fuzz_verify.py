# SPDX-License-Identifier: GPL-3.0-or-later
"""Random streams of every form have a verdict: the same however they are cut, and a fault where no decoder reads them."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["dasflex_core", "dasflex_das"]):
    from dasflex_das.das2_decoder import Das2Decoder
    from dasflex_das.das3_decoder import Das3Decoder
    from dasflex_das.verifying import MOST, verify

import fuzz_das2
import fuzz_das3
import seeds
from decoding import cut, fed
from words import Words, fuzz

if TYPE_CHECKING:
    from dasflex_das.verifying import Report

#: The first byte of an input that is taken apart into words, rather than as a stream.
BUILT = 0x80


def stream_of(data: bytes) -> bytes:
    """The stream that the bytes are, or that they say how to build."""
    if data[:1] < bytes([BUILT]):
        return data
    words = Words(data[1:])
    return (fuzz_das2.stream, fuzz_das3.stream, fuzz_das3.document)[words.number(0, 2)](words)


def agree(one: Report, other: Report) -> bool:
    """Whether two reports differ only in how much they quote of what is no packet, or of what is no zlib stream."""
    if one.verdict == "fault" and "compressed" in f"{one.findings}{other.findings}":
        return True
    places = [
        [(each.rule, each.packet, each.offset, each.line, each.count) for each in report.findings]
        for report in (one, other)
    ]
    return places[0] == places[1] and (one.headers, one.tallies, one.messages) == (
        other.headers,
        other.tallies,
        other.messages,
    )


def judge(data: bytes) -> None:
    """The verdict on a stream, whole and in pieces."""
    stream = stream_of(data)
    report = verify([stream])
    split = verify(cut(stream, Words(blake2b(data).digest())))
    if split.verdict != report.verdict or (split != report and not agree(split, report)):
        raise AssertionError(f"whole: {report}; in chunks: {split}")
    if len(report.findings) > MOST or report.size != len(stream):
        raise AssertionError("the report is not bounded")
    decoder = Das2Decoder if report.form == "das2" else Das3Decoder
    _items, wrong = fed(decoder(), [stream])
    if wrong and report.verdict != "fault":
        raise AssertionError(f"{report.verdict}, and the decoder says {wrong}")


if __name__ == "__main__":
    fuzz(judge, seeds.streams(), longest=seeds.LONGEST)
