# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic programs run as `dasflex filter NAME` with their own options."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from dasflex_core.arrays import Dataset, Records, StreamHeader
from dasflex_core.errors import QueryError
from dasflex_core.loading import load
from dasflex_core.registry import discover
from dasflex_das.das2_decoder import Das2Decoder

CODE = "from dasflex_core.cli import main; main(prog_name='dasflex')"


def ran(*words, given):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    arguments = [sys.executable, "-c", CODE, "filter", *words]
    return subprocess.run(arguments, input=given, capture_output=True, env=environment, check=False, timeout=60)


def filtered(*words, given):
    done = ran(*words, given=given)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def items(stream):
    decoder = Das2Decoder()
    return [*decoder.feed(stream), *decoder.finish()]


def waves(kind="little_endian_real4"):
    """Ten waveforms of 64 samples, binary or text."""
    head = '<stream version="2.2"><properties title="W" String:renderer="waveform"/></stream>'
    x = "time24" if kind.startswith("ascii") else "little_endian_real8"
    body = (
        f'<packet><x type="{x}" units="us2000"/><yscan name="w" type="{kind}" nitems="64" yUnits="s"'
        f' yTagInterval="0.001" yTagMin="0" zUnits="V"/></packet>'
    )
    values = np.random.default_rng(3).normal(size=(10, 64)).astype("<f4")
    data = f"[00]{len(head):06d}{head}[01]{len(body):06d}{body}".encode()
    for number, row in enumerate(values):
        if kind.startswith("ascii"):
            data += (
                f":01:2000-01-01T00:00:{number:02d}.000 ".encode() + b"".join(b"%13.6e " % v for v in row)[:-1] + b"\n"
            )
        else:
            data += b":01:" + np.float64(number * 1e6).tobytes() + row.tobytes()
    return data


def test_das2_psd_gives_spectra_of_its_two_arguments():
    header, dataset, *batches = items(filtered("das2_psd", "32", "2", given=waves()))
    assert isinstance(header, StreamHeader)
    assert header.properties.text("DFT_length") == "32"
    assert header.properties.text("title") == "W!c%{DFT_length} point DFT, %{xDftOverlapInfo}"
    assert isinstance(dataset, Dataset)
    assert sum(len(each) for each in batches if isinstance(each, Records)) == 30


def test_a_stream_in_text_stays_text():
    stream = filtered("das2_psd", "-d", "32", "1", given=waves("ascii14"))
    assert b'type="ascii14"' in stream
    assert b'type="time27"' in stream
    stream.decode("ascii")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["das2_bin_avgsec", "300"], "das2_bin_avgsec"),
        (["das2_bin_peakavgsec", "1800"], "das2_bin_peakavgsec"),
        (["das2_ascii"], "das2_ascii"),
    ],
)
def test_the_trusted_outputs_have_as_many_records_of_the_same_planes(words, name, test_data):
    given = (test_data / "das2" / f"{name}_input1.d2s").read_bytes()
    ours, trusted = (
        items(stream)
        for stream in (filtered(*words, given=given), (test_data / "das2" / f"{name}_output1.d2t").read_bytes())
    )
    mine, theirs = (
        [
            [each.wire for each in found if isinstance(each, Dataset)],
            sum(len(each) for each in found if isinstance(each, Records)),
        ]
        for found in (ours, trusted)
    )
    assert mine == theirs


def test_das3_csv_reads_both_generations(test_data):
    for name in ("das2/x_multi_y.d2s", "das3/das3_csv_unsigned_test.d3b"):
        rows = filtered("das3_csv", "-d", ";", "-r", "4", given=(test_data / name).read_bytes()).splitlines()
        assert b';"header";' in rows[0]
        assert b';"values";' in rows[-1]


def test_das3_text_makes_text_of_das3_and_with_3_of_das2(test_data):
    binary = (test_data / "das3" / "das3_csv_unsigned_test.d3b").read_bytes()
    assert filtered("das3_text", given=binary).startswith(b"|Sx|")
    assert filtered("das3_text", "-3", given=waves()).startswith(b"|Sx|")
    assert ran("das3_text", given=waves()).returncode == 2


@pytest.mark.parametrize(
    "words",
    [
        ["das2_psd", "32"],
        ["das2_psd", "--wat", "32", "2"],
        ["das2_psd", "33", "2"],
        ["das2_bin_avgsec", "-q", "60"],
        ["das2_bin_avgsec"],
        ["das2_bin_ratesec", "-v", "miles", "60"],
    ],
)
def test_arguments_that_the_program_does_not_take_are_refused(words):
    done = ran(*words, given=waves())
    assert done.returncode == 2
    assert done.stderr.startswith(b"dasflex: ") or b"Usage" in done.stderr


def test_options_are_those_of_the_classic_programs():
    programs = {each.name: load(each.words) for each in discover().classic_programs}
    head = waves()[:600]
    assert programs["das2_bin_avgsec"](["-r", "-s", "-b", "2000-01-01", "60"], head) == [
        *("das2-decode", "--then", "bin-average", "bin.time.max=60", "bin.stats=mean,min,max,stddev"),
        *("read.time.min=2000-01-01", "--then", "das2-binary", "keep=true"),
    ]
    asked = programs["das2_bin_ratesec"](["-b", "2000-01-01", "-v", "kB", "-t", "A title", "-y", "L", "60"], head)
    assert {"calc.rate.of=kB", "calc.rate.title=A title", "calc.rate.label=L"} < set(asked)
    assert programs["das2_ascii"](["-s", "3", "-r", "5"], head)[2:] == ["das2-text", "sigdigit=5", "secfrac=3"]
    with pytest.raises(QueryError, match="the options are -b"):
        programs["das2_bin_peakavgsec"](["-x", "60"], head)


def test_a_wildcard_of_a_stage_may_be_bound_in_a_filter():
    words = ("das2-decode", "--then", "spectral-density", "length=32", "--then", "cut", "read.frequency.max=100")
    _, dataset, *_ = items(filtered(*words, "--then", "das2-binary", given=waves()))
    assert dataset["w"].shape == (4,)


def test_das2_from_das1_gives_the_trusted_output(test_data):
    """Records byte for byte, in the text of the classic program, from a definition that stands beside the data."""
    folder = test_data / "das2"
    given = (folder / "das2_from_das1_input1.d1s").read_bytes()
    words = [str(folder / "das2_from_das1_test1.dsdf"), "1997-01-01", "1997-01-02"]
    binary = filtered("das2_from_das1", "-I", "idl", *words, "-deep", "1", given=given)
    text = filtered("das2_ascii", "-r", "4", "-s", "3", given=binary)
    trusted = (folder / "das2_from_das1_output1.d2t").read_bytes()
    assert text[text.index(b":01:") :] == trusted[trusted.index(b":01:") :]
    ours, theirs = (items(each)[:2] for each in (text, trusted))
    assert ours[0].properties == theirs[0].properties
    assert [each.plane_name for each in ours[1].columns[1:]] == [each.plane_name for each in theirs[1].columns[1:]]


def tagged(*rows):
    """Records of tagged das1."""
    return b"".join(b":b0:" + np.array(row, dtype=">f4").tobytes() for row in rows)


def test_das2_from_tagged_das1_sees_how_many_values_a_record_has():
    stream = filtered("das2_from_tagged_das1", "-tBeg", "2000-01-02", given=tagged((1.5, 1, 2), (2.5, 3, 4)))
    _header, dataset, batch = items(stream)
    time, *values = dataset.columns
    assert batch[time.name].tolist() == [86_401_500_000.0, 86_402_500_000.0]
    assert [batch[each.name].tolist() for each in values] == [[1, 3], [2, 4]]


def test_das2_from_tagged_das1_takes_what_is_said_of_the_data(tmp_path):
    """On the command line, or in a DSDF."""
    (tmp_path / "scan.dsdf").write_text(
        "form = x_tagged_y_scan\ny_coordinate = [10, 20]\ny_unit = 'Hz'\nz_unit = 'V'\n"
    )
    given = tagged((60, 1, 2))
    said = ["-tBeg", "2000-01-01", "-t2000", "-fill", "2", "-xWidth", "30", "-zUnit", "mV"]
    for words in (["-t", "1", "-yUnit", "kHz", *said], [*said, str(tmp_path / "scan.dsdf")]):
        header, dataset, batch = items(filtered("das2_from_tagged_das1", *words, given=given))
        time, scan = dataset.columns
        axis = next(each for each in dataset[scan.name].axes if each.values is not None)
        expected = ("kHz", [0, 1]) if "-t" in words else ("Hz", [10, 20])
        assert (axis.units, axis.values.tolist()) == expected
        assert (time.units, batch[time.name].tolist(), scan.units, scan.fill) == ("t2000", [60.0], "mV", 2.0)
        assert header.properties.text("xTagWidth") == "30.000000 s"


@pytest.mark.parametrize(
    ("words", "given", "why"),
    [
        (["das2_from_das1", "none.dsdf", "2000-01-01", "2000-01-02"], b"", "none.dsdf cannot be read"),
        (["das2_from_das1", "none.dsdf"], b"", "takes 3 arguments"),
        (["das2_from_tagged_das1"], tagged((0, 1)), "-tBeg TIME, which is missing"),
        (["das2_from_tagged_das1", "-tBeg", "2000-01-01", "-t", "3"], tagged((0, 1)), "-t is 0, 1 or 2"),
        (["das2_from_tagged_das1", "-tBeg", "2000-01-01"], bytes(12), "is no tagged das1"),
        (["das2_from_tagged_das1", "-tEnd", "2000-01-01"], b"", "-tEnd is not recognised"),
        (["das2_from_tagged_das1", "-fill"], b"", "-fill needs a value"),
        (["das2_from_tagged_das1", "-tBeg", "then"], tagged((0, 1)), "then"),
    ],
)
def test_das1_that_cannot_be_read_is_refused(words, given, why):
    done = ran(*words, given=given)
    assert done.returncode == 2
    assert why in done.stderr.decode()


def remarked(stream: bytes) -> bytes:
    """The stream with remarks behind its headers, and an exception at its end."""
    place = stream.index(b":01:")
    said = (
        b'<comment type="taskSize" source="r" value="10"/>',
        b'<comment type="taskProgress" source="r" value="5"/>',
        b'<comment type="log:info" source="r" value="Hello"/>',
    )
    end = b'<exception type="ServerError" message="The disk is gone"/>'
    words = [b"[xx]%06d%s" % (len(each), each) for each in (*said, end)]
    return stream[:place] + b"".join(words[:-1]) + stream[place:] + words[-1]


@pytest.mark.parametrize(
    ("words", "kept", "left_out"),
    [
        (["das2_bin_avgsec", "2"], [b"taskProgress", b"taskSize", b"Hello", b"The disk is gone"], []),
        (["das2_bin_avgsec", "-p", "2"], [b"Hello", b"The disk is gone"], [b"taskProgress", b"taskSize"]),
        (["das2_ascii"], [b"taskProgress", b"Hello", b"The disk is gone"], []),
        (["das2_ascii", "-c"], [], [b"taskProgress", b"Hello", b"The disk is gone"]),
        (["das3_text", "-3"], [b"taskProgress", b"Hello", b"The disk is gone"], []),
        (["das3_text", "-3", "-c"], [], [b"taskProgress", b"Hello", b"The disk is gone"]),
    ],
)
def test_remarks_are_kept_or_left_out_as_options_say(words, kept, left_out):
    stream = filtered(*words, given=remarked(waves()))
    assert all(each in stream for each in kept)
    assert not any(each in stream for each in left_out)


def test_psd_takes_a_cadence_for_the_width_of_its_tags():
    for text, told in (("0.5 s", "0.5 s"), ("250 ms", "0.25 s"), ("2", "2.0 s")):
        header, *_ = items(filtered("das2_psd", "-c", text, "32", "2", given=waves()))
        assert header.properties.text("xTagWidth") == told
    assert b"length of time" in ran("das2_psd", "--cadence=3 V", "32", "2", given=waves()).stderr


def test_psd_refuses_what_has_too_few_samples_only_with_no_skip():
    assert ran("das2_psd", "128", "1", given=waves()).returncode == 0
    done = ran("das2_psd", "-n", "128", "1", given=waves())
    assert done.returncode == 2
    assert b"64 samples" in done.stderr


def uneven() -> bytes:
    """A line of 64 records a second apart, of which each other one is 50 ms late."""
    head = '<stream version="2.2"/>'
    body = '<packet><x type="little_endian_real8" units="t2000"/><y name="w" type="little_endian_real8" units="V"/></packet>'
    times = np.arange(64.0) + 0.05 * (np.arange(64) % 2)
    rows = np.stack([times, np.sin(np.arange(64.0))], axis=1)
    data = b"".join(b":01:" + row.astype("<f8").tobytes() for row in rows)
    return f"[00]{len(head):06d}{head}[01]{len(body):06d}{body}".encode() + data


@pytest.mark.parametrize(("option", "count"), [([], 0), (["-j", "0.5"], 4), (["-j0.5"], 4), (["--max-jitter=0.5"], 4)])
def test_psd_takes_a_limit_of_jitter(option, count):
    found = items(filtered("das2_psd", *option, "16", "1", given=uneven()))
    assert sum(len(each) for each in found if isinstance(each, Records)) == count


def test_epochs_as_numbers_are_refused_with_the_reason():
    done = ran("das3_text", "-3", "-n", given=waves())
    assert done.returncode == 2
    assert b"-n" in done.stderr


def test_each_plane_of_a_stream_keeps_its_encoding():
    """Also where packets of text stand beside binary ones, and doubles beside floats."""
    head = '<stream version="2.2"/>'
    texts = '<packet><x type="time24" units="us2000"/><y name="t" type="ascii11" units="V"/></packet>'
    reals = (
        '<packet><x type="sun_real8" units="t2000"/><y name="f" type="little_endian_real4" units="V"/>'
        '<y name="d" type="sun_real8" units="V"/></packet>'
    )
    data = b":01:2000-01-01T00:00:01.000  1.500e+00\n"
    data += (
        b":02:" + np.array([2.0], ">f8").tobytes() + np.array([3.0], "<f4").tobytes() + np.array([4.0], ">f8").tobytes()
    )
    given = b"".join(f"[{at:02d}]{len(each):06d}{each}".encode() for at, each in enumerate((head, texts, reals)))
    found = items(filtered("das2_bin_avgsec", "-r", "10", given=given + data))
    written = {
        each.name: f"{each.encoding.name}{each.encoding.width}"
        for item in found
        if isinstance(item, Dataset)
        for each in item.columns
        if each.plane != "x"
    }
    assert written == {
        "t": "ascii11", "t.min": "ascii11", "t.max": "ascii11",
        "f": "little_endian_real4", "f.min": "little_endian_real4", "f.max": "little_endian_real4",
        "d": "sun_real8", "d.min": "sun_real8", "d.max": "sun_real8",
    }  # fmt: skip


def test_that_nothing_could_be_transformed_is_told():
    stream = filtered("das2_psd", "128", "1", given=waves())
    assert b"64 samples" in stream
    assert b"[01]" not in stream, "no packet of times alone"
    assert b"no 128 records in a row" in filtered("das2_psd", "128", "1", given=uneven())
