# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams written by hand from the statements of the das3 stream format: what they hold, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dasflex_core import epochs
from dasflex_core.arrays import Dataset, Ragged, Records
from dasflex_core.errors import SourceError
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3BinaryEncoder, Das3TextEncoder
from dasflex_das.verifying import verify

TIME = (
    '<coord physDim="time" name="time" axis="x"><scalar semantic="datetime" units="UTC" index="{}">'
    '<packet numItems="1" itemBytes="20" encoding="utf8"/></scalar></coord>'
)
MOMENT = b"2031-04-02T00:00:00 "


def packet(tag, number, body):
    body = body if isinstance(body, bytes) else body.encode()
    return b"|%b|%b|%d|%b" % (tag.encode(), str(number).encode(), len(body), body)


def scalar(index, inside, semantic="integer", more="", tag="scalar"):
    """One variable; `inside` is its source of values."""
    return f'<{tag} semantic="{semantic}" units="" index="{index}" {more}>{inside}</{tag}>'


def wire(count, width, encoding, more=""):
    return f'<packet numItems="{count}" itemBytes="{width}" encoding="{encoding}" {more}/>'


def stream(index, variables, bodies):
    """A stream of one dataset with a time, and these variables by name, each of which is data."""
    own = ";".join(["*", *"-" * (index.count(";"))])
    data = "".join(f'<data physDim="{name}" name="{name}">{each}</data>' for name, each in variables.items())
    rank = index.count(";") + 1
    header = f'<dataset name="d" rank="{rank}" index="{index}">{TIME.format(own)}{data}</dataset>'
    start = packet("Sx", "", '<stream type="das-basic-stream" version="3.0"/>')
    return start + packet("Hx", 1, header) + b"".join(packet("Pd", 1, MOMENT + body) for body in bodies)


def decoded(data, step=0):
    """The items of a stream that comes whole, or some bytes at a time."""
    decoder = Das3Decoder()
    pieces = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    return [*(item for piece in pieces for item in decoder.feed(piece)), *decoder.finish()]


def encoded(encoder, items):
    return b"".join([*(piece for item in items for piece in encoder.feed(item)), *encoder.finish()])


def listed(column):
    if isinstance(column, Ragged):
        inner = listed(column.values)
        return [inner[first:stop] for first, stop in zip(column.offsets[:-1], column.offsets[1:], strict=True)]
    return column.tolist()


def values(items, name):
    """All values of a variable: those of its records, or those in the header."""
    dataset = next(item for item in items if isinstance(item, Dataset))
    own = dataset.variables[name]
    if own.values is not None:
        return own.values.tolist()
    return [value for item in items if isinstance(item, Records) for value in listed(item.columns[name])]


def check(data, name, expected):
    """The values, in whatever pieces they come, and again from both forms that we write."""
    items = decoded(data)
    assert values(items, name) == expected
    assert values(decoded(data, 7), name) == expected
    for encoder in (Das3BinaryEncoder(), Das3TextEncoder()):
        assert values(decoded(encoded(encoder, items)), name) == expected, type(encoder).__name__


BYTES = wire("*", 1, "ubyte")


@pytest.mark.parametrize(
    ("index", "own", "rule", "bodies", "expected"),
    [
        ("*;*", "*;*", ("0", "10;1"), [b"[j|3]\1\2\3", b"[j|0]", b"[j|1]\1"], [[0, 1, 2], [], [20]]),
        ("*;*", "*;^", ("5", "0;2"), [b"[j|2]\1\2"], [[5, 7]]),
        ("*;*;*", "*;*;*", ("0", "100;10;1"), [b"[j|2][k|1]\1[k|2]\2\3", b"[j|0]"], [[[0], [10, 11]], []]),
        ("*;*;*", "*;*;-", ("0", "100;10;-"), [b"[j|2][k|1]\1[k|2]\2\3", b"[j|1][k|0]"], [[0, 10], [100]]),
        ("*;2;*", "*;2;*", ("0", "100;10;1"), [b"[k|1]\1[k|2]\2\3"], [[[0], [10, 11]]]),
        ("*;*;2", "*;*;2", ("0", "100;10;1"), [b"[j|4]\1\2\3\4"], [[[0, 1], [10, 11]]]),
    ],
)  # fmt: skip
def test_a_sequence_over_the_record_borrows_the_runs_of_what_is_in_the_packets(index, own, rule, bodies, expected):
    """As many values as its neighbour has, each by the rule, records numbered through all batches."""
    sequence = f'<sequence minval="{rule[0]}" interval="{rule[1]}"/>'
    variables = {"s": scalar(own, sequence), "z": scalar(index, BYTES, more='storage="ubyte"')}
    check(stream(index, variables, bodies), "s", expected)


def test_a_borrowed_sequence_of_times_steps_in_seconds():
    """An ISO minimum; written as TT2000 or as text, the times stay."""
    sequence = '<sequence minval="2031-01-01" interval="60;0.5"/>'
    variables = {
        "s": scalar("*;*", sequence, "datetime").replace('units=""', 'units="UTC"'),
        "z": scalar("*;*", BYTES),
    }
    items = decoded(stream("*;*", variables, [b"[j|2]\1\2", b"[j|1]\1"]))
    wanted = np.array(["2031-01-01T00:00:00", "2031-01-01T00:00:00.5", "2031-01-01T00:01:00"], "M8[ns]")
    records = next(item for item in items if isinstance(item, Records))
    np.testing.assert_array_equal(records.columns["s"].leaves, wanted)
    back = decoded(encoded(Das3BinaryEncoder(), items))
    records = next(item for item in back if isinstance(item, Records))
    np.testing.assert_array_equal(epochs.to_datetime64(records.columns["s"].leaves, "TT2000"), wanted)


def test_a_sequence_that_can_borrow_from_nobody_is_refused_by_name():
    variables = {"s": scalar("*;-;*", '<sequence minval="0" interval="1;-;1"/>'), "z": scalar("*;*;*", BYTES)}
    with pytest.raises(SourceError, match="variable s: a sequence over the record borrows"):
        decoded(stream("*;*;*", variables, []))


@pytest.mark.parametrize("semantic", ["string", "blob"])
def test_what_is_no_number_follows_no_rule(semantic):
    """In records as in the header."""
    variables = {"s": scalar("*;*", '<sequence minval="0" interval="1;1"/>', semantic), "z": scalar("*;*", BYTES)}
    with pytest.raises(SourceError, match=f"variable s: values of the semantic {semantic} cannot follow a sequence"):
        decoded(stream("*;*", variables, []))


def test_a_sequence_of_a_few_bytes_cannot_fill_the_memory():
    """Its fixed extents count in each of the runs that it borrows."""
    variables = {
        "s": scalar("*;*;1000000", '<sequence minval="0" interval="1;1;1"/>'),
        "z": scalar("*;*;-", BYTES),
    }
    with pytest.raises(SourceError, match="values at once"):
        decoded(stream("*;*;1000000", variables, [b"[j|100]" + bytes(100)]))


SIX = [bytes(range(1, 7))]


@pytest.mark.parametrize(
    ("own", "inside", "expected"),
    [
        ("-;2;3", '<values repeat="each" repetitions="3">1;2</values>', [[1, 1, 1], [2, 2, 2]]),
        ("-;2;3", '<values repeat="whole" repetitions="2">1;2;3</values>', [[1, 2, 3], [1, 2, 3]]),
        ("-;2;3", '<values repeat="whole" repetitions="*" valSep=" ">1 2 3</values>', [[1, 2, 3], [1, 2, 3]]),
        ("-;-;3", '<values repeat="none">1;2;3</values>', [1, 2, 3]),
        ("-;2;3", '<sequence minval="5" interval="2" repeat="each" repetitions="3"/>', [[5, 5, 5], [7, 7, 7]]),
        ("-;2;3", '<sequence minval="5" interval="2" repeat="whole" repetitions="2"/>', [[5, 7, 9], [5, 7, 9]]),
        ("-;2;3", '<sequence minval="5" interval="2" repeat="whole"/>', [[5, 7, 9], [5, 7, 9]]),
        ("-;2;3", '<sequence minval="5" interval="2" repeat="whole" repetitions="1"/>', [[5, 7, 9], [11, 13, 15]]),
        ("-;2;3", '<sequence minval="5" interval="2" repeat="whole" repetitions="6"/>', [[5, 5, 5], [5, 5, 5]]),
        ("-;2;3", '<sequence minval="0" interval="10;1" repeat="none"/>', [[0, 1, 2], [10, 11, 12]]),
    ],
)
def test_values_that_release_candidates_repeated_fill_the_index(own, inside, expected):
    """Whole or each, as often as they say or as the index asks; written again without repetition."""
    variables = {"s": scalar(own, inside), "z": scalar("*;2;3", wire(6, 1, "ubyte"))}
    check(stream("*;2;3", variables, SIX), "s", expected)


@pytest.mark.parametrize(
    "inside",
    [
        '<values repeat="each" repetitions="2">1;2</values>',
        '<values repeat="often" repetitions="3">1;2</values>',
        '<sequence minval="5" interval="2" repeat="each" repetitions="4"/>',
        '<sequence minval="5" interval="2" repeat="whole" repetitions="4"/>',
    ],
)
def test_values_that_do_not_repeat_as_they_say_are_refused(inside):
    variables = {"s": scalar("-;2;3", inside), "z": scalar("*;2;3", wire(6, 1, "ubyte"))}
    with pytest.raises(SourceError, match="variable s has repeat="):
        decoded(stream("*;2;3", variables, SIX))


def test_states_in_a_header_are_told_by_their_first_letter():
    """T, yes and 1; F, no and 0; all else is fill."""
    variables = {
        "s": scalar("-;6", "<values>T no 1 False * y</values>", "bool"),
        "z": scalar("*;6", wire(6, 1, "ubyte")),
    }
    check(stream("*;6", variables, SIX), "s", [1, 0, 1, 0, -128, 1])


@pytest.mark.parametrize(
    ("inside", "bodies", "expected"),
    [
        (wire(1, "*", "blob"), [b"{3}abc", b"{0}", b"{4} a;b"], [b"abc", b"", b" a;b"]),
        (wire(1, "*", "base64"), [b"{4}YWJj", b"{0}"], [b"abc", b""]),
        (wire(1, 3, "blob"), [b"abc"], [b"abc"]),
        (wire(1, 4, "base64"), [b"YWJj"], [b"abc"]),
    ],
)
def test_strings_may_stand_where_blobs_do(inside, bodies, expected):
    """As bytes behind their length, or in base64; what they are is for the semantic to say."""
    check(stream("*", {"s": scalar("*", inside, "string")}, bodies), "s", expected)


def test_runs_of_strings_may_stand_where_blobs_do():
    variables = {"s": scalar("*;*", wire("*", "*", "blob"), "string")}
    check(stream("*;*", variables, [b"[j|2]{1}a{2}bc", b"[j|0]"]), "s", [[b"a", b"bc"], []])


@pytest.mark.parametrize(("encoding", "mime"), [("none", ""), ("png", "image/png"), ("jpeg", "image/jpeg")])
def test_encodings_of_release_candidates_are_those_of_blobs(encoding, mime):
    """`none` is what blobs were called; pictures had encodings of their own."""
    items = decoded(stream("*", {"s": scalar("*", wire(1, "*", encoding), "blob")}, [b"{3}abc", b"|1|d"]))
    assert values(items, "s") == [[97, 98, 99], [100]]
    dataset = next(item for item in items if isinstance(item, Dataset))
    assert dataset.variables["s"].encoding.mime == mime


@pytest.mark.parametrize(
    ("inside", "body", "expected"),
    [
        (wire("*", "*", "utf8", 'idxTerm="$,!"'), b" 1 2  3 ! 4 5 !6 ! $", [[1, 2, 3], [4, 5], [6]]),
        (wire("*", "*", "utf8", 'valTerm=";" idxTerm="$,!"'), b"1;2;! 3;! $", [[1, 2], [3]]),
        (wire("*", "*", "utf8", 'valTerm=";" idxTerm="$,!"'), b"1;2;!3;!  ", [[1, 2], [3]]),
        (wire("*", "*", "utf8", 'valTerm=";" idxTerm="$,!"'), b"1;2;! !3;!$", [[1, 2], [], [3]]),
    ],
)
def test_blanks_before_the_end_of_a_list_of_runs_are_no_run(inside, body, expected):
    """Nor are those before the end of the packet; a run that a terminator ends may be empty."""
    check(stream("*;*;*", {"s": scalar("*;*;*", inside)}, [body]), "s", [expected])


OLD = (
    '<packet><x type="time24" units="us2000"/><y name="a" type="ascii9" units="V"/>'
    '<yscan name="s" type="sun_real4" nitems="2" zUnits="nT" yUnits="Hz" yTags="10,20"/></packet>'
)


@pytest.mark.parametrize(
    "start",
    [
        '<stream version="2.2"><properties double:zFill="-7" String:zLabel="B"/></stream>',
        '<stream type="das-basic-stream" version="3.0"><properties><p name="zFill">-7</p></properties></stream>',
    ],
)
def test_headers_of_das2_are_read_behind_tags_of_das3(start):
    """As das2C reads them; what comes out is das3, from either form of the stream header."""
    body = b"2031-04-02T00:00:00.500 " + b"   1.500 " + np.array([2.5, -7], ">f4").tobytes()
    data = packet("Sx", "", start) + packet("Hx", 1, OLD) + packet("Pd", 1, body)
    check(data, "s", [[2.5, -7]])
    check(data, "a", [1.5])
    check(data, "frequency", [10, 20])
    dataset = next(item for item in decoded(data) if isinstance(item, Dataset))
    assert (dataset.generation, dataset.variables["s"].fill, dataset.variables["s"].units) == (3, -7, "nT")
    report = verify([data])
    assert (report.verdict, {each.rule for each in report.findings}) == ("deviation", {"das2-header"})
    assert [each.packets for each in report.tallies] == [1]


def test_what_is_left_out_of_a_header_is_shown_with_its_place():
    minor = scalar("-;-;3", "<values>1 2</values>").replace("<scalar", '<scalar use="width"')
    stream_ = stream("*;2;3", {"s": scalar("*;2;3", wire(6, 1, "ubyte")) + minor}, SIX)
    (found,) = verify([stream_]).findings
    assert (found.rule, found.line, found.text) == ("left-out", 1, minor.split(">")[0] + ">")


def test_translations_of_a_property_are_passed_through():
    """And are no part of its text, whatever it is."""
    said = '<p name="title">Waves<alt lang="fr">Ondes &amp; co</alt> <alt lang="de">Wellen</alt></p>'
    start = f'<stream type="das-basic-stream" version="3.0"><properties>{said}</properties></stream>'
    items = decoded(packet("Sx", "", start))
    title = items[0].properties.get("title")
    assert (title.text, title.translations) == ("Waves", (("fr", "Ondes & co"), ("de", "Wellen")))
    for encoder in (Das3BinaryEncoder(), Das3TextEncoder()):
        data = encoded(encoder, items)
        assert decoded(data) == items
        assert verify([data]).verdict == "ok"


@pytest.mark.parametrize(
    ("index", "bodies", "place", "why"),
    [
        ("*;*", [b"[j|1]\1[j|1]\1", b"[j|2]\1\2[j|1]\2"], 1, "b has runs of other lengths than a"),
        ("*;*;*", [b"[j|2][k|1]\1[k|2]\1\2" * 2, b"[j|1][k|1]\1[j|1][k|2]\1\2"], 1, "b has runs"),
        ("*;*;*", [b"[j|0]" * 2, b"[j|0][j|1][k|0]"], 1, "b has runs"),
        ("*;*", [b"[j|1]\1[j|1]\1", b"[j|0][j|0]"], None, ""),
        ("*;*;*", [b"[j|2][k|1]\1[k|2]\1\2" * 2], None, ""),
    ],
)
def test_runs_of_different_lengths_over_one_index_are_a_deviation(index, bodies, place, why):
    """Nothing in the form says so, and those who read one value beside the other go wrong."""
    variables = {name: scalar(index, BYTES) for name in ("a", "b")}
    data = stream(index, variables, bodies)
    report = verify([data])
    if place is None:
        assert report.verdict == "ok"
        return
    (found,) = report.findings
    assert (report.verdict, found.rule) == ("deviation", "run-lengths")
    assert found.message.startswith(why)
    assert data[found.offset :].startswith(packet("Pd", 1, MOMENT + bodies[place]))
    assert verify(data[at : at + 5] for at in range(0, len(data), 5)).findings == report.findings


def test_runs_over_different_indices_are_not_compared():
    """One over j, the other over k."""
    variables = {"a": scalar("*;*;-", BYTES), "b": scalar("*;-;*", BYTES)}
    assert verify([stream("*;*;*", variables, [b"[j|2]\1\2[k|1]\1"])]).verdict == "ok"


def test_ids_that_classic_tools_do_not_read_become_others():
    """1 to 99 stay, those beyond take what is free, and a dataset declared anew keeps its id."""
    header = f'<dataset name="d" rank="1" index="*">{TIME.format("*")}</dataset>'
    data = packet("Sx", "", '<stream type="das-basic-stream" version="3.0"/>')
    for number in (2, 100, 0, 1, 7, 100):
        data += packet("Hx", number, header) + packet("Pd", number, MOMENT)
    items = decoded(data)
    # The same declaration again says nothing new, but one in other words does.
    items.append(replace(next(item for item in items if isinstance(item, Dataset) and item.id == 100), plot="polar"))
    back = decoded(encoded(Das3BinaryEncoder(), items))
    assert [item.id for item in back if isinstance(item, Dataset)] == [2, 1, 3, 4, 7, 1]
    assert verify([encoded(Das3TextEncoder(), items)]).verdict == "ok"
    counts = [(item.dataset.id, len(item)) for item in back if isinstance(item, Records)]
    assert sum(length for _number, length in counts) == 6
    assert sum(length for number, length in counts if number == 1) == 2


def test_more_datasets_than_ids_are_all_written():
    header = f'<dataset name="d" rank="1" index="*">{TIME.format("*")}</dataset>'
    data = packet("Sx", "", '<stream type="das-basic-stream" version="3.0"/>')
    data += b"".join(packet("Hx", number, header) + packet("Pd", number, MOMENT) for number in range(120, 0, -1))
    back = decoded(encoded(Das3TextEncoder(), decoded(data)))
    assert len({item.dataset.id for item in back if isinstance(item, Records)}) == 120
