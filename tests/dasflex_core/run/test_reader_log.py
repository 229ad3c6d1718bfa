# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader says on standard error is in the log of its request, and nowhere that a client sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dasflex_core.errors import SourceError
from dasflex_core.run import Pump, ReaderLog
from dasflex_core.run.reader_log import LONGEST


def test_the_words_of_a_reader_are_in_the_file_of_the_request(readers, settings, tmp_path):
    node = readers.node("import sys; print('no tape in drive 2', file=sys.stderr); sys.exit(1)")
    log = ReaderLog(tmp_path / "requests", "x")
    with Pump((node,), replace(settings(), log=log)) as pump, pytest.raises(SourceError) as caught:
        pump.start()
    assert (tmp_path / "requests" / "x.log").read_bytes() == b"no tape in drive 2\n"
    assert "tape" not in caught.value.message


def test_a_silent_reader_leaves_no_file(readers, settings, tmp_path):
    with Pump((readers.node("print('data')"),), replace(settings(), log=ReaderLog(tmp_path / "r", "x"))) as pump:
        assert b"".join(pump.chunks()) == b"data\n"
    assert not (tmp_path / "r").exists()


def test_a_log_has_an_end(tmp_path):
    log = ReaderLog(tmp_path, "x")
    for _each in range(20):
        log.write(b"x" * 100_000)
    assert (tmp_path / "x.log").stat().st_size == LONGEST


def test_a_log_that_cannot_be_written_does_not_fail_the_request(readers, settings, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    node = readers.node("import sys; print('words', file=sys.stderr); print('data')")
    with Pump((node,), replace(settings(), log=ReaderLog(tmp_path / "file" / "below", "x"))) as pump:
        assert b"".join(pump.chunks()) == b"data\n"
