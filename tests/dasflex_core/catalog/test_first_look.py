# SPDX-License-Identifier: GPL-3.0-or-later
"""A source whose definition has no example shows one that has a plan, so that its nodes are what schemas want."""

from __future__ import annotations

import json

import jsonschema
import pytest

import dasflex_core
from dasflex_core.catalog.first_look import first_look
from dasflex_core.catalog.model import Coord, Definition, Rate, Reader, Span
from dasflex_core.catalog.publishing import publisher
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.plan.offering import Offer
from dasflex_core.roots import make_root
from dasflex_core.stages import ParamSpec

HEAD = "description = 'Made up'\ntechContact = 'A <a@example.org>'\nreader = '/bin/cat'\n"
SOURCES = {
    "dated": f"{HEAD}das2Stream = 1\nvalidRange = '2001-02-03 to now UTC'\n",
    "undated": f"{HEAD}das2Stream = 1\n",
    "model": f"{HEAD}das2Stream = 1\nrequiresInterval = 1\n",
    "option": f"{HEAD}das3Stream = 1\nparam_00 = 'side | Which side'\n",
    "live": f"{HEAD}das2Stream = 1\nrealTime = 1\n",
}
#: The schema of each type of node.
KINDS = {
    "Collection": "collection",
    "SourceSet": "sourceset",
    "WebSocSrc": "httpstreamsrc-0.7",
    "HttpStreamSrc": "httpstreamsrc-hybrid",
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A root with sources that have no examples."""
    config = make_root(tmp_path_factory.mktemp("look") / "root", "Look", examples=False)
    for name, text in SOURCES.items():
        (config.definitions / f"{name}.dsdf").write_text(text, encoding="utf-8")
    site = dasflex_core.open(config.root)
    from dasflex_core.catalog.walk import Vocabulary

    report = compile_tree(
        config.root, Vocabulary.of(site.registry), publisher(site.config, site.registry, site.external)
    )
    assert not report.findings
    return dasflex_core.open(config.root)


def nodes(published, name: str) -> dict[str, dict[str, object]]:
    """The nodes of a source by their files."""
    public = published.config.root / "public"
    files = [*(public / name).glob("*.json"), public / f"{name}.json", public / f"{name}.flex.json"]
    return {path.name: json.loads(path.read_bytes()) for path in files}


@pytest.mark.parametrize("name", SOURCES)
def test_its_nodes_fit_their_schemas(published, test_data, name):
    folder = test_data.parent / "reference" / "catalog-examples" / "schema"
    if not folder.is_dir():
        pytest.skip("no schemas of catalog nodes beside the real mission data")
    for file, node in nodes(published, name).items():
        schema = json.loads((folder / f"{KINDS[node['type']]}.schema.json").read_bytes())
        faults = jsonschema.Draft202012Validator(schema).iter_errors(node)
        assert [f"{each.json_path}: {each.message}" for each in faults] == [], file


@pytest.mark.parametrize("name", SOURCES)
def test_what_it_shows_has_a_plan(published, name):
    node = nodes(published, name)["flex.json"]
    [example] = node["protocol"]["examples"].values()
    assert published.request(name, example["http_params"].items()).plan()


def look(time: Coord | None, *readers: Reader) -> dict[str, str]:
    """The request of a source with these readers."""
    coords = {"time": time} if time else {}
    definition = Definition("a", "A", coords=coords, readers=readers or (Reader("r", command="cat"),))
    params = tuple(ParamSpec(name, type="time") for name in ("read.time.min", "read.time.max"))
    return dict(first_look(definition, Offer(params))[1])


@pytest.mark.parametrize(
    ("begin", "end", "cadence", "until"),
    [
        ("2001-02-03", "forever", None, "2001-02-04"),
        ("2001-02-03", "2001-02-03T12:00", None, "2001-02-03T12:00"),
        ("2001-02-03", "forever", 0.06, "2001-02-03T00:01"),
        ("now-P1D", "forever", None, "now"),
        ("now-P1D", "now", None, "now"),
    ],
)
def test_it_asks_for_the_beginning_of_the_data(begin, end, cadence, until):
    asked = look(Coord(range=Span(begin, end), cadence=cadence))
    assert asked["read.time.min"] == begin
    assert asked["read.time.max"].startswith(until)


def test_where_only_a_rate_is_known_it_takes_as_many_packets_as_records():
    reader = Reader("r", command="cat", rate=Rate(10.0, 4000))
    asked = look(Coord(range=Span("2001-02-03", "forever")), reader)
    assert asked["read.time.max"] == "2001-02-03T00:01:40"


def test_what_is_only_live_is_followed_from_a_little_while_ago():
    asked = look(None, Reader("r", command="cat", live=True))
    assert asked == {"read.time.min": "now-PT10M", "read.time.max": "forever"}


def test_what_takes_no_times_is_asked_without_any():
    definition = Definition("a", "A", readers=(Reader("r", command="cat"),))
    assert first_look(definition, Offer())[1] == ()
