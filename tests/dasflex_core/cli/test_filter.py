# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex filter` joins stages over a pipe, and says which of them do not fit."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = "from dasflex_core.cli import main; main(prog_name='dasflex')"


def piped(*words: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    """The filter with a real pipe on either side."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    arguments = [sys.executable, "-c", CODE, "filter", *words]
    return subprocess.run(arguments, input=given, capture_output=True, env=environment, check=False, timeout=60)


@pytest.fixture(scope="module")
def stream(examples) -> bytes:
    """A das2 stream."""
    return examples.run("get", "Examples/Random", "2017-01-01/2017-01-02").stdout_bytes


def test_a_decoder_and_a_formatter_make_csv(stream, examples):
    done = piped("das2-decode", "--then", "csv", given=stream)
    assert done.returncode == 0
    assert done.stderr == b""
    whole = examples.run("get", "Examples/Random", "2017-01-01/2017-01-02", "format.type=csv")
    assert done.stdout == whole.stdout_bytes


def test_parameters_have_their_full_or_their_short_names(stream):
    full = piped("das2-decode", "--then", "csv", "format.delim=semicolon", given=stream)
    short = piped("das2-decode", "--then", "csv", "delim=;", given=stream)
    assert full.stdout == short.stdout
    assert b";" in full.stdout.splitlines()[0]


def test_a_broken_stream_is_the_source_s_fault_and_what_came_before_is_written(stream):
    done = piped("das2-decode", "--then", "csv", given=stream[:-3])
    assert done.returncode == 5
    assert done.stdout.startswith(b"time,")
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("dasflex: ")


def test_garbage_is_the_source_s_fault(stream):
    assert piped("das2-decode", "--then", "csv", given=b"GIF89a" * 100).returncode == 5


def test_no_stream_at_all_is_no_data(stream):
    done = piped("das2-decode", "--then", "das2-text", given=b"")
    assert done.returncode == 0
    assert b"NoDataInInterval" in done.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["csvv"], "Did you mean csv?"),
        (["csv"], "a decoder must stand before it"),
        (["das2-decode"], "a formatter must stand behind it"),
        (["das2-decode", "--then", "das3-decode"], "takes das/3, not arrays"),
        (["das2-decode", "--then", "csv", "delm=;"], "Did you mean delim"),
        (["das2-decode", "--then", "csv", "secfrac=99"], "out of its range"),
        (["das2-decode", "--then", "csv", "secfrac"], "no parameter of a stage"),
    ],
)
def test_stages_that_do_not_fit_are_told(examples, words, text):
    done = examples.run("filter", *words)
    assert done.exit_code == 2
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_link_without_a_stage_is_a_wrong_usage(examples):
    done = examples.run("filter", "das2-decode", "--then", "--then", "csv")
    assert done.exit_code == 2
    assert "between two stages" in done.stderr
