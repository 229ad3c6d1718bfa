# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of what is installed tells what was found from what nobody could be asked about."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TODAY = date(2026, 11, 23)
PINS = {"jinja2": "3.1.2", "numpy": "2.4.6"}
#: As pip-audit 2.10 writes them: one package with a fault, one without, and one that the service does not know.
FAULTY = {
    "name": "Jinja2",
    "version": "3.1.2",
    "vulns": [{"id": "PYSEC-2024-1", "fix_versions": ["3.1.3"], "aliases": ["CVE-2024-22195"], "description": "…"}],
}
SOUND = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited: numpy (2.4.6)"}
ACCEPTED = {"id": "CVE-2024-22195", "package": "Jinja2", "until": TODAY, "reason": "xmlattr is not used"}


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module  # where dataclasses look
    spec.loader.exec_module(module)
    yield module
    del sys.modules["audit"]


def result(audit, capsys, *reports, accepted=(), required=False, why=()):
    outcome = audit.judged([{"dependencies": list(each)} for each in reports], PINS)
    code = audit.told(outcome, list(why), list(accepted), required=required, today=TODAY)
    return code, capsys.readouterr().out


def test_nothing_known_about_any_is_success(audit, capsys):
    code, said = result(audit, capsys, [{**FAULTY, "vulns": []}, SOUND])
    assert code == 0
    assert "asked about 2 packages, found 0" in said
    assert "NOT ASKED" not in said


def test_a_known_fault_is_named_with_where_it_is_mended_and_fails(audit, capsys):
    code, said = result(audit, capsys, [FAULTY, SOUND])
    assert code == 1
    assert "FOUND Jinja2 3.1.2: PYSEC-2024-1, CVE-2024-22195, mended in 3.1.3" in said


def test_what_was_skipped_is_no_success_that_nobody_sees(audit, capsys):
    """pip-audit itself says that no faults are known, and ends with 0."""
    code, said = result(audit, capsys, [{**FAULTY, "vulns": []}, SKIPPED])
    assert code == 0
    assert "WARNING" in said
    assert "NOT ASKED about 1 packages: numpy" in said


def test_a_release_can_insist_on_an_answer(audit, capsys):
    assert result(audit, capsys, [SKIPPED], required=True)[0] == 1
    assert result(audit, capsys, [SOUND, {**FAULTY, "vulns": []}], required=True)[0] == 0


def test_a_fault_is_found_though_others_were_not_asked_about(audit, capsys):
    code, said = result(audit, capsys, [FAULTY, SKIPPED])
    assert code == 1
    assert "NOT ASKED about 1 packages: numpy" in said


def test_the_second_service_fills_what_the_first_skipped(audit, capsys):
    code, said = result(audit, capsys, [{**FAULTY, "vulns": []}, SKIPPED], [SOUND])
    assert (code, "NOT ASKED" in said) == (0, False)


def test_nobody_to_ask_is_said_with_the_reason(audit, capsys):
    code, said = result(audit, capsys, why=["osv gives no answer: no route"])
    assert code == 0
    assert "NOT ASKED about 2 packages: jinja2, numpy" in said
    assert "no route" in said


def test_an_accepted_fault_counts_again_after_its_day(audit, capsys):
    assert result(audit, capsys, [FAULTY, SOUND], accepted=[ACCEPTED])[0] == 0
    yesterday = {**ACCEPTED, "until": TODAY - timedelta(days=1)}
    code, said = result(audit, capsys, [FAULTY, SOUND], accepted=[yesterday])
    assert code == 1
    assert "FOUND Jinja2" in said
    assert "was accepted until 2026-11-22" in said


@pytest.mark.parametrize(
    "wrong",
    [{"reason": " "}, {"until": TODAY + timedelta(days=200)}, {"until": "2027-01-01"}, {"id": ""}, {"package": ""}],
    ids=str,
)
def test_an_excuse_without_a_reason_or_an_end_is_none(audit, capsys, wrong):
    assert result(audit, capsys, [SOUND, {**FAULTY, "vulns": []}], accepted=[{**ACCEPTED, **wrong}])[0] == 1


def test_another_package_is_not_excused_by_it(audit, capsys):
    assert result(audit, capsys, [FAULTY, SOUND], accepted=[{**ACCEPTED, "package": "numpy"}])[0] == 1


def test_what_hangs_is_ended_with_its_children(audit):
    begun = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        audit.said([sys.executable, "-c", "import time; time.sleep(60)"], 0.3)
    assert time.monotonic() - begun < 5


def test_what_fails_is_told_by_its_last_line(audit):
    code = "import sys; sys.exit('no route to the service')"
    with pytest.raises(subprocess.SubprocessError, match="no route to the service"):
        audit.said([sys.executable, "-c", code], 20)


def test_a_machine_without_pip_audit_is_told_from_one_without_faults(audit, monkeypatch, capsys, tmp_path):
    bare = tmp_path / "python"  # which has nothing but the standard library
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    monkeypatch.setattr(audit, "resolved", lambda *_: PINS)
    monkeypatch.setattr(audit.sys, "executable", str(bare))
    outcome, why = audit.asked(["jinja2"])
    assert audit.told(outcome, why, [], required=False, today=TODAY) == 0
    said = capsys.readouterr().out
    assert "NOT ASKED about 2 packages" in said
    assert "No module named" in said


def test_no_index_is_told_too(audit, monkeypatch, capsys):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    outcome, why = audit.asked(["no-such-package-of-ours>=1"])
    assert audit.told(outcome, why, [], required=True, today=TODAY) == 1
    assert "pip cannot resolve them" in capsys.readouterr().out


def test_the_whole_takes_less_than_a_minute(audit):
    assert audit.ALL < 60
    assert audit.RESOLVING + 2 * audit.ASKING < 60


def test_lint_runs_it_and_bandit():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert [each.partition(">")[0] for each in (*groups["lint"], *groups["audit"])][1:] == ["bandit", "pip-audit"]
    assert 'group("audit")' in noxfile
    for packages in ("dasflex_core", "dasflex_cgi", "dasflex_ws", "plugins"):
        assert f'"{packages}"' in noxfile
    assert '".ci/audit.py"' in noxfile
