# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex root`: makes the directory of a server, and says how to go on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dasflex_core.cli.verbs import Verb

if TYPE_CHECKING:
    from dasflex_core.config import Config

__all__ = ["root"]


@click.command("root", cls=Verb)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("name")
@click.option("--no-examples", is_flag=True, help="Leave out the sources below Examples/.")
def root(directory: Path, name: str, no_examples: bool) -> None:  # noqa: FBT001  click
    """Make a server root in DIR for a server called NAME.

    Nothing is overwritten. It prints what to do next.
    """
    from dasflex_core.roots import make_root

    config = make_root(directory, name, examples=not no_examples)
    programs = Path(sys.prefix) / "bin"
    click.echo(_next_steps(config, programs, _write_units(config, programs)))


def _write_units(config: Config, programs: Path) -> list[Path]:
    """Puts the units of systemd into the root, for an administrator to look at and to copy."""
    from dasflex_core.services import UNITS, units

    folder = config.root / UNITS
    folder.mkdir(exist_ok=True)
    written = []
    for name, text in units(config, programs).items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def _next_steps(config: Config, programs: Path, written: list[Path]) -> str:
    """How to look at the new root, and how to serve it, with the real paths."""
    program = programs / "dasflex"
    serve = f"{program if program.exists() else 'dasflex'} serve --config {config.file}"
    daemon = programs / "dasflex_websocd"
    return f"""\
Made {config.root}

 1. Say who you are in {config.file}
 2. Try it:
      {serve}
 3. Put your own definitions below {config.definitions}, and make them sources:
      dasflex install --root {config.root}
 4. Keep it running. There are units of systemd for the HTTP server and the WebSocket daemon; see to their User=:
      {daemon if daemon.exists() else "dasflex_websocd"} --config {config.file} --check
      sudo cp {written[0].parent}/*.service /etc/systemd/system/
      sudo systemctl enable --now {" ".join(each.stem for each in written)}
 5. Put it behind Apache (a2enmod proxy_http proxy_wstunnel), and set SERVER_URL to the public address:
      ProxyPass        "/dasws/" "ws://{config.websocket_iface}:{config.websocket_port}/dasws/"
      ProxyPass        "/das" "http://127.0.0.1:8080"
      ProxyPassReverse "/das" "http://127.0.0.1:8080\""""
