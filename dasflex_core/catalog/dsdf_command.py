# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of DSDF as command templates: what needs no shell is understood, and the rest is refused with advice.

das2 servers handed `reader`, with times and options behind it, to a shell. Here words, quotes, pipes and variables in
front of the program mean what they meant; whatever else a shell would act upon goes into a script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NoReturn

from dasflex_core.catalog.quantities import UnfitError

__all__ = ["INTERVAL", "OPTIONS", "TIMES", "Translated", "translate_command"]

#: What das2 servers appended to a reader's command, as a template has it.
TIMES: Final = "#[read.time.min] #[read.time.max]"
INTERVAL: Final = "#[read.time.inter]"
OPTIONS: Final = "#[read.opts # @ #]"

_BLANKS: Final = re.compile(r"\s+")
#: What has no part in any meaning of a shell, nor of a template.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_%+=:,./@^-]+")
_PLACE: Final = re.compile(r"\$\(\s*PARAMS\s*(?:,([^()]*))?\)")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_ENV: Final = ("env", "/usr/bin/env", "/bin/env")
#: What ends a word, or would be acted upon where it stands, in the order in which it is looked for.
_ACTIVE: Final = (
    ("&&", "one command cannot follow another"),
    ("||", "one command cannot follow another"),
    (";", "one command cannot follow another"),
    ("&", "a reader runs in the foreground"),
    ("`", "no command is run inside another"),
    ("$(", "no command is run inside another"),
    (">", "nothing is redirected"),
    ("<", "nothing is redirected"),
    ("(", "commands are not grouped"),
    (")", "commands are not grouped"),
)
_PATTERNS: Final = "*?["


@dataclass(frozen=True)
class Translated:
    """A command of DSDF: its template, the variables that were set in front of it, and whether it placed the options.

    The template has everything but the times and what follows them.
    """

    template: str
    variables: tuple[tuple[str, str], ...] = ()
    placed: bool = False


@dataclass
class _Words:
    """The words of one command: each as a template has it, and as text where it is nothing but text."""

    written: list[str] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)


@dataclass
class _Word:
    """One word: pieces of text, and of template (inserts). It is there though it is empty if there were quotes."""

    pieces: list[tuple[str, bool]] = field(default_factory=list)
    quoted: bool = False

    def put(self, text: str) -> None:
        """Adds text."""
        if self.pieces and not self.pieces[-1][1]:
            text = self.pieces.pop()[0] + text
        self.pieces.append((text, False))

    def put_template(self, written: str) -> None:
        """Adds what is written as templates are."""
        self.pieces.append((written, True))

    def add_to(self, words: _Words) -> None:
        """Makes it a word of a command."""
        if self.pieces or self.quoted:
            inserts = any(template for _text, template in self.pieces)
            words.written.append("".join(t if template else _quoted(t) for t, template in self.pieces) or "''")
            words.texts.append(None if inserts else "".join(text for text, _template in self.pieces))


def translate_command(text: str, *, options: bool, behind: str) -> Translated:
    """The template of a DSDF command, in which `$(PARAMS)` is where options go, if these are handed on (`options`).

    `behind` is what stands behind the command in the TOML that errors advise. Raises `UnfitError` for what only a shell
    would understand, and for no command at all.
    """
    parser = _Parser(text, options=options, behind=behind)
    commands = parser.commands()
    first = commands[0]
    variables = _take_variables(first)
    if not all(command.written for command in commands):
        raise UnfitError("must be a program and its arguments on each side of a |, and there is none on one")
    template = " | ".join(" ".join(command.written) for command in commands)
    return Translated(template, tuple(variables.items()), parser.placed)


def _take_variables(words: _Words) -> dict[str, str]:
    """Takes `X=Y` and `env X=Y` off the front of a command, and gives the variables.

    An `env` with options stays: it is a program like others.
    """
    start = 1 if words.texts and words.texts[0] in _ENV else 0
    count = start
    variables: dict[str, str] = {}
    while count < len(words.texts):
        text = words.texts[count]
        found = _ASSIGNMENT.fullmatch(text) if text is not None else None
        if found is None or "#[" in found[2]:
            break
        variables[found[1]] = found[2]
        count += 1
    if start and (count >= len(words.texts) or (words.texts[count] or "").startswith("-")):
        return {}
    del words.written[:count], words.texts[:count]
    return variables


class _Parser:
    """One walk through a command, word by word. `at` is the next character."""

    def __init__(self, text: str, *, options: bool, behind: str) -> None:
        self.text = text
        self.options = options
        self.behind = behind
        self.at = 0
        self.placed = False
        self.here = _Word()

    def commands(self) -> list[_Words]:
        """The words of each command of the pipe."""
        if "\0" in self.text:
            raise UnfitError("holds a NUL byte, which cannot be handed to a program; leave it out")
        commands = [_Words()]
        while self.skip_blanks():
            if self.text[self.at] == "|" and not self.text.startswith("||", self.at):
                commands.append(_Words())
                self.at += 1
                continue
            self.word()
            self.here.add_to(commands[-1])
        return commands

    def skip_blanks(self) -> bool:
        """Whether anything follows behind the blanks here."""
        blank = _BLANKS.match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        return self.at < len(self.text)

    def word(self) -> None:
        """One word, up to a blank or a pipe."""
        self.here = _Word()
        if self.text[self.at] == "~":
            self.refuse("~", "write the whole path, or #[env.HOME]")
        if self.text[self.at] == "#":
            self.refuse("#", "a command holds no comment; write the # in quotes if it is meant as text")
        while self.at < len(self.text) and not self.text[self.at].isspace():
            char = self.text[self.at]
            if char == "|" and not self.text.startswith("||", self.at):
                return
            if char in "'\"":
                self.quoted(char)
            elif char == "\\":
                self.here.put(self.text[self.at + 1 : self.at + 2] or self.fail_backslash())
                self.at += 2
            elif not self.place(""):
                self.unquoted()

    def fail_backslash(self) -> NoReturn:
        raise UnfitError("ends in a backslash, which quotes nothing; leave it out")

    def unquoted(self) -> None:
        """Characters without quotes, up to the next that may mean something."""
        self.check_active(quoted=False)
        if self.text[self.at] in _PATTERNS:
            self.refuse(
                self.text[self.at],
                "file names are not expanded: let the program look for its files, or write the sign in quotes",
            )
        found = _PLAIN.match(self.text, self.at)
        taken = found[0] if found else self.text[self.at]
        self.here.put(taken)
        self.at += len(taken)

    def quoted(self, quote: str) -> None:
        """What stands in a pair of quotes."""
        start = self.at
        self.at += 1
        self.here.quoted = True
        while not self.text.startswith(quote, self.at):
            if self.at >= len(self.text):
                raise UnfitError(f"has a quote {quote} in column {start + 1} that is not closed")
            if self.place(quote):
                continue
            if quote == '"':
                self.check_active(quoted=True)
                if self.text[self.at] == "\\" and self.text[self.at + 1 : self.at + 2] in ("$", "`", '"', "\\"):
                    self.at += 1
            self.here.put(self.text[self.at])
            self.at += 1
        self.at += 1

    def place(self, quote: str) -> bool:
        """Takes `$(PARAMS)` here, if it is here; das2 servers put the options in before a shell saw the command."""
        found = _PLACE.match(self.text, self.at)
        if found is None:
            return False
        self.at = found.end()
        default = (found[1] or "").strip()
        words = [] if quote or not default else self.words_of(default)
        if self.options:
            instead = " ".join(_quoted(word, insert=True) for word in ([default] if quote and default else words))
            insert = f"#[read.opts # @ # {instead}]" if instead else OPTIONS
            self.here.put_template(f'"{insert}"' if quote else insert)
            self.placed = True
        elif default and quote:
            self.here.put(default)
        elif words:
            self.here.put_template(" ".join(map(_quoted, words)))
        return True

    def words_of(self, default: str) -> list[str]:
        """The words that stand in the place of options which are not given: das2 servers let a shell split them."""
        first, *others = _Parser(default, options=False, behind=self.behind).commands()
        if others:
            raise UnfitError("has a pipe among what stands in place of absent options; put it into a script")
        return [text or "" for text in first.texts]

    def check_active(self, *, quoted: bool) -> None:
        """Refuses what a shell would act upon here."""
        if variable := _VARIABLE.match(self.text, self.at):
            name = variable[1] or variable[2]
            advice = f"write #[env.{name}] in TOML for a variable of the server's environment"
            self.refuse(variable[0], f"{advice}: {self.toml(variable[0], f'#[env.{name}]')}")
        for sign, why in _ACTIVE:
            if self.text.startswith(sign, self.at) and (not quoted or sign in ("`", "$(")):
                self.refuse(sign, f"{why}; put it into a script, reader.sh, and write in TOML: {self.script()}")

    def refuse(self, sign: str, advice: str) -> NoReturn:
        raise UnfitError(
            f"needs a shell for {sign!r} in column {self.at + 1}, and no shell has a part in what clients ask: {advice}"
        )

    def script(self) -> str:
        """The TOML that runs a script in place of the command."""
        return f'[reader] command = "sh reader.sh{" " if self.behind else ""}{self.behind}"'

    def toml(self, sign: str, instead: str) -> str:
        """The TOML that has something else in the place of a sign."""
        line = " ".join(self.text.replace(sign, instead).split())
        command = f"{line}{' ' if self.behind else ''}{self.behind}"
        return f"[reader] command = '''{command}'''"


def _quoted(text: str, *, insert: bool = False) -> str:
    """Text as a template has it, in quotes where it must be; within an `insert` more signs have a meaning."""
    if _PLAIN.fullmatch(text) and not (insert and "@" in text):
        return text
    if not insert and "'" not in text and "#[" not in text:
        return f"'{text}'"
    signs = {'"': r"\"", "\\": r"\\", "$": r"\$", "`": r"\`", "#": r"\#"} | ({"@": r"\@"} if insert else {})
    return '"' + "".join(signs.get(char, char) for char in text) + '"'
