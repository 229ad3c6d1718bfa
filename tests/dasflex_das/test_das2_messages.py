# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that comments and failures have the bytes that das2 clients read."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_das.das2_framing import Das2Framer
from dasflex_das.das2_messages import comment_packet, error_document, exception_type, problem_packet
from dasflex_das.elements import parse


def test_an_error_answer_is_the_canonical_document_byte_for_byte():
    assert error_document("ServerError", "reader failed") == (
        b'[00]000025<stream version="2.2" />\n[xx]000057<exception type="ServerError" message="reader failed" />\n'
    )


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("query.bad-time", "IllegalArgument"),
        ("query", "IllegalArgument"),
        ("not-found.source", "NoSuchDataSource"),
        ("source.exit", "ServerError"),
        ("access.denied", "ServerError"),
        ("QueryError", "IllegalArgument"),
        ("NoMatchingData", "NoDataInInterval"),
        ("NoDataInInterval", "NoDataInInterval"),
        ("ServerError", "ServerError"),
        ("EMPTY_RESPONSE_FROM_READER", "EMPTY_RESPONSE_FROM_READER"),
    ],
)
def test_kinds_and_das3_types_have_their_das2_exception_type(kind, written):
    assert exception_type(kind) == written


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.text(max_size=10_000))
def test_any_text_makes_one_well_formed_line(kind, text):
    for packet in (problem_packet(f"X{kind}", text), comment_packet(kind, text, text)):
        body = packet[10:]
        assert packet[:4] == b"[xx]"
        assert int(packet[4:10]) == len(body)
        assert body.count(b"\n") == 1
        assert body.endswith(b"\n")
        parse(body, "H")


def test_text_comes_back_as_it_was():
    packet = comment_packet("log:info", "a & b", 'x < "y" µ')
    element = parse(packet[10:], "H")
    assert element.attributes == (("type", "log:info"), ("source", "a & b"), ("value", 'x < "y" µ'))
    frames = list(Das2Framer().feed(error_document("query.bad-value", "no 'such' <thing>")))
    assert [frame.kind for frame in frames] == ["header", "problem"]


def test_messages_and_framing_need_no_numpy():
    code = "import sys, dasflex_das.das2_messages, dasflex_das.das2_framing; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
