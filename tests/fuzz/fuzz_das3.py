# SPDX-License-Identifier: GPL-3.0-or-later
"""Random das3 streams, cut anywhere: they are decoded and framed, or the error is the source's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["dasflex_core", "dasflex_das"]):
    from dasflex_core.errors import SourceError
    from dasflex_das.das3_decoder import Das3Decoder
    from dasflex_das.das3_framing import Das3Framer
    from dasflex_das.das3_headers import read_dataset

from decoding import check
from words import Words, fuzz

if TYPE_CHECKING:
    from dasflex_das.das3_layout import Layout
    from dasflex_das.das3_levels import Runs

#: Bytes of a run of data packets.
MOST = 1 << 14
#: What a header usually says, and what it may say.
NUMBERS = (
    ("0", "1", "-1", "-1e31", "0.5"),
    ("1e308", "-1e308", "nan", "inf", "", "0x1", "1_0", "1e-320", "1 2", " 1", "9" * 20),
)
TIMES = (
    ("2031-04-02", "2031-092T01:02:03.5"),
    ("now", "9999-12-31", "0001-01-01", "2031-13", "2016-12-31T23:59:60", "P1D"),
)
EXTENTS = (("*", "2", "3", "16", "*"), ("-", "0", "^", "999999999", "1048577", " 2 ", "-1", "\u0663", ""))
ROLES = (("center", "min", "max", "reference", "offset", "width"), ("Center", "", "a b", "std_dev"))
SEMANTICS = (("real", "real", "integer", "datetime", "bool", "string", "blob"), ("pixel", "", "Real"))
STORAGE = (("", "double", "float", "long"), ("struct", "ubyte", "ulong", "a"))
UNITS = (("Hz", "s", "UTC", "TT2000", "us2000", "ns", "V m**-1"), ("", "t1970", "ns1970", "UTC UTC"))
BINARY = ("BEint", "LEint", "BEuint", "LEuint", "BEreal", "LEreal", "byte", "ubyte")
ENCODINGS = (("utf8", "utf8", *BINARY, "blob", "base64"), ("", "none"))
TERMS = ((";", "", "!"), ("\\n", "\\0", "\\", "ab", "["))
INDEX_TERMS = (("$", "$,!", "", "\\n,#"), ("$|!", ",", "$,$", "$,!,#,a", ";"))
MIMES = (("", "", "image/png"), ("a",))
WIDTHS = (("4", "8", "10", "24", "*"), ("1", "2", "3", "16", "0", "*", "", "16777216", "999999999"))
NAMES = (("", "B", "time", "psd"), ("a.b", "B B", ".", "B_2", "time.min"))
TYPES = (("string", "real", "datetimeRange", "realArray"), ("Real", "", "a"))
NOTES = (("a", ""), ("<", "&", "\n", "\\n"))
TEXTS = (
    (" 1.5", "-1e31", "", "12", "2031-04-02T01:02:03.5", "true"),
    ("nan", "1e999", "0x1", "1_0", "9" * 18, "1677-01-01", "2016-12-31T23:59:60", "now", "\0", "t", "*", "9" * 40),
)


def element(tag: str, attributes: str, inside: str = "") -> str:
    """One element."""
    return f"<{tag}{attributes}>{inside}</{tag}>" if inside else f"<{tag}{attributes}/>"


def properties(words: Words) -> str:
    """A `<properties>` element, or none."""
    entries = [
        element(
            "p",
            words.attributes(name=(("label", "fill", "a"), ("", "a:b")), type=TYPES, units=UNITS),
            words.pick(*NUMBERS),
        )
        for _each in range(words.number(0, 2))
    ]
    return element("properties", "", "".join(entries)) if entries else ""


def values_of(words: Words, index: tuple[str, ...], components: int) -> str:
    """What says the values of a variable: packets, a list in the header, or a rule."""
    count = components
    for extent in index[1:]:
        count *= int(extent) if extent in ("2", "3", "16") else 1
    form = words.number(0, 3)
    if index[0] == "*" and form < 3:
        encoding = words.pick(*ENCODINGS)
        width = words.pick(
            ("4", "8") if encoding in BINARY[:6] else ("1",) if encoding in BINARY else WIDTHS[0], WIDTHS[1]
        )
        items = words.pick(("*" if "*" in index[1:] else str(count),), EXTENTS[1])
        more = words.attributes(valTerm=TERMS, idxTerm=INDEX_TERMS) if words.flag() else ""
        more += words.attributes(fill=NUMBERS, trim=(("true", "false"), ("",)), mime=MIMES) if words.flag() else ""
        return element("packet", f' numItems="{items}" encoding="{encoding}" itemBytes="{width}"{more}')
    if form == 0:
        number = words.pick(*(TIMES if words.seldom() else NUMBERS))
        text = f"{number} " * (words.number(0, 40) if words.seldom() else count)
        return element("values", words.attributes(valTerm=(("",), (";", ",", "\\n", "1"))), text)
    minimum = words.pick(*(TIMES if words.number(0, 3) == 3 else NUMBERS))
    steps = ";".join("-" if extent == "-" else words.pick(*NUMBERS) for extent in index)
    count = words.number(0, 4) if words.seldom() else components
    return element("sequence", f' minval="{minimum}" interval="{steps}"') * count


def variable(words: Words, extents: tuple[str, ...]) -> str:
    """A scalar or a vector of a dataset with these extents."""
    index = tuple(words.pick((extent, extent, "-"), EXTENTS[1]) for extent in extents)
    attributes = words.attributes(use=ROLES, semantic=SEMANTICS, units=UNITS) + words.attributes(storage=STORAGE)
    attributes += f' index="{";".join(index)}"'
    tag, components = "scalar", 1
    if words.number(0, 3) == 3:
        tag, components = "vector", words.number(1, 3)
        order = ";".join("012"[:components])
        attributes += f' components="{components}"' + words.attributes(
            sysorder=((order,), ("3", "", "0")), system=NAMES
        )
    if words.seldom():
        components = words.number(0, 4)
    return element(tag, attributes, properties(words) + values_of(words, index, components))


def dataset(words: Words) -> str:
    """What stands in a header packet."""
    if words.seldom():
        return words.text(200)
    extents = ("*", *(words.pick(EXTENTS[0][1:], EXTENTS[1]) for _each in range(words.number(0, 2))))
    parts = []
    for _each in range(words.number(1, 3)):
        inside = "".join(variable(words, extents) for _each in range(words.number(1, 3)))
        attributes = words.attributes(physDim=NAMES, name=NAMES, axis=NAMES, frame=NAMES)
        parts.append(
            element(words.pick(("coord", "data"), ("extData", "extension")), attributes, properties(words) + inside)
        )
    rank = words.number(0, 9) if words.seldom() else len(extents)
    whole = f' rank="{rank}" index="{";".join(extents)}"' + words.attributes(name=NAMES, plot=NAMES)
    return element("dataset", whole, properties(words) + "".join(parts))


def message(words: Words, tag: str) -> str:
    """What stands in a packet beside data."""
    root = "comment" if tag == "Cx" or words.seldom() else "exception"
    kinds = (("NoMatchingData", "ServerError", "log:info"), ("", "a"))
    return element(
        root, words.attributes(type=kinds, source=NOTES, message=NOTES, value=NOTES), words.pick(("a", ""), NOTES[1])
    )


def packet(words: Words, tag: str, number: int | str, body: bytes) -> bytes:
    """A packet, mostly with its true length."""
    length = words.number(0, 99_999_999) if words.seldom() else len(body)
    return b"|%b|%b|%d|%b" % (tag.encode(), str(number).encode(), length, body)


def layout_by(text: str) -> Layout | None:
    """How the data packets of a header are laid out; None where it is none, or of too much."""
    try:
        layout = read_dataset(text.encode(), 1, "It")[1]
    except SourceError:
        return None
    return layout if layout.size < MOST else None


def run_of(words: Words, runs: Runs, depth: int) -> bytes:
    """What a variable without a fixed size has in a packet, or seldom something else."""
    if words.seldom():
        return words.data(20)
    if depth == len(runs.levels):
        return b"".join(item_of(words, runs) for _each in range(min(runs.count, 4)))
    level, count = runs.levels[depth], words.number(0, 3)
    count = count if level.extent < 0 else level.extent
    inside = b"".join(run_of(words, runs, depth + 1) for _each in range(min(count, 20)))
    told = count * runs.count if depth == len(runs.levels) - 1 else count
    told = words.number(0, 1 << 30) if words.seldom() else told
    before = b"[%b|%d]" % (level.letter.encode(), told) if level.extent < 0 and not runs.terms else b""
    return before + inside + level.term


def item_of(words: Words, runs: Runs) -> bytes:
    """One value, text or blob."""
    if runs.form in ("blob", "base64"):
        item = b"aGVs" * words.number(0, 3)
        return b"{%d}%b" % (words.number(0, 1 << 30) if words.seldom() else len(item), item)
    text = words.pick(*TEXTS).encode()
    return text[: runs.width].ljust(runs.width) if runs.width > 0 else text + (runs.term or b" ")


def data_packet(words: Words, number: int, layout: Layout) -> bytes:
    """A packet as the header says, or seldom one of another size."""
    pieces = []
    for place in layout.places:
        if place.runs:
            pieces.append(run_of(words, place.runs, 0))
            continue
        encoding = place.variable.encoding if place.variable else None
        if encoding is not None and encoding.name == "utf8" and not words.seldom():
            text = words.pick(*TEXTS).encode()
            pieces.append(text[: place.width].ljust(place.width) * place.count)
        else:
            pieces.append((words.data(16) + bytes(place.size))[: place.size])
    body = b"".join(pieces) + words.data(3) * words.seldom()
    return packet(words, "Pd", words.pick((str(number),), (f"0{number}", "", "9")), body)


def stream(words: Words) -> bytes:
    """A das3 stream, or what looks like one."""
    if words.seldom():
        return words.data(1 << 12)
    frame = element("frame", words.attributes(name=NAMES, body=NAMES, fixed=NAMES), properties(words))
    attributes = words.attributes(type=(("das-basic-stream",), ("a",)), version=(("3.0",), ("2.2", "")), lang=NAMES)
    inside = properties(words) + frame * words.number(0, 1)
    pieces = [packet(words, "Sx", "", element("stream", attributes, inside).encode())]
    layouts: dict[int, Layout] = {}
    for _each in range(words.number(1, 12)):
        form, number = words.number(0, 7), words.number(1, 3)
        if words.seldom():
            pieces.append(words.data(3))
        elif form < 2:
            tag = words.pick(("Cx", "Ex"), ("XX", "Sx", "Hx", "Hj", "cx"))
            pieces.append(packet(words, tag, "", message(words, tag).encode()))
        elif form < 4 or not layouts:
            text = dataset(words)
            pieces.append(packet(words, "Hx", number, text.encode()))
            if (layout := layout_by(text)) is not None:
                layouts[number] = layout
        else:
            turn = [
                data_packet(words, *words.source.PickValueInList(list(layouts.items()))) for _each in range(form - 3)
            ]
            run = b"".join(turn)
            pieces.append(run * min(words.number(1, 1 << words.number(0, 9)), 1 + MOST // (1 + len(run))))
    return b"".join(pieces)


def decode(data: bytes) -> None:
    """A stream out of the bytes."""
    words = Words(data)
    check(Das3Decoder, Das3Framer, stream(words), words)


if __name__ == "__main__":
    fuzz(decode)
