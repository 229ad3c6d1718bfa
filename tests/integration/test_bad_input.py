# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input of every sort gets an error of the right kind, which names what is wrong, and leaves nothing behind.

Each reader is a real program. It is asked for what it writes (`das2`), for what is made of that (`csv`, `das3`), and
for arrays (`read`).
"""

from __future__ import annotations

import re
import signal
import threading
import time

import pytest

import dasflex_core
from dasflex_core.errors import ConfigError, NotFoundError, QueryError, SourceError

pytestmark = pytest.mark.integration

DAY = slice("2020-01-01", "2020-01-02")
WAYS = ("das2", "csv", "das3", "read")

#: Readers that fail before any data: what they do, the kind of the error, and what its text says.
EARLY = {
    "exits": ("sys.stderr.write('out of tape'); sys.exit(3)", "source.exit", r"reader failed with exit status 3 before"),
    "exits-headed": ("start(0); sys.exit(3)", "source.exit", r"reader failed with exit status 3 after part"),
    "crashes": ("os.kill(os.getpid(), 11)", "source.exit", r"reader was ended by signal 11 before any output"),
    "random": (r"out.write(b'\xff\x00garbage' * 9999)", "source.stream", r"At byte 0 .* starts no das2 packet"),
    "html": ("out.write(b'<html>Not found</html>')", "source.stream", r"b'<html>Not fo', which starts no das2 packet"),
    "das3": (
        """out.write(b'|Sx||47|<stream version="3.0" type="das-basic-stream"/>')""",
        "source.stream",
        "may be a das3 stream",
    ),
    "cut-header": ("out.write(b'[00]000100<stream')", "source.truncated", r"ends inside the packet .* byte 0 .* 17 bytes"),
    "cut-declaration": ("header(); out.write(b'[01]00')", "source.truncated", r"ends inside the packet .* byte 33"),
    "undeclared": ("header(); records(5, 7)", "source.stream", r"data packet :07: at byte 33 has no packet header \[07\]"),
    "entities": (
        """packet("00", '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;&a;">]><stream version="2.2" x="&b;"/>')""",
        "source.stream",
        r"header \[00\] at byte 0: a header may hold no DTD",
    ),
    "external": (
        """header(); packet("01", '<!DOCTYPE packet SYSTEM "file:///etc/passwd"><packet/>')""",
        "source.stream",
        r"header \[01\] at byte 33: a header may hold no DTD",
    ),
    "items": (
        """header(); declare(more='<yscan type="sun_real4" nitems="1000000000" yUnits="Hz" zUnits="V"/>')""",
        "source.stream",
        r"header \[01\] .* 4,000,000,034 bytes in each packet; at most 16,777,216",
    ),
    "long-lie": (
        """out.write(b'[00]999999<stream version="2.2"/>'); declare(); records(9)""",
        "source.truncated",
        r"b'\[00\]999999<s'",
    ),
    "short-lie": (
        """out.write(b'[00]000005<stream version="2.2"/>'); declare(); records(9)""",
        "source.stream",
        r"header \[00\] at byte 0 is no well-formed XML",
    ),
    "no-length": (
        """out.write(b'[00]-00005<stream version="2.2"/>'); declare(); records(9)""",
        "source.stream",
        r"starts no das2 packet",
    ),
    "deep": ("packet('00', '<stream>' + '<a>' * 9999)", "source.stream", "nested more than 32 deep"),
    "deflate": ("""header(' compression="deflate"'); out.write(b'plain' * 99)""", "source.stream", "compressed stream is damaged"),
    "deflate-bomb": (
        """
        import zlib
        header(' compression="deflate"')
        squeeze = zlib.compressobj(9)
        out.write(squeeze.compress(b"[01]999999"))
        for _ in range(200):
            out.write(squeeze.compress(bytes(1 << 20)))
        """,
        "source.stream",
        r"header \[01\] at byte \d+ is no well-formed XML",
    ),
}  # fmt: skip
#: Readers that fail after a hundred records, where every way of asking can tell.
LATE = {
    "exits-late": ("start(); sys.exit(3)", "source.exit", "reader failed with exit status 3 after part"),
    "crashes-late": ("start(); os.kill(os.getpid(), 11)", "source.exit", "reader was ended by signal 11 after part"),
    "cut-tag": ("start(); out.write(b':0')", "source.truncated", "ends inside"),
    "cut-packet": ("start(); out.write(b':01:2020-01-01T00')", "source.truncated", "ends inside"),
}
#: Readers that go wrong behind their first data packet: whoever asks for what they write gets what they write.
UNSEEN = {
    "garbage-late": ("start(); out.write(b'Traceback (most')", "source.stream", r"byte 3,535 .* b'Traceback \(m'"),
    "undeclared-late": ("start(); records(5, 7)", "source.stream", r"data packet :07: at byte 3,535"),
    "items-late": (
        """start(); declare(2, more='<yscan type="sun_real4" nitems="1000000000" yUnits="Hz" zUnits="V"/>')""",
        "source.stream",
        r"header \[02\] at byte 3,535.* at most 16,777,216",
    ),
    "no-times": ("start(0); out.write(b':01:2020-13-41T99:99:99         0\\n' * 3)", "source.stream", "2020-13-41.* no time"),
    "no-numbers": ("start(0); out.write(b':01:2020-01-01T00:00:00 abcdefghi\\n')", "source.stream", "'abcdefghi' is no number"),
}  # fmt: skip
OTHERS = {
    "good": "start()",
    "endless": "header(); declare()\nwhile True: records(1000)",
    "sleepy": "start(); time.sleep(60)",
    "dumb": "time.sleep(60)",
    "parent": "grandchild(start_new_session=True); start(); time.sleep(60)",
    "redefined": """
        start()
        declare(name="other", more='<y type="ascii10" units="nT" name="b"/>')
        for n in range(5):
            out.write(b":01:2020-01-01T00:00:%02d %9d %9d\\n" % (n, n, n))
        declare()
        records(7)
    """,
}
OPTIONS = """
[options.text]
title = "Free text"
[options.count]
title = "A whole number"
type  = "integer"
range = "1 to 10"
[options.level]
title = "A number"
type  = "real"
range = "0.5 to 2.5"
units = "V"
[options.choice]
title  = "A choice"
values = { red = "Red", blue = "Blue" }
[options.flag]
title   = "A flag"
default = false
[options.colours]
title  = "A list"
type   = "list"
values = { red = "Red", blue = "Blue" }
[options.when]
title = "A time"
type  = "time"
[coords.time]
title    = "Time"
interval = { default = "10 min", min = "1 s" }
"""
ASKING = "#[python] -S reader.py {mark} #[read.time.inter] #[read.time.min] #[read.time.max] #[read.text # @ #] " + " ".join(
    f"#[read.{name} # {name}=@ #]" for name in ("count", "level", "choice", "flag", "colours", "when")
)  # fmt: skip


@pytest.fixture(scope="module")
def lab(make_lab):
    """A root with all these readers."""
    made = make_lab()
    for name, (reader, _kind, _says) in {**EARLY, **LATE, **UNSEEN}.items():
        made.add(name, reader)
    for name, reader in OTHERS.items():
        made.add(name, reader)
    made.add("options", command=ASKING, more=OPTIONS)
    made.opened()
    return made


@pytest.fixture(scope="module")
def site(lab, ask):
    """The site of that root, with everything imported that a request may need."""
    opened = dasflex_core.open(lab.root)
    for way in WAYS:
        ask(opened["good"][DAY], way)
    return opened


# -- requests


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("identifier", "says"),
    [
        ("goood", "no source 'goood'. Did you mean good?"),
        ("nothing/like/it", "no source 'nothing/like/it'."),
        ("", "no source ''"),
        ("good/", "Did you mean good?"),
        ("../good", "no source"),
        ("/etc/passwd", "no source"),
        ("sources/good.json", "no source"),
        ("good\0", r"'good\x00'"),
        ('good\n"exits', r"good\n"),
        ('\n"good": ', "no source"),
        ("göod", "no source"),
        ("\ud800", r"\ud800"),
        ("g" * 1_000_000, "gggg"),
    ],
)
def test_an_unknown_source_is_named_with_the_nearest(site, lab, identifier, says):
    with pytest.raises(NotFoundError) as caught:
        _ = site[identifier]
    assert caught.value.kind == "not-found.source"
    assert says in caught.value.message
    assert identifier not in site
    lab.assert_fit(caught.value)


UNKNOWN, VALUE, TIME, RANGE = "query.unknown-parameter", "query.bad-value", "query.bad-time", "query.bad-range"


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("name", "value", "kind", "says"),
    [
        ("read.txt", "x", UNKNOWN, r"options has no parameter 'read.txt'\. Did you mean read\.text"),
        ("nonsense", "x", UNKNOWN, r"'nonsense'.* There are .*read\.count"),
        ("calc.nonsense", "800", UNKNOWN, r"options has no parameter 'calc\.nonsense'"),
        ("x" * 1_000_000, "1", UNKNOWN, r"no parameter 'xxxx"),
        ("a\0b\n", "1", UNKNOWN, r"no parameter 'a\\x00b'"),
        ("", "1", UNKNOWN, "no parameter ''"),
        ("read.count", "0", VALUE, r"read\.count=0 is out of its range from 1 to 9"),
        ("read.count", "10", VALUE, r"read\.count=10 is out of its range from 1 to 9"),
        ("read.count", "1.5", VALUE, r"read\.count='1\.5' is no whole number"),
        ("read.count", "many", VALUE, r"read\.count='many' is not a whole number"),
        ("read.count", "9" * 1_000_000, VALUE, r"read\.count='9999.*…' is no finite number"),
        ("read.count", "0" * 1_000_000, VALUE, r"read\.count=0000"),
        ("read.count", "1_0", VALUE, r"read\.count='1_0' is not a whole number"),
        ("read.count", "٣", VALUE, "is not a whole number"),
        ("read.count", "5 " + "m" * 1_000_000, VALUE, "is not a whole number"),
        ("read.level", "2.5", VALUE, r"read\.level=2\.5 is out of its range from 0\.5 to 2\.5 V"),
        ("read.level", "nan", VALUE, r"read\.level='nan' is no finite number"),
        ("read.level", "-inf", VALUE, "no finite number"),
        ("read.choice", "rde", VALUE, r"read\.choice='rde' is unknown\. Did you mean red\? It may be red, blue"),
        ("read.choice", "x" * 1_000_000, VALUE, r"'xxxx.*…' is unknown\. It may be red, blue"),
        ("read.flag", "maybe", VALUE, r"read\.flag='maybe' is neither true nor false"),
        ("read.colours", "red,green", VALUE, r"read\.colours='green' is unknown"),
        ("read.when", "yesterday", TIME, r"read\.when: 'yesterday' is no time\. Write one like 2017-01-15"),
        ("read.text", "-rf", VALUE, r"read\.text must not begin with a hyphen"),
        ("read.text", "a\0b", VALUE, r"read\.text holds a character that is none"),
        ("read.text", "\ud800", VALUE, r"read\.text holds a character that is none"),
        ("format.delim", "\0", VALUE, r"format\.delim holds a character that is none"),
        ("read.text", "x" * 1_000_000, VALUE, r"read\.text has 1,000,000 bytes; a reader takes at most 65,536"),
        ("read.colours", ",".join(["red"] * 100_000), VALUE, r"read\.colours has 399,999 bytes"),
        ("read.time.inter", "0.5", VALUE, r"read\.time\.inter=0\.5 is out of its range from 1 s"),
        ("read.time.inter", "soon", VALUE, r"read\.time\.inter='soon' is not a number \(of s\)"),
        ("read.time.min", "2020-13-01", TIME, r"read\.time\.min: '2020-13-01' is no time: month must be in 1\.\.12"),
        ("read.time.min", "2020-02-30", TIME, "day is out of range for month"),
        ("read.time.max", "2020-01-01T25:00", TIME, r"read\.time\.max: .* a clock never shows 25:00:00"),
        ("read.time.min", "2020-01-01;id", TIME, "is no time"),
        ("read.time.min", "\uff12\uff10\uff12\uff10", TIME, "is no time"),
        ("read.time.min", "x" * 1_000_000, TIME, "is no time"),
        ("read.time.min", "now-P99999999999D", TIME, "0001 to 9999"),
        ("read.time.max", "2020-01-01", RANGE, r"begins at 2020-01-01T00:00:00 and ends at 2020-01-01T00:00:00"),
        ("read.time.min", "2021-01-01", RANGE, r"begins at 2021-01-01T00:00:00 and ends at 2020-01-02T00:00:00"),
        ("read.time.max", "forever", "query.no-plan", r"options has no reader that serves .* only a live reader answers"),
        ("time", "2020-01-01", RANGE, "time='2020-01-01' is no range; write it like"),
        ("format.type", "cvs", "query.unreachable-type", r"format\.type='cvs' is unknown\. Did you mean csv\?"),
        ("format.type", "x" * 1_000_000, "query.unreachable-type", "is unknown"),
        ("format.version", "9", "query.unreachable-type", r"cannot be had as das/9.* It can be had as arrow, cdf, csv, das/2"),
        ("format.version", "../..", VALUE, r"format\.version='\.\./\.\.' is no version"),
        ("format.serial", "both", VALUE, "neither text nor binary"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named_with_what_would_be_right(site, lab, name, value, kind, says):
    others = {"time": "2020-01-01/2020-01-02"} if not name.startswith(("read.time.m", "time")) else {}
    ends = {"read.time.min": "2020-01-01", "read.time.max": "2020-01-02"} if name.startswith("read.time.m") else {}
    request = site.request("options", {**others, **ends, name: value}.items())
    records = len(list((lab.root / "log" / "requests").iterdir()))
    begin = time.monotonic()
    with pytest.raises(QueryError) as caught:
        request.plan()
    assert time.monotonic() - begin < 2
    assert caught.value.kind == kind
    assert re.search(says, caught.value.message), caught.value.message
    lab.assert_fit(caught.value)
    assert len(list((lab.root / "log" / "requests").iterdir())) == records, "nothing was run"


def test_what_is_needed_and_not_given_is_named(site):
    with pytest.raises(QueryError, match=r"needs read\.time\.min .* and read\.time\.max") as caught:
        site["good"].ask().plan()
    assert caught.value.kind == "query.missing-parameter"


def test_one_name_with_two_values_is_refused_however_it_is_spelt(site):
    pairs = [("time", "2020/2021"), ("read.time.min", "2019")]
    with pytest.raises(QueryError, match=r"read\.time\.min is given twice, as '2020' and as '2019'") as caught:
        site.request("good", pairs).plan()
    assert caught.value.kind == VALUE


@pytest.mark.parametrize(
    ("key", "value", "kind", "says"),
    [
        ("start_time", "tomorrowish", TIME, "'tomorrowish' is no time"),
        ("end_time", "2019-01-01", RANGE, "is empty"),
        ("resolution", "fine", VALUE, "resolution='fine' must be a number of seconds"),
        ("params", "colour", UNKNOWN, "'colour' is no option of this source.*The options are text, count"),
        ("params", "count=99", VALUE, r"read\.count=99 is out of its range"),
        ("params", "text=-rf", VALUE, "hyphen"),
        ("params", "x" * 1_000_000, UNKNOWN, "is no option of this source"),
    ],
)
def test_das2_clients_get_the_same_errors(site, lab, key, value, kind, says):
    pairs = {"start_time": "2020-01-01", "end_time": "2020-01-02", key: value}
    with pytest.raises(QueryError, match=says) as caught:
        site.request("options", pairs.items(), "das2").plan()
    assert caught.value.kind == kind
    lab.assert_fit(caught.value)


# -- readers


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", EARLY)
def test_a_failure_before_any_data_is_no_half_answer(site, lab, name, way, failure):
    _reader, kind, says = EARLY[name]
    error, got = failure(site[name][DAY], way)
    assert isinstance(error, SourceError)
    assert (error.kind, got) == (kind, b"")
    assert re.search(says, error.message), error.message
    lab.assert_fit(error)
    record = lab.record()
    assert (record.source, record.complete, record.bytes, record.error_kind) == (name, False, 0, kind)
    assert record.error == error.message


def test_the_last_words_of_a_reader_are_for_the_administrator(site, failure):
    error, _got = failure(site["exits"][DAY])
    assert "out of tape" in error.detail
    assert "out of tape" not in error.message


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", LATE)
def test_a_failure_after_data_is_told_behind_them(site, lab, name, way, failure):
    _reader, kind, says = LATE[name]
    error, got = failure(site[name][DAY], way)
    assert (type(error), error.kind) == (SourceError, kind)
    assert re.search(says, error.message), error.message
    lab.assert_fit(error)
    record = lab.record()
    assert (record.complete, record.error_kind) == (False, kind)
    if way != "read":
        assert record.bytes == len(got)
    if way == "csv":
        assert got.count(b"\n") == 101
    if way == "das3":
        assert got.count(b"|Pd|1|") == 100
        assert re.search(rb'\|Ex\|\|\d+\|\s*<exception type="ServerError">', got)
    if way == "das2":
        assert got.count(b"\n:01:2020-01-01T00:0") == 99
        assert got.endswith(b" />\n") == (kind == "source.exit"), (
            "an exception stands between packets, never inside one"
        )


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", UNSEEN)
def test_what_is_wrong_behind_the_first_packet_is_found_where_it_is_decoded(site, lab, name, way, ask, failure):
    _reader, kind, says = UNSEEN[name]
    if way == "das2":
        assert ask(site[name][DAY], way).startswith(b"[00]")
        assert lab.record().complete
        return
    error, _got = failure(site[name][DAY], way)
    assert (type(error), error.kind) == (SourceError, kind)
    assert re.search(says, error.message), error.message
    lab.assert_fit(error)


def test_a_bomb_takes_no_memory(site, failure):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("deflate-bomb", "items", "entities"):
        for way in WAYS:
            failure(site[name][DAY], way)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kilobytes


@pytest.mark.usefixtures("nothing_left")
def test_an_id_that_is_declared_anew_begins_another_table(site, ask):
    answer = site["redefined"][DAY].read()
    assert [(name, sorted(table), len(table["time"])) for name, table in answer.items()] == [
        ("packet_01", ["level", "time"], 107),
        ("packet_01_2", ["b", "other", "time"], 5),
    ]
    got = ask(site["redefined"][DAY], "das3")
    assert (got.count(b"|Hx|"), got.count(b"|Pd|1|")) == (3, 112)
    assert ask(site["redefined"][DAY]).count(b"[01]") == 3


def test_a_table_of_text_breaks_where_its_columns_change(site, lab, failure):
    error, got = failure(site["redefined"][DAY], "csv")
    assert (type(error), error.kind) == (QueryError, "query.unreachable-type")
    assert "is declared anew with other columns" in error.message
    assert "read.data" in error.message
    assert got.count(b"\n") == 101
    lab.assert_fit(error)


STARTS = {
    "no_such_program": "its program is not there",
    "./nothere": "its program is not there",
    "/opt/secret/nothere": "its program is not there",
    "./plain": "its program may not be executed",
    "./noformat": "its program is no executable; a script needs a first line such as",
    "./nointerpreter": "the interpreter that the first line of its program names is not there",
    "#[python] -S reader.py | nofilter": "its program is not there",
}


@pytest.mark.parametrize("command", STARTS)
def test_a_reader_that_cannot_be_started_is_told_with_the_reason(own, command, failure):
    folder = own.add("Broken", command=command + " #[read.time.min] #[read.time.max]")
    for name, content in {"plain": "", "noformat": "\0\1\2", "nointerpreter": "#!/no/such/thing\n"}.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o644 if name == "plain" else 0o755)
    site = own.opened()
    for way in WAYS:
        error, got = failure(site["Broken"][DAY], way)
        assert (type(error), error.kind, got) == (SourceError, "source.start", b"")
        assert error.message == f"The stage reader could not be started: {STARTS[command]}" or (
            error.message.startswith(f"The stage reader could not be started: {STARTS[command]}")
        )
        own.assert_fit(error)
        assert "secret" not in error.message
        assert own.record().error_kind == "source.start"
    assert own.left() == []


def test_a_reader_without_its_directory_or_its_variable_is_told(own, failure):
    own.add("Lost", command="#[python] reader.py #[env.DASFLEX_NO_SUCH_VARIABLE] #[read.time.min] #[read.time.max]")
    folder = own.add("Gone")
    site = own.opened()
    with pytest.raises(ConfigError, match="DASFLEX_NO_SUCH_VARIABLE is not set; set it for the server") as caught:
        site["Lost"][DAY].plan()
    assert caught.value.kind == "config.missing"
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()
    error, _got = failure(site["Gone"][DAY])
    assert (error.kind, error.message) == (
        "source.start",
        "The stage reader could not be started: its working directory is not there",
    )


# -- consumers that go


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("way", ["das2", "csv"])
@pytest.mark.parametrize(("name", "count"), [("endless", 1), ("sleepy", 1), ("parent", 2)])
def test_nothing_runs_on_when_the_consumer_goes(site, lab, name, count, way):
    chunks = site[name][DAY].ask(format_type="csv" if way == "csv" else "das").plan().run()
    assert next(chunks)
    assert lab.there(count)
    begin = time.monotonic()
    chunks.close()
    assert lab.left() == []
    assert time.monotonic() - begin < 1
    record = lab.record()
    assert (record.complete, record.error_kind) == (False, "")


@pytest.mark.usefixtures("nothing_left")
def test_nothing_runs_on_when_the_consumer_forgets(site, lab):
    chunks = site["parent"][DAY].plan().run()
    next(chunks)
    assert lab.there(2)
    del chunks
    assert lab.left() == []


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("name", ["sleepy", "dumb"])
def test_nothing_runs_on_when_reading_is_interrupted(site, lab, name):
    def interrupt():
        lab.there(1)
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        site[name][DAY].read()
    thread.join()
    assert lab.left() == []


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("name", ["exits", "exits-late", "cut-packet", "garbage-late"])
def test_an_answer_that_breaks_leaves_the_file_as_it_was(site, tmp_path, name):
    kept = tmp_path / "kept.csv"
    kept.write_text("kept")
    for path in (kept, tmp_path / "new.csv"):
        with pytest.raises(SourceError):
            site[name][DAY].save(path)
    assert list(tmp_path.iterdir()) == [kept]
    assert kept.read_text() == "kept"
