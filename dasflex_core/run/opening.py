# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens the nodes of a plan: each becomes an iterator over its output, its input being that of the node before.

Whatever has no input starts at once, before the code of later stages is imported: a reader works while numpy loads.
Where nothing comes for a while, an empty chunk or `SILENCE` goes up in its place, past all stages, so that the last
place can look at the clock: nobody else need, and there is no thread for it.
The later inputs of a `concat` are opened when their turn comes.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, cast

from dasflex_core.errors import DasflexError, SourceError
from dasflex_core.run.filing import BlockFile, spooled, tee
from dasflex_core.run.joining import concat_bytes, concat_frames
from dasflex_core.run.loading import make
from dasflex_core.run.processes import Process
from dasflex_core.run.shape import gives_items, wrong
from dasflex_core.run.stats import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dasflex_core.arrays import Item
    from dasflex_core.plan.graph import Node, Nodes
    from dasflex_core.run.context import Piece, Run
    from dasflex_core.stages import Producer, Stage

__all__ = ["Opener"]

_P = TypeVar("_P")


class Opener:
    """Opens the nodes of one run. `meters` has one meter for each.

    `mark` is called before the bytes of the first records: what is waited for at the start of an answer. `inputs` are
    the bytes of nodes, by place, that are not opened here. With `flush`, a formatter holds nothing when its input is
    silent: live data may not wait.
    """

    def __init__(
        self,
        nodes: Nodes,
        run: Run,
        mark: Callable[[], None] | None = None,
        *,
        inputs: Mapping[int, Iterator[bytes]] = MappingProxyType({}),
        flush: bool = False,
    ) -> None:
        self.meters = tuple(Meter() for _node in nodes)
        self._nodes = nodes
        self._run = run
        self._mark = mark or run.mark_data
        self._inputs = inputs
        self._flush = flush
        self._by_kind: dict[str, Callable[[Node], Iterator[Piece]]] = {
            "process": self._process,
            "classic": self._classic,
            "producer": self._producer,
            "stage": self._stage,
            "spool": self._spool,
            "file": self._file,
            "concat": self._concat,
            "merge": self._merge,
            "tee": self._tee,
        }

    def open(self, place: int) -> Iterator[Piece]:
        """The output of a node, counted. Raises what its start raises."""
        node, meter = self._nodes[place], self.meters[place]
        flow = self._inputs[place] if place in self._inputs else self._by_kind[node.kind](node)
        counted: Iterator[Piece]
        if gives_items(node):
            from dasflex_core.run.staging import told

            items = cast("Iterator[Item]", flow)
            if node.facts:
                from dasflex_core.run.informing import informed

                items = informed(items, node.facts)
            counted = meter.count_items(told(items, self._run))
        else:
            counted = meter.count_bytes(cast("Iterator[bytes]", flow))
        self._run.keep(flow)
        self._run.keep(counted)
        return counted

    def _bytes(self, node: Node, place: int = 0) -> Iterator[bytes]:
        """The output of an input of a node that takes bytes."""
        if gives_items(self._nodes[node.inputs[place]]):
            raise wrong(node, f"a {node.kind} takes bytes, not arrays")
        return cast("Iterator[bytes]", self.open(node.inputs[place]))

    def _items(self, node: Node, place: int = 0) -> Iterator[Item]:
        """The output of an input of a node that takes items."""
        if not gives_items(self._nodes[node.inputs[place]]):
            raise wrong(node, f"a {node.kind} takes arrays, not bytes")
        return cast("Iterator[Item]", self.open(node.inputs[place]))

    def _process(self, node: Node) -> Iterator[Piece]:
        """A command, fed by the node before it if there is one."""
        if node.command is None:
            raise wrong(node, "a process needs a command")
        feed = self._bytes(node) if node.inputs else None
        process = Process(node.name, node.command, self._run.family, self._run.settings, feed)
        self._run.at_end(process.close)
        return process.chunks()

    def _classic(self, node: Node) -> Iterator[Piece]:
        """A classic program, fed by the node before it."""
        from dasflex_core.run.classic import worked

        if node.command is None:
            raise wrong(node, "a classic program needs a command")
        last = node is self._nodes[-1]
        return worked(node.command, self._bytes(node), self._run, self._mark if last else lambda: None)

    def _file(self, node: Node) -> Iterator[Piece]:
        """A file, or blocks of the cache."""
        if node.blocks:
            return self._blocks(node)
        block = BlockFile(node.name, node.path)
        self._run.at_end(block.close)
        return block.chunks()

    def _blocks(self, node: Node) -> Iterator[Piece]:
        """Blocks of the cache, and in the place of broken ones what the source's reader gives."""
        from dasflex_core.run.blocks import block_streams, broken

        replaced = partial(broken, self._run, self._instead)
        if not gives_items(node):
            return block_streams(node.blocks, partial(self._run.settings.framer, node.produces), replaced)
        from dasflex_core.run.block_items import block_items

        return block_items(node, replaced)

    def _instead(self, begin: int, end: int) -> Iterator[Piece]:
        """What the source's reader gives for a part of the range. Raises `SourceError` where nothing can."""
        nodes = self._run.settings.instead(begin, end)
        return Opener(nodes, self._run, self._mark, flush=self._flush).open(len(nodes) - 1)

    def _producer(self, node: Node) -> Iterator[Piece]:
        """An in-process reader, in a thread of its own."""
        from dasflex_core.run.conveyor import Conveyor
        from dasflex_core.run.silence import SILENCE
        from dasflex_core.run.staging import never_empty

        producer = cast("Producer", make(node))
        items, period = gives_items(node), self._run.settings.look
        conveyor = cast(
            "Conveyor[Piece]", Conveyor(idle=SILENCE, period=period) if items else Conveyor(idle=b"", period=period)
        )
        self._run.carry(conveyor)
        conveyor.load(0, lambda: _produced(producer, node.name, conveyor.closed))
        return never_empty(cast("Iterator[Item]", conveyor.items())) if items else conveyor.items()

    def _stage(self, node: Node) -> Iterator[Piece]:
        """A stage, by what it takes and gives."""
        takes_items = gives_items(self._nodes[node.inputs[0]])
        source = self.open(node.inputs[0])
        stage = make(node)
        if not takes_items and not gives_items(node):
            return _filtered(stage, cast("Iterator[bytes]", source))
        from dasflex_core.run.staging import decoded, formatted, transformed

        if not takes_items:
            return decoded(stage, cast("Iterator[bytes]", source))
        if gives_items(node):
            return transformed(stage, cast("Iterator[Item]", source))
        return formatted(stage, cast("Iterator[Item]", source), self._mark, flush=self._flush)

    def _spool(self, node: Node) -> Iterator[Piece]:
        """A formatter that makes a file first."""
        settings = self._run.settings
        source = self._items(node)
        create = partial(make, node)
        return spooled(source, create, settings.scratch, settings.quota, self._mark)

    def _concat(self, node: Node) -> Iterator[Piece]:
        """The inputs one after the other."""
        settings = self._run.settings
        if gives_items(node):
            from dasflex_core.run.joining_items import concat_items

            return concat_items(_in_turn(partial(self._items, node), len(node.inputs)))
        inputs = _in_turn(partial(self._bytes, node), len(node.inputs))
        if settings.framer(node.produces) is not None:
            return concat_frames(inputs, lambda: settings.framer(node.produces))
        if any(node.produces.serves(each) for each in settings.headerless):
            return concat_bytes(inputs)
        raise wrong(node, f"streams of the type {node.produces} cannot be joined, since there is no framer for them")

    def _merge(self, node: Node) -> Iterator[Piece]:
        """The inputs as they come."""
        from dasflex_core.run.conveyor import Conveyor
        from dasflex_core.run.joining_items import merge_items

        opened = [self._items(node, place) for place in range(len(node.inputs))]
        conveyor: Conveyor[Item] = self._run.carry(Conveyor())
        return merge_items([partial(iter, each) for each in opened], conveyor)

    def _tee(self, node: Node) -> Iterator[Piece]:
        """The input, copied to a file, or to blocks of the cache."""
        if node.filling is not None:
            from dasflex_core.run.leaving import left, left_of_items

            note = self._run.settings.note
            if gives_items(node):
                return left_of_items(self._items(node), node.filling, note)
            return left(self._bytes(node), node.filling, note)
        if not node.path:
            raise wrong(node, "a tee needs a path")
        return tee(self._bytes(node), node.path, self._run.settings.note)


def _in_turn(begin: Callable[[int], Iterator[_P]], count: int) -> list[Callable[[], Iterator[_P]]]:
    """Inputs of which the first is opened now, and each other when it is called."""
    first = begin(0)
    return [lambda: first, *(partial(begin, place) for place in range(1, count))]


def _filtered(stage: Stage[bytes, bytes], source: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes that a stage makes of bytes. Nothing comes of nothing, since no bytes are no data."""
    something = False
    for chunk in source:
        if chunk:
            something = True
            yield from stage.feed(chunk)
        yield b""
    if something:
        yield from stage.finish()


def _produced(producer: Producer, name: str, cancelled: Callable[[], bool]) -> Iterator[Piece]:
    """The items, or the bytes, of an in-process reader. Whatever it raises of its own is a reader that failed."""
    try:
        yield from producer.items(cancelled)
    except DasflexError:
        raise
    except Exception as error:
        raise SourceError(f"The stage {name} failed", kind="source.exit", detail=repr(error)) from error
