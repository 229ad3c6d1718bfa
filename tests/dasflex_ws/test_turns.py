# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests at once are counted over the WebSocket and everything else of a root together."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from websockets.exceptions import InvalidStatus

from dasflex_core.errors import BusyError
from dasflex_core.run.turns import Crowd, Group

DEVICE = "/dasws/lab/device/flexRT"
PAST = f"{DEVICE}?{urlencode({'time': '2021-01-01/2021-01-02'})}"
#: A reader of the past that gives a little.
ARCHIVE = """
[[reader]]
name = "archive"
command = "#[python] {folder}/archive.py #[read.time.min] #[read.time.max] #[read.antenna # antenna=@ #]"
writes = "das/3/binary"
"""


@pytest.fixture
def place(device):
    """Takes the only place of the server, as another program of the root would."""
    text = (device.folder / "reader.py").read_text().replace("script.json", "archive.json").replace("starts", "past")
    (device.folder / "archive.json").write_text('[{"count": 3, "every": 0}]')
    text = text.replace("Path(sys.argv[1])", f"Path({str(device.folder)!r})")
    (device.folder / "archive.py").write_text(text)
    device.define(readers=ARCHIVE.format(folder=device.folder))
    return Crowd(str(device.root / "run" / "turns"), (Group("server", 1, "full"),), 0, pytest.fail).enter


def test_data_of_the_past_wait_for_their_turn_and_are_refused_without_one(served, place):
    server = served("LIMIT_AT_ONCE = 1", "LIMIT_WAIT = 0.2")
    leave = place()
    with pytest.raises(InvalidStatus) as refused:
        server.connect(PAST)
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"] == "5"
    with server.connect(DEVICE) as live:  # who watches what is live shares a reader, and has limits of their own
        assert live.recv(20)
    leave()
    with server.connect(PAST) as past:
        assert past.recv(20)


def test_the_turn_ends_with_the_connection(served, place):
    server = served("LIMIT_AT_ONCE = 1", "LIMIT_WAIT = 5")
    for _time in range(3):
        with server.connect(PAST) as past:
            assert past.recv(20)
    while True:
        try:
            place()()
            break
        except BusyError:
            continue


def test_an_address_is_told_that_it_asks_for_too_much(served, place, device):
    server = served("LIMIT_AT_ONCE_EACH = 1", "LIMIT_WAIT = 0")
    name = "address 192.0.2.1"
    leave = Crowd(str(device.root / "run" / "turns"), (Group(name, 1, "full"),), 0, pytest.fail).enter()
    with pytest.raises(InvalidStatus) as refused:
        server.connect(PAST, additional_headers={"X-Forwarded-For": "192.0.2.1"})
    assert refused.value.response.status_code == 429
    with server.connect(PAST, additional_headers={"X-Forwarded-For": "192.0.2.2"}) as other:
        assert other.recv(20)
    leave()
