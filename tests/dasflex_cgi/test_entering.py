# SPDX-License-Identifier: GPL-3.0-or-later
"""How the page of a protected source is entered."""

from __future__ import annotations

from base64 import b64encode

import pytest

from dasflex_cgi.entering import OPEN, Entrance, entrance
from dasflex_core.claims import Claim
from dasflex_core.errors import AccessError
from dasflex_core.roots import make_root
from dasflex_core.site import open_site
from dasflex_passwd.users import add_user

REALM = "Example Working Group"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The examples, with a user."""
    root = tmp_path_factory.mktemp("entering") / "root"
    make_root(root, "Test Server")
    found = open_site(root)
    add_user(found.config, "testuser", "test")
    return found


def basic(user: str, password: str) -> Claim:
    """What a browser says of who asks."""
    return Claim("192.0.2.7", "Basic " + b64encode(f"{user}:{password}".encode()).decode())


def test_nobody_enters_what_is_open(site):
    assert entrance(site["Examples/Random"], Claim("192.0.2.7"), "", "log-in") is OPEN


def test_a_protected_page_leads_to_its_own_log_in_and_keeps_what_was_asked(site):
    source = site["Examples/Auth"]
    asked = "/das/source/examples/auth.html?time=2017-01-01/2017-01-02&log-in"
    assert entrance(source, Claim("192.0.2.7"), "/das", "time=2017-01-01/2017-01-02") == Entrance(
        REALM, "", asked, entered=False
    )
    assert entrance(source, Claim("192.0.2.7"), "", "").address == "/source/examples/auth.html?log-in"


def test_the_log_in_is_demanded_where_it_is_asked_for(site):
    with pytest.raises(AccessError) as refused:
        entrance(site["Examples/Auth"], Claim("192.0.2.7"), "", "log-in")
    assert (refused.value.kind, refused.value.realm) == ("access.log-in", REALM)


def test_a_wrong_password_does_not_close_the_page_but_is_told_where_the_log_in_is_asked_for(site):
    source = site["Examples/Auth"]
    assert not entrance(source, basic("testuser", "wrong"), "", "").entered
    with pytest.raises(AccessError):
        entrance(source, basic("testuser", "wrong"), "", "log-in")


@pytest.mark.parametrize("query", ["", "log-in", "time=2017-01-01/2017-01-02&log-in"])
def test_whoever_has_logged_in_is_named(site, query):
    assert entrance(site["Examples/Auth"], basic("testuser", "test"), "", query) == Entrance(REALM, "testuser")
