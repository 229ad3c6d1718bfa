# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_workd`: a worker as a program, or several of them."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.exit_codes import FAILED, exit_code
from dasflex_core.cli.verbs import Verb
from dasflex_core.errors import DasflexError
from dasflex_core.noting import tell_in_json, with_log_format

if TYPE_CHECKING:
    from dasflex_core.cli.daemonizing import Background, PidFile
    from dasflex_core.site import Site

__all__ = ["LOG", "main", "workd"]

#: The log of workers in the background, below LOG_PATH.
LOG: Final = "workd.log"
_LEVELS: Final = ("debug", "info", "warning", "error")
_config = click.option(
    "-c",
    "--config",
    type=click.Path(exists=True),
    metavar="CONF",
    help="The dasflex.conf of a root. Default: DASFLEX_CONFIG, else your own root.",
)


@click.command("dasflex_workd", cls=Verb)
@click.option("-n", "--workers", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N",
              help="How many tasks are done at once.")  # fmt: skip
@click.option("-D", "-d", "--daemon", "pid_file", type=click.Path(path_type=Path, dir_okay=False), metavar="PIDFILE",
              help="Run in the background, and write the number of the process to PIDFILE.")  # fmt: skip
@_config
@click.option("--once", is_flag=True, help="Do what waits, and end.")
@click.option("-l", "--level", type=click.Choice(_LEVELS, case_sensitive=False), default="info", show_default=True,
              metavar="LEVEL", help=f"What is logged: {', '.join(_LEVELS)}.")  # fmt: skip
@click.option("--log-format", "log_format", type=click.Choice(("text", "json")), metavar="FORM",
              help="The form of the log: text, or json. Default: LOG_FORMAT.")  # fmt: skip
@click.option("--beat", type=click.IntRange(1, 600), default=10, show_default=True, metavar="SECONDS",
              help="How often a worker gives signs of life. Without three, another does its task.")  # fmt: skip
@click.option("--every", type=click.FloatRange(0.1, 600), default=5.0, show_default=True, metavar="SECONDS",
              help="How often it is looked for what was handed over, and is to be tried again.")  # fmt: skip
@click.option("--leash", type=int, hidden=True)
def workd(  # noqa: PLR0913  click gives each option
    *,
    workers: int,
    pid_file: Path | None,
    config: str | None,
    once: bool,
    level: str,
    log_format: str | None,
    beat: int,
    every: float,
    leash: int | None,
) -> None:
    """Do the tasks of a work-list in the background, until Ctrl-C or SIGTERM.

    Any number of them may run, on all machines that share the CACHE_ROOT of the site and reach its Redis. It runs in
    the foreground unless a PIDFILE is given. The first signal lets the tasks at hand be finished; a second, at least
    a second later, ends them, and others do them then.
    """
    from dasflex_core.noting import say
    from dasflex_core.site import open_site

    site = with_log_format(open_site(config), log_format)
    _check(site)
    taken: PidFile | None = None
    background: Background | None = None
    if pid_file is not None:
        from dasflex_core.cli.daemonizing import PidFile, into_background

        taken = PidFile(pid_file)
        background = into_background(site.config.log_path / LOG, say)
        taken.write()
    try:
        _log(site, level)
        os.environ["DASFLEX_CONFIG"] = str(site.config.file)
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        if background is not None:
            background.serves()
        options = ("--beat", str(beat), "--every", str(every), "-l", level, "--log-format", site.config.log_format)
        if workers > 1:
            from dasflex_work.several import work_together

            work_together(workers, (*options, *(("--once",) if once else ())))
        else:
            from dasflex_work.working import work

            work(site, beat=beat, every=every, once=once, leash=leash)
    except BaseException as error:
        if background is not None:
            background.failed(exit_code(error) if isinstance(error, DasflexError) else FAILED, str(error))
        raise
    finally:
        if taken is not None:
            taken.remove()


def _check(site: Site) -> None:
    """Raises `ConfigError` where there can be no background work."""
    from dasflex_work.broker import needs, url

    url(site.config)
    needs("redis", "rq")


def _log(site: Site, level: str) -> None:
    """Lets what is logged be written to standard error."""
    if site.config.log_format == "json":
        tell_in_json(level.upper())
    else:
        form = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        form.converter = time.gmtime
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(form)
        logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in ("rq", "rq.worker", "rq.job", "rq.queue", "rq.registry", "rq.scheduler", "dasflex.work.queue"):
        logging.getLogger(name).setLevel(logging.WARNING)


def main() -> None:
    """The program `dasflex_workd`."""
    workd.main(prog_name="dasflex_workd")
