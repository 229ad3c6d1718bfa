# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAPI says of 10,000 data sets, from stored files: `catalog`, `catalog?depth=all` and `info` over loopback.

The data sets are sources of their own, all described alike. Composing the lists, once after an install, is told beside
the answers, which are the medians of five requests to a warm server; the yardstick is md5 over 750 MB in the same run.
"""

from __future__ import annotations

import http.client
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from subprocess import TimeoutExpired
from urllib.parse import urlsplit

from bench_hapi import SOURCE, serve, told, write_stream, yardstick

import dasflex_core
from dasflex_core.catalog.publishing import publisher
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root
from dasflex_hapi.serving.catalog import catalog_json
from dasflex_hapi.serving.headers import capture, keep
from dasflex_hapi.serving.register import data_set_of, find, listed

SETS = 10_000
RUNS = 5
LIMIT = 1.0


def make(root: Path) -> None:
    """A root with so many sources, each described."""
    make_root(root, "bench", examples=False)
    for number in range(SETS):
        folder = root / "definitions" / f"m{number // 100:02d}"
        folder.mkdir(exist_ok=True)
        text = SOURCE.replace("Three numbers", f"Set {number} of three numbers")
        (folder / f"set{number:05d}.toml").write_text(text.replace("cat stream", "cat ../stream"), encoding="utf-8")
    write_stream(root / "definitions" / "stream.d2s")
    site = dasflex_core.open(root)
    if findings := compile_tree(root, publish=publisher(site.config, site.registry, site.external)).findings:
        raise RuntimeError(str(findings[0]))


def timed(name: str, base: str, path: str) -> float:
    """The median of some requests, which is printed."""
    place = urlsplit(base)
    times = []
    size = 0
    for _ in range(RUNS):
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
        begin = time.perf_counter()
        connection.request("GET", path)
        size = len(connection.getresponse().read())
        times.append(time.perf_counter() - begin)
        connection.close()
    print(f"{name}: {size / 1e6:.2f} MB in {told(times)}, at most {LIMIT} s")
    return median(times)


def main() -> int:
    """Measures, prints, and gives 1 where a figure is not reached."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        make(root)
        site = dasflex_core.open(root)
        begin = time.perf_counter()
        names = listed(site)
        print(f"the list of {len(names)} was composed in {time.perf_counter() - begin:.1f} s")
        learned = capture(find(site, names[0].id)).learned
        for each in names:
            keep(data_set_of(site, each), learned)
        begin = time.perf_counter()
        catalog_json(site, "all")
        print(f"the list with info was composed in {time.perf_counter() - begin:.1f} s")
        keep(find(site, names[1].id), learned)
        begin = time.perf_counter()
        catalog_json(site, "all")
        print(f"with one that is described anew, in {time.perf_counter() - begin:.1f} s")
        process, base = serve(root)
        try:
            timed("warming up", base, "/hapi/catalog")
            taken = [
                timed("catalog", base, "/hapi/catalog"),
                timed("catalog, all", base, "/hapi/catalog?depth=all"),
                timed("info", base, f"/hapi/info?dataset={names[SETS // 2].id}"),
            ]
        finally:
            process.terminate()
            with suppress(TimeoutExpired):
                process.wait(timeout=10)
        print(f"md5 of 750 MB: {yardstick():.2f} s")
    return 1 if max(taken) > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
