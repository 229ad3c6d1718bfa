# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex check` finds what is wrong with definitions, with file and line, and what their examples do not keep."""

from __future__ import annotations

import tomllib
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from dasflex_core.cli import checking

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
title = "Levels"

[contacts]
technical = "Somebody <somebody@example.org>"

[reader]
command = "#[python] reader.py #[read.time.min] #[read.time.max]"
writes  = "das/2/text"

[data.level]
units = "V"

[[example]]
title = "A day"
time  = "2020-01-01 to 2020-01-02"
"""
READER = "headers(); records(10)"


@pytest.fixture
def folder(tmp_path, bare) -> Path:
    """A directory with a definition that is not installed, and its reader."""
    bare.add("unrelated", READER)
    place = tmp_path / "Levels"
    place.mkdir()
    source = bare.root / "definitions" / "unrelated" / "reader.py"
    (place / "reader.py").write_bytes(source.read_bytes())
    (place / "source.toml").write_text(GOOD, encoding="utf-8")
    return place


def change(folder: Path, old: str, new: str) -> Path:
    """The definition with a part replaced."""
    file = folder / "source.toml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new), encoding="utf-8")
    return file


def test_a_definition_that_keeps_its_word_passes(bare, folder, monkeypatch):
    monkeypatch.chdir(folder)
    done = bare.run("check", "source.toml")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert done.stderr == "1 file, 0 errors, 0 warnings\n"


def test_a_directory_and_an_installed_source_may_be_named(bare, folder):
    assert bare.run("check", str(folder)).exit_code == 0
    assert bare.run("check", "unrelated").exit_code == 0
    assert bare.run("check", "nothing").exit_code == 3


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ('title = "Levels"', 'titel = "Levels"', 2, "Did you mean title"),
        ("#[read.time.max]", "#[read.tiem]", 8, "read.tiem"),
        ("2020-01-01 to 2020-01-02", "2020-01-02 to 2020-01-01", 16, "time"),
        ("das/2/text", "dsa/2", 9, "dsa/2"),
        ('title = "A day"\n', 'title = "A day"\ndft.length = 64\n', 14, "dft.length"),
        ('title = "A day"\n', 'title = "A day"\nformat.type = "xls"\n', 14, "xls"),
        ("[[example]]", "[default]\ndft.length = 800\n\n[[example]]", 14, "dft.length"),
        ("[[example]]", '[[hapi]]\nid = "60s"\ndft.length = 64\n\n[[example]]', 14, "dft.length"),
        ("[[example]]", '[[cache.level]]\nblock = "day"\ndft.length = 64\n\n[[example]]', 14, "dft.length"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(bare, folder, old, new, line, text):
    file = change(folder, old, new)
    done = bare.run("check", "--no-run", str(file))
    assert done.exit_code == 1
    [told] = [each for each in done.stdout.splitlines() if each.startswith(f"{file}:{line}: ")]
    assert text in told


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        ("sys.stderr.write('no disk'); sys.exit(2)", "It said: no disk"),
        ("sys.exit(1)", "before any output. It said nothing on standard error.\n"),
        ("print('hello')", "the example fails"),
        ("headers()", "gives no data"),
        ("pass", "gives no data"),
    ],
)
def test_an_example_that_fails_is_found_by_running_it(bare, folder, reader, text):
    script = folder / "reader.py"
    script.write_text(script.read_text(encoding="utf-8").replace(READER, reader), encoding="utf-8")
    done = bare.run("check", str(folder))
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{folder / 'source.toml'}:14: example[0]: ")
    assert text in done.stdout
    assert bare.run("check", "--no-run", str(folder)).exit_code == 0


def test_an_example_that_does_not_end_is_stopped(bare, folder, monkeypatch):
    monkeypatch.setattr(checking, "LONGEST", 1.0)
    script = folder / "reader.py"
    text = script.read_text(encoding="utf-8").replace(READER, "headers(); records(10); time.sleep(600)")
    script.write_text(text, encoding="utf-8")
    assert bare.run("check", str(folder)).exit_code == 0
    script.write_text(text.replace("records(10); ", ""), encoding="utf-8")
    done = bare.run("check", str(folder))
    assert done.exit_code == 1
    assert "gives no data within 1 s" in done.stdout


def test_a_live_example_is_looked_at_while_it_gives_data_and_not_for_ever(bare, folder, monkeypatch):
    monkeypatch.setattr(checking, "LONGEST", 600.0)  # longer than this test may take
    script = folder / "reader.py"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace(READER, "headers()\nwhile True: records(1); time.sleep(0.05)"), encoding="utf-8")
    live = GOOD.replace("2020-01-02", "forever").replace("writes", "live = true\nwrites")
    (folder / "source.toml").write_text(live, encoding="utf-8")
    done = bare.run("check", str(folder))
    assert (done.exit_code, done.stdout) == (0, "")


def test_a_stream_that_nothing_decodes_is_run_as_it_comes(bare, folder):
    change(folder, "das/2/text", "csv")
    script = folder / "reader.py"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace(READER, "print('time,level')"), encoding="utf-8")
    assert bare.run("check", str(folder)).exit_code == 0
    script.write_text(text.replace(READER, "pass"), encoding="utf-8")
    assert "gives no data" in bare.run("check", str(folder)).stdout


def test_a_large_example_is_looked_at_in_part(bare, folder, monkeypatch):
    monkeypatch.setattr(checking, "MOST", 1000)
    script = folder / "reader.py"
    text = script.read_text(encoding="utf-8").replace(READER, "headers()\nwhile True: records(1000)")
    script.write_text(text, encoding="utf-8")
    assert bare.run("check", str(folder)).exit_code == 0


def test_what_the_stream_does_not_keep_is_a_warning(bare, folder):
    file = change(folder, 'units = "V"', 'units = "nT"')
    done = bare.run("check", str(file))
    assert done.exit_code == 0
    assert done.stdout == f"{file}:11: data.level: warning: the stream has the units 'V', not 'nT'\n"
    file = change(folder, 'units = "V"', 'axes = ["tiem"]')
    done = bare.run("check", str(file))
    assert done.stdout == f"{file}:11: data.level: warning: the stream has level over time, and not over tiem\n"
    file = change(folder, "[data.level]", "[data.height]")
    done = bare.run("check", str(file))
    assert "warning: the stream has no height; it has level" in done.stdout


def test_a_trait_that_the_stream_does_not_have_is_wrong(bare, folder):
    offset = '[coords.offset]\nof = "time"\nunits = "s"\nsize = 10\n\n[data.level]'
    done = bare.run("check", str(change(folder, "[data.level]", offset)))
    assert done.exit_code == 1
    assert "waveform" in done.stdout


def test_a_tie_that_only_a_name_settles_is_a_warning_until_one_is_preferred(bare, folder):
    filters = '[[stage]]\ncommand = "/bin/cat #[bin.time.max]"\n\n[[stage]]\ncommand = "/bin/tac #[bin.time.max]"\n\n'
    asked = 'title = "A day"\nbin.time.max = 60\n'
    file = folder / "source.toml"
    text = GOOD.replace("[[example]]", filters + "[[example]]").replace('title = "A day"\n', asked)
    file.write_text(text + '\n[stages]\nnever = ["bin-average"]\n', encoding="utf-8")
    done = bare.run("check", "--no-run", str(file))
    assert done.exit_code == 0
    assert "warning: " in done.stdout
    assert "cost the same" in done.stdout
    file.write_text(text + '\n[stages]\nnever = ["bin-average"]\nprefer = ["tac"]\n', encoding="utf-8")
    assert bare.run("check", "--no-run", str(file)).stdout == ""


def test_without_arguments_all_definitions_are_checked_those_of_directories_too(bare):
    bare.add("one", READER)
    (bare.root / "definitions" / "_dirinfo_.toml").write_text('titel = "x"\n', encoding="utf-8")
    (bare.root / "definitions" / "two.toml").write_text("nonsense", encoding="utf-8")
    done = bare.run("check")
    assert done.exit_code == 1
    assert "_dirinfo_.toml:1: " in done.stdout
    assert "two.toml:1: " in done.stdout
    assert "3 files" in done.stderr


def test_a_view_of_another_checked_definition_has_its_plan(bare, folder):
    (folder.parent / "View").mkdir()
    view = folder.parent / "View" / "source.toml"
    view.write_text(
        dedent("""
        title = "The same"
        reader = { source = "Levels" }
        example = [{ time = "2020-01-01 to 2020-01-02" }]
        """),
        encoding="utf-8",
    )
    assert bare.run("check", str(folder), str(view)).exit_code == 0
    assert bare.run("check", str(view)).exit_code == 1


def test_the_shipped_examples_pass(examples):
    done = examples.run("check")
    assert done.stdout.splitlines() == []


def test_learn_prints_tables_that_may_stand_in_the_definition(bare, folder):
    done = bare.run("check", "--learn", str(folder))
    assert done.exit_code == 0
    learned = tomllib.loads(done.stdout)
    assert learned["data"]["level"] == {"axes": ["time"], "units": "V"}
    assert "time" in learned["coords"]
    change(folder, '[data.level]\nunits = "V"\n', done.stdout)
    assert bare.run("check", str(folder)).exit_code == 0


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("bin.time.max = 7", "Cache level 2: bins of 7 s do not fit into blocks of a day; the width must divide a day"),
        ('bin.time.max = "wide"', "bin.time.max='wide' is not a number (of s)"),
        ("read.frequency.max = 7", "read.frequency.max cannot be used here"),
    ],
)
def test_a_cache_level_that_cannot_be_is_told_at_its_place(bare, folder, level, told):
    text = f'{GOOD}\n[[cache.level]]\nblock = "day"\nbin.time.max = 60\n\n[[cache.level]]\nblock = "day"\n{level}\n'
    file = folder / "source.toml"
    file.write_text(text, encoding="utf-8")
    done = bare.run("check", "--no-run", str(file))
    assert done.exit_code == 1
    (line,) = [each for each in done.output.splitlines() if each.startswith(str(file))]
    assert told in line
    number = text[: text.rindex("[[cache.level]]")].count("\n") + 1
    assert int(line.removeprefix(f"{file}:").partition(":")[0]) in range(number, number + 3)


def test_a_cache_level_of_which_nothing_can_be_kept_is_worth_a_look(bare, folder):
    file = folder / "source.toml"
    level = '\n[[cache.level]]\nblock = "day"\nbin.time.max = 60\nbin.stats = "mean,median"\n'
    file.write_text(f"{GOOD}{level}", encoding="utf-8")
    done = bare.run("check", "--no-run", str(file))
    assert done.exit_code == 0
    assert "warning: nothing can be kept of this level: medians are never kept" in done.output


def test_a_level_whose_bins_go_through_a_program_is_kept_nowhere(bare, folder):
    smooth = '\n[[stage]]\ncommand = "cat #[bin.smooth]"\naccepts = "das/3/binary"\nwrites = "das/2/binary"\n'
    level = '\n[[cache.level]]\nblock = "day"\nbin.time.max = 60\nbin.smooth = "3"\n'
    file = folder / "source.toml"
    file.write_text(f"{GOOD}{smooth}{level}", encoding="utf-8")
    done = bare.run("check", "--no-run", str(file))
    assert "warning: nothing can be kept of this level: cat is a program behind the bins" in done.output
