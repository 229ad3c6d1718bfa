# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis server of its own for the tests, and sites whose tasks are done by real workers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root
from dasflex_core.site import open_site
from dasflex_core.tasks import Task
from dasflex_work.broker import connected
from dasflex_work.listing import Listing
from dasflex_work.worklist import WorkList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis as Client

    from dasflex_core.site import Site

SERVER = shutil.which("redis-server") or "/usr/bin/redis-server"
#: Writes das2 text, one record each minute; a file tells how long it takes and whether it fails.
READER = """
import os, sys, time
from datetime import datetime, timezone

def seconds(text):
    return datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc).timestamp() - 946684800

with open("reads", "a") as log:
    log.write(" ".join(sys.argv[1:3]) + chr(10))
if os.path.exists("slow"):
    time.sleep(float(open("slow").read()))
if os.path.exists("fails"):
    sys.exit("out of order")
begin, end = map(seconds, sys.argv[1:3])
header = '<stream version="2.2"><properties title="made up" /></stream>'
packet = '<packet><x type="ascii24" units="us2000" /><y type="ascii12" group="B" units="nT" /></packet>'
print("[00]%06d%s[01]%06d%s" % (len(header), header, len(packet), packet), end="")
at = begin
while at < end:
    print(":01:%24.0f%11.3f" % (at * 1e6, at % 97), end="\\n")
    at += 60
"""
DEFINITION = """
title = "Made up"
contacts = { technical = "A B <a@b.example>" }
reader = { command = "#[python] -S reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }
example = [{ time = "2020-01-01 to 2020-01-01T01:00" }]
coords.time.range = "2020-01-01 to 2020-01-03"
coords.time.cadence = "60 s"

[[cache.level]]
block = "hour"
bin.time.max = 600
"""


@dataclass
class Redis:
    """A Redis server without persistence: what it knows is lost when it ends."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = (SERVER, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no")
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self.answers)

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as line:
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.05)


@dataclass
class Work:
    """A site with background work: its list, and workers that are processes of their own."""

    root: Path
    redis: Redis
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    client: Client | None = None

    @property
    def site(self) -> Site:
        return open_site(self.root)

    @property
    def folder(self) -> Path:
        """Where the definitions and the reader are."""
        return self.root / "definitions"

    @property
    def list(self) -> WorkList:
        return WorkList(self.site, self.server)

    @property
    def listing(self) -> Listing:
        return Listing(self.site.config, self.server)

    @property
    def server(self) -> Client:
        """A connection, one for all that a test asks."""
        if self.client is None:
            self.client = connected(self.site.config)
        return self.client

    def reads(self) -> list[str]:
        """What the reader was asked."""
        path = self.folder / "reads"
        return path.read_text().splitlines() if path.exists() else []

    def blocks(self) -> list[Path]:
        return sorted(self.site.config.cache_root.rglob("*.block"))

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """A worker, which looks often."""
        words = ("--every", "0.2", "--beat", "1", "--config", str(self.root), *options)
        with (self.root / f"workd{len(self.workers)}.log").open("wb") as log:
            worker = subprocess.Popen(
                (sys.executable, "-m", "dasflex_work", *words), stderr=log, start_new_session=True
            )
        self.workers.append(worker)
        return worker

    def once(self, *options: str) -> None:
        """A worker that does what waits, and ends."""
        assert self.start("--once", *options).wait(60) == 0, self.logs()

    def logs(self) -> str:
        return "\n".join(each.read_text() for each in sorted(self.root.glob("workd*.log")))

    def todo(self, *words: str, code: int = 0) -> str:
        """What the other command says."""
        command = (sys.executable, "-c", "from dasflex_work.todo import main; main()", *words, "--root", str(self.root))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def hour(self, number: int = 0) -> Task:
        """The task to build one block."""
        begin, end = (f"2020-01-01T{each:02}:00:00" for each in (number, number + 1))
        return Task("cache", {"source": "Kept", "level": "1", "begin": begin, "end": end})

    def state(self, identifier: str) -> str:
        (entry,) = self.listing.entries([identifier])
        return entry.state

    def hasten(self) -> None:
        """Lets what is to be tried again be due now."""
        again = f"rq:scheduled:{self.list.name}"
        for each in self.server.zrange(again, 0, -1):
            self.server.zadd(again, {each: 1}, xx=True)

    def until_finished(self, identifier: str) -> None:
        """Waits until a task is done, but not for the pauses between its tries."""

        def finished() -> bool:
            self.hasten()
            return self.state(identifier) == "finished"

        until(finished)

    def end(self) -> None:
        if self.client is not None:
            self.client.close()
        for each in self.workers:
            if each.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(each.pid, signal.SIGKILL)
                each.wait()


@pytest.fixture
def redis(free_port) -> Iterator[Redis]:
    """A Redis server."""
    if not Path(SERVER).exists():
        pytest.skip("redis-server is not installed (apt: redis-server)")
    server = Redis(free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def work(tmp_path: Path, redis: Redis) -> Iterator[Work]:
    """A site with background work."""
    root = tmp_path / "root"
    make_root(root, "Work", examples=False)
    conf = root / "etc" / "dasflex.conf"
    kept = [each for each in conf.read_text().splitlines() if not each.startswith("WORK_QUEUE")]
    added = ["WORK_QUEUE_BROKER = redis", f"WORK_QUEUE_CONN = 127.0.0.1:{redis.port}:0"]
    conf.write_text("\n".join([*kept, *added, ""]))
    (root / "definitions" / "reader.py").write_text(READER)
    (root / "definitions" / "Kept.toml").write_text(DEFINITION)
    compile_tree(root)
    made = Work(root, redis)
    yield made
    made.end()
