# SPDX-License-Identifier: GPL-3.0-or-later
"""What background work costs: handing over, listing, a task that does nothing, and blocks by one worker and by two.

The yardsticks are of the same run: a file that is created and renamed, and one worker instead of two. Redis is a server
of its own without persistence; what it uses of a processor for each task bounds how many workers one can feed.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root
from dasflex_core.site import open_site
from dasflex_core.tasks import Task, hand_over
from dasflex_work.broker import connected
from dasflex_work.listing import Listing
from dasflex_work.worklist import WorkList

REPEATS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
QUEUED, TRIVIAL, BLOCKS = 100_000, 60, 24
HANDED, LISTED, TWICE = 0.010, 1.0, 1.7
#: A reader that works for half a second of processor time for each hour.
READER = """
import sys, time
from datetime import datetime, timezone

def seconds(text):
    return datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc).timestamp() - 946684800

begin, end = map(seconds, sys.argv[1:3])
until = time.process_time() + (end - begin) / 7200
while time.process_time() < until:
    pass
header = '<stream version="2.2" />'
packet = '<packet><x type="ascii24" units="us2000" /><y type="ascii12" group="B" units="nT" /></packet>'
print("[00]%06d%s[01]%06d%s" % (len(header), header, len(packet), packet), end="")
while begin < end:
    print(":01:%24.0f%11.3f" % (begin * 1e6, begin % 97))
    begin += 60
"""
SOURCE = """
title    = "Made up"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] -S reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }
example  = [{ time = "2020-01-01 to 2020-01-01T01:00" }]
coords.time.range = "2020-01-01 to 2020-01-10"

[[cache.level]]
block = "hour"
bin.time.max = 600
"""


def make(root: Path, port: int) -> None:
    """A root with the source, whose work-lists are at a port."""
    make_root(root, "Bench", examples=False)
    conf = root / "etc" / "dasflex.conf"
    lines = [each for each in conf.read_text().splitlines() if not each.startswith("WORK_QUEUE")]
    lines += ["WORK_QUEUE_BROKER = redis", f"WORK_QUEUE_CONN = 127.0.0.1:{port}:0", ""]
    conf.write_text("\n".join(lines))
    (root / "definitions" / "reader.py").write_text(READER, encoding="utf-8")
    (root / "definitions" / "made.toml").write_text(SOURCE, encoding="utf-8")
    compile_tree(root)


def started(port: int) -> subprocess.Popen[bytes]:
    """A Redis server that answers."""
    program = shutil.which("redis-server") or "/usr/bin/redis-server"
    command = (program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no")
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _try in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return server
        time.sleep(0.05)
    raise SystemExit("redis-server does not answer")


def spread(values: list[float], unit: float = 1e3) -> str:
    """The median with its spread."""
    return f"{median(values) * unit:.2f} ({min(values) * unit:.2f} to {max(values) * unit:.2f})"


def block(number: int) -> Task:
    """The task to build the block of an hour."""
    day, hour = divmod(number, 24)
    ends = [f"2020-01-{1 + (hour + each) // 24 + day:02}T{(hour + each) % 24:02}:00:00" for each in (0, 1)]
    return Task("cache", {"source": "made", "level": "1", "begin": ends[0], "end": ends[1]})


def handing(root: Path) -> bool:
    """Measures handing over; whether it is within the limit."""
    config = open_site(root).config
    place = root / "yardstick"
    place.mkdir()
    plain, handed = [], []
    for turn in range(200):
        begin = time.perf_counter()
        (place / f".{turn}").write_text("x")
        (place / f".{turn}").rename(place / str(turn))
        plain.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        if failed := hand_over(config, [Task("check", {"source": f"nothing{turn}"})]):
            raise SystemExit(failed)
        handed.append(time.perf_counter() - begin)
    shutil.rmtree(config.cache_root / "work")
    print(
        f"a task handed over: {spread(handed)} ms, limit {HANDED * 1e3:.0f}; a file written and renamed {spread(plain)}"
    )
    return median(handed) <= HANDED


def listing(root: Path) -> bool:
    """Measures the listing of many tasks; whether it is within the limit."""
    site = open_site(root)
    server = connected(site.config)
    queue = WorkList(site, server)
    begin = time.perf_counter()
    queue.add(Task("check", {"source": f"nothing{each}"}) for each in range(QUEUED))
    added = time.perf_counter() - begin
    found = []
    for _turn in range(REPEATS):
        begin = time.perf_counter()
        count = len(Listing(site.config, server).ids("waiting"))
        found.append(time.perf_counter() - begin)
        if count != QUEUED:
            raise SystemExit(f"{count} tasks are listed")
    size = server.info("memory")["used_memory"]
    print(
        f"{QUEUED:,} tasks listed: {spread(found)} ms, limit {LISTED * 1e3:.0f}; added in {added:.1f} s, {size / 1e6:.0f} MB"
    )
    server.flushall()
    server.close()
    shutil.rmtree(site.config.cache_root / "work")
    return median(found) <= LISTED


def working(root: Path, tasks: list[Task], workers: int) -> tuple[float, float]:
    """Seconds in which workers do tasks, from the first that begins, and what Redis used of a processor."""
    site = open_site(root)
    server = connected(site.config)
    shutil.rmtree(site.config.cache_root / "data", ignore_errors=True)
    command = (sys.executable, "-m", "dasflex_work", "--config", str(root), "--every", "0.5", "-l", "error")
    running = [subprocess.Popen(command) for _each in range(workers)]
    look = Listing(site.config, server)
    while look.counts().workers < workers:
        time.sleep(0.1)
    time.sleep(1.0)
    used = _cpu(server)
    begin = time.perf_counter()
    WorkList(site, server).add(tasks)
    while (counts := look.counts()).waiting + counts.working:
        time.sleep(0.05)
    seconds = time.perf_counter() - begin
    used = _cpu(server) - used
    for each in running:
        each.terminate()
    for each in running:
        each.wait()
    if look.counts().failed:
        (entry, *_rest) = look.entries(look.ids("failed"))
        raise SystemExit(f"a task failed: {entry.text}")
    server.flushall()
    server.close()
    return seconds, used


def _cpu(server: object) -> float:
    """Seconds of a processor that Redis has used."""
    told = server.info("cpu")
    return told["used_cpu_sys"] + told["used_cpu_user"]


def costs(root: Path) -> bool:
    """Measures what tasks cost, and blocks by one worker and two; whether two are worth it."""
    each, redis = [], []
    for turn in range(REPEATS):
        # A range in which no period is over asks for no block: the cheapest of tasks that do what they are for.
        ends = {"begin": "2029-01-01T00:00:00", "end": "2029-01-01T01:00:00"}
        tasks = [Task("cache", {"source": "made", "level": "1", **ends, "turn": f"{turn}-{n}"}) for n in range(TRIVIAL)]
        seconds, used = working(root, tasks, 1)
        each.append(seconds / TRIVIAL)
        redis.append(used / TRIVIAL)
    print(f"a task with nothing to do: {spread(each)} ms of a worker; Redis {spread(redis, 1e6)} us of a processor")
    alone, both = [], []
    for _turn in range(max(1, REPEATS // 2)):
        tasks = [block(number) for number in range(BLOCKS)]
        alone.append(working(root, tasks, 1)[0])
        both.append(working(root, tasks, 2)[0])
    ratio = median(alone) / median(both)
    print(f"{BLOCKS} blocks of 0.5 s: {spread(alone, 1)} s by one worker, {spread(both, 1)} s by two")
    print(f"  ratio {ratio:.2f}, limit {TWICE}{'' if ratio >= TWICE else '  MISSED'}")
    print(f"  beside the reader's own time a block takes {(median(alone) / BLOCKS - 0.5) * 1e3:.0f} ms of a worker")
    return ratio >= TWICE


def main() -> int:
    """Measures all, and gives 1 if anything is over its limit."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = started(port)
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "root"
            make(root, port)
            return int(not (handing(root) & listing(root) & costs(root)))
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
