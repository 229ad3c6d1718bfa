# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a sound file keeps the contract, and each kind of mistake is found by the test that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dasflex_core.stages import FileFormatter, Formatter
from dasflex_core.testing import FileFormatterContract

if TYPE_CHECKING:
    from pathlib import Path


class Times(FileFormatter, produces="times"):
    """A line for each record, behind the number of lines."""

    held = b""

    def records(self, batch):
        self.held += b"".join(b"%a\n" % str(time) for time in batch[batch.dataset.wire[0]])

    def finish(self):
        path = self.scratch / "times"
        path.write_bytes(b"%d\n" % self.held.count(b"\n") + self.held)
        return path


class TestTimes(FileFormatterContract):
    formatter = Times
    plugin = "dasflex_core.streamtype"
    test_the_declaration_leads_to_the_class = None


def broken(**methods):
    """The contract of a formatter with some methods of its own."""
    made = type("Broken", (Times,), {"__doc__": "Broken.", **methods}, produces="times")
    return type("Contract", (FileFormatterContract,), {"formatter": made})()


def test_files_that_depend_on_batches_or_on_others_are_found(tmp_path):
    def appended(self, batch):
        self.held += b"batch of %d\n" % len(batch)

    with pytest.raises(AssertionError, match="batches of 1 gives other bytes"):
        broken(records=appended).test_records_in_pieces_give_the_same_bytes(1)

    def shared(_self, batch):
        with (tmp_path / "shared").open("ab") as file:
            file.write(b"%d\n" % len(batch))

    def finish(self):
        self.held = (tmp_path / "shared").read_bytes() if (tmp_path / "shared").exists() else b""
        return Times.finish(self)

    with pytest.raises(AssertionError, match="disturb one another"):
        broken(records=shared, finish=finish).test_two_formatters_do_not_meet()


def test_a_file_elsewhere_and_none_are_found(tmp_path):
    def elsewhere(_self):
        (tmp_path / "file").touch()
        return tmp_path / "file"

    for finish in (elsewhere, lambda self: self.scratch / "missing"):
        with pytest.raises(AssertionError, match="is no file in"):
            broken(finish=finish).test_arrays_become_bytes()


def test_a_swallowed_problem_is_found():
    with pytest.raises(AssertionError, match="neither written nor raised"):
        broken(problem=lambda _self, _problem: None).test_a_problem_is_told_or_breaks_the_stream()


def test_what_is_declared_to_stream_is_found():
    contract = type("Contract", (FileFormatterContract,), {"formatter": type("S", (Formatter,), {}, produces="s")})()
    with pytest.raises(AssertionError, match="has the protocol spool"):
        contract.test_it_is_run_as_what_makes_a_file()


def test_what_files_do_not_share_can_be_left_out():
    """As the moment at which one was made."""
    moments = iter(range(1000))

    def finish(self):
        path = Times.finish(self)
        path.write_bytes(b"made at %d\n" % next(moments) + path.read_bytes())
        return path

    with pytest.raises(AssertionError, match="second run"):
        broken(finish=finish).test_a_second_run_gives_the_same()

    class Without(FileFormatterContract):
        formatter = type("Dated", (Times,), {"finish": finish}, produces="times")

        def content(self, path: Path) -> bytes:
            return path.read_bytes().partition(b"\n")[2]

    Without().test_a_second_run_gives_the_same()
    Without().test_two_formatters_do_not_meet()
