# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is checked, in one file: `nox` runs what a change must pass, `nox --list` says what else there is.

Each session installs only what it needs, from the dependency groups of `pyproject.toml`, into an environment of its
own. `pip install nox` on the oldest supported Python is all that must be there.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
OLDEST = PYPROJECT["project"]["requires-python"].removeprefix(">=")
REAL_DATA = ROOT.parent / "shared" / "data"
#: Tests run in so many processes: most of their time they wait for servers and programs. A file is run by one of them.
PROCESSES = 3
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))

nox.needs_version = ">=2024.10.9"  # nox.project.dependency_groups
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True  # a session that is left out is no success
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "layers", "tests", "docs"]


def group(name: str) -> list[str]:
    """The requirements of one dependency group of `pyproject.toml`."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


def test_environment() -> dict[str, str | None]:
    """The variables of every run of tests.

    One thread for BLAS, since a pool for each of many short processes costs more than it gives; no `PYTHONPATH`, so
    that the installed package is tested and not the tree; and where the real mission data lie in their usual place
    they are named, so that a test that does not find them fails and is not skipped.
    """
    variables: dict[str, str | None] = {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": None}
    if "DASFLEX_TEST_DATA" not in os.environ and REAL_DATA.is_dir():
        variables["DASFLEX_TEST_DATA"] = str(REAL_DATA)
    return variables


def scripts(kind: str, session: nox.Session) -> list[Path]:
    """The scripts `tests/KIND/KIND_*.py`, or those of them that are named after `--`; none at all is an error."""
    found = {path.stem.removeprefix(f"{kind}_"): path for path in sorted((ROOT / "tests" / kind).glob(f"{kind}_*.py"))}
    wanted = session.posargs or list(found)
    if not wanted or not set(wanted) <= set(found):
        session.error(f"tests/{kind} has {', '.join(found) or 'nothing to run'}; asked for: {', '.join(wanted)}")
    return [found[name] for name in wanted]


@nox.session(python=OLDEST)
def lint(session: nox.Session) -> None:
    """Style: every rule of ruff that pyproject.toml does not except, and the one format. Security: bandit, pip-audit.

    Whether faults of what is installed are known is asked of PyPI or OSV. Where neither can be asked, that is said, and
    the session goes on; with AUDIT_REQUIRED in the environment it fails.
    """
    session.install("-q", *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    bandit = ("bandit", "-q", "-c", "pyproject.toml", "-r")
    session.run(*bandit, "dasflex_core", "dasflex_cgi", "dasflex_ws", "plugins", "noxfile.py", ".ci")
    # Random numbers for a demonstration, as S311 of pyproject.toml; tests assert.
    session.run(*bandit, "examples", "-s", "B311", "-x", "examples/plugin_template/tests")
    session.install("-q", *group("audit"), success_codes=(0, 1))  # where it cannot be had, the next line says so
    session.run("python", ".ci/audit.py")


@nox.session(python=OLDEST)
def types(session: nox.Session) -> None:
    """Types: mypy, strict, over every package."""
    session.install("-q", *PYPROJECT["project"]["dependencies"], *group("types"))
    session.run("mypy", "--strict", *session.posargs)


@nox.session(python=OLDEST)
def layers(session: nox.Session) -> None:
    """Who may import whom: the core knows no front-end and no plugin, and arrows point one way."""
    session.install("-q", *group("layers"))
    session.run("lint-imports", env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")])})


@nox.session(python=OLDEST)
def tests(session: nox.Session) -> None:
    """The tests, against the installed package, in several processes; arguments after `--` go to pytest.

    `-n 0` among these runs them in one.
    """
    session.install("-q", ".", *group("test"))
    side_by_side = ("-n", str(PROCESSES), "--dist", "loadfile")
    session.run("pytest", "-m", "not bench", *side_by_side, *session.posargs, env=test_environment())


@nox.session(python=OLDEST)
def docs(session: nox.Session) -> None:
    """The documentation, in docs/_build/html; a warning or a broken cross-reference is an error."""
    session.install("-q", *group("docs"))
    session.run("sphinx-build", "-W", "-n", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session(python=OLDEST)
def bench(session: nox.Session) -> None:
    """The figures, each against a yardstick of the same run. Not in the default set; name figures after `--`.

    All are measured, whatever is missed; a figure that is missed makes the session fail at its end.
    """
    session.install("-q", ".", *group("bench"))
    missed = []
    for script in scripts("bench", session):
        try:
            session.run("python", str(script), env=test_environment())
        except nox.command.CommandFailed:
            missed.append(script.stem.removeprefix("bench_"))
    if missed:
        session.error(f"missed: {', '.join(missed)}")


@nox.session(python=OLDEST)
def fuzz(session: nox.Session) -> None:
    """Random bytes for whatever parses what strangers send. Not in the default set; name targets after `--`.

    Each target has FUZZ_SECONDS of the environment, or a minute. What it finds out stays in its corpus for the next
    run, and the input that broke something is kept beside it.
    """
    session.install("-q", ".", *group("fuzz"))
    for script in scripts("fuzz", session):
        corpus = Path(session.create_tmp()) / script.stem
        corpus.mkdir(exist_ok=True)
        how = [f"-max_total_time={FUZZ_SECONDS}", f"-artifact_prefix={corpus}/"]
        session.run("python", str(script), str(corpus), *how, env=test_environment())
