# SPDX-License-Identifier: GPL-3.0-or-later
"""Peak memory of a process that answers a request, for a small and for a large stream: it must be the same.

`python tests/bench/bench_memory.py [GIGABYTES]`: 50 MB against 1 GB, or as many gigabytes as the argument says (5 for
the published figure). The input is das2 binary, 64 float32 and a binary time per record, which a reader writes without
keeping it anywhere. Each run is a process of its own: it opens a site, plans the request and pumps the answer. Its peak
is that of its resident memory, as the system counts it (`ru_maxrss`); its reader, which is smaller, is not added.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT = 150
SMALL = 0.05
#: What is the same: the memory of a process differs by some megabytes from one run to the next.
SAME = 10
GIGABYTE = 1_000_000_000
#: What is measured: the parameters of the request, or None for the arrays that a program gets in Python.
CASES: dict[str, dict[str, str | int] | None] = {
    "pass-through": {},
    "decode": None,
    "das2 binary to CSV, %.7e": {"format_type": "csv", "format_sigdigit": 8},
}
DEFINITION = f"""
title    = "As much as is asked for"
contacts = {{ technical = "nobody <nobody@example.org>" }}
reader   = {{ command = '''#[python] "{__file__}" write #[read.megabytes]''', writes = "das/2/binary" }}
options.megabytes = {{ type = "integer", default = 50 }}
example  = [{{ title = "50 MB", read.megabytes = 50 }}]
"""


def write(megabytes: int) -> None:
    """The reader: one block of records, again and again."""
    import random
    import struct

    source = random.Random(20310402)
    planes = (
        '<x type="little_endian_real8" units="us2000"/><yscan name="psd" type="little_endian_real4" nitems="64" '
        'yUnits="Hz" yTagInterval="10" yTagMin="10" zUnits="V**2 m**-2 Hz**-1"/>'
    )
    body = f"<packet>{planes}</packet>".encode()
    record = struct.Struct("<4sd64f")
    block = b"".join(
        record.pack(b":01:", 9.8e14 + 1e6 * place, *(10.0 ** source.uniform(-18, 4) for _each in range(64)))
        for place in range(4_000)
    )
    out = sys.stdout.buffer
    out.write(b'[00]000023<stream version="2.2"/>[01]%06d%b' % (len(body), body))
    for _each in range(megabytes * 1_000_000 // len(block)):
        out.write(block)


def answer(root: str, case: str, megabytes: str) -> None:
    """The process that is measured: it takes an answer and keeps nothing of it."""
    import dasflex_core
    from dasflex_core.arrays import Records
    from dasflex_core.streamtype import ARRAYS

    request = dasflex_core.open(root)["Stream"].ask(read_megabytes=megabytes)
    asked = CASES[case]
    if asked is None:
        with request._plan(ARRAYS).open() as pump:
            got = sum(len(item) * 268 for item in pump.items() if isinstance(item, Records))
    else:
        got = sum(map(len, request.ask(**asked).plan().run()))
    if got < int(megabytes) * 900_000:
        raise SystemExit(f"{case}: {got:,} bytes of {megabytes} MB")


def prepare(root: str) -> None:
    """A root with the one source."""
    from dasflex_core.catalog.tree import compile_tree
    from dasflex_core.roots import make_root

    config = make_root(Path(root), "bench", examples=False)
    (config.definitions / "Stream").mkdir()
    (config.definitions / "Stream" / "source.toml").write_text(DEFINITION, encoding="utf-8")
    if findings := compile_tree(config.root).findings:
        raise SystemExit("\n".join(map(str, findings)))


def peak(*arguments: str) -> float:
    """The peak memory in megabytes of a process that this script is in with other arguments.

    A process inherits the peak of the one that starts it, which therefore imports nothing large.
    """
    child = subprocess.Popen([sys.executable, __file__, *arguments])
    _pid, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)}: ended with {child.returncode}")
    return used.ru_maxrss * 1024 / 1e6


def main(gigabytes: float) -> int:
    """Prints a line per case; 1 if one takes too much, or more for more."""
    missed = False
    print(f"peak memory for {SMALL * 1000:g} MB and for {gigabytes:g} GB, limit {LIMIT} MB")
    with tempfile.TemporaryDirectory() as folder:
        root = str(Path(folder) / "root")
        peak("prepare", root)
        for case in CASES:
            small, large = (peak("answer", root, case, str(round(1000 * each))) for each in (SMALL, gigabytes))
            same = large - small <= SAME
            missed = missed or not same or large >= LIMIT
            print(f"  {case:26} {small:5.0f} MB {large:5.0f} MB, {'the same' if same else 'NOT THE SAME'}")
    return int(missed)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", size]:
            write(int(size))
        case ["prepare", root]:
            prepare(root)
        case ["answer", root, case, size]:
            answer(root, case, size)
        case [size]:
            sys.exit(main(float(size)))
        case _:
            sys.exit(main(1.0))
