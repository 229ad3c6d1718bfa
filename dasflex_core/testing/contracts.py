# SPDX-License-Identifier: GPL-3.0-or-later
"""What every stage must keep, as classes of tests for pytest: inherit one and say which stage it is for.

    from dasflex_core.testing import FormatterContract, ReducerContract

    class TestCsv(FormatterContract):
        formatter = CsvFormatter
        plugin = "dasflex_csv.plugin"

    class TestBandPower(ReducerContract):
        reducer = BandPower
        options = {"low": 5.0, "high": 30.0}
        plugin = "bandpower.plugin"

`options` are the values of the parameters by attribute, as a plan would give them. `plugin` is the module that the
entry point names. Override `streams` where the small streams of `dasflex_core.testing.golden` do not suit, and add
tests of your own to the class. A name that begins with `Test` is what pytest looks for.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from dasflex_core.errors import DasflexError, QueryError, SourceError
from dasflex_core.stages import spec_of
from dasflex_core.testing.expecting import (
    Among,
    chunkings,
    dataset_id,
    expect,
    expect_declared,
    expect_same,
    expect_source_error,
    renumbered,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dasflex_core.arrays import Item
    from dasflex_core.stages import Decoder, Formatter, Producer, Reducer, StageSpec, Value

__all__ = ["DecoderContract", "FormatterContract", "ReaderContract", "ReducerContract"]

#: Libraries that no declaration may import: a request that does not use a stage must not pay for it.
HEAVY = ("numpy", "orjson", "pandas", "pyarrow", "matplotlib", "astropy", "h5py", "pycdfpp", "scipy", "xarray")


class _StageContract:
    """What the contracts share."""

    options: ClassVar[Mapping[str, Value]] = {}
    plugin: ClassVar[str] = ""

    def declared(self) -> StageSpec:
        """The declaration of the stage."""
        raise NotImplementedError

    def test_the_declaration_leads_to_the_class(self) -> None:
        """The declaration names the class, so that a plan finds it, and says in words what it is."""
        from dasflex_core.loading import load

        spec, found = self.declared(), load(self.declared().factory)
        expect(getattr(found, "spec", None) == spec, f"{spec.factory} does not lead to the class that declares it")
        expect(spec.title, f"{spec.name} has no title: write a docstring, or title= in the class line")

    def test_parameters_are_well_named(self) -> None:
        """Parameters have a family, no capitals and no underscores; the options here are what the class is given."""
        spec = self.declared()
        for param in spec.params:
            plain = param.name.replace("{coord}", "coord")
            good = "." in plain and plain == plain.lower() and plain.replace(".", "").isalnum()
            expect(good, f"{param.name!r} is no name of a parameter; write one like bin.time.max")
            expect(param.title or param.help, f"{param.name} says nowhere what it is: give it a title or help")
        known = {param.attribute for param in spec.params} | {name.replace(".", "_") for name in spec.reads}
        known |= {"facts", "words"} if spec.tells else set()
        expect(set(self.options) <= known, f"options has {sorted(set(self.options) - known)}, which are no attributes")

    def test_declaring_imports_nothing_heavy(self) -> None:
        """Loading the plugin's module imports no library that only its work needs."""
        if not self.plugin:
            pytest.skip("set plugin to the module that the entry point names")
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; import {self.plugin}; "
            f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        expect(not told.stdout.strip(), f"loading {self.plugin} imports {told.stdout.strip()}")


class _ItemsContract(_StageContract):
    """What the contracts of stages that take items share."""

    def streams(self) -> Mapping[str, list[Item]]:
        """Streams that the stage is tried with, by name; each call must make new items."""
        from dasflex_core.testing import golden

        return golden.streams()

    def run(self, items: Iterable[Item]) -> list[Any]:
        """What comes out of a new stage."""
        raise NotImplementedError

    def taken(self) -> dict[str, list[Any]]:
        """What comes out, for the streams that the stage does not decline. It must take one at least."""
        found: dict[str, list[Any]] = {}
        for name, items in self.streams().items():
            try:
                found[name] = self.run(items)
            except QueryError as error:
                expect(error.kind.startswith("query."), f"declining {name} has the kind {error.kind!r}")
        expect(found, "the stage declines all streams; override streams() with some that it takes")
        return found

    def test_the_input_is_left_as_it_was(self) -> None:
        """Batches are shared with other stages, so a stage changes none."""
        for name in self.taken():
            items = self.streams()[name]
            self.run(items)
            expect_same(items, self.streams()[name], f"the input {name} was changed")

    def test_a_second_run_gives_the_same(self) -> None:
        """A stage keeps nothing from one stream to the next, in its class or its module."""
        for name, first in self.taken().items():
            expect_same(first, self.run(self.streams()[name]), f"a second run of {name} differs")


class FormatterContract(_ItemsContract):
    """Items become bytes. Set `formatter` to a class that extends `Formatter`."""

    formatter: ClassVar[type[Formatter]]

    def declared(self) -> StageSpec:
        """The declaration of the formatter."""
        return spec_of(self.formatter)

    def make(self) -> Formatter:
        """A new formatter."""
        return self.formatter(**self.options)

    def run(self, items: Iterable[Item]) -> list[bytes]:
        """The bytes of a stream."""
        formatter = self.make()
        chunks = [chunk for item in items for chunk in formatter.feed(item)]
        return [*chunks, *formatter.finish()]

    def test_arrays_become_bytes(self) -> None:
        """It accepts arrays, produces another type, and gives bytes."""
        spec = self.declared()
        accepted = spec.accepts.kind if spec.accepts else "nothing"
        expect(accepted == "arrays", f"a formatter accepts arrays, and this one accepts {accepted}")
        expect(spec.produces.kind != "arrays", "a formatter produces another type than arrays")
        for name, chunks in self.taken().items():
            expect(all(isinstance(chunk, bytes) for chunk in chunks), f"{name} gives something else than bytes")

    @pytest.mark.parametrize("size", [1, 2, 7])
    def test_records_in_pieces_give_the_same_bytes(self, size: int) -> None:
        """How a stream is cut into batches is chance, so the bytes do not show it."""
        from dasflex_core.testing.comparing import in_pieces

        for name, chunks in self.taken().items():
            pieces = self.run(in_pieces(self.streams()[name], size))
            expect(b"".join(pieces) == b"".join(chunks), f"{name} in batches of {size} gives other bytes")

    def test_two_formatters_do_not_meet(self) -> None:
        """A server formats many streams at once: two objects share no state."""
        for name, chunks in self.taken().items():
            one, two, both = self.make(), self.make(), [b"", b""]
            for item in self.streams()[name]:
                for place, formatter in enumerate((one, two)):
                    both[place] += b"".join(formatter.feed(item))
            both = [text + b"".join(formatter.finish()) for text, formatter in zip(both, (one, two), strict=True)]
            expect(both == [b"".join(chunks)] * 2, f"two formatters at work on {name} disturb one another")

    def test_a_problem_is_told_or_breaks_the_stream(self) -> None:
        """A failure of the reader never looks like the end of the data."""
        from dasflex_core.arrays import Problem

        name = next(iter(self.taken()))
        problem = Problem("ServerError", "the disk of 1979 cannot be read")
        try:
            told = b"".join(self.run([*self.streams()[name], problem]))
        except SourceError as error:
            expect(problem.message in error.message, f"the failure says {error.message!r}, not what the reader said")
        else:
            expect(problem.message.encode() in told, "the problem is neither written nor raised as a SourceError")

    def test_remarks_and_nothing_found_are_no_failure(self) -> None:
        """Comments of any type, and a range that holds nothing, are ordinary."""
        from dasflex_core.arrays import Comment, NoData, StreamHeader

        comments = [Comment("taskSize", "3", "reader"), Comment("log:warning", 'a < b & "c"'), Comment("own:type", "")]
        try:
            self.run([StreamHeader(), *comments, NoData("Nothing from 2031-05-01 to 2031-05-02")])
        except DasflexError as error:
            raise AssertionError(f"a stream without data fails: {error}") from error


class ReducerContract(_ItemsContract):
    """Items become other items. Set `reducer` to a class that extends `Reducer`.

    `rtol` is the relative difference that reals may have where batches are cut elsewhere; 0, if the arithmetic does
    not depend on it. A reducer that has a `feed` of its own is one object for the whole stream; where it also makes
    something new of all datasets together, such as a count, say `whole_stream`.
    """

    reducer: ClassVar[type[Reducer]]
    rtol: ClassVar[float] = 0.0
    whole_stream: ClassVar[bool] = False

    def declared(self) -> StageSpec:
        """The declaration of the reducer."""
        return spec_of(self.reducer)

    def run(self, items: Iterable[Item]) -> list[Item]:
        """What comes out of a stream, with an object for each dataset that suits, as in a plan."""
        from dasflex_core.run.reducing import PerDataset

        own: Any = self.reducer
        alone = hasattr(own, "feed")
        stage = own(**self.options) if alone else PerDataset(self.declared(), lambda: self.reducer(**self.options))
        return [*(out for item in items for out in stage.feed(item)), *stage.finish()]

    def suited(self, items: Iterable[Item]) -> set[int]:
        """The ids of the datasets of a stream that have the traits which the reducer needs."""
        from dasflex_core.arrays import Dataset, traits_of

        needs = self.declared().needs - {"finite", "live", "sampled", "one"}
        return {item.id for item in items if isinstance(item, Dataset) and needs <= traits_of((item,))}

    def test_arrays_become_arrays(self) -> None:
        """It accepts and produces arrays, and some stream here has what it needs."""
        spec = self.declared()
        accepted = spec.accepts.kind if spec.accepts else "nothing"
        expect((accepted, spec.produces.kind) == ("arrays", "arrays"), "a reducer accepts and produces arrays")
        found = any(self.suited(items) for items in self.streams().values())
        expect(found, f"no stream has the traits {sorted(spec.needs)}; override streams() with one that has")

    @pytest.mark.parametrize("size", [1, 2, 7])
    def test_splitting_batches_does_not_change_the_result(self, size: int) -> None:
        """How a stream is cut into batches is chance, so the result does not depend on it."""
        from dasflex_core.testing.comparing import in_pieces, merged

        for name, items in self.taken().items():
            pieces = self.run(in_pieces(self.streams()[name], size))
            expect_same(merged(pieces), merged(items), f"{name} in batches of {size} gives another result", self.rtol)

    def test_what_comes_out_is_what_was_declared(self) -> None:
        """Records follow the declaration of their dataset, and fit it."""
        for name, items in self.taken().items():
            expect_declared(items, name)

    def test_other_datasets_pass_by(self) -> None:
        """What lacks the traits that the reducer needs comes out as it went in."""
        for name in () if self.whole_stream else self.taken():
            items = self.streams()[name]
            suited, result = self.suited(items), self.run(items)
            others = [item for item in items if dataset_id(item) not in {-1, *suited}]
            expect_same([item for item in result if item in Among(others)], others, f"in {name} others were changed")

    def test_two_datasets_do_not_meet(self) -> None:
        """Each dataset has an object of its own: one of another number beside it changes nothing."""
        from dasflex_core.testing.comparing import merged

        for name, alone in self.taken().items():
            if self.whole_stream or not self.suited(self.streams()[name]):
                continue
            beside = [renumbered(item, 50) for item in self.streams()[name]]
            mixed = [each for pair in zip(self.streams()[name], beside, strict=True) for each in pair]
            kept = [item for item in self.run(mixed) if 0 <= dataset_id(item) < 50]
            wanted = [item for item in alone if dataset_id(item) >= 0]
            expect_same(merged(kept), merged(wanted), f"a second dataset beside {name} changes the first", self.rtol)


class DecoderContract(_StageContract):
    """Bytes become items. Set `decoder` to a class that extends `Decoder`, and give `streams`."""

    decoder: ClassVar[type[Decoder]]

    def streams(self) -> Mapping[str, bytes]:
        """Valid streams by name, each with records; a few kilobytes are enough."""
        raise NotImplementedError

    def declared(self) -> StageSpec:
        """The declaration of the decoder."""
        return spec_of(self.decoder)

    def run(self, chunks: Iterable[bytes]) -> list[Item]:
        """The items of a stream."""
        decoder = self.decoder(**self.options)
        return [*(item for chunk in chunks for item in decoder.feed(chunk)), *decoder.finish()]

    def truncated(self, stream: bytes) -> bytes:
        """The stream without its end, in a place where that can be seen; by default without its last byte."""
        return stream[:-1]

    def test_bytes_become_arrays(self) -> None:
        """It accepts another type, and produces arrays."""
        spec = self.declared()
        expect(spec.accepts is not None, "a decoder accepts a type of bytes")
        expect(spec.produces.kind == "arrays", "a decoder produces arrays")

    def test_any_chunking_gives_the_same_items(self) -> None:
        """Chunks end anywhere: in a header, in a number, between two packets, after each byte."""
        from dasflex_core.testing.comparing import merged

        for name, stream in self.streams().items():
            whole = merged(self.run([stream]))
            for way, chunks in chunkings(stream):
                expect_same(merged(self.run(chunks)), whole, f"{name} in {way} gives other items")

    def test_the_header_comes_first(self) -> None:
        """The first item is the header of the stream, and there is one."""
        from dasflex_core.arrays import StreamHeader

        for name, stream in self.streams().items():
            headers = [place for place, item in enumerate(self.run([stream])) if isinstance(item, StreamHeader)]
            expect(headers == [0], f"{name} has its headers at {headers} of its items, where one should be first")

    def test_records_fit_their_declaration(self) -> None:
        """There are records, and they follow the declaration of their dataset, with its columns, shapes and types."""
        from dasflex_core.arrays import Records

        for name, stream in self.streams().items():
            items = self.run([stream])
            expect(any(isinstance(item, Records) for item in items), f"{name} gives no records; streams() needs some")
            expect_declared(items, name)

    def test_a_truncated_stream_is_told(self) -> None:
        """A stream that ends too early is a failure, not a short stream."""
        for name, stream in self.streams().items():
            expect_source_error(partial(self.run, [self.truncated(stream)]), f"{name} without its end")

    @pytest.mark.parametrize("garbage", [b"\x00" * 64, b"\xff\xfe" * 64, b"<html><body>502 Bad Gateway</body></html>"])
    def test_garbage_is_told(self, garbage: bytes) -> None:
        """What is no such stream is a failure of the source, whatever it is."""
        expect_source_error(partial(self.run, [garbage]), f"{garbage[:12]!r}…")


class ReaderContract(_StageContract):
    """Items come from nowhere. Give `spec`, and in `make` a new `Producer` that has records to give.

    class TestFiles(ReaderContract):
        spec = FILES_STAGE
        plugin = "dasflex_files.plugin"

        def make(self):
            return FileReader(folder=EXAMPLES, begin="2031-04-02", end="2031-04-03")
    """

    spec: ClassVar[StageSpec]

    def make(self) -> Producer:
        """A new reader, for a range that holds data."""
        raise NotImplementedError

    def declared(self) -> StageSpec:
        """The declaration of the reader."""
        return self.spec

    def given(self, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Item]:
        """The items of a new reader. A reader that gives bytes overrides this and decodes them."""
        return cast("Iterator[Item]", self.make().items(cancelled))

    def test_the_declaration_leads_to_the_class(self) -> None:
        """The declaration names what makes the reader, and that it is a producer."""
        from dasflex_core.loading import load

        expect(self.spec.accepts is None, "a reader accepts nothing")
        expect(self.spec.protocol == "producer", f"protocol is {self.spec.protocol!r}, which should be 'producer'")
        expect(callable(load(self.spec.factory)), f"{self.spec.factory} cannot be called")

    def test_the_header_comes_first(self) -> None:
        """The first item is the header of the stream, and records are there."""
        from dasflex_core.arrays import Records, StreamHeader

        items = list(self.given())
        expect(items and isinstance(items[0], StreamHeader), "the first item is no StreamHeader")
        expect(any(isinstance(item, Records) for item in items), "there are no records; make() needs a range with data")

    def test_records_fit_their_declaration(self) -> None:
        """Records follow the declaration of their dataset, with its columns, shapes and types."""
        expect_declared(list(self.given()), "the stream")

    def test_a_second_reading_gives_the_same(self) -> None:
        """Two readers of one range give the same items."""
        from dasflex_core.testing.comparing import merged

        first, second = (list(self.given()) for _ in range(2))
        expect_same(merged(first), merged(second), "a second reading differs")

    def test_it_ends_when_cancelled(self) -> None:
        """Once nobody listens, at most one more item comes."""
        given: list[Item] = []
        for item in self.given(lambda: bool(given)):
            given.append(item)
            expect(len(given) <= 2, "the reader goes on after cancelled() became true")
