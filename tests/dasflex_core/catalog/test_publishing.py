# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published of sources is what clients can read, is all that they can ask, and says nothing of how data are made."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.parsers import expat

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.catalog.model import Contacts, Coord, DataItem, Definition, Example, Option, Reader, Span
from dasflex_core.catalog.publishing import das2_header, flex_json, publisher
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.config import read_config
from dasflex_core.plan.offering import Offer, Offers, offered
from dasflex_core.registry import Registry, discover
from dasflex_core.roots import ensure_user_root, make_root
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import StreamType

if TYPE_CHECKING:
    from pathlib import Path

READER = "reader --secret=#[read.word # @ #] /somewhere/private #[read.time.min] #[read.time.max]"
SOURCE = 'title = "{title}"\ncontacts = {{ technical = "A <a@example.org>" }}\nreader = {{ command = "cat #[read.time.min] #[read.time.max]", writes = "das/2" }}\nexample = [{{ time = "2020-01-01 to 2020-01-02" }}]\n{more}'
TEXTS = st.text(min_size=1, max_size=60)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return discover()


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    """A root with the examples, to which nothing is added."""
    place = tmp_path_factory.mktemp("published") / "root"
    make_root(place, "Test Server")
    return place


@pytest.fixture(scope="session")
def config(root):
    return read_config(root / "etc" / "dasflex.conf")


@pytest.fixture
def schema(test_data):
    """Gives what a JSON schema of the catalog's nodes finds wrong with a node."""
    folder = test_data.parent / "reference" / "catalog-examples" / "schema"
    if not folder.is_dir():
        pytest.skip("no schemas of catalog nodes beside the real mission data")

    def faults(name: str, node: object) -> list[str]:
        validator = jsonschema.Draft202012Validator(json.loads((folder / name).read_text(encoding="utf-8")))
        return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(node)]

    return faults


@pytest.fixture
def own(tmp_path, registry):
    """A root of one's own without sources: `add` writes a definition, `install` compiles and publishes."""

    class Own:
        root = tmp_path / "own"
        config = make_root(tmp_path / "own", "Own", examples=False)

        def add(self, name: str, title: str = "Something", more: str = "") -> None:
            path = self.root / "definitions" / f"{name}.toml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(SOURCE.format(title=title, more=more), encoding="utf-8")

        def install(self):
            return compile_tree(self.root, publish=publisher(self.config, registry))

        def public(self) -> list[str]:
            base = self.root / "public"
            return sorted(path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file())

        def node(self, name: str):
            return json.loads((self.root / "public" / name).read_text(encoding="utf-8"))

    return Own()


def sample(**changes) -> Definition:
    """A definition with something of everything that is published."""
    made = Definition(
        id="Some/Source",
        title="A title",
        readers=(Reader("reader", command=READER, writes="das/2"),),
        options={"word": Option("A word", values=(("a", "First"), ("b", "Second")), default="a")},
        coords={"time": Coord(range=Span("2020-01-01", "2021-01-01"))},
        data={"level": DataItem(title="Level", units="V")},
        examples=(
            Example("A day", (("read.time.min", "2020-01-01"), ("read.time.max", "2020-01-02"), ("read.word", "b"))),
        ),
        contacts=Contacts("Ann Bee <ann@example.org>, Carl <carl@example.org>", "Dora"),
    )
    return replace(made, **changes)


def header_of(definition: Definition, registry: Registry) -> bytes:
    return das2_header(definition, offered(definition, registry, lambda _name: definition))


def properties(packet: bytes) -> dict[str, str]:
    """The properties of a das2 header, checked as the clients read it."""
    assert packet[:4] == b"[00]"
    assert re.fullmatch(rb"\d{6}", packet[4:10])
    assert int(packet[4:10]) == len(packet) - 10
    packet.decode("ascii")
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()  # the prefixes of das2 are no name spaces
    parser.StartElementHandler = lambda name, attributes: found.append((name, attributes))
    parser.Parse(packet[10:], True)
    (first, facts), (second, held) = found
    assert (first, facts, second) == ("stream", {"version": "2.2"}, "properties")
    assert all(name.startswith("String:") for name in held)
    return {name.removeprefix("String:"): text for name, text in held.items()}


# -- the das2 definition


def test_the_das2_definition_has_the_public_keys(registry):
    keys = properties(header_of(sample(summary="More of it", label="Short"), registry))
    assert keys == {
        "description": "A title",
        "label": "Short",
        "techContact": "Ann Bee <ann@example.org>, Carl <carl@example.org>",
        "sciContact": "Dora",
        "validRange": "2020-01-01 to 2021-01-01",
        "exampleRange_00": "2020-01-01 to 2020-01-02 | A day",
        "exampleParams_00": "word=b",
        "param_00": "word | A word | word=@ | option: a b",
        "data_00": "level | Level | V",
        "coord_00": "time | time",
        "summary": "More of it",
    }


def test_a_model_says_that_it_needs_an_interval_and_lists_its_items(root):
    keys = properties((root / "public" / "examples" / "ephemeris" / "das2.d2t").read_bytes())
    assert keys["requiresInterval"] == "1"
    assert keys["item_00"] == "radius | Distance from the centre | RJ"
    assert keys["exampleInterval_00"] == "60"
    assert "data_00" not in keys


def test_an_open_range_ends_now_for_das2_clients(registry):
    coords = {"time": Coord(range=Span("2020-01-01", "now"))}
    assert properties(header_of(sample(coords=coords), registry))["validRange"] == "2020-01-01 to NOW"


def test_das2_clients_are_told_of_no_example_that_follows_the_present(root):
    keys = properties((root / "public" / "examples" / "live" / "das2.d2t").read_bytes())
    assert keys["realTime"] == "1"
    assert [text for name, text in keys.items() if name.startswith("exampleRange")] == [
        "2025-11-23T09:00 to 2025-11-23T09:01 | A test of the receiver, 23 November 2025"
    ]


@settings(max_examples=120, deadline=None)
@given(title=TEXTS, label=TEXTS, summary=st.text(max_size=200))
def test_whatever_stands_in_a_definition_its_header_is_ascii_xml_of_exact_length(registry, title, label, summary):
    keys = properties(header_of(sample(title=title, label=label, summary=summary), registry))
    legal = re.sub("[^\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+|\\s+", " ", title).strip()
    assert keys.get("description", "") == legal


def test_a_definition_of_a_megabyte_gives_a_header_that_clients_can_read(registry):
    data = {f"item{number}": DataItem(title="x" * 3_000) for number in range(400)}
    packet = header_of(sample(data=data, summary="y" * 1_000_000), registry)
    keys = properties(packet)
    assert len(packet) < 64_000
    assert keys["exampleRange_00"].startswith("2020-01-01 to")


# -- the node of a source


def test_the_nodes_of_the_examples_fit_their_schemas(root, schema):
    nodes = sorted((root / "public").rglob("flex.json"))
    assert len(nodes) == 7
    for path in nodes:
        assert schema("httpstreamsrc-0.7.schema.json", json.loads(path.read_text(encoding="utf-8"))) == [], path
    for name in ("root.json", "catalog.json", "examples.json"):
        assert schema("catalog.schema.json", json.loads((root / "public" / name).read_text(encoding="utf-8"))) == []


def test_a_node_says_what_the_reader_takes_with_types_ranges_and_defaults(root):
    node = json.loads((root / "public" / "examples" / "params" / "flex.json").read_text(encoding="utf-8"))
    taken = node["protocol"]["httpParams"]
    assert taken["read.time.min"] == {"required": True, "type": "isotime", "title": "Begin of the time range, inclusive"}  # fmt: skip
    assert (taken["read.sensor"]["type"], taken["read.sensor"]["enum"]) == ("enum", ["B", "E"])
    assert (taken["read.channels"]["type"], taken["read.channels"]["range"]) == ("integer", [6, 64])
    assert (taken["read.gyro"]["units"], taken["read.gyro"]["required"]) == ("Hz", False)
    assert taken["format.type"]["enum"][0] == "das"
    assert set(taken["format.type"]["enum"]) >= {"das", "csv"}
    assert taken["format.version"]["enum"] == ["2", "3"]
    assert "read.time.inter" not in taken
    assert "bin.stats" not in taken or taken["bin.stats"]["required"] is False


def test_a_node_has_one_absolute_address_below_the_public_one(root):
    node = json.loads((root / "public" / "examples" / "random" / "flex.json").read_text(encoding="utf-8"))
    assert node["protocol"]["baseUrls"] == ["http://127.0.0.1:8080/source/examples/random/flex"]
    assert (node["name"], node["label"], node["version"]) == ("Random", "Random", "0.7")
    assert node["contacts"] == [{"type": "technical", "name": "Your Name", "email": "your.name@yourplace.edu"}]


def test_several_contacts_are_told_apart(config, registry):
    source = sample()
    node = json.loads(flex_json(source, config, offered(source, registry, lambda _name: source)))
    assert [each["name"] for each in node["contacts"]] == ["Ann Bee", "Carl", "Dora"]
    assert [each.get("email") for each in node["contacts"]] == ["ann@example.org", "carl@example.org", None]


def test_settings_of_examples_and_what_properties_set_exist_in_the_node(root):
    for path in sorted((root / "public").rglob("flex.json")):
        node = json.loads(path.read_text(encoding="utf-8"))
        taken = node["protocol"]["httpParams"]
        for example in node["interface"]["examples"]:
            assert example["settings"]
            for place in example["settings"]:
                held = node["interface"]
                for part in place.split("/"):
                    held = held[part]
                assert held["set"]["param"] in taken, place
        for found in re.finditer(r'"param": "([^"]+)"', path.read_text(encoding="utf-8")):
            assert found[1] in taken


def test_a_protected_source_says_so_with_its_realm(root):
    node = json.loads((root / "public" / "examples" / "auth" / "flex.json").read_text(encoding="utf-8"))
    assert node["protocol"]["authorization"] == {"required": True, "realm": "Example Working Group"}


def test_a_reducer_adds_its_parameter_for_each_axis_of_the_data(config, registry):
    reducer = StageSpec(
        "bin", "Bins", StreamType("arrays"), StreamType("arrays"), "x:y", needs=frozenset({"sampled"}),
        params=(ParamSpec("bin.{coord}.max", type="real", units="s", low=0, title="Widest bin"),), cost=Cost(),
    )  # fmt: skip
    others = tuple(each for each in registry.stages if each.origin != "reduce")
    more = replace(registry, stages=(*others, reducer))
    sampled = sample(coords={"time": Coord(cadence=1.0), "frequency": Coord(units="Hz")})
    node = json.loads(flex_json(sampled, config, offered(sampled, more, lambda _name: sampled)))
    assert node["interface"]["coords"]["time"]["props"]["res"]["set"]["param"] == "bin.time.max"
    assert node["interface"]["coords"]["frequency"]["props"]["res"]["set"]["param"] == "bin.frequency.max"
    plain = sample()
    assert offered(plain, more, lambda _name: plain).param("bin.time.max") is None
    never = replace(sampled, never=("bin",))
    assert offered(never, more, lambda _name: never).param("bin.time.max") is None


def test_nothing_published_says_how_data_are_made(config, registry):
    source = sample(file="/root/definitions/x.toml", directory="/root/definitions")
    offer = offered(source, registry, lambda _name: source)
    for data in (flex_json(source, config, offer), das2_header(source, offer)):
        assert not re.search(rb"secret|somewhere|private|definitions|--", data)


@settings(max_examples=80, deadline=None)
@given(title=TEXTS, text=TEXTS)
def test_any_text_gives_a_node_that_is_json_in_utf8(config, registry, title, text):
    source = sample(title=title, options={"word": Option(text)})
    data = flex_json(source, config, offered(source, registry, lambda _name: source))
    assert data.startswith(b"{")
    assert json.loads(data)["title"] == title


# -- the tree


def test_a_new_root_and_a_fresh_user_have_their_files(root, tmp_path, monkeypatch):
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("DASFLEX_CONFIG", raising=False)
    for place in (root, ensure_user_root().root):
        for name in ("root.json", "catalog.json", "examples/waveform/flex.json", "examples/waveform/das2.d2t"):
            assert stat.S_IMODE((place / "public" / name).stat().st_mode) == 0o644


def test_ids_are_published_in_lower_case(own):
    own.add("Mission/ABC")
    own.install()
    assert own.public() == [
        "catalog.flex.json", "catalog.json", "das2discovery.txt", "das2list.txt", "mission.flex.json", "mission.json",
        "mission/abc.flex.json", "mission/abc.json", "mission/abc/das2.d2t", "mission/abc/flex.json", "nodes.csv",
        "openapi.lines", "root.flex.json", "root.json",
    ]  # fmt: skip


def test_files_of_sources_that_are_gone_are_removed_and_others_left(own):
    own.add("one/a")
    own.add("two")
    own.install()
    (own.root / "public" / "peers.xml").write_text("<peers/>", encoding="utf-8")
    (own.root / "definitions" / "one" / "a.toml").unlink()
    assert own.install().removed == ("one/a",)
    assert own.public() == [
        "catalog.flex.json", "catalog.json", "das2discovery.txt", "das2list.txt", "nodes.csv", "openapi.lines",
        "peers.xml",
        "root.flex.json", "root.json", "two.flex.json", "two.json", "two/das2.d2t", "two/flex.json",
    ]  # fmt: skip
    assert not (own.root / "public" / "one").exists()


def test_a_definition_that_is_wrong_now_keeps_its_files(own):
    own.add("a", title="As it was")
    own.install()
    (own.root / "definitions" / "a.toml").write_text("title = 7\n", encoding="utf-8")
    assert own.install().kept == ("a",)
    assert own.node("a/flex.json")["title"] == "As it was"


def test_a_source_that_cannot_be_published_is_told_and_keeps_its_files(own, registry, monkeypatch):
    own.add("a")
    own.install()
    own.add("a", title="Another")
    with monkeypatch.context() as fault:
        fault.setattr(Offers, "of", lambda *_all, **_more: Offer())
        report = own.install()
    assert "cannot be published: nothing that is installed reads it" in str(report.findings[0])
    assert own.node("a/flex.json")["title"] == "Something"
    assert not own.install().findings
    assert own.node("a/flex.json")["title"] == "Another"


def test_unlisted_sources_are_published_but_no_node_leads_to_them(own):
    own.add("shown/a")
    own.add("shown/b", more="")
    path = own.root / "definitions" / "shown" / "b.toml"
    path.write_text("listed = false\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    own.install()
    assert "shown/b/flex.json" in own.public()
    assert list(own.node("shown.json")["catalog"]) == ["a"]
    assert "shown/b" not in (own.root / "public" / "catalog.json").read_text(encoding="utf-8")


def test_each_stub_leads_to_a_file_that_is_published(own, root):
    own.add("m/inner/a")
    own.add("m/inner")
    own.add("z")
    own.install()
    for place in (own.root, root):
        base = "http://127.0.0.1:8080/"
        stubs = [place / "public" / "root.json"]
        while stubs:
            node = json.loads(stubs.pop().read_text(encoding="utf-8"))
            for child in node.get("catalog", {}).values():
                assert {"type", "name", "label", "title", "urls"} <= child.keys()
                assert len(child["urls"]) == 1
                stubs.append(place / "public" / child["urls"][0].removeprefix(base).removeprefix("source/"))
                assert stubs[-1].is_file(), child
    assert list(own.node("m.json")["catalog"]) == ["inner"]
    assert own.node("m/inner.json")["catalog"]["flex"]["type"] == "HttpStreamSrc"


def test_a_file_that_did_not_change_is_not_written_again(own):
    own.add("a")
    own.install()
    path = own.root / "public" / "a" / "flex.json"
    before = path.stat()
    own.install()
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_cannot_be_written_is_told_and_the_others_are_there(own):
    (own.root / "public" / "a").write_text("in the way", encoding="utf-8")
    own.add("a")
    own.add("b")
    report = own.install()
    assert report.installed == ("a", "b")
    assert [str(each) for each in report.findings if "cannot be written" in str(each)]
    assert "b/flex.json" in own.public()
    (own.root / "public" / "a").unlink()
    assert not own.install().findings


def test_what_is_published_can_be_read_by_the_web_server_whatever_the_umask(own):
    own.add("deep/down/a")
    before = os.umask(0o077)
    try:
        own.install()
    finally:
        os.umask(before)
    for path in (own.root / "public" / "deep").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644)


def test_a_directory_called_as_a_file_of_the_site_takes_nothing_from_it(own):
    own.add("root/a")
    own.add("catalog/b")
    own.install()
    assert set(own.node("root.json")["catalog"]) == {"root", "catalog"}


def test_without_a_publisher_what_is_public_stays(own):
    own.add("a")
    own.install()
    shutil.rmtree(own.root / "definitions")
    (own.root / "definitions").mkdir()
    compile_tree(own.root)
    assert "a/flex.json" in own.public()
