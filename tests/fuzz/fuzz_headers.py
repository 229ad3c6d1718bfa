# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers as bytes, from real ones on: each parser gives items, or a `SourceError`; XML is written as it was read."""

from __future__ import annotations

from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["dasflex_core", "dasflex_das"]):
    from dasflex_core.arrays import StreamHeader
    from dasflex_core.errors import SourceError
    from dasflex_das.das2_headers import read_packet, read_stream
    from dasflex_das.das2_packets import Layout
    from dasflex_das.das3_headers import header_of, read_comment, read_dataset, read_exception
    from dasflex_das.elements import parse, serialise

import seeds
from words import fuzz

WHERE = "The header"


def header(data: bytes) -> None:
    """The bytes as each kind of header."""
    try:
        tree = parse(data, WHERE)
    except SourceError:
        return
    again = parse(serialise(tree).encode(), WHERE)
    if serialise(again) != serialise(tree):
        raise AssertionError(f"{serialise(tree)!r} is read again as {serialise(again)!r}")
    with suppress(SourceError):
        read_stream(tree, WHERE)
    with suppress(SourceError):
        Layout(read_packet(tree, 1, StreamHeader(generation=2), WHERE), data)
    for read in (header_of, read_comment, read_exception):
        with suppress(SourceError):
            read(data, WHERE)
    with suppress(SourceError):
        read_dataset(data, 1, WHERE)


if __name__ == "__main__":
    fuzz(header, (body for stream in seeds.streams() for body in seeds.bodies(stream)), longest=seeds.LONGEST)
