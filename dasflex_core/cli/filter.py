# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex filter`: stages as a filter, from standard input to standard output. `dasflex plan --sh` uses it."""

from __future__ import annotations

import os
import sys
from typing import Final

import click

from dasflex_core.cli.verbs import Verb

__all__ = ["filter"]

_INPUT: Final = "/dev/stdin"


@click.command("filter", cls=Verb, context_settings={"allow_interspersed_args": False})
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]... [--then NAME [KEY=VALUE]...]...", type=click.UNPROCESSED)
def filter(name: str, words: tuple[str, ...]) -> None:  # noqa: A001  the word that users know
    """Run stages over standard input, to standard output.

    NAME is an installed stage (`dasflex plugins`), KEY one of its parameters. What one stage gives, the next one
    behind --then takes. The first takes a stream of bytes, and the last gives one.

    NAME may also be a classic program, such as das2_psd, with the arguments of that.
    """
    from dasflex_core.plan.filtering import filter_nodes
    from dasflex_core.registry import discover
    from dasflex_core.run import Pump, PumpSettings

    registry = discover()
    classic = {each.name: each.words for each in registry.classic_programs}
    path = _INPUT
    if name in classic:
        from dasflex_core.loading import load

        head, path = _peeked()
        name, *words = load(classic[name])(list(words), head)
    nodes = filter_nodes(registry, (name, *words), path)
    settings = PumpSettings(framer=registry.framer, info=registry.stream_type)
    with Pump(nodes, settings) as run:
        for chunk in run.chunks():
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _peeked() -> tuple[bytes, str]:
    """The beginning of standard input, and the path of a pipe that gives it again with all that follows."""
    from threading import Thread

    from dasflex_core.classic import HEAD, enough

    head = b""
    while not enough(head):
        chunk = os.read(sys.stdin.fileno(), HEAD)
        if not chunk:
            break
        head += chunk
    ours, theirs = os.pipe()

    def copied() -> None:
        with os.fdopen(theirs, "wb", buffering=0) as out:
            chunk = head
            try:
                while chunk:
                    out.write(chunk)
                    chunk = os.read(sys.stdin.fileno(), HEAD)
            except BrokenPipeError:  # nobody reads any more
                return

    Thread(target=copied, daemon=True).start()
    return head, f"/dev/fd/{ours}"
