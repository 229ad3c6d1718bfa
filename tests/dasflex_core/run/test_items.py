# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans through arrays: stages, reducers for each dataset, producers, and how a failure reaches the end."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from dasflex_core.arrays import (
    Comment,
    Dataset,
    Dimension,
    NoData,
    Problem,
    Records,
    StreamHeader,
    Variable,
)
from dasflex_core.errors import BusyError, ConfigError, QueryError, SourceError
from dasflex_core.plan.graph import Command, Limits, Node
from dasflex_core.run import Pump
from dasflex_core.run.joining_items import same
from dasflex_core.run.reducing import PerDataset
from dasflex_core.stages import Decoder, Formatter, Reducer, StageSpec, param
from dasflex_core.streamtype import ARRAYS, StreamType

CSV = StreamType("csv")
RAW = StreamType("raw")
FLOAT = np.dtype(np.float64)


def dataset(number=1, name="d", *, spectra=False):
    time_ = Variable("t", "center", "real", "us2000", (-1,), FLOAT)
    value = Variable("v", "center", "real", "V", (-1, 3) if spectra else (-1,), FLOAT)
    steps = Variable("f", "center", "real", "Hz", (None, 3), FLOAT, values=np.array([1.0, 2.0, 3.0]))
    coords = (Dimension("time", "time", True, (time_,)), *((Dimension("frequency", "frequency", True, (steps,)),) if spectra else ()))  # fmt: skip
    index = (-1, 3) if spectra else (-1,)
    return Dataset(number, name, index, (*coords, Dimension("v", "v", False, (value,))), ("t", "v"))


def records(of, *times):
    shape = (len(times), *of.variables["v"].shape)
    return Records(of, {"t": np.array(times, FLOAT), "v": np.zeros(shape)})


class Lines(Decoder, accepts="raw"):
    """Each line of text becomes a record; the line `bad` is no data."""

    def __init__(self):
        self.rest = b""
        self.begun = False

    def feed(self, chunk):
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        if not self.begun:
            self.begun = True
            yield StreamHeader()
            yield dataset()
        for line in lines:
            if line == b"bad":
                raise SourceError("a line is bad", kind="source.stream")
            yield records(dataset(), float(line))

    def finish(self):
        if self.rest:
            raise SourceError("half a line", kind="source.truncated")
        return ()


class Text(Formatter, produces="csv"):
    """Items as lines."""

    def header(self, _header):
        return b"header\n"

    def dataset(self, dataset):
        return b"dataset %d\n" % dataset.id

    def records(self, batch):
        return b"".join(b"%d\n" % value for value in batch["t"])

    def no_data(self, _nothing):
        return b"nothing\n"

    def finish(self):
        return (b"end\n",)


class Telling(Text, produces="csv"):
    """The same, in a format that can tell a failure."""

    def problem(self, problem):
        return b"%s: %s\n" % (problem.type.encode(), problem.message.encode())


class Pairs(Reducer, needs="spectra"):
    """Passes every second batch, and keeps the others for the end."""

    offset: float = param("calc.offset", default="0")

    def __init__(self, **values):
        super().__init__(**values)
        self.kept = []

    def header(self, header):
        return replace(header, lang="xx")

    def dataset(self, dataset):
        return replace(dataset, name=dataset.name + "-reduced")

    def records(self, batch):
        self.kept.append(batch)
        return [] if len(self.kept) % 2 else [batch]

    def finish(self):
        return self.kept[::2]


class Numbers:
    """A producer of so many records, which may fail."""

    def __init__(self, count=3, failure="", number=1, pause=0.0):
        self.count, self.failure, self.number, self.pause = count, failure, number, pause

    def items(self, _cancelled):
        if not self.count:
            return
        yield StreamHeader(lang=str(self.number))
        yield dataset(self.number)
        for each in range(self.count):
            time.sleep(self.pause)
            yield records(dataset(self.number), self.number * 1000 + each)
        if self.failure == "own":
            raise SourceError("the archive is broken", kind="source.exit")
        if self.failure:
            raise ZeroDivisionError(self.failure)


class Waiting:
    """A producer that gives one record and waits for more, as one of live data would."""

    seen = threading.Event()

    def items(self, cancelled):
        yield StreamHeader()
        yield records(dataset(), 0)
        while not cancelled():
            time.sleep(0.01)
        Waiting.seen.set()


class Spectra(Numbers):
    """One dataset of spectra and one of plain numbers."""

    def items(self, _cancelled):
        yield StreamHeader()
        for declared in (dataset(1, "s", spectra=True), dataset(2, "p")):
            yield declared
            for each in range(self.count):
                yield records(declared, each)


def at(name):
    return f"{__name__}:{name}"


def producer(name="Numbers", /, **values):
    spec = StageSpec("numbers", "", None, ARRAYS, at(name), protocol="producer")
    return Node("numbers", "producer", ARRAYS, spec=spec, values=tuple(values.items()))


def stage(cls, *inputs, **values):
    return Node(cls.spec.name, "stage", cls.spec.produces, inputs or (0,), spec=cls.spec, values=tuple(values.items()))


def run(*nodes, settings):
    with Pump(nodes, settings()) as pump:
        if nodes[-1].produces == ARRAYS:
            return list(pump.items())
        return b"".join(pump.chunks())


def times(items):
    return [(item.dataset.id, *item["t"].tolist()) for item in items if isinstance(item, Records)]


def everything(iterator):
    """What an iterator gives, and what it raises."""
    got = []
    try:
        got.extend(iterator)
    except (SourceError, QueryError) as error:
        return got, error
    return got, None


def test_bytes_become_items_become_bytes(readers, settings):
    out = run(readers.node("print(1); print(2)"), stage(Lines), stage(Text, 1), settings=settings)
    assert out == b"header\ndataset 1\n1\n2\nend\n"


def test_the_record_counts_what_was_written(readers, settings):
    with Pump((readers.node("print(1); print(2)"), stage(Lines), stage(Text, 1)), settings()) as pump:
        list(pump.chunks())
        stats = pump.stats
    assert pump.record.records == 2
    assert [(each.bytes, each.records) for each in stats] == [(4, 0), (0, 2), (pump.record.bytes, 0)]


def test_no_output_is_no_data_to_the_formatter(readers, settings):
    assert run(readers.node(""), stage(Lines), stage(Text, 1), settings=settings) == b"nothing\nend\n"


def test_a_producer_that_gives_nothing_has_no_data(settings):
    assert run(producer(count=0), settings=settings) == [NoData()]


def test_what_was_written_before_the_first_record_is_held_until_it_comes(readers, settings):
    text = "import sys, time; print(1) if 0 else None; time.sleep(0.3); sys.exit(4)"
    with Pump((readers.node(text), stage(Lines), stage(Text, 1)), settings()) as pump:
        assert not pump.start(patience=0.1)
        with pytest.raises(SourceError):
            pump.start(patience=10)
    assert pump.record.bytes == 0


def test_a_decoder_that_refuses_its_first_bytes_raises_at_the_start(readers, settings):
    pump = Pump((readers.node("print('bad')"), stage(Lines), stage(Text, 1)), settings())
    with pump, pytest.raises(SourceError, match="a line is bad"):
        pump.chunks()


@pytest.mark.parametrize(("text", "kind"), [
    ("print(1); print('bad')", "source.stream"),
    ("print(1); print(2, end='')", "source.truncated"),
    ("print(1); raise SystemExit(9)", "source.exit"),
])  # fmt: skip
def test_a_failure_after_records_is_told_by_a_format_that_can_and_then_raised(readers, settings, text, kind):
    with Pump((readers.node(text), stage(Lines), stage(Telling, 1)), settings()) as pump:
        got, error = everything(pump.chunks())
    assert error.kind == kind
    assert b"".join(got).startswith(b"header\ndataset 1\n1\n")
    assert b"ServerError: " + error.message.encode() + b"\n" in b"".join(got)
    assert (pump.record.error_kind, pump.record.error) == (kind, error.message)


def test_a_failure_breaks_a_format_that_cannot_tell_it(readers, settings):
    with Pump((readers.node("print(1); raise SystemExit(9)"), stage(Lines), stage(Text, 1)), settings()) as pump:
        got, error = everything(pump.chunks())
    assert error.kind == "source.exit"
    assert b"".join(got) == b"header\ndataset 1\n1\nend\n"


def test_a_failure_reaches_the_end_of_a_plan_of_arrays_as_a_problem_then_as_an_error(readers, settings):
    with Pump((readers.node("print(1); raise SystemExit(9)"), stage(Lines)), settings()) as pump:
        got, error = everything(pump.items())
    assert isinstance(got[-1], Problem)
    assert got[-1].message == error.message
    assert sum(isinstance(item, Problem) for item in got) == 1


def test_a_failure_passes_through_all_stages_once(readers, settings):
    nodes = (readers.node("print(1); raise SystemExit(9)"), stage(Lines), stage(Pairs, 1), stage(Pairs, 2), stage(Telling, 3))  # fmt: skip
    with Pump(nodes, settings()) as pump:
        got, _error = everything(pump.chunks())
    assert b"".join(got).count(b"ServerError") == 1


def test_a_reducer_works_on_the_datasets_that_suit_and_lets_others_pass(settings):
    items = run(producer("Spectra", count=3), stage(Pairs), settings=settings)
    assert items[0].lang == "xx"
    assert [item.name for item in items if isinstance(item, Dataset)] == ["s-reduced", "p"]
    assert times(items) == [(1, 1), (2, 0), (2, 1), (2, 2), (1, 0), (1, 2)]


def test_a_dataset_that_is_declared_anew_gets_a_new_reducer_after_the_old_one_has_finished():
    made = []

    def create():
        made.append(Pairs())
        return made[-1]

    per = PerDataset(Pairs.spec, create)
    spectra = dataset(1, "s", spectra=True)
    out = [got for item in (spectra, records(spectra, 1), spectra, records(spectra, 2)) for got in per.feed(item)]
    assert [type(item) for item in out] == [Dataset, Records, Dataset]
    assert times([*out, *per.finish()]) == [(1, 1), (1, 2)]
    assert len(made) == 2


def test_a_dataset_that_no_longer_suits_passes_by():
    per = PerDataset(Pairs.spec, Pairs)
    spectra, plain = dataset(1, "s", spectra=True), dataset(1, "p")
    out = [got for item in (spectra, records(spectra, 1), plain, records(plain, 2)) for got in per.feed(item)]
    assert [getattr(item, "name", "") for item in out] == ["s-reduced", "", "p", ""]
    assert times(out) == [(1, 1), (1, 2)]
    assert list(per.finish()) == []


def test_comments_pass_by_a_reducer():
    comment = Comment("log:info", "text")
    assert list(PerDataset(Pairs.spec, Pairs).feed(comment)) == [comment]


def test_a_producer_that_waits_is_told_that_nobody_wants_more(settings):
    Waiting.seen.clear()
    items = Pump((producer("Waiting"),), settings()).items()
    items.close()
    assert Waiting.seen.wait(1)


def test_a_producer_of_a_pump_that_was_cancelled_before_is_not_waited_for(settings):
    Waiting.seen.clear()
    pump = Pump((producer("Waiting"),), settings())
    pump.cancel()
    with pytest.raises(BusyError):
        pump.items()


def test_a_producer_that_has_more_is_closed_when_nobody_wants_it(settings):
    items = Pump((producer(count=1_000_000),), settings()).items()
    next(items)
    threads = threading.active_count()
    items.close()
    assert threading.active_count() < threads


@pytest.mark.parametrize(("failure", "message"), [("own", "the archive is broken"), ("?", "The stage numbers failed")])
def test_a_producer_that_fails_is_a_reader_that_failed(settings, failure, message):
    with Pump((producer(count=1, failure=failure),), settings()) as pump:
        got, error = everything(pump.items())
    assert error.message == message
    assert isinstance(got[-1], Problem)


def test_concat_has_one_header_and_repeats_no_declaration(settings):
    nodes = (
        producer(number=1),
        producer(number=1, count=0),
        producer(number=1),
        Node("all", "concat", ARRAYS, (0, 1, 2)),
    )
    items = run(*nodes, settings=settings)
    assert [type(item) for item in items] == [StreamHeader, Dataset, *[Records] * 6]


def test_concat_of_nothing_is_nothing_once(settings):
    items = run(producer(count=0), producer(count=0), Node("all", "concat", ARRAYS, (0, 1)), settings=settings)
    assert items == [NoData()]


def test_concat_starts_a_reader_when_its_turn_comes(readers, settings, tmp_path):
    mark = tmp_path / "mark"
    first = readers.node(f"print(int({str(mark)!r} in __import__('glob').glob({str(mark)!r})))")
    second = readers.node(f"open({str(mark)!r}, 'w').close(); print(5)")
    nodes = (first, stage(Lines, 0), second, stage(Lines, 2), Node("all", "concat", ARRAYS, (1, 3)))
    assert times(run(*nodes, settings=settings)) == [(1, 0), (1, 5)]


def test_merge_renumbers_datasets_and_keeps_one_header(settings):
    nodes = (producer(number=1), producer(number=1), producer(number=2), Node("all", "merge", ARRAYS, (0, 1, 2)))
    items = run(*nodes, settings=settings)
    assert [item.lang for item in items if isinstance(item, StreamHeader)] == ["1"]
    assert sorted(item.id for item in items if isinstance(item, Dataset)) == [1, 2, 6]
    assert sorted(times(items)) == [(1, 1000), (1, 1001), (1, 1002), (2, 1000), (2, 1001), (2, 1002), (6, 2000), (6, 2001), (6, 2002)]  # fmt: skip


def test_merge_finds_small_ids_where_large_ones_would_not_fit(settings):
    nodes = (producer(number=1), producer(number=98), Node("all", "merge", ARRAYS, (0, 1)))
    assert sorted(item.id for item in run(*nodes, settings=settings) if isinstance(item, Dataset)) == [1, 2]


def test_merge_interleaves_as_items_come(settings):
    nodes = (producer(number=1, pause=0.05), producer(number=1, pause=0.05), Node("all", "merge", ARRAYS, (0, 1)))
    order = [number for number, _time in times(run(*nodes, settings=settings))]
    assert order != sorted(order)


def test_the_failure_of_one_input_ends_a_merge(settings):
    nodes = (producer(count=1, failure="own"), producer(count=100_000, number=2), Node("all", "merge", ARRAYS, (0, 1)))
    with Pump(nodes, settings()) as pump:
        got, error = everything(pump.items())
    assert error.message == "the archive is broken"
    assert sum(isinstance(item, Problem) for item in got) == 1


def test_merge_of_readers_leaves_none_behind(readers, settings):
    endless = "import itertools\nfor each in itertools.count(): print(each)"
    nodes = (readers.node(endless), stage(Lines, 0), readers.node(endless), stage(Lines, 2), Node("all", "merge", ARRAYS, (1, 3)))  # fmt: skip
    items = Pump(nodes, settings()).items()
    for _each in range(100):
        next(items)
    begin = time.monotonic()
    items.close()
    assert readers.left() == []
    assert time.monotonic() - begin < 1


def test_arrays_through_a_program_in_the_middle(readers, settings):
    upper = Node("filter", "process", CSV, (2,), command=Command((("tr", "a-z", "A-Z"),), limits=Limits(silence=10)))
    out = run(readers.node("print(1)"), stage(Lines), stage(Text, 1), upper, settings=settings)
    assert out == b"HEADER\nDATASET 1\n1\nEND\n"


def test_a_stage_of_bytes_gets_no_end_of_nothing(readers, settings):
    spec = StageSpec("suffix", "", RAW, RAW, at("Suffix"))
    node = Node("suffix", "stage", RAW, (0,), spec=spec)
    assert run(readers.node("print(1)"), node, settings=settings) == b"1\n."
    assert run(readers.node(""), node, settings=settings) == b""


class Suffix:
    """Bytes to bytes, and a full stop."""

    def feed(self, chunk):
        return (chunk,)

    def finish(self):
        return (b".",)


@pytest.mark.parametrize(("factory", "text"), [
    ("no_such_module:Thing", "no_such_module"),
    (at("NoSuchClass"), "NoSuchClass"),
    (at("Text"), "no parameter"),
])  # fmt: skip
def test_code_that_cannot_be_loaded_is_a_mistake_of_the_plugin(readers, settings, factory, text):
    spec = StageSpec("broken", "", ARRAYS, CSV, factory)
    nodes = (readers.node("import time; time.sleep(60)"), stage(Lines), Node("broken", "stage", CSV, (1,), spec=spec, values=(("what", 1),)))  # fmt: skip
    with Pump(nodes, settings()) as pump:
        with pytest.raises(ConfigError, match=text) as caught:
            pump.start()
        assert caught.value.kind in ("config.plugin", "config.missing-extra")
    assert readers.left() == []


def test_what_ends_in_arrays_has_no_chunks(settings):
    with Pump((producer(),), settings()) as pump, pytest.raises(ConfigError):
        pump.chunks()


def test_declarations_are_compared_with_their_arrays():
    one, other = dataset(spectra=True), dataset(spectra=True)
    assert same(one, other)
    changed = Variable("f", "center", "real", "Hz", (None, 3), FLOAT, values=np.array([1.0, 2.0, 4.0]))
    assert not same(one, one.swap(one.variables["f"], changed))
    assert same(Variable("x", "", "", "", (-1,), FLOAT, fill=float("nan")), Variable("x", "", "", "", (-1,), FLOAT, fill=float("nan")))  # fmt: skip
    assert not same(1, 1.0)
