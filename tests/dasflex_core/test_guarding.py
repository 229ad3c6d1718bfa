# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before the planning: claims are proven or refused, and a plan keeps what leave was given for."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

import dasflex_core
from dasflex_core.catalog.model import Access
from dasflex_core.claims import Claim, user_of_proxy
from dasflex_core.config import read_config
from dasflex_core.errors import AccessError
from dasflex_core.roots import make_root
from dasflex_core.site import Request, Source

DAY = (("read.time.min", "2017-01-01"), ("read.time.max", "2017-01-02"))


def basic(user, password):
    """The header of a log-in."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with the examples, a group, and a network that is never asked."""
    made = make_root(tmp_path_factory.mktemp("guarding") / "root", "Guarding").root
    with (made / "etc/dasflex.conf").open("a") as file:
        file.write('\nREMOTE_USER_PROXIES = "192.0.2.1 2001:db8::/32"\n')
    text = (made / "etc/dasflex.conf").read_text()
    assert "ALLOW_TEST_FROM" in text
    lines = [line for line in text.splitlines() if not line.lstrip("# ").startswith("ALLOW_TEST_FROM")]
    (made / "etc/dasflex.conf").write_text("\n".join([*lines, 'ALLOW_TEST_FROM = "198.51.100.0/24 ::1"', ""]))
    (made / "etc/group").write_text("# groups\nteam: anna testuser\nother:ben\n")
    return made


@pytest.fixture(scope="module")
def site(root):
    return dasflex_core.open(root)


def guarded(site, identifier, *allow, realm="Team"):
    """A source with rules of its own."""
    source = site[identifier]
    return Source(site, replace(source.definition, access=Access(realm, allow)))


def kind_of(source, claim, pairs=DAY, convention="flex"):
    """The kind of refusal that a request gets; blank where there is none."""
    try:
        Request(source, pairs, convention, claim).plan()
    except AccessError as error:
        return error.kind
    return ""


def test_who_opens_a_site_in_a_name_may_read_what_that_user_may(root):
    """Whoever may read a root could run its readers, and is believed."""
    assert dasflex_core.open(root, user="testuser")["Examples/Auth"].examples[0].plan().user == "testuser"
    for user, kind in (("", "access.log-in"), ("somebody", "access.denied")):
        with pytest.raises(AccessError) as caught:
            dasflex_core.open(root, user=user)["Examples/Auth"].examples[0].plan()
        assert caught.value.kind == kind


def test_open_sources_ask_nobody(site):
    assert kind_of(site["Examples/Random"], Claim(authorization="Basic nonsense")) == ""


@pytest.mark.parametrize("authorization", ["Basic", "Basic !!!", "Basic YQ==", "Digest x", "Bearer", "x" * 9000])
def test_a_log_in_that_nobody_understands_is_refused_and_never_ignored(site, authorization):
    assert kind_of(site["Examples/Auth"], Claim("203.0.113.1", authorization)) == "access.log-in"


def test_groups_come_from_the_group_file(site):
    source = guarded(site, "Examples/Random", "group:team")
    assert kind_of(source, Claim(ticket_user="anna")) == ""
    assert kind_of(source, Claim(remote_user="anna")) == ""
    assert kind_of(source, Claim(ticket_user="ben")) == "access.denied"
    assert kind_of(source, Claim()) == "access.log-in"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("198.51.100.7", ""),
        ("::ffff:198.51.100.7", ""),
        ("::1", ""),
        ("198.51.101.7", "access.log-in"),
        ("127.0.0.1", "access.log-in"),
        ("", "access.log-in"),
        ("nonsense", "access.log-in"),
    ],
)
def test_networks_that_are_listed_are_never_asked(site, address, kind):
    assert kind_of(site["Examples/Auth"], Claim(address)) == kind


def test_a_view_is_as_protected_as_what_it_shows(site):

    waveform = replace(site["Examples/Waveform"].definition, access=Access("Voyager", ("user:don",)))
    catalog = site.catalog

    class Catalog:
        def find(self, identifier):
            return waveform if identifier.lower() == "examples/waveform" else catalog.find(identifier)

    other = dasflex_core.open(site.config.root)
    other.__dict__["catalog"] = Catalog()
    spectra = other["Examples/Spectra"]
    assert spectra.protected
    pairs = spectra.examples[0].pairs
    assert kind_of(spectra, Claim(), pairs) == "access.log-in"
    assert kind_of(spectra, Claim(ticket_user="don"), pairs) == ""


def test_who_may_read_averages_only_gets_these_with_an_explanation(site):
    source = guarded(site, "Examples/Random", "group:team", "bin:600 s")
    plan = Request(source, DAY, claim=Claim()).plan()
    assert dict(plan.solution.request)["bin.time.max"] == "600"
    assert "averages of 600 s" in plan.note
    assert plan.note in plan.explain()
    wider = Request(source, (*DAY, ("bin.time.max", "3600")), claim=Claim()).plan()
    assert (dict(wider.solution.request)["bin.time.max"], wider.note) == ("3600", "")
    full = Request(source, DAY, claim=Claim(ticket_user="anna")).plan()
    assert "bin.time.max" not in dict(full.solution.request)
    assert full.solution.answer != plan.solution.answer


@pytest.mark.parametrize("convention", ["flex", "das2"])
@pytest.mark.parametrize("width", ["", "10", "1e-9", "nan", "inf", "-600", "60 s"])
def test_nobody_gets_more_than_averages_by_asking_in_another_way(site, convention, width):
    """Where no bins can be made, nothing is given: das2 clients have a width ignored that nothing can consume."""
    names = {
        "flex": ("read.time.min", "read.time.max", "bin.time.max"),
        "das2": ("start_time", "end_time", "resolution"),
    }
    begin, end, wide = names[convention]
    pairs = ((begin, "2017-01-01"), (end, "2017-01-02"), *(((wide, width),) if width else ()))
    source = guarded(site, "Examples/Random", "bin:600 s")
    never = Source(site, replace(source.definition, never=("bin",)))
    try:
        plan = Request(source, pairs, convention, Claim()).plan()
    except ValueError:
        assert width in ("nan", "inf", "-600", "60 s")
    else:
        assert float(dict(plan.solution.request)["bin.time.max"]) >= 600
        assert any("bin.time.max" in step.consumes for step in plan.solution.path.steps)
    with pytest.raises((AccessError, ValueError)):
        Request(never, pairs, convention, Claim()).plan()


def test_a_model_whose_averages_nobody_can_make_is_closed(site):
    source = guarded(site, "Examples/Ephemeris", "bin:600 s")
    pairs = source.examples[0].pairs
    assert kind_of(source, Claim(), pairs) == "access.log-in"


def test_the_word_of_a_web_server_counts_where_it_is_listed(root):
    config = read_config(root / "etc/dasflex.conf")
    headers = {"x-remote-user": " anna "}
    for peer, user in (
        ("192.0.2.1", "anna"),
        ("::ffff:192.0.2.1", "anna"),
        ("2001:db8::7", "anna"),
        ("192.0.2.2", ""),
        ("127.0.0.1", ""),
        ("", ""),
        ("x", ""),
    ):
        assert user_of_proxy(peer, headers, config) == user
    assert user_of_proxy("192.0.2.1", {}, config) == ""


def test_credentials_are_not_shown():
    assert "c2VjcmV0" not in repr(Claim("192.0.2.7", "Basic c2VjcmV0"))
