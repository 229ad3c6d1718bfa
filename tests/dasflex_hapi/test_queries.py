# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of HAPI's queries as functions, and what its refusals say of each kind of error."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.errors import (
    AccessError,
    BusyError,
    ConfigError,
    DasflexError,
    NotFoundError,
    QueryError,
    SourceError,
)
from dasflex_core.times import Time, format_time
from dasflex_hapi.serving.queries import ENDPOINTS, chosen, output_format, read_query, time_range
from dasflex_hapi.serving.refusals import MESSAGES, HapiError, refusal_of

DAY = 86_400 * 10**9
ALL = (-(2**63), 2**63)


def span(start, stop, begin=ALL[0], end=ALL[1]):
    query = read_query("data", f"id=a&start={start}&stop={stop}")
    return time_range(query, begin, end, "always")


def code(call, *arguments):
    with pytest.raises(HapiError) as refused:
        call(*arguments)
    return refused.value.code


def outcome(call, *arguments):
    """The code of a refusal, 0 where there is none."""
    try:
        call(*arguments)
    except HapiError as error:
        return error.code
    return 0


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("1970Z", 0),
        ("1970", 0),
        ("1970-01Z", 0),
        ("1970-001Z", 0),
        ("1970-01-02Z", 1),
        ("1970-002T00Z", 1),
        ("1970-01-02T00:00Z", 1),
        ("1970-01-01T24:00:00Z", 1),
        ("1970-001T24Z", 1),
        ("1972-060Z", 789),
        ("2016-12-31T23:59:60Z", 17167),
        ("2016-12-31T23:59:60.999Z", 17167),
    ],
)
def test_each_form_of_time_is_read(text, days):
    assert span(text, "2030Z")[0] == days * DAY


@given(ns=st.integers(0, 4 * 10**18))
def test_times_are_read_to_the_nanosecond(ns):
    assert span(f"{format_time(Time(ns), 9)}Z", "2200Z")[0] == ns


@given(text=st.text(max_size=40))
def test_what_is_no_time_is_refused_and_nothing_else_is_raised(text):
    assert outcome(span, quote(text), "2200Z") in (0, 1400, 1402, 1404, 1405)


@given(endpoint=st.sampled_from(sorted(ENDPOINTS)), text=st.text(max_size=60))
def test_any_query_is_read_or_refused(endpoint, text):
    assert outcome(read_query, endpoint, text) in (0, *MESSAGES)


def test_names_are_looked_at_before_values():
    assert code(read_query, "info", "resolve_references=no&more=1") == 1401
    assert code(read_query, "info", "resolve_references=no") == 1400
    assert code(read_query, "info", "resolve_references=no&id=a") == 1412


def test_chosen_parameters_have_the_time_before_them():
    names = ("Time", "a", "b")
    assert chosen(read_query("info", "id=a"), names) is None
    assert chosen(read_query("info", "id=a&parameters="), names) is None
    assert chosen(read_query("info", "id=a&parameters=b"), names) == ("Time", "b")
    assert chosen(read_query("info", "id=a&parameters=Time%2Ca"), names) == ("Time", "a")
    assert code(chosen, read_query("info", "id=a&parameters=b,a"), names) == 1411
    assert code(chosen, read_query("info", "id=a&parameters=c"), names) == 1407


def test_the_format_is_one_that_there_is():
    query = read_query("data", "id=a&start=b&stop=c&format=x_cdf")
    assert output_format(query, ("csv",), ("x_cdf",)) == "x_cdf"
    assert code(output_format, query, ("csv",), ()) == 1409


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (QueryError("gibberish"), 400, 1400),
        (QueryError("gibberish", kind="query.too-large"), 400, 1408),
        (QueryError("gibberish", kind="query.not-offered"), 400, 1400),
        (NotFoundError("gibberish", kind="not-found.gone"), 404, 1406),
        (SourceError("a disk"), 500, 1501),
        (SourceError("a disk", kind="source.silent"), 500, 1501),
        (ConfigError("gibberish"), 500, 1500),
        (DasflexError("gibberish"), 500, 1500),
        (BusyError("gibberish"), 503, 1500),
        (BusyError("gibberish", kind="busy.rate"), 429, 1500),
        (AccessError("gibberish", kind="access.denied"), 403, 1400),
        (AccessError("gibberish", kind="access.log-in", realm="Team"), 401, 1400),
    ],
)  # fmt: skip
def test_each_kind_of_error_has_its_status_and_code_and_never_the_text_of_a_client(error, status, code):
    told = refusal_of(error)
    assert (told.status, told.code) == (status, code)
    assert told.message.startswith(f"HAPI error {code}: {MESSAGES[code]}")
    assert "gibberish" not in told.message
    assert told.phrase.startswith(f"{status} ")
    assert f"; HAPI {code} " in told.phrase
    names = {name for name, _ in told.headers}
    assert ("WWW-Authenticate" in names, "Retry-After" in names) == (status == 401, isinstance(error, BusyError))
