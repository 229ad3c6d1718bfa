# SPDX-License-Identifier: GPL-3.0-or-later
"""Command templates: each form of an insert, what is refused, and that no value is ever more than a value."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.errors import ConfigError, DasflexError, Place, QueryError
from dasflex_core.plan.templates import (
    SubParam,
    TemplateParam,
    expand_environment,
    parse_template,
    shell_text,
)

PYTHON = "/opt/dasflex/bin/python3"


def render(text, values=None, environ=None, typed=None):
    """All commands that a template becomes."""
    return parse_template(text).render(values or {}, python=PYTHON, environ=environ or {}, typed=typed)


def arguments(text, values=None, environ=None, typed=None):
    """The arguments behind the program of a template's only command."""
    (command,) = render(text, values, environ, typed)
    return list(command[1:])


# -- the forms of an insert


def test_the_waveform_example_renders_with_and_without_its_variable():
    text = "#[python] reader.py #[env.DASFLEX_VOYAGER_DATA # @ # frames] #[read.time.min] #[read.time.max]"
    times = {"read.time.min": "1979-03-01T12:26:11", "read.time.max": "1979-03-01T12:29:24"}
    assert render(text, times) == ((PYTHON, "reader.py", "frames", *times.values()),)
    assert render(text, times, {"DASFLEX_VOYAGER_DATA": "/data/my files"})[0][2] == "/data/my files"


def test_the_survey_example_renders_over_several_lines():
    text = """
      /opt/project/juno/etc/invoke.sh waves_pds_srvrdr -l error flight
      #[read.time.min] #[read.time.max] #[read.set] #[read.spikes # KEEP-SPIKES #] #[read.data(,|LFRL) # LFRL #] #[read.data(,|HFRH) # HFRH #]
    """
    template = parse_template(text)
    assert template.parameters == (
        TemplateParam("read.time.min", required=True),
        TemplateParam("read.time.max", required=True),
        TemplateParam("read.set", required=True),
        TemplateParam("read.spikes", required=False),
        TemplateParam("read.data", required=False, whole=False, subs=(SubParam(",", "LFRL"), SubParam(",", "HFRH"))),
    )
    values = {"read.time.min": "2016", "read.time.max": "2017", "read.set": "E", "read.spikes": True}
    begin = ["waves_pds_srvrdr", "-l", "error", "flight", "2016", "2017", "E"]
    assert arguments(text, values) == [*begin, "KEEP-SPIKES"]
    assert arguments(text, {**values, "read.spikes": False, "read.data": "HFRH"}) == [*begin, "HFRH"]
    assert arguments(text, {**values, "read.data": ("HFRH", "LFRL")}) == [*begin, "KEEP-SPIKES", "LFRL", "HFRH"]


def test_the_real_time_example_makes_one_argument_of_an_option_and_its_value():
    text = "hfr_follow tcp://egse:4001 #[read.antenna # --antenna=@ #]"
    assert arguments(text, {"read.antenna": "Ev"}) == ["tcp://egse:4001", "--antenna=Ev"]
    assert arguments(text) == ["tcp://egse:4001"]


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("r #[read.x]", "a b", ["a b"]),
        ("r #[ read.x ]", "v", ["v"]),
        ("r #[read.x # <@>@ ]".replace("<", "[").replace(">", "\\]"), "v", ["[v]v"]),
        ("r --frame=#[read.x]", "JSO", ["--frame=JSO"]),
        ("r a#[read.x]b", "", ["ab"]),
        ("r #[read.x # -o @]", "v", ["-o", "v"]),
        ("r #[read.x # -o @ #]", "v w", ["-o", "v w"]),
        ("r #[read.x # -o @ #]", None, []),
        ("r #[read.x#@#0]", None, ["0"]),
        ("r #[read.x # @ # -n 0]", None, ["-n", "0"]),
        ("r #[read.x # # --none]", "v", []),
        ("r #[read.x # # --none]", None, ["--none"]),
        ("r #[read.x # @ #]", "", [""]),
        ("r #[read.x # '' #]", "v", [""]),
        ("r --x=#[read.x # @ #]", None, ["--x="]),
        ('r "#[read.x # @ #]"', None, [""]),
        ("r '#[read.x # @ #]'", "v", ["v"]),
        ('r "#[read.x # -o @ #]"', "v", ["-o v"]),
        ('r "#[read.x # -o  @ #] a"', "v", ["-o  v a"]),
        ("r #[read.x # '-o  @' #]", "v", ["-o  v"]),
        ('r #[read.x # "# ] @" #]', "v", ["# ] v"]),
        ("r #[read.x # \\#\\@\\] #]", "v", ["#@]"]),
        ("r a#[read.x # b c #]d", "v", ["ab", "cd"]),
        ("r a#[read.x # b c #]d", None, ["ad"]),
        ("r #[read.x # b c #]#[read.x # d e #]", "v", ["b", "cd", "e"]),
        ("r #[read.x # @\n  -b #]", "v", ["v", "-b"]),
        ("r \\#[read.x] '#'[read.x] a#b user@host", "v", ["#[read.x]", "#[read.x]", "a#b", "user@host"]),
    ],
)
def test_each_form_of_an_insert_gives_the_arguments_it_promises(text, value, expected):
    assert arguments(text, {} if value is None else {"read.x": value}) == expected


def test_a_raw_parameter_string_is_one_argument():
    assert arguments("r #[read.opts # @ #]", {"read.opts": "gain=3 low&'x'"}) == ["gain=3 low&'x'"]


@pytest.mark.parametrize(
    ("value", "typed", "expected"),
    [
        (True, {}, ["--x=true"]),
        (False, {}, []),
        ("false", {"read.x": "boolean"}, []),
        ("False", {"read.x": "boolean"}, []),
        ("true", {"read.x": "boolean"}, ["--x=true"]),
        ("false", {}, ["--x=false"]),
        (60, {}, ["--x=60"]),
        (0, {}, ["--x=0"]),
        (0.25, {}, ["--x=0.25"]),
        (("a", "b"), {}, ["--x=a,b"]),
        ((), {}, []),
    ],
)
def test_a_typed_value_has_its_text_and_a_false_or_empty_one_is_absent(value, typed, expected):
    assert arguments("r #[read.x # --x=@ #]", {"read.x": value}, typed=typed) == expected


@pytest.mark.parametrize("text", ["r #[read.x]", "r #[read.x # @]", "r #[read.x(,|a)]"])
def test_a_required_parameter_that_is_absent_is_the_clients_error(text):
    with pytest.raises(QueryError, match=r"read\.x") as caught:
        render(text)
    assert caught.value.kind == "query.missing-parameter"


def test_a_required_flag_that_is_false_is_missing():
    with pytest.raises(QueryError, match=r"read\.x"):
        render("r #[read.x]", {"read.x": False})


# -- sub-parameters


@pytest.mark.parametrize(
    ("insert", "value", "expected"),
    [
        ("#[read.x(,|b) # --@ #]", "a, b ,c", ["--b"]),
        ("#[read.x(,|b) # --@ #]", "a,bb", []),
        ("#[read.x(,|b) # --@ #]", "B", []),
        ("#[read.x(,|b) # yes # no]", "", ["no"]),
        ("#[read.x(,|-b) # @ #]", "-b", ["-b"]),
        ("#[read.x( |gain|=) # @ #]", "low  gain=3\tx", ["3"]),
        ("#[read.x(;|gain|:) # -g @ #]", "low; gain : 3 4 ;x", ["-g", "3 4"]),
        ("#[read.x(;|gain|=) # @ #]", "gain=a=b", ["a=b"]),
        ("#[read.x(;|gain|=) # --g=@ # --g=1]", "gains=2", ["--g=1"]),
        ("#[read.x(;|gain|=) # --g #]", "gain", ["--g"]),
        ("#[read.x(;|gain|=) # @ #]", "gain=3;gain=3", ["3"]),
        ("#[read.x(\\||a) # @ #]", "b|a", ["a"]),
        ("#[read.x(\\)|a\\|b\\\\) # @ #]", "x)a|b\\", ["a|b\\"]),
        ("#[read.x(&&|a) # @ #]", "b&&a", ["a"]),
    ],
)
def test_a_sub_parameter_is_found_among_the_items(insert, value, expected):
    assert arguments(f"r {insert}", {"read.x": value}) == expected


@pytest.mark.parametrize("value", ["gain", "gain=1;gain=2", "gain=1;gain"])
def test_a_sub_parameter_whose_value_is_not_clear_is_refused(value):
    with pytest.raises(QueryError, match="one value of gain, as in gain=VALUE"):
        render("r #[read.x(;|gain|=) # @ #]", {"read.x": value})


def test_what_a_command_consumes_is_named_once_and_as_strictly_as_its_strictest_insert():
    template = parse_template(
        "r #[read.x # @ #] #[read.x(,|a) # a #] #[read.x] | s #[read.y(,|b)] #[read.x(,|a) # A #]"
    )
    assert template.parameters == (
        TemplateParam("read.x", required=True, whole=True, subs=(SubParam(",", "a"),)),
        TemplateParam("read.y", required=True, whole=False, subs=(SubParam(",", "b"),)),
    )


# -- the environment and the interpreter


def test_the_variables_of_the_environment_are_named_once():
    template = parse_template("#[env.A] #[env.B # @ #] #[env.A] #[python]")
    assert template.environment == ("A", "B")
    assert template.parameters == ()


def test_an_empty_variable_is_absent_and_a_value_of_the_request_never_takes_its_place():
    text = "r #[env.A # @ # else]"
    assert arguments(text, {"env.A": "request", "python": "request"}, {"A": ""}) == ["else"]
    assert arguments("r #[python]", {"python": "request"}) == [PYTHON]


def test_a_required_variable_that_is_not_set_is_the_administrators_error():
    with pytest.raises(ConfigError, match="DATA is not set") as caught:
        render("r #[env.DATA]")
    assert caught.value.kind == "config.missing"


def test_the_administrators_variable_may_begin_with_a_hyphen_and_stays_one_argument():
    assert arguments("r #[env.A]", environ={"A": "-v -q"}) == ["-v -q"]


def test_expanding_a_path_leaves_everything_but_its_inserts():
    text = "#[env.ROOT # @/sub # my frames]/$Y/'*'_$(v,sep) | \\n.DAT"
    assert expand_environment(text, {}) == "my frames/$Y/'*'_$(v,sep) | \\n.DAT"
    assert expand_environment(text, {"ROOT": "#[python]"}) == "#[python]/sub/$Y/'*'_$(v,sep) | \\n.DAT"
    assert expand_environment("#[env.A # @/$Y* #]", {"A": "/a"}) == "/a/$Y*"
    assert expand_environment("#[python]/..", {}, python=PYTHON) == PYTHON + "/.."
    assert expand_environment("", {}) == ""


@pytest.mark.parametrize("text", ["#[read.x]", "#[python]", "a/#[env.HTTP_HOST]", "#[env.A"])
def test_expanding_a_path_refuses_any_insert_but_the_environment(text):
    with pytest.raises(ConfigError, match=r"^x\.toml:3: reader\.changed: ") as caught:
        expand_environment(text, {"A": "a", "HTTP_HOST": "evil"}, place=Place("x.toml", 3, "reader.changed"))
    assert caught.value.kind == "config.bad-value"


def test_expanding_a_path_needs_its_required_variables():
    with pytest.raises(ConfigError, match=r"^x\.toml: the environment variable A is not set"):
        expand_environment("#[env.A]/b", {}, place=Place("x.toml"))


# -- pipes, words and what is refused


def test_a_pipe_gives_two_commands():
    text = "a #[read.x]|'b c' --bin=#[bin.time.max] | #[python] d"
    commands = (("a", "p|q"), ("b c", "--bin=60"), (PYTHON, "d"))
    assert render(text, {"read.x": "p|q", "bin.time.max": 60}) == commands
    assert shell_text(commands) == f"a 'p|q' | 'b c' --bin=60 | {PYTHON} d"


def test_a_backslash_ends_a_line_without_meaning():
    assert render("r a \\\n  b \\\r\n\\\n c\\\n") == (("r", "a", "b", "c"),)
    assert render('r "a\\\nb" "#[read.x # c \\\n d #]"', {"read.x": "v"}) == (("r", "ab", "c  d"),)


SAFE_SIGNS = "abc xyz\t\n-=/.,:%+!?{}^[]_\"'\\é😀"


@given(st.text(SAFE_SIGNS, max_size=20))
def test_words_are_split_as_the_standard_library_splits_them(text):
    """A template without inserts and operators is split as shlex does; a line's last backslash is no sign in a shell."""
    text = "program " + text.replace("\\\n", "\n")
    try:
        expected = shlex.split(text)
    except ValueError:
        with pytest.raises(ConfigError):
            parse_template(text)
    else:
        assert render(text) == (tuple(expected),)


@pytest.mark.parametrize(
    ("text", "column", "advice"),
    [
        ("", 1, "begin with a program"),
        ("  ", 3, "begin with a program"),
        ("a; b", 2, "in a script"),
        ("a && b", 3, "in a script"),
        ("a || b", 3, "in a script"),
        ("a & ", 3, "foreground"),
        ("a `b`", 3, "in a script"),
        ('a "`b`"', 4, "in a script"),
        ("a $(b)", 3, "in a script"),
        ('a "$(b)"', 4, "in a script"),
        ("a $HOME", 3, "#[env.NAME]"),
        ("a ${HOME}", 3, "#[env.NAME]"),
        ("a > b", 3, "is the data"),
        ("a 2>/dev/null", 4, "to the log"),
        ("a < b", 3, "redirected"),
        ("(a)", 1, "grouped"),
        ("a *.dat", 3, "quote the *"),
        ("a # why", 3, "comment"),
        ("a ~/b", 3, "#[env.HOME]"),
        ("A=1 b", 1, "set_env"),
        ("a |", 4, "leave the | out"),
        ("a | | b", 5, "leave the | out"),
        ("| a", 1, "begin with a program"),
        ("a 'b", 3, "not closed"),
        ('a "b', 3, "not closed"),
        ("a \\", 3, "backslash"),
        ("a \0", 3, "NUL"),
        ("#[read.x] b", 1, "choose the program"),
        ("a | /bin/#[read.x # @ #] b", 5, "choose the program"),
        ("#[env.A # @ #] b", 1, "left of the program"),
        ("'' b", 1, "left of the program"),
        ("a #[read.x", 3, "write ]"),
        ("a #[read.x # b", 3, "write ]"),
        ("a #[read.x # 'b ]", 14, "not closed"),
        ("a #[read.x @]", 12, "( or # or ]"),
        ("a #[time]", 5, "such as read.time.min"),
        ("a #[]", 5, "such as read.time.min"),
        ("a #[read..x]", 5, "such as read.time.min"),
        ("a #[read.x # a # b # c]", 20, "two texts"),
        ("a #[read.x # #[read.y] #]", 14, "hold another"),
        ("a #[read.x#[read.y]]", 11, "hold another"),
        ("a #[read.x # '#[read.y]' #]", 15, "hold another"),
        ("a #[read.x #]", 3, "# @ #]"),
        ("a #[read.x # #]", 3, "# @ #]"),
        ("a #[read.x # a # @]", 3, "\\@"),
        ("a #[read.x # a | b #]", 16, "quote the |"),
        ("a #[read.x # a; b #]", 15, "in a script"),
        ("a #[read.x(,) # a #]", 11, "(,|LFRL)"),
        ("a #[read.x(|a) # a #]", 11, "(,|LFRL)"),
        ("a #[read.x(,|) # a #]", 11, "(,|LFRL)"),
        ("a #[read.x(,|a|) # a #]", 11, "(,|LFRL)"),
        ("a #[read.x(,|a|b|c) # a #]", 11, "(,|LFRL)"),
        ("a #[read.x(,|a # a #]", 11, "(,|LFRL)"),
        ("a #[read.x(=|a|=) # a #]", 11, "(;|gain|=)"),
        ("a #[python # @ #]", 3, "write #[python]"),
        ("a #[python(,|a)]", 11, "leave the parentheses out"),
        ("a #[env.A(,|a)]", 10, "leave the parentheses out"),
        ("a #[env.1A]", 5, "letters, digits and _"),
        ("a #[env.HTTP_PROXY]", 5, "CGI request"),
        ("a #[env.QUERY_STRING]", 5, "CGI request"),
    ],
)
def test_a_malformed_template_is_refused_with_its_column_and_what_is_right(text, column, advice):
    with pytest.raises(ConfigError, match=re.escape(advice)) as caught:
        parse_template(text)
    assert caught.value.kind == "config.bad-value"
    assert int(re.search(r"at column (\d+)", str(caught.value))[1]) == column


def test_an_error_names_the_file_the_line_and_the_column():
    with pytest.raises(ConfigError) as caught:
        parse_template("reader\n  a; b", place=Place("source.toml", 12, "reader.command"))
    assert str(caught.value).startswith("source.toml:12: reader.command: at line 2, column 4: ';' has no meaning")


def test_signs_of_a_shell_are_text_where_they_are_quoted():
    text = r"""r ';' "a && b" '`$(x) $HOME' \> '*' \~ "~" a\|b "(" #[read.x # 'a;b|@' #]"""
    expected = [";", "a && b", "`$(x) $HOME", ">", "*", "~", "~", "a|b", "(", "a;b|v"]
    assert arguments(text, {"read.x": "v"}) == expected


@pytest.mark.parametrize("name", ["HTTPS_CERTS", "PATH", "SCRIPT_DIR", "http_proxy", "HOME"])
def test_variables_that_only_look_like_the_requests_may_be_used(name):
    assert parse_template(f"r #[env.{name}]").environment == (name,)


# -- values that would be more than values


@pytest.mark.parametrize("value", ["-rf", "--", "-", "--out=/x", "-5km", "-inf", "-5", "-1e5"])
@pytest.mark.parametrize("text", ["r #[read.x]", "r --o #[read.x # @ #]", "r '#[read.x # @s #]'", "r #[read.x(;|a|=)]"])
def test_a_value_cannot_become_an_option(text, value):
    with pytest.raises(QueryError, match=r"read\.x must not begin with a hyphen") as caught:
        render(text, {"read.x": f"a={value}" if "|" in text else value})
    assert caught.value.kind == "query.bad-value"


@pytest.mark.parametrize("text", ["r #[read.x]-v", 'r "#[read.x]-"', "r #[read.x # @-v #]", "r #[read.x]#[read.y]"])
def test_an_empty_value_cannot_bare_the_hyphen_behind_it(text):
    with pytest.raises(QueryError, match=r"read\.x must not be empty here"):
        render(text, {"read.x": "", "read.y": "-v"})


@pytest.mark.parametrize("text", ["r -#[read.x]", "r --a=#[read.x]", "r a#[read.x]", "r #[read.x # -a@ #]"])
def test_a_hyphen_behind_the_templates_own_text_is_only_a_value(text):
    assert arguments(text, {"read.x": "-v"})[0].endswith("-v")


@pytest.mark.parametrize("value", [-5, -5.5, -1e-30, "-5", "-.5", "-5.", "-1.5E+3"])
def test_a_negative_number_passes_where_the_parameter_is_a_number(value):
    assert arguments("r #[read.x]", {"read.x": value}, typed={"read.x": "real"}) == [str(value)]
    if not isinstance(value, str):
        assert arguments("r #[read.x]", {"read.x": value}) == [str(value)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("r #[read.x]", "-inf"),
        ("r #[read.x]", float("-inf")),
        ("r #[read.x]", "-e"),
        ("r #[read.x]", "-5\n"),
        ("r #[read.x]", "-\u0665"),
        ("r #[read.x]km", -5),
        ("r #[read.x]#[read.y]", -5),
    ],
)
def test_a_negative_number_passes_only_as_the_whole_argument_and_in_digits(text, value):
    with pytest.raises(QueryError, match=r"read\.x must not begin with a hyphen"):
        render(text, {"read.x": value, "read.y": "abc"}, typed={"read.x": "real"})


RAW = {"read.opts": "arguments"}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("r a #[read.opts # @ #]", "--filter=low --gain=3", ["a", "--filter=low", "--gain=3"]),
        ("r a #[read.opts # @ #] b", "k=v&-x", ["a", "k=v", "-x", "b"]),
        ("r #[read.opts # @ #]", "  +5.5V\t%41 ", ["+5.5V", "%41"]),
        ("r #[read.opts # @ #]", "'a b' \"c\\ d\" $(e) ;f", ["'a", "b'", '"c\\', 'd"', "$(e)", ";f"]),
        ("r --a=#[read.opts # @ #]x", "1 2 3", ["--a=1", "2", "3x"]),
        ("r #[read.opts # -o @ # none at all]", "1 2", ["-o", "1", "2"]),
        ("r #[read.opts # -o @ # none at all]", " & ", ["none", "at", "all"]),
        ("r '#[read.opts # @ #]'", "-a  b", ["-a  b"]),
        ('r --opts="#[read.opts # @ #]"', "-a&b", ["--opts=-a&b"]),
        ("r #[read.opts # @ #]", "", []),
    ],
)
def test_a_parameter_of_the_type_arguments_is_a_list_of_arguments_that_may_be_options(text, value, expected):
    assert arguments(text, {"read.opts": value}, typed=RAW) == expected


def test_arguments_of_one_parameter_give_no_leave_to_another():
    with pytest.raises(QueryError, match=r"read\.x must not begin with a hyphen"):
        arguments("r #[read.opts # @ #] #[read.x]", {"read.opts": "-a", "read.x": "-b"}, typed=RAW)
    with pytest.raises(QueryError, match=r"read\.x must not begin with a hyphen"):
        arguments("r #[read.x]#[read.opts # @ #]", {"read.opts": "a", "read.x": "-b"}, typed=RAW)


@pytest.mark.parametrize("value", ["a\0b", "\0", "\ud800", "a\udcffb", ("a", "\0")])
def test_a_value_that_no_argument_can_hold_is_refused(value):
    with pytest.raises(QueryError, match=r"read\.x") as caught:
        render("r --x=#[read.x]", {"read.x": value})
    assert caught.value.kind == "query.bad-value"


# -- properties, for random templates

NAMES = [f"read.p{number}" for number in range(4)]
NASTY = [
    *("", " ", "\n", "-", "--", "-x", "-5", "- ", "@", "#", "]", "'", '"', "\\", "|", ";", "&&", "$(x)", "`x`", "> f"),
    *("#[python]", "#[env.HOME]", "#[read.p0]", "#[read.p1 # @ #]", "a b", "a' 'b", 'a" "b', "a\\ b", "\0", "\ud800"),
    *("x\n-rf", "\t-v", "‐x", "*", "~", "--p0=@", "false", "true", ",", "a,b", "é😀", "\x1b[31m"),  # noqa: RUF001 - a hyphen that is none
]
ANY_VALUE = st.sampled_from(NASTY) | st.text(st.characters(), max_size=12)

LITERALS = st.sampled_from(["a", "-a", "--long=", "-", "/dir/x.y", "b@c", "\\#", "\\;", "'q q'", '"d  d"', "''", "é"])
TEXT_WORDS = st.sampled_from(["@", "-o", "--o=@", "@@", "x@y", "-@", "'@ @'", '"-@"', "\\@", "''", "\\#@\\]", "w"])
TEXTS = st.lists(TEXT_WORDS, min_size=1, max_size=3).map(" ".join)
ELSES = st.lists(st.sampled_from(["e", "-e", "'e e'", "''", "\\@"]), max_size=2).map(" ".join)


@st.composite
def inserts(draw):
    """The text of an insert of any form, of a parameter or of the environment."""
    name = draw(st.sampled_from([*NAMES, "env.SET", "env.UNSET"]))
    form = draw(st.sampled_from(["#[{0}]", "#[{0} # {1}]", "#[{0} # {1} #]", "#[{0} # {1} # {2}]"]))
    if name == "env.UNSET":
        form = "#[{0} # {1} # {2}]"
    return form.format(name, draw(TEXTS), draw(ELSES))


QUOTED = st.tuples(st.sampled_from("'\""), st.lists(inserts() | st.sampled_from(["t", " ", "-t"]), max_size=3))
PIECES = LITERALS | inserts() | st.just("#[python]") | QUOTED.map(lambda pair: "".join(pair[1]).join(pair[0] * 2))
ARGUMENTS = st.lists(PIECES, min_size=1, max_size=3).map("".join)
COMMANDS = st.lists(ARGUMENTS, max_size=4).map(lambda words: " ".join(["program", *words]))
TEMPLATES = st.lists(COMMANDS, min_size=1, max_size=3).map(" | ".join)
VALUES = st.dictionaries(st.sampled_from(NAMES), ANY_VALUE)
ENVIRON = {"SET": "set"}


def outcome(call, *args, **kwargs):
    """What a call returns and the error of ours that it raises; one of them is None."""
    try:
        return call(*args, **kwargs), None
    except DasflexError as error:
        return None, error


def token(name):
    """A harmless value that stands nowhere else: one private character per parameter."""
    return chr(0xE000 + NAMES.index(name))


def with_harmless_values(template, values):
    """The commands for the same parameters with harmless values, and the values that are given."""
    given_values = {param.name: values.get(param.name, "v") for param in template.parameters}
    for param in template.parameters:
        if not param.required and param.name not in values:
            del given_values[param.name]
    return template.render({name: token(name) for name in given_values}, python=PYTHON, environ=ENVIRON), given_values


@settings(max_examples=400)
@given(TEMPLATES, VALUES)
def test_no_value_changes_the_number_of_arguments_or_begins_an_option_or_is_read_again(text, values):
    """Whatever the values are, each lands where its harmless twin would, and nowhere else; or the request is refused."""
    template = parse_template(text)
    harmless, values = with_harmless_values(template, values)
    commands, error = outcome(template.render, values, python=PYTHON, environ=ENVIRON)
    if error:
        assert error.kind == "query.bad-value"
        assert any(not text or text[0] == "-" or re.search("[\0\ud800-\udfff]", text) for text in values.values())
        return
    assert [len(command) for command in commands] == [len(command) for command in harmless]
    for command, twin in zip(commands, harmless, strict=True):
        for argument, model in zip(command, twin, strict=True):
            places = "".join(map(token, NAMES))
            assert argument == "".join(values[NAMES[places.index(sign)]] if sign in places else sign for sign in model)
            assert model.startswith("-") or not argument.startswith("-")
            assert "\0" not in argument
            argument.encode()


@given(
    TEMPLATES,
    st.dictionaries(st.sampled_from(NAMES), st.text(min_size=1).map(lambda text: "v" + text.replace("\0", ""))),
)
def test_a_value_that_begins_with_a_letter_is_never_refused(text, values):
    template = parse_template(text)
    _, values = with_harmless_values(template, values)
    commands = template.render(values, python=PYTHON, environ=ENVIRON)
    assert [shlex.split(shell_text([command])) for command in commands] == [list(command) for command in commands]


@given(ANY_VALUE | st.lists(ANY_VALUE | st.just("a")).map(",".join))
def test_a_list_of_any_items_tells_only_whether_the_item_is_there(value):
    found, error = outcome(arguments, "r #[read.x(,|a) # -@ @ # e]", {"read.x": value})
    if error:
        assert re.search("[\0\ud800-\udfff]", value)
    else:
        assert found == (["-a", "a"] if "a" in [item.strip() for item in value.split(",")] else ["e"])


@given(ANY_VALUE)
def test_the_value_of_a_sub_parameter_is_one_argument_whatever_it_is(value):
    found, error = outcome(
        arguments, "r #[read.x(\U000f0000|a|=) # -o @ # e] end", {"read.x": f"b=1\U000f0000a={value}"}
    )
    if error:
        assert "\U000f0000" in value or value.strip()[:1] == "-" or re.search("[\0\ud800-\udfff]", value)
    else:
        assert found == ["-o", value.split("\U000f0000")[0].strip(), "end"]


SYNTAX = st.sampled_from(
    [
        "#[",
        "]",
        "#",
        "@",
        "(",
        ")",
        "|",
        "'",
        '"',
        "\\",
        " ",
        "\n",
        ",",
        "=",
        "read.x",
        "env.A",
        "python",
        "a",
        "-",
        "$",
        "\0",
    ]
)


@settings(max_examples=500)
@given(st.lists(SYNTAX, max_size=25).map("".join) | st.text(max_size=25))
def test_any_text_is_a_template_or_a_configuration_error(text):
    template, error = outcome(parse_template, "program " + text)
    if error:
        assert error.kind == "config.bad-value"
        assert re.search(r"at (line \d+, )?column \d+: ", str(error))
    else:
        values = {each.name: "v" for each in template.parameters}
        variables = dict.fromkeys(template.environment, "v")
        commands, error = outcome(template.render, values, python=PYTHON, environ=variables)
        if error:  # a value in which something is looked for has not got it
            assert error.kind == "query.missing-parameter"
            assert any(each.subs for each in template.parameters)
        else:
            assert all(command and all(isinstance(argument, str) for argument in command) for command in commands)


def test_a_long_template_is_parsed_in_proportion_to_its_length():
    """A hundred kilobytes of each kind of content, well inside a test's time limit."""
    for unit in ("a ", "#[read.x # a b #]", "\\ ", "'a'", "é"):
        text = "r " + unit * (100_000 // len(unit))
        assert parse_template(text).commands[0][0] == ("r",)
    quoted = parse_template('r "#[read.x # ' + "a " * 50_000 + '#]"')
    assert len(quoted.commands[0]) == 2


def test_importing_templates_imports_no_numpy():
    code = "import sys, dasflex_core.plan.template_syntax; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
