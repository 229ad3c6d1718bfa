# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands as real programs: their surroundings, their failures, and each of their limits."""

from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path

import pytest

from dasflex_core.errors import BusyError, ConfigError, SourceError
from dasflex_core.plan.graph import Command, Limits
from dasflex_core.run.family import Family, Guardian
from dasflex_core.run.messages import KEPT
from dasflex_core.run.processes import Process
from dasflex_core.run.records import new_request_id
from dasflex_core.run.settings import PumpSettings


@pytest.fixture
def family():
    made = Family(new_request_id(), python=sys.executable, grace=0.3)
    yield made
    made.end()


def output(command, family, feed=None, settings=None):
    process = Process("reader", command, family, settings or PumpSettings(), feed)
    return b"".join(process.chunks())


def failure(command, family, feed=None, settings=None):
    with pytest.raises(SourceError) as caught:
        output(command, family, feed, settings)
    return caught.value


def test_what_a_program_writes_comes_out_unchanged(readers, family):
    assert output(readers.command("print('x' * 1_000_000, end='')"), family) == b"x" * 1_000_000


def test_the_environment_holds_what_it_should_and_no_more(readers, family, tmp_path):
    text = "import os, json; print(json.dumps([dict(os.environ), os.getcwd()]))"
    server = {"PATH": "/nowhere", "HOME": "/h", "SECRET": "s", "HTTP_PROXY": "evil", "MISSION": "Juno", "TMPDIR": "/t"}
    command = readers.command(text, directory=str(tmp_path), environment=(("SET", "1"),), pass_env=("MISSION", "NOT"))
    settings = PumpSettings(environ=server, bin_path=("/site/bin",), library_path=("/site/lib",))
    import json

    seen, directory = json.loads(output(command, family, settings=settings))
    seen.pop("LC_CTYPE", None)  # Python's own
    assert directory == str(tmp_path)
    assert seen.pop("PATH").split(":") == ["/site/bin", os.path.dirname(sys.executable), "/usr/local/bin", "/usr/bin", "/bin"]  # fmt: skip # noqa: PTH120
    assert seen == {
        "DASFLEX_REQUEST": family.token, "HOME": "/h", "TMPDIR": "/t", "LC_ALL": "C.UTF-8",
        "LD_LIBRARY_PATH": "/site/lib", "MISSION": "Juno", "SET": "1",
    }  # fmt: skip


def test_a_program_is_found_in_bin_path_first(family, tmp_path):
    (tmp_path / "cat").write_text("#!/bin/sh\necho ours\n")
    (tmp_path / "cat").chmod(0o755)
    assert output(Command((("cat",),)), family, settings=PumpSettings(bin_path=(str(tmp_path),))) == b"ours\n"


def test_standard_input_is_empty_where_nothing_feeds_it(readers, family):
    assert output(readers.command("import sys; print(repr(sys.stdin.read()))"), family) == b"''\n"


def test_no_descriptor_but_the_three_is_inherited(readers, family):
    text = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])"
    assert output(readers.command(text), family) == b"[0, 1, 2]\n"


def test_a_missing_program_is_an_error_that_names_no_path(family):
    error = failure(Command((("/no/such/reader", "a"),)), family)
    assert error.kind == "source.start"
    assert "/no/such" not in error.message
    assert "/no/such/reader" in error.detail


def test_a_program_that_is_not_executable_is_an_error(family, tmp_path):
    path = tmp_path / "reader"
    path.write_text("#!/bin/sh\necho\n")
    error = failure(Command(((str(path),),)), family)
    assert error.kind == "source.start"
    assert "executed" in error.message


def test_a_script_without_interpreter_line_is_an_error_that_says_so(family, tmp_path):
    path = tmp_path / "reader"
    path.write_text("print('no interpreter')\n")
    path.chmod(0o755)
    error = failure(Command(((str(path),),)), family)
    assert error.kind == "source.start"
    assert "#!" in error.message


def test_a_missing_working_directory_is_told_from_a_missing_program(readers, family, tmp_path):
    error = failure(readers.command("print()", directory=str(tmp_path / "not")), family)
    assert error.kind == "source.start"
    assert "directory" in error.message


def test_a_command_without_a_program_is_a_mistake_of_the_configuration(family):
    with pytest.raises(ConfigError):
        output(Command(()), family)


def test_a_second_program_that_is_missing_leaves_no_first_one(readers, family):
    command = Command((readers.argv("import time; time.sleep(60)"), ("no-such-filter",)))
    assert failure(command, family).kind == "source.start"
    family.end()
    assert readers.gone(0.5)


def test_an_exit_status_is_an_error_with_the_last_words_for_the_administrator_only(readers, family):
    error = failure(readers.command("import sys; sys.stderr.write('no calibration\\n'); sys.exit(3)"), family)
    assert error.kind == "source.exit"
    assert error.message == "The stage reader failed with exit status 3 before any output"
    assert "no calibration" in error.detail


def test_a_failure_after_output_gives_the_output_first(readers, family):
    process = Process("reader", readers.command("import sys; print('data'); sys.exit(1)"), family, PumpSettings())
    chunks = process.chunks()
    assert next(chunks) == b"data\n"
    with pytest.raises(SourceError, match="after part of its output"):
        next(chunks)


def test_a_program_that_is_killed_is_an_error_that_names_the_signal(readers, family):
    assert "signal 9" in failure(readers.command("import os; os.kill(os.getpid(), 9)"), family).message


def test_the_failure_of_the_first_of_two_programs_is_seen(readers, family):
    writes_and_fails = "import sys; print('some'); sys.exit(4)"
    copies = "import sys; sys.stdout.write(sys.stdin.read())"
    error = failure(readers.command(writes_and_fails, copies), family)
    assert error.kind == "source.exit"
    assert "status 4" in error.message


def test_a_program_whose_follower_has_read_enough_has_not_failed(family):
    assert output(Command((("yes",), ("head", "-c", "4"))), family) == b"y\ny\n"


def test_a_program_that_is_silent_is_ended(readers, family):
    begin = time.monotonic()
    error = failure(readers.command("import time; time.sleep(60)", limits=Limits(silence=0.3)), family)
    assert error.kind == "source.silent"
    assert 0.3 <= time.monotonic() - begin < 1.5
    assert readers.gone(0.5)


def test_a_program_that_closes_its_output_and_goes_on_is_ended_when_silent(readers, family):
    text = "import os, time; os.write(1, b'data'); os.close(1); time.sleep(60)"
    assert failure(readers.command(text, limits=Limits(silence=0.3)), family).kind == "source.silent"
    assert readers.gone(0.5)


def test_a_slow_consumer_is_no_silent_reader(readers, family):
    text = "print('a' * 2_000_000, end='')"
    chunks = Process("reader", readers.command(text, limits=Limits(silence=0.2)), family, PumpSettings()).chunks()
    next(chunks)
    time.sleep(0.4)
    assert sum(len(chunk) for chunk in chunks) > 1_000_000


def test_a_program_that_computes_for_too_long_is_ended(readers, family):
    begin = time.monotonic()
    error = failure(readers.command("while True: pass", limits=Limits(cpu=1)), family)
    assert error.kind == "source.limit"
    assert "CPU" in error.message
    assert time.monotonic() - begin < 5


def test_a_child_that_computes_for_too_long_is_ended(readers, family):
    busy = readers.script("while True: pass")
    command = Command((("/bin/sh", "-c", f"{sys.executable} -S {busy} {readers.mark}; exit $?"),), limits=Limits(cpu=1))
    assert failure(command, family).kind == "source.limit"
    assert readers.gone(0.5)


def test_a_program_that_writes_too_much_is_ended_after_what_it_may(readers, family):
    text = "while True: print('x' * 1000)"
    process = Process("reader", readers.command(text, limits=Limits(output=500_000)), family, PumpSettings())
    got = []
    with pytest.raises(SourceError) as caught:
        got.extend(process.chunks())
    assert caught.value.kind == "source.limit"
    assert len(b"".join(got)) == 500_000
    assert readers.gone(0.5)


def test_a_program_that_uses_too_much_memory_is_ended(readers, family):
    text = "import time; data = bytearray(300_000_000); data[::4096] = b'x' * len(data[::4096]); time.sleep(60)"
    begin = time.monotonic()
    error = failure(readers.command(text, limits=Limits(memory=200_000_000)), family)
    assert error.kind == "source.limit"
    assert "memory" in error.message
    assert time.monotonic() - begin < 5
    assert readers.gone(0.5)


def test_the_memory_of_a_child_counts(readers, family):
    hungry = readers.script(
        "import time; data = bytearray(300_000_000); data[::4096] = b'x' * len(data[::4096]); time.sleep(60)"
    )
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-S', {str(hungry)!r}, sys.argv[1]])"
    assert failure(readers.command(text, limits=Limits(memory=200_000_000)), family).kind == "source.limit"
    assert readers.gone(0.5)


def test_a_flood_of_messages_blocks_nothing_and_is_kept_in_part(readers, family):
    log = io.BytesIO()
    text = "import sys; [sys.stderr.write('%07d %s\\n' % (i, 'm' * 91)) for i in range(50_000)]; print('data'); sys.exit(2)"
    error = failure(readers.command(text), family, settings=PumpSettings(log=log))
    assert len(log.getvalue()) == 5_000_000
    assert error.detail.splitlines()[-1].startswith("0049999")
    assert len(error.detail) < KEPT


def test_messages_are_read_while_nobody_reads_the_data(readers, family):
    text = "import sys; sys.stderr.write('m' * 1_000_000); print('data')"
    process = Process("reader", readers.command(text), family, PumpSettings())
    time.sleep(0.3)
    assert b"".join(process.chunks()) == b"data\n"


def test_a_log_that_is_full_fails_nothing(readers, family):
    with Path("/dev/full").open("wb", buffering=0) as log:
        text = "import sys; sys.stderr.write('message'); print('data')"
        assert output(readers.command(text), family, settings=PumpSettings(log=log)) == b"data\n"


def test_a_program_in_the_middle_is_fed_by_a_thread(family):
    chunk = b"x" * 100_000
    feed = iter([chunk] * 200)
    assert output(Command((("cat",),)), family, feed) == chunk * 200


def test_what_fails_before_a_program_in_the_middle_is_the_failure(family):
    def feed():
        yield b"part"
        raise SourceError("the reader broke", kind="source.exit")

    assert failure(Command((("cat",),)), family, feed()).message == "the reader broke"


def test_a_filter_may_read_only_the_beginning(family):
    def endless():
        while True:
            yield b"line\n" * 1000

    assert output(Command((("head", "-n", "1"),)), family, endless()) == b"line\n"


def test_a_filter_that_fails_for_lack_of_input_is_no_failure(readers, family):
    text = "import sys; sys.exit(0 if sys.stdin.read() else 9)"
    assert output(readers.command(text), family, iter([])) == b""


def test_a_filter_is_not_silent_while_its_input_is_awaited(family):
    def slow():
        for _each in range(4):
            time.sleep(0.2)
            yield b"x"

    assert output(Command((("cat",),), limits=Limits(silence=0.3)), family, slow()) == b"xxxx"


def test_a_filter_that_is_silent_over_its_input_is_ended(readers, family):
    def endless():
        while True:
            yield b"x" * 100_000

    text = "import time; time.sleep(60)"
    error = failure(readers.command(text, limits=Limits(silence=0.3)), family, endless())
    assert error.kind == "source.silent"


def test_nothing_is_started_after_the_end(readers, family):
    family.end()
    with pytest.raises(BusyError):
        output(readers.command("print()"), family)


def test_a_background_child_does_not_outlive_a_reader_that_succeeded(readers):
    text = """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", sys.argv[1]],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print("data")
    """
    with Guardian() as guardian:
        family = Family(new_request_id(), python=sys.executable, grace=0.3, guardian=guardian)
        assert output(readers.command(text), family) == b"data\n"
        assert readers.gone(0.5)
        family.end()
