# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of files say which time they hold: the examples of the specification of URI templates, and Autoplot's spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.errors import ConfigError
from dasflex_core.times import Time, format_time, parse_time
from dasflex_files.pattern import parse_pattern


def named(template, name):
    """The range that a name says, as text; None where it does not belong."""
    found = parse_pattern(f"/data/{template}").named(name.split("/"))
    return found and f"{format_time(Time(found.begin))}/{format_time(Time(found.end))}"


def short(text):
    """A range as `named` writes it."""
    return "/".join(format_time(parse_time(each)) for each in text.split("/"))


@pytest.mark.parametrize(
    ("template", "name", "expected"),
    [
        ("data_$Y.dat", "data_1998.dat", "1998-01-01/1999-01-01"),
        ("data_$(Y)-$m.dat", "data_1998-12.dat", "1998-12-01/1999-01-01"),
        ("$$$Y$$.dat", "$2001$.dat", "2001-01-01/2002-01-01"),
        ("$Y/data_$Y_$j_id$x.cdf", "2015/data_2015_361_id79242.cdf", "2015-361/2015-362"),
        ("data_$Y-$(m;pad=none)-$d.dat", "data_2015-9-28.dat", "2015-09-28/2015-09-29"),
        ("data_$Y_$(m;delta=6).dat", "data_2009_07.dat", "2009-07-01/2010-01-01"),
        ("$Y-$m-$(d;delta=1m).txt", "2009-03-01.txt", "2009-03-01/2009-04-01"),
        ("$Y-$m-$(d;delta=1m).txt", "2009-01-31.txt", "2009-01-31/2009-02-28"),
        ("$Y$m$d$(H;delta=12)", "2009030112", "2009-03-01T12/2009-03-02"),
        ("data_$Y$j_$(Y;end)$(j;shift=1).txt", "data_2005132_2005145.txt", "2005-132/2005-146"),
        ("data_$Y$m$d_$(Y;end)$m$d.txt", "data_20050512_20050526.txt", "2005-132/2005-146"),
        ("$Y-$m-$(d;shift=1).dat", "2013-08-31.dat", "2013-09-01/2013-09-02"),
        ("$Y$m$d_$H$M-$(H;end)$M", "20200101_2330-0030", "2020-01-01T23:30/2020-01-02T00:30"),
        ("d_$(periodic;offset=2285;start=2000-346T00:00;period=27d)", "d_2286", "2001-007/2001-034"),
        ("d_$(periodic,offset=0,start=2000-01-01,period=PT12H)", "d_3", "2000-01-02T12/2000-01-03"),
        ("$Y_$m_$d_S$(hrinterval;values=01,02,03,04).gif", "2011_12_01_S03.gif", "2011-12-01T12/2011-12-01T18"),
        (
            "$Y/$(b;case=cap)/DOY$j/s_$y$j$(hrinterval,names=a,b).gif",
            "2002/Nov/DOY314/s_02314b.gif",
            "2002-314T12/2002-315",
        ),
        ("$Y-$jT$H:$M:$S.$(subsec;places=3)", "2015-244T17:45:03.123", "2015-244T17:45:03.123/2015-244T17:45:03.124"),
        ("x_$(d;pad=none;Y=1999; m=5).dat", "x_1.dat", "1999-05-01/1999-05-02"),
        ("$(y;start=1990)$j", "89001", "2089-001/2089-002"),
        ("$y$j", "49001", "2049-001/2049-002"),
        ("$Y$m$d_*.csv", "20200229_anything.csv", "2020-02-29/2020-03-01"),
        ("$Y_$(enum;values=A,B)", "2000_B", "2000-001/2001-001"),
        ("$Y_$(x;regex='\\d{1,2}').gif", "2000_17.gif", "2000-001/2001-001"),
        ("$Y_$(x,len=2)$m", "2000_ab03", "2000-03-01/2000-04-01"),
    ],
)
def test_a_name_says_its_range(template, name, expected):
    assert named(template, name) == short(expected)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("data_$Y.dat", "data_98.dat"),
        ("$Y$m$d", "20201301"),
        ("$Y$j", "2020367"),
        ("$Y_$(enum;values=A,B)", "2000_C"),
        ("$Y_$(x;regex='\\d').gif", "2000_17.gif"),
        ("$Y$m$d_v$(v;ge=2.0).cdf", "20200101_v1.9.cdf"),
        ("$Y$m$d_v$(v;lt=2.0).cdf", "20200101_v2.0.cdf"),
    ],
)
def test_what_does_not_fit_does_not_belong(template, name):
    assert named(template, name) is None


@pytest.mark.parametrize(
    ("template", "order"),
    [
        ("$Y_v$(v,sep).cdf", ["2020_v1.9.cdf", "2020_v1.10.cdf", "2020_v2.0.cdf"]),
        ("$Y_v$(v;type=float).cdf", ["2020_v1.10.cdf", "2020_v1.9.cdf"]),
        ("$Y_v$v.cdf", ["2020_v02.cdf", "2020_v10.cdf"]),
        ("$Y_v$(v;separator=-).cdf", ["2020_v1-2.cdf", "2020_v1-10.cdf"]),
        ("$Y_$(v,alpha).cdf", ["2020_a.cdf", "2020_b.cdf"]),
    ],
)
def test_versions_are_in_order(template, order):
    pattern = parse_pattern(f"/data/{template}")
    versions = [pattern.named([name]).version for name in order]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("$Y_$Q.cdf", "no field 'Q'"),
        ("$(Y;stop).cdf", "no modifier 'stop'"),
        ("$(Y.cdf", "not closed"),
        ("$Y$(subsec)", "places="),
        ("$Y$(hrinterval)", "values"),
        ("$Y$(x;regex='(a|b)')", r"\(\?:"),
        ("$Y$(x;regex='[')", "no expression"),
        ("$(Y;delta=7fortnights)", "no number with a unit"),
    ],
)
def test_a_pattern_that_means_nothing_is_an_error_that_says_why(template, words):
    with pytest.raises(ConfigError, match=words):
        parse_pattern(f"/data/{template}")


def test_the_root_is_what_has_no_field():
    assert parse_pattern("/a/b$$c/$Y/x/$m.cdf").root == "/a/b$c"
    assert parse_pattern("/a/file.csv").root == "/a"
    assert parse_pattern("/$Y.csv").root == "/"


def test_an_end_that_is_cut_reaches_to_the_next_unit():
    found = parse_pattern("/d/$Y$m$d_$H$M$S_$(Y,end)$m$d_$H$M$S.cdf").named(["20080629_171151_20080629_171152.cdf"])
    assert (found.end - found.begin, found.reach - found.end) == (10**9, 10**9)


@given(st.dates(), st.integers(0, 86399))
def test_what_is_written_by_the_calendar_is_read_by_the_pattern(day, second):
    pattern = parse_pattern("/data/$Y/$j/$Y$m$d_$H$M$S.cdf")
    hour, minute, rest = second // 3600, second // 60 % 60, second % 60
    name = f"{day.year:04d}{day.month:02d}{day.day:02d}_{hour:02d}{minute:02d}{rest:02d}.cdf"
    found = pattern.named([f"{day.year:04d}", f"{day.timetuple().tm_yday:03d}", name])
    expected = parse_time(f"{day.isoformat()}T{hour:02d}:{minute:02d}:{rest:02d}").ns
    assert found.begin == max(expected, -(2**63) + 1) or expected > 2**63 - 1


@given(st.text(alphabet="$YmdHMS()xv,;=0aA'|*/.", max_size=20))
def test_no_pattern_does_anything_but_be_understood_or_refused(text):
    try:
        parse_pattern(f"/data/{text}.csv").named(["2020.csv"]) if "/" not in text else parse_pattern(
            f"/data/{text}.csv"
        )
    except ConfigError:
        pass
    except ValueError as error:  # a pattern with other levels than the name
        assert "zip" in str(error)  # noqa: PT017  it is the one kind that is meant
