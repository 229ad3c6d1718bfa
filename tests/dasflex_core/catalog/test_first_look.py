# SPDX-License-Identifier: GPL-3.0-or-later
"""A source whose definition has no example shows one that has a plan, so that its nodes are what schemas want."""

from __future__ import annotations

import json

import jsonschema
import pytest

import dasflex_core
from dasflex_core.catalog.first_look import first_look
from dasflex_core.catalog.model import Coord, Definition, Reader, Span
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


@pytest.mark.parametrize("name", SOURCES)
def test_its_node_fits_the_schema(published, test_data, name):
    schema = test_data.parent / "reference" / "catalog-examples" / "schema" / "httpstreamsrc-hybrid.schema.json"
    if not schema.is_file():
        pytest.skip("no schemas of catalog nodes beside the real mission data")
    node = json.loads((published.config.root / "public" / name / "flex.json").read_bytes())
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_bytes()))
    assert [f"{each.json_path}: {each.message}" for each in validator.iter_errors(node)] == []
    assert node["interface"]["examples"]


@pytest.mark.parametrize("name", SOURCES)
def test_what_it_shows_has_a_plan(published, name):
    node = json.loads((published.config.root / "public" / name / "flex.json").read_bytes())
    [example] = node["protocol"]["examples"].values()
    assert published.request(name, example["http_params"].items()).plan()


def look(begin: str, end: str, cadence: float | None = None) -> dict[str, str]:
    """The request of a source with data in a range."""
    coords = {"time": Coord(range=Span(begin, end), cadence=cadence)}
    definition = Definition("a", "A", coords=coords, readers=(Reader("r", command="cat"),))
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
    asked = look(begin, end, cadence)
    assert asked["read.time.min"] == begin
    assert asked["read.time.max"].startswith(until)
