# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs are found, listed, completed and imported when they are used; plugins add theirs, and broken ones take nothing down."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from textwrap import dedent

import click
import jsonschema
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from dasflex_core.catalog import Catalog
from dasflex_core.cli import main, mkroot
from dasflex_core.config import read_config
from dasflex_core.roots import shipped_examples


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        timeout=60,
    )


def dasflex(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return python(f"from dasflex_core.cli import main; main({list(words)!r}, prog_name='dasflex')", **environment)


def test_the_help_lists_the_verbs_in_groups(examples):
    shown = examples.run("--help").stdout
    groups = {
        title: re.findall(r"^  (\w+) ", text, re.MULTILINE)
        for title, text in re.findall(r"(\w+):\n((?:  .+\n)+)", shown)
    }
    assert groups["Data"] == ["get", "plan", "find", "filter", "verify", "watch"]
    assert groups["Definitions"] == ["check", "compare", "install", "convert", "catalog", "schema", "plugins", "init"]
    assert {"root", "jobs", "serve"} <= set(groups["Servers"])


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("verb", main.list_commands(click.Context(main)))
def test_each_verb_explains_itself(examples, verb, option):
    done = examples.run(verb, option)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Usage: dasflex {verb}")


def test_the_version_is_that_of_the_distribution(examples):
    from importlib.metadata import version

    assert examples.run("--version").stdout == f"dasflex {version('dasflex')}\n"


def test_an_unknown_verb_is_told_with_the_nearest(examples):
    done = examples.run("gett")
    assert done.exit_code == 2
    assert "There is no verb 'gett'. Did you mean get" in done.stderr


def test_the_command_imports_a_verb_only_when_it_is_used():
    code = (
        "import sys; from dasflex_core.cli import main; "
        "print(sorted(name for name in sys.modules if name.startswith('dasflex_') or name in ('numpy', 'pluggy')))"
    )
    assert python(code).stdout.strip() == str(
        [
            "dasflex_core",
            "dasflex_core.cli",
            "dasflex_core.cli.exit_codes",
            "dasflex_core.cli.verbs",
            "dasflex_core.errors",
            "dasflex_core.values",
        ]
    )


def test_a_plan_that_is_only_shown_imports_no_numpy_and_no_codec(examples):
    code = (
        "import sys; from dasflex_core.cli import main; "
        "main(['plan', 'Examples/Random', '2017-01-01/2017-01-02', 'format.type=csv'], standalone_mode=False); "
        "print([name for name in sys.modules if name in ('numpy', 'werkzeug', 'waitress', 'jinja2') "
        "or name.startswith(('dasflex_das.das', 'dasflex_csv.f'))])"
    )
    done = python(code, DASFLEX_CONFIG=examples.environment()["DASFLEX_CONFIG"])
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "[]"


# -- find, schema, plugins


def test_find_lists_the_sources_with_all_the_words(examples):
    assert [line.split()[0] for line in examples.run("find", "voyager", "SPECTRA").stdout.splitlines()] == [
        "Examples/Spectra"
    ]
    assert len(examples.run("find").stdout.splitlines()) == 7


def test_find_that_finds_nothing_says_so(examples):
    done = examples.run("find", "no-such-thing")
    assert done.exit_code == 3
    assert done.stderr == "dasflex: There is no source with 'no-such-thing'\n"


def test_the_schema_is_one_and_the_examples_are_valid_by_it(examples):
    schema = json.loads(examples.run("schema", "source").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in shipped_examples().glob("*/source.toml"):
        jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), schema)


def test_plugins_are_listed_with_what_they_provide(examples):
    shown = examples.run("plugins").stdout
    assert "das (dasflex" in shown
    assert "  converter das2-decode" in shown
    assert "verbs of plugins: hapi, init, serve" in shown


@pytest.fixture
def broken_plugins(tmp_path) -> str:
    """Two installed plugins of strangers: one that cannot be imported, and one with a verb that fails."""
    (tmp_path / "broken_one.py").write_text("import no_such_module\n", encoding="utf-8")
    (tmp_path / "odd_one.py").write_text(
        dedent("""
        import click
        from dasflex_core.hookspecs import hookimpl

        @click.command("hello")
        def hello():
            "Say hello, then fail."
            from dasflex_core.errors import BusyError
            click.echo("hello")
            raise BusyError("too many greetings")

        @hookimpl
        def dasflex_commands(register):
            register(hello)
        """),
        encoding="utf-8",
    )
    place = tmp_path / "strangers-1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n", encoding="utf-8")
    (place / "entry_points.txt").write_text("[dasflex]\nbroken = broken_one\nodd = odd_one\n", encoding="utf-8")
    return os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_a_broken_plugin_is_listed_with_its_reason_and_takes_nothing_down(examples, broken_plugins):
    listed = dasflex("plugins", PYTHONPATH=broken_plugins)
    assert listed.returncode == 0
    assert listed.stderr == ""
    assert (
        "broken (strangers 1.0, broken_one)\n  failed: ModuleNotFoundError: No module named 'no_such_module'"
        in listed.stdout
    )
    shown = dasflex("--help", PYTHONPATH=broken_plugins)
    assert re.search(r"^More:\n  hello +Say hello, then fail\.$", shown.stdout, re.MULTILINE)
    assert all(line.startswith("dasflex: warning: Plugin broken") for line in shown.stderr.splitlines())
    config = examples.environment()["DASFLEX_CONFIG"]
    words = ("get", "Examples/Random", "2017-01-01/2017-01-02")
    done = dasflex(*words, PYTHONPATH=broken_plugins, DASFLEX_CONFIG=config)
    assert done.returncode == 0
    assert done.stdout == examples.run(*words).stdout
    assert all(line.startswith("dasflex: warning: Plugin broken") for line in done.stderr.splitlines())


def test_the_verb_of_a_plugin_tells_failures_as_the_others_do(broken_plugins):
    done = dasflex("hello", PYTHONPATH=broken_plugins)
    assert done.stdout == "hello\n"
    assert done.stderr.splitlines()[-1] == "dasflex: too many greetings"
    assert done.returncode == 7


# -- root, install


@pytest.mark.parametrize("old_name", [False, True])
def test_a_root_is_made_and_the_next_steps_name_its_real_paths(tmp_path, old_name, monkeypatch, capsys):
    place = tmp_path / "server"
    if old_name:
        monkeypatch.setattr(sys, "argv", ["dasflex_mkroot", str(place), "Test Server"])
        with pytest.raises(SystemExit) as ended:
            mkroot()
        assert ended.value.code == 0
        shown = capsys.readouterr().out
    else:
        shown = CliRunner().invoke(main, ["root", str(place), "Test Server"], catch_exceptions=False).stdout
    assert read_config(place / "etc" / "dasflex.conf").server_name == "Test Server"
    assert len(Catalog(place).ids()) == 7
    for word in (
        f"serve --config {place}/etc/dasflex.conf",
        str(place / "definitions"),
        "ProxyPass",
        "etc/systemd/*.service",
    ):
        assert word in shown


def test_a_root_without_examples_is_empty(tmp_path):
    CliRunner().invoke(main, ["root", str(tmp_path / "bare"), "Bare", "--no-examples"], catch_exceptions=False)
    assert Catalog(tmp_path / "bare").ids() == ()


def test_a_root_is_not_made_twice(bare):
    done = bare.run("root", str(bare.root), "Again")
    assert done.exit_code == 6
    assert "is there already" in done.stderr


def test_install_makes_definitions_sources_and_tells_what_is_wrong(bare):
    bare.add("good", "")
    (bare.root / "definitions" / "bad.toml").write_text('title = "x"\n', encoding="utf-8")
    done = bare.run("install")
    assert done.exit_code == 1
    assert "bad.toml:1: " in done.stderr
    assert done.stdout == "made good\n1 sources\n"
    (bare.root / "definitions" / "bad.toml").unlink()
    (bare.root / "definitions" / "good" / "source.toml").unlink()
    assert bare.run("install", "--root", str(bare.root)).stdout == "removed good\n0 sources\n"


def test_install_takes_newer_examples_over_and_keeps_the_others(tmp_path):
    CliRunner().invoke(main, ["root", str(tmp_path / "r"), "R"], catch_exceptions=False)
    own = tmp_path / "r" / "definitions" / "Examples" / "Random" / "source.toml"
    own.write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(main, ["install", "--examples", "--root", str(tmp_path / "r")], catch_exceptions=False)
    assert done.exit_code == 0
    kept = re.search(r"The examples that were there are in (.+)", done.stdout)
    assert kept
    assert done.stdout.endswith("7 sources\n")
    assert own.read_text(encoding="utf-8") != "mine"


# -- completion


def completed(roots, words: list[str], incomplete: str) -> list[str]:
    """What the shell offers for a word behind others."""
    shell = ShellComplete(main, {}, "dasflex", "_DASFLEX_COMPLETE")
    with CliRunner(env={"DASFLEX_CONFIG": str(roots.root / "etc" / "dasflex.conf")}).isolation():
        return [item.value for item in shell.get_completions(words, incomplete)]


@pytest.mark.parametrize("verb", ["get", "plan", "check"])
def test_sources_are_completed_case_aside(examples, verb):
    assert completed(examples, [verb], "examples/r") == ["Examples/Random"]


def test_the_parameters_of_the_source_are_completed(examples):
    offered = completed(examples, ["get", "Examples/Params"], "read.")
    assert {"read.sensor=", "read.noise=", "read.time.min="} <= set(offered)
    assert "read.frame=" not in offered
    assert completed(examples, ["get", "Examples/Params"], "format.csv.s") == ["format.csv.style="]


@pytest.mark.parametrize(
    ("before", "incomplete", "offered"),
    [
        ([], "read.frame=", ["read.frame=SIII", "read.frame=JSO", "read.frame=MAG"]),
        ([], "read.frame=J", ["read.frame=JSO"]),
        (["read.frame"], "=", ["SIII", "JSO", "MAG"]),
        (["read.frame", "="], "M", ["MAG"]),
        ([], "format.serial=t", ["format.serial=text"]),
        ([], "format.headers=", ["format.headers=true", "format.headers=false"]),
    ],
)
def test_values_are_completed_also_where_bash_ends_words_at_the_sign(examples, before, incomplete, offered):
    assert completed(examples, ["get", "Examples/Ephemeris", *before], incomplete) == offered


def test_formats_are_completed_by_what_is_installed(examples):
    installed = ["arrow", "cdf", "csv", "das", "json", "jsonl", "netcdf", "parquet", "pdf", "png", "svg", "votable"]
    offered = completed(examples, ["get", "Examples/Random"], "format.type=")
    assert sorted(offered) == [f"format.type={each}" for each in installed]


def test_completion_of_an_unknown_source_and_of_a_broken_root_offers_nothing(examples, tmp_path):
    assert completed(examples, ["get", "Examples/Nothing"], "r") == []
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "dasflex.conf").write_text("broken", encoding="utf-8")
    shell = ShellComplete(main, {}, "dasflex", "_DASFLEX_COMPLETE")
    with CliRunner(env={"DASFLEX_CONFIG": str(tmp_path / "etc" / "dasflex.conf")}).isolation():
        assert shell.get_completions(["get"], "E") == []


def test_completion_makes_no_root(tmp_path):
    shell = ShellComplete(main, {}, "dasflex", "_DASFLEX_COMPLETE")
    with CliRunner(env={"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "DASFLEX_CONFIG": None}).isolation():
        assert shell.get_completions(["get"], "E") == []
    assert list(tmp_path.iterdir()) == []


def test_a_first_command_of_a_new_user_makes_a_root_and_works(tmp_path):
    environment = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "DASFLEX_CONFIG": None}
    done = CliRunner(env=environment).invoke(main, ["find", "random", "between"], catch_exceptions=False)
    assert done.stdout.startswith("Examples/Random")
    assert (tmp_path / "dasflex" / "etc" / "dasflex.conf").is_file()
