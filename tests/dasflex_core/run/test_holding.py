# SPDX-License-Identifier: GPL-3.0-or-later
"""An instrument that admits one reader has one, whichever programs of a site ask for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dasflex_core
from dasflex_core.errors import BusyError
from dasflex_core.roots import make_root

NOW = {"read_time_min": "now", "read_time_max": "forever"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A root with the examples, of which the live one admits one reader."""
    return dasflex_core.open(make_root(tmp_path_factory.mktemp("holding") / "root", "Holding").root)


def test_a_second_run_is_refused_while_the_first_goes_on(site):
    plan = site["Examples/Live"].ask(**NOW).plan()
    with plan.open() as first:
        first.start()
        with plan.open() as second, pytest.raises(BusyError, match="admits one reader at a time"):
            second.start()
    with plan.open() as third:
        third.start()


def test_a_run_that_has_not_begun_holds_nothing(site):
    plan = site["Examples/Live"].ask(**NOW).plan()
    with plan.open(), plan.open() as second:
        second.start()


def test_the_past_can_be_read_meanwhile(site):
    with site["Examples/Live"].ask(**NOW).plan().open() as run:
        run.start()
        assert site["Examples/Live"].ask(time="2025-11-23T09:00/2025-11-23T09:00:01").read()


def test_an_example_that_others_watch_is_not_wrong(site):
    command = [
        sys.executable,
        "-c",
        "from dasflex_core.cli import main; main()",
        "check",
        "Examples/Live",
        "--root",
        str(site.config.root),
    ]
    with site["Examples/Live"].ask(**NOW).plan().open() as run:
        run.start()
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the example was not run" in done.stdout + done.stderr
