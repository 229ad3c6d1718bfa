# SPDX-License-Identifier: GPL-3.0-or-later
"""What is too dear over HTTP is so over a WebSocket, in the form that was asked, with what would do."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

RATED = """
title = "Rated"
contacts = { technical = "A <a@example.org>" }
reader = { command = "true #[read.time.min] #[read.time.max]", writes = "das/3/binary", rate = "10 packet/s of 1 kB" }
example = [{ time = "2020-01-01 to 2020-01-02" }]
"""


def test_a_request_that_costs_too_much_is_refused_before_the_upgrade_and_nothing_runs(device, served):
    place = device.root / "definitions" / "Lab" / "Rated"
    place.mkdir(parents=True)
    (place / "source.toml").write_text(RATED)
    device.install()
    with next(device.root.glob("**/dasflex.conf")).open("a") as file:
        file.write('\nLIMIT_REQUEST_GIGABYTES = "0.1"\n')
    pairs = {"read.time.min": "2020-01-01", "read.time.max": "2020-01-02", "format.type": "das", "format.version": "3"}
    with pytest.raises(InvalidStatus) as found:
        served().connect("/dasws/Lab/Rated/flexRT", pairs)
    response = found.value.response
    assert response.status_code == 413
    assert response.headers["Content-Type"].startswith("text/vnd.das.stream")
    assert b"would read about 864 MB, where at most 100 MB are allowed; ask for at most 166 minutes" in response.body
    assert b"Prefer" not in response.body
