# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts of the verifier: on every real stream, and on each thing that is wrong in small ones."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_das.verifying import MOST, verify

#: The verdict on each real file, and the rules that it breaks.
FILES = {
    "das2/das2_ascii_input1.d2s": ("deviation", "length-padded version-missing"),
    "das2/das2_ascii_output1.d2t": ("deviation", "time-units"),
    "das2/das2_bin_avgsec_input1.d2s": ("deviation", "version-missing"),
    "das2/das2_bin_avgsec_output1.d2t": ("deviation", "time-units"),
    "das2/das2_bin_peakavgsec_input1.d2s": ("deviation", "length-padded version-missing"),
    "das2/das2_bin_peakavgsec_output1.d2t": ("deviation", "time-units"),
    "das2/das2_from_das1_input1.d1s": ("fault", "headerless stream"),  # das1: records without packets
    "das2/das2_from_das1_output1.d2t": ("deviation", "time-units"),
    "das2/galileo_pws_sample.d2t": ("ok", ""),
    "das2/juno_waves_sample.d2t": ("ok", ""),
    "das2/x_multi_y.d2s": ("deviation", "version-missing"),
    "das3/das3_csv_unsigned_test.d3b": ("ok", ""),
    "das3/ex05_waveform_extra.d3t": ("ok", ""),
    "das3/ex08_dynaspec_namespace.d3t": ("deviation", "comment-first left-out"),
    "das3/ex12_sounder_xyz.d3t": ("ok", ""),
    "das3/ex13_object_annotation.d3t": ("deviation", "comment-first"),
    "das3/ex14_var_len_item.d3t": ("ok", ""),
    "das3/ex15_vector_frame.d3t": ("ok", ""),
    "das3/ex16_mag_grid_doc.d3x": ("deviation", "attribute-alias calendar-units"),
    "das3/ex17_vector_noframe.d3b": ("ok", ""),
    "das3/ex19_cassini_ragged_wfrm.d3t": ("deviation", "index-caret"),
    "das3/ex21_tracers_cdpu_status.d3b": ("ok", ""),
    "das3/ex22_mag_grid_vec.d3b": ("ok", ""),
    "das3/ex22_mag_grid_vec.d3t": ("ok", ""),
    "das3/ex23_props.d3t": ("ok", ""),
    "das3/ex25_isee_rapid_rank2.d3b": ("ok", ""),
    "das3/ex25_isee_rapid_rank2.d3t": ("ok", ""),
    "das3/ex27_epop_fai_mgf_blob.d3b": ("ok", ""),
    "das3/ex27_epop_fai_mgf_blob.d3t": ("ok", ""),
    "das3/ex29_ext_contract.d3t": ("ok", ""),
    "das3/ex29_ext_contract_flat.d3t": ("ok", ""),
    "das3/ex30_cassini_ragged_notlast.d3b": ("deviation", "index-caret"),
    "das3/ex30_cassini_ragged_notlast.d3t": ("deviation", "index-caret"),
    "das3/ex32_marsis_2d_ragged.d3b": ("deviation", "index-caret"),
    "das3/ex32_marsis_2d_ragged.d3t": ("deviation", "index-caret"),
    "das3/ex34_ragged_fixstr.d3b": ("deviation", "index-caret"),
    "das3/ex34_ragged_fixstr.d3t": ("deviation", "index-caret"),
    "das3/ex36_events_rank3.d3b": ("deviation", "index-caret"),
    "das3/ex36_events_rank3.d3t": ("deviation", "index-caret"),
    "das3/ex38_wbr_wfrm_tags.d3b": ("deviation", "index-caret"),
    "das3/ex38_wbr_wfrm_tags.d3t": ("deviation", "index-caret"),
    "das3/reject_rank3_noterm.d3t": ("fault", "stream"),
    "das3/reject_sandwich_noterm.d3t": ("fault", "index-caret stream"),
}
START2 = b'[00]000023<stream version="2.2"/>'
STREAM3 = b'<stream type="das-basic-stream" version="3.0" />\n'
START3 = b"|Sx||%d|%b" % (len(STREAM3), STREAM3)
#: The attributes of a dataset in a document.
NAMED = 'id="1" name="a"'
PLANES = '<x type="sun_real8" units="us2000"/><y type="ascii9" units="V" name="e"/>'


def header2(tag, body):
    return b"[%b]%06d%b" % (tag.encode(), len(body.encode()), body.encode())


def packet3(tag, number, body):
    data = body.encode() if isinstance(body, str) else body
    return b"|%b|%b|%d|%b" % (tag.encode(), str(number).encode(), len(data), data)


def dataset3(inside, index="*", attributes='name="a"'):
    rank = index.count(";") + 1
    return f'<dataset rank="{rank}" index="{index}" {attributes}><coord physDim="t">{inside}</coord></dataset>'


def scalar(attributes="", packet='numItems="1" itemBytes="4" encoding="LEreal"', index="*"):
    units = "" if "units" in attributes else ' units="s"'
    return f'<scalar semantic="real"{units} index="{index}" {attributes}><packet {packet}/></scalar>'


def stream3(header, *bodies, number=1):
    return START3 + packet3("Hx", number, header) + b"".join(packet3("Pd", number, body) for body in bodies)


def record2(value="1.0"):
    return b":01:" + struct.pack(">d", 1e14) + value.encode().rjust(8) + b"\n"


def stream2(planes=PLANES, *records, more=b""):
    return START2 + header2("01", f"<packet>{planes}</packet>") + more + b"".join(records)


def rules(report, verdict=""):
    return {each.rule for each in report.findings if not verdict or each.verdict == verdict}


def test_the_table_names_every_real_stream(test_data):
    found = {
        str(path.relative_to(test_data))
        for folder in ("das2", "das3")
        for path in (test_data / folder).glob("*.d[123]*")
    }
    assert found - {"das2/das2_from_das1_test1.dsdf"} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_each_real_stream_has_its_verdict(test_data, name):
    report = verify([(test_data / name).read_bytes()])
    assert (report.verdict, " ".join(sorted(rules(report)))) == FILES[name]
    assert report.form == ("document" if name.endswith("x") else "das2" if "das2/" in name else "das3")
    if report.verdict != "fault":
        assert all(each.packets == each.records for each in report.tallies)
        assert not report.left_out


def test_the_streams_that_we_made_ourselves_are_right(test_data):
    paths = sorted((test_data / "handmade").glob("v*"))
    assert len(paths) == 11
    for path in paths:
        report = verify([path.read_bytes()])
        assert (report.verdict, rules(report)) == ("ok", set()), path.name


@pytest.mark.parametrize(
    "stream",
    [
        header2("00", '<stream version="2.2" compression="none"><properties title="a" String:b="c"/></stream>'),
        stream3(dataset3(scalar('use="average"'))),
        stream3(dataset3(scalar('use="count"'))),
        stream3(dataset3(scalar(index=";".join("*" + "-" * 7)), index=";".join("*" + "1" * 7))),
        packet3(
            "Sx", "", START3.split(b"|")[-1].decode().replace("/>", '><extension scheme="a" content="b"/></stream>')
        ),
    ],
)
def test_what_the_schema_has_is_right(stream):
    """A property without a type is a String, and what das2C does without is no deviation."""
    assert verify([stream]).verdict == "ok", verify([stream]).findings


@pytest.mark.parametrize(
    ("stream", "place", "text"),
    [
        (START2 + b"[01]0000", "[01] at byte 33", "[01]0000"),
        (START2 + b"[01]000000", "[01] at byte 33", "[01]000000"),
        (stream2(PLANES, record2()[:-1]), ":01: at byte", ":01:"),
        (stream2(PLANES, record2() + b":02:abcdef"), ":02: at byte", ":02:abcdef"),
        (stream2(PLANES, record2() + b"what"), "byte ", "what"),
        (START3 + b"\n|Pd|1|0|", "byte ", "|Pd|1|0|"),
        (START3 + b"|Hx|1|99|<dataset", "byte ", "|Hx|1|99|<dataset"),
    ],
)
def test_what_is_no_packet_is_shown_with_its_place(stream, place, text):
    """Bytes between packets, an id that nobody declared, a packet that is cut off."""
    (found,) = [each for each in verify([stream]).findings if each.verdict == "fault"]
    assert found.place.startswith(place)
    assert found.text.startswith(text)
    assert stream[found.offset :].lstrip().startswith(text.encode())


def test_packets_and_records_are_counted_by_id(test_data):
    report = verify([(test_data / "das2/juno_waves_sample.d2t").read_bytes()])
    assert [(each.id, each.headers, each.packets, each.records) for each in report.tallies] == [
        (number, 1, 300, 300) for number in (10, 20, 30, 40)
    ]
    assert [each.packet for each in report.headers] == ["[00]", "[10]", "[20]", "[30]", "[40]"]
    assert report.size == 449_969


@pytest.mark.parametrize(
    "name", ["das2/das2_ascii_input1.d2s", "das3/ex36_events_rank3.d3t", "das3/ex16_mag_grid_doc.d3x"]
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_report_does_not_depend_on_the_chunks(test_data, name, size):
    data = (test_data / name).read_bytes()[:20_000]
    assert verify(data[at : at + size] for at in range(0, len(data), size)) == verify([data])


def test_a_fault_has_the_line_the_column_and_the_text_of_the_element_at_fault(test_data):
    [found] = verify([(test_data / "das3/reject_rank3_noterm.d3t").read_bytes()]).findings
    assert (found.verdict, found.rule, found.packet, found.offset) == ("fault", "stream", "|Hx|36|", 161)
    assert (found.line, found.column) == (8, 5)
    assert found.text == '<scalar semantic="string" index="*;*;*" units="">'
    assert "msgs: idxTerm is missing" in found.message
    assert found.place == "|Hx|36| at byte 161, line 8, column 5"


def test_a_deviation_has_the_line_the_column_and_the_text_of_the_attribute():
    header = dataset3(scalar('storage="float"\n   use="mean"'))
    [found] = verify([stream3("\n" + header, struct.pack("<f", 1))]).findings
    assert (found.rule, found.line, found.column, found.text) == ("attribute-value", 3, 4, 'use="mean"')


def test_a_column_counts_characters():
    label = "<properties><p name='a'>é</p></properties>"
    header = f'<dataset rank="1" index="*" name="a"><coord physDim="t">{label}{scalar("foo=" + chr(34) * 2)}</coord></dataset>'
    [found] = verify([stream3(header, bytes(4))]).findings
    assert (found.rule, found.column) == ("attribute-unknown", header.index("foo") + 1)


@pytest.mark.parametrize(
    ("stream", "rule"),
    [
        (START2.replace(b"000023", b"    23") + header2("01", f"<packet>{PLANES}</packet>"), "length-padded"),
        (stream2(more=header2("XX", '<comment type="a" source="b" value="c"/>')), "tag-case"),
        (stream2(PLANES, b"\n", header2("02", f"<packet>{PLANES}</packet>")), "between"),
        (stream2(more=START2), "stream-twice"),
        (header2("00", "<stream/>"), "version-missing"),
        (header2("00", '<stream version="2.2" foo="1"/>'), "attribute-unknown"),
        (header2("00", '<stream version="2.2"><properties string:title="a"/></stream>'), "property-type"),
        (header2("00", '<stream version="2.2"><properties String:taskSize="1"/></stream>'), "property-type"),
        (header2("00", f'<stream version="2.2"><properties String:{"a" * 64}="1"/></stream>'), "property-name"),
        (stream2(PLANES.replace('"V" name="e"/>', '"V" name="e"><properties String:units="V"/></y>')), "property-name"),
        (stream2(PLANES.replace(' name="e"', "")), "name-missing"),
        (stream2(PLANES.replace(' units="V"', "")), "attribute-missing"),
        (stream2(PLANES.replace("ascii9", "ascii8")), "width"),
        (stream2(PLANES.replace("ascii9", "time32")), "width"),
        (stream2(PLANES.replace("sun_real8", "double")), "attribute-value"),
        (stream2(PLANES + '<y type="ascii9" units="V" name="e"/>'), "name-twice"),
        (stream2('<y type="ascii9" units="V" name="e"/><x type="sun_real8" units="us2000"/>'), "order"),
        (stream2('<x type="time20" units="UTC"/>'), "time-units"),
        (stream2(PLANES + '<yscan name="a" type="sun_real4" nitems="2" zUnits="" yUnits="" yTagInterval="1" yTagMax="4"/>'), "ytagmax"),
        (stream2(PLANES + '<yscan name="a" type="sun_real8" nitems="32768" zUnits="" yUnits=""/>', b":01:" + bytes(262_161)), "size"),
        (stream2(PLANES, record2("nan")), "nan"),
        (stream2(PLANES, record2("-NAN")), "nan"),
        (header2("00", '<stream version="2.2" compression="zlib"/>') + zlib.compress(b""), "compression"),
        (stream2(PLANES + '<z type="ascii9" units="" name="z"/><yscan name="a" type="ascii9" nitems="1" zUnits="" yUnits=""/>'), "z-and-yscan"),
        (stream2(PLANES + "".join(f'<y type="ascii9" units="" name="y{place}"/>' for place in range(99))), "planes"),
        (stream2(PLANES + '<yscan name="a" type="ascii9" nitems="250000" zUnits="" yUnits=""/>'), "items"),
        (START3 + packet3("XX", "", "a"), "tag-extra"),
        (START3 + packet3("Cx", "", "<!-- a --><comment type='a'/>"), "comment-first"),
        (stream3(dataset3(scalar()), number=100), "id"),
        (stream3(dataset3(scalar(), attributes="")), "attribute-missing"),
        (packet3("Cx", "", "<comment type='a'/>") + START3, "stream-first"),
        (stream3(dataset3(scalar('use="mean"'))), "attribute-value"),
        (stream3(dataset3(scalar(packet='numItems="1" itemBytes="4" encoding="LEreal" valTerm=";"'))), "terminator"),
        (stream3(dataset3(scalar('components="2"', packet='numItems="2" itemBytes="9" encoding="utf8"').replace("real", "string").replace("scalar", "vector"))), "vector-semantic"),
        (stream3(dataset3(scalar(packet='numItems="1" itemBytes="9" encoding="utf8" valSep=";"'))), "attribute-alias"),
        (stream3(dataset3(scalar('units="t1970"'))), "calendar-units"),
        (stream3(dataset3(scalar()).replace("<coord", "<data").replace("coord>", "data>")), "element-missing"),
        (stream3(dataset3(scalar(packet='numItems="1" itemBytes="262145" encoding="utf8"').replace("real", "string")), b" " * 262_145), "size"),
    ],
)  # fmt: skip
def test_what_some_client_refuses_is_a_deviation(stream, rule):
    report = verify([stream])
    assert report.verdict == "deviation", report.findings
    assert rules(report) == {rule}


@pytest.mark.parametrize(
    ("stream", "rule", "text"),
    [
        (b"", "empty", "the stream is empty"),
        (b"what is this?" * 10, "stream", "starts no das2 packet"),
        (START2 + b"[01]0000", "truncated", "ends inside the packet"),
        (stream2(PLANES, record2()[:-1]), "truncated", "ends inside the packet"),
        (stream2(PLANES, b":02:abc"), "stream", ":02:"),
        (stream2(PLANES, record2("1.2.3")), "stream", "1.2.3"),
        (stream2("<y type='ascii9' units=''/>"), "element-missing", "<packet> holds no <x>"),
        (stream2(PLANES + "<w/>"), "element", "may not hold <w>"),
        (stream2('<x type="vax_real8" units="us2000"/>'), "stream", "vax_real8"),
        (stream2('<x units="us2000"/>'), "attribute-missing", "<x> lacks type"),
        (START2 + header2("01", "<packet><x></packet>"), "xml", "mismatched tag"),
        (header2("00", '<!DOCTYPE a><stream version="2.2"/>'), "xml", "no DTD"),
        (header2("00", '<stream dataset_id="a"/>'), "stream", "QStream"),
        (START3[:-8], "truncated", "ends inside the packet"),
        (START3 + b"\n|Pd|1|0|", "stream", "starts no das3 packet"),
        (START3 + packet3("Pd", 1, "a"), "stream", "no header declares"),
        (START3 + packet3("Hx", 1, "<dataset>"), "xml", "no element found"),
        (stream3(dataset3(scalar(packet='numItems="2" itemBytes="4" encoding="LEreal"'))), "stream", "numItems"),
        (stream3(dataset3(scalar()), b"abc"), "stream", "has 3 bytes"),
        (stream3(dataset3(scalar() + "<foo/>")), "element", "may not hold <foo>"),
        (stream3(dataset3("<scalar semantic='real' units='' index='*'/>")), "element-missing", "<values> or <sequence> or <packet>"),
        (b'<stream type="das-basic-doc" version="3.0"><dataset>', "xml", "no element found"),
        (b'<stream type="das-basic-doc" version="3.0"><d id="1">1</d></stream>' + b" " * 64, "stream", "does not declare"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_fault(stream, rule, text):
    report = verify([stream])
    assert report.verdict == "fault"
    assert [each for each in report.findings if each.rule == rule and text in each.message], report.findings


def test_each_header_has_a_verdict_of_its_own_and_the_others_are_still_read():
    bad = packet3("Hx", 2, dataset3(scalar(index="*;*"), attributes='name="bad"'))
    good = dataset3(scalar(), attributes='name="good"')
    stream = stream3(good, bytes(4)) + bad + packet3("Pd", 2, bytes(4)) + packet3("Pd", 1, bytes(4))
    report = verify([stream])
    assert [(each.packet, each.name, each.verdict) for each in report.headers] == [
        ("|Sx||", "", "ok"), ("|Hx|1|", "good", "ok"), ("|Hx|2|", "bad", "fault")
    ]  # fmt: skip
    assert [(each.id, each.packets, each.records) for each in report.tallies] == [(1, 2, 2), (2, 1, 0)]
    assert report.number("fault") == 1


def test_a_value_that_cannot_be_read_is_told_with_its_own_packet_and_not_with_the_batch():
    header = dataset3(scalar(packet='numItems="1" itemBytes="4" encoding="utf8"'))
    stream = stream3(header, *[" 1.5"] * 500, "zzzz", *[" 1.5"] * 500)
    [found] = verify([stream]).findings
    assert (found.packet, found.offset, found.text) == (
        "|Pd|1|",
        stream.index(b"zzzz") - len("|Pd|1|4|"),
        "|Pd|1|4|zzzz",
    )
    assert verify([stream]).tallies[0].packets == 1001
    assert verify([stream]).tallies[0].records == 500


def test_a_fault_in_a_document_is_told_where_it_stands():
    inside = scalar(packet='numItems="1"')
    root = f'<stream type="das-basic-doc" version="3.0">\n{dataset3(inside, attributes=NAMED)}\n'
    stream = f'{root}<d id="1">1</d>\n<d id="1">zz</d>\n</stream>'.encode()
    report = verify([stream])
    assert report.verdict == "fault"
    [found] = report.findings
    assert found.line == 4
    assert [(each.packet, each.verdict) for each in report.headers] == [("", "fault"), ('<dataset id="1">', "ok")]


def test_a_document_of_any_length_takes_the_memory_of_a_short_one():
    inside = scalar(packet='numItems="1"')
    head = f'<stream type="das-basic-doc" version="3.0">{dataset3(inside, attributes=NAMED)}'.encode()
    verify([head, b'<d id="1">1</d>', b"</stream>"])  # what is imported late is there now
    tracemalloc.start()
    try:
        report = verify([head, *[b'<d id="1">1</d>\n' * 500] * 24, b"</stream>"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [(each.packets, each.records) for each in report.tallies] == [(12_000, 12_000)]
    assert report.verdict == "ok"
    assert peak < 3 << 20


def test_a_fault_behind_many_deviations_is_still_told():
    properties = " ".join(f'a{place}="1"' for place in range(300))
    report = verify([header2("00", f'<stream version="2.2"><properties {properties}/><foo/></stream>')])
    assert (report.verdict, rules(report, "fault")) == ("fault", {"element"})
    odd = "<p foo=''>1</p>" * 300
    document = f'<stream type="das-basic-doc" version="3.0"><properties>{odd}</wrong>'
    assert rules(verify([document.encode()]), "fault") == {"xml"}


def test_what_is_met_again_is_counted_and_not_told_again():
    comment = header2("xx", '<comment type="a" source="b" value="c"/>').replace(b"[xx]0000", b"[xx]    ")
    report = verify([START2 + comment * 50])
    assert [(each.rule, each.count) for each in report.findings] == [("length-padded", 50)]
    assert report.messages == (("comment", 50),)


def test_a_stream_of_nothing_but_faults_takes_bounded_memory_and_makes_a_bounded_report():
    header = packet3("Hx", 1, dataset3(scalar("foo=" + chr(34) * 2)))
    chunk = header * 200
    tracemalloc.start()
    try:
        report = verify([START3, *[chunk] * 10])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(report.headers) == MOST
    assert report.left_out == 2001 - MOST
    assert len(report.findings) <= MOST
    assert report.tallies[0].headers == 2000
    assert peak < 16 << 20


def test_a_stream_of_refused_headers_is_not_decoded_over_and_over():
    """Each refusal makes the decoder anew, which reads the headers that were right again: that has an end."""
    good = b"".join(packet3("Hx", number, dataset3(scalar())) for number in range(1, 100))
    bad = packet3("Hx", 200, dataset3(scalar(index="a")))
    report = verify([START3, good, bad * 500])
    assert report.number("fault") == 500
    assert [each.headers for each in report.tallies] == [1] * 99 + [500]


def test_a_hostile_header_of_a_million_wrong_attributes_ends_soon():
    body = "<packet>" + "<y/>" * 100_000 + "</packet>"
    report = verify([START2 + header2("01", body)])
    assert report.verdict == "fault"
    assert len(report.findings) <= 201


@settings(max_examples=150, deadline=None)
@given(
    data=st.binary(max_size=200),
    start=st.sampled_from([b"", START2, START3, b"<", stream2(), stream3(dataset3(scalar()))]),
)
def test_any_bytes_have_a_verdict(data, start):
    report = verify([start + data])
    assert report.verdict in ("ok", "deviation", "fault")
    assert report.size == len(start + data)
