# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the XML of headers against the rules of their schema, and says at which line and column it differs.

The XML is read by expat as it comes, so that a document of any length takes no memory. Whether a header can be read at
all is for the parsers of the decoders to say; what they read and the schema does not have is a deviation.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from xml.parsers import expat

from dasflex_core.values import dataclass
from dasflex_das.elements import MAX_DEPTH
from dasflex_das.verify_dialects import DIALECTS2, DIALECTS3, of_packet
from dasflex_das.verify_rules import ALIASES, ANY, DAS2, DAS3, DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_das.verify_dialects import Slip
    from dasflex_das.verify_rules import Attribute, Children, Rule

__all__ = ["VERDICTS", "Declared", "Form", "HeaderChecker", "Remark", "Verdict", "check_header", "worst"]

Verdict: TypeAlias = Literal["ok", "deviation", "fault"]
#: The verdicts, the better ones first.
VERDICTS: Final[tuple[Verdict, ...]] = ("ok", "deviation", "fault")
#: Which rules count.
Form: TypeAlias = Literal["das2", "das3", "document"]

_RULES: Final[Mapping[str, Mapping[str, Rule]]] = {"das2": DAS2, "das3": DAS3, "document": DOCUMENT}
#: Remarks about one header, at most.
MOST: Final = 200
#: Datasets of one document that are listed; no more can be read.
MOST_DATASETS: Final = 1_000
#: Characters of a stream that a remark quotes.
_QUOTED: Final = 80
#: Bytes of a tag that are looked through for an attribute.
_LOOKED_THROUGH: Final = 1 << 16
#: Characters of the text of an element that are looked at.
_LONGEST_TEXT: Final = 1 << 20
#: Elements whose children are looked at together. Others may have any number of them.
_LISTED: Final = ("packet", "scalar", "vector")
#: A plane that only the das 2.3 draft has.
_DRAFT: Final = ("packet", "xscan")
_NAMESPACE: Final = re.compile(r"xmlns(:.*)?|(xsi|xml):.*")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is wrong in a header: its verdict, the name of the rule, what, and where.

    `line` and `column` count from 1 and from the first byte of the header, or of the document; `text` is what was
    written there, cut where it is long.
    """

    verdict: Verdict
    rule: str
    message: str
    line: int = 0
    column: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """A dataset of a document: its id (0 for none), its name, the place of its first remark, and its verdict."""

    id: int
    name: str
    first: int
    verdict: Verdict = "ok"


def worst(remarks: Iterable[Remark]) -> Verdict:
    """The verdict of all remarks together."""
    return max((each.verdict for each in remarks), key=VERDICTS.index, default="ok")


class _Open:
    """An element whose end has not come: its rule, and how far its sequence of children has come."""

    def __init__(self, tag: str, rule: Rule | None, line: int, column: int) -> None:
        self.tag = tag
        self.rule = rule
        self.line = line
        self.column = column
        self.group = 0
        self.counts: dict[int, int] = {}
        self.text: list[str] = []
        self.length = 0
        self.planes: list[tuple[str, str]] = []


class HeaderChecker:
    """XML in pieces in; `remarks` is what was found. `shift` are the lines and columns of blanks before it.

    Beyond the first `MOST` remarks only the first fault is kept.
    """

    def __init__(self, form: Form, shift: tuple[int, int] = (0, 0)) -> None:
        self.remarks: list[Remark] = []
        self.root = ""
        self.place = (1, 1)
        self.records: dict[int, int] = {}
        self.datasets: list[Declared] = []
        self._form: Form = form
        self._rules = _RULES[form]
        self._shift = shift
        self._faulty = False
        self._seen: tuple[int, bytes, dict[str, tuple[int, int]]] = (-1, b"", {})
        self._stack: list[_Open] = []
        parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.CommentHandler = self._comment
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        self._parser = parser

    def feed(self, piece: bytes, *, last: bool = False) -> bool:
        """Checks a piece; False where the XML cannot be read any further, which is a remark."""
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            self._shape(f"no well-formed XML: {expat.ErrorString(error.code)}", error.lineno, error.offset)
        except (LookupError, ValueError):  # the second for encodings of several bytes, which expat cannot read
            self._shape("the prolog names an encoding that nobody knows", *self._at())
        except _StopError:
            pass
        else:
            return True
        return False

    def _shape(self, why: str, line: int, column: int) -> None:
        """Remarks that the XML itself is broken."""
        self._remark("fault", "xml", why, (line, column))

    def _at(self) -> tuple[int, int]:
        """Line and column of the parser as expat counts them: from 1, and from 0."""
        return self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber

    def _is_enough(self, verdict: Verdict) -> bool:
        """Whether no more remarks of that verdict are kept."""
        return len(self.remarks) >= MOST and (self._faulty or verdict != "fault")

    def _remark(self, verdict: Verdict, rule: str, message: str, at: tuple[int, int], text: str = "") -> None:
        """Adds a remark unless there are too many."""
        if self._is_enough(verdict):
            return
        self._faulty = self._faulty or verdict == "fault"
        line, column = at
        lines, columns = self._shift
        column = column + 1 + (columns if line == 1 else 0)
        self.remarks.append(Remark(verdict, rule, message, line + lines, column, _cut(text)))

    def _tell(self, verdict: Verdict, rule: str, message: str, attribute: str = "") -> None:
        """A remark about the tag that the parser stands at, or an attribute in it."""
        if self._is_enough(verdict):
            return
        line, column = self._at()
        if self._seen[0] != self._parser.CurrentByteIndex:
            context = (self._parser.GetInputContext() or b"")[:_LOOKED_THROUGH]
            self._seen = (self._parser.CurrentByteIndex, context, _attributes(context))
        _index, context, spans = self._seen
        found = spans.get(attribute) if attribute else None
        if found is None:
            tag = context[: _QUOTED * 4].split(b">")[0].decode("utf-8", "replace") + ">"
            self._remark(verdict, rule, message, (line, column), tag)
            return
        before = context[: found[0]].decode("utf-8", "replace")
        lines = before.count("\n")
        column = len(before) - before.rfind("\n") - 1 if lines else column + len(before)
        written = context[found[0] : found[1]].decode("utf-8", "replace")
        self._remark(verdict, rule, message, (line + lines, column), written)

    def _doctype(self, *_about: object) -> None:
        self._shape("a header may hold no DTD and no entities", *self._at())
        raise _StopError

    def _comment(self, _text: str) -> None:
        if not self.root and self._form == "das3":
            self._tell("deviation", "comment-first", "das2C refuses an XML comment before the root element")

    def _start(self, tag: str, pairs: list[str]) -> None:
        if len(self._stack) >= MAX_DEPTH:
            self._shape(f"elements are nested more than {MAX_DEPTH} deep", *self._at())
            raise _StopError
        attributes = dict(zip(pairs[::2], pairs[1::2], strict=True))
        self.place = self._at()
        parent = self._stack[-1] if self._stack else None
        self.root = self.root or tag
        rule = self._rule(tag, parent)
        self._stack.append(_Open(tag, rule, *self.place))
        if parent and parent.tag in _LISTED:
            parent.planes.append((tag, attributes.get("name", "").strip()))
        if rule:
            self._check_attributes(tag, rule, attributes)
            dialect = (DIALECTS2 if self._form == "das2" else DIALECTS3).get(tag)
            for slip in dialect(attributes, parent.tag if parent else "") if dialect else ():
                self._slip(slip)
        if self._form == "document" and len(self._stack) == 2:
            self._count(tag, attributes)

    def _count(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Counts the datasets and records of a document."""
        number = _number(attributes.get("id", ""))
        if tag == "dataset" and len(self.datasets) < MOST_DATASETS:
            self.datasets.append(Declared(number, attributes.get("name", ""), len(self.remarks)))
            self.records.setdefault(number, 0)
        elif tag == "d" and number in self.records:
            self.records[number] += 1

    def _slip(self, slip: Slip) -> None:
        self._tell("deviation", slip.rule, slip.message, slip.attribute)

    def _rule(self, tag: str, parent: _Open | None) -> Rule | None:
        """The rule of an element, after its place in the sequence of its parent was checked."""
        rule = self._rules.get(tag)
        if parent is None or parent.rule is None or parent.tag == "extension":
            return rule if parent is None else None
        groups = parent.rule.children
        group = next((place for place, each in enumerate(groups) if tag in each.tags), None)
        if group is None and (parent.tag, tag) == _DRAFT:
            self._tell("deviation", "draft", "<xscan> is of the das 2.3 draft; clients know waveforms as <yscan>")
            return None
        if group is None:
            self._tell("fault", "element", f"<{parent.tag}> may not hold <{tag}>{_listed(groups)}")
            return None
        count = parent.counts[group] = parent.counts.get(group, 0) + 1
        if group < parent.group:
            later = " or ".join(f"<{each}>" for each in groups[parent.group].tags)
            self._tell("deviation", "order", f"<{tag}> stands behind {later}, and the schema has it before")
        parent.group = max(group, parent.group)
        if count == groups[group].most + 1:
            self._tell("deviation", "too-many", f"<{parent.tag}> may hold {groups[group].most} <{tag}>")
        return rule

    def _check_attributes(self, tag: str, rule: Rule, attributes: Mapping[str, str]) -> None:
        """Holds the attributes of an element against its rule."""
        aliases = {ALIASES[tag, name] for name in attributes if (tag, name) in ALIASES}
        for name, wanted in rule.attributes.items():
            if name in attributes:
                self._check_value(name, attributes[name], wanted)
            elif wanted.required and name not in aliases:
                verdict: Verdict = "deviation" if wanted.lenient else "fault"
                self._tell(verdict, "attribute-missing", f"<{tag}> lacks {name}, which the schema requires")
        if not rule.open:
            for name in attributes:
                if name not in rule.attributes and not _NAMESPACE.fullmatch(name):
                    self._unknown(tag, name)

    def _unknown(self, tag: str, name: str) -> None:
        """Remarks on an attribute that the schema does not have."""
        alias = ALIASES.get((tag, name)) if self._form != "das2" else None
        if alias is not None:
            message = f"{name} is what release candidates called {alias}"
            if not alias:
                message = f"release candidates had {name}; the schema wants all values, or an interval for each index"
            self._tell("deviation", "attribute-alias", message, name)
        elif (tag, name) != ("yscan", "yTagMax"):
            self._tell("deviation", "attribute-unknown", f"the schema has no attribute {name} of <{tag}>", name)

    def _check_value(self, name: str, value: str, wanted: Attribute) -> None:
        """Holds the value of an attribute against its pattern."""
        if _matches(wanted.pattern, value):
            return
        if name == "index" and _matches(wanted.pattern, value.replace("^", "*")):
            message = "^ is how das2C writes a borrowed extent; the schema has * there, which it reads as well"
            self._tell("deviation", "index-caret", message, name)
            return
        self._tell("deviation", "attribute-value", f"{value[:_QUOTED]!r} is no {name} of the schema", name)

    def _data(self, text: str) -> None:
        """Keeps text that a rule has something to say of; blanks between elements are of no interest."""
        if not self._stack or text.isspace():
            return
        own = self._stack[-1]
        if own.rule and own.rule.text != ANY and own.length < _LONGEST_TEXT:
            own.text.append(text)
            own.length += len(text)

    def _end(self, tag: str) -> None:
        own = self._stack.pop()
        self._check_end(tag, own)
        if self._form == "document" and tag == "dataset" and self.datasets:
            declared = self.datasets[-1]
            self.datasets[-1] = replace(declared, verdict=worst(self.remarks[declared.first :]))

    def _check_end(self, tag: str, own: _Open) -> None:
        """Holds a whole element against its rule: what it lacks, and its text."""
        if own.rule is None:
            return
        place = (own.line, own.column)
        for group, each in enumerate(own.rule.children):
            if own.counts.get(group, 0) < each.least:
                wanted = " or ".join(f"<{child}>" for child in each.tags)
                verdict: Verdict = "deviation" if tag in ("dataset", "extData", "object") else "fault"
                self._remark(verdict, "element-missing", f"<{tag}> holds no {wanted}", place, f"<{tag}>")
        if tag in ("scalar", "vector"):
            self._check_source(own, place)
        text = "".join(own.text)
        if not _matches(own.rule.text, text):
            self._remark("deviation", "text", f"<{tag}> holds text that the schema does not allow", place, text.strip())
        if self._form == "das2" and tag == "packet":
            for slip in of_packet([each for each in own.planes if each[0] != "properties"]):
                self._remark("deviation", slip.rule, slip.message, place, f"<{tag}>")

    def _check_source(self, own: _Open, place: tuple[int, int]) -> None:
        """A variable has its values from one `<values>` or `<packet>`, or from a sequence for each component."""
        tags = [each for each, _name in own.planes if each != "properties"]
        if len(tags) > 1 and (own.tag == "scalar" or set(tags) != {"sequence"}):
            message = f"<{own.tag}> holds {', '.join(f'<{each}>' for each in tags[:4])}, where one of them should be"
            self._remark("deviation", "too-many", message, place, f"<{own.tag}>")


class _StopError(Exception):
    """Ends the parsing of XML that is refused."""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _matches(pattern: str, value: str) -> bool:
    """Whether a whole value is as the pattern says."""
    return _compiled(pattern).fullmatch(value) is not None


def _cut(text: str) -> str:
    """The text on one line, cut where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _QUOTED else f"{flat[: _QUOTED - 1]}…"


def _listed(groups: tuple[Children, ...]) -> str:
    """What an element may hold, for a message."""
    tags = [f"<{tag}>" for each in groups for tag in each.tags]
    return f"; it may hold {', '.join(tags)}" if tags else ""


def _number(text: str) -> int:
    """The number of an id; 0 for what is none, as the reader has it."""
    clean = text.strip()
    return int(clean) if clean.isascii() and clean.isdigit() and len(clean) < 10 else 0


_TAG: Final = re.compile(rb"<[^\s>/]+")
_BLANKS: Final = re.compile(rb"\s*")
_ATTRIBUTE: Final = re.compile(rb"""([^\s=<>"'/]+)\s*=\s*("[^"]*"|'[^']*')""")


def _attributes(tag: bytes) -> dict[str, tuple[int, int]]:
    """Where each attribute of a tag begins and ends; the bytes begin with the tag."""
    found: dict[str, tuple[int, int]] = {}
    start = _TAG.match(tag)
    place = start.end() if start else 0
    while blanks := _BLANKS.match(tag, place):
        each = _ATTRIBUTE.match(tag, blanks.end())
        if each is None:
            break
        found.setdefault(each[1].decode("utf-8", "replace"), each.span())
        place = each.end()
    return found


def check_header(body: bytes, form: Form) -> tuple[str, list[Remark]]:
    """The tag of the root of a header, blank for none, and what is wrong with it by the rules of its schema."""
    blank = body[: len(body) - len(body.lstrip())]
    lines = blank.count(b"\n")
    checker = HeaderChecker(form, (lines, len(blank) - blank.rfind(b"\n") - 1))
    checker.feed(body[len(blank) :], last=True)
    return checker.root, checker.remarks
