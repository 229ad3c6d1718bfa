# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions that name classic programs run with none installed, give what `dasflex filter` gives, and start none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from werkzeug.test import Client

from dasflex_cgi.app import Application
from dasflex_core.cli import main
from dasflex_core.errors import ConfigError, QueryError
from dasflex_core.plan.explain import shell_line
from dasflex_core.registry import discover
from dasflex_core.run import read_record

READ = "#[python] -S reader.py {mark} #[read.time.min] #[read.time.max]"
DAY = [("time", "2020-01-01/2020-01-02")]
PROGRAMS = [each.name for each in discover().classic_programs]
CODE = "from dasflex_core.cli import main; main(prog_name='dasflex')"
#: A waveform of 64 samples each second, as das2; what `start()` of all readers writes is one number a second.
WAVES = """
import struct
header()
packet("01", '<packet><x type="time20" units="us2000"/><yscan name="w" type="little_endian_real4" nitems="64"'
    ' yUnits="s" yTagInterval="0.001" yTagMin="0" zUnits="V"/></packet>')
for n in range(20):
    out.write(b":01:2020-01-01T00:00:%02d " % n + struct.pack("<64f", *((n * k) % 7 for k in range(64))))
"""
DAS1 = """
import struct
for n in range(720):
    out.write(struct.pack(">4f", 120.0 * n, n, 0.5 * n, 2.0))
"""
TAGGED = """
import struct
for n in range(720):
    out.write(b":b0:" + struct.pack(">4f", 120.0 * n, n, 0.5 * n, 2.0))
"""
RECORDS3 = "header(); declare(1); records(100, 1)"
FIELD = "form = x_multi_y\nny = 3\nx_unit = 's'\ny_unit = 'nT'\n"


def filtered(given, *programs):
    """What `dasflex filter` makes of a stream, one process for each program."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    for words in programs:
        arguments = [sys.executable, "-c", CODE, "filter", *words.split()]
        done = subprocess.run(arguments, input=given, capture_output=True, env=environment, check=False, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        given = done.stdout
    return given


def written(folder, lab):
    """What the reader of a source writes."""
    command = [sys.executable, "-S", "reader.py", lab.mark]
    return subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60).stdout


def got(site, name, *pairs):
    """The bytes of an answer, and the plan that gave them."""
    plan = site.request(name, [*DAY, *pairs]).plan()
    return b"".join(plan.run()), plan


def kinds(plan):
    return [node.kind for node in plan.solution.nodes]


@pytest.fixture
def lab(make_lab):
    """A root on whose BIN_PATH stands a program of each classic name, which notes in `started` that it was run."""
    made = make_lab()
    programs = made.root / "old"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(f"#!/bin/sh\necho $0 >> {made.root}/started\nexec cat\n")
        (programs / name).chmod(0o755)
    with made.conf.open("a", encoding="utf-8") as conf:
        conf.write(f"\nBIN_PATH = {programs}\n")
    return made


def started(lab):
    """The classic programs that were started."""
    note = lab.root / "started"
    return note.read_text().split() if note.exists() else []


def test_no_classic_program_is_installed_here():
    assert [name for name in PROGRAMS if shutil.which(name)] == []


@pytest.mark.parametrize(
    ("reader", "pipe", "writes", "pairs", "words"),
    [
        ("start()", "das2_bin_avgsec -r 10", "das/2", [], ["das2_bin_avgsec -r 10"]),
        (
            "start()",
            "das2_bin_avgsec #[bin.time.max] | /usr/local/das/das2_ascii -r 4",
            "das/2/text",
            [("bin.time.max", "20")],
            ["das2_bin_avgsec 20.0", "das2_ascii -r 4"],
        ),
        ("start()", "das2_bin_peakavgsec 7 | cat | das2_ascii", "das/2", [], ["das2_bin_peakavgsec 7", "das2_ascii"]),
        ("start()", "das2_bin_ratesec 10 | cat", "das/2", [], ["das2_bin_ratesec 10"]),
        (WAVES, "das2_psd #[dft.length] 2", "das/2", [("dft.length", "32")], ["das2_psd 32 2"]),
        (WAVES, "das2_psd -d 16 1 | das2_bin_avgsec 5", "das/2", [], ["das2_psd -d 16 1", "das2_bin_avgsec 5"]),
        ("start()", "das2_histo -b", "das/2", [], ["das2_histo -b"]),
        ("start()", "das3_csv -r 4", "csv", [], ["das3_csv -r 4"]),
        ("start()", "das3_text -3", "das/3", [], ["das3_text -3"]),
        (
            TAGGED,
            "das2_from_tagged_das1 -tBeg #[read.time.min] | das2_ascii",
            "das/2",
            [],
            ["das2_from_tagged_das1 -tBeg 2020-01-01T00:00:00", "das2_ascii"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("das") else "",
)
def test_a_reader_with_classic_programs_behind_it_gives_what_the_filters_give(lab, reader, pipe, writes, pairs, words):
    folder = lab.add("Piped", reader, command=f"{READ} | {pipe}", writes=writes)
    stream, plan = got(lab.opened(), "Piped", *pairs)
    assert stream == filtered(written(folder, lab), *words)
    assert kinds(plan).count("classic") == len(words)
    assert started(lab) == []


def test_das3_that_a_reader_writes_stays_das3(lab):
    folder = lab.add("Piped", RECORDS3, command=f"{READ} | das2_bin_avgsec 10", writes="das/3")
    stream, _plan = got(lab.opened(), "Piped")
    assert stream == filtered(written(folder, lab), "das2_bin_avgsec 10")
    assert stream.startswith(b"|Sx|")
    assert started(lab) == []


def test_das1_is_read_by_the_dsdf_beside_the_definition(lab):
    """The server's own directory is another."""
    command = f"{READ} | das2_from_das1 old.dsdf #[read.time.min] #[read.time.max] | das2_ascii"
    folder = lab.add("Old", DAS1, command=command)
    (folder / "old.dsdf").write_text(FIELD)
    stream, _plan = got(lab.opened(), "Old")
    words = f"das2_from_das1 {folder}/old.dsdf 2020-01-01T00:00:00 2020-01-02T00:00:00"
    assert stream == filtered(written(folder, lab), words, "das2_ascii")
    assert stream.count(b":01:") == 720


def test_filters_of_a_definition_and_of_the_site_run_in_process(lab):
    never = 'stages.never = ["bin-average", "das2-text"]\n'
    more = '[[stage]]\ncommand = "das2_bin_peakavgsec #[bin.time.max]"\n'
    folder = lab.add("Own", "start()", more=f"{never}{more}")
    (lab.root / "etc" / "stages.toml").write_text(
        '[[stage]]\ncommand = "das2_ascii -r #[format.sigdigit]"\naccepts = "das/2"\nwrites = "das/2/text"\n'
    )
    site = lab.opened()
    pairs = [("bin.time.max", "10"), ("format.sigdigit", "3"), ("format.serial", "text")]
    stream, plan = got(site, "Own", *pairs)
    assert [step.spec.name for step in plan.solution.path.steps] == ["reader", "das2_bin_peakavgsec", "das2_ascii"]
    assert kinds(plan) == ["process", "classic", "classic"]
    assert stream == filtered(written(folder, lab), "das2_bin_peakavgsec 10", "das2_ascii -r 3")
    assert started(lab) == []


def test_the_path_of_a_program_that_is_there_runs_that_program(lab):
    program = lab.root / "old" / "das2_bin_avgsec"
    folder = lab.add("Theirs", "start()", command=f"{READ} | {program} 10")
    stream, plan = got(lab.opened(), "Theirs")
    assert kinds(plan) == ["process"]
    assert started(lab) == [str(program)]
    assert stream == written(folder, lab)


def test_the_command_line_and_the_server_give_the_same(lab):
    folder = lab.add("Piped", "start()", command=f"{READ} | das2_bin_avgsec #[bin.time.max] | das2_ascii -r 4")
    site = lab.opened()
    expected = filtered(written(folder, lab), "das2_bin_avgsec 10", "das2_ascii -r 4")
    asked = ["--root", str(lab.root), "Piped", "2020-01-01/2020-01-02", "bin.time.max=10"]
    line = CliRunner().invoke(main, ["get", *asked])
    assert line.exit_code == 0, line.output
    assert line.stdout_bytes == expected
    query = {"read.time.min": "2020-01-01", "read.time.max": "2020-01-02", "bin.time.max": "10"}
    answer = Client(Application(site, lambda _line: None)).get("/source/piped/flex", query_string=query)
    assert answer.status_code == 200
    assert answer.data == expected
    shown = Client(Application(site, lambda _line: None)).get("/source/piped/plan", query_string=query)
    assert "as das2_ascii" in shown.text or '"das2_ascii"' in shown.text
    assert started(lab) == []


def test_a_shell_gives_the_same_by_the_line_of_the_plan(lab, tmp_path):
    lab.add("Piped", "start()", command=f"{READ} | das2_bin_avgsec 10 | cat | das2_ascii")
    stream, plan = got(lab.opened(), "Piped")
    program = tmp_path / "dasflex"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{CODE}" "$@"\n')
    program.chmod(0o755)
    line = shell_line(plan.solution, str(program))
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True, timeout=60)
    assert done.stdout == stream


def test_arguments_that_cannot_be_are_told_before_anything_starts(lab):
    lab.add("Bad", "start()", command=f"{READ} | das2_bin_avgsec -q 10")
    lab.add(
        "Asked", "start()", command=f"{READ} | das2_bin_ratesec -v #[read.unit] 10", more="[options.unit]\ntitle='U'\n"
    )
    site = lab.opened()
    with pytest.raises(ConfigError, match="the options are -b -p -r -s"):
        site.request("Bad", DAY).plan()
    with pytest.raises(QueryError, match="none of bytes, kB, MB, GB"):
        site.request("Asked", [*DAY, ("read.unit", "miles")]).plan()
    query = {"read.time.min": "2020-01-01", "read.time.max": "2020-01-02", "read.unit": "miles"}
    answer = Client(Application(site, lambda _line: None)).get("/source/asked/flex", query_string=query)
    assert answer.status_code == 400
    assert lab.left() == []


def test_a_check_finds_them_too(lab):
    more = '[[stage]]\ncommand = "das2_psd -q #[dft.length] 2"\n'
    folder = lab.add("Bad", "start()", more=more)
    lab.opened()
    done = CliRunner().invoke(main, ["check", "--root", str(lab.root), "--no-run", str(folder / "source.toml")])
    assert done.exit_code == 1
    assert "das2_psd: option -q not recognized; the options are" in done.output


def test_the_record_of_a_request_counts_what_came(lab):
    lab.add("Piped", "start()", command=f"{READ} | das2_bin_avgsec 10")
    plan = lab.opened().request("Piped", DAY).plan()
    with plan.open() as run:
        size = sum(len(each) for each in run.chunks())
    record = read_record(run.record.id, str(lab.root / "log" / "requests"))
    assert record.complete
    assert record.bytes == size
