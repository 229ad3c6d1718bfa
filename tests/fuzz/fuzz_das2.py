# SPDX-License-Identifier: GPL-3.0-or-later
"""Random das2 streams, cut anywhere: they are decoded and framed, or the error is the source's."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import atheris

# What atheris 3.0 traces of comparisons of numpy arrays it never frees: 7 kB for each chunk of text.
with atheris.instrument_imports(
    include=["dasflex_core", "dasflex_das"],
    exclude=["dasflex_core.digits.numerals", "dasflex_core.digits.timetext", "dasflex_das.das2_packets"],
):
    from dasflex_core.errors import SourceError
    from dasflex_das.das2_decoder import Das2Decoder
    from dasflex_das.das2_framing import Das2Framer
    from dasflex_das.das2_layout import planes_of, size_of
    from dasflex_das.elements import parse, serialise

from decoding import check
from words import Words, fuzz

if TYPE_CHECKING:
    from dasflex_das.das2_layout import Plane

#: Bytes of a run of data packets.
MOST = 1 << 14
#: What a header usually says, and what it may say.
TYPES = (
    ("sun_real4", "sun_real8", "little_endian_real4", "little_endian_real8", "ascii9", "ascii14", "time24", "time9"),
    ("float", "double", "ascii1", "time2", "ascii0", "ascii9999", "ascii", "sun_real16"),
)
UNITS = (("us2000", "t2000", "Hz", "s", "V m**-1"), ("", "ns", "TT2000", "s s", "us", "UTC"))
NUMBERS = (
    ("0", "1", "-1", "-1e31", "0.5"),
    ("1e308", "-1e308", "nan", "inf", "", "0x1", "1_0", "1e-320", "-0", "1 2", " 1"),
)
STEPS = (("1", "0.5", "1e-3"), NUMBERS[1])
COUNTS = (("1", "2", "3", "16"), ("0", "-1", "999999999", "4194304", "2097152", " 2 ", "1_0", "\u0663", ""))
TAGS = (("1", "1,2", "1,2,3", "1, 2,"), ("", "a", ",", "nan,1", "1e999,2", "1_0,2"))
NAMES = (("", "psd", "psd.max", "B_x"), ("time", "time.reference", "a b", "a.b.c", "."))
NOTES = (("a", ""), ("<", "&", "\n"))
TEXTS = {
    "ascii": (("1.5", "-1e31", "", "12", " 3e-5"), ("nan", "inf", "1e999", "0x1", "1_0", "1 2", "\0\0", "-", "1" * 40)),
    "time": (
        ("2031-04-02T01:02:03.5", "2031-092T01:02:03", "2031-04", "", "0001-01-01"),
        ("2016-12-31T23:59:60.5", "9999-12-31", "1677-01-01", "now", "2031", "2031-04-02T23:59:60", "2031-13", "1e5"),
    ),
}
PROPERTIES = (
    ("double:zFill", "Datum:xTagWidth", "zLabel"),
    ("fill", "Datum:fill", "yFill", "a:b:c", "xmlns", ":", "nope:a", "a"),
)
VALUES = (("1", "-1e31", "1 s"), ("waveform", "psd", "BIN_AVG", "BIN_MAX", "", "nan", "1 2", "a"))


def properties(words: Words) -> str:
    """A `<properties>` element, or none."""
    names = {words.pick(*PROPERTIES): words.pick(*VALUES) for _each in range(words.number(0, 3))}
    written = "".join(f' {name}="{text}"' for name, text in names.items())
    if words.flag():
        written += words.attributes(
            renderer=(("waveform",), ("",)), source=NAMES, operation=(("BIN_AVG", "BIN_MAX"), ("a",))
        )
    return f"<properties{written}/>" if names else ""


def plane(words: Words) -> str:
    """One plane of a packet header."""
    kind = words.pick(("y", "z", "yscan", "yscan"), ("x", "w", "properties"))
    attributes = words.attributes(name=NAMES, type=TYPES, units=UNITS, group=NAMES)
    if kind == "yscan":
        count, form = words.pick(*COUNTS), words.number(0, 3)
        attributes += f' nitems="{count}"' + words.attributes(yUnits=UNITS, zUnits=UNITS)
        if words.seldom():
            attributes += words.attributes(yTags=TAGS)
        elif form == 1:
            attributes += words.attributes(yTagInterval=STEPS, yTagMin=NUMBERS)
        elif form == 2:
            attributes += words.attributes(yTagInterval=STEPS, yTagMax=NUMBERS)
        else:
            attributes += f' yTags="{",".join("123456789"[: int(count)] if count in COUNTS[0] else "12")}"'
    return f"<{kind}{attributes}>{properties(words)}</{kind}>"


def body(words: Words) -> str:
    """What stands in a header packet."""
    if words.seldom():
        return words.text(200)
    planes = [plane(words) for _each in range(words.number(0, 4))]
    first = f'<x type="{words.pick(*TYPES)}" units="us2000"/>'
    return f"<packet{words.attributes(group=NAMES)}>{first}{''.join(planes)}{properties(words)}</packet>"


def message(words: Words) -> str:
    """What stands in a packet beside data."""
    if words.flag():
        return f"<exception{words.attributes(type=(('NoDataInInterval', 'ServerError'), ()), message=NOTES)}/>"
    return f"<comment{words.attributes(type=(('log:info', 'taskSize'), ()), value=NOTES, source=NOTES)}/>"


def header(words: Words, tag: bytes, text: str) -> bytes:
    """A header packet, mostly with its true length."""
    data = text.encode()
    length = words.number(0, 999_999) if words.seldom() else len(data)
    return b"[%b]%b%b" % (tag, (b"%6d" if words.seldom() else b"%06d") % length, data)


def planes_by(text: str) -> tuple[Plane, ...]:
    """The planes that a header declares; none where it declares none, or too much."""
    try:
        planes = planes_of(parse(text.encode(), "It"), "It")
    except SourceError:
        return ()
    return planes if size_of(planes) < MOST else ()


def data_packet(words: Words, number: int, planes: tuple[Plane, ...]) -> bytes:
    """A packet as the header says, or seldom one of another size."""
    pieces = [b":%02d:" % number]
    for plane in planes:
        if plane.encoding in ("ascii", "time") and not words.seldom():
            usual, odd = TEXTS[plane.encoding]
            text = words.pick(usual, odd).encode()
            pieces.append(text[: plane.width].ljust(plane.width) * plane.items)
        else:
            pieces.append((words.data(16) + bytes(plane.size))[: plane.size])
    return b"".join(pieces) + words.data(3) * words.seldom()


def packets(words: Words) -> bytes:
    """Headers, messages and data in any order; ids that are declared take turns."""
    pieces: list[bytes] = []
    planes: dict[int, tuple[Plane, ...]] = {}
    for _each in range(words.number(1, 12)):
        form, number = words.number(0, 7), words.number(1, 3)
        if words.seldom():
            pieces.append(words.data(3))
        elif form == 0:
            pieces.append(b"\n" * words.number(0, 2))
        elif form == 1:
            pieces.append(header(words, words.pick(("xx", "XX"), ("00", "99")).encode(), message(words)))
        elif form < 4 or not planes:
            text = body(words)
            planes[number] = planes_by(text)
            pieces.append(header(words, b"%02d" % number, text))
        else:
            turn = [
                data_packet(words, *words.source.PickValueInList(list(planes.items()))) for _each in range(form - 3)
            ]
            run = b"".join(turn)
            pieces.append(run * min(words.number(1, 1 << words.number(0, 9)), 1 + MOST // (1 + len(run))))
    return b"".join(pieces)


def stream(words: Words) -> bytes:
    """A das2 stream, or what looks like one."""
    if words.seldom():
        return words.data(1 << 12)
    compression = words.pick(("none", "none", "none", "deflate"), ("zlib", "bzip2"))
    version = words.pick(("2.2",), ("2.3", "3.0"))
    attributes = f' version="{version}" compression="{compression}"'
    start = header(words, b"00", f"<stream{attributes}>{properties(words)}</stream>")
    rest = packets(words)
    if compression in ("deflate", "zlib"):
        rest = zlib.compress(rest, words.number(0, 9))
        rest = rest[: len(rest) - words.number(0, 4)] + words.data(3) if words.seldom() else rest
    return start + rest


def decode(data: bytes) -> None:
    """A stream out of the bytes, or seldom a header alone."""
    words = Words(data)
    if words.seldom():
        try:
            tree = parse(words.data(1 << 12), "The header")
        except SourceError:
            return
        again = parse(serialise(tree).encode(), "The header")
        if serialise(again) != serialise(tree):
            raise AssertionError(f"{serialise(tree)!r} is read again as {serialise(again)!r}")
        return
    check(Das2Decoder, Das2Framer, stream(words), words)


if __name__ == "__main__":
    fuzz(decode)
