# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the run room ask for: readers as real programs, das2 streams, and a look at what was left behind."""

from __future__ import annotations

import sys
import textwrap
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dasflex_core.plan.graph import Command, Limits, Node
from dasflex_core.run import PumpSettings
from dasflex_core.streamtype import StreamType, StreamTypeInfo
from dasflex_das.das2_framing import Das2Framer

if TYPE_CHECKING:
    from collections.abc import Callable

DAS2 = StreamType("das", "2")
RAW = StreamType("raw")


@dataclass
class Readers:
    """Makes readers of Python text; every process of theirs has `mark` in its arguments."""

    folder: Path
    mark: str
    count: int = 0

    def script(self, text: str) -> Path:
        """A program file."""
        self.count += 1
        path = self.folder / f"reader{self.count}.py"
        path.write_text(textwrap.dedent(text))
        return path

    def argv(self, text: str) -> tuple[str, ...]:
        """The arguments that start it."""
        return (sys.executable, "-S", str(self.script(text)), self.mark)

    def command(self, *texts: str, limits: Limits | None = None, **rest) -> Command:
        """Programs joined by pipes."""
        return Command(tuple(self.argv(text) for text in texts), limits=limits or Limits(silence=20), **rest)

    def node(
        self,
        *texts: str,
        produces: StreamType = RAW,
        inputs: tuple[int, ...] = (),
        name: str = "reader",
        limits: Limits | None = None,
    ) -> Node:
        """A process node."""
        return Node(name, "process", produces, inputs=inputs, command=self.command(*texts, limits=limits))

    def left(self) -> list[int]:
        """The processes with the mark that are there now, zombies left out."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def gone(self, within: float) -> bool:
        """Whether all of them are gone within some seconds."""
        deadline = time.monotonic() + within
        while left := self.left():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return not left

    def there(self, count: int, within: float = 5) -> bool:
        """Whether so many are running within some seconds."""
        deadline = time.monotonic() + within
        while len(self.left()) < count:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


@pytest.fixture
def readers(tmp_path: Path) -> Readers:
    """Readers as real programs."""
    folder = tmp_path / "readers"
    folder.mkdir()
    return Readers(folder, f"mark-{uuid.uuid4().hex}")


@dataclass
class Das2:
    """A das2 stream with a time and a number in each record of 4 + 24 + 12 bytes."""

    header: bytes
    dataset: bytes

    def records(self, count: int, number: int = 1) -> bytes:
        """Data packets."""
        return b"".join(
            b":%02d:2020-01-01T00:%02d:%02d.000 %11.4e\n" % (number, each // 60 % 60, each % 60, each)
            for each in range(count)
        )

    def declaration(self, number: int, name: str = "v") -> bytes:
        """A packet header."""
        return self._packet(
            b"[%02d]" % number,
            f'<packet><x type="time24" units="UTC"/><y type="ascii12" units="" name="{name}"/></packet>'.encode(),
        )

    def whole(self, count: int) -> bytes:
        """A stream."""
        return self.header + self.dataset + self.records(count)

    @staticmethod
    def _packet(tag: bytes, body: bytes) -> bytes:
        return tag + b"%06d" % len(body) + body


@pytest.fixture
def das2() -> Das2:
    """A das2 stream in its parts."""
    made = Das2(Das2._packet(b"[00]", b'<stream version="2.2"/>'), b"")
    made.dataset = made.declaration(1)
    return made


def _info(produced: StreamType) -> StreamTypeInfo | None:
    if produced.kind != "das":
        return None
    return StreamTypeInfo(DAS2, "das2", "", "d2s", problem="dasflex_das.das2_messages:problem_packet")


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., PumpSettings]:
    """Settings with the framer of das2, and whatever else a test says."""

    def make(**rest) -> PumpSettings:
        return PumpSettings(
            framer=lambda produced: Das2Framer() if produced.kind == "das" else None, info=_info, **rest
        )

    return make
