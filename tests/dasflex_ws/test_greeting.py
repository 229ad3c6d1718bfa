# SPDX-License-Identifier: GPL-3.0-or-later
"""The beginning of a connection: every head is a request for a WebSocket or gets one answer, whatever its bytes are."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as some
from trio.testing import memory_stream_pair

from dasflex_ws.greeting import Greeting, greeted
from dasflex_ws.replying import Reply

OPENING = (
    b"GET /dasws/Lab/Device/flexRT?a=%201 HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


def said(*pieces: bytes, begun: bytes = b""):
    """What becomes of bytes that come in these pieces, after which nothing comes."""

    async def main():
        ours, theirs = memory_stream_pair()
        async with trio.open_nursery() as nursery:

            async def client():
                for each in pieces:
                    await theirs.send_all(each)
                await theirs.send_eof()

            nursery.start_soon(client)
            with trio.fail_after(30):
                return await greeted(ours, begun)

    return trio.run(main)


def parsed(reply: Reply) -> tuple[h11.Response, bytes]:
    """An answer as an HTTP client reads it to the end of the connection."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="HEAD" if reply.head else "GET", target="/", headers=[("Host", "h")]))
    client.send(h11.EndOfMessage())
    client.receive_data(reply.encoded())
    client.receive_data(b"")
    response, body = client.next_event(), b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    return response, body


@given(cuts=some.lists(some.integers(0, len(OPENING) + 2), max_size=6), begun=some.integers(0, len(OPENING)))
@settings(max_examples=40, deadline=None)
def test_an_opening_is_read_however_it_is_cut_and_keeps_what_is_behind_it(cuts, begun):
    data = OPENING + b"\r\n" + b"\x81\x80\1\2\3\4"
    places = sorted({begun, *(each for each in cuts if each > begun), len(data)})
    pieces = [data[low:high] for low, high in pairwise(places)]
    found = said(*pieces, begun=data[:begun])
    assert isinstance(found, Greeting)
    assert (found.path, found.query) == ("/dasws/Lab/Device/flexRT", "a=%201")
    # what comes in a later piece is read later, from the connection
    assert (b"\x81\x80\1\2\3\4").startswith(found.rest)


@given(some.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes_get_one_whole_answer_of_http_or_none(data):
    found = said(data)
    if found is not None:
        assert isinstance(found, Reply)
        response, body = parsed(found)
        assert response.status_code in (200, 400, 405, 426, 431)
        assert body.endswith(b"\n") or found.head


@given(
    head=some.lists(
        some.tuples(
            some.sampled_from(
                [
                    "Host",
                    "Upgrade",
                    "Connection",
                    "Sec-WebSocket-Key",
                    "Sec-WebSocket-Version",
                    "Sec-WebSocket-Protocol",
                    "Content-Length",
                    "Transfer-Encoding",
                    "Origin",
                    "X-Forwarded-For",
                ]
            ),
            some.one_of(
                some.sampled_from(["h", "websocket", "Upgrade", "dGhlIHNhbXBsZSBub25jZQ==", "13", "request", "0", ""]),
                some.text(some.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20),
            ),
        ),
        max_size=10,
    ),
    method=some.sampled_from(["GET", "HEAD", "POST", "get", "OPTIONS", "PRI"]),
    target=some.sampled_from(["/", "/x", "*", "h:80", "http://h/x?y", "http://h?y", "/%ff", "/%2e%2e/", "//", "?"]),
    version=some.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0"]),
)
@settings(max_examples=150, deadline=None)
def test_any_head_is_greeted_with_a_sound_key_or_refused(head, method, target, version):
    lines = [f"{method} {target} {version}", *(f"{name}: {text}" for name, text in head), "", ""]
    found = said("\r\n".join(lines).encode("latin-1"))
    if isinstance(found, Greeting):
        upgrade = h11.Connection(h11.SERVER)
        upgrade.receive_data(found.handshake())
        assert isinstance(upgrade.next_event(), h11.Request)
        assert len(found.handshake()) < 400
    else:
        assert found is not None
        parsed(found)


@pytest.mark.parametrize(
    ("old", "new", "status", "words"),
    [
        (b"HTTP/1.1", b"HTTP/1.0", 400, b"HTTP 1.1"),
        (b"keep-alive, Upgrade", b"keep-alive", 400, b"Connection: Upgrade"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZQ==", 400, b"16 bytes"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBs_SBub25jZQ==", 400, b"16 bytes"),
        (b"Sec-WebSocket-Version: 13\r\n", b"", 426, b"version 13"),
        (b"Host: h", b"Host: h\r\nContent-Length: 4", 400, b"no body"),
        (b"Host: h", b"Host: h\r\nTransfer-Encoding: chunked", 400, b"no body"),
        (b"Host: h", b"Host: h\r\nSec-WebSocket-Protocol: chat, soap", 400, b"chat, soap"),
        (b"Device", b"Dev%ffce", 400, b"UTF-8"),
        (b"GET", b"HEAD", 426, b""),
        (b"WebSocket\r\n", b"h2c\r\n", 426, b"WebSocket"),
    ],
    ids=["old HTTP", "no upgrade", "short key", "key of another alphabet", "no version", "body", "chunks", "sub-protocol",
         "path", "HEAD", "another upgrade"],
)  # fmt: skip
def test_what_is_wrong_with_an_opening_is_said(old, new, status, words):
    found = said(OPENING.replace(old, new, 1) + b"\r\n")
    response, body = parsed(found)
    assert response.status_code == status
    assert words in body


def test_a_wanted_sub_protocol_is_answered_by_the_one_there_is_and_the_clients_words_do_not_go_further():
    found = said(OPENING + b"Sec-WebSocket-Protocol: chat, request\r\nCookie: secret\r\n\r\n")
    assert found.subprotocols == ["chat", "request"]
    assert b"chat" not in found.handshake()
    assert b"secret" not in found.handshake()


def test_extensions_are_not_passed_on_so_none_can_be_agreed_on():
    found = said(OPENING + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    assert b"deflate" not in found.handshake()


def test_a_path_is_decoded_once():
    found = said(OPENING.replace(b"Device", b"De%2576ice") + b"\r\n")
    assert found.path == "/dasws/Lab/De%76ice/flexRT"


@pytest.mark.parametrize("begin", [b"", b"GET / HT"])
def test_who_leaves_before_the_end_of_a_head_gets_at_most_one_answer(begin):
    found = said(begin)
    assert found is None or parsed(found)[0].status_code == 400


def test_a_head_that_has_no_end_is_refused_before_it_fills_the_memory():
    found = said(OPENING, *[b"X: " + b"y" * 4000 + b"\r\n"] * 20)
    assert parsed(found)[0].status_code == 431


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"?a=", b"?a=" + b"&" * 8_200, 414),
        (b"Host: h\r\n", b"Host: h\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(100)), 431),
    ],
)
def test_what_is_too_large_for_http_is_too_large_here(old, new, status):
    found = said(OPENING.replace(old, new) + b"\r\n")
    assert parsed(found)[0].status_code == status
