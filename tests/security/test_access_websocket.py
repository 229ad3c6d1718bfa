# SPDX-License-Identifier: GPL-3.0-or-later
"""Over the WebSocket nobody gets more of a protected source than over HTTP, by whatever is said in its opening."""

from __future__ import annotations

import base64
import importlib.util
import time
from pathlib import Path

import pytest

from dasflex_core.tickets import issue, site_key
from dasflex_passwd import tokens

QUERY = "read.time.min=2020-01-01&read.time.max=2020-01-02"
NEW = QUERY.replace("2020", "2026")
TARGET = "/dasws/vault/user/flexRT?" + QUERY
EVIL = "Origin: https://evil.example"
MARKS = (b"TOPSECRET", b"424242")


@pytest.fixture(scope="module")
def daemon(vault):
    """A server of the root in a thread."""
    place = Path(__file__).parents[1] / "dasflex_ws" / "server.py"
    spec = importlib.util.spec_from_file_location("dasflex_ws_server_of_attacks", place)
    wire = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wire)
    begun = wire.Served(vault.root)
    begun.opening = wire.opening
    yield begun
    begun.stop()


@pytest.fixture
def opened(daemon):
    """What an opening is answered by: the status, and all that came."""

    def ask(target: str, *lines: str) -> tuple[int, bytes]:
        forwarded = (
            ()
            if any(each.lower().startswith("x-forwarded-for") for each in lines)
            else ("X-Forwarded-For: 203.0.113.9",)
        )
        with daemon.raw(daemon.opening(target, *forwarded, *lines)) as connection:
            said = b""
            while piece := connection.recv(1 << 16):
                said += piece
                if b"\x88" in piece[-64:] and b" 101 " in said[:20]:
                    break
        return int(said.split(b" ", 2)[1]), said

    return ask


@pytest.fixture
def ticket(vault):
    """Makes tickets of the site."""

    def make(source: str = "Vault/User", user: str = "anna", ago: float = 0) -> str:
        return issue(site_key(vault.site.config.runtime), source, user, time.time() - ago)

    return make


def test_the_attacks_would_be_seen(opened, known, ticket):
    for target, lines in (
        (TARGET, [f"Authorization: {known}"]),
        (f"{TARGET}&ticket={ticket()}", []),
        (f"{TARGET}&ticket={ticket()}", [EVIL]),
        (TARGET, ["X-Forwarded-For: 198.51.100.7"]),
        ("/dasws/open/free/flexRT?" + QUERY, [EVIL]),
    ):
        status, said = opened(target, *lines)
        assert status == 101
        assert all(mark in said for mark in MARKS)


@pytest.mark.parametrize(
    "target",
    ["/dasws/vault/user/flexRT", "/DASWS/VAULT/USER/FLEXRT", "/dasws//vault//user//flex", "/source/vault/user/flex",
     "/dasws/vault%2fuser/flexRT", "/dasws/vault/%75ser/flexRT", "/dasws/vault/%2575ser/flexRT", "/dasws/open/view/flexRT",
     "/dasws/Open/Again/flex", "/dasws/attic/user/flexRT", "/dasws/open/../vault/user/flexRT", "/dasws/./vault/user/flexRT",
     "/dasws/vault/user;x/flexRT", "/dasws/vault/user%00/flexRT", "/dasws/vault/user./flexRT", "/vault/user/flexRT",
     "http://other.example/dasws/vault/user/flexRT", "/dasws/vault/user/flexRT/flexRT", "/dasws/vault/group/flexRT"],
)  # fmt: skip
def test_no_spelling_of_an_address_gets_round_the_rules(opened, target):
    status, said = opened(f"{target}?{QUERY}")
    assert status in (400, 401, 404)
    assert not any(mark in said for mark in MARKS)


@pytest.mark.parametrize(
    "line",
    ["X-Remote-User: anna", "X_Remote_User: anna", "Remote-User: anna", "REMOTE_USER: anna", "Cookie: user=anna",
     "Authorization: Basic Og==", "Authorization: Bearer", "Authorization: Ticket anna", "X-Real-IP: 198.51.100.7",
     "X-Forwarded-For: 198.51.100.7, 203.0.113.9", "X-Forwarded-For: 198.51.100.7,", "X-Forwarded-For: 198.51.100.7, x",
     "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.9", "Forwarded: for=198.51.100.7",
     "Sec-WebSocket-Protocol: request", "Origin: http://127.0.0.1", "Origin: null"],
)  # fmt: skip
def test_no_header_of_a_stranger_opens_a_source(opened, line):
    status, said = opened(TARGET, line)
    assert (status, any(mark in said for mark in MARKS)) == (401, False)


def test_a_page_of_another_site_gets_nothing_by_what_its_visitor_has(opened, known):
    """A browser sends the passwords that it knows with an opening, too, and any page may open a WebSocket."""
    for origin in (EVIL, "Origin: null", "Origin: http://127.0.0.1.evil.example", "Origin: file://"):
        for lines in ([f"Authorization: {known}"], ["X-Forwarded-For: 198.51.100.7"]):
            status, said = opened(TARGET, origin, *lines)
            assert (status, any(mark in said for mark in MARKS)) == (401, False)
    assert opened(TARGET, "Origin: http://127.0.0.1", f"Authorization: {known}")[0] == 101


def test_only_a_ticket_of_this_source_and_moment_opens_it(opened, ticket):
    good = ticket()
    ends, name, mac = good.split(".")
    group = base64.urlsafe_b64encode(b"testuser").decode().rstrip("=")
    later = str(int(ends) + 600)
    for each in (
        ticket("Vault/Group"), ticket("Open/View"), ticket("Vault/Users"), ticket(user=""), ticket(ago=61), ticket(user="ben"),
        f"{later}.{name}.{mac}", f"{ends}.{group}.{mac}", f"{ends}.{name}.{mac[:-1]}", f"{ends}.{name}.", f"{ends}.{name}", ends, "",
        "x", ".", "..", f"{ends}.{name}.{mac}.", f"-{ends}.{name}.{mac}", f"{ends}.{name}=.{mac}", "\u0661.a.b", "a" * 4000,
        f"{ends}.{name}.{mac}%00", f"{good}&ticket=x", f"{ends}.{name}..{mac}", f"%2B{ends}.{name}.{mac}",
    ):  # fmt: skip
        status, said = opened(f"{TARGET}&ticket={each.encode().decode('latin-1')}")
        assert status in (400, 401, 403), each
        assert not any(mark in said for mark in MARKS)
    assert opened(f"/dasws/vault/group/flexRT?{QUERY}&ticket={ticket('Vault/Group')}")[0] == 403


def test_the_scope_of_a_token_holds(opened, vault):
    made = [
        tokens.issue(vault.site.config, "anna", scope=scope, expires=0, name="", now=time.time())
        for scope in (("vault/",), ("Open/",), ("Vault/Group",))
    ]
    assert [opened(TARGET, f"Authorization: Bearer {each}")[0] for each in made] == [101, 403, 403]
    assert opened("/dasws/open/view/flexRT?" + QUERY, f"Authorization: Bearer {made[0]}")[0] == 403


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        ("/dasws/vault/age/flexRT?" + NEW, {401}),
        ("/dasws/vault/age/flexRT?read.time.min=2019-01-01", {400, 401}),
        ("/dasws/vault/age/flexRT?read.time.min=2019-01-01&read.time.max=forever", {400, 401}),
        ("/dasws/vault/age/flexRT?read.time.min=2019-01-01&read.time.max=2019-01-02&read_time_max=now", {400, 401}),
        ("/dasws/vault/uncut/flexRT?" + QUERY, {400, 401}),
        ("/dasws/open/aged/flexRT?" + NEW, {401}),
    ],
)
def test_the_rules_of_age_hold(opened, target, statuses):
    status, said = opened(target)
    assert status in statuses
    assert not any(mark in said for mark in MARKS)


@pytest.mark.parametrize(
    "more", ["", "&bin.time.max=1", "&bin.time.max=60&Bin.Time.Max=1", "&bin.time.max=nan", "&resolution=1"]
)
def test_the_rules_of_bins_hold(opened, more):
    status, said = opened(f"/dasws/vault/bin/flexRT?{NEW}&format.type=csv{more}")
    assert status in (101, 400, 401)
    assert said.count(b"2026-01-01T") <= 11
