# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of a definition as TOML that a person goes on editing: in the order of the format, aligned, with comments.

What is read from the text is exactly what was written: long texts go over several lines by the backslash that TOML has
for that, so that none gains or loses a blank.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog.keys import DEFINITION, DIRECTORY, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dasflex_core.catalog.findings import KeyPath

__all__ = ["toml_text", "toml_value"]

#: A line is no longer than this, where that can be.
_WIDTH: Final = 110
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
#: What a text in double quotes must not hold as it is.
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\x7f]')
#: What one in three pairs of them must not: two quotes that meet, or one at its end, would close it.
_LONG_ESCAPED: Final = re.compile(r'"(?="|$)|[\\\x00-\x1f\x7f]')
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SHORT: Final = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\"", "\\": r"\\"}
#: The tables of the format in the order in which people read them; others follow.
_ORDER: Final = (
    "contacts", "cite", "reader", "stage", "stages", "options", "coords", "data", "default", "access", "cache", "live",
    "example", "hapi", "limits",
)  # fmt: skip

Comments = dict["KeyPath", tuple[str, ...]]


def toml_text(
    tables: Mapping[str, object],
    comments: Mapping[KeyPath, Iterable[str]] | None = None,
    *,
    head: Iterable[str] = (),
    missing: Mapping[str, Iterable[str]] | None = None,
    directory: bool = False,
) -> str:
    """The TOML of a definition's tables, or of a `directory`'s.

    `comments` stand above the key or the table of their path, those of the empty path at the end; `head` are comments
    for the beginning. `missing` are lines, by the name of the table whose place they take, that are written as
    comments.
    """
    writer = _Writer({path: tuple(lines) for path, lines in (comments or {}).items()})
    blocks = [[_comment(line) for line in head]]
    described = DIRECTORY if directory else DEFINITION
    named = {each.name: each for each in described.tables}
    plain = [key.name for key in described.keys]
    blocks.append(writer.pairs({key: tables[key] for key in plain if key in tables}, ()))
    rest = [name for name in tables if name not in (*plain, *_ORDER)]
    for name in (*_ORDER, *rest):
        if name in tables:
            blocks += writer.table(named.get(name, Table(name, "")), tables[name], (name,))
        elif missing and name in missing:
            blocks.append([_comment(line) for line in missing[name]])
    blocks.append(writer.leftover())
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


class _Writer:
    """Writes tables, and gives each comment out once."""

    def __init__(self, comments: Comments) -> None:
        self.comments = comments

    def above(self, path: KeyPath) -> list[str]:
        """The comments of a path, as lines."""
        return [_comment(line) for line in self.comments.pop(path, ())]

    def around(self, path: KeyPath) -> list[str]:
        """The comments of a path and of all that is in it."""
        return [line for key in list(self.comments) if key and key[: len(path)] == path for line in self.above(key)]

    def leftover(self) -> list[str]:
        """The comments of what was not written, then those of the end."""
        end = self.above(())
        return [*(line for key in list(self.comments) for line in self.above(key)), *end]

    # -- blocks of lines

    def table(self, described: Table, value: Any, path: KeyPath) -> Iterator[list[str]]:  # noqa: ANN401  any TOML
        """The blocks of a table of the definition, in the shape that it has."""
        if isinstance(value, list):
            for place, each in enumerate(value):
                yield from self.section(described, each, (*path, place), several=True)
        elif described.shape == "named" and all(isinstance(each, dict) for each in value.values()):
            if described.name == "data" and all(len(_inline(each)) < _WIDTH for each in value.values()):
                yield [*self.above(path), f"[{_dotted(path)}]", *self.pairs(value, path)]
                return
            for name, each in value.items():
                yield from self.section(described, each, (*path, name))
        elif isinstance(value, dict):
            yield from self.section(described, value, path)

    def section(
        self, described: Table, value: Mapping[str, Any], path: KeyPath, *, several: bool = False
    ) -> Iterator[list[str]]:
        """The block of one table, and those of the tables in it that need blocks of their own."""
        order = [each.name for each in described.parts]
        names = sorted(value, key=lambda name: order.index(name) if name in order else len(order))
        tables = {each.name: each for each in described.tables}
        own: dict[str, Any] = {}
        inner: list[tuple[str, Any]] = []
        for name in names:
            held = value[name]
            wide = isinstance(held, dict) and name == "values" and len(_inline(held)) > _WIDTH
            many = isinstance(held, list) and any(isinstance(each, dict) for each in held)
            if wide or many or (isinstance(held, dict) and name in tables and tables[name].tables):
                inner.append((name, held))
            else:
                own[name] = held
        dotted = bool(described.request) or described.name == "default"
        lines = self.pairs(own, path, dotted=dotted, plain=(*order, "time"))
        if lines or several or not inner:
            head = f"[[{_dotted(path[:-1])}]]" if several else f"[{_dotted(path)}]"
            yield [*self.above(path), head, *lines]
        for name, held in inner:
            yield from self.table(tables.get(name, Table(name, "")), held, (*path, name))

    def pairs(
        self, values: Mapping[str, Any], path: KeyPath, *, dotted: bool = False, plain: Iterable[str] = ()
    ) -> list[str]:
        """Keys and values, aligned; those of a request, which are not among `plain`, with full stops."""
        short = {name: value for name, value in values.items() if not (dotted and name not in plain)}
        width = max((len(_key(name)) for name in short), default=0)
        lines: list[str] = []
        for name, value in short.items():
            lines += [*self.around((*path, name)), f"{_key(name):{width}} = {toml_value(value)}"]
        for name, value in values.items():
            if name not in short:
                for where, each in _leaves((*path, name), value):
                    lines += [*self.above(where), f"{_dotted(where[len(path) :])} = {toml_value(each)}"]
        return lines


def _leaves(path: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    """The values of nested tables, with their paths."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves((*path, name), each)
    else:
        yield path, value


def _comment(line: str) -> str:
    """A comment, without the control characters that TOML does not take."""
    return f"# {_CONTROL.sub('', line)}".rstrip()


def _dotted(path: KeyPath) -> str:
    """A path of names as TOML has it; places in lists are understood."""
    return ".".join(_key(part) for part in path if isinstance(part, str))


def _key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else _quoted(name)


def toml_value(value: object) -> str:
    """A value; texts that are long go over several lines. Raises `TypeError` for what a definition does not hold."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        items = [toml_value(each) for each in value]
        line = f"[{', '.join(items)}]"
        return line if len(line) <= _WIDTH else "[\n" + "".join(f"  {item},\n" for item in items) + "]"
    return _inline(value)


def _inline(value: object) -> str:
    """A value on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(_inline(each) for each in value)}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(name)} = {_inline(each)}" for name, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    raise TypeError(f"{value!r} has no place in a definition")


def _text(value: str) -> str:
    """A text; a long one over several lines, each broken behind a blank that belongs to it."""
    line = _quoted(value)
    pieces = re.split(r"(?<=[^ ] )(?=[^ \\])", value)
    if len(line) <= _WIDTH or len(pieces) == 1:
        return line
    lines = [""]
    for piece in pieces:
        escaped = _LONG_ESCAPED.sub(_escape, piece)
        if lines[-1] and len(lines[-1]) + len(escaped) > _WIDTH:
            lines.append("")
        lines[-1] += escaped
    return '"""\n' + "\\\n".join(lines) + '"""'


def _quoted(value: str) -> str:
    """A text in quotes: single ones where that saves escapes."""
    if _ESCAPED.search(value) and not re.search(r"['\x00-\x08\x0a-\x1f\x7f]", value):
        return f"'{value}'"
    return f'"{_ESCAPED.sub(_escape, value)}"'


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}"
