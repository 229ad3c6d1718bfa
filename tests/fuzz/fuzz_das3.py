# SPDX-License-Identifier: GPL-3.0-or-later
"""Random das3 streams, cut anywhere: they are decoded and framed, or the error is the source's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["dasflex_core", "dasflex_das"]):
    from dasflex_core.arrays import VARIES
    from dasflex_core.errors import SourceError
    from dasflex_das.das3_decoder import Das3Decoder
    from dasflex_das.das3_framing import Das3Framer
    from dasflex_das.das3_headers import read_dataset

from decoding import check, check_decoder
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
INNER = ("*", "2", "3", "16")
EXTENTS = (INNER, ("-", "0", "^", "999999999", "1048577", " 2 ", "-1", "\u0663", ""))
ROLES = (("center", "min", "max", "reference", "offset", "width"), ("Center", "", "a b", "std_dev"))
SEMANTICS = (("real", "real", "integer", "datetime", "bool", "string", "blob"), ("pixel", "", "Real"))
STORAGE = (("", "double", "float", "long"), ("struct", "ubyte", "ulong", "a"))
UNITS = (("Hz", "s", "UTC", "TT2000", "us2000", "ns", "V m**-1"), ("", "t1970", "ns1970", "UTC UTC"))
BINARY = ("BEint", "LEint", "BEuint", "LEuint", "BEreal", "LEreal", "byte", "ubyte")
ENCODINGS = (("utf8", "utf8", "utf8", *BINARY), ("blob", "base64", "", "none"))
WIDTHS = (("4", "8", "10", "24", "*", "*"), ("1", "2", "3", "16", "0", "", "16777216", "999999999"))
TERMS = ((";", "\\n", ","), ("", " ", "!", "\\", "ab", "\u00e9", "|"))
RUN_TERMS = (("!", "!", "$", "$,!", "\\n,!"), (";", "", "!,!", "a|b", "$,!,#", ",", "\\t"))
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


def packet_of(words: Words, index: tuple[str, ...], count: int, semantic: str) -> str:
    """A `<packet>` element: values of one width or of any, in runs where the index varies."""
    encoding = words.pick(("blob", "base64") if semantic == "blob" else ENCODINGS[0], ENCODINGS[1])
    usual = {**dict.fromkeys(BINARY[:6], ("4", "8")), **dict.fromkeys(BINARY[6:], ("1",)), "blob": ("*", "3")}
    width = words.pick(usual.get(encoding, WIDTHS[0]), WIDTHS[1])
    items = words.pick(("*" if "*" in index[1:] else str(count),), EXTENTS[1])
    more = words.attributes(fill=NUMBERS, trim=(("true", "false"), ("",))) if words.flag() else ""
    if encoding == "utf8" and words.number(0, 3):
        more += words.attributes(valTerm=TERMS)
    if encoding == "utf8" and "*" in index[1:] and words.number(0, 3):
        more += words.attributes(idxTerm=RUN_TERMS)
    if semantic == "blob" and words.flag():
        more += words.attributes(mime=(("image/png",), ("",)))
    return element("packet", f' numItems="{items}" encoding="{encoding}" itemBytes="{width}"{more}')


def repeated(words: Words) -> str:
    """What release candidates said of header values that repeat; mostly nothing."""
    if words.number(0, 7):
        return ""
    return words.attributes(repeat=(("each", "whole"), ("none", "a")), repetitions=(("2", "3", "*"), ("0", "a")))


def values_of(words: Words, index: tuple[str, ...], components: int, semantic: str) -> str:
    """What says the values of a variable: packets, a list in the header, or a rule."""
    count = components
    for extent in index[1:]:
        count *= int(extent) if extent in INNER[1:] else 1
    form = words.number(0, 3)
    if index[0] == "*" and form < 3:
        return packet_of(words, index, count, semantic)
    if form == 0:
        number = words.pick(*(TIMES if words.seldom() else NUMBERS))
        text = f"{number} " * (words.number(0, 40) if words.seldom() else count)
        return element("values", words.attributes(valTerm=(("",), (";", ",", "\\n", "1"))) + repeated(words), text)
    minimum = words.pick(*(TIMES if words.number(0, 3) == 3 else NUMBERS))
    steps = ";".join("-" if extent == "-" else words.pick(*NUMBERS) for extent in index)
    count = words.number(0, 4) if words.seldom() else components
    again = repeated(words)
    steps = words.pick(*NUMBERS) if again else steps
    return element("sequence", f' minval="{minimum}" interval="{steps}"{again}') * count


def variable(words: Words, extents: tuple[str, ...]) -> str:
    """A scalar or a vector of a dataset with these extents."""
    index = tuple(words.pick((extent, extent, "-"), EXTENTS[1]) for extent in extents)
    semantic = words.pick(*SEMANTICS)
    attributes = words.attributes(use=ROLES, units=UNITS) + words.attributes(storage=STORAGE)
    attributes += f' semantic="{semantic}"'
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
    return element(tag, attributes, properties(words) + values_of(words, index, components, semantic))


def dataset(words: Words, more: str = "") -> str:
    """What stands in a header packet; `more` are attributes that a document adds."""
    if words.seldom():
        return words.text(200)
    extents = ("*", *(words.pick(INNER, EXTENTS[1]) for _each in range(words.number(0, 2))))
    parts = []
    for _each in range(words.number(1, 3)):
        inside = "".join(variable(words, extents) for _each in range(words.number(1, 3)))
        attributes = words.attributes(physDim=NAMES, name=NAMES, axis=NAMES, frame=NAMES)
        parts.append(
            element(words.pick(("coord", "data"), ("extData", "extension")), attributes, properties(words) + inside)
        )
    rank = words.number(0, 9) if words.seldom() else len(extents)
    whole = f' rank="{rank}" index="{";".join(extents)}"' + words.attributes(name=NAMES, plot=NAMES)
    return element("dataset", more + whole, properties(words) + "".join(parts))


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


def token(words: Words) -> bytes:
    """The text of a value."""
    return words.pick(*TEXTS).strip().encode()


def leaves(words: Words, runs: Runs, count: int) -> bytes:
    """That many values of an innermost run."""
    if runs.form in ("blob", "base64"):
        items = [words.data(6) if runs.form == "blob" else b"YWJj" for _each in range(count)]
        if runs.width != VARIES:
            return b"".join(item.ljust(runs.width, b"=")[: runs.width] for item in items)
        mark = b"|%d|%b" if words.seldom() else b"{%d}%b"
        return b"".join(mark % (len(item) + words.seldom(), item) for item in items)
    if runs.form == "binary":
        return (words.data(8) + bytes(runs.width * count))[: runs.width * count]
    if runs.width != VARIES:
        return b"".join(token(words)[: runs.width].rjust(runs.width) for _each in range(count))
    return b"".join(token(words) + (runs.term or b" ") for _each in range(count))


def run_of(words: Words, runs: Runs, place: int = 0) -> bytes:
    """A run of a level, mostly as its header says."""
    if place == len(runs.levels):
        return leaves(words, runs, runs.count)
    level = runs.levels[place]
    count = words.number(0, 3) if level.extent == VARIES or words.seldom() else min(level.extent, 16)
    inner = place == len(runs.levels) - 1
    wire = count * (runs.count if level.extent == VARIES else 1)
    inside = leaves(words, runs, wire) if inner else b"".join(run_of(words, runs, place + 1) for _each in range(count))
    tagged = runs.form != "text" or not runs.terms
    head = b"[%b|%d]" % (level.letter.encode(), wire if inner else count) if level.extent == VARIES and tagged else b""
    return head + inside + (b"" if words.seldom() else level.term)


def data_body(words: Words, layout: Layout) -> bytes:
    """What stands in a packet as the header says, or seldom something of another size."""
    pieces = []
    for place in layout.places:
        encoding = place.variable.encoding if place.variable else None
        if place.runs:
            pieces.append(run_of(words, place.runs))
        elif encoding is not None and encoding.name == "utf8" and not words.seldom():
            text = words.pick(*TEXTS).encode()
            pieces.append(text[: place.width].ljust(place.width) * place.count)
        else:
            pieces.append((words.data(16) + bytes(place.size))[: place.size])
    return b"".join(pieces) + words.data(3) * words.seldom()


def data_packet(words: Words, number: int, layout: Layout) -> bytes:
    """A data packet."""
    return packet(words, "Pd", words.pick((str(number),), (f"0{number}", "", "9")), data_body(words, layout))


def document(words: Words) -> bytes:
    """The XML document form, or what looks like it."""
    root = words.attributes(
        type=(("das-basic-doc",), ("a",)), version=(("3.0",), ("",)), xmlns=(("das-basic-doc",), ("",))
    )
    pieces = [properties(words)]
    for number in range(1, words.number(1, 3)):
        declared = dataset(words, f' id="{number}"')
        layout = layout_by(declared)
        pieces.append(declared)
        for _each in range(words.number(0, 4)):
            text = data_body(words, layout).decode("ascii", "replace") if layout else words.text()
            pieces.append(element("d", words.attributes(id=((str(number),), ("9", ""))), text.replace("\0", " ")))
    return element("stream", root, "".join(pieces)).encode()[: -words.number(0, 9) if words.seldom() else None]


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
    if words.number(0, 7) == 7:
        check_decoder(Das3Decoder, document(words), words)
        return
    check(Das3Decoder, Das3Framer, stream(words), words)


if __name__ == "__main__":
    fuzz(decode)
