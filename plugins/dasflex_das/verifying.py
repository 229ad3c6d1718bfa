# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifies das2 and das3 streams and das3 documents: each header by its schema, and whether all can be read.

`verify` takes the bytes in chunks and holds no more than a batch of them. What can be read is the decoders' own
verdict; the schemas and what real clients refuse are `verify_rules` and `verify_dialects`. After a fault it goes on as
far as packets can be told from one another: das2 data packets carry no length, so there a broken header ends it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dasflex_core.values import dataclass
from dasflex_das.verify_das2 import Das2Packets
from dasflex_das.verify_das3 import Das3Document, Das3Packets
from dasflex_das.verify_headers import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_das.verify_headers import Verdict
    from dasflex_das.verify_packets import Header, Packets, Tally

__all__ = ["Finding", "Report", "Verifier", "verify"]

#: Different findings, and headers, that a report lists; more are counted.
MOST: Final = 1_000
#: Bytes that tell the form of a stream: what may stand before a document, and a tag.
_HEAD: Final = 64
#: What is said of a stream that no header tells of.
_HEADERLESS: Final = (
    "the stream begins with no header. If these are das1 data, only the definition of their source says what they are:"
    " dasflex check verifies both"
)
_BEFORE: Final = b" \t\r\n\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong in a stream, told where it was met first; `count` is how often.

    `packet` is the tag of the packet, such as `[01]` or `|Hx|1|`, blank for a document, and `offset` the byte at which
    it begins in the stream (after inflating). `line` and `column` count from 1 in the header behind that tag, or in
    the document; 0 is unknown. `text` is what stands there. `rule` is a short name that does not change.
    """

    verdict: Verdict
    rule: str
    message: str
    packet: str = ""
    offset: int = 0
    line: int = 0
    column: int = 0
    text: str = ""
    count: int = 1

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        line = f"line {self.line}, column {self.column}" if self.line else ""
        packet = (
            f"{self.packet} at byte {self.offset:,}" if self.packet else f"byte {self.offset:,}" * bool(self.offset)
        )
        return ", ".join(filter(None, (packet, line))) or "the stream"


@dataclass(frozen=True, slots=True)
class Report:
    """What a stream is, and what is wrong with it.

    `form` is `das2`, `das3` or `document`. `headers` are those of the stream and its datasets, in order; `tallies` the
    datasets by id; `messages` counts comments, exceptions and packets that are neither, by their names. `size` are the
    bytes that came. `left_out` counts headers and findings beyond the first thousand of each.
    """

    verdict: Verdict
    form: str
    headers: tuple[Header, ...]
    findings: tuple[Finding, ...]
    tallies: tuple[Tally, ...]
    messages: tuple[tuple[str, int], ...]
    size: int
    left_out: int = 0

    def number(self, verdict: Verdict) -> int:
        """How many findings have that verdict, each as often as it was met."""
        return sum(each.count for each in self.findings if each.verdict == verdict)


class Verifier:
    """Bytes of a stream in, a report out: `feed` chunks split anywhere, then `finish`."""

    def __init__(self) -> None:
        self._head = b""
        self._packets: Packets | None = None
        self._size = 0
        self._findings: dict[tuple[str | int, ...], Finding] = {}
        self._headers: list[Header] = []
        self._worst: Verdict = "ok"
        self._left_out = 0

    def feed(self, chunk: bytes) -> None:
        """Verifies a chunk."""
        self._size += len(chunk)
        if self._packets is None:
            self._head += chunk
            if len(self._head.lstrip(_BEFORE)) < _HEAD:
                return
            chunk = self._begin()
        if self._packets:
            self._packets.feed(bytes(chunk))
            self._take()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What has been found so far."""
        return tuple(self._findings.values())

    def finish(self) -> Report:
        """The report on all that was fed."""
        rest = self._begin() if self._packets is None else b""
        if self._packets is None:
            raise ValueError("a verifier that has not begun")
        self._packets.feed(rest)
        self._packets.finish()
        self._take()
        packets = self._packets
        if not self._size:
            self._put(Finding("fault", "empty", "the stream is empty; it should begin with a stream header"))
        return Report(
            self._worst,
            packets.form,
            tuple(self._headers),
            self.findings,
            packets.tallies(),
            tuple(sorted(packets.messages.items())),
            self._size,
            self._left_out,
        )

    def _begin(self) -> bytes:
        """Takes up the form that the first bytes tell, and gives these bytes."""
        head, self._head = self._head, b""
        start = head.lstrip(_BEFORE)[:1]
        if start not in b"<|[":  # of an empty stream it is b"", which is in them
            self._put(Finding("fault", "headerless", _HEADERLESS))
        self._packets = Das3Document() if start == b"<" else Das3Packets() if start == b"|" else Das2Packets()
        return head

    def _take(self) -> None:
        """Takes over what has been found since."""
        if self._packets is None:
            return
        for offset, packet, remark in self._packets.take_remarks():
            self._put(
                Finding(
                    remark.verdict,
                    remark.rule,
                    remark.message,
                    packet,
                    offset,
                    remark.line,
                    remark.column,
                    remark.text,
                )
            )
        found = self._packets.take_headers()
        room = max(0, MOST - len(self._headers))
        self._headers += found[:room]
        self._left_out += len(found[room:])

    def _put(self, finding: Finding) -> None:
        """Adds a finding, or counts it where the same was met before."""
        self._worst = max(self._worst, finding.verdict, key=VERDICTS.index)
        key = (finding.rule, finding.message, finding.packet, finding.line, finding.column)
        known = self._findings.get(key)
        if known:
            self._findings[key] = replace(known, count=known.count + 1)
        elif len(self._findings) < MOST:
            self._findings[key] = finding
        else:
            self._left_out += 1


def verify(chunks: Iterable[bytes]) -> Report:
    """The report on a stream that comes in chunks split anywhere, of whatever form.

    >>> report = verify([b'[00]000023<stream version="2.2"/>'])
    >>> report.verdict, report.form, len(report.headers)
    ('ok', 'das2', 1)
    """
    verifier = Verifier()
    for chunk in chunks:
        verifier.feed(chunk)
    return verifier.finish()
