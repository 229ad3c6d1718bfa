# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress is one line on a terminal, which is taken away at the end, and nothing anywhere else."""

from __future__ import annotations

import io

import pytest

from dasflex_core.cli import progress
from dasflex_core.cli.progress import Progress
from dasflex_core.prices import amount


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def slow_clock(monkeypatch) -> None:
    """A clock that goes on by half a second each time it is looked at."""
    now = iter(range(10_000))
    monkeypatch.setattr(progress, "monotonic", lambda: next(now) / 2)


@pytest.mark.usefixtures("slow_clock")
def test_a_terminal_shows_bytes_and_speed_on_one_line_that_is_taken_away():
    terminal = Terminal()
    with Progress(terminal) as shown:
        assert b"".join(shown.watch([b"a" * 1000, b"b" * 500])) == b"a" * 1000 + b"b" * 500
    assert shown.bytes == 1500
    assert "1.5 kB" in terminal.getvalue()
    assert "/s" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.usefixtures("slow_clock")
def test_anything_else_is_left_alone():
    file = io.StringIO()
    with Progress(file) as shown:
        list(shown.watch([b"a" * 1000]))
    assert file.getvalue() == ""
    assert shown.bytes == 1000


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_900, "1 MB"), (5e9, "5 GB"), (2e15, "2e+03 TB")],
)
def test_sizes_have_three_digits(count, text):
    assert amount(count) == text
