# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect: whose address counts, which pages may, and how many at once."""

from __future__ import annotations

from contextlib import ExitStack
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dasflex_core.errors import AccessError, BusyError
from dasflex_ws.admission import Doors, check_origin, client_address

PROXIES = [ip_network("127.0.0.0/8"), ip_network("::1/128"), ip_network("2001:db8::/32")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.9", "198.51.100.1", "192.0.2.9"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.5, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1, _hidden", "127.0.0.1"),
        ("::1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8::1%eth0", "198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "198.51.100.1", "fe80::1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_only_a_trusted_proxy_says_for_whom_it_asks_and_only_its_own_word_counts(peer, forwarded, client):
    assert client_address(peer, forwarded, PROXIES) == client


def test_without_trusted_proxies_nobody_is_believed():
    assert client_address("127.0.0.1", "198.51.100.1", []) == "127.0.0.1"


@given(some.text(max_size=40))
def test_no_forwarded_address_is_anything_but_an_address(text):
    from ipaddress import ip_address

    ip_address(client_address("127.0.0.1", text, PROXIES))


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("", "server", ""),
        ("https://anywhere.example", "server", "*"),
        ("https://example.edu", "server", "https://other.edu, https://EXAMPLE.edu/"),
        ("http://server:8080", "Server:8080", "https://example.edu"),
    ],
    ids=["a program", "any", "listed", "same host"],
)
def test_these_may_connect(origin, host, allowed):
    check_origin(origin, host, allowed)


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://evil.example", "server", "https://example.edu"),
        ("https://example.edu.evil.example", "server", "https://example.edu"),
        ("https://example.edu:444", "server", "https://example.edu"),
        ("http://example.edu", "server", "https://example.edu"),
        ("null", "server", "https://example.edu"),
        ("null", "", ""),
        ("http://server", "server:8080", "https://example.edu"),
    ],
    ids=[
        "another",
        "a longer name",
        "another port",
        "another scheme",
        "no page",
        "no host",
        "another port of the host",
    ],
)
def test_these_may_not(origin, host, allowed):
    with pytest.raises(AccessError):
        check_origin(origin, host, allowed)


def test_a_place_that_is_left_is_free_again_and_each_address_has_its_own():
    doors = Doors()
    with ExitStack() as inside:
        inside.enter_context(doors.entered("a", most=3, most_each=2))
        inside.enter_context(doors.entered("a", most=3, most_each=2))
        with pytest.raises(BusyError, match="2 connections from this address"), doors.entered("a", most=3, most_each=2):
            pass
        inside.enter_context(doors.entered("b", most=3, most_each=2))
        with pytest.raises(BusyError, match="as it can hold"), doors.entered("c", most=3, most_each=2):
            pass
    with doors.entered("a", most=1, most_each=1):
        pass


def test_who_is_refused_leaves_no_trace():
    doors = Doors()
    for _each in range(3):
        with doors.entered("a", most=0, most_each=1), pytest.raises(BusyError), doors.entered("a", most=0, most_each=1):
            pass
    with pytest.raises(KeyError), doors.entered("a", most=1, most_each=1):
        raise KeyError
    with doors.entered("a", most=1, most_each=1):
        pass


def test_no_limit_is_none():
    doors = Doors()
    with ExitStack() as inside:
        for _each in range(100):
            inside.enter_context(doors.entered("a", most=0, most_each=0))
