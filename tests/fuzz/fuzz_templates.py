# SPDX-License-Identifier: GPL-3.0-or-later
"""Random values in a command template: the number of arguments stays, and no value begins an option."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from dasflex_core.errors import QueryError
    from dasflex_core.plan.templates import parse_template

TEMPLATE = parse_template(
    "reader #[read.a] --b=#[read.b # @ #] #[read.c # -c @ #] '#[read.a # x@y]' | filter #[read.a]"
)
ABSENT, PRESENT = (4, 2), (6, 2)  # arguments of each process, without and with read.c


def render(data: bytes) -> None:
    """Three texts out of the bytes, the third of which may be absent."""
    source = atheris.FuzzedDataProvider(data)
    names = ("read.a", "read.b", "read.c") if source.ConsumeBool() else ("read.a", "read.b")
    values = {name: source.ConsumeUnicode(source.ConsumeIntInRange(0, 64)) for name in names}
    try:
        commands = TEMPLATE.render(values, python=sys.executable, environ={})
    except QueryError:
        return
    if tuple(map(len, commands)) != (PRESENT if "read.c" in names else ABSENT):
        raise AssertionError(f"{values!r} changed the arguments: {commands!r}")
    if any(each.startswith("-") for each in (commands[0][1], commands[1][1])):
        raise AssertionError(f"{values!r} began an option: {commands!r}")


atheris.Setup(sys.argv, render)
atheris.Fuzz()
