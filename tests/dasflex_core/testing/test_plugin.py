# SPDX-License-Identifier: GPL-3.0-or-later
"""The pytest plugin costs a stranger's session nothing, and gives its fixtures to whoever asks."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
import pytest
before = set(sys.modules)
import dasflex_core.testing.plugin
print(*sorted(name for name in set(sys.modules) - before if name not in sys.stdlib_module_names))
"""


def test_loading_it_imports_nothing_but_the_package_itself():
    told = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert set(told.stdout.split()) <= {
        "dasflex_core",
        "dasflex_core.errors",
        "dasflex_core.testing",
        "dasflex_core.testing.plugin",
        "dasflex_core.values",
    }


@pytest.mark.integration
def test_a_stranger_gets_the_fixtures_and_can_inherit_a_contract(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        """
from dasflex_core.stages import Formatter
from dasflex_core.testing import FormatterContract

class Silence(Formatter, produces="silence"):
    "No bytes at all."
    def records(self, batch):
        return b""

class TestSilence(FormatterContract):
    formatter = Silence
    test_a_second_run_gives_the_same = None

def test_fixtures(dasflex_registry, dasflex_golden):
    assert {"scalars", "spectra"} <= set(dasflex_golden)
    assert any(stage.name == "csv" for stage in dasflex_registry.stages)
"""
    )
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert "11 passed, 1 skipped" in told.stdout, told.stdout


def test_names_of_the_package_are_there_and_others_are_not():
    from dasflex_core import testing

    assert dir(testing) == sorted(testing.__all__)
    assert all(getattr(testing, name).__doc__ for name in testing.__all__)
    with pytest.raises(AttributeError, match="WriterContract"):
        _ = testing.WriterContract
