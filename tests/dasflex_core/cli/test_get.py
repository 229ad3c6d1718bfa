# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex get` writes whole answers, tells failures in one line and by its exit code, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import dasflex_core
from dasflex_core.errors import ConfigError, SourceError

DAY = "2020-01-01/2020-01-02"
RANDOM = ("Examples/Random", "2017-01-01/2017-01-02")


def test_the_data_come_as_the_reader_writes_them(examples):
    done = examples.run("get", *RANDOM)
    assert done.exit_code == 0
    request = dasflex_core.open(examples.root)["Examples/Random"]["2017-01-01":"2017-01-02"]
    assert done.stdout_bytes == b"".join(request.plan().run())
    assert done.stderr == ""


def test_a_parameter_gives_the_format(examples):
    rows = examples.run("get", *RANDOM, "format.type=csv").stdout.splitlines()
    assert rows[0].startswith("time,random")
    assert len(rows) > 100


def test_the_suffix_of_the_file_gives_the_format_and_the_file_is_whole(examples, tmp_path):
    target = tmp_path / "random.csv"
    done = examples.run("get", *RANDOM, "-o", str(target))
    assert done.exit_code == 0
    assert done.output == ""
    assert target.read_bytes() == examples.run("get", *RANDOM, "format.type=csv").stdout_bytes
    assert list(tmp_path.iterdir()) == [target]


def test_a_format_that_is_asked_for_outweighs_the_suffix(examples, tmp_path):
    examples.run("get", *RANDOM, "format.type=csv", "-o", str(tmp_path / "random.dat"))
    assert (tmp_path / "random.dat").read_text(encoding="utf-8").startswith("time,")


def test_an_unknown_suffix_is_told_with_the_known_ones(examples, tmp_path):
    done = examples.run("get", *RANDOM, "-o", str(tmp_path / "random.xyz"))
    assert done.exit_code == 2
    assert ".csv" in done.stderr


def test_a_range_is_written_in_three_ways(examples):
    plain = examples.run("get", *RANDOM)
    assert examples.run("get", RANDOM[0], "2017-01-01 to 2017-01-02").stdout == plain.stdout
    assert examples.run("get", RANDOM[0], "time=2017-01-01/2017-01-02").stdout == plain.stdout


def test_every_is_the_interval_of_a_model(examples):
    done = examples.run("get", "Examples/Ephemeris", "2016-08-27/2016-08-28", "--every", "6 h", "format.type=csv")
    assert [row[:13] for row in done.stdout.splitlines()[1:]] == [f"2016-08-27T{hour:02d}" for hour in (0, 6, 12, 18)]


def test_stats_say_what_the_run_cost_and_how_it_can_be_asked_for(examples):
    done = examples.run("get", *RANDOM, "format.type=csv", "--stats")
    records = len(done.stdout.splitlines()) - 1
    assert f"{len(done.stdout_bytes):,} bytes, {records:,} records in" in done.stderr
    assert re.search(r"^  das2-decode +stage ", done.stderr, re.MULTILINE)
    assert re.search(r"^request [0-9a-z]{22}  sha256 [0-9a-f]{64}$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["Examples/Radnom", DAY], 3, "Examples/Random"),
        (["Examples/Random", DAY, "format.tpye=csv"], 2, "format.type"),
        (["Examples/Random", "2020-13-01/2020-13-02"], 2, "2020-13-01"),
        (["Examples/Random", "2020-01-02/2020-01-01"], 2, "2020-01-02"),
        (["Examples/Random"], 2, "read.time.min"),
        (["Examples/Random", DAY, "nonsense"], 2, "neither a range A/B nor a parameter key=value"),
        (["Examples/Random", DAY, "=5"], 2, "neither a range"),
        (["Examples/Random", DAY, "format.type=bogus"], 2, "bogus"),
        (["Examples/Params", "2008-06-29/2008-06-30", "read.channels=1000"], 2, "read.channels"),
        (["Examples/Random", DAY, "dft.length=800"], 2, "dft.length"),
        (["Examples/Spectra", "1979-03-01T12:26:11/1979-03-01T12:29:24", "dft.length=799"], 2, "dft.length"),
        (["Examples/Auth", DAY], 4, "protected"),
    ],
)
def test_a_failure_is_one_line_and_the_exit_code_of_its_kind(examples, words, code, text):
    done = examples.run("get", *words)
    assert done.exit_code == code
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("dasflex: ")
    assert text in line


READERS = {
    "exits": ("sys.stderr.write('secret cause'); sys.exit(3)", "Exits"),
    "garbage": ("sys.stdout.write('<html>no stream</html>' * 50)", ""),
    "cut": ("headers(); records(5); sys.stdout.write(':01:2020-01-01T00:0'); sys.stdout.flush()", ""),
}


@pytest.mark.parametrize("name", READERS)
def test_what_a_reader_does_wrong_is_the_source_s_fault(bare, name):
    bare.add(name, READERS[name][0])
    done = bare.run("get", name, DAY, "format.type=csv")
    assert done.exit_code == 5
    [line] = done.stderr.splitlines()
    assert line.startswith("dasflex: ")
    assert "secret cause" not in line


def test_a_program_that_is_not_there_is_the_source_s_fault(bare):
    definition = """
        title = "gone"
        contacts = { technical = "S <s@example.org>" }
        reader = { command = "/no/such/program #[read.time.min] #[read.time.max]", writes = "das/2" }
        example = [{ time = "2020-01-01 to 2020-01-02" }]
    """
    bare.add("Gone", "", definition)
    done = bare.run("get", "Gone", DAY)
    assert done.exit_code == 5
    assert len(done.stderr.splitlines()) == 1


def test_what_came_of_a_broken_answer_stays_in_a_part_and_the_file_as_it_was(bare, tmp_path):
    bare.add("breaks", "headers(); records(60); sys.stdout.flush(); sys.exit(1)")
    target = tmp_path / "levels.csv"
    target.write_text("what was there", encoding="utf-8")
    done = bare.run("get", "breaks", DAY, "-o", str(target))
    assert done.exit_code == 5
    assert target.read_text(encoding="utf-8") == "what was there"
    part = tmp_path / "levels.csv.part"
    assert len(part.read_text(encoding="utf-8").splitlines()) == 61
    [line] = done.stderr.splitlines()
    assert str(part) in line


def test_an_answer_that_fails_before_its_data_leaves_no_file(bare, tmp_path):
    bare.add("exits", "sys.exit(1)")
    assert bare.run("get", "exits", DAY, "-o", str(tmp_path / "levels.csv")).exit_code == 5
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_a_file_that_cannot_be_written_is_told_in_one_line(examples, tmp_path):
    done = examples.run("get", *RANDOM, "-o", str(tmp_path / "none" / "x.csv"))
    assert done.exit_code == 1
    assert done.stderr.startswith("dasflex: ")
    assert f"there is no directory {tmp_path / 'none'}" in done.stderr


def test_a_directory_is_no_file_to_write(examples, tmp_path):
    done = examples.run("get", RANDOM[0], RANDOM[1], "-o", str(tmp_path))
    assert done.exit_code == 1
    assert done.stderr == f"dasflex: {tmp_path} is a directory; name a file in it\n"


def test_a_pipe_is_written_to_and_stays_one(examples, tmp_path):
    target = tmp_path / "pipe.csv"
    os.mkfifo(target)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(target.read_bytes)
        assert examples.run("get", *RANDOM, "-o", str(target)).exit_code == 0
        assert read.result(timeout=10) == examples.run("get", *RANDOM, "format.type=csv").stdout_bytes
    assert target.is_fifo()
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(examples, tmp_path):
    target = tmp_path / "link.csv"
    target.symlink_to(tmp_path / "real.csv")
    assert examples.run("get", *RANDOM, "-o", str(target)).exit_code == 0
    assert target.is_symlink()
    assert (tmp_path / "real.csv").read_text(encoding="utf-8").startswith("time,")


@pytest.mark.parametrize("reader", ["pass", "headers()"])
def test_a_range_without_data_is_told(bare, tmp_path, reader):
    bare.add("empty", reader)
    done = bare.run("get", "empty", DAY, "-o", str(tmp_path / "empty.csv"))
    assert done.exit_code == 0
    assert done.stderr == "dasflex: note: nothing was found in the range\n"


def test_a_broken_configuration_is_the_administrator_s_fault(tmp_path, bare):
    (bare.root / "etc" / "dasflex.conf").write_text('SEVRER_NAME = "x"\nWEBSOCKET_PORT = "y"\n', encoding="utf-8")
    done = bare.run("get", "x", DAY)
    assert done.exit_code == 6
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("dasflex: ") and "dasflex.conf:" in line for line in lines)


def in_terminal(arguments: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """The exit code of a program and what it showed in a terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen(arguments, stdin=its, stdout=its, stderr=its, env=environment, close_fds=True)
    os.close(its)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the terminal is gone with its last program (EIO)
        pass
    os.close(ours)
    return process.wait(timeout=30), shown.decode()


def test_binary_data_are_refused_to_a_terminal_with_the_line_that_would_do(examples, program, tmp_path):
    words = ["get", "Examples/Waveform", "1979-03-01T12:26:11/1979-03-01T12:29:24"]
    code, shown = in_terminal([str(program), *words], examples.environment())
    assert code == 2
    found = re.search(r"write it to a file: dasflex (.* -o \S+)", shown.replace("\r\n", ""))
    assert found
    line = found[1].split()
    assert line[:3] == words
    done = subprocess.run([str(program), *line], env=examples.environment(), cwd=tmp_path, check=True, timeout=60)
    assert done.returncode == 0
    [file] = tmp_path.iterdir()
    assert file.read_bytes().startswith(b"[00]")


def test_text_is_shown_in_a_terminal(examples, program):
    code, shown = in_terminal([str(program), "get", *RANDOM, "format.type=csv"], examples.environment())
    assert code == 0
    assert shown.startswith("time,random")


def alive(pattern: str) -> list[int]:
    """The processes whose command line holds a text."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if pattern in each.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"):
                found.append(int(each.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def wait_until(condition, seconds: float = 5.0) -> bool:
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


ENDLESS = """
import subprocess
mark = sys.argv[1]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", os.path.dirname(os.path.abspath(__file__))])
headers()
while True:
    records(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_command_is_stopped(bare, program, started, tmp_path, number):
    bare.add("endless", ENDLESS)
    target = tmp_path / "out.csv"
    process = started(
        [str(program), "get", "endless", DAY, "-o", str(target)], env=bare.environment(), stderr=subprocess.PIPE
    )
    assert wait_until((tmp_path / "out.csv.part").exists, 30)
    place = str(bare.root / "definitions" / "endless")
    assert alive(place)
    process.send_signal(number)
    process.wait(timeout=10)
    assert wait_until(lambda: not alive(place), 3)
    if number == signal.SIGINT:
        assert process.returncode == 130
        told = process.stderr.read().decode()
        assert told.startswith("dasflex: interrupted: what came so far (")
        assert told.endswith(f") is in {tmp_path / 'out.csv.part'}\n")
    assert not target.exists()


def test_a_reader_of_the_pipe_that_leaves_ends_the_run_quietly(bare, program, started):
    bare.add("endless", ENDLESS)
    process = started(
        [str(program), "get", "endless", DAY],
        env=bare.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.read(100).startswith(b"[00]")
    process.stdout.close()
    process.wait(timeout=10)
    assert process.stderr.read() == b""
    assert wait_until(lambda: not alive(str(bare.root / "definitions" / "endless")), 3)


def test_the_errors_know_their_codes():
    from dasflex_core.cli.exit_codes import exit_code

    assert exit_code(SourceError("x", kind="source.exit")) == 5
    assert exit_code(ConfigError("x")) == 6
    assert exit_code(dasflex_core.DasflexError("x")) == 1


def test_old_records_go_where_nothing_is_served(examples):
    old = examples.root / "log" / "requests" / f"{'0' * 22}.json"
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_text("{}")
    os.utime(old, (0, 0))
    (examples.root / "log" / ".aged").unlink(missing_ok=True)
    done = examples.run("get", *RANDOM)
    assert (done.exit_code, done.stderr) == (0, "")
    assert not old.exists()
