# SPDX-License-Identifier: GPL-3.0-or-later
"""A small das2.2 server, a program of its own that prints the port that it listens at, then a line for each request.

What a source does is in its id: `mean` and `peak` reduce as the classic programs do, `whole` cannot be reduced; those
that begin with `bad-` misbehave. Records come each second from 2020-01-01 on, and hold their number, less 100.
"""

from __future__ import annotations

import struct
import sys
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
US2000 = (BEGIN - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds() * 1e6
LOGIN = "Basic " + b64encode(b"ann:secret").decode()
SOURCES = ("mean", "peak", "whole", "model", "locked", "bad-cut", "bad-page")


def told(line):
    """Says a line on the output."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def packet(tag, xml):
    return f"[{tag}]{len(xml.encode()):06d}{xml}".encode()


def stream(rows, planes=("",), width=0.0):
    """A stream of rows, (seconds, values); each plane is the suffix of its name."""
    said = f' <properties Datum:xCacheResolution="{width:f} s" String:xCacheResInfo="(bins)" />' if width else ""
    head = packet("00", f'<stream version="2.2">{said}</stream>\n')
    names = {"": "BIN_AVG", ".max": "BIN_MAX"}
    ys = ""
    for each in planes:
        told_of = f'<properties String:source="level" String:operation="{names[each]}" />' if len(planes) > 1 else ""
        ys += f'<y type="little_endian_real8" units="V" name="level{each}">{told_of}</y>'
    head += packet("01", f'<packet><x type="little_endian_real8" units="us2000" />{ys}</packet>\n')
    return head + b"".join(struct.pack(f"<4s{1 + len(planes)}d", b":01:", US2000 + at * 1e6, *v) for at, v in rows)


def binned(numbers, first, width, planes):
    """What the classic programs make of records: bins from the begin of the request, their middles and values."""
    bins = {}
    for number in numbers:
        bins.setdefault(int((number - first) // width), []).append(number - 100.0)
    made = {"": lambda values: sum(values) / len(values), ".max": max}
    return [(first + (at + 0.5) * width, [made[each](v) for each in planes]) for at, v in sorted(bins.items())]


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, in HTTP/1.0 where `bare`: then nothing says how long an answer is."""

    def log_message(self, *_):
        """Says nothing."""

    def answer(self, body, status=200, kind="application/vnd.das2.das2stream", *, short=0, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) + short))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def failed(self, status, kind, message):
        head = packet("00", '<stream version="2.2" />\n')
        self.answer(head + packet("xx", f'<exception type="{kind}" message="{message}" />\n'), status)

    def do_GET(self):
        told(f"{self.path} {self.headers.get('Authorization', '')}".strip())
        query = dict(parse_qsl(urlsplit(self.path).query))
        match query.get("server"):
            case "list":
                self.answer("".join(f"{each}|The source {each}\n" for each in SOURCES).encode(), kind="text/plain")
            case "dsdf":
                self.dsdf(query["dataset"])
            case "dataset":
                self.dataset(query["dataset"], query)
            case _:
                self.answer(b"<html></html>", 404, "text/html")

    def dsdf(self, name):
        if name == "locked" and self.headers.get("Authorization") != LOGIN:
            self.answer(b"who?", 401, "text/plain", WWW_Authenticate='Basic realm="Us"')
            return
        model = ' String:requiresInterval="1"' if name == "model" else ""
        example = 'String:exampleRange_00="2020-01-01 to 2020-01-01T00:10 | Ten minutes"'
        xml = f'<stream version="2.2"><properties String:description="{name}"{model} {example} /></stream>\n'
        self.answer(packet("00", xml))

    def dataset(self, name, query):  # noqa: C901, PLR0912  a table of what sources do
        first, last = (
            (datetime.fromisoformat(query[key][:19]).replace(tzinfo=UTC) - BEGIN).total_seconds()
            for key in ("start_time", "end_time")
        )
        step = float(query.get("interval", 1))
        count = int(min(max(0, last - first) / step, 10_000))
        numbers = [first + n * step for n in range(count)]
        whole = stream([(n, [n - 100.0]) for n in numbers])
        match name:
            case "model" if "interval" not in query:
                self.failed(400, "IllegalArgument", "interval is missing")
            case "mean" | "peak" if "resolution" in query:
                width, planes = float(query["resolution"]), ("", ".max") if name == "peak" else ("",)
                self.answer(stream(binned(numbers, first, width, planes), planes, width))
            case "locked" if self.headers.get("Authorization") != LOGIN:
                self.answer(b"who?", 401, "text/plain", WWW_Authenticate='Basic realm="Us"')
            case "bad-cut":
                self.answer(whole[:-7], short=7)
            case "bad-between":
                self.answer(whole[:-48], short=48)
            case "bad-packet":
                self.answer(whole[:-7])
            case "bad-page":
                self.answer(b"<html>Moved</html>", 200, "text/html")
            case "bad-content":
                self.answer(b"\x00\xffgarbage" * 99)
            case "bad-error":
                self.failed(500, "ServerError", "the tape is out")
            case "bad-nothing":
                self.failed(404, "NoDataInInterval", "nothing")
            case "bad-told":
                self.answer(whole + packet("xx", '<exception type="ServerError" message="half of it" />\n'))
            case "bad-away" if self.headers["Host"].startswith("127."):
                self.answer(
                    b"", 302, Location=f"http://localhost:{self.server.server_port}/?{urlsplit(self.path).query}"
                )
            case "bad-slow":
                self.answer(whole[:50], short=1000)
                self.wfile.flush()
                self.connection.settimeout(30)
                with suppress(OSError):
                    if not self.connection.recv(1):
                        told("gone")
            case _:
                self.answer(whole)


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told(str(server.server_port))
        server.serve_forever()
