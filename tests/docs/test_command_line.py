# SPDX-License-Identifier: GPL-3.0-or-later
"""The help in the documentation is what the command prints, and its table of exit codes is that of the code.

`python tests/docs/test_command_line.py` writes the help anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from dasflex_core.cli import main
from dasflex_core.cli.exit_codes import EXIT_CODES, INTERRUPTED

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "reference" / "command-line.md"
GENERATED = re.compile(r"(<!-- generated help begins[^\n]*-->\n)(.*?)(<!-- generated help ends -->\n)", re.DOTALL)
REGENERATE = "the help has changed: run `python tests/docs/test_command_line.py` and look at the difference"


def generated() -> str:
    """The help of the command and of each of its verbs, as text blocks."""
    top = click.Context(main, info_name="dasflex", terminal_width=80, **main.context_settings)
    shown = [main.get_help(top)]
    for name in main.list_commands(top):
        verb = main.get_command(top, name)
        assert verb is not None
        context = click.Context(verb, parent=top, info_name=name, terminal_width=80, **verb.context_settings)
        shown.append(verb.get_help(context))
        for inner in verb.commands.values() if isinstance(verb, click.Group) else ():
            below = click.Context(
                inner, parent=context, info_name=inner.name, terminal_width=80, **inner.context_settings
            )
            shown.append(inner.get_help(below))
    return "".join(f"\n```text\n{each}\n```\n" for each in shown) + "\n"


def test_the_help_in_the_documentation_is_what_the_command_prints():
    found = GENERATED.search(PAGE.read_text(encoding="utf-8"))
    assert found
    assert found[2] == generated(), REGENERATE


def test_the_table_of_exit_codes_is_that_of_the_code():
    text = PAGE.read_text(encoding="utf-8")
    for kind, code in EXIT_CODES.items():
        assert re.search(rf"^\| {code} \|.*`{kind}`", text, re.MULTILINE), kind
    assert f"| {INTERRUPTED} |" in text


if __name__ == "__main__":
    PAGE.write_text(
        GENERATED.sub(lambda found: found[1] + generated() + found[3], PAGE.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
