# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets of HAPI servers as sources: real servers of both generations, in csv and in binary, and one that misbehaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import monotonic
from urllib.request import urlopen

import numpy as np
import pytest

import dasflex_core
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import ConfigError, QueryError, SourceError
from dasflex_core.roots import make_root

SOURCE = """
title    = "A data set of another server"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ url = "hapi:{base}/hapi?id={id}" }}
example  = [{{ time = "2020-01-01 to 2020-01-02" }}]
{more}
"""
DAY = "2020-01-01/2020-01-02"


class HapiProcess:
    """A server in a process of its own; `asked` are the requests that it had.

    It says each on its output, which is read by a thread: what it was asked until now is there when it has said, too,
    what it is asked now.
    """

    def __init__(self, *words: str) -> None:
        file = Path(__file__).with_name("hapi_server.py")
        command = [sys.executable, "-S", str(file), *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.base = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"
        self.said: list[str] = []
        self._marks = 0
        self.thread = Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.said.append(line.strip())

    @property
    def asked(self) -> list[str]:
        """The requests that it had, all until now."""
        self._marks += 1
        mark = f"/hapi/capabilities?mark={self._marks}"
        urlopen(self.base + mark, timeout=10).close()  # noqa: S310  loopback
        until = monotonic() + 10
        while mark not in self.said:
            assert monotonic() < until, "the server does not say what it was asked"
            self.thread.join(0.02)
        return [each for each in self.said if "?mark=" not in each]

    def data(self) -> list[str]:
        """The requests for data."""
        return [each for each in self.asked if each.startswith("/hapi/data")]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.thread.join(5)
        self.process.stdout.close()


@pytest.fixture(scope="module", params=["2.1", "3.2", "2.1 binary", "3.2 binary"])
def server(request):
    made = HapiProcess(*request.param.split())
    made.form = "binary" if "binary" in request.param else "csv"
    yield made
    made.end()


@pytest.fixture(scope="module")
def plain():
    made = HapiProcess("3.2")
    yield made
    made.end()


@pytest.fixture
def site(tmp_path):
    """A site to which data sets are added."""
    make_root(tmp_path / "root", "Here", examples=False)

    def add(name: str, server: HapiProcess, identifier: str, more: str = "", keys: str = "") -> dasflex_core.Source:
        folder = tmp_path / "root" / "definitions" / name
        folder.mkdir(parents=True)
        text = SOURCE.format(base=server.base, id=identifier + keys, more=more)
        (folder / "source.toml").write_text(text, encoding="utf-8")
        report = compile_tree(tmp_path / "root")
        assert not report.findings, [str(each) for each in report.findings]
        return dasflex_core.open(tmp_path / "root")[name]

    return add


def test_numbers_texts_vectors_and_times_to_the_nanosecond_come_with_units_and_fill(site, server):
    answer = site("Field", server, "field").ask(time=DAY).read()
    table = answer.only
    count = np.arange(1440)
    begin = np.datetime64("2020-01-01T00:00", "ns")
    assert (table["time"] == begin + count * (60_000_000_000 + 1)).all()
    assert np.array_equal(table["level"], np.where(count % 100 == 7, np.nan, count * 0.1), equal_nan=True)
    assert np.array_equal(table["count"], np.where(count % 100 == 9, np.nan, count), equal_nan=True)
    field = np.stack([count + 0.5, np.where(count % 100 == 3, np.nan, -count), 1 / (count + 1)], axis=1)
    assert np.array_equal(table["B_gse"], field, equal_nan=True)
    assert list(table["note"][:3]) == ["n0", 'a "b", c', "n2"]
    assert (table.units("level"), table.units("B_gse"), table.units("count")) == ("V", "nT", "")
    assert f"format={server.form}" in server.data()[-1] or server.form == "csv"


def test_bins_are_axes_and_what_other_parameters_say_of_them_goes_from_record_to_record(site, server):
    answer = site("Spectra", server, "spectra").ask(time=DAY).read()
    tables = {name: table for table in answer.values() for name in table if name not in ("time", "frequency", "energy")}
    count = np.arange(1440)
    assert (tables["psd"]["frequency"] == [10, 20, 40, 80]).all()
    assert (tables["psd"]["psd"] == count[:, None] + np.array([10, 20, 40, 80])).all()
    assert tables["psd"].units("frequency") == "Hz"
    assert (tables["flux"]["flux"] == np.stack([count, count + 1], axis=1)).all()
    assert (tables["flux"]["energy"] == np.stack([100 + count % 2, np.full(1440, 200)], axis=1)).all()
    assert (tables["gain"]["gain"] == count % 7).all()


def test_only_what_is_asked_for_is_asked_for_there_with_what_its_bins_need(site, server):
    source = site("Spectra", server, "spectra")
    one = source.ask(time=DAY, read_data="flux")
    table = one.read().only
    assert set(table) == {"time", "energy", "flux"}
    assert "parameters=flux,energies" in server.data()[-1]
    assert [each.name for each in one.plan().solution.nodes][:1] == ["reader"]
    assert "select" not in [each.name for each in one.plan().solution.nodes]
    both = source.ask(time=DAY, read_data="gain,psd").read()
    assert {name for each in both.values() for name in each} == {"time", "frequency", "psd", "gain"}
    assert "parameters=psd,gain" in server.data()[-1]


def test_what_the_server_does_not_have_is_told_with_what_there_is(site, server):
    with pytest.raises(QueryError, match=r"no such variable.*level"):
        site("Field", server, "field").ask(time=DAY, read_data="livel").read()


def test_days_of_the_year_are_dates(site, server):
    table = site("Ordinal", server, "ordinal").ask(time="2020-01-02/2020-01-02T00:03").read().only
    assert list(table["time"]) == list(np.datetime64("2020-01-02T00:00", "ns") + np.arange(3) * np.timedelta64(1, "m"))


def test_a_range_that_no_request_may_have_is_cut_and_its_parts_are_joined(site, server):
    before = len(server.data())
    table = site("Short", server, "short").ask(time=DAY).read().only
    assert list(table["count"][[0, 599, 600, 1439]]) == [0, 599, 600, 1439]
    assert len(server.data()) == before + 3


def test_what_lies_beyond_the_data_is_not_asked_for_again_and_nothing_there_is_no_error(site, server):
    source = site("Field", server, "field")
    assert len(source.ask(time="2019-12-31T23:00/2020-01-01T00:10").read().only["count"]) == 10
    assert len(source.ask(time="2010-01-01/2011-01-01").read()) == 0
    assert len(source.ask(time="2020-01-01T00:00:10/2020-01-01T00:00:20").read()) == 0


def test_bins_spectra_and_formats_are_made_here(site, server, tmp_path):
    source = site("Field", server, "field")
    table = source["2020-01-01":"2020-01-02":3600].ask(read_data="count").read().only
    assert len(table["count"]) == 24
    assert table["count"][0] == pytest.approx(np.delete(np.arange(60.0), 9).mean())
    saved = source.ask(time="2020-01-01/2020-01-01T00:02", read_data="level").save(tmp_path / "a.csv")
    assert "2020-01-01T00:01:00.000000001" in saved.read_text(encoding="utf-8")


def test_two_plans_ask_the_server_what_it_has_only_once_and_a_run_does_not_ask_again(site, server):
    source = site("Field", server, "field")
    before = len(server.asked)
    source.ask(time=DAY).plan()
    asked = server.asked[before:]
    assert [each.partition("?")[0] for each in asked] == ["/hapi/info", "/hapi/capabilities"]
    source.ask(time=DAY, read_data="level").plan()
    assert server.asked[before:] == asked


def test_the_definition_may_offer_some_parameters_only_and_call_them_something_else(site, plain):
    more = '[data.strength]\nfrom = "level"\n'
    source = site("Some", plain, "field", more, "&parameters=level,count")
    assert set(source.ask(time=DAY).read().only) == {"time", "level", "count"}
    assert "parameters=level,count" in plain.data()[-1]
    assert set(source.ask(time=DAY, read_data="strength").read().only) == {"time", "level"}


@pytest.mark.parametrize(
    ("identifier", "kind", "words"),
    [
        ("bad-cut", "source.truncated", "broke off"),
        ("bad-short", "source.truncated", "bytes are missing"),
        ("bad-page", "source.stream", "answers with a page"),
        ("bad-status", "source.start", "1500"),
        ("bad-error", "source.start", "so it is"),
        ("bad-rows", "source.stream", "have not 7 cells"),
        ("bad-info", "source", "the type complex"),
        ("missing", "source.start", "1406"),
    ],
)
def test_a_server_that_misbehaves_is_an_error_that_says_how_and_not_where(site, plain, identifier, kind, words):
    source = site("Bad", plain, identifier)
    with pytest.raises(SourceError, match=words) as caught:
        source.ask(time=DAY).read()
    assert caught.value.kind == kind
    assert "127.0.0.1" not in caught.value.message


def test_a_server_that_is_not_there_is_an_error_and_planning_waits_for_it_once(site, plain):
    gone = HapiProcess("3.2")
    gone.end()
    source = site("Gone", gone, "field")
    request = source.ask(time=DAY)
    assert request.plan().solution.nodes[0].name == "reader"
    with pytest.raises(SourceError, match="cannot be reached") as caught:
        request.read()
    assert caught.value.kind == "source.start"


def test_who_leaves_ends_the_request_at_the_server_too(site, plain):
    with site("Slow", plain, "bad-slow").ask(time=DAY, format_type="csv").plan().open() as run:
        assert not run.start(0.5)
        assert "gone" not in plain.asked
    until = monotonic() + 10  # the server would have been silent for longer
    while "gone" not in plain.asked and monotonic() < until:
        plain.thread.join(0.05)
    assert "gone" in plain.asked


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("hapi:ftp://h/hapi?id=a", "no address of a server"),
        ("hapi:https://h/hapi", "names no data set"),
        ("hapi:https://h/hapi?id=a&start=2020", "start= has no place"),
        ("hapi:https://#[env.NOT_THERE]@h/hapi?id=a", "NOT_THERE"),
    ],
)
def test_an_address_that_is_none_is_told(site, plain, tmp_path, url, words):
    site("Fine", plain, "field")
    file = tmp_path / "root" / "definitions" / "Fine" / "source.toml"
    text = file.read_text(encoding="utf-8").replace(f"hapi:{plain.base}/hapi?id=field", url)
    file.write_text(text, encoding="utf-8")
    compile_tree(tmp_path / "root")
    with pytest.raises(ConfigError, match=words):
        dasflex_core.open(tmp_path / "root")["Fine"].ask(time=DAY).plan()


def test_no_plan_of_another_source_imports_what_asks_servers(tmp_path):
    make_root(tmp_path / "root", "Here")
    code = (
        "import sys, dasflex_core\n"
        "dasflex_core.open(sys.argv[1])['Examples/Random'].ask(time='2017-01-01/2017-01-02').plan()\n"
        "print([m for m in sys.modules if m.startswith(('dasflex_hapi.', 'dasflex_core.remote', 'http.client')) "
        "and m != 'dasflex_hapi.plugin'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "root")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    assert done.stdout.strip() == "[]"
