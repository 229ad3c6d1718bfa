# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that does one job: `python -m dasflex_core.jobs CONFIG ID`.

It takes the lock of the job, leaves whoever started it, and ends with exit status 0 for them as soon as it has done
both; 3 where somebody else works on the job. It then does the job, and lets others do what waits.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dasflex_core.config import read_config
from dasflex_core.jobs.store import Jobs
from dasflex_core.jobs.tending import TAKEN, tend

if TYPE_CHECKING:
    from types import FrameType

    from dasflex_core.config import Config

#: How much others go before: what is answered at once should not have to wait for what is not.
_NICE = 5


def main(arguments: list[str]) -> int:
    """Does a job, and gives the exit status."""
    file, identifier = arguments
    config = read_config(Path(file))
    jobs = Jobs(config.jobs_path)
    lock = jobs.take(identifier)
    if lock is None or jobs.status(identifier).over:
        return TAKEN
    if os.fork():
        return 0  # the lock is the child's as well
    jobs.sign(lock)
    os.nice(_NICE)
    ended = _work(config, jobs, identifier)
    os.close(lock)
    if ended:  # else the machine or its server stops, and nothing is to begin
        tend(config, jobs)
    return 0


def _work(config: Config, jobs: Jobs, identifier: str) -> bool:
    """Does the job, and gives whether it has ended; SIGTERM lets it wait again."""
    from dasflex_core.jobs.working import Work

    work = Work(config, jobs, identifier)

    def stop(_number: int, _frame: FrameType | None) -> None:
        work.stop()

    signal.signal(signal.SIGTERM, stop)
    return work.do().over


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)
