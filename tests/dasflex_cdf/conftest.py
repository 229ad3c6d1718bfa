# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of CDF files share: making one of items, reading one by three libraries, asking a checker of ISTP."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import cdflib
import numpy as np
import pycdfpp
import pytest

from dasflex_cdf.spool import CdfSpool


@pytest.fixture(scope="session")
def nasa(tmp_path_factory):
    """NASA's own CDF library, as spacepy has it, and its checks of ISTP files."""
    os.environ["SPACEPY"] = str(tmp_path_factory.mktemp("spacepy"))  # it makes a directory for its configuration
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from spacepy import pycdf
        from spacepy.pycdf import istp
    return SimpleNamespace(CDF=pycdf.CDF, all=istp.FileChecks.all, variable=istp.VariableChecks.all)


@pytest.fixture
def make(tmp_path):
    """Makes a CDF of items; its path."""
    made = iter(range(1000))

    def work(items, quota=0, **values):
        place = tmp_path / str(next(made))
        place.mkdir()
        spool = CdfSpool(scratch=place, **values)
        if quota:
            spool.quota = quota
        for item in items:
            spool.feed(item)
        path = spool.finish()
        assert [each.name for each in place.iterdir()] == [path.name], "nothing is left but the file"
        return path

    return work


def by_cdflib(path):
    """All values and attributes of a file as cdflib reads them; fixed values have no axis for records."""
    with cdflib.CDF(Path(path)) as held:
        names = held.cdf_info().zVariables
        values = {}
        for name in names:
            about = held.varinq(name)
            array = np.asarray(held.varget(name)) if about.Last_Rec >= 0 else np.empty((0, *about.Dim_Sizes))
            array = array.reshape(-1, *about.Dim_Sizes)
            values[name] = array if about.Rec_Vary else array[0]
        return values, {name: held.varattsget(name) for name in names}


def by_pycdfpp(path):
    """The same as pycdfpp reads them; times as integers."""
    held = pycdfpp.load(str(path))
    values, about = {}, {}
    for name in held:
        variable = held[name]
        array = np.array(variable.values)
        if array.dtype.names:
            array = array.view("i8").reshape(array.shape)
        values[name] = array[0] if variable.is_nrv else array
        about[name] = {key: attribute.value for key, attribute in variable.attributes.items()}
    return values, about


def globals_of(path):
    """The attributes of a file."""
    held = pycdfpp.load(str(path))
    return {name: list(held.attributes[name]) for name in held.attributes}


def same(one, other):
    """Whether two libraries read the same of a variable: text without the blanks behind it, NaN as NaN."""
    if one.dtype.kind in "SU" or other.dtype.kind in "SU":
        return texts(one) == texts(other)
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def texts(array):
    """Text as lists, without blanks behind it."""
    plain = array.astype("S") if array.dtype.kind == "S" else np.strings.encode(array.astype("U"), "utf-8")
    return np.strings.rstrip(plain, b" \0").tolist() if plain.size else []


def read_by_all(path, nasa):
    """The values of a file, which three libraries read alike."""
    values, _about = by_pycdfpp(path)
    others, _about = by_cdflib(path)
    assert set(values) == set(others)
    for name, array in values.items():
        assert same(array, others[name]), name
    with nasa.CDF(str(path)) as held:
        assert set(held) == set(values)
        for name, array in values.items():
            raw = held.raw_var(name)[...]
            if array.size or array.shape[:1] != (0,):
                assert same(array, np.asarray(raw)), name
            else:
                assert len(raw) == 0, name
    return values


def complaints(path, nasa):
    """What the checker says against a file, but for two of its rules that are not those of the guidelines.

    It wants spectrograms wherever a value has an axis, also of vectors and waveforms, which ISTP shows as time series;
    and FIELDNAM to be the name, where the guidelines want a description (and das-streams 5.14 the title).
    """
    with nasa.CDF(str(path)) as held:
        found = [str(each) for each in nasa.all(held)]
    known = ("Multi dim variable with time_series", "does not match var name")
    return [each for each in found if not any(words in each for words in known)]
