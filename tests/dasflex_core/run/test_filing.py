# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks that are read, copies that appear whole or not at all, and files that a spool makes."""

from __future__ import annotations

import errno

import pytest

from dasflex_core.arrays import NoData
from dasflex_core.errors import BusyError, QueryError, SourceError
from dasflex_core.plan.graph import Node
from dasflex_core.run import Pump
from dasflex_core.run.filing import spooled
from dasflex_core.stages import StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType

RAW = StreamType("raw")


def everything(pump):
    with pump:
        return b"".join(pump.chunks())


def test_a_block_is_read(tmp_path, settings):
    (tmp_path / "block").write_bytes(b"x" * 1_000_000)
    assert everything(Pump((Node("b", "file", RAW, path=str(tmp_path / "block")),), settings())) == b"x" * 1_000_000


def test_a_block_that_is_gone_is_an_error_without_a_path(tmp_path, settings):
    with pytest.raises(SourceError) as caught:
        everything(Pump((Node("b", "file", RAW, path=str(tmp_path / "block")),), settings()))
    assert caught.value.kind == "source.start"
    assert str(tmp_path) not in caught.value.message


def test_a_block_that_is_a_directory_is_an_error(tmp_path, settings):
    with pytest.raises(SourceError):
        everything(Pump((Node("b", "file", RAW, path=str(tmp_path)),), settings()))


def test_a_copy_appears_when_all_of_it_is_there(readers, settings, tmp_path):
    target = tmp_path / "new" / "block"
    text = "import sys; sys.stdout.write('a'); sys.stdout.flush(); sys.stdout.write('b')"
    pump = Pump((readers.node(text), Node("t", "tee", RAW, (0,), path=str(target))), settings())
    with pump:
        got = []
        for chunk in pump.chunks():
            got.append(chunk)
            assert not target.exists()
    assert b"".join(got) == b"ab"
    assert target.read_bytes() == b"ab"
    assert [path.name for path in target.parent.iterdir()] == ["block"]


@pytest.mark.parametrize("early", [True, False])
def test_a_copy_of_a_part_never_appears(readers, settings, tmp_path, early):
    target = tmp_path / "block"
    text = "import sys; print('a', flush=True); sys.stdin.read() or sys.exit(1)"
    pump = Pump((readers.node(text), Node("t", "tee", RAW, (0,), path=str(target))), settings())
    chunks = pump.chunks()
    next(chunks)
    if early:
        chunks.close()
    else:
        with pytest.raises(SourceError):
            next(chunks)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["readers"]


@pytest.mark.parametrize("where", ["file/block", "/dev/null/block"])
def test_a_copy_that_cannot_be_written_does_not_disturb_the_stream(readers, settings, tmp_path, where):
    (tmp_path / "file").write_text("in the way")
    notes = []
    pump = Pump((readers.node("print('a')"), Node("t", "tee", RAW, (0,), path=str(tmp_path / where))), settings(note=notes.append))  # fmt: skip
    assert everything(pump) == b"a\n"
    assert len(notes) == 1


class Nothing:
    """A producer that has nothing."""

    def items(self, _cancelled):
        yield NoData()


class Files:
    """A spool that writes so many bytes, or fails in the way that is named."""

    def __init__(self, scratch, size=10, failure=0):
        self.path, self.size, self.failure = scratch / "sub" / "out.cdf", size, failure

    def feed(self, _item):
        self.path.parent.mkdir()
        self.path.write_bytes(b"x" * self.size)
        if self.failure:
            raise OSError(self.failure, "told to")

    def finish(self):
        return self.path


def spool(tmp_path, **values):
    reader = StageSpec("n", "", None, ARRAYS, f"{__name__}:Nothing", protocol="producer")
    spec = StageSpec("cdf", "", ARRAYS, RAW, f"{__name__}:Files", protocol="spool")
    (tmp_path / "scratch").mkdir()
    return (Node("n", "producer", ARRAYS, spec=reader), Node("cdf", "spool", RAW, (0,), spec=spec, values=tuple(values.items())))  # fmt: skip


def scratch(tmp_path):
    return list((tmp_path / "scratch").iterdir())


def test_a_spooled_file_is_streamed_and_removed(settings, tmp_path):
    pump = Pump(spool(tmp_path, size=1_000_000), settings(scratch=str(tmp_path / "scratch")))
    assert everything(pump) == b"x" * 1_000_000
    assert scratch(tmp_path) == []


def test_a_spool_has_a_quota(settings, tmp_path):
    with pytest.raises(QueryError, match="larger than the 99 bytes"):
        everything(Pump(spool(tmp_path, size=100), settings(scratch=str(tmp_path / "scratch"), quota=99)))
    assert scratch(tmp_path) == []


def test_a_full_disk_is_busy_not_broken(settings, tmp_path):
    with pytest.raises(BusyError):
        everything(Pump(spool(tmp_path, failure=errno.ENOSPC), settings(scratch=str(tmp_path / "scratch"))))
    assert scratch(tmp_path) == []


class Told:
    """A spool that is told its quota, and writes it."""

    def __init__(self, scratch):
        self.quota = 0
        self.path = scratch / "quota"

    def feed(self, _item):
        self.path.write_text(str(self.quota))

    def finish(self):
        return self.path


def test_a_spool_is_told_its_quota_before_the_first_item(tmp_path):
    pieces = spooled(iter(["item"]), Told, str(tmp_path), 1234, lambda: None)
    assert b"".join(pieces) == b"1234"


def test_a_consumer_that_goes_leaves_no_spooled_file(settings, tmp_path):
    chunks = Pump(spool(tmp_path, size=1_000_000), settings(scratch=str(tmp_path / "scratch"))).chunks()
    next(chunks)
    chunks.close()
    assert scratch(tmp_path) == []
