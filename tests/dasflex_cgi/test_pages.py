# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages are valid HTML that anybody can read, lead only to what answers, and show what others wrote as text."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dasflex_cgi import pages
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Answer, Asked
from dasflex_cgi.logo import draw, png
from dasflex_cgi.plugin import PAGES
from dasflex_cgi.source_page import Wording, describe
from dasflex_cgi.static import find
from dasflex_core.catalog.model import Cite, Contacts, DataItem, Example, Option
from dasflex_core.catalog.tree import Entry, index_text
from dasflex_core.errors import NotFoundError
from dasflex_core.extras import Extra
from dasflex_core.site import Source, open_site
from dasflex_core.stages import StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo
from dasflex_core.tasks import Spool

VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}
BROWSER = {"accept": "text/html,*/*", "user-agent": "Mozilla/5.0"}
#: What a page never holds: frames, styles, and whatever changes what addresses mean.
FORBIDDEN = {"iframe", "object", "embed", "style", "base"}


class Page(HTMLParser):
    """A page as a strict reader sees it: every element is closed in its turn, every id and attribute is there once."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.ids: set[str] = set()
        text = answer.body.decode("utf-8")
        assert text.startswith("<!DOCTYPE html>\n<html lang=")
        assert not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]", text)
        self.feed(text)
        self.close()
        assert not self.open, self.open
        self.text = " ".join(piece for pieces in self.texts.values() for piece in pieces)

    def handle_starttag(self, tag, attrs):
        names = [name for name, _value in attrs]
        assert len(names) == len(set(names)), (tag, names)
        assert not any(name.startswith("on") or name == "style" for name in names), (tag, names)
        assert tag not in FORBIDDEN
        self.check(tag, dict(attrs))
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def check(self, tag, attributes):
        """Scripts come from the server, forms lead to it, and each field has a label of its own."""
        if tag == "script":
            assert set(attributes) == {"type", "src"}
            assert attributes["type"] == "module"
            assert "/static/" in attributes["src"]
        if tag == "form":
            assert attributes["method"] == "get"
            assert not urlsplit(attributes["action"]).netloc
        if "id" in attributes:
            assert attributes["id"].isprintable()
            assert " " not in attributes["id"]
            assert attributes["id"] not in self.ids
            self.ids.add(attributes["id"])

    def handle_endtag(self, tag):
        assert not (tag == "script" and self.texts.get("script")), "no script stands in a page"
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def links(self) -> list[str]:
        return [each["href"] for tag in ("a", "link") for each in self.all(tag)] + [each["src"] for tag in ("img", "script") for each in self.all(tag)]  # fmt: skip


@pytest.fixture
def site(examples):
    return open_site(examples.root)


@pytest.fixture
def asked() -> Asked:
    return Asked(method="GET", path="/", origin="http://example.org:8080", headers=BROWSER)


def every_page(site, asked) -> list[Answer]:
    """A page of each kind, and those of all examples."""
    return [
        pages.front(site, asked),
        pages.directory(site, asked, ""),
        pages.directory(site, asked, "examples"),
        pages.search(site, asked),
        pages.search(site, replace(asked, query="q=synthetic")),
        pages.peers(site, asked, []),
        pages.error(site, asked, 404, "There is no source 'x'.", "abc"),
        *(pages.source(site, asked, name) for name in site),
    ]


def test_every_page_is_well_formed_html_with_its_headers(site, asked):
    for answer in every_page(site, asked):
        Page(answer)
        headers = dict(answer.headers)
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Vary"] == "Accept, User-Agent"
        closed = b"Protected: " in answer.body
        kept = "private, no-store" if closed else "public, max-age=60" if answer.status == 200 else "no-store"
        assert headers["Cache-Control"] == kept


def test_every_page_can_be_read_by_everybody(site, asked):
    for answer in every_page(site, asked):
        page = Page(answer)
        assert page.all("html")[0]["lang"] == "en"
        assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
        levels = [int(tag[1]) for tag, _attributes in page.elements if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels)), levels
        assert all("alt" in each for each in page.all("img"))
        assert all(each.get("scope") in ("col", "row", "rowgroup") for each in page.all("th"))
        assert len(page.all("caption")) == len(page.all("table"))
        assert all(each.get("href") for each in page.all("a"))
        targets = {each["id"] for _tag, each in page.elements if "id" in each}
        assert {link[1:] for link in page.links if link.startswith("#")} <= targets
        labels = {each["for"] for each in page.all("label") if "for" in each}
        fields = [each for tag in ("input", "select") for each in page.all(tag)]
        assert all(each.get("type") == "checkbox" or each["id"] in labels for each in fields)
        assert {each["aria-describedby"] for _tag, each in page.elements if "aria-describedby" in each} <= targets


def test_pages_bring_nothing_from_elsewhere(site, asked):
    for answer in every_page(site, asked):
        assert not [link for link in Page(answer).links if urlsplit(link).netloc]


def test_links_are_relative_to_where_the_server_is_mounted(site, asked):
    for answer in every_page(site, replace(asked, base="/das/server")):
        links = [link for link in Page(answer).links if not link.startswith("#")]
        assert links
        assert all(link.startswith("/das/server/") for link in links), links
        assert all(each["action"].startswith("/das/server/") for each in Page(answer).all("form"))


def test_every_link_answers(site, asked):
    front = Front(site, pytest.fail)
    try:
        found = {link for answer in every_page(site, asked) for link in Page(answer).links if not link.startswith("#")}
        assert len(found) > 40
        assert "/hapi" in found  # which is mounted, and is not the front's
        for link in sorted(found - {"/hapi"}):
            parts = urlsplit(link)
            answer = front.answer(replace(asked, method="HEAD", path=parts.path, query=parts.query))
            closed = "/auth/" in link and any(each in link for each in ("/data.", "/plan", "/flex?"))
            expected = 401 if closed or link.endswith("log-in") else 200
            assert answer.status == expected, (link, answer.body)
            if not isinstance(answer.body, bytes):
                answer.body.close()
    finally:
        front.end()


def test_a_source_has_its_examples_its_parameters_and_its_contacts(site, asked):
    page = Page(pages.source(site, asked, "EXAMPLES/params"))
    assert "/source/examples/params/data.csv?time=2008-06-29T17:00/2008-06-29T17:30" in page.links
    assert (
        "/source/examples/params/data.csv?time=2008-06-29T17:00/2008-06-29T17:30&read.sensor=E&read.channels=16&read.noise=false"
        in page.links
    )
    assert "/source/examples/params/flex.json" in page.links
    assert "/source/examples/params/das2.d2t" in page.links
    assert "/source/examples/" in page.links
    for text in ("read.sensor", "Magnetic field, search coil", "from 100 to 5000", "(must be given)", "Hz", "1000"):
        assert text in page.text, text
    assert "your.name [at] yourplace.edu" in page.text
    assert "your.name@" not in page.text


def test_a_view_leads_to_what_it_shows_and_a_protected_source_says_so(site, asked):
    assert "/source/examples/waveform.html" in Page(pages.source(site, asked, "Examples/Spectra")).links
    assert "Example Working Group" in Page(pages.source(site, asked, "Examples/Auth")).text


def test_an_example_that_nothing_here_can_make_says_so_and_has_no_link(site, asked):
    page = Page(pages.source(site, asked, "Examples/Spectra"))
    made = any("/plan?" in link for link in page.links)
    taken = {param.name for stage in site.registry.stages for param in stage.params}
    assert made == ("dft.length" in taken)
    assert made != ("Nothing that is installed here can make it" in page.text)


def test_no_page_says_how_data_are_made(site, asked):
    for answer in every_page(site, asked):
        assert not re.search(rb"reader\.py|#\[python\]|definitions/|/tmp/", answer.body)


def test_the_policy_of_a_page_lets_nothing_in_but_what_is_served_here(site, asked):
    for answer in every_page(site, asked):
        policy = dict(each.split(" ", 1) for each in dict(answer.headers)["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        live = {"'self'", "ws://example.org:8080", "wss://example.org:8080"}
        assert {*policy["connect-src"].split()} in ({"'self'"}, live)
        assert "unsafe" not in str(policy)
    elsewhere = replace(site, config=replace(site.config, style_sheet="https://lab.example.org:8443/s.css"))
    assert "style-src 'self' https://lab.example.org:8443;" in dict(pages.front(elsewhere, asked).headers)["Content-Security-Policy"]  # fmt: skip
    hostile = replace(site, config=replace(site.config, style_sheet="https://x;script-src *;/s.css"))
    assert "script-src *" not in dict(pages.front(hostile, asked).headers)["Content-Security-Policy"]


def test_search_finds_what_has_all_the_words_and_lists_everything_for_none(site, asked):
    found = Page(pages.search(site, replace(asked, query="q=VOYAGER+wideband")))
    assert {"/source/examples/waveform.html", "/source/examples/spectra.html"} <= {*found.links}
    assert "/source/examples/random.html" not in found.links
    assert "2 sources with VOYAGER wideband" in found.text
    assert "/source/examples/params.html" in Page(pages.search(site, replace(asked, query="q=chorus"))).links
    everything = Page(pages.search(site, replace(asked, query="q=")))
    assert sum("/source/examples/" in link for link in everything.links) == len([*site])
    assert "0 sources" in Page(pages.search(site, replace(asked, query="q=%3Cscript%3E"))).text


def test_peers_are_shown_and_lead_nowhere_strange(site, asked):
    page = Page(pages.peers(site, asked, [("A <b>", "https://a.example.org/"), ("Other", "javascript:x")]))
    assert "https://a.example.org/" in page.links
    assert "A <b>" in page.text
    assert not [link for link in page.links if link.startswith("javascript")]


def test_a_directory_shows_what_is_in_it_and_no_other(bare, asked):
    for name in ("Mission/One/A", "Mission/One/B", "Mission/C", "Missionary/D", "E"):
        bare.add(name, "records(1)")
    site = open_site(bare.root)
    top, mission, one = (Page(pages.directory(site, asked, path)) for path in ("", "MISSION/", "mission/one"))
    assert {"/source/mission/", "/source/missionary/", "/source/e.html"} <= {*top.links}
    assert "/source/mission/c.html" not in top.links
    assert {"/source/mission/one/", "/source/mission/c.html"} <= {*mission.links}
    assert not {"/source/missionary/d.html", "/source/mission/one/a.html"} & {*mission.links}
    assert {"/source/mission/one/a.html", "/source/mission/one/b.html", "/source/mission/"} <= {*one.links}
    with pytest.raises(NotFoundError, match=r"There is no directory 'missio'\. Did you mean"):
        pages.directory(site, asked, "missio")


def test_a_source_whose_definition_cannot_be_read_is_told_from_the_others(bare, asked):
    for name in ("dir/good", "dir/bad"):
        bare.add(name, "records(1)")
    (bare.root / "sources" / "dir" / "bad.json").write_text("{", encoding="utf-8")
    site = open_site(bare.root)
    for answer in (pages.front(site, asked), pages.directory(site, asked, "dir")):
        page = Page(answer)
        assert page.text.count("cannot be read") == 1
        assert {"/source/dir/good.html", "/source/dir/bad.html"} <= {*page.links}


def test_a_source_that_fits_no_stage_any_more_still_has_its_page(site, asked, monkeypatch):
    source = site["Examples/Spectra"]
    gone = replace(source.definition, readers=(replace(source.definition.readers[0], source="Gone"),))
    assert describe(Source(site, gone), "").groups == ()
    monkeypatch.setattr(type(site), "__getitem__", lambda _self, _name: Source(site, gone))
    assert "cannot be told now" in Page(pages.source(site, asked, "x")).text


def test_what_an_extra_would_add_stands_on_the_page_of_a_source(site, asked):
    """And nothing of the kind where all of them are installed."""
    spec = StageSpec("cdf", "", ARRAYS, StreamType("cdf"), "x:y")
    info = StreamTypeInfo(spec.produces, "Files <of> CDF", "application/x-cdf", "cdf")
    extras = (Extra("cdf", "Files", "dasflex[cdf]", "no_such_library", (spec,), (info,)), PAGES)
    lean = replace(site, registry=replace(site.registry, extras=extras))
    answer = pages.source(lean, asked, "Examples/Spectra")
    assert "Files, by" in Page(answer).text
    text = answer.body.decode("utf-8").replace("&#39;", "'")
    assert "<li>Files, by <code>pip install 'dasflex[cdf]'</code>: .cdf (Files &lt;of&gt; CDF)</li>" in text
    assert "<li>The live plot on the page of the source, by <code>pip install 'dasflex[pages]'</code></li>" in text
    whole = replace(site, registry=replace(site.registry, extras=()))
    assert "pip install" not in Page(pages.source(whole, asked, "Examples/Spectra")).text


def test_the_introduction_says_in_a_line_whether_there_is_background_work(bare, asked):
    assert "Background work is off" in Page(pages.front(open_site(bare.root), asked)).text
    with (bare.root / "etc" / "dasflex.conf").open("a") as conf:
        conf.write("\nWORK_QUEUE_BROKER = redis\n")
    site = open_site(bare.root)
    assert "Nobody does background work" in Page(pages.front(site, asked)).text
    Spool(site.config).beat()
    assert "ackground work" not in Page(pages.front(site, asked)).text


def test_a_site_without_sources_says_what_to_do(bare, asked):
    assert "dasflex install" in Page(pages.front(open_site(bare.root), asked)).text
    assert "No source is here" in Page(pages.directory(open_site(bare.root), asked, "")).text


def test_unlisted_sources_have_a_page_but_no_link(bare, asked):
    bare.add("open", "records(1)")
    definition = (bare.root / "definitions" / "open" / "source.toml").read_text(encoding="utf-8")
    bare.add("hidden", "records(1)", f"listed = false\n{definition}")
    site = open_site(bare.root)
    assert "/source/hidden.html" not in Page(pages.front(site, asked)).links
    assert Page(pages.source(site, asked, "hidden")).text


def test_the_configuration_changes_style_sample_and_contact(site, asked):
    config = replace(
        site.config, style_sheet="our own.css", site_title="Some Lab", site_url="https://lab.example.org/",
        contact_email="ann&#64;example.org", contact_url="javascript:alert(1)",
        sample_dsdf="examples/random.dsdf", sample_start="2017-01-01", sample_end="2017-01-02",
    )  # fmt: skip
    page = Page(pages.front(replace(site, config=config), replace(asked, base="/x")))
    assert page.all("link")[0]["href"] == "/x/static/our%20own.css"
    assert "https://lab.example.org/" in page.links
    assert "ann [at] example.org" in page.text
    assert not [link for link in page.links if link.startswith("javascript")]
    assert "/x/source/examples/random/data.csv?time=2017-01-01/2017-01-02" in page.links
    for style in ("https://lab.example.org/s.css", "/s.css"):
        styled = replace(site, config=replace(site.config, style_sheet=style))
        assert Page(pages.front(styled, asked)).all("link")[0]["href"] == style


def test_how_data_are_cited_is_a_link_where_it_has_an_address(site, asked, monkeypatch):
    source = site["Examples/Random"]
    cite = Cite(doi="https://doi.org/10.5555/a<b", spase="spase://X/Y", licence="CC0-1.0", text="A & B, 2020")
    cited = replace(source.definition, cite=cite)
    monkeypatch.setattr(type(site), "__getitem__", lambda _self, _name: Source(site, cited))
    page = Page(pages.source(site, asked, "x"))
    assert "https://doi.org/10.5555/a%3Cb" in page.links
    for text in ("A & B, 2020", "spase://X/Y", "Licence CC0-1.0", "doi:10.5555/a<b"):
        assert text in page.text


HOSTILE = st.one_of(
    st.text(min_size=1, max_size=40),
    st.sampled_from(['"><script>alert(1)</script>', "' onload='x", "{{ 7*7 }}", "{% raw %}", "</table>", "&lt;b&gt;"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=HOSTILE, two=HOSTILE)
def test_whatever_a_definition_says_is_shown_as_text(examples, one, two):
    site = open_site(examples.root)
    definition = site["Examples/Random"].definition
    hostile = replace(
        definition, title=one, summary=two, contacts=Contacts(two, one), cite=Cite(text=one, doi=two),
        data={"x": DataItem(title=one, units=two)}, options={"word": Option(two, values=((one, two),))},
        examples=(Example(one, (("read.time.min", "2017-01-01"), ("read.word", two))),),
    )  # fmt: skip
    asked = Asked(method="GET", path="/", headers=BROWSER)

    class Changed(type(site)):
        def __getitem__(self, _name: str) -> Source:
            return Source(self, hostile)

    changed = Changed(site.config, site.registry, site.external)
    answers = [pages.source(changed, asked, "x"), pages.error(site, asked, 400, one, two)]
    for answer in answers:
        page = Page(answer)
        assert "{{ 7*7 }}" not in (one, two) or "49" not in page.texts["p"]
    shown = "".join(Page(answers[1]).texts["p"])
    if one.isprintable():
        assert one in shown


def test_characters_that_html_has_none_of_are_replaced(site, asked):
    page = Page(pages.error(site, asked, 400, "a\0b\x1b[31mc\x85", ""))
    assert "a\ufffdb\ufffd[31mc\ufffd" in page.text


def test_addresses_for_mail_are_shown_for_people():
    assert Wording.mangled("Ann <ann@example.org>, Bob") == "Ann (ann [at] example.org), Bob"
    assert Wording.safe("javascript:x") == Wording.safe("data:x") == ""


def test_the_colours_of_the_style_sheet_can_be_told_apart_by_everybody():
    def brightness(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    css = Path(find("/no/root", "/static/dasflex.css")).read_text(encoding="utf-8")
    schemes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", found))
        for found in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]
    assert len(schemes) == 2
    for scheme in schemes:
        pairs = [(front, back) for front in ("text", "soft", "link", "warn") for back in ("ground", "panel")]
        for front, back in [*pairs, ("bar-text", "bar")]:
            low, high = sorted((brightness(scheme[front]), brightness(scheme[back])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (front, back)  # WCAG 2.2, 1.4.3


def test_the_logo_is_a_picture_that_clients_can_draw(site, asked):
    front = Front(site, pytest.fail)
    answer = front.answer(replace(asked, path="/logo.png"))
    assert (answer.status, dict(answer.headers)["Content-Type"]) == (200, "image/png")
    drawn = png(draw(8))
    assert drawn[:8] == b"\x89PNG\r\n\x1a\n"
    front.end()


def test_a_page_of_a_large_catalog_takes_little_time(bare, asked):
    site = open_site(bare.root)
    entries = [Entry(f"M{number % 40}/S{number}", f"m/s{number}.json", "Title") for number in range(4_000)]
    (bare.root / "sources").mkdir(exist_ok=True)
    (bare.root / "sources" / "index.json").write_text(index_text(entries, {}, {}), encoding="utf-8")
    pages.front(site, asked)
    begin = time.perf_counter()
    page = Page(pages.front(site, asked))
    assert time.perf_counter() - begin < 1.0
    assert "/source/m7/" in page.links
    assert not [link for link in page.links if "/s" in link.removeprefix("/source/") and link.startswith("/source")]
