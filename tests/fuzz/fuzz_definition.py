# SPDX-License-Identifier: GPL-3.0-or-later
"""Random definitions, most of them nearly right: they are read, or one `ConfigError` says what is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["dasflex_core"]):
    from dasflex_core.catalog.compiled import from_json, to_json
    from dasflex_core.catalog.keys import DEFINITION, Key
    from dasflex_core.catalog.read_toml import read_text
    from dasflex_core.errors import ConfigError

from words import Words, fuzz

if TYPE_CHECKING:
    from dasflex_core.catalog.keys import Table

#: TOML values that the keys of a kind usually have, and that any key may have.
USUAL: dict[str, tuple[str, ...]] = {
    "address": ('"das2:https://example.org/das/server?dataset=a/b"',),
    "bounds": ("[0, 15]", "[-1e31, 1e31]"),
    "bytes": ('"4 kB"', '"2 GiB"', '".5 MB"'),
    "command": (
        '"reader #[read.time.min] #[read.time.max]"',
        "'''#[python] reader.py #[read.data # -a @ #] #[read.time.inter] | filter #[bin.time.max # x # y]'''",
        '"reader #[read.opts] #[read.data(,| # a #)]"',
    ),
    "count": ("1", "0x10"),
    "default": ("1", "2.5", "true", '"E"', '["E", "B"]'),
    "doi": ('"10.5555/abc"',),
    "flag": ("true", "false"),
    "id": ('"Examples/Waveform"', '"a/b"'),
    "ids": ('["a/b", "c"]', '"a"'),
    "pattern": ('"data/$Y/$m/$d.cdf"', '"#[env.HOME]/x"', '""'),
    "positive": ("360", "0.5"),
    "rate": ('"10 packet/s of 4 kB"',),
    "rules": ('["group:a", "age:1y6m", "bin:60s"]', '"user:a"'),
    "scalar": ("-1e31", "0", '"NaN"'),
    "seconds": ('"60 ms"', '"P1D"', '"10 min"'),
    "set id": ('"wave"',),
    "span": ('"2016-07-05 to now"', '"10 to 100"', '"1 Hz to 2 Hz"', '"2016/2017"', '"P1D/now"'),
    "spase": ('"spase://NASA/a"',),
    "stream type": ('"das/2"', '"das/3/binary"', '"csv"'),
    "text": ('"a b"', "'x'"),
    "texts": ('["time", "frequency"]', '"time"'),
    "titled": ('{ E = "Electric", B = "Magnetic" }', "[1, 2]"),
    "units": ('""', '"V m**-1"'),
    "variable names": ('["HOME"]',),
    "variables": ('{ TZ = "UTC" }',),
    "words": ("[1, 2.5]", '["a"]'),
}
ODD = (
    '""', '" "', "''", "0", "-1", "-0.0", "1e400", "-inf", "nan", "0x" + "f" * 40, "0x" + "f" * 5000, "1" * 400, "1_000", "[]", "{}",
    "[[1], {a = 2}]", "2031-04-02", "2031-04-02T01:02:03Z", "01:02:03", "true", '"now"', '"#[read."', '"#[a # b"', '"|"',
    '"1e400 kB"', '"1e999 s"', '"1e400 packet/s of 1e400 TB"', '"0 to 1e999"', '"1 to 2/3"', '"P1D to P1D"', '"9999-12-31 to now"',
    '"0001-01-01/P9999D"', '"now-P9999999D to now"', '"age:"', '"bin:1e999s"', '"\\u0000"', '"\\ud800"', '"\U0001f600"',
    '"""a\nb"""', '"#[read.a # #[b] #]"', '"#[python]"', '"#[env.A]"', '"#[read.a(x|y|z) # b # c]"', "[nan, inf]", '{ "" = "" }',
    "{ a.b = 1 }", "[" * 200 + "]" * 200,
)  # fmt: skip
FAMILIES = (("read", "bin", "dft", "format", "view", "calc"), ("time", "a", "", "bin.time"))
PARAMETERS = (
    ("time.min", "time.max", "a", "time.inter", "data", "type", "stats", "length"),
    ("time", "", "{coord}.min", "a..b", '"', "time.min.a"),
)
NAMES = (("a", "time", "frequency", "B_x"), ("", "a.b", '"a b"', "data", '"\\n"', "1", "-", "#", "'"))


def value(words: Words, key: Key) -> str:
    """The TOML of a value: one that the key takes, or seldom any other."""
    if not words.seldom():
        return words.source.PickValueInList([f'"{each}"' for each in key.one_of] or list(USUAL[key.kind]))
    if words.flag():
        return words.source.PickValueInList(list(ODD))
    return json.dumps(words.text(40), ensure_ascii=False)


def request(words: Words) -> list[str]:
    """The lines of a partial request."""
    lines = ['time = "2016-07-05 to 2016-07-06"'] if words.flag() else []
    for _each in range(words.number(0, 2)):
        name = f"{words.pick(*FAMILIES)}.{words.pick(*PARAMETERS)}"
        lines.append(f"{name} = {value(words, Key('', 'default', ''))}")
    return lines


def table(words: Words, described: Table, path: str = "") -> list[str]:
    """The lines of a table as its description says, less what is left out, and seldom with what is none."""
    lines = []
    form = words.pick(described.exactly) if described.exactly else ""
    for key in described.keys:
        wanted = key.needed or key.name in ("technical", "realm", "allow") or not words.number(0, 3)
        if described.exactly:
            wanted = key.name in (form, "writes") or (wanted and key.name not in described.exactly)
        if wanted and not words.seldom():
            lines.append(f"{key.name} = {value(words, key)}")
    if described.request:
        lines += request(words)
    if words.seldom():
        lines.append(f"{words.pick(*NAMES)} = {words.pick(ODD)}")
    for inner in described.tables:
        if not (inner.needed or inner.name == "contacts" or not words.number(0, 3)) or words.seldom():
            continue
        for _each in range(words.number(1, 2) if inner.shape != "one" else 1):
            own = f"{path}{inner.name}"
            if inner.shape == "named":
                own = f"{own}.{words.pick(*NAMES)}"
            many = inner.shape == "many" and not words.seldom()
            lines += [f"[[{own}]]" if many else f"[{own}]", *table(words, inner, f"{own}.")]
    return lines


def read(data: bytes) -> None:
    """A definition of some of its tables, or any text."""
    words = Words(data)
    text = words.text(1 << 10) if words.seldom() else "\n".join(table(words, DEFINITION))
    try:
        definition = read_text(text, id="Examples/Fuzz")
    except ConfigError:
        return
    if from_json(to_json(definition)) != definition:
        raise AssertionError(f"{text!r} is another definition when it was compiled")


if __name__ == "__main__":
    fuzz(read)
