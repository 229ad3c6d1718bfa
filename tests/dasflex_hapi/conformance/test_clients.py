# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients of others read from the server is what its reader wrote, in csv and in binary alike."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

#: Their readers fail, as they should.
SKIPPED = ("Lab_Early", "Lab_Late")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Reads by hapiclient, which keeps what it reads in files."""
    from hapiclient import hapi as read

    cache = tmp_path_factory.mktemp("hapiclient")

    def ask(*arguments, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the client's own, of the libraries that it uses
            return read(*arguments, cachedir=str(cache), logging=False, usecache=False, **options)

    return ask


def _names(hapi):
    return [each["id"] for each in hapi.get("catalog").json["catalog"] if each["id"] not in SKIPPED]


def test_hapiclient_lists_what_there_is(hapi, client):
    assert [each["id"] for each in client(hapi.url)["catalog"]] == [
        each["id"] for each in hapi.get("catalog").json["catalog"]
    ]


def test_hapiclient_reads_every_dataset_in_csv_and_binary_and_gets_the_same_arrays(hapi, client):
    for name in _names(hapi):
        said = hapi.get("info", dataset=name).json
        span = (said["sampleStartDate"], said["sampleStopDate"])
        tables = [client(hapi.url, name, "", *span, format=kind)[0] for kind in ("csv", "binary")]
        assert tables[0].dtype.names == tuple(each["name"] for each in said["parameters"])
        for each in tables[0].dtype.names:
            np.testing.assert_array_equal(tables[0][each], tables[1][each], err_msg=f"{name} {each}")
        assert len(tables[0])


def test_hapiclient_gets_the_values_of_the_reader(hapi, client):
    data, _meta = client(hapi.url, "Lab_Lines", "e", "2020-01-01T00:00Z", "2020-01-01T01:00Z")
    np.testing.assert_array_equal(data["e"], np.arange(60)[:, np.newaxis] * np.array([1, 0.5, -0.25]))


def test_hapiclient_asks_in_chunks_up_to_the_end_of_data_that_go_on(hapi, client):
    span = ("2020-01-01T00:00:00Z", "2020-01-02T12:00:00Z")
    data, _meta = client(hapi.url, "Lab_Moving", "b", *span, dt_chunk="infer")
    assert len(data) == 36 * 60 - 60


def test_the_reader_of_dasflex_reads_what_dasflex_serves(hapi, tmp_path):
    import dasflex_core
    from dasflex_core.catalog.tree import compile_tree
    from dasflex_core.roots import make_root

    make_root(tmp_path / "root", "Other", examples=False)
    text = (
        'title = "Elsewhere"\ncontacts = { technical = "A <a@example.org>" }\n'
        f'reader = {{ url = "hapi:{hapi.url}?id=Lab_Lines" }}\n'
        'example = [{ title = "An hour", time = "2020-01-01T00:00 to 2020-01-01T01:00" }]\n'
    )
    (tmp_path / "root" / "definitions" / "there.toml").write_text(text, encoding="utf-8")
    site = dasflex_core.open(tmp_path / "root")
    assert compile_tree(tmp_path / "root").findings == ()
    answer = site["there"]["2020-01-01T00:00":"2020-01-01T01:00"].read()
    values = next(each["e"] for each in answer.values() if "e" in each)
    np.testing.assert_array_equal(values, np.arange(60)[:, np.newaxis] * np.array([1, 0.5, -0.25]))
