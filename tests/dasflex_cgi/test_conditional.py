# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates and tags of HTTP: written and read as the standard library does it, and compared as RFC 9110 says."""

from __future__ import annotations

from email.utils import formatdate, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_cgi.conditional import http_date, read_http_date, unchanged, weak_tag

TAG = weak_tag("abc")
SINCE = "Sun, 06 Nov 1994 08:49:37 GMT"
AT = 784111777.5


@given(st.integers(0, 253402300799))
def test_dates_are_those_of_the_standard_library_and_come_back(seconds):
    text = http_date(seconds)
    assert text == formatdate(seconds, usegmt=True)
    assert read_http_date(text) == seconds == parsedate_to_datetime(text).timestamp()


@given(
    st.text(max_size=40) | st.lists(st.sampled_from([*SINCE.split(), "-1", "99:99:99", "Feb", "¹", "0"])).map(" ".join)
)
def test_other_texts_are_no_dates_and_no_trouble(text):
    found = read_http_date(text)
    assert found is None or found >= 0


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({}, False),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": '"x", W/"abc" '}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"'}, False),
        ({"if-none-match": "abc"}, False),
        ({"if-none-match": '"x"', "if-modified-since": SINCE}, False),
        ({"if-modified-since": SINCE}, True),
        ({"if-modified-since": "Sun, 06 Nov 1994 08:49:38 GMT"}, True),
        ({"if-modified-since": "Sun, 06 Nov 1994 08:49:36 GMT"}, False),
        ({"if-modified-since": "Sunday, 06-Nov-94 08:49:37 GMT"}, False),
        ({"if-modified-since": ""}, False),
    ],
)
def test_a_tag_decides_and_without_one_the_date(headers, same):
    assert unchanged(headers, TAG, AT) is same


def test_what_has_neither_is_never_unchanged():
    assert not unchanged({"if-none-match": "*"}, "", None)
    assert not unchanged({"if-none-match": 'W/""'}, "", None)
    assert not unchanged({"if-modified-since": SINCE}, "", None)
