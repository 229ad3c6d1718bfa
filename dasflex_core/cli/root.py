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

    click.echo(_next_steps(make_root(directory, name, examples=not no_examples)))


def _next_steps(config: Config) -> str:
    """How to look at the new root, and how to serve it, with the real paths."""
    program = Path(sys.prefix) / "bin" / "dasflex"
    serve = f"{program if program.exists() else 'dasflex'} serve --config {config.file}"
    return f"""\
Made {config.root}

 1. Say who you are in {config.file}
 2. Try it:
      {serve}
 3. Put your own definitions below {config.definitions}, and make them sources:
      dasflex install --root {config.root}
 4. Keep it running. As a unit of systemd, /etc/systemd/system/{config.server_id}.service:
      [Unit]
      Description={config.server_name}
      After=network.target
      [Service]
      ExecStart={serve} --port 8080
      User=www-data
      [Install]
      WantedBy=multi-user.target
 5. Put it behind Apache (a2enmod proxy_http), and set SERVER_URL to the public address:
      ProxyPass        "/das" "http://127.0.0.1:8080"
      ProxyPassReverse "/das" "http://127.0.0.1:8080\""""
