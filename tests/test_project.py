# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository keeps its own rules: licences, names, packages, versions, and no shell."""

from __future__ import annotations

import ast
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WHEEL = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
PACKAGES = [ROOT / path for path in WHEEL["packages"]]
GENERATED = {"_build", "__pycache__"}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "misc", "common"}
SHELLS = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
}


def python_files() -> list[Path]:
    """Every Python file that is ours: the packages, the tests, the examples, the documentation, `noxfile.py` and `.ci`."""
    folders = [ROOT / "docs", ROOT / "examples", ROOT / "plugins", ROOT / "tests", *ROOT.glob("dasflex_*")]
    found = [path for folder in folders for path in folder.rglob("*.py") if not GENERATED.intersection(path.parts)]
    return sorted([ROOT / "noxfile.py", ROOT / ".ci" / "audit.py", *found])


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


FILES = python_files()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_each_python_file_begins_with_its_licence(path: Path):
    licence = "Unlicense" if path.is_relative_to(ROOT / "examples") else "GPL-3.0-or-later"
    lines = path.read_text(encoding="utf-8").splitlines()
    head = lines[1] if lines[:1] and lines[0].startswith("#!") else lines[0]
    assert head == f"# SPDX-License-Identifier: {licence}"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_module_has_a_name_that_says_nothing(path: Path):
    parts = {part.removesuffix(".py").strip("_") for part in path.relative_to(ROOT).parts}
    assert not parts & SAYS_NOTHING


def shell_calls(tree: ast.AST) -> Iterator[int]:
    """The lines that hand text to a shell: `shell=…` unless it is False, and the functions that always do."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = [word.value for word in node.keywords if word.arg == "shell"]
            asked = any(not (isinstance(value, ast.Constant) and value.value is False) for value in given)
            if asked or ast.unparse(node.func) in SHELLS:
                yield node.lineno
        elif isinstance(node, ast.ImportFrom) and SHELLS & {f"{node.module}.{name.name}" for name in node.names}:
            yield node.lineno


@pytest.mark.parametrize("path", FILES, ids=named)
def test_nothing_is_ever_given_to_a_shell(path: Path):
    assert list(shell_calls(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "code", ["run(x, shell=True)", "subprocess.run(x, shell=flag)", "os.system(x)", "from subprocess import getoutput"]
)
def test_the_search_for_shells_finds_them(code: str):
    assert list(shell_calls(ast.parse(code))) == [1]


@pytest.mark.parametrize("package", PACKAGES, ids=named)
def test_each_package_ships_its_types(package: Path):
    assert (package / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES, ids=named)
def test_each_package_says_what_it_is_for(package: Path):
    assert ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))


def test_every_package_of_the_tree_is_built_and_checked():
    """A new package is in the wheel, in the layers and in the types, or it is forgotten."""
    on_disk = {path for pattern in ("dasflex_*", "plugins/dasflex_*") for path in ROOT.glob(pattern) if path.is_dir()}
    assert on_disk == set(PACKAGES)
    assert {path.name for path in on_disk} == set(PYPROJECT["tool"]["importlinter"]["root_packages"])
    checked = [ROOT / folder for folder in PYPROJECT["tool"]["mypy"]["files"]]
    assert all(any(path.is_relative_to(folder) for folder in checked) for path in on_disk)


def test_every_plugin_has_an_entry_point_as_a_third_party_would():
    """So has a front-end that adds verbs or mounts."""
    plugins = {path.name for path in PACKAGES if path.parent.name == "plugins" or (path / "plugin.py").is_file()}
    entry_points = PYPROJECT["project"]["entry-points"]["dasflex"]
    assert plugins == {module.partition(".")[0] for module in entry_points.values()}


def test_the_installed_version_is_that_of_pyproject():
    try:
        installed = version("dasflex")
    except PackageNotFoundError:
        pytest.skip("dasflex is not installed here: nox -s tests installs it")
    assert installed == PYPROJECT["project"]["version"]


def test_pre_commit_and_nox_run_the_same_ruff():
    [pin] = [line for line in PYPROJECT["dependency-groups"]["lint"] if line.startswith("ruff")]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert hooks.count("ruff==") == hooks.count(f'["{pin}"]') > 0


def test_the_licences_are_there():
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "free and unencumbered software" in (ROOT / "examples" / "LICENSE").read_text(encoding="utf-8")
