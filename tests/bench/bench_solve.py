# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes to solve one request over registries of 100 and of 1,000 stages."""

from __future__ import annotations

import sys
from statistics import median
from time import perf_counter

from dasflex_core.plan.solver import StageIndex, Task, solve
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType


def registry(count: int) -> list[StageSpec]:
    """Stages of all roles: a few codecs, and formatters and reducers of many plugins."""
    das2, das3 = StreamType("das", "2"), StreamType("das", "3")
    stages = [
        StageSpec("das2-decoder", "", das2, ARRAYS, "m:c", cost=Cost(0.1)),
        StageSpec("das3-decoder", "", das3, ARRAYS, "m:c", cost=Cost(0.1)),
        StageSpec("das2-encoder", "", ARRAYS, das2, "m:c", cost=Cost(0.1)),
        StageSpec("das3-encoder", "", ARRAYS, das3, "m:c", cost=Cost(0.1)),
        StageSpec(
            "bin", "", ARRAYS, ARRAYS, "m:c", params=(ParamSpec("bin.time.max"), ParamSpec("bin.stats", "modifier"))
        ),
        StageSpec(
            "psd", "", ARRAYS, ARRAYS, "m:c", params=(ParamSpec("dft.length"), ParamSpec("dft.slide", "modifier"))
        ),
    ]
    for place in range(count - len(stages)):
        if place % 3 == 0:
            stages.append(
                StageSpec(
                    f"format-{place}",
                    "",
                    ARRAYS,
                    StreamType(f"kind{place}"),
                    "m:c",
                    params=(ParamSpec("format.secfrac", "offered"),),
                    cost=Cost(0.1),
                )
            )
        elif place % 3 == 1:
            stages.append(StageSpec(f"calc-{place}", "", ARRAYS, ARRAYS, "m:c", params=(ParamSpec(f"calc.{place}"),)))
        else:
            stages.append(
                StageSpec(f"import-{place}", "", StreamType(f"kind{place - 2}"), ARRAYS, "m:c", cost=Cost(0.1))
            )
    return stages


def main() -> int:
    """Prints the median and the spread in milliseconds; 1 if a median is above its limit."""
    missed = False
    request = {
        "read.time.min": "2020-01-01", "read.time.max": "2020-01-02", "dft.length": "800", "dft.slide": "2",
        "bin.time.max": "60", "bin.stats": "mean", "format.secfrac": "3",
    }  # fmt: skip
    reader = StageSpec(
        "reader",
        "",
        None,
        StreamType("das", "2"),
        "m:c",
        params=(ParamSpec("read.time.min"), ParamSpec("read.time.max")),
    )
    for count, limit in ((100, 0.5), (1000, 5.0)):
        index = StageIndex(registry(count))
        task = Task(index, request, frozenset(request), StreamType("kind0"), stages=(reader,))
        times = []
        for _ in range(101):
            begin = perf_counter()
            path = solve(task)
            times.append((perf_counter() - begin) * 1000)
        if path is None:
            raise SystemExit("the benchmark's own request has no plan")
        print(f"solve, {count} stages: {median(times):.3f} ms ({min(times):.3f} to {max(times):.3f}), limit {limit} ms")
        missed = missed or median(times) >= limit
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
