# SPDX-License-Identifier: GPL-3.0-or-later
"""How a daemon is: metrics that are documented and count, and a health that is asked over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

import dasflex_core
from dasflex_ws.metrics import Metrics
from dasflex_ws.status import LOOPBACK, Status

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"


class TestMetrics:
    def test_each_has_its_heading_and_no_heading_lacks_its_metric(self):
        text = Metrics().exposition().decode()
        names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
        ours = {name for name in names if name.startswith("dasflex_ws_") and not name.endswith("_created")}
        lines = REFERENCE.read_text(encoding="utf-8").splitlines()
        assert {line.strip("# `") for line in lines if line.startswith("## `dasflex_ws_")} == ours
        assert len(ours) > 10

    def test_they_are_there_before_anything_happens(self):
        text = Metrics().exposition().decode()
        assert 'dasflex_ws_refusals_total{kind="busy"} 0.0' in text
        assert 'dasflex_ws_errors_total{kind="gone"} 0.0' in text
        assert "process_open_fds" in text

    def test_they_count_what_they_say(self):
        metrics = Metrics()
        metrics.written(100, 2)
        metrics.lost(50)
        metrics.refusal("busy.limit")
        metrics.refusal("some.thing")
        metrics.failure("source.exit")
        metrics.lag.observe(0.02)
        text = metrics.exposition().decode()
        for line in (
            "dasflex_ws_sent_bytes_total 100.0",
            "dasflex_ws_sent_messages_total 2.0",
            "dasflex_ws_dropped_bytes_total 50.0",
            "dasflex_ws_dropped_messages_total 1.0",
            'dasflex_ws_refusals_total{kind="busy"} 1.0',
            'dasflex_ws_refusals_total{kind="http"} 1.0',
            'dasflex_ws_errors_total{kind="source"} 1.0',
            'dasflex_ws_lag_seconds_bucket{le="0.01"} 0.0',
            'dasflex_ws_lag_seconds_bucket{le="0.025"} 1.0',
        ):
            assert line in text.splitlines()

    def test_a_family_that_nobody_knows_makes_no_new_series(self):
        metrics = Metrics()
        before = metrics.exposition().count(b"\n")
        metrics.failure("made.up")
        metrics.refusal("made.up")
        assert metrics.exposition().count(b"\n") == before


class TestHttp:
    @pytest.fixture
    def asked(self, tmp_path):
        """Asks, byte for byte, how a daemon is; gives what is answered."""
        from dasflex_core.roots import make_root

        make_root(tmp_path / "root", "Status", examples=False)
        site = dasflex_core.open(tmp_path / "root")

        def ask(request: bytes, *, ending: bool = False, broken: bool = False) -> tuple[list[str], bytes]:
            if broken:
                (tmp_path / "root" / "sources" / "index.json").write_text("{")
            return trio.run(answered, Status(Metrics(), lambda: site, lambda: ending), request)

        return ask

    @pytest.mark.parametrize("path", ["/status", "/metrics", "/metrics?x=1"])
    def test_the_metrics_are_as_prometheus_reads_them(self, asked, path):
        head, body = asked(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert head[0] == "HTTP/1.1 200 OK"
        assert "Content-Type: text/plain; version=0.0.4; charset=utf-8" in head
        assert f"Content-Length: {len(body)}" in head
        assert b"\ndasflex_ws_clients 0.0\n" in body

    def test_it_is_well_while_the_catalog_can_be_read(self, asked):
        head, body = asked(b"GET /health HTTP/1.0\r\n\r\n")
        assert (head[0], json.loads(body)["status"]) == ("HTTP/1.1 200 OK", "ok")
        head, body = asked(b"GET /health HTTP/1.0\r\n\r\n", ending=True)
        assert (head[0].split()[1], json.loads(body)["status"]) == ("503", "the daemon is ending")
        head, body = asked(b"GET /health HTTP/1.0\r\n\r\n", broken=True)
        assert (head[0].split()[1], json.loads(body)["status"]) == ("503", "the catalog cannot be read")

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (b"GET / HTTP/1.1\r\n\r\n", "404"),
            (b"POST /health HTTP/1.1\r\n\r\n", "405"),
            (b"nonsense\r\n\r\n", "400"),
            (b"GET /health HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", "400"),
            (b"\r\n\r\n", "400"),
        ],
    )
    def test_what_it_does_not_know_it_refuses(self, asked, request_, status):
        head, body = asked(request_)
        assert head[0].split()[1] == status
        assert body

    def test_head_has_no_body(self, asked):
        head, body = asked(b"HEAD /health HTTP/1.1\r\n\r\n")
        assert (head[0], body) == ("HTTP/1.1 200 OK", b"")


async def answered(status: Status, request: bytes) -> tuple[list[str], bytes]:
    """The head in lines and the body that a request gets."""
    got = b""
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host=LOOPBACK)
            nursery.start_soon(status.serve, listeners)
            port = listeners[0].socket.getsockname()[1]
            async with await trio.open_tcp_stream(LOOPBACK, port) as stream:
                await stream.send_all(request)
                async for piece in stream:
                    got += piece
            nursery.cancel_scope.cancel()
    head, _, body = got.partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), body
