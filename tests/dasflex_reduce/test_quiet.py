# SPDX-License-Identifier: GPL-3.0-or-later
"""Remarks are left out where that is asked, and nothing else is."""

from __future__ import annotations

from typing import ClassVar

import pytest

from dasflex_core.arrays import Comment, NoData, Problem, StreamHeader
from dasflex_core.testing import ReducerContract, golden
from dasflex_reduce.quiet import Quiet

PROGRESS = [Comment("taskSize", "10"), Comment("TaskProgress", "3")]
REMARKS = [Comment("log:info", "Hello"), NoData("none there"), Problem("ServerError", "gone")]


@pytest.mark.parametrize(("kept", "left"), [("data", REMARKS), ("none", [])])
def test_remarks_are_left_out(kept, left):
    stage = Quiet(kept=kept)
    items = [StreamHeader(), *PROGRESS, *REMARKS]
    assert [*(out for item in items for out in stage.feed(item)), *stage.finish()] == [StreamHeader(), *left]


def test_data_pass_as_they_are():
    for items in golden.streams().values():
        stage = Quiet(kept="none")
        found = [out for item in items for out in stage.feed(item)]
        assert found == [item for item in items if not isinstance(item, Comment | NoData)]


class TestContract(ReducerContract):
    """What every reducer keeps."""

    reducer = Quiet
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"kept": "none"}
