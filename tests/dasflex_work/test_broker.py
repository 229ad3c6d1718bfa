# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the server of the work-lists is, and what is said where it is not."""

from __future__ import annotations

import socket
import time

import pytest

from dasflex_core.config import read_config
from dasflex_core.errors import BusyError, ConfigError
from dasflex_core.roots import make_root
from dasflex_work.broker import connected, place, queue_name, url


@pytest.fixture
def configured(tmp_path):
    """Makes the configuration of a site whose broker is at a place."""

    def make(where, broker="redis"):
        made = make_root(tmp_path / "root", "Broker", examples=False)
        kept = [each for each in made.file.read_text().splitlines() if not each.startswith("WORK_QUEUE")]
        added = [f'WORK_QUEUE_BROKER = "{broker}"', f'WORK_QUEUE_CONN = "{where}"']
        made.file.write_text("\n".join([*kept, *added, ""]))
        return read_config(made.file)

    return make


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("localhost:6379:0", "redis://localhost:6379/0"),
        ("localhost", "redis://localhost:6379/0"),
        ("db.example:7000", "redis://db.example:7000/0"),
        ("127.0.0.1:7000:3", "redis://127.0.0.1:7000/3"),
        ("[::1]:7000:3", "redis://[::1]:7000/3"),
        ("redis://:pass@host:6379/1", "redis://:pass@host:6379/1"),
        ("rediss://host", "rediss://host"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_a_place_is_understood(configured, written, meant):
    assert url(configured(written)) == meant


@pytest.mark.parametrize("written", ["host:port:0", "host:70000", "http://host", "a b", "host:1:2:3", "user@host"])
def test_what_is_no_place_is_refused_with_how_one_is_written(configured, written):
    with pytest.raises(ConfigError, match="localhost:6379:0"):
        url(configured(written))


def test_where_it_is_off_it_is_told_how_it_is_set(configured):
    with pytest.raises(ConfigError, match="WORK_QUEUE_BROKER = redis"):
        url(configured("localhost", broker=""))


def test_no_password_is_shown(configured):
    config = configured("redis://user:geheim@127.0.0.1:1/0")
    assert place(config) == "redis://127.0.0.1:1/0"
    with pytest.raises(BusyError) as caught:
        connected(config)
    assert "geheim" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)


def test_a_server_that_is_not_there_is_told_at_once(configured):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        config = configured(f"127.0.0.1:{free.getsockname()[1]}")
        begun = time.monotonic()
        with pytest.raises(BusyError, match="does not answer"):
            connected(config)
    assert time.monotonic() - begun < 2


def test_a_server_that_says_nothing_is_not_waited_for(configured):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begun = time.monotonic()
        with pytest.raises(BusyError, match="does not answer"):
            connected(configured(f"127.0.0.1:{silent.getsockname()[1]}"), timeout=0.2)
    assert time.monotonic() - begun < 2


def test_two_sites_have_lists_of_their_own_at_a_server(configured):
    assert queue_name(configured("localhost")) == "dasflex:broker"
