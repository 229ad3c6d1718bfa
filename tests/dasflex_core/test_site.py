# SPDX-License-Identifier: GPL-3.0-or-later
"""Site, Source, Request and Plan, over a root with the examples: what a script sees."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import dasflex_core
from dasflex_core.roots import make_root

BEGIN, END = "1979-03-01T12:26:11", "1979-03-01T12:29:24"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with the examples."""
    root = tmp_path_factory.mktemp("site") / "root"
    make_root(root, "Test Server")
    return dasflex_core.open(root)


class TestSite:
    def test_ids_match_without_regard_to_case(self, site):
        assert "Examples/Waveform" in list(site)
        assert "examples/WAVEFORM" in site
        assert site["examples/waveform"].id == "Examples/Waveform"

    def test_an_unknown_source_is_named_with_the_nearest(self, site):
        with pytest.raises(dasflex_core.NotFoundError, match="Examples/Waveform"):
            _ = site["Examples/Wavefrom"]

    def test_search_finds_by_words_of_id_and_title(self, site):
        assert "Examples/Waveform" in [each.id for each in site.search("voyager waveforms")]
        assert site.search("nothing-like-that") == []

    def test_a_protected_source_is_refused(self, site):
        with pytest.raises(dasflex_core.AccessError, match="protected"):
            site["Examples/Auth"].examples[0].plan()


class TestRequest:
    def test_slices_are_requests_in_texts_datetimes_and_datetime64(self, site):
        source = site["Examples/Random"]
        begin = datetime(2017, 1, 1, tzinfo=UTC)
        texts = dict(source["2017-01-01":"2017-01-02"].plan().solution.request)
        times = dict(source[begin : begin + timedelta(days=1)].plan().solution.request)
        exact = dict(source[np.datetime64("2017-01-01") : np.datetime64("2017-01-02")].plan().solution.request)
        assert texts == times == exact

    def test_a_step_is_the_interval_of_a_model_and_the_bin_of_anything_else(self, site):
        orbit = site["Examples/Ephemeris"]
        assert dict(orbit["2017-01-01":"2017-01-02":"10 min"].pairs)["read.time.inter"] == "600"
        assert dict(site["Examples/Random"]["2017-01-01":"2017-01-02":60].pairs)["bin.time.max"] == "60"

    def test_a_request_does_not_change(self, site):
        request = site["Examples/Waveform"][BEGIN:END]
        asked = request.ask(dft_length=800)
        assert ("dft.length", "800") in asked.pairs
        assert request.pairs == site["Examples/Waveform"][BEGIN:END].pairs
        assert asked.ask(dft_length=16).pairs[-1] == ("dft.length", "16")
        assert dict(request.ask(time="2017-01-01/2017-01-02").pairs) == {"time": "2017-01-01/2017-01-02"}

    def test_the_address_gives_the_same_from_the_server(self, site):
        url = site["Examples/Random"]["2017-01-01":"2017-01-02"].ask(format_type="csv").url()
        assert url.endswith(
            "/source/examples/random/flex?format.type=csv&read.time.max=2017-01-02&read.time.min=2017-01-01"
        )


class TestRunning:
    def test_read_gives_arrays(self, site):
        table = site["Examples/Random"]["2017-01-01":"2017-01-02"].read().only
        assert table["time"].dtype == np.dtype("M8[ns]")
        values = table[next(name for name in table if name != "time")]
        assert len(values) == len(table["time"]) > 0
        assert (np.abs(values) <= 10).all()

    def test_save_writes_the_format_of_the_suffix(self, site, tmp_path):
        path = site["Examples/Random"]["2017-01-01":"2017-01-02"].save(tmp_path / "random.csv")
        pandas = pytest.importorskip("pandas")
        frame = pandas.read_csv(path)
        assert len(frame) == len(site["Examples/Random"]["2017-01-01":"2017-01-02"].read().only["time"])
        assert list(tmp_path.iterdir()) == [path]

    def test_an_unknown_suffix_names_the_known_ones(self, site, tmp_path):
        with pytest.raises(dasflex_core.QueryError, match=r"\.csv"):
            site["Examples/Random"]["2017-01-01":"2017-01-02"].save(tmp_path / "random.bogus")

    def test_run_gives_the_bytes(self, site):
        data = b"".join(site["Examples/Random"]["2017-01-01":"2017-01-02"].plan().run())
        assert data.startswith(b"[00]")

    def test_every_run_leaves_a_record(self, site):
        from dasflex_core.run import read_record

        plan = site["Examples/Random"]["2017-01-01":"2017-01-02"].plan()
        with plan.open() as pump:
            size = sum(len(chunk) for chunk in pump.chunks())
        record = read_record(pump.record.id, str(site.config.log_path / "requests"))
        assert (record.complete, record.bytes, record.source) == (True, size, "Examples/Random")
        assert record.answer == plan.solution.answer


class TestExplaining:
    def test_plans_explain_themselves(self, site):
        plan = site["Examples/Waveform"][BEGIN:END].ask(format_type="csv").plan()
        assert "das2-decode" in plan.explain()
        assert "consumed by reader" in plan.why("read.time.min")
        assert plan.explain("mermaid").startswith("flowchart")
        assert plan.file_name() == "Examples_Waveform_1979-03-01T12-26-11_1979-03-01T12-29-24.csv"
        assert (plan.media_type.partition(";")[0], plan.suffix) == ("text/csv", "csv")
        assert str(site.config.root) not in plan.explain("json")

    def test_plans_and_sources_draw_themselves_in_a_notebook(self, site):
        source = site["Examples/Params"]
        html = source._repr_html_()
        assert "<table>" in html
        assert source.title in html
        plan = site["Examples/Random"]["2017-01-01":"2017-01-02"].plan()
        assert set(plan._repr_mimebundle_()) == {"text/plain", "text/html", "text/vnd.mermaid"}
        assert "<script" not in plan._repr_html_()


def test_planning_imports_no_numpy_no_toml_no_pages(site):
    """A plan is made in a CGI program's first milliseconds: nothing heavy may be imported for it."""
    code = (
        "import sys, dasflex_core\n"
        f"site = dasflex_core.open({str(site.config.root)!r})\n"
        "print(site['Examples/Random']['2017-01-01':'2017-01-02'].ask(format_type='csv').plan().explain())\n"
        "heavy = {'numpy', 'tomllib', 'jinja2', 'redis', 'trio', 'orjson', 'asyncio', 'click', 'importlib.metadata'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr


def test_a_client_that_sends_extras_is_told_in_the_stream(site):
    """das2 clients send `resolution` for every source; what nothing can use is dropped with a comment."""
    pairs = [("start_time", "2017-01-01"), ("end_time", "2017-01-02"), ("resolution", "60"), ("interval", "9")]
    data = b"".join(site.request("Examples/Random", pairs, "das2").plan().run())
    assert b'<comment type="log:info" source="dasflex" value="read.time.inter was ignored' in data
    assert data.startswith(b"[00]")
    assert b"was ignored" not in b"".join(site["Examples/Random"]["2017-01-01":"2017-01-02"].plan().run())
