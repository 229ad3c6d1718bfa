# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever asks for what an extra brings is told what to install, where its library is not there.

The library is hidden from real processes: whatever they look for among the modules, it is not found.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

import dasflex_core
from dasflex_core import registry as registry_module
from dasflex_core.errors import QueryError
from dasflex_core.extras import Extra
from dasflex_core.plan.filtering import filter_nodes
from dasflex_core.registry import discover
from dasflex_core.roots import make_root
from dasflex_core.stages import ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS

DAY = "2017-01-01/2017-01-02"
#: Hides modules from a process, as if they were not installed.
HIDING = """
import sys

class Hiding:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hiding())
"""


@pytest.fixture(scope="module")
def lean():
    """The registry where no library of an extra is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry_module, "_is_installed", lambda _library: False)
        return discover()


@pytest.fixture(scope="module")
def formats(lean):
    """What pip installs for each format of an extra, by its kind and its suffix."""
    found = {(info.type.kind, info.suffix): extra.requirement for extra in lean.extras for info in extra.stream_types}
    assert found[("parquet", "parquet")] == "dasflex[arrow]"
    assert len(found) > 1
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("extras") / "root"
    make_root(root, "Extras")
    return root


@pytest.fixture
def hidden(lean, tmp_path):
    """The variables of a process in which no library of an extra is found."""
    hidden = {each.library for each in lean.extras}
    (tmp_path / "sitecustomize.py").write_text(HIDING.format(hidden=hidden), encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}


def remedy(requirement):
    return f"is not installed here: it needs pip install '{requirement}', by whoever runs this dasflex"


def test_each_format_of_an_extra_is_told_with_what_to_install(lean, formats, root):
    site = replace(dasflex_core.open(root), registry=lean)
    source = site["Examples/Random"]
    for (kind, suffix), requirement in formats.items():
        request = source["2017-01-01":"2017-01-02"]
        with pytest.raises(QueryError) as caught:
            request.ask(format_type=kind).plan()
        assert caught.value.message.startswith(f"format.type={kind} {remedy(requirement)}; there are csv, ")
        for written in (suffix, f".{suffix.upper()}"):
            with pytest.raises(QueryError) as caught:
                request.as_suffix(written)
            assert remedy(requirement) in caught.value.message
            assert caught.value.kind == "query.unreachable-type"


def test_a_stage_of_an_extra_is_told_to_whoever_filters(lean):
    for extra in lean.extras:
        for stage in extra.stages:
            with pytest.raises(QueryError) as caught:
                filter_nodes(lean, [stage.name], "")
            assert remedy(extra.requirement) in caught.value.message


def test_a_parameter_of_an_extra_is_told_with_what_to_install(root):
    tune = StageSpec("tune", "", ARRAYS, ARRAYS, "m:c", params=(ParamSpec("calc.tune"),))
    extra = Extra("tunes", "Tunes", "dasflex-tunes[sound]", "no_such_library", (tune,))
    site = dasflex_core.open(root)
    site = replace(site, registry=replace(site.registry, extras=(extra,)))
    with pytest.raises(QueryError) as caught:
        site["Examples/Random"]["2017-01-01":"2017-01-02"].ask(calc_tune=1).plan()
    assert caught.value.message == f"Examples/Random: what consumes calc.tune {remedy('dasflex-tunes[sound]')}"


def test_what_no_extra_brings_is_unknown_as_before(lean):
    assert lean.lacking(kind="klingon") == lean.lacking(suffix="") == lean.lacking() == ""
    assert lean.lacking(suffix="PARQUET") == remedy("dasflex[arrow]")


def test_dasflex_get_says_what_to_install(root, hidden, tmp_path):
    for words in (["format.type=parquet"], ["-o", str(tmp_path / "x.parquet")]):
        command = [sys.executable, "-m", "dasflex_core", "get", "Examples/Random", DAY, *words]
        environ = {**hidden, "DASFLEX_CONFIG": str(root / "etc" / "dasflex.conf")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)
        assert done.returncode != 0
        assert remedy("dasflex[arrow]") in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "x.parquet").exists()


@pytest.mark.integration
def test_a_client_of_a_server_is_told_what_its_administrator_would_install(root, hidden, formats):
    command = [sys.executable, "-m", "dasflex_core", "serve", "--port", "0", "--no-websocket"]
    environ = {**hidden, "DASFLEX_CONFIG": str(root / "etc" / "dasflex.conf")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as process:
        line = process.stdout.readline()
        assert line.startswith("Serving "), process.communicate(timeout=20)
        base = f"{line.split()[3]}source/examples/random/"
        for (kind, suffix), requirement in formats.items():
            for asked in (f"data.{suffix}?time={DAY}", f"flex?time={DAY}&format.type={kind}"):
                with pytest.raises(HTTPError) as refused:
                    urlopen(base + asked, timeout=20)  # noqa: S310  the address is that of the server under test
                with refused.value as answer:
                    assert answer.code == 400
                    assert remedy(requirement) in answer.read().decode()
        process.terminate()
        process.communicate(timeout=20)
