# SPDX-License-Identifier: GPL-3.0-or-later
r"""Command templates: how a definition's command line takes its values from a request, and never more than values.

A template is one command, or several with `|` between them, which become processes joined by an OS pipe. It is split
into arguments as a POSIX shell splits words: at blanks and line ends, with `'…'`, `"…"` and a backslash to keep blanks
and signs (a backslash at the end of a line is a blank). Nothing else of a shell is there: its operators, variables and
patterns are refused when the template is parsed, unless quoted. Then inserts are replaced, in quotes of either kind
too, and the result is never read again. `\#[` is the text `#[`.

| insert | where `p` is given | where it is absent |
| --- | --- | --- |
| `#[p]` | its value | an error: `p` must be given |
| `#[p # text]` | the text, with the value for each `@` | an error |
| `#[p # text #]` | the text | nothing |
| `#[p # text # else]` | the text (may be empty) | the other text |
| `#[p(SEP\|SUB) # …]` | `@` is SUB, which the list `p` holds | also where `p` does not hold SUB |
| `#[p(SEP\|SUB\|VALSEP) # …]` | `@` is the value of SUB | also where `p` does not hold SUB |
| `#[python]` | the interpreter that runs dasflex | |
| `#[env.NAME # …]` | a variable of the server's environment | unset or empty |

*Absent* is a parameter that is not given, an empty list, and a boolean that is false. A list's text is its items with
commas between them. An empty text is given, and keeps its argument.

*The text of an insert* is written like the rest of the command: blanks at its ends do not count, those inside it
separate arguments. `#` and `]` end it unless quoted; `@` is the value in quotes too; a backslash takes the meaning
from each of them. So `#[p # -o @ #]` is two arguments or none. In quotes it is one: `"#[p # -o @ #]"`. Inserts do not
nest.

*An argument vanishes* if it consists of unquoted inserts that all come to nothing; `--frame=#[p # @ #]` and
`"#[p # @ #]"` stay. A program never vanishes, and no parameter of the request has a part in its name.

*Sub-parameters*: the value's text splits at SEP (where that is a blank, at any run of blanks); blanks around an item
do not count. SUB is matched exactly, case included. With VALSEP an item is a name and a value, parted by the first
VALSEP; an item without one has no value, which is an error if the text uses `@`, as are two values of one SUB. In
parentheses a backslash takes the meaning from `|` and `)`.

*No option can be smuggled in.* Where an argument starts with the value of a parameter, it must not start with a
hyphen, even if the value is empty and the hyphen the template's: otherwise `QueryError`. One exception: an argument
that as a whole is a negative number in digits, from a parameter typed integer or real. It carries no text of the
client's, and definitions declare its range; a program with options such as `-5` takes it as `--name=#[p]`. Variables of
the environment are the administrator's, and pass.

*Arguments by contract.* A parameter of the type `arguments` is what clients of old sources write on the reader's
command line. Its value splits at blanks and at `&`, and each part takes the place of `@` in an argument of its own:
with `--a=1 b`, `x#[p # @ #]` is `x--a=1` and `b`. A part may begin with a hyphen, since being an option is what it is
for. No part is empty, quotes and backslashes in it are characters like others, and in a quoted insert the value stays
one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dasflex_core.errors import ConfigError, QueryError
from dasflex_core.plan.parameters import check_characters
from dasflex_core.plan.template_syntax import (
    ENVIRONMENT,
    PYTHON,
    Argument,
    Command,
    Insert,
    SubParam,
    parse_commands,
    parse_word,
)
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dasflex_core.errors import Place
    from dasflex_core.plan.template_syntax import Word
    from dasflex_core.stages import ParamType, Value

__all__ = ["SubParam", "Template", "TemplateParam", "expand_environment", "parse_template", "shell_text"]

#: Bytes of the longest value that a command takes; Linux refuses arguments of 128 kB (execve(2)).
_LONGEST_VALUE = 1 << 16
_NEGATIVE_NUMBER = re.compile(r"-(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class TemplateParam:
    """One parameter that a command consumes, since it mentions it.

    `required`: some insert cannot do without it. `subs` are the sub-parameters that are looked for, each once.
    `whole`: some insert takes the value as it is; if not, the command knows nothing of the value but the `subs`.
    """

    name: str
    required: bool
    whole: bool = True
    subs: tuple[SubParam, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed command template; made by `parse_template`.

    `parameters` and `environment` (names of variables) are in the order of their first mention, each once.
    """

    text: str
    commands: tuple[Command, ...]
    parameters: tuple[TemplateParam, ...]
    environment: tuple[str, ...]

    def render(
        self,
        values: Mapping[str, Value | Sequence[str]],
        *,
        python: str,
        environ: Mapping[str, str],
        typed: Mapping[str, ParamType] | None = None,
    ) -> tuple[tuple[str, ...], ...]:
        """One argument list for each command of the pipe.

        `values` are the parameters of the request, as canonical text or as typed values; `typed` tells the type of
        those that are text (others are `string`). `python` is the interpreter, `environ` the server's environment;
        under CGI it must be free of what the request put there.

        Raises `QueryError` for a value that is missing (`query.missing-parameter`) or that no argument can hold
        (`query.bad-value`), and `ConfigError` (`config.missing`) for a required variable that is not set.
        """
        rendering = _Rendering(values, typed or {}, python, environ)
        return tuple(tuple(rendering.arguments(command)) for command in self.commands)

    def programs(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """The program of each command, in which no request has a part; blank where a variable of it is not set."""
        found = []
        for command in self.commands:
            try:
                found.append(next(_Rendering({}, {}, "", environ).arguments(command[:1])))
            except (ConfigError, StopIteration):  # whoever renders the command says so
                found.append("")
        return tuple(found)

    def mentions(self, place: int) -> frozenset[str]:
        """The parameters that one of the commands mentions, by its place."""
        pieces = [piece for argument in self.commands[place] for piece in argument if isinstance(piece, Insert)]
        return frozenset(piece.name for piece in pieces if piece.is_parameter)


def parse_template(text: str, *, place: Place | None = None) -> Template:
    """The template that `text` writes; `place` is where it stands, for errors.

    Raises `ConfigError` (`config.bad-value`) with the column at fault and what would be right.
    """
    commands = parse_commands(text, place)
    inserts = [piece for command in commands for each in command for piece in each if isinstance(piece, Insert)]
    parameters: dict[str, list[Insert]] = {}
    for insert in inserts:
        if insert.is_parameter:
            parameters.setdefault(insert.name, []).append(insert)
    environment = dict.fromkeys(insert.variable for insert in inserts if insert.variable)
    return Template(text, commands, tuple(_parameter(uses) for uses in parameters.values()), tuple(environment))


def shell_text(commands: Iterable[Sequence[str]]) -> str:
    """The rendered commands as one line for a POSIX shell; dasflex shows it, and never runs it."""
    import shlex

    return " | ".join(shlex.join(arguments) for arguments in commands)


def expand_environment(
    text: str, environ: Mapping[str, str], *, python: str | None = None, place: Place | None = None
) -> str:
    """The text with its inserts `#[env.NAME …]` replaced, and `#[python]` where `python` is given.

    For keys of a definition that are no commands: nothing but the inserts is special, so that `$Y`, `*` and quotes
    stay as they are. Raises `ConfigError`: `config.bad-value` for any other or a malformed insert, `config.missing`
    for a required variable that is not set.
    """
    word = parse_word(text, place)
    where = f"{place}: " if place else ""
    for piece in word:
        if isinstance(piece, Insert) and not piece.variable and (piece.name != PYTHON or python is None):
            raise ConfigError(
                f"{where}#[{piece.name}] has no value here, where only #[{ENVIRONMENT}NAME] can be inserted",
                kind="config.bad-value",
            )
    return "".join(_Rendering({}, {}, python or "", environ, where).arguments([word]))


def _parameter(uses: Sequence[Insert]) -> TemplateParam:
    """What all the inserts of one parameter, taken together, ask of it."""
    subs = dict.fromkeys(insert.sub for insert in uses if insert.sub)
    return TemplateParam(
        uses[0].name,
        required=any(insert.required for insert in uses),
        whole=any(insert.sub is None for insert in uses),
        subs=tuple(subs),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an argument, and the parameter that it is the value of; without one it is the template's own."""

    text: str
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class _Rendering:
    """What the inserts of one rendering are replaced by. Arguments are put together here, and never split."""

    values: Mapping[str, Value | Sequence[str]]
    typed: Mapping[str, ParamType]
    python: str
    environ: Mapping[str, str]
    where: str = ""

    def arguments(self, command: Iterable[Argument]) -> Iterator[str]:
        """The arguments of one command, without those that vanish."""
        for argument in command:
            for parts in self.expanded(argument):
                yield self.joined(parts)

    def expanded(self, argument: Argument) -> list[list[_Part]]:
        """The arguments that one of the template becomes: none if it vanishes, several if its inserts say so."""
        arguments: list[list[_Part]] = []
        for piece in argument:
            words = self.words(piece) if isinstance(piece, Insert) else [[_Part(piece or "")]]
            if arguments and words:
                arguments[-1].extend(words[0])
                words = words[1:]
            arguments.extend(words)
        return arguments

    def joined(self, parts: Sequence[_Part]) -> str:
        """One argument as text, if it begins as the template meant it to."""
        text = "".join(part.text for part in parts)
        first = next((part for part in parts if part.parameter or part.text), _Part(""))
        name = first.parameter
        number = self.is_number(name) and _NEGATIVE_NUMBER.fullmatch(text)
        if name and text.startswith("-") and not number and not self.is_arguments(name):
            what = "not begin with a hyphen" if first.text else "not be empty here"
            raise QueryError(
                f"The value of {name} must {what}: the reader would take it for an option.", kind="query.bad-value"
            )
        return text

    def is_number(self, parameter: str) -> bool:
        value = self.values.get(parameter)
        return isinstance(value, (int, float)) or self.typed.get(parameter) in {"integer", "real"}

    def is_arguments(self, parameter: str) -> bool:
        return self.typed.get(parameter) == "arguments"

    def words(self, insert: Insert) -> list[list[_Part]]:
        """The words that an insert becomes."""
        value = self.value(insert)
        if value is None and insert.required:
            raise self.missing(insert)
        own = not insert.is_parameter or (insert.sub and not insert.sub.value_separator)
        parameter = "" if own else insert.name
        taken: tuple[Word, ...] = insert.absent if value is None else insert.given
        split = self.is_arguments(insert.name) and not insert.quoted
        parts = (_arguments(value or "") if split else []) or [value or ""]
        return [made for word in taken for made in _filled(word, parts, parameter)]

    def value(self, insert: Insert) -> str | None:
        """The text that `@` stands for; None where it is absent."""
        if insert.name == PYTHON:
            return self.python
        if insert.variable:
            return self.environ.get(insert.variable) or None
        text = self.text(insert.name)
        return text if text is None or insert.sub is None else _sub_value(insert, insert.sub, text)

    def text(self, name: str) -> str | None:
        """The text of a parameter's value; None where it is absent."""
        value = self.values.get(name)
        if isinstance(value, bool):
            return "true" if value else None
        if value is None or isinstance(value, (int, float)):
            return None if value is None else str(value)
        if not isinstance(value, str):
            return _checked(name, ",".join(value)) if value else None
        if self.typed.get(name) == "boolean" and value.lower() == "false":
            return None
        if self.is_arguments(name) and not _arguments(value):
            return None
        return _checked(name, value)

    def missing(self, insert: Insert) -> ConfigError | QueryError:
        """The error for what must be given and is not."""
        if insert.variable:
            return ConfigError(
                f"{self.where}the environment variable {insert.variable} is not set; set it for the server, or write"
                f" #[{insert.name} # @ # TEXT] with what stands in its place",
                kind="config.missing",
            )
        what = f"{insert.name} with {insert.sub.name} in it" if insert.sub else insert.name
        return QueryError(f"This source needs the parameter {what}.", kind="query.missing-parameter")


def _arguments(value: str) -> list[str]:
    """The arguments that the value of a parameter of that type holds."""
    return value.replace("&", " ").split()


def _filled(word: Word, values: Sequence[str], parameter: str) -> list[list[_Part]]:
    """The words that one with `@` in it becomes: one for each value, or the same for none and for one."""
    made: list[list[_Part]] = [[]]
    for piece in word:
        if piece is not None:
            made[-1].append(_Part(str(piece)))
            continue
        first, *further = values
        made[-1].append(_Part(first, parameter))
        made += [[_Part(each, parameter)] for each in further]
    return made


def _checked(name: str, value: str) -> str:
    """The value, if an argument of a program can hold it."""
    check_characters(name, value)
    size = len(value.encode())
    if size > _LONGEST_VALUE:
        raise QueryError(
            f"The value of {name} has {size:,} bytes; a reader takes at most {_LONGEST_VALUE:,}.",
            kind="query.bad-value",
        )
    return value


def _sub_value(insert: Insert, sub: SubParam, text: str) -> str | None:
    """The value of one sub-parameter in the text of a parameter's value; None where it is absent."""
    items = text.split() if sub.separator == " " else [item.strip() for item in text.split(sub.separator)]
    if not sub.value_separator:
        return sub.name if sub.name in items else None
    pairs = (item.partition(sub.value_separator) for item in items)
    found = {value.strip() if mark else None for name, mark, value in pairs if name.strip() == sub.name}
    if not found:
        return None
    if not insert.uses_value:
        return ""
    value = found.pop()
    if found or value is None:
        raise QueryError(
            f"{insert.name} must hold one value of {sub.name}, as in {sub.name}{sub.value_separator}VALUE.",
            kind="query.bad-value",
        )
    return value
