# SPDX-License-Identifier: GPL-3.0-or-later
"""A hundred CGI requests at once at a real Apache: each is answered or refused by a limit, and nothing is left over.

`ab -c 100` asks for the data of a reader that works for a tenth of a second. The yardstick of the same run is the same
load on a CGI program that is a line of shell, so that what Apache and the machine can do is known. Afterwards there are
no processes, no places taken and no temporary files, and the next request works.

Run it by the Python of an environment into which dasflex was installed as users install it. It needs `apache2` and `ab`
(Debian: apache2-utils).
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root
from dasflex_core.run.turns import Crowd, Group

REPEATS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
REQUESTS, AT_ONCE = 300, 100
MARK = "dasflex-bench-apache-load"
SOURCE = """
title    = "Work"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "sh reader.sh MARK #[read.time.min] #[read.time.max]", writes = "das/2/text" }
example  = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
""".replace("MARK", MARK)
STREAM = """\
[00]000025<stream version="2.2" />
[01]000093<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>
:01:2020-01-01T00:00:00 000000001
"""
APACHE = """
ServerRoot {here}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {here}/pid
ErrorLog {here}/error.log
LogLevel warn
Timeout 60
{modules}
ScriptSock {here}/cgi.sock
StartServers 1
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 128
ServerLimit 1
<Directory />
  Require all granted
</Directory>
Alias /stream {program}
Alias /bare {here}/bare
<Location ~ "/(stream|bare)">
  SetEnv DASFLEX_CONFIG {root}/etc/dasflex.conf
  Options ExecCGI FollowSymLinks
  SetHandler cgi-script
</Location>
"""
#: Apache does not run as root; its user may read what is root's here.
AS_OTHER = ["setpriv", "--reuid=33", "--regid=33", "--clear-groups", "--inh-caps=+dac_override,+dac_read_search"]
AS_OTHER += ["--ambient-caps=+dac_override,+dac_read_search"]


@dataclass(frozen=True)
class Load:
    """What `ab` measured: requests a second, the longest in milliseconds, and how many failed or were not 2xx."""

    rate: float
    longest: float
    failed: int
    refused: int


def ab(url: str) -> Load:
    """Puts load on an address."""
    command = ["ab", "-q", "-l", "-s", "60", "-n", str(REQUESTS), "-c", str(AT_ONCE), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout

    def number(pattern: str) -> float:
        found = re.search(pattern, said)
        return float(found[1]) if found else 0.0

    if number(r"Complete requests:\s+(\d+)") != REQUESTS:
        raise SystemExit(f"ab: {said}")
    failed = int(number(r"Failed requests:\s+(\d+)"))
    refused = int(number(r"Non-2xx responses:\s+(\d+)"))
    return Load(number(r"Requests per second:\s+([\d.]+)"), number(r"100%\s+(\d+)"), failed, refused)


def left() -> list[str]:
    """The readers and programs that are still there."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            command = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if MARK in command or command.rstrip().endswith("dasflex_cgimain"):
            found.append(command)
    return found


def statuses(root: Path) -> Counter[str]:
    """How many requests had each status, by the log; which is then removed."""
    found: Counter[str] = Counter()
    for each in (root / "log").glob("*.log"):
        found.update(re.findall(r'" (\d{3}) \d+ ', each.read_text(encoding="utf-8")))
        each.unlink()
    return found


def served(folder: Path, root: Path) -> tuple[subprocess.Popen[bytes], int]:
    """An Apache for a root, and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = Path("/usr/lib/apache2/modules")
    names = ("mpm_event", "authz_core", "env", "alias", "cgid")
    modules = "\n".join(f"LoadModule {name}_module {where / f'mod_{name}.so'}" for name in names)
    program = Path(sys.executable).with_name("dasflex_cgimain")
    config = folder / "httpd.conf"
    config.write_text(APACHE.format(here=folder, port=port, modules=modules, program=program, root=root))
    (folder / "bare").write_text("#!/bin/sh\nsleep 0.1; echo 'Content-Type: text/plain'; echo; echo done\n")
    (folder / "bare").chmod(0o755)
    shutil.chown(folder, 33, 33)
    apache = shutil.which("apache2", path="/usr/sbin:/usr/local/sbin") or "apache2"
    process = subprocess.Popen([*AS_OTHER, apache, "-DFOREGROUND", "-f", str(config)])
    for _try in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.05)
    raise SystemExit((folder / "error.log").read_text())


def check(root: Path, url: str) -> None:
    """Ends the bench where anything is left over, or the next request does not work."""
    end = time.monotonic() + 5
    while left():
        if time.monotonic() > end:
            raise SystemExit(f"left over: {left()}")
        time.sleep(0.05)
    places = Crowd(str(root / "run" / "turns"), (Group("server", 64, "a place is taken"),), 0, print)
    for leave in [places.enter() for _place in range(64)]:
        leave()
    if [*(root / "tmp").iterdir()]:
        raise SystemExit("temporary files are left over")
    with urlopen(url, timeout=30) as answer:  # noqa: S310  an address of ours
        if b":01:2020" not in answer.read():
            raise SystemExit("the next request does not work")


def main() -> None:
    """Measures, and prints the table."""
    with tempfile.TemporaryDirectory(prefix="dasflex-load-") as place:
        folder, root = Path(place), Path(place) / "root"
        make_root(root, "Load", examples=False)
        source = root / "definitions" / "Work"
        source.mkdir(parents=True)
        (source / "source.toml").write_text(SOURCE)
        (source / "stream.d2t").write_text(STREAM)
        (source / "reader.sh").write_text("cat stream.d2t\nsleep 0.1\n")
        compile_tree(root)
        (root / "tmp").mkdir()
        config = root / "etc" / "dasflex.conf"
        common = config.read_text() + 'SCRATCH_PATH = "tmp"\nLIMIT_AT_ONCE_EACH = "0"\n'
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, 33, 33)
        process, port = served(folder, root)
        url = f"http://127.0.0.1:{port}/stream/source/work/flex?time=2020-01-01/2020-01-02"
        try:
            print(f"{REQUESTS} requests, {AT_ONCE} at once; median of {REPEATS} (lowest to highest)")
            bare = [ab(f"http://127.0.0.1:{port}/bare") for _time in range(REPEATS)]
            rates = [each.rate for each in bare]
            print(f"a line of shell: {median(rates):.1f}/s ({min(rates):.1f} to {max(rates):.1f})")
            for limit, wait in ((0, 0), (16, 60), (16, 0)):
                config.write_text(f'{common}LIMIT_AT_ONCE = "{limit}"\nLIMIT_WAIT = "{wait}"\n')
                statuses(root)
                loads = []
                for _time in range(REPEATS):
                    loads.append(ab(url))
                    check(root, url)
                said = statuses(root)
                report(limit, wait, loads, bare, said)
        finally:
            process.terminate()
            process.wait(30)


def report(limit: int, wait: int, loads: list[Load], bare: list[Load], said: Counter[str]) -> None:
    """Prints a line. Ends the bench where a request was neither answered nor refused by the limit."""
    rates = [each.rate for each in loads]
    told = ", ".join(f"{count} x {status}" for status, count in sorted(said.items()))
    line = f"at most {limit or 'any'}, waiting {wait} s: {median(rates):.1f}/s ({min(rates):.1f} to {max(rates):.1f})"
    ratio = median(rates) / median(each.rate for each in bare)
    print(f"{line}, {ratio:.2f} of the shell; longest {max(each.longest for each in loads):.0f} ms; {told}")
    if set(said) - {"200", "503"} or any(each.failed for each in loads) or ((wait or not limit) and said["503"]):
        raise SystemExit(f"neither answered nor refused by the limit: {told}")


if __name__ == "__main__":
    main()
