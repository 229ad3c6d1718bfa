# SPDX-License-Identifier: GPL-3.0-or-later
"""What random input once did to the codecs, and does no more: each test is a finding of tests/fuzz."""

from __future__ import annotations

import struct
import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from dasflex_core.answers import gather
from dasflex_core.arrays import Records
from dasflex_core.errors import SourceError
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder, Das2TextEncoder
from dasflex_das.das2_framing import Das2Framer
from dasflex_das.das2_packets import BATCH
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_encoder import Das3BinaryEncoder, Das3TextEncoder

START = b'[00]000023<stream version="2.2"/>'


def das2(number, body):
    data = body.encode()
    return b"[%02d]%06d%b" % (number, len(data), data)


def fed(stage, stream, cuts=()):
    """What comes out of the stage where the stream is cut there."""
    edges = [0, *cuts, len(stream)]
    return [*(each for a, b in pairwise(edges) for each in stage.feed(stream[a:b])), *stage.finish()]


@pytest.mark.parametrize("stage", [Das2Decoder, Das2Framer])
def test_a_newline_behind_the_last_packet_is_no_broken_packet_in_whatever_chunk_it_comes(stage):
    stream = START + b"\n\n"
    assert len(fed(stage(), stream)) == 1
    assert len(fed(stage(), stream, range(1, len(stream)))) == 1


@pytest.mark.parametrize("stage", [Das2Decoder, Das2Framer])
@pytest.mark.parametrize(("left", "kind"), [(b"\xff", "source.stream"), (b":0", "source.truncated")])
def test_what_a_stream_ends_with_gives_the_same_error_in_whatever_chunk_it_comes(stage, left, kind):
    stream = START + left
    for cuts in ((), (len(START),), range(1, len(stream))):
        with pytest.raises(SourceError) as caught:
            fed(stage(), stream, cuts)
        assert caught.value.kind == kind


@pytest.mark.parametrize(
    "rule", ['yTagInterval="1e308"', 'yTagInterval="1" yTagMin="inf"', 'yTagInterval="1" yTagMax="nan"']
)
def test_tags_beyond_the_range_of_numbers_are_an_error_and_no_warning_of_numpy(rule):
    planes = f'<x type="sun_real8" units="us2000"/><yscan type="sun_real4" nitems="9" yUnits="Hz" {rule} zUnits="V"/>'
    with pytest.raises(SourceError, match="beyond the range of numbers"):
        fed(Das2Decoder(), START + das2(1, f"<packet>{planes}</packet>"))


def test_a_hundred_short_headers_cannot_fill_the_memory_with_tags():
    planes = '<x type="sun_real8" units="us2000"/><yscan type="ascii1" nitems="{}" yUnits="Hz" zUnits="V"/>'
    with pytest.raises(SourceError, match="values in each packet"):
        fed(Das2Decoder(), START + das2(1, f"<packet>{planes.format(1 << 23)}</packet>"))
    body = f"<packet>{planes.format((1 << 20) - 1)}</packet>"
    with pytest.raises(SourceError, match="tags in all") as caught:
        fed(Das2Decoder(), START + b"".join(das2(number, body) for number in range(1, 100)))
    assert "[05]" in caught.value.message


def test_a_header_of_many_planes_takes_no_time_that_grows_with_their_square():
    scan = '<yscan type="ascii1" nitems="1" yTags="{}" yUnits="s" zUnits=""/>'
    planes = "".join(scan.format(place) for place in range(11_000))
    with pytest.raises(SourceError, match="11,001 planes"):
        fed(Das2Decoder(), START + das2(1, f'<packet><x type="sun_real8" units="us2000"/>{planes}</packet>'))


@pytest.mark.parametrize("stage", [Das2Decoder, Das2Framer])
def test_more_newlines_than_a_batch_holds_are_still_nothing(stage):
    assert len(fed(stage(), START + b"\n" * (2 * BATCH + 1))) == 1


@pytest.mark.parametrize("stage", [Das2Decoder, Das2Framer])
def test_a_packet_that_comes_in_crumbs_takes_little_more_memory_than_its_bytes(stage):
    items = 30_000
    planes = f'<x type="ascii9" units="us2000"/><yscan type="ascii9" nitems="{items}" yUnits="" zUnits=""/>'
    waiting = stage()
    list(waiting.feed(START + das2(1, f"<packet>{planes}</packet>") + b":01:"))
    tracemalloc.start()
    try:
        for _crumb in range(9 * items // 3):
            list(waiting.feed(bytearray(b"000")))
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * 9 * items


def das3(tag, number, body):
    return b"|%b|%b|%d|%b" % (tag.encode(), str(number).encode(), len(body), body.encode())


def das3_stream(variable, values, rank="1"):
    """A das3 stream of one dataset with one variable."""
    data = f'<data physDim="a">{variable}</data>'
    declared = f'<dataset rank="{rank}" index="*" name="a">{data}</dataset>'
    return das3("Sx", "", "<stream/>") + das3("Hx", 1, declared) + b"".join(das3("Pd", 1, each) for each in values)


@pytest.mark.parametrize("storage", ["long", "ulong", "byte"])
@pytest.mark.parametrize("value", ["-1e31", "1e20", "inf", "nan"])
def test_a_number_beyond_every_integer_is_an_error_and_no_warning_of_numpy(storage, value):
    packet = '<packet numItems="1" encoding="utf8" itemBytes="6"/>'
    scalar = f'<scalar semantic="integer" storage="{storage}" units="" index="*">{packet}</scalar>'
    with pytest.raises(SourceError, match="A value of a cannot be read"):
        fed(Das3Decoder(), das3_stream(scalar, [value.ljust(6)]))


def test_a_short_packet_is_not_made_into_more_than_a_batch_by_the_rules_of_its_header():
    """A sequence over the record and a thousand channels, from packets of one byte."""
    rule = '<scalar semantic="real" units="" index="*;1000"><sequence minval="0" interval="1;1"/></scalar>'
    packet = (
        '<scalar semantic="real" units="" index="*;-"><packet numItems="1" encoding="utf8" itemBytes="1"/></scalar>'
    )
    declared = f'<dataset rank="2" index="*;1000" name="a"><data physDim="a">{packet}</data><coord physDim="f">{rule}</coord></dataset>'
    stream = das3("Sx", "", "<stream/>") + das3("Hx", 1, declared) + das3("Pd", 1, "1") * 10_000
    batches = [item for item in fed(Das3Decoder(), stream) if isinstance(item, Records)]
    assert sum(map(len, batches)) == 10_000
    assert max(batch["f"].nbytes for batch in batches) <= 8 << 20
    assert batches[-1]["f"][-1, -1] == 9_999 + 999


def test_rules_that_make_millions_of_values_of_each_packet_are_refused():
    rule = '<scalar semantic="real" units="" index="*;1048576"><sequence minval="0" interval="1;1"/></scalar>'
    declared = f'<dataset rank="2" index="*;1048576" name="a"><data physDim="a">{rule * 2}</data></dataset>'
    with pytest.raises(SourceError, match="a_2 has 1,048,576 values"):
        fed(Das3Decoder(), das3("Sx", "", "<stream/>") + das3("Hx", 1, declared))


def test_one_long_text_in_a_header_does_not_make_all_its_texts_as_long():
    values = "a " * 99_999 + "a" * 700_000
    text = f'<scalar semantic="string" units="" index="-;100000"><values>{values}</values></scalar>'
    declared = f'<dataset rank="2" index="*;100000" name="a"><coord physDim="a">{text}</coord></dataset>'
    with pytest.raises(SourceError, match="too much for a header"):
        fed(Das3Decoder(), das3("Sx", "", "<stream/>") + das3("Hx", 1, declared))


def test_one_long_number_in_a_header_does_not_make_all_its_numbers_as_long():
    values = "1 " * 99_999 + "1" * 700_000
    numbers = f'<scalar semantic="real" units="" index="-;100000"><values>{values}</values></scalar>'
    declared = f'<dataset rank="2" index="*;100000" name="a"><coord physDim="a">{numbers}</coord></dataset>'
    [_stream, dataset] = fed(Das3Decoder(), das3("Sx", "", "<stream/>") + das3("Hx", 1, declared))
    assert dataset["a"].values[-2] == 1


@pytest.mark.parametrize(("count", "width"), [(1, 1_001), ((1 << 20) + 1, 1)])
def test_numbers_in_text_that_are_absurdly_long_or_many_are_refused_before_they_are_read(count, width):
    packet = f'<packet numItems="{count}" encoding="utf8" itemBytes="{width}"/>'
    scalar = f'<scalar semantic="real" units="" index="*;{count}">{packet}</scalar>'
    declared = f'<dataset rank="2" index="*;{count}" name="a"><data physDim="a">{scalar}</data></dataset>'
    with pytest.raises(SourceError, match="values in texts"):
        fed(Das3Decoder(), das3("Sx", "", "<stream/>") + das3("Hx", 1, declared))


def test_a_dataset_of_many_variables_takes_no_time_that_grows_with_their_square():
    packet = '<packet numItems="1" encoding="utf8" itemBytes="1"/>'
    scalar = f'<scalar semantic="real" units="" index="*">{packet}</scalar>'
    with pytest.raises(SourceError, match="more than 1,000 variables"):
        fed(Das3Decoder(), das3_stream(scalar * 8_000, []))


def test_a_dataset_of_many_dimensions_takes_no_time_that_grows_with_their_square():
    """Each looked for a name of its own: a header of a megabyte took minutes."""
    coords = '<coord physDim="t"/>' * 20_000
    declared = f'<dataset rank="1" index="*" name="a">{coords}</dataset>'
    with pytest.raises(SourceError, match="more than 1,000 dimensions"):
        fed(Das3Decoder(), das3("Sx", "", "<stream/>") + das3("Hx", 1, declared))


def test_an_error_quotes_no_more_than_a_part_of_a_stream():
    fill = f'<packet numItems="1" encoding="utf8" itemBytes="9" fill="{"1" * 900_000}"/>'
    scalar = f'<scalar semantic="integer" units="" index="*">{fill}</scalar>'
    with pytest.raises(SourceError) as caught:
        fed(Das3Decoder(), das3_stream(scalar, []))
    assert len(caught.value.message) == len(str(caught.value)) == 1_000


def everything(encoder, items):
    return b"".join([*(chunk for item in items for chunk in encoder.feed(item)), *encoder.finish()])


@pytest.mark.parametrize("encoder", [Das3BinaryEncoder, Das3TextEncoder])
def test_values_are_written_in_the_order_of_the_header_and_not_of_the_stream_that_was_read(encoder):
    """In das3 headers coordinates come first; a das2 scatter has its second coordinate anywhere."""
    planes = (
        '<x type="sun_real8" units="us2000"/><yscan type="ascii13" nitems="2" yUnits="Hz" zUnits="V"/>'
        '<y name="range" type="ascii9" units="km"/><z name="power" type="sun_real4" units="W"/>'
    )
    values = b":01:" + struct.pack(">d", 1e14) + b" 1.25         2.5         " + b" 4.5     " + struct.pack(">f", 8)
    [_header, before, records] = fed(Das2Decoder(), START + das2(1, f"<packet>{planes}</packet>") + values)
    again = fed(Das3Decoder(), everything(encoder(), [_header, before, records]))[-1]
    assert [again[name].tolist() for name in ("range", "power")] == [[4.5], [8.0]]
    assert again["yscan"].tolist() == [[1.25, 2.5]]


@pytest.mark.parametrize("index", ["*;-", "-;3"])
def test_a_vector_of_one_component_that_follows_a_rule_keeps_its_axis(index):
    rule = "".join(f'<sequence minval="1" interval="{index.replace("*", "2").replace("3", "2")}"/>')
    vector = f'<vector semantic="real" units="" index="{index}" components="1">{rule}</vector>'
    packet = (
        '<scalar semantic="real" units="" index="*;-"><packet numItems="1" encoding="utf8" itemBytes="1"/></scalar>'
    )
    inside = f'<coord physDim="a">{vector}</coord><data physDim="b">{packet}</data>'
    declared = f'<dataset rank="2" index="*;3" name="a">{inside}</dataset>'
    stream = das3("Sx", "", "<stream/>") + das3("Hx", 1, declared) + das3("Pd", 1, "7") * 3
    [_header, dataset, batch] = fed(Das3Decoder(), stream)
    values = batch["a"] if index[0] == "*" else dataset["a"].values
    assert values.tolist() == [[1], [3], [5]]


@pytest.mark.parametrize(("semantic", "minimum"), [("string", "1"), ("bool", "2031-04-02"), ("real", "2031-04-02")])
def test_a_rule_that_cannot_make_values_of_the_semantic_is_refused(semantic, minimum):
    scalar = f'<scalar semantic="{semantic}" units="" index="*"><sequence minval="{minimum}" interval="1"/></scalar>'
    with pytest.raises(SourceError, match="cannot follow a sequence"):
        fed(Das3Decoder(), das3_stream(scalar, []))


@pytest.mark.parametrize("written", ['double:zFill="-1 V"', 'Datum:fill="-1 V"', 'DatumRange:fill="-1 to 5 V"'])
def test_a_unit_may_follow_a_fill_value_whatever_type_it_is_said_to_have(written):
    planes = f'<x type="sun_real8" units="us2000"/><z type="sun_real4" units="V"><properties {written}/></z>'
    [_header, dataset] = fed(Das2Decoder(), START + das2(1, f"<packet>{planes}</packet>"))
    assert dataset["z"].fill == -1.0


def test_a_signalling_nan_is_a_missing_value_and_no_warning_of_numpy():
    planes = '<x type="sun_real4" units="us2000"/><y type="sun_real4" units="V"/>'
    record = b":01:" + struct.pack(">II", 0x7F800001, 0x7F800001)
    answer = gather(fed(Das2Decoder(), START + das2(1, f"<packet>{planes}</packet>") + record))
    [table] = answer.values()
    assert np.isnat(table["time"]).all()
    assert np.isnan(table["y"]).all()


def test_times_in_text_whose_fill_is_a_time_are_written_as_numbers_with_a_fill_that_is_one():
    plane = '<y name="seen" type="time24" units="us2000"><properties yFill="0001-01-01T00:00:00"/></y>'
    stream = START + das2(1, f'<packet><x type="time24" units="us2000"/>{plane}</packet>')
    written = everything(Das2BinaryEncoder(), fed(Das2Decoder(), stream))
    assert fed(Das2Decoder(), written)[1]["seen"].fill == -1e31


@pytest.mark.parametrize("encoder", [Das2BinaryEncoder, Das2TextEncoder])
def test_a_component_of_a_vector_does_not_take_the_name_of_a_variable_beside_it(encoder):
    """One took that of the x, and the packet header came out without an x."""
    three, one = (f'<packet numItems="{count}" encoding="LEreal" itemBytes="4"/>' for count in (3, 1))
    vector = f'<vector semantic="real" units="km" index="*" components="3" system="cartesian">{three}</vector>'
    inside = (
        f'<coord physDim="b_z"><scalar semantic="real" units="s" index="*">{one}</scalar></coord>'
        f'<data physDim="b">{vector}</data><data physDim="b_x"><scalar semantic="real" units="V" index="*">{one}</scalar></data>'
    )
    declared = f'<dataset rank="1" index="*" name="a">{inside}</dataset>'
    stream = das3("Sx", "", "<stream/>") + das3("Hx", 1, declared) + b"|Pd|1|20|" + struct.pack("<5f", 1, 2, 3, 4, 5)
    *_others, batch = fed(Das2Decoder(), everything(encoder(), fed(Das3Decoder(), stream)))
    assert {name: column.tolist() for name, column in batch.columns.items()} == {
        "b_z": [1], "b_x_2": [2], "b_y": [3], "b_z_2": [4], "b_x": [5]
    }  # fmt: skip


def test_a_document_of_many_short_records_takes_no_time_that_grows_with_their_square():
    """Each record added up the lengths of all that waited: a megabyte of them took minutes."""
    packet = '<scalar semantic="real" units="s" index="*"><packet numItems="1"/></scalar>'
    dataset = f'<dataset id="1" name="a" rank="1" index="*"><coord physDim="t">{packet}</coord></dataset>'
    start = f'<stream type="das-basic-doc" version="3.0">{dataset}'.encode()

    def seconds(count):
        decoder, stream = Das3Decoder(), start + b'<d id="1">1</d>' * count
        began = time.process_time()
        assert sum(len(item) for item in decoder.feed(stream) if isinstance(item, Records)) == count
        return time.process_time() - began

    seconds(100)
    assert seconds(40_000) < 20 * seconds(5_000)
