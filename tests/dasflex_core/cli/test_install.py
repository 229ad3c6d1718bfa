# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that make sources and catalogs, in processes of their own and under their old names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_core.cli import main, programs
from dasflex_core.roots import make_root, shipped_examples

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = 'title = "{}"\ncontacts = {{ technical = "A <a@example.org>" }}\nreader = {{ command = "cat #[read.time.min] #[read.time.max]", writes = "das/2" }}\nexample = [{{ time = "2020-01-01 to 2020-01-02" }}]\n'
OLD = "description = 'An old one'\nreader = 'cat'\ndas2Stream = 1\ntechContact = 'A <a@example.org>'\nexampleRange_00 = '2020-01-01 to 2020-01-02'\n"


def process(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One of the programs, in a process of its own."""
    called = {"dasflex": "main"}.get(name, name.removeprefix("dasflex_"))
    code = f"import sys; sys.argv[0] = {name!r}; from dasflex_core.cli import verbs; verbs.{called}()"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        timeout=60,
    )


def program(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in this process."""
    called = main if name == "dasflex" else getattr(programs, name.removeprefix("dasflex_"))
    done = CliRunner(env=environment).invoke(called, list(words), catch_exceptions=False, prog_name=name)
    return subprocess.CompletedProcess(list(words), done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def root(tmp_path) -> Path:
    """A root with one source."""
    place = tmp_path / "root"
    make_root(place, "Own", examples=False)
    (place / "definitions" / "one.toml").write_text(SOURCE.format("One"), encoding="utf-8")
    done = program("dasflex", "install", "--root", str(place))
    assert (done.returncode, done.stdout, done.stderr) == (0, "made one\n1 sources\n", "")
    return place


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    """A directory with definitions that are not in the root."""
    folder = tmp_path / "else"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "two.toml").write_text(SOURCE.format("Two"), encoding="utf-8")
    (folder / "old.dsdf").write_text(OLD, encoding="utf-8")
    return folder


def title(root: Path, name: str) -> str:
    return json.loads((root / "public" / name / "flex.json").read_bytes())["title"]


def install(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return program("dasflex", "install", "--root", str(root), *map(str, words))


def test_an_install_after_nothing_changed_says_no_more_than_how_many_there_are(root):
    done = install(root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 sources\n", "")


def test_a_file_from_elsewhere_is_copied_under_its_name_and_under_an_id(root, elsewhere):
    done = process("dasflex", "install", "--root", str(root), str(elsewhere / "deep" / "two.toml"))
    assert (done.returncode, done.stdout) == (0, "made two\n2 sources\n"), done.stderr
    done = install(root, "--id", "Mission/Two", elsewhere / "deep" / "two.toml")
    assert (done.returncode, done.stdout) == (0, "made Mission/Two\n3 sources\n"), done.stderr
    assert (root / "definitions" / "two.toml").read_bytes() == (elsewhere / "deep" / "two.toml").read_bytes()
    assert (root / "definitions" / "Mission" / "Two.toml").is_file()
    assert title(root, "mission/two") == "Two"


def test_a_source_with_a_directory_comes_with_its_reader(root):
    place = shipped_examples() / "Random"
    done = install(root, "--id", "My/Random", place / "source.toml")
    assert (done.returncode, done.stdout) == (0, "made My/Random\n2 sources\n"), done.stderr
    copied = root / "definitions" / "My" / "Random"
    assert (copied / "reader.py").read_bytes() == (place / "reader.py").read_bytes()
    answer = dasflex_core.open(root)["My/Random"]["2017-01-01":"2017-01-02"].read()
    assert len(answer)


def test_a_file_takes_the_place_of_the_definition_that_its_source_has(root, elsewhere):
    done = install(root, "--id", "one", elsewhere / "old.dsdf")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (root / "definitions").iterdir()] == ["one.dsdf"]
    assert title(root, "one") == "An old one"
    assert install(root, "--undo").returncode == 0
    assert [path.name for path in (root / "definitions").iterdir()] == ["one.toml"]
    assert title(root, "one") == "One"
    assert install(root).stdout == "1 sources\n"


def test_a_wrong_file_is_told_and_nothing_is_copied(root, elsewhere):
    wrong = elsewhere / "wrong.toml"
    wrong.write_text("title = 7\n", encoding="utf-8")
    good = elsewhere / "deep" / "two.toml"
    done = install(root, wrong, good)
    assert done.returncode == 1
    assert f"{wrong}:1: title:" in done.stderr
    assert done.stdout == "made two\n2 sources\n"
    assert not (root / "definitions" / "wrong.toml").exists()
    done = install(root, "--id", "one", wrong)
    assert done.returncode == 1
    assert title(root, "one") == "One"


@pytest.mark.parametrize("identifier", ["a/flex", "../up", "a/b.flex", "x" * 64, "index"])
def test_an_id_that_cannot_be_is_told(root, elsewhere, identifier):
    done = install(root, "--id", identifier, elsewhere / "deep" / "two.toml")
    assert done.returncode == 1
    assert str(elsewhere) in done.stderr
    assert done.stdout == "1 sources\n"


def test_an_id_given_must_be_the_one_that_the_file_says(root, elsewhere):
    named = elsewhere / "named.toml"
    named.write_text('id = "Its/Own"\n' + SOURCE.format("Named"), encoding="utf-8")
    done = install(root, "--id", "Another", named)
    assert done.returncode == 1
    assert "its own id is 'Its/Own'" in done.stderr
    assert install(root, named).stdout == "made Its/Own\n2 sources\n"


def test_a_check_tells_and_changes_nothing(root, elsewhere):
    (root / "definitions" / "one.toml").write_text(SOURCE.format("Changed"), encoding="utf-8")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = install(root, "--check")
    assert done.returncode == 0
    assert "would be made one\n" in done.stdout
    assert "files would change\n" in done.stdout
    done = install(root, "--check", elsewhere / "deep" / "two.toml")
    assert "would be made two\n" in done.stdout
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_an_install_that_only_looked_leaves_what_can_be_undone(root):
    definition = root / "definitions" / "one.toml"
    definition.write_text(SOURCE.format("Other"), encoding="utf-8")
    assert install(root).returncode == 0
    os.utime(definition, (1, 1))  # the next install looks into the file, and remembers its new time
    assert install(root).stdout == "1 sources\n"
    assert install(root, "--undo").returncode == 0
    assert title(root, "one") == "One"


@pytest.mark.parametrize("name", ["old", "one"])
def test_what_would_change_by_a_file_from_elsewhere_is_what_changes(root, elsewhere, name):
    def held() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != ".made.json"}

    before = held()
    told = install(root, "--check", "--id", name, elsewhere / "old.dsdf")
    assert (told.returncode, held()) == (0, before)
    done = install(root, "--id", name, elsewhere / "old.dsdf")
    after = {path: data for path, data in held().items() if ".undo" not in str(path)}
    changed = [path for path in {*before, *after} if before.get(path) != after.get(path) and ".undo" not in str(path)]
    count = done.stdout.splitlines()[-1]
    assert told.stdout.splitlines() == [f"would be made {name}", f"{len(changed)} files would change", count]
    assert len(changed) > 5
    assert told.stderr == done.stderr


@pytest.mark.parametrize("place", ["file", "option", "inside"])
def test_an_id_that_differs_only_in_case_from_one_that_is_there_is_refused(root, elsewhere, place):
    other, words = elsewhere / "ONE.dsdf", []
    text = OLD
    if place == "option":
        other, words = elsewhere / "old.dsdf", ["--id", "ONE"]
    if place == "inside":
        other, text = elsewhere / "old.dsdf", f"{OLD}localId = 'One'\n"
    other.write_text(text, encoding="utf-8")
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = install(root, *words, other)
    assert done.returncode == 1
    line = 6 if place == "inside" else 1
    assert f"{other}:{line}: " in done.stderr
    assert f"is that of {root / 'definitions' / 'one.toml'} too, since ids match without regard to case" in done.stderr
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == files


def test_of_two_files_whose_ids_differ_only_in_case_the_first_is_installed(root, elsewhere):
    (elsewhere / "OLD.dsdf").write_text(OLD.replace("An old", "Another"), encoding="utf-8")
    done = install(root, elsewhere / "old.dsdf", elsewhere / "OLD.dsdf")
    assert done.returncode == 1
    assert "made old" in done.stdout
    assert f"{elsewhere / 'OLD.dsdf'}:1: " in done.stderr
    assert not (root / "definitions" / "OLD.dsdf").exists()


def test_a_former_id_is_not_taken_from_the_source_that_had_it(root, elsewhere):
    held = (root / "definitions" / "one.toml").read_text(encoding="utf-8")
    (root / "definitions" / "one.toml").write_text(f'was = ["old"]\n{held}', encoding="utf-8")
    assert install(root).returncode == 0
    done = install(root, elsewhere / "old.dsdf")
    assert done.returncode == 1
    assert "leads to one" in done.stderr
    assert (root / "definitions" / "one.toml").exists()


def test_an_install_is_undone_once(root):
    (root / "definitions" / "one.toml").write_text(SOURCE.format("Changed"), encoding="utf-8")
    assert install(root).stdout == "made one\n1 sources\n"
    assert "files are as they were before" in install(root, "--undo").stdout
    assert title(root, "one") == "One"
    done = install(root, "--undo")
    assert done.returncode == 6
    assert "there is no install to be undone" in done.stderr
    assert install(root).stdout == "made one\n1 sources\n"


def test_source_sets_are_written_elsewhere_and_the_root_stays(root, elsewhere, tmp_path):
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = install(root, "-o", tmp_path / "out", "--id", "M/Two", elsewhere / "deep" / "two.toml")
    assert done.returncode == 0, done.stderr
    made = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"m/two/flex.json", "m/two/das2.d2t", "m/two.json", "m/two.flex.json", "m.json", "root.json"} <= made
    assert install(root, "-o", tmp_path / "all").stdout.startswith("1 source sets in ")
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_usage_that_cannot_be_is_told(root, elsewhere):
    for words in (["--id", "x"], ["--id", "x", str(elsewhere / "old.dsdf"), str(elsewhere / "deep" / "two.toml")]):
        done = install(root, *words)
        assert done.returncode == 2
        assert "--id is that of one FILE" in done.stderr


def test_a_public_address_with_a_port_is_warned_of(root):
    conf = root / "etc" / "dasflex.conf"
    conf.write_text(
        conf.read_text(encoding="utf-8") + 'SERVER_URL = "http://das.example.org:8080/"\n', encoding="utf-8"
    )
    done = install(root)
    assert done.returncode == 0
    assert "refuse addresses with a port" in done.stderr


# -- the catalog


def test_an_update_follows_the_public_address(root):
    conf = root / "etc" / "dasflex.conf"
    conf.write_text(
        conf.read_text(encoding="utf-8") + 'SERVER_URL = "https://das.example.org/das/"\n', encoding="utf-8"
    )
    done = process("dasflex_cupdate", "-d", str(root))
    assert done.returncode == 0, done.stderr
    node = json.loads((root / "public" / "root.json").read_bytes())
    assert node["catalog"]["one"]["urls"] == ["https://das.example.org/das/source/one.json"]
    assert (
        program("dasflex", "catalog", "update", "--root", str(root)).stdout
        == "0 files are other than before\n1 sources\n"
    )
    assert install(root).stdout == "1 sources\n"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Nothing."""


@pytest.fixture
def servers(tmp_path):
    """Two servers whose catalogs overlap: their directories below `public/`, and the address of the first."""
    places = []
    for name, sources in (
        ("a", ("Juno/Waves", "Juno/Fgm", "Lab/X")),
        ("b", ("Juno/Jade", "juno/waves", "Cassini/Mag")),
    ):
        place = tmp_path / name
        make_root(place, name, examples=False)
        conf = place / "etc" / "dasflex.conf"
        conf.write_text(conf.read_text(encoding="utf-8") + f'SERVER_URL = "https://{name}.example.org/das"\n', encoding="utf-8")  # fmt: skip
        for source in sources:
            path = place / "definitions" / f"{source}.toml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(SOURCE.format(f"{source} of {name}"), encoding="utf-8")
        assert install(place).returncode == 0
        places.append(place / "public")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=places[0]))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield places, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["dasflex", "dasflex_sitecat"])
def test_the_catalogs_of_several_servers_become_one_of_static_files(root, servers, tmp_path, name):
    (_first, second), address = servers
    words = ["catalog", "merge", "--root"] if name == "dasflex" else ["-c"]
    done = process(name, *words, str(root), "-o", str(tmp_path / "site"), "--url", "https://site.example.org/cat", f"{address}/", str(second))  # fmt: skip
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    top = json.loads((site / "root.json").read_bytes())
    assert list(top["catalog"]) == ["cassini", "juno", "lab"]
    assert top["catalog"]["juno"]["urls"] == ["https://site.example.org/cat/juno.json"]
    juno = json.loads((site / "juno.json").read_bytes())
    assert list(juno["catalog"]) == ["fgm", "jade", "waves"]
    assert juno["catalog"]["waves"]["urls"] == [
        "https://a.example.org/das/source/juno/waves.json",
        "https://b.example.org/das/source/juno/waves.json",
    ]
    assert {child["type"] for child in juno["catalog"].values()} == {"Collection"}
    flex = json.loads((site / "juno.flex.json").read_bytes())
    assert {child["type"] for child in flex["catalog"].values()} == {"SourceSet"}
    whole = json.loads((site / "catalog.json").read_bytes())
    assert list(whole["catalog"]["juno"]["catalog"]) == ["fgm", "jade", "waves"]
    for path in site.glob("*.json"):
        node = json.loads(path.read_bytes())
        for child in node["catalog"].values():
            assert {"type", "name", "label", "title", "urls"} <= child.keys()


def test_a_server_that_does_not_answer_is_told_and_the_others_are_merged(root, servers, tmp_path):
    (first, _second), _address = servers
    (tmp_path / "no.json").write_text('{"type": "Something"}', encoding="utf-8")
    words = ["catalog", "merge", "--root", str(root), "-o", str(tmp_path / "site"), "--url", "https://s.example.org"]
    done = program("dasflex", *words, str(first), "http://127.0.0.1:9/", str(tmp_path / "no.json"), "ftp://x/y")
    assert done.returncode == 1
    for what in ("http://127.0.0.1:9/: ", "no.json is no catalog", "by http or https only"):
        assert done.stderr.count(what) == 1, done.stderr
    assert list(json.loads((tmp_path / "site" / "root.json").read_bytes())["catalog"]) == ["juno", "lab"]
    done = program("dasflex", "catalog", "merge", "--root", str(root), "-o", str(tmp_path / "s2"), str(first))
    assert done.returncode == 6
    assert "--url" in done.stderr


# -- the old programs


def test_the_old_program_installs_many_definitions_below_a_directory(root, elsewhere):
    done = process("dasflex_sdef", "-i", "-c", str(root / "etc" / "dasflex.conf"), "-d", str(elsewhere), str(elsewhere / "deep" / "two.toml"), str(elsewhere / "old.dsdf"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "made deep/two\nmade old\n3 sources\n"
    assert title(root, "deep/two") == "Two"
    assert program("dasflex_sdef", "-i", DASFLEX_CONFIG=str(root / "etc" / "dasflex.conf")).stdout == "3 sources\n"


def test_the_old_program_writes_source_sets_here_and_leaves_parts_out(root, elsewhere, tmp_path):
    live = elsewhere / "live.toml"
    text = SOURCE.format("Live").replace("reader = {", "reader = [{").replace('"das/2" }', '"das/2" }, { live = true, command = "follow", writes = "das/2" }]')  # fmt: skip
    live.write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    done = program("dasflex_sdef", "-c", str(root), "-o", str(out), "-l", "A/Live", str(live))
    assert done.returncode == 0, done.stderr
    assert (out / "a" / "live" / "flexrt.json").is_file()
    shutil.rmtree(out)
    done = program("dasflex_sdef", "-c", str(root), "-n", "-W", "-H", "-o", str(out), "-l", "A/Live", str(live))
    assert done.returncode == 0, done.stderr
    made = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert made == {"a/live.json", "a/live.flex.json", "a/live/flex.json", "a/live/das2.d2t"}


def test_the_old_program_tells_what_cannot_be(root, elsewhere):
    conf = str(root)
    for words, told in (
        (["-c", conf], "name definitions"),
        (["-c", conf, "-l", "x"], "-l is the id of one FILE"),
        (["-c", conf, "-i", "-o", "x", str(elsewhere / "old.dsdf")], "give one of them"),
    ):
        done = program("dasflex_sdef", *words)
        assert done.returncode == 2
        assert told in done.stderr
