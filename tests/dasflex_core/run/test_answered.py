# SPDX-License-Identifier: GPL-3.0-or-later
"""The request behind an answer id is kept once, is found again, and never fails a request."""

from __future__ import annotations

import re

import pytest

from dasflex_core.errors import NotFoundError
from dasflex_core.run.answered import note_answer, read_answer

ID = "abcdefgh234567ij"
PAIRS = (("read.time.min", "2017-01-01T00:00:00"), ("read.µ", "ä\udc80"))


def test_what_was_noted_is_read_case_aside(tmp_path):
    note_answer(ID, "A/b", PAIRS, "flex", str(tmp_path / "log" / "answers"), pytest.fail)
    found = read_answer(ID.upper(), str(tmp_path / "log" / "answers"))
    assert (found.id, found.source, found.convention) == (ID, "A/b", "flex")
    assert found.pairs == (PAIRS[0], ("read.µ", "ä?"))
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.first)


def test_an_answer_that_is_known_is_not_written_again(tmp_path):
    note_answer(ID, "A/b", (), "flex", str(tmp_path), pytest.fail)
    before = (tmp_path / f"{ID}.json").read_bytes()
    note_answer(ID, "C/d", (), "das2", str(tmp_path), pytest.fail)
    assert (tmp_path / f"{ID}.json").read_bytes() == before


@pytest.mark.parametrize(
    "identifier", ["", "../../etc/passwd", "x" * 16, ID, "abcdefgh/../../x", "ä" * 16, "x" * 10_000]
)
def test_there_is_no_answer_that_was_never_given(tmp_path, identifier):
    with pytest.raises(NotFoundError) as caught:
        read_answer(identifier, str(tmp_path))
    assert caught.value.kind == "not-found.answer"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"pairs": 3}', '{"pairs": [["a"]]}', '{"pairs": [], "more": 1}', "\xff"]
)
def test_a_damaged_file_is_no_answer(tmp_path, text):
    (tmp_path / f"{ID}.json").write_text(text, encoding="latin-1")
    with pytest.raises(NotFoundError):
        read_answer(ID, str(tmp_path))


@pytest.mark.parametrize("place", ["file/answers", "/dev/full/x", "/proc/none/answers"])
def test_a_disk_that_is_not_there_is_told_and_fails_nothing(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    told = []
    note_answer(ID, "A/b", PAIRS, "flex", str(tmp_path / place), told.append)
    assert len(told) == 1
