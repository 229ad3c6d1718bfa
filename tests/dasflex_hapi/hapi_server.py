# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HAPI server, a program of its own: `hapi_server.py VERSION [binary]`. It prints the port that it listens at.

It is written after the specification, and strict where that is: unknown parameters and names of other versions are
errors. Data sets whose id begins with `bad-` misbehave as the rest of it says. Each request is a line of its output.
"""

from __future__ import annotations

import json
import struct
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
RECORDS = 3000
FREQUENCIES = [10.0, 20.0, 40.0, 80.0]
TIME = {"name": "Time", "type": "isotime", "units": "UTC", "fill": None, "length": 30}
FIELD = [
    TIME,
    {"name": "level", "type": "double", "units": "V", "fill": "-1e31", "description": "A level"},
    {"name": "count", "type": "integer", "units": None, "fill": "-1"},
    {"name": "B-gse", "type": "double", "units": "nT", "fill": "NaN", "size": [3], "label": "B in GSE"},
    {"name": "note", "type": "string", "units": None, "fill": "", "length": 12},
]
SPECTRA = [
    TIME,
    {
        "name": "psd",
        "type": "double",
        "units": "V^2/Hz",
        "fill": "-1e31",
        "size": [4],
        "bins": [{"name": "frequency", "units": "Hz", "centers": FREQUENCIES}],
    },
    {"name": "gain", "type": "integer", "units": "dB", "fill": None},
    {
        "name": "flux",
        "type": "double",
        "units": "1/s",
        "fill": None,
        "size": [2],
        "bins": [{"name": "energy", "units": "eV", "centers": "energies"}],
    },
    {"name": "energies", "type": "double", "units": "eV", "fill": None, "size": [2]},
]
SETS = {"field": FIELD, "spectra": SPECTRA, "short": FIELD, "ordinal": FIELD}
ERRORS = {1400: 400, 1401: 400, 1405: 400, 1406: 404, 1407: 404, 1411: 400, 1409: 400, 1408: 400, 1500: 500}


class HapiError(Exception):
    """A status of HAPI."""


def told(line):
    """Says a line on the output."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def values(name, n):
    """The values of a parameter in a record, in their order."""
    return {
        "level": [-1e31 if n % 100 == 7 else n * 0.1],
        "count": [-1 if n % 100 == 9 else n],
        "B-gse": [n + 0.5, float("nan") if n % 100 == 3 else -n, 1 / (n + 1)],
        "note": ['a "b", c' if n % 50 == 1 else f"n{n}"],
        "psd": [n + f for f in FREQUENCIES],
        "gain": [n % 7],
        "flux": [n, n + 1],
        "energies": [100.0 + n % 2, 200.0],
    }[name]


def moment(n, kind):
    """The time of a record, one a minute and a nanosecond."""
    when = BEGIN + timedelta(minutes=n)
    return f"{when:%Y-%jT%H:%M}Z" if kind == "ordinal" else f"{when:%Y-%m-%dT%H:%M:%S}.{n:09d}Z"


def plain(text):
    """A time of a request as a datetime."""
    text = text.rstrip("Z")
    for form in ("%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            return datetime.strptime(text[:26], form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise HapiError(1400)


def cell(value):
    """A value as csv has it."""
    text = repr(value) if isinstance(value, float) else str(value)
    text = "NaN" if text == "nan" else text
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    version, binary = "3.2", False

    def log_message(self, *_):
        """Says nothing."""

    def do_GET(self):
        parts = urlsplit(self.path)
        told(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            getattr(self, parts.path.removeprefix("/hapi/").strip("/") or "landing")(query)
        except HapiError as error:
            self.error(error.args[0])

    def error(self, code, status=None):
        what = {"code": code, "message": f"HAPI error {code}: so it is"}
        self.document({"HAPI": self.version, "status": what}, status or ERRORS[code])

    def document(self, said, status=200):
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def good(self, **more):
        return {"HAPI": self.version, "status": {"code": 1200, "message": "OK"}, **more}

    def capabilities(self, _query):
        self.document(self.good(outputFormats=["csv", "binary"] if self.binary else ["csv"]))

    def chosen(self, query, known):
        """The id and the parameters of a request. Raises what is wrong with it."""
        if self.version.startswith("2") and {"dataset", "start", "stop"} & set(query):
            raise HapiError(1401)
        if set(query) - known:
            raise HapiError(1401)
        name = query.get("id", query.get("dataset", ""))
        parameters = SETS.get(name, FIELD if name.startswith("bad-") else None)
        if parameters is None:
            raise HapiError(1406)
        if name == "ordinal":
            parameters = [{**TIME, "length": 15}, *parameters[1:]]
        asked = [each for each in query.get("parameters", "").split(",") if each]
        order = [each["name"] for each in parameters]
        if set(asked) - set(order):
            raise HapiError(1407)
        if asked != [each for each in order if each in asked]:
            raise HapiError(1411)
        return name, [each for each in parameters if not asked or each["name"] in asked or each["name"] == "Time"]

    def info(self, query):
        name, parameters = self.chosen(query, {"id", "dataset", "parameters"})
        last = BEGIN + timedelta(minutes=RECORDS)
        span = {"startDate": f"{BEGIN:%Y-%m-%dT%H:%M:%S}Z", "stopDate": f"{last:%Y-%m-%dT%H:%M:%S}Z"}
        more = {"maxRequestDuration": "PT10H"} if name == "short" else {}
        if name == "bad-info":
            parameters = [{**each, "type": "complex"} for each in parameters]
        self.document(self.good(**span, parameters=parameters, cadence="PT1M", description="A set", **more))

    def data(self, query):
        known = {"id", "dataset", "time.min", "time.max", "start", "stop", "parameters", "format", "include"}
        name, parameters = self.chosen(query, known)
        form = query.get("format", "csv")
        if form not in ("csv", "binary") or (form == "binary" and not self.binary):
            raise HapiError(1409)
        first, last = plain(query.get("time.min", query.get("start"))), plain(query.get("time.max", query.get("stop")))
        if first < BEGIN or last > BEGIN + timedelta(minutes=RECORDS):
            raise HapiError(1405)
        if name == "short" and last - first > timedelta(hours=10):
            raise HapiError(1408)
        if name.startswith("bad-") and self.bad(name):
            return
        minutes = [n for n in range(RECORDS) if first <= BEGIN + timedelta(minutes=n) < last]
        rows = [self.row(n, name, parameters, form) for n in minutes]
        if not rows:
            self.send_response(200, "OK; HAPI 1201 no data")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.stream(rows, form, cut=name == "bad-cut", length=name == "bad-short")

    def row(self, n, name, parameters, form):
        """A record."""
        when = moment(n, name)
        if form == "csv":
            cells = [when, *(cell(value) for each in parameters[1:] for value in values(each["name"], n))]
            return (",".join(cells) + "\n").encode()
        found = struct.pack(f"{parameters[0]['length']}s", when.encode())
        for each in parameters[1:]:
            code = {"double": "<d", "integer": "<i", "string": f"{each.get('length')}s"}[each["type"]]
            for value in values(each["name"], n):
                found += struct.pack(code, value.encode() if each["type"] == "string" else value)
        return found

    def stream(self, rows, form, *, cut, length):
        """The rows, chunked at odd places; `cut` without an end, `length` with fewer bytes than were promised."""
        body = b"".join(rows)
        self.send_response(200)
        self.send_header("Content-Type", "text/csv" if form == "csv" else "application/octet-stream")
        if length:
            self.send_header("Content-Length", str(len(body) + 100))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for place in range(0, len(body), 7777):
            piece = body[place : place + 7777]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if not cut:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def bad(self, name):
        """Answers in the way of a server that misbehaves; false where the data are cut later."""
        match name:
            case "bad-page":
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", "13")
                self.end_headers()
                self.wfile.write(b"<html></html>")
            case "bad-status":
                self.error(1500, 200)
            case "bad-error":
                self.error(1500)
            case "bad-rows":
                self.stream([b"2020-01-01T00:00:00.000000000Z,1,2\n"], "csv", cut=False, length=False)
            case "bad-slow":
                self.send_response(200)
                self.send_header("Content-Type", "text/csv")
                self.end_headers()
                self.wfile.flush()
                self.connection.settimeout(30)
                with suppress(OSError):
                    if not self.connection.recv(1):
                        told("gone")
            case _:
                return False
        return True


if __name__ == "__main__":
    Handler.version, Handler.binary = sys.argv[1], "binary" in sys.argv
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told(str(server.server_port))
        server.serve_forever()
