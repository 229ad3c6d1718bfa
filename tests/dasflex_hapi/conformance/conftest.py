# SPDX-License-Identifier: GPL-3.0-or-later
"""A HAPI server in a process of its own, with the examples and with sources whose every value is known."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import pytest

import dasflex_core
from dasflex_core.catalog.publishing import publisher
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root
from dasflex_passwd.users import add_user

#: Writes a das2 stream of one record a minute, for as much of the range as lies on the first two days of 2020.
READER = """
import os, sys, time
from datetime import datetime, timedelta

def packet(tag, body):
    sys.stdout.write(f"[{tag}]{len(body.encode()):06d}{body}")

word, begin, end = sys.argv[1], *(datetime.fromisoformat(each) for each in sys.argv[2:4])
if word == "early":
    sys.exit("no such disk")
packet("00", '<stream version="2.2" />\\n')
tags = "1,2,4" if word == "tables" and begin >= datetime(2020, 1, 2) else "10,20,40"
packet("01", '<packet><x type="time24" units="us2000"/>'
    '<y type="ascii14" units="nT" name="b"><properties yFill="-1e31" yLabel="B!bx!n (nT)" /></y>'
    f'<yscan type="ascii14" units="V" name="e" nitems="3" yUnits="Hz" yTags="{tags}" zUnits="V**2 m**-2 Hz**-1">'
    '<properties zFill="-1e31" zLabel="E" /></yscan></packet>\\n')
first = datetime(2020, 1, 1)
count = 0
for minute in range(2 * 1440):
    moment = first + timedelta(minutes=minute)
    if not begin <= moment < end or 600 <= minute < 660:
        continue
    count += 1
    if word == "late" and count > 2000:
        sys.stdout.flush()
        time.sleep(0.3)
        sys.exit(3)
    b = "-1e31" if minute % 7 == 3 else "nan" if minute % 7 == 5 else f"{minute / 8}"
    cells = "".join(f"{minute * step:>13} " for step in (1, 0.5, -0.25))
    sys.stdout.write(f":01:{moment.isoformat(timespec='milliseconds')} {b:>13} {cells.rstrip()}\\n")
"""
SOURCE = """
title    = "{title}"
contacts = {{ technical = "Somebody <somebody@example.org>", scientific = "Ann Other <ann@example.org>" }}
cite     = {{ doi = "10.5555/lines", spase = "spase://Lab/NumericalData/Lines", licence = "CC0-1.0", text = "Other, A., Lines" }}
summary  = "A line and a spectrum, each minute of two days."
reader   = {{ command = "#[python] reader.py {word} #[read.time.min] #[read.time.max]", writes = "das/2/text" }}
example  = [{{ title = "An hour", time = "2020-01-01T00:00 to 2020-01-01T01:00" }}]
coords   = {{ time = {{ title = "Time", range = "{range}", cadence = "1 min" }}, frequency = {{ units = "Hz" }} }}
data     = {{ b = {{ axes = ["time"] }}, e = {{ axes = ["time", "frequency"] }} }}
{more}
"""
DAYS = "2020-01-01 to 2020-01-03"
SOURCES = {
    "Lab/Lines": ("lines", "Lines of a laboratory, which have a title that is longer", DAYS, 'hapi = [{}, { id = "10min", title = "Averages", bin.time.max = 600 }]'),
    "Lab/Moving": ("lines", "Lines that go on", "2020-01-01 to now", "hapi = {}"),
    "Lab/Early": ("early", "Fails at once", DAYS, "hapi = {}"),
    "Lab/Late": ("late", "Fails in mid-stream", DAYS, "hapi = {}"),
    "Lab/Tables": ("tables", "Another table on the second day", DAYS, "hapi = {}"),
    "Lab/Secret": ("lines", "For the team", DAYS, 'hapi = {}\naccess = { realm = "The team", allow = ["group:team"] }'),
    "Lab/Anna": ("lines", "For Anna", DAYS, 'hapi = {}\naccess = { realm = "The team", allow = ["user:anna"] }'),
    "Lab/Old": ("lines", "Old data are for all", DAYS, 'hapi = {}\naccess = { realm = "The team", allow = ["group:team", "age:1y"] }'),
    "Lab/Young": ("lines", "None is old enough", DAYS, 'hapi = {}\naccess = { realm = "The team", allow = ["group:team", "age:40y"] }'),
    "Lab/Half": ("lines", "Averages are for all", DAYS, 'hapi = [{}, { id = "hour", bin.time.max = 3600 }]\naccess = { realm = "The team", allow = ["group:team", "bin:10min"] }'),
    "Lab/Plain": ("lines", "Not by HAPI", DAYS, ""),
    "Lab/Hidden": ("lines", "In no list", DAYS, "hapi = {}\nlisted = false"),
}  # fmt: skip
HOUR = {"dataset": "Lab_Lines", "start": "2020-01-01T00:00Z", "stop": "2020-01-01T01:00Z"}


@dataclass(frozen=True)
class Answered:
    """An answer of the server, as it came."""

    status: int
    phrase: str
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        """The body as JSON, in which numbers are what they seem."""
        return json.loads(self.body)

    @property
    def code(self):
        """The code of HAPI in the body."""
        return self.json["status"]["code"]


@dataclass(frozen=True)
class Hapi:
    """A HAPI server: `url` is what clients are told."""

    url: str
    root: object

    def get(self, endpoint="", method="GET", headers=None, **query):
        """Asks an endpoint; a query that is written is given by `asked`."""
        asked = query.pop("asked", None)
        text = asked if asked is not None else urlencode(query, quote_via=quote, safe=":,/")
        place = urlsplit(self.url)
        path = f"{place.path}/{endpoint}" if endpoint else place.path
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        try:
            connection.request(method, f"{path}?{text}" if text else path, headers=headers or {})
            answer = connection.getresponse()
            return Answered(answer.status, answer.reason, answer.headers, answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="session")
def hapi_root(tmp_path_factory):
    """A root with the examples and the sources above."""
    root = tmp_path_factory.mktemp("hapi") / "root"
    make_root(root, "HAPI Test Server of the Lab")
    for name, (word, title, span, more) in SOURCES.items():
        folder = root / "definitions" / name
        folder.mkdir(parents=True)
        (folder / "reader.py").write_text(READER, encoding="utf-8")
        text = SOURCE.format(title=title, word=word, range=span, more=more)
        (folder / "source.toml").write_text(text, encoding="utf-8")
    site = dasflex_core.open(root)
    report = compile_tree(root, publish=publisher(site.config, site.registry, site.external))
    assert report.findings == ()
    add_user(site.config, "anna", "her password")
    return root


@pytest.fixture(scope="session")
def hapi(hapi_root):
    """The server of that root."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    options = ["--port", "0", "--no-websocket", "--config", str(hapi_root / "etc" / "dasflex.conf")]
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    ) as process:
        line = process.stdout.readline()
        assert line.startswith("Serving "), process.communicate(timeout=20)
        yield Hapi(f"{line.split()[3].rstrip('/')}/hapi", hapi_root)
        process.terminate()
        process.communicate(timeout=20)
