# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of live sources share: a reader that does what it is told, its source, and a channel that records."""

from __future__ import annotations

import importlib.util
import json
import re
import struct
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

import dasflex_core
from dasflex_core.cli import main
from dasflex_core.roots import make_root
from dasflex_core.run import Guardian
from dasflex_ws.hub import Hub

#: A live reader. Each start is noted in the file `starts`, and does what its line of `script.json` says (the last line
#: for all later ones): how many records, how often, with what header, and how it ends. Records are numbered.
READER = '''
import json, os, struct, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
with (folder / "starts").open("a") as file:
    file.write(f"{os.getpid()} {' '.join(sys.argv[2:])}\\n")
start = len((folder / "starts").read_text().splitlines()) - 1
script = json.loads((folder / "script.json").read_text())
told = {"count": 10**9, "every": 0.02, "exit": 0, "title": "A", "head": True, "late": 0, "pad": 0, "ids": [1]}
told |= script[min(start, len(script) - 1)]
out = sys.stdout.buffer
def packet(tag, number, body):
    return f"|{tag}|{number}|{len(body)}|".encode() + body
STREAM = '<stream type="das-basic-stream" version="3.0" />'
DATASET = """<dataset name="d%d" rank="1" index="*">
<coord physDim="time" name="time" axis="x"><scalar use="center" semantic="datetime" storage="long" index="*"
 units="us2000"><packet numItems="1" itemBytes="8" encoding="LEint" /></scalar></coord>
<data physDim="n" name="number"><properties><p name="title">%s</p></properties><scalar use="center" semantic="integer"
 storage="int" index="*" units=""><packet numItems="1" itemBytes="4" encoding="LEint" /></scalar></data>
</dataset>"""
time.sleep(told["late"])
if told["head"]:
    out.write(packet("Sx", "", STREAM.encode()))
    for one in told["ids"]:
        out.write(packet("Hx", one, (DATASET % (one, told["title"])).encode() + b" " * told["pad"]))
    out.flush()
for number in range(told["count"]):
    now = int((time.time() - 946_684_800) * 1e6)
    one = told["ids"][number % len(told["ids"])]
    out.write(packet("Pd", one, struct.pack("<qi", now, 100_000 * start + number)))
    out.flush()
    time.sleep(told["every"])
sys.stderr.write("the device is off")
sys.exit(told["exit"])
'''
SOURCE = """
title = "A device"
contacts = {{ technical = "A. Nobody <nobody@example.org>" }}
{readers}
[options.antenna]
title = "Antenna"
values = {{ Eu = "u", Ev = "v" }}
default = "Eu"
[coords.time]
range = "2020-01-01 to forever"
cadence = "20 ms"
[live]
{live}
[[example]]
title = "Now"
time = "now to forever"
"""
LIVE = """
[[reader]]
name = "live"
live = true
command = "#[python] {folder}/reader.py {folder} #[read.antenna # antenna=@ #]{more}"
writes = "das/3/binary"
"""
PACKET = re.compile(rb"\|([A-Z][a-z])\|(\d*)\|(\d+)\|")


class Device:
    """The source `Lab/Device` of a site, and what its reader is told to do."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        (folder / "reader.py").write_text(READER)
        self.tell({})
        self.define()

    def tell(self, *starts: dict) -> None:
        """What the reader does at its first start, its second, and so on."""
        (self.folder / "script.json").write_text(json.dumps(starts))

    def define(self, live: str = 'linger = "0.3 s"', more: str = "", readers: str = "") -> None:
        """Writes and installs the definition."""
        place = self.root / "definitions" / "Lab" / "Device"
        place.mkdir(parents=True, exist_ok=True)
        text = SOURCE.format(readers=LIVE.format(folder=self.folder, more=more) + readers, live=live)
        (place / "source.toml").write_text(text)
        self.install()

    def install(self) -> None:
        """Installs the definition as it is."""
        done = CliRunner().invoke(main, ["install", "--root", str(self.root)])
        assert done.exit_code == 0, done.output

    @property
    def starts(self) -> list[str]:
        """What each start of the reader was told, after its process id."""
        file = self.folder / "starts"
        return file.read_text().splitlines() if file.exists() else []

    def plan(self, begin: str = "now", **more: str):
        """The plan of one who watches."""
        source = dasflex_core.open(self.root)["Lab/Device"]
        asked = {name.replace("_", "."): text for name, text in more.items()}
        pairs = {"read.time.min": begin, "read.time.max": "forever", **asked}
        return source.site.request(source.id, tuple(pairs.items())).plan()


@pytest.fixture(scope="session")
def bare_root(tmp_path_factory) -> Path:
    """A root with the examples, to be copied."""
    root = tmp_path_factory.mktemp("live") / "root"
    make_root(root, "Live")
    assert CliRunner().invoke(main, ["install", "--root", str(root)]).exit_code == 0
    return root


@pytest.fixture
def device(tmp_path) -> Device:
    """A root with one source, whose reader does what it is told."""
    make_root(tmp_path / "root", "Live", examples=False)
    (tmp_path / "bench").mkdir()
    return Device(tmp_path / "root", tmp_path / "bench")


@pytest.fixture
def guardian():
    """What ends the readers if the test does not."""
    with Guardian() as made:
        yield made


@pytest.fixture
def hub(guardian, tmp_path) -> Hub:
    """A hub, which is to be run."""
    return Hub(limiter=trio.CapacityLimiter(4), guardian=guardian, runtime=tmp_path / "run")


class Recorder:
    """A channel that takes everything at once, and keeps the frames that it was given."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.gone = trio.Event()
        self.slow = ""
        self.ending = None
        self.warning = None
        self._more = trio.Event()

    async def send(self, frame: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.offer(frame)

    def offer(self, frame: bytes, *, keep: bool = False) -> None:  # noqa: ARG002  as that of a channel
        self.frames.append(frame)
        self._more.set()
        self._more = trio.Event()

    def live(self, slow, limit, warning) -> None:  # noqa: ARG002  as that of a channel
        self.slow, self.warning = slow, warning

    @property
    def payload(self) -> bytes:
        """What came, in one piece."""
        return b"".join(map(unframed, self.frames))

    async def until(self, condition) -> None:
        """Waits until a condition of what came is true."""
        while not condition(self):
            await self._more.wait()

    async def until_records(self, count: int) -> None:
        await self.until(lambda channel: len(numbers(channel.payload)) >= count)


def unframed(frame: bytes) -> bytes:
    """The payload of a frame of a server (RFC 6455, 5.2)."""
    size = frame[1]
    return frame[2:] if size < 126 else frame[4:] if size == 126 else frame[10:]


def packets(data: bytes) -> list[tuple[str, int, bytes]]:
    """The das3 packets of a stream to its last byte: tag, id, body."""
    found, at = [], 0
    while at < len(data):
        head = PACKET.match(data, at)
        assert head, data[at : at + 40]
        end = head.end() + int(head[3])
        found.append((head[1].decode(), int(head[2] or 0), data[head.end() : end]))
        at = end
    return found


def numbers(data: bytes) -> list[int]:
    """The numbers of the records of a stream of the device."""
    return [struct.unpack("<qi", body)[1] for tag, _id, body in packets(data) if tag == "Pd"]


@pytest.fixture
def stream():
    """What takes a das3 stream apart: `stream.packets`, `stream.numbers`, `stream.unframed`."""

    class Stream:
        packets = staticmethod(packets)
        numbers = staticmethod(numbers)
        unframed = staticmethod(unframed)

        @staticmethod
        def last(frames):
            """The number of the last record in some frames; -1 where there is none."""
            return max((number for frame in frames for number in numbers(unframed(frame))), default=-1)

    return Stream


@pytest.fixture
def recorder():
    """Makes channels that keep what they are given."""
    return Recorder


@pytest.fixture(scope="session")
def wire():
    """The module `server.py` beside this file: a server in a thread, and what a client sends and reads byte by byte."""
    spec = importlib.util.spec_from_file_location("dasflex_ws_server", Path(__file__).with_name("server.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def served(device, wire):
    """Starts servers of the root of the device, each with more lines of configuration; they end with the test."""
    begun = []

    def start(*lines: str, tls=None):
        if lines:
            with (device.root / "etc" / "dasflex.conf").open("a") as file:
                file.write("\n".join((*lines, "")))
        begun.append(wire.Served(device.root, tls))
        return begun[-1]

    yield start
    for each in begun:
        each.stop()
