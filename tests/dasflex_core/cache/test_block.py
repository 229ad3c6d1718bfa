# SPDX-License-Identifier: GPL-3.0-or-later
"""A block that is damaged in any way is no block, or none of its bytes are given."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dasflex_core.cache import block as block_module
from dasflex_core.cache.block import VERSION, Declared, checked, intact, read_block, remove

HERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def bytes_of(block):
    """All that is given of a block, part by part."""
    return [b"".join(checked(block.path(part), part)) for part in block.parts]


def test_what_was_written_is_read_again(days):
    kept = days.put("2020-02-29", stream=b"[00]000012<stream/>\nx", sums=b"\0\1", facts="abc", records=5)
    found = read_block(kept.base)
    assert found == kept
    assert bytes_of(found) == [b"[00]000012<stream/>\nx", b"\0\1"]
    assert intact(found)
    assert (found.size, found.records, found.facts, found.changed) == (23, 5, "abc", 7)
    declared = replace(kept, declared=(Declared(0, 12, -1), Declared(12, 9, 1)), changed=None, sums=None)
    Path(f"{kept.base}.block").write_bytes(declared.plain())
    assert read_block(kept.base) == declared


def test_what_vouches_for_a_block_is_json_that_anybody_can_read(days):
    kept = days.put("2020-02-29")
    told = json.loads(Path(f"{kept.base}.block").read_bytes())
    assert told["version"] == VERSION
    assert told["key"] == "key"
    assert told["stream"][:2] == ["d2s", 6]


@HERE
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), suffix=st.sampled_from(["d2s", "sums", "block"]))
def test_a_flipped_bit_anywhere_is_found_before_a_byte_is_given(days, place, bit, suffix):
    kept = days.put("2020-02-29", stream=b"stream" * 99, sums=b"sums" * 99)
    path = Path(f"{kept.base}.{suffix}")
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    found = read_block(kept.base)
    if suffix == "block":
        assert found is None
        return
    assert found is not None
    assert not intact(found)
    given_ = checked(found.path(found.stream if suffix == "d2s" else found.sums), getattr(found, _PART[suffix]))
    with pytest.raises(OSError, match="checksum"):
        next(given_)


_PART = {"d2s": "stream", "sums": "sums"}


def test_large_files_are_checked_before_a_byte_is_given_too(days, monkeypatch):
    monkeypatch.setattr(block_module, "_HELD", 1_000)
    monkeypatch.setattr(block_module, "_CHUNK", 512)
    data = bytes(range(256)) * 10
    kept = days.put("2020-02-29", stream=data)
    chunks = list(checked(kept.path(kept.stream), kept.stream))
    assert b"".join(chunks) == data
    assert len(chunks) == 5
    path = Path(kept.path(kept.stream))
    path.write_bytes(data[:-1] + b"!")
    with pytest.raises(OSError, match="checksum"):
        next(checked(str(path), kept.stream))


@pytest.mark.parametrize("suffix", ["d2s", "sums", "block"])
@pytest.mark.parametrize("how", ["removed", "cut", "longer", "emptied", "folder"])
def test_a_file_that_is_missing_or_of_another_size_makes_it_no_block(days, suffix, how):
    kept = days.put("2020-02-29")
    path = Path(f"{kept.base}.{suffix}")
    data = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "removed":
        path.write_bytes({"cut": data[:-1], "longer": data + b"x", "emptied": b""}[how])
    if suffix != "block" and how == "folder":
        path.rmdir()
    assert read_block(kept.base) is None


def test_a_file_that_is_cut_while_the_block_is_used_gives_nothing(days):
    kept = days.put("2020-02-29")
    Path(kept.path(kept.stream)).write_bytes(b"str")
    with pytest.raises(OSError, match="checksum"):
        next(checked(kept.path(kept.stream), kept.stream))
    Path(kept.path(kept.stream)).unlink()
    with pytest.raises(FileNotFoundError):
        next(checked(kept.path(kept.stream), kept.stream))
    assert not intact(kept)


@pytest.mark.parametrize(
    "change",
    [
        {"version": VERSION + 1},
        {"version": None},
        {"begin": "soon"},
        {"begin": float("inf")},
        {"made": None},
        {"stream": ["d2s", 6, 1]},
        {"stream": ["../../etc/passwd", 6, 1, "a"]},
        {"stream": None},
        {"stream": ["d2s", float("nan"), 1, "a"]},
        {"declared": [[0, 1]]},
        {"declared": 7},
        {"changed": "x"},
    ],
)
def test_what_is_of_another_version_or_no_block_at_all_is_none(days, change, monkeypatch):
    kept = days.put("2020-02-29")
    path = Path(f"{kept.base}.block")
    plain = {name: value for name, value in json.loads(path.read_bytes()).items() if name != "crc"} | change
    path.write_bytes(_vouching(json.dumps(plain, separators=(",", ":")).encode()))
    assert read_block(kept.base) is None


@pytest.mark.parametrize(
    "data", [b"{}", b"[1]", b"7", b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"version":' + b"9" * 5_000 + b"}"]
)
def test_garbage_is_no_block(days, data):
    kept = days.put("2020-02-29")
    for each in (data, _vouching(data)):
        Path(f"{kept.base}.block").write_bytes(each)
        assert read_block(kept.base) is None


def _vouching(told):
    """The file that vouches and says this, its checksum right."""
    from zlib import crc32

    return b'{"crc":"%08x",' % crc32(told[1:]) + told[1:]


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EACCES, errno.EIO, errno.ELOOP])
def test_a_file_server_that_fails_has_no_block(days, number, monkeypatch):
    kept = days.put("2020-02-29")

    def fail(*_where, **_how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(block_module.os, "open", fail)
    assert read_block(kept.base) is None
    monkeypatch.undo()
    monkeypatch.setattr(block_module.os, "stat", fail)
    assert read_block(kept.base) is None


def test_a_block_is_removed_with_all_its_files_and_no_others(days):
    one, other = days.put("2020-02-28"), days.put("2020-02-29")
    size = sum(Path(f"{one.base}.{suffix}").stat().st_size for suffix in ("d2s", "sums", "block"))
    assert remove(one.base) == size
    assert read_block(one.base) is None
    assert read_block(other.base) == other
    assert sorted(each.name for each in Path(one.base).parent.iterdir()) == [
        f"2020-02-29_bin-60s.{suffix}" for suffix in ("block", "d2s", "sums")
    ]
    assert remove(one.base) == 0
