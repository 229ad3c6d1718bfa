# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound stages keep their contracts, and each kind of mistake is found by the test that names it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from dasflex_core.arrays import Comment, Dataset, Records, StreamHeader
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.stages import Decoder, Formatter, ParamSpec, Reducer, StageSpec, param
from dasflex_core.streamtype import ARRAYS
from dasflex_core.testing import DecoderContract, FormatterContract, ReaderContract, ReducerContract, golden

LINE = "12.5 30\n13.0 40\n"


class Lines(Formatter, produces="lines", title="Times"):
    """One line per record."""

    def records(self, batch):
        return b"".join(b"%a\n" % str(time) for time in batch[batch.dataset.wire[0]])


class Doubled(Reducer, needs="spectra", title="Twice the density"):
    """A spectral density, doubled."""

    def records(self, batch):
        return Records(batch.dataset, {**batch.columns, "psd": batch["psd"] * 2})


class Pairs(Decoder, accepts="pairs", title="Pairs of numbers"):
    """Lines of two numbers."""

    def __init__(self):
        super().__init__()
        self.rest = b""
        self.begun = False

    def feed(self, chunk):
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        if lines and not self.begun:
            self.begun = True
            yield from (StreamHeader(), PAIRS)
        for line in lines:
            try:
                one, two = map(float, line.split())
            except ValueError:
                raise SourceError(f"{line!r} is no pair of numbers") from None
            yield Records(PAIRS, {"time": np.array([one]), "b": np.array([two])})

    def finish(self):
        if self.rest or not self.begun:
            raise SourceError("the last line has no end", kind="source.truncated")
        return ()


def pairs():
    """The dataset of the pairs."""
    dataset = golden.vectors()[1]
    time, b = dataset["time"], dataset["b"]
    dataset = dataset.swap(time, replace(time, dtype=np.dtype("f8"), semantic="real", units="s", axes=()))
    return dataset.swap(b, replace(b, dtype=np.dtype("f8"), vector=None, axes=()))


PAIRS = pairs()


class Counting:
    """A reader of three batches."""

    def items(self, cancelled):
        header, dataset, batch = golden.vectors()
        yield from (header, dataset)
        for _ in range(3):
            if cancelled():
                return
            yield batch


COUNTING = StageSpec("counting", "Counts", None, ARRAYS, "tests_of_contracts:Counting", protocol="producer", params=())


class TestLines(FormatterContract):
    formatter = Lines
    plugin = "dasflex_core.streamtype"
    test_the_declaration_leads_to_the_class = None  # classes of tests cannot be imported by name


class TestDoubled(ReducerContract):
    reducer = Doubled
    plugin = "dasflex_core.streamtype"
    test_the_declaration_leads_to_the_class = None


class TestPairs(DecoderContract):
    decoder = Pairs
    plugin = "dasflex_core.streamtype"
    test_the_declaration_leads_to_the_class = None

    def streams(self):
        return {"lines": LINE.encode()}


class TestCounting(ReaderContract):
    spec = COUNTING
    plugin = "dasflex_core.streamtype"
    test_the_declaration_leads_to_the_class = None

    def make(self):
        return Counting()


def broken_formatter(**methods):
    """The contract of a formatter with some methods of its own."""
    broken = type("Broken", (Lines,), {"__doc__": "Broken.", **methods}, produces="lines")
    return type("Contract", (FormatterContract,), {"formatter": broken})()


def test_a_formatter_whose_bytes_depend_on_batches_is_found():
    contract = broken_formatter(records=lambda _self, batch: b"batch of %d\n" % len(batch))
    contract.test_two_formatters_do_not_meet()
    with pytest.raises(AssertionError, match="batches of 1 gives other bytes"):
        contract.test_records_in_pieces_give_the_same_bytes(1)


def test_a_formatter_that_changes_its_input_is_found():
    def records(_self, batch):
        batch[batch.dataset.wire[0]][:] = batch[batch.dataset.wire[0]][:1]
        return b""

    with pytest.raises(AssertionError, match="was changed"):
        broken_formatter(records=records).test_the_input_is_left_as_it_was()


def test_a_formatter_that_keeps_state_in_its_class_is_found():
    seen: list[bytes] = []

    def records(_self, batch):
        seen.append(b"%d\n" % len(batch))
        return b"".join(seen)

    with pytest.raises(AssertionError, match="second run"):
        broken_formatter(records=records).test_a_second_run_gives_the_same()
    with pytest.raises(AssertionError, match="disturb one another"):
        broken_formatter(records=records).test_two_formatters_do_not_meet()


def test_a_formatter_that_swallows_problems_is_found():
    with pytest.raises(AssertionError, match="neither written nor raised"):
        broken_formatter(problem=lambda _self, _problem: b"").test_a_problem_is_told_or_breaks_the_stream()
    broken_formatter(problem=lambda _self, each: each.message.encode()).test_a_problem_is_told_or_breaks_the_stream()


def test_a_formatter_that_declines_everything_is_found():
    def dataset(_self, _dataset):
        raise QueryError("never", kind="query.unreachable-type")

    broken = broken_formatter(dataset=dataset, no_data=dataset)
    with pytest.raises(AssertionError, match="declines all streams"):
        broken.test_arrays_become_bytes()
    with pytest.raises(AssertionError, match="a stream without data fails"):
        broken.test_remarks_and_nothing_found_are_no_failure()


def test_a_heavy_declaration_is_found_and_a_missing_one_is_skipped():
    contract = broken_formatter()
    with pytest.raises(pytest.skip.Exception):
        contract.test_declaring_imports_nothing_heavy()
    type(contract).plugin = "dasflex_core.arrays"
    with pytest.raises(AssertionError, match=r"loading dasflex_core\.arrays imports numpy"):
        contract.test_declaring_imports_nothing_heavy()


def test_badly_named_parameters_and_options_are_found():
    class Loud(Lines, produces="lines"):
        """Loud lines."""

        level: int = param("format.Level", title="How loud")

    contract = type("Contract", (FormatterContract,), {"formatter": Loud})()
    with pytest.raises(AssertionError, match=r"'format\.Level' is no name"):
        contract.test_parameters_are_well_named()

    class Quiet(FormatterContract):
        formatter = Lines
        options: ClassVar = {"volume": 1}

    with pytest.raises(AssertionError, match=r"\['volume'\]"):
        Quiet().test_parameters_are_well_named()


def test_a_parameter_without_a_word_about_it_is_found():
    class Mute(FormatterContract):
        formatter = type("Named", (Lines,), {"spec": replace(Lines.spec, params=(ParamSpec("format.level"),))})

    with pytest.raises(AssertionError, match=r"format\.level says nowhere"):
        Mute().test_parameters_are_well_named()


def broken_reducer(**methods):
    """The contract of a reducer with some methods of its own."""
    broken = type("Broken", (Doubled,), {"__doc__": "Broken.", **methods}, needs="spectra")
    return type("Contract", (ReducerContract,), {"reducer": broken})()


def test_a_reducer_that_forgets_what_is_left_is_found():
    def records(_self, batch):
        return [batch.slice(slice(0, len(batch) // 2 * 2))]

    with pytest.raises(AssertionError, match="batches of 1 gives another result"):
        broken_reducer(records=records).test_splitting_batches_does_not_change_the_result(1)


def test_a_reducer_whose_records_do_not_fit_is_found():
    def records(_self, batch):
        return Records(batch.dataset, {**batch.columns, "psd": batch["psd"][:, :2]})

    with pytest.raises(AssertionError, match=r"declared with the shape \(3,\)"):
        broken_reducer(records=records).test_what_comes_out_is_what_was_declared()


def test_a_reducer_that_shares_state_between_datasets_is_found():
    sums = {}

    def records(_self, batch):
        sums["total"] = sums.get("total", 0) + len(batch)
        return Records(batch.dataset, {**batch.columns, "psd": batch["psd"] * 0 + sums["total"]})

    def dataset(_self, dataset):
        sums.clear()
        return dataset

    contract = broken_reducer(records=records, dataset=dataset)
    contract.test_a_second_run_gives_the_same()
    with pytest.raises(AssertionError, match="a second dataset beside"):
        contract.test_two_datasets_do_not_meet()


def broken_decoder(**methods):
    """The contract of a decoder with some methods of its own."""
    broken = type("Broken", (Pairs,), {"__doc__": "Broken.", **methods}, accepts="pairs")
    return type("Contract", (TestPairs,), {"decoder": broken})()


def test_a_decoder_that_shows_its_chunks_is_found():
    def feed(self, chunk):
        return [*Pairs.feed(self, chunk), Comment("own", f"{len(chunk)} bytes")]

    with pytest.raises(AssertionError, match="gives other items"):
        broken_decoder(feed=feed).test_any_chunking_gives_the_same_items()


def test_a_decoder_that_takes_a_torn_stream_is_found():
    contract = broken_decoder(finish=lambda _self: ())
    with pytest.raises(AssertionError, match="without its end passes for a whole stream"):
        contract.test_a_truncated_stream_is_told()


def test_a_decoder_that_fails_in_its_own_way_is_found():
    def feed(_self, chunk):
        return [float(line) for line in chunk.split()]

    with pytest.raises(AssertionError, match="raises ValueError, which should be a SourceError"):
        broken_decoder(feed=feed).test_garbage_is_told(b"<html>")


def test_a_decoder_without_header_or_declaration_is_found():
    def feed(self, chunk):
        return [item for item in Pairs.feed(self, chunk) if not isinstance(item, StreamHeader | Dataset)]

    contract = broken_decoder(feed=feed)
    with pytest.raises(AssertionError, match=r"headers at \[\]"):
        contract.test_the_header_comes_first()
    with pytest.raises(AssertionError, match="come before its declaration"):
        contract.test_records_fit_their_declaration()


def test_a_reader_that_does_not_stop_is_found():
    class Stubborn(TestCounting):
        def make(self):
            reader = Counting()
            reader.items = lambda _cancelled: Counting().items(lambda: False)
            return reader

    with pytest.raises(AssertionError, match="goes on after"):
        Stubborn().test_it_ends_when_cancelled()
