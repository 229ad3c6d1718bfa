# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog of a site with sources of every kind is one that every client can read, node by node and rule by rule."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import jsonschema
import pytest

import dasflex_core
from dasflex_core.catalog.addresses import has_port, public_base, socket_url
from dasflex_core.catalog.published_names import directory_file
from dasflex_core.catalog.publishing import publisher
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.config import read_config
from dasflex_core.plan.parameters import canonical_pairs
from dasflex_core.roots import make_root

if TYPE_CHECKING:
    from pathlib import Path

BASE = "https://das.example.org/das"
HEAD = 'title = "A data set of {}"\n[contacts]\ntechnical = "Ann <ann@example.org>, Ben <ben@example.org>"\nscientific = "Cyd"\n'
READER = '[reader]\ncommand = "cat #[read.time.min] #[read.time.max]"\nwrites = "das/2"\n'
EXAMPLE = '[[example]]\ntitle = "A day"\ntime = "2020-01-01 to 2020-01-02"\n'
TIME = '[coords.time]\ntitle = "Time of the set"\nrange = "2020-01-01 to now"\ncadence = "1 s"\n'
LINES = '[data.bx]\ntitle = "Bx"\naxes = ["time"]\nunits = "nT"\n[data.by]\naxes = ["time"]\ndefault = false\n'
SOURCES = {
    "Mission/Lines": HEAD.format("lines") + READER + TIME + LINES + EXAMPLE
    + '[[example]]\ntitle = "By as CSV"\ntime = "2020-01-01 to 2020-01-02"\nread.data = "by"\nformat.type = "csv"\n',
    "Mission": HEAD.format("all") + READER + EXAMPLE,
    "Mission/Spectra": 'title = "Spectra"\n[reader]\nsource = "Mission/Waves"\n[default]\ndft.length = 800\n' + EXAMPLE,
    "Mission/Waves": HEAD.format("waves") + READER + TIME + EXAMPLE
    + '[coords.offset]\ntitle = "Offset in the set"\nof = "time"\nunits = "s"\nsize = 1600\n'
    '[data.w]\naxes = ["time", "offset"]\n[default]\nbin.stats = "min,max"\n',
    "Lab/_Em2": HEAD.format("a lab") + '[[reader]]\nname = "archive"\n' + READER.removeprefix("[reader]\n")
    + '[[reader]]\nname = "live"\nlive = true\ncommand = "follow #[read.set # @ #]"\nwrites = "das/3"\n'
    '[options.set]\ntitle = "Which set"\nvalues = { E = "Electric set", B = "Magnetic" }\ndefault = "E"\n'
    + EXAMPLE + '[access]\nrealm = "Team"\nallow = ["group:team"]\n[[example]]\ntitle = "Now"\ntime = "now to forever"\n',
    "Lab/Orbit": HEAD.format("orbits") + READER.replace("cat", "orbit --n=#[read.n] #[read.title # @ #] #[read.raw # --raw #] #[read.time.inter]")
    + '[coords.time]\nrange = "2020-01-01 to 2021-01-01"\ninterval = { default = "10 min" }\n'
    '[options.n]\ntype = "integer"\nrange = "1 to 9"\n[options.title]\n[options.raw]\ndefault = true\n'
    '[[example]]\ntime = "2020-01-01 to 2020-01-02"\nread.time.inter = 60\nread.n = 3\n',
    "root/flex/Deep": HEAD.format("depth") + READER + EXAMPLE,
    "Hidden": "listed = false\n" + HEAD.format("nobody") + READER + EXAMPLE,
    "Native": HEAD.format("qstreams") + READER.replace("das/2", "qstream") + EXAMPLE,
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A root at a public address, with a source of each kind and the examples."""
    place = tmp_path_factory.mktemp("nodes") / "root"
    make_root(place, "Test Server")
    conf = place / "etc" / "dasflex.conf"
    more = f'SERVER_URL = "{BASE.replace("org/", "org:443/")}/"\nSITE_CATALOG_TAG = "tag:example.org,2026"\nSITE_ID = "test"\n'
    text = re.sub(r"(?m)^# (SERVER_URL|SITE_CATALOG_TAG|SITE_ID) = .*$", "", conf.read_text(encoding="utf-8"))
    conf.write_text(text + more, encoding="utf-8")
    for name, text in SOURCES.items():
        path = place / "definitions" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    site = dasflex_core.open(place)
    report = compile_tree(place, publish=publisher(site.config, site.registry, site.external))
    assert report.findings == ()
    return place


@pytest.fixture(scope="module")
def files(root) -> dict[str, dict]:
    """All nodes that were written, by their paths below `public/`."""
    public = root / "public"
    found = {}
    for path in sorted(public.rglob("*.json")):
        data = path.read_bytes()
        assert data.startswith(b"{"), path
        found[path.relative_to(public).as_posix()] = json.loads(data.decode("utf-8"))
    return found


def path_of(address: str) -> str:
    """The file below `public/` that an address of this server means."""
    assert address.startswith(f"{BASE}/"), address
    return address.removeprefix(f"{BASE}/").removeprefix("source/")


def children(node: dict) -> dict[str, dict]:
    return node.get("catalog") or node.get("sources") or {}


def walked(files: dict[str, dict], start: str) -> dict[str, dict]:
    """The nodes that a client reaches from a node, by their files; what is no node of ours is not entered."""
    found: dict[str, dict] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        found[name] = files[name]
        for child in children(files[name]).values():
            if child["type"] in ("Catalog", "Collection", "SourceSet", "HttpStreamSrc", "WebSocSrc"):
                file = path_of(child["urls"][0])
                assert files[file]["type"] == child["type"], file
                if file not in found:
                    waiting.append(file)
    return found


# -- the trees


def test_the_plain_tree_has_only_what_every_client_knows_and_leads_to_every_listed_source(files):
    tree = walked(files, "root.json")
    assert {node["type"] for node in tree.values()} == {"Catalog", "Collection", "HttpStreamSrc"}
    leaves = {name for name, node in tree.items() if node["type"] == "HttpStreamSrc"}
    ours = ("/flex.json", "/hapi.json")
    assert leaves == {name for name in files if name.endswith(ours) and name != "hidden/flex.json"}


def test_the_flex_tree_leads_by_source_sets_to_every_listed_source(files):
    tree = walked(files, "root.flex.json")
    assert {node["type"] for node in tree.values()} == {"Catalog", "SourceSet", "HttpStreamSrc", "WebSocSrc"}
    leaves = {name for name, node in tree.items() if node["type"] == "HttpStreamSrc"}
    assert leaves == {name for name in files if name.endswith("/flex.json") and name != "hidden/flex.json"}
    live = {name for name, node in tree.items() if node["type"] == "WebSocSrc"}
    assert live == {"examples/live/flexrt.json", "lab/_em2/flexrt.json"}


def test_no_node_is_of_both_trees(files):
    plain, flex = walked(files, "root.json"), walked(files, "root.flex.json")
    both = {name for name in plain.keys() & flex.keys() if plain[name]["type"] != "HttpStreamSrc"}
    assert both == set()
    for name, node in files.items():
        types = {child["type"] for child in children(node).values()}
        if types & {"SourceSet", "WebSocSrc", "Das2DSDF", "HAPIInfo"}:
            assert name.endswith(".flex.json"), name
            assert "Collection" not in types


def test_every_node_and_every_stub_has_what_clients_need(files):
    for name, node in files.items():
        assert {"type", "version", "name", "label", "title"} <= node.keys(), name
        assert node["type"] != "Catalog" or node["catalog"], f"{name} is an empty Catalog"
        waiting = [node]
        while waiting:
            for key, stub in children(waiting.pop()).items():
                assert re.fullmatch("[a-z0-9][a-z0-9_.:,+-]*", key), f"{name}: {key}"
                assert {"type", "name", "label", "title", "urls"} <= stub.keys(), f"{name}: {key}"
                assert len(stub["urls"]) == 1
                assert len(stub["urls"][0]) <= 255
                waiting.append(stub)


def test_addresses_are_absolute_and_have_no_port(root, files):
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((root / "public").rglob("*.json")))
    addresses = re.findall(r'"((?:https?|wss?)://[^"]*)"', text)
    assert len(addresses) > 100
    for address in addresses:
        assert urlsplit(address).netloc == "das.example.org", address
        assert len(address) <= 1023


def test_a_collection_has_no_separator(files):
    assert not [name for name, node in files.items() if node["type"] == "Collection" and "separator" in node]


def test_permanent_names_are_below_the_sites_tag_and_the_common_root(files):
    assert files["root.json"]["uris"] == ["tag:example.org,2026:site:/", "tag:das2.org,2012:site:/test"]
    assert files["mission/lines.json"]["uris"] == [
        "tag:example.org,2026:site:/mission/lines",
        "tag:das2.org,2012:site:/test/mission/lines",
    ]
    assert files["mission/lines/flex.json"]["uris"][0] == "tag:example.org,2026:site:/mission/lines/flex"


def test_a_source_that_is_called_as_a_directory_stands_in_the_node_of_that(files):
    plain, flex = files["mission.json"], files["mission.flex.json"]
    assert plain["type"] == flex["type"] == "Catalog"
    assert plain["catalog"]["flex"]["type"] == "HttpStreamSrc"
    assert {"flex", "das2", "lines", "spectra", "waves"} == set(flex["catalog"])
    assert flex["catalog"]["das2"]["urls"] == [f"{BASE}/?server=dsdf&dataset=mission"]


def test_a_directory_called_as_a_file_of_the_site_or_of_a_source_has_a_file_of_its_own(files):
    assert directory_file("root", ".json") == "root~.json"
    assert files["root~.json"]["catalog"]["flex"]["urls"] == [f"{BASE}/source/root/flex~.json"]
    assert files["root/flex~.json"]["catalog"]["deep"]["type"] == "Collection"


def test_the_merged_catalogs_have_every_directory_in_place(files):
    for ending, leaf in ((".json", "Collection"), (".flex.json", "SourceSet")):
        merged = files[f"catalog{ending}"]
        assert merged["catalog"]["lab"]["catalog"]["orbit"]["type"] == leaf
        assert merged["catalog"]["root"]["catalog"]["flex"]["catalog"]["deep"]["type"] == leaf
        assert merged["catalog"]["lab"]["separator"] == "/"
        assert "hidden" not in json.dumps(merged).lower()


def test_the_list_of_nodes_has_a_line_for_each_with_its_address(root, files):
    with (root / "public" / "nodes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    there = {path_of(row["url"]): row["type"] for row in rows}
    assert len(there) == len(rows)
    assert there == {
        name: node["type"]
        for name, node in files.items()
        if not name.startswith(("catalog.", "hidden"))
    }  # fmt: skip
    lines = next(row for row in rows if row["type"] == "Collection" and row["path"] == "mission/lines")
    assert (lines["title"], lines["begin"], lines["end"]) == ("A data set of lines", "2020-01-01", "now")


def test_the_list_of_das2_clients_has_each_directory_before_what_is_in_it(root):
    lines = (root / "public" / "das2list.txt").read_text(encoding="ascii").splitlines()
    assert lines[:2] == ["Examples/|Examples", "Examples/Auth|Random numbers for one user"]
    assert lines.index("Lab/") < lines.index("Lab/Orbit|A data set of orbits")
    assert not [line for line in lines if line.startswith("Hidden")]


def test_a_site_without_sources_has_no_node_at_all(tmp_path):
    place = tmp_path / "root"
    make_root(place, "Empty", examples=False)
    assert not list((place / "public").rglob("*.json"))
    assert (place / "public" / "das2list.txt").read_bytes() == b""


# -- the nodes of sources


def flex_nodes(files):
    return {name: node for name, node in files.items() if name.endswith("/flex.json")}


def aspects(node):
    """What the older keys let a client ask: where it stands, and the aspect."""
    for group in ("coordinates", "data"):
        for name, held in node["interface"][group].items():
            for key, aspect in held.items():
                if isinstance(aspect, dict) and key != "props":
                    yield f"{group}/{name}/{key}", aspect
    for key, aspect in node["interface"]["options"].items():
        if isinstance(aspect, dict) and key != "props":
            yield f"options/{key}", aspect


def strings(value):
    """All texts, without those of what sets something: a parameter is called as it is."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from strings(each) if key != "set" else ()
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def test_each_aspect_of_the_older_keys_has_a_value_and_sets_what_there_is(files):
    for name, node in flex_nodes(files).items():
        params = node["protocol"]["http_params"]
        assert len(node["protocol"]["base_urls"]) == 1
        seen = set()
        for place, aspect in aspects(node):
            if "set" not in aspect:
                continue
            where, change = f"{name}: {place}", aspect["set"]
            assert "value" in aspect, where
            assert change["param"] in params, where
            seen.add(change["param"])
            if params[change["param"]]["type"] == "flag_set":
                assert change["flag"] in params[change["param"]]["flags"], where
            for each in change.get("enum", ()):
                assert isinstance(each["value"], str), where
                assert each["title"], where
                assert each.get("pval", each["value"]) in params[change["param"]]["items"], where
        assert seen == set(params), name


def test_no_text_of_a_coordinate_or_an_option_holds_the_letters_that_das2py_takes_for_a_key(files):
    for name, node in flex_nodes(files).items():
        interface = node["interface"]
        options = {key: held for key, held in interface["options"].items() if key != "props"}
        for text in strings([interface["coordinates"], options]):
            assert "set" not in text, f"{name}: {text}"
        assert "set" not in interface["options"]["props"], name
        assert not {"set", "label", "title", "props"} & {key for key, held in options.items() if isinstance(held, dict)}
    assert files["mission/waves/flex.json"]["interface"]["coordinates"]["offset"]["name"] == "OffSet"


def test_what_the_interface_sets_is_taken_by_the_server_and_examples_set_what_there_is(files):
    for name, node in files.items():
        if node["type"] not in ("HttpStreamSrc", "WebSocSrc") or name.endswith("/hapi.json"):
            continue
        interface, params = node["interface"], node["protocol"]["httpParams"]
        groups = [held for group in ("coords", "data", "formats") for held in interface[group].values()]
        groups += [interface["options"]] if "options" in interface else []
        for held in groups:
            assert set(held.get("order", ())) <= held["props"].keys()
            for prop in held["props"].values():
                assert "value" in prop
                assert "set" not in prop or prop["set"]["param"] in params, name
        assert interface["examples"], name
        for example in interface["examples"]:
            for place in example["settings"]:
                prop = interface
                for part in place.split("/"):
                    prop = prop[part]
                assert "set" in prop, f"{name}: {place}"


def test_the_examples_of_the_older_keys_have_a_plan_at_their_addresses(root, files):
    site = dasflex_core.open(root)
    for name, node in flex_nodes(files).items():
        params = node["protocol"]["http_params"]
        required = {key for key, held in params.items() if held["required"]}
        for example in node["protocol"]["examples"].values():
            assert required <= example["http_params"].keys() <= params.keys(), name
            parts = urlsplit(example["url"])
            identifier = parts.path.removeprefix("/das/source/").removesuffix("/flex")
            pairs = parse_qsl(parts.query)
            site.planner.solve(site[identifier].definition, pairs)


def test_an_example_selects_data_and_a_format_by_settings(files):
    node = files["mission/lines/flex.json"]
    assert node["interface"]["examples"][1]["settings"] == {
        "coords/time/props/min": "2020-01-01",
        "coords/time/props/max": "2020-01-02",
        "data/bx/props/enabled": False,
        "data/by/props/enabled": True,
        "formats/csv/props/enabled": True,
    }


def test_flags_that_das2py_joins_with_blanks_ask_what_a_list_asks(root):
    site = dasflex_core.open(root)
    both = [site.planner.solve(site["mission/lines"].definition, [*canonical_pairs([("time", "2020-01-01/2020-01-02"), ("read.data", text)]).items()]) for text in ("bx by", "bx,by")]  # fmt: skip
    assert both[0].answer == both[1].answer
    assert dict(both[0].request)["read.data"] == "bx,by"


def test_a_live_source_has_a_node_at_the_daemon_with_what_its_live_reader_takes(files):
    node = files["lab/_em2/flexrt.json"]
    assert (node["type"], node["version"]) == ("WebSocSrc", "0.2")
    assert node["protocol"]["baseUrls"] == ["wss://das.example.org/das/dasws/lab/_em2/flexRT"]
    assert node["protocol"]["authorization"] == {"required": True, "realm": "Team"}
    assert "method" not in node["protocol"]
    assert node["interface"]["examples"][0]["label"] == "Now"
    assert "read.set" in node["protocol"]["httpParams"]
    assert node["interface"]["options"]["props"]["set_"]["set"]["param"] == "read.set"
    assert list(files["lab.json"]["catalog"]) == ["orbit", "x_em2"]  # a key begins with a letter or a digit


def test_a_source_that_writes_something_else_is_asked_for_das_by_the_older_keys(files):
    assert files["native/flex.json"]["protocol"]["base_urls"] == [f"{BASE}/source/native/flex"]
    assert files["native/flex.json"]["format"] == {"default": {"mime": "application/vnd.das2.qstream"}}


def test_contacts_are_told_in_both_forms(files):
    node = files["mission/lines/flex.json"]
    assert [each["name"] for each in node["contacts"]] == ["Ann", "Ben", "Cyd"]
    assert node["tech_contacts"] == [{"name": "Ann", "email": "ann@example.org"}, {"name": "Ben", "email": "ben@example.org"}]  # fmt: skip
    assert node["sci_contacts"] == [{"name": "Cyd"}]


def test_hapi_is_spoken_of_where_a_definition_asks_for_it(files):
    found = {name.removeprefix("examples/").partition("/")[0] for name in files if name.endswith("/hapi.json")}
    assert found == {"ephemeris", "params", "random", "spectra", "waveform"}
    node = files["examples/ephemeris/hapi.json"]
    assert (node["type"], node["base_urls"]) == ("HttpStreamSrc", [f"{BASE}/hapi"])
    assert node["http_params"]["id"]["value"] == "Examples/Ephemeris/10min"


def test_hapi_is_spoken_of_only_where_something_serves_it(tmp_path):
    make_root(tmp_path / "root", "Test Server")
    conf = tmp_path / "root" / "etc" / "dasflex.conf"
    conf.write_text(f"{conf.read_text(encoding='utf-8')}\nENABLE_HAPI_SUBSYS = false\n", encoding="utf-8")
    site = dasflex_core.open(tmp_path / "root")
    compile_tree(site.config.root, publish=publisher(site.config, site.registry, site.external))
    public = site.config.root / "public"
    assert not list(public.rglob("*hapi*"))
    assert not [path for path in public.rglob("*.json") if "hapi" in path.read_text(encoding="utf-8").lower()]


# -- the schemas of the federated catalog


@pytest.fixture(scope="module")
def validator(test_data):
    """Gives what the schema of a kind of node finds wrong."""
    folder = test_data.parent / "reference" / "catalog-examples" / "schema"
    if not folder.is_dir():
        pytest.skip("no schemas of catalog nodes beside the real mission data")
    made = {
        path.name.removesuffix(".schema.json"): jsonschema.Draft202012Validator(json.loads(path.read_bytes()))
        for path in folder.glob("*.schema.json")
    }

    def faults(name: str, node: object) -> list[str]:
        return [f"{each.json_path}: {each.message[:200]}" for each in made[name].iter_errors(node)]

    return faults


def test_every_node_fits_the_schema_of_its_type(files, validator):
    kinds = {"Collection": "collection", "SourceSet": "sourceset", "WebSocSrc": "httpstreamsrc-0.7", "HttpStreamSrc": "httpstreamsrc-hybrid"}  # fmt: skip
    for name, node in files.items():
        if name.endswith("/hapi.json"):  # of the old flat form, which has no schema
            continue
        legacy = "catalog" if name.endswith(".flex.json") else "catalog-legacy"
        assert validator(kinds.get(node["type"], legacy), node) == [], name
        if node["type"] == "HttpStreamSrc":
            assert validator("httpstreamsrc-0.5", node) == [], name
            assert validator("httpstreamsrc-0.7", node) == [], name


def test_the_node_of_hapi_is_like_those_of_other_catalogs(files, test_data):
    known = test_data.parent / "reference" / "catalog-examples" / "kestrel" / "lpw_hapi.json"
    if not known.is_file():
        pytest.skip("no examples of catalog nodes beside the real mission data")
    theirs, ours = json.loads(known.read_bytes()), files["examples/waveform/hapi.json"]
    assert theirs.keys() - {"tech_contacts"} <= ours.keys()
    assert ours["http_params"].keys() == theirs["http_params"].keys()


def test_the_schemas_can_tell_one_kind_of_node_from_another(files, validator):
    assert validator("catalog-legacy", files["lab.flex.json"])
    assert validator("collection", files["lab/orbit.flex.json"])


# -- addresses


@pytest.mark.parametrize(
    ("server", "socket", "base", "daemon", "port"),
    [
        ("http://h:80/das/", "", "http://h/das", "ws://h/das/dasws", False),
        ("https://h:443", "wss://w/x/", "https://h", "wss://w/x", False),
        ("http://h:8080/", "https://w", "http://h:8080", "wss://w", True),
        ("http://[::1]/d", "", "http://[::1]/d", "ws://[::1]/d/dasws", False),
        ("http://h:8000/", "", "http://h:8000", "ws://h:8000/dasws", True),
    ],
)
def test_the_usual_port_is_left_out_of_addresses(tmp_path, server, socket, base, daemon, port):
    make_root(tmp_path / "r", "R", examples=False)
    conf = tmp_path / "r" / "etc" / "dasflex.conf"
    text = re.sub(r"(?m)^# (SERVER_URL|WEBSOCKET_URI) = .*$", "", conf.read_text(encoding="utf-8"))
    conf.write_text(f'{text}SERVER_URL = "{server}"\nWEBSOCKET_URI = "{socket}"\n', encoding="utf-8")
    config = read_config(conf)
    assert public_base(config) == base
    assert socket_url(config, "A/b") == f"{daemon}/a/b/flexRT"
    assert has_port(public_base(config)) is port
