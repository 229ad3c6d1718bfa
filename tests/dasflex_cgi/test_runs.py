# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs of a server end with it, also one that begins while it stops."""

from __future__ import annotations

from itertools import islice

import pytest

import dasflex_core
from dasflex_cgi.runs import Body, Runs
from dasflex_core.errors import BusyError


def take(run, runs):
    """Takes some of a run as the body of an answer."""
    body = Body(run, runs)
    try:
        for _piece in islice(body, 1000):
            pass
    finally:
        body.close()


@pytest.mark.parametrize("late", [False, True])
def test_a_run_is_ended_even_if_it_began_while_the_server_stopped(bare, late):
    bare.add("endless", "headers()\nwhile True: records(1000)")
    run = dasflex_core.open(bare.root)["endless"]["2020-01-01":"2020-01-02"].plan().open()
    runs = Runs()
    if late:
        runs.end()
    runs.add(run, None)
    if not late:
        runs.end()
    with pytest.raises(BusyError):
        take(run, runs)
    assert not bare.processes("endless")
