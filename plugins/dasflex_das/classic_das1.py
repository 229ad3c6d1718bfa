# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic programs that read das1, as words of `dasflex filter` (das-streams 5.10).

The converter of the das utilities runs the reader that its DSDF names; here the data come by standard input, and
nothing is run. How tagged das1 is written, and what each option of its converter means, is not described in detail: the
records here have a tag before each and one size, and the options mean what their names say.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.dsdf_keys import DAS1
from dasflex_core.catalog.dsdf_syntax import parse_dsdf
from dasflex_core.classic import number, options
from dasflex_core.errors import ConfigError, QueryError
from dasflex_das.das1_facts import Das1Facts, told_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["dsdf_entries", "from_das1", "from_tagged_das1"]

_TAG: Final = b":b0:"
#: A DSDF file takes a few kilobytes; what is longer than this many bytes is something else.
_LONGEST: Final = 1 << 20
#: What is read of a DSDF, whose keys match without regard to case.
_KEYS: Final = {name.lower(): name for name in (*DAS1, "description")}
_FORMS: Final = ("x_multi_y", "x_tagged_y_scan", "x_y_z")
#: Options of the converter of tagged das1 as the words of a DSDF, and those that mean nothing here.
_VALUED: Final = {"-xWidth": "x_sample_width", "-yUnit": "y_unit", "-zUnit": "z_unit", "-tBeg": "begin", "-t": "form"}
_OTHERS: Final = {"-fill": "fill", "-yWidth": "y_width"}
_FLAGS: Final = ("-s", "-t2000", "-diag")


def from_das1(arguments: Sequence[str], _head: bytes) -> list[str]:
    """`das2_from_das1 [-I IDL] DSDF BEGIN END [PARAM…]`, of the output of the reader. Parameters were for that."""
    program = "das2_from_das1"
    own = 2 if arguments and arguments[0] == "-I" else 0  # what begins with a hyphen behind END is a parameter
    _found, (file, begin, end) = options(program, arguments[own : own + 3], count=(3, 3))
    return _words(program, dsdf_entries(program, file), begin, end)


def from_tagged_das1(arguments: Sequence[str], head: bytes) -> list[str]:
    """`das2_from_tagged_das1 -tBeg TIME [-t 0|1|2] [-fill VALUE] [-xWidth …] [-yUnit …] [-zUnit …] [-t2000] [DSDF]`.

    `-t` is the form: 0 is x_multi_y, 1 x_tagged_y_scan, 2 x_y_z. How many values a record has is seen in the data. What
    is said beside a DSDF wins over it. `-s` (seconds), `-yWidth` and `-diag` are accepted.
    """
    program = "das2_from_tagged_das1"
    found, files = _scanned(program, arguments)
    entries = dsdf_entries(program, files[0]) if files else {}
    entries |= {word: found[word] for word in ("x_sample_width", "y_unit", "z_unit") if word in found}
    form = str(entries.setdefault("form", _FORMS[0]))
    if "form" in found:
        if found["form"] not in ("0", "1", "2"):
            raise QueryError(f"{program}: -t is 0, 1 or 2, not {found['form']!r}", kind="query.bad-value")
        form = entries["form"] = _FORMS[int(found["form"])]
    if "fill" in found:
        number(program, "-fill", found["fill"])
        entries["y_fill" if form == _FORMS[0] else "z_fill"] = found["fill"]
    if "-t2000" in found:
        entries["epoch"] = "t2000"
    values = _values(program, head)
    if form == _FORMS[0] and values:
        entries.setdefault("ny", str(values))
    if form == _FORMS[1] and values and "y_coordinate" not in entries:
        entries["y_coordinate"] = " ".join(map(str, range(values)))
    if "begin" not in found:
        raise QueryError(f"{program}: times count from -tBeg TIME, which is missing", kind="query.missing-parameter")
    return _words(program, {**entries, "tagged": True}, found["begin"], "")


def _scanned(program: str, arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The options, each by its word, and the other arguments. Raises `QueryError`."""
    found: dict[str, str] = {}
    rest: list[str] = []
    valued = {**_VALUED, **_OTHERS}
    words = iter(arguments)
    for word in words:
        if word in _FLAGS:
            found[word] = ""
        elif word in valued:
            value = next(words, None)
            if value is None:
                raise QueryError(f"{program}: {word} needs a value", kind="query.bad-value")
            found[valued[word]] = value
        elif word.startswith("-"):
            known = " ".join(sorted((*_FLAGS, *valued)))
            raise QueryError(
                f"{program}: option {word} is not recognised; the options are {known}", kind="query.bad-value"
            )
        else:
            rest.append(word)
    if len(rest) > 1:
        raise QueryError(f"{program} takes one DSDF file beside its options, not {len(rest)}", kind="query.bad-value")
    return found, rest


def _values(program: str, head: bytes) -> int:
    """How many values a record has, as the second tag tells; 0 where the data end before that."""
    if head and not head.startswith(_TAG[: len(head)]):
        raise QueryError(f"{program}: the input is no tagged das1, which starts with :b0:", kind="query.bad-value")
    second = head.find(_TAG, len(_TAG) + 4)
    while second >= 0 and second % 4:  # records are of 4 bytes each, so that this one is a value by chance
        second = head.find(_TAG, second + 1)
    size = (second if second > 0 else len(head)) - len(_TAG)
    return max(0, size // 4 - 1)


def dsdf_entries(program: str, file: str) -> dict[str, object]:
    """What a DSDF says of das1 data by its keys, and its name as that of the source. Raises `QueryError`."""
    try:
        with Path(file).open("rb") as opened:
            raw = opened.read(_LONGEST + 1)
        text = raw.decode()
    except (OSError, ValueError) as error:
        raise QueryError(f"{program}: the DSDF file {file} cannot be read: {error}", kind="query.bad-value") from error
    if len(raw) > _LONGEST:
        raise QueryError(f"{program}: {file} is longer than {_LONGEST:,} bytes", kind="query.bad-value")
    syntax = parse_dsdf(text.replace("\r\n", "\n").removeprefix("\ufeff"))
    for fault in syntax.faults:
        raise QueryError(f"{program}: {file}, line {fault.line}: {fault.message}", kind="query.bad-value")
    found = {_KEYS[name]: entry.text for entry in syntax.entries if (name := entry.key.lower()) in _KEYS}
    return {**found, "source": Path(file).name}


def _words(program: str, entries: dict[str, object], begin: str, end: str) -> list[str]:
    """The words that decode das1 data of these facts. Raises `QueryError` where they do not suffice."""
    try:
        Das1Facts.of(entries)
    except ConfigError as error:
        raise QueryError(f"{program}: {error.message}", kind="query.bad-value") from error
    facts, words = told_of(entries)
    ends = [f"read.time.min={begin}", *([f"read.time.max={end}"] if end else [])]
    return ["das1-decode", *ends, f"facts={facts}", f"words={words}", "--then", "das2-binary"]
