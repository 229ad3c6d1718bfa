# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verification of every form shares: headers with their verdicts, counts, and decoding that survives faults.

The decoder of the plugin says whether data can be read. It is fed runs of packets, so that it decodes many at once;
where it refuses a run, the packets of the run are tried one by one, and the packets of that dataset are then only
counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from dasflex_core.arrays import Comment, Records
from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_das.elements import parse
from dasflex_das.verify_headers import Remark, worst
from dasflex_das.verify_runs import uneven

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.stages import Decoder
    from dasflex_das.elements import Element
    from dasflex_das.verify_headers import Form, Verdict

    #: A remark, the byte at which its packet begins, and the tag of the packet.
    Placed: TypeAlias = tuple[int, str, Remark]

__all__ = ["CLASSIC", "Decoding", "Header", "Packets", "Tally", "excerpt", "left_out", "locate"]

#: Classic clients read headers and packets below this many bytes.
CLASSIC: Final = 262_144
#: Bytes of packets that are decoded at a time, and of headers that are kept to decode them again.
_RUN: Final = 1 << 20
_KEPT: Final = 1 << 25
_QUOTED: Final = 80
#: How often a decoder is made anew; a stream that is refused more often is only counted from then on.
_MOST_DECODERS: Final = 100


@dataclass(frozen=True, slots=True)
class Header:
    """A header of a stream or a dataset: its tag, the byte at which it begins, the name it gives, and its verdict."""

    packet: str
    offset: int
    root: str
    name: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Tally:
    """The packets of one dataset id: headers, data packets and their bytes, and the records that were decoded."""

    id: int
    name: str
    headers: int
    packets: int
    size: int
    records: int


class Packets(ABC):
    """What is verified so far of a stream: the base of its forms."""

    form: Form

    def __init__(self) -> None:
        self.messages: dict[str, int] = {}
        self._remarks: list[Placed] = []
        self._headers: list[Header] = []
        self._tallies: dict[int, list[int]] = {}
        self._names: dict[int, str] = {}

    @abstractmethod
    def feed(self, chunk: bytes) -> None:
        """Verifies a chunk."""

    @abstractmethod
    def finish(self) -> None:
        """Verifies the end."""

    def tallies(self) -> tuple[Tally, ...]:
        """The counts of each id, in the order of ids."""
        return tuple(
            Tally(number, self._names.get(number, ""), *counts) for number, counts in sorted(self._tallies.items())
        )

    def take_remarks(self) -> list[Placed]:
        """What was found since the last time."""
        taken, self._remarks = self._remarks, []
        return taken

    def take_headers(self) -> list[Header]:
        """The headers that were met since the last time."""
        taken, self._headers = self._headers, []
        return taken

    def remark(self, offset: int, packet: str, remark: Remark) -> None:
        """Adds a remark about a packet."""
        self._remarks.append((offset, packet, remark))

    def fault(self, offset: int, packet: str, error: SourceError, text: str = "") -> None:
        """Adds the error of a parser or a framer."""
        self.remark(offset, packet, Remark("fault", error.kind.partition(".")[2], error.message, text=text))

    def count(self, number: int, *, headers: int = 0, packets: int = 0, size: int = 0, records: int = 0) -> None:
        """Counts something of a dataset."""
        counts = self._tallies.setdefault(number, [0, 0, 0, 0])
        for place, each in enumerate((headers, packets, size, records)):
            counts[place] += each

    def met(self, offset: int, packet: str, root: str, name: str, remarks: Iterable[Remark]) -> None:
        """Adds a header and what is wrong with it."""
        found = list(remarks)
        for each in found:
            self.remark(offset, packet, each)
        self._headers.append(Header(packet, offset, root, name, worst(found)))


class Decoding:
    """Runs of data packets through a decoder, which is made anew when it refused something.

    `wrong` is called with the offset and the tag of a packet that cannot be decoded, the error and its first bytes;
    `records` with an id and the number of its records. `uneven` are the id and the offset of packets with runs of
    different lengths over one index, and what to say of each: the first of each batch.
    """

    def __init__(
        self,
        decoder: Callable[[], Decoder],
        wrong: Callable[[int, int, SourceError, bytes], None],
        records: Callable[[int, int], None],
    ) -> None:
        self.uneven: list[tuple[int, int, str]] = []
        self._make = decoder
        self._decoder = decoder()
        self._wrong = wrong
        self._records = records
        self._start = b""
        self._known: dict[int, bytes] = {}
        self._broken: set[int] = set()
        self._run: list[tuple[int, int, bytes]] = []
        self._held = 0
        self._dead = False
        self._left = _MOST_DECODERS

    def start(self, packet: bytes) -> None:
        """The stream header. Raises `SourceError` where the decoder refuses it."""
        try:
            self._through(packet)
        except SourceError:
            self._dead = True
            raise
        self._start = self._start or packet

    def declare(self, number: int, packet: bytes) -> list[Comment]:
        """A header of a dataset; gives what the decoder says of it. Raises `SourceError` where it refuses it."""
        self.flush()
        if self._dead:
            return self._alone(packet)
        self._broken.discard(number)
        try:
            said = self._through(packet)
        except SourceError:
            self._give_up(number)
            raise
        self._known[number] = packet
        if sum(map(len, self._known.values())) > _KEPT:
            self._known = {}
        return said

    def _alone(self, packet: bytes) -> list[Comment]:
        """A header for a decoder that knows only the stream header, where data are no longer decoded."""
        if not self._start:
            return []
        decoder = self._make()
        items = [*decoder.feed(self._start), *decoder.feed(packet)]
        return [item for item in items if isinstance(item, Comment)]

    def message(self, packet: bytes) -> None:
        """A comment or an exception. Raises `SourceError` where the decoder refuses it."""
        self.flush()
        if self._dead:
            return
        try:
            self._through(packet)
        except SourceError:
            self._renew()
            raise

    def data(self, number: int, offset: int, packet: bytes) -> None:
        """A data packet, which is decoded with others."""
        if self._dead or number in self._broken:
            return
        self._run.append((number, offset, packet))
        self._held += len(packet)
        if self._held > _RUN:
            self.flush()

    def flush(self) -> None:
        """Decodes what waits."""
        run, self._run, self._held = self._run, [], 0
        if not run:
            return
        counts: dict[int, int] = {}
        try:
            for item in self._decoder.feed(b"".join(packet for _number, _offset, packet in run)):
                if isinstance(item, Records):
                    self._compare(item, counts.get(item.dataset.id, 0), run)
                    counts[item.dataset.id] = counts.get(item.dataset.id, 0) + len(item)
        except SourceError as error:
            self._one_by_one(run, error)
            return
        for number, count in counts.items():
            self._records(number, count)

    def _compare(self, records: Records, before: int, run: list[tuple[int, int, bytes]]) -> None:
        """Notes records whose runs differ in length over one index; `before` are those of the run that came earlier."""
        found = uneven(records) if any(variable.ragged for variable in records.dataset.columns) else None
        if found:
            own = [offset for number, offset, _packet in run if number == records.dataset.id]
            self.uneven.append((records.dataset.id, own[before + found[0]], found[1]))

    def _one_by_one(self, run: list[tuple[int, int, bytes]], reason: SourceError) -> None:
        """Finds the packets at fault in a run that was refused: the first of each id, which is then given up."""
        self._renew()
        found = False
        for number, offset, packet in run:
            if self._dead or number in self._broken:
                continue
            try:
                records = sum(len(item) for item in self._decoder.feed(packet) if isinstance(item, Records))
            except SourceError as error:
                found = True
                self._wrong(number, offset, error, packet)
                self._give_up(number)
            else:
                self._records(number, records)
        if not found:
            number, offset, packet = run[0]
            self._wrong(number, offset, reason, packet)
            self._dead = True

    def _give_up(self, number: int) -> None:
        """Decodes no packet of that id until it is declared again."""
        self._broken.add(number)
        self._known.pop(number, None)
        self._renew()

    def _renew(self) -> None:
        """A decoder that knows the headers that were right."""
        self._decoder = self._make()
        self._left -= 1
        self._dead = self._dead or not self._start or self._left < 0
        if self._dead:
            return
        try:
            for packet in (self._start, *self._known.values()):
                self._through(packet)
        except SourceError:
            self._dead = True

    def _through(self, packet: bytes) -> list[Comment]:
        """One packet that holds no data; gives what the decoder remarks."""
        return [item for item in self._decoder.feed(packet) if isinstance(item, Comment)]


def _labels(root: Element) -> Iterator[tuple[str, Element]]:
    """What errors call the elements of a header, as far as they name them."""
    for child in root.children:
        if child.tag in ("x", "y", "z", "yscan"):
            yield f"<{child.tag}> {child.get('name')}".rstrip(), child
        elif child.tag in ("coord", "data"):
            name = child.get("name") or child.get("physDim") or child.tag
            for variable in child.all("scalar", "vector"):
                role = variable.get("use", "center").strip().lower()
                own = name if role == "center" else f"{name}.{role}"
                yield f"variable {own}", variable
        else:
            yield f"<{child.tag}>", child


def locate(body: bytes, error: SourceError) -> Remark:
    """The error of a parser of headers, with the place of the element that it names, or else of the root."""
    kind = error.kind.partition(".")[2]
    try:
        root = parse(body, "")
    except SourceError:
        return Remark("fault", kind, error.message)
    named = [(label, each) for label, each in _labels(root) if label in error.message]
    _label, at = max(named, key=lambda each: len(each[0]), default=("", root))
    before = body[: at.span[0]].decode("utf-8", "replace")
    column = len(before) - before.rfind("\n")
    text = excerpt(body[at.span[0] : at.span[1]].split(b">")[0] + b">")
    return Remark("fault", kind, error.message, at.line, column, text)


def left_out(body: bytes, why: str) -> Remark:
    """What a reader left out of a header, with the place of the element that it names."""
    found = locate(body, SourceError(why, kind="source.stream"))
    return replace(found, verdict="deviation", rule="left-out")


def excerpt(data: bytes) -> str:
    """Bytes as text on one line, cut where they are long."""
    text = " ".join(data[: _QUOTED * 4].decode("utf-8", "backslashreplace").split())
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"
