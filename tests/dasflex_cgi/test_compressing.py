# SPDX-License-Identifier: GPL-3.0-or-later
"""Content codings: what was asked for, whole for who reads it, and nothing held back."""

from __future__ import annotations

import random
import sys
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dasflex_cgi.compressing import Coded, coding, encoded


class Pieces:
    """A body of pieces, which knows whether it was closed."""

    def __init__(self, pieces, fault=None):
        self.left = list(pieces)
        self.fault = fault
        self.closed = False

    def __iter__(self):
        return self

    def __next__(self):
        if self.left:
            return self.left.pop(0)
        raise self.fault or StopIteration

    def close(self):
        self.closed = True


def reader(name):
    """What reads a coding piece by piece."""
    return zlib.decompressobj(31) if name == "gzip" else zstandard.ZstdDecompressor().decompressobj()


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@given(pieces=st.lists(st.binary(max_size=200), max_size=8))
def test_each_piece_can_be_read_when_it_is_sent(name, pieces):
    body, read, got = Coded(Pieces(pieces), name), reader(name), b""
    for number in range(len(pieces)):
        got += read.decompress(next(body))
        assert got == b"".join(pieces[: number + 1])
    rest = b"".join(body)
    assert got + read.decompress(rest) == b"".join(pieces)
    assert read.eof


@pytest.mark.parametrize("size", [1 << 16, 1 << 18, 3_000_001])
@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_large_pieces_are_whole_whatever_they_hold(name, size):
    noise = random.Random(7).randbytes(size)
    pieces = [noise, noise.hex().encode(), b"a" * size, noise]
    body, read = Coded(Pieces(pieces), name), reader(name)
    for piece in pieces:
        assert read.decompress(next(body)) == piece
    read.decompress(b"".join(body))
    assert read.eof


def test_gzip_is_there_where_the_quick_library_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "isal", None)
    body = Coded(Pieces([b"x" * 100]), "gzip")
    assert zlib.decompress(b"".join(body), 31) == b"x" * 100


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_body_that_breaks_has_no_end(name):
    inner = Pieces([b"x" * 100], OSError("broken"))
    body, read = Coded(inner, name), reader(name)
    read.decompress(next(body))
    with pytest.raises(OSError, match="broken"):
        next(body)
    assert not read.eof
    body.close()
    assert inner.closed


@pytest.mark.parametrize(
    ("accepted", "name"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("zstd, gzip", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("gzip;q=0", ""),
        ("gzip; q=0.5, zstd;q=0.4", "gzip"),
        ("gzip;q=0.5, identity", ""),
        ("*", "zstd"),
        ("*;q=0", ""),
        ("zstd;q=0, *", "gzip"),
        ("identity", ""),
        ("identity, *;q=0", ""),
        ("deflate, br", ""),
        ("gzip;q=nonsense", ""),
        ("gzip;q=nan", ""),
        ("gzip;q=2", ""),
        (",;,gzip;;q=1;x", "gzip"),
    ],
)
def test_the_coding_is_what_the_client_likes_best(accepted, name):
    assert coding(accepted) == name


def test_what_is_short_or_gets_no_shorter_stays():
    assert encoded(b"x" * 10, "gzip") == b"x" * 10
    assert encoded(b"x" * 5000, "") == b"x" * 5000
    assert zlib.decompress(encoded(b"x" * 5000, "gzip"), 31) == b"x" * 5000
