# SPDX-License-Identifier: GPL-3.0-or-later
"""Small streams that unfold to much: whoever reads them takes bounded memory and time, and opens nothing.

All are fed to the verifier, the decoders and the framers in a process of its own, whose memory and files are watched.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zlib

import pytest

from dasflex_cgi import verify_view
from dasflex_das.elements import parse

#: Megabytes that a process may have taken at its most, with all that it imports; seconds for one stream.
MOST_MEMORY = 400
MOST_TIME = 10.0
PROGRAM = r"""
import importlib, json, sys, time, zlib

touched = []

def note(event, given):
    if event in ("open", "os.open") and isinstance(given[0], str) and not given[0].endswith((".py", ".pyc", ".so", ".txt")):
        touched.append(f"{event} {given[0]}")
    elif event.split(".")[0] in ("socket", "subprocess", "urllib") or event in ("os.system", "os.posix_spawn", "os.exec"):
        touched.append(event)

def das2(tag, xml):
    return b"[%s]%06d" % (tag, len(xml)) + xml

def das3(tag, number, xml):
    return b"|%s|%s|%d|" % (tag, number, len(xml)) + xml

def dtd(inside, rest):
    return b"<!DOCTYPE a [" + inside + b"]>" + rest

laughs = b'<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + each, b"&%c;" % (97 + each) * 10) for each in range(9)
)
many = range(30_000)
HEADERS = {
    "billion laughs": dtd(laughs, b"<packet>&j;</packet>"),
    "quadratic": dtd(b'<!ENTITY a "' + b"a" * 50_000 + b'">', b"<packet>" + b"&a;" * 50_000 + b"</packet>"),
    "an external document type": b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><packet/>',
    "an external entity": dtd(b'<!ENTITY x SYSTEM "file:///etc/passwd">', b"<packet>&x;</packet>"),
    "an entity of the network": dtd(b'<!ENTITY x SYSTEM "http://127.0.0.1:9/">', b"<packet>&x;</packet>"),
    "a parameter entity": dtd(b'<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;', b"<packet/>"),
    "deep": b"<packet>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</packet>",
    "never closed": b"<packet>" + b"<a>" * 300_000,
    "wide": b"<packet>" + b"<a/>" * 40_000 + b"</packet>",
    "empty lines before many elements": b"\n" * 450_000 + b"<packet>" + b"<a/>" * 40_000 + b"</packet>",
    "many attributes": b"<packet " + b" ".join(b'a%d="1"' % each for each in many) + b"/>",
    "a long attribute": b'<packet a="' + b"x" * 990_000 + b'"/>',
    "a long name": b"<" + b"p" * 990_000 + b"/>",
    "much text": b"<packet>" + b"x" * 990_000 + b"</packet>",
    "many comments": b"<packet>" + b"<!---->" * 140_000 + b"</packet>",
    "many planes": b'<packet><x type="time24" units="us2000"/>' + b'<y type="ascii10" units=""/>' * 10_000 + b"</packet>",
    "many items": b'<packet><x type="time24" units="us2000"/><yscan type="ascii10" nitems="99999999" yUnits="" zUnits=""/></packet>',
    "another encoding": b'<?xml version="1.0" encoding="UTF-7"?><packet/>',
    "a prolog again and again": b"<packet>" + b"<?a?>" * 100_000 + b"</packet>",
}

def deflated(pieces):
    packer = zlib.compressobj(1)
    head = das2(b"00", b'<stream version="2.2" compression="deflate"/>\n')
    return head + b"".join(map(packer.compress, pieces)) + packer.flush()

S2 = das2(b"00", b'<stream version="2.2"/>\n')
S3 = das3(b"Sx", b"", b'<stream type="das-basic-stream" version="3.0"/>')
H2 = das2(b"01", b'<packet><x type="time24" units="us2000"/><y type="ascii10" units=""/></packet>\n')
streams = []
for name, xml in HEADERS.items():
    streams.append((name, "2", S2 + das2(b"01", xml)))
    streams.append((name, "3", S3 + das3(b"Hx", b"1", xml.replace(b"packet", b"dataset"))))
    streams.append((name, "v", b'<stream type="das-basic-doc" version="3.0">' + xml + b"</stream>"))
    streams.append((name, "v", xml))
MEGABYTE = 1 << 20
streams += [
    ("deflated zeros", "2", deflated([b"\0" * MEGABYTE] * 400)),
    ("deflated data", "2", deflated([H2, *[b":01:2020-01-01T00:00:00.000         0\n" * 20_000] * 4])),
    ("a deflated header", "2", deflated([b"[xx]900000", *[b" " * MEGABYTE] * 400])),
    ("deflated twice", "2", deflated([das2(b"00", b'<stream version="2.2" compression="deflate"/>\n') + b"\0" * MEGABYTE] * 100)),
    ("deflated comments", "2", deflated([das2(b"xx", b'<comment type="a" value="' + b"v" * 200_000 + b'"/>')] * 60)),
    ("a long packet", "3", S3 + b"|Pd|1|99999999999999|" + b"x" * MEGABYTE),
    ("a long header", "3", S3 + b"|Hx|1|999999999|" + b"x" * 5 * MEGABYTE),
    ("empty headers", "2", S2 + b"[01]000000" * 100_000),
    ("many ids", "3", S3 + b"".join(b"|Hx|%d|10|<dataset/>" % each for each in range(3_000))),
]

def made(place):
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)

readers = {
    "v": [made("dasflex_das.verifying:Verifier")],
    "2": [made("dasflex_das.das2_decoder:Das2Decoder"), made("dasflex_das.das2_framing:Das2Framer")],
    "3": [made("dasflex_das.das3_decoder:Das3Decoder"), made("dasflex_das.das3_framing:Das3Framer")],
}
from dasflex_core.errors import DasflexError
sys.addaudithook(note)
for name, kind, stream in streams:
    for reader in dict.fromkeys([*readers["v"], *readers[kind]]):
        begun, failure = time.process_time(), ""
        try:
            one = reader()
            for start in range(0, len(stream), 1 << 16):
                for _item in one.feed(stream[start : start + (1 << 16)]) or ():
                    pass
            rest = one.finish()
            for _item in () if reader.__name__ == "Verifier" else rest:
                pass
        except DasflexError as error:
            failure = error.kind
        except Exception as error:
            failure = f"a fault: {error!r}"
        seen = [*touched]
        # ru_maxrss would be that of the process that forked this one, where that has more
        status = open("/proc/self/status").read()
        peak = int(status.partition("VmHWM:")[2].split()[0]) >> 10
        touched.clear()
        print(json.dumps([name, reader.__name__, time.process_time() - begun, peak, failure, seen]), flush=True)
"""


@pytest.fixture(scope="module")
def reports():
    """What became of each stream in each reader."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_stream_was_read_by_all_who_read_streams(reports):
    assert len(reports) > 150
    assert len({name for name, *_rest in reports}) > 25
    assert len({reader for _name, reader, *_rest in reports}) == 5


def test_no_stream_takes_much_memory(reports):
    assert reports[-1][3] < MOST_MEMORY, max((each for each in reports), key=lambda each: each[3])[:4]


def test_no_stream_takes_long(reports):
    assert not [each[:3] for each in reports if each[2] > MOST_TIME]


def test_no_stream_is_a_fault_of_ours(reports):
    assert not [each for each in reports if each[4].startswith("a fault")]


def test_no_stream_has_a_file_or_an_address_opened(reports):
    assert reports[-1][5] == []


@pytest.mark.parametrize(
    "name", ["billion laughs", "quadratic", "an external entity", "a parameter entity", "deep", "never closed"]
)
def test_decoders_refuse_what_no_header_has(reports, name):
    found = {
        failure
        for each, reader, _time, _peak, failure, _touched in reports
        if each == name and reader.endswith("Decoder")
    }
    assert found == {"source.stream"}


def test_the_time_to_read_a_header_grows_as_the_header(monkeypatch):
    """Lines were counted anew for each element, once: twice the size took four times the time."""
    monkeypatch.setattr("dasflex_das.elements.MAX_BYTES", 1 << 24)

    def taken(size: int) -> float:
        begun = time.process_time()
        parse(b"\n" * 20 * size + b"<a>" + b"<b/>" * size + b"</a>", "a header")
        return time.process_time() - begun

    for _try in range(5):
        if taken(40_000) < 8 * taken(10_000):
            return
    pytest.fail("four times the size takes more than eight times the time")


class TestVerify:
    """Streams that are sent to the server to be verified."""

    def post(self, vault, body: bytes, **headers: str):
        """The answer to an upload."""
        rest = [body]
        said = {"content-length": str(len(body)), "content-type": "application/octet-stream"}
        said |= {name.replace("_", "-"): text for name, text in headers.items()}
        return vault.ask("/verify", method="POST", headers=said, read=lambda _count: rest.pop() if rest else b"")

    def test_a_stream_that_unfolds_for_ever_is_left_when_its_time_is_over(self, vault, monkeypatch):
        monkeypatch.setattr(verify_view, "_SECONDS", 0.5)
        head = b'[00]000046<stream version="2.2" compression="deflate"/>\n'
        xml = b'<packet><x type="time24" units="us2000"/><y type="ascii10" units=""/></packet>'
        packet = b"[01]%06d" % len(xml) + xml
        packer = zlib.compressobj(9)
        data = b":01:2020-01-01T00:00:00.000         0\n" * 20_000
        body = head + packer.compress(packet) + b"".join(packer.compress(data) for _time in range(100)) + packer.flush()
        assert len(body) < 3_000_000
        begun = time.perf_counter()
        answer = self.post(vault, body)
        assert answer.status == 503
        assert time.perf_counter() - begun < 10

    @pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "br", "GZIP, identity", "x"])
    def test_no_body_is_unpacked(self, vault, coding):
        assert self.post(vault, b"\x1f\x8b" + b"\0" * 1000, content_encoding=coding).status == 415

    def test_forms_of_many_parts_and_long_headers_are_refused(self, vault):
        part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
        for body in (
            part * 5000,
            b"--x\r\n" + b"A: b\r\n" * 100_000,
            b"--x\r\nContent-Disposition: " + b"a" * 1_000_000,
            b"--x" * 300_000,
        ):
            begun = time.perf_counter()
            answer = self.post(vault, body, content_type="multipart/form-data; boundary=x")
            assert answer.status in (400, 413)
            assert time.perf_counter() - begun < 3

    def test_a_length_that_is_a_lie_is_not_believed(self, vault):
        assert self.post(vault, b"x", content_length="999999999999").status == 413
        sent = iter(lambda: b"x" * (1 << 20), None)
        answer = vault.ask("/verify", method="POST", headers={"content-length": "10"}, read=lambda _count: next(sent))
        assert answer.status == 413
