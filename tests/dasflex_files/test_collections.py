# SPDX-License-Identifier: GPL-3.0-or-later
"""A collection is a source like any other: planned, explained, priced, trimmed, read over HTTP and by CGI, cancelled."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import dasflex_core
from dasflex_core.arrays import Dataset, NoData, Records, StreamHeader
from dasflex_core.errors import QueryError
from dasflex_core.testing import ReaderContract
from dasflex_files.plugin import KIND
from dasflex_files.reader import FilesReader

DATA = """
[coords.time]
cadence = "1 h"

[data]
b = { from = "B_gse", title = "Magnetic field, GSE", units = "nT" }
b_y = { from = "B_gse[1]", default = false }
flag = { default = false }
psd = { axes = ["time", "freq"] }
"""


def reader(pattern, more=DATA, extra=""):
    return f'[reader]\nfiles = "{pattern}"\ntime = "Epoch"\n{extra}\n{more}'


@pytest.fixture
def source(root, pattern):
    return root.add("mag", reader(pattern))


def items_of(request):
    """The items of a request, as stages meet them."""
    from dasflex_core.streamtype import ARRAYS

    with request._plan(ARRAYS).open() as pump:
        return list(pump.items())


def csv_of(request):
    return b"".join(request.ask(format_type="csv").plan().run()).decode()


class TestReading:
    def test_records_of_all_files_come_in_order_and_of_the_best_version_only(self, source):
        table = source["2019-12-31T22:00":"2020-01-02T02:00"].ask(read_data="b").read().only
        assert len(table["time"]) == 2 + 24 + 2
        assert (np.diff(table["time"]) > np.timedelta64(0)).all()
        assert table["b"][2].tolist() == [100, 101, 102]

    def test_the_range_is_half_open_and_cut_to_the_record(self, source):
        table = source["2020-01-01T05:00":"2020-01-01T08:00"].ask(read_data="b").read().only
        assert [str(each)[11:13] for each in table["time"]] == ["05", "06", "07"]

    def test_what_is_not_default_comes_only_when_it_is_asked_for(self, source):
        request = source["2020-01-01":"2020-01-02"]
        every = {name for table in request.read().values() for name in table}
        assert {"b", "psd"} <= every
        assert not {"flag", "b_y"} & every
        assert set(request.ask(read_data="FLAG").read().only) == {"time", "flag"}

    def test_a_component_is_a_variable_of_its_own(self, source):
        request = source["2020-01-01":"2020-01-02"].ask(read_data="b,b_y")
        table = request.read().only
        good = ~np.isnan(table["b_y"])
        assert good.sum() == 23
        assert np.array_equal(table["b"][good, 1], table["b_y"][good])

    def test_what_a_file_says_is_there_unless_the_definition_says_it(self, source):
        items = items_of(source["2020-01-01":"2020-01-02"])
        datasets = [each for each in items if isinstance(each, Dataset)]
        variables = {name: each for dataset in datasets for name, each in dataset.variables.items()}
        assert (variables["b"].units, variables["b"].label, variables["b"].vector.components) == ("nT", "B", 3)
        assert variables["freq"].values.tolist() == [10, 20, 40, 80]
        assert variables["psd"].units == "V**2 Hz**-1"
        (psd,) = (each for each in datasets if "psd" in each.variables)
        assert psd.dimension(psd["freq"]).properties.text("scaleType") == "log"

    def test_without_a_table_of_data_all_that_a_file_has_comes(self, root, pattern):
        source = root.add("all", reader(pattern, more=""))
        names = {name for table in source["2020-01-01":"2020-01-02"].read().values() for name in table}
        assert {"B_gse", "flag", "psd", "matrix"} <= names

    def test_an_unknown_variable_is_refused_with_the_nearest(self, source):
        with pytest.raises(QueryError, match="Did you mean flag"):
            source["2020-01-01":"2020-01-02"].ask(read_data="flog").plan()

    def test_without_records_there_is_no_data_and_no_error(self, source):
        items = items_of(source["2015-01-01":"2015-01-02"])
        assert any(isinstance(each, NoData) for each in items)
        assert not any(isinstance(each, Records) for each in items)

    def test_a_file_whose_axis_differs_declares_its_dataset_anew(self, root, days, pattern, write_cdf):
        import pycdfpp

        path = days / "2020/01/mag_20200103_v1.0.cdf"
        cdf = pycdfpp.load(str(write_cdf(path, "2020-01-03")))
        cdf["freq"].set_values(np.array([[1.0, 2.0, 4.0, 8.0]]), force=True)
        pycdfpp.save(cdf, str(path))
        source = root.add("mag", reader(pattern))
        items = items_of(source["2020-01-02T23:00":"2020-01-03T01:00"].ask(read_data="psd"))
        tables = [each for each in items if isinstance(each, Dataset)]
        assert [each["freq"].values.tolist() for each in tables] == [[10, 20, 40, 80], [1, 2, 4, 8]]

    def test_a_relative_pattern_is_in_the_directory_of_the_definition_and_the_environment_may_say_where(
        self, root, days, monkeypatch
    ):
        target = root.root / "definitions" / "near"
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(days)
        source = root.add("mag", reader("near/$Y/$m/mag_$Y$m$d_v$(v,sep).cdf"))
        assert csv_of(source["2020-01-01":"2020-01-01T02:00"].ask(read_data="b")).count("\n") == 3
        monkeypatch.setenv("MAG_FILES", str(days))
        source = root.add("env", reader("#[env.MAG_FILES]/$Y/$m/mag_$Y$m$d_v$(v,sep).cdf"))
        assert csv_of(source["2020-01-01":"2020-01-01T02:00"].ask(read_data="b")).count("\n") == 3


class TestPlanning:
    def test_the_plan_names_the_reader_and_what_it_answers_for(self, source):
        plan = source["2020-01-01":"2020-01-02"].ask(read_data="b", format_type="csv").plan()
        assert [node.kind for node in plan.solution.nodes] == ["producer", "stage"]
        assert set(plan.solution.path.steps[0].consumes) == {"read.time.min", "read.time.max", "read.data"}
        assert "reader" in plan.explain()
        assert str(source.site.config.root) not in plan.explain()

    def test_a_request_without_a_format_is_das3(self, source):
        assert str(source["2020-01-01":"2020-01-02"].plan().solution.produces) == "das/3/binary"

    def test_the_shell_gets_the_same_bytes(self, source, root):
        request = source["2020-01-01":"2020-01-01T05:00"].ask(read_data="b", format_type="csv")
        words = shlex.split(request.plan().explain("sh", administrator=True))
        code = "from dasflex_core.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *words[1:]], env={**os.environ, "DASFLEX_CONFIG": root.config},
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        assert done.stdout.decode() == csv_of(request)

    def test_bins_spectra_and_axes_follow_from_the_files(self, source):
        request = source["2020-01-01":"2020-01-02"].ask(read_data="psd", format_type="csv")
        assert csv_of(request.ask(bin_time_max=7200)).count("\n") == 13
        assert "20 Hz" in csv_of(request.ask(read_freq_min=20, read_freq_max=50)).splitlines()[0]
        assert "40 Hz" in csv_of(request.ask(read_freq_min=20, read_freq_max=50)).splitlines()[0]
        assert "80 Hz" not in csv_of(request.ask(read_freq_min=20, read_freq_max=50)).splitlines()[0]

    def test_the_price_is_known_before_the_first_run(self, source):
        estimate = source["2020-01-01":"2020-01-02"].ask(read_data="b").plan().estimate()
        assert estimate.records == 24
        assert "rate" in estimate.basis

    def test_the_answer_is_the_same_until_the_files_or_what_is_taken_of_them_change(self, root, pattern, days):
        def answer(more=DATA, name="mag"):
            source = root.add(name, reader(pattern, more=more))
            return source["2020-01-01":"2020-01-02"].ask(read_data="b").plan().solution.answer

        first = answer()
        assert answer() == first
        assert answer(DATA.replace("Magnetic field, GSE", "Another title")) == first
        assert answer(DATA.replace('from = "B_gse",', 'from = "matrix[0,0:]",').replace("[0,0:]", "[0,:]")) != first
        file = days / "2020/01/mag_20200101_v1.10.cdf"
        os.utime(file, (time.time() + 5, time.time() + 5))
        assert answer() != first

    def test_a_second_plan_opens_no_file_and_imports_no_numpy(self, root, source):
        source["2020-01-01":"2020-01-02"].ask(format_type="csv").plan()
        code = (
            "import sys, dasflex_core\n"
            "source = dasflex_core.open(sys.argv[1])['mag']\n"
            "source['2020-01-01':'2020-01-02'].ask(format_type='csv').plan()\n"
            "print([name for name in ('numpy', 'pycdfpp', 'h5netcdf', 'pyarrow', 'dasflex_files.cdf_file') if name in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(root.root)], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.strip() == "[]"

    def test_the_kind_is_registered_as_a_strangers_would_be(self, source):
        assert KIND in source.site.registry.reader_kinds

    def test_a_suffix_that_nothing_reads_and_a_missing_library_are_told(self, root, pattern, monkeypatch):
        source = root.add("odd", reader(pattern.replace(".cdf", ".xyz")))
        with pytest.raises(dasflex_core.ConfigError, match=r"suffix \.xyz"):
            source["2020-01-01":"2020-01-02"].plan()
        source = root.add("mag", reader(pattern))
        monkeypatch.setattr("dasflex_files.kinds.find_spec", lambda _name: None)
        with pytest.raises(dasflex_core.ConfigError, match=r"pip install 'dasflex\[cdf\]'"):
            source["2020-01-01":"2020-01-02"].plan()


class TestInexact:
    def test_the_trim_stage_answers_for_the_range_of_a_reader_that_is_not_exact(self, root, pattern):
        source = root.add("mag", reader(pattern, extra="exact = false"))
        request = source["2020-01-01T05:00":"2020-01-01T08:00"].ask(read_data="b", format_type="csv")
        assert [step.spec.name for step in request.plan().solution.path.steps] == ["reader", "trim", "csv"]
        assert csv_of(request).count("\n") == 4

    def test_the_range_of_the_source_bounds_what_is_read(self, root, pattern):
        span = 'range = "2020-01-01T06:00 to 2020-01-01T09:00"'
        source = root.add("mag", reader(pattern, more=DATA.replace("[coords.time]", f"[coords.time]\n{span}")))
        assert csv_of(source["2019-01-01":"2021-01-01"].ask(read_data="b")).count("\n") == 4
        assert csv_of(source["2020-01-02":"2020-01-03"].ask(read_data="b")).count("\n") <= 1


class TestFailing:
    def test_a_broken_file_breaks_the_answer_and_its_path_is_told_to_nobody(self, source, days):
        (days / "2020/01/mag_20200102_v1.0.cdf").write_bytes(b"no CDF")
        with pytest.raises(dasflex_core.SourceError) as caught:
            csv_of(source["2020-01-01":"2020-01-03"].ask(read_data="b"))
        assert str(days) not in caught.value.message
        assert str(days) in caught.value.detail

    def test_who_no_longer_listens_ends_the_reading(self, root, days, pattern, write_cdf):
        write_cdf(days / "2020/01/mag_20200105_v1.0.cdf", "2020-01-05", count=86400)
        source = root.add("mag", reader(pattern))
        before = set(threading.enumerate())
        pump = source["2020-01-05":"2020-01-06"].ask(read_data="psd").plan().open()
        with pump:
            chunks = pump.chunks()
            assert next(chunks)
        deadline = time.monotonic() + 10
        while set(threading.enumerate()) - before and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert not set(threading.enumerate()) - before


class TestContract(ReaderContract):
    """What every reader must keep."""

    @pytest.fixture(autouse=True)
    def _site(self, source):
        self._step = source["2020-01-01":"2020-01-03"].ask(read_data="b").plan().solution.nodes[0]

    @property
    def spec(self):
        return self._step.spec

    def make(self):
        return FilesReader(**dict(self._step.values))


def test_a_header_comes_first_also_where_there_is_nothing(pattern):
    items = list(
        FilesReader(pattern=pattern, said=json.dumps({"title": "T", "data": [], "coords": []}), end="1999-01-01").items(
            lambda: False
        )
    )
    assert [type(each) for each in items] == [StreamHeader, NoData]


def test_it_ends_when_it_is_cancelled(pattern):
    made = FilesReader(pattern=pattern, said=json.dumps({"title": "T", "data": [], "coords": []}))
    whole = len(list(made.items(lambda: False)))
    given = []
    for item in made.items(lambda: len(given) > 3):
        given.append(item)  # noqa: PERF402  whether it is cancelled depends on what came
    assert 3 < len(given) < whole


class TestAmongOthers:
    """What other parts of a definition make of a collection."""

    def test_a_view_of_a_collection_is_a_source(self, root, pattern):
        root.add("mag", reader(pattern))
        view = root.add("view", '[reader]\nsource = "mag"\n[default]\nbin.time.max = 7200\nread.data = "b"\n')
        table = view["2020-01-01":"2020-01-02"].read().only
        assert len(table["time"]) == 12

    def test_blocks_are_kept_of_it_and_the_answer_is_the_same(self, root, pattern):
        from click.testing import CliRunner

        from dasflex_core.cli import main

        level = '\n[[cache.level]]\nblock = "day"\nbin.time.max = 7200\nread.data = "b"\n'
        source = root.add("mag", reader(pattern) + level)
        request = source["2020-01-01":"2020-01-02"].ask(read_data="b", bin_time_max=7200, format_type="csv")
        before = request.plan().solution
        text = csv_of(request)
        done = CliRunner().invoke(main, ["cache", "build", "mag", "2020-01-01/2020-01-02", "--root", str(root.root)])
        assert done.exit_code == 0, done.output
        after = request.plan().solution
        assert after.use is not None
        assert after.answer == before.answer
        assert csv_of(request) == text

    @pytest.mark.usefixtures("source")
    def test_check_can_tells_what_can_be_had(self, root):
        from click.testing import CliRunner

        from dasflex_core.cli import main

        done = CliRunner().invoke(main, ["check", "--can", "mag", "--root", str(root.root)])
        assert done.exit_code == 0, done.output
        assert "format.type=csv" in done.output
