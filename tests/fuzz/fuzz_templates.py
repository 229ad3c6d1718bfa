# SPDX-License-Identifier: GPL-3.0-or-later
"""Command templates: random values keep the number of arguments and begin no option; random templates are told."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["dasflex_core"]):
    from dasflex_core.errors import ConfigError, QueryError
    from dasflex_core.plan.templates import expand_environment, parse_template, shell_text

from words import Words, fuzz

TEMPLATE = parse_template(
    "reader #[read.a] --b=#[read.b # @ #] #[read.c # -c @ #] '#[read.a # x@y]' | filter #[read.a]"
)
ABSENT, PRESENT = (4, 2), (6, 2)  # arguments of each process, without and with read.c
NAMES = ("read.a", "read.b", "read.c")
PIECES = (
    ("reader", " ", "-o", "#[read.a]", "#[read.b # @ #]", "#[read.c # -c @ # none]", " | filter", "'", '"', "\\\\"),
    (
        "#[",
        "]",
        "#",
        "@",
        "#[python]",
        "#[env.HOME # @ # x]",
        "#[read.a(,|b) # @ #]",
        "#[read.a(;|b|=) # -@]",
        "$(x)",
        "\n",
        ">",
        "\\",
    ),
)
ENVIRONMENT = {"HOME": "/home/a b"}


def known(words: Words) -> None:
    """A template that is known, with any values: three texts, the third of which may be absent."""
    names = NAMES if words.flag() else NAMES[:2]
    values = {name: words.text(64) for name in names}
    try:
        commands = TEMPLATE.render(values, python=sys.executable, environ={})
    except QueryError:
        return
    if tuple(map(len, commands)) != (PRESENT if "read.c" in names else ABSENT):
        raise AssertionError(f"{values!r} changed the arguments: {commands!r}")
    if any(each.startswith("-") for each in (commands[0][1], commands[1][1])):
        raise AssertionError(f"{values!r} began an option: {commands!r}")


def unknown(words: Words) -> None:
    """Any template: it is read and rendered, or an error says what is wrong; values never add a command."""
    text = "".join(words.pick(*PIECES) for _each in range(words.number(0, 24)))
    try:
        template = parse_template(text)
    except ConfigError:
        return
    values = {name: words.text(16) for name in NAMES if words.flag()}
    try:
        commands = template.render(values, python=sys.executable, environ=ENVIRONMENT)
    except (QueryError, ConfigError):
        return
    if len(commands) != len(template.commands):
        raise AssertionError(f"{text!r} with {values!r} has {len(commands)} commands")
    shell_text(commands)


def insert(words: Words) -> None:
    """Any text with inserts of the environment."""
    text = "".join(words.pick(*PIECES) for _each in range(words.number(0, 8)))
    try:
        expand_environment(text, ENVIRONMENT, python=sys.executable if words.flag() else None)
    except ConfigError:
        return


def render(data: bytes) -> None:
    """One of the three."""
    words = Words(data)
    words.source.PickValueInList([known, unknown, unknown, insert])(words)


if __name__ == "__main__":
    fuzz(render)
