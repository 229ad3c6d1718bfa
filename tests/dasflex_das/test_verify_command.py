# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex verify` on files, addresses and standard input: what it prints, and its exit code."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from dasflex_core.cli import main
from dasflex_das.verify_command import verify

RIGHT = b'[00]000023<stream version="2.2"/>'
ODD = b'[00]    23<stream version="2.2"/>'
WRONG = b"[00]000009<stream/>" + b"[01]000009<packet/>"


@pytest.fixture
def streams(tmp_path):
    """Three files: right, odd, and wrong."""
    for name, data in (("right", RIGHT), ("odd", ODD), ("wrong", WRONG)):
        (tmp_path / f"{name}.d2t").write_bytes(data)
    return {name: str(tmp_path / f"{name}.d2t") for name in ("right", "odd", "wrong")}


def run(*words, given=None):
    return CliRunner().invoke(main, ["verify", *words], input=given)


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [("right", (), 0), ("right", ("--strict",), 0), ("odd", (), 0), ("odd", ("--strict",), 1), ("wrong", (), 1), ("wrong", ("--json",), 1)],
)  # fmt: skip
def test_the_exit_code_says_whether_there_is_a_fault_or_when_strict_a_deviation(streams, name, words, code):
    assert run(*words, streams[name]).exit_code == code


def test_the_worst_of_several_streams_gives_the_exit_code(streams):
    result = run(streams["wrong"], streams["right"])
    assert result.exit_code == 1
    assert [line for line in result.output.splitlines() if not line.startswith(" ")] == [
        f"{streams['wrong']}: fault (das2 stream, 38 bytes)",
        f"{streams['right']}: ok (das2 stream, 33 bytes)",
    ]


def test_a_file_in_gzip_is_verified_as_what_it_holds(tmp_path):
    """Joined ones too; one that is cut off cannot be read."""
    path = tmp_path / "a.d2t.gz"
    path.write_bytes(gzip.compress(ODD) + gzip.compress(b"[xx]    40<comment type='a' source='b' value='c'/>"))
    result = run(str(path))
    assert (result.exit_code, result.output.splitlines()[0]) == (0, f"{path}: deviation (das2 stream, 83 bytes)")
    path.write_bytes(gzip.compress(ODD)[:-4])
    result = run(str(path))
    assert (result.exit_code, "no whole gzip file" in result.output) == (5, True)


def test_people_read_verdicts_places_and_counts(test_data):
    path = test_data / "das3" / "ex30_cassini_ragged_notlast.d3t"
    shown = run(str(path)).output.splitlines()
    assert shown == [
        f"{path}: deviation (das3 stream, 1,911 bytes)",
        "  |Sx||     at byte         0  ok         <stream>",
        "  |Hx|30|   at byte       216  deviation  <dataset> Ex_ragged_notlast",
        "  deviation index-caret, |Hx|30| at byte 216, line 14, column 58: ^ is how das2C writes a borrowed extent; the schema has * there, which it reads as well",
        '    index="-;^"',
        "  id 30 Ex_ragged_notlast: 4 packets, 4 records",
    ]


def test_programs_read_the_same_as_one_line_of_json(streams):
    result = run("--json", streams["odd"], streams["right"])
    odd, right = [json.loads(line) for line in result.output.splitlines()]
    assert (odd["stream"], odd["verdict"], odd["form"], odd["size"]) == (streams["odd"], "deviation", "das2", 33)
    [found] = odd["findings"]
    assert (found["rule"], found["packet"], found["offset"], found["count"]) == ("length-padded", "[00]", 0, 1)
    assert odd["headers"] == [{"packet": "[00]", "offset": 0, "root": "stream", "name": "", "verdict": "deviation"}]
    assert (right["verdict"], right["findings"], right["messages"]) == ("ok", [], {})


def test_a_hyphen_is_standard_input():
    assert run("-", given=RIGHT).output.startswith("-: ok (das2 stream")


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/right" else 404)
        self.end_headers()
        self.wfile.write(RIGHT)

    def log_message(self, *_about):
        return


@pytest.fixture
def address():
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_address_is_fetched(address):
    assert run(f"{address}/right").output.startswith(f"{address}/right: ok (das2 stream, 33 bytes)")


def test_what_cannot_be_fetched_or_opened_is_one_line_and_the_exit_code_of_a_source(address, tmp_path):
    for word, why in (
        (f"{address}/wrong", "404"),
        (str(tmp_path / "none"), "No such file"),
        ("http://[", "no address"),
    ):
        result = run(word)
        assert result.exit_code == 5, result.output
        assert why in result.output
        assert len(result.output.splitlines()) == 1


def test_a_stream_is_needed():
    assert run().exit_code == 2


def test_a_stream_with_many_findings_is_told_in_part_and_counted():
    properties = " ".join(f'string:a{place}="1"' for place in range(150))
    body = f'<stream version="2.2"><properties {properties}/></stream>'
    result = CliRunner().invoke(verify, ["-"], input=b"[00]%06d%b" % (len(body), body.encode()))
    assert result.exit_code == 0
    assert "  and 50 more" in result.output.splitlines()


def test_the_program_has_a_name_of_its_own(streams):
    code = "from dasflex_das.verify_command import main; main()"
    done = subprocess.run([sys.executable, "-c", code, streams["wrong"]], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "fault" in done.stdout
