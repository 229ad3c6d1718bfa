# SPDX-License-Identifier: GPL-3.0-or-later
"""Beyond bad input: values, readers, definitions and callers that mean no good, or are merely odd."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import dasflex_core
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import ConfigError, NotFoundError, QueryError, SourceError

pytestmark = pytest.mark.integration

DAY = slice("2020-01-01", "2020-01-02")
WAYS = ("das2", "csv", "das3", "read")

#: Readers that are odd, and right: what they write has so many records.
ODD = {
    "plain": ("start()", 100),
    "drop-by-drop": (
        """
        import io
        true, out = out, io.BytesIO()
        start(40)
        for byte in out.getvalue():
            os.write(1, bytes([byte]))
        """,
        40,
    ),
    "newlines": (r"start(1); out.write(b'\n\n'); records(1); out.write(b'\n')", 2),
    "same-minute": (r"start(0); [out.write(b':01:2020-01-01T00:01:%02d %9d\n' % (n // 99, n)) for n in range(5000)]", 5000),
    "loud": (r"sys.stderr.write('complaint ' * 300_000); start(); sys.stderr.write('complaint\n' * 9999)", 100),
    "asks-for-input": ("sys.stdin.read(); start()", 100),
    "closes-early": ("start(); os.close(1); time.sleep(0.3)", 100),
    "leaves-a-child": ("start(); grandchild(stdout=-3, stderr=-3, start_new_session=True)", 100),
    "all-ids": ("header()\nfor n in range(1, 100): declare(n)\nfor n in range(1, 100): records(1, n)", 99),
    "declares-often": ("header()\nfor n in range(500): declare(name=f'n{n % 250}'); records(1)", 500),
    "comments-often": (
        """start()\nfor n in range(5000): packet("xx", '<comment type="log:info" source="x" value="hi"/>')""",
        100,
    ),
}  # fmt: skip
#: Readers that find nothing, which is no error.
NOTHING = {
    "silent": "",
    "header": "header()",
    "declaration": "header(); declare()",
    "remark": """header(); packet("xx", '<comment type="log:info" source="x" value="look elsewhere"/>')""",
    "no-data": """header(); packet("xx", '<exception type="NoDataInInterval" message="not in 2020"/>')""",
    "no-data-alone": """packet("00", '<exception type="NoDataInInterval" message="not in 2020"/>')""",
}
#: Readers that tell of a failure themselves, in the stream.
TELLING = {
    "tells": """header(); packet("xx", '<exception type="ServerError" message="tape 7 is torn"/>')""",
    "tells-alone": """packet("00", '<exception type="ServerError" message="tape 7 is torn"/>')""",
    "tells-late": """start(); packet("xx", '<exception type="ServerError" message="tape 7 is torn"/>')""",
    "tells-and-fails": """start(); packet("xx", '<exception type="ServerError" message="tape 7 is torn"/>'); sys.exit(4)""",
}
#: Readers that use more than they may, and what is said of it.
GREEDY = {
    "never-speaks": ("time.sleep(60)", "silence = '300 ms'", "source.silent", r"it wrote nothing for 0\.3 s"),
    "falls-silent": ("start(); time.sleep(60)", "silence = '1 s'", "source.silent", "it wrote nothing for 1 s"),
    "closes-and-stays": ("start(); os.close(1); time.sleep(60)", "silence = '1 s'", "source.silent", "wrote nothing"),
    "stops-itself": ("start(); os.kill(os.getpid(), 19)", "silence = '1 s'", "source.silent", "wrote nothing"),
    "writes-without-end": (
        "header(); declare()\nwhile True: records(1000)",
        "output = '100 kB'",
        "source.limit",
        "more than 100,000 bytes",
    ),
    "turns-in-circles": ("start()\nwhile True: pass", "cpu = '1 s'", "source.limit", "more than 1 s of CPU time"),
}
#: Readers that are hard to end.
STUBBORN = {
    "deaf": "signal.signal(signal.SIGTERM, signal.SIG_IGN); start(); time.sleep(60)",
    "crowd": "start()\nfor n in range(20): grandchild(start_new_session=bool(n % 2))\ntime.sleep(60)",
    "orphan": "start()\nif os.fork(): os._exit(0)\nos.setsid(); records(5); time.sleep(60)",
}
#: Readers that should write das3 and fail.
DAS3 = {
    "das3-random": (r"out.write(b'\xff\x00garbage' * 9999)", "source.stream", "starts no das3 packet"),
    "das3-is-das2": ("out.write(b'[00]000025<stream version=\"2.2\"/>')", "source.stream", "starts no das3 packet"),
    "das3-long-lie": ("out.write(b'|Sx||999999999|<stream/>')", "source.stream", r"announces 999,999,999 bytes; at most"),
    "das3-data-lie": ("header(); declare(); out.write(b'|Pd|1|999999999|x')", "source.stream", "announces 999,999,999 bytes"),
    "das3-cut": ("header(); out.write(b'|Hx|1|400|<data')", "source.truncated", "ends inside the packet"),
    "das3-exits": ("start(0); sys.exit(3)", "source.exit", "failed with exit status 3"),
}  # fmt: skip
#: The same, where only who decodes can tell: the first data packet is there, or headers are not looked into.
DAS3_DECODED = {
    "das3-entities": (
        """packet("Sx", 0, '<!DOCTYPE a [<!ENTITY a "x">]><stream version="3.0"/>')""",
        "source.stream",
        "may hold no DTD",
    ),
    "das3-items": ("header(); declare(items=1_000_000_000)", "source.stream", "numItems '1000000000'"),
    "das3-garbage-late": ("start(9); out.write(b'Traceback (most')", "source.stream", r"b'Traceback \(m'"),
    "das3-odd-size": ("start(9); packet('Pd', 1, 'short')", "source.stream", "has 5 bytes; by its header each has 30"),
    "das3-undeclared": ("start(9); records(3, 7)", "source.stream", "has the id 7, which no header declares"),
}


@pytest.fixture(scope="module")
def lab(make_lab):
    """A root with all these readers."""
    made = make_lab()
    for name, (reader, _count) in ODD.items():
        made.add(name, reader)
    for name, reader in {**NOTHING, **TELLING, **STUBBORN}.items():
        made.add(name, reader)
    for name, (reader, limit, _kind, _says) in GREEDY.items():
        made.add(name, reader, more=f"[limits]\n{limit}")
    for name, (reader, _kind, _says) in {**DAS3, **DAS3_DECODED}.items():
        made.add(name, reader, writes="das/3")
    echo = """
        import json
        from xml.sax.saxutils import quoteattr
        header()
        packet("xx", f'<comment type="log:info" source="x" value={quoteattr(json.dumps(sys.argv[2:]))}/>')
    """
    command = "#[python] -S reader.py {mark} #[read.text # @ #] #[read.level # --level=@ #] #[read.list # @ #]"
    options = '[options.text]\ntitle = "Text"\n[options.level]\ntitle = "Text"\n[options.list]\ntype = "list"'
    made.add("echo", echo, command=command + " #[read.time.min] #[read.time.max]", more=options)
    made.opened()
    return made


@pytest.fixture(scope="module")
def site(lab, ask):
    """The site of that root, with everything imported that a request may need."""
    opened = dasflex_core.open(lab.root)
    for way in WAYS:
        ask(opened["plain"][DAY], way)
    return opened


# -- values


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("name", ["read.text", "read.level"])
@pytest.mark.parametrize(
    "value",
    [
        "two words",
        "two\nlines\tand a tab",
        "../../../etc/passwd",
        "; rm -rf ~",
        "$(touch x) `touch y` ${HOME} %s",
        "| cat > x & # * ? [a-z] !",
        "#[python] #[read.time.min] @",
        "'\"\\",
        "é中😀\u202e",
        "x" * 60_000,
    ],
)
def test_a_value_reaches_the_reader_as_a_part_of_one_argument(site, name, value):
    answer = site.request("echo", [("time", "2020-01-01/2020-01-02"), (name, value)]).read()
    begin, end = "2020-01-01T00:00:00", "2020-01-02T00:00:00"
    mine = value if name == "read.text" else f"--level={value}"
    assert json.loads(answer.comments[-1].text) == [mine, begin, end]


def test_the_name_of_a_file_holds_no_sign_that_a_file_system_or_a_header_does_not_take(site):
    name = site["echo"][DAY].ask(read_text="../é中\n;/" * 99, format_type="csv").plan().file_name()
    assert re.fullmatch(r"echo_2020-01-01[\w.+-]{1,120}\.csv", name, re.ASCII)


def test_lists_numbers_and_arrays_of_python_are_values(site):
    answer = site["echo"][DAY].ask(read_list=["a", "b"], read_level=np.float64(2)).read()
    assert json.loads(answer.comments[-1].text)[:2] == ["--level=2", "a,b"]


def test_what_is_no_range_is_told(site):
    with pytest.raises(QueryError, match=r"'2020' is no range of time; write one like source\["):
        _ = site["plain"]["2020"]


def test_thousands_of_options_and_values_make_no_endless_texts(own):
    names = [f"o{number}" for number in range(600)]
    command = "#[python] reader.py #[read.time.min] #[read.time.max] " + " ".join(
        f"#[read.{name} # @ #]" for name in names
    )
    values = ", ".join(f'v{number} = "V"' for number in range(5000))
    tables = "".join(f"[options.{name}]\ntitle = 'T'\n" for name in names[1:])
    own.add("Many", command=command, more=f"[options.o0]\nvalues = {{ {values} }}\n{tables}")
    site = own.opened()
    everything = {f"read_{name}": "v1" for name in names}
    begin = time.monotonic()
    assert site["Many"][DAY].ask(**everything).plan().solution.path.steps
    for asked, says in [
        ({"read_p1": "x"}, r"no parameter 'read\.p1'\. Did you mean .* and 5\d\d more"),
        ({"read_o0": "w1"}, r"read\.o0='w1' is unknown.* and 4,940 more"),
        ({"format_type": "das", "format_version": "7"}, "cannot be had as das/7"),
    ]:
        with pytest.raises(QueryError, match=says) as caught:
            site["Many"][DAY].ask(**asked).plan()
        own.assert_fit(caught.value)
    with pytest.raises(QueryError, match="too long for the command of the stage reader"):
        b"".join(site["Many"][DAY].ask(**everything | {f"read_{name}": "x" * 9999 for name in names[1:]}).plan().run())
    assert time.monotonic() - begin < 5


# -- readers


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ODD)
def test_odd_readers_are_right(site, lab, ask, name, way):
    count = ODD[name][1]
    if way == "csv" and name in ("all-ids", "declares-often"):
        way = "das2"  # one table of text cannot hold them unless their columns are the same
    answer = ask(site[name][DAY], way)
    if way == "read":
        assert sum(len(table["time"]) for table in answer.values()) == count
    elif way == "csv":
        assert answer.count(b"\n") == count + 1
    elif way == "das3":
        assert answer.count(b"|Pd|") == count
    else:
        assert len(re.findall(rb":\d\d:2020", answer)) == count
    record = lab.record()
    assert (record.complete, record.error) == (True, "")


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NOTHING)
def test_nothing_found_is_no_error(site, lab, ask, name, way):
    answer = ask(site[name][DAY], way)
    assert lab.record().complete
    if way == "read":
        assert len(answer) == 0
        assert [each.text for each in answer.comments if "2020" in each.text] == (
            ["not in 2020"] if "no-data" in name else []
        )
    elif way == "csv":
        assert answer == (b"time,level (V)\n" if name == "declaration" else b"")
    else:
        assert b":2020" not in answer
        assert (b"not in 2020" in answer) == ("no-data" in name)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TELLING)
def test_what_a_reader_tells_of_its_failure_reaches_the_client(site, ask, failure, name, way):
    if way in ("csv", "read"):
        error, got = failure(site[name][DAY], way)
        assert (type(error), error.kind, error.message) == (SourceError, "source.stream", "tape 7 is torn")
        assert got.count(b"\n") == (101 if way == "csv" and name in ("tells-late", "tells-and-fails") else 0)
    elif "fails" in name:
        error, got = failure(site[name][DAY], way)
        assert error.kind == "source.exit"
        assert got.count(b"tape 7 is torn") == 1
    else:
        assert ask(site[name][DAY], way).count(b"tape 7 is torn") == 1


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(("name", "way"), [*((name, "das2") for name in GREEDY), ("falls-silent", "read")])
def test_a_reader_that_uses_more_than_it_may_is_ended(site, lab, failure, name, way):
    _reader, _limit, kind, says = GREEDY[name]
    error, _got = failure(site[name][DAY], way)
    assert (type(error), error.kind) == (SourceError, kind)
    assert re.search(says, error.message), error.message
    assert lab.left() == []
    assert (lab.record().complete, lab.record().error_kind) == (False, kind)
    lab.assert_fit(error)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(("name", "count"), [("deaf", 1), ("crowd", 21), ("orphan", 1)])
def test_readers_that_are_hard_to_end_are_ended(site, lab, name, count):
    chunks = site[name][DAY].plan().run()
    next(chunks)
    assert lab.there(count)
    begin = time.monotonic()
    chunks.close()
    assert lab.left() == []
    assert time.monotonic() - begin < 1.5


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [*DAS3, *DAS3_DECODED])
def test_a_das3_reader_that_fails_is_told_as_clearly(site, lab, ask, failure, name, way):
    _reader, kind, says = {**DAS3, **DAS3_DECODED}[name]
    if way == "das3" and name in DAS3_DECODED:
        assert ask(site[name][DAY], way).startswith(b"|Sx|")
        return
    error, got = failure(site[name][DAY], way)
    assert (type(error), error.kind) == (SourceError, kind)
    assert re.search(says, error.message), error.message
    assert got == b"" or name in DAS3_DECODED
    lab.assert_fit(error)


@pytest.mark.usefixtures("nothing_left")
def test_a_device_is_written_to_and_never_replaced(site, tmp_path):
    pipe = tmp_path / "answer.csv"
    os.mkfifo(pipe)
    got = []
    thread = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    thread.start()
    site["plain"][DAY].save(pipe)
    thread.join()
    assert got[0].count(b"\n") == 101
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.usefixtures("nothing_left")
def test_saving_touches_no_file_but_the_one_that_is_named(site, tmp_path):
    (tmp_path / "a.csv.part").write_text("mine")
    (tmp_path / "link.csv").symlink_to("true.csv")
    for name in ("a.csv", "link.csv"):
        assert site["plain"][DAY].save(tmp_path / name) == tmp_path / name
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.csv", "a.csv.part", "link.csv", "true.csv"]
    assert (tmp_path / "a.csv.part").read_text() == "mine"
    assert (tmp_path / "link.csv").is_symlink()


# -- many at once


@pytest.mark.usefixtures("nothing_left")
def test_twenty_at_once_do_not_disturb_one_another(site, lab, ask, failure):
    jobs = [("plain", way) for way in WAYS] * 3 + [
        ("tells-and-fails", "csv"),
        ("never-speaks", "das2"),
        ("no-data", "read"),
    ]
    jobs += [("crowd", "leave")] * 2 + [("deaf", "leave")] + [("drop-by-drop", "das2"), ("loud", "csv")]

    def run(job):
        name, way = job
        if way == "leave":
            chunks = site[name][DAY].plan().run()
            size = len(next(chunks))
            chunks.close()
            return size
        if name in ("tells-and-fails", "never-speaks"):
            return failure(site[name][DAY], way)[0].kind
        answer = ask(site[name][DAY], way)
        return len(answer)

    with ThreadPoolExecutor(len(jobs)) as pool:
        results = dict(zip(range(len(jobs)), pool.map(run, jobs), strict=True))
    for place, (name, way) in enumerate(jobs):
        expected = {"das2": 3535, "csv": 2505, "read": 1}.get(way) if name == "plain" else None
        expected = {"tells-and-fails": "source.stream", "never-speaks": "source.silent"}.get(name, expected)
        assert expected is None or results[place] == expected, (name, way)
    assert len({results[place] for place, job in enumerate(jobs) if job == ("plain", "das3")}) == 1
    assert lab.left() == []


def test_two_sites_in_one_process_know_nothing_of_one_another(make_lab, ask):
    first, second = make_lab(), make_lab()
    first.add("Same", "start(3)")
    second.add("Same", "start(5)", more="[default]\nformat.serial = 'text'")
    second.add("Other")
    sites = first.opened(), second.opened()
    assert [list(each) for each in sites] == [["Same"], ["Other", "Same"]]
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda place: ask(sites[place % 2]["Same"][DAY]).count(b":01:2020"), range(8)))
    assert counts == [3, 5] * 4
    assert [len(list((each.root / "log" / "requests").iterdir())) for each in (first, second)] == [4, 4]
    with pytest.raises(NotFoundError):
        _ = sites[0]["Other"]


# -- what changes between two requests


def test_a_definition_that_changes_counts_from_the_next_request(own, ask, failure):
    site = dasflex_core.open(own.root)
    source = site["Good"]
    plan = source[DAY].plan()
    own.add("Good", "start(7)", more="[options.antenna]\ntitle = 'A'", command="#[python] reader.py #[read.time.min] #[read.time.max] #[read.antenna # @ #]")  # fmt: skip
    assert compile_tree(own.root).installed == ("Good",)
    assert b"".join(plan.run()).count(b"\n:01:") == 6, "the plan is as it was made; its reader is a file"
    with pytest.raises(QueryError):
        source[DAY].ask(read_antenna="u").plan()
    assert ask(site["Good"][DAY].ask(read_antenna="u")).count(b"\n:01:") == 6

    (own.root / "definitions" / "Good" / "source.toml").write_text("title = 'no more than that'")
    report = compile_tree(own.root)
    assert (report.kept, len(report.findings) > 1) == (("Good",), True)
    assert ask(site["Good"][DAY]).count(b"\n:01:") == 6, "what was installed stays"

    shutil.rmtree(own.root / "definitions" / "Good")
    error, _got = failure(site["Good"][DAY])
    assert (error.kind, error.message) == (
        "source.start",
        "The stage reader could not be started: its working directory is not there",
    )
    assert compile_tree(own.root).removed == ("Good",)
    with pytest.raises(NotFoundError):
        _ = site["Good"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _data: b"",
        lambda data: data[:-20],
        lambda _data: b"[" * 100_000,
        lambda _data: b"9" * 10_000,
        lambda data: b"\xff" + data,
        lambda data: data.replace(b"good.json", b"../../etc/passwd").replace(b'"title"', b'"titel"'),
    ],
)
@pytest.mark.parametrize("file", ["index.json", "good.json"])
def test_a_damaged_catalog_is_told_to_the_administrator(own, file, damage):
    site = dasflex_core.open(own.root)
    path = own.root / "sources" / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ConfigError, match=r"cannot be used: .* Make it anew with `dasflex install`") as caught:
        _ = site["Good"]
    assert (caught.value.kind, str(path) in caught.value.message) == ("config.unreadable", True)
    path.unlink()
    compile_tree(own.root)
    assert site["Good"].id == "Good"


@pytest.mark.parametrize("content", [b"", b"null", b'{"stamp": 1}', b"[" * 100_000, b"9" * 10_000, b"\xff"])
def test_a_damaged_manifest_is_made_anew(own, ask, content):
    path = own.root / "etc" / "manifest.json"
    path.write_bytes(content)
    assert ask(dasflex_core.open(own.root)["Good"][DAY], "csv").count(b"\n") == 101
    assert json.loads(path.read_bytes())["installed"]["held"]


def test_filters_of_the_site_that_are_wrong_are_told_with_their_line(own, caplog):
    (own.root / "etc" / "stages.toml").write_text("[[stage]]\ncommand = 'x; y'\naccept = 'das/2'\n")
    with caplog.at_level(logging.WARNING), pytest.raises(ConfigError) as caught:
        dasflex_core.open(own.root)
    assert re.search(r"stages\.toml:2: stage\[0\]\.command: .* without a shell", caught.value.message)
    assert re.search(r"stages\.toml:3: stage\[0\]\.accept: .* Did you mean accepts", caught.value.message)
