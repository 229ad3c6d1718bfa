# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that end in bytes: what passes, what is refused before the first byte, what is told after it."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc

import pytest

from dasflex_core.errors import BusyError, ConfigError, SourceError
from dasflex_core.plan.graph import Command, Limits, Node
from dasflex_core.run import Pump
from dasflex_core.streamtype import StreamType
from dasflex_das.das2_messages import problem_packet

DAS2 = StreamType("das", "2")
RAW = StreamType("raw")
CSV = StreamType("csv")


def writing(*parts, then=""):
    lines = [f"sys.stdout.buffer.write({part!r}); sys.stdout.flush()" for part in parts]
    return "\n".join(["import sys, time", *lines, then])


def taken(pump):
    """All chunks, and the error after them."""
    got = []
    try:
        got.extend(pump.chunks())
    except SourceError as error:
        return b"".join(got), error
    return b"".join(got), None


def test_a_das2_stream_passes_unchanged_and_its_record_says_so(readers, settings, das2):
    stream = das2.whole(1000)
    with Pump((readers.node(writing(stream), produces=DAS2),), settings()) as pump:
        assert b"".join(pump.chunks()) == stream
    import hashlib

    assert pump.record.complete
    assert pump.record.bytes == len(stream)
    assert pump.record.sha256 == hashlib.sha256(stream).hexdigest()
    assert pump.record.records is None
    assert pump.record.started < pump.record.ended


def test_start_waits_for_the_first_data_packet(readers, settings, das2):
    first, rest = das2.records(1)[:20], das2.records(1)[20:]
    slow = writing(das2.header + das2.dataset, first, then=f"time.sleep(0.3); sys.stdout.buffer.write({rest!r})")
    with Pump((readers.node(slow, produces=DAS2),), settings()) as pump:
        assert not pump.start(patience=0.1)
        assert pump.start(patience=10)
        assert b"".join(pump.chunks()) == das2.whole(1)


def test_who_has_lost_patience_can_take_what_there_is(readers, settings, das2):
    text = writing(das2.header, then="time.sleep(60)")
    with Pump((readers.node(text, produces=DAS2),), settings()) as pump:
        assert not pump.start(patience=0.3)
        assert next(pump.chunks()) == das2.header


def test_a_failure_after_patience_was_lost_is_raised_by_the_chunks(readers, settings, das2):
    text = writing(das2.header, then="time.sleep(0.3); sys.exit(7)")
    with Pump((readers.node(text, produces=DAS2),), settings()) as pump:
        assert not pump.start(patience=0.2)
        data, error = taken(pump)
        assert data == das2.header + problem_packet(error.kind, error.message)
        assert error.kind == "source.exit"


@pytest.mark.parametrize("text", [
    "raise SystemExit(3)",
    writing(b'[00]000023<stream version="2.2"/>', then="sys.exit(3)"),
])  # fmt: skip
def test_a_reader_that_fails_before_any_data_raises_at_the_start(readers, settings, text):
    with Pump((readers.node(text, produces=DAS2),), settings()) as pump:
        with pytest.raises(SourceError) as caught:
            pump.start()
        assert caught.value.kind == "source.exit"
    assert pump.record.error_kind == "source.exit"
    assert pump.record.bytes == 0
    assert not pump.record.complete


def test_a_missing_reader_raises_at_the_start(settings):
    with pytest.raises(SourceError) as caught:
        Pump((Node("reader", "process", RAW, command=Command((("/no/such",),))),), settings()).chunks()
    assert caught.value.kind == "source.start"


@pytest.mark.parametrize("garbage", [b"Traceback: no data\n", b"\x00" * 100, b"|Sx||8|<stream>", b"[00]0000"])
def test_what_cannot_be_das2_is_refused_before_the_first_byte(readers, settings, garbage):
    with Pump((readers.node(writing(garbage), produces=DAS2),), settings()) as pump:
        with pytest.raises(SourceError) as caught:
            pump.chunks()
        assert caught.value.kind in ("source.stream", "source.truncated")


def test_garbage_behind_a_valid_header_is_refused_before_the_first_byte(readers, settings, das2):
    text = writing(das2.header, b"and now for something else")
    with Pump((readers.node(text, produces=DAS2),), settings()) as pump, pytest.raises(SourceError) as caught:
        pump.start()
    assert caught.value.kind == "source.stream"


def test_no_output_and_success_are_no_data(readers, settings):
    for produces in (DAS2, RAW):
        with Pump((readers.node("", produces=produces),), settings()) as pump:
            assert list(pump.chunks()) == []
        assert pump.record.complete


def test_a_stream_with_a_header_only_is_passed_on(readers, settings, das2):
    with Pump((readers.node(writing(das2.header), produces=DAS2),), settings()) as pump:
        assert b"".join(pump.chunks()) == das2.header


def test_a_failure_between_packets_is_told_in_the_stream_then_raised(readers, settings, das2):
    stream = das2.whole(10_000)
    with Pump((readers.node(writing(stream, then="sys.exit(3)"), produces=DAS2),), settings()) as pump:
        data, error = taken(pump)
    assert error.kind == "source.exit"
    assert data.startswith(stream)
    assert data[len(stream) :].startswith(b"[xx]")
    assert b'<exception type="ServerError"' in data[len(stream) :]
    assert pump.record.bytes == len(data)
    assert not pump.record.complete


def test_a_failure_inside_a_packet_is_raised_without_a_word(readers, settings, das2):
    stream = das2.whole(10)[:-5]
    with Pump((readers.node(writing(stream, then="sys.exit(3)"), produces=DAS2),), settings()) as pump:
        data, error = taken(pump)
    assert data == stream
    assert error.kind == "source.exit"


def test_a_failure_in_a_format_without_words_for_it_is_raised(readers, settings):
    with Pump((readers.node(writing(b"1,2\n", then="sys.exit(3)"), produces=CSV),), settings()) as pump:
        assert taken(pump)[0] == b"1,2\n"


def test_a_truncated_stream_is_an_error_although_the_reader_says_success(readers, settings, das2):
    stream = das2.whole(5000)[:-5]
    with Pump((readers.node(writing(stream), produces=DAS2),), settings()) as pump:
        data, error = taken(pump)
    assert data == stream
    assert error.kind == "source.truncated"


def test_a_silent_reader_says_so_in_the_stream(readers, settings, das2):
    text = writing(das2.whole(5), then="time.sleep(60)")
    node = readers.node(text, produces=DAS2, limits=Limits(silence=0.3))
    with Pump((node,), settings()) as pump:
        data, error = taken(pump)
    assert error.kind == "source.silent"
    assert b"<exception" in data
    assert readers.left() == []


def test_a_process_in_the_middle_filters(readers, settings):
    cat = Node("filter", "process", RAW, inputs=(0,), command=Command((("cat",), ("tr", "a", "b"))))
    with Pump((readers.node("print('a' * 3_000_000, end='')"), cat), settings()) as pump:
        assert b"".join(pump.chunks()) == b"b" * 3_000_000


def test_the_failure_of_a_reader_before_a_filter_is_the_one_that_is_raised(readers, settings):
    cat = Node("filter", "process", RAW, inputs=(0,), command=Command((("cat",),)))
    with Pump((readers.node("print('a'); raise SystemExit(5)"), cat), settings()) as pump:
        data, error = taken(pump)
    assert data == b"a\n"
    assert "reader failed with exit status 5" in error.message


def test_the_memory_of_a_long_stream_is_that_of_a_short_one(readers, settings, das2):
    text = f"""
        import sys
        out = sys.stdout.buffer
        out.write({das2.header + das2.dataset!r})
        part = {das2.records(1000)!r}
        for each in range({200_000_000 // (1000 * 41)}):
            out.write(part)
    """
    with Pump((readers.node(text, produces=DAS2),), settings()) as pump:
        chunks = pump.chunks()
        next(chunks)
        tracemalloc.start()
        try:
            total = sum(len(chunk) for chunk in chunks)
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert total > 190_000_000
    assert peak < 10_000_000


def test_a_pump_that_passes_bytes_through_imports_neither_numpy_nor_a_template_engine():
    text = """
        import json, sys
        from dasflex_core.plan.graph import Command, Node
        from dasflex_core.run import Pump
        from dasflex_core.streamtype import StreamType
        with Pump((Node("reader", "process", StreamType("raw"), command=Command((("echo", "data"),))),)) as pump:
            data = b"".join(pump.chunks())
        print(json.dumps([data.decode(), sorted(sys.modules)]))
    """
    import textwrap

    path = ":".join(filter(None, sys.path))
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)], env={"PYTHONPATH": path}, capture_output=True, check=True
    )
    data, modules = json.loads(run.stdout)
    assert data == "data\n"
    assert not {"numpy", "logging", "asyncio", "tempfile", "random", "dasflex_core.arrays"} & set(modules)


def test_what_ends_in_bytes_has_no_items(readers, settings):
    with Pump((readers.node("print()"),), settings()) as pump, pytest.raises(ConfigError):
        pump.items()


def test_a_pump_that_is_closed_gives_nothing(readers, settings):
    pump = Pump((readers.node("print()"),), settings())
    pump.close()
    with pytest.raises(BusyError):
        pump.chunks()


def test_the_figures_of_each_node_are_told(readers, settings):
    cat = Node("filter", "process", RAW, inputs=(0,), command=Command((("head", "-c", "1000"),)))
    with Pump((readers.node("print('a' * 3000, end='')"), cat), settings()) as pump:
        list(pump.chunks())
        first, second = pump.stats
    assert (first.name, first.kind, first.records) == ("reader", "process", 0)
    assert second.bytes == 1000
    assert first.seconds > 0
