# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command template is written: from its text to commands, arguments and inserts.

The language is described in `dasflex_core.plan.templates`, which renders what is parsed here. Splitting happens here
and nowhere else, so that no value has a part in it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from dasflex_core.errors import ConfigError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from dasflex_core.errors import Place

__all__ = ["ENVIRONMENT", "PYTHON", "Argument", "Command", "Insert", "SubParam", "Word", "is_of_request"]
__all__ += ["parse_commands", "parse_word"]

#: The insert that stands for the interpreter which runs dasflex.
PYTHON = "python"
#: The prefix of the inserts that stand for a variable of the server's environment.
ENVIRONMENT = "env."

_BLANK = re.compile(r"(?:[ \t\r\n\f\v]|\\\r?\n)+")  # a backslash at the end of a line continues it
_CONTINUED = re.compile(r"\\\r?\n")
_NAME = re.compile(r"[A-Za-z0-9_.+-]*")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SUB = re.compile(r"\(({0})\|({0})(?:\|({0}))?\)".format(r"(?:\\.|[^\\|)])*"), re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")

# Under CGI the request is in the environment too: RFC 3875 section 4.1, and what Apache adds to it.
_FROM_REQUEST = re.compile(
    r"(?:HTTP|REDIRECT|SSL_CLIENT)_.*|AUTH_TYPE|CONTENT_(?:LENGTH|TYPE)|CONTEXT_(?:DOCUMENT_ROOT|PREFIX)"
    r"|GATEWAY_INTERFACE|PATH_(?:INFO|TRANSLATED)|QUERY_STRING|REMOTE_(?:ADDR|HOST|IDENT|PORT|USER)"
    r"|REQUEST_(?:METHOD|SCHEME|URI)|SCRIPT_(?:FILENAME|NAME|URI|URL)"
    r"|SERVER_(?:ADDR|NAME|PORT|PROTOCOL|SIGNATURE|SOFTWARE)|UNIQUE_ID"
)
_NESTED = "an insert cannot hold another; write one behind the other, or \\# for the sign itself"

# What a shell would act upon, and what to do instead.
_IN_DOUBLE_QUOTES = re.compile(r"(?P<inner>`|\$\()|(?P<variable>\$[A-Za-z_{])")
_UNQUOTED = re.compile(
    _IN_DOUBLE_QUOTES.pattern
    + r"|(?P<sequence>;|&&|\|\|)|(?P<background>&)|(?P<pipe>\|)|(?P<redirection>[<>])|(?P<group>[()])|(?P<pattern>\*)"
)

_ADVICE = {
    "inner": "no command is run inside another; put it in a script, and name the script here",
    "variable": "write #[env.NAME] for a variable of the server's environment, or '$' in single quotes for the sign",
    "sequence": "one command cannot follow another; put both in a script, and name the script here",
    "background": "a reader runs in the foreground; leave the & out, or quote it if it is meant as text",
    "pipe": "a pipe stands between two commands; quote the | if it is meant as text",
    "redirection": "nothing is redirected: what the last command writes is the data, and standard error goes to the"
    " log; leave it out, or quote it if it is meant as text",
    "group": "commands are not grouped; put them in a script, or quote the parenthesis if it is meant as text",
    "pattern": "file names are not expanded; let the program look for its files, or quote the * to hand it on as text",
}


@dataclass(frozen=True, slots=True)
class SubParam:
    """One item of a list-like value: the value splits at `separator`, and `name` is the item of interest.

    A `separator` of one blank splits at any run of blanks. Where `value_separator` is not empty, an item is a name
    and its value, parted by the first of these.
    """

    separator: str
    name: str
    value_separator: str = ""


@dataclass(frozen=True, slots=True)
class Insert:
    """What stands between `#[` and `]`.

    `given` are the words that it becomes where `name` is given, `absent` those where it is not. The first word joins
    what stands in front of the insert, each further one is an argument of its own. A `quoted` one has one word, which
    stays one whatever the value is.
    """

    name: str
    sub: SubParam | None
    required: bool
    given: tuple[Word, ...]
    absent: tuple[Word, ...] = ()
    quoted: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that is inserted; empty for any other insert."""
        return self.name.removeprefix(ENVIRONMENT) if self.name.startswith(ENVIRONMENT) else ""

    @property
    def is_parameter(self) -> bool:
        """Whether the value comes from the request."""
        return self.name != PYTHON and not self.variable

    @property
    def uses_value(self) -> bool:
        """Whether the text for a given value holds it (`@`), rather than only tells that it is there."""
        return any(None in word for word in self.given)

    @property
    def never_vanishes(self) -> bool:
        """Whether its first word holds something, whatever is given."""
        needed = (self.given,) if self.required else (self.given, self.absent)
        return all(words and any(piece is None or piece for piece in words[0]) for words in needed)


#: Text, inserts, and None where the value of the insert around it stands.
Word: TypeAlias = "tuple[str | Insert | None, ...]"
#: An argument as the template has it: an empty text in it is a pair of quotes, which keeps it from vanishing.
Argument: TypeAlias = "Word"
#: A program and its arguments.
Command: TypeAlias = "tuple[Argument, ...]"


def is_of_request(variable: str) -> bool:
    """Whether a variable of the environment is set by a request, where that comes by CGI."""
    return _FROM_REQUEST.fullmatch(variable) is not None


def parse_commands(text: str, place: Place | None = None) -> tuple[Command, ...]:
    """The commands of a template. Raises `ConfigError` (`config.bad-value`) with the column of what is wrong."""
    return _Parser(text, place, shell_like=True).commands()


def parse_word(text: str, place: Place | None = None) -> Argument:
    """One text with inserts in it, and nothing else that is special. Raises `ConfigError` as `parse_commands` does."""
    return _Parser(text, place, shell_like=False).whole_text()


class _Parser:
    """One walk through a template. `position` is the next character; each method begins and ends there."""

    def __init__(self, text: str, place: Place | None, *, shell_like: bool) -> None:
        self.text = text
        self.place = place
        self.shell_like = shell_like
        self.position = 0
        if "\0" in text:
            self.fail(text.index("\0"), "a NUL byte cannot be handed to a program; leave it out")

    def fail(self, at: int, message: str) -> NoReturn:
        """Raises the error of a malformed template, with where it is malformed, counted from 1."""
        column = at - self.text.rfind("\n", 0, at)
        line = f"line {self.text.count(chr(10), 0, at) + 1}, " if "\n" in self.text else ""
        where = f"{self.place}: " if self.place else ""
        raise ConfigError(f"{where}at {line}column {column}: {message}", kind="config.bad-value")

    def at(self, token: str) -> bool:
        return self.text.startswith(token, self.position)

    @property
    def done(self) -> bool:
        return self.position >= len(self.text)

    def skip_blanks(self) -> str:
        blank = _BLANK.match(self.text, self.position)
        self.position = blank.end() if blank else self.position
        return blank[0] if blank else ""

    # -- commands and arguments

    def commands(self) -> tuple[Command, ...]:
        commands: list[Command] = []
        while True:
            commands.append(self.command(first=not commands))
            if self.done:
                return tuple(commands)
            self.position += 1  # the pipe

    def command(self, *, first: bool) -> Command:
        self.skip_blanks()
        start = self.position
        arguments: list[Argument] = []
        while not self.done and not self.at("|"):
            if not self.at("#["):
                self.refuse_at_start()
            arguments.append(_merged(self.pieces("|", inside=False)))
            self.skip_blanks()
        if self.at("||"):
            self.refuse("")
        if not arguments and first:
            self.fail(start, "there is no command; begin with a program")
        if not arguments:
            self.fail(start, "no command follows the pipe; write one, or leave the | out")
        self.check_program(arguments[0], start)
        return tuple(arguments)

    def check_program(self, program: Argument, start: int) -> None:
        """Nothing that a client says may choose the program, nor may the first parameter become it."""
        if any(isinstance(piece, Insert) and piece.is_parameter for piece in program):
            self.fail(start, "a request cannot choose the program; begin the command with the program's own name")
        if not any(piece.never_vanishes if isinstance(piece, Insert) else piece for piece in program):
            self.fail(start, "nothing may be left of the program; write its name, or a text for the absent variable")
        if isinstance(program[0], str) and _ASSIGNMENT.match(program[0]):
            self.fail(start, "a variable is not set in front of a command; use the reader's key set_env")

    def pieces(self, ends: str, *, inside: bool) -> list[str | Insert | None]:
        """What stands up to an unquoted blank, or one of the characters in `ends`; `inside` the text of an insert."""
        pieces: list[str | Insert | None] = []
        while not self.done and not _BLANK.match(self.text, self.position):
            if self.at("#[") and not inside:
                pieces.append(self.insert(quoted=False))
            elif self.text[self.position] in ends:
                break
            elif self.text[self.position] in "'\"":
                pieces += self.quoted(inside=inside)
            else:
                pieces.append(self.piece("", inside=inside))
        return pieces

    def quoted(self, *, inside: bool) -> list[str | Insert | None]:
        """What stands in a pair of quotes, behind an empty text that tells that there were quotes."""
        start = self.position
        quote = self.text[start]
        pieces: list[str | Insert | None] = [""]
        self.position += 1
        while not self.at(quote):
            if self.done:
                self.fail(start, f"the quote {quote} that opens here is not closed; write \\{quote} for the sign")
            pieces.append(self.piece(quote, inside=inside))
        self.position += 1
        return pieces

    def piece(self, quote: str, *, inside: bool) -> str | Insert | None:
        """One character, one insert, or the value of the insert around it."""
        if self.at("#["):
            if inside:
                self.fail(self.position, _NESTED)
            return self.insert(quoted=True)
        if self.at("\\") and quote != "'":
            return self.escaped(quote)
        if inside and self.at("@"):
            self.position += 1
            return None
        self.refuse(quote)
        self.position += 1
        return self.text[self.position - 1]

    def escaped(self, quote: str) -> str:
        """What a backslash and the next character stand for (in double quotes as POSIX has it, and `@` and `#`)."""
        after = self.text[self.position + 1 : self.position + 2]
        if not after:
            self.fail(self.position, "nothing follows the backslash; write \\\\ for the sign itself")
        if quote and after == "\n":
            self.position += 2
            return ""
        if quote and after not in '"\\$`@#':
            self.position += 1
            return "\\"
        self.position += 2
        return after

    def refuse(self, quote: str) -> None:
        """Fails at what only a shell would understand."""
        if self.shell_like and quote != "'":
            found = (_IN_DOUBLE_QUOTES if quote else _UNQUOTED).match(self.text, self.position)
            if found and found.lastgroup:
                self.fail(self.position, f"{found[0]!r} has no meaning without a shell: {_ADVICE[found.lastgroup]}")

    def refuse_at_start(self) -> None:
        """Fails at what a shell would understand at the start of a word."""
        if self.at("#"):
            self.fail(self.position, "a command holds no comment; leave it out, or quote the # if it is meant as text")
        if self.at("~"):
            self.fail(self.position, "'~' has no meaning without a shell: write the whole path, or #[env.HOME]")

    def whole_text(self) -> Argument:
        pieces: list[str | Insert | None] = []
        while (start := self.text.find("#[", self.position)) >= 0:
            pieces.append(self.text[self.position : start])
            self.position = start
            pieces.append(self.insert(quoted=True))
        return _merged([*pieces, self.text[self.position :]])

    # -- inserts

    def insert(self, *, quoted: bool) -> Insert:
        """One insert; the text of a quoted one is one word."""
        start = self.position
        self.position += 2
        self.skip_blanks()
        name = self.name()
        sub = self.sub(name) if self.at("(") else None
        self.skip_blanks()
        texts: list[tuple[Word, ...]] = []
        while self.at("#"):
            if self.at("#["):
                self.fail(self.position, _NESTED)
            if len(texts) == 2:
                self.fail(self.position, "an insert has two texts at most; write \\# for the sign itself")
            self.position += 1
            texts.append(self.words(quoted=quoted))
        if self.done:
            self.fail(start, f"the insert of {name} that opens here is not closed; write ] behind it")
        if not self.at("]"):
            self.fail(self.position, f"behind {name} comes ( or # or ]")
        self.position += 1
        insert = self.checked(start, name, sub, texts)
        return replace(insert, quoted=True) if quoted else insert

    def checked(self, start: int, name: str, sub: SubParam | None, texts: list[tuple[Word, ...]]) -> Insert:
        if name == PYTHON and (sub or texts):
            self.fail(start, "the interpreter is always given; write #[python]")
        if texts and not any(texts):
            self.fail(start, f"this inserts nothing, whatever is given; write #[{name} # @ #] for the value itself")
        if any(None in word for words in texts[1:] for word in words):
            self.fail(start, "@ is the value, and the text for its absence has none; write \\@ for the sign itself")
        given: tuple[Word, ...] = texts[0] if texts else ((None,),)
        absent = texts[1] if len(texts) == 2 else ()
        return Insert(name, sub, required=len(texts) < 2, given=given, absent=absent)

    def name(self) -> str:
        """The name of an insert, if it is one of the three kinds."""
        start = self.position
        found = _NAME.match(self.text, start)
        name = found[0] if found else ""
        self.position += len(name)
        if name.startswith(ENVIRONMENT):
            variable = name.removeprefix(ENVIRONMENT)
            if not _VARIABLE.fullmatch(variable):
                self.fail(start, f"{variable!r} is no name of a variable; one is letters, digits and _")
            if is_of_request(variable):
                self.fail(start, f"{variable} is the client's, not the server's: a CGI request sets it; use another")
        elif name != PYTHON and not _PARAMETER.fullmatch(name):
            known = "a parameter such as read.time.min, env.NAME or python"
            self.fail(start, f"{name!r} is nothing that can be inserted; write {known}" if name else f"write {known}")
        return name

    def sub(self, name: str) -> SubParam:
        """What stands in parentheses behind a parameter: SEP|NAME or SEP|NAME|VALSEP; a backslash escapes."""
        start = self.position
        if name == PYTHON or name.startswith(ENVIRONMENT):
            self.fail(start, "only a parameter of the request has sub-parameters; leave the parentheses out")
        found = _SUB.match(self.text, start)
        given = [part for part in found.groups() if part is not None] if found else [""]
        separator, *parts = (_ESCAPE.sub(r"\1", part) for part in given)
        separator = separator.strip() or separator[:1]
        parts = [part.strip() for part in parts]
        if not found or not separator or not all(parts) or separator in parts[1:]:
            self.fail(start, "write (SEP|NAME), as in (,|LFRL), or (SEP|NAME|VALSEP), as in (;|gain|=)")
        self.position = found.end()
        return SubParam(" " if separator.isspace() else separator, *parts)

    def words(self, *, quoted: bool) -> tuple[Word, ...]:
        """The words of one text of an insert: split at blanks, or whole where the insert is quoted."""
        words: list[list[str | Insert | None]] = []
        while True:
            gap = _CONTINUED.sub("", self.skip_blanks())
            if self.done or self.at("]") or self.at("#"):
                return tuple(_merged(word) for word in words)
            word = self.pieces("#]", inside=True)
            if quoted and words:
                words[-1] += [gap, *word]
            else:
                words.append(word)


def _merged(pieces: Iterable[str | Insert | None]) -> Word:
    """The same pieces with neighbouring texts made one."""
    merged: list[str | Insert | None] = []
    texts: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        merged += ["".join(texts), piece] if texts else [piece]
        texts = []
    return (*merged, "".join(texts)) if texts else tuple(merged)
