# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before a request: the decision of access, a password, a turn, an estimate, and the start of a program.

The yardstick is sha256 of 1 MB in the same run. The decision is that of four rules, parsed anew, as a request of a
protected source pays for it. A password is checked by argon2id the first time, and by its ticket for the next ten
minutes. A turn is taken in three groups and handed back. The start of a program is `true` run to its end, with its
directory for temporary files and its limits, against the same by `subprocess` alone.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, time
from typing import TYPE_CHECKING

from dasflex_core.access import NOBODY, Wish, decide, rules_of
from dasflex_core.plan.graph import Command, Limits, Node
from dasflex_core.roots import make_root
from dasflex_core.run import Guardian, Pump, PumpSettings
from dasflex_core.run.turns import Crowd, Group
from dasflex_core.site import open_site
from dasflex_core.streamtype import StreamType
from dasflex_core.times import parse_time
from dasflex_passwd import hashing, passed

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
ALLOW = ("group:juno", "user:ann", "age:1y6m", "bin:60s")
DECISION = 50e-6


def taken(work: Callable[[], object], times: int) -> list[float]:
    """The seconds of a call, as often as is wanted, each the mean of many."""
    work()
    found = []
    for _repeat in range(REPEATS):
        begin = perf_counter()
        for _time in range(times):
            work()
        found.append((perf_counter() - begin) / times)
    return found


def told(name: str, seconds: list[float], yardstick: list[float]) -> float:
    """Prints a line, and gives the median."""
    middle, ratio = median(seconds), median(seconds) / median(yardstick)
    spread = f"{min(seconds) * 1e6:,.1f} to {max(seconds) * 1e6:,.1f}"
    print(f"{name:40} {middle * 1e6:12,.1f} us ({spread}), {ratio:.3g} x the yardstick")
    return middle


def main() -> int:
    """Prints the table; 1 where the decision takes longer than it may."""
    data = bytes(1_000_000)
    yardstick = taken(lambda: hashlib.sha256(data).digest(), 50)
    told("sha256 of 1 MB (yardstick)", yardstick, yardstick)
    now, end = parse_time("2026-11-22"), parse_time("2020-01-01")
    decision = told(
        "decision of access",
        taken(lambda: decide(rules_of(ALLOW), NOBODY, Wish(end, 1.0), now, "A/B"), 2_000),
        yardstick,
    )
    with tempfile.TemporaryDirectory(prefix="dasflex-admission-") as place:
        root = Path(place) / "root"
        make_root(root, "Bench")
        site = open_site(root)
        config, hashed = site.config, hashing.make("of the moor")
        told("a password by argon2id", taken(lambda: hashing.verify("of the moor", hashed), 4), yardstick)
        passed.remember("ann", "of the moor", hashed, config, time())
        ticket = taken(lambda: passed.is_remembered("ann", "of the moor", hashed, config, time()), 200)
        told("the same by its ticket", ticket, yardstick)
        groups = tuple(Group(name, 64, "full") for name in ("address", "source", "server"))
        crowd = Crowd(str(root / "run" / "turns"), groups, 0, print)
        told("a turn in three groups", taken(lambda: [crowd.enter()()], 500), yardstick)
        plan = site.request("Examples/Params", [("time", "2008-06-29T17:00/2008-06-29T17:10")]).plan()
        told("an estimate", taken(plan.estimate, 200), yardstick)
        programs(yardstick)
    return decision > DECISION


def programs(yardstick: list[float]) -> None:
    """What a program costs with all that is done around it."""
    argv = ("/bin/true",)
    bare = taken(lambda: subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True), 50)
    told("a program by subprocess", bare, yardstick)
    limits = Limits(processes=256, scratch=10_000_000_000, memory=8_000_000_000)
    node = Node("reader", "process", StreamType("raw"), command=Command((argv,), limits=limits))
    with Guardian() as guardian:
        settings = PumpSettings(guardian=guardian)

        def run() -> None:
            with Pump((node,), settings) as pump:
                list(pump.chunks())

        told("the same by the pump", taken(run, 50), yardstick)


if __name__ == "__main__":
    sys.exit(main())
