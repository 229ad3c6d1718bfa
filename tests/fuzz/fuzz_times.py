# SPDX-License-Identifier: GPL-3.0-or-later
"""Random text as a time, a range or a quantity: it is one, or the error says that it is none."""

from __future__ import annotations

import atheris

with atheris.instrument_imports(include=["dasflex_core"]):
    from dasflex_core.errors import QueryError
    from dasflex_core.times import parse_quantity, parse_range, parse_time

from words import fuzz

PARSERS = (parse_time, parse_range, parse_quantity)


def parse(data: bytes) -> None:
    """The first byte picks the parser, the rest is the text."""
    source = atheris.FuzzedDataProvider(data)
    parser = PARSERS[source.ConsumeIntInRange(0, len(PARSERS) - 1)]
    try:
        parser(source.ConsumeUnicode(80))
    except QueryError:
        return


if __name__ == "__main__":
    fuzz(parse)
