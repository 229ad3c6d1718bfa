# SPDX-License-Identifier: GPL-3.0-or-later
"""Random DSDF, most of it nearly right: it is a definition and its TOML means the same, or findings say what is wrong."""

from __future__ import annotations

from dataclasses import replace

import atheris

with atheris.instrument_imports(include=["dasflex_core"]):
    from dasflex_core.catalog.compiled import from_json, to_json
    from dasflex_core.catalog.documents import Document, parse_document
    from dasflex_core.catalog.dsdf_import import read_dsdf
    from dasflex_core.catalog.findings import Finding
    from dasflex_core.catalog.json_definition import read_json
    from dasflex_core.catalog.read_toml import examine
    from dasflex_core.catalog.toml_text import toml_text

from words import Words, fuzz

TIMES = ("2001-01-01 to 2001-01-02", "2001-001 to now UTC", "2001-01-01T00:00 to 2002 | A label")
#: What the keys usually hold.
USUAL: dict[str, tuple[str, ...]] = {
    "description": ("A source", "Grö''ße"),
    "summary": ("Some text", "<b>x</b> ; y"),
    "localId": ("a/b", "Examples/A"),
    "reader": (
        "/opt/bin/rdr -x",
        "env A=b rdr",
        "A=b rdr 'a b'",
        "a | b",
        "a $(PARAMS,x y) | c",
        'r --o="$(PARAMS)"',
        "r \\*",
        "a; b",
        "a $B",
        "a `b`",
        "a > b",
        "~/x",
        "a *",
        "a && b",
    ),
    "reducer": (
        "not_reducible",
        "not_reducable",
        "pre_reduced",
        "das2_bin_avgsec",
        "/x/das2_bin_peakavgsec",
        "mean -x",
    ),
    "das2Stream": ("1", "0"),
    "das3Stream": ("1", "0"),
    "qstream": ("1",),
    "requiresInterval": ("1",),
    "dropParams": ("1",),
    "realTime": ("1",),
    "hapi": ("1", "0"),
    "param_00": ("LFRL | Low band", "gain|Gain|gain=@|option: 1 2", "x"),
    "param07": ("b | c",),
    "item_00": ("a | Title | m", "b", "a b | c"),
    "data_01": ("E | Field | V/m", "E | x | | y"),
    "coord_00": ("time | Time | UTC", "frequency | F | Hz"),
    "validRange": (TIMES[0], TIMES[1], "2000 to 2020"),
    "exampleRange_00": TIMES,
    "exampleRange": TIMES,
    "exampleParams_00": ("--a=b c", "x"),
    "exampleInterval_00": ("60", "0.5 s"),
    "techContact": ("A <a@example.org>",),
    "sciContact": ("B <b@example.org>",),
    "securityRealm": ("Realm",),
    "readAccess": ("GROUP:a | USER:b", "AGE:1y6m"),
    "groupAccess": ("a, b",),
    "cacheLevel_00": ("intrinsic | daily", "60 s | monthly | A B"),
    "cacheLevel": ("10 millisec | perminute",),
    "subSource_00": ("a | A | 60", "b | B | intrinsic | x y"),
    "rename": ("a/c",),
    "server": ("https://example.org/das/server",),
    "form": ("x_multi_y",),
    "y_coordinate": ("[1, 2, 3]",),
    "colour": ("red",),
    "coverageReducer": ("das2_bin_ratesec",),
}
ODD = (
    "",
    "|",
    "|||",
    "'",
    '"',
    "''",
    "a\tb",
    "\u2028",
    "1e999 s | daily",
    "now to now",
    ":",
    "GROUP:",
    "$(PARAMS",
    "\\",
    "[x]",
)
JOINTS = (" + $\n ", " $\n", "+$ ; why\n", " $\n; a remark\n\n", " + ")


def assignment(words: Words) -> str:
    """A line, or several, that assign a value to a key."""
    key = words.pick([*USUAL], ("", "1a", "a b", "item_100", "cacheLevel_1", "READER"))
    value = words.pick(USUAL.get(key, ("x",)), ODD)
    if words.seldom():
        return f"{key} = {value}"
    quote = "'" if words.flag() else '"'
    written = value.replace("''", "'").replace(quote, quote * 2)
    at = words.number(0, len(value)) if not words.number(0, 7) else 0
    parts = [written] if not at or quote in written else [written[:at], written[at:]]
    return f"{key} = {words.pick(JOINTS).join(f'{quote}{part}{quote}' for part in parts)}{words.pick(('', ' ; why'))}"


def text(words: Words) -> str:
    """A file: what each one needs, unless something is left out, and other keys."""
    lines = [
        f"{key} = '{USUAL[key][0]}'" for key in ("description", "techContact", "exampleRange_00") if not words.seldom()
    ]
    lines += [assignment(words) for _each in range(words.number(0, 12))]
    lines += [
        words.pick(("; a remark", ""), ("[reader]", "nonsense", "a = 'b' c")) for _each in range(words.number(0, 2))
    ]
    return "\n".join(lines)


def told(findings: tuple[Finding, ...], lines: int) -> None:
    """Fails unless each finding has a line of the file."""
    for finding in findings:
        if not 1 <= finding.place.line <= lines:
            raise AssertionError(f"{finding} is not in the {lines} lines of the file")


def read(data: bytes) -> None:
    """A DSDF of known keys, or any text; and the text as JSON."""
    words = Words(data)
    written = words.text(1 << 10) if words.seldom() else text(words)
    lines = written.count("\n") + 1
    made = read_dsdf(written, "a.dsdf")
    told((*made.findings, *made.warnings), lines)
    told(read_json(written, "a.json").findings, lines)
    if made.findings:
        return
    reading = examine(Document("a.dsdf", made.tables, imported=made), id="Examples/Fuzz")
    told((*reading.findings, *reading.warnings), lines)
    if reading.definition is None:
        return
    definition = reading.definition
    if from_json(to_json(definition)) != definition:
        raise AssertionError(f"{written!r} is another definition when it was compiled")
    document = parse_document(toml_text(made.tables, made.comments), "a.dsdf")
    if isinstance(document, Finding):
        raise AssertionError(f"{written!r} becomes what is no TOML: {document}")  # noqa: TRY004  it is no wrong type
    if dict(document.tables) != made.tables:
        raise AssertionError(f"{written!r} says something else in TOML")
    again = examine(document, id="Examples/Fuzz")
    if again.definition is not None and replace(again.definition, file="a.dsdf") != definition:
        raise AssertionError(f"{written!r} means something else in TOML")


if __name__ == "__main__":
    fuzz(read)
