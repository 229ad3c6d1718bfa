# SPDX-License-Identifier: GPL-3.0-or-later
"""Small whole streams that fuzz targets of raw bytes start from: made here, and the short ones of the real data."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Bytes of the longest seed.
LONGEST = 4096
DATA = Path(os.environ.get("DASFLEX_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def das2(tag: str, body: str) -> bytes:
    """A das2 header packet."""
    return b"[%b]%06d%b" % (tag.encode(), len(body.encode()), body.encode())


def das3(tag: str, number: int | str, body: str | bytes) -> bytes:
    """A das3 packet."""
    data = body.encode() if isinstance(body, str) else body
    return b"|%b|%b|%d|%b" % (tag.encode(), str(number).encode(), len(data), data)


def das2_streams() -> Iterator[bytes]:
    """Text, binary, spectra, a scatter, compressed ones, and one without data."""
    text = '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="e"/></packet>'
    records = b":01:2031-04-02T01:02:03 1.500e+00\n" * 2
    yield das2("00", '<stream version="2.2"/>') + das2("01", text) + records
    scan = '<yscan type="sun_real4" nitems="3" name="psd" zUnits="V" yUnits="Hz" yTags="1,2,3"/>'
    spectra = f'<packet><x type="sun_real8" units="us2000"/>{scan}</packet>'
    header = '<stream version="2.2"><properties String:title="a" Datum:xTagWidth="8 s" double:zFill="-1e31"/></stream>'
    yield das2("00", header) + das2("02", spectra) + (b":02:" + struct.pack(">d3f", 1e14, 1, 2, 3)) * 3
    scatter = "".join(f'<{tag} type="ascii9" units="m" name="{tag}"/>' for tag in ("x", "y", "z"))
    rest = das2("03", f"<packet>{scatter}</packet>") + b":03:" + b" 1.0e+00 " * 3
    yield das2("00", '<stream version="2.2" compression="deflate"/>') + zlib.compress(rest)
    message = das2("xx", '<exception type="NoDataInInterval" message="none"/>')
    yield das2("00", '<stream version="2.2"/>') + das2("xx", '<comment type="log:info" value="a"/>') + message


def packet(semantic: str, index: str, attributes: str, tag: str = "scalar", more: str = "") -> str:
    """A variable with values in packets."""
    return f'<{tag} semantic="{semantic}" units="" index="{index}"{more}><packet {attributes}/></{tag}>'


def dataset(index: str, *variables: str, name: str = "a") -> str:
    """A dataset whose first variable is a coordinate; those behind it are data."""
    first, *others = variables
    data = "".join(f'<data physDim="d{place}">{each}</data>' for place, each in enumerate(others))
    rank = index.count(";") + 1
    return f'<dataset rank="{rank}" name="{name}" index="{index}"><coord physDim="time">{first}</coord>{data}</dataset>'


def das3_stream(header: str, *bodies: bytes) -> bytes:
    """A das3 stream of one dataset."""
    return (
        das3("Sx", "", '<stream type="das-basic-stream" version="3.0"/>')
        + das3("Hx", "01", header)
        + b"".join(das3("Pd", 1, body) for body in bodies)
    )


def das3_streams() -> Iterator[bytes]:
    """Fixed, ragged, of variable width, blobs, vectors, rules, and objects of others."""
    real4 = 'itemBytes="4" encoding="LEreal"'
    time = packet("real", "*", f'numItems="1" {real4}')
    one, many = packet("real", "*;-", f'numItems="1" {real4}'), packet("real", "*;*", f'numItems="*" {real4}')
    rule = '<scalar semantic="real" units="s" index="-;^"><sequence minval="0" interval="-;0.1"/></scalar>'
    run = struct.pack("<f", 1) + b"[j|2]" + struct.pack("<2f", 1, 2)
    yield das3_stream(dataset("*", time), struct.pack("<f", 1), struct.pack("<f", 2))
    yield das3_stream(dataset("*;*", one, many, rule), run, run)
    vector = packet("real", "*;*", f'numItems="*" {real4}', "vector", ' components="3" sysorder="0;1;2"')
    yield das3_stream(dataset("*;*", one, vector), run[:4] + b"[j|3]" + run[-8:] + run[:4])
    stamp = packet("datetime", "*;-;-", 'numItems="1" itemBytes="24" encoding="utf8"').replace(
        'units=""', 'units="UTC"'
    )
    lists = packet("string", "*;*;*", r'numItems="*" itemBytes="*" encoding="utf8" valTerm=";" idxTerm="$,!"')
    yield das3_stream(
        dataset("*;*;*", stamp, lists), b"2005-06-15T12:00:00.000 a;b;!c;!$", b"2005-06-15T12:00:00.000 d;"
    )
    deep = packet("integer", "*;*;*", 'numItems="*" itemBytes="2" encoding="BEint"')
    yield das3_stream(dataset("*;*;*", stamp, deep), b"2005-06-15T12:00:00.000 [j|2][k|1]ab[k|2]cdef")
    sandwich = packet("real", "*;3;*", r'numItems="*" itemBytes="*" encoding="utf8" valTerm="\n" idxTerm="!"')
    yield das3_stream(dataset("*;3;*", stamp, sandwich), b"2005-06-15T12:00:00.000 1\n2\n!3\n!4\n!")
    tagged = packet("real", "*;*", 'numItems="*" itemBytes="4" encoding="utf8"')
    yield das3_stream(dataset("*;*", one, tagged, one), run[:4] + b"[j|2] 1.0 2.0" + run[:4])
    free = packet("real", "*", 'numItems="3" itemBytes="*" encoding="utf8" valTerm=","', "vector", ' components="3"')
    yield das3_stream(dataset("*", time, free), run[:4] + b"1,,3,")
    blob = packet("blob", "*", 'numItems="1" itemBytes="*" encoding="blob" mime="image/png"')
    coded = packet("blob", "*", 'numItems="1" itemBytes="*" encoding="base64"')
    yield das3_stream(dataset("*", time, blob, coded), run[:4] + b"{3}abc{4}YWJj")
    old = packet("string", "*", 'numItems="1" itemBytes="*" encoding="utf8"')
    yield das3_stream(dataset("*", time, old), run[:4] + b"|3|abc")
    values = '<scalar semantic="real" units="" index="-;3"><values valTerm=";">1;2;;</values></scalar>'
    yield das3_stream(dataset("*;3", one, values), run[:4])
    other = '<extData name="e"><object scheme="a" objType="b" index="*"><packet numItems="1" itemBytes="*"/></object></extData>'
    yield das3_stream(dataset("*", time).replace("</dataset>", f"{other}</dataset>"), run[:4] + b"{2}ab")


def documents() -> Iterator[bytes]:
    """The XML document form."""
    first = packet("real", "*", 'numItems="1"')
    second = packet("real", "*", 'numItems="2" valTerm=";"', "vector", ' components="2"')
    inside = dataset("*", first, second).replace("<dataset", '<dataset id="1"', 1)
    yield (
        '<?xml version="1.0"?><stream type="das-basic-doc" version="3.0" xmlns="das-basic-doc">'
        f'<properties><p name="label">a</p></properties>{inside}<d id="1">1;2;3</d><d id="1">4;5;6;</d></stream>'
    ).encode()


def short_files() -> Iterator[bytes]:
    """The beginnings of the real streams, where these are there."""
    for path in sorted([*DATA.glob("das3/*.d3?"), *DATA.glob("handmade/*.d*")]):
        if path.stat().st_size <= LONGEST:
            yield path.read_bytes()


def streams() -> Iterator[bytes]:
    """All seeds of targets that read streams."""
    yield from das2_streams()
    yield from das3_streams()
    yield from documents()
    yield from short_files()


def bodies(stream: bytes) -> Iterator[bytes]:
    """The XML of the headers in a stream."""
    at = stream.find(b"<")
    while at >= 0:
        name = stream[at + 1 :].split(b">", 1)[0].split(b" ", 1)[0].rstrip(b"/")
        closed = stream.find(b"</" + name + b">", at)
        stop = closed + len(name) + 3 if closed >= 0 else stream.find(b">", at) + 1
        if stop <= at:
            return
        yield stream[at:stop]
        at = stream.find(b"<", stop)


def plant(folder: Path, found: Iterable[bytes]) -> None:
    """Puts seeds into a corpus, unless they are there."""
    for number, each in enumerate(found):
        path = folder / f"seed-{number:03d}"
        if not path.exists():
            path.write_bytes(each)
