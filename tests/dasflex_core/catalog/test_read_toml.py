# SPDX-License-Identifier: GPL-3.0-or-later
"""A definition file becomes a value, or a list of all that is wrong with it, each with its line."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest

from dasflex_core.catalog.documents import Document
from dasflex_core.catalog.model import (
    Access,
    Cache,
    CacheLevel,
    Cite,
    Contacts,
    Coord,
    DataItem,
    Example,
    ExternalStage,
    HapiSet,
    Interval,
    Live,
    Option,
    PluginTable,
    Rate,
    Reader,
    SourceLimits,
    Span,
)
from dasflex_core.catalog.read_toml import examine, id_of, problems, read_definition, read_text
from dasflex_core.errors import ConfigError


def faults(text, **given):
    """The error of a text, as its kind and its lines."""
    with pytest.raises(ConfigError) as caught:
        read_text(text, **{"id": "a/b", "file": "source.toml", **given})
    return caught.value.kind, caught.value.message.splitlines()


def test_every_key_of_the_format_reaches_the_model(full):
    made = read_text(full, file="/srv/full.toml", directory="/srv")
    command = (
        "read #[read.time.min] #[read.time.max] #[read.antenna # -a @ #] #[read.gain # -g @ #] #[read.noise # -n #]"
    )
    follow = "follow #[read.antenna] #[read.time.inter # @ #] #[read.frequency.min # @ #] #[read.since # @ #]"
    assert (made.id, made.label, made.title, made.summary) == (
        "Lab/Full",
        "Full",
        "Every key of the format",
        "One of each.",
    )
    assert (made.was, made.moved, made.listed) == (("Lab/Old", "Lab/Older"), "https://example.org/das", False)
    assert made.contacts == Contacts("A <a@example.org>", "B <b@example.org>")
    assert made.cite == Cite("10.5555/abc", "spase://CNES/NumericalData/X", "CC0-1.0", "A and B, 2020")
    assert made.readers == (
        Reader(
            "archive",
            command=command,
            writes="das/2/text",
            exact=False,
            changed="#[env.DATA # @ # data]/*.dat",
            rate=Rate(10.0, 4000),
            directory="/srv/bin",
            set_env=(("TZ", "UTC"), ("DATA", "#[env.DATA # @ #]"), ("EMPTY", "")),
            pass_env=("HOME", "LANG"),
        ),
        Reader("reader-2", command=follow, writes="das/2", live=True),
    )
    assert made.stages == (
        ExternalStage("average", "/usr/bin/average.sh #[bin.time.max]", "das/2/text", "das/2/text"),
        ExternalStage("plot", "#[python] plot.py #[view.points # @ #]", "das/2", "png"),
    )
    assert (made.prefer, made.never) == (("fast",), ("bin", "psd"))
    assert made.options == {
        "antenna": Option("Antenna", "string", (("Eu", "Monopole u"), ("Ev", "Monopole v")), "Eu"),
        "gain": Option("Gain", "real", (), "3", "dB", Span("-10", "20")),
        "noise": Option("", "boolean", (), "false"),
        "since": Option("", "time", (), "2020-06", "", Span("2020-01-01", "2021-01-01")),
    }
    assert made.coords == {
        "time": Coord("t", "Time", range=Span("2015-09-01", "now"), cadence=0.0625, interval=Interval(600.0, 0.1)),
        "frequency": Coord(
            units="Hz",
            scale="log",
            size=512,
            range=Span("10 Hz", "40 kHz"),
            valid=(10.0, 4e4),
            tags=("10", "20.5", "x"),
        ),
        "phase": Coord(of="time", period=360.0),
    }
    assert made.data == {
        "psd": DataItem("E", "Spectral density", ("time", "frequency"), "", "log", fill="-1e31"),
        "temp": DataItem(valid=(-90.0, 90.0), warn=(-20.0, 50.5), period=24.0, default=False, source="T_1"),
    }
    assert made.defaults == (("bin.stats", "min,max"), ("dft.length", "800"))
    assert made.examples == (
        Example("Now", (("read.time.min", "now-PT10M"), ("read.time.max", "forever"), ("read.antenna", "Ev"))),
        Example(
            "",
            (
                ("read.time.min", "2016-10-15T00:00:00"),
                ("read.time.max", "2016-10-16T00:00:00"),
                ("read.noise", "true"),
                ("bin.time.max", "0.25"),
            ),
        ),
    )
    assert made.access == Access("Lab", ("group:lab", "user:joe", "age:1y6m", "bin:60s"))
    assert made.cache == Cache(172800.0, fill=True, levels=(CacheLevel("day", (("bin.time.max", "60"),)),))
    assert made.live == Live(True, 30.0, 600.0, 64_000_000, "disconnect", 100)
    assert made.hapi == (
        HapiSet("60s", "", (("bin.time.max", "60"),)),
        HapiSet("600s", "Ten minutes", (("bin.time.max", "600"),)),
    )
    assert made.limits == SourceLimits(300.0, 3600.0, 2 << 30, 4)
    assert (made.file, made.directory) == ("/srv/full.toml", "/srv")
    assert made.range == Span("2015-09-01", "now")
    assert made.viewed == ""
    assert hash(made) == hash(read_text(full, file="/srv/full.toml", directory="/srv"))


def test_what_a_definition_leaves_out_has_a_plain_meaning(least):
    made = read_text(least, id="Examples/Random")
    assert (made.id, made.listed, made.options, made.hapi) == ("Examples/Random", True, {}, ())
    assert made.readers[0].name == "reader"
    assert made.readers[0].kind == "command"
    assert made.readers[0].exact
    assert made.data == {}
    assert made.range is None


BAD, UNKNOWN, MISSING = "config.bad-value", "config.unknown-key", "config.missing"
TITLE = 'title   = "Every key of the format"\n'


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("live = 5", "source.toml:5: live: must be a table, [live]"),
        ("live = [5]", "source.toml:5: live: must be a table, [live]"),
        ("coords = 5", "source.toml:5: coords: must be tables, [coords.NAME]"),
        ("hapi = [{ id = 'x' }, 5]", "source.toml:5: hapi[1]: must be a table, [hapi]"),
        ("default = []", "source.toml:5: default: must be a table, [default]"),
    ],
)
def test_what_should_be_a_table_must_be_one(least, written, message):
    assert faults(f"{least}{written}\n") == (BAD, [message])


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_file(full):
    text = full.replace("listed  = false", "listed = 0").replace('"62.5 ms"', '"soon"').replace('id = "60s"', "ids = 1")
    _, lines = faults(text.replace(TITLE, ""), directory="/srv")
    assert [line.split(": ")[1] for line in lines] == ["title", "listed", "coords.time.cadence", "hapi[0].ids"]


def test_needed_are_a_title_a_contact_a_reader_and_an_example():
    found, lines = faults("label = 'x'\n")
    assert found == MISSING
    assert [line.split(": ")[1] for line in lines] == ["title", "reader", "example", "contacts.technical"]
    _, lines = faults("title = 'x'\ncontacts.technical = 'x'\nreader = []\nexample = []\n")
    assert [line.split(":")[1] for line in lines] == ["3", "4"]
    assert all("must not be empty" in line for line in lines)


def test_a_view_leaves_its_contact_to_what_it_shows():
    made = read_text("title = 'V'\nreader.source = 'a/b'\nexample.time = '2020 to 2021'\n", id="view")
    assert (made.viewed, made.readers[0].kind, made.contacts.technical) == ("a/b", "source", "")


def test_one_reader_and_the_first_of_several_are_the_same():
    one = "title = 'x'\ncontacts.technical = 'x'\nexample.time = '2020 to 2021'\n[reader]\ncommand = 'a'\nwrites = 'das/2'"
    assert read_text(one, id="x") == read_text(one.replace("[reader]", "[[reader]]"), id="x")
    for text in (one, one.replace("[reader]", "[[reader]]")):
        _, lines = faults(text.replace("'a'", "'a #[read.x]'"))
        assert [line.split(":")[1] for line in lines] == ["5"]


def test_an_option_of_files_needs_no_command():
    text = "title = 'x'\ncontacts.technical = 'x'\nexample.time = '2020 to 2021'\n[options.version]\nvalues = [1, 2]\n"
    made = read_text(text + "[reader]\nfiles = '/data/$Y/x_v$(v,sep).cdf'\ntime = 'Epoch'\n", id="x")
    assert made.readers[0].kind == "files"
    assert made.options["version"] == Option(type="integer", values=(("1", ""), ("2", "")))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("default = [1, 2]", Option(type="list", default="1,2")),
        ("values = { a = 'A', b = 'B' }\ntype = 'list'\ndefault = 'a,b'", Option("", "list", (("a", "A"), ("b", "B")), "a,b")),
        ("default = 1000.0", Option(type="real", default="1000")),
        ("default = 1e-17", Option(type="real", default="1e-17")),
        ("range = '1 to 2'", Option(type="real", range=Span("1", "2"))),
        ("type = 'duration'\nrange = '1 s to 10 min'\ndefault = '60 s'", Option(type="duration", default="60 s", range=Span("1 s", "10 min"))),
        ("title = 'Any text'", Option("Any text")),
        ("type = 'integer'\nrange = '6 to 65'\ndefault = 32", Option(type="integer", default="32", range=Span("6", "65"))),
    ],
)  # fmt: skip
def test_the_type_of_an_option_follows_from_what_it_may_be(least, table, expected):
    text = least.replace("#[read.time.max]", "#[read.time.max] #[read.o # @ #]")
    assert read_text(f"{text}[options.o]\n{table}\n", id="x").options["o"] == expected


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("type = 'real'\ndefault = [1]", "must not be a list: the option is of type 'real'"),
        ("type = 'integer'\ndefault = 1.5", "is '1.5', which is no value of type 'integer'"),
        ("type = 'boolean'\ndefault = 'yes'", "must be true or false: the option is of type 'boolean'"),
        ("values = ['a', 'b']\ntype = 'list'\ndefault = 'a,c'", "is 'c', which is none of the option's values. They are a, b."),
        ("values = 5", 'must be a table, { E = "Electric", B = "Magnetic" }, or a list, not 5'),
        ("default = 2020-01-01", "must be text, a number, true or false, not 2020-01-01; write times in quotes"),
        ("type = 'real'\nrange = '5 to 5'", "the range '5 to 5' is empty"),
    ],
)  # fmt: skip
def test_an_option_that_contradicts_itself_is_refused(least, table, message):
    text = least.replace("#[read.time.max]", "#[read.time.max] #[read.o # @ #]")
    _, lines = faults(f"{text}[options.o]\n{table}\n")
    assert len(lines) == 1
    assert message in lines[0]


def test_the_tables_of_plugins_are_theirs(least, plugin_words):
    text = least + "cdf = [{ epoch = 'E', bin.time.max = 60 }, {}]\nmovie = { frames = [1, 2] }\n"
    made = read_text(text, id="x", vocabulary=plugin_words)
    assert made.tables == (
        PluginTable("cdf", '{"epoch": "E"}', (("bin.time.max", "60"),)),
        PluginTable("cdf"),
        PluginTable("movie", '{"frames": [1, 2]}'),
    )
    assert faults(text)[0] == UNKNOWN


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("cdf = { epochs = 'E' }", "cdf.epochs: there is no key 'epochs'. Did you mean epoch?"),
        ("cdf = { bim.time.max = 60 }", "cdf.bim: there is no key 'bim'. Did you mean bin"),
        ("cdf = 5", "cdf: must be a table, [cdf]"),
        ("movie = { bin.time.max = 60 }", "movie.bin: there is no key 'bin'."),
        ("movie = [{ frames = 1 }]", "movie: must be one table, [movie]"),
        ("movie = { frames = 2020-01-01 }", "movie: holds a time or a number that JSON has no word for"),
        ("movei = {}", "movei: there is no key 'movei'. Did you mean movie"),
    ],
)
def test_the_tables_of_plugins_are_checked_by_what_they_declare(least, plugin_words, written, message):
    _, lines = faults(f"{least}{written}\n", vocabulary=plugin_words)
    assert len(lines) == 1
    assert lines[0].startswith(f"source.toml:5: {message}")


def test_what_is_no_toml_is_told_with_its_line(least):
    assert faults(least + "title = = 5\n")[1][0].startswith("source.toml:5: this is no TOML: ")
    assert faults(least + "[open\n")[1][0].startswith("source.toml:5: this is no TOML: ")
    assert faults(least + 'x = """')[1][0].startswith("source.toml:5: this is no TOML: ")
    assert faults(least + "x = " + "9" * 5000)[0] == "config.unreadable"
    assert faults(least + "x = " + "[" * 100_000)[0] == "config.unreadable"


def test_lines_are_right_whatever_the_ends_of_lines(least):
    text = least.replace("\n", "\r\n") + "[live]\r\nslo = 1\r\n"
    assert faults("\ufeff" + text)[1][0].startswith("source.toml:6: live.slo: ")


@pytest.mark.parametrize("place", range(7))
def test_the_published_definitions_load(published, contact, place):
    assert len(published) == 8
    made = read_text(published[place], id="Published/Source", inherited=contact)
    assert made.title
    assert made.examples[0].request[0][0] == "read.time.min"


def test_the_published_definitions_mean_what_they_say(published, contact):
    waveform, live, ephemeris, cached, files, _, view, _ = (
        read_text(text, id="x", inherited=contact) if "[inherit" not in text else None for text in published
    )
    assert waveform.coords["offset"].of == "time"
    assert waveform.data["waveform"].units == ""
    assert waveform.hapi == (HapiSet(),)
    assert [(reader.name, reader.live) for reader in live.readers] == [("archive", False), ("live", True)]
    assert live.coords["time"].range == Span("2026-01-15", "forever")
    assert live.live == Live(single=True, linger=30.0, catch_up=600.0, slow="drop")
    assert ephemeris.coords["time"].interval == Interval(600.0, 0.1)
    assert ephemeris.hapi[1].request == (("read.time.inter", "60"), ("read.frame", "JSO"))
    assert [level.block for level in cached.cache.levels] == ["day", "month", "day"]
    assert cached.access.allow == ("group:juno", "age:1y6m", "bin:60s")
    assert cached.options["spikes"] == Option("Keep the spikes of pre-amplifier switching", "boolean", (), "true")
    assert files.data["flag"] == DataItem(title="Data quality", default=False, source="mms1_fgm_flag_srvy_l2")
    assert files.readers[0].kind == "files"
    assert view.viewed == "Examples/Waveform"
    assert view.defaults == (("dft.length", "800"), ("dft.slide", "2"))


JUNK = [
    None,
    5,
    -1,
    10**400,
    2.5,
    float("nan"),
    True,
    "",
    "x",
    "1 to 2",
    [],
    [[]],
    ["x", 1],
    {},
    {"x": {}},
    date(2020, 1, 1),
]


def junked(tables, junk):
    """Each way to put the junk in the place of one key or item; None stands for leaving it out."""
    items = list(tables.items() if isinstance(tables, dict) else enumerate(tables))
    for name, held in items:
        rest = [(key, value) for key, value in items if key != name] if junk is None else [*items, (name, junk)]
        yield dict(rest) if isinstance(tables, dict) else [value for key, value in dict(rest).items()]
        if isinstance(held, dict | list):
            for inner in junked(held, junk):
                changed = {**dict(items), name: inner}
                yield changed if isinstance(tables, dict) else list(changed.values())


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: f"{junk!r:.20}")
def test_whatever_stands_in_the_place_of_a_value_is_accepted_or_found(full, junk):
    """Nothing raises, and what is found names the file and a key."""
    count = 0
    for tables in junked(tomllib.loads(full), junk):
        reading = examine(Document("x.toml", tables), id="x", directory="/srv")
        assert (reading.definition is None) == bool(reading.findings)
        assert all(finding.place.file == "x.toml" and finding.place.key for finding in reading.findings)
        count += 1
    assert count > 150


# -- files


def test_a_definition_on_disk_gets_its_id_from_its_path(tmp_path, least):
    source = tmp_path / "Lab" / "Mag" / "source.toml"
    source.parent.mkdir(parents=True)
    source.write_text(least)
    made = read_definition(source, root=tmp_path)
    assert (made.id, made.file, made.directory) == ("Lab/Mag", str(source), str(source.parent))
    assert id_of(tmp_path / "Lab" / "Wave.v2.toml", tmp_path) == "Lab/Wave.v2"
    assert id_of(tmp_path / "source.toml", tmp_path) == ""


def test_a_file_outside_of_the_root_has_no_id(tmp_path, least):
    (tmp_path / "x.toml").write_text(least)
    with pytest.raises(ConfigError, match="is not below"):
        read_definition(tmp_path / "x.toml", root=tmp_path / "definitions")


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file") as caught:
        read_definition(tmp_path / "x.toml", root=tmp_path)
    assert caught.value.kind == "config.unreadable"
    (tmp_path / "x.toml").write_bytes(b"title = 'x'\nlabel = '\xff'\n")
    with pytest.raises(ConfigError, match=r"x\.toml:2: this is not UTF-8"):
        read_definition(tmp_path / "x.toml", root=tmp_path)
    (tmp_path / "x.toml").write_bytes(b"#" * (5 << 20))
    with pytest.raises(ConfigError, match="too long for a definition"):
        read_definition(tmp_path / "x.toml", root=tmp_path)


def test_problems_are_findings_for_a_check(tmp_path, least):
    (tmp_path / "_dirinfo_.toml").write_text("title = 'All'\n[inherit.contacts]\ntechnical = 'A'\n")
    file = tmp_path / "Mag" / "source.toml"
    file.parent.mkdir()
    file.write_text("\n".join(line for line in least.splitlines() if not line.startswith("contacts")))
    assert problems(file) == ()
    file.write_text(least.replace("title ", "titel "))
    found = problems(file)
    assert [(each.kind, each.place.line, each.place.key) for each in found] == [
        (UNKNOWN, 1, "titel"),
        (MISSING, 1, "title"),
    ]
    assert str(found[0]) == f"{file}:1: titel: there is no key 'titel'. Did you mean title or cite?"


def test_problems_of_a_directory_are_found(tmp_path, published):
    file = tmp_path / "_dirinfo_.toml"
    file.write_text(published[7])
    assert problems(file) == ()
    file.write_text("titel = 'x'\n[inherit]\ntitle = 'x'\n[inherit.access]\nalow = []\n[inherit.cite]\ndoi = 5\n")
    assert [(each.place.line, each.place.key) for each in problems(file)] == [
        (1, "titel"),
        (3, "inherit.title"),
        (5, "inherit.access.alow"),
        (7, "inherit.cite.doi"),
    ]
