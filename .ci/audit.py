# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks whether faults are known of what `pip install .` installs, and tells "none" from "nobody could be asked".

The dependencies of `pyproject.toml` are resolved as pip would install them now; then pip-audit asks PyPI about these
versions, and about those that PyPI does not know, OSV. It ends with 1 where one has a known fault, or where `accepted`
of `[tool.audit]` is wrong; else with 0, after a plain warning where some could not be asked about. That is 1, too, if
AUDIT_REQUIRED is set, as it should be before a release. All of it takes less than a minute.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: Seconds for everything, and for resolving; what has been asked of one service leaves time for the other.
ALL, RESOLVING, ASKING = 50.0, 25.0, 15.0
#: The longest time for which a known fault may be accepted.
LONGEST = timedelta(days=184)


@dataclass(frozen=True)
class Finding:
    """A known fault of a version of a package, by all of its names, and the versions in which it is mended."""

    package: str
    version: str
    names: tuple[str, ...]
    mended: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What is told of it."""
        how = f"mended in {', '.join(self.mended)}" if self.mended else "mended nowhere yet"
        return f"{self.package} {self.version}: {', '.join(self.names)}, {how}"


@dataclass(frozen=True)
class Outcome:
    """What came of asking: how many packages are known about, what was found, and of what nobody knows."""

    asked: frozenset[str]
    found: tuple[Finding, ...]
    unknown: tuple[str, ...]


def judged(reports: list[dict[str, Any]], pins: dict[str, str]) -> Outcome:
    """The outcome of several reports of pip-audit about pinned packages: what one skipped, another may know."""
    asked: set[str] = set()
    found: dict[Finding, None] = {}
    for each in (each for report in reports for each in report.get("dependencies", ())):
        if "skip_reason" in each or "vulns" not in each:
            continue
        asked.add(canonical(each["name"]))
        for fault in each["vulns"]:
            names = (fault["id"], *fault.get("aliases", ()))
            found[Finding(each["name"], each["version"], names, tuple(fault.get("fix_versions", ())))] = None
    return Outcome(frozenset(asked), tuple(found), tuple(sorted(set(pins) - asked)))


def excused(found: tuple[Finding, ...], accepted: list[dict[str, Any]], today: date) -> tuple[list[Finding], list[str]]:
    """The findings that nothing excuses, and what is wrong with the excuses."""
    wrong = []
    good = []
    for each in accepted:
        name = f"{each.get('id')} of {each.get('package')}"
        until = each.get("until")
        if not (each.get("id") and each.get("package") and str(each.get("reason", "")).strip()):
            wrong.append(f"{name}: an accepted fault has an id, a package, a date until, and a reason")
        elif not isinstance(until, date) or isinstance(until, datetime) or until > today + LONGEST:
            wrong.append(f"{name}: until must be a date, and at most {LONGEST.days} days away")
        elif until < today:
            wrong.append(f"{name}: was accepted until {until}, and is not any more; update it, or give a new reason")
        else:
            good.append((canonical(each["package"]), each["id"]))
    left = [each for each in found if not any((canonical(each.package), name) in good for name in each.names)]
    return left, wrong


def resolved(dependencies: list[str], seconds: float) -> dict[str, str]:
    """The versions that pip would install. Raises `OSError` or `subprocess.SubprocessError` where it cannot say."""
    how = ["--dry-run", "--ignore-installed", "--quiet", "--disable-pip-version-check", "--no-input", "--report", "-"]
    out = said([sys.executable, "-m", "pip", "install", *how, *dependencies], seconds)
    facts = [each["metadata"] for each in json.loads(out)["install"]]
    return {canonical(each["name"]): each["version"] for each in facts}


def canonical(name: str) -> str:
    """The one spelling of a package's name (the specification of names of PyPA, "name normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()


def report(service: str, pins: dict[str, str], seconds: float) -> dict[str, Any]:
    """What pip-audit reports of pinned packages by one service. Raises as `resolved` does, where that gives nothing."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "pins.txt")
        file.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()), encoding="utf-8")
        how = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "5", "--format", "json"]
        out = said([sys.executable, "-m", "pip_audit", *how, "-s", service, "-r", str(file)], seconds, (0, 1))
    found: dict[str, Any] = json.loads(out)
    return found


def said(command: list[str], seconds: float, codes: tuple[int, ...] = (0,)) -> str:
    """What a program writes. Raises `OSError` or `subprocess.SubprocessError` where it fails or takes too long."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            out, told = process.communicate(timeout=max(seconds, 0.1))
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # with whatever it has started
            raise
    if process.returncode not in codes or not out.strip():
        last = (told.strip().splitlines() or ["it says nothing"])[-1]
        raise subprocess.SubprocessError(f"{Path(command[2]).name} ends with {process.returncode}: {last}")
    return out


def asked(dependencies: list[str]) -> tuple[Outcome, list[str]]:
    """The outcome, and why anything could not be asked."""
    end = time.monotonic() + ALL
    reports: list[dict[str, Any]] = []
    why: list[str] = []
    try:
        pins = resolved(dependencies, RESOLVING)
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        return Outcome(frozenset(), (), tuple(sorted(dependencies))), [f"pip cannot resolve them: {error}"]
    left = pins
    for service in ("pypi", "osv"):
        try:
            reports.append(report(service, left, min(ASKING, end - time.monotonic())))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            why.append(f"{service} gives no answer: {error}")
        outcome = judged(reports, pins)
        if not outcome.unknown:
            break
        left = {name: pins[name] for name in outcome.unknown}
    return outcome, why


def told(outcome: Outcome, why: list[str], accepted: list[dict[str, Any]], *, required: bool, today: date) -> int:
    """Says what came of it, and gives the exit code."""
    left, wrong = excused(outcome.found, accepted, today)
    for finding in left:
        print(f"audit: FOUND {finding}")
    for each in wrong:
        print(f"audit: pyproject.toml, [tool.audit]: {each}")
    if outcome.unknown:
        print("audit: WARNING " + "=" * 60)
        print(f"audit: NOT ASKED about {len(outcome.unknown)} packages: {', '.join(outcome.unknown)}")
        for each in why or ["neither PyPI nor OSV knows them, as by way of a mirror"]:
            print(f"audit: {each}")
        print("audit: so nobody knows whether they have known faults; run this where PyPI or OSV can be reached")
    excuses = len(outcome.found) - len(left)
    print(f"audit: asked about {len(outcome.asked)} packages, found {len(left)} known faults, {excuses} accepted")
    return 1 if left or wrong or (required and outcome.unknown) else 0


def main() -> int:
    """Asks, tells, and gives the exit code."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    outcome, why = asked(settings["project"]["dependencies"])
    accepted = settings["tool"]["audit"]["accepted"]
    today = datetime.now(UTC).date()
    return told(outcome, why, accepted, required=bool(os.environ.get("AUDIT_REQUIRED")), today=today)


if __name__ == "__main__":
    sys.exit(main())
