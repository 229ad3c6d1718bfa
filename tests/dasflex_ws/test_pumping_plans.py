# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a plan is made of, the trio pump answers as the synchronous one, with all that the last place of a run adds."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import trio

from dasflex_core.arrays import Dataset, Dimension, Records, StreamHeader, Variable
from dasflex_core.errors import DasflexError
from dasflex_core.plan.classics import Classics
from dasflex_core.plan.graph import Command, Limits, Node
from dasflex_core.registry import discover
from dasflex_core.run import Pump, PumpSettings
from dasflex_core.stages import StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType
from dasflex_ws.pumping import pumping

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = discover()
DAS, DAS2, RAW = StreamType("das"), StreamType("das", "2"), StreamType("raw")
DECODE, ENCODE = "dasflex_das.das2_decoder:Das2Decoder", "dasflex_das.das2_encoder:Das2BinaryEncoder"
COMMENT = re.compile(rb'\[xx\]\d{6}<comment type="log:fine" source="dasflex" value="The source is at work[^"]*" />\n')
HEADER = b'[00]000023<stream version="2.2"/>'
BODY = b'<packet><x type="time24" units="UTC"/><y type="ascii12" units="" name="v"/></packet>'
BEGIN = HEADER + b"[01]%06d%b" % (len(BODY), BODY)


class Count:
    """A producer of a few records."""

    def items(self, _cancelled):
        """One dataset, and three times ten records."""
        variable = Variable("t", "center", "real", "us2000", (-1,), np.dtype(np.float64))
        dataset = Dataset(1, "d", (-1,), (Dimension("time", "time", True, (variable,)),), ("t",))
        yield StreamHeader()
        yield dataset
        for each in range(3):
            yield Records(dataset, {"t": np.arange(10.0) + 10 * each})


class Kept:
    """A spool that counts what it is fed."""

    def __init__(self, scratch):
        self.path = scratch / "file"
        self.count = 0

    def feed(self, item):
        """Counts records."""
        if isinstance(item, Records):
            self.count += len(item)

    def finish(self):
        """The file."""
        self.path.write_text(f"{self.count}", encoding="ascii")
        return self.path


def packets(count: int, first: int = 0) -> bytes:
    """Data packets with a record each second."""
    return b"".join(
        b":01:2020-01-01T00:%02d:%02d.000 %11.4e\n" % (each // 60 % 60, each % 60, each)
        for each in range(first, first + count)
    )


STREAM = BEGIN + packets(200)


def rules(**rest) -> PumpSettings:
    """Settings with what is installed."""
    rest = {"pulse": 0.0, "first_byte": 0.0} | rest
    return PumpSettings(
        framer=REGISTRY.framer, info=REGISTRY.stream_type, classic=Classics(REGISTRY).nodes, headerless=(RAW,), **rest
    )


def reader(*parts: bytes | float, produces: StreamType = DAS2, then: str = "", **limits) -> Node:
    """A program that writes bytes and sleeps for seconds."""
    acts = [f"w({part!r})" if isinstance(part, bytes) else f"time.sleep({part})" for part in parts]
    script = "\n".join(["import os, sys, time", "def w(b): os.write(1, b)", *acts, then])
    return Node("reader", "process", produces, (), command=Command(((sys.executable, "-c", script),), limits=Limits(**limits)))  # fmt: skip


def made(name: str, accepts, produces: StreamType, factory: str, *inputs: int, kind: str = "stage") -> Node:
    """A node that a class works in."""
    spec = StageSpec(name, name, accepts, produces, factory=factory, protocol=kind)
    return Node(name, kind, produces, inputs, spec)


def program(script: str, *inputs: int) -> Node:
    """A program in the middle."""
    return Node("middle", "process", DAS2, inputs, command=Command(((sys.executable, "-c", script),)))


def classic(*words: str, before: int = 0) -> Node:
    """A classic program in the middle."""
    return Node("classic", "classic", DAS2, (before,), command=Command((words,)))


def block(folder: Path) -> Node:
    """A file."""
    path = folder / "block"
    path.write_bytes(STREAM)
    return Node("block", "file", DAS2, (), path=str(path))


COPY = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
PRODUCER = made("count", None, ARRAYS, f"{__name__}:Count", kind="producer")
PLANS = {
    "a reader alone": lambda _folder: (reader(STREAM),),
    "a reader of one byte after the other": lambda _folder: (
        reader(then=f"for b in {BEGIN + packets(40)!r}: w(bytes((b,)))"),
    ),
    "decoded and encoded": lambda _folder: (
        reader(STREAM),
        made("d", DAS2, ARRAYS, DECODE, 0),
        made("e", ARRAYS, DAS2, ENCODE, 1),
    ),
    "a reader of nothing": lambda _folder: (
        reader(),
        made("d", DAS2, ARRAYS, DECODE, 0),
        made("e", ARRAYS, DAS2, ENCODE, 1),
    ),
    "a program in the middle": lambda _folder: (
        reader(STREAM),
        program(COPY, 0),
        made("d", DAS2, ARRAYS, DECODE, 1),
        made("e", ARRAYS, DAS2, ENCODE, 2),
    ),
    "a classic program": lambda _folder: (reader(STREAM, produces=DAS), classic("das2_bin_avgsec", "10")),
    "two classic programs": lambda _folder: (
        reader(STREAM, produces=DAS),
        classic("das2_bin_avgsec", "10"),
        classic("das2_ascii", before=1),
    ),
    "a tee": lambda folder: (reader(STREAM), Node("t", "tee", DAS2, (0,), path=str(folder / "copy"))),
    "a file": lambda folder: (block(folder),),
    "a file and a reader": lambda folder: (
        block(folder),
        reader(BEGIN + packets(50, 200)),
        Node("both", "concat", DAS2, (0, 1)),
    ),
    "a producer": lambda _folder: (PRODUCER, made("e", ARRAYS, DAS2, ENCODE, 0)),
    "two producers merged": lambda _folder: (
        PRODUCER,
        PRODUCER,
        Node("m", "merge", ARRAYS, (0, 1)),
        made("s", ARRAYS, RAW, f"{__name__}:Kept", 2, kind="spool"),
    ),
    "a spool": lambda _folder: (
        reader(STREAM),
        made("d", DAS2, ARRAYS, DECODE, 0),
        made("s", ARRAYS, RAW, f"{__name__}:Kept", 1, kind="spool"),
    ),
    "a reader that fails": lambda _folder: (reader(STREAM, then="sys.exit(3)"),),
    "a reader that fails before stages": lambda _folder: (
        reader(STREAM, then="sys.exit(3)"),
        made("d", DAS2, ARRAYS, DECODE, 0),
        made("e", ARRAYS, DAS2, ENCODE, 1),
    ),
    "a reader that fails at once": lambda _folder: (reader(then="sys.exit(3)"),),
    "a reader that ends in a packet": lambda _folder: (reader(STREAM[:-3]),),
}


def pulled(nodes, settings: PumpSettings):
    """What the synchronous pump gives, its failure, and what is kept of the request."""
    got, failure = [], None
    with Pump(nodes, settings) as pump:
        try:
            got.extend(pump.chunks())
        except DasflexError as error:
            failure = error
    return b"".join(got), *kept(pump.record, failure)


def pumped(nodes, settings: PumpSettings):
    """The same of the trio pump."""

    async def work():
        got, failure = [], None
        with trio.fail_after(60):
            async with pumping(nodes, settings, limiter=trio.CapacityLimiter(1)) as pump:
                try:
                    while (pieces := await pump.take()) is not None:
                        got += pieces
                except DasflexError as error:
                    failure = error
            return b"".join(got), *kept(pump.record, failure)

    return trio.run(work)


def kept(record, failure):
    """What two runs of one plan have in common."""
    return (
        (failure.kind, failure.message) if failure else None,
        (record.complete, record.bytes, record.records, record.sha256, record.error_kind),
    )


@pytest.mark.parametrize("name", PLANS)
def test_both_pumps_answer_alike(tmp_path, name):
    nodes = PLANS[name](tmp_path)
    settings = rules(scratch=str(tmp_path))
    answer, failure, record = pulled(nodes, settings)
    assert pumped(nodes, settings) == (answer, failure, record)
    assert bool(failure) == ("fails" in name or "ends in" in name)
    assert answer or name in ("a reader of nothing", "a reader that fails at once")
    if name == "a tee":
        assert (tmp_path / "copy").read_bytes() == STREAM


def test_what_is_known_of_the_answer_stands_in_its_header():
    settings = rules(
        remarks=("The probe was off",), amend=(("read.time.min", "2020-01-01"), ("read.time.max", "2020-01-02"))
    )
    nodes = (reader(STREAM),)
    answer, failure, record = pulled(nodes, settings)
    assert pumped(nodes, settings) == (answer, failure, record)
    assert b"The probe was off" in answer
    assert answer != STREAM


def test_an_answer_without_data_says_that_nothing_was_found():
    settings = rules(absence="There are no data")
    answer, *rest = pulled((reader(),), settings)
    assert b"NoDataInInterval" in answer
    assert pumped((reader(),), settings) == (answer, *rest)


def test_an_answer_whose_data_are_late_begins_without_them():
    async def work():
        nodes = (reader(1.5, STREAM),)
        async with pumping(nodes, rules(first_byte=0.1), limiter=trio.CapacityLimiter(1)) as pump:
            with trio.fail_after(30):
                await pump.start()
                early = b"".join(await pump.take() or [])
                return early, b"".join([piece async for piece in pump.chunks()])

    early, rest = trio.run(work)
    assert COMMENT.search(early)
    assert b":01:" not in early
    assert rest.endswith(packets(200))


@pytest.mark.parametrize("close", [False, True], ids=["between packets", "behind the last"])
def test_a_pause_is_filled_with_comments(close):
    parts = (reader(STREAM, then="os.close(1); time.sleep(1)"),) if close else (reader(STREAM, 1.0, packets(9)),)
    answer, failure, _record = pumped(parts, rules(pulse=0.1))
    assert failure is None
    assert COMMENT.search(answer)
    assert COMMENT.sub(b"", answer) == STREAM + (b"" if close else packets(9))


@pytest.mark.parametrize(("then", "limits", "what"), [
    ("while True: pass", {"cpu": 1}, "of CPU time"),
    ("held = bytearray(b'x') * 300_000_000; time.sleep(30)", {"memory": 200_000_000}, "of memory"),
])  # fmt: skip
def test_a_reader_has_limits(then, limits, what):
    answer, failure, record = pumped((reader(STREAM, then=then, **limits),), rules())
    assert answer.startswith(STREAM)
    assert b"exception" in answer[len(STREAM) :]
    assert failure[0] == "source.limit"
    assert what in failure[1]
    assert not record[0]
