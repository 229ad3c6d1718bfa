# SPDX-License-Identifier: GPL-3.0-or-later
"""Collections of small files, and roots with sources that read them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pycdfpp
import pytest

import dasflex_core
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root

if TYPE_CHECKING:
    from pathlib import Path

DEFINITION = """
title    = "{title}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
example  = [{{ time = "{example}" }}]
{more}
"""


@dataclass(frozen=True)
class Roots:
    """A root to which definitions can be added."""

    root: Path

    @property
    def config(self) -> str:
        return str(self.root / "etc" / "dasflex.conf")

    def add(self, name, more, example="2020-01-01 to 2020-01-02", title="Field"):
        """A source, and the site that then has it."""
        text = DEFINITION.format(title=title, example=example, more=more)
        file = self.root / "definitions" / f"{name}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        report = compile_tree(self.root)
        assert not report.findings, [str(each) for each in report.findings]
        return dasflex_core.open(self.root)[name]


@pytest.fixture
def root(tmp_path):
    """A root without sources."""
    make_root(tmp_path / "root", "Files", examples=False)
    return Roots(tmp_path / "root")


def day_of(day: str, count: int = 24) -> np.ndarray:
    """Times of a day, one each hour."""
    return np.datetime64(day, "ns") + np.arange(count) * np.timedelta64(86400 // count, "s")


def written_cdf(path: Path, day: str, *, level: float = 0.0, count: int = 24, epoch="CDF_TIME_TT2000", **more) -> Path:
    """A day of a magnetometer: a vector, a spectrum over frequency, a flag, and what stands beside them."""
    times = day_of(day, count)
    cdf = pycdfpp.CDF()
    cdf.add_attribute("TITLE", ["A magnetometer"])
    cdf.add_variable(
        "Epoch", values=times, data_type=getattr(pycdfpp.DataType, epoch), attributes={"VAR_TYPE": ["support_data"]}
    )
    field = level + np.arange(count * 3, dtype="f4").reshape(count, 3)
    field[1, 1] = -1e31
    about = {
        "DEPEND_0": ["Epoch"],
        "VAR_TYPE": ["data"],
        "UNITS": ["nT"],
        "CATDESC": ["Magnetic field"],
        "LABLAXIS": ["B"],
    }
    bounds = {"VALIDMIN": [np.float32(-1000)], "VALIDMAX": [np.float32(1000)], "FILLVAL": [np.float32(-1e31)]}
    cdf.add_variable("B_gse", values=field, attributes={**about, **bounds, **more})
    cdf.add_variable(
        "flag",
        values=np.arange(count, dtype="i2"),
        attributes={"DEPEND_0": ["Epoch"], "VAR_TYPE": ["data"], "FILLVAL": [np.int16(-1)]},
    )
    cdf.add_variable(
        "freq",
        values=np.array([[10.0, 20.0, 40.0, 80.0]]),
        is_nrv=True,
        attributes={"UNITS": ["Hz"], "VAR_TYPE": ["support_data"], "SCALETYP": ["log"]},
    )
    density = np.arange(count * 4, dtype="f8").reshape(count, 4)
    cdf.add_variable(
        "psd",
        values=density,
        compression=pycdfpp.CompressionType.gzip_compression,
        attributes={"DEPEND_0": ["Epoch"], "DEPEND_1": ["freq"], "UNITS": ["V**2 Hz**-1"], "VAR_TYPE": ["data"]},
    )
    cdf.add_variable(
        "matrix",
        values=np.arange(count * 12, dtype="f4").reshape(count, 2, 6),
        attributes={"DEPEND_0": ["Epoch"], "VAR_TYPE": ["data"]},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pycdfpp.save(cdf, str(path))
    return path


@pytest.fixture
def days(tmp_path):
    """Three days of files in directories for years and months; the second has two versions."""
    folder = tmp_path / "data"
    written_cdf(folder / "2019/12/mag_20191231_v1.0.cdf", "2019-12-31")
    written_cdf(folder / "2020/01/mag_20200101_v1.9.cdf", "2020-01-01", level=500)
    written_cdf(folder / "2020/01/mag_20200101_v1.10.cdf", "2020-01-01", level=100)
    written_cdf(folder / "2020/01/mag_20200102_v1.0.cdf", "2020-01-02", level=200)
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return folder


@pytest.fixture
def pattern(days):
    """The pattern of these."""
    return f"{days}/$Y/$m/mag_$Y$m$d_v$(v,sep).cdf"


@pytest.fixture
def write_cdf():
    """What writes such a file."""
    return written_cdf
