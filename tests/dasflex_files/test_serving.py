# SPDX-License-Identifier: GPL-3.0-or-later
"""Collections over HTTP: by `dasflex serve`, by the CGI program, and with the page and the errors that sources have."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from werkzeug.test import Client

import dasflex_core
from dasflex_cgi.app import Application
from dasflex_core.cli.stream_files import decoded

DATA = """
[data]
b = { from = "B_gse", units = "nT" }
flag = { default = false }
"""
DAY = "time=2020-01-01/2020-01-02"


@pytest.fixture
def collection(root, pattern):
    root.add("mag", f'[reader]\nfiles = "{pattern}"\n{DATA}')
    return root


@pytest.fixture
def server(collection):
    """The address of a server in a process of its own, which ends with the test."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    words = [sys.executable, "-c", code, "serve", "--port", "0", "--config", collection.config, "--no-websocket"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout.readline().split()[3]
        finally:
            process.terminate()
            process.stdout.read()


@pytest.mark.integration
def test_a_server_sends_it_and_new_files_without_a_restart(server, days, write_cdf):
    def lines(query):
        with urlopen(f"{server}source/mag/data.csv?{query}", timeout=30) as answer:  # noqa: S310  our own server
            return answer.read().decode().splitlines(), answer.headers["ETag"]

    first, tag = lines(DAY)
    assert len(first) == 25
    assert lines("time=2020-01-05/2020-01-06")[0][1:] == []
    write_cdf(days / "2020/01/mag_20200105_v1.0.cdf", "2020-01-05")
    assert len(lines("time=2020-01-05/2020-01-06")[0]) == 25
    again = lines(DAY)
    assert again[0] == first
    assert tag
    assert again[1] != tag
    asked = Request(f"{server}source/mag/data.csv?{DAY}", headers={"If-None-Match": again[1]})  # noqa: S310  the same
    with pytest.raises(HTTPError) as caught:
        urlopen(asked, timeout=30)  # noqa: S310  the same
    caught.value.close()
    assert caught.value.code == 304


@pytest.mark.integration
def test_the_cgi_program_sends_the_same_as_the_server(server, collection):
    with urlopen(f"{server}source/mag/data.csv?{DAY}", timeout=30) as answer:  # noqa: S310  our own server
        served = answer.read()
    environ = {
        "PATH": os.environ["PATH"], "DASFLEX_CONFIG": collection.config, "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/stream", "PATH_INFO": "/source/mag/data.csv", "QUERY_STRING": DAY,
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.0", "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "example.org",
    }  # fmt: skip
    program = [sys.executable, "-c", "from dasflex_cgi.cgimain import main; main()"]
    done = subprocess.run(program, env=environ, capture_output=True, check=True, timeout=60)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert b"200" in head.splitlines()[0]
    assert body == served


def test_the_page_and_the_plan_are_there_and_tell_no_path(collection, days):
    client = Client(Application(dasflex_core.open(collection.root), lambda *_words: None))
    for path in ("source/mag.html", f"source/mag/plan?{DAY}", f"source/mag/data.d3t?{DAY}"):
        answer = client.get(f"/{path}")
        assert answer.status_code == 200, path
        assert str(days) not in answer.get_data(as_text=True)


def test_what_cannot_be_is_refused_before_anything_is_sent(collection, days):
    client = Client(Application(dasflex_core.open(collection.root), lambda *_words: None))
    answer = client.get(f"/source/mag/data.csv?{DAY}&read.data=bee")
    assert answer.status_code == 400
    assert "There are b, flag" in answer.get_data(as_text=True)
    (days / "2020/01/mag_20200101_v1.10.cdf").write_bytes(b"no CDF at all")
    answer = client.get(f"/source/mag/data.csv?{DAY}")
    assert answer.status_code >= 500
    assert str(days) not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("handmade", "v2_xy_text.d2t"), ("handmade", "v2_yscan_le_real.d2s"), ("handmade", "v3_spectra_be.d3b"),
     ("das3", "ex25_isee_rapid_rank2.d3t"), ("das3", "ex19_cassini_ragged_wfrm.d3t")],
)  # fmt: skip
def test_das_files_give_the_records_that_their_decoder_gives(root, test_data, tmp_path, folder, name):
    original = (test_data / folder / name).read_bytes()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(original)
    source = root.add("das", f'[reader]\nfiles = "{tmp_path}/data/{name}"\n')
    mine, theirs = source.ask().read(), decoded(iter([original]), source.site.registry)
    assert list(mine) == list(theirs)
    for table in mine:
        for column in mine[table]:
            one, other = mine[table][column], theirs[table][column]
            assert len(one) == len(other)
            assert all(
                np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fM")
                for a, b in zip(one, other, strict=True)
            )


def test_das_files_are_one_stream_trimmed_selected_and_named_as_the_definition_says(root, test_data, tmp_path):
    original = (test_data / "handmade" / "v2_xy_text.d2t").read_text(encoding="utf-8")
    (tmp_path / "data").mkdir()
    for day in (2, 3):
        text = original.replace("2031-04-02T", f"2031-04-0{day}T")
        (tmp_path / f"data/probe_2031040{day}.d2t").write_text(text, encoding="utf-8")
    data = '[data]\nfield = { from = "bx" }\nother = { from = "by", default = false }\n'
    source = root.add("das", f'[reader]\nfiles = "{tmp_path}/data/probe_$Y$m$d.d2t"\n{data}')
    table = source["2031-04-02T00:00:04":"2031-04-03T00:00:04"].read().only
    assert set(table) == {"time", "field"}
    assert [str(each)[8:19] for each in table["time"]] == ["02T00:00:04", "02T00:00:08", "03T00:00:00"]
    assert table["field"].tolist() == [12.75, 13.0, 12.5]
    assert set(source["2031-04-02":"2031-04-03"].ask(read_data="other").read().only) == {"time", "other"}
    with pytest.raises(dasflex_core.QueryError, match="no such variable"):
        source["2031-04-02":"2031-04-03"].ask(read_data="third").read()
