# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens while a block is written, it is there whole or not at all, and nothing of it is in the way."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dasflex_core.cache import writing
from dasflex_core.cache.block import checked, intact, read_block
from dasflex_core.cache.writing import BlockWriter
from dasflex_core.stages import Frame

#: A program that writes the block of a day over and over, each time another one.
WRITER = """
import sys
from dasflex_core.cache.block import Block, Part
from dasflex_core.cache.writing import BlockWriter
base, begin, end, mark = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode()
print("ready", flush=True)
number = 0
while True:
    number += 1
    with BlockWriter(base, "d2s", None) as writer:
        for _ in range(20):
            writer.stream(mark * 4_000 + b"%d" % number)
        writer.sums(mark * 3_000)
        block = Block(base=base, begin=begin, end=end, key="key", answer="answer", changed=7, made=0.0, records=3,
                      stream=Part("d2s", 0, 0, ""))
        writer.keep(block)
"""


def files(base):
    """The names of all files around a block."""
    return sorted(each.name for each in Path(base).parent.glob("*")) if Path(base).parent.is_dir() else []


def whole(base):
    """Whether a block can be used; one that vouches for files of another writer gives no byte."""
    found = read_block(base)
    if found is None:
        return False
    try:
        return all(len(b"".join(checked(found.path(part), part))) == part.size for part in found.parts)
    except OSError:
        return False


def test_three_files_are_left_and_none_of_another_name(days):
    kept = days.put("2020-02-29")
    assert files(kept.base) == [f"2020-02-29_bin-60s.{each}" for each in ("block", "d2s", "sums")]
    assert intact(kept)
    recorded = days.put("2020-03-01", sums=None)
    assert recorded.sums is None
    assert files(recorded.base) == [f"2020-03-01_bin-60s.{each}" for each in ("block", "d2s")]


def test_a_block_that_is_made_again_replaces_the_former(days):
    days.put("2020-02-29", stream=b"former")
    again = days.put("2020-02-29", stream=b"another")
    assert read_block(again.base) == again
    assert Path(f"{again.base}.d2s").read_bytes() == b"another"


def test_nothing_is_left_of_a_block_that_is_not_kept(days):
    former = days.put("2020-02-29")
    with BlockWriter(days.base("2020-02-29"), "d2s", None) as writer:
        writer.stream(b"begun")
        writer.sums(b"and more")
        assert len(files(former.base)) == 5
    writer.close()
    assert read_block(former.base) == former
    assert len(files(former.base)) == 3


def test_the_places_of_headers_are_kept(days):
    class TwoHeaders:
        def feed(self, _chunk):
            yield Frame("header", 0, b"12345")
            yield Frame("dataset", 1, b"123")
            yield Frame("data", 1, b"1234567")
            yield Frame("dataset", 2, b"12")

        def finish(self):
            return ()

    with BlockWriter(days.base("2020-02-29"), "d2s", TwoHeaders()) as writer:
        writer.stream(b"x" * 17)
        kept = writer.keep(days.blank("2020-02-29"))
    found = read_block(kept.base)
    assert found is not None
    assert [(each.offset, each.size, each.id) for each in found.declared] == [(0, 5, -1), (5, 3, 1), (15, 2, 2)]


def test_when_it_was_made_is_said_by_the_file_server_and_is_never_in_the_future(days, monkeypatch):
    kept = days.put("2020-02-29")
    assert kept.made == pytest.approx(Path(f"{kept.base}.d2s").stat().st_mtime)
    monkeypatch.setattr(writing.time, "time", lambda: 1_000.0)  # our clock is behind
    assert days.put("2020-02-29").made == 1_000.0


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022, 0o002])
def test_the_group_can_read_blocks_and_write_beside_them_whatever_the_umask(days, umask):
    before = os.umask(umask)
    try:
        kept = days.put("2020-02-29")
    finally:
        os.umask(before)
    for part in ("d2s", "sums", "block"):
        mode = stat.S_IMODE(Path(f"{kept.base}.{part}").stat().st_mode)
        assert mode & 0o060 == 0o060
        assert not mode & 0o007 & umask
    place = Path(kept.base).parent
    while place.name != "x":
        assert stat.S_IMODE(place.stat().st_mode) & 0o070 == 0o070
        place = place.parent


@pytest.mark.parametrize("after", [0.0, 0.002, 0.004, 0.007, 0.011, 0.016, 0.03])
def test_a_writer_that_is_killed_at_any_point_leaves_no_block_in_part(days, after):
    base = days.base("2020-02-29")
    block = days.blank("2020-02-29")
    command = [sys.executable, "-c", WRITER, base, str(block.begin), str(block.end), "x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        threading.Event().wait(after)
        process.send_signal(signal.SIGKILL)
    found = read_block(base)
    assert found is None or whole(base)
    assert all(name.startswith((".", "2020-02-29_bin-60s.")) for name in files(base))
    again = days.put("2020-02-29")
    assert read_block(base) == again


#: A program that writes a block and is killed before the call of a number that changes the disk.
DYING = """
import os, signal, sys
from pathlib import Path
from dasflex_core.cache import writing
from dasflex_core.cache.block import Block, Part

base, begin, end, left = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

def counted(real):
    def call(*args, **how):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*args, **how)
    return call

writing.os.fsync = counted(os.fsync)
writing._File.write = counted(writing._File.write)
for name in ("open", "replace", "unlink", "mkdir", "chmod"):
    setattr(Path, name, counted(getattr(Path, name)))
with writing.BlockWriter(base, "d2s", None) as writer:
    writer.stream(b"anot")
    writer.stream(b"her")
    writer.sums(b"sums")
    writer.keep(Block(base=base, begin=begin, end=end, key="key", answer="answer", changed=7, made=0.0, records=3,
                      stream=Part("d2s", 0, 0, "")))
"""
#: More steps than there are.
STEPS = 24


@pytest.mark.parametrize("step", range(STEPS))
def test_whichever_step_is_the_last_there_is_no_block_or_a_whole_one(days, step):
    """A writer is killed before each call that changes the disk in turn; then what it left is looked at."""
    former = days.put("2020-02-29", stream=b"former")
    block = days.blank("2020-02-29")
    command = [sys.executable, "-c", DYING, former.base, str(block.begin), str(block.end), str(step)]
    ended = subprocess.run(command, check=False).returncode
    assert ended in (0, -signal.SIGKILL)
    assert ended or step > STEPS - 12, "the steps above are all there are"
    found = read_block(former.base)
    assert found is None or whole(former.base)
    if ended:
        assert found in (None, former)
    else:
        assert found is not None
        assert found.stream.size == len(b"another")
    again = days.put("2020-02-29")
    assert read_block(again.base) == again


def test_a_disk_that_is_full_leaves_nothing_behind(days):
    base = days.base("2020-02-29")
    former = days.put("2020-02-29")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    try:
        with pytest.raises(OSError, match="too large") as error:
            days.put("2020-02-29", stream=b"x" * 6_000)
        assert error.value.errno == errno.EFBIG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert read_block(base) == former
    assert len(files(base)) == 3


@pytest.mark.integration
def test_a_file_system_that_is_full_leaves_nothing_behind(room_of):
    """As above on a real file system of 256 KiB, where one may be mounted."""
    room = room_of("day")
    place = Path(room.shelf.folder)
    place.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        room.put("2020-02-28", stream=b"x" * 100_000)
        with pytest.raises(OSError, match=r"No space left|not enough"):
            room.put("2020-02-29", stream=b"x" * 300_000)
        assert files(room.base("2020-02-29")) == [f"2020-02-28_bin-1s.{each}" for each in ("block", "d2s", "sums")]
        assert whole(room.base("2020-02-28"))
        assert whole(room.put("2020-03-01", stream=b"x" * 50_000).base)
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("which", [1, 2, 3])
def test_a_disk_that_fails_when_a_file_is_ended_leaves_no_block_in_part(days, number, which, monkeypatch):
    """NFS tells at the end of a file what went wrong while it was written."""
    base = days.base("2020-02-29")
    left, real = which, os.fsync

    def fail(descriptor):
        nonlocal left
        left -= 1
        if not left:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(writing.os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        days.put("2020-02-29")
    assert read_block(base) is None
    assert not [name for name in files(base) if name.startswith(".")]


def test_a_rename_that_is_done_and_yet_fails_is_taken_for_done(days, monkeypatch):
    """Over NFS the answer to a rename may be lost; sent again, it finds nothing to rename."""
    real = Path.replace

    def twice(self, target):
        real(self, target)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", twice)
    kept = days.put("2020-02-29")
    assert read_block(kept.base) == kept
    assert intact(kept)
    assert len(files(kept.base)) == 3


def test_a_rename_that_is_not_done_is_told(days, monkeypatch):
    days.put("2020-02-29", stream=b"of another length")

    def gone(self, _target):
        self.unlink()
        raise FileNotFoundError(errno.ENOENT, "gone", str(self))

    monkeypatch.setattr(Path, "replace", gone)
    with pytest.raises(FileNotFoundError):
        days.put("2020-02-29")
    monkeypatch.undo()
    assert read_block(days.base("2020-02-29")) is None


def test_two_writers_of_one_block_leave_one_that_is_whole_or_gives_nothing(days):
    """Two programs write blocks of different bytes and equal sizes over one another while a third one reads."""
    base = days.base("2020-02-29")
    block = days.blank("2020-02-29")
    programs = []
    try:
        for mark in "ab":
            command = [sys.executable, "-c", WRITER, base, str(block.begin), str(block.end), mark]
            programs.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        for each in programs:
            each.stdout.readline()
        used, until = 0, time.monotonic() + 10
        while used < 100 and time.monotonic() < until:
            found = read_block(base)
            if found is None:
                continue
            try:
                parts = [b"".join(checked(found.path(part), part)) for part in found.parts]
            except OSError:
                continue
            assert parts[0][:1] == parts[1][:1], "a block of two writers was given"
            used += 1
        assert used
    finally:
        for each in programs:
            each.kill()
            each.communicate()
    assert intact(days.put("2020-02-29"))


def test_threads_that_write_the_same_block_leave_it_whole(days):
    """Blocks are made of the same data: whoever is last, the files belong together."""
    threads = [threading.Thread(target=days.put, args=("2020-02-29",)) for _each in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = read_block(days.base("2020-02-29"))
    assert found is not None
    assert intact(found)
    assert len(files(found.base)) == 3
