# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of a configuration file, `KEY = "value"` and comments, and what is found wrong or odd in them."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from errno import EINVAL
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Findings", "config_lines", "config_text"]

_LARGEST: Final = 1 << 20


@dataclass(slots=True)
class Findings:
    """What is wrong (with its kind), and what is odd, gathered as the reading goes on."""

    file: str
    wrong: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def error(self, line: int, key: str, message: str, kind: str = "config.bad-value") -> None:
        """Notes what is wrong in a line."""
        self.wrong.append((kind, f"{Place(self.file, line, key)}: {message}"))

    def remark(self, line: int, key: str, message: str) -> None:
        """Notes what is odd in a line."""
        self.remarks.append(f"{Place(self.file, line, key)}: {message}")


def config_text(file: Path) -> str:
    """The text of the file. Raises `ConfigError`."""
    try:
        data = _content(file)
    except (OSError, ValueError) as error:  # the path may hold what no path can
        raise _unreadable(file, getattr(error, "strerror", "") or str(error)) from error
    if len(data) > _LARGEST:
        raise ConfigError(f"{file}: this is too large for a configuration file", kind="config.unreadable")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: this is not UTF-8 text", kind="config.unreadable") from error


def _content(file: Path) -> bytes:
    """What is in a file, up to a byte more than it may hold. Raises `OSError`."""
    if not stat.S_ISREG(file.stat().st_mode):  # a device never ends, and a pipe waits
        raise OSError(EINVAL, "it is no plain file")
    with file.open("rb") as opened:
        return opened.read(_LARGEST + 1)


def _unreadable(file: Path, why: str) -> ConfigError:
    """The error for a file that is none."""
    return ConfigError(
        f"{file}: the configuration cannot be read: {why}. `dasflex root DIR NAME` makes a new root",
        kind="config.unreadable",
    )


_LINE = re.compile(r"\s*(?P<key>[A-Za-z_][\w-]*)\s*=\s*(?P<value>.*?)\s*")
_QUOTED = re.compile(r'"(?P<basic>(?:[^"\\]|\\.)*)"\s*(?:#.*)?' r"|'(?P<literal>[^']*)'\s*(?:#.*)?")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED: Final = {'"': '"', "\\": "\\", "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_BARE = re.compile(r"(?:true|false|[+-]?\d+)")


def config_lines(text: str, found: Findings) -> Iterator[tuple[int, str, str]]:
    """Line, key (in capitals) and value of each line that has them."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            found.error(number, "", 'this is no line of the form KEY = "value"', "config.unreadable")
            continue
        key = match["key"].upper()
        try:
            value, quoted = _unquoted(match["value"])
        except ValueError as error:
            found.error(number, key, str(error), "config.unreadable")
            continue
        if "\0" in value:
            found.error(number, key, "the value holds a NUL, which is no character", "config.unreadable")
            continue
        if not quoted:
            found.remark(number, key, f'write the value in quotes: {key} = "{value}"')
        yield number, key, value


def _unquoted(written: str) -> tuple[str, bool]:
    """The text of a value without its quotes and comment, and whether it is written as it should be."""
    if match := _QUOTED.fullmatch(written):
        if match["literal"] is not None:
            return match["literal"], True
        return _ESCAPE.sub(_unescaped, match["basic"]), True
    if written[:1] in ('"', "'"):
        raise ValueError("the quotes of this value do not match")
    bare = re.split(r"(?:^|\s)#", written, maxsplit=1)[0].strip()
    return bare, bool(_BARE.fullmatch(bare))


def _unescaped(match: re.Match[str]) -> str:
    """The character that an escape of TOML's basic strings means."""
    if code := match[1] or match[2]:
        if int(code, 16) > 0x10FFFF or 0xD800 <= int(code, 16) < 0xE000:
            raise ValueError(f"there is no character {match[0]}")
        return chr(int(code, 16))
    if match[3] not in _ESCAPED:
        raise ValueError(f"{match[0]} means nothing here; a backslash is written \\\\")
    return _ESCAPED[match[3]]
