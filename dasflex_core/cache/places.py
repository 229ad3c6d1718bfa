# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files of blocks are, as the classic cache reader looks for them (das-streams 6.2).

CACHE_ROOT/data/SOURCE/NORMPARAM/RES/…/PERIOD_RES.d2s

>>> normal(["--x", "B"]), normal([]), normal(["../a b"])
('B___x', '_noparam', '%2E.%2Fa%20b')
>>> resolution(60_000_000_000), resolution(250_000_000), resolution(0)
('bin-60s', 'bin-250ms', 'intrinsic')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.cache.levels import Level
    from dasflex_core.catalog.model import Option

__all__ = ["folder", "normal", "resolution"]

_SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=.,+-")
_LONGEST: Final = 180
_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))


def folder(level: Level, levels: Iterable[Level], options: Mapping[str, Option], defaults: Mapping[str, str]) -> str:
    """The folder of a level below that of its source. Of two that would share one, the later has its own."""
    place = _place(level, options, defaults)
    like = [each.number for each in levels if _place(each, options, defaults) == place]
    return place if level.number == min(like, default=level.number) else f"{place}_{level.number + 1}"


def normal(tokens: Iterable[str]) -> str:
    """The name of a set of parameters: sorted, with `_` for `-` and between them. Nothing leads out of its folder."""
    made = "_".join(sorted(each.replace("-", "_") for each in tokens)) or "_noparam"
    safe = "".join(each if each in _SAFE else "".join(f"%{byte:02X}" for byte in each.encode()) for each in made)
    if safe.startswith("."):
        safe = f"%2E{safe[1:]}"
    if len(safe) > _LONGEST:
        from dasflex_core.plan.identity import digest

        safe = f"{safe[:_LONGEST]}_{digest(safe)}"
    return safe


def resolution(width: int) -> str:
    """The name of a width in nanoseconds, in the largest unit of which it is a whole number."""
    if not width:
        return "intrinsic"
    unit, name = next((unit, name) for unit, name in _UNITS if width % unit == 0)
    return f"bin-{width // unit}{name}"


def _place(level: Level, options: Mapping[str, Option], defaults: Mapping[str, str]) -> str:
    return f"{normal(_tokens(level, options, defaults))}/{resolution(level.width)}"


def _tokens(level: Level, options: Mapping[str, Option], defaults: Mapping[str, str]) -> list[str]:
    """What a level asks beyond the defaults, as a das2 client would write it in `params`."""
    found: list[str] = []
    for name, text in level.fixed.items():
        if defaults.get(name) == text:
            continue
        plain = name.removeprefix("read.")
        option = options.get(plain)
        if name == "read.opts":
            found += text.split()
        elif option is not None and option.type == "boolean":
            found.append(plain if text == "true" else f"{plain}={text}")
        elif option is not None and option.values:
            found += text.split(",") if option.type == "list" else [text]
        else:
            found.append(f"{plain}={text}" if plain != name else f"{name}={text}")
    return found
