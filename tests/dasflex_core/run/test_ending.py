# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is left: whoever goes, and however, the readers and all that they started go within a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dasflex_core.errors import BusyError
from dasflex_core.plan.graph import Limits, Node
from dasflex_core.run import Guardian, Pump, guardian

#: A reader that starts a grandchild which sleeps, in the way that a test names, writes a line, and goes on.
SLEEPER = """
    import os, subprocess, sys, time
    sleep = [sys.executable, "-S", "-c", "{first}import time; time.sleep(60)", sys.argv[1]]
    child = subprocess.Popen(sleep, {how})
    child.stdout and child.stdout.readline()
    print("data", flush=True)
    {then}
"""


def sleeper(how: str = "", first: str = "", then: str = "time.sleep(60)") -> str:
    return SLEEPER.format(how=how, first=first, then=then)


IGNORE = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); "
DETACHED = "stdin=-3, stdout=-3, stderr=-3, start_new_session=True"
WAYS = {
    "in the same group": sleeper(),
    "in a group of its own": sleeper("process_group=0"),
    "in a session of its own": sleeper("start_new_session=True"),
    "with an empty environment, in a group of its own": sleeper("env={}, process_group=0"),
    "deaf to SIGTERM": sleeper("stdout=-1", IGNORE),
    "detached from all pipes": sleeper(DETACHED),
}
#: A program that pumps, as a front-end would.
PUMPING = """
    import sys
    from dasflex_core.plan.graph import Command, Node
    from dasflex_core.run import Pump
    from dasflex_core.streamtype import StreamType
    node = Node("reader", "process", StreamType("raw"), command=Command((tuple(sys.argv[1:]),)))
    with Pump((node,)) as pump:
        for chunk in pump.chunks():
            print(len(chunk), flush=True)
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_consumer_that_goes_takes_the_reader_and_its_grandchild_along(readers, settings, way):
    chunks = Pump((readers.node(WAYS[way]),), settings()).chunks()
    assert next(chunks) == b"data\n"
    assert readers.there(2)
    begin = time.monotonic()
    chunks.close()
    assert readers.left() == []
    assert time.monotonic() - begin < 1


def test_a_consumer_that_forgets_its_iterator_goes_too(readers, settings):
    chunks = Pump((readers.node(WAYS["in the same group"]),), settings()).chunks()
    assert next(chunks) == b"data\n"
    del chunks
    assert readers.gone(0.1)


def test_an_answer_that_is_closed_before_it_is_read_ends_the_run(readers, settings):
    pump = Pump((readers.node(WAYS["in the same group"]),), settings())
    chunks = pump.chunks()
    assert readers.there(2)
    chunks.close()
    assert readers.left() == []
    assert not pump.record.complete


def test_a_pump_that_is_cancelled_before_it_starts_starts_nothing(readers, settings):
    pump = Pump((readers.node("print('data')"),), settings())
    pump.cancel()
    with pytest.raises(BusyError):
        pump.chunks()
    assert readers.left() == []


def test_leaving_the_context_ends_a_reader_that_has_said_nothing(readers, settings):
    with Pump((readers.node("import time; time.sleep(60)"),), settings()) as pump:
        assert not pump.start(patience=0.1)
        assert readers.there(1)
        begin = time.monotonic()
    assert readers.left() == []
    assert time.monotonic() - begin < 1


def test_every_program_of_a_plan_goes(readers, settings, das2):
    nodes = (
        readers.node(WAYS["in the same group"], "import sys\nfor line in sys.stdin: print(line, flush=True)"),
        Node("filter", "process", readers.node("").produces, (0,), command=readers.command("import sys\nfor line in sys.stdin: print(line, flush=True)")),
    )  # fmt: skip
    chunks = Pump(nodes, settings()).chunks()
    next(chunks)
    assert readers.there(4)
    begin = time.monotonic()
    chunks.close()
    assert readers.left() == []
    assert time.monotonic() - begin < 1


def test_another_thread_can_cancel_a_pump_that_waits(readers, settings):
    pump = Pump((readers.node("import time; print('data', flush=True); time.sleep(60)"),), settings())
    chunks = pump.chunks()
    next(chunks)
    threading.Timer(0.1, pump.cancel).start()
    begin = time.monotonic()
    with pytest.raises(BusyError):
        next(chunks)
    assert time.monotonic() - begin < 1
    assert readers.left() == []
    assert not pump.record.complete


def test_a_child_that_is_left_by_a_reader_that_ended_well_goes_with_the_pump(readers, settings):
    with Pump((readers.node(sleeper(DETACHED, then="")),), settings()) as pump:
        assert b"".join(pump.chunks()) == b"data\n"
    assert readers.left() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_of_a_program_that_is_killed_while_it_pumps(readers, way, number):
    argv = [sys.executable, str(readers.script(PUMPING)), *readers.argv(WAYS[way])]
    path = os.pathsep.join(filter(None, sys.path))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as program:
        assert program.stdout.readline() == b"5\n"
        assert readers.there(3)
        program.send_signal(number)
        program.wait()
    assert readers.gone(1)


def test_a_program_that_is_killed_before_its_guardian_has_woken_leaves_nothing(readers):
    text = PUMPING.replace(
        "for chunk in pump.chunks():", "import os; pump._begin(); os.kill(os.getpid(), 9)\n"
    ).replace("print(len(chunk), flush=True)", "")
    argv = [sys.executable, str(readers.script(text)), *readers.argv("import time; time.sleep(60)")]
    path = os.pathsep.join(filter(None, sys.path))
    subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert readers.gone(1)


#: A program whose pump is being ended, by its consumer, when a signal ends the program: as under Apache.
ENDING = """
    import os, signal, sys, threading
    from contextlib import nullcontext
    from dasflex_core.plan.graph import Command, Node
    from dasflex_core.run import Guardian, Pump
    from dasflex_core.run.settings import PumpSettings
    from dasflex_core.streamtype import StreamType
    def stop(*_signal):
        raise SystemExit(1)
    signal.signal(signal.SIGTERM, stop)
    node = Node("reader", "process", StreamType("raw"), command=Command((tuple(sys.argv[2:]),)))
    with Guardian() if sys.argv[1] == "shared" else nullcontext() as guardian:
        chunks = Pump((node,), PumpSettings(guardian=guardian, grace=2.0)).chunks()
        next(chunks)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        chunks.close()
        print("ended without the signal")
"""


@pytest.mark.parametrize("whose", ["shared", "own"])
def test_a_signal_that_comes_while_a_run_is_being_ended_does_not_save_its_programs(readers, whose):
    deaf = readers.argv(IGNORE + "import time; time.sleep(60)")
    argv = [sys.executable, str(readers.script(ENDING)), whose, *deaf]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert readers.gone(3)


def test_a_guardian_may_be_shared_and_forgets_what_is_over(readers, settings):
    with Guardian() as shared:
        with Pump((readers.node("print('one')"),), settings(guardian=shared)) as pump:
            assert b"".join(pump.chunks()) == b"one\n"
        chunks = Pump((readers.node(WAYS["in the same group"]),), settings(guardian=shared)).chunks()
        next(chunks)
        other = Pump((readers.node("print('two')"),), settings(guardian=shared))
        assert b"".join(other.chunks()) == b"two\n"
        assert len(readers.left()) == 2
        chunks.close()
        assert readers.left() == []


def test_a_pump_goes_on_where_its_guardian_was_killed(readers, settings):
    shared = Guardian()
    os.kill(shared._process.pid, signal.SIGKILL)
    shared._process.wait()
    with Pump((readers.node("print('data')"),), settings(guardian=shared)) as pump:
        assert b"".join(pump.chunks()) == b"data\n"
    shared.close()


def test_a_guardian_ends_with_its_owner(readers, settings):
    with Pump((readers.node("print('data')", limits=Limits()),), settings()) as pump:
        list(pump.chunks())
        own = pump._run.family._own
    assert own._process.returncode is not None


@pytest.mark.parametrize("pause", [0, 0.001, 0.002])
@pytest.mark.parametrize("forks", [1, 2])
def test_a_reader_that_becomes_a_daemon_as_the_consumer_goes_cannot_hide(readers, settings, forks, pause):
    fork = "if os.fork(): os._exit(0)\nos.setsid()\n"
    text = f"import os, time\nos.write(1, b'data')\n{fork * forks}time.sleep(60)"
    with Guardian() as shared:
        for _try in range(12):
            chunks = Pump((readers.node(text),), settings(guardian=shared)).chunks()
            next(chunks)
            time.sleep(pause)
            chunks.close()
            assert readers.left() == []


def test_processes_of_others_are_not_touched(readers):
    bystander = subprocess.Popen(
        readers.argv("import time; time.sleep(60)"), env={**os.environ, guardian.VARIABLE: "another"}
    )
    try:
        assert readers.there(1)
        assert guardian.members(("mine",), {1 << 30}) == set()
        assert guardian.members(("another",), ()) == {bystander.pid}
        assert guardian.end(("mine",), (), 0.1) == set()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
